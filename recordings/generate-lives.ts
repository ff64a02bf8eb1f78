/**
 * What the life cycles of a synthetic recording share, and the kernel's own one: interrupts, hot plug, and a kernel driver
 * on the default domain. Each is a generator that yields after every outermost kernel call.
 * Truth for the order of calls: own72n/rebind-churn.trace.txt.
 */
import { allocDomain, freeDomain, getDmaCookie, IN, mapPage, OUT, prepareMsi, setDomain, TRACEPOINT, unmapPage, writeMsg } from './generate-calls.ts';
import { BLOCKING, PAGE, type Device, type Task } from './generate-machine.ts';
import type { InjectableRule } from './generate-plan.ts';

/** A life cycle: runs to the next outermost kernel call at each step. */
export type Life = Generator<void, void, void>;

const PROGRAMS = ['vt-aarch64', 'vt-aarch64', 'qemu-system-aar', 'dpdk-testpmd', 'spdk_tgt'];
const TOP_PAGE = 0xfffff000;
/** Return address in a module that kallsyms no longer knows: a stranger's. */
export const STRANGER = '0xffff80007914f0f4';

/** The task becomes a new process of one of the programs that drive devices from user space. */
export function startProgram(t: Task): void {
  t.start(PROGRAMS[t.machine.random.below(PROGRAMS.length)]);
}

/** Prepares and programs so many vectors, then activates them. */
export function* interruptsOn(t: Task, device: Device, vectors: number, how: Parameters<typeof prepareMsi>[2], wrongAddress = false): Life {
  for (let i = 0; i < vectors; i++) {
    prepareMsi(t, device, how);
    // Only the low bits are wrong, and the write at activation puts them right.
    writeMsg(t, device, i, device.vectors[i].iova + (wrongAddress && i === 0 ? 0x80 : 0));
    if (wrongAddress && i === 0) t.machine.plan.planted('msi-address-mismatch');
    yield;
  }
  for (let i = 0; i < vectors; i++) writeMsg(t, device, i, device.vectors[i].iova);
  yield;
}

/** The affinity of vectors changes: each change writes the same address again. */
export function* rebalance(t: Task, device: Device): Life {
  for (let n = t.machine.random.below(24); n > 0; n--) {
    const i = t.machine.random.below(device.vectors.length);
    writeMsg(t, device, i, device.vectors[i].iova);
    if ((n & 3) === 0) yield;
  }
  yield;
}

/** Shuts all vectors of a device down. */
export function interruptsOff(t: Task, device: Device): void {
  device.vectors.forEach(({ desc }, i) => {
    writeMsg(t, device, i, 0, 'd..2.');
    t.free(t.machine.descs, desc);
  });
  device.vectors.length = 0;
}

/** A device appears: its group gets a default domain with a DMA cookie. */
export function* plug(t: Task, device: Device): Life {
  const { name, group } = device;
  const dev = `dev="${name}"`;
  t.start('sh');
  t.say(TRACEPOINT, `add_device_to_group: IOMMU: groupID=${group} device=${name}`);
  t.say(IN, `setup_default: (iommu_setup_default_domain+0x4/0x228) grp=${group} want=0x0 def_dom=0x0 def_dtype=0x0 def_ctype=0 def_cookie=0x0`);
  const home = allocDomain(t, device, '0x3', '__iommu_group_alloc_default_domain+0x7c/0xb0');
  t.say(OUT, `default_alloc: (iommu_setup_default_domain+0x34/0x228 <- iommu_group_alloc_default_domain) grp=${group} ${home.words}`);
  getDmaCookie(t, home, 'iommu_setup_default_domain+0x174/0x228');
  setDomain(t, device, home, true, 'iommu_setup_default_domain+0x198/0x228');
  t.say(OUT, `setup_default_ret: (__iommu_probe_device+0x150/0x1d8 <- iommu_setup_default_domain) ret=0 grp=${group} ${home.through('def_')}`);
  t.say(OUT, `setup_dma_ops: (iommu_setup_dma_ops+0x4/0xf8) ${dev}`);
  t.say(OUT, `reserve_regions: (iommu_dma_init_domain+0x124/0x1b0 <- iova_reserve_iommu_regions) ret=0 ${dev} ${home.words}`);
  t.say(OUT, `dma_init_domain: (iommu_setup_dma_ops+0x50/0xf8 <- iommu_dma_init_domain) ret=0 ${dev} ${home.words} granule=0x1000`);
  t.say(OUT, `probe_device: (iommu_probe_device+0x3c/0x88 <- __iommu_probe_device) ret=0 ${dev}`);
  device.home = home;
  yield;
}

/** A device disappears, and its default domain with it. */
export function* unplug(t: Task, device: Device): Life {
  const home = device.home!;
  t.start('sh');
  t.say(OUT, `release_dev: (iommu_release_device+0x4/0x48) dev="${device.name}"`);
  t.say(TRACEPOINT, `remove_device_from_group: IOMMU: groupID=${device.group} device=${device.name}`);
  freeDomain(t, home, 'iommu_deinit_device+0x100/0x128');
  t.free(t.machine.domains, home.at);
  freeDomain(t, BLOCKING, 'iommu_deinit_device+0x110/0x128');
  device.home = device.on = undefined;
  yield;
}

/** A kernel driver binds, works and unbinds: buffers and interrupts on the default domain. */
export function* kernelDriver(t: Task, device: Device): Life {
  const { random } = t.machine;
  const home = device.home!;
  const dev = `dev="${device.name}"`;
  const buffers = random.below(3);
  t.work();
  t.say(OUT, `use_default: (pci_dma_configure+0xfc/0x120 <- iommu_device_use_default_domain) ret=0 ${dev}`);
  yield;
  // IOVAs go from the top down; the MSI page lies where the first interrupt of this domain's life found the next free one.
  const slot = (k: number): number => TOP_PAGE - (home.pages.length > 0 && k >= (TOP_PAGE - home.pages[0].iova) / PAGE ? k + 1 : k) * PAGE;
  const map = (k: number): void => mapPage(t, home, slot(k), 0x40000000 + random.below(0x3f000) * PAGE, '0x6', '__iommu_dma_map+0xd8/0x158', true);
  const held = Array.from({ length: buffers }, (_, k) => slot(k));
  for (let k = 0; k < buffers; k++) map(k);
  yield* interruptsOn(t, device, 1 + random.below(5), { top: TOP_PAGE - buffers * PAGE });
  for (let n = random.below(6); n > 0; n--) {
    const iova = slot(buffers);
    map(buffers);
    yield;
    unmapPage(t, iova);
    yield;
  }
  yield* rebalance(t, device);
  interruptsOff(t, device);
  yield;
  for (const iova of held) unmapPage(t, iova);
  t.say(OUT, `unuse_default: (iommu_device_unuse_default_domain+0x4/0x68) ${dev}`);
  yield;
}

/** A module that owns nothing takes a cookie on somebody else's domain. */
export function* steal(t: Task, take: () => void, rule: InjectableRule): Life {
  const before = t.head;
  t.start('insmod');
  take();
  t.machine.plan.planted(rule);
  yield;
  t.head = before;
}
