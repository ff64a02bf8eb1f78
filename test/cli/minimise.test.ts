/**
 * `audit SOURCE --minimise RULE` as a person runs it: what it prints goes back into `audit --design D -` and gives the finding.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../projections/finding.ts';
import { recording, run, runShell, temporaryDirectory } from './run.ts';

const STEAL = recording('pdo-steal/steal');
const RULE = 'get-msi-cookie-on-iommufd';
const directory = temporaryDirectory();

const findingsOf = (source: string, design: string, stdin?: string): Finding[] =>
  (JSON.parse(run(['audit', source, '--design', design, '--format', 'json', '--quiet'], stdin === undefined ? {} : { stdin }).stdout) as { findings: Finding[] }).findings;

test('the theft is one line of the events, and stderr says how it came to that', () => {
  const { status, stdout, stderr } = run(['audit', STEAL, '--minimise', RULE]);
  expect(status).toBe(0);
  expect(stdout).toBe(`${run(['events', STEAL, '--quiet']).stdout.split('\n')[32]}\n`);
  expect(stderr).toMatch(/^design private-data-owner: .*\nminimised 93 events to 1 \(get-msi-cookie-on-iommufd at event 33, \d+ replays\)\n {2}audit them: iommu-ledger audit --design private-data-owner -\n$/);
});

test('--history adds the allocation that gave the domain to iommufd; -o takes the result, --quiet the rest', () => {
  const file = join(directory, 'theft.ndjson');
  expect(run(['audit', STEAL, '--minimise', RULE, '--history', '--quiet', '-o', file])).toEqual({ status: 0, stdout: '', stderr: '' });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { type: string; line: number });
  expect(lines.map(({ type, line }) => [type, line])).toEqual([['iommufd_hwpt_paging_alloc', 83], ['iommu_get_msi_cookie', 121]]);
});

describe('what it prints gives the finding again, through a pipe', () => {
  test.each([
    ['pdo-steal/steal', 'private-data-owner'], ['own612n/iommufd', 'v6.12'], ['deb72/errors', 'v6.12'], ['stock72-steal/steal', 'private-data-owner'],
  ])('%s under %s, the first finding of each rule', (name, design) => {
    const source = recording(name);
    const findings = findingsOf(source, design);
    expect(findings.length).toBeGreaterThan(0);
    for (const rule of new Set(findings.map((f) => f.rule))) {
      const { outcome, severity, domain, event, line, before, after } = findings.find((f) => f.rule === rule)!;
      const { stdout } = runShell(`$LEDGER audit "$SOURCE" --design ${design} --minimise ${rule} --quiet | $LEDGER audit --design ${design} --format json --quiet -`, { env: { SOURCE: source } });
      expect((JSON.parse(stdout) as { findings: Finding[] }).findings).toContainEqual(expect.objectContaining({ rule, outcome, severity, domain, event, line, before, after }));
    }
  });

  test('a fault planted in 20,847 events, from a recording, from NDJSON on stdin and from a log', () => {
    const churn = gunzipSync(readFileSync(`${recording('own72n/rebind-churn')}.gz`)).toString('latin1');
    const last = churn.lastIndexOf(': domain_free: (');
    const text = churn.slice(0, last) + churn.slice(last).replace(' ctype=1 ', ' ctype=2 ');
    const path = join(directory, 'churn');
    writeFileSync(path, text, 'latin1');
    const began = performance.now();
    const fromText = run(['audit', path, '--minimise', 'word-mismatch']);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(fromText.stderr).toMatch(/^minimised 20847 events to 2 /m);
    const events = run(['events', path, '--quiet']).stdout;
    expect(run(['audit', '-', '--minimise', 'word-mismatch', '--quiet'], { stdin: events }).stdout).toBe(fromText.stdout);
    const log = join(directory, 'churn.ledger');
    run(['import', path, '--log', log, '--quiet']);
    expect(run(['audit', log, '--minimise', 'word-mismatch', '--quiet']).stdout).toBe(fromText.stdout);
    expect(findingsOf('-', 'v7.3', fromText.stdout)).toContainEqual(expect.objectContaining({ rule: 'word-mismatch', severity: 'error', event: 'iommu_domain_free' }));
  });

  test('whatever names the recording has', () => {
    const hostile = readFileSync(STEAL, 'utf8').replaceAll('insmod-', '\u001b[31m\u202e"},{-').replaceAll('vt-aarch64-', '<...>,\\u0000-');
    const { stdout, status } = run(['audit', '-', '--minimise', RULE, '--quiet'], { stdin: hostile });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[\x20-\x7e]+\n$/);
    expect(findingsOf('-', 'private-data-owner', stdout)).toMatchObject([{ rule: RULE, severity: 'critical', line: 121, task: '\u001b[31m\u202e"},{' }]);
  });
});

describe('nothing to minimise', () => {
  const usage = (args: readonly string[], message: string | RegExp, stdin = ''): void => {
    const { status, stdout, stderr } = run(['audit', ...args], { stdin });
    expect(stderr.split('\n').find((line) => line.startsWith('iommu-ledger: '))).toMatch(message);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  };

  test('no such rule, and what may have been meant', () => {
    usage([STEAL, '--minimise', 'get-msi-cookie-on-iomufd'], /^iommu-ledger: --minimise get-msi-cookie-on-iomufd: no such rule \(did you mean get-msi-cookie-on-iommufd\?\)/);
    usage([STEAL, '--minimise', 'zebra'], /^iommu-ledger: --minimise zebra: no such rule; `rules` lists them; see --help$/);
  });

  test('a rule that nothing breaks, or not there', () => {
    const file = join(directory, 'none.ndjson');
    usage([STEAL, '--minimise', 'word-mismatch', '-o', file], /no finding of word-mismatch under private-data-owner; it has get-msi-cookie-on-iommufd \(1\), msi-map-failed \(3\), get-msi-cookie-existing-cookie \(1\)/);
    expect(existsSync(file)).toBe(false);
    usage([recording('pdo/vfio-type1'), '--minimise', RULE], /no finding of get-msi-cookie-on-iommufd under private-data-owner; it has none at all/);
    usage([STEAL, '--minimise', 'msi-map-failed', '--at', '40'], /no finding of msi-map-failed at event 40 under private-data-owner; it has 3 at 39, 48, 77/);
    usage([STEAL, '--minimise', 'msi-map-failed', '--at', 'x'], /--at x: a position is a whole number from 1/);
  });

  test('options that do not go together', () => {
    usage([STEAL, '--minimise', RULE, '--format', 'json'], /--minimise prints events as NDJSON: not with --format json/);
    usage([STEAL, '--minimise', RULE, '--follow'], /--minimise .*not with --follow/);
    usage([STEAL, '--at', '33'], /--at 33: only with --minimise RULE/);
    usage([STEAL, '--history'], /--history: only with --minimise RULE/);
  });

  test('a recording that begins too late for its history', () => {
    const theft = run(['audit', STEAL, '--minimise', RULE, '--quiet']).stdout;
    expect(run(['audit', '-', '--design', 'private-data-owner', '--minimise', RULE, '--quiet'], { stdin: theft }).stdout).toBe(theft);
    usage(['-', '--minimise', RULE, '--history'], /--history: the recorded calls alone do not lead to get-msi-cookie-on-iommufd at event 1/, theft);
  });

  test('an empty source is unreadable, one without events has no finding', () => {
    expect(run(['audit', '-', '--minimise', RULE]).status).toBe(3);
    usage(['-', '--minimise', RULE], /no finding of get-msi-cookie-on-iommufd under cookie-type; it has none at all/, '# tracer: nop\n#\n');
  });
});
