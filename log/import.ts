/**
 * Putting a recording into a log so that doing it again does nothing. In one pass, because a pipe is read once: everything is
 * staged, and whenever what was read so far is exactly a recording the log already has, the stage is emptied again. What is left
 * at the end is the new tail, appended in one transaction with the mark of the whole recording.
 * Left out on purpose: a recording that is a shorter beginning of one in the log is not recognised, it counts as another one.
 */
import type { EventBatch } from '../events/batch.ts';
import type { Consume, EventLog, ImportedRecording } from './event-log.ts';
import { Fingerprint } from './fingerprint.ts';

/** A recording, read once from its beginning: hands over one filled batch after the other and may fill the same one again. */
export type RecordingSource = (consume: Consume) => void | Promise<void>;

/** How many events were appended, how many the log had already, and the head afterwards. */
export interface ImportResult {
  readonly appended: number;
  readonly skipped: number;
  readonly head: number;
}

/**
 * Appends what the log does not have of this recording, all or nothing; returns how much that was.
 * Errors: what `source` throws leaves the log as it was; `LogBusyError` while another writer is at work.
 */
export async function importRecording(log: EventLog, source: RecordingSource): Promise<ImportResult> {
  const transaction = await log.begin();
  try {
    // Asked only now: nobody else can import this very recording in between.
    const known = new KnownRecordings(await log.recordings());
    const fingerprint = new Fingerprint();
    let skipped = 0;
    await source((batch) => {
      const before = fingerprint.events;
      const match = known.longestMatch(fingerprint, batch);
      if (match > 0) {
        transaction.rewind();
        skipped = match;
      }
      transaction.stage(batch, Math.max(0, skipped - before), batch.length);
    });
    const appended = fingerprint.events - skipped;
    if (appended > 0) await transaction.commit({ events: fingerprint.events, digest: fingerprint.digest() });
    else await transaction.abort();
    return { appended, skipped, head: appended > 0 ? transaction.head : transaction.base };
  } catch (error) {
    await transaction.abort();
    throw error;
  }
}

/** Digests of the recordings in the log, asked for in the order of their lengths. */
class KnownRecordings {
  private readonly digests = new Map<number, Set<string>>();
  /** Lengths in ascending order; those before `next` have been passed. */
  private readonly lengths: readonly number[];
  private next = 0;

  constructor(recordings: readonly ImportedRecording[]) {
    for (const { events, digest } of recordings) {
      const digests = this.digests.get(events);
      if (digests) digests.add(digest);
      else this.digests.set(events, new Set([digest]));
    }
    this.lengths = [...this.digests.keys()].sort((a, b) => a - b);
  }

  /** Takes all rows into the fingerprint; returns the longest known recording that ends within them, 0 if none does. */
  longestMatch(fingerprint: Fingerprint, batch: EventBatch): number {
    let longest = 0;
    for (let at = 0; at < batch.length; ) {
      const length = this.lengths[this.next] ?? Infinity;
      const take = Math.min(batch.length - at, length - fingerprint.events);
      fingerprint.update(batch, at, at + take);
      at += take;
      if (fingerprint.events !== length) continue;
      this.next++;
      if (this.digests.get(length)!.has(fingerprint.digest())) longest = length;
    }
    return longest;
  }
}
