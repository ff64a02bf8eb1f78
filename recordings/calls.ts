/**
 * Probe lines become kernel operations: entry is paired with return, calls nest per task, and one fact that several probes
 * report (allocation, attach, MSI page) becomes one event. Knows the kernel's call graph, not any text format.
 * An event stands where the kernel had done the work: at the return, or at the entry for calls that return nothing
 * (iommu_domain_free, put, __pci_write_msi_msg, release). Source: KERNEL.md 9, recordings/README "Surprises".
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { AFTER, BEFORE, KIND, OLD, WORD } from '../events/event-types.ts';
import { F, FN, FUNCTIONS, LINE, TP, type ProbeLine } from './probe-line.ts';

/** Fields of a domain's words, for the domain itself, for the group's old and for its current domain. */
const OWN = { dom: F.dom, type: F.dtype, ctype: F.ctype, cookie: F.cookie, cktype: F.cktype, word: F.word, owner: F.owner };
const OLD_FIELDS = { dom: F.old_dom, type: F.old_dtype, ctype: F.old_ctype, cookie: F.old_cookie, cktype: F.old_cktype, word: F.old_word, owner: F.old_owner };
const CUR_FIELDS = { dom: F.cur_dom, type: F.cur_dtype, ctype: F.cur_ctype, cookie: F.cur_cookie, cktype: F.cur_cktype, word: F.cur_word, owner: F.cur_owner };
type WordFields = typeof OWN;

/** Words seen at entry, kept until the return. */
class SavedWords {
  has = 0;
  type = 0;
  owner = 0;
  raw = 0;
  cookieLo = 0;
  cookieHi = 0;
  kind = 0;
}

/** A call that has been entered and has not returned yet. */
class Frame {
  fn = -1;
  line = 0;
  domain = -1;
  oldDomain = -1;
  group = -1;
  device = 0;
  hasA = false;
  aLo = 0;
  aHi = 0;
  msiIndex = -1;
  /** A mapping seen through a tracepoint or iommu_map_nosync, until iommu_map itself reports it. */
  pendingMap = false;
  mapFn = 0;
  iovaLo = 0;
  iovaHi = 0;
  paddrLo = 0;
  paddrHi = 0;
  sizeLo = 0;
  readonly before = new SavedWords();
  readonly old = new SavedWords();
}

/** What one task is in the middle of. */
class Task {
  readonly frames: Frame[] = [];
  depth = 0;
  lastAlloc = -1;
  lastAllocRank = 0;
  lastSetGroup = -1;
  lastSetDomain = -1;
  lastSetErrno = 0;
  lastAttachDevice = 0;
  lastAttachDomain = -1;
  lastReleased = 0;
  tracepointDevice = 0;
}

const MAX_DEPTH = 32;
const MAX_TASKS = 8192;

/** Inner allocators return first; an outer one that returns the same domain says nothing new. */
const ALLOC_RANK: Readonly<Record<number, number>> = {
  [FN.__iommu_paging_domain_alloc_flags]: 1,
  [FN.__iommu_domain_alloc]: 1,
  [FN.__iommu_alloc_identity_domain]: 2,
  [FN.iommu_paging_domain_alloc_flags]: 2,
  [FN.iommu_paging_domain_alloc]: 2,
  [FN.iommu_domain_alloc]: 2,
  [FN.iommu_group_alloc_default_domain]: 3,
};

/** 1 for functions whose entry says something. */
const ENTRY_SAYS = new Uint8Array(FUNCTIONS.length);
for (const fn of [
  FN.iommu_get_dma_cookie, FN.iommu_get_msi_cookie, FN.iommu_set_fault_handler, FN.iommu_dma_prepare_msi, FN.__iommu_group_set_domain_internal,
  FN.iommu_domain_free, FN.iommu_put_dma_cookie, FN.iommu_put_msi_cookie, FN.iommu_group_release_dma_owner, FN.iommu_device_release_dma_owner,
  FN.__pci_write_msi_msg, FN.iommu_release_device,
]) ENTRY_SAYS[fn] = 1;

/** Symbol that stands as `caller` of a mapping which only a tracepoint showed inside iommu_dma_prepare_msi. */
const DMA_SW_MSI = 'iommu_dma_sw_msi';

export class Calls {
  /** Lines that became an event or a part of one. */
  used = 0;
  private readonly batch: EventBatch;
  private readonly flush: () => void;
  private readonly tasks = new Map<number, Task>();
  private readonly groupOfDevice = new Map<number, number>();
  private readonly mapCaller: number;
  /** Calls of iommu_dma_prepare_msi that were entered and have not returned. */
  private preparing = 0;
  /** Whether one of them was entered without naming its domain. */
  private preparingUnknown = false;
  /** Whether iommu_map and __iommu_attach_device are probed: then what stands for them elsewhere says nothing new. */
  private mapsSeen = false;
  private attachSeen = false;
  private lastKey = 0;
  private lastTask: Task | undefined;
  private lastDomain = -1;
  /** The line of a probe that was taken last. */
  private readonly last = { fn: -1, probe: 0, kind: 0, pid: 0, lo: 0, hi: 0 };

  /** `flush` is called when the batch is full and must empty it. */
  constructor(batch: EventBatch, flush: () => void) {
    this.batch = batch;
    this.flush = flush;
    this.mapCaller = batch.interned.strings.intern(DMA_SW_MSI);
  }

  /** Takes one probe line; returns whether it said anything. */
  take(p: ProbeLine): boolean {
    if (p.kind !== LINE.tracepoint && this.repeats(p)) return false;
    const used = p.kind === LINE.tracepoint ? this.tracepoint(p) : p.kind === LINE.entry ? this.enter(p) : this.leave(p);
    if (used) this.used++;
    return used;
  }

  /** Whether this is what another probe on the same function prints of the call in the line before. */
  private repeats(p: ProbeLine): boolean {
    const { last } = this;
    const lo = p.has(F.dom) ? p.lo[F.dom] : 0;
    const hi = p.has(F.dom) ? p.hi[F.dom] : 0;
    if (p.fn === last.fn && p.probe !== last.probe && p.kind === last.kind && p.pid === last.pid && lo === last.lo && hi === last.hi) return true;
    last.fn = p.fn;
    last.probe = p.probe;
    last.kind = p.kind;
    last.pid = p.pid;
    last.lo = lo;
    last.hi = hi;
    return false;
  }

  /** Events were lost: no call that was under way can be paired any more. */
  lost(count: number, cpu: number, p: ProbeLine | null): void {
    this.tasks.clear();
    this.lastTask = undefined;
    this.last.fn = -1;
    this.preparing = 0;
    this.preparingUnknown = false;
    const i = this.add(KIND.events_lost, p);
    this.batch.x[i] = Math.min(count, 0xffffffff);
    this.batch.present[i] |= HAS.x;
    if (cpu >= 0) {
      this.batch.cpu[i] = cpu;
      this.batch.present[i] |= HAS.cpu;
    }
  }

  /** Number of calls that were entered and never returned. */
  inFlight(): number {
    let n = 0;
    for (const task of this.tasks.values()) n += task.depth;
    return n;
  }

  /** Whether any task may be inside iommu_dma_prepare_msi, where a mapping that only a tracepoint shows is an MSI page. */
  get awaitsMap(): boolean {
    return this.preparing > 0 && !this.mapsSeen;
  }

  /** Whether a line of this function can say anything now; the reader does not parse the others. */
  wants(fn: number, kind: number): boolean {
    if (kind === LINE.entry) return fn !== FN.iommu_dma_sw_msi && fn !== FN.iommufd_sw_msi ? ENTRY_SAYS[fn] === 1 : this.preparing > 0 && this.preparingUnknown;
    switch (fn) {
      case FN.iommu_domain_free:
        return false; // told at its entry
      case FN.iommu_map_nosync:
        return this.awaitsMap || (this.preparing > 0 && this.preparingUnknown);
      case FN.iommu_dma_get_msi_page:
        return this.preparing > 0 && this.preparingUnknown;
      case FN.__iommu_device_set_domain:
        return !this.attachSeen;
      default:
        return true;
    }
  }

  // ── tracepoints ────────────────────────────────────────────────────────────────────────────────────────────────

  private tracepoint(p: ProbeLine): boolean {
    switch (p.fn) {
      case TP.map: {
        const frame = this.top(p, FN.iommu_dma_prepare_msi);
        if (!frame) return false;
        this.pend(frame, p, FN.iommu_map);
        return true;
      }
      case TP.attach_device_to_domain:
        this.task(p).tracepointDevice = p.dev;
        return true;
      case TP.add_device_to_group:
        this.groupOfDevice.set(p.dev, p.lo[F.grp]);
        return true;
      default:
        this.groupOfDevice.delete(p.dev);
        return this.released(p);
    }
  }

  private pend(frame: Frame, p: ProbeLine, fn: number): void {
    if (!p.has(F.iova) || !p.has(F.paddr) || p.lo[F.size] === 0) return;
    frame.pendingMap = true;
    frame.mapFn = fn;
    frame.iovaLo = p.lo[F.iova];
    frame.iovaHi = p.hi[F.iova];
    frame.paddrLo = p.lo[F.paddr];
    frame.paddrHi = p.hi[F.paddr];
    frame.sizeLo = p.lo[F.size];
  }

  // ── entries ────────────────────────────────────────────────────────────────────────────────────────────────────

  private enter(p: ProbeLine): boolean {
    switch (p.fn) {
      case FN.iommu_get_dma_cookie:
      case FN.iommu_set_fault_handler:
        this.push(p);
        return true;
      case FN.iommu_get_msi_cookie: {
        const frame = this.push(p);
        this.keepA(frame, p, F.base);
        return true;
      }
      case FN.iommu_dma_prepare_msi: {
        this.preparing++;
        const frame = this.push(p);
        this.keepA(frame, p, doorbell(p));
        frame.device = p.dev;
        frame.msiIndex = p.has(F.msi_index) ? p.lo[F.msi_index] : -1;
        if (frame.domain < 0) this.preparingUnknown = true;
        return true;
      }
      case FN.iommu_dma_sw_msi:
      case FN.iommufd_sw_msi: {
        const frame = this.top(p, FN.iommu_dma_prepare_msi);
        if (!frame) return false;
        if (frame.domain < 0) {
          frame.domain = this.domain(p, F.dom);
          this.save(frame.before, p, OWN);
        }
        return true;
      }
      case FN.__iommu_group_set_domain_internal: {
        const frame = this.push(p);
        frame.group = groupOf(p);
        frame.oldDomain = this.domain(p, F.old_dom);
        this.save(frame.old, p, OLD_FIELDS);
        this.task(p).lastAttachDomain = -1;
        return true;
      }
      case FN.iommu_domain_free:
      case FN.iommu_put_dma_cookie:
      case FN.iommu_put_msi_cookie:
        return this.voidCall(p, p.fn === FN.iommu_domain_free ? KIND.iommu_domain_free : p.fn === FN.iommu_put_dma_cookie ? KIND.iommu_put_dma_cookie : KIND.iommu_put_msi_cookie);
      case FN.iommu_group_release_dma_owner:
      case FN.iommu_device_release_dma_owner: {
        const i = this.add(KIND.iommu_group_release_dma_owner, p);
        this.group(i, p, -1);
        this.address(i, p, F.owner);
        this.device(i, p.dev);
        return true;
      }
      case FN.iommu_release_device:
        return this.released(p);
      case FN.__pci_write_msi_msg: {
        if (p.dev === 0 || !p.has(F.msi_index) || !p.has(F.alo)) return false;
        const i = this.add(KIND.pci_write_msi_msg, p);
        const b = this.batch;
        this.device(i, p.dev);
        b.x[i] = p.lo[F.msi_index];
        b.aLo[i] = p.lo[F.alo];
        b.aHi[i] = p.has(F.ahi) ? p.lo[F.ahi] : 0;
        b.present[i] |= HAS.x | HAS.a;
        if (p.has(F.data)) {
          b.y[i] = p.lo[F.data];
          b.present[i] |= HAS.y;
        }
        return true;
      }
      default:
        return false;
    }
  }

  /** The device is gone, seen through iommu_release_device or through the tracepoint inside it. */
  private released(p: ProbeLine): boolean {
    const task = this.task(p);
    if (p.dev === 0) return false;
    if (p.kind === LINE.tracepoint && task.lastReleased === p.dev) {
      task.lastReleased = 0;
      return true;
    }
    const i = this.add(KIND.iommu_release_device, p);
    this.device(i, p.dev);
    this.group(i, p, -1);
    task.lastReleased = p.kind === LINE.entry ? p.dev : 0;
    return true;
  }

  private voidCall(p: ProbeLine, kind: number): boolean {
    const domain = this.domain(p, F.dom);
    if (domain < 0) return false;
    const i = this.add(kind, p);
    this.batch.domain[i] = domain;
    this.words(i, BEFORE, p, OWN);
    return true;
  }

  // ── returns ────────────────────────────────────────────────────────────────────────────────────────────────────

  private leave(p: ProbeLine): boolean {
    switch (p.fn) {
      case FN.iommu_get_dma_cookie:
      case FN.iommu_get_msi_cookie:
      case FN.iommu_set_fault_handler: {
        const frame = this.pop(p);
        const domain = this.domain(p, F.dom);
        if (domain < 0 && (!frame || frame.domain < 0)) return frame !== null;
        const kind = p.fn === FN.iommu_get_dma_cookie ? KIND.iommu_get_dma_cookie : p.fn === FN.iommu_get_msi_cookie ? KIND.iommu_get_msi_cookie : KIND.iommu_set_fault_handler;
        const i = this.add(kind, p);
        this.batch.domain[i] = domain >= 0 ? domain : frame!.domain;
        if (kind === KIND.iommu_get_msi_cookie) {
          if (p.has(F.base)) this.address(i, p, F.base);
          else if (frame?.hasA) this.setA(i, frame.aLo, frame.aHi);
        }
        if (frame) this.restore(i, BEFORE, frame.before);
        this.words(i, AFTER, p, OWN);
        if (kind !== KIND.iommu_set_fault_handler) this.errno(i, p);
        return true;
      }
      case FN.iommu_dma_prepare_msi:
        return this.prepared(p);
      case FN.iommu_map:
        return this.mapped(p);
      case FN.iommu_map_nosync: {
        const frame = this.top(p, FN.iommu_dma_prepare_msi);
        if (!frame || p.int(F.ret) !== 0) return false;
        if (frame.domain < 0) frame.domain = this.domain(p, F.dom);
        this.pend(frame, p, FN.iommu_map_nosync);
        return true;
      }
      case FN.iommu_dma_get_msi_page: {
        const frame = this.top(p, FN.iommu_dma_prepare_msi);
        if (frame && frame.domain < 0) frame.domain = this.domain(p, F.dom);
        return frame !== null;
      }
      case FN.iommu_unmap: {
        const domain = this.domain(p, F.dom);
        if (domain < 0 || !p.has(F.iova)) return false;
        const i = this.add(KIND.iommu_unmap, p);
        const size = p.has(F.ret) ? F.ret : F.size; // the return value is what was unmapped
        this.batch.domain[i] = domain;
        this.address(i, p, F.iova);
        this.batch.cLo[i] = p.lo[size];
        this.batch.cHi[i] = p.hi[size];
        this.batch.present[i] |= HAS.c;
        return true;
      }
      case FN.__iommu_attach_device:
      case FN.__iommu_device_set_domain:
        return this.deviceAttached(p);
      case FN.__iommu_group_set_domain_internal:
        return this.groupSet(p);
      case FN.iommu_attach_group:
      case FN.iommu_attach_device:
      case FN.iommu_attach_group_handle:
      case FN.iommu_replace_group_handle:
        return this.attachApi(p);
      case FN.iommu_group_claim_dma_owner:
      case FN.iommu_device_claim_dma_owner: {
        const i = this.add(KIND.iommu_group_claim_dma_owner, p);
        this.group(i, p, -1);
        this.address(i, p, F.owner);
        this.device(i, p.dev);
        this.errno(i, p);
        return true;
      }
      case FN.iommufd_hwpt_paging_alloc:
        return this.hwptAllocated(p, KIND.iommufd_hwpt_paging_alloc);
      case FN.iommufd_hwpt_nested_alloc:
        return this.hwptAllocated(p, KIND.iommufd_hwpt_nested_alloc);
      case FN.iommufd_viommu_alloc_hwpt_nested:
        return this.hwptAllocated(p, KIND.iommufd_viommu_alloc_hwpt_nested);
      case FN.iommu_sva_domain_alloc: {
        const domain = this.domain(p, F.dom);
        if (domain < 0) return false;
        const i = this.add(KIND.iommu_sva_domain_alloc, p);
        this.batch.domain[i] = domain;
        this.words(i, AFTER, p, OWN);
        return true;
      }
      default:
        return ALLOC_RANK[p.fn] === undefined ? false : this.allocated(p, ALLOC_RANK[p.fn]);
    }
  }

  private allocated(p: ProbeLine, rank: number): boolean {
    if (!p.has(F.dom)) return false;
    const task = this.task(p);
    const errno = pointerErrno(p.lo[F.dom], p.hi[F.dom]);
    const domain = this.domain(p, F.dom);
    if (domain >= 0 && task.lastAlloc === domain && rank > task.lastAllocRank) {
      task.lastAllocRank = rank;
      return true;
    }
    if (domain < 0 && (errno === 0 || rank > 1)) return false; // NULL carries no errno; the inner allocator told it
    const i = this.add(KIND.iommu_domain_alloc, p);
    const b = this.batch;
    b.domain[i] = domain;
    b.x[i] = domain >= 0 && p.has(F.dtype) ? p.lo[F.dtype] : p.has(F.want) ? p.lo[F.want] : 1;
    b.present[i] |= HAS.x | HAS.errno;
    b.errno[i] = errno;
    this.device(i, p.dev);
    this.words(i, AFTER, p, OWN);
    task.lastAlloc = domain;
    task.lastAllocRank = rank;
    return true;
  }

  private hwptAllocated(p: ProbeLine, kind: number): boolean {
    const errno = p.has(F.hwpt) ? pointerErrno(p.lo[F.hwpt], p.hi[F.hwpt]) : 0;
    // Behind an ERR_PTR the other fields are stale bytes of the ring buffer.
    const domain = errno === 0 ? this.domain(p, F.dom) : -1;
    if (errno === 0 && domain < 0) return false;
    const i = this.add(kind, p);
    const b = this.batch;
    b.domain[i] = domain;
    b.errno[i] = errno;
    b.present[i] |= HAS.errno;
    if (errno === 0) {
      if (p.has(F.hwpt)) this.address(i, p, F.hwpt);
      this.words(i, AFTER, p, OWN);
    }
    return true;
  }

  private prepared(p: ProbeLine): boolean {
    if (this.preparing > 0 && --this.preparing === 0) this.preparingUnknown = false;
    const frame = this.pop(p);
    const b = this.batch;
    if (frame?.pendingMap && frame.domain >= 0) {
      const m = this.add(KIND.iommu_map, p);
      b.domain[m] = frame.domain;
      b.aLo[m] = frame.iovaLo;
      b.aHi[m] = frame.iovaHi;
      b.bLo[m] = frame.paddrLo;
      b.bHi[m] = frame.paddrHi;
      b.cLo[m] = frame.sizeLo;
      b.cHi[m] = 0;
      b.errno[m] = 0;
      b.caller[m] = this.mapCaller;
      b.present[m] |= HAS.a | HAS.b | HAS.c | HAS.errno | HAS.caller;
    }
    const i = this.add(KIND.iommu_dma_prepare_msi, p);
    b.domain[i] = frame && frame.domain >= 0 ? frame.domain : this.domain(p, F.dom);
    this.device(i, p.dev || (frame ? frame.device : 0));
    const index = p.has(F.msi_index) ? p.lo[F.msi_index] : frame ? frame.msiIndex : -1;
    if (index >= 0) {
      b.x[i] = index;
      b.present[i] |= HAS.x;
    }
    if (p.has(doorbell(p))) this.address(i, p, doorbell(p));
    else if (frame?.hasA) this.setA(i, frame.aLo, frame.aHi);
    this.errno(i, p);
    if (p.has(F.iova_pfn) && p.has(F.shift) && p.int(F.ret) === 0) {
      const shift = p.lo[F.shift] & 63;
      if (p.hi[F.iova_pfn] < 2 && shift <= 20) {
        const iova = shift === 0 ? 0 : (p.hi[F.iova_pfn] * 0x100000000 + p.lo[F.iova_pfn]) * 2 ** shift; // below 2^53
        b.bLo[i] = iova >>> 0;
        b.bHi[i] = Math.floor(iova / 0x100000000);
      } else {
        const pfn = (BigInt(p.hi[F.iova_pfn]) << 32n) | BigInt(p.lo[F.iova_pfn]);
        const iova = BigInt.asUintN(64, pfn << BigInt(shift));
        b.bLo[i] = Number(iova & 0xffffffffn);
        b.bHi[i] = Number(iova >> 32n);
      }
      b.y[i] = shift;
      b.present[i] |= HAS.b | HAS.y;
    }
    if (frame) this.restore(i, BEFORE, frame.before);
    this.words(i, AFTER, p, OWN);
    return true;
  }

  private mapped(p: ProbeLine): boolean {
    const domain = this.domain(p, F.dom);
    if (domain < 0 || !p.has(F.iova) || !p.has(F.size)) return false;
    this.mapsSeen = true;
    const frame = this.preparing > 0 ? this.top(p, FN.iommu_dma_prepare_msi) : null;
    if (frame) {
      frame.pendingMap = false;
      if (frame.domain < 0) frame.domain = domain;
    }
    const i = this.add(KIND.iommu_map, p);
    const b = this.batch;
    b.domain[i] = domain;
    b.aLo[i] = p.lo[F.iova];
    b.aHi[i] = p.hi[F.iova];
    b.bLo[i] = p.lo[F.paddr];
    b.bHi[i] = p.hi[F.paddr];
    b.cLo[i] = p.lo[F.size];
    b.cHi[i] = p.hi[F.size];
    b.present[i] |= HAS.a | HAS.c | (p.has(F.paddr) ? HAS.b : 0);
    if (p.has(F.prot)) {
      b.x[i] = p.lo[F.prot];
      b.present[i] |= HAS.x;
    }
    this.errno(i, p);
    return true;
  }

  private deviceAttached(p: ProbeLine): boolean {
    const task = this.task(p);
    const domain = this.domain(p, F.dom);
    if (domain < 0) return false;
    const device = p.dev || task.tracepointDevice;
    if (p.fn === FN.__iommu_attach_device && p.dev !== 0) this.attachSeen = true;
    if (p.fn === FN.__iommu_device_set_domain && task.lastAttachDevice === device && task.lastAttachDomain === domain) return true;
    const frame = this.top(p, FN.__iommu_group_set_domain_internal);
    const i = this.add(KIND.iommu_group_set_domain, p);
    this.batch.domain[i] = domain;
    this.group(i, p, frame ? frame.group : (this.groupOfDevice.get(device) ?? -1));
    this.device(i, device);
    this.errno(i, p);
    this.words(i, AFTER, p, OWN);
    task.lastAttachDevice = device;
    task.lastAttachDomain = domain;
    task.tracepointDevice = 0;
    return true;
  }

  private groupSet(p: ProbeLine): boolean {
    const frame = this.pop(p);
    const task = this.task(p);
    const domain = frame && frame.domain >= 0 ? frame.domain : this.domain(p, p.has(F.cur_dom) ? F.cur_dom : F.dom);
    if (domain < 0) return frame !== null;
    const i = this.add(KIND.iommu_group_set_domain, p);
    const b = this.batch;
    b.domain[i] = domain;
    this.group(i, p, frame ? frame.group : -1);
    this.errno(i, p);
    if (frame) {
      if (frame.oldDomain >= 0) {
        const { addresses } = b.interned;
        this.setA(i, addresses.lo[frame.oldDomain], addresses.hi[frame.oldDomain]);
        this.restore(i, OLD, frame.old);
      }
      this.restore(i, BEFORE, frame.before);
    }
    if (this.domain(p, F.cur_dom) === domain) this.words(i, AFTER, p, CUR_FIELDS);
    task.lastSetGroup = groupOf(p);
    task.lastSetDomain = domain;
    task.lastSetErrno = p.int(F.ret);
    return true;
  }

  /** An attach that never reached __iommu_group_set_domain_internal: refused, or that function is not probed. */
  private attachApi(p: ProbeLine): boolean {
    const task = this.task(p);
    const domain = this.domain(p, F.dom);
    const group = groupOf(p);
    if (domain < 0) return false;
    if (task.lastSetGroup === group && task.lastSetDomain === domain && task.lastSetErrno === p.int(F.ret)) return true;
    const i = this.add(KIND.iommu_group_set_domain, p);
    this.batch.domain[i] = domain;
    this.group(i, p, -1);
    this.device(i, p.dev);
    this.errno(i, p);
    this.words(i, AFTER, p, OWN);
    return true;
  }

  // ── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private task(p: ProbeLine): Task {
    const key = taskKey(p);
    if (key === this.lastKey && this.lastTask) return this.lastTask;
    let task = this.tasks.get(key);
    if (task === undefined) {
      if (this.tasks.size >= MAX_TASKS) {
        for (const [pid, idle] of this.tasks) if (idle.depth === 0) this.tasks.delete(pid);
        if (this.tasks.size >= MAX_TASKS) this.tasks.clear();
        this.lastTask = undefined;
      }
      task = new Task();
      this.tasks.set(key, task);
    }
    this.lastKey = key;
    this.lastTask = task;
    return task;
  }

  private push(p: ProbeLine): Frame {
    const task = this.task(p);
    // The same function cannot be inside itself: its return was missed.
    if (task.depth > 0 && task.frames[task.depth - 1].fn === p.fn) task.depth--;
    if (task.depth === MAX_DEPTH) task.depth = 0;
    const frame = (task.frames[task.depth] ??= new Frame());
    task.depth++;
    frame.fn = p.fn;
    frame.line = p.line;
    frame.domain = this.domain(p, F.dom);
    frame.oldDomain = -1;
    frame.group = -1;
    frame.device = 0;
    frame.hasA = false;
    frame.msiIndex = -1;
    frame.pendingMap = false;
    this.save(frame.before, p, OWN);
    return frame;
  }

  /** Returns the frame that this return belongs to; calls above it lost their return. */
  private pop(p: ProbeLine): Frame | null {
    const task = this.task(p);
    for (let at = task.depth - 1; at >= 0; at--) {
      if (task.frames[at].fn !== p.fn) continue;
      task.depth = at;
      const frame = task.frames[at];
      // The entry may be of an earlier call whose return was missed: then it is about another domain.
      const domain = this.domain(p, F.dom);
      return domain >= 0 && frame.domain >= 0 && domain !== frame.domain ? null : frame;
    }
    return null;
  }

  /** The innermost open call, if it is of this function or lies inside one of it. */
  private top(p: ProbeLine, fn: number): Frame | null {
    const task = this.task(p);
    for (let at = task.depth - 1; at >= 0; at--) if (task.frames[at].fn === fn) return task.frames[at];
    return null;
  }

  // ── members ────────────────────────────────────────────────────────────────────────────────────────────────────

  private add(kind: number, p: ProbeLine | null): number {
    if (this.batch.isFull) this.flush();
    const b = this.batch;
    const i = b.add(kind);
    if (p === null) return i;
    p.complete();
    b.sec[i] = p.sec;
    b.nsec[i] = p.nsec;
    b.digits[i] = p.digits;
    b.cpu[i] = p.cpu;
    b.task[i] = p.task;
    b.pid[i] = p.pid;
    b.line[i] = p.line;
    b.present[i] = HAS.time | HAS.cpu | HAS.task | HAS.pid | HAS.line;
    if (p.caller !== 0) {
      b.caller[i] = p.caller;
      b.present[i] |= HAS.caller;
    }
    return i;
  }

  /** Number of the domain a field points to, or -1 for NULL and ERR_PTR. */
  private domain(p: ProbeLine, field: number): number {
    if (!p.has(field)) return -1;
    const lo = p.lo[field];
    const hi = p.hi[field];
    const { addresses } = this.batch.interned;
    // Most lines are about the domain of the line before.
    const last = this.lastDomain;
    if (last >= 0 && addresses.lo[last] === lo && addresses.hi[last] === hi) return last;
    if (!isPointer(lo, hi)) return -1;
    return (this.lastDomain = addresses.intern(lo, hi));
  }

  private errno(i: number, p: ProbeLine): void {
    if (!p.has(F.ret)) return;
    this.batch.errno[i] = p.int(F.ret);
    this.batch.present[i] |= HAS.errno;
  }

  private group(i: number, p: ProbeLine, otherwise: number): void {
    const own = groupOf(p);
    const group = own >= 0 ? own : otherwise;
    if (group < 0) return;
    this.batch.group[i] = group;
    this.batch.present[i] |= HAS.group;
  }

  private device(i: number, device: number): void {
    if (device === 0) return;
    this.batch.device[i] = device;
    this.batch.present[i] |= HAS.device;
  }

  private address(i: number, p: ProbeLine, field: number): void {
    if (p.has(field)) this.setA(i, p.lo[field], p.hi[field]);
  }

  private setA(i: number, lo: number, hi: number): void {
    this.batch.aLo[i] = lo;
    this.batch.aHi[i] = hi;
    this.batch.present[i] |= HAS.a;
  }

  private keepA(frame: Frame, p: ProbeLine, field: number): void {
    frame.hasA = p.has(field);
    frame.aLo = p.lo[field];
    frame.aHi = p.hi[field];
  }

  private words(i: number, set: number, p: ProbeLine, f: WordFields): void {
    const b = this.batch;
    const w = i * 3 + set;
    b.words[w] = wordsPresent(p, f);
    b.wordType[w] = p.lo[f.type];
    b.wordOwner[w] = p.has(f.ctype) ? p.lo[f.ctype] : p.lo[f.owner];
    b.wordRaw[w] = p.has(f.word) ? p.lo[f.word] : p.lo[f.type];
    b.cookieLo[w] = p.lo[f.cookie];
    b.cookieHi[w] = p.hi[f.cookie];
    b.cookieKind[w] = p.lo[f.cktype];
  }

  private save(s: SavedWords, p: ProbeLine, f: WordFields): void {
    s.has = wordsPresent(p, f);
    s.type = p.lo[f.type];
    s.owner = p.has(f.ctype) ? p.lo[f.ctype] : p.lo[f.owner];
    s.raw = p.has(f.word) ? p.lo[f.word] : p.lo[f.type];
    s.cookieLo = p.lo[f.cookie];
    s.cookieHi = p.hi[f.cookie];
    s.kind = p.lo[f.cktype];
  }

  private restore(i: number, set: number, s: SavedWords): void {
    const b = this.batch;
    const w = i * 3 + set;
    b.words[w] = s.has;
    b.wordType[w] = s.type;
    b.wordOwner[w] = s.owner;
    b.wordRaw[w] = s.raw;
    b.cookieLo[w] = s.cookieLo;
    b.cookieHi[w] = s.cookieHi;
    b.cookieKind[w] = s.kind;
  }
}

/**
 * Which members of a word set the line tells. Behind a NULL or ERR_PTR domain, and for the cookie's type behind a NULL
 * cookie, the trace prints stale ring-buffer bytes instead of a fault: those are not members.
 */
function wordsPresent(p: ProbeLine, f: WordFields): number {
  if (!p.has(f.dom) || !isPointer(p.lo[f.dom], p.hi[f.dom])) return 0;
  let has = 0;
  const packed = isPacked(p, f);
  if (p.has(f.type) && !packed) has |= WORD.type;
  if (p.has(f.word) || packed) has |= WORD.word;
  if (p.has(f.ctype)) return has | WORD.cookie_type;
  if (p.has(f.owner) && p.hi[f.owner] === 0 && p.lo[f.owner] < 4) has |= WORD.private_data_owner;
  if (p.has(f.cookie)) {
    has |= WORD.iova_cookie;
    // With an owner tag the pointer's target is a cookie only where the tag says DMA.
    const owner = has & WORD.private_data_owner ? p.lo[f.owner] : packed ? p.lo[f.type] >>> 30 : 1;
    if (p.has(f.cktype) && owner === 1 && isPointer(p.lo[f.cookie], p.hi[f.cookie]) && p.lo[f.cktype] < 2) has |= WORD.iova_cookie_type;
  }
  return has;
}

/** Whether `type` is the whole word: `:x32` and `:u32` after a bitfield fetch the word and a byte of it, and are not refused. */
function isPacked(p: ProbeLine, f: WordFields): boolean {
  return p.has(f.owner) && p.has(f.type) && p.lo[f.type] >= 0x40000000;
}

/** Group id that the line tells, or -1; `group` may be a pointer. */
function groupOf(p: ProbeLine): number {
  return p.has(F.grp) && p.hi[F.grp] === 0 ? p.lo[F.grp] : -1;
}

/** The field that holds the doorbell of iommu_dma_prepare_msi, which some call `pa`. */
function doorbell(p: ProbeLine): number {
  return p.has(F.msi_addr) ? F.msi_addr : F.paddr;
}

/** Neither NULL nor ERR_PTR. */
function isPointer(lo: number, hi: number): boolean {
  return (lo | hi) !== 0 && !(hi === 0xffffffff && lo >= 0xfffff001);
}

/** errno of an ERR_PTR, 0 for anything else. */
function pointerErrno(lo: number, hi: number): number {
  return hi === 0xffffffff && lo >= 0xfffff001 ? lo | 0 : 0;
}

/** Idle tasks all have pid 0, one a CPU. */
function taskKey(p: ProbeLine): number {
  return p.pid === 0 ? -1 - p.cpu : p.pid;
}
