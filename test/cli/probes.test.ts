/** `iommu-ledger probes`: what each tool is given, the JSON, and refused command lines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../cli/io.ts';
import { addProbesCommand } from '../../cli/probes.ts';
import { UnreadableError } from '../../events/problem.ts';
import { BTF_KIND } from '../../recordings/btf.ts';
import { BTF_72, btf72, buildBtf } from '../btf-file.ts';
import { run, temporaryDirectory } from './run.ts';

const folder = temporaryDirectory();

/** What `probes` with these arguments writes to `-o`. */
function probes(...args: string[]): string {
  const file = join(folder, 'out');
  const program = new Command('iommu-ledger').exitOverride();
  addProbesCommand(program);
  program.parse(['probes', '-o', file, ...args], { from: 'user' });
  return readFileSync(file, 'utf8');
}

/** Type information of a kernel with a domain and these structs. */
function kernelWith(...structs: string[]): string {
  const file = join(folder, `${structs.join('-')}.btf`);
  writeFileSync(file, buildBtf('little', [
    { kind: BTF_KIND.INT, name: 'unsigned int', sizeOrType: 4, more: [32] },
    ...['iommu_domain', ...structs].map((name) => ({ kind: BTF_KIND.STRUCT, name, sizeOrType: 8, vlen: 1, more: ['type', 1, 0] })),
    { kind: BTF_KIND.PTR, sizeOrType: 2 },
    { kind: BTF_KIND.FUNC_PROTO, vlen: 1, more: ['domain', structs.length + 3] },
    { kind: BTF_KIND.FUNC, name: 'iommu_domain_free', sizeOrType: structs.length + 4, vlen: 1 },
  ]));
  return file;
}

describe('probes', () => {
  test.each([
    ['ftrace', /^# .*v7\.3, arm64\n# cd \/sys\/kernel\/tracing; while read -r l; /],
    ['trace-cmd', /^#!\/bin\/sh\n[^]*\nexec trace-cmd record -e iodom -e iommu "\$@"\n$/],
    ['perf', /^#!\/bin\/sh\n[^]*\nexec perf record -a -e 'iodom:\*' -e 'iommu:\*' "\$@"\n$/],
    ['bpftrace', /\nkretfunc:iommu_get_msi_cookie\n\{\n/],
  ])('--tool %s', (tool, shape) => {
    const text = probes('--btf', BTF_72, '--tool', tool);
    expect(text).toMatch(shape);
    expect(text).toContain('iommu_dma_prepare_msi');
  });

  test('--format json has every definition with its fields', () => {
    const printed = JSON.parse(probes('--btf', BTF_72, '--format', 'json')) as Record<string, any>;
    expect(printed).toMatchObject({ schema: 'iommu-ledger/probes/1', tool: 'ftrace', design: 'v7.3', arch: 'arm64', probeType: 'f' });
    expect(printed['definitions']).toContainEqual({
      event: 'claim_group', function: 'iommu_group_claim_dma_owner', at: 'return',
      fields: [{ name: 'ret', fetch: '$retval:s32' }, { name: 'grp', fetch: 'group->id:u32' }, { name: 'owner', fetch: 'owner:x64' }],
      definition: 'f:iodom/claim_group iommu_group_claim_dma_owner%return ret=$retval:s32 grp=group->id:u32 owner=owner:x64',
    });
    expect(printed['missing'][0]).toEqual({ event: 'identity_alloc', what: '__iommu_alloc_identity_domain', costs: 'identity domains are first seen in mid-life' });
  });

  test('takes fprobes where there are, else kprobes, else nothing; names where they are known', () => {
    const line = (...args: string[]): string => probes(...args).split('\n').find((text) => /^[fpr]:/.test(text))!;
    expect(line('--btf', kernelWith('trace_kprobe'))).toBe('p:iodom/domain_free iommu_domain_free dom=$arg1:x64 dtype=+0($arg1):x32');
    expect(line('--btf', kernelWith('trace_kprobe', 'trace_fprobe'))).toMatch(/^f:/);
    expect(line('--btf', BTF_72, '--probe-type', 'p')).toMatch(/^r:iodom\/domain_alloc iommu_paging_domain_alloc_flags dev=dev->kobj\.name:string /);
    expect(line('--btf', BTF_72, '--raw')).toMatch(/%return dev=\+0\(\+0\(\$arg1\)\):string /);
    expect(() => probes('--btf', kernelWith('neither'))).toThrow('neither fprobe nor kprobe events');
    expect(line('--btf', kernelWith('neither'), '--probe-type', 'p')).toMatch(/^p:/);
  });

  test('a module has functions of its own', () => {
    const base = btf72();
    const file = join(folder, 'module.btf');
    writeFileSync(file, buildBtf('little', [
      { kind: BTF_KIND.PTR, sizeOrType: base.find('iommu_domain', BTF_KIND.STRUCT) },
      { kind: BTF_KIND.FUNC_PROTO, vlen: 1, more: ['domain', base.count + 1] },
      { kind: BTF_KIND.FUNC, name: 'iommufd_sw_msi', sizeOrType: base.count + 2, vlen: 1 },
    ], base));
    expect(probes('--btf', BTF_72, '--module-btf', file)).toContain('\nf:iodom/fd_sw_msi iommufd_sw_msi dom=domain:x64 dtype=domain->type:x32 ');
    expect(() => probes('--btf', BTF_72, '--module-btf', BTF_72, import.meta.filename)).toThrow(UnreadableError);
  });

  test.each([
    [['--tool', 'strace']],
    [['--design', 'v7.3']],
    [['--probe-type', 'x']],
    [['--tool', 'bpftrace', '--raw']],
    [['--tool', 'bpftrace', '--probe-type', 'f']],
    [['--format', 'xml']],
  ])('%j is refused', (args) => {
    expect(() => probes('--btf', BTF_72, ...args)).toThrow(UsageError);
  });

  test('exit status 3 where nothing can be read, 2 for the command line', () => {
    expect(run(['probes', '--btf', kernelWith('neither')])).toMatchObject({ status: 3, stdout: '' });
    expect(run(['probes', '--tool', 'x'])).toMatchObject({ status: 2, stdout: '' });
    expect(run(['probes', '--btf', BTF_72, '--module-btf', BTF_72]).status).toBe(0); // its functions are there already
  });
});
