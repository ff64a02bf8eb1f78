/**
 * The function a probe stands on by the probe's own name, for text that prints raw addresses instead of symbols
 * (trace-cmd report, perf script). Names: the function's own, those of `iommu-ledger probes`, and what tracefs and perf
 * make of a function where nobody names the probe (iommu_map__entry, p_iommu_map_0, iommu_map__return).
 */
import { FN, FUNCTIONS, type FunctionName } from './probe-line.ts';

/** Event names of the definitions that `iommu-ledger probes` prints, without `_ret`. */
const EVENTS: Readonly<Record<string, FunctionName>> = {
  domain_alloc: 'iommu_paging_domain_alloc_flags', domain_alloc_old: 'iommu_domain_alloc', domain_alloc_in: '__iommu_paging_domain_alloc_flags',
  identity_alloc: '__iommu_alloc_identity_domain', default_alloc: 'iommu_group_alloc_default_domain',
  get_dma_cookie: 'iommu_get_dma_cookie', get_msi_cookie: 'iommu_get_msi_cookie',
  put_dma_cookie: 'iommu_put_dma_cookie', put_msi_cookie: 'iommu_put_msi_cookie',
  domain_free: 'iommu_domain_free', set_fault_handler: 'iommu_set_fault_handler',
  attach_dev: '__iommu_attach_device', dev_set_domain: '__iommu_device_set_domain', group_set_domain: '__iommu_group_set_domain_internal',
  attach_group: 'iommu_attach_group', attach_device_api: 'iommu_attach_device', attach_handle: 'iommu_attach_group_handle', replace_handle: 'iommu_replace_group_handle',
  claim_group: 'iommu_group_claim_dma_owner', claim_device: 'iommu_device_claim_dma_owner',
  release_group: 'iommu_group_release_dma_owner', release_device: 'iommu_device_release_dma_owner', release_dev: 'iommu_release_device',
  prepare_msi: 'iommu_dma_prepare_msi', sw_msi: 'iommu_dma_sw_msi', fd_sw_msi: 'iommufd_sw_msi', get_msi_page: 'iommu_dma_get_msi_page',
  dom_map: 'iommu_map', dom_map_nosync: 'iommu_map_nosync', dom_unmap: 'iommu_unmap', map: 'iommu_map', map_nosync: 'iommu_map_nosync', unmap: 'iommu_unmap',
  write_msg: '__pci_write_msi_msg',
  fd_paging_alloc: 'iommufd_hwpt_paging_alloc', fd_nested_alloc: 'iommufd_hwpt_nested_alloc', fd_vnested_alloc: 'iommufd_viommu_alloc_hwpt_nested',
};

/** Returns the number of `FN` of the function that an event of this name stands on, or -1. */
export function functionOfEvent(event: string): number {
  const name = event.replace(/^[pr]_(?=\w+_\d+$)/, '').replace(/_\d+$/, '').replace(/(__entry|__exit|__return|_ret|_entry|_exit)$/, '');
  for (const candidate of [event, name]) {
    const fn = (FUNCTIONS as readonly string[]).indexOf(candidate);
    if (fn >= 0) return fn;
    if (Object.hasOwn(EVENTS, candidate)) return FN[EVENTS[candidate]];
  }
  return -1;
}
