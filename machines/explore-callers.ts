/**
 * A small imitation of the kernel code that calls into a domain: who may call what, and when. One domain, two groups with one
 * device each behind one MSI doorbell, one incarnation. The explorer and random walks take their steps from here.
 * Callers keep to what their code does: VFIO type1 attaches before it asks for the cookie, iommufd installs MSI pages at the
 * IOVA of the file descriptor, iommu_dma_sw_msi maps under one lock or only under that of the group. A driver may hand out a
 * domain that is in use; a stranger calls any function on any domain that he gets hold of.
 * Source: KERNEL.md 5, 7; [7.3] vfio_iommu_type1.c:2391, iommufd/device.c:436, iommu.c:3148.
 * Left out: PASIDs, nested parents, a second doorbell, more than one attempt to map by the same group, calls of a stranger
 * while an MSI is being prepared.
 */
import type { Design } from './design.ts';
import { COOKIE, FLAG, type DomainRows } from './domain-rows.ts';
import { MAP } from './domain-context.ts';
import { EEXIST, EINVAL, ENODEV, ENOMEM, MSI_IOVA_BASE, PAGE_SIZE, STATE, TYPE, type MachineEventType } from './states.ts';
import { NONE } from './transition-table.ts';

/** Addresses in the events of a path: the domain, and the one that a group goes back to. */
export const DOMAIN = '0xffff000005417a20';
const OTHER_DOMAIN = '0xffff800082a3f560';
const DOORBELL = '0x8090040';
const DOORBELL_PAGE = 0x8090000;
const DEVICES = ['0000:00:03.0', '0000:00:04.0'];

/** An event of a path, as JSON has it, without `v` and `domain`. */
export type CallMembers = Readonly<Record<string, unknown>> & { readonly type: string };

/** One call that somebody may make. */
export interface Step {
  /** Who makes it; stands in the event as `task`. */
  readonly by: string;
  readonly event: CallMembers;
  /** What the machine of the domain takes, where it is not the event's own type. */
  readonly machine?: MachineEventType;
  /** `MAP` kind of an iommu_map. */
  readonly map?: number;
  readonly when: (w: World) => boolean;
  readonly does?: (w: World) => void;
}

/** How the domain came into being. */
export const MADE = { no: 0, defaultDma: 1, defaultIdentity: 2, vfio: 3, driver: 4, iommufd: 5, sva: 6 } as const;
const FLIGHT = { none: 0, mapped: 1, failed: 2 } as const;

/** What the callers know: the row of the domain, and what they did themselves. */
export class World {
  made = 0;
  /** By group: whether it is on the domain, and how far the preparation of its MSI is. */
  readonly attached = [false, false];
  readonly flight = [0, 0];
  mapped = false;
  mappedInWindow = false;
  /** A driver has handed the domain out a second time. */
  shared = false;
  /** iommu_domain_free has put the cookie. */
  put = false;
  private readonly rows: DomainRows;
  /** Row of the domain. */
  d = 0;

  constructor(rows: DomainRows) {
    this.rows = rows;
  }

  get state(): number { return this.rows.state[this.d]; }
  get type(): number { return this.rows.type[this.d]; }
  get cookie(): number { return this.rows.cookie[this.d]; }
  get hwptIsNull(): boolean { return (this.rows.flags[this.d] & FLAG.hwptNull) !== 0; }
  get exists(): boolean { return this.made !== MADE.no; }
  get alive(): boolean { return this.exists && this.state !== STATE.freed; }
  get isFreed(): boolean { return this.exists && this.state === STATE.freed; }
  get releasing(): boolean { return (this.rows.flags[this.d] & FLAG.releasing) !== 0; }
  /** Whether no MSI is being prepared: only then others call. */
  get idle(): boolean { return this.flight[0] === FLIGHT.none && this.flight[1] === FLIGHT.none; }
  get used(): boolean { return this.attached[0] || this.attached[1]; }

  /** Next IOVA of an MSI cookie, or NONE. */
  get msiNext(): number {
    return this.cookie === COOKIE.msi && (this.rows.flags[this.d] & FLAG.msiNextKnown) !== 0 ? this.rows.msiNextHi[this.d] * 2 ** 32 + this.rows.msiNextLo[this.d] : NONE;
  }

  /** Whether the page list of a back end has the doorbell. */
  listed(backend: number): boolean {
    return this.rows.findPage(this.d, backend, DOORBELL_PAGE, 0) !== NONE;
  }

  /** Whether something is mapped at an IOVA of the window. */
  taken(iova: number): boolean {
    const { rows } = this;
    for (let p = rows.pageHead[this.d]; p !== NONE; p = rows.pages.next[p]) if (rows.pages.overlaps(p, iova % 2 ** 32, Math.floor(iova / 2 ** 32), PAGE_SIZE, 0)) return true;
    return this.mappedInWindow && iova === MSI_IOVA_BASE;
  }

  /** The callers' part of the state as one number. */
  get code(): number {
    const bits = [...this.attached, this.mapped, this.mappedInWindow, this.shared, this.put];
    return bits.reduce((code, bit) => code * 2 + Number(bit), this.made) * 16 + this.flight[0] * 4 + this.flight[1];
  }

  /** Takes over what `code` says. */
  set code(code: number) {
    this.flight[1] = code & 3;
    this.flight[0] = (code >> 2) & 3;
    const bit = (n: number): boolean => ((code >> (4 + n)) & 1) === 1;
    this.put = bit(0);
    this.shared = bit(1);
    this.mappedInWindow = bit(2);
    this.mapped = bit(3);
    this.attached[1] = bit(4);
    this.attached[0] = bit(5);
    this.made = code >> 10;
  }
}

/** A base that no descriptor can hold: 2^58. */
const FAR = 2 ** 58;

const hex = (value: number): string => `0x${BigInt(value).toString(16)}`;

/** Returns the steps of a design's callers. Order: normal life first, so that of two shortest paths the plainer one is found. */
export function stepsOf(design: Design): readonly Step[] {
  return [...births(design), ...owners(design), ...groups(design), ...msis(design), ...ends(design), ...strangers(design), ...afterwards()];
}

function births(design: Design): Step[] {
  const born = (by: string, made: number, event: CallMembers): Step => ({ by, event, when: (w) => w.made === MADE.no, does: (w) => { w.made = made; } });
  const alloc = (domain_type: number): CallMembers => ({ type: 'iommu_domain_alloc', domain_type });
  return [
    born('vfio', MADE.vfio, alloc(TYPE.UNMANAGED)),
    born('iommufd', MADE.iommufd, { type: 'iommufd_hwpt_paging_alloc', hwpt: '0xffff0000045894e0' }),
    ...(design.automaticHwptIsNull ? [born('iommufd', MADE.iommufd, { type: 'iommufd_hwpt_paging_alloc', hwpt: '0x0', caller: 'iommufd_device_auto_get_domain' })] : []),
    born('iommu core', MADE.defaultDma, alloc(TYPE.DMA)),
    born('iommu core', MADE.defaultIdentity, alloc(TYPE.IDENTITY)),
    born('driver', MADE.driver, alloc(TYPE.UNMANAGED)),
    born('driver', MADE.sva, { type: 'iommu_sva_domain_alloc' }),
    born('iommufd', MADE.iommufd, { type: 'iommufd_hwpt_nested_alloc', after: { type: TYPE.NESTED } }),
    born('iommufd', MADE.iommufd, { type: 'iommufd_hwpt_nested_alloc', after: { type: TYPE.UNMANAGED } }),
    ...(design.ownerBits > 0 ? [born('driver', MADE.driver, alloc(2 ** (32 - design.ownerBits) + TYPE.UNMANAGED))] : []),
  ];
}

/** Those who take a domain in the course of their work, and what may go wrong there without their fault. */
function owners(design: Design): Step[] {
  const vfio = (w: World): boolean => w.alive && w.idle && w.made === MADE.vfio && w.attached[0] && w.state === STATE.unowned;
  const core = (w: World): boolean => w.alive && w.made === MADE.defaultDma && w.state === STATE.unowned && !w.used;
  const getMsi = (base: number, errno?: number): CallMembers => ({ type: 'iommu_get_msi_cookie', base: hex(base), ...(errno && { errno }) });
  const mine = (w: World): boolean => w.alive && w.idle && (w.made === MADE.vfio || w.made === MADE.driver) && (w.type & 1) === 1;
  const userMap = (iova: number): CallMembers => ({ type: 'iommu_map', iova: hex(iova), paddr: '0x45fe6000', size: PAGE_SIZE, prot: 7, errno: 0 });
  return [
    { by: 'iommu core', event: { type: 'iommu_get_dma_cookie' }, when: core },
    { by: 'iommu core', event: { type: 'iommu_get_dma_cookie', errno: ENOMEM }, when: core },
    { by: 'vfio', event: getMsi(MSI_IOVA_BASE), when: vfio },
    { by: 'vfio', event: getMsi(0), when: vfio },
    { by: 'vfio', event: getMsi(MSI_IOVA_BASE + 0x800), when: vfio },
    { by: 'vfio', event: getMsi(FAR), when: vfio },
    { by: 'vfio', event: getMsi(MSI_IOVA_BASE, ENOMEM), when: vfio },
    { by: 'vfio', event: getMsi(MSI_IOVA_BASE, ENODEV), when: vfio },
    ...(design.replaceCarriesMsiPages ? [] : [{ by: 'iommufd', event: { ...getMsi(MSI_IOVA_BASE), caller: 'iommufd_group_setup_msi' }, when: (w: World) => w.alive && w.idle && w.made === MADE.iommufd && w.type === TYPE.UNMANAGED && w.cookie === COOKIE.none }]),
    { by: 'driver', event: { type: 'iommu_set_fault_handler' }, when: (w) => w.alive && w.idle && w.made === MADE.driver },
    { by: 'driver', event: userMap(0x100000000), map: MAP.user, when: (w) => mine(w) && !w.mapped, does: (w) => { w.mapped = true; } },
    { by: 'vfio', event: userMap(MSI_IOVA_BASE), map: MAP.user, when: (w) => mine(w) && w.made === MADE.vfio && !w.taken(MSI_IOVA_BASE), does: (w) => { w.mappedInWindow = true; } },
    { by: 'driver', event: { type: 'iommu_unmap', iova: hex(0x100000000), size: PAGE_SIZE }, when: (w) => mine(w) && w.mapped, does: (w) => { w.mapped = false; } },
    // a driver's op returns a domain that is in use already
    { by: 'iommufd', event: { type: 'iommufd_hwpt_paging_alloc', hwpt: '0xffff0000045894e0' }, when: (w) => handedOut(w) && w.state !== STATE.iommufd_owned, does: (w) => { w.shared = true; } },
    { by: 'driver', event: { type: 'iommu_sva_domain_alloc' }, when: (w) => handedOut(w) && w.state !== STATE.sva_owned, does: (w) => { w.shared = true; } },
  ];
}

const handedOut = (w: World): boolean => w.alive && w.idle && !w.shared && w.made !== MADE.defaultIdentity && w.state > STATE.unowned;

function groups(design: Design): Step[] {
  return [0, 1].flatMap((g): Step[] => [
    // iommufd_group_setup_msi: a group that comes from another HWPT brings its doorbell along, whoever owns this domain by now
    ...(design.replaceCarriesMsiPages ? [{
      by: 'iommufd', map: MAP.iommufd,
      event: { type: 'iommu_map', iova: hex(MSI_IOVA_BASE), paddr: hex(DOORBELL_PAGE), size: PAGE_SIZE, prot: 0x13, caller: 'iommufd_sw_msi_install', errno: 0 },
      when: (w: World) => w.alive && w.idle && w.made === MADE.iommufd && w.type === TYPE.UNMANAGED && !w.attached[g] && (g === 0 || w.attached[0]) && !w.taken(MSI_IOVA_BASE),
    }] : []),
    {
      by: 'iommu core', event: { type: 'iommu_group_set_domain', group: g + 1, device: DEVICES[g], errno: 0 },
      when: (w: World) => w.alive && w.idle && !w.attached[g] && (g === 0 || w.attached[0]) && !(w.made === MADE.defaultDma && w.state === STATE.unowned),
      does: (w: World) => { w.attached[g] = true; },
    },
    {
      by: 'iommu core', event: { type: 'iommu_group_set_domain', group: g + 1, device: DEVICES[g], domain: OTHER_DOMAIN, errno: 0 }, machine: 'detached' as const,
      when: (w: World) => w.alive && w.idle && w.attached[g] && (g === 1 || !w.attached[1]),
      does: (w: World) => { w.attached[g] = false; },
    },
  ]);
}

/** iommu_dma_prepare_msi of each group's device: look for the page, map it where it is not listed, answer. */
function msis(design: Design): Step[] {
  const asPosted = design.automaticHwptIsNull;
  const backend = (w: World): number => {
    if ((w.state === STATE.dma_owned || w.state === STATE.msi_owned) && w.cookie !== COOKIE.none) return MAP.dma;
    return w.state === STATE.iommufd_owned && w.type !== TYPE.NESTED && !(asPosted && w.hwptIsNull) ? MAP.iommufd : NONE;
  };
  return [0, 1].flatMap((g) => {
    const other = 1 - g;
    const ready = (w: World): boolean => w.alive && w.attached[g] && w.flight[g] === FLIGHT.none && (w.flight[other] === FLIGHT.none || !design.msiPrepareLock);
    // Another group's page counts as listed only when that call has come to its end.
    const misses = (w: World, b: number): boolean => backend(w) === b && (!w.listed(b) || (b === MAP.dma && w.flight[other] === FLIGHT.mapped));
    const prepare = (errno?: number): CallMembers => ({ type: 'iommu_dma_prepare_msi', device: DEVICES[g], msi_index: 0, msi_addr: DOORBELL, ...(errno && { errno }) });
    const map = (b: number, iova: number, errno: number, when: (w: World) => boolean): Step => ({
      by: 'irqchip', map: b,
      event: { type: 'iommu_map', iova: hex(iova), paddr: hex(DOORBELL_PAGE), size: PAGE_SIZE, prot: b === MAP.dma ? 0x1a : 0x13, caller: b === MAP.dma ? 'iommu_dma_get_msi_page' : 'iommufd_sw_msi_install', errno },
      when: (w) => ready(w) && misses(w, b) && when(w),
      does: (w) => { w.flight[g] = errno === 0 ? FLIGHT.mapped : FLIGHT.failed; },
    });
    const linear = [MSI_IOVA_BASE, MSI_IOVA_BASE + PAGE_SIZE, MSI_IOVA_BASE + 2 * PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, FAR, FAR + PAGE_SIZE];
    const topDown = [0xfffff000, 0xffffe000];
    return [
      ...linear.flatMap((iova) => [
        map(MAP.dma, iova, 0, (w) => w.msiNext === iova && !w.taken(iova)),
        map(MAP.dma, iova, EEXIST, (w) => w.msiNext === iova && w.taken(iova)),
      ]),
      map(MAP.dma, MSI_IOVA_BASE + 0x800, EINVAL, (w) => w.msiNext === MSI_IOVA_BASE + 0x800),
      ...topDown.map((iova, n) => map(MAP.dma, iova, 0, (w) => w.cookie === COOKIE.dma && !w.taken(iova) && topDown.slice(0, n).every((higher) => w.taken(higher)))),
      map(MAP.iommufd, MSI_IOVA_BASE, 0, (w) => !w.taken(MSI_IOVA_BASE)),
      map(MAP.iommufd, MSI_IOVA_BASE, EEXIST, (w) => w.taken(MSI_IOVA_BASE)),
      // a page that is listed, none to be had (IOVA 0), or no back end
      { by: 'irqchip', event: prepare(), when: (w: World) => ready(w) && w.idle && (backend(w) === NONE || w.listed(backend(w)) || w.msiNext === 0) },
      { by: 'irqchip', event: prepare(ENOMEM), when: (w: World) => ready(w) && w.idle && backend(w) === MAP.iommufd && !w.listed(MAP.iommufd) },
      { by: 'irqchip', event: prepare(), when: (w: World) => w.alive && w.flight[g] !== FLIGHT.none, does: (w: World) => { w.flight[g] = FLIGHT.none; } },
    ];
  });
}

/** iommu_domain_free by whoever owns the domain, and the put inside of it. */
function ends(design: Design): Step[] {
  const inFree = (type: CallMembers['type'], when: (w: World) => boolean): Step => ({ by: 'iommu core', event: { type, caller: 'iommu_domain_free' }, when: (w) => w.isFreed && !w.put && w.releasing && when(w), does: (w) => { w.put = true; } });
  return [
    { by: 'owner', event: { type: 'iommu_domain_free' }, when: (w) => w.alive && w.idle && !w.used && !w.mapped && !w.mappedInWindow && w.made !== MADE.defaultIdentity },
    ...(design.ownerMember === 'cookie_type'
      ? [inFree('iommu_put_dma_cookie', (w) => w.cookie === COOKIE.dma), inFree('iommu_put_msi_cookie', (w) => w.cookie === COOKIE.msi)]
      : [inFree('iommu_put_dma_cookie', () => true)]),
  ];
}

/** What nobody should do and nothing prevents. iommu_put_msi_cookie exists from cookie_type on. */
function strangers(design: Design): Step[] {
  const any = (event: CallMembers, more: Partial<Step> = {}): Step => ({ by: 'stranger', event, when: (w) => w.alive && w.idle, ...more });
  return [
    any({ type: 'iommu_get_msi_cookie', base: hex(MSI_IOVA_BASE) }),
    any({ type: 'iommu_get_dma_cookie' }),
    any({ type: 'iommu_set_fault_handler' }),
    any({ type: 'iommu_domain_free' }),
    any({ type: 'iommu_put_dma_cookie' }),
    ...(design.ownerMember === 'cookie_type' ? [any({ type: 'iommu_put_msi_cookie' })] : []),
    any({ type: 'iommu_unmap', iova: hex(MSI_IOVA_BASE), size: PAGE_SIZE }, { when: (w) => w.alive && w.idle && !w.mappedInWindow && w.taken(MSI_IOVA_BASE) }),
    any({ type: 'iommu_map', iova: hex(0x200000000), paddr: '0x45fe6000', size: PAGE_SIZE, prot: 7 }, { map: MAP.user, when: (w) => w.alive && w.idle && (w.type & 1) === 0 }),
  ];
}

/** Calls with a pointer that is dead. */
function afterwards(): Step[] {
  const late = (type: CallMembers['type'], more: object = {}): Step => ({ by: 'stranger', event: { type, ...more }, when: (w) => w.isFreed });
  return [
    late('iommu_get_msi_cookie', { base: hex(MSI_IOVA_BASE) }),
    late('iommu_domain_free'),
    { ...late('iommu_put_dma_cookie'), when: (w) => w.isFreed && !w.releasing },
    late('iommu_dma_prepare_msi', { device: DEVICES[0], msi_index: 0, msi_addr: DOORBELL }),
  ];
}
