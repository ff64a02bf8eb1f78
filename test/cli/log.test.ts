/** Logs on the command line: what is imported is what was recorded, importing again appends nothing, and a log is a SOURCE like any other. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, test } from 'vitest';
import { recording, run, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
const STEAL = recording('pdo-steal/steal');
const TYPE1 = recording('own72n/vfio-type1');
const LOG = join(directory, 'steal.ledger');
const CHANGED = new Set(['source', 'format', 'lines', 'ignored']);

/** Returns what these arguments print as JSON. */
function json(...args: string[]): Record<string, unknown> {
  return JSON.parse(run([...args, '--format', 'json', '--quiet']).stdout) as Record<string, unknown>;
}

const imported = (path: string, log: string): unknown => json('import', path, '--log', log);

beforeAll(() => {
  expect(run(['import', STEAL, '--log', LOG])).toEqual({ status: 0, stdout: '93 events appended; the log ends at position 93\n', stderr: '' });
});

describe('import', () => {
  test('again appends nothing and says so, from wherever it is read', () => {
    const copy = join(directory, 'copy.txt');
    copyFileSync(STEAL, copy);
    for (const [path, stdin] of [[STEAL, ''], [copy, ''], ['-', readFileSync(STEAL, 'utf8')]] as const) {
      expect(run(['import', path, '--log', LOG], { stdin })).toEqual({ status: 0, stdout: 'nothing appended: all 93 events are in the log already; it ends at position 93\n', stderr: '' });
    }
    expect(imported(STEAL, LOG)).toEqual({ schema: 'iommu-ledger/import/1', appended: 0, skipped: 93, head: 93 });
  });

  test('of a grown file appends the tail', () => {
    const log = join(directory, 'grown.ledger');
    const file = join(directory, 'growing.txt');
    const lines = readFileSync(TYPE1, 'utf8').split(/(?<=\n)/);
    let head = 0;
    for (const length of [300, 301, 600, lines.length]) {
      writeFileSync(file, lines.slice(0, length).join(''));
      const { events } = json('audit', file)['recording'] as { events: number };
      expect(imported(file, log)).toEqual({ schema: 'iommu-ledger/import/1', appended: events - head, skipped: head, head: events });
      head = events;
    }
    expect(run(['import', file, '--log', log]).stdout).toMatch(/^nothing appended/);
    expect(run(['events', log, '--quiet']).stdout.replace(file, TYPE1)).toBe(run(['events', TYPE1, '--quiet']).stdout);
  });

  test('of another recording appends it behind the first', () => {
    const log = join(directory, 'two.ledger');
    copyFileSync(LOG, log);
    const { appended, head } = imported(TYPE1, log) as { appended: number; head: number };
    expect(head).toBe(93 + appended);
    expect(imported(STEAL, log)).toMatchObject({ appended: 0, skipped: 93, head });
    expect(json('verify', log)).toMatchObject({ ok: true, events: head, head });
  });

  test('of a log into another one', () => {
    const log = join(directory, 'second.ledger');
    expect(imported(LOG, log)).toMatchObject({ appended: 93, head: 93 });
    expect(run(['events', log, '--quiet']).stdout).toBe(run(['events', LOG, '--quiet']).stdout);
  });
});

describe('a log is a source', () => {
  test('audit finds what it finds in the recording', () => {
    const [ofLog, ofFile] = [json('audit', LOG), json('audit', STEAL)];
    const same = (document: Record<string, unknown>): unknown => ({
      ...document,
      recording: Object.fromEntries(Object.entries(document['recording'] as object).filter(([name]) => !CHANGED.has(name))),
    });
    expect(same(ofLog)).toEqual(same(ofFile));
    expect(ofLog['recording']).toMatchObject({ source: LOG, format: 'ledger' });
    expect(run(['audit', LOG]).status).toBe(1);
    expect(run(['audit', LOG]).stderr).toBe('design private-data-owner: the recording names it\n');
  });

  test.each([1, 23, 33, 60, 93])('replay --at %i is that of the recording', (at) => {
    expect(json('replay', LOG, '--at', String(at), '--all')).toEqual(json('replay', STEAL, '--at', String(at), '--all'));
  });

  test('events prints what was imported', () => {
    expect(run(['events', LOG, '--quiet']).stdout).toBe(run(['events', STEAL, '--quiet']).stdout);
  });

  test('reading leaves the file as it is', () => {
    const before = readFileSync(LOG);
    for (const command of ['audit', 'replay', 'events', 'verify']) run([command, LOG]);
    expect(readFileSync(LOG).equals(before)).toBe(true);
    expect(existsSync(`${LOG}-wal`)).toBe(false);
  });

  test('hand-written events keep the design that their words show', () => {
    const file = join(directory, 'words.ndjson');
    const log = join(directory, 'words.ledger');
    writeFileSync(file, `${JSON.stringify({ v: 1, type: 'iommu_put_dma_cookie', domain: '0x10', before: { type: 3, iova_cookie: '0xff00', iova_cookie_type: 0 } })}\n`);
    expect(run(['audit', file]).stderr).toMatch(/^design v6\.12: /);
    run(['import', file, '--log', log]);
    expect(run(['audit', log]).stderr).toMatch(/^design v6\.12: /);
  });
});

describe('verify', () => {
  test('an intact log', () => {
    expect(run(['verify', LOG])).toEqual({ status: 0, stdout: 'ok: 93 events, the log ends at position 93\n', stderr: '' });
  });

  test('names the first bad position of a changed one, and audit refuses to build on it', () => {
    const log = join(directory, 'changed.ledger');
    copyFileSync(LOG, log);
    const db = new DatabaseSync(log);
    db.exec('UPDATE link SET body = zeroblob(length(body)) WHERE seq = 1');
    db.close();
    const { status, stdout, stderr } = run(['verify', log]);
    expect([status, stderr]).toEqual([3, '']);
    expect(stdout).toMatch(/^damaged: the first bad position is 1 \(.*\); 0 events before it are intact\n$/);
    expect(json('verify', log)).toMatchObject({ ok: false, events: 0, head: 93, firstBad: 1 });
    const audit = run(['audit', log]);
    expect([audit.status, audit.stdout]).toEqual([3, '']);
    expect(audit.stderr).toMatch(/^iommu-ledger: [^\n]*changed\.ledger: [^\n]*\n  hint: [^\n]*\n$/);
  });
});
