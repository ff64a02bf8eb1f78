/**
 * Probes as tracefs takes them in `dynamic_events`: fprobes (`f:`) or kprobes (`p:`, `r:`), their fields by the names of
 * parameters and members, or as raw offsets for kernels that know no names. trace-cmd and perf record the events that tracefs
 * has, so they are given the same lines in a script: `perf probe --add` wants DWARF, knows no BTF and cannot read a parameter
 * at the return. Truth: Documentation/trace/fprobetrace.rst, kprobetrace.rst; kernel/trace/trace_probe.c at v7.3.
 */
import { escapeText } from '../../events/problem.ts';
import type { Missing, ProbePlan, ResolvedField, ResolvedProbe } from './resolve.ts';
import { GROUP } from './table.ts';

/** How a definition is written. `raw`: offsets, no names. */
export interface TracefsStyle {
  readonly probeType: 'f' | 'p';
  readonly raw: boolean;
}

/** Returns what the fetch of a field looks like. A type behind a bitfield's name fetches the wrong bytes and is not refused: it has none. */
export function fetchOf(field: ResolvedField, raw: boolean): string {
  const { argument, root, path, word, format } = field;
  const bits = path.at(-1)?.field.bits;
  if (!raw) {
    const name = root + path.map(({ arrow, field }) => (arrow ? '->' : '.') + field.name).join('');
    return word ? `+0(${name}):${format}` : bits ? name : `${name}:${format}`;
  }
  let base = argument === 0 ? '$retval' : `$arg${argument}`;
  let offset: number | null = null;
  for (const { arrow, field } of path) {
    if (arrow && offset !== null) base = `+${offset}(${base})`;
    offset = (arrow ? 0 : (offset ?? 0)) + field.offset;
  }
  if (offset !== null) base = `+${offset}(${base})`;
  if (word || format === 'string') base = `+0(${base})`;
  return bits ? `${base}:b${bits.bitSize}@${bits.bitOffset}/${path.at(-1)!.field.size * 8}` : `${base}:${format}`;
}

/** Returns a probe as a line for `dynamic_events`. */
export function tracefsLine(probe: ResolvedProbe, { probeType, raw }: TracefsStyle): string {
  const isReturn = probe.at === 'return';
  const kind = probeType === 'f' ? 'f' : isReturn ? 'r' : 'p';
  const place = probeType === 'f' && isReturn ? `${probe.function}%return` : probe.function;
  return [`${kind}:${GROUP}/${probe.event} ${place}`, ...probe.fields.map((field) => `${field.name}=${fetchOf(field, raw)}`)].join(' ');
}

/** Returns the comment for what this kernel has not. */
export function missingLine({ event, what, costs }: Missing): string {
  return `# not on this kernel: ${what} (${event}): costs: ${costs}`;
}

/** Returns the definitions as a file whose lines are written to `dynamic_events` one by one. `kernel`: what is said of it at the top. */
export function renderTracefs(plan: ProbePlan, style: TracefsStyle, kernel: string): string {
  return [
    `# ${escapeText(kernel)}`,
    '# cd /sys/kernel/tracing; while read -r l; do echo "$l" >> dynamic_events; done < THIS_FILE',
    `# echo 1 > events/${GROUP}/enable${plan.tracepoints.length > 0 ? '; echo 1 > events/iommu/enable' : ''}; echo > trace; echo 1 > tracing_on`,
    ...definitions(plan, style),
    '',
  ].join('\n');
}

/** Returns a shell script that defines the probes and records them with trace-cmd or perf; its arguments go to that. */
export function renderScript(plan: ProbePlan, style: TracefsStyle, kernel: string, tool: 'trace-cmd' | 'perf'): string {
  const groups = plan.tracepoints.length > 0 ? [GROUP, 'iommu'] : [GROUP];
  const record = tool === 'perf'
    ? `exec perf record -a ${groups.map((group) => `-e '${group}:*'`).join(' ')} "$@"`
    : `exec trace-cmd record ${groups.map((group) => `-e ${group}`).join(' ')} "$@"`;
  return [
    '#!/bin/sh',
    `# ${escapeText(kernel)}`,
    `# Run as root; its arguments go to ${tool} record. ${tool === 'perf' ? 'Then: perf script -i perf.data' : 'It writes trace.dat.'}`,
    'while read -r probe; do',
    '  echo "$probe" >> /sys/kernel/tracing/dynamic_events || echo "refused: $probe" >&2',
    "done <<'EOF'",
    ...definitions(plan, style),
    'EOF',
    record,
    '',
  ].join('\n');
}

const definitions = (plan: ProbePlan, style: TracefsStyle): string[] => [...plan.probes.map((probe) => tracefsLine(probe, style)), ...plan.missing.map(missingLine)];
