/**
 * Runs the command line as a person would: a process of its own, arguments in, status and text out.
 * Every call is a new Node (about 0.1 s), so a test asks for as many as it needs and no more.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The program's first file. */
export const PROGRAM = fileURLToPath(new URL('../../cli/iommu-ledger.mjs', import.meta.url));

/** What a run ended with. */
export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a run is given besides its arguments. */
export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs `iommu-ledger ARGS`; returns how it ended. stdin is empty unless given. */
export function run(args: readonly string[], options: RunOptions = {}): Result {
  return finish(process.execPath, [PROGRAM, ...args], options);
}

/** Runs a line of bash, in which `$LEDGER` is the program (`$NODE $PROGRAM`): for pipes and redirections. */
export function runShell(line: string, options: RunOptions = {}): Result {
  return finish('bash', ['-c', line], { ...options, env: { ...options.env, NODE: process.execPath, PROGRAM, LEDGER: `${process.execPath} ${PROGRAM}` } });
}

function finish(file: string, args: readonly string[], { stdin = '', env = {}, cwd }: RunOptions): Result {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    input: stdin,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 30_000,
    ...(cwd !== undefined && { cwd }),
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** Returns a directory that is removed after the tests of the file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'iommu-ledger-cli-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Returns the path of a recording under `test/recordings`. */
export function recording(name: string): string {
  return fileURLToPath(new URL(`../recordings/${name}.trace.txt`, import.meta.url));
}
