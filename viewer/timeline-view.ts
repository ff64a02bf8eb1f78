/**
 * What the timeline shows at the moment, as signals that follow from those of the store: axis, visible part, lanes in their order,
 * and the points of all lanes placed on the axis. Nothing of the document is touched here.
 */
import { batch, computed, signal } from '@preact/signals';
import { KIND } from '../events/event-types.ts';
import type { AddressTable } from '../events/tables.ts';
import type { History } from './history.ts';
import type { SortedPoints } from './lanes.ts';
import { laneFilter } from './search.ts';
import { chosen, history, length, otherHistory, position, range, recording } from './store.ts';
import { laneHeight, shownLanes, type Layout } from './timeline-layout.ts';
import type { Placed } from './timeline-runs.ts';
import { clampView, clockOf, eventAxis, timeAxis, type Clock, type View } from './timeline-scale.ts';
import { laneOf, tracksOf, type Tracks } from './timeline-tracks.ts';

/** Which axis was asked for; a recording without times has events only. */
export const axisKind = signal<'time' | 'event'>('time');
/** Height of a lane, or as low as it takes to see all. Units: CSS pixels. */
export const laneSize = signal<number | 'fit'>('fit');
/** How far the lanes are scrolled, the size of what is seen of them, and device pixels of a CSS pixel. */
export const scrolled = signal(0);
export const size = signal({ width: 0, height: 0, ratio: 1, gutter: 0 });
/** Where the pointer is over the lanes, or null. Units: CSS pixels. */
export const pointer = signal<{ readonly x: number; readonly y: number } | null>(null);

/** The clock at the first event, or null where the recording has no times. */
export const clock = computed<Clock | null>(() => {
  const r = recording.value;
  if (length.value === 0 && r.length === 0) return null;
  // What the reader itself says first has no time in most formats.
  for (let p = 1; p <= Math.min(r.length, 64); p++) {
    const time = r.time(p);
    if (time !== null) return clockOf(time);
  }
  return null;
});

/** Seconds by row as the axis takes them, and how many events go back in time: they are drawn where time had come to. */
const seconds = computed(() => {
  const n = length.value;
  const { seconds: all } = recording.value;
  let backward = 0;
  for (let row = 1; row < n; row++) if (all[row] < all[row - 1]) backward++;
  if (backward === 0) return { all, backward };
  const rising = all.slice(0, n);
  for (let row = 1; row < n; row++) rising[row] = Math.max(rising[row], rising[row - 1]);
  return { all: rising, backward };
});

/** How many events have a time before that of the event in front of them. */
export const backward = computed(() => seconds.value.backward);

/** The axis that is drawn. */
export const axis = computed(() => {
  const n = length.value;
  if (axisKind.value === 'event' || clock.value === null) return eventAxis(n);
  return timeAxis(n === 0 ? 0 : seconds.value.all[n - 1]);
});

/** Part of the event axis that is shown, as long as that axis is. */
const eventView = signal<View | null>(null);
let written: View | null = null;

/** The part of the axis that is shown. */
export const view = computed<View>(() => {
  const a = axis.value;
  const asked = range.value;
  if (asked === null) return [a.begin, a.end];
  if (a.kind === 'time' || clock.value === null) return clampView(a, asked);
  const own = eventView.value;
  if (own !== null && asked === written) return clampView(a, own);
  return clampView(a, [positionAt(asked[0]), positionAt(asked[1]) + 1]);
});

/** Shows a part of the axis, or all of it. */
export function setView(to: View | null): void {
  const a = axis.value;
  const next = to === null ? null : clampView(a, to);
  const whole = next === null || (next[0] <= a.begin && next[1] >= a.end);
  batch(() => {
    if (whole || a.kind === 'time' || clock.value === null) {
      eventView.value = null;
      range.value = whole ? null : next;
      return;
    }
    eventView.value = next;
    range.value = written = [secondsOf(Math.floor(next[0])), secondsOf(Math.ceil(next[1]) - 1)];
  });
}

/** Goes over to another axis and shows the same part on it. */
export function setAxis(kind: 'time' | 'event'): void {
  if (kind === axisKind.value) return;
  const [from, to] = view.value;
  const whole = range.value === null;
  const was = axis.value.kind;
  batch(() => {
    axisKind.value = kind;
    if (whole || axis.value.kind === was) return;
    setView(kind === 'event' ? [positionAt(from), positionAt(to) + 1] : [secondsOf(Math.floor(from)), secondsOf(Math.ceil(to) - 1)]);
  });
}

/** Seconds at a position, within the recording. */
export function secondsOf(p: number): number {
  const n = length.value;
  return n === 0 ? 0 : seconds.value.all[Math.max(1, Math.min(n, p)) - 1];
}

/** Position of the last event at or before a number of seconds; 0 where there is none. */
function positionAt(at: number): number {
  const { all } = seconds.value;
  let low = 0;
  let high = length.value;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Value of a position on the axis; the instant before the first event stands at the begin. */
export function valueOf(p: number): number {
  if (p === 0) return axis.value.begin;
  return axis.value.kind === 'event' ? p : secondsOf(p);
}

/** Position of the last event at or before a value of the axis; 0 before the first. */
export function instantAt(value: number): number {
  return axis.value.kind === 'event' ? Math.max(0, Math.min(length.value, Math.floor(value))) : positionAt(value);
}

/** Where a marker stands on the axis. Units of a marker: seconds since the first event, or positions where there is no clock. */
export function markerValue(marker: number): number {
  return axis.value.kind === 'event' && clock.value !== null ? positionAt(marker) : marker;
}

/** What a marker is that is set at a value of the axis. */
export function markerAt(value: number): number {
  return axis.value.kind === 'event' && clock.value !== null ? secondsOf(Math.round(value)) : value;
}

function tracksFor(h: History): Tracks {
  const numbers = numbersOf(h.recording.interned.addresses);
  return tracksOf(h.lanes, h.findings, (address) => numbers(address));
}

function numbersOf(addresses: AddressTable): (address: string) => number {
  let all: Map<string, number> | null = null;
  return (address) => {
    if (all === null) {
      all = new Map();
      for (let n = 0; n < addresses.size; n++) all.set(addresses.text(n), n);
    }
    return all.get(address) ?? -1;
  };
}

/** Tracks of the judging design, and of the other one or null. */
export const tracks = computed(() => {
  void length.value;
  return tracksFor(history.value);
});
export const otherTracks = computed(() => {
  void length.value;
  return otherHistory.value === null ? null : tracksFor(otherHistory.value);
});

function place({ starts, position: at, value }: SortedPoints): Placed {
  if (axis.value.kind === 'event') return { starts, at, value };
  const { all } = seconds.value;
  const placed = new Float64Array(at.length);
  for (let k = 0; k < at.length; k++) placed[k] = all[at[k] - 1];
  return { starts, at: placed, value };
}

/** Changes, marks and findings on the axis. */
export const placed = computed(() => {
  const { changes, marks, findings } = tracks.value;
  return { changes: place(changes), marks: place(marks), findings: place(findings) };
});

/** The other design's changes on the axis, and its lane of each lane's domain; null where one design is shown. */
export const placedOther = computed(() => {
  const other = otherTracks.value;
  if (other === null) return null;
  const lane = Int32Array.from(tracks.value.lanes, ({ domain, generation }) => laneOf(other, domain, generation));
  return { changes: place(other.changes), lane };
});

/** Parts of the axis in which events were lost: from the last event before to the first one behind. */
export const losses = computed<readonly View[]>(() => {
  const all: View[] = [];
  const { kind } = recording.value;
  const n = length.value;
  for (let p = 1; p <= n; p++) {
    if (kind[p - 1] !== KIND.events_lost) continue;
    all.push([p === 1 ? axis.value.begin : valueOf(p - 1), p === n ? axis.value.end : valueOf(p + 1)]);
  }
  return all;
});

/** Lanes that the filter leaves, in the order shown, and by lane its row or -1. */
export const shown = computed(() => shownLanes(tracks.value.lanes, laneFilter.value));
export const rowOf = computed(() => {
  const rows = new Int32Array(tracks.value.lanes.length).fill(-1);
  shown.value.forEach((lane, row) => (rows[lane] = row));
  return rows;
});

/** How lanes are laid out. */
export const layout = computed<Layout>(() => {
  const { height, ratio } = size.value;
  const count = shown.value.length;
  const lane = laneHeight(laneSize.value, count, height);
  return { lane, count, height, ratio, top: Math.max(0, Math.min(scrolled.value, count * lane - height)) };
});

/** Number of the chosen lane, or -1. */
export const chosenLane = computed(() => (chosen.value === null ? -1 : laneOf(tracks.value, chosen.value.domain, chosen.value.generation)));

/** CSS pixels from the left of the lanes to a value of the axis. */
export function xOf(value: number): number {
  const [from, to] = view.value;
  return ((value - from) / (to - from)) * size.value.width;
}

/** Value of the axis at CSS pixels from the left of the lanes. */
export function valueAt(x: number): number {
  const [from, to] = view.value;
  return from + (x / size.value.width) * (to - from);
}

/** Where the instant that is shown stands on the axis. */
export const now = computed(() => valueOf(position.value));
