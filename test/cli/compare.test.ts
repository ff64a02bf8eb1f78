/**
 * `compare` as a person runs it: the JSON of CONTRACT.md, text for a mail, exit status, and which design counts as the recording's own.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ownDesign } from '../../cli/compare.ts';
import { openSource } from '../../cli/source.ts';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import { isRule } from '../../machines/rules.ts';
import { recording, run, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
/** The theft on the proposal as posted, and on an unpatched kernel that refuses it. */
const STEAL = recording('pdo-steal/steal');
const REFUSED = recording('stock72-steal/steal');
/** The ring buffer lost events. */
const LOSSY = recording('own72v/variant-overrun');
const PDO = 'private-data-owner';
const V2 = 'private-data-owner-v2';

const count = z.int().min(0);
const position = z.int().min(1);
const design = z.enum(DESIGNS.map(({ id }) => id) as [string, ...string[]]);
const state = z.enum(['unknown', 'unowned', 'dma_owned', 'msi_owned', 'iommufd_owned', 'fault_handler_owned', 'sva_owned', 'freed']);
const summary = z.strictObject({ critical: count, error: count, warning: count, info: count });
const shape = z.looseObject({
  schema: z.literal('iommu-ledger/compare/1'),
  designs: z.array(design).min(2),
  own: design.nullable(),
  recording: z.looseObject({ source: z.string(), events: count, lost: count }),
  differences: z.array(z.looseObject({
    position,
    line: position.nullable(),
    event: z.string(),
    domain: z.string().regex(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/).nullable(),
    verdicts: z.record(z.string(), z.looseObject({ errno: z.int().max(0).nullable(), state: state.nullable(), rules: z.array(z.string().refine(isRule)) })),
  })),
  summary: z.record(z.string(), summary),
  worse: z.strictObject({ design, than: design, summary }),
});
type Document = z.infer<typeof shape>;

function json(source: string | readonly string[], designs: string, ...options: string[]): Document {
  const { stdout, stderr } = run(['compare', ...[source].flat(), '--designs', designs, '--quiet', '--format', 'json', ...options]);
  expect(stderr).toBe('');
  expect(stdout.endsWith('}\n')).toBe(true);
  return shape.parse(JSON.parse(stdout));
}

function status(...args: string[]): number | null {
  return run(['compare', ...args, '--quiet']).status;
}

describe('--format json', () => {
  test('the theft, member by member', () => {
    const document = json(STEAL, `${PDO},${V2}`);
    expect(document).toMatchObject({ designs: [PDO, V2], own: PDO, recording: { source: STEAL, events: 93 }, worse: { design: V2, than: PDO } });
    expect(document.differences[0]).toEqual({
      position: 33, line: 121, time: '125.345816', cpu: 1, task: 'insmod', pid: 845, event: 'iommu_get_msi_cookie', domain: '0xffff0000035e9d20', generation: 1,
      recorded: { errno: 0 },
      verdicts: {
        [PDO]: { errno: 0, state: 'msi_owned', rules: ['get-msi-cookie-on-iommufd'], findings: [{ rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites' }] },
        [V2]: { errno: -17, state: 'iommufd_owned', rules: ['get-msi-cookie-on-iommufd'], findings: [{ rule: 'get-msi-cookie-on-iommufd', severity: 'warning', outcome: 'rejected' }] },
      },
    });
  });

  test('all designs: the summary of each is that of its audit', () => {
    const document = json(REFUSED, 'all');
    expect(document.designs).toEqual(DESIGNS.map(({ id }) => id));
    for (const { verdicts } of document.differences) {
      expect(Object.keys(verdicts)).toEqual(document.designs);
      expect(new Set(Object.values(verdicts).map(({ errno, state: after, rules }) => JSON.stringify([errno, after, rules]))).size).toBeGreaterThan(1);
    }
    for (const id of ['v6.12', 'v7.3']) {
      const audit = JSON.parse(run(['audit', REFUSED, '--design', id, '--quiet', '--format', 'json']).stdout) as { summary: unknown };
      expect(document.summary[id]).toEqual(audit.summary);
    }
  });

  test('designs that behave alike: no difference is an empty list', () => {
    const { stdout } = run(['compare', recording('pdo/vfio-type1'), '--designs', `sw-msi,${PDO}`, '--quiet', '--format', 'json']);
    expect(stdout).toContain('"differences": [],\n');
    expect(shape.parse(JSON.parse(stdout)).differences).toEqual([]);
  });

  test('a log and several recordings say the same as the recording', () => {
    const { differences, summary: findings } = json(STEAL, `${PDO},${V2}`);
    const log = join(directory, 'steal.ledger');
    expect(run(['import', STEAL, '--log', log, '--quiet']).status).toBe(0);
    expect(json(log, `${PDO},${V2}`)).toMatchObject({ own: PDO, differences, summary: findings });
    const twice = join(directory, 'again.txt');
    copyFileSync(STEAL, twice);
    const merged = json([STEAL, twice], `${PDO},${V2}`);
    expect(merged.differences).toHaveLength(differences.length);
    expect(merged.differences[0]['recording']).toBe(STEAL);
  });
});

describe('which design is the recording’s own', () => {
  const bare = '{"v":1,"type":"iommu_domain_alloc","domain":"0x10","domain_type":1,"errno":0}\n';
  const untold = join(directory, 'untold.ndjson');
  const family = join(directory, 'family.ndjson');
  writeFileSync(untold, bare);
  writeFileSync(family, `${bare}{"v":1,"type":"iommu_domain_free","domain":"0x10","before":{"type":1,"cookie_type":0}}\n`);

  test.each([
    [STEAL, `v7.3,${PDO}`, undefined, PDO],
    [STEAL, 'v7.3,v6.12', undefined, null],
    [STEAL, 'v7.3,v6.12', 'v7.3', null],
    // Nothing told: the first named takes the place, or the one that is said.
    [untold, 'v6.12,v7.3', undefined, 'v6.12'],
    [untold, 'v7.3,v6.12', undefined, 'v7.3'],
    [untold, 'v6.12,v7.3', 'v7.3', 'v7.3'],
    [untold, 'v6.12,v7.3', 'sw-msi', null],
    // Words by hand tell that it is one of a family.
    [family, 'v6.12,v7.3,cookie-type', undefined, 'v7.3'],
    [family, 'v6.12,v7.3,cookie-type', 'cookie-type', 'cookie-type'],
    [family, 'v6.12,sw-msi', undefined, null],
  ] as const)('%s %j %s: %s', async (source, designs, asked, own) => {
    const { summary: read, close } = await openSource([source], { quiet: true });
    await close();
    const chosen = ownDesign(read, designs.split(',').map((id) => findDesign(id)!), asked === undefined ? {} : { design: asked });
    expect(chosen.own?.id ?? null).toBe(own);
    expect(chosen.why).toMatch(own === null ? /^none of these\b.*, so nothing is compared/ : new RegExp(`^${own} \\(`));
  });

  test('is said on stderr and in the text', () => {
    const told = run(['compare', STEAL, '--designs', `${PDO},${V2}`]);
    expect(told.stderr).toMatch(/^own design private-data-owner \(its words have a private_data_owner field/);
    expect(told.stdout).toContain('\nown        private-data-owner (its words have');
    expect(run(['compare', STEAL, '--designs', 'v6.12,v7.3']).stderr).toMatch(/^own design none of these: the recording is of private-data-owner \(.*so nothing is compared/);
  });
});

describe('exit status', () => {
  test('--fail-on counts what the last does worse than the first', () => {
    expect(status(STEAL, '--designs', `${V2},${PDO}`)).toBe(1);
    expect(status(STEAL, '--designs', `${V2},v7.3,${PDO}`, '--fail-on', 'critical')).toBe(1);
    expect(status(STEAL, '--designs', `${V2},${PDO}`, '--fail-on', 'never')).toBe(0);
    // The other direction: what is refused has another name there, and is no worse.
    expect(status(STEAL, '--designs', `${PDO},${V2}`)).toBe(0);
    expect(status(STEAL, '--designs', `${PDO},${V2}`, '--fail-on', 'info')).toBe(0);
    // What both find is nobody's fault.
    expect(status(STEAL, '--designs', `sw-msi,${PDO}`, '--fail-on', 'warning')).toBe(0);
  });

  test('--strict: problems and gaps', () => {
    expect(status(LOSSY, '--designs', 'v6.12,v7.3')).toBe(0);
    expect(status(LOSSY, '--designs', 'v6.12,v7.3', '--strict')).toBe(3);
  });

  test('what cannot be read is 3', () => {
    const empty = join(directory, 'empty.txt');
    writeFileSync(empty, '');
    for (const source of [empty, join(directory, 'nothing')]) {
      const { status: exit, stdout, stderr } = run(['compare', source, '--designs', 'v6.12,v7.3']);
      expect([exit, stdout]).toEqual([3, '']);
      expect(stderr).toMatch(/^iommu-ledger: [^\n]+\n {2}hint: [^\n]+\n$/);
    }
  });

  test.each([
    [[STEAL], "required option '--designs <ids>' not specified"],
    [[STEAL, '--designs', 'v7.3'], '--designs v7.3: name two or more, or all'],
    [[STEAL, '--designs', 'v7.3,v9'], '--designs v7.3,v9: v9 is not one of v6.12, sw-msi,'],
    [[STEAL, '--designs', 'v7.3,v6.12,v7.3'], '--designs v7.3,v6.12,v7.3: v7.3 is named twice'],
    [[STEAL, '--designs', 'v6.12\u001b[2J,v7.3'], '--designs v6.12\\x1b[2J,v7.3: v6.12\\x1b[2J is not one of'],
    [[STEAL, '--designs', 'v6.12,v7.3', '--format', 'sarif'], '--format sarif: compare prints text, json'],
    [[STEAL, '--designs', 'v6.12,v7.3', '--fail-on', 'fatal'], '--fail-on fatal: one of critical, error, warning, info, never'],
  ])('%j is usage', (args, message) => {
    const { status: exit, stdout, stderr } = run(['compare', ...args]);
    expect(stderr).toContain(`iommu-ledger: ${message}`);
    expect(stderr).toMatch(/^[^\n]*; see --help\n$/);
    expect([exit, stdout]).toEqual([2, '']);
  });
});

describe('--format text', () => {
  test('a block where something new is said, the rest counted; no line is too long for a mail', () => {
    for (const [source, designs] of [[STEAL, `${PDO},${V2}`], [REFUSED, 'all'], [recording('own612n/iommufd'), 'all'], [recording('deb73ident/identity'), 'all']]) {
      const { stdout } = run(['compare', source, '--designs', designs, '--quiet']);
      const long = stdout.split('\n').slice(1).filter((line) => line.length > 80);
      expect(long).toEqual([]);
      const blocks = [...stdout.matchAll(/^event \d+ /gm)].length;
      const more = [...stdout.matchAll(/^ {2}… (\d+) more (?:events? of this domain in these states|of this call on this domain, answered the same)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
      expect(more).toBeGreaterThan(0);
      expect(Number(/^differ {5}at (\d+) events/m.exec(stdout)![1])).toBe(blocks + more);
    }
  });

  test('the theft', () => {
    expect(run(['compare', STEAL, '--designs', `${PDO},${V2}`, '--quiet']).stdout).toContain(`
event 33 (line 121)
  125.345816 [001] insmod-845 iommu_get_msi_cookie() = 0
  domain 0xffff0000035e9d20#1
  private-data-owner     0        msi_owned
    CRITICAL get-msi-cookie-on-iommufd, overwrites
  private-data-owner-v2  -EEXIST  iommufd_owned
    WARNING get-msi-cookie-on-iommufd, rejected
  … 2 more events of this domain in these states
`);
  });

  test('the same call answered the same is counted', () => {
    const { stdout, status: exit } = run(['compare', recording('deb73ident/identity'), '--designs', `cookie-type,${V2}`, '--quiet']);
    expect(stdout).toMatch(/ first at event 2\n\nevent 2 \(line 15\)\n.*iommu_dma_prepare_msi\(\) = 0\n.*\n {2}cookie-type {12}0 {12}unowned\n {2}private-data-owner-v2 {2}-EOPNOTSUPP {2}unowned\n {4}CRITICAL msi-prepare-identity-rejected, rejected\n {2}… 59 more of this call on this domain, answered the same\n\ncookie-type /);
    expect(exit).toBe(1);
  });

  test('nothing differs', () => {
    const { stdout, status: exit } = run(['compare', recording('pdo/vfio-type1'), '--designs', `sw-msi,${PDO}`, '--quiet']);
    expect(stdout).toContain('\ndiffer     at no event\n');
    expect(stdout).toMatch(/\nprivate-data-owner does worse than sw-msi: nothing\n$/);
    expect(exit).toBe(0);
  });

  test('more blocks than anybody reads are counted', () => {
    const stdin = Array.from({ length: 1100 }, (_, n) => `{"v":1,"type":"iommu_domain_alloc","domain":"0x${(n + 1).toString(16)}0","domain_type":3,"errno":0}\n`).join('');
    const { stdout } = run(['compare', '-', '--designs', 'v6.12,v7.3', '--quiet'], { stdin });
    expect([...stdout.matchAll(/^event \d+$/gm)]).toHaveLength(1000);
    expect(stdout).toContain('\ndiffer     at 1100 events of 1100 domains, first at event 1\n');
    expect(stdout).toContain('\n… and 100 more differences (--format json lists them)\n\n');
  });

  test('nothing from a recording is printed raw', () => {
    const hostile = join(directory, 'hostile\u001b[2J.ndjson');
    const evil = { v: 1, task: 'x\u001b[2J\u202e\nevent 1', pid: 1, device: 'd\u009b', caller: '\u0007' };
    writeFileSync(hostile, [
      { ...evil, type: 'iommu_domain_alloc', domain: '0x10', domain_type: 1, errno: 0 },
      { ...evil, type: 'iommufd_hwpt_paging_alloc', domain: '0x10', errno: 0 },
      { ...evil, type: 'iommu_get_msi_cookie', domain: '0x10', base: '0x8000000', errno: 0 },
    ].map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (const format of ['text', 'json']) {
      const { stdout, stderr } = run(['compare', hostile, '--designs', `${PDO},v7.3`, '--format', format]);
      expect(stdout).toContain('get-msi-cookie-on-iommufd');
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });
});
