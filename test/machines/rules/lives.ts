/**
 * Fault handlers, the release of cookies, and the end of a domain.
 * Source: [6.12] iommu.c:1929, 2052, dma-iommu.c:441; [7.3] iommu.c:2057, 2127, dma-iommu.c:424, 442; 3/4 of the series: iommu_put_dma_cookie
 * returns where the tag is not DMA.
 */
import { machine, nobody, audit, unmanaged, dma, identity, blocked, getDma, getMsi, putDma, putMsi, hwpt, autoHwpt, fault, sva, free, attach, prepare, dmaMap, userMap, unmap, shows, msiOwned, type Row } from './row.ts';

/** Rows about fault handlers, puts and frees. */
export const LIVES: readonly Row[] = [
  audit('set-fault-handler-null-domain', {}, [{ ...fault, domain: '0x0' }], `
  v6.12                     bug
  sw-msi                    bug
  private-data-owner        bug
  private-data-owner-guard  bug
  private-data-owner-v2     bug
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('set-fault-handler-on-owned', { way: 'an MSI cookie', obeyed: { before: { type: 1, cookie_type: 2 }, after: { type: 1, cookie_type: 3 } } }, [unmanaged, getMsi, fault], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('set-fault-handler-on-owned', { way: 'a DMA cookie', obeyed: { before: { type: 3, cookie_type: 1 }, after: { type: 3, cookie_type: 3 } } }, [dma, getDma, fault], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('set-fault-handler-on-owned', { way: 'iommufd', obeyed: { before: { type: 1, cookie_type: 5 }, after: { type: 1, cookie_type: 3 } } }, [unmanaged, hwpt, fault], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('set-fault-handler-on-sva', {}, [sva, fault], `
  v6.12                     type-confusion
  sw-msi                    type-confusion
  private-data-owner        type-confusion
  private-data-owner-guard  type-confusion
  private-data-owner-v2     type-confusion
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('set-fault-handler-twice', {}, [unmanaged, fault, fault], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('put-dma-cookie-unowned', { way: 'no owner' }, [unmanaged, putDma], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-dma-cookie-unowned', { way: 'no owner, MSI put' }, [unmanaged, putMsi], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-dma-cookie-unowned', { way: 'iommufd' }, [unmanaged, hwpt, putDma], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-dma-cookie-unowned', { way: 'a fault handler' }, [unmanaged, fault, putDma], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-dma-cookie-unowned', { way: 'SVA' }, [sva, putDma], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-cookie-kind-mismatch', { way: 'DMA put of an MSI cookie' }, [unmanaged, getMsi, putDma], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        not-applicable
  private-data-owner-guard  not-applicable
  private-data-owner-v2     not-applicable
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-cookie-kind-mismatch', { way: 'MSI put of a DMA cookie' }, [dma, getDma, putMsi], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        not-applicable
  private-data-owner-guard  not-applicable
  private-data-owner-v2     not-applicable
  cookie-type               type-confusion
  v7.3                      type-confusion`),
  machine('put-cookie-twice', { way: 'MSI' }, [unmanaged, getMsi, putMsi, putMsi], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               double-free
  v7.3                      double-free`),
  machine('put-cookie-twice', { way: 'DMA' }, [dma, getDma, putDma, putDma], `
  v6.12                     noop
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               double-free
  v7.3                      double-free`),
  machine('put-cookie-twice', { way: 'after the put of iommu_domain_free' }, [unmanaged, getMsi, free, putMsi, putMsi], `
  v6.12                     use-after-free by use-after-free
  sw-msi                    use-after-free by use-after-free
  private-data-owner        use-after-free by use-after-free
  private-data-owner-guard  use-after-free by use-after-free
  private-data-owner-v2     use-after-free by use-after-free
  cookie-type               double-free
  v7.3                      double-free`),
  machine('put-on-iommufd-owned', {}, [unmanaged, getMsi, hwpt, putDma], `
  v6.12                     accepted
  sw-msi                    leak
  private-data-owner        leak
  private-data-owner-guard  leak
  private-data-owner-v2     not-applicable
  cookie-type               type-confusion by put-dma-cookie-unowned
  v7.3                      type-confusion by put-dma-cookie-unowned`),
  machine('stale-owner-after-put', {}, (design) => [unmanaged, getMsi, putMsi, shows(msiOwned(design, 0x01, true))], `
  v6.12                     not-applicable
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('domain-double-free', {}, [unmanaged, free, free], `
  v6.12                     double-free
  sw-msi                    double-free
  private-data-owner        double-free
  private-data-owner-guard  double-free
  private-data-owner-v2     double-free
  cookie-type               double-free
  v7.3                      double-free`),
  machine('use-after-free', { way: 'iommu_map' }, [unmanaged, free, userMap], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('use-after-free', { way: 'iommu_get_msi_cookie' }, [unmanaged, free, getMsi], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('use-after-free', { way: 'iommu_dma_prepare_msi' }, [unmanaged, getMsi, free, prepare], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('use-after-free', { way: 'attach' }, [unmanaged, free, attach], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('use-after-free', { way: 'iommu_set_fault_handler' }, [unmanaged, free, fault], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('static-domain-free', { way: 'IDENTITY' }, [identity, free], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('static-domain-free', { way: 'BLOCKED stays usable' }, [blocked, free, attach], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('free-while-attached', {}, [unmanaged, attach, free], `
  v6.12                     use-after-free
  sw-msi                    use-after-free
  private-data-owner        use-after-free
  private-data-owner-guard  use-after-free
  private-data-owner-v2     use-after-free
  cookie-type               use-after-free
  v7.3                      use-after-free`),
  machine('free-with-live-mappings', {}, [unmanaged, userMap, free], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  machine('free-with-live-mappings', { way: 'unmapped before' }, [unmanaged, userMap, unmap('0x100000000'), free], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('free-with-live-mappings', { way: 'MSI pages are never unmapped' }, [unmanaged, getMsi, dmaMap, free], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('cookie-leaked-at-free', { way: 'iommufd stored its mark over the cookie' }, [unmanaged, getMsi, hwpt, free], `
  v6.12                     not-applicable
  sw-msi                    leak
  private-data-owner        leak
  private-data-owner-guard  leak
  private-data-owner-v2     leak
  cookie-type               leak
  v7.3                      leak`),
  machine('cookie-leaked-at-free', { way: 'SVA did: put looks at sw_msi or the tag, which SVA leaves alone until cookie_type' }, [unmanaged, getMsi, sva, free], `
  v6.12                     not-applicable
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               leak
  v7.3                      leak`),
  machine('cookie-leaked-at-free', { way: 'a stolen domain: the thief is named, and its cookie is put' }, [unmanaged, autoHwpt, getMsi, free], `
  v6.12                     not-applicable
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('unknown-domain', {}, [userMap], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('unknown-domain', { way: 'a cookie is taken in mid-life' }, [getMsi], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  nobody('put-on-iommufd-owned', `
  cookie-type               not-applicable
  v7.3                      not-applicable`),
];
