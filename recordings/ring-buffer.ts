/**
 * The pages of one CPU's ring buffer, one record after the other. Truth: kernel/trace/ring_buffer.c (struct buffer_data_page,
 * rb_event_length, rb_fix_abs_ts) and libtraceevent's kbuffer-parse.c. A page is an 8-byte time, the number of bytes used
 * with two flags for lost events, then records: type_len:5 and time_delta:27 in a u32, and what belongs to them.
 */
import type { PageSource } from './page-source.ts';

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
/** RB_MISSED_EVENTS: events were lost before this page; RB_MISSED_STORED: how many stands behind its data. */
const MISSED_EVENTS = 0x80000000;
const MISSED_STORED = 0x40000000;
const COMMIT = 0x07ffffff;
const TWO32 = 0x100000000;
const DELTA_BITS = 27;

/** Where a page has its parts, from the file's header_page. Units: bytes. */
export interface PageLayout {
  readonly commitAt: number;
  readonly commitSize: number;
  readonly dataAt: number;
}

/** Returns the layout that a header_page text describes, or that of every 64-bit kernel where it says nothing. */
export function pageLayout(headerPage: string): PageLayout {
  const field = (name: string): { offset: number; size: number } | null => {
    const m = new RegExp(`field: .*\\b${name};\\s*offset:(\\d{1,3});\\s*size:(\\d{1,5});`).exec(headerPage);
    return m && { offset: Number(m[1]), size: Number(m[2]) };
  };
  const commit = field('commit');
  const data = field('data');
  const sane = commit !== null && data !== null && (commit.size === 4 || commit.size === 8) && commit.offset >= 8 && commit.offset < 64 && commit.offset % 4 === 0 && data.offset % 4 === 0 && data.offset >= commit.offset + commit.size && data.offset <= 128;
  return sane ? { commitAt: commit.offset, commitSize: commit.size, dataAt: data.offset } : { commitAt: 8, commitSize: 8, dataAt: 16 };
}

/** Walks the records of one CPU. `next` moves to the first one and to each following one. */
export class RingBuffer {
  readonly cpu: number;
  /** Its place among the CPUs of the file. */
  readonly order: number;
  /** The record in hand: `view` from `at`, `length` bytes; time in nanoseconds as two halves. */
  view: DataView;
  words: Uint32Array;
  bytes: Buffer;
  at = 0;
  length = 0;
  timeLo = 0;
  timeHi = 0;
  /** Events lost before the record in hand: 0 none, -1 some, nobody says how many. Whoever has told it sets it to 0. */
  lost = 0;
  /** Pages that did not follow the format. */
  damaged = 0;
  readonly pages: PageSource;
  private readonly layout: PageLayout;
  private readonly littleEndian: boolean;
  private readonly shift: { readonly lo: number; readonly hi: number };
  private cursor = 0;
  private end = 0;

  /** `shift` is added to every time, modulo 2^64. */
  constructor(cpu: number, order: number, pages: PageSource, layout: PageLayout, littleEndian: boolean, shift: { readonly lo: number; readonly hi: number }) {
    this.cpu = cpu;
    this.order = order;
    this.pages = pages;
    this.layout = layout;
    this.littleEndian = littleEndian;
    this.shift = shift;
    this.bytes = pages.bytes;
    this.view = pages.view;
    this.words = pages.words;
  }

  /** Moves to the next record; false at the end. */
  next(): boolean {
    for (;;) {
      const { words, littleEndian, end } = this;
      let q = this.cursor;
      while (q + 4 <= end) {
        const word = words[q >>> 2];
        const type = littleEndian ? word & 31 : word >>> DELTA_BITS;
        const delta = littleEndian ? word >>> 5 : word & 0x07ffffff;
        q += 4;
        if (type < PADDING && type > 0) {
          const length = type * 4;
          if (q + length > end) break;
          this.advance(delta);
          this.at = q;
          this.length = length;
          this.cursor = q + length;
          return true;
        }
        if (type === PADDING && delta === 0) {
          q = end; // the rest of the page is empty
          break;
        }
        if (q + 4 > end) break;
        const second = words[q >>> 2];
        if (type === TIME_EXTEND) {
          q += 4;
          this.advance(delta + ((second << DELTA_BITS) >>> 0));
          this.timeHi = (this.timeHi + (second >>> 5)) >>> 0;
        } else if (type === TIME_STAMP) {
          q += 4;
          this.absolute(((second << DELTA_BITS) | delta) >>> 0, second >>> 5);
        } else if (type === PADDING) {
          // A discarded record.
          if (q + second > end || second === 0) break;
          this.advance(delta);
          q += second;
        } else {
          if (second < 4 || q + second > end) break;
          const length = (second - 4 + 3) & ~3;
          this.advance(delta);
          this.at = q + 4;
          this.length = second - 4;
          this.cursor = q + 4 + length;
          return true;
        }
      }
      if (q < end) {
        this.damaged++;
        this.lost = -1;
      }
      if (!this.page()) return false;
    }
  }

  /** Moves to the next page; false at the end. */
  private page(): boolean {
    const { layout, pages } = this;
    for (;;) {
      const page = pages.next();
      if (page < 0) {
        if (pages.damaged) this.lost = -1;
        this.cursor = this.end = 0;
        return false;
      }
      this.view = pages.view;
      this.words = pages.words;
      this.bytes = pages.bytes;
      const { words } = this;
      const commit = words[((page + layout.commitAt) >>> 2) + (layout.commitSize === 4 ? 0 : pages.low)];
      const size = commit & COMMIT;
      const data = page + layout.dataAt;
      if (size > pages.pageSize - layout.dataAt) {
        this.damaged++;
        this.lost = -1;
        continue;
      }
      if (commit & MISSED_EVENTS) this.lost = this.missed(commit, data + size, page + pages.pageSize);
      if (size === 0) continue;
      this.timeLo = words[(page >>> 2) + pages.low];
      this.timeHi = words[(page >>> 2) + 1 - pages.low];
      this.shiftTime();
      this.cursor = data;
      this.end = data + size;
      return true;
    }
  }

  private missed(commit: number, at: number, end: number): number {
    const { layout, words, pages } = this;
    if ((commit & MISSED_STORED) === 0 || at + layout.commitSize > end) return -1;
    return words[(at >>> 2) + (layout.commitSize === 4 ? 0 : pages.low)] || -1;
  }

  private advance(delta: number): void {
    const lo = this.timeLo + delta;
    if (lo < TWO32) this.timeLo = lo;
    else {
      this.timeLo = lo % TWO32;
      this.timeHi = (this.timeHi + Math.floor(lo / TWO32)) >>> 0;
    }
  }

  /** An absolute time has 59 bits; the rest is that of the time before it. */
  private absolute(lo: number, hi: number): void {
    this.timeLo = lo;
    this.timeHi = ((this.timeHi & 0xf8000000) | hi) >>> 0;
    this.shiftTime();
  }

  private shiftTime(): void {
    const { shift } = this;
    if ((shift.lo | shift.hi) === 0) return;
    const lo = this.timeLo + shift.lo;
    this.timeLo = lo % TWO32;
    this.timeHi = (this.timeHi + shift.hi + Math.floor(lo / TWO32)) % TWO32;
  }
}
