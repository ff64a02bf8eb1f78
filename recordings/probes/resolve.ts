/**
 * The table of probes against one kernel's type information: which functions it has, how their parameters are called, which
 * members there are and where. What is not there is listed with what it costs; nothing is guessed.
 */
import { BTF_KIND, type Btf } from '../btf.ts';
import { domainOf } from '../btf-kernel.ts';
import { findMember, flattenStruct, pointeeOf, resolveType, type BtfField } from '../btf-layout.ts';
import { IOMMU_TRACEPOINTS, PROBES, type ProbeSpec, type Words } from './table.ts';

/** `->member` or `.member`, with its place in the struct that it is a member of. */
export interface Step {
  readonly arrow: boolean;
  readonly field: BtfField;
}

/** A field that can be fetched. `argument` counts from 1, 0 is what the function returns; `word`: the first 4 bytes behind the pointer. */
export interface ResolvedField {
  readonly name: string;
  readonly format: string;
  readonly argument: number;
  readonly root: string;
  /** The struct that the root points to, '' where it is no pointer to one. */
  readonly struct: string;
  readonly path: readonly Step[];
  readonly word: boolean;
}

/** A probe that this kernel can have. */
export interface ResolvedProbe {
  readonly event: string;
  readonly function: string;
  readonly at: 'entry' | 'return';
  readonly fields: readonly ResolvedField[];
}

/** A function, tracepoint or field that this kernel has not. `what` is for people. */
export interface Missing {
  readonly event: string;
  readonly what: string;
  readonly costs: string;
}

/** What can be recorded on a kernel. `tracepoints` are those of `events/iommu`. */
export interface ProbePlan {
  readonly probes: readonly ResolvedProbe[];
  readonly tracepoints: readonly string[];
  readonly missing: readonly Missing[];
}

/** What a parameter that has another name on some kernel points to. */
const POINTS_TO: Readonly<Record<string, string>> = { domain: 'iommu_domain', new_domain: 'iommu_domain', group: 'iommu_group', dev: 'device', desc: 'msi_desc', entry: 'msi_desc', msg: 'msi_msg' };

/** The first type information that has the function: vmlinux, then each module. */
function findFunction(types: readonly Btf[], name: string): { readonly btf: Btf; readonly id: number } | undefined {
  for (const btf of types) {
    const id = btf.find(name, BTF_KIND.FUNC);
    if (id > 0) return { btf, id };
  }
  return undefined;
}

/** Returns what of the table can be recorded. `types`: vmlinux, then its modules. Errors: UnreadableError where it is damaged, or has no IOMMU. */
export function planProbes(types: readonly Btf[], argumentsAtReturn: boolean): ProbePlan {
  const [vmlinux] = types;
  const members = new Set(flattenStruct(domainOf(vmlinux)).map(({ name }) => name));
  const tracepoints = IOMMU_TRACEPOINTS.filter((name) => vmlinux.find(`btf_trace_${name}`, BTF_KIND.TYPEDEF) > 0);
  const probes: ResolvedProbe[] = [];
  const missing: Missing[] = [];
  for (const spec of PROBES) {
    const found = findFunction(types, spec.function);
    if (found) probes.push(resolveProbe(found.btf, found.id, spec, members, argumentsAtReturn, missing));
    else if (!spec.instead?.some((name) => findFunction(types, name) !== undefined || (tracepoints as readonly string[]).includes(name))) {
      const where = spec.module !== undefined && types.length === 1 ? ` (in ${spec.module}.ko? give --module-btf /sys/kernel/btf/${spec.module})` : '';
      missing.push({ event: spec.event, what: `${spec.function}${where}`, costs: spec.costs });
    }
  }
  return { probes, tracepoints, missing };
}

function resolveProbe(btf: Btf, id: number, spec: ProbeSpec, members: ReadonlySet<string>, argumentsAtReturn: boolean, missing: Missing[]): ResolvedProbe {
  const fields = spec.fields.flatMap((field) => {
    // Which of these there are is what tells the designs apart: the others are not missed.
    if (typeof field !== 'string') return wordFields(field, members).flatMap((text) => resolveField(btf, id, text) ?? []);
    const resolved = resolveField(btf, id, field);
    if (!resolved) missing.push({ event: spec.event, what: `${spec.function}: ${field.replace(/^.*?=|:\w+$/g, '')}`, costs: `no ${field.replace(/=.*/, '')} there` });
    return resolved ?? [];
  });
  const usable = spec.at === 'entry' || argumentsAtReturn ? fields : fields.filter(({ argument }) => argument === 0);
  return { event: spec.event, function: spec.function, at: spec.at, fields: usable };
}

/** The fields of a domain's words, as texts of the table. */
function wordFields({ pointer, prefix }: Words, members: ReadonlySet<string>): string[] {
  const fields = [`dom=${pointer}:x64`];
  if (members.has('private_data_owner')) fields.push(`word=${pointer}:word`);
  fields.push(`dtype=${pointer}->type:x32`, `ctype=${pointer}->cookie_type:u32`, `owner=${pointer}->private_data_owner:u32`, `cookie=${pointer}->iova_cookie:x64`);
  // With a cookie_type the union may hold anything; the cookie itself has no type any more.
  if (!members.has('cookie_type')) fields.push(`cktype=${pointer}->iova_cookie->type:u32`);
  if (prefix === '') fields.push(`swmsi=${pointer}->sw_msi:x64`);
  return fields.map((field) => prefix + field);
}

/** Returns the field, undefined where the function has no such parameter, or a struct no such member. */
function resolveField(btf: Btf, id: number, text: string): ResolvedField | undefined {
  const [, name, root, rest, format] = /^(\w+)=(\$?\w+)((?:->|\.)?[\w.>-]*):(\w+)$/.exec(text)!;
  const parameters = btf.parameters(id);
  let argument = 0;
  let type = btf.returns(id);
  if (root !== '$retval') {
    let at = parameters.findIndex((parameter) => parameter.name === root);
    if (at < 0) at = onlyPointerTo(btf, parameters.map((parameter) => parameter.type), POINTS_TO[root]);
    if (at < 0) return undefined;
    argument = at + 1;
    type = parameters[at].type;
  }
  const pointee = pointeeOf(btf, type);
  const path: Step[] = [];
  for (const [, sign, member] of rest.matchAll(/(->|\.)(\w+)/g)) {
    const struct = sign === '->' ? pointeeOf(btf, type) : resolveType(btf, type);
    const field = struct > 0 ? findMember(btf, struct, member) : undefined;
    if (!field) return undefined;
    path.push({ arrow: sign === '->', field });
    type = field.type;
  }
  return {
    name, argument, path, word: format === 'word', format: format === 'word' ? 'x32' : format,
    root: argument === 0 ? root : parameters[argument - 1].name,
    struct: pointee > 0 && btf.kind(pointee) === BTF_KIND.STRUCT ? btf.nameOf(pointee) : '',
  };
}

/** Index of the only parameter that points to a struct of this tag, -1 where there is none or are several. */
function onlyPointerTo(btf: Btf, types: readonly number[], tag: string | undefined): number {
  const matching = types.flatMap((type, n) => {
    const pointee = tag === undefined ? -1 : pointeeOf(btf, type);
    return pointee > 0 && btf.kind(pointee) === BTF_KIND.STRUCT && btf.nameOf(pointee) === tag ? [n] : [];
  });
  return matching.length === 1 ? matching[0] : -1;
}
