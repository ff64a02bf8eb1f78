/**
 * Plain text for mail: lines of at most 80 columns where words allow, no colour, nothing raw from a recording.
 */
import { escapeText } from '../events/problem.ts';
import type { Severity } from '../machines/rules.ts';
import type { ReadSummary } from '../recordings/recording.ts';

/** Units: columns. */
export const WIDTH = 80;

/** Returns text folded at spaces to `WIDTH`, each line behind `indent`. */
export function fold(text: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += (line.length > indent.length ? ' ' : '') + word;
  }
  lines.push(line);
  return lines.join('\n');
}

/** `name-pid`, safe to print. */
export function taskText(task: string | null, pid: number | null): string {
  return `${escapeText(task ?? '?')}${pid === null ? '' : `-${pid}`}`;
}

/** `1 error`, `2 errors`. */
export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** One field of a report's head: its name, and its value folded behind it. */
export function headField(name: string, value: string): string {
  return fold(value, ' '.repeat(11)).replace(/^ {11}/, name.padEnd(11));
}

/** What was read: format, kernel, how many lines and events. */
export function recordingText(s: ReadSummary): string {
  const unit = s.format === 'trace.dat' ? 'record' : 'line';
  return [
    s.format,
    ...(s.kernel === null ? [] : [`kernel ${escapeText(s.kernel)}`]),
    ...(s.lines > 0 ? [plural(s.lines, unit)] : []),
    plural(s.events, 'event'),
    ...(s.lines > 0 ? [`${plural(s.ignored, unit)} of no use`] : []),
    ...(s.problems.count > 0 ? [plural(s.problems.count, 'problem')] : []),
  ].join(', ');
}

/** A severity as a finding begins with it: loud where it asks for something to be done. */
export function severityText(severity: Severity): string {
  return severity === 'info' ? 'info' : severity.toUpperCase();
}

/** How many findings there are of each severity. */
export function severitiesText({ critical, error, warning, info }: Readonly<Record<Severity, number>>): string {
  return `${critical} critical, ${plural(error, 'error')}, ${plural(warning, 'warning')}, ${info} info`;
}
