/**
 * Pages: what a domain without a page table answers, and the MSI pages that the two back ends map.
 * Source: [6.12] dma-iommu.c:1765, iommu.c:2457; [7.3] dma-iommu.c:2212, iommufd/driver.c:188-237, iommu.c:2686; the window: arm-smmu-v3.h:661.
 */
import { machine, nobody, unmanaged, dma, identity, getDma, getMsi, hwpt, nested, dmaMap, fdMap, userMap, unmap, type Row } from './row.ts';

/** Rows about pages. */
export const PAGES: readonly Row[] = [
  machine('map-non-paging', { way: 'IDENTITY' }, [identity, userMap], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected-warn  -EINVAL`),
  machine('map-non-paging', { way: 'NESTED' }, [nested, userMap], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected-warn  -EINVAL`),
  machine('msi-iova-outside-window', { way: 'above it, dma-iommu' }, [unmanaged, getMsi, { ...dmaMap, iova: '0x8100000' }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-iova-outside-window', { way: 'below it, dma-iommu' }, [unmanaged, getMsi, { ...dmaMap, iova: '0x7fff000' }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-iova-outside-window', { way: 'iommufd, which v6.12 has no back end for' }, [unmanaged, hwpt, { ...fdMap, iova: '0x8100000' }], `
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-iova-outside-window', { way: 'a DMA domain has no window' }, [dma, getDma, { ...dmaMap, iova: '0xfffff000' }], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('msi-duplicate-doorbell', { evenSo: ['v6.12', 'v7.3'] }, [unmanaged, getMsi, dmaMap, { ...dmaMap, iova: '0x8001000' }], `
  v6.12                     not-applicable
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      not-applicable`),
  machine('msi-iova-reused', { way: 'the driver lets it through' }, [unmanaged, getMsi, dmaMap, { ...dmaMap, paddr: '0x8080000', errno: 0 }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-phys-not-masked', { way: 'dma-iommu' }, [unmanaged, getMsi, { ...dmaMap, paddr: '0x8090040' }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-phys-not-masked', { way: 'iommufd' }, [unmanaged, hwpt, { ...fdMap, paddr: '0x8090040' }], `
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-prot-mismatch', { way: 'dma-iommu', ownOnly: true }, [unmanaged, getMsi, { ...dmaMap, prot: 0x13 }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-prot-mismatch', { way: 'iommufd', ownOnly: true }, [unmanaged, hwpt, { ...fdMap, prot: 0x1a }], `
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-iova-58-bit', {}, [dma, getDma, { ...dmaMap, iova: '0x400000000000000' }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-wrong-backend', { way: 'dma-iommu on a domain of iommufd', ownOnly: true }, [unmanaged, hwpt, dmaMap], `
  v6.12                     not-applicable
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected     by msi-prot-mismatch
  cookie-type               undetected     by msi-prot-mismatch
  v7.3                      undetected     by msi-prot-mismatch`),
  machine('msi-wrong-backend', { way: 'iommufd on a domain with an MSI cookie', ownOnly: true }, [unmanaged, getMsi, fdMap], `
  v6.12                     undetected     by msi-prot-mismatch
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected     by msi-prot-mismatch
  cookie-type               undetected     by msi-prot-mismatch
  v7.3                      undetected     by msi-prot-mismatch`),
  machine('msi-page-unmapped', { way: 'dma-iommu' }, [unmanaged, getMsi, dmaMap, unmap('0x8000000')], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('msi-page-unmapped', { way: 'iommufd' }, [unmanaged, hwpt, fdMap, unmap('0x8000000')], `
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  nobody('msi-wrong-backend', `
  private-data-owner-v2     not-applicable
  cookie-type               not-applicable
  v7.3                      not-applicable`),
];
