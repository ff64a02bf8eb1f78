/**
 * Every command and option as a table: arguments, exit status, what stdout and stderr must and must not contain
 * (the words of `Documentation/trace/rv`). JSON shapes, files and logs have tests of their own beside this one.
 */
import { describe, expect, test } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import { recording, run } from './run.ts';

/** A domain of a kernel with the owner tag is stolen from iommufd: one critical finding, four infos. */
const STEAL = recording('pdo-steal/steal');
/** The same on an unpatched 7.2 kernel, which refuses: two infos. */
const REFUSED = recording('stock72-steal/steal');
/** VFIO type1 on the proposal: nothing to find. */
const HEALTHY = recording('pdo/vfio-type1');
/** The ring buffer lost events. */
const LOSSY = recording('own72v/variant-overrun');
const DOMAIN = '0xffff0000035e9d20';

/** `iommu_get_msi_cookie` a second time, which the kernel of this scenario accepts: one error. */
const TWICE = [
  { type: 'iommu_domain_alloc', domain: '0x10', domain_type: 1, errno: 0 },
  { type: 'iommu_get_msi_cookie', domain: '0x10', base: '0x8000000', errno: 0 },
  { type: 'iommu_get_msi_cookie', domain: '0x10', base: '0x8000000', errno: 0 },
].map((event) => `${JSON.stringify({ v: 1, ...event })}\n`).join('');

interface Row {
  readonly args: readonly string[];
  readonly status?: number;
  readonly stdin?: string;
  /** Must be in stdout, and must not. */
  readonly out?: readonly (string | RegExp)[];
  readonly not?: readonly (string | RegExp)[];
  /** Must be in stderr; none given: stderr must be empty. */
  readonly err?: readonly (string | RegExp)[];
}

function check({ args, status = 0, stdin, out = [], not = [], err = [] }: Row): void {
  const result = run(args, stdin === undefined ? {} : { stdin });
  const missing = [...out.filter((text) => !has(result.stdout, text)), ...err.filter((text) => !has(result.stderr, text))];
  expect({ missing, unwanted: not.filter((text) => has(result.stdout, text)) }, `${result.stdout.slice(0, 2000)}\n${result.stderr.slice(0, 1000)}`).toEqual({ missing: [], unwanted: [] });
  if (err.length === 0) expect(result.stderr).toBe('');
  expect(result.status).toBe(status);
}

const has = (whole: string, text: string | RegExp): boolean => (typeof text === 'string' ? whole.includes(text) : text.test(whole));
const quiet = (...args: string[]): string[] => [...args, '--quiet'];
const table = (rows: readonly Row[]): [string, Row][] => rows.map((row) => [row.args.map((a) => a.replace(/^\/.*\/(recordings\/)?/, '')).join(' '), row]);

describe('results', () => {
  test.each(table([
    { args: ['audit', STEAL], status: 1, out: ['CRITICAL get-msi-cookie-on-iommufd (line 121, event 33)', `domain ${DOMAIN}#1  iommufd_owned -> msi_owned`, /1 critical, 0 errors, 0 warnings, 4 info\n$/], err: [/^design private-data-owner: its words have a private_data_owner field/] },
    { args: quiet('audit', HEALTHY), out: ['0 critical, 0 errors, 0 warnings, 0 info'], not: ['CRITICAL', 'ERROR', 'problem'] },
    { args: quiet('audit', '-'), stdin: TWICE, status: 1, out: ['source     stdin', 'ERROR get-msi-cookie-existing-cookie (event 3)'] },
    { args: ['audit', '-'], stdin: TWICE, status: 1, err: [/^design cookie-type: nothing in the recording tells its design\n$/] },
    { args: quiet('replay', STEAL), out: [/^design private-data-owner, after event 93 at 125\.833315 s, 3 domains\n/, '0xffff000001e4f520#1  dma_owned', '  word     03000040  type=3 private_data_owner=1'], not: [DOMAIN] },
    { args: quiet('replay', STEAL, '--all'), out: [`${DOMAIN}#1  freed`, ', 5 domains\n'] },
    { args: quiet('replay', STEAL, '--at', '33'), out: [`${DOMAIN}#1  msi_owned`, 'after event 33', '  word     01000040  type=1 private_data_owner=1', '  msi page 0x8000000 -> 0x8090000 size 0x1000 (event 23)'] },
    { args: quiet('replay', STEAL, '--at', '32'), out: [`${DOMAIN}#1  iommufd_owned`, 'private_data_owner=2'], not: ['msi_owned'] },
    { args: quiet('replay', STEAL, '--at-time', '125.345816'), out: ['after event 33 at 125.345816 s'] },
    { args: quiet('replay', STEAL, '--at-time', '125.345815'), out: ['after event 32 at '] },
    { args: quiet('replay', STEAL, '--at-time', '1'), out: [/^design private-data-owner, after event 0, 0 domains\n$/] },
    { args: quiet('replay', STEAL, '--domain', DOMAIN, '--at', '33'), out: [', 1 domain\n', 'msi_owned'] },
    { args: quiet('replay', STEAL, '--domain', DOMAIN.toUpperCase().replace('0X', '0x')), out: [`${DOMAIN}#1  freed`, ', 1 domain\n'] },
    { args: quiet('replay', STEAL, '--domain', `${DOMAIN}#1`), out: [`${DOMAIN}#1  freed`] },
    { args: quiet('replay', STEAL, '--trace'), out: [`33 125.345816 ${DOMAIN}#1 iommufd_owned x iommu_get_msi_cookie -> msi_owned [get-msi-cookie-on-iommufd]\n`, 'msi_owned x iommu_get_msi_cookie = -EEXIST -> msi_owned', /^( *\d+ [\d.]+ 0x[0-9a-f]+#\d+ \w+ x \w+( = -E\w+)? -> \w+( \[[\w-]+\])?\n)+$/] },
    { args: quiet('replay', STEAL, '--trace', '--domain', `${DOMAIN}#1`), out: [/^( *\d+ [\d.]+ 0xffff0000035e9d20#1 .*\n)+$/] },
    { args: quiet('replay', STEAL, '--arch', 's390x', '--at', '33'), out: ['00000005  type=1 private_data_owner=1'] },
    { args: quiet('events', STEAL), out: [/^\{"v":1,"type":"recording_started","format":"ftrace-text"/, '"type":"iommu_get_msi_cookie"'] },
    { args: quiet('events', '-'), stdin: TWICE, out: [TWICE] },
    { args: ['chart'], out: [/^stateDiagram-v2\n/, 'unowned --> msi_owned : iommu_get_msi_cookie'] },
    { args: ['chart', '--format', 'dot', '--design', 'v6.12'], out: [/^digraph "v6\.12" \{\n/, /\}\n$/] },
    { args: ['chart', '--format', 'svg', '--design', 'private-data-owner'], out: ['<svg', 'iommufd_owned', /<\/svg>\s*$/] },
    { args: ['layout'], out: [/^\/\* cookie-type, arm64 /, 'struct iommu_domain {'] },
    { args: ['layout', '--design', 'private-data-owner', '--arch', 's390x'], out: ['private_data_owner = word & 0x3'] },
    { args: quiet('generate', '--events', '50', '--seed', '3'), out: [/^# tracer: nop\n/, '<- __iommu_paging_domain_alloc_flags) dev="0000:00:03.0"'] },
    { args: ['generate', '--events', '50'], out: [/^# tracer: nop\n/], err: [/^generate: \d+ lines, \d+ operations, 0 planted violations\n$/] },
  ]))('%s', (_, row) => check(row));

  test('what generate plants, audit finds', () => {
    const { stdout } = run(['generate', '--events', '200', '--inject', 'get-msi-cookie-on-iommufd', '--quiet']);
    check({ args: quiet('audit', '-'), stdin: stdout, status: 1, out: ['get-msi-cookie-on-iommufd'] });
  });

  test('events is a source: its audit finds the same', () => {
    const findings = (args: string[], stdin = ''): unknown => (JSON.parse(run(quiet('audit', '--format', 'json', ...args), { stdin }).stdout) as { findings: unknown }).findings;
    for (const path of [STEAL, REFUSED]) expect(findings(['-'], run(quiet('events', path)).stdout)).toEqual(findings([path]));
  });
});

describe('--fail-on and --strict', () => {
  test.each(table([
    ...['critical', 'error', 'warning', 'info'].map((severity) => ({ args: quiet('audit', STEAL, '--fail-on', severity), status: 1 })),
    { args: quiet('audit', STEAL, '--fail-on', 'never') },
    { args: quiet('audit', '-', '--fail-on', 'critical'), stdin: TWICE },
    { args: quiet('audit', '-', '--fail-on', 'error'), stdin: TWICE, status: 1 },
    // Under another design what was recorded is not what would have been refused: one warning, one info.
    { args: quiet('audit', STEAL, '--design', 'v7.3') },
    { args: quiet('audit', STEAL, '--design', 'v7.3', '--fail-on', 'warning'), status: 1 },
    { args: quiet('audit', REFUSED, '--fail-on', 'warning') },
    { args: quiet('audit', REFUSED, '--fail-on', 'info'), status: 1 },
    { args: quiet('audit', HEALTHY, '--fail-on', 'info') },
    { args: quiet('audit', HEALTHY, '--strict') },
    { args: quiet('audit', STEAL, '--strict'), status: 1 },
    { args: quiet('audit', LOSSY), out: ['lost '] },
    { args: quiet('audit', LOSSY, '--strict'), status: 3 },
    { args: ['audit', LOSSY, '--strict'], status: 3, err: [/^lost events: \d+\n  hint: /m] },
    { args: quiet('replay', LOSSY, '--strict'), status: 3 },
    { args: quiet('events', LOSSY, '--strict'), status: 3, out: ['"type":"events_lost"'] },
  ]))('%s', (_, row) => check(row));
});

describe('--design', () => {
  test.each(DESIGNS.map(({ id }) => id))('%s', (id) => {
    const audit = JSON.parse(run(quiet('audit', STEAL, '--design', id, '--format', 'json')).stdout) as { design: string };
    expect(audit.design).toBe(id);
  });

  test('one that is not the recording’s own is said', () => {
    check({ args: ['audit', STEAL, '--design', 'v6.12', '--fail-on', 'never'], err: ['design v6.12: asked for; the recording is of private-data-owner, so nothing is compared'] });
  });

  test.each([['audit', HEALTHY], ['replay', HEALTHY], ['events', HEALTHY], ['import', HEALTHY, '--log', 'x.ledger'], ['verify', 'x.ledger'], ['chart'], ['layout'], ['generate']])('%s: an unknown one is a wrong command line', (...args) => {
    check({ args: [...args, '--design', 'v9'], status: 2, err: [/^iommu-ledger: --design v9: .*cookie-type, v7\.3.*; see --help\n$/] });
  });
});

describe('help', () => {
  const names = [...run(['--help']).stdout.matchAll(/^ {2}([a-z]+) [[<]/gm)].map(([, name]) => name);

  test('no arguments print it', () => {
    expect(run([])).toEqual({ ...run(['--help']), status: 0, stderr: '' });
    expect(names).toEqual(expect.arrayContaining(['audit', 'replay', 'import', 'events', 'verify', 'chart', 'layout', 'help']));
  });

  // `record` reads no SOURCE and prints no result: its -o is a directory.
  test.each(names.filter((name) => name !== 'help' && name !== 'record'))('%s --help', (name) => {
    check({ args: [name, '--help'], out: [`Usage: iommu-ledger ${name} [options]`, '--design <id>', '--format <format>', '-o, --output <file>', '--strict', '--quiet', '--no-color'] });
  });

  test.each(table([{ args: ['-h'], out: [/^Usage: iommu-ledger /] }, { args: ['help', 'audit'], out: ['--fail-on'] }, { args: ['--version'], out: [/^\d+\.\d+\.\d+\n$/] }]))('%s', (_, row) => check(row));
});

describe('a wrong command line is one line that ends in "see --help"', () => {
  test.each([
    [['bogus'], "unknown command 'bogus'"],
    [['audi'], "unknown command 'audi' (did you mean audit?)"],
    [['--bogus'], "unknown option '--bogus'"],
    [['audit', HEALTHY, '--bogus'], "unknown option '--bogus'"],
    [['audit'], "missing required argument 'source'"],
    [['verify', 'a', 'b'], "too many arguments for 'verify'. Expected 1 argument but got 2: a, b"],
    [['audit', HEALTHY, '--design'], "option '--design <id>' argument missing"],
    [['audit', HEALTHY, '--format', 'xml'], '--format xml: audit prints text, json'],
    [['audit', HEALTHY, '--fail-on', 'fatal'], '--fail-on fatal: one of critical, error, warning, info, never'],
    [['replay', HEALTHY, '--at', '0'], '--at 0: a position is a whole number from 1'],
    [['replay', HEALTHY, '--at', '1.5'], '--at 1.5: a position is a whole number from 1'],
    [['replay', STEAL, '--at', '94', '--quiet'], '--at 94: the source ends at position 93'],
    [['replay', HEALTHY, '--at-time', 'noon'], '--at-time noon: a time is decimal seconds, as 173.746083'],
    [['replay', HEALTHY, '--domain', 'ffff'], '--domain ffff: write 0xADDRESS or 0xADDRESS#GENERATION'],
    [['replay', HEALTHY, '--domain', '0x1#0'], '--domain 0x1#0: write 0xADDRESS or 0xADDRESS#GENERATION'],
    [['replay', STEAL, '--domain', '0x1', '--quiet'], '--domain 0x1: no such domain up to position 93'],
    [['replay', STEAL, '--domain', `${DOMAIN}#2`, '--quiet'], `--domain ${DOMAIN}#2: no such domain up to position 93`],
    [['replay', HEALTHY, '--arch', 'vax'], '--arch vax: one of arm64, x86_64, s390x'],
    [['import', HEALTHY], "required option '--log <log>' not specified"],
    [['import', HEALTHY, '--log', 'x.db'], "--log x.db: a log's name ends in .ledger"],
    [['import', './x.ledger', '--log', 'x.ledger'], './x.ledger: cannot be imported into itself'],
    [['verify', 'x.db'], "x.db: a log's name ends in .ledger"],
    [['layout', '--arch', 'riscv'], '--arch riscv: not one of arm64, x86_64, s390x'],
    [['chart', '--format', 'png'], '--format png: chart prints mermaid, dot, svg'],
    [['audit\u001b[2J'], "unknown command 'audit\\x1b[2J'"],
  ])('%j', (args, message) => {
    const { status, stdout, stderr } = run(args);
    expect(stderr.startsWith(`iommu-ledger: ${message}`), stderr).toBe(true);
    expect(stderr).toMatch(/^[^\n]*; see --help\n$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
