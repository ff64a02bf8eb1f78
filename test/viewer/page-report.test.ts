/**
 * `report` at its edges: the same bytes again, whatever the source is, and never half a file.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../viewer/page-data.ts';
import { PROGRAM, recording, run, runShell } from '../cli/run.ts';
import { headerOf, useReports } from './reports.ts';

const { directory, report } = useReports();
const STEAL = recording('pdo-steal/steal');
const DAT = STEAL.replace('pdo-steal/steal.trace.txt', 'deb72/errors.trace.dat');

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => void child.on('close', resolve));

/** Returns the packed events that a page carries. */
function eventsOf(html: string): { rows: number; files: number[] } {
  const pieces = [...html.matchAll(/<script type="application\/octet-stream" id="recording-(\d+)">([\w+/=]*)<\/script>/g)];
  expect(pieces.map(([, n]) => Number(n))).toEqual(pieces.map((_, n) => n));
  const header = headerOf(html);
  const reader = new BlockReader(header.recordings.length > 0);
  const blocks = reader.add(gunzipSync(Buffer.concat(pieces.map(([, , text]) => Buffer.from(text, 'base64')))));
  expect(reader.isInside).toBe(false);
  return { rows: blocks.reduce((sum, b) => sum + b.rows, 0), files: [...new Set(blocks.flatMap((b) => [...(b.recordingOf ?? [])]))] };
}

describe('the page', () => {
  test('has the same bytes in another process, folder of temporary files, time zone and language', () => {
    const first = readFileSync(report([STEAL]));
    const second = readFileSync(report([STEAL], { env: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', TMPDIR: directory, HOME: directory } }));
    expect(second.equals(first)).toBe(true);
  });

  test('names no place of the machine that it was made on, but its source', () => {
    const html = readFileSync(report(['-'], { stdin: readFileSync(STEAL) }), 'utf8');
    expect(html).not.toContain(join(import.meta.dirname, '../..'));
    expect(html).not.toMatch(/jsxDEV|sourceMappingURL/);
    // Nothing in it is asked for from elsewhere.
    expect(html.replaceAll(/http:\/\/www\.w3\.org\/[\w/.]+/g, '')).not.toMatch(/\b(?:src|href)\s*=\s*["']?(?:https?:|\/\/)/);
  });

  test('holds every event, from whatever they were read', () => {
    const ledger = join(directory, 'a.ledger');
    expect(run(['import', STEAL, '--log', ledger, '--quiet']).status).toBe(0);
    const events = join(directory, 'events.ndjson');
    writeFileSync(events, run(['events', STEAL, '--quiet']).stdout);
    const count = readFileSync(events, 'utf8').trim().split('\n').length;
    for (const source of [STEAL, ledger, events]) {
      const html = readFileSync(report([source]), 'utf8');
      expect(headerOf(html)).toMatchObject({ events: count, live: false, design: 'private-data-owner', recordings: [] });
      expect(eventsOf(html)).toEqual({ rows: count, files: [] });
    }
    const dat = readFileSync(report([DAT]), 'utf8');
    expect(eventsOf(dat).rows).toBe(headerOf(dat).events);
    expect(headerOf(dat).excerpts).toEqual({});
  });

  test('knows of each event of merged recordings which one it is of', () => {
    const sources = [recording('deb72-boot/boot-dma'), recording('deb72/errors')];
    const html = readFileSync(report(sources), 'utf8');
    expect(headerOf(html).recordings).toEqual(sources);
    expect(eventsOf(html)).toEqual({ rows: headerOf(html).events, files: [0, 1] });
  });

  test('shows the lines around a finding where its source can be read a second time, and has lines of its own', () => {
    const text = readFileSync(STEAL, 'utf8').split('\n');
    const { excerpts } = headerOf(readFileSync(report([STEAL]), 'utf8'));
    expect(excerpts['33']).toEqual({ first: 117, lines: text.slice(116, 125) });
    // Events keep the line of the recording that they were read from; the file in hand has others.
    const events = join(directory, 'events-of-lines.ndjson');
    writeFileSync(events, run(['events', STEAL, '--quiet']).stdout);
    expect(headerOf(readFileSync(report([events]), 'utf8')).excerpts).toEqual({});
    const packed = join(directory, 'steal.gz');
    spawnSync('bash', ['-c', `gzip -c ${STEAL} > ${packed}`]);
    expect(headerOf(readFileSync(report([packed]), 'utf8')).excerpts).toEqual(excerpts);
  });

  test('of a pipe has all but these lines', () => {
    const html = readFileSync(report(['-'], { stdin: readFileSync(STEAL) }), 'utf8');
    expect(headerOf(html)).toMatchObject({ excerpts: {}, recording: { source: 'stdin', format: 'ftrace-text' } });
    const file = join(directory, 'fifo.html');
    expect(runShell(`mkfifo ${directory}/fifo; cat ${STEAL} > ${directory}/fifo & $LEDGER report ${directory}/fifo -o ${file} --quiet`)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(headerOf(readFileSync(file, 'utf8'))).toMatchObject({ excerpts: {}, events: headerOf(html).events });
  });

  test('judges by the design asked for', () => {
    const html = readFileSync(report([STEAL, '--design', 'private-data-owner-v2', '--owner-bits', '3', '--arch', 'x86_64']), 'utf8');
    expect(headerOf(html)).toMatchObject({ design: 'private-data-owner-v2', ownerBits: 3, arch: 'x86_64' });
    expect(headerOf(html).designs.filter(({ own }) => own)).toEqual([]);
  });
});

describe('what cannot be done', () => {
  const page = (): string => join(directory, 'never.html');
  const leftovers = (): string[] => readdirSync(directory).filter((name) => name.startsWith('never'));

  test.each<readonly [string, readonly string[], number, RegExp]>([
    ['no -o', [STEAL], 2, /^iommu-ledger: -o FILE\.html: name the file; see --help\n$/],
    ['an unknown machine', [STEAL, '--arch', 'vax'], 2, /^iommu-ledger: --arch vax: one of arm64, x86_64, s390x; see --help\n$/],
    ['an unknown design', [STEAL, '--design', 'x'], 2, /^iommu-ledger: --design x: not one of /],
    ['another format', [STEAL, '--format', 'json'], 2, /^iommu-ledger: --format json: report prints html; see --help\n$/],
    ['no such file', ['/nowhere/x'], 3, /^iommu-ledger: \/nowhere\/x: no such file\n {2}hint: .*\n$/],
    ['a directory', ['/'], 3, /^iommu-ledger: \/: is a directory\n {2}hint: .*\n$/],
    ['nothing in it', ['/dev/null'], 3, /^iommu-ledger: \/dev\/null: is empty\n {2}hint: .*\n$/],
    ['no recording', [join(import.meta.dirname, '../../package.json')], 3, /^iommu-ledger: .*\n {2}hint: .*\n$/],
  ])('%s is one message, and no file', (name, args, status, message) => {
    const result = run(['report', ...args, ...(name === 'no -o' ? [] : ['-o', page()])]);
    expect(result).toMatchObject({ status, stdout: '' });
    expect(result.stderr.replace(/^design .*\n/, '')).toMatch(message);
    expect(leftovers()).toEqual([]);
  });

  test('a page that cannot be written', () => {
    expect(run(['report', STEAL, '-o', join(directory, 'no/where.html')])).toMatchObject({ status: 2, stderr: expect.stringContaining('no such directory') as string });
    expect(runShell(`$LEDGER report ${STEAL} -o /dev/full`)).toMatchObject({ status: 2, stderr: expect.stringContaining('no space left') as string });
    // The page that is there stays as it was until the new one is complete.
    writeFileSync(page(), 'old');
    expect(run(['report', '/dev/null', '-o', page()]).status).toBe(3);
    expect(readFileSync(page(), 'utf8')).toBe('old');
    expect(leftovers()).toEqual(['never.html']);
  });

  test('^C leaves nothing of a file half read, and makes a page of a pipe half read', async () => {
    const long = join(directory, 'long.txt');
    writeFileSync(long, Buffer.concat(Array.from({ length: 800 }, () => readFileSync(STEAL))));
    const reading = spawn(process.execPath, [PROGRAM, 'report', long, '-o', page(), '--quiet']);
    await expect.poll(() => leftovers().some((name) => name.endsWith('.tmp'))).toBe(true);
    reading.kill('SIGINT');
    expect(await ended(reading)).toBe(130);
    expect(leftovers()).toEqual(['never.html']);
    expect(readFileSync(page(), 'utf8')).toBe('old');

    const piped = spawn(process.execPath, [PROGRAM, 'report', '-', '-o', page(), '--quiet']);
    piped.stdin.write(readFileSync(STEAL));
    await expect.poll(() => leftovers().some((name) => name.endsWith('.tmp'))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    piped.kill('SIGINT');
    expect(await ended(piped)).toBe(0);
    expect(leftovers()).toEqual(['never.html']);
    const html = readFileSync(page(), 'utf8');
    expect(eventsOf(html).rows).toBe(headerOf(html).events);
  });

  test('--strict: the page is written, and the status says 3', () => {
    const lossy = recording('own72v/variant-overrun');
    const file = report([lossy, '--strict'], { status: 3 });
    expect(statSync(file).size).toBeGreaterThan(100_000);
    report([lossy]);
    report([STEAL, '--strict']);
  });
});
