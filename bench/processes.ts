/**
 * Measures whole processes: CPU time of each run through the shell's own accounting, interleaved rounds, medians of ratios.
 */
import { spawnSync } from 'node:child_process';

/** One run of a command: its CPU time in seconds and what it printed. */
export interface Run {
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command; returns its CPU time (user + system, seconds) and what it printed. Errors: throws where it cannot be started. */
export function cpuTime(command: readonly string[]): Run {
  const quoted = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  const shell = spawnSync('bash', ['-c', `TIMEFORMAT='@@ %U %S'; time ${quoted}`], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const times = /@@ ([\d.]+) ([\d.]+)/.exec(shell.stderr);
  if (shell.error || !times) throw new Error(`cannot measure ${command[0]}: ${shell.error?.message ?? shell.stderr}`);
  return { seconds: Number(times[1]) + Number(times[2]), stdout: shell.stdout, stderr: shell.stderr.replace(/@@ .*\n?/, '') };
}

/** Median of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** `min / median / max` with two decimals. */
export function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)} / ${median(values).toFixed(2)} / ${Math.max(...values).toFixed(2)}`;
}
