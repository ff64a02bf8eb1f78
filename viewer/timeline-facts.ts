/**
 * What the timeline says in words: of a lane at an instant, of what is under the pointer, and between the markers.
 * Texts of the recording are escaped here.
 */
import { EVENT_TYPES } from '../events/event-types.ts';
import { escapeText } from '../events/problem.ts';
import { SEVERITIES } from '../machines/rules.ts';
import { STATES } from '../machines/states.ts';
import { history, markers, recording } from './store.ts';
import { laneName } from './timeline-layout.ts';
import { clockText, durationText } from './timeline-scale.ts';
import { after, nextEvent, stateAt } from './timeline-tracks.ts';
import { clock, instantAt, markerValue, otherTracks, placedOther, secondsOf, tracks } from './timeline-view.ts';

/** Events looked at on each side for the nearest one of a lane. */
const NEAR = 300_000;
/** Changes of a lane that are listed. */
const LISTED = 40;

/** Returns a lane's whole name. */
export function nameOf(lane: number): string {
  const { domain, generation } = tracks.value.lanes[lane];
  return laneName(recording.value.interned.addresses.text(domain), generation, false);
}

/** Returns the clock at a position as text, or the event's number where there is no clock. */
export function timeOf(p: number): string {
  if (p === 0) return 'before the first event';
  return clock.value === null ? `event ${p}` : `${clockText(clock.value, secondsOf(p))} s`;
}

/** Returns an event in a few words. */
export function eventOf(p: number): string {
  const { kind, device, caller } = recording.value;
  const about = [recording.value.text(device[p - 1]), recording.value.text(caller[p - 1])].filter((t) => t !== '').map((t) => escapeText(t));
  return `event ${p} ${EVENT_TYPES[kind[p - 1]]}${about.length > 0 ? ` (${about.join(', ')})` : ''}`;
}

/** Returns the lane's state after a position in words, under both designs where they differ. */
export function stateText(lane: number, p: number): string {
  const of = (state: number): string => (state < 0 ? 'not seen yet' : STATES[state]);
  const mine = of(stateAt(tracks.value, lane, p));
  const other = otherTracks.value;
  const l = placedOther.value?.lane[lane] ?? -1;
  if (other === null) return mine;
  const theirs = of(l < 0 ? -1 : stateAt(other, l, p));
  return theirs === mine ? mine : `${mine}, under the other design ${theirs}`;
}

/** Returns since when a lane is in its state, or null before its first event. */
export function sinceText(lane: number, p: number): string | null {
  const { changes } = tracks.value;
  const at = after(changes, lane, p) - 1;
  return at < changes.starts[lane] ? null : `since event ${changes.position[at]} at ${timeOf(changes.position[at])}`;
}

/** Returns what findings of a lane there are at a position. */
export function findingsAt(lane: number, p: number): string[] {
  const { findings } = tracks.value;
  const end = after(findings, lane, p);
  if (end === findings.starts[lane] || findings.position[end - 1] !== p) return [];
  const { domain, generation } = tracks.value.lanes[lane];
  const address = recording.value.interned.addresses.text(domain);
  return history.value.findings.filter((f) => f.position === p && f.domain === address && f.generation === generation).map((f) => `${f.severity}: ${f.rule}`);
}

/** Returns the facts of a lane at an instant, for people who cannot see the canvas. */
export function laneFacts(lane: number, p: number): string {
  const { first, end } = tracks.value.lanes[lane];
  const { findings } = tracks.value;
  const count = findings.starts[lane + 1] - findings.starts[lane];
  const worst = count === 0 ? '' : `, the worst ${SEVERITIES[Math.min(...findings.value.subarray(findings.starts[lane], findings.starts[lane + 1]))]}`;
  const since = sinceText(lane, p);
  return [
    `${nameOf(lane)}: ${stateText(lane, p)}${since === null ? '' : ` ${since}`}`,
    p > 0 && recording.value.domain[p - 1] === tracks.value.lanes[lane].domain ? `${eventOf(p)} at ${timeOf(p)}` : `instant: event ${p}${p > 0 && clock.value !== null ? ` at ${timeOf(p)}` : ''}`,
    ...findingsAt(lane, p),
    `seen from event ${first} ${end === 0 ? 'to the end' : `to event ${end}`}`,
    `${count} finding${count === 1 ? '' : 's'}${worst}`,
  ].join('; ');
}

/** What is under the pointer. */
export interface Under {
  readonly name: string;
  readonly state: string;
  readonly time: string;
  readonly nearest: string | null;
  readonly findings: readonly string[];
}

/** Returns the position of a lane's event that is nearest to a value of the axis, at most `reach` away from it; 0 where there is none. */
export function nearestEvent(lane: number, value: number, reach: number, valueOf: (p: number) => number): number {
  const p = instantAt(value);
  const r = recording.value;
  const before = p > 0 && r.domain[p - 1] === tracks.value.lanes[lane].domain && p >= tracks.value.lanes[lane].first ? p : nextEvent(tracks.value, r, lane, p, -1, NEAR);
  const behind = nextEvent(tracks.value, r, lane, p, 1, NEAR);
  const far = (at: number): number => (at === 0 ? Infinity : Math.abs(valueOf(at) - value));
  const best = far(before) <= far(behind) ? before : behind;
  return far(best) <= reach ? best : 0;
}

/** Returns what to say of a lane at a value of the axis. */
export function under(lane: number, value: number, valueOf: (p: number) => number): Under {
  const p = instantAt(value);
  const nearest = nearestEvent(lane, value, Infinity, valueOf);
  const since = sinceText(lane, p);
  return {
    name: nameOf(lane),
    state: `${stateText(lane, p)}${since === null ? '' : `, ${since}`}`,
    time: clock.value === null ? `after event ${p}` : p === 0 ? 'before the first event' : `${timeOf(p)}, after event ${p}`,
    nearest: nearest === 0 ? null : `nearest: ${eventOf(nearest)} at ${timeOf(nearest)}`,
    findings: nearest === 0 ? [] : findingsAt(lane, nearest),
  };
}

/** Returns a lane's changes as lines, the first ones and how many more there are. */
export function changesOf(lane: number): { readonly lines: readonly { readonly position: number; readonly text: string }[]; readonly more: number } {
  const { changes } = tracks.value;
  const lines = [];
  const end = Math.min(changes.starts[lane + 1], changes.starts[lane] + LISTED);
  for (let k = changes.starts[lane]; k < end; k++) {
    const p = changes.position[k];
    lines.push({ position: p, text: `${timeOf(p)}: ${STATES[changes.value[k]]}, ${eventOf(p)}` });
  }
  return { lines, more: changes.starts[lane + 1] - end };
}

/** Returns where the markers are, and what is between them. */
export function markersText(): string {
  const [a, b] = markers.value;
  const one = (name: string, m: number | null): string[] => (m === null ? [] : [`${name} ${clock.value === null ? `event ${Math.round(m)}` : `${clockText(clock.value, m)} s`}`]);
  const parts = [...one('A', a), ...one('B', b)];
  if (a !== null && b !== null) {
    const events = Math.abs(instantAt(markerValue(b)) - instantAt(markerValue(a)));
    if (clock.value !== null) parts.push(`B - A = ${durationText(b - a)}`);
    parts.push(`${events} event${events === 1 ? '' : 's'} from one to the other`);
  }
  return parts.join(' · ');
}
