/**
 * What keys, buttons and the pointer do to the timeline, and which key does what.
 */
import { batch, signal } from '@preact/signals';
import { chosen, goTo, length, markers, position, recording } from './store.ts';
import { nextHeight, scrollTo } from './timeline-layout.ts';
import { clampView, panView, showIn, zoomView, type View } from './timeline-scale.ts';
import { after, laneEnd, nextEvent } from './timeline-tracks.ts';
import {
  axis, chosenLane, layout, laneSize, markerAt, now, rowOf, scrolled, setView, shown, tracks, valueOf, view,
} from './timeline-view.ts';
import { laneFacts, markersText } from './timeline-facts.ts';

/** What was last done by a key, in words; a live region says it. */
export const said = signal('');

/** Zooms by a factor (below 1: closer) at a value of the axis, else at the instant where it is seen, else at the middle. */
export function zoom(factor: number, at?: number): void {
  const [from, to] = view.value;
  const seen = now.value >= from && now.value <= to;
  setView(zoomView(axis.value, view.value, at ?? (seen ? now.value : (from + to) / 2), factor));
}

/** Shows what is a share of the width to the left or to the right. */
export function pan(share: number): void {
  setView(panView(axis.value, view.value, share));
}

/** Shows all of the recording. */
export function showAll(): void {
  setView(null);
}

/** Shows the whole life of a lane. */
export function showLane(lane: number): void {
  const { first, end } = tracks.value.lanes[lane];
  const from = valueOf(first);
  const to = end === 0 ? valueOf(length.value) : valueOf(end);
  const room = Math.max((to - from) * 0.08, axis.value.least);
  setView(clampView(axis.value, [from - room, to + room] as View));
}

/** Chooses a lane and scrolls it into view. */
export function choose(lane: number): void {
  const { domain, generation } = tracks.value.lanes[lane];
  chosen.value = { domain, generation };
  reveal(lane);
}

/** Scrolls a lane into view. */
export function reveal(lane: number): void {
  const row = rowOf.value[lane] ?? -1;
  if (row >= 0) scrolled.value = scrollTo(layout.value, row);
}

/** Goes to an instant and shows it. */
export function visit(to: number): void {
  goTo(to);
  setView(showIn(axis.value, view.value, valueOf(position.value)));
}

/** Makes lanes higher or lower; the chosen one, or else the first one seen, stays in view. */
export function resize(direction: 1 | -1): void {
  const { lane, top } = layout.value;
  const row = chosenLane.value >= 0 ? rowOf.value[chosenLane.value] : -1;
  const first = top / lane;
  batch(() => {
    laneSize.value = nextHeight(lane, direction);
    scrolled.value = first * layout.value.lane;
    if (row >= 0) scrolled.value = scrollTo(layout.value, row);
  });
}

/** Sets a marker (0: A, 1: B) at a value of the axis, or at the instant. */
export function mark(which: 0 | 1, value: number = valueOf(Math.max(1, position.value))): void {
  const [a, b] = markers.value;
  const at = markerAt(value);
  markers.value = which === 0 ? [at, b] : [a, at];
}

/** Takes both markers away. */
export function clearMarkers(): void {
  markers.value = [null, null];
}

/** Goes to the lane `by` rows further; without a chosen one to the first that is seen. */
function moveLane(by: number): void {
  const { lane: high, top } = layout.value;
  const all = shown.value;
  if (all.length === 0) return;
  const row = chosenLane.value < 0 ? -1 : rowOf.value[chosenLane.value];
  const to = row < 0 ? Math.ceil(top / high) : row + by;
  choose(all[Math.max(0, Math.min(all.length - 1, to))]);
}

/** Goes to the next event of the chosen lane in a direction; returns whether there is one. */
function moveEvent(direction: 1 | -1): boolean {
  const to = nextEvent(tracks.value, recording.value, chosenLane.value, position.value, direction);
  if (to > 0) visit(to);
  return to > 0;
}

/** Goes to the next change of state of the chosen lane in a direction; returns whether there is one. */
function moveChange(direction: 1 | -1): boolean {
  const { changes } = tracks.value;
  const lane = chosenLane.value;
  const k = direction > 0 ? after(changes, lane, position.value) : after(changes, lane, position.value - 1) - 1;
  const there = k >= changes.starts[lane] && k < changes.starts[lane + 1];
  if (there) visit(changes.position[k]);
  return there;
}

/** Goes to the first or the last event of the chosen lane, or shows that end of the recording. */
function moveEnd(direction: 1 | -1): void {
  const lane = chosenLane.value;
  const { begin, end } = axis.value;
  const span = view.value[1] - view.value[0];
  if (lane < 0) setView(direction < 0 ? [begin, begin + span] : [end - span, end]);
  else visit(direction < 0 ? tracks.value.lanes[lane].first : nextEvent(tracks.value, recording.value, lane, laneEnd(tracks.value, lane, length.value), -1) || tracks.value.lanes[lane].first);
}

/** A key with what is held down. */
export interface Key {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** Does what a key stands for; returns whether it stands for anything. */
export function press({ key, shiftKey, ctrlKey, altKey, metaKey }: Key): boolean {
  if (altKey || metaKey || (ctrlKey && !/^Arrow(?:Left|Right)$/.test(key))) return false;
  let none = '';
  const sideways = (direction: 1 | -1) => (): void => {
    if (ctrlKey || chosenLane.value < 0) return pan(direction * 0.15);
    if (!(shiftKey ? moveChange(direction) : moveEvent(direction))) none = `no ${direction > 0 ? 'later' : 'earlier'} ${shiftKey ? 'change of state' : 'event'} of this lane; `;
  };
  const page = (): number => Math.max(1, Math.floor(layout.value.height / layout.value.lane) - 1);
  const actions: Readonly<Record<string, () => void>> = {
    '+': () => zoom(1 / 1.6), '=': () => zoom(1 / 1.6), '-': () => zoom(1.6), '_': () => zoom(1.6), '0': showAll,
    ArrowLeft: sideways(-1), ArrowRight: sideways(1),
    ArrowUp: () => moveLane(-1), ArrowDown: () => moveLane(1), PageUp: () => moveLane(-page()), PageDown: () => moveLane(page()),
    Home: () => moveEnd(-1), End: () => moveEnd(1),
    Enter: () => chosenLane.value >= 0 && showLane(chosenLane.value),
    a: () => mark(0), b: () => mark(1), ']': () => resize(1), '[': () => resize(-1),
    Escape: () => (markers.value[0] === null && markers.value[1] === null ? (chosen.value = null) : clearMarkers()),
  };
  const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
  if (!action) return false;
  batch(action);
  if (/^[ab]$/.test(key)) said.value = markersText();
  else if (chosenLane.value >= 0 && /^(?:Arrow|Home|End|Page)/.test(key)) said.value = none + laneFacts(chosenLane.value, position.value);
  return true;
}
