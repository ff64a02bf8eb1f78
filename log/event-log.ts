/**
 * The append-only log of events: what every store (memory, embedded file, network) promises.
 * The k-th event has position k, counted from 1; nothing that was appended is ever changed or removed.
 * Rows cross this border in columns only: `append` and `stage` copy them before they return, `read` lends a batch.
 * Every store runs `test/log/event-log.contract.ts`.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import { UnreadableError } from '../events/problem.ts';

/** Takes the rows of a batch before it returns; the batch is filled again afterwards and must not be kept. */
export type Consume = (batch: EventBatch) => void;

/** What tells one recording from another: how many events it had, and the digest of exactly these. */
export interface RecordingMark {
  readonly events: number;
  /** Lower-case hex SHA-256, as `Fingerprint` computes it. */
  readonly digest: string;
}

/** A recording that is in the log. `first` is the position of the first event that its import appended. */
export interface ImportedRecording extends RecordingMark {
  readonly first: number;
}

/**
 * What `verify` found.
 * Shape: `events` counts those found intact from the start on; `head` is the last position the log claims;
 * `firstBad` is the first position that can no longer be vouched for, null if every event is intact.
 */
export interface Verification {
  readonly ok: boolean;
  readonly events: number;
  readonly head: number;
  readonly firstBad: number | null;
  readonly message?: string;
}

/** An append-only log of events. */
export interface EventLog {
  /** Returns the position of the last event, 0 for an empty log. */
  head(): Promise<number>;

  /**
   * Appends rows `from` (inclusive) to `to` (exclusive), all or nothing, durably; returns the new head.
   * Errors: `WrongPositionError` if the head is not `expectedPosition`; `LogBusyError` while another writer is at work.
   */
  append(batch: EventBatch, from: number, to: number, expectedPosition: number): Promise<number>;

  /**
   * Starts a transaction of any size; until `commit`, no reader sees anything of it.
   * Errors: `LogBusyError` while another writer is at work.
   */
  begin(): Promise<LogTransaction>;

  /**
   * Delivers events `from` to `to` (both inclusive, cut at the head; `Infinity` is allowed) as they were when the read began;
   * returns the last position delivered, `from - 1` if there was none.
   * Order: by position, without a hole; `batch.position` is the position of its row 0. How many rows a batch has is up to the store.
   * Errors: `UnreadableError` where the stored bytes are not what was appended.
   */
  read(from: number, to: number, interned: Interned, consume: Consume): Promise<number>;

  /** Returns the recordings imported so far, in the order of their import. */
  recordings(): Promise<readonly ImportedRecording[]>;

  /** Checks every stored event against the chain of hashes. Damage is returned, not thrown. */
  verify(): Promise<Verification>;

  /** Aborts an open transaction and lets go of every file and socket. */
  close(): Promise<void>;
}

/** A staged append of any number of batches. It ends by `commit` or `abort`; only `abort` may follow an error. */
export interface LogTransaction {
  /** Head of the log when the transaction began. */
  readonly base: number;
  /** Head of the log as it will be after `commit`. */
  readonly head: number;

  /** Takes a copy of rows `from` (inclusive) to `to` (exclusive) before it returns. */
  stage(batch: EventBatch, from: number, to: number): void;

  /** Drops everything staged so far; the transaction stays open. */
  rewind(): void;

  /** Makes everything staged visible and durable at once, with the recording it completes; returns the new head. */
  commit(recording?: RecordingMark): Promise<number>;

  /** Leaves the log as it was before `begin`. Does nothing after `commit` or `abort`. */
  abort(): Promise<void>;
}

/** Somebody else appended first: the head is not where the caller believed it to be. */
export class WrongPositionError extends Error {
  readonly expected: number;
  readonly actual: number;
  constructor(name: string, expected: number, actual: number) {
    super(`${name}: expected the log to end at position ${expected}, but it ends at ${actual}`);
    this.name = 'WrongPositionError';
    this.expected = expected;
    this.actual = actual;
  }
}

/** Another writer holds the log, and did not let go in time. */
export class LogBusyError extends UnreadableError {
  constructor(name: string) {
    super(`${name}: another writer is appending to this log`, 'wait until it is done, then try again');
    this.name = 'LogBusyError';
  }
}
