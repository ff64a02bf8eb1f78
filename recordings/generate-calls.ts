/**
 * What the probes of `recordings/own72n` print for one kernel call: each function here queues the lines of one call,
 * nested calls included, and counts the operations in it (the calls that CONTRACT.md's event table names).
 * Truth: own72n/*.trace.txt (7.2.13, fprobe text), offsets and flag columns included.
 */
import { BLOCKING, COOKIE, PAGE, SW_MSI_BASE, Domain, type Device, type MsiPage, type Task } from './generate-machine.ts';

/** Flag column at the entry of a function. */
export const IN = '...2.';
/** Flag column at the return of a function. */
export const OUT = '...1.';
/** Flag column of a tracepoint. */
export const TRACEPOINT = '.....';

const hex = (n: number): string => `0x${n.toString(16)}`;
const hex16 = (n: number): string => `0x${n.toString(16).padStart(16, '0')}`;

/** Pages of a user range; the ranges begin at 0x100000000, 0x200000000 and 0x300000000, and their text is made once. */
export const RANGE_PAGES = 16;
const USER_IOVA = Array.from({ length: 4 }, (_, range) => Array.from({ length: RANGE_PAGES + 1 }, (_, page) => range * 0x100000000 + page * PAGE));
const SHORT = USER_IOVA.map((range) => range.map(hex));
const LONG = USER_IOVA.map((range) => range.map(hex16));

function mapped(t: Task, dom: string, iova: string, longIova: string, longEnd: string, paddr: number, prot: string, caller: string, locked = false): void {
  const physical = hex(paddr);
  const flags = locked ? IN : OUT;
  t.machine.operations++;
  t.say(locked ? OUT : TRACEPOINT, `map: IOMMU: iova=${longIova} - ${longEnd} paddr=${hex16(paddr)} size=4096`);
  t.say(flags, `dom_map_nosync: (iommu_map+0x28/0x88 <- iommu_map_nosync) ret=0 dom=${dom} iova=${iova} paddr=${physical} size=0x1000 prot=${prot}`);
  t.say(flags, `dom_map: (${caller} <- iommu_map) ret=0 dom=${dom} iova=${iova} paddr=${physical} size=0x1000 prot=${prot}`);
}

/** iommu_map of one page at any IOVA; `locked` when the caller holds a lock, which shows in the flags. */
export function mapPage(t: Task, domain: Domain, iova: number, paddr: number, prot: string, caller: string, locked = false): void {
  mapped(t, domain.at, hex(iova), hex16(iova), hex16(iova + PAGE), paddr, prot, caller, locked);
}

/** iommu_map of the first pages of a user range. */
export function mapUser(t: Task, domain: Domain, range: number, pages: number, caller: string): void {
  const short = SHORT[range];
  const long = LONG[range];
  for (let i = 0; i < pages; i++) mapped(t, domain.at, short[i], long[i], long[i + 1], 0x40000000 + t.machine.random.below(0x3f000) * PAGE, '0x7', caller);
}

/** What iommu_unmap_fast of one page leaves: the tracepoint, which has no domain. */
export function unmapPage(t: Task, iova: number): void {
  t.say(TRACEPOINT, `unmap: IOMMU: iova=${hex16(iova)} - ${hex16(iova + PAGE)} size=4096 unmapped_size=4096`);
}

/** Type1 unmaps a user range page by page with iommu_unmap_fast. */
export function unmapUser(t: Task, range: number, pages: number): void {
  const long = LONG[range];
  for (let i = 0; i < pages; i++) t.say(TRACEPOINT, `unmap: IOMMU: iova=${long[i]} - ${long[i + 1]} size=4096 unmapped_size=4096`);
}

/** iommu_unmap, as iommufd calls it. */
export function unmap(t: Task, domain: Domain, iova: number, pages: number): void {
  const size = pages * PAGE;
  t.machine.operations++;
  t.say(TRACEPOINT, `unmap: IOMMU: iova=${hex16(iova)} - ${hex16(iova + size)} size=${size} unmapped_size=${size}`);
  t.say(OUT, `dom_unmap: (iommu_unmap_nofail+0x1c/0x48 [iommufd] <- iommu_unmap) ret=${hex(size)} dom=${domain.at} iova=${hex(iova)} size=${hex(size)}`);
}

const SET_DOMAIN = '__iommu_group_set_domain+0x18/0x28';
const SET_DOMAIN_NOFAIL = '__iommu_group_set_domain_nofail+0x18/0x38';
/** A NULL pointer's members print as what the ring buffer held before. */
const NULL_DOMAINS = [
  'old_dom=0x0 old_dtype=0x0 old_ctype=0 old_cookie=0x0',
  'old_dom=0x0 old_dtype=0x0 old_ctype=4096 old_cookie=0x100000000000',
];

/** __iommu_group_set_domain_internal: the group of `device` gets another domain. */
export function setDomain(t: Task, device: Device, to: Domain, mustSucceed: boolean, caller = mustSucceed ? SET_DOMAIN_NOFAIL : SET_DOMAIN): void {
  const { name, group, on } = device;
  const flags = mustSucceed ? '0x1' : '0x0';
  t.machine.operations++;
  t.say(IN, `group_set_domain: (__iommu_group_set_domain_internal+0x4/0x168) grp=${group} flags=${flags} ${to.words} ${on ? on.through('old_') : NULL_DOMAINS[t.machine.random.below(2)]}`);
  t.say(TRACEPOINT, `attach_device_to_domain: IOMMU: device=${name}`);
  t.say(OUT, `attach_dev: (__iommu_device_set_domain+0x7c/0xe8 <- __iommu_attach_device) ret=0 dev="${name}" ${to.words}`);
  t.say(OUT, `dev_set_domain: (__iommu_group_set_domain_internal+0x88/0x168 <- __iommu_device_set_domain) ret=0 dev="${name}" grp=${group} flags=${flags} ${to.words}`);
  t.say(OUT, `group_set_domain_ret: (${caller} <- __iommu_group_set_domain_internal) ret=0 grp=${group} ${to.through('cur_')}`);
  device.on = to;
}

/** Returns a fresh domain from __iommu_paging_domain_alloc_flags; at iommu_domain_init the type is not yet stored. */
export function allocDomain(t: Task, device: Device, type: '0x1' | '0x3', caller: string): Domain {
  const domain = new Domain(t.machine.domains.take(), type);
  t.machine.operations++;
  t.say(OUT, `domain_init: (iommu_domain_init+0x4/0x30) want=${type} dom=${domain.at} dtype=0x1 ctype=0 cookie=0x0`);
  t.say(OUT, `domain_alloc_in: (${caller} <- __iommu_paging_domain_alloc_flags) dev="${device.name}" want=${type} flags=0x0 ${domain.words}`);
  return domain;
}

/** iommu_get_dma_cookie that returns 0. */
export function getDmaCookie(t: Task, domain: Domain, caller: string): void {
  t.machine.operations++;
  t.say(IN, `get_dma_cookie: (iommu_get_dma_cookie+0x4/0x80) ${domain.words}`);
  domain.own(COOKIE.DMA_IOVA, t.machine.cookies.take());
  t.say(OUT, `get_dma_cookie_ret: (${caller} <- iommu_get_dma_cookie) ret=0 ${domain.words}`);
}

/** iommu_get_msi_cookie; `errno` other than 0 leaves the domain as it was. */
export function getMsiCookie(t: Task, domain: Domain, caller: string, errno = 0): void {
  t.machine.operations++;
  t.say(IN, `get_msi_cookie: (iommu_get_msi_cookie+0x4/0x98) base=${hex(SW_MSI_BASE)} ${domain.words}`);
  if (errno === 0) domain.own(COOKIE.DMA_MSI, t.machine.cookies.take());
  t.say(OUT, `get_msi_cookie_ret: (${caller} <- iommu_get_msi_cookie) ret=${errno} base=${hex(SW_MSI_BASE)} ${domain.words}`);
}

/** iommu_domain_free with the cookie's put inside; the caller gives the address back, or keeps it from being used again. */
export function freeDomain(t: Task, domain: Domain, caller: string): void {
  t.machine.operations++;
  t.say(IN, `domain_free: (iommu_domain_free+0x4/0xb0) ${domain.words}`);
  if (domain.owner === COOKIE.DMA_IOVA) t.say(OUT, `put_dma_cookie: (iommu_put_dma_cookie+0x4/0x80) ${domain.words}`);
  if (domain.owner === COOKIE.DMA_MSI) t.say(OUT, `put_msi_cookie: (iommu_put_msi_cookie+0x4/0x68) ${domain.words}`);
  if (domain.owner === COOKIE.DMA_IOVA || domain.owner === COOKIE.DMA_MSI) {
    t.machine.operations++;
    t.free(t.machine.cookies, domain.cookie);
    for (const page of domain.pages) t.free(t.machine.cookies, page.node);
  }
  t.say(OUT, `domain_free_ret: (${caller} <- iommu_domain_free) dom=${domain.at}`);
}

/** The group is claimed for a user, and with it moved to the blocking domain; the caller prints its claim_* line. */
export function takeOwnership(t: Task, device: Device): void {
  t.machine.operations++;
  t.say(OUT, `blocking_alloc: (__iommu_take_dma_ownership+0x40/0x90 <- __iommu_group_alloc_blocking_domain) ret=0 grp=${device.group} blk=${BLOCKING.at}`);
  setDomain(t, device, BLOCKING, false);
}

/** What iommufd keeps for one file descriptor and one of its page tables. */
export interface Hwpt {
  readonly hwpt: string;
  readonly id: number;
  readonly domain: Domain;
  readonly maps: { doorbell: number; node: string; pgoff: number }[];
}

/** iommufd_sw_msi_install: maps the page unless the page table has it already. */
export function installSwMsi(t: Task, h: Hwpt, map: Hwpt['maps'][number], caller: string): number {
  const iova = SW_MSI_BASE + map.pgoff * PAGE;
  const what = `hwpt=${h.hwpt} dom=${h.domain.at} map=${map.node} start=${hex(SW_MSI_BASE)} msi_addr=${hex(map.doorbell)} pgoff=${map.pgoff} id=${map.pgoff}`;
  t.say(IN, `fd_sw_msi_inst_in: (iommufd_sw_msi_install+0x4/0x98) ${what}`);
  if (!h.domain.pages.some((p) => p.doorbell === map.doorbell)) {
    mapPage(t, h.domain, iova, map.doorbell, '0x13', 'iommufd_sw_msi_install+0x68/0x98');
    h.domain.pages.push({ doorbell: map.doorbell, iova, node: map.node });
  }
  t.say(OUT, `fd_sw_msi_install: (${caller} <- iommufd_sw_msi_install) ret=0 ${what}`);
  return iova;
}

function dmaSwMsi(t: Task, device: Device, domain: Domain, page: MsiPage, isNew: boolean, desc: string, msi: string): void {
  t.say(IN, `sw_msi: (iommu_dma_sw_msi+0x4/0xf8) desc=${desc} msi_addr=${msi} ${domain.words}`);
  if (isNew) mapPage(t, domain, page.iova, page.doorbell, '0x1a', 'iommu_dma_get_msi_page+0x110/0x168');
  t.say(OUT, `get_msi_page: (iommu_dma_sw_msi+0x68/0xf8 <- iommu_dma_get_msi_page) dev="${device.name}" msi_addr=${msi} page=${page.node} iova=${hex(page.iova)} phys=${hex(page.doorbell)} ${domain.words}`);
  t.say(OUT, `sw_msi_ret: (iommu_dma_prepare_msi+0xb8/0x1b8 <- iommu_dma_sw_msi) ret=0 dom=${domain.at} desc=${desc} msi_addr=${msi} iova_pfn=${page.iova / PAGE} shift=12`);
}

function iommufdSwMsi(t: Task, h: Hwpt, map: Hwpt['maps'][number], desc: string, msi: string): number {
  const { domain } = h;
  t.say(IN, `fd_sw_msi: (iommufd_sw_msi+0x4/0x188) desc=${desc} msi_addr=${msi} ${domain.words}`);
  t.say(OUT, `fd_sw_msi_get_map: (iommufd_sw_msi+0xa0/0x188 <- iommufd_sw_msi_get_map) msi_addr=${hex(map.doorbell)} start=${hex(SW_MSI_BASE)} map=${map.node} id=${map.pgoff} pgoff=${map.pgoff}`);
  const iova = installSwMsi(t, h, map, 'iommufd_sw_msi+0xbc/0x188');
  t.say(OUT, `fd_sw_msi_ret: (iommu_dma_prepare_msi+0x78/0x1b8 <- iommufd_sw_msi) ret=0 dom=${domain.at} desc=${desc} msi_addr=${msi} iova_pfn=${iova / PAGE} shift=12`);
  return iova;
}

/** Where the next MSI page of a domain goes: linear from the base (MSI cookie), or where the caller says (IOVA cookie). */
function dmaPage(t: Task, domain: Domain, doorbell: number, fallback: number): MsiPage {
  const iova = domain.owner === COOKIE.DMA_MSI ? SW_MSI_BASE + domain.pages.length * PAGE : fallback;
  const page = { doorbell, iova, node: t.machine.cookies.take() };
  domain.pages.unshift(page);
  return page;
}

/** iommu_dma_prepare_msi for the next vector of a device, by the back end that owns its domain. */
export function prepareMsi(t: Task, device: Device, how: { hwpt?: Hwpt; top?: number; again?: boolean; doorbell?: number }): void {
  const domain = device.on!;
  const desc = t.machine.descs.take();
  const doorbell = how.doorbell ?? device.doorbell;
  const msi = hex(doorbell + 0x40);
  const head = `dev="${device.name}" desc=${desc} msi_index=${device.vectors.length}`;
  let iova: number;
  t.machine.operations++;
  t.say(IN, `prepare_msi: (iommu_dma_prepare_msi+0x4/0x1b8) ${head} irq=0 msi_addr=${msi} dom=${domain.at} dtype=${domain.type} ctype=${domain.owner}`);
  if (how.hwpt) {
    iova = iommufdSwMsi(t, how.hwpt, how.hwpt.maps.find((m) => m.doorbell === doorbell)!, desc, msi);
  } else {
    const listed = how.again ? undefined : domain.pages.find((p) => p.doorbell === doorbell);
    const page = listed ?? dmaPage(t, domain, doorbell, how.top ?? 0);
    dmaSwMsi(t, device, domain, page, listed === undefined, desc, msi);
    iova = page.iova;
  }
  t.say(OUT, `prepare_msi_ret: (its_irq_domain_alloc+0xe0/0x1d8 <- iommu_dma_prepare_msi) ret=0 ${head} msi_addr=${msi} iova_pfn=${iova / PAGE} shift=12`);
  device.vectors.push({ desc, iova: iova + 0x40 });
}

/** __pci_write_msi_msg of one vector; address 0 is the shutdown write. */
export function writeMsg(t: Task, device: Device, index: number, address: number, flags = OUT): void {
  const on = address !== 0;
  t.machine.operations++;
  t.say(flags, `write_msg: (__pci_write_msi_msg+0x4/0x1d0) desc=${device.vectors[index].desc} dev="${device.name}" msi_index=${index} irq=${device.irq + index} alo=${hex(address)} ahi=0x0 data=${on ? hex(index) : '0x0'}`);
}
