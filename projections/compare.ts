/**
 * The same events under several designs in one pass: one audit for each design is fed each batch, and where they part is kept.
 * Each design judges every event in the state that it has itself reached; the events stay as recorded. A difference is an
 * event at which what a design answers, the state after it or the rules it met differ between any two of them (CONTRACT
 * "compare --format json"). A rule can be reported late, or be taken back at a gap: differences rest on what stands at the end.
 * An event costs one number for each design; objects are made only where designs part or a rule is met.
 */
import { BATCH_CAPACITY, HAS, type EventBatch } from '../events/batch.ts';
import { EVENT_TYPES, type EventType } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import type { Design } from '../machines/design.ts';
import { SEVERITIES, type Severity } from '../machines/rules.ts';
import { STATES, type State } from '../machines/states.ts';
import { NO_ERRNO } from '../machines/transition-table.ts';
import { Audit } from './audit.ts';
import type { Finding, FindingsWatcher } from './finding.ts';

/** What one design says of an event. */
export interface DesignVerdict {
  /** What the design answers; null where the event has no answer to give, or none can be predicted. */
  readonly errno: number | null;
  /** State of the domain after the event; null where the event is about none. */
  readonly state: State | null;
  /** Order: as they were made. */
  readonly findings: readonly Finding[];
}

/** An event at which designs part. */
export interface Difference {
  readonly position: number;
  readonly line: number | null;
  /** Which of several merged recordings the line is of, or null. */
  readonly recording: string | null;
  readonly time: string | null;
  readonly cpu: number | null;
  readonly task: string | null;
  readonly pid: number | null;
  readonly event: EventType;
  readonly domain: string | null;
  /** As the first design that knows the domain counts. */
  readonly generation: number | null;
  /** What the recorded kernel answered; null where that was not recorded. */
  readonly recorded: number | null;
  /** Order: of the designs. */
  readonly verdicts: DesignVerdict[];
}

/** Findings of the last design that the first does not have at that event, or has with a lower severity. */
export interface Worse {
  readonly summary: Record<Severity, number>;
  /** The first of the highest severity among them. */
  worst: Finding | null;
}

/** Differences listed one by one; beyond this they are only counted, as they stood at the event, so that memory stays bounded. */
export const DIFFERENCES_KEPT = 100_000;

/** A code is `answer * 16 | state`; an answer is an errno, which is 0 or negative, or 1 for none. */
const ANSWER = 16;
const NO_ANSWER = 1;
const NO_STATE = 15;
const NO_STEP = (NO_ANSWER * ANSWER) | NO_STATE;
const NONE_MADE: readonly Finding[] = [];

/** The audits of several designs over one recording: apply batches in order, then `end`. */
export class Comparison {
  readonly audits: readonly Audit[];
  /** Complete after `end`. Order: position. */
  list: readonly Difference[] = [];
  /** Differences beyond `DIFFERENCES_KEPT`. */
  unlisted = 0;
  readonly worse: Worse = { summary: { critical: 0, error: 0, warning: 0, info: 0 }, worst: null };
  /** Position of the first row in hand: what is said of earlier ones comes late. */
  position = 0;
  /** Domain and generation of each row in hand; domain -1 where it is about none. */
  readonly domains = new Int32Array(BATCH_CAPACITY);
  readonly generations = new Uint32Array(BATCH_CAPACITY);
  /** Rows in hand that may differ. */
  readonly marked = new Uint8Array(BATCH_CAPACITY);
  private readonly sides: readonly Side[];
  /** By position: what differs, and what may when a finding comes late. */
  private readonly kept = new Map<number, Difference>();

  /** `own`: as for `Audit`; true for one of them at most, the design that the recording is of. */
  constructor(designs: readonly { readonly design: Design; readonly own: boolean }[]) {
    this.sides = designs.map(({ design, own }, number) => new Side(this, number, new Audit(design, own)));
    this.audits = this.sides.map(({ audit }) => audit);
  }

  /** Folds a batch. Order: as recorded. */
  apply(b: EventBatch): void {
    const { sides, marked } = this;
    this.position = b.position;
    this.domains.fill(-1, 0, b.length);
    // The first design comes last: its domain and generation are the ones that stay.
    for (let k = sides.length - 1; k >= 0; k--) sides[k].apply(b);
    const first = sides[0].codes;
    for (let k = 1; k < sides.length; k++) {
      const { codes } = sides[k];
      for (let i = 0; i < b.length; i++) if (codes[i] !== first[i]) marked[i] = 1;
    }
    const late = new Set(sides.flatMap(({ open }) => Array.from(open, ({ position }) => position)));
    for (let i = 0; i < b.length; i++) {
      if (marked[i] === 0) continue;
      marked[i] = 0;
      this.examine(b, i, late.has(b.position + i));
    }
    for (const side of sides) side.forget();
  }

  /** Forgets domains freed long ago; call between batches. Returns the address numbers that no audit knows any more. */
  evict(): readonly number[] {
    const evicted = new Set(this.audits.flatMap((audit) => [...audit.evict()]));
    // What one audit has forgotten another may still know, or may have met again since it forgot it.
    return [...evicted].filter((n) => this.audits.every(({ incarnations }) => n >= incarnations.size || incarnations.born[n] === 0));
  }

  /** The recording is over: what was held back is reported, and what differs stands. */
  end(): void {
    this.position = Infinity;
    for (const audit of this.audits) audit.end();
    for (const { verdicts } of this.kept.values()) this.weigh(verdicts[0].findings, verdicts[verdicts.length - 1].findings);
    this.list = [...this.kept.values()].filter(({ verdicts }) => verdicts.some((v) => differ(verdicts[0], v)));
    this.kept.clear();
  }

  /** Adds a finding to what design `number` said of an earlier event. */
  amend(number: number, finding: Finding): void {
    this.replace(number, finding.position, (findings) => [...findings, finding]);
  }

  /** Takes a finding back from what design `number` said of an earlier event. Equal findings are taken back from all designs alike. */
  retract(number: number, finding: Finding): void {
    this.replace(number, finding.position, (findings) => findings.filter((f) => f !== finding));
  }

  private replace(number: number, position: number, change: (findings: readonly Finding[]) => readonly Finding[]): void {
    const verdicts = this.kept.get(position)?.verdicts;
    if (verdicts) verdicts[number] = { ...verdicts[number], findings: change(verdicts[number].findings) };
  }

  /** Looks at a row where codes differ or a rule was met. `late`: a finding about it may still come. */
  private examine(b: EventBatch, i: number, late: boolean): void {
    const verdicts = this.sides.map((side) => side.verdict(i, b.position + i));
    if (!late && verdicts.every((v) => v === verdicts[0] || (v.errno === verdicts[0].errno && v.state === verdicts[0].state && sameFindings(v.findings, verdicts[0].findings)))) return;
    if (this.kept.size < DIFFERENCES_KEPT) {
      this.kept.set(b.position + i, this.difference(b, i, verdicts));
      return;
    }
    if (verdicts.some((v) => differ(verdicts[0], v))) this.unlisted++;
    this.weigh(verdicts[0].findings, verdicts[verdicts.length - 1].findings);
  }

  private difference(b: EventBatch, i: number, verdicts: DesignVerdict[]): Difference {
    const present = b.present[i];
    const { strings, addresses } = b.interned;
    const d = this.domains[i];
    const about = d >= 0 ? undefined : verdicts.flatMap(({ findings }) => findings).find(({ domain }) => domain !== null);
    return {
      position: b.position + i,
      line: present & HAS.line ? b.line[i] : null,
      recording: b.interned.recordings[b.recording[i]] ?? null,
      time: present & HAS.time ? renderTime(b.sec[i], b.nsec[i], b.digits[i]) : null,
      cpu: present & HAS.cpu ? b.cpu[i] : null,
      task: present & HAS.task ? strings.values[b.task[i]] : null,
      pid: present & HAS.pid ? b.pid[i] : null,
      event: EVENT_TYPES[b.kind[i]],
      domain: d >= 0 ? addresses.text(d) : (about?.domain ?? null),
      generation: d >= 0 ? this.generations[i] : (about?.generation ?? null),
      recorded: present & HAS.errno ? b.errno[i] : null,
      verdicts,
    };
  }

  private weigh(first: readonly Finding[], last: readonly Finding[]): void {
    for (const finding of last) {
      if (first.some(({ severity }) => rank(severity) <= rank(finding.severity))) continue; // by whichever name
      const { summary, worst } = this.worse;
      summary[finding.severity]++;
      const order = worst === null ? -1 : rank(finding.severity) - rank(worst.severity) || finding.position - worst.position;
      if (order < 0) this.worse.worst = finding;
    }
  }
}

/** One design's audit, and what it says of the rows in hand. */
class Side implements FindingsWatcher {
  readonly audit: Audit;
  /** Answer and state of each row in hand. */
  readonly codes = new Int32Array(BATCH_CAPACITY);
  /** Findings that were made about rows in hand and may be reported later, or never. */
  readonly open = new Set<Finding>();
  /** Findings about rows in hand, by position. */
  private readonly fresh = new Map<number, Finding[]>();
  /** Verdicts without a finding, by code. */
  private readonly plain = new Map<number, DesignVerdict>();
  private readonly comparison: Comparison;
  private readonly number: number;

  constructor(comparison: Comparison, number: number, audit: Audit) {
    this.comparison = comparison;
    this.number = number;
    this.audit = audit;
    audit.findings.watcher = this;
    const answers = audit.table.verdictErrno.map((errno) => (errno === NO_ERRNO ? NO_ANSWER : errno) * ANSWER);
    const { codes } = this;
    const { domains, generations } = comparison;
    const { incarnations } = audit;
    audit.onStep = (i, d, _, after, verdict) => {
      codes[i] = (verdict < 0 ? NO_ANSWER * ANSWER : answers[verdict]) | after;
      domains[i] = d;
      generations[i] = incarnations.generation[d];
    };
  }

  apply(b: EventBatch): void {
    this.codes.fill(NO_STEP, 0, b.length);
    this.audit.apply(b);
  }

  forget(): void {
    this.fresh.clear();
    this.open.clear();
  }

  /** Returns what the design says of row `i` in hand. */
  verdict(i: number, position: number): DesignVerdict {
    const code = this.codes[i];
    let verdict = this.plain.get(code);
    if (!verdict) {
      const answer = code >> 4;
      const state = code & NO_STATE;
      verdict = { errno: answer === NO_ANSWER ? null : answer, state: state === NO_STATE ? null : STATES[state], findings: NONE_MADE };
      this.plain.set(code, verdict);
    }
    const findings = this.fresh.get(position);
    return findings ? { ...verdict, findings } : verdict;
  }

  made(finding: Finding): void {
    this.comparison.marked[finding.position - this.comparison.position] = 1;
    this.open.add(finding);
  }

  added(finding: Finding): void {
    this.open.delete(finding);
    if (finding.position < this.comparison.position) return this.comparison.amend(this.number, finding);
    const findings = this.fresh.get(finding.position);
    if (findings) findings.push(finding);
    else this.fresh.set(finding.position, [finding]);
  }

  withdrawn(finding: Finding): void {
    if (finding.position < this.comparison.position) return this.comparison.retract(this.number, finding);
    const findings = this.fresh.get(finding.position)!;
    findings.splice(findings.indexOf(finding), 1);
  }
}

/** Returns the ids of the rules that a design met at an event. Order: sorted, each one once. */
export function rulesOf(verdict: DesignVerdict): readonly string[] {
  return verdict.findings.length === 0 ? [] : [...new Set(verdict.findings.map(({ rule }) => rule))].sort();
}

function differ(a: DesignVerdict, b: DesignVerdict): boolean {
  return a !== b && (a.errno !== b.errno || a.state !== b.state || rulesOf(a).join() !== rulesOf(b).join());
}

function sameFindings(a: readonly Finding[], b: readonly Finding[]): boolean {
  return a.length === b.length && a.every(({ rule, severity }, n) => rule === b[n].rule && severity === b[n].severity);
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}
