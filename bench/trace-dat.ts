/**
 * `audit` of a trace.dat file against the tools that read the same file: `trace-cmd report`, which only prints it, and the
 * same audit in C on libtracecmd. Once with pages as they are, once with pages compressed by zstd.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { agree, generate, ours } from './ours.ts';
import { cpuTime, median, spread } from './processes.ts';
import { TraceDat, type Compression } from './write-trace-dat.ts';

/** Kernel operations in the generated recording: a bit more than five million events. */
const OPERATIONS = 2_000_000;
const CPUS = 4;
const INSTALL = 'apt-get install -y trace-cmd libtracecmd-dev libtraceevent-dev gcc pkg-config';

interface File {
  readonly path: string;
  readonly megabytes: string;
}

function write(folder: string, name: string, operations: number, compressions: readonly Compression[]): { files: File[]; events: number; injected: number } {
  const recording = new TraceDat(folder, CPUS);
  try {
    const { injected } = generate(operations, (chunk) => recording.take(chunk));
    recording.finish();
    const files = compressions.map((compression) => {
      const path = join(folder, `${name}.${compression}.trace.dat`);
      return { path, megabytes: (recording.write(path, compression) / 1e6).toFixed(0) };
    });
    return { files, events: recording.events, injected };
  } finally {
    recording.close();
  }
}

/** Returns the program built from audit-libtracecmd.c, or why there is none. */
function build(folder: string): { program: string } | { missing: string } {
  const flags = spawnSync('pkg-config', ['--cflags', '--libs', 'libtracecmd'], { encoding: 'utf8' });
  if (flags.error) return { missing: 'pkg-config is not installed' };
  if (flags.status !== 0) return { missing: 'libtracecmd-dev is not installed' };
  const program = join(folder, 'audit-libtracecmd');
  const cc = spawnSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'audit-libtracecmd.c'), ...flags.stdout.trim().split(/\s+/)], { encoding: 'utf8' });
  if (cc.error) return { missing: 'cc is not installed' };
  return cc.status === 0 ? { program } : { missing: `cc cannot build audit-libtracecmd.c: ${cc.stderr.trim()}` };
}

/** The audit in C; null where its libtracecmd cannot read this file, as one built without zstd. */
function inC(program: string, file: File): { seconds: number; illegal: number } | null {
  const run = cpuTime([program, file.path]);
  const illegal = /illegal=(\d+)/.exec(run.stdout)?.[1];
  return illegal === undefined ? null : { seconds: run.seconds, illegal: Number(illegal) };
}

/** Text to nowhere, and a check that there was text. */
function report(file: File): number {
  const run = cpuTime(['sh', '-c', 'trace-cmd report "$0" > /dev/null || echo failed', file.path]);
  if (run.stdout !== '') throw new Error(`trace-cmd report fails: ${run.stderr.trim()}`);
  return run.seconds;
}

/** Yields the lines of the report; what it writes goes into `folder`. Errors: throws where two count differently. */
export function* traceDatAgainstTools(rounds: number, folder: string): Generator<string> {
  const { files: [plain, zstd], events, injected } = write(folder, 'generated', OPERATIONS, ['none', 'zstd']);
  yield `trace.dat: ${events} events, ${CPUS} CPUs, ${plain.megabytes} MB, with zstd ${zstd.megabytes} MB, ${injected} planted violations, ${rounds} interleaved rounds`;
  const hasReport = spawnSync('trace-cmd', ['--version']).error === undefined;
  const c = build(folder);
  if (!hasReport) yield `NOT MEASURED: trace-cmd report: trace-cmd is not installed (${INSTALL})`;
  if ('missing' in c) yield `NOT MEASURED: the audit in C: ${c.missing} (${INSTALL})`;
  const ratios = { report: [] as number[], c: [] as number[], cZstd: [] as number[], zstd: [] as number[] };
  const seconds = { ours: [] as number[], oursZstd: [] as number[], c: [] as number[], report: [] as number[] };
  const peaks: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const a = ours(plain.path);
    const b = ours(zstd.path);
    const inCPlain = 'missing' in c ? null : inC(c.program, plain);
    const inCZstd = 'missing' in c ? null : inC(c.program, zstd);
    const printed = hasReport ? report(plain) : null;
    if (!('missing' in c) && !inCPlain) throw new Error('audit-libtracecmd did not read the file');
    agree(injected, { 'iommu-ledger': a.illegal, 'iommu-ledger over zstd': b.illegal, ...(inCPlain && { 'audit-libtracecmd': inCPlain.illegal }), ...(inCZstd && { 'audit-libtracecmd over zstd': inCZstd.illegal }) });
    if (round === 0) continue; // warm-up
    seconds.ours.push(a.seconds);
    seconds.oursZstd.push(b.seconds);
    ratios.zstd.push(a.seconds / b.seconds);
    peaks.push(a.peakMb, b.peakMb);
    if (printed !== null) {
      seconds.report.push(printed);
      ratios.report.push(printed / a.seconds);
    }
    if (inCPlain) {
      seconds.c.push(inCPlain.seconds);
      ratios.c.push(inCPlain.seconds / a.seconds);
    }
    if (inCZstd) ratios.cZstd.push(inCZstd.seconds / b.seconds);
  }
  const rate = (times: readonly number[]): string => `${(events / median(times) / 1e6).toFixed(2)} M events/s`;
  yield `illegal count of all that audit: ${injected}`;
  if (ratios.report.length > 0) yield `CPU time trace-cmd report, no audit / iommu-ledger (min / median / max): ${spread(ratios.report)}`;
  if (ratios.c.length > 0) yield `CPU time audit in C on libtracecmd / iommu-ledger:                      ${spread(ratios.c)}`;
  if (ratios.cZstd.length > 0) yield `the same over zstd:                                                    ${spread(ratios.cZstd)}`;
  else if (ratios.c.length > 0) yield 'NOT MEASURED: the audit in C over zstd: this libtracecmd was built without it';
  yield `speed of iommu-ledger over zstd / over pages as they are:              ${spread(ratios.zstd)}`;
  yield `CPU time, node's start included: iommu-ledger ${rate(seconds.ours)}, over zstd ${rate(seconds.oursZstd)}`
    + `${seconds.c.length > 0 ? `; C ${rate(seconds.c)}` : ''}${seconds.report.length > 0 ? `; trace-cmd report ${rate(seconds.report)}` : ''}`;
  const short = write(folder, 'short', OPERATIONS / 8, ['none']);
  yield `peak memory: ${Math.max(...peaks).toFixed(0)} MB over ${events} events, ${ours(short.files[0].path).peakMb.toFixed(0)} MB over an eighth of them`;
}
