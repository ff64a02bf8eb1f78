/**
 * v7.3: the newest kernel. cookie-type plus `is_iommupt` in the struct and the changes of 6.16 to 7.2 that touch ownership.
 * Source: Debian linux-source-7.3 7.3.4; KERNEL.md 10.
 */
import type { Design } from '../design.ts';
import { EOPNOTSUPP } from '../states.ts';
import { adoptNested, cookieType } from './cookie-type.ts';
import { iommuMap } from './shared-calls.ts';

/** The newest kernel. */
export const v73: Design = {
  ...cookieType,
  id: 'v7.3',
  title: 'v7.3: cookie_type plus is_iommupt, one lock around the MSI page list',
  calls: {
    ...cookieType.calls,
    iommufd_hwpt_nested_alloc: adoptNested(EOPNOTSUPP), // since v6.17, 0c6e0ae7a7e4
    iommufd_viommu_alloc_hwpt_nested: adoptNested(EOPNOTSUPP),
    iommu_map: iommuMap('rejected-warn', 'not-applicable', 'msi-prot-mismatch'), // msi_prepare_lock is back, [7.3] dma-iommu.c:2212
  },
};
