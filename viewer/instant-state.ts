/**
 * Signals that the instant and its parts share: the moment, the domain that is looked at, the findings by position,
 * and what is said aloud when somebody steps.
 */
import { computed, signal } from '@preact/signals';
import { errnoText } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';
import { domainName } from './domain-text.ts';
import { countUpTo } from './differences.ts';
import type { History } from './history.ts';
import { momentAt, type Moment } from './moment.ts';
import { chosen, goTo, history, length, position, recording } from './store.ts';

/** The instant under the design that judges. */
export const moment = computed(() => momentAt(history.value, position.value));

/** The domain that is looked at: the chosen one, else the one that the event is about. */
export const subject = computed(() => chosen.value ?? moment.value.subject);

/** Findings of one design with their positions, for jumping. */
export interface FoundAt {
  readonly list: readonly Finding[];
  readonly positions: Float64Array;
}

/** Returns the findings of a history. Order: position. */
export function foundIn(of: History): FoundAt {
  const list = of.findings;
  return { list, positions: Float64Array.from(list, (f) => f.position) };
}

/** Findings under the design that judges. */
export const found = computed(() => {
  void length.value;
  return foundIn(history.value);
});

/** Returns the findings at a position with their number among those of that event, from 1. */
export function findingsAt({ list, positions }: FoundAt, at: number): readonly Finding[] {
  return list.slice(countUpTo(positions, at - 1), countUpTo(positions, at));
}

/** What a screen reader says. */
export const said = signal('');

/** Goes to a position (null: nowhere) and says what is there. */
export function step(to: number | null): void {
  if (to !== null) goTo(to);
  said.value = to === null ? 'There is none in this direction.' : sentence(moment.value, findingsAt(found.value, position.value));
}

/** Returns an instant as one sentence. */
export function sentence({ position: at, event, time, judged }: Moment, findings: readonly Finding[]): string {
  if (event === null) return 'Before the first event.';
  const parts = [`Event ${at}${time === null ? '' : ` at ${time} seconds`}: ${String(event['type'])}${judged === null ? '' : ` on ${judged.name}`}`];
  if (judged !== null) parts.push(judged.before === judged.after ? `stays ${judged.after}` : `${judged.before} to ${judged.after}`);
  if (typeof event['errno'] === 'number') parts.push(`errno ${errnoText(event['errno'])}`);
  if (findings.length > 0) parts.push(`${findings.length === 1 ? 'finding' : `${findings.length} findings`} ${findings.map((f) => f.rule).join(', ')}`);
  return `${parts.join(', ')}.`;
}

/** Position of the next (`by` 1) or previous (-1) event that names the domain looked at, within its incarnation; or null. */
export function eventOfDomain(by: 1 | -1): number | null {
  const at = subject.value;
  if (at === null) return null;
  const { lanes } = history.value;
  const lane = lanes.find(at.domain, at.generation);
  const later = lanes.find(at.domain, at.generation + 1);
  const from = lane < 0 ? 1 : lanes.list[lane].first;
  const to = later < 0 ? length.value : lanes.list[later].first - 1;
  const { domain } = recording.value;
  for (let p = by > 0 ? Math.max(position.value + 1, from) : Math.min(position.value - 1, to); p >= from && p <= to; p += by) if (domain[p - 1] === at.domain) return p;
  return null;
}

/** Name of the domain looked at, or null. */
export const subjectName = computed(() => {
  const at = subject.value;
  return at === null ? null : domainName({ domain: recording.value.interned.addresses.text(at.domain), generation: at.generation });
});
