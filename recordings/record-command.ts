/**
 * Runs the command that is recorded, and hears the signals meanwhile.
 * A terminal sends ^C to the recorder and the command alike, so it is passed on only where no terminal did. A command may live on
 * after one ^C (debuggers and shells do); SIGTERM, SIGHUP or a second signal end the recording after a short grace even then.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** How long a command may take to end after ^C before it is said that one more ends the recording. */
const PATIENCE_MS = 2000;
/** How long a command may take to end after a signal that ends the recording. */
const GRACE_MS = 3000;
/** npm passes ^C on although the terminal has sent it already: two within this time are one. */
const SAME_MS = 300;

/** The signals that came so far. While one lives, none of them ends the program. */
export class Interruptions {
  /** The last signal, or null. */
  signal: NodeJS.Signals | null = null;
  count = 0;
  /** Called at each signal. */
  onSignal: (signal: NodeJS.Signals) => void = () => {};
  private lastMs = -Infinity;
  private readonly hear = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (signal === this.signal && now - this.lastMs < SAME_MS) return;
    this.lastMs = now;
    this.signal = signal;
    this.count++;
    this.onSignal(signal);
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.hear);
  }

  /** Lets signals end the program again. */
  end(): void {
    for (const name of SIGNALS) process.off(name, this.hear);
  }
}

/** How a command ended. */
export interface CommandEnd {
  /** As a shell has it: 128 + signal where one killed it, 127 not found, 126 not executable. */
  readonly status: number;
  /** For people: `status 0`, `killed by SIGINT`. */
  readonly text: string;
  /** False where it could not be started. */
  readonly started: boolean;
}

/**
 * Runs a command with our stdin, stdout and stderr; returns how it ended, or that it still runs and was left alone.
 * `stillRuns` is called where it lives on after one ^C.
 */
export function runCommand(argv: readonly string[], interruptions: Interruptions, stillRuns: () => void): Promise<CommandEnd> {
  return new Promise((resolve) => {
    let patience: NodeJS.Timeout | undefined;
    let grace: NodeJS.Timeout | undefined;
    const child = spawn(argv[0], argv.slice(1), { stdio: 'inherit' });
    const end = (status: number, text: string, started = true): void => {
      clearTimeout(patience);
      clearTimeout(grace);
      interruptions.onSignal = () => {};
      resolve({ status, text, started });
    };
    interruptions.onSignal = (signal) => {
      pass(child, signal, interruptions.count);
      if (signal === 'SIGINT' && interruptions.count === 1) {
        patience = setTimeout(stillRuns, PATIENCE_MS);
        return;
      }
      clearTimeout(patience);
      grace ??= setTimeout(() => {
        child.unref();
        end(128 + constants.signals[signal], `it still runs ${GRACE_MS / 1000} s after ${signal} and is left alone`);
      }, GRACE_MS);
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) end(error.code === 'EACCES' ? 126 : 127, error.code === 'ENOENT' ? 'not found' : error.code === 'EACCES' ? 'not executable' : (error.code ?? error.message), false);
    });
    child.on('exit', (code, signal) => {
      if (signal === null) end(code!, `status ${code}`);
      else end(128 + constants.signals[signal], `killed by ${signal}`);
    });
  });
}

function pass(child: ChildProcess, signal: NodeJS.Signals, count: number): void {
  if (count === 1 && (signal === 'SIGINT' || signal === 'SIGQUIT') && inForeground()) return;
  child.kill(signal);
}

/** Whether a terminal's ^C reaches our process group, and with it the command. Source: proc_pid_stat(5), pgrp and tpgid. */
function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , pgrp, , , tpgid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return pgrp === tpgid;
  } catch {
    return false;
  }
}
