/**
 * Pieces of a trace.dat: bounded reads of numbers and strings in either byte order, and unpacking. Whatever a damaged file
 * says, nothing is read beyond a piece and nothing unpacks to more than `MAX_PART`.
 */
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { OutOfFile } from './random-access.ts';

/** No part of a real file but the events themselves is larger; a wrong length must not take all memory. Units: bytes. */
export const MAX_PART = 64 << 20;

/** How parts of the file are packed. */
export type Compression = 'none' | 'zstd' | 'zlib';

/** A part of the file is not what the format says. */
export class Damaged extends Error {}

/** A place in the file, or in an unpacked part of it. */
export class PartCursor {
  readonly bytes: Buffer;
  readonly littleEndian: boolean;
  at = 0;

  constructor(bytes: Buffer, littleEndian: boolean) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }
  u16(): number {
    const at = this.take(2);
    return this.littleEndian ? this.bytes.readUInt16LE(at) : this.bytes.readUInt16BE(at);
  }
  u32(): number {
    const at = this.take(4);
    return this.littleEndian ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at);
  }
  /** A size or an offset. */
  u64(): number {
    const at = this.take(8);
    const value = this.littleEndian ? this.bytes.readBigUInt64LE(at) : this.bytes.readBigUInt64BE(at);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Damaged(`0x${value.toString(16)} cannot be a size or an offset`);
    return Number(value);
  }
  text(length: number): string {
    const at = this.take(length);
    return this.bytes.toString('latin1', at, at + length);
  }
  data(length: number): Buffer {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }
  /** A string up to its NUL. */
  string(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new Damaged('a string has no end');
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end + 1;
    return text;
  }
  private take(length: number): number {
    const { at } = this;
    if (!(length >= 0 && at + length <= this.bytes.length)) throw new OutOfFile(`a part ends ${length - this.left} bytes too early`);
    this.at = at + length;
    return at;
  }
}

/** Returns unpacked bytes. Errors: Damaged. `size` is what the file says they unpack to. */
export function unpack(compression: Compression, bytes: Buffer, size: number): Buffer {
  if (size > MAX_PART) throw new Damaged(`a part that unpacks to ${size} bytes`);
  if (compression === 'none') throw new Damaged('a part is marked as compressed in a file without compression');
  try {
    const options = { maxOutputLength: Math.max(size, 1) };
    return compression === 'zstd' ? zstdDecompressSync(bytes, options) : inflateSync(bytes, options);
  } catch (error) {
    throw new Damaged(`${compression} data that cannot be unpacked (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

/** Returns whether an error means that a part of the file is damaged or missing. */
export function isDamage(error: unknown): error is Error {
  return error instanceof Damaged || error instanceof OutOfFile;
}
