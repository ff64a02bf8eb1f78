/**
 * `npm run bench [-- ROUNDS [text|trace-dat|table|compare|page]]`: what the replay path costs against named rivals, as ratios of CPU time
 * in interleaved rounds, and how long a page of a million events takes to open. Absolute figures of one machine mean nothing; the
 * table that this prints stands in README.md beside it.
 */
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareAgainstAudit } from './compare.ts';
import { pageOpens } from './page.ts';
import { tableAgainstActors } from './table.ts';
import { textAgainstAwk } from './text.ts';
import { traceDatAgainstTools } from './trace-dat.ts';

const PARTS: Readonly<Record<string, (rounds: number, folder: string) => Iterable<string> | AsyncIterable<string>>> = {
  text: textAgainstAwk,
  'trace-dat': traceDatAgainstTools,
  table: tableAgainstActors,
  compare: compareAgainstAudit,
  page: pageOpens,
};

const rounds = Number(process.argv[2] ?? 5);
const wanted = process.argv[3] === undefined ? Object.keys(PARTS) : [process.argv[3]];
for (const part of wanted) {
  if (!(part in PARTS)) throw new Error(`${part}: one of ${Object.keys(PARTS).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-bench-'));
  try {
    for await (const line of PARTS[part](rounds, folder)) writeSync(1, `${line}\n`);
    writeSync(1, '\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
