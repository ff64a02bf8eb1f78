/**
 * The one place where text leaves the program: results to stdout or `-o FILE`, all else to stderr, one exit status.
 * Exit: 0 clean, 1 findings, 2 usage, 3 unreadable source (with --strict: any problem or gap), 70 our bug.
 */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { DESIGNS, findDesign } from '../machines/design-list.ts';

/** Exit status of each kind of ending. */
export const EXIT = { clean: 0, findings: 1, usage: 2, unreadable: 3, bug: 70 } as const;

/** The command line is wrong: printed as one line with `see --help`, exit status 2. */
export class UsageError extends Error {}

/** The result cannot be written to the end: printed as one line, exit status 2. */
export class OutputError extends Error {}

/** Options that every command takes. */
export interface CommonOptions {
  readonly design?: string;
  /** `--owner-bits`, of commands that have it. */
  readonly ownerBits?: string;
  readonly format?: string;
  readonly output?: string;
  readonly strict?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

/** Adds the options that every command takes; `formats[0]` is the default of `--format`. */
export function withCommonOptions(command: Command, formats: readonly string[]): Command {
  return command
    .option('--design <id>', "kernel design to judge by (default: the recording's own)")
    .option('--format <format>', `output format: ${formats.join(', ')}`, formats[0])
    .option('-o, --output <file>', 'write the result to a file instead of stdout')
    .option('--strict', 'exit 3 on any problem or gap in the recording')
    .option('--quiet', 'print nothing but the result and errors')
    .option('--no-color', 'no colour')
    .hook('preAction', (_, action) => {
      const { format, design, output } = action.opts() as { format: string; design?: string; output?: string };
      for (const source of (action.processedArgs as unknown[]).flat()) if (typeof source === 'string') refuseSame(source, output);
      if (!formats.includes(format)) throw new UsageError(`--format ${format}: ${action.name()} prints ${formats.join(', ')}`);
      if (design !== undefined && !findDesign(design)) throw new UsageError(`--design ${design}: not one of ${DESIGNS.map(({ id }) => id).join(', ')}`);
    });
}

/** Errors: UsageError where a result would be written over what it is made of. */
function refuseSame(source: string, output: string | undefined): void {
  if (output === undefined) return;
  const [from, to] = [source, output].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (from?.isFile() && to?.isFile() && from.dev === to.dev && from.ino === to.ino) throw new UsageError(`-o ${output}: is the source itself`);
}

/**
 * Where a result goes: stdout, or a file that appears under its name only when it is complete. A pipe or a device is written
 * to as it is: it is somebody else's, and a new file in its place would be a loss.
 * Errors: UsageError where the file cannot be made, OutputError where writing fails later; a closed pipe ends the program quietly (`| head`).
 */
export class Output {
  private readonly name: string;
  /** Where the file will be, and its name until then; null for stdout, pipes and devices. */
  private readonly file: { readonly path: string; readonly temporary: string } | null;
  private readonly fd: number;
  private open = true;
  private parts: string[] = [];
  private size = 0;

  constructor(path: string | undefined) {
    this.name = path ?? 'the result';
    try {
      this.file = path === undefined ? null : placeFor(path);
      this.fd = path === undefined ? 1 : openSync(this.file?.temporary ?? path, 'w');
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`cannot write ${path}: ${writeReason(error)}`);
    }
  }

  /** Adds text to the result. */
  write(text: string): void {
    this.parts.push(text);
    this.size += text.length;
    if (this.size > 1 << 16) this.flush();
  }

  /** Finishes the result; the file takes its name now. */
  close(): void {
    this.flush();
    if (this.fd === 1) return;
    try {
      if (this.file) fsyncSync(this.fd);
      this.open = false;
      closeSync(this.fd);
      if (this.file) renameSync(this.file.temporary, this.file.path);
    } catch (error) {
      throw new OutputError(`cannot write ${this.name}: ${writeReason(error)}`);
    }
  }

  /** Drops an unfinished file. */
  discard(): void {
    this.parts = [];
    if (this.fd === 1) return;
    if (this.open) closeSync(this.fd);
    this.open = false;
    if (this.file) rmSync(this.file.temporary, { force: true });
  }

  /** Writes what has been added so far. */
  flush(): void {
    const bytes = Buffer.from(this.parts.join(''), 'utf8');
    this.parts = [];
    this.size = 0;
    let patience = 0.1;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(this.fd, bytes, at);
        patience = 0.1;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // A full pipe: who reads it may be as fast as we are, or a person.
        if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, (patience = Math.min(patience * 2, 5)));
        else if (code === 'EPIPE') process.exit(EXIT.clean);
        else throw new OutputError(`cannot write ${this.name}: ${writeReason(error)}`);
      }
    }
  }
}

/** Returns where a new file of this name goes, behind symbolic links; null for a pipe or a device. */
function placeFor(path: string): { path: string; temporary: string } | null {
  if (path === '') throw new UsageError('-o: name a file');
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw new UsageError(`cannot write ${path}: is a directory`);
  if (stat && !stat.isFile()) return null;
  const target = stat ? realpathSync(path) : path;
  return { path: target, temporary: `${target}.${process.pid}.tmp` };
}

function writeReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT': return 'no such directory';
    case 'ENOTDIR': return 'not a directory';
    case 'EACCES': case 'EPERM': return 'permission denied';
    case 'EROFS': return 'the file system is read-only';
    case 'ENOSPC': case 'EDQUOT': return 'no space left';
    default: return code ?? message;
  }
}

/** A line for the person at the terminal. */
export function note(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // A closed stderr must not change the result.
  }
}
