/**
 * Probe lines become kernel operations: entry is paired with return, calls nest per task, and one fact that several probes
 * report (allocation, attach, MSI page) becomes one event. Knows the kernel's call graph, not any text format.
 * An event stands where the kernel had done the work: at the return, or at the entry for calls that return nothing
 * (iommu_domain_free, put, __pci_write_msi_msg, release). Source: KERNEL.md 9, recordings/README "Surprises".
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { AFTER, BEFORE, KIND, OLD, WORD } from '../events/event-types.ts';
import { CallFrames, type Frame } from './call-frames.ts';
import { Coverage } from './coverage.ts';
import { F, FN, FUNCTIONS, LINE, TP, type ProbeLine } from './probe-line.ts';
import { CUR_FIELDS, OLD_FIELDS, OWN, RowWriter, groupOf, pointerErrno } from './row-writer.ts';

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

/** 1 for functions that an interrupt may run while the task is inside of any call, or that run inside of iommu_dma_prepare_msi. */
const MAY_INTERRUPT = new Uint8Array(FUNCTIONS.length);
for (const fn of [FN.iommu_map, FN.iommu_map_nosync, FN.iommu_unmap, FN.__pci_write_msi_msg, FN.iommu_dma_sw_msi, FN.iommufd_sw_msi, FN.iommu_dma_get_msi_page]) MAY_INTERRUPT[fn] = 1;

/** Event of each call that is paired. */
const KIND_OF_CALL: Readonly<Record<number, number>> = {
  [FN.iommu_get_dma_cookie]: KIND.iommu_get_dma_cookie,
  [FN.iommu_get_msi_cookie]: KIND.iommu_get_msi_cookie,
  [FN.iommu_set_fault_handler]: KIND.iommu_set_fault_handler,
  [FN.iommu_dma_prepare_msi]: KIND.iommu_dma_prepare_msi,
  [FN.__iommu_group_set_domain_internal]: KIND.iommu_group_set_domain,
};

/** Symbol that stands as `caller` of a mapping which only a tracepoint showed inside iommu_dma_prepare_msi. */
const DMA_SW_MSI = 'iommu_dma_sw_msi';

/** Turns probe lines into events of a batch. */
export class Calls {
  /** Lines that became an event or a part of one. */
  used = 0;
  /** Which fields the probes have. */
  readonly coverage = new Coverage();
  private readonly batch: EventBatch;
  private readonly out: RowWriter;
  private readonly frames = new CallFrames();
  private readonly groupOfDevice = new Map<number, number>();
  private readonly mapCaller: number;
  private readonly iommufdMapCaller: number;
  /** Calls of iommu_dma_prepare_msi that were entered and have not returned. */
  private preparing = 0;
  /** Whether one of them was entered without naming its domain. */
  private preparingUnknown = false;
  /** Whether iommu_map and __iommu_attach_device are probed: then what stands for them elsewhere says nothing new. */
  private mapsSeen = false;
  private attachSeen = false;
  /** The line of a probe that was taken last. */
  private readonly last = { fn: -1, probe: 0, kind: 0, pid: 0, lo: 0, hi: 0 };

  /** `flush` is called when the batch is full and must empty it. */
  constructor(batch: EventBatch, flush: () => void) {
    this.batch = batch;
    this.out = new RowWriter(batch, flush);
    this.mapCaller = batch.interned.strings.intern(DMA_SW_MSI);
    this.iommufdMapCaller = batch.interned.strings.intern('iommufd_sw_msi');
  }

  /** Takes one probe line; returns whether it said anything. */
  take(p: ProbeLine): boolean {
    if (p.kind !== LINE.tracepoint) {
      if (this.repeats(p)) return false;
      this.coverage.look(p);
      this.closeMissed(p);
    }
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
    this.frames.clear();
    this.last.fn = -1;
    this.preparing = 0;
    this.preparingUnknown = false;
    const i = this.out.add(KIND.events_lost, p);
    this.batch.x[i] = Math.min(count, 0xffffffff);
    this.batch.present[i] |= HAS.x;
    if (cpu >= 0) {
      this.batch.cpu[i] = cpu;
      this.batch.present[i] |= HAS.cpu;
    }
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
        const frame = this.frames.top(p, FN.iommu_dma_prepare_msi);
        if (!frame) return false;
        this.pend(frame, p, FN.iommu_map);
        return true;
      }
      case TP.attach_device_to_domain:
        this.frames.task(p).tracepointDevice = p.dev;
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
        this.out.keepA(frame, p, F.base);
        return true;
      }
      case FN.iommu_dma_prepare_msi: {
        this.preparing++;
        const frame = this.push(p);
        this.out.keepA(frame, p, doorbell(p));
        frame.device = p.dev;
        frame.msiIndex = p.has(F.msi_index) ? p.lo[F.msi_index] : -1;
        if (frame.domain < 0) this.preparingUnknown = true;
        return true;
      }
      case FN.iommu_dma_sw_msi:
      case FN.iommufd_sw_msi: {
        const frame = this.frames.top(p, FN.iommu_dma_prepare_msi);
        if (!frame) return false;
        if (frame.domain < 0) {
          frame.domain = this.out.domain(p, F.dom);
          this.out.save(frame.before, p, OWN);
        }
        return true;
      }
      case FN.__iommu_group_set_domain_internal: {
        const frame = this.push(p);
        frame.group = groupOf(p);
        frame.oldDomain = this.out.domain(p, F.old_dom);
        this.out.save(frame.old, p, OLD_FIELDS);
        this.frames.task(p).lastAttachDomain = -1;
        return true;
      }
      case FN.iommu_domain_free:
      case FN.iommu_put_dma_cookie:
      case FN.iommu_put_msi_cookie:
        return this.voidCall(p, p.fn === FN.iommu_domain_free ? KIND.iommu_domain_free : p.fn === FN.iommu_put_dma_cookie ? KIND.iommu_put_dma_cookie : KIND.iommu_put_msi_cookie);
      case FN.iommu_group_release_dma_owner:
      case FN.iommu_device_release_dma_owner: {
        const i = this.out.add(KIND.iommu_group_release_dma_owner, p);
        this.out.group(i, p, -1);
        this.out.address(i, p, F.owner);
        this.out.device(i, p.dev);
        return true;
      }
      case FN.iommu_release_device:
        return this.released(p);
      case FN.__pci_write_msi_msg: {
        if (p.dev === 0 || !p.has(F.msi_index) || !p.has(F.alo)) return false;
        const i = this.out.add(KIND.pci_write_msi_msg, p);
        const b = this.batch;
        this.out.device(i, p.dev);
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
    const task = this.frames.task(p);
    if (p.dev === 0) return false;
    if (p.kind === LINE.tracepoint && task.lastReleased === p.dev) {
      task.lastReleased = 0;
      return true;
    }
    const i = this.out.add(KIND.iommu_release_device, p);
    this.out.device(i, p.dev);
    this.out.group(i, p, -1);
    task.lastReleased = p.kind === LINE.entry ? p.dev : 0;
    return true;
  }

  private voidCall(p: ProbeLine, kind: number): boolean {
    const domain = this.out.domain(p, F.dom);
    if (domain < 0) return false;
    const i = this.out.add(kind, p);
    this.batch.domain[i] = domain;
    this.out.words(i, BEFORE, p, OWN);
    return true;
  }

  // ── returns ────────────────────────────────────────────────────────────────────────────────────────────────────

  private leave(p: ProbeLine): boolean {
    switch (p.fn) {
      case FN.iommu_get_dma_cookie:
      case FN.iommu_get_msi_cookie:
      case FN.iommu_set_fault_handler: {
        const frame = this.pop(p);
        const domain = this.out.domain(p, F.dom);
        if (domain < 0 && (!frame || frame.domain < 0)) return frame !== null;
        const kind = p.fn === FN.iommu_get_dma_cookie ? KIND.iommu_get_dma_cookie : p.fn === FN.iommu_get_msi_cookie ? KIND.iommu_get_msi_cookie : KIND.iommu_set_fault_handler;
        const i = this.out.add(kind, p);
        this.batch.domain[i] = domain >= 0 ? domain : frame!.domain;
        if (kind === KIND.iommu_get_msi_cookie) {
          if (p.has(F.base)) this.out.address(i, p, F.base);
          else if (frame?.hasA) this.out.setA(i, frame.aLo, frame.aHi);
        }
        if (frame) this.out.restore(i, BEFORE, frame.before);
        this.out.words(i, AFTER, p, OWN);
        if (kind !== KIND.iommu_set_fault_handler) this.out.errno(i, p);
        return true;
      }
      case FN.iommu_dma_prepare_msi:
        return this.prepared(p);
      case FN.iommu_map:
        return this.mapped(p);
      case FN.iommu_map_nosync: {
        const frame = this.frames.top(p, FN.iommu_dma_prepare_msi);
        if (!frame || p.int(F.ret) !== 0) return false;
        if (frame.domain < 0) frame.domain = this.out.domain(p, F.dom);
        this.pend(frame, p, FN.iommu_map_nosync);
        return true;
      }
      case FN.iommu_dma_get_msi_page: {
        const frame = this.frames.top(p, FN.iommu_dma_prepare_msi);
        if (frame && frame.domain < 0) frame.domain = this.out.domain(p, F.dom);
        return frame !== null;
      }
      case FN.iommu_unmap: {
        const domain = this.out.domain(p, F.dom);
        if (domain < 0 || !p.has(F.iova)) return false;
        const i = this.out.add(KIND.iommu_unmap, p);
        const size = p.has(F.ret) ? F.ret : F.size; // the return value is what was unmapped
        this.batch.domain[i] = domain;
        this.out.address(i, p, F.iova);
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
        const i = this.out.add(KIND.iommu_group_claim_dma_owner, p);
        this.out.group(i, p, -1);
        this.out.address(i, p, F.owner);
        this.out.device(i, p.dev);
        this.out.errno(i, p);
        return true;
      }
      case FN.iommufd_hwpt_paging_alloc:
        return this.hwptAllocated(p, KIND.iommufd_hwpt_paging_alloc);
      case FN.iommufd_hwpt_nested_alloc:
        return this.hwptAllocated(p, KIND.iommufd_hwpt_nested_alloc);
      case FN.iommufd_viommu_alloc_hwpt_nested:
        return this.hwptAllocated(p, KIND.iommufd_viommu_alloc_hwpt_nested);
      case FN.iommu_sva_domain_alloc: {
        const domain = this.out.domain(p, F.dom);
        if (domain < 0) return false;
        const i = this.out.add(KIND.iommu_sva_domain_alloc, p);
        this.batch.domain[i] = domain;
        this.out.words(i, AFTER, p, OWN);
        return true;
      }
      default:
        return ALLOC_RANK[p.fn] === undefined ? false : this.allocated(p, ALLOC_RANK[p.fn]);
    }
  }

  private allocated(p: ProbeLine, rank: number): boolean {
    if (!p.has(F.dom)) return false;
    const task = this.frames.task(p);
    const errno = pointerErrno(p.lo[F.dom], p.hi[F.dom]);
    const domain = this.out.domain(p, F.dom);
    if (domain >= 0 && task.lastAlloc === domain && rank > task.lastAllocRank) {
      task.lastAllocRank = rank;
      return true;
    }
    if (domain < 0 && (errno === 0 || rank > 1)) return false; // NULL carries no errno; the inner allocator told it
    const i = this.out.add(KIND.iommu_domain_alloc, p);
    const b = this.batch;
    b.domain[i] = domain;
    b.x[i] = domain >= 0 && p.has(F.dtype) ? p.lo[F.dtype] : p.has(F.want) ? p.lo[F.want] : 1;
    b.present[i] |= HAS.x | HAS.errno;
    b.errno[i] = errno;
    this.out.device(i, p.dev);
    this.out.words(i, AFTER, p, OWN);
    task.lastAlloc = domain;
    task.lastAllocRank = rank;
    return true;
  }

  private hwptAllocated(p: ProbeLine, kind: number): boolean {
    const errno = p.has(F.hwpt) ? pointerErrno(p.lo[F.hwpt], p.hi[F.hwpt]) : 0;
    // Behind an ERR_PTR the other fields are stale bytes of the ring buffer.
    const domain = errno === 0 ? this.out.domain(p, F.dom) : -1;
    if (errno === 0 && domain < 0) return false;
    const i = this.out.add(kind, p);
    const b = this.batch;
    b.domain[i] = domain;
    b.errno[i] = errno;
    b.present[i] |= HAS.errno;
    if (errno === 0) {
      if (p.has(F.hwpt)) this.out.address(i, p, F.hwpt);
      this.out.words(i, AFTER, p, OWN);
    }
    return true;
  }

  private prepared(p: ProbeLine): boolean {
    if (this.preparing > 0 && --this.preparing === 0) this.preparingUnknown = false;
    const frame = this.pop(p);
    const b = this.batch;
    if (frame?.pendingMap && frame.domain >= 0) {
      const m = this.out.add(KIND.iommu_map, p);
      b.domain[m] = frame.domain;
      b.aLo[m] = frame.iovaLo;
      b.aHi[m] = frame.iovaHi;
      b.bLo[m] = frame.paddrLo;
      b.bHi[m] = frame.paddrHi;
      b.cLo[m] = frame.sizeLo;
      b.cHi[m] = 0;
      b.errno[m] = 0;
      // No line says which back end mapped it; the owner in the word does.
      const owner = frame.before.owner;
      const byIommufd = frame.before.has & WORD.cookie_type ? owner === 5 : (frame.before.has & WORD.private_data_owner) !== 0 && owner === 2;
      b.caller[m] = byIommufd ? this.iommufdMapCaller : this.mapCaller;
      b.present[m] |= HAS.a | HAS.b | HAS.c | HAS.errno | HAS.caller;
    }
    const i = this.out.add(KIND.iommu_dma_prepare_msi, p);
    b.domain[i] = frame && frame.domain >= 0 ? frame.domain : this.out.domain(p, F.dom);
    this.out.device(i, p.dev || (frame ? frame.device : 0));
    const index = p.has(F.msi_index) ? p.lo[F.msi_index] : frame ? frame.msiIndex : -1;
    if (index >= 0) {
      b.x[i] = index;
      b.present[i] |= HAS.x;
    }
    if (p.has(doorbell(p))) this.out.address(i, p, doorbell(p));
    else if (frame?.hasA) this.out.setA(i, frame.aLo, frame.aHi);
    this.out.errno(i, p);
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
    if (frame) this.out.restore(i, BEFORE, frame.before);
    this.out.words(i, AFTER, p, OWN);
    return true;
  }

  private mapped(p: ProbeLine): boolean {
    const domain = this.out.domain(p, F.dom);
    if (domain < 0 || !p.has(F.iova) || !p.has(F.size)) return false;
    this.mapsSeen = true;
    const frame = this.preparing > 0 ? this.frames.top(p, FN.iommu_dma_prepare_msi) : null;
    if (frame) {
      frame.pendingMap = false;
      if (frame.domain < 0) frame.domain = domain;
    }
    const i = this.out.add(KIND.iommu_map, p);
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
    this.out.errno(i, p);
    return true;
  }

  private deviceAttached(p: ProbeLine): boolean {
    const task = this.frames.task(p);
    const domain = this.out.domain(p, F.dom);
    if (domain < 0) return false;
    const device = p.dev || task.tracepointDevice;
    if (p.fn === FN.__iommu_attach_device && p.dev !== 0) this.attachSeen = true;
    if (p.fn === FN.__iommu_device_set_domain && task.lastAttachDevice === device && task.lastAttachDomain === domain) return true;
    const frame = this.frames.top(p, FN.__iommu_group_set_domain_internal);
    // Where that function is inlined into some of its callers, only the device shows the group's next move.
    if (frame && frame.group >= 0 && device !== 0) this.groupOfDevice.set(device, frame.group);
    const i = this.out.add(KIND.iommu_group_set_domain, p);
    this.batch.domain[i] = domain;
    this.out.group(i, p, frame ? frame.group : (this.groupOfDevice.get(device) ?? -1));
    this.out.device(i, device);
    this.out.errno(i, p);
    this.out.words(i, AFTER, p, OWN);
    task.lastAttachDevice = device;
    task.lastAttachDomain = domain;
    task.tracepointDevice = 0;
    return true;
  }

  private groupSet(p: ProbeLine): boolean {
    const frame = this.pop(p);
    const task = this.frames.task(p);
    const domain = frame && frame.domain >= 0 ? frame.domain : this.out.domain(p, p.has(F.cur_dom) ? F.cur_dom : F.dom);
    if (domain < 0) return frame !== null;
    const i = this.out.add(KIND.iommu_group_set_domain, p);
    const b = this.batch;
    b.domain[i] = domain;
    this.out.group(i, p, frame ? frame.group : -1);
    this.out.errno(i, p);
    if (frame) {
      if (frame.oldDomain >= 0) {
        const { addresses } = b.interned;
        this.out.setA(i, addresses.lo[frame.oldDomain], addresses.hi[frame.oldDomain]);
        this.out.restore(i, OLD, frame.old);
      }
      this.out.restore(i, BEFORE, frame.before);
    }
    if (this.out.domain(p, F.cur_dom) === domain) this.out.words(i, AFTER, p, CUR_FIELDS);
    task.lastSetGroup = groupOf(p);
    task.lastSetDomain = domain;
    task.lastSetErrno = p.int(F.ret);
    return true;
  }

  /** An attach that never reached __iommu_group_set_domain_internal: refused, or that function is not probed. */
  private attachApi(p: ProbeLine): boolean {
    const task = this.frames.task(p);
    const domain = this.out.domain(p, F.dom);
    const group = groupOf(p);
    if (domain < 0) return false;
    if (task.lastSetGroup === group && task.lastSetDomain === domain && task.lastSetErrno === p.int(F.ret)) return true;
    const i = this.out.add(KIND.iommu_group_set_domain, p);
    this.batch.domain[i] = domain;
    this.out.group(i, p, -1);
    this.out.device(i, p.dev);
    this.out.errno(i, p);
    this.out.words(i, AFTER, p, OWN);
    return true;
  }

  /**
   * Ends the innermost call of this task if the line cannot be inside of it: its return was missed, or is not probed.
   * What it did is told without its answer. Mappings and __pci_write_msi_msg may come from an interrupt at any time.
   */
  private closeMissed(p: ProbeLine): void {
    if (MAY_INTERRUPT[p.fn] === 1 && (p.fn !== FN.__pci_write_msi_msg || this.preparing === 0)) return;
    const task = this.frames.task(p);
    // The message is written once it is prepared.
    if (p.fn === FN.__pci_write_msi_msg && (task.depth === 0 || task.frames[task.depth - 1].fn !== FN.iommu_dma_prepare_msi)) return;
    while (task.depth > 0) {
      const frame = task.frames[task.depth - 1];
      if (p.kind === LINE.return && p.fn === frame.fn) return;
      if (frame.fn === FN.__iommu_group_set_domain_internal && (p.fn === FN.__iommu_attach_device || p.fn === FN.__iommu_device_set_domain)) return;
      task.depth--;
      if (frame.fn === FN.iommu_dma_prepare_msi && this.preparing > 0) this.preparing--;
      const kind = KIND_OF_CALL[frame.fn];
      if (kind === undefined || frame.domain < 0) continue;
      const i = this.out.add(kind, p);
      const b = this.batch;
      b.domain[i] = frame.domain;
      b.line[i] = frame.line;
      b.present[i] &= ~HAS.caller;
      if (frame.hasA) this.out.setA(i, frame.aLo, frame.aHi);
      if (kind === KIND.iommu_group_set_domain && frame.group >= 0) {
        b.group[i] = frame.group;
        b.present[i] |= HAS.group;
      }
      if (kind === KIND.iommu_dma_prepare_msi) {
        this.out.device(i, frame.device);
        if (frame.msiIndex >= 0) {
          b.x[i] = frame.msiIndex;
          b.present[i] |= HAS.x;
        }
      }
      this.out.restore(i, BEFORE, frame.before);
    }
  }

  private push(p: ProbeLine): Frame {
    const frame = this.frames.push(p);
    frame.domain = this.out.domain(p, F.dom);
    this.out.save(frame.before, p, OWN);
    return frame;
  }

  private pop(p: ProbeLine): Frame | null {
    return this.frames.pop(p, this.out.domain(p, F.dom));
  }
}

/** The field that holds the doorbell of iommu_dma_prepare_msi, which some call `pa`. */
function doorbell(p: ProbeLine): number {
  return p.has(F.msi_addr) ? F.msi_addr : F.paddr;
}
