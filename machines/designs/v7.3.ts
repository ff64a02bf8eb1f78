/**
 * v7.3: the newest kernel. cookie-type plus `is_iommupt` in the struct and the changes of 6.16 to 7.2 that touch ownership.
 * Source: Debian linux-source-7.3 7.3.4; KERNEL.md 10.
 */
import type { Design } from '../design.ts';
import { EBUSY, EOPNOTSUPP } from '../states.ts';
import { adoptNested, cookieType } from './cookie-type.ts';
import { iommuMap } from './shared-calls.ts';

/** The newest kernel. */
export const v73: Design = {
  ...cookieType,
  id: 'v7.3',
  title: 'v7.3: cookie_type plus is_iommupt, one lock around the MSI page list',
  msiPrepareLock: true, // back in 7.2, inside iommu_dma_get_msi_page, [7.3] dma-iommu.c:2220
  calls: {
    ...cookieType.calls,
    iommufd_hwpt_nested_alloc: adoptNested(EOPNOTSUPP), // since v6.17, 0c6e0ae7a7e4
    iommufd_viommu_alloc_hwpt_nested: adoptNested(EOPNOTSUPP),
    iommu_map: iommuMap('rejected-warn', true, 'msi-prot-mismatch'),
  },
  others: {
    ...cookieType.others,
    'attach-during-reset': { outcome: 'rejected', errno: EBUSY }, // group->recovery_cnt, [7.3] iommu.c:2457
  },
};
