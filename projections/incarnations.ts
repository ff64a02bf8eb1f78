/**
 * A domain is an address and a generation. Decides which incarnation an event belongs to: recording starts in mid-life,
 * addresses are reused at once, and iommufd uses a domain before the return of its allocation names it.
 * An event on a freed address is held as a possible use-after-free until an allocation explains it, or does not.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import type { DomainRows } from '../machines/domain-rows.ts';
import { FLAG } from '../machines/domain-rows.ts';
import { grown } from '../machines/msi-pages.ts';
import { STATE, TYPE } from '../machines/states.ts';
import type { Finding } from './finding.ts';

/**
 * How an incarnation came into sight: seen in mid-life or before its allocation returned, touched after a free that an
 * allocation may still explain, or allocated on record.
 */
export const BORN = { never: 0, seen: 1, touched: 2, allocated: 3 } as const;

const NO_PID = -1;
/** Freed domains that are remembered, to know a use after free from a domain never seen. */
export const FREED_KEPT = 1 << 16;

/** Incarnations as plain data. */
export interface IncarnationsSnapshot {
  readonly born: Uint8Array;
  readonly generation: Uint32Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
  readonly birthKind: Uint8Array;
  readonly birthPid: Int32Array;
  readonly freedGap: Uint32Array;
  readonly tainted: Float64Array;
  readonly count: number;
  readonly gaps: number;
  readonly freedRows: readonly number[];
  readonly pending: readonly (readonly [number, Finding])[];
  readonly movedOn: readonly number[];
  readonly probed: boolean;
  readonly freesSeen: boolean;
  readonly cookiesSeen: boolean;
  readonly allocationsSeen: readonly [boolean, boolean];
}

/** Incarnations of all domains, by row. */
export class Incarnations {
  born = new Uint8Array(1024);
  generation = new Uint32Array(1024);
  first = new Float64Array(1024);
  last = new Float64Array(1024);
  birthKind = new Uint8Array(1024);
  birthPid = new Int32Array(1024);
  /** How many gaps there had been when it was freed. */
  private freedGap = new Uint32Array(1024);
  /** Position of the finding that later ones follow from; 0 where there is none. */
  tainted = new Float64Array(1024);
  /** Rows in use: 0 … size - 1. */
  size = 0;
  /** Incarnations that were seen. */
  count = 0;
  private gaps = 0;
  /** Freed rows, oldest first, with their generation: what `evict` may forget. */
  private freedRows: number[] = [];
  private freedAt = 0;
  private readonly pending = new Map<number, Finding>();
  /** Tasks that went on to something else since they touched a freed address: no allocation of theirs is under way. */
  private readonly movedOn = new Set<number>();
  /**
   * Whether the events come from probes, of which some may be missing. Then a verdict that rests on the absence of an
   * allocation needs one of its kind to have been seen at all.
   */
  probed = false;
  /** Whether any domain was seen to be freed. */
  freesSeen = false;
  /** Whether any domain was seen to take a cookie. */
  cookiesSeen = false;
  private coreAllocationsSeen = false;
  private iommufdAllocationsSeen = false;
  private readonly rows: DomainRows;
  private readonly report: (finding: Finding) => void;
  /** Called before an incarnation is forgotten because its address begins another one. */
  onEnd: ((d: number) => void) | null = null;

  constructor(rows: DomainRows, report: (finding: Finding) => void) {
    this.rows = rows;
    this.report = report;
  }

  /**
   * Makes row `d` stand for the incarnation that event `i` is about.
   * `useAfterFree` makes the finding that is held while an event on a freed address is not explained.
   */
  enter(d: number, b: EventBatch, i: number, useAfterFree: (d: number) => Finding): void {
    const kind = b.kind[i];
    if (TELLS_OF_PROBES[kind] === 1) this.seen(kind);
    if (d >= this.size || this.born[d] === BORN.never) {
      this.begin(d, b, i, isAllocation(kind) ? BORN.allocated : BORN.seen);
    } else if (this.rows.state[d] === STATE.freed) {
      if (isAllocation(kind)) this.begin(d, b, i, BORN.allocated);
      // A second free may be of a domain whose allocation no probe shows.
      else if (kind === KIND.iommu_domain_free && !this.allocationsShow(d)) this.begin(d, b, i, BORN.seen);
      else if (kind !== KIND.iommu_domain_free && kind !== KIND.iommu_put_dma_cookie && kind !== KIND.iommu_put_msi_cookie) {
        // After a gap the allocation may be among what was lost.
        const held = this.freedGap[d] === this.gaps ? useAfterFree(d) : null;
        this.begin(d, b, i, held ? BORN.touched : BORN.seen);
        if (held) {
          this.pending.set(d, held);
          this.rows.flags[d] |= FLAG.pagesKnown; // all of its life has been seen
        }
      }
    } else if (isAllocation(kind)) this.allocation(d, b, i);
    this.last[d] = b.position + i;
  }

  private seen(kind: number): void {
    if (kind === KIND.iommu_domain_alloc) this.coreAllocationsSeen = true;
    else if (kind === KIND.iommu_domain_free) this.freesSeen = true;
    else if (isAllocation(kind)) this.iommufdAllocationsSeen = true;
    else this.cookiesSeen = true;
  }

  /** Called when row `d` has become freed. */
  freed(d: number): void {
    this.freedGap[d] = this.gaps;
    if (this.rows.state[d] === STATE.freed) this.freedRows.push(d, this.generation[d]);
    const held = this.pending.get(d);
    if (!held) return;
    this.pending.delete(d);
    if (this.allocationsShow(d)) this.report(held); // nothing allocated it between the two frees
  }

  /**
   * Forgets the domains freed longest ago beyond `FREED_KEPT`, so that memory is bounded by live domains and not by how many
   * addresses a recording names; returns their rows, which may stand for other addresses from now on.
   */
  evict(): readonly number[] {
    const evicted: number[] = [];
    while (this.freedRows.length - this.freedAt > FREED_KEPT * 2) {
      const d = this.freedRows[this.freedAt];
      const generation = this.freedRows[this.freedAt + 1];
      this.freedAt += 2;
      if (this.rows.state[d] !== STATE.freed || this.generation[d] !== generation || this.born[d] === BORN.never) continue;
      this.onEnd?.(d);
      this.rows.reset(d);
      this.born[d] = BORN.never;
      this.generation[d] = 0;
      evicted.push(d);
    }
    if (this.freedAt > FREED_KEPT * 2) {
      this.freedRows = this.freedRows.slice(this.freedAt);
      this.freedAt = 0;
    }
    return evicted;
  }

  /** Called for each event that may show that a task is not inside of an allocation any more; `d` is -1 for no domain. */
  note(d: number, b: EventBatch, i: number): void {
    if (this.pending.size === 0) return;
    const pid = pidOf(b, i);
    for (const held of this.pending.keys()) if (held !== d && this.birthPid[held] === pid) this.movedOn.add(held);
  }

  /** Whether the life of domains is probed: an allocation or a free was seen. */
  get livesSeen(): boolean {
    return this.freesSeen || this.coreAllocationsSeen || this.iommufdAllocationsSeen;
  }

  /** Whether an allocation of row `d`'s kind would have been seen. */
  private allocationsShow(d: number): boolean {
    if (!this.probed) return true;
    return this.rows.state[d] === STATE.iommufd_owned || (this.rows.flags[d] & FLAG.hwpt) !== 0 ? this.iommufdAllocationsSeen : this.coreAllocationsSeen || this.iommufdAllocationsSeen;
  }

  /** Events were lost: what is held may be explained by them. */
  gap(): void {
    this.gaps++;
    this.pending.clear();
  }

  /** The recording is over: what was not explained is reported. */
  end(): void {
    for (const [d, held] of this.pending) {
      // The recording may end inside of the call that allocates: iommufd uses a domain before its allocation returns.
      if (this.allocationsShow(d) && (!this.probed || this.movedOn.has(d))) this.report(held);
    }
    this.pending.clear();
  }

  /** First sight of a domain through another event's `old_domain`. */
  glimpse(d: number, b: EventBatch, i: number): void {
    if (d < this.size && this.born[d] !== BORN.never) return;
    this.begin(d, b, i, BORN.seen);
    this.last[d] = b.position + i;
  }

  private allocation(d: number, b: EventBatch, i: number): void {
    const core = b.kind[i] === KIND.iommu_domain_alloc;
    const sameTask = this.birthPid[d] === pidOf(b, i);
    const { rows } = this;
    if (core) {
      // __iommu_domain_alloc returns a driver's static domain again and again; v6.12 takes the cookie inside the call.
      const isStatic = (b.x[i] === TYPE.BLOCKED || b.x[i] === TYPE.IDENTITY) && rows.type[d] === b.x[i];
      const inside = this.born[d] !== BORN.allocated && this.birthKind[d] === KIND.iommu_get_dma_cookie && sameTask;
      if (isStatic || inside) return this.explain(d);
    } else {
      // iommufd and SVA put their mark on a domain that was allocated before, or name it when their call returns.
      if (this.born[d] === BORN.allocated && (rows.state[d] !== STATE.iommufd_owned || b.kind[i] === KIND.iommu_sva_domain_alloc)) return;
      if (this.born[d] !== BORN.allocated && (sameTask || rows.state[d] === STATE.iommufd_owned)) return this.explain(d);
    }
    this.freed(d);
    this.begin(d, b, i, BORN.allocated);
  }

  private explain(d: number): void {
    this.pending.delete(d);
    this.born[d] = BORN.allocated;
  }

  private begin(d: number, b: EventBatch, i: number, born: number): void {
    if (d < this.size && this.born[d] !== BORN.never) this.onEnd?.(d);
    this.ensure(d);
    this.rows.ensure(d);
    this.rows.reset(d);
    this.movedOn.delete(d);
    this.born[d] = born;
    this.generation[d]++;
    this.first[d] = b.position + i;
    this.birthKind[d] = b.kind[i];
    this.birthPid[d] = pidOf(b, i);
    this.tainted[d] = 0;
    this.count++;
    if (d >= this.size) this.size = d + 1;
  }

  /** Returns everything as plain data. */
  snapshot(): IncarnationsSnapshot {
    const n = this.size;
    return {
      born: this.born.slice(0, n), generation: this.generation.slice(0, n), first: this.first.slice(0, n), last: this.last.slice(0, n),
      birthKind: this.birthKind.slice(0, n), birthPid: this.birthPid.slice(0, n), freedGap: this.freedGap.slice(0, n),
      tainted: this.tainted.slice(0, n), count: this.count, gaps: this.gaps, freedRows: this.freedRows.slice(this.freedAt),
      pending: [...this.pending], movedOn: [...this.movedOn], probed: this.probed, freesSeen: this.freesSeen, cookiesSeen: this.cookiesSeen,
      allocationsSeen: [this.coreAllocationsSeen, this.iommufdAllocationsSeen],
    };
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: IncarnationsSnapshot): void {
    this.size = s.born.length;
    if (this.size > 0) this.ensure(this.size - 1);
    this.born.set(s.born);
    this.generation.set(s.generation);
    this.first.set(s.first);
    this.last.set(s.last);
    this.birthKind.set(s.birthKind);
    this.birthPid.set(s.birthPid);
    this.freedGap.set(s.freedGap);
    this.tainted.set(s.tainted);
    this.count = s.count;
    this.gaps = s.gaps;
    this.freedRows = [...s.freedRows];
    for (const [d, finding] of s.pending) this.pending.set(d, finding);
    for (const d of s.movedOn) this.movedOn.add(d);
    this.probed = s.probed;
    this.freesSeen = s.freesSeen;
    this.cookiesSeen = s.cookiesSeen;
    [this.coreAllocationsSeen, this.iommufdAllocationsSeen] = s.allocationsSeen;
  }

  private ensure(d: number): void {
    if (d < this.born.length) return;
    let n = this.born.length;
    while (n <= d) n *= 2;
    this.born = grown(this.born, new Uint8Array(n));
    this.generation = grown(this.generation, new Uint32Array(n));
    this.first = grown(this.first, new Float64Array(n));
    this.last = grown(this.last, new Float64Array(n));
    this.birthKind = grown(this.birthKind, new Uint8Array(n));
    this.birthPid = grown(this.birthPid, new Int32Array(n));
    this.freedGap = grown(this.freedGap, new Uint32Array(n));
    this.tainted = grown(this.tainted, new Float64Array(n));
  }
}

const ALLOCATIONS = new Uint8Array(256);
for (const kind of [
  KIND.iommu_domain_alloc, KIND.iommufd_hwpt_paging_alloc, KIND.iommufd_hwpt_nested_alloc, KIND.iommufd_viommu_alloc_hwpt_nested,
  KIND.iommu_sva_domain_alloc,
]) ALLOCATIONS[kind] = 1;
const TELLS_OF_PROBES = ALLOCATIONS.slice();
for (const kind of [KIND.iommu_domain_free, KIND.iommu_get_dma_cookie, KIND.iommu_get_msi_cookie]) TELLS_OF_PROBES[kind] = 1;

function isAllocation(kind: number): boolean {
  return ALLOCATIONS[kind] === 1;
}

function pidOf(b: EventBatch, i: number): number {
  return b.present[i] & HAS.pid ? b.pid[i] : NO_PID;
}
