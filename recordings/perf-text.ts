/**
 * Reader of `perf script` text, printed by tools/perf/builtin-script.c (perf_sample__fprintf_start, process_event):
 * "%16s" comm, " %7d" tid or "%5d/%-5d" pid/tid, optional "[%03d]" cpu, "%5lu.%06lu: " time (9 digits with --ns), event as
 * "%*s: " with its group, then what the event prints. Which of these stand there is chosen with -F.
 */
import { quote } from './problem-list.ts';
import { TextReader, MAX_LINE } from './text-reader.ts';

const COLON = 58;
const SPACE = 32;

/** Columns behind comm: pid, tid, cpu, flags (-F flags), time; then the event with its group. */
const REST = / *(?:(-?\d{1,10})(?:\/(-?\d{1,10}))? +)?(?:\[(\d{1,5})\] +)?(?:[A-Za-z.0-9+-]{3,10} +)?(\d{1,12})\.(\d{6}|\d{9}): +(?:\d+ +)?(?=[\w-]+:[^ :]+: )/y;
/** Where a comm that is not in its 16 columns (pasted into a mail) ends. */
const LOOSE = /^ *(?=[^ ])(.*?) +(?=(?:-?\d{1,10}(?:\/-?\d{1,10})? +)(?:\[\d{1,5}\] +)?\d{1,12}\.(?:\d{6}|\d{9}): )/s;
const HEADER = /^#|^\s*$|^ *[0-9a-f]{6,16} /;
const LOST = /PERF_RECORD_LOST(?:_SAMPLES)?\b.*?lost (\d+)/;

/** Returns whether these first bytes are such text. */
export function isPerfText(head: Buffer): boolean {
  const text = head.toString('latin1', 0, Math.min(head.length, 1 << 16));
  return text.split('\n', 200).some((line) => line.length < MAX_LINE && parse(line) !== null);
}

/** Returns the kernel release where the header has it (perf script --header), or null. */
export function perfKernel(head: Buffer): string | null {
  return /^# os release : (\S{1,64})$/m.exec(head.toString('latin1', 0, 1 << 16))?.[1] ?? null;
}

interface Columns {
  readonly comm: string;
  readonly rest: RegExpExecArray;
  /** Where the event starts. */
  readonly at: number;
}

function parse(line: string): Columns | null {
  const fixed = rest(line, 16);
  if (fixed) return { comm: line.slice(0, 16).trimStart(), rest: fixed, at: REST.lastIndex };
  const bare = rest(line, 0); // -F without comm
  if (bare) return { comm: '', rest: bare, at: REST.lastIndex };
  const comm = LOOSE.exec(line);
  if (!comm) return null;
  const loose = rest(line, comm[0].length - 1);
  return loose && { comm: comm[1], rest: loose, at: REST.lastIndex };
}

function rest(line: string, from: number): RegExpExecArray | null {
  REST.lastIndex = from;
  return REST.exec(line);
}

/** The reader of one recording. */
export class PerfText extends TextReader {
  private task = 0;

  protected columns(buf: Buffer, start: number, end: number): number {
    const { p, out } = this;
    const line = buf.toString('latin1', start, end);
    const found = parse(line);
    if (!found) {
      const lost = LOST.exec(line);
      if (lost) {
        out.lost(Number(lost[1]), -1);
        return -1;
      }
      out.summary.ignored++;
      if (!HEADER.test(line)) out.problem('unreadable-line', `not a line of perf script: ${quote(line)}`, 'print it with the default fields, or with -F comm,tid,cpu,time,event,trace');
      return -1;
    }
    const [, pid, tid, cpu, seconds, fraction] = found.rest;
    p.pid = Number(tid ?? pid ?? 0);
    p.cpu = cpu === undefined ? -1 : Number(cpu);
    p.sec = Number(seconds);
    p.nsec = Number(fraction.padEnd(9, '0'));
    p.digits = fraction.length;
    this.task = out.strings.intern(Buffer.from(found.comm, 'latin1').toString('utf8'));
    // The event's group is no part of its name.
    let at = start + found.at;
    for (let q = at; q < end && buf[q] !== SPACE; q++) if (buf[q] === COLON && buf[q + 1] !== SPACE) at = q + 1;
    return at;
  }

  protected who(): void {
    this.p.task = this.task;
  }

  protected context(): void {
    // Told with the columns.
  }
}
