/** The embedded store: the contract, and what only a file can suffer. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createInterned } from '../../events/batch.ts';
import { UnreadableError } from '../../events/problem.ts';
import { importRecording, type RecordingSource } from '../../log/import.ts';
import { openLedger } from '../../log/ledger-store.ts';
import { eventLogContract } from './event-log.contract.ts';
import { batchOf, readEvents, recordingEvents, sourceOf } from './rows.ts';

eventLogContract('ledger store', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ledger-'));
  return {
    open: () => openLedger(join(directory, 'a #?%.ledger'), { write: true, busyTimeoutMs: 0 }),
    dispose: () => rmSync(directory, { recursive: true }),
  };
});

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ledger-'));
  path = join(directory, 'x.ledger');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Writes a log of 5 blocks of 1,000 events and the mark of the recording, then lets `change` at the file as SQL. */
async function madeLog(change?: (db: DatabaseSync) => void): Promise<void> {
  const log = openLedger(path, { write: true });
  await importRecording(log, sourceOf(recordingEvents('r', 5000), 1000));
  await log.close();
  if (!change) return;
  const db = new DatabaseSync(path);
  change(db);
  db.close();
}

function refusal(options = {}): UnreadableError {
  try {
    void openLedger(path, options).close();
  } catch (error) {
    if (error instanceof UnreadableError) return error;
    throw error;
  }
  throw new Error('it was opened');
}

describe('a path that is no log is refused by name, and left alone', () => {
  test('missing, when only reading', () => {
    expect(refusal()).toMatchObject({ message: `${path}: no such file`, hint: expect.stringContaining('import') });
    expect(readdirSync(directory)).toEqual([]);
  });
  test('in a missing directory', () => {
    path = join(directory, 'missing', 'x.ledger');
    expect(refusal({ write: true }).message).toBe(`${path}: cannot be opened`);
  });
  test('a directory', () => {
    mkdirSync(path);
    for (const write of [false, true]) expect(refusal({ write }).message).toBe(`${path}: is a directory, not a log`);
  });
  test('an empty file: nothing to read, but a log can be made of it', async () => {
    writeFileSync(path, '');
    expect(refusal().message).toBe(`${path}: is empty, not a log`);
    const log = openLedger(path, { write: true });
    expect(await log.head()).toBe(0);
    await log.close();
  });
  test.each([['a text', '# tracer: nop\n'.repeat(20)], ['a short text', 'x']])('%s', (_, content) => {
    writeFileSync(path, content);
    for (const write of [false, true]) expect(refusal({ write }).message).toBe(`${path}: is not a log (not an SQLite database)`);
    expect(readFileSync(path, 'utf8')).toBe(content);
  });
  test("another program's database", () => {
    const db = new DatabaseSync(path);
    db.exec('PRAGMA application_id = 0x1234; CREATE TABLE t (a)');
    db.close();
    const before = readFileSync(path);
    for (const write of [false, true]) expect(refusal({ write }).message).toBe(`${path}: is an SQLite database of another program (application id 0x1234)`);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
  test('a newer schema version', async () => {
    await madeLog((db) => db.exec('PRAGMA user_version = 2'));
    for (const write of [false, true]) {
      expect(refusal({ write })).toMatchObject({ message: `${path}: was written by a newer version (schema 2, this program knows 1)`, hint: 'update iommu-ledger' });
    }
  });
  test('a table, trigger or view that is not ours', async () => {
    await madeLog((db) => db.exec('CREATE TRIGGER t AFTER INSERT ON link BEGIN DELETE FROM link; END'));
    expect(refusal({ write: true }).message).toBe(`${path}: its tables are not those of a log`);
  });
  test.each([50, 4096, 40_000])('a log cut short after %i bytes', async (length) => {
    await madeLog();
    truncateSync(path, length);
    expect(refusal().message).toMatch(/: is (damaged or cut short|cut short after 50 bytes)$/);
  });
  test('for writing, where it was opened for reading', async () => {
    await madeLog();
    const log = openLedger(path);
    await expect(log.begin()).rejects.toThrow('was opened for reading only');
    await log.close();
  });
});

describe('a file that was tampered with', () => {
  const verify = async (): Promise<unknown> => {
    const log = openLedger(path);
    try {
      return await log.verify();
    } finally {
      await log.close();
    }
  };

  test('every byte of a block counts', { timeout: 30_000 }, async () => {
    await madeLog();
    const db = new DatabaseSync(path);
    const body = db.prepare('SELECT body FROM link WHERE seq = 3').get()!['body'] as Uint8Array;
    const write = db.prepare('UPDATE link SET body = ? WHERE seq = 3');
    for (let at = 0; at < body.length; at += 97) {
      const changed = body.slice();
      changed[at] ^= 1 << at % 8;
      write.run(changed);
      expect(await verify()).toMatchObject({ ok: false, events: 2000, head: 5000, firstBad: 2001 });
    }
    db.close();
  });

  test.each<[string, string, number]>([
    ['a block is deleted', 'DELETE FROM link WHERE seq = 2', 1001],
    ['the first block is deleted', 'DELETE FROM link WHERE seq = 1', 1],
    ['the last block is deleted', 'DELETE FROM link WHERE seq = 5', 4001],
    ['the end is deleted', 'DELETE FROM link WHERE seq >= 4', 3001],
    ['everything is deleted', 'DELETE FROM link', 1],
    ['two blocks are swapped', 'UPDATE link SET seq = 99 WHERE seq = 2; UPDATE link SET seq = 2 WHERE seq = 3; UPDATE link SET seq = 3 WHERE seq = 99', 1001],
    ['the bodies of two blocks are swapped', 'UPDATE link SET body = (SELECT body FROM link l WHERE l.seq = 7 - link.seq) WHERE seq IN (3, 4)', 2001],
    ['a position is changed', 'UPDATE link SET first = 2002 WHERE seq = 3', 2001],
    ['a count is changed', 'UPDATE link SET count = 999 WHERE seq = 3', 2001],
    ['a count is absurd', 'UPDATE link SET count = 9000000000000000000 WHERE seq = 3', 2001],
    ['a hash is changed', "UPDATE link SET hash = x'00' WHERE seq = 3", 2001],
    ['a body is absurdly large', 'UPDATE link SET body = zeroblob(70000000) WHERE seq = 3', 2001],
    ['a recording is changed', "UPDATE link SET body = zeroblob(32) WHERE kind = 1", 5001],
    ['a recording is deleted', 'DELETE FROM link WHERE kind = 1', 5001],
    ['a link is added', "INSERT INTO link VALUES (7, 1, 1, 1, x'00', x'00')", 5001],
    ['the head is set back', 'UPDATE head SET links = 5', 5001],
    ['the head lies', 'UPDATE head SET position = 9000', 5001],
  ])('%s', async (_, sql, firstBad) => {
    await madeLog((db) => db.exec(sql));
    expect(await verify()).toMatchObject({ ok: false, events: firstBad - 1, firstBad, message: expect.any(String) });
    const log = openLedger(path);
    // Reading either gives every event as it was or says which file is damaged.
    const read = await readEvents(log).catch((error: unknown) => error);
    if (read instanceof UnreadableError) expect(read.message).toContain(`${path}: `);
    else expect(read).toEqual(recordingEvents('r', 5000));
    await log.close();
  });

  test('reading what lies before the damage still works', async () => {
    await madeLog((db) => db.exec('UPDATE link SET body = zeroblob(length(body)) WHERE seq = 4'));
    const log = openLedger(path);
    expect(await readEvents(log, 1500, 3000)).toHaveLength(1501);
    await expect(readEvents(log)).rejects.toThrow(`${path}: damaged after position 3000: link 4 was changed`);
    await log.close();
  });

  test('nothing is appended behind a damaged end', async () => {
    await madeLog((db) => db.exec('DELETE FROM link WHERE seq = 6'));
    const log = openLedger(path, { write: true });
    await expect(log.begin()).rejects.toThrow('its last link is not the one its head says');
    await log.close();
  });

  test('any byte of the file may change: verify, read and import never do anything but report', { timeout: 30_000 }, async () => {
    const events = recordingEvents('r', 1500);
    const batch = batchOf(events);
    const recording: RecordingSource = (consume) => consume(batch);
    const fresh = openLedger(path, { write: true });
    await importRecording(fresh, recording);
    await fresh.close();
    const good = readFileSync(path);
    for (let round = 0; round < 150; round++) {
      const bad = Buffer.from(good);
      // Half of the changes hit the pages that describe the tables.
      const at = (round * 7919) % (round % 2 === 0 ? bad.length : 3 * 8192);
      bad[at] ^= 1 + ((round * 31) % 255);
      writeFileSync(path, bad);
      try {
        const log = openLedger(path, { write: true });
        try {
          const found = await log.verify();
          const read = await readEvents(log);
          if (found.ok) expect(read).toEqual(events);
          await importRecording(log, recording);
        } finally {
          await log.close();
        }
      } catch (error) {
        expect(error).toBeInstanceOf(UnreadableError);
        expect((error as Error).message).toContain(path);
      }
      for (const name of readdirSync(directory)) rmSync(join(directory, name));
    }
  });
});

describe('the file', () => {
  test('is one file when nobody has it open, and reading leaves nothing beside it', async () => {
    await madeLog();
    const log = openLedger(path);
    await log.read(1, 10, createInterned(), () => {});
    await log.close();
    expect(readdirSync(directory)).toEqual(['x.ledger']);
    const header = readFileSync(path);
    expect(header.toString('latin1', 68, 72)).toBe('IOML');
    expect(header.subarray(18, 20)).toEqual(Buffer.from([2, 2]));
  });

  test('takes a few bytes an event, and none for what is absent', async () => {
    const log = openLedger(path, { write: true });
    await importRecording(log, sourceOf(recordingEvents('r', 40_000)));
    await log.close();
    expect(readFileSync(path).length / 40_000).toBeLessThan(12);
  });

  test('a second process waits for the first one, for a bounded time', { timeout: 30_000 }, async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'ledger-child.ts'), 'hold', path, '700'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    while (!said.includes('held')) said += String((await once(child.stdout, 'data'))[0]);
    const batch = batchOf(recordingEvents('r', 3));
    const hasty = openLedger(path, { write: true, busyTimeoutMs: 50 });
    await expect(hasty.append(batch, 0, 3, 0)).rejects.toThrow(`${path}: another writer is appending to this log`);
    await hasty.close();
    const patient = openLedger(path, { write: true });
    const transaction = await patient.begin();
    expect(transaction.base).toBe(1);
    await patient.close();
    await once(child, 'close');
  });
});
