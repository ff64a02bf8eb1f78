/**
 * cookie-type: as merged in v6.15. `enum iommu_domain_cookie_type` and one union for all owners, enforced.
 * Source: 6aa63a4ec947 "iommu: Sort out domain user data", 06d54f00f3f5 "iommu: Drop sw_msi from iommu_domain";
 * lines cited are of 7.3.4, where these functions are the same ([7.3] file:line).
 */
import type { Decision, Design } from '../design.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP } from '../states.ts';
import { accepted, ignoredWarn, noop, notApplicable, otherRules, undetected } from './other-rules.ts';
import { dmaSwMsi, iommuMap, iommuUnmap, iommufdSwMsi } from './shared-calls.ts';

const OTHERS = ['dma_owned', 'msi_owned', 'fault_handler_owned', 'sva_owned'] as const;

/** [7.3] hw_pagetable.c:176: iommufd_hwpt and the tag are stored without looking at the old tag. */
const adopt: readonly Decision[] = [
  { in: OTHERS, outcome: 'overwrites', rule: 'iommufd-adopts-owned-domain', to: 'iommufd_owned', do: 'setHwpt' },
  { to: 'iommufd_owned', do: 'setHwpt' },
];

/** The tag is written before the WARN_ON_ONCE on the type; `wrongType` is what the WARN then returns. */
export function adoptNested(wrongType: number): readonly Decision[] {
  return [
    { if: 'typeIsNotNested', outcome: 'rejected-warn', errno: wrongType, rule: 'nested-wrong-type', to: 'iommufd_owned', do: 'setTypeNested' },
    { in: OTHERS, outcome: 'overwrites', rule: 'iommufd-adopts-owned-domain', to: 'iommufd_owned', do: 'setTypeNested' },
    { to: 'iommufd_owned', do: 'setTypeNested' },
  ];
}

/** The design as merged in v6.15. */
export const cookieType: Design = {
  id: 'cookie-type',
  title: 'cookie-type: as merged in v6.15, one enum and one union',
  ownerMember: 'cookie_type',
  ownerValues: { unowned: 0, dma_owned: 1, msi_owned: 2, fault_handler_owned: 3, sva_owned: 4, iommufd_owned: 5 },
  ownerBits: 0,
  msiPrepareLock: false, // no lock common to two groups of one VFIO domain until 7.2
  automaticHwptIsNull: false, // [7.3] hw_pagetable.c:176, in all three allocators
  replaceCarriesMsiPages: true,
  putAfterPut: { outcome: 'double-free', rule: 'put-cookie-twice', errno: 'none' },
  calls: {
    // [7.3] iommu.c:2080 __iommu_paging_domain_alloc_flags: owner NONE
    iommu_domain_alloc: [
      { in: ['unknown'], to: 'unowned', do: 'setType' },
      { do: 'setType' },
    ],
    // [7.3] dma-iommu.c:369: cookie_type != NONE -> -EEXIST; no type check
    iommu_get_dma_cookie: [
      { in: ['dma_owned', 'msi_owned', 'sva_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-existing-cookie' },
      { in: ['iommufd_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-on-iommufd' },
      { in: ['fault_handler_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-on-fault-handler' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'typeIsNotDma', outcome: 'undetected', rule: 'get-dma-cookie-non-dma-type', to: 'dma_owned', do: 'takeDmaCookie' },
      { to: 'dma_owned', do: 'takeDmaCookie' },
    ],
    // [7.3] dma-iommu.c:398: type first, then cookie_type; `base` is not checked
    iommu_get_msi_cookie: [
      { if: 'noIommuDma', outcome: 'rejected', errno: ENODEV, rule: 'get-msi-cookie-no-iommu-dma' },
      { if: 'typeIsNotUnmanaged', outcome: 'rejected', errno: EINVAL, rule: 'get-msi-cookie-wrong-type' },
      { in: ['dma_owned', 'msi_owned', 'sva_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-existing-cookie' },
      { in: ['iommufd_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-on-iommufd' },
      { in: ['fault_handler_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-on-fault-handler' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'baseIsUnaligned', outcome: 'undetected', rule: 'msi-cookie-base-unaligned', to: 'msi_owned', do: 'takeMsiCookie' },
      { to: 'msi_owned', do: 'takeMsiCookie' },
    ],
    // [7.3] dma-iommu.c:424: no check at all; pointer and cookie_type stay set
    iommu_put_dma_cookie: [
      { if: 'cookieWasPut', errno: 'none', outcome: 'double-free', rule: 'put-cookie-twice' },
      { in: ['dma_owned'], errno: 'none', do: 'markCookiePut' },
      { in: ['msi_owned'], errno: 'none', outcome: 'type-confusion', rule: 'put-cookie-kind-mismatch', do: 'markCookiePut' },
      { errno: 'none', outcome: 'type-confusion', rule: 'put-dma-cookie-unowned' },
    ],
    // [7.3] dma-iommu.c:442
    iommu_put_msi_cookie: [
      { if: 'cookieWasPut', errno: 'none', outcome: 'double-free', rule: 'put-cookie-twice' },
      { in: ['msi_owned'], errno: 'none', do: 'markCookiePut' },
      { in: ['dma_owned'], errno: 'none', outcome: 'type-confusion', rule: 'put-cookie-kind-mismatch', do: 'markCookiePut' },
      { errno: 'none', outcome: 'type-confusion', rule: 'put-dma-cookie-unowned' },
    ],
    iommufd_hwpt_paging_alloc: adopt,
    iommufd_hwpt_nested_alloc: adoptNested(EINVAL), // v6.15, v6.16
    iommufd_viommu_alloc_hwpt_nested: adoptNested(EINVAL),
    // [7.3] iommu-sva.c:309: type, tag and mm are stored unconditionally
    iommu_sva_domain_alloc: [
      { in: ['dma_owned', 'msi_owned', 'iommufd_owned', 'fault_handler_owned'], errno: 'none', outcome: 'overwrites', rule: 'sva-adopts-owned-domain', to: 'sva_owned', do: 'setTypeSva' },
      { errno: 'none', to: 'sva_owned', do: 'setTypeSva' },
    ],
    // [7.3] iommu.c:2057: WARN_ON(!domain || cookie_type != NONE)
    iommu_set_fault_handler: [
      { in: ['unowned'], errno: 'none', to: 'fault_handler_owned' },
      { in: ['fault_handler_owned'], errno: 'none', outcome: 'ignored-warn', rule: 'set-fault-handler-twice' },
      { in: ['sva_owned'], errno: 'none', outcome: 'ignored-warn', rule: 'set-fault-handler-on-sva' },
      { errno: 'none', outcome: 'ignored-warn', rule: 'set-fault-handler-on-owned' },
    ],
    // [7.3] iommu.c:4237: IDENTITY -> 0, then by cookie_type; NONE, FAULT_HANDLER and SVA have no back end
    iommu_dma_prepare_msi: [
      { if: 'typeIsIdentity', outcome: 'noop' },
      ...dmaSwMsi,
      ...iommufdSwMsi,
      { outcome: 'rejected', errno: EOPNOTSUPP, rule: 'msi-prepare-unowned' },
    ],
    iommu_map: iommuMap('rejected', false, 'msi-prot-mismatch'),
    iommu_unmap: iommuUnmap,
    // [7.3] iommu.c:2127: DMA_IOVA and DMA_MSI are put, SVA drops mm, others own no core memory; then ops->free
    iommu_domain_free: [
      { if: 'typeIsStatic', errno: 'none' },
      { if: 'isAttached', errno: 'none', outcome: 'use-after-free', rule: 'free-while-attached', to: 'freed', do: 'beginRelease' },
      { in: ['iommufd_owned', 'sva_owned'], if: 'hasCookie', errno: 'none', outcome: 'leak', rule: 'cookie-leaked-at-free', to: 'freed', do: 'beginRelease' },
      { if: 'hasMappings', errno: 'none', outcome: 'undetected', rule: 'free-with-live-mappings', to: 'freed', do: 'beginRelease' },
      { errno: 'none', to: 'freed', do: 'beginRelease' },
    ],
  },
  others: {
    ...otherRules,
    'set-fault-handler-null-domain': ignoredWarn, // [7.3] iommu.c:2061 WARN_ON(!domain)
    'cookie-type-out-of-range': undetected,
    'stale-owner-after-put': accepted, // cookie_type stays; harmless because free follows
    'msi-prepare-identity-rejected': accepted, // [7.3] iommu.c:4248 IDENTITY is tested first
    'msi-prepare-before-cookie': { outcome: 'rejected', errno: EOPNOTSUPP },
    'msi-prepare-no-handle': noop,
    // pointer and tag are written together, and the tag alone says which member of the union counts
    'msi-prepare-null-hwpt': notApplicable,
    'put-on-iommufd-owned': notApplicable,
    'msi-wrong-backend': notApplicable,
    'owner-cookie-mismatch': notApplicable,
    // separate words again
    'owner-reserved-value': notApplicable,
    'type-overflow-30-bits': notApplicable,
    'word-shared-rmw': notApplicable,
  },
};
