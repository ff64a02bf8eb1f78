/**
 * `audit SOURCE --minimise RULE`: the shortest list of the source's events that still gives one finding, as NDJSON, which
 * `audit --design D -` reads. The newest two million events up to it are held in memory.
 */
import { renderEvent } from '../events/ndjson.ts';
import { isRule } from '../machines/rules.ts';
import { Audit } from '../projections/audit.ts';
import type { Finding } from '../projections/finding.ts';
import { KeptEvents } from '../projections/kept-events.ts';
import { Minimiser, type OwnOf } from '../projections/minimise.ts';
import { ndjsonEvidence } from '../recordings/ndjson-evidence.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { plural } from '../reports/text.ts';
import { EXIT, Output, UsageError, note, type CommonOptions } from './io.ts';
import { noSuchRule } from './near-names.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';

/** Options of `audit` that concern minimising. */
export interface MinimiseOptions extends CommonOptions {
  readonly minimise?: string;
  readonly at?: string;
  readonly history?: boolean;
  readonly follow?: boolean;
}

/** Time between two lines of progress. */
const SHOW_MS = 100;

/** Prints the events that the finding of a rule needs. Errors: UsageError for an unknown rule, and where there is no such finding. */
export async function minimise(paths: readonly string[], options: MinimiseOptions): Promise<void> {
  const { rule, at } = wanted(options);
  const quiet = options.quiet === true;
  const source = await openSource(paths, { quiet });
  const chosen = chooseDesign(source.summary, options);
  const output = new Output(options.output);
  try {
    // By which the printed events are audited again.
    const again = { design: chosen.design.id, ...(options.ownerBits !== undefined && { ownerBits: options.ownerBits }) };
    const audit = new Audit(chosen.design, chosen.own);
    const events = new KeptEvents(source.interned);
    const isWanted = (f: Finding): boolean => f.rule === rule && (at === null || f.position === at);
    await source.read((batch) => {
      audit.apply(batch);
      events.add(batch, (last) => audit.findings.list.some((f) => isWanted(f) && f.position <= last));
      for (const n of audit.evict()) source.interned.addresses.release(n);
    });
    audit.end();
    announce(chosen, quiet);
    printProblems(source.summary, quiet);
    const findings = audit.findings.sorted();
    const target = findings.find(isWanted);
    if (target === undefined) throw new UsageError(noFinding(rule, at, chosen.design.id, findings));
    if (!events.has(target.position)) throw new UsageError(tooFar(target, events, false));
    const minimiser = new Minimiser(events, chosen.design, target, { ownOf: ownOf(source.summary, again), history: options.history === true });
    if (!(await run(minimiser, quiet))) throw new UsageError(tooFar(target, events, options.history === true));
    const { kept, replays } = minimiser;
    for (const p of kept) output.write(`${renderEvent(events.batchOf(p), events.rowOf(p))}\n`);
    output.close();
    if (!quiet) {
      note(`minimised ${plural(source.summary.events, 'event')} to ${kept.length} (${rule} at event ${target.position}, ${plural(replays, 'replay')})`);
      note(`  audit them: iommu-ledger audit --design ${again.design}${again.ownerBits === undefined ? '' : ` --owner-bits ${again.ownerBits}`} -`);
    }
    if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
  } catch (error) {
    output.discard();
    throw error;
  }
}

function wanted(options: MinimiseOptions): { rule: string; at: number | null } {
  const { minimise: rule, at } = options;
  if (rule === undefined) throw new UsageError(`${at === undefined ? '--history' : `--at ${at}`}: only with --minimise RULE`);
  if (options.follow) throw new UsageError('--minimise needs the whole source: not with --follow');
  if (options.format !== 'text') throw new UsageError(`--minimise prints events as NDJSON: not with --format ${options.format}`);
  if (!isRule(rule)) {
    throw new UsageError(`--minimise ${rule}: ${noSuchRule(rule)}`);
  }
  if (at !== undefined && !/^[1-9]\d{0,15}$/.test(at)) throw new UsageError(`--at ${at}: a position is a whole number from 1`);
  return { rule, at: at === undefined ? null : Number(at) };
}

/** Returns how `audit` with these options will have the printed events. */
export function ownOf(summary: ReadSummary, options: CommonOptions): OwnOf {
  return (started, fields) => {
    const told = ndjsonEvidence(Buffer.from(started));
    return chooseDesign({ ...summary, format: 'ndjson', design: told.design, kernel: told.kernel, fields: new Set(fields) }, options).own;
  };
}

/** Runs a minimiser, with a line of progress where it takes long; returns whether the events in memory give the finding. */
async function run(minimiser: Minimiser, quiet: boolean): Promise<boolean> {
  const steps = minimiser.steps();
  let progress: Progress | undefined;
  try {
    for (let shown = performance.now(); ; ) {
      const step = steps.next();
      if (step.done) return step.value;
      if (quiet || !process.stderr.isTTY || performance.now() - shown < SHOW_MS) continue;
      (progress ??= await progressLine()).update(minimiser);
      shown = performance.now();
    }
  } finally {
    progress?.stop();
  }
}

interface Progress {
  update(minimiser: Minimiser): void;
  stop(): void;
}

async function progressLine(): Promise<Progress> {
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    { format: ' minimising: {most} events at most, {replays} replays', stream: process.stderr, clearOnComplete: true, hideCursor: null, gracefulExit: false },
    Presets.shades_classic,
  );
  bar.start(1, 0, { most: '…', replays: 0 });
  return { update: ({ kept, replays }) => bar.update(0, { most: kept.length, replays }), stop: () => bar.stop() };
}

function noFinding(rule: string, at: number | null, design: string, findings: readonly Finding[]): string {
  const same = findings.filter((f) => f.rule === rule).map((f) => f.position);
  if (at !== null && same.length > 0) return `no finding of ${rule} at event ${at} under ${design}; it has ${same.length} at ${same.slice(0, 8).join(', ')}${same.length > 8 ? ', …' : ''}`;
  const counts = new Map<string, number>();
  for (const f of findings) counts.set(f.rule, (counts.get(f.rule) ?? 0) + 1);
  const others = [...counts].map(([id, count]) => `${id} (${count})`).join(', ');
  return `no finding of ${rule} under ${design}; it has ${others || 'none at all'}`;
}

function tooFar({ rule, position, domain }: Finding, events: KeptEvents, history: boolean): string {
  if (history) return `--history: the recorded calls alone do not lead to ${rule} at event ${position}, only what memory showed; leave it out`;
  return `the events held in memory (${events.first} to ${events.last}) do not give ${rule} at event ${position}: cut the source first, as in iommu-ledger events SOURCE | grep ${domain ?? 'ADDRESS'}`;
}
