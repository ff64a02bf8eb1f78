/**
 * How large a page of a million events is, what making it costs, and how long a browser takes from the click until its parts are
 * drawn: wall time, since a person waits for it, over several opens of the same file, and where the time of one of them goes.
 */
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { launch, openPage } from '../test/viewer/open-page.ts';
import { generateFtrace } from '../recordings/generate-ftrace.ts';
import { cpuTime, median } from './processes.ts';

const OPERATIONS = 1_000_000;
/** Functions named in the profile. Units: functions; microseconds. */
const SHOWN = 12;
const INTERVAL = 500;
const cli = join(import.meta.dirname, '../cli/iommu-ledger.mjs');

/** Yields what is measured, line by line. */
export async function* pageOpens(rounds: number, folder: string): AsyncGenerator<string> {
  if (!existsSync(process.env['CHROMIUM'] ?? '/usr/bin/chromium')) {
    yield 'no /usr/bin/chromium: apt-get install -y --no-install-recommends chromium fonts-dejavu-core, or name one by CHROMIUM';
    return;
  }
  const text = join(folder, 'page.txt');
  const file = join(folder, 'page.html');
  const fd = openSync(text, 'w');
  const { lines, operations } = generateFtrace({ domains: 64, events: OPERATIONS, seed: 1 }, (chunk) => void writeSync(fd, chunk));
  closeSync(fd);
  const made = cpuTime([process.execPath, cli, 'report', '--quiet', text, '-o', file]);
  const audited = cpuTime([process.execPath, cli, 'audit', '--quiet', '--fail-on', 'never', text]);
  yield `a page of ${operations} operations (${lines} lines): ${(statSync(file).size / 1e6).toFixed(1)} MB; made in ${made.seconds.toFixed(1)} s of CPU time, ${(made.seconds / audited.seconds).toFixed(1)} x the audit alone`;
  const browser = await launch();
  try {
    yield* openings(browser, file, rounds);
    yield* profile(browser, file);
  } finally {
    await browser.close();
  }
}

async function* openings(browser: Browser, file: string, rounds: number): AsyncGenerator<string> {
  const times: number[] = [];
  let heap = 0;
  for (let round = 0; round <= rounds; round++) {
    const opened = await openPage(browser, file);
    heap = await opened.evaluate<number>('performance.memory.usedJSHeapSize');
    await opened.close();
    if (round > 0) times.push(opened.openMs / 1000); // the first one warms the file's cache
  }
  yield `opens in ${Math.min(...times).toFixed(2)} / ${median(times).toFixed(2)} / ${Math.max(...times).toFixed(2)} s (min / median / max of ${rounds}); ${(heap / 1e6).toFixed(0)} MB of JavaScript heap`;
}

/** Self times of one opening, from Chromium's own sampling. */
async function* profile(browser: Browser, file: string): AsyncGenerator<string> {
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: INTERVAL });
  await session.send('Profiler.start');
  await page.goto(`file://${file}`, { waitUntil: 'commit' });
  await page.waitForSelector('main, [role=alert]', { state: 'attached', timeout: 60_000 });
  const { profile: { nodes, samples = [], timeDeltas = [] } } = await session.send('Profiler.stop');
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName]));
  const self = new Map<string, number>();
  samples.forEach((id, k) => self.set(names.get(id)!, (self.get(names.get(id)!) ?? 0) + timeDeltas[k] / 1000));
  yield 'milliseconds in each function, minified names; (program) is the browser: reading the file, base64, gzip';
  for (const [name, ms] of [...self].sort((a, b) => b[1] - a[1]).slice(0, SHOWN)) yield `  ${ms.toFixed(0).padStart(6)}  ${name}`;
  await page.close();
}
