/**
 * Probes as a bpftrace script whose lines look like those of the tracefs text, so that the same reader takes them.
 * The caller of a function is not known to a BPF program: `?` stands for it. For bpftrace 0.17 and later (`kfunc`, which newer
 * ones also call `fentry`; `args->`). Where a CPU's buffer is read late its lines come late: sort them by time.
 * Truth: bpftrace's man/adoc/bpftrace.adoc; the columns are those of trace_print_context() in kernel/trace/trace_output.c.
 */
import { escapeText } from '../../events/problem.ts';
import type { ProbePlan, ResolvedField, ResolvedProbe } from './resolve.ts';
import { missingLine } from './tracefs.ts';

/** comm, thread, CPU, flags, time. */
const COLUMNS = '%16s-%-7d [%03d] ..... %5d.%09d: ';
const CONTEXT = 'comm, tid, cpu, $now / 1000000000, $now % 1000000000';
/** A PCI device's name has 12 bytes; the BPF stack 512. */
const STRING_BYTES = 32;

/** printf conversion of a tracefs format; `bits` of a bitfield, which tracefs prints in decimal. */
function conversion({ format, path }: ResolvedField): string {
  const bits = path.at(-1)?.field.bits?.bitSize ?? 0;
  if (bits > 0) return bits > 32 ? '%llu' : '%u';
  switch (format) {
    case 'string': return '"%s"';
    case 's32': return '%d';
    case 's64': return '%lld';
    case 'u32': return '%u';
    default: return '0x%llx';
  }
}

/** A parameter is kept in a variable, because its members are read more than once. */
const variable = ({ argument, root }: ResolvedField): string => (argument === 0 ? '$retval' : `$${root}`);

function expression(field: ResolvedField): string {
  const value = variable(field) + field.path.map(({ arrow, field }) => (arrow ? '->' : '.') + field.name).join('');
  if (field.word) return `*(uint32 *)${value}`;
  return field.format === 'string' ? `str(${value}, ${STRING_BYTES})` : value;
}

function render(probe: ResolvedProbe): string[] {
  const variables = new Map(probe.fields.map((field) => [variable(field), field.argument === 0 ? 'retval' : `args->${field.root}`]));
  const place = probe.at === 'entry' ? `${probe.function}+0x0` : `? <- ${probe.function}`;
  const fields = probe.fields.map((field) => ` ${field.name}=${conversion(field)}`).join('').replaceAll('"', '\\"');
  return [
    `${probe.at === 'entry' ? 'kfunc' : 'kretfunc'}:${probe.function}`,
    '{',
    '\t$now = nsecs;',
    ...[...variables].map(([name, value]) => `\t${name} = ${value};`),
    `\tprintf("${COLUMNS}${probe.event}: (${place})${fields}\\n",`,
    `\t\t${[CONTEXT, ...probe.fields.map(expression)].join(',\n\t\t')});`,
    '}',
    '',
  ];
}

/** The tracepoints that say in which group a device is. */
const TRACEPOINTS = ['add_device_to_group', 'remove_device_from_group'] as const;

/** Returns the script. `kernel`: what is said of it at the top. */
export function renderBpftrace(plan: ProbePlan, kernel: string): string {
  const tracepoints = TRACEPOINTS.filter((name) => plan.tracepoints.includes(name));
  return [
    `/* ${escapeText(kernel).replaceAll('*/', '* /')} */`,
    '/* As root: bpftrace -f json THIS_FILE > out.json; stop it with ^C. */',
    ...plan.missing.map((missing) => missingLine(missing).replace(/^# (.*)$/, '/* $1 */')),
    '',
    ...plan.probes.flatMap(render),
    ...tracepoints.flatMap((name) => [
      `tracepoint:iommu:${name}`,
      '{',
      '\t$now = nsecs;',
      `\tprintf("${COLUMNS}${name}: IOMMU: groupID=%d device=%s\\n",`,
      `\t\t${CONTEXT}, args->gid, str(args->device, ${STRING_BYTES}));`,
      '}',
      '',
    ]),
  ].join('\n');
}
