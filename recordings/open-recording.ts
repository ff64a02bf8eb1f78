/**
 * Opens a recording whatever its name is: the format is found by looking at the first bytes, in the order of the table.
 */
import { createInterned, type Interned } from '../events/batch.ts';
import { UnreadableError } from '../events/problem.ts';
import { EVIDENCE_NAMES } from '../events/word-evidence.ts';
import { designFromEvidence } from '../machines/design-list.ts';
import { ByteSource } from './byte-source.ts';
import { EventOutput } from './event-output.ts';
import { FtraceText, ftraceKernel, isFtraceText } from './ftrace-text.ts';
import { memberEvidence } from './member-evidence.ts';
import { BpftraceJson, isBpftraceJson } from './bpftrace-json.ts';
import { isNdjson, ndjsonEvidence } from './ndjson-evidence.ts';
import { PerfText, isPerfText, perfKernel } from './perf-text.ts';
import { ProblemList, quote } from './problem-list.ts';
import { unpackerFor } from './raw-read.ts';
import type { ReadSummary, Reader, Recording } from './recording.ts';

/** A format: how its first bytes look, and its reader, which completes what the summary says of design and kernel. */
interface Format {
  readonly name: string;
  is(head: Buffer): boolean;
  open(source: ByteSource, summary: ReadSummary, interned: Interned): Reader | Promise<Reader>;
}

const KNOWN_FORMATS = 'name a trace-cmd trace.dat, the text of a tracefs trace file, of trace-cmd report, perf script or bpftrace, or events as NDJSON';

/** Formats that are recognised only to say what they are. */
const OTHER_FORMATS: readonly (readonly [(head: Buffer) => boolean, string, string])[] = [
  [(h) => h.toString('latin1', 0, 15) === 'SQLite format 3', 'an SQLite database', 'a ledger is recognised by its name: it ends in .ledger'],
  [(h) => unpackerFor(h) !== null, 'packed more than twice', 'unpack it first'],
  [(h) => h.toString('latin1', 0, 8) === 'PERFILE2', 'a perf.data file', 'print it first: perf script'],
  [(h) => h.readUInt32BE(0) === 0x7f454c46, 'an ELF file', 'name a recording, not a program'],
  [(h) => h.toString('latin1', 0, 6) === '\xfd7zXZ\0', 'xz data', 'unpack it first: xz -dc FILE | iommu-ledger … -'],
  [(h) => (h[0] === 0xff && h[1] === 0xfe) || (h[0] === 0xfe && h[1] === 0xff), 'UTF-16 text', 'convert it first: iconv -f UTF-16 -t UTF-8 FILE | iommu-ledger … -'],
  [(h) => h.toString('latin1', 0, 3) === '\xef\xbb\xbf', 'text behind a byte-order mark', 'remove it first: tail -c +4 FILE | iommu-ledger … -'],
  [(h) => /^\s*\[/.test(h.toString('latin1', 0, 64)), 'a JSON array', "write one event a line: jq -c '.[]' FILE | iommu-ledger … -"],
  [(h) => h.subarray(0, 4096).includes(0), 'binary data of no known format', KNOWN_FORMATS],
];

/** Returns the format of a text whose lines print the members of domains by name. */
function text(name: string, is: (head: Buffer) => boolean, kernel: (head: Buffer) => string | null, Reads: new (source: ByteSource, out: EventOutput) => Reader): Format {
  return {
    name,
    is,
    open: async (source, summary, interned) => {
      summary.kernel = kernel(source.head);
      // Other tools' events may fill the beginning; the proposal's two designs differ in one member.
      await source.lookAhead((bytes) => {
        for (const field of memberEvidence(bytes)) summary.fields.add(field);
        return summary.fields.size > 0 && (!summary.fields.has('owner') || summary.fields.has('swmsi'));
      });
      summary.design = designFromEvidence(summary)?.design ?? null;
      return new Reads(source, new EventOutput(summary, interned));
    },
  };
}

/** Every format, in the order in which they are tried. */
const FORMATS: readonly Format[] = [
  {
    name: 'trace.dat',
    is: (h) => h.length > 10 && h[0] === 0x17 && h[1] === 0x08 && h[2] === 0x44 && h.toString('latin1', 3, 10) === 'tracing',
    open: async (source, summary, interned) => {
      const { openTraceDat } = await import('./trace-dat.ts');
      return openTraceDat(source, summary, interned);
    },
  },
  text('bpftrace-json', isBpftraceJson, () => null, BpftraceJson),
  {
    name: 'ndjson',
    is: isNdjson,
    open: async (source, summary, interned) => {
      const evidence = ndjsonEvidence(source.head);
      summary.design = evidence.design;
      summary.kernel = evidence.kernel;
      for (const field of evidence.fields) summary.fields.add(EVIDENCE_NAMES[field] ?? field);
      const { NdjsonEvents } = await import('./ndjson.ts'); // zod is loaded only where JSON is read
      return new NdjsonEvents(source, summary, interned);
    },
  },
  text('ftrace-text', isFtraceText, ftraceKernel, FtraceText),
  text('perf-script', isPerfText, perfKernel, PerfText),
];

/**
 * Returns the opened recording; `follow` waits for more at the end of a file, `interned` is shared by recordings that are merged.
 * Errors: UnreadableError when the file cannot be read or is of no known format.
 */
export async function openRecording(path: string, { follow = false, interned = createInterned() }: { follow?: boolean; interned?: Interned } = {}): Promise<Recording> {
  const source = await ByteSource.open(path, follow);
  try {
    const format = FORMATS.find(({ is }) => is(source.head));
    if (format === undefined) unknownFormat(source);
    const summary: ReadSummary = {
      source: source.name, format: format.name, kernel: null, lines: 0, events: 0, ignored: 0, lost: 0, from: null, to: null,
      problems: new ProblemList(), fields: new Set(), missing: [], design: null,
    };
    const reader = await format.open(source, summary, interned);
    return {
      summary,
      interned,
      sizeBytes: source.sizeBytes,
      live: source.live,
      get position() {
        return reader.position ?? source.position;
      },
      begin: (consume) => reader.begin(consume),
      step: async () => {
        if (await reader.step()) return true;
        if (source.damage !== null) summary.problems.add('damaged-file', source.name, source.damage, 'what could be unpacked was used; copy it again, or record again');
        return false;
      },
      stop: () => source.stop(),
      close: () => source.close(),
    };
  } catch (error) {
    source.close();
    throw error;
  }
}

function unknownFormat({ head, name }: ByteSource): never {
  const known = head.length >= 4 ? OTHER_FORMATS.find(([is]) => is(head)) : undefined;
  if (known) throw new UnreadableError(`${name}: is ${known[1]}, which is not read`, known[2]);
  const newline = head.indexOf(10);
  const line = head.toString('latin1', 0, newline < 0 ? Math.min(head.length, 200) : newline);
  throw new UnreadableError(`${name}: no known recording format; it begins ${quote(line)}`, KNOWN_FORMATS);
}
