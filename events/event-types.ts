/**
 * The names of what can happen, and which column of a batch holds which member.
 * Names are the kernel's C functions; a payload field is the C argument or member (CONTRACT: "An event").
 * This table is the one place that knows the shape: the zod schemas, NDJSON and the readers all follow it.
 */

/** Newest version of the event shape (`v`). */
export const EVENT_VERSION = 1;

/** Event types in the order of their column code (`KIND`). Append only: codes are stored in logs. */
export const EVENT_TYPES = [
  'recording_started',
  'iommu_domain_alloc',
  'iommu_get_dma_cookie',
  'iommu_get_msi_cookie',
  'iommu_put_dma_cookie',
  'iommu_put_msi_cookie',
  'iommufd_hwpt_paging_alloc',
  'iommufd_hwpt_nested_alloc',
  'iommufd_viommu_alloc_hwpt_nested',
  'iommu_set_fault_handler',
  'iommu_sva_domain_alloc',
  'iommu_group_set_domain',
  'iommu_group_claim_dma_owner',
  'iommu_group_release_dma_owner',
  'iommu_dma_prepare_msi',
  'iommu_map',
  'iommu_unmap',
  'pci_write_msi_msg',
  'iommu_domain_free',
  'events_lost',
  'iommu_release_device',
] as const;

/** One of the names in `EVENT_TYPES`. */
export type EventType = (typeof EVENT_TYPES)[number];

/** Column code of each event type. */
export const KIND = Object.fromEntries(EVENT_TYPES.map((name, code) => [name, code])) as Record<EventType, number>;

/** How a member is written in JSON: `0x…` text, a count of bytes, a u32, or text. */
export type Form = 'address' | 'size' | 'number' | 'string';
/** The column of a batch that holds a member. */
export type Slot = 'a' | 'b' | 'c' | 'x' | 'y' | 'device' | 'group' | 'caller';

/** One member of an event type beyond the common ones. */
export interface Member {
  readonly name: string;
  readonly slot: Slot;
  readonly form: Form;
  readonly required: boolean;
}

const member = (name: string, slot: Slot, form: Form, required = true): Member => ({ name, slot, form, required });
const optional = (name: string, slot: Slot, form: Form): Member => member(name, slot, form, false);

const device = optional('device', 'device', 'string');
const group = optional('group', 'group', 'number');
const caller = optional('caller', 'caller', 'string');
const hwpt = optional('hwpt', 'a', 'address');

/**
 * Members of each event type besides the common ones (`time cpu task pid line domain errno before after old`).
 * `caller` is the kernel function that the call returned to, where the recording tells.
 */
export const MEMBERS: Readonly<Record<EventType, readonly Member[]>> = {
  recording_started: [
    optional('kernel', 'a', 'string'),
    optional('arch', 'device', 'string'),
    member('format', 'caller', 'string'),
    member('source', 'b', 'string'),
    optional('design', 'c', 'string'),
  ],
  iommu_domain_alloc: [member('domain_type', 'x', 'number'), device, caller],
  iommu_get_dma_cookie: [caller],
  iommu_get_msi_cookie: [optional('base', 'a', 'address'), caller],
  iommu_put_dma_cookie: [caller],
  iommu_put_msi_cookie: [caller],
  iommufd_hwpt_paging_alloc: [hwpt, caller],
  iommufd_hwpt_nested_alloc: [hwpt, caller],
  iommufd_viommu_alloc_hwpt_nested: [hwpt, caller],
  iommu_set_fault_handler: [caller],
  iommu_sva_domain_alloc: [caller],
  iommu_group_set_domain: [group, optional('old_domain', 'a', 'address'), device, caller],
  iommu_group_claim_dma_owner: [group, optional('owner', 'a', 'address'), device, caller],
  iommu_group_release_dma_owner: [group, optional('owner', 'a', 'address'), device, caller],
  iommu_dma_prepare_msi: [
    device,
    optional('msi_index', 'x', 'number'),
    optional('msi_addr', 'a', 'address'),
    optional('iova', 'b', 'address'),
    optional('iommu_msi_shift', 'y', 'number'),
    caller,
  ],
  iommu_map: [
    member('iova', 'a', 'address'),
    optional('paddr', 'b', 'address'),
    member('size', 'c', 'size'),
    optional('prot', 'x', 'number'),
    caller,
  ],
  iommu_unmap: [member('iova', 'a', 'address'), member('size', 'c', 'size'), caller],
  pci_write_msi_msg: [
    member('device', 'device', 'string'),
    member('msi_index', 'x', 'number'),
    member('address', 'a', 'address'),
    optional('data', 'y', 'number'),
  ],
  iommu_domain_free: [caller],
  events_lost: [member('count', 'x', 'number')],
  iommu_release_device: [member('device', 'device', 'string'), group],
};

/** Event types whose `domain` may be absent: they are about a group, a device or the recording. */
export const DOMAIN_OPTIONAL: ReadonlySet<EventType> = new Set<EventType>([
  'recording_started',
  'events_lost',
  'pci_write_msi_msg',
  'iommu_release_device',
  'iommu_group_claim_dma_owner',
  'iommu_group_release_dma_owner',
  'iommu_dma_prepare_msi',
  'iommu_domain_alloc',
  'iommufd_hwpt_paging_alloc',
  'iommufd_hwpt_nested_alloc',
  'iommufd_viommu_alloc_hwpt_nested',
]);

/** Which words of `struct iommu_domain` were observed: at entry, at return, and of `old_domain` at entry. */
export const BEFORE = 0;
export const AFTER = 1;
export const OLD = 2;
export const WORD_SETS = ['before', 'after', 'old'] as const;

/** Members of an observed word set, with their presence bit. */
export const WORD = {
  type: 1,
  cookie_type: 2,
  private_data_owner: 4,
  word: 8,
  iova_cookie: 16,
  iova_cookie_type: 32,
} as const;
