/**
 * private-data-owner: the proposal, patch 1/4 exactly as posted on 2025-02-28, on top of sw-msi.
 * `u32 type : 30; u32 private_data_owner : 2;` NONE 0, DMA 1, IOMMUFD 2. Every owner writes the tag; nothing reads it,
 * so each decision is that of sw-msi and only the word is new.
 * Source: "[PATCH v2 1/4] iommu: Add private_data_owner to iommu_domain"; recordings pdo, pdo-steal.
 */
import type { Design } from '../design.ts';
import { swMsi } from './sw-msi.ts';

/** Patch 1/4 as posted. */
export const privateDataOwner: Design = {
  ...swMsi,
  id: 'private-data-owner',
  title: 'private-data-owner: patch 1/4 as posted; the tag is written, nothing reads it',
  ownerMember: 'private_data_owner',
  ownerValues: { unowned: 0, dma_owned: 1, msi_owned: 1, iommufd_owned: 2, fault_handler_owned: 0, sva_owned: 0 },
};
