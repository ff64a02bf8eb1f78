/**
 * What a page carries: a header (JSON), and the recording's events as the blocks in which logs store them.
 * Layout of the events before compression and base64, little-endian: per block u32 rows, u32 bytes, the block (log/block.ts) and,
 * where recordings were merged, one byte an event: the number of its file. On the stream of a live page a block of no rows is
 * JSON instead (`LiveNews`). The command writes it, the page reads it, as it comes.
 */
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

/** What the server of a live page says between the events: the summary as it is now, and whether the source has ended. */
export interface LiveNews {
  readonly recording: PageHeader['recording'];
  readonly ended: boolean;
}

/** One block of events. */
export interface PageBlock {
  readonly rows: number;
  readonly bytes: Uint8Array;
  /** One byte an event where recordings were merged. */
  readonly recordingOf?: Uint8Array;
}

const HEAD_BYTES = 8;

/** Returns a block with its head in front. */
export function packBlock({ rows, bytes, recordingOf }: PageBlock): Uint8Array {
  const packed = new Uint8Array(HEAD_BYTES + bytes.length + (recordingOf?.length ?? 0));
  const view = new DataView(packed.buffer);
  view.setUint32(0, rows, true);
  view.setUint32(4, bytes.length, true);
  packed.set(bytes, HEAD_BYTES);
  if (recordingOf) packed.set(recordingOf, HEAD_BYTES + bytes.length);
  return packed;
}

/** Takes packed blocks apart, however the bytes are cut on their way. */
export class BlockReader {
  /** Whether each event says which of several recordings it is of. */
  private readonly merged: boolean;
  private bytes = new Uint8Array(1 << 18);
  private length = 0;

  constructor(merged: boolean) {
    this.merged = merged;
  }

  /** Whether a block has begun that is not whole yet. */
  get isInside(): boolean {
    return this.length > 0;
  }

  /** Returns the blocks that are whole with these bytes. */
  add(chunk: Uint8Array): PageBlock[] {
    this.append(chunk);
    const { bytes, length, merged } = this;
    const view = new DataView(bytes.buffer);
    const blocks: PageBlock[] = [];
    let at = 0;
    while (length - at >= HEAD_BYTES) {
      const rows = view.getUint32(at, true);
      const size = view.getUint32(at + 4, true);
      const files = merged ? rows : 0;
      if (length - at - HEAD_BYTES < size + files) break;
      const first = at + HEAD_BYTES;
      at = first + size + files;
      blocks.push({ rows, bytes: bytes.slice(first, first + size), ...(merged && { recordingOf: bytes.slice(first + size, at) }) });
    }
    bytes.copyWithin(0, at, length);
    this.length -= at;
    return blocks;
  }

  private append(chunk: Uint8Array): void {
    const { bytes, length } = this;
    if (length + chunk.length > bytes.length) {
      this.bytes = new Uint8Array(Math.max(bytes.length * 2, length + chunk.length));
      this.bytes.set(bytes.subarray(0, length));
    }
    this.bytes.set(chunk, length);
    this.length += chunk.length;
  }
}
