/**
 * Where two histories of one recording part, as `compare` defines it: an event at which what the design answers, the state after
 * it, or the rules it met differ. Every finding that stands at the end counts; each design judges in the state it has itself reached.
 */
import { EVENT_TYPES, type EventType } from '../events/event-types.ts';
import type { State } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';
import type { History } from './history.ts';

/** What one design says of an event. */
export interface DesignVerdict {
  readonly errno: number | null;
  readonly state: State | null;
  /** Ids of the rules met. Order: sorted, each one once. */
  readonly rules: readonly string[];
}

/** Returns the rules met at each position where any was. */
export function rulesByPosition(findings: readonly Finding[]): Map<number, string[]> {
  const rules = new Map<number, string[]>();
  for (const { position, rule } of findings) {
    const here = rules.get(position);
    if (here === undefined) rules.set(position, [rule]);
    else if (!here.includes(rule)) here.push(rule);
  }
  for (const here of rules.values()) here.sort();
  return rules;
}

/** Positions at which two histories differ. Order: as recorded. */
export function differencesOf(a: History, b: History): Float64Array {
  const events = Math.min(a.recording.length, b.recording.length);
  const rulesOfA = rulesByPosition(a.findings);
  const rulesOfB = rulesByPosition(b.findings);
  const byRules = new Set<number>();
  for (const position of [...rulesOfA.keys(), ...rulesOfB.keys()]) {
    if ((rulesOfA.get(position) ?? []).join() !== (rulesOfB.get(position) ?? []).join()) byRules.add(position);
  }
  const positions: number[] = [];
  const codesOfA = a.answers.codes;
  const codesOfB = b.answers.codes;
  for (let row = 0; row < events; row++) if (codesOfA[row] !== codesOfB[row] || byRules.has(row + 1)) positions.push(row + 1);
  return Float64Array.from(positions);
}

/** Differences that are alike: the same call, on which each design says the same. */
export interface DifferenceKind {
  readonly event: EventType;
  readonly a: DesignVerdict;
  readonly b: DesignVerdict;
  readonly first: number;
  count: number;
}

/** Returns the kinds of differences. Order: by their first one. */
export function kindsOf(a: History, b: History, positions: Float64Array): DifferenceKind[] {
  const rulesOfA = rulesByPosition(a.findings);
  const rulesOfB = rulesByPosition(b.findings);
  const kinds = new Map<string, DifferenceKind>();
  for (const first of positions) {
    const kind = a.recording.kind[first - 1];
    const ofA = rulesOfA.get(first) ?? [];
    const ofB = rulesOfB.get(first) ?? [];
    const key = `${kind} ${a.answers.codes[first - 1]} ${b.answers.codes[first - 1]} ${ofA.join()} ${ofB.join()}`;
    const known = kinds.get(key);
    if (known) known.count++;
    else kinds.set(key, { event: EVENT_TYPES[kind], a: { ...a.answers.at(first), rules: ofA }, b: { ...b.answers.at(first), rules: ofB }, first, count: 1 });
  }
  return [...kinds.values()];
}

/** How many of the sorted positions are at or before one. */
export function countUpTo(positions: Float64Array, position: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (positions[middle] <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The position among the sorted ones before a position, or null. */
export function previousOf(positions: Float64Array, position: number): number | null {
  return positions[countUpTo(positions, position - 1) - 1] ?? null;
}

/** The position among the sorted ones after a position, or null. */
export function nextOf(positions: Float64Array, position: number): number | null {
  return positions[countUpTo(positions, position)] ?? null;
}
