/**
 * The shortest list of a recording's events that still gives one of its findings, by replaying parts of it. What a part gives
 * is what `audit --design D -` says of it as NDJSON, so whether it counts as the design's own is asked of the same evidence.
 * First what cannot matter is cut in two strokes; then the list grows from the end, each time by the latest event without which
 * nothing later suffices, so that of two stories that explain the finding the newer is told; last, every event is tried without
 * (1-minimal), and in a short list every pair. Events stay as they were recorded.
 */
import type { EventBatch } from '../events/batch.ts';
import { BEFORE, KIND } from '../events/event-types.ts';
import { renderEvent } from '../events/ndjson.ts';
import { assert } from '../events/problem.ts';
import { addEvidence } from '../events/word-evidence.ts';
import type { Design } from '../machines/design.ts';
import { compileDesign, type TransitionTable } from '../machines/transition-table.ts';
import { Audit } from './audit.ts';
import { concerning } from './concerning.ts';
import { CONFORMANCE, type Finding } from './finding.ts';
import type { KeptEvents } from './kept-events.ts';

/** Lists up to this length are tried without any two of their events. */
const PAIRS_UP_TO = 60;

/**
 * Whether a list of events counts as recorded on the design's own kernel before its first event, as a reader of NDJSON has it:
 * `started` is its `recording_started` as text, empty where there is none, `fields` are the names that `addEvidence` adds.
 */
export type OwnOf = (started: string, fields: ReadonlySet<string>) => boolean;

/** What a minimiser is told besides the finding. */
export interface MinimiserOptions {
  readonly ownOf: OwnOf;
  /** Whether earlier events must tell the state that the finding's call met, even where the call's own words show it. */
  readonly history?: boolean;
}

/** Reduces kept events to those that one finding needs. */
export class Minimiser {
  /** The shortest list found so far, by position; it gives the finding unless `steps` has said that nothing does. */
  kept: readonly number[];
  /** How often events were replayed. */
  replays = 0;
  private readonly events: KeptEvents;
  private readonly table: TransitionTable;
  private readonly target: Finding;
  private readonly ownOf: OwnOf;
  private readonly history: boolean;

  constructor(events: KeptEvents, design: Design, target: Finding, { ownOf, history = false }: MinimiserOptions) {
    this.events = events;
    this.table = compileDesign(design);
    this.target = target;
    this.ownOf = ownOf;
    this.history = history;
    this.kept = events.positions();
  }

  /**
   * Yields after each replay, so that the caller can show progress; returns whether the kept events give the finding.
   * When it has ended, `kept` is the result: without any one of its events the finding is gone.
   */
  *steps(): Generator<void, boolean> {
    if (!(yield* this.cutEnd())) return false;
    yield* this.try(concerning(this.events, this.kept, this.target.position));
    yield* this.growFromEnd();
    do yield* this.withoutEach();
    while (yield* this.withoutPair());
    return true;
  }

  /** Drops what comes after the finding, save what it waits for: some faults are known only by what follows. */
  private *cutEnd(): Generator<void, boolean> {
    const all = this.kept;
    const upTo = all.indexOf(this.target.position) + 1;
    assert(upTo > 0, `event ${this.target.position} is not kept`);
    const needed = yield* this.shortest(all.length - upTo, (more) => all.slice(0, upTo + more));
    return needed >= 0;
  }

  private *growFromEnd(): Generator<void, void> {
    const started = this.kept.findLast((p) => p < this.target.position && this.kindOf(p) === KIND.recording_started);
    const fixed = started === undefined ? [] : [started];
    let rest = this.kept.filter((p) => p !== started && p !== this.target.position);
    for (;;) {
      const needed = yield* this.shortest(rest.length, (last) => this.withTarget(fixed, rest.slice(rest.length - last)));
      assert(needed >= 0, 'a list that gave the finding gives it again');
      if (needed === 0) return;
      fixed.push(rest[rest.length - needed]);
      rest = rest.slice(rest.length - needed + 1);
    }
  }

  /**
   * Returns the least length from 0 to `most` whose list gives the finding, -1 where `most` does not. Looks near 0 first;
   * where more events can hide a finding it is a length that suffices while one less does not.
   */
  private *shortest(most: number, listOf: (length: number) => readonly number[]): Generator<void, number> {
    let fails = -1;
    let gives = 0;
    while (!(yield* this.try(listOf(gives)))) {
      if (gives === most) return -1;
      fails = gives;
      gives = Math.min(most, Math.max(1, gives * 2));
    }
    while (gives - fails > 1) {
      const middle = (gives + fails) >> 1;
      if (yield* this.try(listOf(middle))) gives = middle;
      else fails = middle;
    }
    return gives;
  }

  /** Drops single events, the oldest first, until none can be spared. */
  private *withoutEach(): Generator<void, void> {
    for (let spared = true; spared; ) {
      spared = false;
      for (let n = 0; n < this.kept.length; ) {
        if (yield* this.try(this.kept.toSpliced(n, 1))) spared = true;
        else n++;
      }
    }
  }

  /** Drops the first two events that can be spared together; returns whether there were any. */
  private *withoutPair(): Generator<void, boolean> {
    const { kept } = this;
    if (kept.length > PAIRS_UP_TO) return false;
    for (let n = 0; n < kept.length; n++) {
      for (let m = n + 1; m < kept.length; m++) if (yield* this.try(kept.filter((_, k) => k !== n && k !== m))) return true;
    }
    return false;
  }

  /** Replays a list; it becomes the result if it gives the finding. */
  private *try(list: readonly number[]): Generator<void, boolean> {
    const gives = this.gives(list);
    if (gives) this.kept = list;
    yield;
    return gives;
  }

  /** Whether these events alone give the finding: the same call breaks the same rule, from the same state to the same one. */
  private gives(list: readonly number[]): boolean {
    const { target } = this;
    if (!list.includes(target.position)) return false;
    const own = this.ownOf(...this.evidenceOf(list));
    return this.replay(list, own, false) && (!this.history || this.replay(list, own, true));
  }

  /** Audits a list; `hidden`: as if the words that the finding's call met had not been recorded. */
  private replay(list: readonly number[], own: boolean, hidden: boolean): boolean {
    const { target } = this;
    const at = list.indexOf(target.position) + 1;
    const audit = new Audit(this.table.design, own, this.table);
    this.replays++;
    this.events.replay(list, (b) => {
      if (hidden) this.hideWords(b, at - b.position);
      audit.apply(b);
      audit.evict();
    });
    audit.end();
    return audit.findings.list.some((f) => f.position === at && isSame(f, target));
  }

  /** Hides what memory showed, save what the call of the finding left behind, or must be compared with. */
  private hideWords(b: EventBatch, target: number): void {
    for (let i = 0; i < b.length; i++) {
      if (i !== target) b.words.fill(0, i * 3, i * 3 + 3);
      else if (!CONFORMANCE.has(this.target.rule)) b.words[i * 3 + BEFORE] = 0;
    }
  }

  /** What tells a reader of this list which design it is of. */
  private evidenceOf(list: readonly number[]): [started: string, fields: Set<string>] {
    const { events } = this;
    let started = '';
    const fields = new Set<string>();
    for (const p of list) {
      const b = events.batchOf(p);
      const i = events.rowOf(p);
      if (b.kind[i] === KIND.recording_started) started ||= renderEvent(b, i);
      else if ((b.words[i * 3] | b.words[i * 3 + 1] | b.words[i * 3 + 2]) !== 0) addEvidence(b, i, fields);
    }
    return [started, fields];
  }

  private withTarget(before: readonly number[], after: readonly number[]): readonly number[] {
    return [...before, ...after, this.target.position].sort((a, b) => a - b);
  }

  private kindOf(position: number): number {
    return this.events.batchOf(position).kind[this.events.rowOf(position)];
  }
}

/** Whether two findings about one call are the same, whatever was recorded around it. */
function isSame(a: Finding, b: Finding): boolean {
  return a.rule === b.rule && a.outcome === b.outcome && a.severity === b.severity && a.domain === b.domain && a.before === b.before && a.after === b.after
    && JSON.stringify(a.expected) === JSON.stringify(b.expected);
}
