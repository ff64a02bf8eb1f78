/**
 * `compare` of all designs against one `audit`: what the other designs cost beside reading, in one pass over the events.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DESIGNS } from '../machines/design-list.ts';
import { cli, generate } from './ours.ts';
import { cpuTime, median, spread } from './processes.ts';

/** A recording of a real kernel, and operations of a generated one. */
const CHURN = join(import.meta.dirname, '../test/recordings/own72n/rebind-churn.trace.txt.gz');
const OPERATIONS = 500_000;
const OWN = 'v7.3';

/** Returns CPU time, and what was found under the recording's own design. */
function run(command: 'audit' | 'compare', file: string): { seconds: number; found: string } {
  const options = command === 'audit' ? ['--design', OWN] : ['--designs', 'all'];
  const { seconds, stdout, stderr } = cpuTime([process.execPath, cli, command, '--quiet', '--fail-on', 'never', ...options, file]);
  const found = /(?:^|^v7\.3 +)(\d+ critical, .*)$/m.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`${command} of ${file}: ${stderr.trim()}`);
  return { seconds, found };
}

function against(name: string, file: string, rounds: number): string {
  const ratios: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const audit = run('audit', file);
    const compare = run('compare', file);
    if (audit.found !== compare.found) throw new Error(`${name}: audit finds ${audit.found}, compare ${compare.found} under ${OWN}`);
    if (round === 0) continue; // warm-up
    ratios.push(compare.seconds / audit.seconds);
    seconds.push(audit.seconds);
  }
  return `${name}: CPU time compare / audit (min / median / max):  ${spread(ratios)}   (audit ${median(seconds).toFixed(2)} s)`;
}

/** Yields the lines of the report; what it writes goes into `folder`. Errors: throws where the two find different things. */
export function* compareAgainstAudit(rounds: number, folder: string): Generator<string> {
  yield `compare of all ${DESIGNS.length} designs against audit of one, ${rounds} interleaved rounds`;
  yield against('own72n/rebind-churn', CHURN, rounds);
  const file = join(folder, 'generated.txt');
  const fd = openSync(file, 'w');
  const { lines } = generate(OPERATIONS, (chunk) => void writeSync(fd, chunk));
  closeSync(fd);
  yield against(`generated, ${lines} lines`, file, rounds);
}
