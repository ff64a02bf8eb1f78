/**
 * The states of one domain incarnation and the answers a design can give (CONTRACT: "States").
 * Codes are array indexes of the compiled table; names are what is printed.
 */
import { EVENT_TYPES, type EventType } from '../events/event-types.ts';

/** States in the order of their codes. */
export const STATES = [
  'unknown',
  'unowned',
  'dma_owned',
  'msi_owned',
  'iommufd_owned',
  'fault_handler_owned',
  'sva_owned',
  'freed',
] as const;
/** Name of a state. */
export type State = (typeof STATES)[number];

/** Code of each state. */
export const STATE = Object.fromEntries(STATES.map((name, code) => [name, code])) as Record<State, number>;

/** States in which a domain is alive and its owner is known. */
export const LIVING = ['unowned', 'dma_owned', 'msi_owned', 'iommufd_owned', 'fault_handler_owned', 'sva_owned'] as const;

/** What a design does about a call; the words of rules.json. */
export const OUTCOMES = [
  'accepted',
  'rejected',
  'rejected-warn',
  'ignored-warn',
  'overwrites',
  'noop',
  'leak',
  'use-after-free',
  'double-free',
  'type-confusion',
  'null-deref',
  'bug',
  'undetected',
  'not-applicable',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/**
 * Events of the machine besides the recorded kernel calls: what memory showed (`observed.*`), a loss of events (`gap`),
 * and a group that went to another domain (`detached`).
 */
export const OBSERVED = LIVING.map((s) => `observed.${s}` as const);
export const MACHINE_EVENTS = [...EVENT_TYPES, ...OBSERVED, 'gap', 'detached'] as const;
export type MachineEventType = EventType | (typeof OBSERVED)[number] | 'gap' | 'detached';

/** Column code of each machine event; the first are the codes of `KIND`. */
export const MACHINE_EVENT = Object.fromEntries(MACHINE_EVENTS.map((name, code) => [name, code])) as Record<MachineEventType, number>;

/** `iommu_domain.type` values. Source: include/linux/iommu.h __IOMMU_DOMAIN_*. */
export const TYPE = {
  BLOCKED: 0x00,
  UNMANAGED: 0x01,
  DMA: 0x03,
  IDENTITY: 0x04,
  DMA_FQ: 0x0b,
  SVA: 0x10,
  PLATFORM: 0x20,
  NESTED: 0x40,
} as const;

/** `type` of a domain that nothing has told yet. */
export const TYPE_UNKNOWN = 0xffffffff;

/** errno values with the kernel's sign. */
export const EPERM = -1;
export const ENOMEM = -12;
export const EBUSY = -16;
export const EEXIST = -17;
export const ENODEV = -19;
export const EINVAL = -22;
export const EOVERFLOW = -75;
export const EOPNOTSUPP = -95;

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  [EPERM]: 'EPERM', [ENOMEM]: 'ENOMEM', [EBUSY]: 'EBUSY', [EEXIST]: 'EEXIST', [ENODEV]: 'ENODEV', [EINVAL]: 'EINVAL',
  [EOVERFLOW]: 'EOVERFLOW', [EOPNOTSUPP]: 'EOPNOTSUPP', [-2]: 'ENOENT', [-14]: 'EFAULT', [-28]: 'ENOSPC',
  [-34]: 'ERANGE', [-98]: 'EADDRINUSE', [-517]: 'EPROBE_DEFER',
};

/** `0`, `-EEXIST`, or `-NUMBER` for an errno without a name here. */
export function errnoText(errno: number): string {
  return errno === 0 ? '0' : ERRNO_NAMES[errno] ? `-${ERRNO_NAMES[errno]}` : String(errno);
}

/** MSI page size that VFIO cookies and iommufd use here, and the window they must stay in (arm-smmu-v3.h:661). */
export const PAGE_SIZE = 4096;
export const MSI_IOVA_BASE = 0x8000000;
export const MSI_IOVA_LENGTH = 0x100000;
/** Protection bits: dma-iommu maps WRITE|NOEXEC|MMIO, iommufd READ|WRITE|MMIO. */
export const PROT_DMA_MSI = 0x1a;
export const PROT_IOMMUFD_MSI = 0x13;
/** `iommufd_sw_msi_maps` is a 64-bit bitmap. */
export const IOMMUFD_SW_MSI_IDS = 64;
