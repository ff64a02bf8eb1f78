/**
 * What a kernel design is: for each call the decisions the kernel takes, in the order of its own checks.
 * A design file under designs/ is a table of these; `ownership.ts` turns it into the XState machine.
 * Guards and actions are names here; their meaning is in `domain-context.ts` (XState) and `domain-rows.ts` (typed arrays).
 */
import type { EventType } from '../events/event-types.ts';
import type { Outcome, State } from './states.ts';

/**
 * Conditions a kernel check can rest on. The first ones are facts of a row, found in one look at it (`domain-rows.ts`);
 * the others are asked one by one, those about pages only where the domain has one.
 */
export const GUARDS = [
  'typeIsNotUnmanaged', // domain->type != IOMMU_DOMAIN_UNMANAGED
  'typeIsNotDma', // !(type & __IOMMU_DOMAIN_DMA_API)
  'typeIsIdentity', // type == IOMMU_DOMAIN_IDENTITY
  'typeIsNested', // type == IOMMU_DOMAIN_NESTED
  'typeIsStatic', // BLOCKED or IDENTITY: a driver's static object, ops->free is NULL
  'typeIsNotPaging', // !(type & __IOMMU_DOMAIN_PAGING)
  'hasCookie', // iova_cookie != NULL
  'hasNoCookie', // iova_cookie == NULL
  'cookieWasPut', // the cookie was put and the pointer left in place
  'hasHwpt', // iommufd allocated this domain
  'releasing', // inside iommu_domain_free, which puts the cookie
  'isUserMapping', // not an MSI page
  'isDmaBackend', // the page was mapped by iommu_dma_sw_msi (judged under the recording's own design only)
  'isIommufdBackend', // the page was mapped by iommufd_sw_msi (likewise)
  // asked one by one
  'typeIsDma', // the allocated type has __IOMMU_DOMAIN_DMA_API
  'typeIsNotNested', // the driver returned another type than IOMMU_DOMAIN_NESTED
  'typeOverflows', // the allocated type does not fit the bits that private_data_owner leaves to it
  'hwptIsNull', // iommufd did not store domain->iommufd_hwpt (its automatic domains, before 897008d0f767)
  'isAttached', // a group still uses the domain
  'hasMappings', // user mappings are left
  'refused', // the recorded kernel answered an errno
  'outOfMemory', // the recorded kernel answered -ENOMEM
  'noIommuDma', // the recorded kernel answered -ENODEV: CONFIG_IOMMU_DMA is off
  'idsExhausted', // the recorded kernel answered -EOVERFLOW
  'baseIsUnaligned', // base & (PAGE_SIZE - 1)
  'msiMapFailed', // the iommu_map of this doorbell page was refused just before
  'nextIovaIsZero', // msi_iova == 0
  'iovaIsAbove58Bits', // iova >> 58
  'isOutsideWindow', // outside [base, base + 1 MiB)
  'physIsNotMasked', // paddr & (size - 1)
  'protIsUnexpected', // (of its own recording) not WRITE|NOEXEC|MMIO or READ|WRITE|MMIO
  // about the domain's MSI pages
  'pageIsListed', // msi_page_list has the doorbell page
  'pageIsInstalled', // present_sw_msi has the doorbell page
  'nextIovaIsMapped', // the page table has a page at msi_iova
  'iovaIsReused', // the IOVA is mapped to another doorbell, and the kernel said 0
  'iovaIsMapped', // the page table has a page at the IOVA
  'doorbellIsMapped', // the same doorbell page is mapped at another IOVA
  'overlapsMsiPage', // the unmapped range covers an MSI page
] as const;
export type Guard = (typeof GUARDS)[number];

/** What a call does to a domain's private data. */
export const ACTIONS = [
  'setType',
  'setTypeAndTakeDmaCookie',
  'setTypeNested',
  'setTypeSva',
  'takeDmaCookie',
  'takeMsiCookie',
  'setHwpt',
  'clearCookie', // v6.12: iova_cookie = NULL
  'markCookiePut', // later: freed, pointer and tag stay
  'beginRelease',
  'endRelease',
  'addMapping',
  'removeMapping',
  'addMsiPage',
  'removeMsiPages',
  'markMsiMapFailed',
  'prepareMsiPage', // dma-iommu takes the next IOVA and maps the doorbell
  'installMsiPage', // iommufd maps the doorbell at the IOVA of its map entry
  'skipMsiIova', // msi_iova advanced and not rolled back
  'attach',
  'detach',
  'adoptNone',
  'adoptDmaCookie',
  'adoptMsiCookie',
  'adoptHwpt',
  'forget',
] as const;
export type Action = (typeof ACTIONS)[number];

/** One check of a call and what follows from it. Absent members: every living state, always, accepted, 0, stay, nothing. */
export interface Decision {
  readonly in?: readonly State[];
  readonly if?: Guard;
  readonly outcome?: Outcome;
  readonly rule?: string;
  /** What the kernel answers; `none`: void or not predictable from what is recorded. */
  readonly errno?: number | 'none';
  readonly to?: State;
  readonly do?: Action;
}

/** Which member of the word says who owns the domain. */
export type OwnerMember = 'none' | 'private_data_owner' | 'cookie_type';

/** What a kernel does about a rule: an outcome, and the errno where it answers one. */
export interface Answer {
  readonly outcome: Outcome;
  readonly errno?: number;
}

/** A kernel design. Source of each table row is cited in the design's own file. */
export interface Design {
  readonly id: string;
  readonly title: string;
  readonly ownerMember: OwnerMember;
  /** Value of the owner member in each state; ignored where `ownerMember` is `none`. */
  readonly ownerValues: Readonly<Record<Exclude<State, 'unknown' | 'freed'>, number>>;
  /** Width of `private_data_owner`, which `type` lacks; 0 where it is no bitfield. `withOwnerBits` changes it. */
  readonly ownerBits: number;
  /** One lock around a domain's MSI page list; without it two groups on one domain can map a doorbell twice. */
  readonly msiPrepareLock: boolean;
  /** iommufd leaves iommufd_hwpt of its automatic domains NULL (fixed by 897008d0f767). */
  readonly automaticHwptIsNull: boolean;
  /** iommufd installs the pages a group needs before it replaces a domain; v6.12 did not (FIXME at iommufd/device.c:310). */
  readonly replaceCarriesMsiPages: boolean;
  /** Decisions of each call, in the kernel's order of checks; calls that are not named here touch no private data. */
  readonly calls: Readonly<Partial<Record<EventType, readonly Decision[]>>>;
  /** What a second put of the same cookie does after the domain was freed. */
  readonly putAfterPut: Decision;
  /** Rules that no decision of a call names: what is no fault here, or is not about one domain's private data. By rule id. */
  readonly others: Readonly<Record<string, Answer>>;
}

/** Returns the design with another width of `private_data_owner`; one without that member is returned as it is. */
export function withOwnerBits(design: Design, ownerBits: number): Design {
  return design.ownerBits === 0 ? design : { ...design, ownerBits };
}

/** Returns the largest value that fits `iommu_domain.type` under a design. */
export function typeMaskOf(design: Design): number {
  return 0xffffffff >>> design.ownerBits;
}
