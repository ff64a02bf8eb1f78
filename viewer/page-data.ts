/**
 * What a page carries: a header (JSON), and the recording's events as the blocks in which logs store them.
 * Layout of the events before gzip and base64, little-endian: per block u32 rows, u32 bytes and the block (log/block.ts); a merged
 * recording's file numbers follow the blocks, one byte an event. The command writes it, the page reads it.
 */
import { assert } from '../events/problem.ts';

/** Version of the header. */
export const PAGE_SCHEMA = 'iommu-ledger/page/1';

/** A design as the page offers it. */
export interface PageDesign {
  readonly id: string;
  readonly title: string;
  /** Whether the recording is of it: then what was recorded is compared with its predictions. */
  readonly own: boolean;
  /** Its state chart as SVG. */
  readonly chart: string;
}

/** Lines of the recording around a finding. `first` is the number of the first one. */
export interface Excerpt {
  readonly first: number;
  readonly lines: readonly string[];
}

/** The header of a page. */
export interface PageHeader {
  readonly schema: typeof PAGE_SCHEMA;
  readonly version: string;
  /** What was read, as the JSON reports show it. */
  readonly recording: Readonly<Record<string, unknown>> & { readonly source: string; readonly format: string; readonly kernel: string | null; readonly lost: number; readonly problems: number };
  /** The design that the page opens with, and why. */
  readonly design: string;
  readonly why: string;
  readonly ownerBits: number | null;
  readonly arch: string;
  readonly designs: readonly PageDesign[];
  /** Names of merged recordings, by the numbers of the events; empty for a single one. */
  readonly recordings: readonly string[];
  readonly events: number;
  /** By position of a finding. */
  readonly excerpts: Readonly<Record<string, Excerpt>>;
  /** Whether more events will come from the server that the page was loaded from. */
  readonly live: boolean;
}

/** One block of events. */
export interface PageBlock {
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** Everything that a page carries. */
export interface PageData {
  readonly header: PageHeader;
  readonly blocks: readonly PageBlock[];
  /** One byte an event where recordings were merged, else empty. */
  readonly recordingOf: Uint8Array;
}

/** Returns a block with its head in front. */
export function packBlock({ rows, bytes }: PageBlock): Uint8Array {
  const packed = new Uint8Array(8 + bytes.length);
  const view = new DataView(packed.buffer);
  view.setUint32(0, rows, true);
  view.setUint32(4, bytes.length, true);
  packed.set(bytes, 8);
  return packed;
}

/** Returns the blocks that stand whole in `bytes` from `at` on, and where the rest begins. */
export function unpackBlocks(bytes: Uint8Array, at: number, events = Infinity): { blocks: PageBlock[]; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: PageBlock[] = [];
  for (let left = events; left > 0 && at + 8 <= bytes.length; ) {
    const rows = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (at + 8 + length > bytes.length) break;
    blocks.push({ rows, bytes: bytes.subarray(at + 8, at + 8 + length) });
    at += 8 + length;
    left -= rows;
  }
  return { blocks, end: at };
}

/** Returns what a page says. Errors: asserts that it is of this version and whole. */
export function unpackPage(header: PageHeader, bytes: Uint8Array): PageData {
  assert(header.schema === PAGE_SCHEMA, `the page is of ${String(header.schema)}`);
  const { blocks, end } = unpackBlocks(bytes, 0, header.events);
  assert(blocks.reduce((sum, b) => sum + b.rows, 0) === header.events, 'the page is cut off');
  return { header, blocks, recordingOf: bytes.subarray(end) };
}
