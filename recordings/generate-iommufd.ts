/**
 * iommufd in a synthetic recording: automatic and explicit page tables, replacement with the MSI page installed beforehand,
 * and the violations that can happen there, each put where nothing later has to follow from it.
 * Truth for the order of calls: own72n/iommufd.trace.txt; for the rules: KERNEL.md 8.
 */
import { freeDomain, getDmaCookie, getMsiCookie, IN, installSwMsi, mapUser, OUT, RANGE_PAGES, setDomain, takeOwnership, unmap, type Hwpt } from './generate-calls.ts';
import { interruptsOff, interruptsOn, rebalance, startProgram, steal, STRANGER, type Life } from './generate-lives.ts';
import { BLOCKING, COOKIE, Domain, PAGE, SW_MSI_BASE, type Device, type Task } from './generate-machine.ts';
import type { InjectableRule } from './generate-plan.ts';

/** Detaches the device from its page table and gives it back to the blocking domain. */
function detachHwpt(t: Task, device: Device, h: Hwpt): void {
  t.say(OUT, `fd_detach: (iommufd_device_detach+0x4/0x80 [iommufd]) dev="${device.name}"`);
  t.say(OUT, `detach_handle: (iommu_detach_group_handle+0x4/0x58) grp=${device.group} ${h.domain.words}`);
  setDomain(t, device, BLOCKING, true);
}

function destroyHwpt(t: Task, h: Hwpt, ranges: readonly [number, number][], rule?: InjectableRule): void {
  const { domain, hwpt, id } = h;
  t.say(OUT, `fd_paging_destroy: (iommufd_hwpt_paging_destroy+0x4/0xe8 [iommufd]) obj=${hwpt} id=${id}`);
  for (const [range, pages] of ranges) unmap(t, domain, range * 0x100000000, pages);
  if (rule === 'msi-page-unmapped') unmap(t, domain, SW_MSI_BASE + h.maps[0].pgoff * PAGE, 1);
  if (rule === 'word-mismatch') domain.own(COOKIE.FAULT_HANDLER, domain.cookie);
  t.say(OUT, `fd_hwpt_destroy: (__iommufd_hwpt_destroy+0x4/0x88 [iommufd]) hwpt=${hwpt} id=${id} ${domain.words}`);
  freeDomain(t, domain, '__iommufd_hwpt_destroy+0x24/0x88 [iommufd]');
  if (rule === 'domain-double-free') freeDomain(t, domain, '__iommufd_hwpt_destroy+0x24/0x88 [iommufd]');
  if (rule === 'msi-page-unmapped' || rule === 'word-mismatch' || rule === 'domain-double-free') t.machine.plan.planted(rule);
  t.free(t.machine.domains, domain.at);
  t.free(t.machine.objects, hwpt);
}

/** Returns a page table whose domain came straight from the driver: no core function saw its allocation. */
function newHwpt(t: Task, id: number, maps: Hwpt['maps']): Hwpt {
  const hwpt = t.machine.objects.take();
  const domain = new Domain(t.machine.domains.take(), '0x1');
  domain.own(COOKIE.IOMMUFD, hwpt);
  return { hwpt, id, domain, maps };
}

function setupMsi(t: Task, device: Device, h: Hwpt, caller: string): void {
  for (const map of h.maps) installSwMsi(t, h, map, 'iommufd_group_setup_msi+0x94/0xd8 [iommufd]');
  t.say(OUT, `fd_group_setup_msi: (${caller} [iommufd] <- iommufd_group_setup_msi) ret=0 start=0x8000000 grp=${device.group} hwpt=${h.hwpt} dom=${h.domain.at}`);
}

function attachHwpt(t: Task, device: Device, h: Hwpt, handle: string, caller: string): void {
  setupMsi(t, device, h, 'iommufd_device_attach_reserved_iova+0x74/0x98');
  setDomain(t, device, h.domain, false);
  t.say(OUT, `attach_handle: (iommufd_hwpt_attach_device+0x9c/0xe8 [iommufd] <- iommu_attach_group_handle) ret=0 grp=${device.group} handle=${handle} ${h.domain.words}`);
  t.say(OUT, `fd_hwpt_attach: (${caller} [iommufd] <- iommufd_hw_pagetable_attach) ret=0 hwpt=${h.hwpt} id=${h.id} dev="${device.name}" ${h.domain.words}`);
}

function pagingAlloc(t: Task, h: Hwpt, caller: string): void {
  t.machine.operations++;
  t.say(OUT, `fd_paging_alloc: (${caller} [iommufd] <- iommufd_hwpt_paging_alloc) flags=0x0 hwpt=${h.hwpt} id=${h.id} ${h.domain.words} npar=0`);
}

const ATTACH_IOAS = 'vfio_iommufd_physical_attach_ioas';
const BATCH = 'batch_to_domain+0xfc/0x178 [iommufd]';

/** iommufd: one device from bind to unbind; `replaces` allows a second page table beside the first. */
export function* iommufd(t: Task, device: Device, replaces: boolean, rule: InjectableRule | undefined): Life {
  const { random, objects, cookies } = t.machine;
  const dev = `dev="${device.name}"`;
  const [ictx, idev, handle] = [objects.take(), objects.take(), objects.take()];
  const map = { doorbell: device.doorbell, node: cookies.take(), pgoff: 0 };
  const maps: Hwpt['maps'] = [];
  const pages = 1 + random.below(RANGE_PAGES);
  const theft = rule === 'get-msi-cookie-on-iommufd' || rule === 'get-dma-cookie-on-iommufd';
  const automatic = replaces || (!theft && random.below(2) === 0);
  const explicit = theft || !automatic || (replaces && random.below(4) > 0);
  const ranges: [number, number][] = [];
  startProgram(t);
  t.say(IN, 'tracing_mark_write: vt: begin iommufd 2');
  takeOwnership(t, device);
  t.say(OUT, `claim_device: (iommufd_device_bind+0xcc/0x1c0 [iommufd] <- iommu_device_claim_dma_owner) ret=0 ${dev} owner=${ictx}`);
  t.say(OUT, `fd_bind: (vfio_iommufd_physical_bind+0x24/0x60 [vfio] <- iommufd_device_bind) ${dev} ictx=${ictx} idev=${idev}`);
  yield;
  let now: Hwpt | undefined;
  if (automatic) {
    now = newHwpt(t, 4, maps);
    attachHwpt(t, device, now, handle, 'iommufd_hwpt_paging_alloc+0x180/0x298');
    mapUser(t, now.domain, 1, pages, BATCH);
    pagingAlloc(t, now, 'iommufd_device_auto_get_domain+0xcc/0x2a0');
    t.say(OUT, `fd_attach: (${ATTACH_IOAS}+0x58/0x78 [vfio] <- iommufd_device_attach) ret=0 ${dev}`);
    ranges.push([1, pages]);
    yield;
    if (explicit) {
      maps.push(map);
      yield* interruptsOn(t, device, 1 + random.below(3), { hwpt: now });
      yield* rebalance(t, device);
    }
  }
  if (explicit) {
    const next = newHwpt(t, 5, maps);
    mapUser(t, next.domain, 3, 8, BATCH);
    pagingAlloc(t, next, 'iommufd_hwpt_alloc+0x21c/0x2e0');
    t.say(OUT, 'fd_hwpt_ioctl: (iommufd_fops_ioctl+0x150/0x200 [iommufd] <- iommufd_hwpt_alloc) ret=0');
    yield;
    if (now) {
      setupMsi(t, device, next, 'iommufd_group_do_replace_reserved_iova+0xe4/0x108');
      setDomain(t, device, next.domain, false);
      t.say(OUT, `replace_handle: (iommufd_hwpt_replace_device+0xb8/0x148 [iommufd] <- iommu_replace_group_handle) ret=0 grp=${device.group} handle=${handle} ${next.domain.words}`);
      destroyHwpt(t, now, ranges);
      t.say(OUT, `fd_replace: (${ATTACH_IOAS}+0x34/0x78 [vfio] <- iommufd_device_replace) ret=0 ${dev}`);
      yield;
      interruptsOff(t, device);
      yield;
    } else {
      attachHwpt(t, device, next, handle, 'iommufd_device_do_attach+0x28/0x48');
      t.say(OUT, `fd_attach: (${ATTACH_IOAS}+0x58/0x78 [vfio] <- iommufd_device_attach) ret=0 ${dev}`);
      yield;
    }
    now = next;
    ranges.splice(0, ranges.length, [3, 8]);
  }
  const last = now!;
  if (maps.length === 0) maps.push(map);
  yield* interruptsOn(t, device, 1 + random.below(4), { hwpt: last });
  mapUser(t, last.domain, 2, 4, BATCH);
  ranges.push([2, 4]);
  yield* rebalance(t, device);
  interruptsOff(t, device);
  yield;
  detachHwpt(t, device, last);
  const detached = `fd_hwpt_detach: (iommufd_device_detach+0x1c/0x80 [iommufd] <- iommufd_hw_pagetable_detach) hwpt=${last.hwpt} id=${last.id} ${dev}`;
  if (!explicit) destroyHwpt(t, last, ranges, rule);
  t.say(OUT, detached);
  yield;
  if (theft) yield* steal(t, () => (rule === 'get-msi-cookie-on-iommufd' ? getMsiCookie(t, last.domain, STRANGER) : getDmaCookie(t, last.domain, STRANGER)), rule);
  if (explicit) {
    destroyHwpt(t, last, ranges, rule);
    t.say(OUT, 'fd_destroy_ioctl: (iommufd_fops_ioctl+0x150/0x200 [iommufd] <- iommufd_destroy) ret=0');
    yield;
  }
  t.machine.operations++;
  t.say(OUT, `fd_unbind: (iommufd_device_unbind+0x4/0x48 [iommufd]) idev=${idev} ${dev}`);
  t.say(OUT, `release_device: (iommu_device_release_dma_owner+0x4/0x70) ${dev}`);
  setDomain(t, device, device.home!, true);
  t.free(cookies, map.node);
  for (const object of [ictx, idev, handle]) t.free(objects, object);
  yield;
}
