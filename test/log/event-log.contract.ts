/** What every event log promises, run against each store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BATCH_CAPACITY, createInterned, EventBatch, HAS } from '../../events/batch.ts';
import { KIND, WORD } from '../../events/event-types.ts';
import { LogBusyError, WrongPositionError, type EventLog } from '../../log/event-log.ts';
import { importRecording } from '../../log/import.ts';
import { batchOf, everyEvent, readEvents, recordingEvents, sourceOf } from './rows.ts';

/** One log, which may be opened any number of times. */
export interface StoreUnderTest {
  /** Opens the log for writing; busy writers are refused at once. */
  open(): EventLog;
  dispose(): void;
}

/** Declares the contract's tests for a store that `makeStore` makes anew for each of them. */
export function eventLogContract(name: string, makeStore: () => StoreUnderTest): void {
  describe(`${name}: event log contract`, () => {
    let store: StoreUnderTest;
    let log: EventLog;
    const opened: EventLog[] = [];
    const open = (): EventLog => {
      const another = store.open();
      opened.push(another);
      return another;
    };
    beforeEach(() => {
      store = makeStore();
      log = open();
    });
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
      store.dispose();
    });

    test('an empty log', async () => {
      expect(await log.head()).toBe(0);
      expect(await readEvents(log)).toEqual([]);
      expect(await log.recordings()).toEqual([]);
      expect(await log.verify()).toEqual({ ok: true, events: 0, head: 0, firstBad: null });
    });

    test('every member of every event type comes back', async () => {
      const events = everyEvent();
      const batch = batchOf(events);
      expect(await log.append(batch, 0, batch.length, 0)).toBe(events.length);
      const read = await readEvents(open());
      expect(read).toEqual(events);
      // Not only by value: in the order in which `events` prints them, too.
      expect(read.map((e) => JSON.stringify(e))).toEqual((await readEvents(log)).map((e) => JSON.stringify(e)));
    });

    test('rows without a domain, with half observed words and with odd texts come back', async () => {
      const events = [
        { v: 1, type: 'events_lost', count: 0 },
        { v: 1, time: '0', task: '', type: 'pci_write_msi_msg', device: '', msi_index: 0, address: '0x0' },
        { v: 1, time: '1.5', task: '\ud800 alone', type: 'iommu_domain_free', domain: '0x1', old: { word: '0x40000001' } },
        { v: 1, time: '1.50', task: '\ufeffbom', type: 'iommu_domain_free', domain: '0xffffffffffffffff', before: { iova_cookie: '0x0' } },
      ];
      await log.append(batchOf(events), 0, events.length, 0);
      expect(await readEvents(log)).toEqual(events);
    });

    test('append takes exactly the rows it is given, at once', async () => {
      const batch = batchOf(recordingEvents('r', 10));
      const done = log.append(batch, 2, 5, 0);
      batch.length = 0;
      batch.add(KIND.iommu_domain_free);
      expect(await done).toBe(3);
      expect((await readEvents(log)).map((e) => e['line'])).toEqual([2, 3, 4]);
      expect(await log.append(batch, 0, 0, 3)).toBe(3);
      expect(await log.head()).toBe(3);
    });

    test('the expected position is enforced', async () => {
      const batch = batchOf(recordingEvents('r', 4));
      await log.append(batch, 0, 4, 0);
      for (const expected of [0, 3, 5]) {
        const refused = await log.append(batch, 0, 4, expected).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(WrongPositionError);
        expect(refused).toMatchObject({ expected, actual: 4 });
      }
      expect(await log.append(batch, 0, 4, 4)).toBe(8);
      expect(await readEvents(log)).toHaveLength(8);
    });

    test('append is all or nothing: a row that cannot be stored leaves the log as it was', async () => {
      const batch = batchOf(recordingEvents('r', 4));
      await log.append(batch, 0, 2, 0);
      batch.kind[3] = 255;
      await expect(log.append(batch, 2, 4, 2)).rejects.toThrow('assertion failed');
      expect(await readEvents(log)).toHaveLength(2);
      batch.kind[3] = KIND.iommu_map;
      expect(await log.append(batch, 2, 4, 2)).toBe(4);
      expect((await log.verify()).ok).toBe(true);
    });

    test('a transaction is seen as a whole or not at all', async () => {
      const reader = open();
      const batch = batchOf(recordingEvents('r', 100));
      await log.append(batch, 0, 10, 0);
      const transaction = await log.begin();
      for (let i = 10; i < 100; i += 30) {
        transaction.stage(batch, i, i + 30);
        expect(transaction.head).toBe(i + 30);
        for (const each of [log, reader]) {
          expect(await each.head()).toBe(10);
          expect(await readEvents(each)).toHaveLength(10);
        }
      }
      expect(await transaction.commit()).toBe(100);
      for (const each of [log, reader]) expect(await readEvents(each)).toEqual(recordingEvents('r', 100));
    });

    test('abort, rewind and close drop what was staged', async () => {
      const batch = batchOf(recordingEvents('r', 8));
      const first = await log.begin();
      first.stage(batch, 0, 8);
      await first.abort();
      await first.abort();
      expect(await log.head()).toBe(0);
      const second = await log.begin();
      second.stage(batch, 0, 8);
      second.rewind();
      second.stage(batch, 3, 5);
      expect(await second.commit()).toBe(2);
      const third = await log.begin();
      third.stage(batch, 0, 8);
      await log.close();
      opened.splice(0);
      const reopened = open();
      expect((await readEvents(reopened)).map((e) => e['line'])).toEqual([3, 4]);
      expect((await reopened.verify()).ok).toBe(true);
    });

    test('there is one writer at a time', async () => {
      const other = open();
      const batch = batchOf(recordingEvents('r', 4));
      const transaction = await log.begin();
      for (const each of [log, other]) {
        await expect(each.begin()).rejects.toBeInstanceOf(LogBusyError);
        await expect(each.append(batch, 0, 4, 0)).rejects.toBeInstanceOf(LogBusyError);
      }
      await transaction.abort();
      expect(await other.append(batch, 0, 4, 0)).toBe(4);
      expect(await log.append(batch, 0, 4, 4)).toBe(8);
    });

    test('reads from and to any position', async () => {
      const events = recordingEvents('r', 60);
      const batch = batchOf(events);
      // Blocks of 1, 2, … 10 and 5 rows.
      for (let at = 0, rows = 1; at < 60; at += rows++) await log.append(batch, at, Math.min(60, at + rows), at);
      for (let from = 1; from <= 62; from++) {
        for (const to of [from - 1, from, from + 1, from + 7, 60, Infinity]) expect(await readEvents(log, from, to)).toEqual(events.slice(from - 1, Math.max(from - 1, to)));
      }
    });

    test('more rows than a batch holds, in blocks of all sizes, into numbers that were given before', async () => {
      const events = recordingEvents('r', 3 * BATCH_CAPACITY + 5);
      await importRecording(log, sourceOf(events, 1500));
      const interned = createInterned();
      for (let n = 0; n < 3000; n++) {
        interned.strings.intern(`other ${n}`);
        interned.addresses.intern(n, 1);
      }
      let rows = 0;
      await log.read(2000, 11000, interned, (batch) => {
        expect(batch.position).toBe(2000 + rows);
        for (let i = 0; i < batch.length; i++) if (batch.line[i] !== 1999 + rows + i || interned.strings.values[batch.task[i]] !== 'r') throw new Error(`row ${rows + i}`);
        rows += batch.length;
      });
      expect(rows).toBe(9001);
    });

    test('what absent members last held is not stored', async () => {
      const fill = (junk: number): EventBatch => {
        const batch = new EventBatch(createInterned());
        for (const column of [batch.x, batch.aLo, batch.cpu, batch.line, batch.wordRaw, batch.task]) column.fill(junk);
        const i = batch.add(KIND.iommu_domain_free);
        batch.present[i] = HAS.pid;
        batch.words[i * 3 + 1] = WORD.type;
        return batch;
      };
      expect(await importRecording(log, (consume) => consume(fill(0)))).toMatchObject({ appended: 1 });
      expect(await importRecording(log, (consume) => consume(fill(77)))).toMatchObject({ appended: 0, skipped: 1 });
    });

    test('two readers and a writer: a read shows the state it began with', async () => {
      const other = open();
      const batch = batchOf(recordingEvents('r', 50));
      await log.append(batch, 0, 50, 0);
      const seen: number[] = [];
      const inner: Promise<unknown>[] = [];
      await open().read(1, Infinity, createInterned(), (outer) => {
        inner.push(log.append(batch, 0, 50, 50), other.read(1, Infinity, createInterned(), (b) => seen.push(b.length)));
        seen.push(outer.length);
      });
      expect(seen).toEqual([100, 50]);
      expect((await Promise.all(inner))[0]).toBe(100);
    });

    test('what a consumer throws comes out, and the log goes on', async () => {
      await log.append(batchOf(recordingEvents('r', 5)), 0, 5, 0);
      const oops = new RangeError('oops');
      await expect(log.read(1, Infinity, createInterned(), () => { throw oops; })).rejects.toBe(oops);
      expect(await readEvents(log)).toHaveLength(5);
    });

    test('a log opened again has the same content', async () => {
      await importRecording(log, sourceOf(recordingEvents('r', 9000)));
      const recordings = await log.recordings();
      await log.close();
      opened.splice(0);
      const again = open();
      expect(await readEvents(again)).toEqual(recordingEvents('r', 9000));
      expect(await again.recordings()).toEqual(recordings);
      expect(await again.verify()).toEqual({ ok: true, events: 9000, head: 9000, firstBad: null });
    });

    test('the same recording twice is stored once, however it is cut and wherever it lies', async () => {
      const events = recordingEvents('r', 5000);
      expect(await importRecording(log, sourceOf(events))).toEqual({ appended: 5000, skipped: 0, head: 5000 });
      for (const rows of [4096, 1, 777]) expect(await importRecording(log, sourceOf(events, rows))).toEqual({ appended: 0, skipped: 5000, head: 5000 });
      expect(await importRecording(log, sourceOf(recordingEvents('r', 5000, 'elsewhere.txt')))).toEqual({ appended: 0, skipped: 5000, head: 5000 });
      expect(await log.recordings()).toEqual([{ events: 5000, digest: expect.stringMatching(/^[0-9a-f]{64}$/), first: 1 }]);
      expect(await readEvents(log)).toEqual(events);
    });

    test('of a grown recording only the tail is appended, every time it grows', async () => {
      const all = recordingEvents('r', 9000);
      expect(await importRecording(log, sourceOf(all.slice(0, 10)))).toEqual({ appended: 10, skipped: 0, head: 10 });
      expect(await importRecording(log, sourceOf(recordingEvents('other', 20)))).toEqual({ appended: 20, skipped: 0, head: 30 });
      expect(await importRecording(log, sourceOf(all.slice(0, 4500)))).toEqual({ appended: 4490, skipped: 10, head: 4520 });
      expect(await importRecording(log, sourceOf(all))).toEqual({ appended: 4500, skipped: 4500, head: 9020 });
      for (const length of [10, 4500, 9000]) expect(await importRecording(log, sourceOf(all.slice(0, length), 100))).toEqual({ appended: 0, skipped: length, head: 9020 });
      expect(await readEvents(log)).toEqual([...all.slice(0, 10), ...recordingEvents('other', 20), ...all.slice(10)]);
      expect((await log.recordings()).map((r) => [r.events, r.first])).toEqual([[10, 1], [20, 11], [4500, 31], [9000, 4521]]);
      expect((await log.verify()).ok).toBe(true);
    });

    test('two recordings that begin alike are both kept', async () => {
      const [one, two] = [recordingEvents('r', 100), recordingEvents('r', 100)];
      two[99] = { ...two[99], pid: 1 };
      await importRecording(log, sourceOf(one));
      expect(await importRecording(log, sourceOf(two))).toEqual({ appended: 100, skipped: 0, head: 200 });
      for (const each of [one, two]) expect(await importRecording(log, sourceOf(each))).toEqual({ appended: 0, skipped: 100, head: 200 });
      expect(await readEvents(log)).toEqual([...one, ...two]);
    });

    test('an empty recording is nothing', async () => {
      expect(await importRecording(log, sourceOf([]))).toEqual({ appended: 0, skipped: 0, head: 0 });
      expect(await log.recordings()).toEqual([]);
    });

    test('a recording that fails half-way leaves nothing, and the next one may be imported', async () => {
      const events = recordingEvents('r', 9000);
      const failing = importRecording(log, async (consume) => {
        await sourceOf(events)(consume);
        throw new Error('pipe broke');
      });
      await expect(failing).rejects.toThrow('pipe broke');
      expect(await log.head()).toBe(0);
      expect(await importRecording(log, sourceOf(events))).toEqual({ appended: 9000, skipped: 0, head: 9000 });
    });
  });
}
