/**
 * For every event: which lane it is on, and its domain's state before and after it, under one design.
 */
import { KIND } from '../events/event-types.ts';
import { STATE } from '../machines/states.ts';
import type { Lanes } from './lanes.ts';
import { NIL, type PageRecording } from './recording.ts';

/** No state is known: the domain's first event, or an event without a domain. */
export const NO_STATE = 255;

/** The columns, by row. */
export interface RowIndex {
  /** Lane number, or `NIL`. */
  readonly lane: Int32Array;
  /** State codes, or `NO_STATE`. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Returns the columns of all events that have been read. */
export function indexRows(recording: PageRecording, lanes: Lanes): RowIndex {
  const rows = recording.length;
  const index = { lane: new Int32Array(rows).fill(NIL), before: new Uint8Array(rows).fill(NO_STATE), after: new Uint8Array(rows).fill(NO_STATE) };
  const laneOf = new Int32Array(recording.interned.addresses.size).fill(NIL);
  const stateOf = new Uint8Array(lanes.list.length).fill(NO_STATE);
  const seen = new Int32Array(lanes.list.length);
  const { list, changes } = lanes;
  const { domain, kind } = recording;
  let begun = 0;
  let change = 0;
  let fall = 0;
  for (let row = 0; row < rows; row++) {
    while (begun < list.length && list[begun].first <= row + 1) laneOf[list[begun].domain] = begun++;
    const lane = domain[row] < 0 ? NIL : laneOf[domain[row]];
    // Lost events, and another recording that begins, leave no owner known until one is seen again.
    if (kind[row] === KIND.events_lost || (kind[row] === KIND.recording_started && row > 0)) fall = row;
    if (lane !== NIL) index.before[row] = seen[lane] < fall && stateOf[lane] < STATE.freed ? STATE.unknown : stateOf[lane];
    for (; change < changes.length && changes.position[change] <= row + 1; change++) {
      stateOf[changes.lane[change]] = changes.value[change];
      seen[changes.lane[change]] = row;
    }
    if (lane === NIL) continue;
    seen[lane] = row;
    index.lane[row] = lane;
    index.after[row] = stateOf[lane];
  }
  return index;
}

/** Whether an event changed its domain's state. */
export function isChange(index: RowIndex, row: number): boolean {
  return index.before[row] !== index.after[row] && index.after[row] !== NO_STATE;
}

/** Number of the lane of a finding's domain, or `NIL`. */
export function laneOfFinding(f: { readonly domain: string | null; readonly generation: number | null; readonly position: number }, index: RowIndex, lanes: Lanes, recording: PageRecording): number {
  if (f.domain === null || f.generation === null) return NIL;
  const { addresses } = recording.interned;
  const is = (n: number): boolean => lanes.list[n].generation === f.generation && addresses.text(lanes.list[n].domain) === f.domain;
  const here = index.lane[f.position - 1] ?? NIL;
  return here !== NIL && is(here) ? here : lanes.list.findIndex((lane, n) => lane.generation === f.generation && lane.first <= f.position && is(n));
}
