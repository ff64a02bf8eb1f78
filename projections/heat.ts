/**
 * How often a recording took each transition of a design: counts by state, event, next state and verdict, in one typed array that
 * the audit's `onStep` fills, so that counting costs an addition an event. Allocations that start a domain again, memory that
 * showed an owner, and lost events are no steps; what they change is not counted.
 */
import type { EventBatch } from '../events/batch.ts';
import type { Design } from '../machines/design.ts';
import type { Verdict } from '../machines/domain-context.ts';
import { RULES } from '../machines/rules.ts';
import { MACHINE_EVENTS, OUTCOMES, STATES, type MachineEventType, type State } from '../machines/states.ts';
import { NONE, NO_ERRNO, compileDesign, type TransitionTable } from '../machines/transition-table.ts';
import { Audit } from './audit.ts';

const EVENTS = MACHINE_EVENTS.length;

/** One transition that was taken. */
export interface Taken {
  readonly from: State;
  readonly event: MachineEventType;
  readonly to: State;
  /** What the design said to it; null where it was not asked. */
  readonly verdict: Verdict | null;
  readonly count: number;
}

/** Findings above `info` of one rule at one transition; `from` is null where it is about none. */
export interface FindingCount {
  readonly from: State | null;
  readonly event: MachineEventType;
  readonly to: State | null;
  readonly rule: string;
  readonly count: number;
}

/** Counts over one recording or several: `begin` each of them, apply its batches in order, `end`. */
export class Heat {
  readonly design: Design;
  /** Shape: ((state * events + event) * states + next state) * (verdicts + 1) + verdict + 1; the first one stands for none. */
  readonly counts: Float64Array;
  private readonly table: TransitionTable;
  private readonly verdicts: number;
  private readonly found = new Map<string, { -readonly [K in keyof FindingCount]: FindingCount[K] }>();
  private audit: Audit | null = null;
  private batch!: EventBatch;
  /** Findings beyond those that an audit lists. */
  unlisted = 0;

  constructor(design: Design) {
    this.design = design;
    this.table = compileDesign(design);
    this.verdicts = this.table.verdictRule.length + 1;
    this.counts = new Float64Array(STATES.length * EVENTS * STATES.length * this.verdicts);
  }

  /** Starts a recording. `own`: whether it is of this design. */
  begin(own: boolean): void {
    this.audit = new Audit(this.design, own);
    this.audit.onStep = (i, _, before, after, verdict) => {
      this.counts[((before * EVENTS + this.batch.kind[i]) * STATES.length + after) * this.verdicts + verdict + 1]++;
    };
  }

  /** Counts a batch. Order: as recorded. */
  apply(batch: EventBatch): void {
    this.batch = batch;
    this.audit!.apply(batch);
    for (const n of this.audit!.evict()) batch.interned.addresses.release(n);
  }

  /** The recording is over. */
  end(): void {
    const audit = this.audit!;
    audit.end();
    this.unlisted += audit.findings.count - audit.findings.list.length;
    for (const { rule, severity, event, before, after } of audit.findings.list) {
      if (severity === 'info') continue;
      const key = `${before} ${event} ${after} ${rule}`;
      const known = this.found.get(key);
      if (known) known.count++;
      else this.found.set(key, { from: before, event, to: after, rule, count: 1 });
    }
    this.audit = null;
  }

  /** Returns what was taken. Order: state, event, next state, verdict. */
  *taken(): Generator<Taken> {
    for (let at = 0; at < this.counts.length; at++) {
      const count = this.counts[at];
      if (count === 0) continue;
      const verdict = at % this.verdicts;
      const rest = (at - verdict) / this.verdicts;
      const to = rest % STATES.length;
      const cell = (rest - to) / STATES.length;
      yield { from: STATES[Math.floor(cell / EVENTS)], event: MACHINE_EVENTS[cell % EVENTS], to: STATES[to], verdict: this.verdict(verdict - 1), count };
    }
  }

  /** Returns the findings. Order: as first met. */
  get findings(): readonly FindingCount[] {
    return [...this.found.values()];
  }

  private verdict(n: number): Verdict | null {
    if (n === NONE) return null;
    const { verdictRule, verdictOutcome, verdictErrno } = this.table;
    return {
      rule: verdictRule[n] === NONE ? null : RULES[verdictRule[n]].id,
      outcome: OUTCOMES[verdictOutcome[n]],
      errno: verdictErrno[n] === NO_ERRNO ? null : verdictErrno[n],
    };
  }
}
