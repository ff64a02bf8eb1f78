/**
 * A recording that is still growing: findings are printed within a second of their line, ^C ends with the summary. Real
 * processes, a real file that grows, a real pipe.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RECORDINGS, fileOf } from '../audit-file.ts';

const CLI = join(import.meta.dirname, '../../cli/iommu-ledger.mjs');
const TEXT = readFileSync(join(RECORDINGS, 'pdo-steal/steal.trace.txt'), 'latin1');
const THEFT = TEXT.split('\n').findIndex((line) => line.includes('get_msi_cookie_ret:')) + 1;
const BEFORE = `${TEXT.split('\n').slice(0, THEFT - 1).join('\n')}\n`;
const LINE = `${TEXT.split('\n')[THEFT - 1]}\n`;

interface Running {
  readonly child: ChildProcess;
  out(): string;
  /** Waits until the text is there; returns after how many milliseconds. */
  until(text: string): Promise<number>;
  ended: Promise<number | null>;
}

function start(...words: string[]): Running {
  const child = spawn(process.execPath, [CLI, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => void child.on('close', resolve));
  return {
    child,
    out: () => out,
    until: async (text) => {
      const from = performance.now();
      while (!out.includes(text) && performance.now() - from < 10_000) await sleep(10);
      expect(out).toContain(text);
      return performance.now() - from;
    },
    ended,
  };
}

/** Long enough for the program to have started and read what there is. */
const STARTED_MS = 1500;

test('--follow on a file that grows', async () => {
  const file = fileOf(BEFORE);
  const program = start('audit', '--follow', file);
  await sleep(STARTED_MS);
  expect(program.out()).toBe('');
  appendFileSync(file, LINE.slice(0, 40));
  await sleep(200);
  appendFileSync(file, LINE.slice(40));
  expect(await program.until('CRITICAL get-msi-cookie-on-iommufd')).toBeLessThan(1000);
  program.child.kill('SIGINT');
  expect(await program.ended).toBe(1);
  expect(program.out()).toMatch(/\n1 critical, 0 errors, 0 warnings, 0 info\n$/);
  expect(program.out().match(/get-msi-cookie-on-iommufd/g)).toHaveLength(1);
});

test('a pipe that stays open', async () => {
  const program = start('audit', '-');
  program.child.stdin!.write(BEFORE);
  await sleep(STARTED_MS);
  program.child.stdin!.write(LINE);
  expect(await program.until('CRITICAL get-msi-cookie-on-iommufd')).toBeLessThan(1000);
  program.child.kill('SIGINT');
  expect(await program.ended).toBe(1);
  expect(program.out()).toMatch(/\n1 critical, 0 errors, 0 warnings, 0 info\n$/);
});

test('a pipe that ends needs no ^C; JSON is one document', async () => {
  const program = start('audit', '-', '--format', 'json');
  program.child.stdin!.end(TEXT);
  expect(await program.ended).toBe(1);
  expect(JSON.parse(program.out())).toMatchObject({ schema: 'iommu-ledger/audit/1', recording: { source: 'stdin', format: 'ftrace-text' }, summary: { critical: 1 } });
});
