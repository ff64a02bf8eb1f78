/**
 * The columnar form in which events travel: thousands of events as typed arrays, filled by a reader, folded by
 * projections, then cleared and filled again. No object per event. Batches inside the house are trusted;
 * `schema.ts` and the readers guard the border.
 */
import { AddressTable, StringTable } from './tables.ts';

/** Events in one batch. */
export const BATCH_CAPACITY = 4096;

/** Presence bits of the `present` column. */
export const HAS = {
  time: 1,
  cpu: 2,
  task: 4,
  pid: 8,
  line: 16,
  domain: 32,
  errno: 64,
  device: 128,
  group: 256,
  a: 512,
  b: 1024,
  c: 2048,
  x: 4096,
  y: 8192,
  caller: 16384,
} as const;

/** Interned values that all batches of one source share. */
export interface Interned {
  readonly addresses: AddressTable;
  readonly strings: StringTable;
  /** Names of the recordings that were merged, by the numbers in `EventBatch.recording`; empty for a single one. */
  readonly recordings: string[];
}

/** Returns empty tables for one source. */
export function createInterned(): Interned {
  return { addresses: new AddressTable(), strings: new StringTable(), recordings: [] };
}

/**
 * Columns of one batch.
 * Units: `sec`/`nsec` is the recording's own clock, `digits` its printed precision; `line` counts from 1.
 * Order: row order is the order of the recording; row `i` has log position `position + i`.
 * The three word sets of row `i` stand at `3 * i + BEFORE | AFTER | OLD`.
 */
export class EventBatch {
  length = 0;
  /** Log position of row 0, counted from 1. */
  position = 1;
  readonly interned: Interned;
  readonly kind = new Uint8Array(BATCH_CAPACITY);
  readonly present = new Int32Array(BATCH_CAPACITY);
  readonly sec = new Uint32Array(BATCH_CAPACITY);
  readonly nsec = new Uint32Array(BATCH_CAPACITY);
  readonly digits = new Uint8Array(BATCH_CAPACITY);
  readonly cpu = new Int32Array(BATCH_CAPACITY);
  readonly task = new Int32Array(BATCH_CAPACITY);
  readonly pid = new Int32Array(BATCH_CAPACITY);
  readonly line = new Float64Array(BATCH_CAPACITY);
  readonly domain = new Int32Array(BATCH_CAPACITY);
  readonly errno = new Int32Array(BATCH_CAPACITY);
  readonly device = new Int32Array(BATCH_CAPACITY);
  readonly group = new Int32Array(BATCH_CAPACITY);
  readonly aLo = new Uint32Array(BATCH_CAPACITY);
  readonly aHi = new Uint32Array(BATCH_CAPACITY);
  readonly bLo = new Uint32Array(BATCH_CAPACITY);
  readonly bHi = new Uint32Array(BATCH_CAPACITY);
  readonly cLo = new Uint32Array(BATCH_CAPACITY);
  readonly cHi = new Uint32Array(BATCH_CAPACITY);
  readonly x = new Uint32Array(BATCH_CAPACITY);
  readonly y = new Uint32Array(BATCH_CAPACITY);
  readonly caller = new Int32Array(BATCH_CAPACITY);
  readonly words = new Uint8Array(BATCH_CAPACITY * 3);
  readonly wordType = new Uint32Array(BATCH_CAPACITY * 3);
  readonly wordOwner = new Uint32Array(BATCH_CAPACITY * 3);
  readonly wordRaw = new Uint32Array(BATCH_CAPACITY * 3);
  readonly cookieLo = new Uint32Array(BATCH_CAPACITY * 3);
  readonly cookieHi = new Uint32Array(BATCH_CAPACITY * 3);
  readonly cookieKind = new Uint32Array(BATCH_CAPACITY * 3);
  /** Which of several merged recordings the row is of. */
  readonly recording = new Uint8Array(BATCH_CAPACITY);

  constructor(interned: Interned) {
    this.interned = interned;
  }

  /** Starts a row of this kind with every member absent; returns its index. The caller checks `isFull` first. */
  add(kind: number): number {
    const i = this.length++;
    this.kind[i] = kind;
    this.present[i] = 0;
    this.domain[i] = -1;
    this.errno[i] = 0;
    const w = i * 3;
    this.words[w] = 0;
    this.words[w + 1] = 0;
    this.words[w + 2] = 0;
    return i;
  }

  /** Appends rows `from` (inclusive) to `to` (exclusive) of a batch of the same `Interned`; there must be room. */
  copyRows(source: EventBatch, from: number, to: number): void {
    const count = to - from;
    for (const name of COLUMN_NAMES) {
      const column = this[name];
      const per = column.length / BATCH_CAPACITY;
      if (count === 1 && per === 1) column[this.length] = source[name][from];
      else column.set(source[name].subarray(from * per, to * per) as never, this.length * per);
    }
    this.length += count;
  }

  get isFull(): boolean {
    return this.length === BATCH_CAPACITY;
  }

  /** Empties the batch; the next row 0 follows the last row. */
  clear(): void {
    this.position += this.length;
    this.length = 0;
  }
}

type ColumnName = { [K in keyof EventBatch]: EventBatch[K] extends Uint8Array | Uint32Array | Int32Array | Float64Array ? K : never }[keyof EventBatch];
const COLUMN_NAMES = Object.entries(new EventBatch(createInterned())).flatMap(([name, value]) => (ArrayBuffer.isView(value) ? [name as ColumnName] : []));
