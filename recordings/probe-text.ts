/**
 * The part of a text line behind its columns: "name: (func+0x4/0xa0) key=value …", "name: (caller+off/size <- func) key=value …"
 * as kernel/trace/trace_probe.c prints it, the same with raw addresses, "(func)" and "(func <- caller)", as libtraceevent
 * and perf print it, and the iommu tracepoints. Walks bytes; makes no string for a line whose like it has seen.
 */
import type { Interned } from '../events/batch.ts';
import { ByteStrings } from './byte-strings.ts';
import type { Calls } from './calls.ts';
import { F, FUNCTIONS, LINE, NameTable, type ProbeLine, TP, TRACEPOINTS, fieldTable, functionTable, hashByte, tracepointTable } from './probe-line.ts';
import { functionOfEvent } from './probe-names.ts';

const SPACE = 32;
const QUOTE = 34;
const PAREN = 40;
const CLOSE = 41;
const DASH = 45;
const ZERO = 48;
const COLON = 58;
const EQUALS = 61;
const LESS = 60;
const UNDERSCORE = 95;
const QUESTION = 63;

/** What user space writes to trace_marker: free text, which may look like a probe's. */
const MARKER = 'tracing_mark_write';
/** Value of `probes` for a probe that says nothing about ownership. */
const UNINTERESTING = FUNCTIONS.length * 2;
/** Event names with function or caller that are remembered; addresses as callers could be without end. */
const KNOWN_LIMIT = 2048;
/** Keys of one probe whose order is remembered; the last place stays empty. */
const KEYS_KEPT = 20;
const KEYS = (KNOWN_LIMIT + 1 + TRACEPOINTS.length) * KEYS_KEPT;
/** A raw address, as "(func)" or "(func <- caller)". */
const RAW = /^\(([0-9a-f]{7,16})(?: <- ([0-9a-f]{1,16}))?\)/;

/** The same as fields. */
const RAW_FIELDS = /^__probe_(ip|func)=[0-9a-f]{7,16}(?: __probe_ret_ip=([0-9a-f]{1,16}))?/;
/** Stands for the caller where a return names none, as in bpftrace. */
const UNKNOWN_CALLER = '?';

/** Takes apart what stands behind the columns; one for each reader. */
export class ProbeText {
  private readonly p: ProbeLine;
  private readonly calls: Calls;
  private readonly strings: Interned['strings'];
  /** Devices, callers and tasks by their bytes. */
  readonly names: ByteStrings;
  private readonly known = new NameTable(KNOWN_LIMIT * 4);
  private knownCount = 0;
  /** `fn * 2 + isReturn` or UNINTERESTING of each entry; the one behind the last is for those there was no room for. */
  private readonly probes = new Int32Array(KNOWN_LIMIT + 1);
  private readonly callers = new Int32Array(KNOWN_LIMIT + 1);
  private readonly closes = new Int32Array(KNOWN_LIMIT + 1);
  /** 1 where the parenthesis holds raw addresses, the function's first. */
  private readonly raws = new Uint8Array(KNOWN_LIMIT + 1);
  private readonly keyLength = new Uint8Array(KEYS);
  private readonly keyEnds = new Uint16Array(KEYS);
  private readonly keyField = new Int16Array(KEYS);
  private lastDevice = 0;
  /** The caller of the line before, as its digits and as an address. */
  private lastCaller = 0;
  private lastAddress = 0;

  constructor(p: ProbeLine, calls: Calls, strings: Interned['strings']) {
    this.p = p;
    this.calls = calls;
    this.strings = strings;
    this.names = new ByteStrings(strings);
  }

  /**
   * Parses "name: (func+0x4/0xa0) key=value …", "name: (caller+off/size <- func) key=value …" or a tracepoint into `p`;
   * returns whether it is of interest. What stands before the first '+' decides, and is looked up as one word: the event's
   * name with the function (entry) or with its caller (return); the first such line of a recording is parsed in full.
   */
  event(buf: Buffer, name: number, lineEnd: number): boolean {
    let h = 0;
    let q = name;
    while (buf[q] !== COLON && buf[q] > SPACE) h = hashByte(h, buf[q++]);
    if (buf[q] !== COLON || buf[q + 1] !== SPACE) return buf[name] === PAREN && this.behindDifference(buf, name, lineEnd);
    const colon = q++;
    while (buf[q] === SPACE) q++; // trace-cmd report pads the name
    if (buf[q] !== PAREN) {
      if (buf[q] === 73) return this.tracepoint(buf, h, colon - name, q, lineEnd);
      return buf[q] === UNDERSCORE && this.raw(buf, name, colon, q, lineEnd);
    }
    const open = q + 1;
    const event = h;
    q = open;
    while (SYMBOL[buf[q]] === 1) h = hashByte(h, buf[q++]);
    h = hashByte(h, buf[q]);
    // What was learnt of this word: number of the entry, and in it what the probe is.
    let entry = this.known.find(h, q - name);
    if (entry < 0) {
      entry = q > open && this.knownCount < KNOWN_LIMIT ? this.knownCount++ : KNOWN_LIMIT;
      this.probes[entry] = this.learn(buf, name, colon, open, lineEnd);
      this.raws[entry] = Number(RAW.test(buf.toString('latin1', open - 1, Math.min(lineEnd, open + 48))));
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
    const raw = this.raws[entry] === 1;
    if (known & 1 && !raw && (q > open || buf[q] === QUESTION)) {
      if (entry === KNOWN_LIMIT || this.callers[entry] === 0) this.callers[entry] = this.strings.intern(q > open ? buf.toString('latin1', open, q) : UNKNOWN_CALLER);
      p.caller = this.callers[entry];
    }
    const symbol = q;
    const guess = q + this.closes[entry];
    if (guess < lineEnd && buf[guess] === CLOSE) q = guess;
    else {
      while (q < lineEnd && buf[q] !== CLOSE) q++;
      this.closes[entry] = q - symbol;
    }
    if (raw && known & 1) {
      const digits = this.names.intern(buf, symbol + 4, q, this.lastCaller); // behind " <- "
      if (digits !== this.lastCaller) this.lastAddress = this.strings.intern(`0x${this.strings.values[digits]}`);
      this.lastCaller = digits;
      p.caller = this.lastAddress;
    }
    this.fields(buf, q + 1, lineEnd, entry === KNOWN_LIMIT ? KEYS : entry * KEYS_KEPT);
    return true;
  }

  /** `trace-cmd report --ts-diff` puts "(+89)" before the name. */
  private behindDifference(buf: Buffer, at: number, lineEnd: number): boolean {
    let q = at;
    while (q < lineEnd && buf[q] !== CLOSE) q++;
    q++;
    while (buf[q] === SPACE) q++;
    return q < lineEnd && buf[q] !== PAREN && this.event(buf, q, lineEnd);
  }

  /** `trace-cmd report -R` prints the fields of a record as they are: "__probe_func=… __probe_ret_ip=… ret=0 …". */
  private raw(buf: Buffer, name: number, colon: number, at: number, lineEnd: number): boolean {
    const { p } = this;
    const m = RAW_FIELDS.exec(buf.toString('latin1', at, Math.min(lineEnd, at + 96)));
    const fn = m ? functionOfEvent(buf.toString('latin1', name, colon)) : -1;
    const kind = m?.[1] === 'func' ? LINE.return : LINE.entry;
    if (!m || fn < 0 || !this.calls.wants(fn, kind)) return false;
    p.clear();
    p.fn = fn;
    p.kind = kind;
    p.probe = 0;
    if (m[2] !== undefined) p.caller = this.strings.intern(`0x${m[2]}`);
    this.fields(buf, at + m[0].length, lineEnd, KEYS);
    return true;
  }

  /** Which function the parenthesis is about: `fn * 2 + isReturn`, or UNINTERESTING. */
  private learn(buf: Buffer, name: number, colon: number, open: number, lineEnd: number): number {
    const event = buf.toString('latin1', name, colon);
    if (event === MARKER) return UNINTERESTING;
    const raw = RAW.exec(buf.toString('latin1', open - 1, Math.min(lineEnd, open + 48)));
    if (raw) {
      const fn = functionOfEvent(event);
      return fn < 0 ? UNINTERESTING : fn * 2 + Number(raw[2] !== undefined);
    }
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
          p.dev = this.names.intern(buf, start, q, this.lastDevice);
          this.lastDevice = p.dev;
        }
        q++;
      } else if (field === F.dev) {
        const start = q;
        while (buf[q] > SPACE) q++;
        p.dev = this.names.intern(buf, start, q, this.lastDevice);
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
        if (q > first && buf[q] <= SPACE && value > Number.MAX_SAFE_INTEGER) {
          if (!negative && q - first <= 20) this.decimal(field, buf, first, q);
        } else if (q > first && buf[q] <= SPACE) {
          if (negative) p.set(field, -value >>> 0, 0xffffffff);
          else p.set(field, value >>> 0, Math.floor(value / 0x100000000));
        }
        while (buf[q] > SPACE) q++;
      }
    }
  }

  /** Sets a field to a decimal of up to 64 bits, as `:u64` prints a pointer. */
  private decimal(field: number, buf: Buffer, from: number, to: number): void {
    let lo = 0;
    let hi = 0;
    for (let q = from; q < to; q++) {
      lo = lo * 10 + buf[q] - ZERO;
      hi = hi * 10 + Math.floor(lo / 0x100000000);
      lo >>>= 0;
    }
    if (hi <= 0xffffffff) this.p.set(field, lo, hi);
  }

  /**
   * Parses an `iommu:*` tracepoint: "IOMMU: iova=0x… - 0x… paddr=0x… size=4096", "IOMMU: device=…", "IOMMU: groupID=0 device=…".
   * `h` is the hash of the event's name, `length` its length, `at` where "IOMMU:" stands. Returns whether it says anything now.
   */
  private tracepoint(buf: Buffer, h: number, length: number, at: number, lineEnd: number): boolean {
    const { p } = this;
    const fn = tracepointTable.find(h, length);
    // Most mappings are users' own; the few that matter come inside iommu_dma_prepare_msi.
    if (fn < 0 || (fn === TP.map && !this.calls.awaitsMap)) return false;
    if (buf[at + 5] !== COLON || buf[at + 6] !== SPACE) return false;
    p.clear();
    p.kind = LINE.tracepoint;
    p.fn = fn;
    this.fields(buf, at + 7, lineEnd, (KNOWN_LIMIT + 1 + fn) * KEYS_KEPT);
    return fn === TP.map || p.dev !== 0;
  }
}

/** 1 for the bytes of a C symbol; a compiler suffix (.isra.0, .part.0, .constprop.0) ends it. */
const SYMBOL = Uint8Array.from({ length: 256 }, (_, c) => Number(/\w/.test(String.fromCharCode(c)) && c < 128));
/** Value of a lower-case hex digit, -1 for any other byte. */
const HEX = Int8Array.from({ length: 256 }, (_, c) => '0123456789abcdef'.indexOf(String.fromCharCode(c)));
