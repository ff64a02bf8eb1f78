/**
 * The one place where text leaves the program: results to stdout or `-o FILE`, all else to stderr, one exit status.
 * Exit: 0 clean, 1 findings, 2 usage, 3 unreadable source (with --strict: any problem or gap), 70 our bug.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Command } from 'commander';

export const EXIT = { clean: 0, findings: 1, usage: 2, unreadable: 3, bug: 70 } as const;

/** The command line is wrong: printed as one line with `see --help`, exit status 2. */
export class UsageError extends Error {}

/** Options that every command takes. */
export interface CommonOptions {
  readonly design?: string;
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
      const format = action.opts()['format'] as string;
      if (!formats.includes(format)) throw new UsageError(`--format ${format}: ${action.name()} prints ${formats.join(', ')}`);
    });
}

/**
 * Where a result goes: stdout, or a file that appears under its name only when it is complete.
 * Errors: writing to a closed pipe ends the program quietly (`| head`).
 */
export class Output {
  private readonly path: string | undefined;
  private readonly temporary: string;
  private readonly fd: number;
  private parts: string[] = [];
  private size = 0;

  constructor(path: string | undefined) {
    this.path = path;
    this.temporary = path === undefined ? '' : `${path}.${process.pid}.tmp`;
    try {
      this.fd = path === undefined ? 1 : openSync(this.temporary, 'w');
    } catch (error) {
      throw new UsageError(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code}`);
    }
  }

  write(text: string): void {
    this.parts.push(text);
    this.size += text.length;
    if (this.size > 1 << 16) this.flush();
  }

  /** Finishes the result; the file takes its name now. */
  close(): void {
    this.flush();
    if (this.path === undefined) return;
    fsyncSync(this.fd);
    closeSync(this.fd);
    renameSync(this.temporary, this.path);
  }

  /** Drops an unfinished file. */
  discard(): void {
    this.parts = [];
    if (this.path === undefined) return;
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
  }

  private flush(): void {
    const bytes = Buffer.from(this.parts.join(''), 'utf8');
    this.parts = [];
    this.size = 0;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(this.fd, bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        else if (code === 'EPIPE') process.exit(0);
        else throw error;
      }
    }
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
