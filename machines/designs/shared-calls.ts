/**
 * Decisions that several designs take alike: mapping, unmapping and the two MSI back ends.
 * Source: [7.3] drivers/iommu/dma-iommu.c iommu_dma_sw_msi:2263, iommu_dma_get_msi_page:2212; drivers/iommu/iommufd/driver.c
 * iommufd_sw_msi:250, iommufd_sw_msi_get_map:188, iommufd_sw_msi_install:220; KERNEL.md 7.3, 7.4.
 */
import type { Decision } from '../design.ts';
import { EEXIST, EINVAL, ENOMEM, EOVERFLOW, type Outcome, type State } from '../states.ts';

const DMA_OWNERS: readonly State[] = ['dma_owned', 'msi_owned'];
const IOMMUFD: readonly State[] = ['iommufd_owned'];

/** iommu_dma_sw_msi: every failure surfaces as -ENOMEM, never as the errno of the map. */
export const dmaSwMsi: readonly Decision[] = [
  { in: DMA_OWNERS, if: 'hasNoCookie', outcome: 'noop' },
  { in: DMA_OWNERS, if: 'pageIsListed' },
  { in: DMA_OWNERS, if: 'msiMapFailed', outcome: 'rejected', errno: ENOMEM, rule: 'msi-map-failed' },
  { in: DMA_OWNERS, if: 'nextIovaIsZero', outcome: 'rejected', errno: ENOMEM, rule: 'msi-cookie-base-zero', do: 'skipMsiIova' },
  { in: DMA_OWNERS, if: 'nextIovaIsMapped', outcome: 'rejected', errno: ENOMEM, rule: 'msi-map-failed' },
  { in: DMA_OWNERS, if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'msi-map-failed' },
  { in: DMA_OWNERS, do: 'prepareMsiPage' },
];

/** iommufd_sw_msi from get_map on: the errno of the map is passed on; a NESTED domain uses its parent's page table. */
const installed: readonly Decision[] = [
  { in: IOMMUFD, if: 'idsExhausted', outcome: 'rejected', errno: EOVERFLOW, rule: 'msi-iommufd-ids-exhausted' },
  { in: IOMMUFD, if: 'refused', outcome: 'rejected', errno: 'none', rule: 'msi-map-failed' },
  { in: IOMMUFD, do: 'installMsiPage' },
];

const known: readonly Decision[] = [
  { in: IOMMUFD, if: 'typeIsNested' },
  { in: IOMMUFD, if: 'pageIsInstalled' },
  { in: IOMMUFD, if: 'msiMapFailed', outcome: 'rejected', errno: 'none', rule: 'msi-map-failed' },
];

/** iommufd_sw_msi as merged (ec031e1b35de): no memory for a map entry is an errno. */
export const iommufdSwMsi: readonly Decision[] = [
  ...known,
  { in: IOMMUFD, if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'msi-iommufd-enomem-deref' },
  ...installed,
];

/**
 * iommufd_sw_msi as posted and as moved by 2/4: find_hwpt_paging(domain->iommufd_hwpt) takes NULL for an automatic domain
 * (fixed by 897008d0f767), and without memory `cur = ERR_PTR(-ENOMEM)` is written through.
 */
export const iommufdSwMsiAsPosted: readonly Decision[] = [
  { in: IOMMUFD, if: 'hwptIsNull', errno: 'none', outcome: 'null-deref', rule: 'msi-prepare-null-hwpt' },
  ...known,
  { in: IOMMUFD, if: 'outOfMemory', errno: 'none', outcome: 'null-deref', rule: 'msi-iommufd-enomem-deref' },
  ...installed,
];

/**
 * iommu_map: user mappings are counted, MSI pages are kept one by one.
 * `notPaging` is what the kernel does on a domain without a page table; `msiPrepareLock` makes a second page for a doorbell
 * impossible; `otherBackend` is the rule that a page of the other back end breaks: only sw_msi can choose the wrong one.
 */
export function iommuMap(notPaging: Outcome, msiPrepareLock: boolean, otherBackend: 'msi-wrong-backend' | 'msi-prot-mismatch'): readonly Decision[] {
  return [
    { if: 'typeIsNotPaging', outcome: notPaging, errno: EINVAL, rule: 'map-non-paging' },
    { if: 'isUserMapping', errno: 'none', do: 'addMapping' },
    { if: 'iovaIsReused', outcome: 'undetected', rule: 'msi-iova-reused', do: 'addMsiPage' },
    { if: 'iovaIsMapped', outcome: 'rejected', errno: EEXIST, do: 'markMsiMapFailed' },
    { if: 'refused', errno: 'none', do: 'markMsiMapFailed' },
    { in: IOMMUFD, if: 'isDmaBackend', outcome: 'undetected', rule: otherBackend, do: 'addMsiPage' },
    { in: DMA_OWNERS, if: 'isIommufdBackend', outcome: 'undetected', rule: otherBackend, do: 'addMsiPage' },
    { if: 'doorbellIsMapped', outcome: msiPrepareLock ? 'not-applicable' : 'undetected', rule: 'msi-duplicate-doorbell', do: 'addMsiPage' },
    { if: 'iovaIsAbove58Bits', outcome: 'undetected', rule: 'msi-iova-58-bit', do: 'addMsiPage' },
    { if: 'isOutsideWindow', outcome: 'undetected', rule: 'msi-iova-outside-window', do: 'addMsiPage' },
    { if: 'physIsNotMasked', outcome: 'undetected', rule: 'msi-phys-not-masked', do: 'addMsiPage' },
    { if: 'protIsUnexpected', outcome: 'undetected', rule: 'msi-prot-mismatch', do: 'addMsiPage' },
    { do: 'addMsiPage' },
  ];
}

/** iommu_unmap: nobody unmaps MSI pages; an unmap of one means a caller touched the reserved window. */
export const iommuUnmap: readonly Decision[] = [
  { if: 'overlapsMsiPage', errno: 'none', outcome: 'undetected', rule: 'msi-page-unmapped', do: 'removeMsiPages' },
  { errno: 'none', do: 'removeMapping' },
];
