/**
 * `npm run fuzz [-- READER|all COUNT SEED FROM]`: COUNT mutations (20,000) of every reader's seed, or a share of them for the
 * large ones; one line each, and every mutation that ended badly with what runs it again. Exit code 1 if there was one.
 */
import { writeSync } from 'node:fs';
import { runTarget } from './run-target.ts';
import { TARGETS } from './seeds.ts';

const [wanted = 'all', count = '20000', seed = '1', from = '0'] = process.argv.slice(2);
const readers = wanted === 'all' ? Object.keys(TARGETS) : wanted.split(',');
const say = (line: string): number => writeSync(1, `${line}\n`);
for (const reader of readers) if (!(reader in TARGETS)) throw new Error(`${reader}: one of ${Object.keys(TARGETS).join(', ')}`);
say('| reader | mutations | not by chance | unreadable | with problems | clean | slowest ms | peak MB | failed |\n|---|---|---|---|---|---|---|---|---|');
for (const reader of readers) {
  const share = wanted === 'all' ? (TARGETS[reader].share ?? 100) : 100;
  const r = await runTarget(reader, Number(from), Number(from) + Math.ceil((Number(count) * share) / 100), Number(seed));
  say(`| ${reader} | ${r.mutations} | ${Math.min(r.systematic, r.mutations)} | ${r.unreadable} | ${r.problems} | ${r.clean} | ${r.slowestMs.toFixed(0)} | ${r.peakMb} | ${r.failures.length} |`);
  for (const { n, what } of r.failures.slice(0, 10)) say(`  npm run fuzz -- ${reader} 1 ${seed} ${n}: ${what.split('\n').slice(0, 4).join('\n    ')}`);
  if (r.failures.length > 0) process.exitCode = 1;
}
