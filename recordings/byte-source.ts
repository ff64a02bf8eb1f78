/**
 * Bytes of a file or of stdin in chunks, and the first of them for recognising the format.
 * Reads synchronously: a replay has nothing else to do, and ^C ends the process at any moment without harm.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UnreadableError } from '../events/problem.ts';

/** Bytes read at a time. */
export const CHUNK_BYTES = 1 << 20;

/** An open file, pipe or stdin. `read` is called until it returns 0. */
export class ByteSource {
  readonly name: string;
  readonly sizeBytes: number | null;
  /** The first bytes, up to one chunk; they are delivered again by `read`. */
  readonly head: Buffer;
  private readonly fd: number;
  private headTaken = 0;

  /** Errors: UnreadableError when the file is missing, a directory, forbidden or empty. */
  constructor(path: string) {
    this.name = path === '-' ? 'stdin' : path;
    try {
      this.fd = path === '-' ? 0 : openSync(path, 'r');
    } catch (error) {
      throw new UnreadableError(`${path}: ${openReason(error)}`, 'name a recording, a .ledger file, or - for stdin');
    }
    const stat = fstatSync(this.fd);
    if (stat.isDirectory()) {
      this.close();
      throw new UnreadableError(`${this.name}: is a directory`, 'name the recording inside it');
    }
    this.sizeBytes = stat.isFile() ? stat.size : null;
    const first = Buffer.allocUnsafe(CHUNK_BYTES);
    let length = 0;
    // A pipe delivers little at a time; one full chunk makes recognition certain.
    while (length < first.length) {
      const n = this.readFd(first, length, first.length - length);
      if (n === 0) break;
      length += n;
    }
    this.head = first.subarray(0, length);
    if (length === 0) {
      this.close();
      throw new UnreadableError(`${this.name}: is empty`, 'record again: nothing was written to it');
    }
  }

  /** Reads into `into` from `at`; returns the number of bytes, 0 at the end. */
  read(into: Buffer, at: number): number {
    if (this.headTaken < this.head.length) {
      const n = this.head.copy(into, at, this.headTaken);
      this.headTaken += n;
      return n;
    }
    return this.readFd(into, at, into.length - at);
  }

  close(): void {
    if (this.fd !== 0) closeSync(this.fd);
  }

  private readFd(into: Buffer, at: number, length: number): number {
    for (;;) {
      try {
        return readSync(this.fd, into, at, length, null);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EOF') return 0;
        if (code !== 'EAGAIN') throw new UnreadableError(`${this.name}: cannot be read: ${code}`, 'copy it to a file first, and check that the copy is whole');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }
}

function openReason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return code ?? String(error);
}
