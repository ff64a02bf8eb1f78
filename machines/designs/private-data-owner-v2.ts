/**
 * private-data-owner-v2: all four patches. 3/4 drops sw_msi and dispatches and releases by the tag;
 * 4/4 puts iova_cookie and iommufd_hwpt into one union, so that `if (domain->iova_cookie) return -EEXIST;` now also
 * sees iommufd_hwpt: a foreign cookie is refused by accident, but not where iommufd_hwpt is still NULL (automatic domains).
 * Source: the series of 2025-02-28, patches 2/4 to 4/4; KERNEL.md 1, 5.3, 7.2; recording pdo2-steal.
 */
import type { Decision, Design } from '../design.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP } from '../states.ts';
import { notApplicable } from './other-rules.ts';
import { dmaSwMsi, iommuMap, iommufdSwMsiAsPosted } from './shared-calls.ts';
import { privateDataOwner } from './private-data-owner.ts';

/** 3/4: if (domain->private_data_owner != IOMMU_DOMAIN_DATA_OWNER_DMA) return; */
const put: readonly Decision[] = [
  { in: ['dma_owned', 'msi_owned', 'sva_owned'], if: 'hasCookie', errno: 'none', do: 'clearCookie' },
  { errno: 'none', outcome: 'noop' },
];

/** 4/4: iommufd_hwpt is stored over iova_cookie. */
const adopted = (decisions: readonly Decision[] = []): readonly Decision[] => decisions.map((d) => (d.outcome === 'leak' ? { ...d, outcome: 'overwrites' as const } : d));

/** The whole proposed series. */
export const privateDataOwnerV2: Design = {
  ...privateDataOwner,
  id: 'private-data-owner-v2',
  title: 'private-data-owner-v2: all four patches; dispatch by the tag, one union',
  calls: {
    ...privateDataOwner.calls,
    iommu_get_dma_cookie: [
      { in: ['iommufd_owned'], if: 'hwptIsNull', outcome: 'overwrites', rule: 'get-dma-cookie-on-iommufd', to: 'dma_owned', do: 'takeDmaCookie' },
      { in: ['iommufd_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-on-iommufd' },
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'typeIsNotDma', outcome: 'undetected', rule: 'get-dma-cookie-non-dma-type', to: 'dma_owned', do: 'takeDmaCookie' },
      { to: 'dma_owned', do: 'takeDmaCookie' },
    ],
    iommu_get_msi_cookie: [
      { if: 'noIommuDma', outcome: 'rejected', errno: ENODEV, rule: 'get-msi-cookie-no-iommu-dma' },
      { if: 'typeIsNotUnmanaged', outcome: 'rejected', errno: EINVAL, rule: 'get-msi-cookie-wrong-type' },
      { in: ['iommufd_owned'], if: 'hwptIsNull', outcome: 'overwrites', rule: 'get-msi-cookie-on-iommufd', to: 'msi_owned', do: 'takeMsiCookie' },
      { in: ['iommufd_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-on-iommufd' },
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'baseIsUnaligned', outcome: 'undetected', rule: 'msi-cookie-base-unaligned', to: 'msi_owned', do: 'takeMsiCookie' },
      { to: 'msi_owned', do: 'takeMsiCookie' },
    ],
    iommufd_hwpt_paging_alloc: adopted(privateDataOwner.calls.iommufd_hwpt_paging_alloc),
    iommufd_hwpt_nested_alloc: adopted(privateDataOwner.calls.iommufd_hwpt_nested_alloc),
    iommufd_viommu_alloc_hwpt_nested: adopted(privateDataOwner.calls.iommufd_viommu_alloc_hwpt_nested),
    iommu_put_dma_cookie: put,
    iommu_put_msi_cookie: put,
    // 3/4: switch (private_data_owner) { DMA, IOMMUFD, default: -EOPNOTSUPP }, also for IDENTITY
    iommu_dma_prepare_msi: [
      ...dmaSwMsi,
      ...iommufdSwMsiAsPosted,
      { if: 'typeIsIdentity', outcome: 'rejected', errno: EOPNOTSUPP, rule: 'msi-prepare-identity-rejected' },
      { outcome: 'rejected', errno: EOPNOTSUPP, rule: 'msi-prepare-unowned' },
    ],
    iommu_map: iommuMap('rejected', false, 'msi-prot-mismatch'), // the tag chooses the back end, there is no pointer beside it
  },
  others: {
    ...privateDataOwner.others,
    'msi-prepare-before-cookie': { outcome: 'rejected', errno: EOPNOTSUPP },
    'put-on-iommufd-owned': notApplicable, // the adoption has overwritten the cookie's pointer
    'msi-wrong-backend': notApplicable,
  },
};
