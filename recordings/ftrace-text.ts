/**
 * Reader of the tracefs `trace` and `trace_pipe` text.
 * Printed by kernel/trace/trace_output.c (trace_print_context, trace_print_lat_context) and trace_probe.c; the columns are
 * "%16s-%-7d " comm and pid, optional "(%7s) " tgid, "[%03d] " cpu, 5 flag characters, "%12s: " time, then the event.
 * Also: latency-format, stack traces (skipped), LOST lines, "buffer started" marks. Walks bytes; no string per line.
 */
import { HAS, EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import type { ByteSource } from './byte-source.ts';
import { CHUNK_BYTES } from './byte-source.ts';
import { Calls } from './calls.ts';
import { quote } from './problem-list.ts';
import { F, LINE, ProbeLine, fieldTable, functionTable, hashByte, tracepointTable } from './probe-line.ts';
import type { ReadSummary } from './recording.ts';

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const PAREN = 40;
const CLOSE = 41;
const DASH = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const EQUALS = 61;
const LESS = 60;

/** A line longer than this is no trace line. */
const MAX_LINE = 1 << 16;

/** "comm-pid (tgid) [cpu] flags time: " wherever the columns are not at their usual place. */
const LOOSE = /^ *(.*?)-(\d{1,7}) +(?:\(([ \d-]+)\) +)?\[(\d+)\] (?:([^ ]{3,8}) +)?(\d+)(?:\.(\d{1,9}))?: /s;
/** latency-format: comm cut to 8, cpu and flags in one word, microseconds since the first event. */
const LATENCY = /^ *(.{1,16}?)-(\d{1,7}) +(\d{1,4})([^ \d][^ ]{3,6}) +(\d+)us[^ :]? ?: /s;
const LOST = /^CPU:(\d+) \[LOST (\d+) EVENTS\]/;
const LOST_UNCOUNTED = /^CPU:(\d+) \[LOST EVENTS\]/;
const STARTED = /^##### CPU (\d+) buffer started ####/;
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/;
const LATENCY_ENTRIES = /^# latency: \d+ us, #(\d+)\/(\d+),/;

const MEMBER_EVIDENCE: readonly (readonly [RegExp, string])[] = [
  [/ ctype=\d| cookie_type=\d/, 'ctype'],
  [/ cktype=\d/, 'cktype'],
  [/ owner=[0-3] | private_data_owner=\d/, 'owner'],
  [/ swmsi=0x| sw_msi=0x/, 'swmsi'],
];

/** Returns whether these first bytes are ftrace text. */
export function isFtraceText(head: Buffer): boolean {
  const text = head.toString('latin1', 0, Math.min(head.length, 1 << 16));
  if (text.startsWith('# tracer: ')) return true;
  return text.split('\n', 200).some((line) => line.length < MAX_LINE && (LOOSE.test(line) || LATENCY.test(line) || LOST.test(line)));
}

/** Member names in the first bytes that tell which design the kernel has. */
export function evidenceIn(head: Buffer): Set<string> {
  const text = head.toString('latin1');
  return new Set(MEMBER_EVIDENCE.filter(([pattern]) => pattern.test(text)).map(([, name]) => name));
}

export class FtraceText {
  private readonly summary: ReadSummary;
  private readonly source: ByteSource;
  private readonly batch: EventBatch;
  private readonly calls: Calls;
  private readonly strings: Interned['strings'];
  private readonly p = new ProbeLine();
  private consume: (batch: EventBatch) => void = () => {};
  /** Names by their bytes: hash → number of the string, checked against the bytes. */
  private readonly names = new Map<number, number>();
  private skipLong = false;

  constructor(source: ByteSource, summary: ReadSummary, interned: Interned) {
    this.source = source;
    this.summary = summary;
    this.batch = new EventBatch(interned);
    this.strings = interned.strings;
    this.calls = new Calls(this.batch, () => this.flush());
  }

  read(consume: (batch: EventBatch) => void, progress?: (bytesRead: number) => void): void {
    this.consume = consume;
    this.started();
    let buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE);
    let kept = 0;
    let total = 0;
    for (;;) {
      const n = this.source.read(buffer, kept);
      if (n === 0) break;
      total += n;
      const end = kept + n;
      const last = buffer.lastIndexOf(NEWLINE, end - 1);
      if (last < 0) {
        // No line end in sight: keep what may still become a line, give up on what cannot.
        kept = end;
        if (kept >= MAX_LINE) kept = this.tooLong(buffer);
        continue;
      }
      this.scan(buffer, last + 1);
      buffer.copyWithin(0, last + 1, end);
      kept = end - last - 1;
      if (kept >= MAX_LINE) kept = this.tooLong(buffer);
      progress?.(total);
    }
    if (kept > 0) {
      if (kept === buffer.length) buffer = Buffer.concat([buffer, Buffer.alloc(1)]);
      buffer[kept] = NEWLINE;
      this.truncated(buffer, kept);
    }
    this.flush();
  }

  private started(): void {
    const b = this.batch;
    const i = b.add(KIND.recording_started);
    b.caller[i] = this.strings.intern(this.summary.format);
    b.bLo[i] = this.strings.intern(this.summary.source);
    b.present[i] = HAS.caller | HAS.b;
    if (this.summary.kernel !== null) {
      b.aLo[i] = this.strings.intern(this.summary.kernel);
      b.present[i] |= HAS.a;
    }
    if (this.summary.design !== null) {
      b.cLo[i] = this.strings.intern(this.summary.design);
      b.present[i] |= HAS.c;
    }
  }

  private flush(): void {
    const b = this.batch;
    const s = this.summary;
    for (let i = 0; s.from === null && i < b.length; i++) if (b.present[i] & HAS.time) s.from = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
    for (let i = b.length - 1; i >= 0; i--) {
      if ((b.present[i] & HAS.time) === 0) continue;
      s.to = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
      break;
    }
    s.events += b.length;
    if (b.length > 0) this.consume(b);
    b.clear();
  }

  private tooLong(buffer: Buffer): number {
    if (!this.skipLong) {
      this.summary.lines++;
      this.problem('line-too-long', `a line of more than ${MAX_LINE} bytes: ${quote(buffer.toString('latin1', 0, 80))}`, 'this is not trace text from here on; was the file damaged in transfer?');
    }
    this.skipLong = true;
    return 0;
  }

  /** The last line has no line end: it counts only if it is whole, and a cut one cannot be told from a whole one. */
  private truncated(buffer: Buffer, length: number): void {
    if (this.skipLong) return;
    const text = buffer.toString('latin1', 0, length);
    this.summary.lines++;
    this.summary.ignored++;
    if (text.trim() !== '') this.problem('truncated-line', `the last line has no line end and is not used: ${quote(text)}`, 'the recording was cut off; record again or copy the whole file');
  }

  private problem(code: string, message: string, hint: string): void {
    this.summary.problems.add(code, `${this.summary.source}:${this.summary.lines}`, message, hint);
  }

  /** Takes all lines in buffer[0, end); buffer[end - 1] is a line end. */
  private scan(buf: Buffer, end: number): void {
    const { p, calls, summary } = this;
    let at = 0;
    if (this.skipLong) {
      at = buf.indexOf(NEWLINE) + 1;
      this.skipLong = false;
    }
    while (at < end) {
      const start = at;
      summary.lines++;
      // Columns at their usual place: comm right-aligned to 16, '-', pid padded to 7, ' ', '['.
      let q = 0;
      let bracket = 0;
      if (start + 40 < end && buf[start + 16] === DASH && buf[start + 24] === SPACE) {
        if (buf[start + 25] === 91) bracket = start + 25;
        else if (buf[start + 25] === PAREN && buf[start + 33] === CLOSE && buf[start + 35] === 91) bracket = start + 35;
      }
      let pid = 0;
      let cpu = 0;
      let sec = 0;
      let nsec = 0;
      let digits = 0;
      if (bracket !== 0) {
        for (q = start + 17; buf[q] >= ZERO && buf[q] <= 57; q++) pid = pid * 10 + buf[q] - ZERO;
        for (q = bracket + 1; buf[q] >= ZERO && buf[q] <= 57; q++) cpu = cpu * 10 + buf[q] - ZERO;
        if (buf[q] === 93 && buf[q + 1] === SPACE) {
          q += 2;
          // Flags, unless noirq-info left them out: then the time stands here.
          if (buf[q] !== SPACE) {
            const flags = q;
            while (buf[q] > SPACE && q - flags < 8) q++;
            if (buf[q] !== SPACE) q = flags;
          }
          while (buf[q] === SPACE) q++;
          const clock = q;
          for (; buf[q] >= ZERO && buf[q] <= 57; q++) sec = sec * 10 + buf[q] - ZERO;
          if (q > clock && buf[q] === DOT) {
            let scale = 100000000;
            for (q++; buf[q] >= ZERO && buf[q] <= 57; q++) {
              nsec += (buf[q] - ZERO) * scale;
              scale /= 10;
              digits++;
            }
          }
          if (q === clock || buf[q] !== COLON || buf[q + 1] !== SPACE || digits > 9) bracket = 0;
          else q += 2;
        } else bracket = 0;
      }
      if (bracket === 0) {
        let lineEnd = start;
        while (buf[lineEnd] !== NEWLINE) lineEnd++;
        at = lineEnd + 1;
        const body = this.loose(buf, start, lineEnd);
        if (body < 0) continue;
        q = body;
      } else {
        p.sec = sec;
        p.nsec = nsec;
        p.digits = digits;
        p.pid = pid;
        p.cpu = cpu;
      }
      // The event's name, for tracepoints; probes are known by their function.
      let h = 0;
      const name = q;
      while (buf[q] !== COLON && buf[q] !== NEWLINE && buf[q] > SPACE) h = hashByte(h, buf[q++]);
      const nameLength = q - name;
      let used = false;
      if (buf[q] === COLON && buf[q + 1] === SPACE) {
        q += 2;
        if (buf[q] === PAREN) {
          q = this.probe(buf, q + 1);
          if (p.fn >= 0) {
            p.line = summary.lines;
            p.task = this.name(buf, start, bracket !== 0 ? start + 16 : -1);
            used = calls.take(p);
          }
        } else if (buf[q] === 73 && buf[q + 1] === 79 && buf[q + 4] === 85 && buf[q + 5] === COLON) {
          p.fn = tracepointTable.find(h, nameLength);
          if (p.fn >= 0) {
            q = this.tracepoint(buf, q + 6);
            p.line = summary.lines;
            p.task = this.name(buf, start, bracket !== 0 ? start + 16 : -1);
            used = calls.take(p);
          }
        }
      }
      if (!used) summary.ignored++;
      while (buf[q] !== NEWLINE) q++;
      at = q + 1;
    }
  }

  /**
   * Parses "(func+0x4/0xa0 [module]) key=value …" or "(caller+off/size <- func) …" from behind the parenthesis into `p`;
   * returns where it stopped. `p.fn` is -1 where the function is of no interest.
   */
  private probe(buf: Buffer, q: number): number {
    const { p } = this;
    p.clear();
    p.fn = -1;
    let h = 0;
    let start = q;
    // The first symbol: the function itself at entry, the caller at return.
    while (isSymbol(buf[q])) h = hashByte(h, buf[q++]);
    const firstStart = start;
    const firstEnd = q;
    let length = q - start;
    let isReturn = false;
    while (buf[q] !== CLOSE && buf[q] !== NEWLINE) {
      if (buf[q] === LESS && buf[q + 1] === DASH && buf[q + 2] === SPACE) {
        isReturn = true;
        q += 3;
        start = q;
        h = 0;
        while (isSymbol(buf[q])) h = hashByte(h, buf[q++]);
        length = q - start;
      } else q++;
    }
    if (buf[q] === NEWLINE) return q;
    q++;
    p.fn = functionTable.find(h, length);
    if (p.fn < 0) return q;
    p.kind = isReturn ? LINE.return : LINE.entry;
    if (isReturn && firstEnd > firstStart) p.caller = this.symbol(buf, firstStart, firstEnd);
    return this.fields(buf, q);
  }

  /** Parses " key=value key=value" up to the line end. */
  private fields(buf: Buffer, q: number): number {
    const { p } = this;
    for (;;) {
      while (buf[q] === SPACE) q++;
      let h = 0;
      const key = q;
      while (buf[q] !== EQUALS && buf[q] > SPACE) h = hashByte(h, buf[q++]);
      if (buf[q] !== EQUALS) {
        if (buf[q] === NEWLINE || buf[q] === undefined) return q;
        q++;
        continue;
      }
      const field = fieldTable.find(h, q - key);
      q++;
      const c = buf[q];
      if (c === QUOTE) {
        const start = ++q;
        while (buf[q] !== QUOTE && buf[q] !== NEWLINE) q++;
        if (field === F.dev && buf[q] === QUOTE) p.dev = this.symbol(buf, start, q);
        if (buf[q] === NEWLINE) return q;
        q++;
      } else if (field < 0) {
        while (buf[q] > SPACE) q++;
      } else if (c === ZERO && buf[q + 1] === 120) {
        let lo = 0;
        let hi = 0;
        const first = (q += 2);
        for (; ; q++) {
          const d = buf[q];
          const v = d >= ZERO && d <= 57 ? d - ZERO : d >= 97 && d <= 102 ? d - 87 : -1;
          if (v < 0) break;
          hi = (hi << 4) | (lo >>> 28);
          lo = (lo << 4) | v;
        }
        if (q > first && q - first <= 16 && buf[q] <= SPACE) p.set(field, lo >>> 0, hi >>> 0);
        while (buf[q] > SPACE) q++;
      } else {
        const negative = c === DASH;
        if (negative) q++;
        let value = 0;
        const first = q;
        for (; buf[q] >= ZERO && buf[q] <= 57; q++) value = value * 10 + buf[q] - ZERO;
        if (q > first && buf[q] <= SPACE && value <= Number.MAX_SAFE_INTEGER) {
          if (negative) p.set(field, -value >>> 0, 0xffffffff);
          else p.set(field, value >>> 0, Math.floor(value / 0x100000000));
        }
        while (buf[q] > SPACE) q++;
      }
    }
  }

  /** Parses the body of an `iommu:*` tracepoint: "iova=0x… - 0x… paddr=0x… size=4096", "device=…", "groupID=0 device=…". */
  private tracepoint(buf: Buffer, q: number): number {
    const { p } = this;
    p.clear();
    p.kind = LINE.tracepoint;
    let end = q;
    while (buf[end] !== NEWLINE) end++;
    const body = buf.toString('latin1', q, end);
    const device = /(?:^| )device=(\S+)/.exec(body);
    if (device) p.dev = this.strings.intern(device[1]);
    const group = /groupID=(\d+)/.exec(body);
    if (group) p.set(F.grp, Number(group[1]) >>> 0, 0);
    if (!device) this.fields(buf, q);
    return end;
  }

  /** A line whose columns are elsewhere; returns where the event starts, or -1 for a line that is no event. */
  private loose(buf: Buffer, start: number, end: number): number {
    const { p, summary } = this;
    const text = buf.toString('latin1', start, end);
    let m: RegExpExecArray | null;
    if (buf[start] === 35) {
      summary.ignored++;
      if ((m = ENTRIES.exec(text) ?? LATENCY_ENTRIES.exec(text)) && Number(m[2]) > Number(m[1])) this.lost(Number(m[2]) - Number(m[1]), -1);
      else if ((m = STARTED.exec(text)) && summary.lost > 0) this.calls.lost(0, Number(m[1]), null);
      return -1;
    }
    if ((m = LOST.exec(text))) return this.lost(Number(m[2]), Number(m[1]));
    if ((m = LOST_UNCOUNTED.exec(text))) return this.lost(1, Number(m[1]));
    if ((m = LOOSE.exec(text))) {
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
    } else {
      summary.ignored++;
      // Stack traces, blank lines, and the rest of a line that a string with a newline split.
      if (!/^ => |^\s*$|^"$|^[^ ]{0,64}"$/.test(text)) this.problem('unreadable-line', `not a trace line: ${quote(text)}`, 'is this still the text of the tracefs trace file?');
      return -1;
    }
    p.pid = Number(m[2]);
    this.looseName = this.strings.intern(m[1]);
    return start + m[0].length;
  }

  private looseName = 0;

  private lost(count: number, cpu: number): number {
    this.summary.lost += count;
    this.calls.lost(count, cpu, null);
    return -1;
  }

  /** Number of the task name in the first 16 columns, or of the one `loose` found. */
  private name(buf: Buffer, start: number, end: number): number {
    if (end < 0) return this.looseName;
    while (start < end && buf[start] === SPACE) start++;
    return this.symbol(buf, start, end);
  }

  /** Number of the string of these bytes, without making a string when it is known. */
  private symbol(buf: Buffer, start: number, end: number): number {
    let h = end - start;
    for (let q = start; q < end; q++) h = hashByte(h, buf[q]);
    const n = this.names.get(h);
    if (n !== undefined && sameBytes(this.strings.values[n], buf, start, end)) return n;
    const made = this.strings.intern(buf.toString('utf8', start, end));
    if (this.names.size < 1 << 16) this.names.set(h, made);
    return made;
  }
}

/** Bytes of a C symbol; a compiler suffix (.isra.0, .part.0, .constprop.0) ends it. */
function isSymbol(c: number): boolean {
  return (c >= 97 && c <= 122) || c === 95 || (c >= ZERO && c <= 57) || (c >= 65 && c <= 90);
}

function sameBytes(text: string, buf: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== buf[start + i]) return false;
  return true;
}
