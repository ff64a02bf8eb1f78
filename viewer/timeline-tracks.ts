/**
 * What the timeline draws of one history, lane by lane: changes of state, marks and findings, each lane's run in the order of
 * the recording. `lanes.ts` keeps what events said; here a loss of events makes every owner unknown until it is seen again.
 */
import type { PageRecording } from './recording.ts';
import { STATE } from '../machines/states.ts';
import { SEVERITIES } from '../machines/rules.ts';
import type { Finding } from '../projections/finding.ts';
import type { Lane, Lanes, SortedPoints } from './lanes.ts';

/** Everything about lanes that is drawn. Positions count from 1. */
export interface Tracks {
  readonly lanes: readonly Lane[];
  /** Values: state codes. */
  readonly changes: SortedPoints;
  /** Values: `MARK`. */
  readonly marks: SortedPoints;
  /** Values: index into `SEVERITIES`. */
  readonly findings: SortedPoints;
  /** Positions of findings that are about no lane. */
  readonly loose: readonly number[];
  /** Lanes of each domain number, in the order of their generations. */
  readonly ofDomain: ReadonlyMap<number, readonly number[]>;
}

/** Returns the tracks of a history. `findings`: in the order of the recording. */
export function tracksOf(lanes: Lanes, findings: readonly Finding[], numberOf: (address: string) => number): Tracks {
  const { list } = lanes;
  const ofDomain = new Map<number, number[]>();
  list.forEach(({ domain }, n) => {
    const of = ofDomain.get(domain);
    if (of) of.push(n);
    else ofDomain.set(domain, [n]);
  });
  const found = pointsOf(findings, list, ofDomain, numberOf);
  return {
    lanes: list, ofDomain, ...found,
    changes: withFalls(lanes.changes.sorted(list.length), list, lanes.falls),
    marks: lanes.marks.sorted(list.length),
  };
}

/** Returns the number of the lane of an incarnation, or -1. */
export function laneOf(tracks: Pick<Tracks, 'lanes' | 'ofDomain'>, domain: number, generation: number): number {
  return tracks.ofDomain.get(domain)?.find((n) => tracks.lanes[n].generation === generation) ?? -1;
}

/** Returns the first index of a lane's run whose position is behind `position`. */
export function after(points: SortedPoints, lane: number, position: number): number {
  let low = points.starts[lane];
  let high = points.starts[lane + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points.position[middle] <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the state code of a lane after a position, or -1 before its first event. */
export function stateAt({ changes }: Pick<Tracks, 'changes'>, lane: number, position: number): number {
  const at = after(changes, lane, position);
  return at === changes.starts[lane] ? -1 : changes.value[at - 1];
}

/** Returns the lane that an event on a domain belongs to, or -1. */
export function laneAt(tracks: Tracks, domain: number, position: number): number {
  return tracks.ofDomain.get(domain)?.findLast((n) => tracks.lanes[n].first <= position) ?? -1;
}

/** Returns the position at which a lane's events end: the next incarnation's first one, or behind the recording. */
export function laneEnd(tracks: Tracks, lane: number, length: number): number {
  const { domain, generation } = tracks.lanes[lane];
  const next = tracks.ofDomain.get(domain)!.find((n) => tracks.lanes[n].generation > generation);
  return next === undefined ? length + 1 : tracks.lanes[next].first;
}

/** Returns the position of a lane's next event in a direction (1, -1), at most `far` events away; 0 where there is none. */
export function nextEvent(tracks: Tracks, recording: Pick<PageRecording, 'domain' | 'length'>, lane: number, position: number, direction: 1 | -1, far = Infinity): number {
  const { domain, first } = tracks.lanes[lane];
  const end = Math.min(laneEnd(tracks, lane, recording.length) - 1, position + far);
  const begin = Math.max(first, position - far);
  if (direction > 0) {
    for (let p = Math.max(position + 1, first); p <= end; p++) if (recording.domain[p - 1] === domain) return p;
  } else for (let p = Math.min(position - 1, laneEnd(tracks, lane, recording.length) - 1); p >= begin; p--) if (recording.domain[p - 1] === domain) return p;
  return 0;
}

/** Returns changes in which a lane whose owner was known becomes unknown at each fall while it is alive. */
function withFalls(points: SortedPoints, lanes: readonly Lane[], falls: readonly number[]): SortedPoints {
  if (falls.length === 0) return points;
  const starts = new Int32Array(lanes.length + 1);
  const position: number[] = [];
  const value: number[] = [];
  for (let l = 0; l < lanes.length; l++) {
    const end = lanes[l].end === 0 ? Infinity : lanes[l].end;
    for (let k = points.starts[l]; k < points.starts[l + 1]; k++) {
      position.push(points.position[k]);
      value.push(points.value[k]);
      if (points.value[k] === STATE.unknown || points.value[k] === STATE.freed) continue;
      const fall = firstBehind(falls, points.position[k]);
      const until = k + 1 < points.starts[l + 1] ? points.position[k + 1] : end;
      if (fall >= until) continue;
      position.push(fall);
      value.push(STATE.unknown);
    }
    starts[l + 1] = position.length;
  }
  return { starts, position: Float64Array.from(position), value: Uint8Array.from(value) };
}

function firstBehind(falls: readonly number[], position: number): number {
  let low = 0;
  let high = falls.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (falls[middle] <= position) low = middle + 1;
    else high = middle;
  }
  return low === falls.length ? Infinity : falls[low];
}

function pointsOf(findings: readonly Finding[], lanes: readonly Lane[], ofDomain: Tracks['ofDomain'], numberOf: (address: string) => number): Pick<Tracks, 'findings' | 'loose'> {
  const loose: number[] = [];
  const numbers = new Map<string, number>();
  const laneOfFinding = findings.map((f) => {
    if (f.domain === null || f.generation === null) return -1;
    let n = numbers.get(f.domain);
    if (n === undefined) numbers.set(f.domain, (n = numberOf(f.domain)));
    return laneOf({ lanes, ofDomain }, n, f.generation);
  });
  const starts = new Int32Array(lanes.length + 1);
  for (const n of laneOfFinding) if (n >= 0) starts[n + 1]++;
  for (let l = 0; l < lanes.length; l++) starts[l + 1] += starts[l];
  const next = starts.slice();
  const position = new Float64Array(starts[lanes.length]);
  const value = new Uint8Array(starts[lanes.length]);
  findings.forEach((f, k) => {
    const n = laneOfFinding[k];
    if (n < 0) return void loose.push(f.position);
    const at = next[n]++;
    position[at] = f.position;
    value[at] = SEVERITIES.indexOf(f.severity);
  });
  return { findings: { starts, position, value }, loose };
}
