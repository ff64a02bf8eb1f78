/**
 * What is mutated, by reader. Recordings of `test/recordings`, or what is derived from them as said here: none of the derived
 * ones was recorded. Symbols (kallsyms) are cut down to the functions that are probed, so that a mutation takes
 * milliseconds; `trace-dat-real` and `btf-real` are the files as they are, and take a share of the mutations.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { PROBES } from '../../recordings/probes/table.ts';
import { RECORDINGS, auditText, recordingBytes } from '../audit-file.ts';
import { BTF_72, btf72, btf72Bytes } from '../btf-file.ts';
import { btfSubset } from './btf-subset.ts';
import type { Part, Places, Seed } from './mutate.ts';
import { pagePlaces, sectionPlaces, takeApart, version6, version7, type TraceDatParts } from './trace-dat-parts.ts';

/** `kind`: how it is read. `share`: of the mutations asked for, that many in 100. */
export interface Target {
  readonly kind: 'recording' | 'btf';
  readonly share?: number;
  seed(): Seed | Promise<Seed>;
}

/** Bytes of a text that are mutated; the whole of a recording says nothing more. */
const TEXT = 48 << 10;
const NOWHERE: Places = { boundaries: [], fields: [] };

/** Lines of a text: at most `TEXT` bytes. */
function lines(text: Buffer): Buffer {
  return text.subarray(0, text.lastIndexOf(10, TEXT) + 1);
}

function textSeed(bytes: Buffer): Seed {
  const boundaries: number[] = [];
  for (let at = 0; at < bytes.length && boundaries.length < 40; at = bytes.indexOf(10, at) + 1) boundaries.push(at);
  return { whole: { bytes, boundaries, fields: [] }, text: true, parts: [], build: () => bytes };
}

const textFile = (name: string) => (): Seed => textSeed(lines(recordingBytes(name)));
const DEFAULT = 'own72v/variant-default.trace.txt';

/** The lines of a trace as `bpftrace -f json` prints what a script prints: derived. */
function asBpftrace(): Seed {
  const traced = lines(recordingBytes(DEFAULT)).toString('latin1').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const objects = ['{"type": "attached_probes", "data": {"probes": 55}}', ...traced.map((line) => `{"type": "printf", "data": ${JSON.stringify(`${line}\n`)}}`), '{"type": "lost_events", "data": {"events": 3}}'];
  return textSeed(Buffer.from(`${objects.join('\n')}\n`, 'latin1'));
}

/** What `events` prints of a recording: derived. */
async function asNdjson(): Promise<Seed> {
  const { events } = await auditText(lines(recordingBytes(DEFAULT)));
  return textSeed(Buffer.from(events.map((line) => `${line.trimEnd()}\n`).join('')));
}

/** Headers of gzip and zstd are small: every byte at the beginning and at the end is a field. */
function packed(inner: Part, pack: (bytes: Buffer) => Buffer): Seed {
  const bytes = pack(inner.bytes);
  const edges = [...Array.from({ length: 24 }, (_, n) => n), ...Array.from({ length: 12 }, (_, n) => bytes.length - 12 + n)];
  return { whole: { bytes, boundaries: [...edges, 1 << 10, bytes.length >> 1], fields: edges.map((at) => ({ at, size: 1 as const })) }, text: false, parts: [inner], build: ([part]) => pack(part) };
}

const zstd = (bytes: Buffer): Buffer => zstdCompressSync(bytes);
const gzip = (bytes: Buffer): Buffer => gzipSync(bytes, { level: 1 });
const inner = (name: string): Part => textSeed(lines(recordingBytes(name))).whole;

const RECORD = 'own72v/variant-record-v7.trace.dat';

/** The parts of the recording with few symbols, and with the pages of its only CPU as those of two: derived. */
function fewSymbols(): TraceDatParts {
  const { sections, options, pages } = takeApart(recordingBytes(RECORD));
  const probed = new Set(PROBES.map((probe) => probe.function));
  const symbols = sections.get(19)!.toString('latin1', 4).split('\n').filter((line, n) => n % 1000 === 0 || probed.has(line.split(/[ \t]/)[2]));
  const text = `${symbols.join('\n')}\n`;
  const count = Buffer.alloc(4);
  count.writeUInt32LE(text.length);
  return { sections: new Map(sections).set(19, Buffer.concat([count, Buffer.from(text, 'latin1')])), options, pages: [...pages, ...pages] };
}

/** Places of every unpacked part, in the order sections, pages. */
function traceDatSeed(parts: TraceDatParts, whole: Part, build: (parts: TraceDatParts) => Buffer): Seed {
  const ids = [...parts.sections.keys()];
  const list: Part[] = [...ids.map((id) => ({ bytes: parts.sections.get(id)!, ...sectionPlaces(id, parts.sections.get(id)!) })), ...parts.pages.map((bytes) => ({ bytes, ...pagePlaces(bytes) }))];
  return { whole, text: false, parts: list, build: (bytes) => build({ sections: new Map(ids.map((id, n) => [id, bytes[n]])), options: parts.options, pages: bytes.slice(ids.length) }) };
}

function traceDat7(compressed: boolean): Seed {
  const parts = fewSymbols();
  const bytes = version7(parts, compressed);
  return traceDatSeed(parts, { bytes, ...places(takeApart(bytes)) }, (changed) => version7(changed, compressed));
}

function traceDat6(): Seed {
  const parts = fewSymbols();
  return traceDatSeed(parts, version6(parts), (changed) => version6(changed, true).bytes);
}

const places = ({ boundaries, fields }: Places): Places => ({ boundaries, fields });

/** A 64-bit ELF file with the section .BTF alone: made by hand around it. */
function elf(btf: Buffer): Part {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  const names = Buffer.from('\0.shstrtab\0.BTF\0', 'latin1');
  const sections = Buffer.alloc(3 * 64);
  const section = (n: number, name: number, at: number, length: number): void => {
    sections.writeUInt32LE(name, n * 64);
    sections.writeBigUInt64LE(BigInt(at), n * 64 + 0x18);
    sections.writeBigUInt64LE(BigInt(length), n * 64 + 0x20);
  };
  section(1, 1, 256, names.length);
  section(2, 11, 256 + names.length, btf.length);
  header.writeBigUInt64LE(64n, 0x28);
  [64, 3, 1].forEach((value, n) => header.writeUInt16LE(value, 0x3a + n * 2));
  const fields = [0x04, 0x05].map((at) => ({ at, size: 1 as const }));
  const wide = [0x28, 64 + 0x58, 64 + 0x60, 128 + 0x58, 128 + 0x60].map((at) => ({ at, size: 8 as const }));
  const narrow = [0x3a, 0x3c, 0x3e].map((at) => ({ at, size: 2 as const }));
  return { bytes: Buffer.concat([header, sections, names, btf]), boundaries: [64, 128, 192, 256, 256 + names.length], fields: [...fields, ...wide, ...narrow] };
}

const plain = (whole: Part): Seed => ({ whole, text: false, parts: [], build: () => whole.bytes });

/** Every reader with its seed. */
export const TARGETS: Readonly<Record<string, Target>> = {
  'ftrace-text': { kind: 'recording', seed: textFile(DEFAULT) },
  'latency-format': { kind: 'recording', seed: textFile('own72v/variant-latency-format.trace.txt') },
  'trace-pipe-lost': { kind: 'recording', seed: textFile('own72v/variant-trace_pipe-lost.trace.txt') },
  'trace-cmd-report': { kind: 'recording', seed: textFile('own72v/variant-record-v7.report.txt') },
  'perf-script': { kind: 'recording', seed: textFile('deb72pb/perf-type1.perf-script.txt') },
  'bpftrace-json': { kind: 'recording', seed: asBpftrace },
  ndjson: { kind: 'recording', seed: asNdjson },
  gzip: { kind: 'recording', seed: () => packed(inner(DEFAULT), gzip) },
  zstd: { kind: 'recording', seed: () => packed(inner(DEFAULT), zstd) },
  'trace-dat-v7-zstd': { kind: 'recording', seed: () => traceDat7(true) },
  'trace-dat-v7-none': { kind: 'recording', seed: () => traceDat7(false) },
  'trace-dat-v6': { kind: 'recording', seed: traceDat6 },
  'trace-dat-gzip': { kind: 'recording', share: 10, seed: () => packed(traceDat7(true).whole, gzip) },
  'trace-dat-real': {
    kind: 'recording',
    share: 10,
    seed: () => {
      const bytes = readFileSync(join(RECORDINGS, RECORD));
      return plain({ bytes, ...places(takeApart(bytes)) });
    },
  },
  btf: { kind: 'btf', seed: () => plain(btfSubset(btf72())) },
  'btf-gzip': { kind: 'btf', share: 10, seed: () => packed(btfSubset(btf72()), gzip) },
  'btf-elf': { kind: 'btf', share: 10, seed: () => plain(elf(btfSubset(btf72()).bytes)) },
  'btf-real': { kind: 'btf', share: 2, seed: () => plain({ bytes: btf72Bytes(), ...NOWHERE, boundaries: [24, readFileSync(BTF_72).length] }) },
};
