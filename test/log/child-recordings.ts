/** Recordings that a child process imports until it is killed, and how its parent tells what is in the log. */
import { BATCH_CAPACITY, createInterned, EventBatch, HAS } from '../../events/batch.ts';
import { KIND } from '../../events/event-types.ts';
import type { EventLog } from '../../log/event-log.ts';
import type { RecordingSource } from '../../log/import.ts';

/** Returns how many events recording `n` has. */
export function childRecordingLength(n: number): number {
  return 500 + ((n * 7919) % 12_000);
}

/** Returns recording `n`: each event tells by `pid` which recording, by `line` which event of it, it is. */
export function childRecording(n: number): RecordingSource {
  return (consume) => {
    const batch = new EventBatch(createInterned());
    const length = childRecordingLength(n);
    for (let line = 1; line <= length; line++) {
      const i = batch.add(KIND.iommu_domain_free);
      batch.domain[i] = batch.interned.addresses.intern(line, n);
      batch.pid[i] = n;
      batch.line[i] = line;
      batch.present[i] = HAS.pid | HAS.line;
      if (batch.length === BATCH_CAPACITY || line === length) {
        consume(batch);
        batch.clear();
      }
    }
  };
}

/** Returns how many whole recordings, from 0 upwards, the log consists of; throws if it is anything else. */
export async function wholeRecordings(log: EventLog): Promise<number> {
  let [n, line] = [0, 0];
  await log.read(1, Infinity, createInterned(), (batch) => {
    const { lo, hi } = batch.interned.addresses;
    for (let i = 0; i < batch.length; i++) {
      line++;
      const domain = batch.domain[i];
      if (batch.pid[i] !== n || batch.line[i] !== line || lo[domain] !== line || hi[domain] !== n) throw new Error(`position ${batch.position + i}: pid ${batch.pid[i]}, line ${batch.line[i]}`);
      if (line === childRecordingLength(n)) [n, line] = [n + 1, 0];
    }
  });
  if (line !== 0) throw new Error(`recording ${n} ends after ${line} events`);
  return n;
}
