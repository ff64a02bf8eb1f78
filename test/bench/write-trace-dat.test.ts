/**
 * The trace.dat files of the bench say what the text says that they were made of. The judge is trace-cmd: the test is skipped
 * where it is not installed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceDat, type Compression } from '../../bench/write-trace-dat.ts';
import { INJECTABLE_RULES, generateFtrace } from '../../recordings/generate-ftrace.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'iommu-ledger-trace-dat-'));
const hasTraceCmd = spawnSync('trace-cmd', ['--version']).error === undefined;
const path = (compression: Compression, name = 'generated'): string => join(FOLDER, `${name}.${compression}.trace.dat`);
let text = '';

/** Writes both kinds of file from the same text. */
function writeFiles(name: string, from: string): void {
  const recording = new TraceDat(FOLDER, 4);
  for (let at = 0; at < from.length; at += 1000) recording.take(from.slice(at, at + 1000));
  recording.finish();
  for (const compression of ['none', 'zstd'] as const) recording.write(path(compression, name), compression);
  recording.close();
}

beforeAll(() => {
  generateFtrace({ domains: 12, events: 12_000, seed: 3, inject: INJECTABLE_RULES, injectEvery: 50 }, (chunk) => void (text += chunk));
  writeFiles('generated', text);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

function traceCmd(...words: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync('trace-cmd', words, { encoding: 'utf8', maxBuffer: 1 << 28 });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trimEnd().split('\n');
}

/** `name+0x4/0x20 [module]` for each address: what the kernel prints and `trace-cmd report` does not. */
function naming(file: string): (address: string) => string {
  const starts = new Map<bigint, { name: string; module: string; size: bigint }>();
  const lines = traceCmd('report', '-f', file).map((line) => /^([0-9a-f]+) (\S+)(?: (\[\w+\]))?$/.exec(line)!);
  for (const [, address, name, module = ''] of lines) {
    if (!name.startsWith('__end_of_')) starts.set(BigInt(`0x${address}`), { name, module: module && ` ${module}`, size: 0n });
  }
  for (const [, address, name] of lines) {
    const of = name.startsWith('__end_of_') ? [...starts].find(([, symbol]) => `__end_of_${symbol.name}` === name)! : undefined;
    if (of) of[1].size = BigInt(`0x${address}`) - of[0];
  }
  const sorted = [...starts].toSorted(([a], [b]) => (a < b ? 1 : -1));
  return (address) => {
    const [start, symbol] = sorted.find(([at]) => at <= BigInt(`0x${address}`)) ?? [];
    return symbol ? `${symbol.name}+0x${(BigInt(`0x${address}`) - start!).toString(16)}/0x${symbol.size.toString(16)}${symbol.module}` : `0x${address}`;
  };
}

/** A line of ftrace text without flags. */
const lineOfText = (line: string): string => line.replace(/ +\[(\d+)\] .{5} +/, ' [$1] ').trim();

/** A line of `trace-cmd report` as ftrace text would have it. */
function lineOfReport(line: string, name: (address: string) => string): string {
  const [, task, cpu, time, event, rest] = /^ *(.+?) +\[(\d+)\] +([\d.]+): (\w+): +(.*)$/.exec(line)!;
  if (event === 'print') return `${task} [${cpu}] ${time}: ${rest}`;
  const code = rest.replace(/^\((\w+)(?: <- (\w+))?\)/, (_, first: string, second: string | undefined) => (second === undefined ? `(${name(first)})` : `(${name(second)} <- ${name(first).replace(/\+.*/, '')})`));
  return `${task} [${cpu}] ${time}: ${event}: ${code.trimEnd()}`;
}

describe.skipIf(!hasTraceCmd)('trace-cmd report prints what the generator wrote', () => {
  test.each(['none', 'zstd'] as const)('compression %s', (compression) => {
    const name = naming(path(compression));
    const known = new Map<string, string>();
    const remembered = (address: string): string => {
      if (!known.has(address)) known.set(address, name(address));
      return known.get(address)!;
    };
    const report = traceCmd('report', path(compression));
    expect(report[0]).toBe('cpus=4');
    const lines = text.trimEnd().split('\n').filter((line) => !line.startsWith('#'));
    expect(report.slice(1).map((line) => lineOfReport(line, remembered))).toEqual(lines.map(lineOfText));
  });

  test('times far apart', () => {
    // Deltas of 27 bits of nanoseconds reach over 134 ms: behind each of these lines the clock jumps.
    const jumps = text.split('\n').slice(0, 400).map((line, i) => line.replace(/ (\d+)\.(\d{6}): /, (_, s: string, us: string) => ` ${Number(s) + i * 7}.${us}: `)).join('\n');
    writeFiles('jumps', `${jumps}\n`);
    const times = (lines: readonly string[]): string[] => lines.map((line) => / (\d+\.\d{6}): /.exec(line)?.[1]).filter((time) => time !== undefined);
    for (const compression of ['none', 'zstd'] as const) expect(times(traceCmd('report', path(compression, 'jumps')))).toEqual(times(jumps.split('\n')));
  });

  test('flags', () => {
    const flags = traceCmd('report', '-l', path('none')).slice(1).map((line) => /-\d+ +\d(.{5})/.exec(line)![1]);
    expect(flags).toEqual(text.trimEnd().split('\n').filter((line) => !line.startsWith('#')).map((line) => /\[\d+\] (.{5})/.exec(line)![1]));
  });
});

test('a page holds 4080 bytes at most and begins with its time', () => {
  const file = readFileSync(path('none'));
  // BUFFER option: section, name, clock, size of a page, CPUs, then number, place and size of each.
  let at = file.lastIndexOf('\0local\0') + 7;
  expect(file.readUInt32LE(at)).toBe(4096);
  const cpus = file.readUInt32LE(at + 4);
  expect(cpus).toBe(4);
  at += 8;
  for (let cpu = 0; cpu < cpus; cpu++, at += 20) {
    let last = 0n;
    const from = Number(file.readBigUInt64LE(at + 4));
    const size = Number(file.readBigUInt64LE(at + 12));
    expect([file.readUInt32LE(at), from % 4096, size % 4096, size > 4096]).toEqual([cpu, 0, 0, true]);
    for (let page = from; page < from + size; page += 4096) {
      const time = file.readBigUInt64LE(page);
      const commit = Number(file.readBigUInt64LE(page + 8));
      expect(time > last && commit > 0 && commit <= 4080).toBe(true);
      expect(file.subarray(page + 16 + commit, page + 4096).every((byte) => byte === 0)).toBe(true);
      last = time;
    }
  }
});
