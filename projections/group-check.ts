/**
 * Attach, detach, claim and release: who owns a group and which domain it is on, and what of it breaks a rule.
 * Source: [7.3] drivers/iommu/iommu.c __iommu_attach_group:2355, iommu_group_claim_dma_owner:3423; KERNEL.md 5.5, 5.6.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { hex64 } from '../events/tables.ts';
import { step } from '../machines/domain-rows.ts';
import { RULES, ruleIndex } from '../machines/rules.ts';
import { EBUSY, EINVAL, EPERM, MACHINE_EVENT, TYPE, errnoText } from '../machines/states.ts';
import type { Device, Group } from './attachments.ts';
import type { AuditState } from './audit-state.ts';
import type { MsiCheck } from './msi-check.ts';

const ATTACH = MACHINE_EVENT.iommu_group_set_domain;
const DETACHED = MACHINE_EVENT.detached;
const NULL = hex64(0, 0);

/** Judges events about groups and devices. */
export class GroupCheck {
  /** Whether the recording shows devices that go away; without that a hot-unplugged one still looks attached. */
  releasesSeen = false;
  private readonly state: AuditState;
  private readonly msi: MsiCheck;

  constructor(state: AuditState, msi: MsiCheck) {
    this.state = state;
    this.msi = msi;
  }

  /** iommu_group_set_domain: of a whole group, or of one device. */
  setDomain(b: EventBatch, i: number, d: number): void {
    const { attachments, incarnations } = this.state;
    const present = b.present[i];
    const errno = present & HAS.errno ? b.errno[i] : 0;
    if (errno < 0) {
      this.state.checked.errno += this.state.own ? 1 : 0;
      const rule = errno === EBUSY ? this.busy(b, i) : errno === EINVAL ? this.unfit(b, i, d) : null;
      if (rule) this.refused(rule, b, i, d, errno);
      return;
    }
    const generation = incarnations.generation[d];
    const device = present & HAS.device ? attachments.device(b.device[i]) : null;
    if (present & HAS.group) {
      const group = attachments.group(b.group[i]);
      if (device) this.join(b, i, device, group);
      this.move(b, i, group, d, generation);
      if (group.owner !== null) this.msi.belongsTo(d, group.owner);
      if (!device) {
        for (const other of group.members) {
          if (other.domain === d && other.generation === generation) continue;
          other.domain = d;
          other.generation = generation;
          this.msi.checkStale(b, i, other, d);
        }
      }
    }
    if (!device) return;
    if (!device.group) {
      this.move(b, i, device, d, generation);
      device.holds = true;
    }
    device.domain = d;
    device.generation = generation;
    this.msi.checkStale(b, i, device, d);
  }

  /** Why an attach was answered -EBUSY: a group that is on its core domain can only be in reset recovery. */
  private busy(b: EventBatch, i: number): string {
    const group = this.claimHolder(b, i);
    const { rows, incarnations, design } = this.state;
    if (group === null || group.domain < 0 || incarnations.generation[group.domain] !== group.generation) return 'attach-group-busy';
    const type = rows.type[group.domain];
    const core = (group.claims ?? 0) > 0 ? type === TYPE.BLOCKED : type === TYPE.IDENTITY || type === TYPE.DMA || type === TYPE.DMA_FQ;
    return core && design.others['attach-during-reset'].outcome === 'rejected' ? 'attach-during-reset' : 'attach-group-busy';
  }

  /** Why an attach was answered -EINVAL: the blocking domain, a group of several devices, or another driver's domain. */
  private unfit(b: EventBatch, i: number, d: number): string {
    if (this.state.rows.type[d] === TYPE.BLOCKED) return 'attach-require-direct-blocked';
    const byDevice = (b.present[i] & (HAS.device | HAS.group)) === HAS.device;
    return byDevice && (this.claimHolder(b, i)?.members.length ?? 0) > 1 ? 'attach-device-multi-group' : 'attach-foreign-ops';
  }

  /** A device turns out to be of this group, which holds the domain for it from now on. */
  private join(b: EventBatch, i: number, device: Device, group: Group): void {
    const { state } = this;
    if (device.holds && device.domain >= 0 && state.incarnations.generation[device.domain] === device.generation) {
      step(state.table, state.rows, device.domain, DETACHED, b, i, state.own);
    }
    device.holds = false;
    state.attachments.join(device, group);
  }

  /** A group (or a device of unknown group) leaves its domain and comes to another; the same domain again is no move. */
  private move(b: EventBatch, i: number, holder: Group | Device, d: number, generation: number): void {
    if (holder.domain === d && holder.generation === generation) return;
    const old = holder.domain;
    if (old >= 0 && this.state.incarnations.generation[old] === holder.generation) step(this.state.table, this.state.rows, old, DETACHED, b, i, this.state.own);
    holder.domain = d;
    holder.generation = generation;
    step(this.state.table, this.state.rows, d, ATTACH, b, i, this.state.own);
  }

  /** iommu_release_device: the device is gone, and its group's domain with the last of its devices. */
  deviceGone(b: EventBatch, i: number): void {
    this.releasesSeen = true;
    const device = this.state.attachments.devices.get(b.device[i]);
    const group = this.state.attachments.release(b.device[i], b.present[i] & HAS.group ? b.group[i] : -1);
    for (const holder of [group, device && !device.group ? device : null]) {
      if (holder && holder.domain >= 0 && this.state.incarnations.generation[holder.domain] === holder.generation) {
        step(this.state.table, this.state.rows, holder.domain, DETACHED, b, i, this.state.own);
      }
    }
  }

  private claimHolder(b: EventBatch, i: number): Group | null {
    const { attachments } = this.state;
    if (b.present[i] & HAS.group) return attachments.group(b.group[i]);
    if ((b.present[i] & HAS.device) === 0) return null;
    return attachments.device(b.device[i]).group;
  }

  /** iommu_group_claim_dma_owner, iommu_device_claim_dma_owner. */
  claimed(b: EventBatch, i: number): void {
    const errno = b.present[i] & HAS.errno ? b.errno[i] : 0;
    const owner = b.present[i] & HAS.a ? hex64(b.aLo[i], b.aHi[i]) : null;
    const group = this.claimHolder(b, i);
    if (errno < 0) {
      if (this.state.own) this.state.checked.errno++;
      // The claim attaches the blocking domain, which a device that firmware wants mapped 1:1 refuses.
      const invalid = owner === NULL ? 'claim-dma-owner-null' : 'attach-require-direct-blocked';
      const rule = errno === EPERM ? 'claim-dma-owner-taken' : errno === EBUSY ? 'claim-dma-owner-not-default' : errno === EINVAL ? invalid : null;
      if (rule) this.refused(rule, b, i, -1, errno);
      return;
    }
    if (owner === NULL) return this.taken('claim-dma-owner-null', b, i, EINVAL, errno, 'a claim without an owner');
    if (b.present[i] & HAS.pid && owner !== null) this.state.attachments.claim(b.pid[i], owner);
    if (!group) return;
    // iommu_device_claim_dma_owner counts the same owner up; iommu_group_claim_dma_owner refuses any second claim.
    const byDevice = (b.present[i] & HAS.device) !== 0;
    if (group.claims !== null && group.claims > 0 && !(byDevice && group.owner === owner)) {
      this.taken('claim-dma-owner-taken', b, i, EPERM, errno, `the group is claimed by ${group.owner ?? 'another owner'} already`);
      group.claims = 0;
    }
    group.claims = (group.claims ?? 0) + 1;
    group.owner = owner;
  }

  /** A claim that the design refuses and the recorded kernel accepted. */
  private taken(rule: string, b: EventBatch, i: number, expected: number, errno: number, why: string): void {
    const { own, design } = this.state;
    if (own) this.state.checked.errno++;
    this.state.found(rule, b, i, -1, {
      ...(own ? { outcome: 'undetected' } : { outcome: 'rejected', severity: 'warning' }), expected: { errno: expected }, observed: { errno },
      message: `${why}; ${design.id} ${own ? 'answers' : 'would answer'} ${errnoText(expected)}${own ? ', the kernel accepted it' : ''}`,
    });
  }

  /** iommu_group_release_dma_owner, iommu_device_release_dma_owner. */
  released(b: EventBatch, i: number): void {
    const group = this.claimHolder(b, i);
    if (!group || group.claims === null) return;
    if (group.claims === 0) {
      this.state.found('release-dma-owner-unowned', b, i, -1, { outcome: 'rejected', severity: 'info', message: 'release of a group that nobody claims: the kernel warns and does nothing' });
      return;
    }
    group.claims--;
    if (group.claims > 0 || group.owner === null) return;
    const { owner } = group;
    group.owner = null;
    for (const other of this.state.attachments.groups.values()) if (other.owner === owner) return;
    this.msi.released(owner);
  }

  /** A refusal that the kernel gave and every design gives alike. */
  refused(rule: string, b: EventBatch, i: number, d: number, errno: number): void {
    this.state.found(rule, b, i, d, {
      outcome: 'rejected', severity: 'info', ...(d >= 0 && { before: this.state.rows.state[d], after: this.state.rows.state[d] }),
      expected: { errno }, observed: { errno },
      message: `${RULES[ruleIndex(rule)].sentence}: refused with ${errnoText(errno)}`,
    });
  }
}
