/**
 * What every reader of a recording gives: batches of events, and what it read, skipped and could not read.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import type { Missing } from './coverage.ts';
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
  /** Fields that its probes lack, and what that costs; complete at the end. */
  missing: readonly Missing[];
  /** Design that the source itself names (NDJSON, log), or null. */
  design: string | null;
}

/** A reader of one format: `begin` once, then `step` until it gives false. */
export interface Reader {
  /** Bytes of the file that are done with, where the reader does not take them in order. */
  readonly position?: number;
  begin(consume: (batch: EventBatch) => void): void;
  /** Takes what the source has next and hands over the events it made; false at the end. */
  step(): boolean | Promise<boolean>;
}

/** A recording that is open and has been recognised; it is read once. */
export interface Recording extends Reader {
  readonly summary: ReadSummary;
  readonly interned: Interned;
  /** Size in bytes where it is known, and how many of them have been read, for progress. */
  readonly sizeBytes: number | null;
  readonly position: number;
  /** Whether it may go on growing. */
  readonly live: boolean;
  /** Ends a live recording where it is. */
  stop(): void;
  close(): void;
}

/** Delivers all events of a recording in order; the batch is reused after `consume` returns. Where `progress` gives a promise, reading waits for it. */
export async function readAll(recording: Recording, consume: (batch: EventBatch) => void, progress?: (bytesRead: number) => void | Promise<void>): Promise<void> {
  recording.begin(consume);
  while (await recording.step()) await progress?.(recording.position);
}
