/**
 * iommufd's list of doorbell pages per file descriptor: the same doorbell has the same IOVA in every domain of the fd,
 * a new one gets the next page of the window, and there are 64 ids in the life of the fd.
 * Source: [7.3] drivers/iommu/iommufd/driver.c iommufd_sw_msi_get_map:188; KERNEL.md 7.4. An fd is known by its
 * iommufd_ctx pointer, which is the DMA owner of its groups.
 */
import { IOMMUFD_SW_MSI_IDS, MSI_IOVA_BASE, PAGE_SIZE } from '../machines/states.ts';
import type { OwnerKey } from './attachments.ts';

interface SwMsiMap {
  readonly physLo: number;
  readonly physHi: number;
  readonly iova: number;
}

/** Predictions that are no IOVA. */
export const EXHAUSTED = -1;
export const UNSURE = -2;

/** File descriptors remembered at most; the oldest is forgotten first. */
const FD_LIMIT = 4096;

/** Doorbell pages as plain data. */
export interface IommufdMapsSnapshot {
  readonly fds: readonly (readonly [OwnerKey, readonly SwMsiMap[]])[];
  readonly unsure: readonly OwnerKey[];
}

/** Doorbell pages of every iommufd file descriptor. */
export class IommufdMaps {
  private readonly fds = new Map<OwnerKey, SwMsiMap[]>();
  /** Owners that gave up all their groups: the fd may be closed and its pointer another fd's, or it may go on. */
  private readonly unsure = new Set<OwnerKey>();

  /**
   * IOVA that iommufd_sw_msi_get_map gives a doorbell page of this fd; EXHAUSTED where all ids are used up, UNSURE where
   * nobody can tell.
   * Units: bytes; the window lies below 4 GiB, so a number is exact.
   */
  predict(fd: OwnerKey, physLo: number, physHi: number): number {
    const maps = this.fds.get(fd);
    const known = maps?.find((m) => m.physLo === physLo && m.physHi === physHi);
    if (known) return known.iova;
    if (this.unsure.has(fd)) return UNSURE;
    if (!maps) return MSI_IOVA_BASE;
    return maps.length >= IOMMUFD_SW_MSI_IDS ? EXHAUSTED : maps[maps.length - 1].iova + PAGE_SIZE;
  }

  /** Keeps what the kernel did. */
  note(fd: OwnerKey, physLo: number, physHi: number, iova: number): void {
    let maps = this.fds.get(fd);
    if (!maps) {
      if (this.fds.size >= FD_LIMIT) this.fds.delete(this.fds.keys().next().value!);
      this.fds.set(fd, (maps = []));
    }
    const at = maps.findIndex((m) => m.physLo === physLo && m.physHi === physHi);
    if (at >= 0) maps[at] = { physLo, physHi, iova };
    else if (maps.length < IOMMUFD_SW_MSI_IDS) maps.push({ physLo, physHi, iova });
  }

  /** No group belongs to this owner any more. */
  released(fd: OwnerKey): void {
    if (!this.fds.delete(fd)) return;
    if (this.unsure.size >= FD_LIMIT) this.unsure.clear();
    this.unsure.add(fd);
  }

  /** Returns everything as plain data. */
  snapshot(): IommufdMapsSnapshot {
    return structuredClone({ fds: [...this.fds], unsure: [...this.unsure] });
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: IommufdMapsSnapshot): void {
    for (const [fd, maps] of s.fds) this.fds.set(fd, [...maps]);
    for (const fd of s.unsure) this.unsure.add(fd);
  }

  forget(): void {
    this.unsure.clear();
    this.fds.clear();
  }
}
