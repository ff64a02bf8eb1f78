/**
 * MSIs from the doorbell to the device: which IOVA a new page must have, what the descriptor and the device must hold, and
 * whether a device is programmed with an address that its domain does not map.
 * Source: [7.3] drivers/iommu/dma-iommu.c:2212, 2263, iommufd/driver.c:188-300, include/linux/msi.h:316; KERNEL.md 7.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { hex64 } from '../events/tables.ts';
import { MAP } from '../machines/domain-context.ts';
import { COOKIE, FLAG } from '../machines/domain-rows.ts';
import { mapKind } from '../machines/map-kind.ts';
import { IOMMUFD_SW_MSI_IDS, OUTCOMES, STATE, TYPE, errnoText } from '../machines/states.ts';
import { NONE } from '../machines/transition-table.ts';
import type { Device, Msi, OwnerKey } from './attachments.ts';
import type { AuditState } from './audit-state.ts';
import { EXHAUSTED, IommufdMaps, UNSURE, type IommufdMapsSnapshot } from './iommufd-maps.ts';

const NOOP = OUTCOMES.indexOf('noop');
/** Domains without a cookie that are remembered at most; each is needed until VFIO has asked for it. */
const EARLY_LIMIT = 4096;

/** What the MSI check knows, as plain data. */
export interface MsiCheckSnapshot {
  readonly maps: IommufdMapsSnapshot;
  readonly fdOwner: readonly string[];
  readonly fdGeneration: readonly number[];
  readonly early: readonly (readonly [row: number, generation: number, position: number, errno: number | null])[];
}

/** Judges MSI pages, descriptors and what is programmed. */
export class MsiCheck {
  private readonly state: AuditState;
  private readonly maps = new IommufdMaps();
  /** iommufd_ctx of each row's present incarnation, once a group that it owns was attached. */
  private readonly fdOwner: OwnerKey[] = [];
  private readonly fdGeneration: number[] = [];
  /** Domains without an owner on which MSIs were prepared: row, to generation, position and what the kernel answered. */
  private readonly early = new Map<number, readonly [generation: number, position: number, errno: number | null]>();
  private mapKinds: Int8Array = new Int8Array(256).fill(-1);

  constructor(state: AuditState) {
    this.state = state;
  }

  /** A group that this owner claimed is on domain `d`. */
  belongsTo(d: number, owner: OwnerKey): void {
    this.fdOwner[d] = owner;
    this.fdGeneration[d] = this.state.incarnations.generation[d];
  }

  /** No group belongs to this owner any more. */
  released(owner: OwnerKey): void {
    this.maps.released(owner);
  }

  /** Events were lost. */
  forget(): void {
    this.maps.forget();
    this.fdGeneration.length = 0;
    this.early.clear();
  }

  /** Returns everything as plain data. */
  snapshot(): MsiCheckSnapshot {
    return { maps: this.maps.snapshot(), fdOwner: [...this.fdOwner], fdGeneration: [...this.fdGeneration], early: [...this.early].map(([d, at]) => [d, ...at] as const) };
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: MsiCheckSnapshot): void {
    this.maps.restore(s.maps);
    this.fdOwner.push(...s.fdOwner);
    this.fdGeneration.push(...s.fdGeneration);
    for (const [d, ...at] of s.early) this.early.set(d, at);
  }

  /** `MAP` kind of the iommu_map in row `i`; callers are looked up once. */
  mapKindOf(b: EventBatch, i: number): number {
    const caller = b.present[i] & HAS.caller ? b.caller[i] : 0;
    if (caller === 0) return mapKind('', b, i);
    if (caller >= this.mapKinds.length) {
      const wide = new Int8Array(Math.max(caller + 1, this.mapKinds.length * 2)).fill(-1);
      wide.set(this.mapKinds);
      this.mapKinds = wide;
    }
    if (this.mapKinds[caller] < 0) {
      const symbol = b.interned.strings.values[caller];
      if (symbol.startsWith('0x')) return mapKind('', b, i);
      this.mapKinds[caller] = mapKind(symbol, b, i);
    }
    return this.mapKinds[caller];
  }

  /** Compares the IOVA of a new MSI page with the one the back end must have chosen. */
  checkMap(b: EventBatch, i: number, d: number): void {
    const { rows } = this.state;
    if (b.present[i] & HAS.errno && b.errno[i] < 0) return;
    if (rows.map === MAP.dma) {
      if (rows.cookie[d] !== COOKIE.msi || (rows.flags[d] & FLAG.msiNextKnown) === 0) return;
      // A doorbell that has its page gets no other one: msi-duplicate-doorbell says so, there is no IOVA to predict.
      if (b.present[i] & HAS.b && rows.findPage(d, MAP.dma, b.bLo[i], b.bHi[i]) !== NONE) return;
      this.checkIova(b, i, d, b.aLo[i], b.aHi[i], rows.msiNextLo[d], rows.msiNextHi[d]);
      return;
    }
    if ((b.present[i] & HAS.b) === 0 || b.aHi[i] !== 0) return;
    const fd = this.fdGeneration[d] === this.state.incarnations.generation[d] ? this.fdOwner[d] : (b.present[i] & HAS.pid ? this.state.attachments.claimOf(b.pid[i]) : undefined);
    if (fd === undefined) {
      // A HWPT is of one fd, whichever it is.
      if (rows.pageCount[d] >= IOMMUFD_SW_MSI_IDS && rows.findPage(d, MAP.iommufd, b.bLo[i], b.bHi[i]) === NONE) this.exhausted(b, i, d);
      return;
    }
    const expected = this.maps.predict(fd, b.bLo[i], b.bHi[i]);
    if (expected === EXHAUSTED) {
      this.exhausted(b, i, d);
      return;
    }
    if (expected !== UNSURE) this.checkIova(b, i, d, b.aLo[i], b.aHi[i], expected, 0);
    this.maps.note(fd, b.bLo[i], b.bHi[i], b.aLo[i]);
  }

  private exhausted(b: EventBatch, i: number, d: number): void {
    const { rows } = this.state;
    this.state.found('msi-iommufd-ids-exhausted', b, i, d, { outcome: 'undetected', before: rows.state[d], after: rows.state[d] });
  }

  private checkIova(b: EventBatch, i: number, d: number, lo: number, hi: number, expectedLo: number, expectedHi: number): void {
    this.state.checked.iovas++;
    if (lo === expectedLo && hi === expectedHi) return;
    this.state.found('msi-iova-mismatch', b, i, d, {
      outcome: 'undetected', before: this.state.rows.state[d], after: this.state.rows.state[d],
      expected: { iova: hex64(expectedLo, expectedHi) }, observed: { iova: hex64(lo, hi) },
      message: `the MSI IOVA is ${hex64(lo, hi)}; ${this.state.design.id} gives ${hex64(expectedLo, expectedHi)}`,
    });
  }

  /** Domain that the device of row `i` is on, or -1. */
  domainOfDevice(b: EventBatch, i: number): number {
    if ((b.present[i] & HAS.device) === 0) return -1;
    const device = this.state.attachments.devices.get(b.device[i]);
    return device && device.domain >= 0 && this.state.incarnations.generation[device.domain] === device.generation ? device.domain : -1;
  }

  /** iommu_get_msi_cookie on a domain without an owner: were MSIs prepared on it before? */
  cookieTaken(b: EventBatch, i: number, d: number): void {
    const early = this.early.get(d);
    if (!early || this.state.rows.state[d] !== STATE.msi_owned) return;
    this.early.delete(d);
    const { design } = this.state;
    const { outcome, errno } = design.others['msi-prepare-before-cookie'];
    if (outcome !== 'rejected' || early[0] !== this.state.incarnations.generation[d]) return;
    const { own } = this.state;
    const wentOn = own && early[2] === 0;
    const agrees = early[2] === null ? own : early[2] === errno;
    this.state.found('msi-prepare-before-cookie', b, i, d, {
      outcome: wentOn ? 'undetected' : outcome, ...(agrees && { severity: 'info' as const }), before: STATE.unowned, after: STATE.msi_owned, expected: { errno },
      message: `an MSI was prepared in event ${early[1]}, before the domain had its cookie: ${design.id} answers ${errnoText(errno ?? 0)} there${wentOn ? ', the kernel accepted it' : ''}`,
    });
  }

  /** iommu_dma_prepare_msi: what the descriptor says from now on, and whether it is what the pages say. */
  prepared(b: EventBatch, i: number, d: number, verdict: number): void {
    const present = b.present[i];
    const { rows } = this.state;
    const pagesOf = rows.pages;
    if (rows.state[d] === STATE.unowned && rows.type[d] === TYPE.UNMANAGED && this.early.size < EARLY_LIMIT) this.early.set(d, [this.state.incarnations.generation[d], b.position + i, present & HAS.errno ? b.errno[i] : null]);
    if (verdict === NONE || (present & HAS.errno && b.errno[i] < 0) || (present & HAS.a) === 0) return;
    const backend = rows.state[d] === STATE.iommufd_owned ? MAP.iommufd : MAP.dma;
    const page = rows.findPage(d, backend, b.aLo[i], b.aHi[i]);
    const passed = this.state.table.verdictOutcome[verdict] === NOOP;
    const nested = rows.type[d] === TYPE.NESTED;
    if (this.state.own && present & HAS.b && !nested) {
      if (passed) this.checkIova(b, i, d, b.bLo[i], b.bHi[i], 0, 0);
      else if (page !== NONE) this.checkIova(b, i, d, b.bLo[i], b.bHi[i], pagesOf.iovaLo[page], pagesOf.iovaHi[page]);
      this.checkShift(b, i, d, page);
    }
    if ((present & HAS.device) === 0 || (present & HAS.x) === 0) return;
    const device = this.state.attachments.device(b.device[i]);
    const msi = this.state.attachments.msi(device, b.x[i]);
    let lo = b.bLo[i];
    let hi = b.bHi[i];
    if ((present & HAS.b) === 0) {
      msi.known = passed || page !== NONE;
      lo = page === NONE ? 0 : pagesOf.iovaLo[page];
      hi = page === NONE ? 0 : pagesOf.iovaHi[page];
    } else msi.known = true;
    msi.iovaLo = nested ? 0 : lo;
    msi.iovaHi = nested ? 0 : hi;
    const translated = lo !== 0 || hi !== 0;
    const mask = (1 << (present & HAS.y && b.y[i] > 0 && b.y[i] < 31 ? b.y[i] : 12)) - 1;
    msi.addressLo = translated ? ((lo & ~mask) | (b.aLo[i] & mask)) >>> 0 : b.aLo[i];
    msi.addressHi = translated ? hi : b.aHi[i];
  }

  private checkShift(b: EventBatch, i: number, d: number, page: number): void {
    if ((b.present[i] & HAS.y) === 0 || page === NONE || (b.bLo[i] | b.bHi[i]) === 0) return;
    const size = this.state.rows.pages.sizeLo[page];
    if (size === (1 << (b.y[i] & 31)) >>> 0) return;
    const expected = 31 - Math.clz32(size);
    this.state.found('msi-desc-shift-mismatch', b, i, d, {
      outcome: 'undetected', before: this.state.rows.state[d], after: this.state.rows.state[d],
      expected: { iommu_msi_shift: expected }, observed: { iommu_msi_shift: b.y[i] },
    });
  }

  /** __pci_write_msi_msg: what is in the device from now on, and whether it is what the descriptor says. */
  written(b: EventBatch, i: number): void {
    const device = this.state.attachments.device(b.device[i]);
    const msi = this.state.attachments.msi(device, b.x[i]);
    const lo = b.aLo[i];
    const hi = b.aHi[i];
    const held = (msi.programmedLo | msi.programmedHi) !== 0;
    if (held !== ((lo | hi) !== 0)) device.programmed += held ? -1 : 1;
    msi.programmedLo = lo;
    msi.programmedHi = hi;
    msi.reported = false;
    if (lo === 0 && hi === 0) return; // teardown
    if (!this.state.own || !msi.known) return;
    this.state.checked.addresses++;
    if (lo !== msi.addressLo || hi !== msi.addressHi) {
      const d = device.domain >= 0 && this.state.incarnations.generation[device.domain] === device.generation ? device.domain : -1;
      this.state.found('msi-address-mismatch', b, i, d, {
        outcome: 'undetected', ...(d >= 0 && { before: this.state.rows.state[d], after: this.state.rows.state[d] }),
        expected: { address: hex64(msi.addressLo, msi.addressHi) }, observed: { address: hex64(lo, hi) },
        message: `msi_index ${b.x[i]} was programmed with ${hex64(lo, hi)}; its descriptor says ${hex64(msi.addressLo, msi.addressHi)}`,
      });
      return;
    }
    const d = device.domain;
    if (d >= 0 && this.state.incarnations.generation[d] === device.generation && !this.isMapped(d, msi)) this.checkStale(b, i, device, d);
  }

  /** The device came to another domain, or was programmed: is every address it holds mapped there? */
  checkStale(b: EventBatch, i: number, device: Device, d: number): void {
    const { rows } = this.state;
    if (!this.state.own || device.programmed === 0) return;
    const type = rows.type[d];
    const translates = (type & 1) !== 0 && rows.state[d] !== STATE.unknown && (rows.flags[d] & FLAG.pagesKnown) !== 0;
    if (!translates && type !== TYPE.IDENTITY) return;
    const stale: number[] = [];
    let address = '';
    for (let index = 0; index < device.msis.length; index++) {
      const msi = device.msis[index];
      if (!msi || !msi.known || msi.reported || (msi.programmedLo | msi.programmedHi) === 0 || (msi.iovaLo | msi.iovaHi) === 0) continue;
      if (translates && this.isMapped(d, msi)) continue;
      msi.reported = true;
      stale.push(index);
      address ||= hex64(msi.programmedLo, msi.programmedHi);
    }
    if (stale.length === 0) return;
    const carried = this.state.design.replaceCarriesMsiPages;
    this.state.found('msi-address-stale', b, i, d, {
      outcome: 'undetected', before: rows.state[d], after: rows.state[d], ...(!carried && { severity: 'info' as const }),
      observed: { address, msi_index: stale },
      message: `the device is programmed with ${address} (msi_index ${stale.join(', ')}), which this domain does not map${carried ? '' : `: a known limit of ${this.state.design.id} (FIXME in iommufd_group_setup_msi)`}`,
    });
  }

  private isMapped(d: number, msi: Msi): boolean {
    const { pages } = this.state.rows;
    for (let p = this.state.rows.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (pages.overlaps(p, msi.programmedLo, msi.programmedHi, 1, 0)) return true;
    }
    return false;
  }
}
