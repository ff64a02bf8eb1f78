/**
 * From a lane's changes to what each column of pixels shows of it. Visits at most one change more than there are columns: where
 * several fall into one column, the next column is found by binary search. Such a column shows the state that lasts longest of
 * the first ones in it; a domain that lives shorter than a column still has one.
 */
import { STATE, STATES } from '../machines/states.ts';

/** A column that shows nothing: before a domain's first event, and once it is freed. */
export const NOTHING = 255;
/** Changes within one column that are compared. */
const COMPARED = 12;

/** Points on the axis: `at` has their values, lane l owns [starts[l], starts[l + 1]). */
export interface Placed {
  readonly starts: Int32Array;
  readonly at: Float64Array;
  readonly value: Uint8Array;
}

/** Which part of the axis the columns show. */
export interface Columns {
  readonly from: number;
  /** Columns of one unit of the axis. */
  readonly scale: number;
  readonly count: number;
}

/** Runs of one lane: run k shows `code[k]` in columns [x[k], x[k + 1]). Reused from lane to lane. */
export class Runs {
  readonly x: Int32Array;
  readonly code: Uint8Array;
  length = 0;

  constructor(columns: number) {
    this.x = new Int32Array(columns + 2);
    this.code = new Uint8Array(columns + 2);
  }

  add(x: number, code: number): void {
    const { length } = this;
    if (length > 0 && this.x[length - 1] === x) {
      this.code[length - 1] = code;
      return;
    }
    if (length > 0 && this.code[length - 1] === code) return;
    this.x[length] = x;
    this.code[length] = code;
    this.length++;
  }
}

/** Returns the first index in [low, high) whose point is at or behind `value`, or `high`. Steps out from `low`, so a near one is found at once. */
export function seek(at: Float64Array, low: number, high: number, value: number): number {
  let step = 1;
  let top = low;
  while (top < high && at[top] < value) {
    low = top + 1;
    top += step;
    step *= 2;
  }
  if (top > high) top = high;
  while (low < top) {
    const middle = (low + top) >> 1;
    if (at[middle] < value) low = middle + 1;
    else top = middle;
  }
  return low;
}

/** Fills `runs` with what the columns show of a lane; the last run ends at `x[length]`. */
export function laneRuns({ starts, at, value }: Placed, lane: number, { from, scale, count }: Columns, runs: Runs): void {
  runs.length = 0;
  const end = starts[lane + 1];
  let k = seek(at, starts[lane], end, from);
  let shown = k > starts[lane] ? living(value[k - 1]) : NOTHING;
  runs.add(0, shown);
  while (k < end) {
    const x = Math.floor((at[k] - from) * scale);
    if (x >= count) break;
    const edge = from + (x + 1) / scale;
    let next = k + 1;
    if (next < end && at[next] < edge) {
      next = seek(at, next, end, edge);
      const last = living(value[next - 1]);
      const longest = longestOf(at, value, k, next, edge, shown, from + x / scale);
      runs.add(x, longest);
      if (last !== longest && x + 1 < count) runs.add(x + 1, last);
      shown = last;
    } else {
      const code = living(value[k]);
      // The last column of a life is kept: a state that begins in the column of the one before would not be seen.
      if (code === NOTHING && runs.length > 0 && runs.x[runs.length - 1] === x) {
        if (x + 1 < count) runs.add(x + 1, code);
      } else runs.add(x, code);
      shown = code;
    }
    k = next;
  }
  runs.x[runs.length] = count;
}

function living(state: number): number {
  return state === STATE.freed ? NOTHING : state;
}

const lasts = new Float64Array(STATES.length);

/** Returns the state that lasts longest within a column; nothing only where there is nothing else. */
function longestOf(at: Float64Array, value: Uint8Array, k: number, next: number, edge: number, before: number, left: number): number {
  lasts.fill(0);
  if (before !== NOTHING) lasts[before] += at[k] - left;
  const end = Math.min(next, k + COMPARED);
  for (let i = k; i < end; i++) lasts[value[i]] += (i + 1 < next ? at[i + 1] : edge) - at[i];
  let longest = NOTHING;
  let most = -1;
  for (let s = 0; s < lasts.length; s++) {
    if (s === STATE.freed || lasts[s] <= most) continue;
    if (lasts[s] === 0 && !among(value, k, end, s)) continue;
    longest = s;
    most = lasts[s];
  }
  return longest;
}

function among(value: Uint8Array, k: number, end: number, state: number): boolean {
  for (let i = k; i < end; i++) if (value[i] === state) return true;
  return false;
}

/** Writes what each column shows of a lane, a state code or NOTHING. */
export function laneCodes(points: Placed, lane: number, columns: Columns, runs: Runs, codes: Uint8Array): void {
  laneRuns(points, lane, columns, runs);
  spread(runs, codes);
}

/** Counts the lanes of a row by state and column, to show what most of them are. */
export class Crowd {
  private readonly columns: number;
  /** By column, then by state. */
  private readonly change: Int32Array;
  /** Columns in which a run begins or ends; the same four by four, to pass over the others. */
  private readonly touched: Uint8Array;
  private readonly words: Uint32Array;
  private readonly now = new Int32Array(STATES.length);

  constructor(columns: number) {
    this.columns = columns;
    this.change = new Int32Array((columns + 1) * STATES.length);
    this.words = new Uint32Array((columns >> 2) + 1);
    this.touched = new Uint8Array(this.words.buffer);
  }

  /** Adds the runs of a lane. */
  add({ x, code, length }: Runs): void {
    const { change, touched } = this;
    const states = STATES.length;
    for (let k = 0; k < length; k++) {
      if (code[k] === NOTHING) continue;
      change[x[k] * states + code[k]]++;
      change[x[k + 1] * states + code[k]]--;
      touched[x[k]] = 1;
      touched[x[k + 1]] = 1;
    }
  }

  /** Writes runs of the state of most lanes, NOTHING where none is alive; forgets the lanes. */
  settle(runs: Runs): void {
    const { change, touched, words, now, columns } = this;
    const states = now.length;
    now.fill(0);
    runs.length = 0;
    runs.add(0, NOTHING);
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      for (let x = word * 4; x < word * 4 + 4; x++) {
        if (touched[x] === 0) continue;
        let best = 0;
        let most = NOTHING;
        for (let s = 0, at = x * states; s < states; s++, at++) {
          const count = (now[s] += change[at]);
          change[at] = 0;
          if (count > best) {
            best = count;
            most = s;
          }
        }
        if (x < columns) runs.add(x, most);
      }
      words[word] = 0;
    }
    runs.x[runs.length] = columns;
  }
}

/** Writes runs as codes of columns. */
export function spread({ x, code, length }: Runs, codes: Uint8Array): void {
  for (let k = 0; k < length; k++) codes.fill(code[k], x[k], x[k + 1]);
}
