/**
 * The ownership machine compiled into flat arrays for the replay path: states × events, each cell a run of candidates
 * (guard, action, target, verdict) in the machine's own order. Read from the XState machine itself, nothing is restated.
 * Errors: a guard or action without a typed-array counterpart is refused when the table is made.
 */
import { ACTIONS, GUARDS, type Design } from './design.ts';
import type { Verdict } from './domain-context.ts';
import { ownershipMachine } from './ownership.ts';
import { MACHINE_EVENTS, OUTCOMES, STATES } from './states.ts';
import { ruleIndex } from './rules.ts';

/** Fields of one candidate in `candidates`. */
export const CANDIDATE = { guard: 0, action: 1, target: 2, verdict: 3, size: 4 } as const;
/** `guard` or `action` where there is none; `target` where the state stays; `errno` where there is no answer. */
export const NONE = -1;
export const NO_ERRNO = -0x80000000;

/**
 * Shape: cell `state * events + event` of `cells` is the index of its first candidate, or NONE where the machine has no
 * transition; the last candidate of a cell has no guard. Verdicts are deduplicated; index 0 is "accepted, no answer".
 */
export interface TransitionTable {
  readonly design: Design;
  readonly events: number;
  readonly cells: Int32Array;
  readonly candidates: Int32Array;
  /**
   * What `candidates` has for a plain event, one on which no errno, no fact of the row in `plainFacts` and no MSI page has a
   * say: cell by cell the first candidate of a shorter run. The outcome is the same; most events are plain.
   */
  readonly plainCells: Int32Array;
  readonly plainFacts: Int32Array;
  readonly verdictRule: Int32Array;
  readonly verdictOutcome: Uint8Array;
  readonly verdictErrno: Int32Array;
}

/** Guards below this number are facts of a row; those from `PAGE_GUARDS` on hold only where the domain has an MSI page. */
export const FACT_GUARDS = GUARDS.indexOf('typeIsDma');
export const PAGE_GUARDS = GUARDS.indexOf('pageIsListed');
/** Guards that hold only where the recorded kernel answered an errno. */
export const ERRNO_GUARDS: ReadonlySet<string> = new Set(['refused', 'outOfMemory', 'noIommuDma', 'idsExhausted']);

interface Transition {
  readonly guard?: unknown;
  readonly target?: readonly { readonly key: string }[];
  readonly actions: readonly { readonly type: string; readonly params?: Verdict }[];
}

/** Returns the compiled table of a design. */
export function compileDesign(design: Design): TransitionTable {
  const machine = ownershipMachine(design);
  const events = MACHINE_EVENTS.length;
  const cells = new Int32Array(STATES.length * events).fill(NONE);
  const candidates: number[] = [];
  const verdicts = new Map<string, number>();
  const rules: number[] = [];
  const outcomes: number[] = [];
  const errnos: number[] = [];
  const verdictNumber = (v: Verdict): number => {
    const key = JSON.stringify(v);
    let n = verdicts.get(key);
    if (n === undefined) {
      n = rules.length;
      verdicts.set(key, n);
      rules.push(v.rule === null ? NONE : ruleIndex(v.rule));
      outcomes.push(OUTCOMES.indexOf(v.outcome));
      errnos.push(v.errno ?? NO_ERRNO);
    }
    return n;
  };
  verdictNumber({ rule: null, outcome: 'accepted', errno: null });
  STATES.forEach((state, s) => {
    const transitions = machine.root.states[state].transitions as unknown as Map<string, readonly Transition[]>;
    for (const [event, list] of transitions) {
      const e = (MACHINE_EVENTS as readonly string[]).indexOf(event);
      if (e < 0) throw new Error(`${design.id}: state ${state} has a transition for ${event}, which is no machine event`);
      cells[s * events + e] = candidates.length;
      for (const t of list) candidates.push(...candidate(design, state, event, t, verdictNumber));
      if (candidates[candidates.length - CANDIDATE.size] !== NONE) throw new Error(`${design.id}: ${state} × ${event} has no last resort`);
    }
  });
  const plainCells = new Int32Array(cells.length).fill(NONE);
  const plainFacts = new Int32Array(cells.length);
  cells.forEach((first, cell) => {
    if (first === NONE) return;
    const run: number[] = [];
    for (let at = first; ; at += CANDIDATE.size) {
      const guard = candidates[at];
      if (guard >= 0 && guard < FACT_GUARDS) plainFacts[cell] |= 1 << guard;
      else if (guard === NONE || (guard < PAGE_GUARDS && !ERRNO_GUARDS.has(GUARDS[guard]))) run.push(...candidates.slice(at, at + CANDIDATE.size));
      if (guard === NONE) break;
    }
    plainCells[cell] = candidates.length;
    candidates.push(...run);
  });
  return {
    design,
    events,
    plainCells,
    plainFacts,
    cells,
    candidates: Int32Array.from(candidates),
    verdictRule: Int32Array.from(rules),
    verdictOutcome: Uint8Array.from(outcomes),
    verdictErrno: Int32Array.from(errnos),
  };
}

function candidate(design: Design, state: string, event: string, t: Transition, verdictNumber: (v: Verdict) => number): number[] {
  const where = `${design.id}: ${state} × ${event}`;
  const guard = t.guard === undefined ? NONE : (GUARDS as readonly unknown[]).indexOf(t.guard);
  if (t.guard !== undefined && guard < 0) throw new Error(`${where}: guard ${String(t.guard)} has no typed-array counterpart`);
  let action: number = NONE;
  let verdict = 0;
  for (const a of t.actions) {
    if (a.type === 'judge') verdict = verdictNumber(a.params!);
    else {
      const n = (ACTIONS as readonly string[]).indexOf(a.type);
      if (n < 0) throw new Error(`${where}: action ${a.type} has no typed-array counterpart`);
      if (action !== NONE) throw new Error(`${where}: more than one action`);
      action = n;
    }
  }
  const target = t.target?.[0] ? (STATES as readonly string[]).indexOf(t.target[0].key) : NONE;
  return [guard, action, target, verdict];
}
