/**
 * The same run in every format a person may have kept of it: the tracefs text, trace-cmd's trace.dat, `trace-cmd report` of
 * that, perf script. Findings, domains, words and MSI pages must be the same; lines, times' precision and, where a format
 * drops lines, positions need not be. Birth notes: README.md here.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { RECORDINGS, aboveInfo, alive, auditFile, fileOf, type Audited } from '../audit-file.ts';

const path = (name: string): string => join(RECORDINGS, name);
/** The text of a run, packed or not. */
const textOf = (name: string): string => (existsSync(path(`${name}.trace.txt`)) ? path(`${name}.trace.txt`) : path(`${name}.trace.txt.gz`));

/** What must not depend on the format. Callers are symbols only where the format has them. */
function told(a: Audited): Record<string, unknown> {
  return {
    findings: a.findings.map((f) => without(f, 'line', 'time', 'caller', 'position', 'recording', 'follows')),
    domains: alive(a).map((d) => ({ ...without(d, 'first', 'last'), msi_pages: d.msi_pages.map((page) => without(page, 'position')) })),
    checked: a.audit.checked,
  };
}

function without(object: object, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

const DATS = globSync('*/*.trace.dat', { cwd: RECORDINGS }).map((name) => name.replace('.trace.dat', '')).filter((name) => name !== 'own72v/variant-record-v7').toSorted();
const REPORTS = globSync('*/*.report.txt', { cwd: RECORDINGS }).map((name) => name.replace('.report.txt', '')).filter((name) => name !== 'own72v/variant-record-v7').toSorted();

const texts = new Map<string, Promise<Audited>>();
function text(name: string): Promise<Audited> {
  let audited = texts.get(name);
  if (!audited) texts.set(name, (audited = auditFile(textOf(name), { events: false })));
  return audited;
}

test('every machine’s folder has its run in more than one format', () => {
  expect(DATS.length).toBeGreaterThanOrEqual(12);
  expect(REPORTS.length).toBeGreaterThanOrEqual(11);
});

describe.each(DATS)('%s', (name) => {
  test('trace.dat tells what the text tells', async () => {
    const a = await auditFile(path(`${name}.trace.dat`), { events: false });
    expect(a.summary).toMatchObject({ format: 'trace.dat', lost: (await text(name)).summary.lost });
    expect(a.summary.problems.first).toEqual([]);
    expect(a.summary.kernel).toMatch(/^\d+\.\d+\.\d+/);
    expect(a.audit.design.id).toBe((await text(name)).audit.design.id);
    expect(a.summary.events).toBe((await text(name)).summary.events);
    expect(told(a)).toEqual(told(await text(name)));
  });
});

describe.each(REPORTS)('%s', (name) => {
  test('trace-cmd report tells what the text tells', async () => {
    const a = await auditFile(path(`${name}.report.txt`), { events: false });
    expect(a.summary.problems.first).toEqual([]);
    expect(a.audit.design.id).toBe((await text(name)).audit.design.id);
    expect(told(a)).toEqual(told(await text(name)));
  });
});

describe('other shapes', () => {
  test('trace-cmd report as 3.1 prints it, without the flags', async () => {
    const report = readFileSync(path('pdo-steal/steal.report.txt'), 'latin1').replaceAll(/^(.{16}-\d+ *\[\d+\]) [^ ]{5} /gm, '$1 ');
    expect(report).toMatch(/\[\d{3}\] {2,}\d+\.\d{6}: get_msi_cookie/);
    expect(told(await auditFile(fileOf(report), { events: false }))).toEqual(told(await text('pdo-steal/steal')));
  });

  test('trace-cmd record of version 7, and its report', async () => {
    const dat = await auditFile(path('own72v/variant-record-v7.trace.dat'));
    const report = await auditFile(path('own72v/variant-record-v7.report.txt'));
    expect(told(report)).toEqual(told(dat));
    expect(dat.summary.events).toBe(47);
    expect(dat.audit.checked.iovas).toBeGreaterThan(0);
  });

  test('a trace.dat whose kernel statistics tell of overwritten events', async () => {
    const bytes = readFileSync(path('own72v/variant-record-v7.trace.dat'));
    const at = bytes.indexOf('overrun: 0', bytes.indexOf('CPU: 1\n'));
    bytes.write('7', at + 'overrun: '.length);
    const a = await auditFile(fileOf(bytes), { events: false });
    expect(a.summary).toMatchObject({ lost: 7, problems: { first: [{ code: 'overrun', message: 'CPU 1: 7 events were overwritten before the first one that is there' }] } });
    expect(a.audit.checked).toEqual((await auditFile(path('own72v/variant-record-v7.trace.dat'), { events: false })).audit.checked);
  });

  test('version 6, of a healthy life on 6.12', async () => {
    const packed = await auditFile(path('own612n/vfio-type1.v6.trace.dat.gz'), { events: false });
    expect(packed.summary).toMatchObject({ format: 'trace.dat', kernel: '6.12.107-cap' });
    expect(packed.audit.design.id).toBe('v6.12');
    expect(aboveInfo(packed.findings)).toEqual([]);
    expect(packed.audit.checked).toEqual({ errno: 44, words: 117, iovas: 34, addresses: 50 });
    const plain = await auditFile(fileOf(gunzipSync(readFileSync(path('own612n/vfio-type1.v6.trace.dat.gz')))), { events: false });
    expect(told(plain)).toEqual(told(packed));
  });

  test.each(['default fields', 'fields and --ns'])('perf script, %s: part of the type1 run', async (shape) => {
    const a = await auditFile(path(`deb72pb/perf-type1.perf-script${shape === 'default fields' ? '' : '-fields'}.txt`), { events: false });
    expect(a.summary).toMatchObject({ format: 'perf-script', events: 81 });
    expect(a.summary.problems.first).toEqual([]);
    expect(aboveInfo(a.findings)).toEqual([]);
    expect(a.audit.checked).toEqual({ errno: 12, words: 51, iovas: 9, addresses: 16 });
    const other = await auditFile(path('deb72pb/perf-type1.perf-script.txt'), { events: false });
    expect(told(a)).toEqual(told(other));
  });

  test.each([['gzip', gzipSync], ['zstd', zstdCompressSync]] as const)('%s of the text and of the trace.dat', async (_, pack) => {
    for (const file of ['pdo-steal/steal.trace.txt', 'pdo-steal/steal.trace.dat']) {
      expect(told(await auditFile(fileOf(pack(readFileSync(path(file)))), { events: false }))).toEqual(told(await text('pdo-steal/steal')));
    }
  });

  test('bpftrace: lines of the text as its printf gives them, without callers, with lost events', async () => {
    // No machine of the recordings ran bpftrace: the lines are those of a real trace, in the shape that the printed script prints.
    const lines = readFileSync(path('pdo-steal/steal.trace.txt'), 'latin1').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const printed = lines.map((line) => JSON.stringify(`${line.replace(/\((?:\S+(?: \[\w+\])?) <- /, '(? <- ')}\n`).replaceAll('\\u007f', '\u007f'));
    const json = ['{"type": "attached_probes", "data": {"probes": 44}}', ...printed.map((data) => `{"type": "printf", "data": ${data}}`), '{"type": "lost_events", "data": {"events": 12}}', ''].join('\n');
    const a = await auditFile(fileOf(json), { events: false });
    expect(a.summary).toMatchObject({ format: 'bpftrace-json', lost: 12 });
    expect(a.summary.problems.first).toEqual([]);
    expect(a.findings.map(({ rule, position }) => ({ rule, position }))).toEqual((await text('pdo-steal/steal')).findings.map(({ rule, position }) => ({ rule, position })));
  });
});

describe('a long beginning of other tools’ events', () => {
  const junk = Array.from({ length: 20_000 }, (_, n) => `          <idle>-0       [000] d..2.     1.${String(n).padStart(6, '0')}: sched_switch: prev_comm=swapper prev_pid=0 next_comm=x next_pid=${n}`).join('\n');

  test.each(['own612n/iommufd', 'pdo-steal/steal'])('%s behind 2 MB: its design is its own', async (name) => {
    const late = `${junk}\n${readFileSync(textOf(name), 'latin1')}`;
    for (const bytes of [late, gzipSync(late)]) {
      const a = await auditFile(fileOf(bytes), { events: false });
      expect(a.audit.design.id).toBe((await text(name)).audit.design.id);
      expect(told(a)).toEqual(told(await text(name)));
    }
  });
});

describe('what trace-cmd report can be asked to print', () => {
  const report = readFileSync(path('pdo-steal/steal.report.txt'), 'latin1');

  test.each([
    ['--ts-diff', report.replaceAll(/( \d+\.\d{6}:) (\w+:)/g, '$1 (+89)    $2')],
    ['-R', report.replaceAll(/\(([0-9a-f]{16}) <- ([0-9a-f]{16})\)/g, '__probe_func=$1 __probe_ret_ip=$2').replaceAll(/\(([0-9a-f]{16})\)/g, '__probe_ip=$1').replaceAll('"', '')],
    ['-l', report.replaceAll(/^ *(\S+?)-(\d+) +\[00(\d)\] ([^ ]{5}) +/gm, '$1-$2     $3$4   ')],
  ])('%s', async (option, shape) => {
    expect(shape).not.toBe(report);
    const a = await auditFile(fileOf(shape), { events: false });
    expect(a.summary.problems.first).toEqual([]);
    const { findings, ...rest } = told(a);
    const expected = told(await text('pdo-steal/steal'));
    // The flags and the CPU stand in one word with -l; iommu tracepoints have no raw form.
    if (option !== '-R') expect(findings).toEqual(expected['findings']);
    expect(rest).toEqual({ domains: expected['domains'], checked: expected['checked'] });
  });

  test('a pointer in decimal, as :u64 prints it', async () => {
    const decimal = readFileSync(path('pdo-steal/steal.trace.txt'), 'latin1').replaceAll(/ dom=0x([0-9a-f]+)/g, (_, hex: string) => ` dom=${BigInt(`0x${hex}`)}`);
    expect(decimal).toMatch(/ dom=18446\d{15}/);
    expect(told(await auditFile(fileOf(decimal), { events: false }))).toEqual(told(await text('pdo-steal/steal')));
  });

  test('perf script without comm', async () => {
    const bare = readFileSync(path('deb72pb/perf-type1.perf-script.txt'), 'latin1').replaceAll(/^ *vt +(?=525)/gm, '');
    const a = await auditFile(fileOf(bare), { events: false });
    expect(a.audit.checked).toEqual({ errno: 12, words: 51, iovas: 9, addresses: 16 });
  });

  test('zstd of several frames, gzip of several members', async () => {
    const whole = readFileSync(path('pdo-steal/steal.trace.txt'));
    for (const pack of [gzipSync, zstdCompressSync]) {
      const packed = Buffer.concat([0, 9000, 30_000].map((from, n, all) => pack(whole.subarray(from, all[n + 1]))));
      expect(told(await auditFile(fileOf(packed), { events: false }))).toEqual(told(await text('pdo-steal/steal')));
    }
  });
});
