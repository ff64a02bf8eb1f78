/**
 * The vertical axis: which lanes stand where. Lanes are as high as asked for, or as low as it takes to show all of them; below one
 * device pixel several share a row. Distances are CSS pixels unless they say device.
 */
import type { Lane } from './lanes.ts';

/** Heights that can be chosen besides `fit`. */
export const HEIGHTS = [2, 3, 4, 6, 9, 13, 18, 24, 32] as const;
/** Height of a lane where nothing else is asked for, and the least at which it has a label beside it. */
export const COMFORTABLE = 18;
export const LABELLED = 11;

/** How lanes are laid out. */
export interface Layout {
  /** Height of one lane. */
  readonly lane: number;
  readonly count: number;
  /** Height of what is seen, and how far it is scrolled. */
  readonly height: number;
  readonly top: number;
  /** Device pixels of one CSS pixel. */
  readonly ratio: number;
}

/** One row of device pixels, or one lane's rows: device rows [y0, y1) show lanes [first, last). */
export interface Row {
  readonly y0: number;
  readonly y1: number;
  readonly first: number;
  readonly last: number;
}

/** Returns the numbers of the lanes that are shown, in the order of their first events. */
export function shownLanes(lanes: readonly Lane[], filter: Uint8Array | null): Int32Array {
  const shown = new Int32Array(lanes.length);
  let n = 0;
  for (let l = 0; l < lanes.length; l++) if (filter === null || filter[l] === 1) shown[n++] = l;
  return shown.subarray(0, n);
}

/** Returns the height of a lane: `fit` makes all of them visible. */
export function laneHeight(asked: number | 'fit', count: number, height: number): number {
  return asked === 'fit' ? Math.min(COMFORTABLE, height / Math.max(1, count)) : asked;
}

/** Returns the next height up or down. */
export function nextHeight(now: number, direction: 1 | -1): number | 'fit' {
  if (direction > 0) return HEIGHTS.find((h) => h > now + 0.01) ?? HEIGHTS.at(-1)!;
  return HEIGHTS.findLast((h) => h < now - 0.01) ?? 'fit';
}

/** Returns the number of the row (in the order shown) at a height, or -1. */
export function rowAt({ lane, count, height, top }: Layout, y: number): number {
  if (y < 0 || y >= height) return -1;
  const row = Math.floor((y + top) / lane);
  return row < count ? row : -1;
}

/** Returns how far to scroll so that a row is seen. */
export function scrollTo({ lane, height, top, count }: Layout, row: number): number {
  const y = row * lane;
  // With the next lane beside it, where there is room for two.
  const to = y < top ? Math.max(y - lane, Math.min(y, y + lane - height)) : y + lane > top + height ? Math.min(y, y + lane * 2 - height) : top;
  return Math.max(0, Math.min(to, count * lane - height));
}

/** Returns the rows that are seen. Order: from the top. Lanes of at least a device pixel have rows of their own. */
export function rowsOf({ lane, count, height, top, ratio }: Layout): Row[] {
  const rows: Row[] = [];
  const device = Math.round(height * ratio);
  if (lane * ratio >= 1) {
    for (let k = Math.max(0, Math.floor(top / lane)); k < count; k++) {
      const y0 = Math.round((k * lane - top) * ratio);
      if (y0 >= device) break;
      rows.push({ y0, y1: Math.round(((k + 1) * lane - top) * ratio), first: k, last: k + 1 });
    }
    return rows;
  }
  // Where all are to be seen, the last row has the last lane, whatever part of a device pixel is left.
  const each = count * lane <= height + 1e-6 ? count / device : 1 / (lane * ratio);
  const begin = Math.round(top * ratio);
  for (let y = 0; y < device; y++) {
    const first = Math.round((begin + y) * each);
    const last = Math.min(count, Math.round((begin + y + 1) * each));
    if (first >= count) break;
    if (last > first) rows.push({ y0: y, y1: y + 1, first, last });
  }
  return rows;
}

/** Returns the rows that get a label, so that labels do not touch. */
export function labelledRows({ lane, count, height, top }: Layout): number[] {
  const every = Math.max(1, Math.ceil(LABELLED / lane));
  const rows: number[] = [];
  for (let k = Math.ceil(Math.max(0, Math.floor(top / lane)) / every) * every; k < count && k * lane - top < height; k += every) if (lane >= LABELLED || k * lane - top + LABELLED <= height) rows.push(k);
  return rows;
}

/** Returns a lane's name: whole, or so short that it fits beside a narrow timeline. */
export function laneName(address: string, generation: number, short: boolean): string {
  return `${short && address.length > 8 ? `…${address.slice(-6)}` : address}#${generation}`;
}
