/**
 * sw-msi: a function pointer per domain chooses the MSI back end; iommufd has its own. Between v6.14 and v6.15, no release.
 * Only what differs from v6.12 stands here.
 * Source: mainline 288683c92b1a (dma-iommu.c, iommu.c), 748706d7ca06 (iommu.h), 40f5175d0eb7 (iommufd).
 */
import type { Decision, Design } from '../design.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM } from '../states.ts';
import { accepted, noop, undetected } from './other-rules.ts';
import { dmaSwMsi, iommuMap, iommufdSwMsiAsPosted } from './shared-calls.ts';
import { v612 } from './v6.12.ts';

/** The tag or pointer is stored without looking at the old one: a cookie that is there is never freed. */
const adopt: readonly Decision[] = [
  { in: ['dma_owned', 'msi_owned', 'sva_owned'], outcome: 'leak', rule: 'iommufd-adopts-owned-domain', to: 'iommufd_owned', do: 'setHwpt' },
  { to: 'iommufd_owned', do: 'setHwpt' },
];

const adoptNested: readonly Decision[] = [
  // the tag is written before the WARN_ON_ONCE on the type
  { if: 'typeIsNotNested', outcome: 'rejected-warn', errno: EINVAL, rule: 'nested-wrong-type', to: 'iommufd_owned', do: 'setTypeNested' },
  { in: ['dma_owned', 'msi_owned', 'sva_owned'], outcome: 'leak', rule: 'iommufd-adopts-owned-domain', to: 'iommufd_owned', do: 'setTypeNested' },
  { to: 'iommufd_owned', do: 'setTypeNested' },
];

/** if (domain->sw_msi != iommu_dma_sw_msi) return; else as v6.12, but pointer and tag name the owner until the memory is gone. */
const put: readonly Decision[] = [
  { in: ['iommufd_owned'], if: 'hasCookie', errno: 'none', outcome: 'leak', rule: 'put-on-iommufd-owned' },
  // SVA alters neither: its domain's cookie is put like any other
  { in: ['dma_owned', 'msi_owned', 'sva_owned'], if: 'hasCookie', errno: 'none', do: 'clearCookie' },
  { errno: 'none', outcome: 'noop' },
];

/** The kernel between v6.14 and v6.15. */
export const swMsi: Design = {
  ...v612,
  id: 'sw-msi',
  title: 'sw-msi: a function pointer per domain chooses the MSI back end',
  msiPrepareLock: false, // [288683] only the group mutex is left
  automaticHwptIsNull: true, // [40f517] set at the end of the ioctl only
  replaceCarriesMsiPages: true,
  calls: {
    ...v612.calls,
    // [288683] iommu.c __iommu_paging_domain_alloc_flags: the cookie is taken later, in iommu_setup_default_domain
    iommu_domain_alloc: [
      { in: ['unknown'], to: 'unowned', do: 'setType' },
      { do: 'setType' },
    ],
    // [288683] dma-iommu.c: the check is on iova_cookie, which iommufd never sets; sw_msi is replaced
    iommu_get_dma_cookie: [
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { in: ['iommufd_owned'], outcome: 'overwrites', rule: 'get-dma-cookie-on-iommufd', to: 'dma_owned', do: 'takeDmaCookie' },
      { if: 'typeIsNotDma', outcome: 'undetected', rule: 'get-dma-cookie-non-dma-type', to: 'dma_owned', do: 'takeDmaCookie' },
      { to: 'dma_owned', do: 'takeDmaCookie' },
    ],
    iommu_get_msi_cookie: [
      { if: 'noIommuDma', outcome: 'rejected', errno: ENODEV, rule: 'get-msi-cookie-no-iommu-dma' },
      { if: 'typeIsNotUnmanaged', outcome: 'rejected', errno: EINVAL, rule: 'get-msi-cookie-wrong-type' },
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { in: ['iommufd_owned'], outcome: 'overwrites', rule: 'get-msi-cookie-on-iommufd', to: 'msi_owned', do: 'takeMsiCookie' },
      { if: 'baseIsUnaligned', outcome: 'undetected', rule: 'msi-cookie-base-unaligned', to: 'msi_owned', do: 'takeMsiCookie' },
      { to: 'msi_owned', do: 'takeMsiCookie' },
    ],
    iommu_put_dma_cookie: put,
    iommu_put_msi_cookie: put,
    iommufd_hwpt_paging_alloc: adopt,
    iommufd_hwpt_nested_alloc: adoptNested,
    iommufd_viommu_alloc_hwpt_nested: adoptNested,
    // [6.12] iommu-sva.c; iommufd's domain counts as owned now
    iommu_sva_domain_alloc: [
      { in: ['dma_owned', 'msi_owned', 'iommufd_owned', 'fault_handler_owned'], errno: 'none', outcome: 'undetected', rule: 'sva-adopts-owned-domain', to: 'sva_owned', do: 'setTypeSva' },
      { errno: 'none', to: 'sva_owned', do: 'setTypeSva' },
    ],
    // [288683] iommu.c iommu_dma_prepare_msi: group->domain && domain->sw_msi, else 0
    iommu_dma_prepare_msi: [...dmaSwMsi, ...iommufdSwMsiAsPosted, { outcome: 'noop' }],
    iommu_map: iommuMap('rejected', false, 'msi-wrong-backend'),
    // iommu_domain_free as v6.12; iommu_put_dma_cookie returns early when sw_msi was replaced, and the cookie is lost
    iommu_domain_free: [
      { if: 'typeIsStatic', errno: 'none' },
      { if: 'isAttached', errno: 'none', outcome: 'use-after-free', rule: 'free-while-attached', to: 'freed', do: 'beginRelease' },
      { in: ['iommufd_owned'], if: 'hasCookie', errno: 'none', outcome: 'leak', rule: 'cookie-leaked-at-free', to: 'freed', do: 'beginRelease' },
      { if: 'hasMappings', errno: 'none', outcome: 'undetected', rule: 'free-with-live-mappings', to: 'freed', do: 'beginRelease' },
      { errno: 'none', to: 'freed', do: 'beginRelease' },
    ],
  },
  others: {
    ...v612.others,
    'stale-owner-after-put': accepted, // sw_msi keeps pointing at iommu_dma_sw_msi
    'msi-prepare-no-handle': noop, // iommufd_sw_msi returns 0 and leaves the doorbell as it is
    'owner-cookie-mismatch': undetected, // two copies of one fact: sw_msi and iova_cookie
  },
};
