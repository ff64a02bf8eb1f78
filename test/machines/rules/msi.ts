/**
 * The MSI path: who may prepare, when it fails, what descriptor and device hold.
 * Source: [6.12] dma-iommu.c:1765, 1810; [288683]; [7.3] iommu.c:4237, dma-iommu.c:2212, 2263, iommufd/driver.c:188-300, iommufd/device.c:436;
 * 3/4 of the series: iommu_dma_prepare_msi dispatches by the tag, and -EOPNOTSUPP is all it has for IDENTITY.
 */
import { machine, audit, nobody, D, D2, DEV, unmanaged, identity, blocked, getMsi, hwpt, autoHwpt, nested, fault, sva, attach, prepare, dmaMap, fdMap, claim, type DesignId, type Json, type Row } from './row.ts';

const prepared: Json = { ...prepare, device: DEV, msi_index: 0, iova: '0x8000000', iommu_msi_shift: 12 };
const write: Json = { type: 'pci_write_msi_msg', device: DEV, msi_index: 0, address: '0x8000040' };
/** The n-th doorbell page of an iommufd. */
const doorbell = (n: number): Json => ({ ...fdMap, pid: 842, iova: `0x${(0x8000000 + n * 0x1000).toString(16)}`, paddr: `0x${(0x8090000 + n * 0x10000).toString(16)}` });
/** How iommufd's domain gets its page: v6.12 borrows an MSI cookie for it. */
const pages = (design: DesignId, domain: string): readonly Json[] =>
  (design === 'v6.12' ? [hwpt, { ...getMsi, caller: 'iommufd_group_setup_msi' }, dmaMap] : [hwpt, fdMap]).map((e) => ({ ...e, domain }));

/** Rows about MSIs. */
export const MSI: readonly Row[] = [
  machine('msi-prepare-unowned', { way: 'UNMANAGED, no owner' }, [unmanaged, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  machine('msi-prepare-unowned', { way: 'a fault handler' }, [unmanaged, fault, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  machine('msi-prepare-unowned', { way: 'SVA' }, [sva, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  machine('msi-prepare-unowned', { way: 'BLOCKED' }, [blocked, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  machine('msi-prepare-identity-rejected', {}, [identity, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               accepted
  v7.3                      accepted`),
  machine('msi-prepare-null-hwpt', {}, [unmanaged, autoHwpt, prepare], `
  v6.12                     not-applicable
  sw-msi                    null-deref
  private-data-owner        null-deref
  private-data-owner-guard  null-deref
  private-data-owner-v2     null-deref
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  audit('msi-prepare-before-cookie', { answeredAt: 1 }, [unmanaged, prepare, getMsi], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  machine('msi-nested-untranslated', {}, [nested, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  machine('msi-map-failed', { way: 'dma-iommu folds the errno of the map' }, [unmanaged, getMsi, { ...dmaMap, errno: -17 }, prepare], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('msi-map-failed', { way: 'no memory before any map', ownOnly: true }, [unmanaged, getMsi, { ...prepare, errno: -12 }], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('msi-map-failed', { way: 'the next IOVA is mapped' }, [unmanaged, getMsi, { ...fdMap, caller: 'iommu_dma_get_msi_page', prot: 0x1a }, { ...dmaMap, paddr: '0x8080000', errno: -17 }, { ...prepare, msi_addr: '0x8080040' }], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('msi-map-failed', { way: 'iommufd passes the errno of the map on' }, [unmanaged, hwpt, { ...fdMap, errno: -17 }, { ...prepare, errno: -17 }], `
  sw-msi                    rejected
  private-data-owner        rejected
  private-data-owner-guard  rejected
  private-data-owner-v2     rejected
  cookie-type               rejected
  v7.3                      rejected`),
  machine('msi-cookie-base-zero', {}, [unmanaged, { ...getMsi, base: '0x0' }, prepare], `
  v6.12                     rejected       -ENOMEM
  sw-msi                    rejected       -ENOMEM
  private-data-owner        rejected       -ENOMEM
  private-data-owner-guard  rejected       -ENOMEM
  private-data-owner-v2     rejected       -ENOMEM
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  machine('msi-cookie-base-zero', { way: 'only the first attempt fails' }, [unmanaged, { ...getMsi, base: '0x0' }, { ...prepare, errno: -12 }, prepare], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  audit('msi-desc-shift-mismatch', { way: 'dma-iommu', ownOnly: true }, [unmanaged, getMsi, dmaMap, { ...prepare, iova: '0x8000000', iommu_msi_shift: 16 }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('msi-desc-shift-mismatch', { way: 'iommufd', ownOnly: true }, [unmanaged, hwpt, fdMap, { ...prepare, iova: '0x8000000', iommu_msi_shift: 16 }], `
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('msi-compose-mismatch', { way: 'told as msi-address-mismatch', ownOnly: true }, [unmanaged, { ...attach, device: DEV }, getMsi, dmaMap, prepared, { ...write, address: '0x8000080' }], `
  v6.12                     undetected     by msi-address-mismatch
  sw-msi                    undetected     by msi-address-mismatch
  private-data-owner        undetected     by msi-address-mismatch
  private-data-owner-guard  undetected     by msi-address-mismatch
  private-data-owner-v2     undetected     by msi-address-mismatch
  cookie-type               undetected     by msi-address-mismatch
  v7.3                      undetected     by msi-address-mismatch`),
  machine('msi-iommufd-ids-exhausted', { way: 'as the kernel answers', ownOnly: true }, [unmanaged, hwpt, { ...prepare, errno: -75 }], `
  sw-msi                    rejected       -EOVERFLOW
  private-data-owner        rejected       -EOVERFLOW
  private-data-owner-guard  rejected       -EOVERFLOW
  private-data-owner-v2     rejected       -EOVERFLOW
  cookie-type               rejected       -EOVERFLOW
  v7.3                      rejected       -EOVERFLOW`),
  audit('msi-iommufd-ids-exhausted', { way: 'the 65th doorbell is mapped all the same', ownOnly: true, wentOn: true }, [claim, unmanaged, hwpt, attach, ...Array.from({ length: 65 }, (_, n) => doorbell(n))], `
  sw-msi                    rejected       -EOVERFLOW
  private-data-owner        rejected       -EOVERFLOW
  private-data-owner-guard  rejected       -EOVERFLOW
  private-data-owner-v2     rejected       -EOVERFLOW
  cookie-type               rejected       -EOVERFLOW
  v7.3                      rejected       -EOVERFLOW`),
  audit('msi-iommufd-required-missing', { way: 'told as msi-address-stale', ownOnly: true, known: ['v6.12'] }, (design) => [claim, unmanaged, ...pages(design, D), { ...attach, device: DEV }, prepared, write, { ...unmanaged, domain: D2 }, ...pages(design, D2).slice(0, -1), { ...attach, domain: D2 }], `
  v6.12                     undetected     by msi-address-stale
  sw-msi                    undetected     by msi-address-stale
  private-data-owner        undetected     by msi-address-stale
  private-data-owner-guard  undetected     by msi-address-stale
  private-data-owner-v2     undetected     by msi-address-stale
  cookie-type               undetected     by msi-address-stale
  v7.3                      undetected     by msi-address-stale`),
  machine('msi-iommufd-enomem-deref', { ownOnly: true }, [unmanaged, hwpt, { ...prepare, errno: -12 }], `
  sw-msi                    null-deref
  private-data-owner        null-deref
  private-data-owner-guard  null-deref
  private-data-owner-v2     null-deref
  cookie-type               rejected       -ENOMEM
  v7.3                      rejected       -ENOMEM`),
  nobody('msi-prepare-no-handle', `
  v6.12                     not-applicable
  sw-msi                    noop
  private-data-owner        noop
  private-data-owner-guard  noop
  private-data-owner-v2     noop
  cookie-type               noop
  v7.3                      noop`),
  nobody('msi-hw-and-sw-window', `
  v6.12                     rejected-warn  -EINVAL
  sw-msi                    rejected-warn  -EINVAL
  private-data-owner        rejected-warn  -EINVAL
  private-data-owner-guard  rejected-warn  -EINVAL
  private-data-owner-v2     rejected-warn  -EINVAL
  cookie-type               rejected-warn  -EINVAL
  v7.3                      rejected-warn  -EINVAL`),
  nobody('msi-iommufd-ids-exhausted', `
  v6.12                     not-applicable`),
  nobody('msi-iommufd-enomem-deref', `
  v6.12                     not-applicable`),
];
