/**
 * Plain text for mail: lines of at most 80 columns where words allow, no colour, nothing raw from a recording.
 */
import { escapeText } from '../events/problem.ts';

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
