/**
 * Who may take a cookie, and who takes over a domain that has an owner.
 * Source: [6.12] dma-iommu.c:391, 416; [7.3] dma-iommu.c:369, 398; hw_pagetable.c:176; iommu-sva.c:323; the series of 2025-02-28, 1/4 to 4/4.
 * private-data-owner-v2: 4/4 puts iova_cookie and iommufd_hwpt into one union, so that the test of iova_cookie refuses a foreign
 * cookie by accident, and not where iommufd_hwpt is still NULL.
 */
import { machine, unmanaged, dma, identity, getDma, getMsi, putDma, putMsi, hwpt, autoHwpt, nested, fault, sva, type Row } from './row.ts';

/** Rows about taking cookies and adopting domains. */
export const COOKIES: readonly Row[] = [
  machine('get-msi-cookie-existing-cookie', { way: 'an MSI cookie' }, [unmanaged, getMsi, getMsi], `
  v6.12                     rejected       -EEXIST
  sw-msi                    rejected       -EEXIST
  private-data-owner        rejected       -EEXIST
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-existing-cookie', { way: 'a DMA cookie' }, [unmanaged, getDma, getMsi], `
  v6.12                     rejected       -EEXIST
  sw-msi                    rejected       -EEXIST
  private-data-owner        rejected       -EEXIST
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-existing-cookie', { way: 'after the put: the tag stays, and only some look at it' }, [unmanaged, getMsi, putMsi, getMsi], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     accepted
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-on-iommufd', {}, [unmanaged, hwpt, getMsi], `
  v6.12                     accepted
  sw-msi                    overwrites
  private-data-owner        overwrites
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-on-iommufd', { way: 'iommufd_hwpt is NULL, so the union of v2 holds nothing' }, [unmanaged, autoHwpt, getMsi], `
  v6.12                     accepted
  sw-msi                    overwrites
  private-data-owner        overwrites
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     overwrites
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-on-fault-handler', {}, [unmanaged, fault, getMsi], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-msi-cookie-wrong-type', { way: 'DMA' }, [dma, getMsi], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  machine('get-msi-cookie-wrong-type', { way: 'DMA with a cookie: the type is looked at first' }, [dma, getDma, getMsi], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  machine('get-msi-cookie-wrong-type', { way: 'NESTED of iommufd: likewise' }, [nested, getMsi], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  machine('get-msi-cookie-wrong-type', { way: 'IDENTITY' }, [identity, getMsi], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  machine('get-dma-cookie-existing-cookie', { way: 'a DMA cookie' }, [dma, getDma, getDma], `
  v6.12                     rejected       -EEXIST
  sw-msi                    rejected       -EEXIST
  private-data-owner        rejected       -EEXIST
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-dma-cookie-existing-cookie', { way: 'an MSI cookie' }, [unmanaged, getMsi, getDma], `
  v6.12                     rejected       -EEXIST
  sw-msi                    rejected       -EEXIST
  private-data-owner        rejected       -EEXIST
  private-data-owner-guard  rejected       -EEXIST
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-dma-cookie-on-iommufd', {}, [unmanaged, hwpt, getDma], `
  v6.12                     undetected
  sw-msi                    overwrites
  private-data-owner        overwrites
  private-data-owner-guard  overwrites
  private-data-owner-v2     rejected       -EEXIST
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-dma-cookie-on-iommufd', { way: 'iommufd_hwpt is NULL' }, [unmanaged, autoHwpt, getDma], `
  v6.12                     undetected
  sw-msi                    overwrites
  private-data-owner        overwrites
  private-data-owner-guard  overwrites
  private-data-owner-v2     overwrites
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-dma-cookie-non-dma-type', { way: 'UNMANAGED' }, [unmanaged, getDma], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('get-dma-cookie-non-dma-type', { way: 'IDENTITY' }, [identity, getDma], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('get-dma-cookie-on-fault-handler', { way: 'the cookie that v6.12 takes at the allocation is put first' }, [dma, putDma, fault, getDma], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               rejected       -EEXIST
  v7.3                      rejected       -EEXIST`),
  machine('get-cookie-enomem', { way: 'MSI' }, [unmanaged, { ...getMsi, errno: -12 }], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('get-cookie-enomem', { way: 'DMA' }, [dma, putDma, { ...getDma, errno: -12 }], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('get-msi-cookie-no-iommu-dma', {}, [unmanaged, { ...getMsi, errno: -19 }], `
  v6.12                     rejected       -ENODEV
  sw-msi                    rejected       -ENODEV
  private-data-owner        rejected       -ENODEV
  private-data-owner-guard  rejected       -ENODEV
  private-data-owner-v2     rejected       -ENODEV
  cookie-type               rejected       -ENODEV
  v7.3                      rejected       -ENODEV`),
  machine('msi-cookie-base-unaligned', {}, [unmanaged, { ...getMsi, base: '0x8000800' }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('iommufd-adopts-owned-domain', { way: 'an MSI cookie' }, [unmanaged, getMsi, hwpt], `
  v6.12                     not-applicable
  sw-msi                    leak
  private-data-owner        leak
  private-data-owner-guard  leak
  private-data-owner-v2     overwrites
  cookie-type               overwrites
  v7.3                      overwrites`),
  machine('iommufd-adopts-owned-domain', { way: 'a DMA cookie' }, [unmanaged, getDma, hwpt], `
  v6.12                     not-applicable
  sw-msi                    leak
  private-data-owner        leak
  private-data-owner-guard  leak
  private-data-owner-v2     overwrites
  cookie-type               overwrites
  v7.3                      overwrites`),
  machine('iommufd-adopts-owned-domain', { way: 'a fault handler, which has a field of its own until the one union' }, [unmanaged, fault, hwpt], `
  v6.12                     not-applicable
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               overwrites
  v7.3                      overwrites`),
  machine('sva-adopts-owned-domain', { way: 'an MSI cookie' }, [unmanaged, getMsi, sva], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               overwrites
  v7.3                      overwrites`),
  machine('sva-adopts-owned-domain', { way: 'a fault handler, in one union with mm everywhere' }, [unmanaged, fault, sva], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               overwrites
  v7.3                      overwrites`),
  machine('sva-adopts-owned-domain', { way: 'iommufd' }, [unmanaged, hwpt, sva], `
  v6.12                     accepted
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               overwrites
  v7.3                      overwrites`),
];
