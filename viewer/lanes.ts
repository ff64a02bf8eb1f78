/**
 * Lanes of the timeline: one an incarnation of a domain, with every change of its state and the marks on it (MSI pages,
 * attachments). Flat arrays in the order of the recording; `sorted` gives each lane its own run for drawing.
 */
import { KIND } from '../events/event-types.ts';
import { STATE } from '../machines/states.ts';
import { grown } from '../machines/msi-pages.ts';
import type { Audit } from '../projections/audit.ts';

/** What a mark stands for. */
export const MARK = { page: 0, attach: 1 } as const;

/** One lane. Positions count from 1; `end` is 0 while the domain is alive. */
export interface Lane {
  readonly domain: number;
  readonly generation: number;
  readonly first: number;
  end: number;
}

/** A growing list of (lane, position, value). */
class Points {
  lane = new Int32Array(1024);
  position = new Float64Array(1024);
  value = new Uint8Array(1024);
  length = 0;

  push(lane: number, position: number, value: number): void {
    if (this.length === this.lane.length) {
      const n = this.length * 2;
      this.lane = grown(this.lane, new Int32Array(n));
      this.position = grown(this.position, new Float64Array(n));
      this.value = grown(this.value, new Uint8Array(n));
    }
    this.lane[this.length] = lane;
    this.position[this.length] = position;
    this.value[this.length++] = value;
  }

  /** Returns the points lane by lane, each lane's in the order of the recording; `starts[l]` is where lane l begins. */
  sorted(lanes: number): SortedPoints {
    const starts = new Int32Array(lanes + 1);
    for (let k = 0; k < this.length; k++) starts[this.lane[k] + 1]++;
    for (let l = 0; l < lanes; l++) starts[l + 1] += starts[l];
    const position = new Float64Array(this.length);
    const value = new Uint8Array(this.length);
    const next = starts.slice();
    for (let k = 0; k < this.length; k++) {
      const at = next[this.lane[k]]++;
      position[at] = this.position[k];
      value[at] = this.value[k];
    }
    return { starts, position, value };
  }
}

/** Points of all lanes, run by run. */
export interface SortedPoints {
  readonly starts: Int32Array;
  readonly position: Float64Array;
  readonly value: Uint8Array;
}

/** The lanes of one audit; fed by its `onStep`. */
export class Lanes {
  readonly list: Lane[] = [];
  /** State codes (`STATE`) from a position on, and marks (`MARK`). */
  readonly changes = new Points();
  readonly marks = new Points();
  /** Positions of the events at which every owner became unknown: losses, and a recording that begins behind another. */
  readonly falls: number[] = [];
  private readonly laneOf: number[] = [];
  private readonly seenAt: number[] = [];
  private readonly stateOf: number[] = [];
  private readonly pagesOf: number[] = [];
  private fallsPassed = 0;
  private readonly audit: Audit;

  constructor(audit: Audit) {
    this.audit = audit;
  }

  /** One event on a domain has been judged. */
  step(position: number, kind: number, d: number, after: number): void {
    const n = this.laneFor(position, d);
    // What is observed first after a fall counts as a change, be it the same state as before.
    if (this.seenAt[d] < this.fallBefore(position)) this.stateOf[d] = -1;
    this.seenAt[d] = position;
    this.change(n, position, d, after);
    const pages = this.audit.rows.pageCount[d];
    if (pages > this.pagesOf[d]) this.marks.push(n, position, MARK.page);
    this.pagesOf[d] = pages;
    if (kind === KIND.iommu_group_set_domain) this.marks.push(n, position, MARK.attach);
  }

  /** Memory showed the words of a domain in an event that is about another one. */
  observed(position: number, d: number): void {
    const n = this.laneFor(position, d);
    const { rows } = this.audit;
    if (rows.state[d] === STATE.unknown && this.stateOf[d] !== -1) return;
    if (this.seenAt[d] < this.fallBefore(position)) this.stateOf[d] = -1;
    this.seenAt[d] = position;
    this.change(n, position, d, rows.state[d]);
  }

  /** The lane of the incarnation that has an address now; it begins here where this is the first that is seen of it. */
  private laneFor(position: number, d: number): number {
    const generation = this.audit.incarnations.generation[d];
    let n = this.laneOf[d] ?? -1;
    if (n >= 0 && this.list[n].generation === generation) return n;
    if (n >= 0 && this.list[n].end === 0) this.list[n].end = position;
    n = this.list.length;
    this.list.push({ domain: d, generation, first: position, end: 0 });
    this.laneOf[d] = n;
    this.stateOf[d] = -1;
    this.pagesOf[d] = 0;
    return n;
  }

  private change(n: number, position: number, d: number, after: number): void {
    if (after === this.stateOf[d]) return;
    this.changes.push(n, position, after);
    this.stateOf[d] = after;
    if (after === STATE.freed) this.list[n].end = position;
  }

  private fallBefore(position: number): number {
    while (this.fallsPassed < this.falls.length && this.falls[this.fallsPassed] < position) this.fallsPassed++;
    return this.fallsPassed === 0 ? 0 : this.falls[this.fallsPassed - 1];
  }

  /** Number of the lane that an incarnation has, or -1. */
  find(domain: number, generation: number): number {
    for (let n = this.laneOf[domain] ?? -1; n >= 0; n--) if (this.list[n].domain === domain && this.list[n].generation === generation) return n;
    return -1;
  }
}
