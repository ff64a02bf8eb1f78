/**
 * Events kept in memory, to be replayed in parts again and again: the newest `limit` of a source, in columns as they came.
 * Older ones make room, but the last `recording_started` stays, because it says how all that follows is judged.
 * Addresses are interned anew: the source may release its numbers while it is read.
 */
import { BATCH_CAPACITY, EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { assert } from '../events/problem.ts';
import { AddressTable } from '../events/tables.ts';

/** Events kept of one source. Units: events; a row takes about 160 bytes. */
export const EVENTS_KEPT = 512 * BATCH_CAPACITY;

/** The newest events of one source, by position. */
export class KeptEvents {
  readonly interned: Interned;
  /** Positions of the oldest and newest kept event, `recording_started` apart; `first` is `last + 1` where there is none. */
  first = 1;
  last = 0;
  private batches: EventBatch[] = [];
  /** The last `recording_started` that made room, and its position. */
  private started: EventBatch | null = null;
  private startedAt = 0;
  private full = false;
  private readonly limit: number;
  private readonly selected: EventBatch;

  /** `source`: the tables of the source, of which the strings are shared. `limit`: how many events are kept, at least a batch. */
  constructor(source: Interned, limit: number = EVENTS_KEPT) {
    this.interned = { ...source, addresses: new AddressTable() };
    this.limit = Math.max(1, Math.floor(limit / BATCH_CAPACITY));
    this.selected = new EventBatch(this.interned);
  }

  /** Copies a batch. `settled` is asked when there is no room behind `last`: true keeps what is there and drops the rest, false makes room. */
  add(b: EventBatch, settled: (last: number) => boolean): void {
    for (let from = 0; from < b.length; ) {
      let into = this.batches.at(-1);
      if (!into || into.isFull) {
        this.full ||= this.batches.length >= this.limit && settled(this.last);
        if (this.full) return;
        this.batches.push((into = this.nextBatch()));
      }
      assert(b.position + from === this.last + 1, 'positions without a hole');
      const to = Math.min(b.length, from + BATCH_CAPACITY - into.length);
      const at = into.length;
      into.copyRows(b, from, to);
      const { addresses } = b.interned;
      for (let i = at; i < into.length; i++) {
        const n = into.domain[i];
        if (n >= 0) into.domain[i] = this.interned.addresses.intern(addresses.lo[n], addresses.hi[n]);
      }
      this.last += to - from;
      from = to;
    }
  }

  /** Returns an empty batch: a new one, or the oldest, whose events make room. */
  private nextBatch(): EventBatch {
    if (this.batches.length < this.limit) return new EventBatch(this.interned);
    const oldest = this.batches.shift()!;
    for (let i = oldest.length - 1; i >= 0; i--) {
      if (oldest.kind[i] !== KIND.recording_started) continue;
      this.started = new EventBatch(this.interned);
      this.started.copyRows(oldest, i, i + 1);
      this.startedAt = this.first + i;
      break;
    }
    this.first += oldest.length;
    oldest.length = 0;
    return oldest;
  }

  /** Whether the event at this position is kept. */
  has(position: number): boolean {
    return (position >= this.first && position <= this.last) || (this.started !== null && position === this.startedAt);
  }

  /** Positions of all kept events. Order: as recorded. */
  positions(): number[] {
    const kept = Array.from({ length: this.last - this.first + 1 }, (_, n) => this.first + n);
    return this.started ? [this.startedAt, ...kept] : kept;
  }

  /** The batch that holds a position, and its row there. */
  batchOf(position: number): EventBatch {
    return position < this.first ? this.started! : this.batches[Math.floor((position - this.first) / BATCH_CAPACITY)];
  }

  rowOf(position: number): number {
    return position < this.first ? 0 : (position - this.first) % BATCH_CAPACITY;
  }

  /** Hands these events over in batches that count from 1, as if nothing else had been recorded; the batch is reused. */
  replay(positions: readonly number[], consume: (batch: EventBatch) => void): void {
    const out = this.selected;
    out.length = 0;
    out.position = 1;
    for (let k = 0; k < positions.length; ) {
      const batch = this.batchOf(positions[k]);
      const from = this.rowOf(positions[k]);
      const room = Math.min(BATCH_CAPACITY - out.length, batch.length - from, positions.length - k);
      let count = 1;
      while (count < room && positions[k + count] === positions[k] + count) count++;
      out.copyRows(batch, from, from + count);
      k += count;
      if (out.isFull) {
        consume(out);
        out.clear();
      }
    }
    if (out.length > 0) consume(out);
  }
}
