/**
 * Reader of the tracefs `trace` and `trace_pipe` text and of `trace-cmd report`.
 * Printed by kernel/trace/trace_output.c (trace_print_context, trace_print_lat_context) and by trace-cmd's trace-read.c:
 * "%16s-%-7d " comm and pid ("%-5d " in trace-cmd), optional "(%7s) " tgid, "[%03d] " cpu, 5 flag characters (none in
 * trace-cmd 3.1), "%12s: " time, then the event. Also: latency-format, stack traces (skipped), LOST lines, "buffer started".
 */
import { TextReader, MAX_LINE } from './text-reader.ts';
import { quote } from './problem-list.ts';

const SPACE = 32;
const PAREN = 40;
const CLOSE = 41;
const DASH = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const OPEN = 91;
const SHUT = 93;

/** "comm-pid (tgid) [cpu] flags time: " wherever the columns are not at their usual place. */
const LOOSE = /^ *(?=[^ ])(.*?)-(\d{1,7}) +(?:\(([ \d-]+)\) +)?\[(\d+)\] +(?:([^ ]{3,8}) +)?(\d+)(?:\.(\d{1,9}))?: +/s;
/** The same with comm in its 16 columns, as every comm of a kernel is, whatever stands in it. */
const COLUMNS = new RegExp(LOOSE.source.replace('-', '(?<=^.{16})-'), 's');
/** latency-format: comm cut to 8, cpu and flags in one word, microseconds since the first event. */
const LATENCY = /^ *(?=[^ ])(.{1,16}?)-(\d{1,7}) +(\d{1,4})([^ \d][^ ]{3,6}) +(\d+)us[^ :]? ?: /s;
/** The same of trace-cmd report -l, with the time in seconds. */
const LATENCY_SECONDS = /^ *(?=[^ ])(.{1,16}?)-(\d{1,7}) +(\d{1,4})([^ \d][^ ]{3,6}) +(\d+)\.(\d{1,9}): +/s;
const LOST = /^CPU:(\d+) \[LOST (\d+) EVENTS\]/;
const LOST_UNCOUNTED = /^CPU:(\d+) \[(?:LOST EVENTS|EVENTS DROPPED)\]/;
/** trace-cmd's. */
const DROPPED = /^CPU:(\d+) \[(\d+) EVENTS DROPPED\]/;
const STARTED = /^##### CPU (\d+) buffer started ####/;
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/;
const LATENCY_ENTRIES = /^# latency: \d+ us, #(\d+)\/(\d+),/;
/** First lines of `trace-cmd report`; the rest of a line that a string with a newline split; stack traces; blank lines. */
const HARMLESS = /^ => |^\s*$|^[^ ]{0,64}"\r?$|^cpus=\d+\r?$|^version = \d+\r?$|^trace-cmd |^CPU \d+ is empty/;

/** Returns whether these first bytes are such text. */
export function isFtraceText(head: Buffer): boolean {
  const text = head.toString('latin1', 0, Math.min(head.length, 1 << 16));
  if (text.startsWith('# tracer: ')) return true;
  return text.split('\n', 200).some((line) => line.length < MAX_LINE && (LOOSE.test(line) || LATENCY.test(line) || LATENCY_SECONDS.test(line) || LOST.test(line) || DROPPED.test(line)));
}

/** Returns the kernel release where the header has it (latency-format only), or null. */
export function ftraceKernel(head: Buffer): string | null {
  return /^# nop latency trace v[\d.]+ on (\S{1,64})$/m.exec(head.toString('latin1', 0, 4096))?.[1] ?? null;
}

/** The reader of one recording. */
export class FtraceText extends TextReader {
  private buf: Buffer = Buffer.alloc(0);
  /** Where the line in hand, its cpu column and the colon behind its time are; lineStart is -1 when they are elsewhere. */
  private lineStart = -1;
  private bracket = 0;
  private colon = 0;
  private looseName = 0;
  private lastTask = 0;

  protected columns(buf: Buffer, start: number, end: number): number {
    // comm right-aligned to 16, '-', pid padded, ' ', '[', then up to the time 13 more, or 19 with flags.
    if (start + 56 < end && buf[start + 16] === DASH) {
      let bracket = 0;
      if (buf[start + 25] === OPEN) bracket = start + 25;
      else if (buf[start + 23] === OPEN) bracket = start + 23;
      else if (buf[start + 25] === PAREN && buf[start + 33] === CLOSE && buf[start + 35] === OPEN) bracket = start + 35;
      if (bracket !== 0 && buf[bracket + 4] === SHUT) {
        // "%12s: " holds five digits of seconds; after a day of uptime the time grows to the right.
        let colon = bracket + (buf[bracket + 11] === SPACE ? 24 : 18);
        const last = colon + 5;
        while (colon < last && buf[colon] !== COLON) colon++;
        if (buf[colon - 7] === DOT && buf[colon] === COLON) {
          this.buf = buf;
          this.lineStart = start;
          this.bracket = bracket;
          this.colon = colon;
          return colon + 2;
        }
      }
    }
    this.lineStart = -1;
    return this.loose(buf, start, end);
  }

  protected who(): void {
    const { p, buf, lineStart: start } = this;
    if (start < 0) {
      p.task = this.looseName;
      return;
    }
    let pid = 0;
    for (let d = start + 17; buf[d] >= ZERO && buf[d] <= 57; d++) pid = pid * 10 + buf[d] - ZERO;
    p.pid = pid;
    if (pid === 0) p.cpu = this.cpu(); // idle tasks are told apart by their CPU
  }

  protected context(): void {
    const { p, buf, lineStart: start, colon } = this;
    if (start < 0) return;
    p.cpu = this.cpu();
    let sec = 0;
    let unit = 1;
    for (let q = colon - 8; buf[q] >= ZERO && buf[q] <= 57; q--, unit *= 10) sec += (buf[q] - ZERO) * unit;
    let us = 0;
    for (let q = colon - 6; q < colon; q++) us = us * 10 + buf[q] - ZERO;
    p.sec = sec;
    p.nsec = us * 1000;
    p.digits = 6;
    let name = start;
    while (name < start + 16 && buf[name] === SPACE) name++;
    this.lastTask = this.text.names.intern(buf, name, start + 16, this.lastTask);
    p.task = this.lastTask;
  }

  private cpu(): number {
    const { buf, bracket } = this;
    return (buf[bracket + 1] - ZERO) * 100 + (buf[bracket + 2] - ZERO) * 10 + buf[bracket + 3] - ZERO;
  }

  /** A line whose columns are elsewhere; returns where the event starts, or -1 for a line that is no event. */
  private loose(buf: Buffer, start: number, end: number): number {
    const { p, out } = this;
    const text = buf.toString('latin1', start, end);
    let m: RegExpExecArray | null;
    if (buf[start] === 35) {
      out.summary.ignored++;
      if ((m = ENTRIES.exec(text) ?? LATENCY_ENTRIES.exec(text)) && Number(m[2]) > Number(m[1])) out.lost(Number(m[2]) - Number(m[1]), -1);
      else if ((m = STARTED.exec(text)) && out.summary.lost > 0) out.calls.lost(0, Number(m[1]), null);
      return -1;
    }
    if ((m = LOST.exec(text) ?? DROPPED.exec(text))) return this.lost(Number(m[2]), Number(m[1]));
    if ((m = LOST_UNCOUNTED.exec(text))) return this.lost(-1, Number(m[1]));
    if ((m = (buf[start + 16] === DASH ? COLUMNS.exec(text) : null) ?? LOOSE.exec(text))) {
      p.sec = Number(m[6]);
      p.nsec = Number((m[7] ?? '').padEnd(9, '0'));
      p.digits = (m[7] ?? '').length;
      p.cpu = Number(m[4]);
    } else if ((m = LATENCY.exec(text))) {
      const us = Number(m[5]);
      p.sec = Math.floor(us / 1e6);
      p.nsec = (us % 1e6) * 1000;
      p.digits = 6;
      p.cpu = Number(m[3]);
    } else if ((m = LATENCY_SECONDS.exec(text))) {
      p.sec = Number(m[5]);
      p.nsec = Number(m[6].padEnd(9, '0'));
      p.digits = m[6].length;
      p.cpu = Number(m[3]);
    } else {
      out.summary.ignored++;
      if (!HARMLESS.test(text)) out.problem('unreadable-line', `not a trace line: ${quote(text)}`, 'is this still the text of the tracefs trace file, or of trace-cmd report?');
      return -1;
    }
    p.pid = Number(m[2]);
    this.looseName = out.strings.intern(Buffer.from(m[1], 'latin1').toString('utf8'));
    return start + m[0].length;
  }

  private lost(count: number, cpu: number): number {
    this.out.lost(count, cpu);
    return -1;
  }
}
