/**
 * Where events were lost, and what that hides: between which times, on which CPU, how many domains' owners it made unknown,
 * how many findings it took back. Losing events is a fact that a report states.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { renderTime } from '../events/time.ts';

/** One loss, as JSON has it. */
export interface Gap {
  readonly position: number;
  readonly line: number | null;
  readonly cpu: number | null;
  /** How many events; 0 where only an interruption is known. */
  readonly count: number;
  /** Times of the last event before and of the first one after it, null at the ends of the recording. */
  readonly from: string | null;
  to: string | null;
  /** Domains whose owner it made unknown, and findings it took back. */
  readonly domains: number;
  readonly withdrawn: number;
}

/** Gaps listed one by one; beyond this they are only counted. */
const KEPT = 10_000;

/** Gaps as plain data. */
export interface GapsSnapshot {
  readonly list: readonly Gap[];
  readonly count: number;
  readonly time: string | null;
}

/** The gaps of one audit. */
export class Gaps {
  list: Gap[] = [];
  count = 0;
  /** Time of the last event of the batches before this one. */
  private time: string | null = null;

  /** Adds the loss in row `i`. */
  add(b: EventBatch, i: number, domains: number, withdrawn: number): void {
    this.count++;
    if (this.list.length >= KEPT) return;
    const present = b.present[i];
    this.list.push({
      position: b.position + i, line: present & HAS.line ? b.line[i] : null, cpu: present & HAS.cpu ? b.cpu[i] : null,
      count: present & HAS.x ? b.x[i] : 0, from: timeBefore(b, i) ?? this.time, to: timeFrom(b, i + 1), domains, withdrawn,
    });
  }

  /** A batch begins: a gap at the end of the one before gets its other end. */
  begin(b: EventBatch): void {
    for (let at = this.list.length - 1; at >= 0 && this.list[at].to === null; at--) this.list[at].to = timeFrom(b, 0);
  }

  /** A batch of which `n` rows count has been folded. */
  end(b: EventBatch, n: number): void {
    this.time = timeBefore(b, n) ?? this.time;
  }

  snapshot(): GapsSnapshot {
    return { list: structuredClone(this.list), count: this.count, time: this.time };
  }

  restore(s: GapsSnapshot): void {
    this.list = structuredClone([...s.list]);
    this.count = s.count;
    this.time = s.time;
  }
}

function timeBefore(b: EventBatch, end: number): string | null {
  for (let i = end - 1; i >= 0; i--) if (b.present[i] & HAS.time) return renderTime(b.sec[i], b.nsec[i], b.digits[i]);
  return null;
}

function timeFrom(b: EventBatch, from: number): string | null {
  for (let i = from; i < b.length; i++) if (b.present[i] & HAS.time) return renderTime(b.sec[i], b.nsec[i], b.digits[i]);
  return null;
}
