/**
 * Can a design be driven into a rule? Breadth-first over the compiled machine, with the callers of `explore-callers.ts`: the
 * first path that meets a rule is a shortest one, and where the frontier runs empty there is none within that imitation.
 * A state is everything the machine knows of the domain, its MSI pages, and what the callers did; each is visited once.
 */
import { EventBatch, createInterned } from '../events/batch.ts';
import { EVENT_VERSION } from '../events/event-types.ts';
import { parseEvent } from '../events/parse-event.ts';
import { assert } from '../events/problem.ts';
import { typeMaskOf, type Answer, type Design } from './design.ts';
import { MAP } from './domain-context.ts';
import { DomainRows, FLAG, step } from './domain-rows.ts';
import { DOMAIN, World, stepsOf, type Step } from './explore-callers.ts';
import { REFUSAL_IS_FAULT, RULES } from './rules.ts';
import { MACHINE_EVENT, OUTCOMES, STATES, type Outcome, type State } from './states.ts';
import { NONE, NO_ERRNO, compileDesign, type TransitionTable } from './transition-table.ts';

/** Outcomes that are no fault of the design. */
const HARMLESS: ReadonlySet<Outcome> = new Set(['accepted', 'noop', 'not-applicable']);
const REFUSALS: ReadonlySet<Outcome> = new Set(['rejected', 'rejected-warn', 'ignored-warn']);
/** Behind these there is no kernel to go on with. */
const THE_END: ReadonlySet<Outcome> = new Set(['use-after-free', 'double-free', 'type-confusion', 'null-deref', 'bug']);

/** One call of a path. */
export interface PathStep {
  /** The event as JSON has it. */
  readonly event: Readonly<Record<string, unknown>>;
  readonly before: State;
  readonly after: State;
}

/** A shortest path to a rule. */
export interface Found extends Answer {
  readonly rule: string;
  readonly path: readonly PathStep[];
}

/** What an exploration has seen. */
export interface Exploration {
  readonly design: Design;
  /** Distinct states; all there are where `complete`. */
  readonly states: number;
  readonly complete: boolean;
  /** By rule: the shortest path on which the design violates it, and the one on which it refuses. */
  readonly violations: ReadonlyMap<string, Found>;
  readonly refusals: ReadonlyMap<string, Found>;
}

/** How far to go: `maxDepth` events; and where to stop: at the first violation of `until`. */
export interface ExploreOptions {
  readonly maxDepth?: number;
  readonly until?: string;
}

/** The callers of one design on its compiled machine: takes steps from row to row. */
export class Explorer {
  readonly design: Design;
  readonly steps: readonly Step[];
  readonly rows: DomainRows;
  readonly world: World;
  readonly table: TransitionTable;
  private readonly batch = new EventBatch(createInterned());

  constructor(design: Design) {
    this.design = design;
    this.table = compileDesign(design);
    this.rows = new DomainRows(typeMaskOf(design));
    this.world = new World(this.rows);
    this.steps = stepsOf(design);
    for (const s of this.steps) {
      const refused = parseEvent(JSON.stringify({ v: EVENT_VERSION, domain: DOMAIN, ...s.event }), this.batch);
      assert(refused === undefined, `step ${JSON.stringify(s.event)}: ${refused}`);
    }
    this.rows.ensure(0);
    this.rows.reset(0);
  }

  /** Whether step `s` may be taken in row `d` with the callers' state `code`. */
  enabled(s: number, d: number, code: number): boolean {
    this.world.d = d;
    this.world.code = code;
    return this.steps[s].when(this.world);
  }

  /** Takes step `s` from row `from` into row `to`; returns the number of the verdict, or NONE. `world` is what follows. */
  take(s: number, from: number, to: number, code: number): number {
    const { event, machine, map, does } = this.steps[s];
    const { rows, world } = this;
    if (from !== to) rows.copyRow(from, to);
    rows.map = map ?? MAP.user;
    const verdict = step(this.table, rows, to, MACHINE_EVENT[machine ?? (event.type as keyof typeof MACHINE_EVENT)], this.batch, s, true);
    world.d = to;
    world.code = code;
    does?.(world);
    return verdict;
  }

  /** The event of step `s` as JSON has it, with the errno that the design answers. */
  eventOf(s: number, verdict: number): Record<string, unknown> {
    const { by, event } = this.steps[s];
    const { type, domain = DOMAIN, ...members } = event as { type: string; domain?: string };
    const answer = verdict === NONE ? NO_ERRNO : this.table.verdictErrno[verdict];
    return { v: EVENT_VERSION, task: by, type, domain, ...members, ...(answer !== NO_ERRNO && !('errno' in members) && { errno: answer }) };
  }

  /** Rule and answer of a verdict, or null where no rule is met or nothing is wrong. */
  met(verdict: number): ({ rule: string } & Answer) | null {
    if (verdict === NONE || this.table.verdictRule[verdict] === NONE) return null;
    const outcome = OUTCOMES[this.table.verdictOutcome[verdict]];
    const errno = this.table.verdictErrno[verdict];
    return HARMLESS.has(outcome) ? null : { rule: RULES[this.table.verdictRule[verdict]].id, outcome, ...(errno < 0 && errno !== NO_ERRNO && { errno }) };
  }

  /** Whether an answer violates a rule, and is not the refusal of an attempt. */
  isViolation({ rule, outcome }: { rule: string } & Answer): boolean {
    return !REFUSALS.has(outcome) || REFUSAL_IS_FAULT.has(rule);
  }

  /** Row `d` and the callers' state as a key: equal keys have equal futures. */
  key(d: number, code: number): string {
    const { rows } = this;
    const { pages } = rows;
    const flags = rows.flags[d];
    let key = `${rows.state[d]} ${rows.type[d]} ${rows.cookie[d]} ${flags} ${rows.attached[d]} ${rows.mappedBytes[d]} ${code}`;
    if (flags & FLAG.baseKnown) key += ` b${rows.baseHi[d]} ${rows.baseLo[d]}`;
    if (flags & FLAG.msiNextKnown) key += ` n${rows.msiNextHi[d]} ${rows.msiNextLo[d]}`;
    if (flags & FLAG.failedKnown) key += ` f${rows.failedLo[d]}`;
    for (let p = rows.pageHead[d]; p !== NONE; p = pages.next[p]) key += ` ${pages.iovaHi[p]}.${pages.iovaLo[p]}:${pages.physLo[p]}:${pages.backend[p]}`;
    return key;
  }
}

/** Returns what can happen to a domain under a design. Order of rules: as they are met. */
export function explore(design: Design, { maxDepth = Infinity, until }: ExploreOptions = {}): Exploration {
  const explorer = new Explorer(design);
  const { rows, world, steps } = explorer;
  const violations = new Map<string, Found>();
  const refusals = new Map<string, Found>();
  // Node n is row n; these say how it was reached.
  const codes = [0];
  const parents = [NONE];
  const taken = [NONE];
  const verdicts = [NONE];
  const depths = [0];
  const ended = [false];
  const seen = new Set([explorer.key(0, 0)]);
  let complete = true;

  const pathTo = (node: number, last: number, verdict: number, after: number): PathStep[] => {
    const path: PathStep[] = [{ event: explorer.eventOf(last, verdict), before: STATES[rows.state[node]], after: STATES[after] }];
    for (let n = node; parents[n] !== NONE; n = parents[n]) {
      path.unshift({ event: explorer.eventOf(taken[n], verdicts[n]), before: STATES[rows.state[parents[n]]], after: STATES[rows.state[n]] });
    }
    return path;
  };

  for (let node = 0; node < codes.length; node++) {
    if (ended[node]) continue;
    if (depths[node] >= maxDepth) {
      complete = false;
      break;
    }
    for (let s = 0; s < steps.length; s++) {
      if (!explorer.enabled(s, node, codes[node])) continue;
      const next = codes.length;
      const verdict = explorer.take(s, node, next, codes[node]);
      const met = explorer.met(verdict);
      if (met) {
        const list = explorer.isViolation(met) ? violations : refusals;
        if (!list.has(met.rule)) list.set(met.rule, { ...met, path: pathTo(node, s, verdict, rows.state[next]) });
        if (list === violations && met.rule === until) return { design, states: next, complete: false, violations, refusals };
      }
      const code = world.code;
      const key = explorer.key(next, code);
      if (seen.has(key)) continue;
      seen.add(key);
      codes.push(code);
      parents.push(node);
      taken.push(s);
      verdicts.push(verdict);
      depths.push(depths[node] + 1);
      ended.push(met !== null && THE_END.has(met.outcome));
    }
  }
  return { design, states: codes.length, complete, violations, refusals };
}
