/**
 * private-data-owner: the proposal, patch 1/4 exactly as posted on 2025-02-28, on top of sw-msi.
 * `u32 type : 30; u32 private_data_owner : 2;` NONE 0, DMA 1, IOMMUFD 2. Every owner writes the tag; nothing reads it,
 * so each decision is that of sw-msi; only the word is new, and what no longer fits into `type`.
 * Source: "[PATCH v2 1/4] iommu: Add private_data_owner to iommu_domain"; recordings pdo, pdo-steal.
 */
import type { Design } from '../design.ts';
import { undetected } from './other-rules.ts';
import { swMsi } from './sw-msi.ts';

/** Patch 1/4 as posted. */
export const privateDataOwner: Design = {
  ...swMsi,
  id: 'private-data-owner',
  title: 'private-data-owner: patch 1/4 as posted; the tag is written, nothing reads it',
  ownerMember: 'private_data_owner',
  ownerValues: { unowned: 0, dma_owned: 1, msi_owned: 1, iommufd_owned: 2, fault_handler_owned: 0, sva_owned: 0 },
  ownerBits: 2,
  calls: {
    ...swMsi.calls,
    // domain->type = type: the bitfield keeps what fits it, the owner bits stay
    iommu_domain_alloc: [
      { in: ['unknown'], if: 'typeOverflows', outcome: 'overwrites', rule: 'type-overflow-30-bits', to: 'unowned', do: 'setType' },
      ...swMsi.calls.iommu_domain_alloc!,
    ],
  },
  others: {
    ...swMsi.others,
    'owner-reserved-value': undetected, // nothing reads the tag
    'word-shared-rmw': undetected, // each store writes both fields; in-tree callers do not race
    'owner-cookie-mismatch': undetected, // three copies: the tag, sw_msi and iova_cookie or iommufd_hwpt
  },
};
