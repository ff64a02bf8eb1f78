/**
 * Opens what the command line calls SOURCE: a recording of any known format, stdin, or a log. Shows progress on a terminal,
 * decides the design, and says on stderr which one was taken and why.
 */
import { createInterned, type EventBatch, type Interned } from '../events/batch.ts';
import { UnreadableError, escapeText } from '../events/problem.ts';
import { DESIGNS, designFromEvidence, findDesign } from '../machines/design-list.ts';
import type { Design } from '../machines/design.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { ProblemList } from '../recordings/problem-list.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { UsageError, note, type CommonOptions } from './io.ts';

/** An open source. `read` delivers every event once; `summary` is complete after it. */
export interface Source {
  readonly summary: ReadSummary;
  readonly interned: Interned;
  read(consume: (batch: EventBatch) => void): Promise<void>;
  close(): Promise<void>;
}

/** Opens a SOURCE. Errors: UnreadableError. `quiet` switches the progress line off. */
export async function openSource(path: string, quiet: boolean): Promise<Source> {
  if (path.startsWith('nats://')) throw new UnreadableError(`${path}: JetStream logs are not supported yet`, 'use a .ledger file');
  if (path.endsWith('.ledger')) return openLog(path);
  const recording = await openRecording(path);
  return {
    summary: recording.summary,
    interned: recording.interned,
    read: async (consume) => {
      const progress = quiet ? undefined : await progressLine(recording.summary, recording.sizeBytes);
      try {
        recording.read(consume, progress?.update);
      } finally {
        progress?.stop();
        recording.close();
      }
    },
    close: async () => recording.close(),
  };
}

async function openLog(path: string): Promise<Source> {
  const { openLedger } = await import('../log/ledger-store.ts');
  const { HAS } = await import('../events/batch.ts');
  const { KIND } = await import('../events/event-types.ts');
  const { renderTime } = await import('../events/time.ts');
  const log = openLedger(path);
  const interned = createInterned();
  const summary: ReadSummary = {
    source: path, format: 'ledger', kernel: null, lines: 0, events: 0, ignored: 0, lost: 0, from: null, to: null,
    problems: new ProblemList(), fields: new Set(), design: null,
  };
  // The first event of a log says which design its first recording is of.
  await log.read(1, 1, interned, (b) => {
    if (b.kind[0] !== KIND.recording_started) return;
    if (b.present[0] & HAS.a) summary.kernel = interned.strings.values[b.aLo[0]];
    if (b.present[0] & HAS.c) summary.design = interned.strings.values[b.cLo[0]];
  });
  return {
    summary,
    interned,
    read: async (consume) => {
      await log.read(1, Infinity, interned, (b) => {
        summary.events += b.length;
        for (let i = 0; i < b.length; i++) {
          if (b.kind[i] === KIND.events_lost) summary.lost += b.x[i];
          if ((b.present[i] & HAS.time) === 0) continue;
          if (summary.from === null || i === b.length - 1) summary.to = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
          summary.from ??= summary.to;
        }
        consume(b);
      });
      await log.close();
    },
    close: () => log.close(),
  };
}

/** The design to judge by, and whether the recording counts as this design's own. */
export interface ChosenDesign {
  readonly design: Design;
  readonly own: boolean;
  readonly why: string;
}

/** Returns the design of `--design`, or the recording's own, or `cookie-type`. Errors: UsageError for an unknown id. */
export function chooseDesign(summary: ReadSummary, options: CommonOptions): ChosenDesign {
  const own = ownDesign(summary);
  if (options.design !== undefined) {
    const design = requireDesign(options.design);
    const isOwn = own === null || own.design === design.id;
    return { design, own: isOwn, why: isOwn ? 'asked for' : `asked for; the recording is of ${own.design}, so nothing is compared with what was recorded` };
  }
  if (own) return { design: findDesign(own.design)!, own: true, why: own.why };
  return { design: findDesign('cookie-type')!, own: true, why: 'nothing in the recording tells its design' };
}

/** Returns the design of this id. Errors: UsageError naming the known ones. */
export function requireDesign(id: string): Design {
  const design = findDesign(id);
  if (!design) throw new UsageError(`--design ${id}: the designs are ${DESIGNS.map((d) => d.id).join(', ')}`);
  return design;
}

function ownDesign(summary: ReadSummary): { design: string; why: string } | null {
  if (summary.design !== null && findDesign(summary.design)) {
    return designFromEvidence(summary)?.design === summary.design
      ? designFromEvidence(summary)!
      : { design: summary.design, why: 'the recording names it' };
  }
  return designFromEvidence(summary) ?? null;
}

/** Says on stderr which design was taken and why, and what the reader could not read. */
export function announce(chosen: ChosenDesign, quiet: boolean): void {
  if (!quiet) note(`design ${chosen.design.id}: ${escapeText(chosen.why)}`);
}

/** Prints the problems of a source to stderr: counts, and the first of each kind. */
export function printProblems(summary: ReadSummary, quiet: boolean): void {
  if (quiet || summary.problems.count === 0) return;
  for (const [code, count] of summary.problems.byCode()) {
    const first = summary.problems.first.filter((p) => p.code === code);
    note(`problem ${code}: ${count} ${count === 1 ? 'time' : 'times'}`);
    for (const p of first) note(`  ${escapeText(p.where)}: ${p.message}`);
    if (count > first.length) note(`  … and ${count - first.length} more`);
    note(`  hint: ${first[0].hint}`);
  }
}

async function progressLine(summary: ReadSummary, sizeBytes: number | null): Promise<{ update: (n: number) => void; stop: () => void } | undefined> {
  if (!process.stderr.isTTY || (sizeBytes !== null && sizeBytes < 8 << 20)) return undefined;
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    { format: ' {bar} {percentage}% | {events} events | {eta_formatted} left', stream: process.stderr, clearOnComplete: true, hideCursor: null, gracefulExit: false },
    Presets.shades_classic,
  );
  bar.start(sizeBytes ?? 0, 0, { events: 0 });
  return { update: (n) => bar.update(sizeBytes === null ? 0 : n, { events: summary.events }), stop: () => bar.stop() };
}
