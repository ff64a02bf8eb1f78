/**
 * What every reader of a recording gives: batches of events, and what it read, skipped and could not read.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import type { ProblemList } from './problem-list.ts';

/** What a reader met. Grows while reading, complete at the end. */
export interface ReadSummary {
  readonly source: string;
  readonly format: string;
  kernel: string | null;
  /** Lines (text) or records read, those that became no event, and events that the kernel lost. */
  lines: number;
  events: number;
  ignored: number;
  lost: number;
  /** Times of the first and last event, as printed; null where there is none. */
  from: string | null;
  to: string | null;
  readonly problems: ProblemList;
  /** Names of the members seen that tell the design (`designFromEvidence`). */
  readonly fields: Set<string>;
  /** Design that the source itself names (NDJSON, log), or null. */
  design: string | null;
}

/** A recording that is open and has been recognised. `read` may be called once. */
export interface Recording {
  readonly summary: ReadSummary;
  readonly interned: Interned;
  /** Size in bytes where it is known, for progress. */
  readonly sizeBytes: number | null;
  /** Delivers all events in order; the batch is reused after `consume` returns. */
  read(consume: (batch: EventBatch) => void, progress?: (bytesRead: number) => void): void;
  close(): void;
}
