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
import { F, FUNCTIONS, LINE, NameTable, ProbeLine, TP, TRACEPOINTS, fieldTable, functionTable, hashByte, tracepointTable } from './probe-line.ts';
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
const OPEN = 91;
const SHUT = 93;

/** What user space writes to trace_marker: free text, which may look like a probe's. */
const MARKER = 'tracing_mark_write';
/** Value of `known` for a probe that says nothing about ownership. */
const UNINTERESTING = FUNCTIONS.length * 2;
/** Event names with function or caller that are remembered; raw addresses as callers could be without end. */
const KNOWN_LIMIT = 2048;
/** Keys of one probe whose order is remembered; the last place stays empty. */
const KEYS_KEPT = 20;
const KEYS = (KNOWN_LIMIT + 1 + TRACEPOINTS.length) * KEYS_KEPT;

/** A line longer than this is no trace line. */
const MAX_LINE = 1 << 16;

/** "comm-pid (tgid) [cpu] flags time: " wherever the columns are not at their usual place. */
const LOOSE = /^ *(?=[^ ])(.*?)-(\d{1,7}) +(?:\(([ \d-]+)\) +)?\[(\d+)\] (?:([^ ]{3,8}) +)?(\d+)(?:\.(\d{1,9}))?: /s;
/** The same with comm in its 16 columns, as every comm of a kernel is, whatever stands in it. */
const COLUMNS = new RegExp(LOOSE.source.replace('-', '(?<=^.{16})-'), 's');
/** latency-format: comm cut to 8, cpu and flags in one word, microseconds since the first event. */
const LATENCY = /^ *(?=[^ ])(.{1,16}?)-(\d{1,7}) +(\d{1,4})([^ \d][^ ]{3,6}) +(\d+)us[^ :]? ?: /s;
const LOST = /^CPU:(\d+) \[LOST (\d+) EVENTS\]/;
const LOST_UNCOUNTED = /^CPU:(\d+) \[LOST EVENTS\]/;
const STARTED = /^##### CPU (\d+) buffer started ####/;
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/;
const LATENCY_ENTRIES = /^# latency: \d+ us, #(\d+)\/(\d+),/;

const MEMBER_EVIDENCE: readonly (readonly [RegExp, string])[] = [
  [/ ctype=\d| cookie_type=\d/, 'ctype'],
  [/ cktype=\d/, 'cktype'],
  [/ owner=[0-3] | private_data_owner=\d| word=0x/, 'owner'],
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

/** Reads one recording; `read` may be called once. */
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
  private readonly known = new NameTable(KNOWN_LIMIT * 4);
  private knownCount = 0;
  /** `fn * 2 + isReturn` or UNINTERESTING of each entry; the one behind the last is for those there was no room for. */
  private readonly probes = new Int32Array(KNOWN_LIMIT + 1);
  private readonly callers = new Int32Array(KNOWN_LIMIT + 1);
  private readonly closes = new Int32Array(KNOWN_LIMIT + 1);
  private readonly keyLength = new Uint8Array(KEYS);
  private readonly keyEnds = new Uint16Array(KEYS);
  private readonly keyField = new Int16Array(KEYS);
  private skipLong = false;
  private looseName = 0;
  private buffer: Buffer = Buffer.alloc(0);
  /** Where the line in hand and its cpu column start; lineStart is -1 when its columns are elsewhere. */
  private lineStart = -1;
  private bracket = 0;
  private colon = 0;
  /** What most lines repeat: the device and the task of the line before. */
  private lastDevice = 0;
  private lastTask = 0;

  constructor(source: ByteSource, summary: ReadSummary, interned: Interned) {
    this.source = source;
    this.summary = summary;
    this.batch = new EventBatch(interned);
    this.strings = interned.strings;
    this.calls = new Calls(this.batch, () => this.flush());
    this.p.complete = () => this.context();
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

  /** A line without an end in sight: what is kept of it is dropped, and its rest is skipped. */
  private tooLong(buffer: Buffer): number {
    if (!this.skipLong) {
      this.summary.lines++;
      this.longLine(buffer, 0);
    }
    this.skipLong = true;
    return 0;
  }

  private longLine(buffer: Buffer, start: number): void {
    this.summary.ignored++;
    this.problem('line-too-long', `a line of more than ${MAX_LINE} bytes: ${quote(buffer.toString('latin1', start, start + 80))}`, 'this is not trace text from here on; was the file damaged in transfer?');
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
    this.buffer = buf;
    let at = 0;
    if (this.skipLong) {
      at = buf.indexOf(NEWLINE) + 1;
      this.skipLong = false;
    }
    while (at < end) {
      const start = at;
      const lineEnd = buf.indexOf(NEWLINE, at);
      at = lineEnd + 1;
      summary.lines++;
      if (lineEnd - start >= MAX_LINE) {
        this.longLine(buf, start);
        continue;
      }
      // Columns at their usual place: comm right-aligned to 16, '-', pid padded to 7, ' ', '[', then up to the time 25 more.
      let bracket = 0;
      let colon = 0;
      if (start + 64 < lineEnd && buf[start + 16] === DASH && buf[start + 24] === SPACE) {
        if (buf[start + 25] === OPEN) bracket = start + 25;
        else if (buf[start + 25] === PAREN && buf[start + 33] === CLOSE && buf[start + 35] === OPEN) bracket = start + 35;
        // "%12s: " holds five digits of seconds; after a day of uptime the time grows to the right.
        colon = bracket + 24;
        while (colon < bracket + 29 && buf[colon] !== COLON) colon++;
        if (buf[bracket + 4] !== SHUT || buf[bracket + 11] !== SPACE || buf[colon - 7] !== DOT || buf[colon] !== COLON) bracket = 0;
      }
      let q = colon + 2;
      if (bracket === 0) {
        q = this.loose(buf, start, lineEnd);
        if (q < 0) continue;
      }
      let used = false;
      const known = this.event(buf, q, lineEnd);
      if (known) {
        if (bracket === 0) {
          p.task = this.looseName;
          this.lineStart = -1;
        } else {
          let pid = 0;
          for (let d = start + 17; buf[d] >= ZERO && buf[d] <= 57; d++) pid = pid * 10 + buf[d] - ZERO;
          p.pid = pid;
          this.lineStart = start;
          this.bracket = bracket;
          this.colon = colon;
          if (pid === 0) p.cpu = this.cpu(); // idle tasks are told apart by their CPU
        }
        p.line = summary.lines;
        used = calls.take(p);
      }
      if (!used) summary.ignored++;
    }
  }

  private cpu(): number {
    const { buffer: buf, bracket } = this;
    return (buf[bracket + 1] - ZERO) * 100 + (buf[bracket + 2] - ZERO) * 10 + buf[bracket + 3] - ZERO;
  }

  /** Task, cpu and time from their columns. */
  private context(): void {
    const { p, lineStart: start, bracket, colon } = this;
    if (start < 0) return;
    const buf = this.buffer;
    p.cpu = this.cpu();
    let sec = 0;
    for (let q = bracket + 12; q < colon - 7; q++) if (buf[q] !== SPACE) sec = sec * 10 + buf[q] - ZERO;
    let us = 0;
    for (let q = colon - 6; q < colon; q++) us = us * 10 + buf[q] - ZERO;
    p.sec = sec;
    p.nsec = us * 1000;
    p.digits = 6;
    let name = start;
    while (name < start + 16 && buf[name] === SPACE) name++;
    this.lastTask = this.string(buf, name, start + 16, this.lastTask);
    p.task = this.lastTask;
  }

  /**
   * Parses "name: (func+0x4/0xa0) key=value …", "name: (caller+off/size <- func) key=value …" or a tracepoint into `p`;
   * returns whether it is of interest. What stands before the first '+' decides, and is looked up as one word: the event's
   * name with the function (entry) or with its caller (return); the first such line of a recording is parsed in full.
   */
  private event(buf: Buffer, name: number, lineEnd: number): boolean {
    let h = 0;
    let q = name;
    while (buf[q] !== COLON && buf[q] > SPACE) h = hashByte(h, buf[q++]);
    if (buf[q] !== COLON || buf[q + 1] !== SPACE) return false;
    if (buf[q + 2] !== PAREN) return buf[q + 2] === 73 && this.tracepoint(buf, h, name, q, lineEnd);
    const open = q + 3;
    const event = h;
    q = open;
    while (SYMBOL[buf[q]] === 1) h = hashByte(h, buf[q++]);
    // What was learnt of this word: number of the entry, and in it what the probe is.
    let entry = this.known.find(h, q - name);
    if (entry < 0) {
      entry = q > open && this.knownCount < KNOWN_LIMIT ? this.knownCount++ : KNOWN_LIMIT;
      this.probes[entry] = this.learn(buf, name, open, lineEnd);
      if (entry < KNOWN_LIMIT) this.known.add(h, q - name, entry);
    }
    const known = this.probes[entry];
    if (known === UNINTERESTING || !this.calls.wants(known >> 1, known & 1)) return false;
    const { p } = this;
    p.clear();
    p.fn = known >> 1;
    p.kind = known & 1 ? LINE.return : LINE.entry;
    p.probe = known & 1 ? event : hashByte(event, buf[q + 3]); // kprobes stand at +0x0, fprobes at +0x4
    // The word that was looked up holds the caller, and the parenthesis closes where it did the last time, most likely.
    if (known & 1 && q > open) {
      if (entry === KNOWN_LIMIT || this.callers[entry] === 0) this.callers[entry] = this.strings.intern(buf.toString('latin1', open, q));
      p.caller = this.callers[entry];
    }
    const guess = q + this.closes[entry];
    if (guess < lineEnd && buf[guess] === CLOSE) q = guess;
    else {
      const symbol = q;
      while (q < lineEnd && buf[q] !== CLOSE) q++;
      this.closes[entry] = q - symbol;
    }
    this.fields(buf, q + 1, lineEnd, entry === KNOWN_LIMIT ? KEYS : entry * KEYS_KEPT);
    return true;
  }

  /** Which function the parenthesis is about: `fn * 2 + isReturn`, or UNINTERESTING. */
  private learn(buf: Buffer, name: number, open: number, lineEnd: number): number {
    if (buf.toString('latin1', name, open - 3) === MARKER) return UNINTERESTING;
    let start = open;
    let isReturn = false;
    for (let q = open; q < lineEnd && buf[q] !== CLOSE; q++) {
      if (buf[q] !== LESS || buf[q + 1] !== DASH || buf[q + 2] !== SPACE) continue;
      isReturn = true;
      start = q + 3;
      break;
    }
    let h = 0;
    let q = start;
    while (SYMBOL[buf[q]] === 1) h = hashByte(h, buf[q++]);
    const fn = functionTable.find(h, q - start);
    return fn < 0 ? UNINTERESTING : fn * 2 + Number(isReturn);
  }

  /**
   * Parses " key=value key=value" up to the line end. A probe prints its keys in the order of its definition, so the n-th key
   * is most likely the one that stood there before: `order` is where the keys of this probe are remembered.
   */
  private fields(buf: Buffer, from: number, lineEnd: number, order: number): void {
    const { p, keyLength, keyEnds, keyField } = this;
    let q = from;
    let n = order;
    while (q < lineEnd) {
      while (buf[q] === SPACE) q++;
      const key = q;
      const length = keyLength[n];
      let field: number;
      if (length > 0 && buf[key + length] === EQUALS && keyEnds[n] === ((buf[key] << 8) | buf[key + length - 1])) {
        field = keyField[n++];
        q = key + length + 1;
      } else {
        let h = 0;
        while (buf[q] !== EQUALS && buf[q] > SPACE) h = hashByte(h, buf[q++]);
        if (buf[q] !== EQUALS) {
          q++;
          continue;
        }
        field = fieldTable.find(h, q - key);
        if (q - key < 64 && n < order + KEYS_KEPT - 1) {
          keyLength[n] = q - key;
          keyEnds[n] = (buf[key] << 8) | buf[q - 1];
          keyField[n++] = field;
        }
        q++;
      }
      const c = buf[q];
      if (c === QUOTE) {
        const start = ++q;
        while (q < lineEnd && buf[q] !== QUOTE) q++;
        if (field === F.dev && q < lineEnd) {
          p.dev = this.string(buf, start, q, this.lastDevice);
          this.lastDevice = p.dev;
        }
        q++;
      } else if (field === F.dev) {
        const start = q;
        while (buf[q] > SPACE) q++;
        p.dev = this.string(buf, start, q, this.lastDevice);
        this.lastDevice = p.dev;
      } else if (field < 0 || (field === F.cookie && p.has(F.ctype))) {
        while (buf[q] > SPACE) q++;
      } else if (c === ZERO && buf[q + 1] === 120) {
        let lo = 0;
        let hi = 0;
        const first = (q += 2);
        for (let v = HEX[buf[q]]; v >= 0; v = HEX[buf[++q]]) {
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

  /**
   * Parses an `iommu:*` tracepoint: "IOMMU: iova=0x… - 0x… paddr=0x… size=4096", "IOMMU: device=…", "IOMMU: groupID=0 device=…".
   * `h` is the hash of the event's name, `colon` its end. Returns whether it says anything now.
   */
  private tracepoint(buf: Buffer, h: number, name: number, colon: number, lineEnd: number): boolean {
    const { p } = this;
    const fn = tracepointTable.find(h, colon - name);
    // Most mappings are users' own; the few that matter come inside iommu_dma_prepare_msi.
    if (fn < 0 || (fn === TP.map && !this.calls.awaitsMap)) return false;
    if (buf[colon + 7] !== COLON || buf[colon + 8] !== SPACE) return false; // "IOMMU: "
    p.clear();
    p.kind = LINE.tracepoint;
    p.fn = fn;
    this.fields(buf, colon + 9, lineEnd, (KNOWN_LIMIT + 1 + fn) * KEYS_KEPT);
    return fn === TP.map || p.dev !== 0;
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
    } else {
      summary.ignored++;
      // Stack traces, blank lines, and the rest of a line that a string with a newline split; also where line ends are CRLF.
      if (!/^ => |^\s*$|^[^ ]{0,64}"\r?$/.test(text)) this.problem('unreadable-line', `not a trace line: ${quote(text)}`, 'is this still the text of the tracefs trace file?');
      return -1;
    }
    p.pid = Number(m[2]);
    this.looseName = this.strings.intern(Buffer.from(m[1], 'latin1').toString('utf8'));
    return start + m[0].length;
  }

  private lost(count: number, cpu: number): number {
    this.summary.lost += count;
    this.calls.lost(count, cpu, null);
    return -1;
  }

  /** Number of the string of these bytes; `guess` is the one it most likely is. Makes no string when it is known. */
  private string(buf: Buffer, start: number, end: number, guess: number): number {
    if (sameBytes(this.strings.values[guess], buf, start, end)) return guess;
    let h = end - start;
    for (let q = start; q < end; q++) h = hashByte(h, buf[q]);
    const n = this.names.get(h);
    if (n !== undefined && sameBytes(this.strings.values[n], buf, start, end)) return n;
    const made = this.strings.intern(buf.toString('utf8', start, end));
    if (this.names.size < 1 << 16) this.names.set(h, made);
    return made;
  }
}

/** 1 for the bytes of a C symbol; a compiler suffix (.isra.0, .part.0, .constprop.0) ends it. */
const SYMBOL = Uint8Array.from({ length: 256 }, (_, c) => Number(/\w/.test(String.fromCharCode(c)) && c < 128));
/** Value of a lower-case hex digit, -1 for any other byte. */
const HEX = Int8Array.from({ length: 256 }, (_, c) => '0123456789abcdef'.indexOf(String.fromCharCode(c)));

function sameBytes(text: string, buf: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== buf[start + i]) return false;
  return true;
}
