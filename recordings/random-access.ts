/**
 * Reads any part of a source by its offset. What comes through a pipe, or out of gzip or zstd, is put into a temporary file
 * first, which has no name from the moment it exists.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnreadableError } from '../events/problem.ts';
import { CHUNK_BYTES, type ByteSource } from './byte-source.ts';

/** A part of a file was asked for that is not there: the file is cut off, or an offset in it is wrong. */
export class OutOfFile extends Error {}

/** A file whose parts can be read in any order. */
export class RandomAccess {
  readonly sizeBytes: number;
  private readonly fd: number;
  private readonly temporary: boolean;

  private constructor(fd: number, temporary: boolean) {
    this.fd = fd;
    this.temporary = temporary;
    this.sizeBytes = fstatSync(fd).size;
  }

  /** Returns random access to all of a source. Errors: UnreadableError where the temporary file cannot be written. */
  static async of(source: ByteSource): Promise<RandomAccess> {
    if (source.file !== null) return new RandomAccess(source.file, false);
    const fd = temporaryFile(source.name);
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const n = await source.read(buffer, 0);
      if (n === 0) break;
      try {
        for (let at = 0; at < n; ) at += writeSync(fd, buffer, at, n - at);
      } catch (error) {
        closeSync(fd);
        throw new UnreadableError(`${source.name}: cannot be put into a temporary file in ${tmpdir()}: ${(error as NodeJS.ErrnoException).code}`, 'name the file itself, unpacked, or set TMPDIR to a place with room');
      }
    }
    return new RandomAccess(fd, true);
  }

  /** Returns `length` bytes from `offset`. Errors: OutOfFile where the file does not have them. */
  read(offset: number, length: number): Buffer {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)) throw new OutOfFile(`${length} bytes at ${offset} of a file of ${this.sizeBytes} bytes`);
    const bytes = Buffer.allocUnsafeSlow(length);
    if (this.readInto(bytes, offset, length) < length) throw new OutOfFile(`${length} bytes at ${offset}`);
    return bytes;
  }

  /** Reads into the beginning of `into`; gives the number of bytes, fewer than `length` at the end of the file. */
  readInto(into: Buffer, offset: number, length: number): number {
    let n = 0;
    while (n < length) {
      const more = readSync(this.fd, into, n, length - n, offset + n);
      if (more === 0) break;
      n += more;
    }
    return n;
  }

  close(): void {
    if (this.temporary) closeSync(this.fd);
  }
}

function temporaryFile(name: string): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-'));
    try {
      return openSync(join(folder, 'recording'), 'wx+', 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  } catch (error) {
    throw new UnreadableError(`${name}: no temporary file can be made in ${tmpdir()}: ${(error as NodeJS.ErrnoException).code}`, 'name the file itself, unpacked, or set TMPDIR to a place with room');
  }
}
