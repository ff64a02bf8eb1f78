/**
 * The last things that happened to a domain before an instant: its changes of state and the calls on it, where calls of one
 * function in a row that changed nothing are one entry, so that a thousand mappings do not hide the rest.
 */
import type { Lanes } from './lanes.ts';
import type { PageRecording } from './recording.ts';
import { isChange, type RowIndex } from './row-index.ts';

/** A call, or several in a row. `from` and `to` are positions, the same for a single one; states are codes or `NO_STATE`. */
export interface HistoryEntry {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly before: number;
  readonly after: number;
}

/** A domain's history up to an instant. Order: oldest first. `earlier` counts the events that are left out before them. */
export interface DomainHistory {
  readonly entries: readonly HistoryEntry[];
  readonly earlier: number;
}

/** Entries shown. */
const SHOWN = 8;

/** Returns the history of a lane up to and with a position. */
export function domainHistory(recording: PageRecording, lanes: Lanes, index: RowIndex, lane: number, position: number): DomainHistory {
  const entries: HistoryEntry[] = [];
  let earlier = 0;
  for (let row = Math.min(position, recording.length) - 1; row >= lanes.list[lane].first - 1; row--) {
    if (index.lane[row] !== lane) continue;
    const { [entries.length - 1]: last } = entries;
    if (earlier === 0 && last && last.to < position && recording.kind[last.from - 1] === recording.kind[row] && !isChange(index, row) && last.before === last.after) {
      entries[entries.length - 1] = { ...last, from: row + 1, count: last.count + 1 };
    } else if (entries.length < SHOWN) {
      entries.push({ from: row + 1, to: row + 1, count: 1, before: index.before[row], after: index.after[row] });
    } else earlier++;
  }
  return { entries: entries.toReversed(), earlier };
}
