/**
 * A page of a quarter of a million events: a quarter of what a mail server takes, and open in moments. The time is bounded loosely
 * here, where other work runs beside it; `npm run bench -- N page` measures a million.
 */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROGRAM, temporaryDirectory } from '../cli/run.ts';
import { useChromium } from './chromium.ts';

const open = useChromium();
const directory = temporaryDirectory();
const MOST_BYTES = 25_000_000 / 4;
const MOST_MS = 15_000;

test('a quarter of a million events: at most a quarter of 25 MB, open within moments, at any instant', async () => {
  const file = join(directory, 'large.html');
  // Through a pipe: the text would fill half a gigabyte of disk.
  const shell = spawn('bash', ['-c', `set -o pipefail; '${process.execPath}' '${PROGRAM}' generate --domains 64 --events 250000 --seed 1 --quiet | '${process.execPath}' '${PROGRAM}' report - -o '${file}' --quiet`], { stdio: 'inherit' });
  expect(await new Promise((resolve) => void shell.on('close', resolve))).toBe(0);
  expect(statSync(file).size).toBeLessThan(MOST_BYTES);
  const { openMs, complaints, evaluate, close } = await open(file);
  expect(complaints).toEqual([]);
  expect(openMs).toBeLessThan(MOST_MS);
  expect(Number(await evaluate('document.documentElement.dataset.events'))).toBeGreaterThan(250_000);
  await close();
}, 120_000);
