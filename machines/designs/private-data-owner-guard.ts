/**
 * private-data-owner-guard: patch 1/4 plus the reviewer's guard in iommu_get_msi_cookie() only.
 * A question in the thread, never posted as code; -EEXIST and the place after the type test are assumptions (KERNEL.md 1).
 */
import type { Design } from '../design.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM } from '../states.ts';
import { privateDataOwner } from './private-data-owner.ts';

/** Patch 1/4 with the reviewer's guard. */
export const privateDataOwnerGuard: Design = {
  ...privateDataOwner,
  id: 'private-data-owner-guard',
  title: 'private-data-owner-guard: the same plus a guard in iommu_get_msi_cookie',
  calls: {
    ...privateDataOwner.calls,
    iommu_get_msi_cookie: [
      { if: 'noIommuDma', outcome: 'rejected', errno: ENODEV, rule: 'get-msi-cookie-no-iommu-dma' },
      { if: 'typeIsNotUnmanaged', outcome: 'rejected', errno: EINVAL, rule: 'get-msi-cookie-wrong-type' },
      // private_data_owner != NONE
      { in: ['iommufd_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-on-iommufd' },
      { in: ['dma_owned', 'msi_owned'], outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'baseIsUnaligned', outcome: 'undetected', rule: 'msi-cookie-base-unaligned', to: 'msi_owned', do: 'takeMsiCookie' },
      { to: 'msi_owned', do: 'takeMsiCookie' },
    ],
  },
};
