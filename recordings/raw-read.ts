/**
 * Reads bytes from files, files that grow, pipes, and out of gzip and zstd; each is a function of the same shape.
 */
import { fstatSync, read as readAsync, readSync } from 'node:fs';
import { Readable, pipeline } from 'node:stream';
import { setImmediate as soon, setTimeout as sleep } from 'node:timers/promises';
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { UnreadableError } from '../events/problem.ts';

/** How often a file that is followed is looked at. Units: milliseconds. */
const FOLLOW_MS = 100;
const PACKED_CHUNK = 1 << 16;

/** Reads into `into[at, at + length)`; gives the number of bytes, 0 at the end. */
export type RawRead = (into: Buffer, at: number, length: number) => number | Promise<number>;

/** Returns a read of a file. Errors: UnreadableError. */
export function fileRead(fd: number, name: string): RawRead {
  return (into, at, length) => {
    try {
      return readSync(fd, into, at, length, null);
    } catch (error) {
      throw unreadable(name, error);
    }
  };
}

/** Returns a read that waits for more at the end of a file until `stopped`; a file that became shorter is at its end. */
export function followedRead(fd: number, name: string, stopped: () => boolean): RawRead {
  const read = fileRead(fd, name);
  let position = 0;
  return async (into, at, length) => {
    for (;;) {
      const n = await read(into, at, length);
      position += n;
      if (n > 0 || stopped() || fstatSync(fd).size < position) return n;
      await sleep(FOLLOW_MS);
    }
  };
}

/** Returns a read of a pipe, a terminal or a file of tracefs, which may keep it waiting. Errors: UnreadableError. */
export function pipeRead(fd: number, name: string): RawRead {
  return async (into, at, length) => {
    for (let wait = 0; ; wait = Math.min(wait + 1, 10)) {
      try {
        return await new Promise<number>((resolve, reject) => {
          readAsync(fd, into, at, length, null, (error, n) => (error ? reject(error) : resolve(n)));
        });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EOF') return 0;
        if (code !== 'EAGAIN') throw unreadable(name, error);
        // Who fills the pipe may be about to, or at rest.
        if (wait === 0) await soon();
        else await sleep(wait);
      }
    }
  };
}

/** Returns a function that starts unpacking what `read` gives, if these first bytes are gzip or zstd; else null. */
export function unpackerFor(head: Buffer): ((read: (into: Buffer) => number | Promise<number>, damaged: (what: string) => void) => RawRead) | null {
  const gzip = head.length > 2 && head[0] === 0x1f && head[1] === 0x8b;
  const zstd = head.length > 4 && head.readUInt32LE(0) === 0xfd2fb528;
  if (!gzip && !zstd) return null;
  return (read, damaged) => {
    // What has been read and not been unpacked yet: zstd stops at the end of a frame, and another one may follow.
    let rest: Buffer[] = [];
    let fed: Buffer[] = [];
    let dropped = 0;
    async function* packed(): AsyncGenerator<Buffer> {
      for (;;) {
        let chunk = rest.shift();
        if (chunk === undefined) {
          chunk = Buffer.allocUnsafe(PACKED_CHUNK);
          const n = await read(chunk);
          if (n === 0) return;
          chunk = chunk.subarray(0, n);
        }
        while (fed.length > 0 && dropped + fed[0].length <= unpack.bytesWritten) dropped += fed.shift()!.length;
        fed.push(chunk);
        yield chunk;
      }
    }
    let unpack: Gunzip | ZstdDecompress;
    let chunks: AsyncIterator<Buffer>;
    const start = (): void => {
      unpack = gzip ? createGunzip() : createZstdDecompress();
      pipeline(Readable.from(packed()), unpack, () => {}); // its error arrives at the iterator
      chunks = unpack[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    };
    /** Goes on behind the end of a frame; false where nothing follows. */
    const again = async (): Promise<boolean> => {
      if (gzip) return false; // its members are joined already
      let taken = unpack.bytesWritten - dropped;
      const left: Buffer[] = [];
      for (const chunk of fed) {
        if (taken < chunk.length) left.push(chunk.subarray(taken));
        taken = Math.max(0, taken - chunk.length);
      }
      fed = [];
      dropped = 0;
      rest = [...left, ...rest];
      if (rest.length === 0) {
        const chunk = Buffer.allocUnsafe(PACKED_CHUNK);
        const n = await read(chunk);
        if (n === 0) return false;
        rest = [chunk.subarray(0, n)];
      }
      start();
      return true;
    };
    start();
    let left: Buffer = Buffer.alloc(0);
    return async (into, at, length) => {
      try {
        while (left.length === 0) {
          const { done, value } = await chunks.next();
          if (!done) left = value;
          else if (!(await again())) return 0;
        }
      } catch (error) {
        if (error instanceof UnreadableError) throw error;
        damaged(`its ${gzip ? 'gzip' : 'zstd'} data is damaged or cut off (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
        return 0;
      }
      const n = left.copy(into, at, 0, length);
      left = left.subarray(n);
      return n;
    };
  };
}

/** A read whose next bytes can be awaited for a limited time without losing them. */
export class PatientRead {
  private readonly raw: RawRead;
  private readonly chunk = Buffer.allocUnsafe(PACKED_CHUNK);
  private from = 0;
  private to = 0;
  private ended = false;
  private pending: Promise<void> | null = null;

  constructor(raw: RawRead) {
    this.raw = raw;
  }

  /** Waits for bytes or the end, at most so long; returns whether either is there. Units: milliseconds. */
  async arrives(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.fill(), late]);
    timer.abort();
    return this.from < this.to || this.ended;
  }

  /** As a `RawRead`. */
  async read(into: Buffer, at: number, length: number): Promise<number> {
    await this.fill();
    const n = this.chunk.copy(into, at, this.from, Math.min(this.to, this.from + length));
    this.from += n;
    return n;
  }

  private fill(): Promise<void> {
    if (this.from < this.to || this.ended) return Promise.resolve();
    this.pending ??= Promise.resolve(this.raw(this.chunk, 0, this.chunk.length)).then((n) => {
      this.pending = null;
      this.from = 0;
      this.to = n;
      this.ended = n === 0;
    });
    return this.pending;
  }
}

function unreadable(name: string, error: unknown): UnreadableError {
  return new UnreadableError(`${name}: cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'copy it to a file first, and check that the copy is whole');
}
