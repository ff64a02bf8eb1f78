/**
 * The ring-buffer pages of one CPU out of a trace.dat, a few at a time: plain, or in chunks that are unpacked one by one.
 */
import type { RandomAccess } from './random-access.ts';
import type { CpuData } from './trace-dat-file.ts';
import { isDamage, unpack, type Compression } from './trace-dat-part.ts';

/** Pages of a plain file read at a time, and what all CPUs may hold of them. Units: pages, bytes. */
const PAGES = 64;
const MAX_HELD = 64 << 20;
/** A chunk of trace-cmd holds 10 pages; no more than this is taken for real. Units: bytes. */
const MAX_CHUNK = 16 << 20;

/** Whether this machine is little-endian. */
const NATIVE_LITTLE = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Gives one page after the other: `next` gives where it begins in `bytes`, or -1 at the end. */
export class PageSource {
  bytes: Buffer = Buffer.alloc(0);
  /** The same bytes as numbers of 32 bits, whatever the byte order of the file; a 64-bit number has its low half at `low`. */
  words: Uint32Array = new Uint32Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** 0 in a little-endian file, 1 in a big-endian one. */
  readonly low: 0 | 1;
  readonly pageSize: number;
  /** What is wrong with the rest of it, or null. */
  damaged: string | null = null;
  /** Bytes of the file behind what has been taken, for progress. */
  get left(): number {
    return Math.max(0, this.end - this.offset);
  }
  private readonly file: RandomAccess;
  private readonly compression: Compression | null;
  private readonly littleEndian: boolean;
  private offset: number;
  private readonly end: number;
  private chunks = 0;
  private at = 0;
  private length = 0;

  /** `cpus`: how many there are of it in the file. */
  constructor(file: RandomAccess, data: CpuData, pageSize: number, compression: Compression, littleEndian: boolean, cpus = 1) {
    this.file = file;
    this.pageSize = pageSize;
    this.compression = data.packed ? compression : null;
    this.littleEndian = littleEndian;
    this.low = littleEndian ? 0 : 1;
    this.offset = data.offset;
    this.end = data.offset + data.size;
    if (this.end > file.sizeBytes) this.damaged = `the events of CPU ${data.cpu} go on to ${this.end}, but the file ends at ${file.sizeBytes}`;
    if (this.compression === null) {
      const pages = Math.max(1, Math.min(PAGES, Math.floor(MAX_HELD / (cpus * pageSize))));
      const room = Math.min(pages * pageSize, Math.max(pageSize, data.size));
      this.take(Buffer.allocUnsafeSlow(room));
    } else if (data.size > 0) this.guard(() => (this.chunks = this.u32()));
  }

  next(): number {
    if (this.at + this.pageSize > this.length && !this.refill()) return -1;
    const page = this.at;
    this.at += this.pageSize;
    return page;
  }

  private refill(): boolean {
    this.at = 0;
    this.length = 0;
    if (this.compression !== null) return this.chunk();
    const wanted = Math.min(this.bytes.length, this.left);
    if (wanted < this.pageSize) return false;
    this.length = this.file.readInto(this.bytes, this.offset, wanted);
    this.offset += this.length;
    this.order();
    return this.length >= this.pageSize;
  }

  private chunk(): boolean {
    while (this.chunks > 0 && this.left > 8) {
      this.chunks--;
      const ok = this.guard(() => {
        const [from, to] = [this.u32(), this.u32()];
        const packed = this.file.read(this.offset, Math.min(from, MAX_CHUNK));
        this.offset += from;
        this.take(unpack(this.compression!, packed, Math.min(to, MAX_CHUNK)));
        this.length = this.bytes.length;
        this.order();
      });
      if (!ok) return false;
      if (this.length >= this.pageSize) return true;
    }
    return false;
  }

  private take(bytes: Buffer): void {
    this.bytes = (bytes.byteOffset & 3) === 0 ? bytes : Buffer.from(Uint8Array.from(bytes).buffer);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.words = NATIVE_LITTLE === this.littleEndian ? new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length >>> 2) : new Uint32Array(this.bytes.length >>> 2);
  }

  /** Puts the numbers of new bytes in this machine's order, where it is not the file's. */
  private order(): void {
    if (NATIVE_LITTLE === this.littleEndian) return;
    for (let i = 0; i < this.words.length; i++) this.words[i] = this.view.getUint32(i * 4, this.littleEndian);
  }

  private u32(): number {
    const four = this.file.read(this.offset, 4);
    this.offset += 4;
    return this.littleEndian ? four.readUInt32LE() : four.readUInt32BE();
  }

  private guard(read: () => void): boolean {
    try {
      read();
      return true;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.damaged = error.message;
      return false;
    }
  }
}
