/**
 * The log in memory, for tests and for one run of the program. It keeps the same blocks and the same chain of hashes
 * as the embedded file, so what passes here is what a file would hold.
 */
import { CHAIN_START, LINK, linkRecording, pointAfter, type ChainPoint, type Link } from './chain.ts';
import { ChainedLog, type ChainStorage, type ChainView } from './chained-log.ts';
import { LogBusyError, type EventLog, type ImportedRecording } from './event-log.ts';

/** Where the content of a memory log lives; several logs opened on one are like several openings of one file. */
export interface MemoryLogContent {
  readonly links: Link[];
  /** Where the chain stands after each link. */
  readonly points: ChainPoint[];
  writing: boolean;
}

/** Returns an empty content. */
export function createMemoryLogContent(): MemoryLogContent {
  return { links: [], points: [], writing: false };
}

/** Returns a log over this content, an empty one if none is given. */
export function openMemoryLog(content: MemoryLogContent = createMemoryLogContent()): EventLog {
  return new ChainedLog(new MemoryStorage(content));
}

class MemoryStorage implements ChainStorage {
  readonly name = 'memory';
  private readonly content: MemoryLogContent;
  private staged: Link[] = [];

  constructor(content: MemoryLogContent) {
    this.content = content;
  }

  view<T>(body: (view: ChainView) => T): T {
    return body(new MemoryView(this.content));
  }

  begin(): ChainPoint {
    if (this.content.writing) throw new LogBusyError(this.name);
    this.content.writing = true;
    return this.content.points.at(-1) ?? CHAIN_START;
  }

  put(link: Link): void {
    this.staged.push(link);
  }

  rewind(): void {
    this.staged = [];
  }

  commit(): void {
    const { links, points } = this.content;
    for (const link of this.staged) {
      points.push(pointAfter(points.at(-1) ?? CHAIN_START, link));
      links.push(link);
    }
    this.abort();
  }

  abort(): void {
    this.staged = [];
    this.content.writing = false;
  }

  fault(): undefined {
    return undefined;
  }

  close(): void {
    // The content stays with whoever made it.
  }
}

/** Shows the links that were there when it was made; the arrays behind it only grow. */
class MemoryView implements ChainView {
  readonly end: ChainPoint;
  private readonly content: MemoryLogContent;

  constructor(content: MemoryLogContent) {
    this.content = content;
    this.end = content.points.at(-1) ?? CHAIN_START;
  }

  before(position: number): ChainPoint {
    const { points } = this.content;
    let low = 0;
    for (let high = this.end.links - 1; low < high; ) {
      const middle = (low + high) >>> 1;
      if (points[middle].position < position) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? CHAIN_START : points[low - 1];
  }

  *links(seq: number): Iterable<Link> {
    for (let i = seq - 1; i < this.end.links; i++) yield this.content.links[i];
  }

  recordings(): ImportedRecording[] {
    return [...this.links(1)].filter((link) => link.kind === LINK.recording).map(linkRecording);
  }
}
