/**
 * What a kernel's type information tells about the kernel: its architecture, the struct that everything here is about,
 * and which kinds of probe it can have. Truth: the structs named below, which are compiled in only with what they belong to.
 */
import { UnreadableError } from '../events/problem.ts';
import { BTF_KIND, type Btf } from './btf.ts';
import { findMember, findStruct, placeStruct, type BtfStruct } from './btf-layout.ts';

/** A member of `struct pt_regs` that only one architecture has. Source: arch/ARCH/include/asm/ptrace.h at v7.3. */
const REGISTERS = [['orig_ax', 'x86_64'], ['syscallno', 'arm64'], ['int_code', 's390x']] as const;

/** Returns the architecture, null for one that is not known here. */
export function archOf(btf: Btf): 'arm64' | 'arm64_be' | 'x86_64' | 's390x' | null {
  const registers = findStruct(btf, 'pt_regs');
  const arch = registers === 0 ? undefined : REGISTERS.find(([member]) => findMember(btf, registers, member) !== undefined)?.[1];
  if (arch === undefined) return null;
  if (arch === 'arm64') return btf.endian === 'little' ? arch : 'arm64_be';
  return (arch === 's390x') === (btf.endian === 'big') ? arch : null;
}

/** Returns `struct iommu_domain` as this kernel has it. Errors: UnreadableError where it has none, or only declares it. */
export function domainOf(btf: Btf): BtfStruct {
  const id = findStruct(btf, 'iommu_domain');
  if (id === 0) throw new UnreadableError(`${btf.name}: this kernel has no struct iommu_domain`, 'it was built without CONFIG_IOMMU_API, or this is the type information of a module: name that of vmlinux');
  return placeStruct(btf, id);
}

/** Which probes a kernel can have. `btfArguments`: by the names of parameters and members; `argumentsAtReturn`: in return probes too. */
export interface ProbeSupport {
  readonly fprobe: boolean;
  readonly kprobe: boolean;
  readonly btfArguments: boolean;
  readonly argumentsAtReturn: boolean;
}

/** Returns which probes this kernel can have. Source: kernel/trace/trace_fprobe.c, trace_kprobe.c, trace_btf.c, trace_probe.h at v7.3. */
export function probeSupport(btf: Btf): ProbeSupport {
  return {
    fprobe: findStruct(btf, 'trace_fprobe') > 0,
    kprobe: findStruct(btf, 'trace_kprobe') > 0,
    btfArguments: btf.find('btf_find_func_proto', BTF_KIND.FUNC) > 0,
    argumentsAtReturn: findStruct(btf, 'probe_entry_arg') > 0,
  };
}
