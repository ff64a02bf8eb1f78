/**
 * What the tests of recordings share: opens a recording by its path, or a text as a file of its own, and audits it as
 * `iommu-ledger audit` does. The design is the recording's own unless one is named; `own` follows cli/source.ts.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { chooseDesign } from '../cli/source.ts';
import { createInterned, type Interned } from '../events/batch.ts';
import { renderEvent } from '../events/ndjson.ts';
import { Audit } from '../projections/audit.ts';
import { aliveViews, type DomainView } from '../projections/domain-view.ts';
import type { Finding } from '../projections/finding.ts';
import type { ByteSource } from '../recordings/byte-source.ts';
import { FtraceText } from '../recordings/ftrace-text.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { ProblemList } from '../recordings/problem-list.ts';
import { readAll, type ReadSummary } from '../recordings/recording.ts';
import { EventOutput } from '../recordings/event-output.ts';

/** An audited recording. `events` are the lines that `iommu-ledger events` prints; `findings` stand in order of position. */
export interface Audited {
  readonly summary: ReadSummary;
  readonly audit: Audit;
  readonly interned: Interned;
  readonly findings: readonly Finding[];
  readonly events: readonly string[];
}

/** `design`: as `--design`. `upTo`: only the events up to this position count. `events: false`: do not render the events. */
export interface AuditOptions {
  readonly design?: string;
  readonly upTo?: number;
  readonly events?: boolean;
}

/** Where this process puts its files; test/temporary-folder.ts removes it. */
const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-test-'));

/** Root of the recordings that belong to the tests. */
export const RECORDINGS = join(import.meta.dirname, 'recordings');

/** Returns the path of a file with these bytes whose name says nothing about them. */
export function fileOf(bytes: string | Buffer): string {
  const path = join(folder, randomBytes(8).toString('hex'));
  writeFileSync(path, bytes);
  return path;
}

/** Returns the bytes of a recording of the tests, by its path below `RECORDINGS`; `.gz` is unpacked. */
export function recordingBytes(name: string): Buffer {
  const bytes = readFileSync(join(RECORDINGS, name));
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

/** Returns the audit of the recording at `path`. Errors: UnreadableError, UsageError, as on the command line. */
export async function auditFile(path: string, options: AuditOptions = {}): Promise<Audited> {
  const recording = await openRecording(path);
  const { summary, interned } = recording;
  try {
    const chosen = chooseDesign(summary, options.design === undefined ? {} : { design: options.design });
    const audit = new Audit(chosen.design, chosen.own);
    const events: string[] = [];
    await readAll(recording, (batch) => {
      audit.apply(batch, options.upTo);
      if (options.events !== false) for (let i = 0; i < batch.length; i++) events.push(renderEvent(batch, i));
      for (const n of audit.evict()) interned.addresses.release(n);
    });
    audit.end();
    return { summary, audit, interned, findings: audit.findings.sorted(), events };
  } finally {
    recording.close();
  }
}

/** Returns the audit of a text, read from a file with a name that says nothing. */
export function auditText(text: string | Buffer, options: AuditOptions = {}): Promise<Audited> {
  return auditFile(fileOf(text), options);
}

/** Returns the views of the domains that are alive at the end, on arm64. Order: first seen. */
export function alive(audited: Audited): DomainView[] {
  return aliveViews(audited.audit, audited.interned, 'arm64');
}

/** Returns what the ftrace reader makes of these bytes when they arrive `size` at a time, beside what `like` says was known before. */
export async function fedInChunks(bytes: Buffer, size: number, like: ReadSummary): Promise<{ readonly events: string[]; readonly summary: ReadSummary }> {
  const summary: ReadSummary = { ...like, lines: 0, events: 0, ignored: 0, lost: 0, from: null, to: null, problems: new ProblemList() };
  let at = 0;
  const read = (into: Buffer, to: number): number => {
    const n = bytes.copy(into, to, at, Math.min(at + size, bytes.length));
    at += n;
    return n;
  };
  const events: string[] = [];
  const reader = new FtraceText({ read } as unknown as ByteSource, new EventOutput(summary, createInterned()));
  reader.begin((b) => {
    for (let i = 0; i < b.length; i++) events.push(renderEvent(b, i));
  });
  while (await reader.step());
  return { events, summary };
}

/** Returns "MACHINE-SCENARIO" of a recording's path below `RECORDINGS`. */
export function nameOf(path: string): string {
  return `${path.split('/')[0]}-${basename(path).replace(/\.trace\.txt(\.gz)?$/, '')}`;
}

/** Returns the findings that are not of severity info: none on a healthy kernel. */
export function aboveInfo(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter((f) => f.severity !== 'info');
}

/** Who prints a line: comm, pid, cpu; the columns are those of trace_print_context in kernel/trace/trace_output.c. */
export interface Who {
  readonly comm?: string;
  readonly pid?: number;
  readonly cpu?: number;
}

/** Returns one line of the tracefs `trace` file, without its end: "%16s-%-7d [%03d] flags %12s: body". `time` is in seconds. */
export function traceLine(time: string, body: string, { comm = 'vt-aarch64', pid = 601, cpu = 0 }: Who = {}): string {
  const padded = ' '.repeat(Math.max(0, 16 - Buffer.byteLength(comm))) + comm;
  return `${padded}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, '0')}] ...1. ${time.padStart(12)}: ${body}`;
}

/** Returns bodies as lines of one task, a millisecond apart from 173.000001 on; a line that has its columns already stays as it is. */
export function traceText(...lines: string[]): string {
  return lines.map((line, i) => `${/^(#|CPU:|"| =>)|\] [^ ]+ +\d+\.\d+: |us[^ ]? ?: /.test(line) ? line : traceLine(`173.${String(i * 1000 + 1).padStart(6, '0')}`, line)}\n`).join('');
}

/** Returns the events of an audited text as objects, without `recording_started`. */
export function eventsOf(a: Audited): Record<string, any>[] {
  return a.events.map((line) => JSON.parse(line) as Record<string, any>).filter((e) => e['type'] !== 'recording_started');
}
