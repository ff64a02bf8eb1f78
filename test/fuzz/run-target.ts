/**
 * Mutates one reader's seed in a process of its own and watches it: a mutation may take 2 s and the process 512 MB. What is
 * over the limit is run once more alone, because a machine may be busy and memory may be that of the mutations before.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
const MAX_MS = 2000;
const MAX_MB = 512;
/** Until the seed is made. Units: milliseconds. */
const START_MS = 60_000;

/** A mutation that ended in none of the ways it may. */
export interface Failure {
  readonly n: number;
  readonly what: string;
}

/** What came of the mutations of one reader. */
export interface Result {
  readonly reader: string;
  mutations: number;
  /** How many mutations are not by chance. */
  systematic: number;
  unreadable: number;
  problems: number;
  clean: number;
  slowestMs: number;
  peakMb: number;
  readonly failures: Failure[];
}

/** Runs mutations [from, to); returns the next one to run, and what was wrong with the one before it. */
function runPart(result: Result, from: number, to: number, number: number): Promise<{ next: number; failure: Failure | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WORKER, result.reader, String(from), String(to), String(number), String(MAX_MB)], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    let next = from;
    let failure: Failure | null = null;
    let running = false;
    const late = (): void => {
      failure = { n: next, what: `longer than ${MAX_MS} ms` };
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(late, START_MS);
    const lines = createInterface(child.stdio[3] as Readable);
    lines.on('line', (line) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(late, MAX_MS);
      const [first, outcome, ms, mb] = line.split(' ');
      if (first === 'systematic') result.systematic = Number(outcome);
      else if (first === '>') running = true;
      else {
        running = false;
        next = Number(first) + 1;
        result.mutations++;
        if (outcome === 'crash') result.failures.push({ n: next - 1, what: JSON.parse(line.slice(line.indexOf('"'))) as string });
        else {
          result[outcome as 'unreadable' | 'problems' | 'clean']++;
          result.slowestMs = Math.max(result.slowestMs, Number(ms));
          if (Number(mb) > MAX_MB) failure = { n: next - 1, what: `${mb} MB` };
          else result.peakMb = Math.max(result.peakMb, Number(mb));
        }
      }
    });
    child.once('error', reject);
    lines.once('close', () => clearTimeout(watchdog));
    child.once('close', (code, signal) => {
      clearTimeout(watchdog);
      if (failure === null && running) failure = { n: next, what: `the process ended with ${signal ?? code}` };
      if (failure === null && next < to) reject(new Error(`${result.reader}: its process ended with ${signal ?? code} before mutation ${next}`));
      else resolve({ next: failure === null ? next : failure.n + 1, failure });
    });
  });
}

/** Returns what came of mutations [from, to) of a reader. */
export async function runTarget(reader: string, from: number, to: number, number: number): Promise<Result> {
  const result: Result = { reader, mutations: 0, systematic: 0, unreadable: 0, problems: 0, clean: 0, slowestMs: 0, peakMb: 0, failures: [] };
  for (let at = from; at < to; ) {
    const { next, failure } = await runPart(result, at, to, number);
    if (failure !== null) {
      const alone = await runPart({ ...result, failures: [] }, failure.n, failure.n + 1, number);
      if (alone.failure !== null) result.failures.push(failure);
      if (!failure.what.endsWith(' MB')) result.mutations++;
    }
    at = next;
  }
  return result;
}
