/**
 * Opens what the command line calls SOURCE: a recording of any known format, stdin, or a log. Shows progress on a terminal,
 * decides the design, and says on stderr which one was taken and why.
 */
import { BATCH_CAPACITY, HAS, createInterned, type EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { UnreadableError, escapeText } from '../events/problem.ts';
import { renderTime } from '../events/time.ts';
import { addEvidence } from '../events/word-evidence.ts';
import { DESIGNS, designFromEvidence, findDesign } from '../machines/design-list.ts';
import type { Design, OwnerMember } from '../machines/design.ts';
import { mergeRecordings } from '../recordings/merge.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { ProblemList } from '../recordings/problem-list.ts';
import { readAll, type ReadSummary, type Recording } from '../recordings/recording.ts';
import { plural } from '../reports/text.ts';
import { UsageError, note, type CommonOptions } from './io.ts';
import { designWithOwnerBits } from './owner-bits.ts';

/** An open source. */
export interface Source {
  readonly summary: ReadSummary;
  readonly interned: Interned;
  /** Whether it may go on growing. */
  readonly live: boolean;
  /** Delivers every event once; `summary` is complete after it. Errors: UnreadableError where nothing could be used. */
  read(consume: (batch: EventBatch) => void): Promise<void>;
  close(): Promise<void>;
}

/** How a SOURCE is opened: `quiet` switches the progress line off, `follow` waits for more at the end of a file. */
export interface OpenOptions {
  readonly quiet?: boolean;
  readonly follow?: boolean;
  /** Called between two reads of a recording, and awaited: what else the program does is done there. */
  readonly pause?: () => Promise<void>;
}

/** Opens what the command line names: one SOURCE, or several recordings that are merged by time. Errors: UnreadableError, UsageError. */
export async function openSource(paths: readonly string[], options: OpenOptions): Promise<Source> {
  for (const path of paths) if (path.startsWith('nats://')) throw new UnreadableError(`${path}: JetStream logs are not supported yet`, 'use a .ledger file');
  const log = paths.find((path) => path.endsWith('.ledger'));
  if (log !== undefined && paths.length > 1) throw new UsageError(`${log}: only recordings are merged; a log takes several by \`import\``);
  if (paths.filter((path) => path === '-').length > 1) throw new UsageError('-: stdin can be named once');
  if (log !== undefined && options.follow) throw new UsageError(`--follow ${log}: only a recording is followed`);
  const source = log !== undefined ? await openLog(log) : await openFiles(paths, options);
  return {
    ...source,
    read: async (consume) => {
      let found = false;
      await source.read((batch) => {
        for (let i = 0; i < batch.length && !found; i++) found = batch.kind[i] !== KIND.recording_started;
        consume(batch);
      });
      if (!found) nothingFound(source.summary);
    },
  };
}

/** A source without one event must not look like a clean one. */
function nothingFound(summary: ReadSummary): void {
  const [first] = summary.problems.first;
  if (first) {
    const { count } = summary.problems;
    throw new UnreadableError(`${summary.source}: no event could be read, ${plural(count, 'problem')}; ${count === 1 ? '' : 'the first: '}${first.where}: ${first.message}`, first.hint);
  }
  const [message, hint] = summary.format === 'ledger' && summary.events === 0
    ? ['the log is empty', 'append to it: iommu-ledger import SOURCE --log FILE.ledger']
    : ['it has no event of an IOMMU domain', 'were the probes installed and tracing switched on?'];
  summary.problems.add('no-events', summary.source, message, hint);
}

async function openFiles(paths: readonly string[], { quiet, follow, pause }: OpenOptions): Promise<Source> {
  const recording = await openRecordings(paths, follow === true);
  return {
    summary: recording.summary,
    interned: recording.interned,
    live: recording.live,
    read: async (consume) => {
      const progress = quiet || follow ? undefined : await progressLine(recording.summary, recording.sizeBytes);
      // ^C ends what may never end by itself; the summary follows.
      const stop = (): void => recording.stop();
      if (recording.live) process.once('SIGINT', stop).once('SIGTERM', stop);
      try {
        await readAll(recording, consume, pause ? (n) => {
          progress?.update(n);
          return pause();
        } : progress?.update);
      } finally {
        process.off('SIGINT', stop).off('SIGTERM', stop);
        progress?.stop();
        recording.close();
      }
    },
    close: async () => recording.close(),
  };
}

async function openRecordings(paths: readonly string[], follow: boolean): Promise<Recording> {
  if (paths.length === 1) return openRecording(paths[0], { follow });
  const interned = createInterned();
  const opened: Recording[] = [];
  try {
    for (const path of paths) opened.push(await openRecording(path, { follow, interned }));
  } catch (error) {
    for (const recording of opened) recording.close();
    throw error;
  }
  return mergeRecordings(opened, interned);
}

async function openLog(path: string): Promise<Source> {
  const { openLedger } = await import('../log/ledger-store.ts');
  const log = openLedger(path);
  const interned = createInterned();
  const summary: ReadSummary = {
    source: path, format: 'ledger', kernel: null, lines: 0, events: 0, ignored: 0, lost: 0, from: null, to: null,
    problems: new ProblemList(), fields: new Set(), missing: [], design: null,
  };
  // The first event of a log says which design its first recording is of; where it does not, the first words may.
  const first = createInterned();
  await log.read(1, BATCH_CAPACITY, first, (b) => {
    for (let i = 0; i < b.length; i++) addEvidence(b, i, summary.fields);
    if (b.position !== 1 || b.kind[0] !== KIND.recording_started) return;
    if (b.present[0] & HAS.a) summary.kernel = first.strings.values[b.aLo[0]];
    if (b.present[0] & HAS.c) summary.design = first.strings.values[b.cLo[0]];
  });
  return {
    summary,
    interned,
    live: false,
    read: async (consume) => {
      await log.read(1, Infinity, interned, (b) => {
        summary.events += b.length;
        for (let i = 0; i < b.length; i++) {
          if (b.kind[i] === KIND.events_lost) summary.lost += b.x[i];
          if (summary.from === null && b.present[i] & HAS.time) summary.from = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
        }
        let last = b.length - 1;
        while (last >= 0 && (b.present[last] & HAS.time) === 0) last--;
        if (last >= 0) summary.to = renderTime(b.sec[last], b.nsec[last], b.digits[last]);
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

/** Designs that hand-written events may be of, by the words they show; the first is taken where nothing is asked for. */
const BY_WORDS: readonly (readonly [field: string, member: OwnerMember, design: string, why: string])[] = [
  ['owner', 'private_data_owner', 'private-data-owner', 'its words have a private_data_owner'],
  ['ctype', 'cookie_type', 'cookie-type', 'its words have a cookie_type'],
  ['cktype', 'none', 'v6.12', 'its cookies have a type (iova_cookie->type)'],
];

/**
 * Returns the design of `--design`, or the recording's own, or `cookie-type`, with the owner field as wide as `--owner-bits` says.
 * Errors: UsageError for an unknown id or an impossible width.
 */
export function chooseDesign(summary: ReadSummary, options: CommonOptions): ChosenDesign {
  const chosen = chooseById(summary, options);
  const design = designWithOwnerBits(chosen.design, options.ownerBits);
  // No kernel with another width was ever recorded: it is a question, not what the recording is of.
  const tells = ownDesign(summary) !== null;
  if (design.ownerBits === chosen.design.ownerBits || !chosen.own || !tells) return { ...chosen, design };
  return { design, own: false, why: `${chosen.why}; with ${design.ownerBits} owner bits, so nothing is compared with what was recorded` };
}

function chooseById(summary: ReadSummary, options: CommonOptions): ChosenDesign {
  // Events without a recording_started that names the design tell a family of designs, not one of them.
  const family = summary.design === null && summary.kernel === null && (summary.format === 'ndjson' || summary.format === 'ledger') ? BY_WORDS.find(([field]) => summary.fields.has(field)) : undefined;
  if (family) {
    const design = options.design === undefined ? findDesign(family[2])! : requireDesign(options.design);
    const own = design.ownerMember === family[1];
    return { design, own, why: options.design === undefined ? family[3] : own ? 'asked for' : `asked for; ${family[3]}, so nothing is compared with what was recorded` };
  }
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
  if (!design) throw new UsageError(`--design ${id}: not one of ${DESIGNS.map((d) => d.id).join(', ')}`);
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

/** Prints the problems of a source to stderr: counts, and the first of each kind; then how much the kernel lost. */
export function printProblems(summary: ReadSummary, quiet: boolean): void {
  if (quiet) return;
  for (const [code, count] of summary.problems.byCode()) {
    const first = summary.problems.first.filter((p) => p.code === code);
    note(`problem ${code}: ${count} ${count === 1 ? 'time' : 'times'}`);
    for (const p of first) note(`  ${escapeText(p.where)}: ${escapeText(p.message)}`);
    if (count > first.length) note(`  … and ${count - first.length} more`);
    note(`  hint: ${escapeText(first[0].hint)}`);
  }
  if (summary.lost > 0) {
    note(`lost events: ${summary.lost}`);
    if (!summary.problems.byCode().has('cut-off') && !summary.problems.byCode().has('damaged-page')) note('  hint: give the ring buffer more room (buffer_size_kb), or record fewer events');
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
