/**
 * What makes two recordings the same: a streaming SHA-256 over their events, row by row, by what each event says. Batch boundaries
 * and interned numbers do not count, nor does `recording_started.source` (the same file may lie elsewhere), nor a value whose
 * member the event type does not have. A string is written out at its first use and is a number from then on.
 * Digests are stored in logs: whoever changes this encoding changes `SEED`, and old recordings count as new ones.
 */
import { createHash } from 'node:crypto';
import { HAS, type EventBatch, type Interned } from '../events/batch.ts';
import { EVENT_TYPES, MEMBERS, WORD } from '../events/event-types.ts';
import { TEXT_SLOTS } from './columns.ts';
import { encodeText } from './dictionary.ts';

const SEED = 'iommu-ledger/recording/1';
const COMMON = HAS.time | HAS.cpu | HAS.task | HAS.pid | HAS.line | HAS.errno;
const OWNER = WORD.cookie_type | WORD.private_data_owner;
const BUFFER_BYTES = 1 << 16;
/** Most bytes a row takes, texts aside. */
const ROW_BYTES = 256;

/** By event type code: presence bits that count. */
const COUNTED = Int32Array.from(EVENT_TYPES, (type) =>
  MEMBERS[type].reduce((bits, m) => (m.name === 'source' ? bits : bits | HAS[m.slot]), COMMON),
);

/** The digest of a growing sequence of events. */
export class Fingerprint {
  /** Events taken so far. */
  events = 0;
  private readonly hash = createHash('sha256').update(SEED);
  private readonly bytes = new Uint8Array(BUFFER_BYTES);
  private readonly view = new DataView(this.bytes.buffer);
  private at = 0;
  private readonly textNumbers = new Map<string, number>();
  /** Our number + 1 of each string number of `interned`; 0 is not known yet. */
  private known = new Int32Array(1024);
  private interned: Interned | undefined;

  /** Takes rows `from` (inclusive) to `to` (exclusive). */
  update(batch: EventBatch, from: number, to: number): void {
    if (batch.interned !== this.interned) {
      this.interned = batch.interned;
      this.known.fill(0);
    }
    for (let i = from; i < to; i++) this.row(batch, i);
    this.events += to - from;
  }

  /** Returns the lower-case hex digest of everything taken so far; more may be taken afterwards. */
  digest(): string {
    this.flush();
    return this.hash.copy().digest('hex');
  }

  private row(batch: EventBatch, i: number): void {
    if (this.at + ROW_BYTES > BUFFER_BYTES) this.flush();
    const kind = batch.kind[i];
    const domain = batch.domain[i];
    const present = (batch.present[i] & COUNTED[kind]) | (domain >= 0 ? HAS.domain : 0);
    const texts = TEXT_SLOTS[kind];
    this.view.setUint8(this.at, kind);
    this.view.setUint32(this.at + 1, present, true);
    this.at += 5;
    if (present & HAS.time) {
      this.wide(batch.sec[i], batch.nsec[i]);
      this.u32(batch.digits[i]);
    }
    if (present & HAS.cpu) this.u32(batch.cpu[i]);
    if (present & HAS.task) this.text(batch.task[i]);
    if (present & HAS.pid) this.u32(batch.pid[i]);
    if (present & HAS.line) {
      this.view.setFloat64(this.at, batch.line[i], true);
      this.at += 8;
    }
    if (domain >= 0) this.wide(batch.interned.addresses.lo[domain], batch.interned.addresses.hi[domain]);
    if (present & HAS.errno) this.u32(batch.errno[i]);
    if (present & HAS.device) this.text(batch.device[i]);
    if (present & HAS.group) this.u32(batch.group[i]);
    if (present & HAS.a) this.slot(texts & HAS.a, batch.aLo[i], batch.aHi[i]);
    if (present & HAS.b) this.slot(texts & HAS.b, batch.bLo[i], batch.bHi[i]);
    if (present & HAS.c) this.slot(texts & HAS.c, batch.cLo[i], batch.cHi[i]);
    if (present & HAS.x) this.u32(batch.x[i]);
    if (present & HAS.y) this.u32(batch.y[i]);
    if (present & HAS.caller) this.text(batch.caller[i]);
    for (let w = i * 3; w < i * 3 + 3; w++) this.words(batch, w);
  }

  private words(batch: EventBatch, w: number): void {
    const has = batch.words[w];
    this.bytes[this.at++] = has;
    if (has === 0) return;
    if (has & WORD.type) this.u32(batch.wordType[w]);
    if (has & OWNER) this.u32(batch.wordOwner[w]);
    if (has & WORD.word) this.u32(batch.wordRaw[w]);
    if (has & WORD.iova_cookie) this.wide(batch.cookieLo[w], batch.cookieHi[w]);
    if (has & WORD.iova_cookie_type) this.u32(batch.cookieKind[w]);
  }

  private u32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  private wide(lo: number, hi: number): void {
    this.u32(lo);
    this.u32(hi);
  }

  private slot(isText: number, lo: number, hi: number): void {
    if (isText !== 0) this.text(lo);
    else this.wide(lo, hi);
  }

  private text(n: number): void {
    const number = n < this.known.length ? this.known[n] : 0;
    if (number !== 0) this.u32(number - 1);
    else this.newText(n);
  }

  /** Writes our number of a string and, if it is the next new one, the string itself. */
  private newText(n: number): void {
    const value = this.interned!.strings.values[n];
    const next = this.textNumbers.size;
    const number = this.textNumbers.get(value) ?? next;
    if (n >= this.known.length) {
      const wider = new Int32Array(Math.max(n + 1, this.known.length * 2));
      wider.set(this.known);
      this.known = wider;
    }
    this.known[n] = number + 1;
    this.u32(number);
    if (number !== next) return;
    this.textNumbers.set(value, number);
    const { bytes, wide } = encodeText(value);
    this.u32(bytes.length);
    this.bytes[this.at++] = wide ? 1 : 0;
    this.flush();
    this.hash.update(bytes);
  }

  private flush(): void {
    this.hash.update(this.bytes.subarray(0, this.at));
    this.at = 0;
  }
}
