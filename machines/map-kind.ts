/**
 * Tells the MSI back ends' mappings from user mappings: by the function that called iommu_map where the recording has it,
 * else by the protection bits and the window. Source: KERNEL.md 7.3, 7.4; IOMMU_MMIO is set by both back ends.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { MAP } from './domain-context.ts';
import { MSI_IOVA_BASE, MSI_IOVA_LENGTH, PROT_DMA_MSI, PROT_IOMMUFD_MSI } from './states.ts';

/** A caller that is known by its address only. */
const RAW = /^0x[0-9a-f]{1,16}$/;

/** Returns the `MAP` kind of the iommu_map in row `i`; `caller` is '' where it is not known. */
export function mapKind(caller: string, b: EventBatch, i: number): number {
  switch (caller) {
    case 'iommu_dma_get_msi_page':
    case 'iommu_dma_sw_msi':
    case 'iommu_dma_prepare_msi':
      return MAP.dma;
    case 'iommufd_sw_msi_install':
    case 'iommufd_sw_msi':
      return MAP.iommufd;
    case '':
      break;
    default:
      // Text of trace-cmd and perf has addresses instead of symbols, bpftrace nothing.
      if (caller === '?' || RAW.test(caller)) break;
      // VFIO type1 unmaps with iommu_unmap_fast, of which no event carries the domain.
      return caller.startsWith('vfio_') ? MAP.uncounted : MAP.user;
  }
  if (b.present[i] & HAS.x) {
    if (b.x[i] === PROT_DMA_MSI) return MAP.dma;
    const inWindow = b.aHi[i] === 0 && b.aLo[i] >= MSI_IOVA_BASE && b.aLo[i] < MSI_IOVA_BASE + MSI_IOVA_LENGTH;
    if (b.x[i] === PROT_IOMMUFD_MSI && inWindow) return MAP.iommufd;
  }
  return b.present[i] & HAS.caller ? MAP.uncounted : MAP.user;
}
