/**
 * What the bench measures of this project, and the life that it is measured on: whole runs of `iommu-ledger audit`.
 */
import { join } from 'node:path';
import { generateFtrace, type Generated, type GenerateOptions } from '../recordings/generate-ftrace.ts';
import { cpuTime } from './processes.ts';

/** Violations planted in what is measured: those that every rival knows. */
const RULES: NonNullable<GenerateOptions['inject']> = ['get-msi-cookie-on-iommufd', 'get-dma-cookie-on-iommufd', 'domain-double-free', 'word-mismatch', 'msi-address-mismatch', 'msi-page-unmapped'];
/** The program's first file. */
export const cli = join(import.meta.dirname, '../cli/iommu-ledger.mjs');
/** Prints the peak resident memory of the process it is loaded into. */
const PEAK = 'data:text/javascript,process.on("exit",()=>process._rawDebug("@peak "+process.resourceUsage().maxRSS))';

/** One run of ours. */
export interface Audited {
  readonly seconds: number;
  readonly illegal: number;
  readonly peakMb: number;
}

/** Hands the text of a synthetic recording to `write`; returns what was written. About 2.56 lines for each operation. */
export function generate(operations: number, write: (chunk: string) => void): Generated {
  return generateFtrace({ domains: 64, events: operations, seed: 20250228, inject: RULES, injectEvery: 1000 }, write);
}

/** Returns CPU time (seconds, node's start included), violations and peak memory. Errors: throws where nothing was audited. */
export function ours(file: string): Audited {
  const run = cpuTime([process.execPath, '--import', PEAK, cli, 'audit', '--quiet', '--fail-on', 'never', '--format', 'json', file]);
  if (!run.stdout.startsWith('{')) throw new Error(`iommu-ledger did not audit ${file}: ${run.stderr.trim()}`);
  const { summary } = JSON.parse(run.stdout) as { summary: Record<string, number> };
  return { seconds: run.seconds, illegal: summary['critical'] + summary['error'] + summary['warning'], peakMb: Number(/@peak (\d+)/.exec(run.stderr)?.[1]) / 1024 };
}

/** Errors: throws where somebody counts other violations than were planted. */
export function agree(planted: number, counts: Readonly<Record<string, number>>): void {
  for (const [name, illegal] of Object.entries(counts)) {
    if (illegal !== planted) throw new Error(`${name} found ${illegal} violations, ${planted} were planted`);
  }
}
