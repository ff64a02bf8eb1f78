/**
 * Bytes of a file, a pipe or stdin in chunks, unpacked where they are gzip or zstd, and the first of them for recognising
 * the format. Files are read synchronously: a replay has nothing else to do. Pipes, and files that are followed, are awaited,
 * so that ^C is heard while nothing comes.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { UnreadableError } from '../events/problem.ts';
import { PatientRead, fileRead, followedRead, pipeRead, unpackerFor, type RawRead } from './raw-read.ts';

/** Bytes read at a time. */
export const CHUNK_BYTES = 1 << 20;
/** A live source that is silent for so long is recognised by what it has given so far. Units: milliseconds. */
const IDLE_MS = 300;
/** How far a source that is no file is looked through for what is not in its first bytes. */
const AHEAD_BYTES = 32 << 20;
const OVERLAP_BYTES = 4096;
/** Wrappings that are taken off: a .zst in a .gz, no more. */
const MAX_PACKED = 2;

/** An open source of bytes. `read` is called until it gives 0. */
export class ByteSource {
  readonly name: string;
  /** Size in bytes of the file on disk, where it is known; `position` counts against it. */
  readonly sizeBytes: number | null;
  /** Whether it may go on growing, so that what it gives must be used at once. */
  readonly live: boolean;
  /** The descriptor where the bytes lie plain in a file, which can be read in any order; else null. */
  file: number | null;
  /** The first bytes, up to one chunk; they are delivered again by `read`. */
  head: Buffer = Buffer.alloc(0);
  /** Bytes taken from disk or pipe so far. */
  position = 0;
  /** What ended the source before its end, or null. */
  damage: string | null = null;
  private raw: RawRead;
  private patient: PatientRead | null = null;
  private headTaken = 0;
  private stopped = false;
  private wake: () => void = () => {};
  private readonly fd: number;

  private constructor(path: string, fd: number, stat: Stats, follow: boolean) {
    this.name = path === '-' ? 'stdin' : path;
    this.fd = fd;
    // A file of tracefs or procfs has no size; trace_pipe keeps its reader waiting.
    const pipe = !stat.isFile() || (stat.size === 0 && !follow);
    this.live = follow || !stat.isFile();
    this.sizeBytes = this.live || pipe ? null : stat.size;
    this.file = this.live || pipe ? null : fd;
    const raw = pipe ? pipeRead(fd, this.name) : follow ? followedRead(fd, this.name, () => this.stopped) : fileRead(fd, this.name);
    this.raw = (into, at, length) => {
      const n = raw(into, at, length);
      if (typeof n !== 'number') return n.then((count) => this.took(count));
      return this.took(n);
    };
  }

  /**
   * Opens a file, or stdin as `-`; `follow` waits for more at the end of a file.
   * Errors: UnreadableError when it is missing, a directory, forbidden, empty, or damaged from the start.
   */
  static async open(path: string, follow = false): Promise<ByteSource> {
    const name = path === '-' ? 'stdin' : path;
    let fd: number;
    try {
      fd = path === '-' ? 0 : openSync(path, 'r');
    } catch (error) {
      throw new UnreadableError(`${name}: ${openReason(error)}`, 'name a recording, a .ledger file, or - for stdin');
    }
    const stat = fstatSync(fd);
    const source = new ByteSource(path, fd, stat, follow);
    try {
      if (stat.isDirectory()) throw new UnreadableError(`${name}: is a directory`, 'name the recording inside it');
      await source.fillHead();
      for (let packed = 0; packed < MAX_PACKED && source.unpack(); packed++) await source.fillHead();
      if (source.head.length > 0) return source;
      throw source.damage === null
        ? new UnreadableError(`${name}: is empty`, 'record again: nothing was written to it')
        : new UnreadableError(`${name}: ${source.damage}`, 'copy it again, or record again');
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Reads into `into` from `at`; gives the number of bytes, 0 at the end. */
  read(into: Buffer, at: number): number | Promise<number> {
    if (this.headTaken < this.head.length) {
      const n = this.head.copy(into, at, this.headTaken);
      this.headTaken += n;
      return n;
    }
    if (this.stopped) return 0;
    const n = this.raw(into, at, into.length - at);
    if (!this.live || typeof n === 'number') return n;
    // What is awaited may never come: `stop` ends the wait.
    return new Promise((resolve, reject) => {
      this.wake = () => resolve(0);
      n.then(resolve, reject);
    });
  }

  /**
   * Shows `look` the first bytes and, until it gives true, what follows them; all of it is delivered by `read` all the same.
   * A file is looked through to its end, anything else as far as it has come, up to `AHEAD_BYTES`.
   */
  async lookAhead(look: (bytes: Buffer) => boolean): Promise<void> {
    if (look(this.head)) return;
    if (this.file !== null) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      // Chunks overlap, so that nothing is cut in two.
      for (let at = this.head.length - OVERLAP_BYTES; ; at += CHUNK_BYTES - OVERLAP_BYTES) {
        const n = readSync(this.file, chunk, 0, CHUNK_BYTES, Math.max(0, at));
        if (n <= OVERLAP_BYTES || look(chunk.subarray(0, n))) return;
      }
    }
    while (this.head.length < AHEAD_BYTES) {
      const before = this.head;
      if (before.length < CHUNK_BYTES) return; // it has ended, or pauses
      await this.fillHead();
      const more = this.head;
      this.head = Buffer.concat([before, more]);
      if (look(this.head.subarray(before.length - OVERLAP_BYTES)) || more.length < CHUNK_BYTES) return;
    }
  }

  /** Ends the source where it is: a `read` that waits, and every later one, gives 0. */
  stop(): void {
    this.stopped = true;
    this.wake();
  }

  close(): void {
    if (this.fd !== 0) closeSync(this.fd);
  }

  private took(n: number): number {
    this.position += n;
    return n;
  }

  /** One full chunk makes recognition certain; a live source may not have one yet. */
  private async fillHead(): Promise<void> {
    const first = Buffer.allocUnsafe(CHUNK_BYTES);
    let length = 0;
    if (this.live && this.patient === null) {
      const patient = (this.patient = new PatientRead(this.raw));
      this.raw = (into, at, room) => patient.read(into, at, room);
    }
    const { patient } = this;
    while (length < first.length) {
      if (patient && length > 0 && !(await patient.arrives(IDLE_MS))) break;
      const n = await this.raw(first, length, first.length - length);
      if (n === 0) break;
      length += n;
    }
    this.head = first.subarray(0, length);
    this.headTaken = 0;
  }

  /** Takes off gzip or zstd; returns whether there was any. */
  private unpack(): boolean {
    const start = unpackerFor(this.head);
    if (start === null) return false;
    const { raw, head } = this;
    let headTaken = 0;
    const packed = (into: Buffer): number | Promise<number> => {
      if (headTaken === head.length) return raw(into, 0, into.length);
      const n = head.copy(into, 0, headTaken);
      headTaken += n;
      return n;
    };
    this.raw = start(packed, (what) => (this.damage = what));
    this.file = null;
    this.patient = null;
    return true;
  }
}

function openReason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return code ?? String(error);
}
