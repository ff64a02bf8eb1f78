/**
 * `audit` of ftrace text against the same audit in gawk, twice: with fields found by name, and by their place in the line.
 */
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { agree, generate, ours } from './ours.ts';
import { cpuTime, median, spread } from './processes.ts';

/** Kernel operations in the generated recording. */
const OPERATIONS = 1_600_000;

function write(path: string, operations: number): { lines: number; injected: number } {
  const fd = openSync(path, 'w');
  try {
    return generate(operations, (chunk) => void writeSync(fd, chunk));
  } finally {
    closeSync(fd);
  }
}

function awk(script: string, file: string): { seconds: number; illegal: number } {
  const run = cpuTime(['gawk', '-b', '-f', join(import.meta.dirname, script), file]);
  return { seconds: run.seconds, illegal: Number(/illegal=(\d+)/.exec(run.stdout)?.[1]) };
}

/** Yields the lines of the report; what it writes goes into `folder`. Errors: throws where two count differently. */
export function* textAgainstAwk(rounds: number, folder: string): Generator<string> {
  const file = join(folder, 'generated.txt');
  const { lines, injected } = write(file, OPERATIONS);
  yield `ftrace text: ${lines} lines, ${(statSync(file).size / 1e6).toFixed(0)} MB, ${injected} planted violations, ${rounds} interleaved rounds`;
  const byName: number[] = [];
  const byPlace: number[] = [];
  const seconds: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const a = ours(file);
    const b = awk('audit.awk', file);
    const c = awk('audit-positional.awk', file);
    agree(injected, { 'iommu-ledger': a.illegal, 'audit.awk': b.illegal, 'audit-positional.awk': c.illegal });
    if (round === 0) continue; // warm-up
    byName.push(b.seconds / a.seconds);
    byPlace.push(c.seconds / a.seconds);
    seconds.push(a.seconds);
    peaks.push(a.peakMb);
  }
  yield `illegal count of all three: ${injected}`;
  yield `CPU time gawk, fields by name / iommu-ledger (min / median / max):      ${spread(byName)}`;
  yield `CPU time gawk, fields by position / iommu-ledger:                      ${spread(byPlace)}`;
  yield `iommu-ledger: ${(lines / median(seconds) / 1e6).toFixed(2)} M lines/s of CPU time, node's start included`;
  const short = join(folder, 'short.txt');
  write(short, OPERATIONS / 8);
  yield `peak memory: ${Math.max(...peaks).toFixed(0)} MB over ${lines} lines, ${ours(short).peakMb.toFixed(0)} MB over an eighth of them`;
}
