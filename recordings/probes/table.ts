/**
 * What to record: every probe with its fields, once; what each tool is told is made from this table and from the kernel's type
 * information. Names of events and fields are those of the recordings in test/recordings (README.md there, "Events").
 * A field is `name=PATH:format`; PATH starts at a parameter or at `$retval` and goes on as in C. Formats are those of tracefs.
 * Source: KERNEL.md 9.4, "What to record so that replay is exact"; functions of drivers/iommu at v6.12 and v7.3.
 */

/** The fields that tell a domain's words, behind a pointer to it: what there is of them depends on the kernel. */
export interface Words {
  readonly pointer: string;
  readonly prefix: '' | 'old_' | 'cur_' | 'def_';
}

/** One probe. */
export interface ProbeSpec {
  readonly event: string;
  readonly function: string;
  readonly at: 'entry' | 'return';
  readonly fields: readonly (string | Words)[];
  /** What is lost where the kernel has no such function. */
  readonly costs: string;
  /** Functions and tracepoints that tell the same: where one of them is there, nothing is lost. */
  readonly instead?: readonly string[];
  /** The module that has the function, which the type information of vmlinux lacks. */
  readonly module?: string;
  /** For the person who reads the trace; the audit does not use it. */
  readonly context?: true;
}

const words = (pointer: string, prefix: Words['prefix'] = ''): Words => ({ pointer, prefix });
const RET = 'ret=$retval:s32';
const DEV = 'dev=dev->kobj.name:string';
const GRP = 'grp=group->id:u32';
const MSI = ['dev=desc->dev->kobj.name:string', 'msi_index=desc->msi_index:u32', 'msi_addr=msi_addr:x64'] as const;
const MAPPING = ['dom=domain:x64', 'iova=iova:x64', 'paddr=paddr:x64', 'size=size:x64', 'prot=prot:x32'] as const;
const HWPT = ['hwpt=$retval:x64', words('$retval->common.domain')] as const;
const NEW_ALLOCATORS = ['__iommu_paging_domain_alloc_flags', 'iommu_paging_domain_alloc_flags'] as const;
const REUSE = 'an address that is used again cannot be told from a use after free';
const OWNERS = 'an owner that changed is held against nobody';
const ATTACHED = 'which device is on which domain is told by the other attach calls only';
const REFUSED = 'an attach that was refused early is not seen';
const CLAIMS = 'who owns a group is not known';
const NO_IOMMUFD = 'domains of iommufd are first seen in mid-life';

/** Every probe. Order: as the life of a domain goes; it is the order of the definitions. */
export const PROBES: readonly ProbeSpec[] = [
  { event: 'domain_alloc', function: 'iommu_paging_domain_alloc_flags', at: 'return', fields: [DEV, words('$retval')], costs: REUSE, instead: ['iommu_paging_domain_alloc'] },
  { event: 'domain_alloc_in', function: '__iommu_paging_domain_alloc_flags', at: 'return', fields: [DEV, 'want=type:x32', words('$retval')], costs: `${REUSE}; default domains are first seen in mid-life`, instead: ['__iommu_domain_alloc'] },
  { event: 'domain_alloc', function: 'iommu_paging_domain_alloc', at: 'return', fields: [DEV, words('$retval')], costs: REUSE, instead: NEW_ALLOCATORS },
  { event: 'domain_alloc_in', function: '__iommu_domain_alloc', at: 'return', fields: [DEV, 'want=type:x32', words('$retval')], costs: REUSE, instead: NEW_ALLOCATORS },
  { event: 'domain_alloc_old', function: 'iommu_domain_alloc', at: 'return', fields: [words('$retval')], costs: REUSE, instead: NEW_ALLOCATORS },
  { event: 'identity_alloc', function: '__iommu_alloc_identity_domain', at: 'return', fields: [DEV, words('$retval')], costs: 'identity domains are first seen in mid-life' },
  { event: 'default_alloc', function: 'iommu_group_alloc_default_domain', at: 'return', fields: [words('$retval')], costs: REUSE, instead: [...NEW_ALLOCATORS, '__iommu_domain_alloc'] },
  { event: 'sva_alloc', function: 'iommu_sva_domain_alloc', at: 'return', fields: [words('$retval')], costs: 'SVA domains are first seen in mid-life' },
  { event: 'get_dma_cookie', function: 'iommu_get_dma_cookie', at: 'entry', fields: [words('domain')], costs: OWNERS },
  { event: 'get_dma_cookie_ret', function: 'iommu_get_dma_cookie', at: 'return', fields: [RET, words('domain')], costs: OWNERS },
  { event: 'get_msi_cookie', function: 'iommu_get_msi_cookie', at: 'entry', fields: ['base=base:x64', words('domain')], costs: OWNERS },
  { event: 'get_msi_cookie_ret', function: 'iommu_get_msi_cookie', at: 'return', fields: [RET, 'base=base:x64', words('domain')], costs: OWNERS },
  { event: 'put_dma_cookie', function: 'iommu_put_dma_cookie', at: 'entry', fields: [words('domain')], costs: 'the release of cookies is not checked' },
  { event: 'put_msi_cookie', function: 'iommu_put_msi_cookie', at: 'entry', fields: [words('domain')], costs: 'nothing before 6.15, where iommu_put_dma_cookie releases both kinds; else their release is not checked' },
  { event: 'domain_free', function: 'iommu_domain_free', at: 'entry', fields: [words('domain')], costs: REUSE },
  { event: 'set_fault_handler', function: 'iommu_set_fault_handler', at: 'entry', fields: [words('domain')], costs: OWNERS },
  { event: 'set_fault_handler_ret', function: 'iommu_set_fault_handler', at: 'return', fields: [words('domain')], costs: OWNERS },
  { event: 'attach_dev', function: '__iommu_attach_device', at: 'return', fields: [RET, DEV, words('domain')], costs: ATTACHED },
  { event: 'dev_set_domain', function: '__iommu_device_set_domain', at: 'return', fields: [RET, DEV, GRP, words('new_domain')], costs: ATTACHED, instead: ['__iommu_attach_device'] },
  { event: 'group_set_domain', function: '__iommu_group_set_domain_internal', at: 'entry', fields: [GRP, words('new_domain'), words('group->domain', 'old_')], costs: 'the domain that a group leaves is not known' },
  { event: 'group_set_domain_ret', function: '__iommu_group_set_domain_internal', at: 'return', fields: [RET, GRP, words('group->domain', 'cur_')], costs: 'whether a group changed its domain is told by the attach of its devices only' },
  { event: 'attach_group_ret', function: 'iommu_attach_group', at: 'return', fields: [RET, GRP, words('domain')], costs: REFUSED },
  { event: 'attach_device_api', function: 'iommu_attach_device', at: 'return', fields: [RET, DEV, words('domain')], costs: REFUSED },
  { event: 'attach_handle', function: 'iommu_attach_group_handle', at: 'return', fields: [RET, GRP, words('domain')], costs: REFUSED },
  { event: 'replace_handle', function: 'iommu_replace_group_handle', at: 'return', fields: [RET, GRP, words('new_domain')], costs: REFUSED },
  { event: 'detach_group', function: 'iommu_detach_group', at: 'entry', fields: [GRP, words('domain')], costs: 'nothing: __iommu_group_set_domain_internal tells it', context: true },
  { event: 'claim_group', function: 'iommu_group_claim_dma_owner', at: 'return', fields: [RET, GRP, 'owner=owner:x64'], costs: CLAIMS },
  { event: 'claim_device', function: 'iommu_device_claim_dma_owner', at: 'return', fields: [RET, DEV, 'owner=owner:x64'], costs: CLAIMS },
  { event: 'release_group', function: 'iommu_group_release_dma_owner', at: 'entry', fields: [GRP, 'owner=group->owner:x64'], costs: CLAIMS },
  { event: 'release_device', function: 'iommu_device_release_dma_owner', at: 'entry', fields: [DEV], costs: CLAIMS },
  { event: 'release_dev', function: 'iommu_release_device', at: 'entry', fields: [DEV], costs: 'a removed device stays on its domain', instead: ['remove_device_from_group'] },
  { event: 'setup_default_ret', function: 'iommu_setup_default_domain', at: 'return', fields: [RET, GRP, words('group->default_domain', 'def_')], costs: 'nothing', context: true },
  { event: 'change_type', function: 'iommu_group_store_type', at: 'return', fields: ['ret=$retval:s64', GRP, 'buf=buf:string'], costs: 'why a default domain changed its type is not told', context: true },
  { event: 'prepare_msi', function: 'iommu_dma_prepare_msi', at: 'entry', fields: [...MSI, words('desc->dev->iommu_group->domain')], costs: 'no MSI is judged; nothing where the platform has a hardware MSI window (x86)' },
  { event: 'prepare_msi_ret', function: 'iommu_dma_prepare_msi', at: 'return', fields: [RET, ...MSI, 'iova_pfn=desc->iommu_msi_iova:u64', 'shift=desc->iommu_msi_shift:u32'], costs: 'no MSI IOVA and no programmed address is checked' },
  { event: 'sw_msi', function: 'iommu_dma_sw_msi', at: 'entry', fields: [words('domain')], costs: 'nothing where prepare_msi names the domain' },
  { event: 'get_msi_page', function: 'iommu_dma_get_msi_page', at: 'return', fields: ['dom=domain:x64'], costs: 'nothing where prepare_msi names the domain' },
  { event: 'fd_sw_msi', function: 'iommufd_sw_msi', at: 'entry', fields: [words('domain')], costs: 'nothing where prepare_msi names the domain' },
  { event: 'write_msg', function: '__pci_write_msi_msg', at: 'entry', fields: ['dev=entry->dev->kobj.name:string', 'msi_index=entry->msi_index:u32', 'alo=msg->address_lo:x32', 'ahi=msg->address_hi:x32', 'data=msg->data:x32'], costs: 'no programmed MSI address is checked' },
  { event: 'dom_map', function: 'iommu_map', at: 'return', fields: [RET, ...MAPPING], costs: 'MSI pages are told by the tracepoint iommu:map only' },
  { event: 'dom_map_nosync', function: 'iommu_map_nosync', at: 'return', fields: [RET, ...MAPPING], costs: 'nothing where iommu_map is probed', instead: ['iommu_map'] },
  { event: 'dom_unmap', function: 'iommu_unmap', at: 'return', fields: ['ret=$retval:x64', 'dom=domain:x64', 'iova=iova:x64', 'size=size:x64'], costs: 'an MSI page that is unmapped is not noticed' },
  { event: 'fd_paging_alloc', function: 'iommufd_hwpt_paging_alloc', at: 'return', fields: HWPT, costs: NO_IOMMUFD, module: 'iommufd' },
  { event: 'fd_nested_alloc', function: 'iommufd_hwpt_nested_alloc', at: 'return', fields: HWPT, costs: NO_IOMMUFD, module: 'iommufd' },
  { event: 'fd_vnested_alloc', function: 'iommufd_viommu_alloc_hwpt_nested', at: 'return', fields: HWPT, costs: NO_IOMMUFD, module: 'iommufd' },
];

/** Static tracepoints of `events/iommu` that the audit uses. Source: include/trace/events/iommu.h at v7.3. */
export const IOMMU_TRACEPOINTS = ['add_device_to_group', 'remove_device_from_group', 'attach_device_to_domain', 'map'] as const;

/** Group of the probes in tracefs. */
export const GROUP = 'iodom';
