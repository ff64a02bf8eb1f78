/**
 * `struct iommu_domain` of every design, member for member as the C source declares it, and the kernel's own
 * names for the values in its first word. Nothing here is an offset: projections/domain-struct.ts computes those.
 * Truth: include/linux/iommu.h at the tag, commit or mail named by each declaration's `source`.
 * Left out on purpose: comments and kernel-doc of the members, and every 32-bit target.
 */

/** A data member: `ctype name;`, or `ctype name:bits;`; a function pointer has its `(*)` in `ctype`. */
export interface CField {
  readonly kind: 'field';
  readonly ctype: string;
  readonly name: string;
  readonly bits?: number;
  /** Kconfig symbol whose `#if IS_ENABLED()` surrounds the member. */
  readonly config?: 'CONFIG_IRQ_MSI_IOMMU';
}

/** A struct or union written inside another one; without `name` its members belong to the outer one. */
export interface CAggregate {
  readonly kind: 'struct' | 'union';
  readonly tag?: string;
  readonly name?: string;
  readonly members: readonly CMember[];
}

/** Anything that stands between the braces of a struct or union. */
export type CMember = CField | CAggregate;

/** A design's declaration, with the size and the bytes lost in top-level holes that the compiler must arrive at. */
export interface CStruct {
  readonly source: string;
  readonly members: readonly CMember[];
  readonly size: number;
  /** Size where the `config` members are compiled out. */
  readonly sizeWithoutMsi: number;
  readonly holes: number;
}

/** Size and alignment of the C types used here on 64-bit Linux; every pointer has 8 and 8. Units: bytes. */
export const CTYPES: Readonly<Record<string, { readonly size: number; readonly align: number }>> = {
  bool: { size: 1, align: 1 },
  int: { size: 4, align: 4 },
  unsigned: { size: 4, align: 4 },
  u32: { size: 4, align: 4 },
  'enum iommu_domain_cookie_type': { size: 4, align: 4 },
  u64: { size: 8, align: 8 },
  'unsigned long': { size: 8, align: 8 },
  dma_addr_t: { size: 8, align: 8 },
  iommu_fault_handler_t: { size: 8, align: 8 }, // a pointer behind a typedef
  'struct list_head': { size: 16, align: 8 },
};

const field = (ctype: string, name: string): CField => ({ kind: 'field', ctype, name });
const bitfield = (ctype: string, name: string, bits: number): CField => ({ kind: 'field', ctype, name, bits });
const struct = (...members: CMember[]): CAggregate => ({ kind: 'struct', members });
const union = (...members: CMember[]): CAggregate => ({ kind: 'union', members });

const TYPE = field('unsigned', 'type');
const OPS = field('const struct iommu_domain_ops *', 'ops');
const DIRTY_OPS = field('const struct iommu_dirty_ops *', 'dirty_ops');
/** Whose domain_alloc we came from; not the owner of the private data. */
const OWNER = field('const struct iommu_ops *', 'owner');
const PGSIZE_BITMAP = field('unsigned long', 'pgsize_bitmap');
const GEOMETRY: CAggregate = {
  kind: 'struct',
  tag: 'iommu_domain_geometry',
  name: 'geometry',
  members: [field('dma_addr_t', 'aperture_start'), field('dma_addr_t', 'aperture_end'), field('bool', 'force_aperture')],
};
const IOVA_COOKIE = field('struct iommu_dma_cookie *', 'iova_cookie');
const MSI_COOKIE = field('struct iommu_dma_msi_cookie *', 'msi_cookie');
const IOMMUFD_HWPT = field('struct iommufd_hw_pagetable *', 'iommufd_hwpt');
const COOKIE_TYPE = field('enum iommu_domain_cookie_type', 'cookie_type');
const IOPF_HANDLER = field('int (*)(struct iopf_group *group)', 'iopf_handler');
const SW_MSI: CField = {
  ...field('int (*)(struct iommu_domain *domain, struct msi_desc *desc, phys_addr_t msi_addr)', 'sw_msi'),
  config: 'CONFIG_IRQ_MSI_IOMMU',
};
const FAULT_HANDLER = struct(field('iommu_fault_handler_t', 'handler'), field('void *', 'handler_token'));
const SVA = struct(field('struct mm_struct *', 'mm'), field('int', 'users'), field('struct list_head', 'next'));

const V6_12: CStruct = {
  source: 'v6.12 include/linux/iommu.h struct iommu_domain',
  members: [
    TYPE, OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOVA_COOKIE, IOPF_HANDLER,
    field('void *', 'fault_data'),
    union(FAULT_HANDLER, SVA),
  ],
  size: 120,
  sizeWithoutMsi: 120,
  holes: 4,
};

const SW_MSI_POINTER: CStruct = {
  source: 'commits 748706d7ca06 + 40f5175d0eb7 include/linux/iommu.h struct iommu_domain',
  members: [
    TYPE, OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOVA_COOKIE, IOPF_HANDLER, SW_MSI,
    union(IOMMUFD_HWPT),
    union(FAULT_HANDLER, SVA),
  ],
  size: 128,
  sizeWithoutMsi: 120,
  holes: 4,
};

const PRIVATE_DATA_OWNER: CStruct = {
  source: '[PATCH v2 1/4] iommu: Add private_data_owner to iommu_domain, 45c03a1bc86528c9194589cc3a5afe3eb2a15c9e.1740705776.git.nicolinc@nvidia.com',
  members: [
    bitfield('u32', 'type', 30),
    bitfield('u32', 'private_data_owner', 2),
    OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOVA_COOKIE, IOPF_HANDLER, SW_MSI,
    union(IOMMUFD_HWPT),
    union(FAULT_HANDLER, SVA),
  ],
  size: 128,
  sizeWithoutMsi: 120,
  holes: 4,
};

const PRIVATE_DATA_OWNER_V2: CStruct = {
  source: 'the same series after 4/4 (mail e0ec920dd80c): sw_msi removed, iova_cookie in the union with iommufd_hwpt',
  members: [
    bitfield('u32', 'type', 30),
    bitfield('u32', 'private_data_owner', 2),
    OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOPF_HANDLER,
    union(IOVA_COOKIE, IOMMUFD_HWPT),
    union(FAULT_HANDLER, SVA),
  ],
  size: 112,
  sizeWithoutMsi: 112,
  holes: 4,
};

const ONE_UNION = union(IOVA_COOKIE, MSI_COOKIE, IOMMUFD_HWPT, FAULT_HANDLER, SVA);

const COOKIE_TYPE_UNION: CStruct = {
  source: 'v6.15 (commit 06d54f00f3f5) include/linux/iommu.h struct iommu_domain; until 7.0.10',
  members: [TYPE, COOKIE_TYPE, OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOPF_HANDLER, ONE_UNION],
  size: 104,
  sizeWithoutMsi: 104,
  holes: 0,
};

const V7_3: CStruct = {
  source: 'v7.3 include/linux/iommu.h struct iommu_domain; in 7.0.12 and 7.0.13 too (99fb8afa16ad backported)',
  members: [
    TYPE, COOKIE_TYPE,
    field('bool', 'is_iommupt'),
    OPS, DIRTY_OPS, OWNER, PGSIZE_BITMAP, GEOMETRY, IOPF_HANDLER, ONE_UNION,
  ],
  size: 112,
  sizeWithoutMsi: 112,
  holes: 7,
};

const STRUCTS = {
  'v6.12': V6_12,
  'sw-msi': SW_MSI_POINTER,
  'private-data-owner': PRIVATE_DATA_OWNER,
  'private-data-owner-guard': PRIVATE_DATA_OWNER,
  'private-data-owner-v2': PRIVATE_DATA_OWNER_V2,
  'cookie-type': COOKIE_TYPE_UNION,
  'v7.3': V7_3,
} as const satisfies Record<string, CStruct>;

/** Id of a kernel design (CONTRACT: "Designs"). */
export type DesignId = keyof typeof STRUCTS;

/** Returns every design id. Order: as in CONTRACT, oldest kernel first. */
export function designIds(): DesignId[] {
  return Object.keys(STRUCTS) as DesignId[];
}

/** Returns whether a text is the id of a design. */
export function isDesignId(id: string): id is DesignId {
  return Object.hasOwn(STRUCTS, id);
}

/** Returns a design's declaration of `struct iommu_domain`, before the preprocessor. */
export function structOf(design: DesignId): CStruct {
  return STRUCTS[design];
}

/**
 * Returns the bitfields by which `struct msi_desc` names the IOVA of its doorbell.
 * Source: include/linux/msi.h `struct msi_desc` from 6.12.31 on, under CONFIG_IRQ_MSI_IOMMU; earlier it was a pointer.
 */
export const MSI_DESC_IOMMU: readonly CMember[] = [bitfield('u64', 'iommu_msi_iova', 58), bitfield('u64', 'iommu_msi_shift', 6)];

/** Values of `iommu_domain.type`. Source: include/linux/iommu.h `IOMMU_DOMAIN_*` at v6.12 and v7.3, the same in both. */
export const DOMAIN_TYPES = {
  IOMMU_DOMAIN_BLOCKED: 0x00,
  IOMMU_DOMAIN_IDENTITY: 0x04,
  IOMMU_DOMAIN_UNMANAGED: 0x01,
  IOMMU_DOMAIN_DMA: 0x03,
  IOMMU_DOMAIN_DMA_FQ: 0x0b,
  IOMMU_DOMAIN_SVA: 0x10,
  IOMMU_DOMAIN_PLATFORM: 0x20,
  IOMMU_DOMAIN_NESTED: 0x40,
} as const;

/** Values of `iommu_domain.private_data_owner`; 3 is undefined. Source: the mail named at `private-data-owner`. */
export const PRIVATE_DATA_OWNERS = {
  IOMMU_DOMAIN_DATA_OWNER_NONE: 0,
  IOMMU_DOMAIN_DATA_OWNER_DMA: 1,
  IOMMU_DOMAIN_DATA_OWNER_IOMMUFD: 2,
} as const;

/** Values of `enum iommu_domain_cookie_type`. Source: include/linux/iommu.h at v6.15 and v7.3. */
export const COOKIE_TYPES = {
  IOMMU_COOKIE_NONE: 0,
  IOMMU_COOKIE_DMA_IOVA: 1,
  IOMMU_COOKIE_DMA_MSI: 2,
  IOMMU_COOKIE_FAULT_HANDLER: 3,
  IOMMU_COOKIE_SVA: 4,
  IOMMU_COOKIE_IOMMUFD: 5,
} as const;

/** Widest `private_data_owner` that leaves `type` room for its largest value. Units: bits of the 32-bit word. */
export const OWNER_BITS_MAX = Math.clz32(Math.max(...Object.values(DOMAIN_TYPES)));

const names = (values: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(values).map(([name, value]) => [value, name]));

/** The C name of each domain type value; no entry for a value that the kernel does not define. */
export const DOMAIN_TYPE_NAMES = names(DOMAIN_TYPES);
/** The C name of each private_data_owner value; no entry for 3. */
export const PRIVATE_DATA_OWNER_NAMES = names(PRIVATE_DATA_OWNERS);
/** The C name of each cookie_type value; no entry for a value that the kernel does not define. */
export const COOKIE_TYPE_NAMES = names(COOKIE_TYPES);
