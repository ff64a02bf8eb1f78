/** A writer killed at any instant: the log opens, is intact, and holds whole recordings, all that were acknowledged among them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importRecording } from '../../log/import.ts';
import { openLedger } from '../../log/ledger-store.ts';
import { childRecording, wholeRecordings } from './child-recordings.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ledger-crash-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Lets a child import recordings from `from` on and kills it `delayMs` after it was ready; returns how many it has acknowledged. */
async function importUntilKilled(path: string, from: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'ledger-child.ts'), 'import', path, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let said = '';
  let ready: () => void = () => {};
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    ready();
  });
  await Promise.race([isReady, closed]);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.kill('SIGKILL');
  const [, signal] = (await closed) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return said.split('\n').filter((line) => /^\d+$/.test(line)).length;
}

describe('kill -9', () => {
  test('while importing: everything acknowledged is there, nothing is there in part', { timeout: 30_000 }, async () => {
    const path = join(directory, 'x.ledger');
    let there = 0;
    let kills = 0;
    for (; kills < 12; kills++) {
      const acknowledged = await importUntilKilled(path, there, 30 + Math.random() * 120);
      // By turns the first one to open the log after the crash is a reader or a writer.
      const log = openLedger(path, { write: kills % 2 === 0 });
      const found = await log.verify();
      expect(found).toMatchObject({ ok: true, firstBad: null });
      const whole = await wholeRecordings(log);
      expect(whole).toBeGreaterThanOrEqual(there + acknowledged);
      expect(whole).toBeLessThanOrEqual(there + acknowledged + 1);
      expect((await log.recordings()).length).toBe(whole);
      if (kills % 2 === 0 && whole > 0) expect(await importRecording(log, childRecording(whole - 1))).toMatchObject({ appended: 0, head: found.head });
      await log.close();
      there = whole;
    }
    expect(kills).toBeGreaterThanOrEqual(10);
    expect(there).toBeGreaterThan(0);
  });

  test('while the file is being made: the next writer makes it', { timeout: 30_000 }, async () => {
    for (let round = 0; round < 8; round++) {
      const path = join(directory, `new-${round}.ledger`);
      const acknowledged = await importUntilKilled(path, 0, round * 1.5);
      const existed = existsSync(path);
      const log = openLedger(path, { write: true });
      expect(await log.verify()).toMatchObject({ ok: true });
      const whole = await wholeRecordings(log);
      expect(whole).toBeGreaterThanOrEqual(existed ? acknowledged : 0);
      expect(await importRecording(log, childRecording(whole))).toMatchObject({ skipped: 0 });
      expect(await wholeRecordings(log)).toBe(whole + 1);
      await log.close();
    }
  });
});
