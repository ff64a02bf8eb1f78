/**
 * Opens a recording whatever its name is: the format is found by looking at the first bytes, in the order of the table.
 */
import { createInterned } from '../events/batch.ts';
import { UnreadableError } from '../events/problem.ts';
import { EVIDENCE_NAMES } from '../events/word-evidence.ts';
import { designFromEvidence } from '../machines/design-list.ts';
import { ByteSource } from './byte-source.ts';
import { FtraceText, evidenceIn, isFtraceText } from './ftrace-text.ts';
import { isNdjson, ndjsonEvidence } from './ndjson-evidence.ts';
import { ProblemList, quote } from './problem-list.ts';
import type { ReadSummary, Recording } from './recording.ts';

const KNOWN_FORMATS = 'name the text of a tracefs trace file, or events as NDJSON';

/** Formats that are recognised only to say what they are. */
const OTHER_FORMATS: readonly (readonly [(head: Buffer) => boolean, string, string])[] = [
  [(h) => h.length > 10 && h[0] === 0x17 && h[1] === 0x08 && h[2] === 0x44 && h.toString('latin1', 3, 10) === 'tracing', 'a trace-cmd trace.dat file', 'read the text of the tracefs trace file instead'],
  [(h) => h.toString('latin1', 0, 15) === 'SQLite format 3', 'an SQLite database', 'a ledger is recognised by its name: it ends in .ledger'],
  [(h) => h[0] === 0x1f && h[1] === 0x8b, 'gzip data', 'unpack it first: gunzip -c FILE | iommu-ledger … -'],
  [(h) => h.readUInt32LE(0) === 0xfd2fb528, 'zstd data', 'unpack it first: zstd -dc FILE | iommu-ledger … -'],
  [(h) => h.toString('latin1', 0, 8) === 'PERFILE2', 'a perf.data file', 'print it first: perf script'],
  [(h) => h.readUInt32BE(0) === 0x7f454c46, 'an ELF file', 'name a recording, not a program'],
  [(h) => h.toString('latin1', 0, 6) === '\xfd7zXZ\0', 'xz data', 'unpack it first: xz -dc FILE | iommu-ledger … -'],
  [(h) => (h[0] === 0xff && h[1] === 0xfe) || (h[0] === 0xfe && h[1] === 0xff), 'UTF-16 text', 'convert it first: iconv -f UTF-16 -t UTF-8 FILE | iommu-ledger … -'],
  [(h) => h.toString('latin1', 0, 3) === '\xef\xbb\xbf', 'text behind a byte-order mark', 'remove it first: tail -c +4 FILE | iommu-ledger … -'],
  [(h) => /^\s*\[/.test(h.toString('latin1', 0, 64)), 'a JSON array', "write one event a line: jq -c '.[]' FILE | iommu-ledger … -"],
  [(h) => h.subarray(0, 4096).includes(0), 'binary data of no known format', KNOWN_FORMATS],
];

/**
 * Returns the opened recording.
 * Errors: UnreadableError when the file cannot be read or is of no known format.
 */
export async function openRecording(path: string): Promise<Recording> {
  const source = new ByteSource(path);
  const { head } = source;
  const interned = createInterned();
  const summary = (format: string): ReadSummary => ({
    source: source.name, format, kernel: null, lines: 0, events: 0, ignored: 0, lost: 0, from: null, to: null,
    problems: new ProblemList(), fields: new Set(), design: null,
  });
  if (isNdjson(head)) {
    const s = summary('ndjson');
    const evidence = ndjsonEvidence(head);
    s.design = evidence.design;
    s.kernel = evidence.kernel;
    for (const f of evidence.fields) s.fields.add(EVIDENCE_NAMES[f] ?? f);
    const { NdjsonEvents } = await import('./ndjson.ts'); // zod is loaded only where JSON is read
    return recording(s, source, interned, new NdjsonEvents(source, s, interned));
  }
  if (isFtraceText(head)) {
    const s = summary('ftrace-text');
    for (const f of evidenceIn(head)) s.fields.add(f);
    s.kernel = /^# nop latency trace v[\d.]+ on (\S{1,64})$/m.exec(head.toString('latin1', 0, 4096))?.[1] ?? null;
    s.design = designFromEvidence(s)?.design ?? null;
    return recording(s, source, interned, new FtraceText(source, s, interned));
  }
  source.close();
  const known = head.length >= 4 ? OTHER_FORMATS.find(([is]) => is(head)) : undefined;
  if (known) throw new UnreadableError(`${source.name}: is ${known[1]}, which is not read`, known[2]);
  const newline = head.indexOf(10);
  const line = head.toString('latin1', 0, newline < 0 ? Math.min(head.length, 200) : newline);
  throw new UnreadableError(`${source.name}: no known recording format; it begins ${quote(line)}`, KNOWN_FORMATS);
}

function recording(
  summary: ReadSummary,
  source: ByteSource,
  interned: Recording['interned'],
  reader: Pick<Recording, 'read'>,
): Recording {
  return {
    summary,
    interned,
    sizeBytes: source.sizeBytes,
    read: (consume, progress) => reader.read(consume, progress),
    close: () => source.close(),
  };
}
