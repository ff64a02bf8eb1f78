/**
 * The private data of one domain as the XState machine holds it, and what each guard and action of a design means on it.
 * `domain-rows.ts` says the same over typed arrays; a differential test keeps the two together.
 * 64-bit values are bigint here: this is the reference, not the replay path.
 */
import { produce } from 'immer';
import type { Action, Guard } from './design.ts';
import {
  ENODEV, ENOMEM, EOVERFLOW, MSI_IOVA_BASE, MSI_IOVA_LENGTH, PAGE_SIZE, PROT_DMA_MSI, PROT_IOMMUFD_MSI, TYPE, TYPE_UNKNOWN,
  type MachineEventType, type Outcome,
} from './states.ts';

/** Who made a mapping: a user (counted or not, because its unmap cannot be seen) or one of the MSI back ends. */
export const MAP = { user: 0, dma: 1, iommufd: 2, uncounted: 3 } as const;

/** At most this many MSI pages are kept for one domain; the kernel's window holds 256. */
export const MSI_PAGE_LIMIT = 1024;

/** One page of the domain's page table that leads to a doorbell. */
export interface MsiPage {
  readonly iova: bigint;
  readonly phys: bigint;
  readonly size: bigint;
  readonly backend: number;
}

/** What the machine answers to one event. `errno` is null where the kernel gives no answer or none can be predicted. */
export interface Verdict {
  readonly rule: string | null;
  readonly outcome: Outcome;
  readonly errno: number | null;
}

/** Private data of one domain, as the reference engine holds it. */
export interface DomainContext {
  readonly type: number;
  /** Largest value that `type` holds. */
  readonly typeMask: number;
  readonly cookie: 'none' | 'dma' | 'msi';
  readonly cookiePut: boolean;
  readonly hwpt: boolean;
  /** iommufd_hwpt was left NULL when iommufd allocated the domain. */
  readonly hwptNull: boolean;
  readonly releasing: boolean;
  readonly attached: number;
  readonly mappedBytes: number;
  /** Base and next IOVA of the MSI cookie; null where not known. */
  readonly base: bigint | null;
  readonly msiNext: bigint | null;
  /** Doorbell page whose iommu_map was refused last. */
  readonly failed: bigint | null;
  /** Whether `pages` is all there is: false for a domain first seen in mid-life or after a gap. */
  readonly pagesKnown: boolean;
  readonly pages: readonly MsiPage[];
  readonly verdict: Verdict;
}

/** One event as the machine takes it: the kernel call with its arguments; absent where not recorded. */
export interface MachineEvent {
  readonly type: MachineEventType;
  /** Whether the events are this design's own, so that a recorded errno tells what the design did. */
  readonly own: boolean;
  readonly errno?: number;
  readonly domain_type?: number;
  readonly hwpt?: bigint;
  readonly afterType?: number;
  readonly base?: bigint;
  readonly iova?: bigint;
  readonly paddr?: bigint;
  readonly size?: bigint;
  readonly prot?: number;
  readonly map?: number;
  readonly msi_addr?: bigint;
}

/** The verdict of a call that nothing is said about. */
export const ACCEPTED: Verdict = { rule: null, outcome: 'accepted', errno: null };

/** Returns the private data of a domain of which nothing is known yet. */
export function initialContext(typeMask = 0xffffffff): DomainContext {
  return {
    type: TYPE_UNKNOWN, typeMask, cookie: 'none', cookiePut: false, hwpt: false, hwptNull: false, releasing: false, attached: 0, mappedBytes: 0,
    base: null, msiNext: null, failed: null, pagesKnown: false, pages: [], verdict: ACCEPTED,
  };
}

const PAGE = BigInt(PAGE_SIZE);
const WINDOW = BigInt(MSI_IOVA_LENGTH);
const pageOf = (address: bigint): bigint => address & ~(PAGE - 1n);
const overlaps = (p: MsiPage, iova: bigint, size: bigint): boolean => p.iova < iova + size && iova < p.iova + p.size;
const refused = (e: MachineEvent): boolean => e.errno !== undefined && e.errno < 0;
/** A recorded errno of prepare_msi is a fact about this design only where the recording is its own. */
const recordedTells = (e: MachineEvent): boolean => e.own || e.type !== 'iommu_dma_prepare_msi';
const listed = (c: DomainContext, e: MachineEvent, backend: number): boolean =>
  e.msi_addr !== undefined && c.pages.some((p) => p.backend === backend && p.phys === (e.msi_addr! & ~(p.size - 1n)));

/** The guards of `GUARDS` on context and event. */
export const guards: Readonly<Record<Guard, (c: DomainContext, e: MachineEvent) => boolean>> = {
  typeIsNotUnmanaged: (c) => c.type !== TYPE_UNKNOWN && c.type !== TYPE.UNMANAGED,
  typeIsNotDma: (c) => c.type !== TYPE_UNKNOWN && (c.type & 2) === 0,
  typeIsDma: (_, e) => e.domain_type !== undefined && (e.domain_type & 2) !== 0,
  typeIsIdentity: (c) => c.type === TYPE.IDENTITY,
  typeIsNested: (c) => c.type === TYPE.NESTED,
  typeIsNotNested: (_, e) => e.afterType !== undefined && e.afterType !== TYPE.NESTED,
  typeOverflows: (c, e) => e.domain_type !== undefined && e.domain_type > c.typeMask,
  hwptIsNull: (c) => c.hwptNull,
  typeIsStatic: (c) => c.type === TYPE.BLOCKED || c.type === TYPE.IDENTITY,
  typeIsNotPaging: (c) => c.type !== TYPE_UNKNOWN && (c.type & 1) === 0,
  hasCookie: (c) => c.cookie !== 'none',
  hasNoCookie: (c) => c.cookie === 'none',
  cookieWasPut: (c) => c.cookiePut,
  hasHwpt: (c) => c.hwpt,
  releasing: (c) => c.releasing,
  isAttached: (c) => c.attached > 0,
  hasMappings: (c) => c.mappedBytes > 0 && c.type === TYPE.UNMANAGED,
  refused: (_, e) => refused(e) && recordedTells(e),
  outOfMemory: (_, e) => e.errno === ENOMEM && recordedTells(e),
  noIommuDma: (_, e) => e.errno === ENODEV,
  idsExhausted: (_, e) => e.errno === EOVERFLOW && recordedTells(e),
  baseIsUnaligned: (_, e) => e.base !== undefined && (e.base & (PAGE - 1n)) !== 0n,
  pageIsListed: (c, e) => listed(c, e, MAP.dma),
  pageIsInstalled: (c, e) => listed(c, e, MAP.iommufd),
  msiMapFailed: (c, e) => c.failed !== null && e.msi_addr !== undefined && c.failed === pageOf(e.msi_addr),
  nextIovaIsZero: (c) => c.cookie === 'msi' && c.msiNext === 0n,
  nextIovaIsMapped: (c) => c.cookie === 'msi' && c.msiNext !== null && c.pages.some((p) => overlaps(p, c.msiNext!, PAGE)),
  isUserMapping: (_, e) => e.map === MAP.user || e.map === MAP.uncounted,
  isDmaBackend: (_, e) => e.own && e.map === MAP.dma,
  isIommufdBackend: (_, e) => e.own && e.map === MAP.iommufd,
  iovaIsReused: (c, e) => !refused(e) && e.paddr !== undefined && c.pages.some((p) => overlaps(p, e.iova!, e.size!) && p.phys !== e.paddr),
  iovaIsMapped: (c, e) => c.pages.some((p) => overlaps(p, e.iova!, e.size!)),
  doorbellIsMapped: (c, e) => e.paddr !== undefined && c.pages.some((p) => p.phys === e.paddr && p.iova !== e.iova),
  iovaIsAbove58Bits: (_, e) => e.iova! >> 58n !== 0n,
  isOutsideWindow: (c, e) => {
    if (e.map === MAP.dma && c.cookie !== 'msi') return false;
    const base = e.map === MAP.dma ? c.base : BigInt(MSI_IOVA_BASE);
    return base !== null && (e.iova! < base || e.iova! >= base + WINDOW);
  },
  physIsNotMasked: (_, e) => e.paddr !== undefined && (e.paddr & (e.size! - 1n)) !== 0n,
  protIsUnexpected: (_, e) => e.own && e.prot !== undefined && e.prot !== (e.map === MAP.dma ? PROT_DMA_MSI : PROT_IOMMUFD_MSI),
  overlapsMsiPage: (c, e) => c.pages.some((p) => overlaps(p, e.iova!, e.size!)),
};

type Draft = { -readonly [K in keyof DomainContext]: DomainContext[K] extends readonly MsiPage[] ? MsiPage[] : DomainContext[K] };

function setType(d: Draft, type: number | undefined): void {
  if (type !== undefined) d.type = (type & d.typeMask) >>> 0;
}

function addPage(d: Draft, page: MsiPage): void {
  if (d.pages.length < MSI_PAGE_LIMIT) d.pages.push(page);
  else d.pagesKnown = false;
  if (page.backend === MAP.dma && d.cookie === 'msi') d.msiNext = BigInt.asUintN(64, page.iova + page.size);
}

function preparePage(d: Draft, e: MachineEvent, backend: number): void {
  d.failed = null;
  if (e.msi_addr === undefined) return;
  const iova = backend === MAP.dma && d.cookie === 'msi' && d.msiNext !== null ? d.msiNext : e.iova;
  if (iova !== undefined && iova !== 0n) addPage(d, { iova: pageOf(iova), phys: pageOf(e.msi_addr), size: PAGE, backend });
}

/** The actions of `ACTIONS` on a draft of the context. */
const actions: Readonly<Record<Action, (d: Draft, e: MachineEvent) => void>> = {
  setType: (d, e) => { setType(d, e.domain_type); d.pagesKnown = true; },
  setTypeAndTakeDmaCookie: (d, e) => { setType(d, e.domain_type); d.pagesKnown = true; d.cookie = 'dma'; d.cookiePut = false; },
  setTypeNested: (d, e) => { d.type = e.afterType ?? TYPE.NESTED; d.hwpt = true; d.pagesKnown = true; },
  setTypeSva: (d) => { d.type = TYPE.SVA; },
  takeDmaCookie: (d) => { d.cookie = 'dma'; d.cookiePut = false; },
  takeMsiCookie: (d, e) => { d.cookie = 'msi'; d.cookiePut = false; d.base = e.base ?? null; d.msiNext = e.base ?? null; },
  setHwpt: (d, e) => { d.type = e.afterType ?? (d.type === TYPE_UNKNOWN ? TYPE.UNMANAGED : d.type); d.hwpt = true; d.hwptNull = e.hwpt === 0n; d.pagesKnown = true; },
  clearCookie: (d) => { d.cookie = 'none'; d.base = null; d.msiNext = null; },
  markCookiePut: (d) => { d.cookiePut = true; },
  beginRelease: (d) => { d.releasing = true; },
  endRelease: (d) => { d.releasing = false; },
  addMapping: (d, e) => { if (!refused(e) && e.map === MAP.user) d.mappedBytes += Number(e.size ?? 0n); },
  removeMapping: (d, e) => { d.mappedBytes = Math.max(0, d.mappedBytes - Number(e.size ?? 0n)); },
  addMsiPage: (d, e) => { d.failed = null; if (e.paddr !== undefined) addPage(d, { iova: e.iova!, phys: e.paddr, size: e.size!, backend: e.map! }); },
  removeMsiPages: (d, e) => { d.pages = d.pages.filter((p) => !overlaps(p, e.iova!, e.size!)); },
  markMsiMapFailed: (d, e) => { d.failed = e.paddr === undefined ? null : pageOf(e.paddr); },
  prepareMsiPage: (d, e) => preparePage(d, e, MAP.dma),
  installMsiPage: (d, e) => preparePage(d, e, MAP.iommufd),
  skipMsiIova: (d) => { d.msiNext = d.msiNext === null ? null : BigInt.asUintN(64, d.msiNext + PAGE); },
  attach: (d) => { d.attached++; },
  detach: (d) => { d.attached = Math.max(0, d.attached - 1); },
  adoptNone: (d) => { d.cookie = 'none'; d.hwpt = false; d.base = null; d.msiNext = null; },
  adoptDmaCookie: (d) => { d.cookie = 'dma'; d.cookiePut = false; d.base = null; d.msiNext = null; },
  adoptMsiCookie: (d) => { if (d.cookie !== 'msi') { d.base = null; d.msiNext = null; } d.cookie = 'msi'; d.cookiePut = false; },
  adoptHwpt: (d) => { d.hwpt = true; d.cookie = 'none'; d.base = null; d.msiNext = null; },
  forget: (d) => {
    Object.assign(d, initialContext(d.typeMask));
    d.pages = [];
  },
};

/** Returns the context after an action; the one given is unchanged. */
export function applyAction(action: Action, context: DomainContext, event: MachineEvent): DomainContext {
  return produce(context, (draft) => actions[action](draft as Draft, event));
}
