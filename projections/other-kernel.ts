/**
 * A recording judged under another design than its kernel's: calls that the design's own callers would not have made, and calls
 * that they would have made where none is recorded. Nothing here is asked where the recording is of the design.
 * Source: [6.12] iommufd/device.c:317, iommu.c:1980; [7.3] iommu.c:3171; KERNEL.md 5.1, 5.2, 5.3.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { MAP } from '../machines/domain-context.ts';
import { COOKIE, FLAG } from '../machines/domain-rows.ts';
import { STATE, TYPE } from '../machines/states.ts';
import type { AuditState } from './audit-state.ts';

/** What is known of the other kernel, as plain data. */
export interface OtherKernelSnapshot {
  readonly windowSeen: boolean;
  readonly automaticDomains: number;
}

/** Fits the recorded calls to a design whose callers differ. */
export class OtherKernel {
  /** Automatic domains of iommufd whose `iommufd_hwpt` the recorded kernel has stored, under a design that left it NULL. */
  automaticDomains = 0;
  /** Whether the machine has a software MSI window: iommufd has mapped a page in it. */
  private windowSeen = false;
  private readonly state: AuditState;

  constructor(state: AuditState) {
    this.state = state;
  }

  /** Whether the design's callers make no such call as that of row `i`; what it stands for there is done. Asked before each call. */
  skips(b: EventBatch, i: number, d: number): boolean {
    const { rows, design } = this.state;
    const kind = b.kind[i];
    const isLater = design.replaceCarriesMsiPages;
    switch (kind) {
      case KIND.iommu_map:
        if (!isLater && rows.map === MAP.iommufd) this.pageOfIommufd(b, i, d);
        return false;
      case KIND.iommu_get_msi_cookie:
        // v6.12's iommufd borrows an MSI cookie. Later it has a back end of its own, and the domain is iommufd's, even while its
        // allocation has not returned.
        if (!isLater || !calledBy(b, i, 'iommufd_')) return false;
        if (rows.state[d] <= STATE.unowned) this.state.force(b, i, d, STATE.iommufd_owned);
        return true;
      case KIND.iommu_get_dma_cookie:
        // v6.12 takes the DMA cookie when it allocates.
        return !isLater && calledBy(b, i, 'iommu_setup_default_domain');
      case KIND.iommu_put_dma_cookie:
      case KIND.iommu_put_msi_cookie:
        // A static domain passes through iommu_domain_free and lives on; whether that puts a cookie it has not is its kernel's way.
        return rows.type[d] === TYPE.IDENTITY || rows.type[d] === TYPE.BLOCKED;
      default:
        return false;
    }
  }

  /** A group comes to domain `d`. */
  attaching(b: EventBatch, i: number, d: number): void {
    if (this.windowSeen && (this.state.rows.flags[d] & FLAG.hwpt) !== 0) this.borrow(b, i, d);
  }

  /** iommufd_hwpt_paging_alloc has returned: an automatic domain is attached by then. */
  allocated(b: EventBatch, i: number, d: number): void {
    const { rows, design } = this.state;
    if (this.windowSeen && rows.attached[d] > 0) this.borrow(b, i, d);
    if (design.automaticHwptIsNull && (rows.flags[d] & FLAG.hwptNull) === 0 && calledBy(b, i, 'iommufd_device_auto_get_domain')) this.automaticDomains++;
  }

  /** Returns everything as plain data. */
  snapshot(): OtherKernelSnapshot {
    return { windowSeen: this.windowSeen, automaticDomains: this.automaticDomains };
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: OtherKernelSnapshot): void {
    this.windowSeen = s.windowSeen;
    this.automaticDomains = s.automaticDomains;
  }

  /** iommufd mapped an MSI page: v6.12's has no back end of its own, so the page is the borrowed cookie's. */
  private pageOfIommufd(b: EventBatch, i: number, d: number): void {
    const { rows } = this.state;
    if ((b.present[i] & HAS.errno && b.errno[i] < 0) || rows.state[d] === STATE.freed) return;
    this.windowSeen = true;
    this.borrow(b, i, d);
    rows.map = MAP.dma;
  }

  /** v6.12's iommufd takes an MSI cookie on its domain, once, before the first attach. */
  private borrow(b: EventBatch, i: number, d: number): void {
    const { rows } = this.state;
    if (rows.state[d] !== STATE.freed && rows.type[d] === TYPE.UNMANAGED && rows.cookie[d] === COOKIE.none) this.state.force(b, i, d, STATE.msi_owned);
  }
}

function calledBy(b: EventBatch, i: number, prefix: string): boolean {
  return (b.present[i] & HAS.caller) !== 0 && b.interned.strings.values[b.caller[i]].startsWith(prefix);
}
