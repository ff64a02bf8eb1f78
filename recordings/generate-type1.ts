/**
 * VFIO type1 in a synthetic recording: a container with one or two groups from claim to release, and the violations that can
 * happen there, each put where nothing later has to follow from it.
 * Truth for the order of calls: own72n/vfio-type1.trace.txt; for the rules: KERNEL.md 8.
 */
import { allocDomain, freeDomain, getMsiCookie, IN, mapUser, OUT, prepareMsi, RANGE_PAGES, setDomain, takeOwnership, unmapUser, writeMsg } from './generate-calls.ts';
import { interruptsOff, interruptsOn, plug, rebalance, startProgram, steal, STRANGER, unplug, type Life } from './generate-lives.ts';
import { BLOCKING, PAGE, SW_MSI_BASE, type Device, type Domain, type Task } from './generate-machine.ts';
import type { InjectableRule } from './generate-plan.ts';

const T1 = '[vfio_iommu_type1]';
const WINDOW_PAGES = 256;

function releaseGroup(t: Task, device: Device, container: string): void {
  t.machine.operations++;
  t.say(OUT, `release_group: (iommu_group_release_dma_owner+0x4/0x48) grp=${device.group} owner=${container} owner_cnt=1`);
  setDomain(t, device, device.home!, true);
}

function attachGroup(t: Task, device: Device, domain: Domain, offset: string): void {
  t.say(IN, `attach_group: (iommu_attach_group+0x4/0x60) grp=${device.group} ${domain.words} ${device.on!.through('old_')}`);
  setDomain(t, device, domain, false);
  t.say(OUT, `attach_group_ret: (vfio_iommu_type1_attach_group+${offset}/0x958 ${T1} <- iommu_attach_group) ret=0 grp=${device.group} ${domain.words}`);
}

function detachGroup(t: Task, device: Device, domain: Domain, caller: string): void {
  t.say(IN, `detach_group: (iommu_detach_group+0x4/0x48) grp=${device.group} ${domain.words}`);
  setDomain(t, device, BLOCKING, true);
  t.say(OUT, `detach_group_ret: (${caller} ${T1} <- iommu_detach_group) grp=${device.group} ${BLOCKING.through('cur_')}`);
}

function freeType1(t: Task, domain: Domain, caller: string, reuse = true): void {
  freeDomain(t, domain, `${caller} ${T1}`);
  if (reuse) t.free(t.machine.domains, domain.at);
}

/** Returns the container's domain after a group was added; the second group's trial domain comes and goes in between. */
function attachType1(t: Task, device: Device, iommu: string, container: string, shared: Domain | undefined, errno: number): Domain | undefined {
  const grp = `grp=${device.group}`;
  takeOwnership(t, device);
  t.say(OUT, `claim_group: (vfio_container_attach_group+0x118/0x1a8 [vfio] <- iommu_group_claim_dma_owner) ret=0 ${grp} owner=${container} owner_cnt=1`);
  t.say(IN, `t1_attach_group: (vfio_iommu_type1_attach_group+0x4/0x958 ${T1}) iommu=${iommu} ${grp} vtype=0`);
  const domain = allocDomain(t, device, '0x1', 'iommu_paging_domain_alloc_flags+0x1c/0x30');
  t.say(OUT, `domain_alloc: (vfio_iommu_domain_alloc+0x20/0x40 ${T1} <- iommu_paging_domain_alloc_flags) dev="${device.name}" flags=0x0 ${domain.words}`);
  attachGroup(t, device, domain, '0x108');
  if (shared) {
    detachGroup(t, device, domain, 'vfio_iommu_type1_attach_group+0x388/0x958');
    attachGroup(t, device, shared, '0x394');
    freeType1(t, domain, 'vfio_iommu_type1_attach_group+0x8e8/0x958');
  } else {
    getMsiCookie(t, domain, `vfio_iommu_type1_attach_group+0x6e4/0x958 ${T1}`, errno);
    if (errno !== 0) {
      detachGroup(t, device, domain, 'vfio_iommu_type1_attach_group+0x724/0x958');
      freeType1(t, domain, 'vfio_iommu_type1_attach_group+0x8e8/0x958');
    }
  }
  t.say(OUT, `t1_attach_group_ret: (vfio_fops_unl_ioctl+0x160/0x340 [vfio] <- vfio_iommu_type1_attach_group) ret=${errno} iommu=${iommu} ${grp}`);
  return errno === 0 ? (shared ?? domain) : undefined;
}

/** One doorbell after the other, until the window of 256 pages is full and the next page lies behind its end, which nobody checks. */
function* fillWindow(t: Task, device: Device, domain: Domain): Life {
  for (let k = 0; domain.pages[0].iova < SW_MSI_BASE + WINDOW_PAGES * PAGE; k++) {
    prepareMsi(t, device, { doorbell: 0x9000000 + k * 0x20000 });
    writeMsg(t, device, device.vectors.length - 1, device.vectors.at(-1)!.iova);
    if (domain.pages.length > WINDOW_PAGES) t.machine.plan.planted('msi-iova-outside-window');
    yield;
  }
}

/** VFIO type1: a container with one or two groups, from claim to release. */
export function* type1(t: Task, devices: readonly Device[], rule: InjectableRule | undefined): Life {
  const { random, plan, objects } = t.machine;
  const iommu = objects.take();
  const owners = devices.map(() => objects.take());
  const first = devices[0];
  const pages = 1 + random.below(RANGE_PAGES);
  let domain: Domain | undefined;
  startProgram(t);
  t.say(IN, `tracing_mark_write: vt: begin type1 ${devices.length}`);
  yield;
  for (const [i, device] of devices.entries()) {
    domain = attachType1(t, device, iommu, owners[i], domain, rule === 'errno-mismatch' ? -17 : 0);
    yield;
  }
  if (rule === 'errno-mismatch') plan.planted(rule);
  if (domain) {
    mapUser(t, domain, 1, pages, `vfio_iommu_type1_ioctl+0xe50/0x15f0 ${T1}`);
    yield;
    for (const device of devices) {
      yield* interruptsOn(t, device, 1 + random.below(4), {}, rule === 'msi-address-mismatch');
      yield* rebalance(t, device);
      if (random.below(3) > 0) continue;
      interruptsOff(t, device);
      yield;
      yield* interruptsOn(t, device, 1 + random.below(3), {});
    }
    if (rule === 'msi-duplicate-doorbell') {
      prepareMsi(t, first, { again: true });
      writeMsg(t, first, first.vectors.length - 1, first.vectors.at(-1)!.iova);
      plan.planted(rule);
      yield;
    }
    if (rule === 'msi-iova-outside-window') yield* fillWindow(t, first, domain);
    mapUser(t, domain, 2, 4, `vfio_iommu_type1_ioctl+0xe50/0x15f0 ${T1}`);
    unmapUser(t, 1, pages);
    yield;
    for (const device of devices) {
      interruptsOff(t, device);
      yield;
    }
    if (rule === 'get-msi-cookie-existing-cookie') yield* steal(t, () => getMsiCookie(t, domain!, STRANGER), rule);
  }
  for (const [i, device] of devices.entries()) {
    if (domain) {
      t.say(OUT, `t1_detach_group: (vfio_iommu_type1_detach_group+0x4/0x738 ${T1}) iommu=${iommu} grp=${device.group}`);
      if (rule !== 'free-while-attached') detachGroup(t, device, domain, 'vfio_iommu_type1_detach_group+0xcc/0x738');
      if (i === devices.length - 1) {
        unmapUser(t, 2, 4);
        freeType1(t, domain, 'vfio_iommu_type1_detach_group+0x484/0x738', rule !== 'use-after-free' && rule !== 'free-while-attached');
        if (rule === 'use-after-free') mapUser(t, domain, 1, 1, `vfio_iommu_type1_ioctl+0xe50/0x15f0 ${T1}`);
        if (rule === 'use-after-free' || rule === 'free-while-attached') plan.planted(rule);
      }
    }
    if (rule !== 'free-while-attached') releaseGroup(t, device, owners[i]);
    yield;
  }
  for (const object of [iommu, ...owners]) t.free(objects, object);
  if (rule !== 'free-while-attached') return;
  // The group still names the freed domain: the device leaves it for a new group, so that nobody comes across it again.
  yield* unplug(t, first);
  first.group = ++t.machine.groups;
  yield* plug(t, first);
}
