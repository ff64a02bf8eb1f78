/**
 * Runs mutations FROM to TO of one reader and writes a line to descriptor 3 before and after each: `> N`, and `N OUTCOME
 * MILLISECONDS RSS`, or `N crash TEXT`. Whoever started it watches the time. Ends itself where its memory is over the limit.
 */
import { mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mutations } from './mutate.ts';
import { runOne } from './run-one.ts';
import { TARGETS } from './seeds.ts';

const [name, from, to, number, limit] = [process.argv[2], ...process.argv.slice(3).map(Number)] as [string, number, number, number, number];
const say = (line: string): number => writeSync(3, `${line}\n`);
const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('SIGTERM', () => process.exit(1));
const target = TARGETS[name];
const mutations = new Mutations(await target.seed());
say(`systematic ${mutations.systematic}`);
const path = join(folder, 'mutated');
for (let n = from; n < to; n++) {
  writeFileSync(path, mutations.make(n, number));
  say(`> ${n}`);
  const start = performance.now();
  let outcome: string;
  try {
    outcome = await runOne(path, target.kind);
  } catch (error) {
    outcome = `crash ${JSON.stringify(error instanceof Error ? (error.stack ?? error.message) : String(error))}`;
  }
  const peak = process.resourceUsage().maxRSS / 1024;
  say(outcome.startsWith('crash') ? `${n} ${outcome}` : `${n} ${outcome} ${(performance.now() - start).toFixed(1)} ${peak.toFixed(0)}`);
  if (peak > limit) break;
}
