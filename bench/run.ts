/**
 * `npm run bench [-- ROUNDS]`: what the replay path costs against named rivals, as ratios of CPU time in interleaved rounds.
 * Absolute figures of one machine mean nothing; the table that this prints stands in README.md beside it.
 */
import { mkdtempSync, openSync, closeSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateFtrace, type GenerateOptions } from '../recordings/generate-ftrace.ts';
import { cpuTime, median, spread } from './processes.ts';
import { tableAgainstActors } from './table.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
/** Kernel operations in the generated recordings; about 2.56 lines each. */
const OPERATIONS = 1_600_000;
const RULES: NonNullable<GenerateOptions['inject']> = ['get-msi-cookie-on-iommufd', 'get-dma-cookie-on-iommufd', 'domain-double-free', 'word-mismatch', 'msi-address-mismatch', 'msi-page-unmapped'];

const here = new URL('.', import.meta.url).pathname;
const cli = join(here, '../cli/iommu-ledger.mjs');
const say = (line: string): void => void writeSync(1, `${line}\n`);
/** Prints the peak resident memory of the process it is loaded into. */
const PEAK = 'data:text/javascript,process.on("exit",()=>process._rawDebug("@peak "+process.resourceUsage().maxRSS))';

function generate(path: string, operations: number): { lines: number; injected: number } {
  const fd = openSync(path, 'w');
  try {
    return generateFtrace({ domains: 64, events: operations, seed: 20250228, inject: RULES, injectEvery: 1000 }, (chunk) => void writeSync(fd, chunk));
  } finally {
    closeSync(fd);
  }
}

function ours(file: string): { seconds: number; illegal: number; peakMb: number } {
  const run = cpuTime([process.execPath, '--import', PEAK, cli, 'audit', '--quiet', '--fail-on', 'never', '--format', 'json', file]);
  const { summary } = JSON.parse(run.stdout) as { summary: Record<string, number> };
  return { seconds: run.seconds, illegal: summary['critical'] + summary['error'] + summary['warning'], peakMb: Number(/@peak (\d+)/.exec(run.stderr)?.[1]) / 1024 };
}

function awk(script: string, file: string): { seconds: number; illegal: number } {
  const run = cpuTime(['gawk', '-b', '-f', join(here, script), file]);
  return { seconds: run.seconds, illegal: Number(/illegal=(\d+)/.exec(run.stdout)?.[1]) };
}

const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-bench-'));
try {
  const file = join(folder, 'generated.txt');
  const { lines, injected } = generate(file, OPERATIONS);
  say(`ftrace text: ${lines} lines, ${(statSync(file).size / 1e6).toFixed(0)} MB, ${injected} planted violations, ${ROUNDS} interleaved rounds`);
  const byName: number[] = [];
  const byPlace: number[] = [];
  const seconds: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const a = ours(file);
    const b = awk('audit.awk', file);
    const c = awk('audit-positional.awk', file);
    for (const [name, illegal] of [['iommu-ledger', a.illegal], ['audit.awk', b.illegal], ['audit-positional.awk', c.illegal]] as const) {
      if (illegal !== injected) throw new Error(`${name} found ${illegal} violations, ${injected} were planted`);
    }
    if (round === 0) continue; // warm-up
    byName.push(b.seconds / a.seconds);
    byPlace.push(c.seconds / a.seconds);
    seconds.push(a.seconds);
    peaks.push(a.peakMb);
  }
  say(`illegal count of all three: ${injected}`);
  say(`CPU time gawk, fields by name / iommu-ledger (min / median / max):      ${spread(byName)}`);
  say(`CPU time gawk, fields by position / iommu-ledger:                      ${spread(byPlace)}`);
  say(`iommu-ledger: ${(lines / median(seconds) / 1e6).toFixed(2)} M lines/s of CPU time, node's start included`);
  const short = join(folder, 'short.txt');
  generate(short, OPERATIONS / 8);
  say(`peak memory: ${Math.max(...peaks).toFixed(0)} MB over ${lines} lines, ${ours(short).peakMb.toFixed(0)} MB over an eighth of them`);
  say('');
  for (const line of tableAgainstActors(ROUNDS)) say(line);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
