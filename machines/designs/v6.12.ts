/**
 * v6.12: `iova_cookie` is the only trace of an owner; iommufd borrows the VFIO MSI cookie.
 * Source: Debian linux-source-6.12 6.12.107, drivers/iommu/dma-iommu.c and iommu.c, lines cited as [6.12] file:line.
 */
import type { Design } from '../design.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM } from '../states.ts';
import { accepted, noop, notApplicable, otherRules } from './other-rules.ts';
import { dmaSwMsi, iommuMap, iommuUnmap } from './shared-calls.ts';

/** The v6.12 stable kernel. */
export const v612: Design = {
  id: 'v6.12',
  title: 'v6.12: iova_cookie pointer, nothing says who owns the domain',
  ownerMember: 'none',
  ownerValues: { unowned: 0, dma_owned: 0, msi_owned: 0, iommufd_owned: 0, fault_handler_owned: 0, sva_owned: 0 },
  ownerBits: 0,
  msiPrepareLock: true, // [6.12] dma-iommu.c:1815, global
  automaticHwptIsNull: false,
  replaceCarriesMsiPages: false, // [6.12] iommufd/device.c:310 FIXME
  putAfterPut: { outcome: 'use-after-free', rule: 'use-after-free', errno: 'none' },
  calls: {
    // [6.12] iommu.c:1940 __iommu_domain_alloc takes the DMA cookie itself
    iommu_domain_alloc: [
      { in: ['unknown', 'unowned'], if: 'typeIsDma', to: 'dma_owned', do: 'setTypeAndTakeDmaCookie' },
      { in: ['unknown'], to: 'unowned', do: 'setType' },
      { do: 'setType' },
    ],
    // [6.12] dma-iommu.c:391: no type check
    iommu_get_dma_cookie: [
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-dma-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'hasHwpt', outcome: 'undetected', rule: 'get-dma-cookie-on-iommufd', to: 'dma_owned', do: 'takeDmaCookie' },
      { if: 'typeIsNotDma', outcome: 'undetected', rule: 'get-dma-cookie-non-dma-type', to: 'dma_owned', do: 'takeDmaCookie' },
      { to: 'dma_owned', do: 'takeDmaCookie' },
    ],
    // [6.12] dma-iommu.c:416: type first, then the cookie; iommufd calls this too (iommufd/device.c:317)
    iommu_get_msi_cookie: [
      { if: 'noIommuDma', outcome: 'rejected', errno: ENODEV, rule: 'get-msi-cookie-no-iommu-dma' },
      { if: 'typeIsNotUnmanaged', outcome: 'rejected', errno: EINVAL, rule: 'get-msi-cookie-wrong-type' },
      { if: 'hasCookie', outcome: 'rejected', errno: EEXIST, rule: 'get-msi-cookie-existing-cookie' },
      { if: 'outOfMemory', outcome: 'rejected', errno: ENOMEM, rule: 'get-cookie-enomem' },
      { if: 'baseIsUnaligned', outcome: 'undetected', rule: 'msi-cookie-base-unaligned', to: 'msi_owned', do: 'takeMsiCookie' },
      { to: 'msi_owned', do: 'takeMsiCookie' },
    ],
    // [6.12] dma-iommu.c:441: one put for both kinds, NULL is fine, the pointer is cleared
    iommu_put_dma_cookie: [
      { if: 'hasNoCookie', errno: 'none', outcome: 'noop' },
      { in: ['dma_owned', 'msi_owned'], errno: 'none', to: 'unowned', do: 'clearCookie' },
      { errno: 'none', do: 'clearCookie' },
    ],
    iommu_put_msi_cookie: [
      { if: 'hasNoCookie', errno: 'none', outcome: 'noop' },
      { in: ['dma_owned', 'msi_owned'], errno: 'none', to: 'unowned', do: 'clearCookie' },
      { errno: 'none', do: 'clearCookie' },
    ],
    // [6.12] hw_pagetable.c:104, 218: nothing is written that says iommufd
    iommufd_hwpt_paging_alloc: [
      { in: ['unknown'], to: 'unowned', do: 'setHwpt' },
      { do: 'setHwpt' },
    ],
    iommufd_hwpt_nested_alloc: [
      { in: ['unknown', 'unowned'], if: 'typeIsNotNested', outcome: 'rejected-warn', errno: EINVAL, rule: 'nested-wrong-type', to: 'unowned', do: 'setTypeNested' },
      { in: ['unknown'], to: 'unowned', do: 'setTypeNested' },
      { do: 'setTypeNested' },
    ],
    iommufd_viommu_alloc_hwpt_nested: [
      { in: ['unknown'], to: 'unowned', do: 'setTypeNested' },
      { do: 'setTypeNested' },
    ],
    // [6.12] iommu-sva.c:299
    iommu_sva_domain_alloc: [
      { in: ['unknown', 'unowned'], errno: 'none', to: 'sva_owned', do: 'setTypeSva' },
      { in: ['dma_owned', 'msi_owned', 'fault_handler_owned'], errno: 'none', outcome: 'undetected', rule: 'sva-adopts-owned-domain', to: 'sva_owned', do: 'setTypeSva' },
      { errno: 'none', do: 'setTypeSva' },
    ],
    // [6.12] iommu.c:1929: stores, whatever the domain is
    iommu_set_fault_handler: [
      { in: ['sva_owned'], errno: 'none', outcome: 'type-confusion', rule: 'set-fault-handler-on-sva' },
      { in: ['unowned'], errno: 'none', to: 'fault_handler_owned' },
      { errno: 'none' },
    ],
    // [6.12] dma-iommu.c:1810: no cookie means the doorbell passes through
    iommu_dma_prepare_msi: [
      ...dmaSwMsi,
      { outcome: 'noop' },
    ],
    iommu_map: iommuMap('rejected', true, 'msi-prot-mismatch'),
    iommu_unmap: iommuUnmap,
    // [6.12] iommu.c:2052: always iommu_put_dma_cookie, then ops->free if there is one
    iommu_domain_free: [
      { if: 'typeIsStatic', errno: 'none' },
      { if: 'isAttached', errno: 'none', outcome: 'use-after-free', rule: 'free-while-attached', to: 'freed', do: 'beginRelease' },
      { if: 'hasMappings', errno: 'none', outcome: 'undetected', rule: 'free-with-live-mappings', to: 'freed', do: 'beginRelease' },
      { errno: 'none', to: 'freed', do: 'beginRelease' },
    ],
  },
  others: {
    ...otherRules,
    'set-fault-handler-null-domain': { outcome: 'bug' }, // [6.12] iommu.c:1933 BUG_ON(!domain)
    'get-msi-cookie-on-iommufd': accepted, // iommufd itself is the caller; a call by anybody else is not told from it
    'get-msi-cookie-on-fault-handler': accepted,
    'get-dma-cookie-on-fault-handler': accepted,
    'set-fault-handler-on-owned': accepted,
    'set-fault-handler-twice': accepted,
    'put-dma-cookie-unowned': noop, // normal: iommu_domain_free always puts
    'put-cookie-twice': noop,
    'put-on-iommufd-owned': accepted, // its domains have a normal MSI cookie, which is freed
    'msi-prepare-unowned': accepted, // the physical doorbell passes through
    'msi-prepare-identity-rejected': accepted,
    'msi-prepare-before-cookie': accepted,
    // there is one put for both kinds, and nothing that names an owner
    'put-cookie-kind-mismatch': notApplicable,
    'stale-owner-after-put': notApplicable,
    'cookie-leaked-at-free': notApplicable,
    'iommufd-adopts-owned-domain': notApplicable,
    'owner-reserved-value': notApplicable,
    'cookie-type-out-of-range': notApplicable,
    'type-overflow-30-bits': notApplicable,
    'word-shared-rmw': notApplicable,
    'owner-cookie-mismatch': notApplicable,
    // iommufd has no MSI back end of its own
    'msi-prepare-null-hwpt': notApplicable,
    'msi-prepare-no-handle': notApplicable,
    'msi-wrong-backend': notApplicable,
    'msi-iommufd-ids-exhausted': notApplicable,
    'msi-iommufd-enomem-deref': notApplicable,
  },
};
