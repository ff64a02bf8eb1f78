/**
 * Groups, claims and iommufd's objects: alike in every design but for resets and the errno of a wrong nested type.
 * Source: [6.12] iommu.c:2180, 2950, 3214; [7.3] iommu.c:2355, 2457, 3148, 3423; hw_pagetable.c:117, 238, 345.
 */
import { machine, audit, nobody, D2, DEV, unmanaged, dma, identity, blocked, getDma, attach, claim, release, nested, type Row } from './row.ts';

/** Rows about groups, claims and allocations of iommufd. */
export const GROUPS: readonly Row[] = [
  audit('attach-group-busy', {}, [unmanaged, attach, { ...unmanaged, domain: D2 }, { ...attach, domain: D2, errno: -16 }], `
  v6.12                     rejected       -EBUSY
  sw-msi                    rejected       -EBUSY
  private-data-owner        rejected       -EBUSY
  private-data-owner-guard  rejected       -EBUSY
  private-data-owner-v2     rejected       -EBUSY
  cookie-type               rejected       -EBUSY
  v7.3                      rejected       -EBUSY`),
  audit('attach-foreign-ops', {}, [unmanaged, { ...attach, errno: -22 }], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  audit('attach-device-multi-group', {}, [unmanaged, { ...attach, device: DEV }, { ...attach, device: '0000:00:04.0' }, { ...unmanaged, domain: D2 }, { ...attach, domain: D2, group: undefined, device: DEV, errno: -22 }], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  audit('attach-require-direct-blocked', { way: 'the attach' }, [blocked, { ...attach, errno: -22 }], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  audit('attach-require-direct-blocked', { way: 'the claim that attaches it' }, [{ ...claim, errno: -22 }], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  audit('attach-during-reset', { way: 'the group is claimed and blocked' }, [blocked, claim, attach, { ...unmanaged, domain: D2 }, { ...attach, domain: D2, errno: -16 }], `
  v6.12                     rejected       -EBUSY by attach-group-busy
  sw-msi                    rejected       -EBUSY by attach-group-busy
  private-data-owner        rejected       -EBUSY by attach-group-busy
  private-data-owner-guard  rejected       -EBUSY by attach-group-busy
  private-data-owner-v2     rejected       -EBUSY by attach-group-busy
  cookie-type               rejected       -EBUSY by attach-group-busy
  v7.3                      rejected       -EBUSY`),
  audit('attach-during-reset', { way: 'the group is on its identity domain' }, [identity, attach, { ...unmanaged, domain: D2 }, { ...attach, domain: D2, errno: -16 }], `
  v6.12                     rejected       -EBUSY by attach-group-busy
  sw-msi                    rejected       -EBUSY by attach-group-busy
  private-data-owner        rejected       -EBUSY by attach-group-busy
  private-data-owner-guard  rejected       -EBUSY by attach-group-busy
  private-data-owner-v2     rejected       -EBUSY by attach-group-busy
  cookie-type               rejected       -EBUSY by attach-group-busy
  v7.3                      rejected       -EBUSY`),
  audit('attach-during-reset', { way: 'the group is on its DMA domain' }, [dma, getDma, attach, { ...unmanaged, domain: D2 }, { ...attach, domain: D2, errno: -16 }], `
  v6.12                     rejected       -EBUSY by attach-group-busy
  sw-msi                    rejected       -EBUSY by attach-group-busy
  private-data-owner        rejected       -EBUSY by attach-group-busy
  private-data-owner-guard  rejected       -EBUSY by attach-group-busy
  private-data-owner-v2     rejected       -EBUSY by attach-group-busy
  cookie-type               rejected       -EBUSY by attach-group-busy
  v7.3                      rejected       -EBUSY`),
  audit('claim-dma-owner-taken', {}, [claim, claim], `
  v6.12                     rejected       -EPERM
  sw-msi                    rejected       -EPERM
  private-data-owner        rejected       -EPERM
  private-data-owner-guard  rejected       -EPERM
  private-data-owner-v2     rejected       -EPERM
  cookie-type               rejected       -EPERM
  v7.3                      rejected       -EPERM`),
  audit('claim-dma-owner-taken', { way: 'the same owner again, by device, only counts up' }, [blocked, { ...attach, device: DEV }, claim, { ...claim, group: undefined, device: DEV }], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  audit('claim-dma-owner-not-default', {}, [{ ...claim, errno: -16 }], `
  v6.12                     rejected       -EBUSY
  sw-msi                    rejected       -EBUSY
  private-data-owner        rejected       -EBUSY
  private-data-owner-guard  rejected       -EBUSY
  private-data-owner-v2     rejected       -EBUSY
  cookie-type               rejected       -EBUSY
  v7.3                      rejected       -EBUSY`),
  audit('claim-dma-owner-null', {}, [{ ...claim, owner: '0x0' }], `
  v6.12                     rejected-warn  -EINVAL
  sw-msi                    rejected-warn  -EINVAL
  private-data-owner        rejected-warn  -EINVAL
  private-data-owner-guard  rejected-warn  -EINVAL
  private-data-owner-v2     rejected-warn  -EINVAL
  cookie-type               rejected-warn  -EINVAL
  v7.3                      rejected-warn  -EINVAL`),
  audit('release-dma-owner-unowned', { alike: true }, [claim, release, release], `
  v6.12                     ignored-warn
  sw-msi                    ignored-warn
  private-data-owner        ignored-warn
  private-data-owner-guard  ignored-warn
  private-data-owner-v2     ignored-warn
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  machine('nested-wrong-type', { way: 'iommufd_hwpt_nested_alloc' }, [{ ...nested, after: { type: 0x01 } }], `
  v6.12                     rejected-warn  -EINVAL
  sw-msi                    rejected-warn  -EINVAL
  private-data-owner        rejected-warn  -EINVAL
  private-data-owner-guard  rejected-warn  -EINVAL
  private-data-owner-v2     rejected-warn  -EINVAL
  cookie-type               rejected-warn  -EINVAL
  v7.3                      rejected-warn  -EOPNOTSUPP`),
  machine('nested-wrong-type', { way: 'iommufd_viommu_alloc_hwpt_nested, which v6.12 lacks' }, [{ ...nested, type: 'iommufd_viommu_alloc_hwpt_nested', after: { type: 0x01 } }], `
  sw-msi                    rejected-warn  -EINVAL
  private-data-owner        rejected-warn  -EINVAL
  private-data-owner-guard  rejected-warn  -EINVAL
  private-data-owner-v2     rejected-warn  -EINVAL
  cookie-type               rejected-warn  -EINVAL
  v7.3                      rejected-warn  -EOPNOTSUPP`),
  audit('nested-parent-invalid', {}, [{ type: 'iommufd_hwpt_nested_alloc', domain: null, errno: -22 }], `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  audit('hwpt-alloc-unsupported', { way: 'paging' }, [{ type: 'iommufd_hwpt_paging_alloc', domain: null, errno: -95 }], `
  v6.12                     rejected       -EOPNOTSUPP
  sw-msi                    rejected       -EOPNOTSUPP
  private-data-owner        rejected       -EOPNOTSUPP
  private-data-owner-guard  rejected       -EOPNOTSUPP
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  audit('hwpt-alloc-unsupported', { way: 'nested' }, [{ type: 'iommufd_hwpt_nested_alloc', domain: null, errno: -95 }], `
  v6.12                     rejected       -EOPNOTSUPP
  sw-msi                    rejected       -EOPNOTSUPP
  private-data-owner        rejected       -EOPNOTSUPP
  private-data-owner-guard  rejected       -EOPNOTSUPP
  private-data-owner-v2     rejected       -EOPNOTSUPP
  cookie-type               rejected       -EOPNOTSUPP
  v7.3                      rejected       -EOPNOTSUPP`),
  nobody('detach-device-mismatch', `
  v6.12                     ignored-warn
  sw-msi                    ignored-warn
  private-data-owner        ignored-warn
  private-data-owner-guard  ignored-warn
  private-data-owner-v2     ignored-warn
  cookie-type               ignored-warn
  v7.3                      ignored-warn`),
  nobody('detach-group-ignores-domain', `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  nobody('attach-pasid-invalid', `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  nobody('use-default-domain-busy', `
  v6.12                     rejected       -EBUSY
  sw-msi                    rejected       -EBUSY
  private-data-owner        rejected       -EBUSY
  private-data-owner-guard  rejected       -EBUSY
  private-data-owner-v2     rejected       -EBUSY
  cookie-type               rejected       -EBUSY
  v7.3                      rejected       -EBUSY`),
  nobody('default-domain-change-bound', `
  v6.12                     rejected       -EPERM
  sw-msi                    rejected       -EPERM
  private-data-owner        rejected       -EPERM
  private-data-owner-guard  rejected       -EPERM
  private-data-owner-v2     rejected       -EPERM
  cookie-type               rejected       -EPERM
  v7.3                      rejected       -EPERM`),
  nobody('hwpt-attach-other', `
  v6.12                     rejected       -EINVAL
  sw-msi                    rejected       -EINVAL
  private-data-owner        rejected       -EINVAL
  private-data-owner-guard  rejected       -EINVAL
  private-data-owner-v2     rejected       -EINVAL
  cookie-type               rejected       -EINVAL
  v7.3                      rejected       -EINVAL`),
  nobody('attach-during-reset', `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        not-applicable
  private-data-owner-guard  not-applicable
  private-data-owner-v2     not-applicable
  cookie-type               not-applicable`),
];
