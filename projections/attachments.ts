/**
 * Which group and device is on which domain, who owns a group, and what is programmed into a device's MSI messages.
 * Source: [7.3] drivers/iommu/iommu.c __iommu_group_set_domain_internal:2457, iommu_group_claim_dma_owner:3423.
 * A domain here is a row and its generation: the same address later is another domain.
 */

/** A 64-bit owner pointer as a map key. */
export type OwnerKey = string;

/** One IOMMU group: the domain it is on and who claimed it. */
export class Group {
  domain = -1;
  generation = 0;
  /** `owner_cnt` of the claims that were seen; null before the first one, when a kernel driver may be bound. */
  claims: number | null = null;
  owner: OwnerKey | null = null;
  /** Devices that were seen in it. */
  readonly members: Device[] = [];
}

/** One `msi_desc` of a device, by its msi_index. */
export class Msi {
  /** What the descriptor says: known only after a prepare_msi with its IOVA. */
  known = false;
  /** IOVA and size of the page the descriptor names; 0 where the doorbell is passed through. */
  iovaLo = 0;
  iovaHi = 0;
  addressLo = 0;
  addressHi = 0;
  /** What was written to the device last; 0 after teardown. */
  programmedLo = 0;
  programmedHi = 0;
  /** Set once the stale address was reported, until it is written again. */
  reported = false;
}

/** One device: its group, the domain it is on, its MSI messages. */
export class Device {
  /** Its group, null while unknown. */
  group: Group | null = null;
  /** Whether it counts as attached itself, because its group was not known. */
  holds = false;
  domain = -1;
  generation = 0;
  /** By msi_index; holes where a message was never seen. */
  readonly msis: (Msi | undefined)[] = [];
  /** How many of them hold an address. */
  programmed = 0;
}

/** At most so many messages of one device are followed; MSI-X has 2,048. */
const MSI_LIMIT = 2048;
/** Tasks whose last claim is remembered: it is needed only between the claim and the first attach. */
const CLAIMS_KEPT = 4096;

/** Attachments as plain data. */
export interface AttachmentsSnapshot {
  readonly groups: readonly (readonly [number, Omit<Group, 'members'>])[];
  readonly devices: readonly (readonly [number, Omit<Device, 'group'> & { readonly group: number | null }])[];
  readonly claimedBy: readonly (readonly [number, OwnerKey])[];
}

/** Groups and devices by their ids and names. */
export class Attachments {
  readonly groups = new Map<number, Group>();
  readonly devices = new Map<number, Device>();
  /** Owner pointer that a task claimed last: iommufd maps MSI pages before it attaches the group. */
  private readonly claimedBy = new Map<number, OwnerKey>();

  group(id: number): Group {
    let group = this.groups.get(id);
    if (!group) this.groups.set(id, (group = new Group()));
    return group;
  }

  device(name: number): Device {
    let device = this.devices.get(name);
    if (!device) this.devices.set(name, (device = new Device()));
    return device;
  }

  /** Remembers which owner pointer a task claimed a group with; the tasks of longest ago are forgotten. */
  claim(pid: number, owner: OwnerKey): void {
    if (this.claimedBy.get(pid) === owner) return;
    this.claimedBy.delete(pid);
    if (this.claimedBy.size >= CLAIMS_KEPT) this.claimedBy.delete(this.claimedBy.keys().next().value!);
    this.claimedBy.set(pid, owner);
  }

  /** Owner pointer that a task claimed last. */
  claimOf(pid: number): OwnerKey | undefined {
    return this.claimedBy.get(pid);
  }

  /** Puts a device into a group. */
  join(device: Device, group: Group): void {
    if (device.group === group) return;
    if (device.group) leave(device.group, device);
    device.group = group;
    group.members.push(device);
  }

  msi(device: Device, index: number): Msi {
    if (index >= MSI_LIMIT) return new Msi(); // no such message: not followed
    return (device.msis[index] ??= new Msi());
  }

  /** Drops a device that is gone; returns its group if no other device of it is known, so that its domain is unused. */
  release(name: number, groupId: number): Group | null {
    const device = this.devices.get(name);
    const group = device?.group ?? this.groups.get(groupId) ?? null;
    this.devices.delete(name);
    if (!group) return null;
    if (device) leave(group, device);
    if (group.members.length > 0) return null;
    for (const [id, other] of this.groups) if (other === group) this.groups.delete(id);
    return group;
  }

  /** Names (string numbers) of the devices on a domain, and ids of the groups. Order: as first seen. */
  on(domain: number, generation: number): { devices: number[]; groups: number[] } {
    const devices: number[] = [];
    const groups: number[] = [];
    for (const [id, g] of this.groups) if (g.domain === domain && g.generation === generation) groups.push(id);
    for (const [name, d] of this.devices) if (d.domain === domain && d.generation === generation) devices.push(name);
    return { devices, groups };
  }

  /** Returns everything as plain data. */
  snapshot(): AttachmentsSnapshot {
    const idOf = new Map([...this.groups].map(([id, group]) => [group, id]));
    return structuredClone({
      groups: [...this.groups].map(([id, { domain, generation, claims, owner }]) => [id, { domain, generation, claims, owner }] as const),
      devices: [...this.devices].map(([name, { group, holds, domain, generation, programmed, msis }]) => [
        name, { group: group ? (idOf.get(group) ?? null) : null, holds, domain, generation, programmed, msis: [...msis] },
      ] as const),
      claimedBy: [...this.claimedBy],
    });
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: AttachmentsSnapshot): void {
    for (const [id, g] of s.groups) Object.assign(this.group(id), g);
    for (const [name, d] of s.devices) {
      const device = this.device(name);
      if (d.group !== null) this.join(device, this.group(d.group));
      Object.assign(device, { holds: d.holds, domain: d.domain, generation: d.generation, programmed: d.programmed });
      d.msis.forEach((msi, index) => msi && Object.assign(this.msi(device, index), msi));
    }
    for (const [pid, owner] of s.claimedBy) this.claimedBy.set(pid, owner);
  }

  /** Events were lost: nothing of this is certain any more. */
  forget(): void {
    this.groups.clear();
    this.devices.clear();
    this.claimedBy.clear();
  }
}

function leave(group: Group, device: Device): void {
  const at = group.members.indexOf(device);
  if (at >= 0) group.members.splice(at, 1);
}
