/**
 * One line of a probe, taken apart: which function, entry or return, who ran it when, and its fields as numbers.
 * A reader fills the one `ProbeLine` it owns for each line and hands it to `calls.ts`; nothing is allocated per line.
 * A probe is known by the function in its line, its fields by the C names and the aliases below.
 */

/** Kernel functions that say something about ownership. The name in the trace finds the number. */
export const FUNCTIONS = [
  '__iommu_paging_domain_alloc_flags', '__iommu_domain_alloc', '__iommu_alloc_identity_domain',
  'iommu_paging_domain_alloc_flags', 'iommu_paging_domain_alloc', 'iommu_domain_alloc', 'iommu_group_alloc_default_domain',
  'iommu_get_dma_cookie', 'iommu_get_msi_cookie', 'iommu_put_dma_cookie', 'iommu_put_msi_cookie',
  'iommu_domain_free', 'iommu_set_fault_handler', 'iommu_sva_domain_alloc',
  'iommufd_hwpt_paging_alloc', 'iommufd_hwpt_nested_alloc', 'iommufd_viommu_alloc_hwpt_nested',
  '__iommu_group_set_domain_internal', '__iommu_attach_device', '__iommu_device_set_domain',
  'iommu_attach_group', 'iommu_attach_device', 'iommu_attach_group_handle', 'iommu_replace_group_handle',
  'iommu_group_claim_dma_owner', 'iommu_device_claim_dma_owner', 'iommu_group_release_dma_owner', 'iommu_device_release_dma_owner',
  'iommu_dma_prepare_msi', 'iommu_dma_sw_msi', 'iommufd_sw_msi', 'iommu_dma_get_msi_page',
  'iommu_map', 'iommu_map_nosync', 'iommu_unmap', '__pci_write_msi_msg', 'iommu_release_device',
] as const;
export type FunctionName = (typeof FUNCTIONS)[number];
export const FN = Object.fromEntries(FUNCTIONS.map((name, n) => [name, n])) as Record<FunctionName, number>;

/** Fields that are used; `old_` is group->domain before a call, `cur_` after it. */
export const FIELDS = [
  'ret', 'dom', 'dtype', 'ctype', 'cookie', 'cktype', 'word', 'owner', 'swmsi',
  'old_dom', 'old_dtype', 'old_ctype', 'old_cookie', 'old_cktype', 'old_word', 'old_owner',
  'cur_dom', 'cur_dtype', 'cur_ctype', 'cur_cookie', 'cur_cktype', 'cur_word', 'cur_owner',
  'dev', 'grp', 'base', 'iova', 'paddr', 'size', 'prot', 'msi_addr', 'msi_index', 'iova_pfn', 'shift', 'alo', 'ahi', 'data', 'hwpt', 'want',
] as const;
export type FieldName = (typeof FIELDS)[number];
export const F = Object.fromEntries(FIELDS.map((name, n) => [name, n])) as Record<FieldName, number>;

/** Other names of the same fields: C parameters and members, and what people call them. */
const ALIASES: Readonly<Record<string, FieldName>> = {
  domain: 'dom', type: 'dtype', cookie_type: 'ctype', iova_cookie: 'cookie', private_data_owner: 'owner', sw_msi: 'swmsi',
  device: 'dev', group: 'grp', gid: 'grp', pa: 'paddr', phys: 'paddr', address_lo: 'alo', address_hi: 'ahi', lo: 'alo', hi: 'ahi',
  groupID: 'grp',
  iommu_msi_iova: 'iova_pfn', iommu_msi_shift: 'shift', req_type: 'want', new_domain: 'dom', old: 'old_dom', new: 'dom',
};

/** What a line is. */
export const LINE = { entry: 0, return: 1, tracepoint: 2 } as const;
/** Tracepoints of `events/iommu` that are used. */
export const TRACEPOINTS = ['map', 'attach_device_to_domain', 'add_device_to_group', 'remove_device_from_group'] as const;
export const TP = { map: 0, attach_device_to_domain: 1, add_device_to_group: 2, remove_device_from_group: 3 } as const;

/** The line in hand: filled by a reader, read by `calls.ts`. */
export class ProbeLine {
  /** Fills task, cpu and time, which only lines that become events need; set by the reader, called by `calls.ts`. */
  complete: () => void = () => {};
  kind = 0;
  /** A number of `FN`, or of `TP` for a tracepoint. */
  fn = -1;
  /** Tells two probes on one function apart: hash of the event's name, and of the place in the function at an entry. */
  probe = 0;
  line = 0;
  sec = 0;
  nsec = 0;
  digits = 0;
  /** -1 where the recording does not say. */
  cpu = 0;
  pid = 0;
  /** Interned task name, caller symbol and device name; 0 where there is none. */
  task = 0;
  caller = 0;
  dev = 0;
  readonly lo = new Uint32Array(FIELDS.length);
  readonly hi = new Uint32Array(FIELDS.length);
  private readonly stamp = new Int32Array(FIELDS.length);
  private now = 0;

  /** Forgets all fields. */
  clear(): void {
    this.now++;
    this.dev = 0;
    this.caller = 0;
  }
  has(field: number): boolean {
    return this.stamp[field] === this.now;
  }
  set(field: number, lo: number, hi: number): void {
    this.stamp[field] = this.now;
    this.lo[field] = lo;
    this.hi[field] = hi;
  }
  /**
   * Sets fields of a binary record from 32-bit words. `plan`: pairs of field and place, counted in words from `at`; 64-bit
   * fields first, `wide` numbers of it, then 32-bit ones, a signed one as ~field. `low`: where a 64-bit number has its low half.
   */
  fill(plan: Int32Array, wide: number, words: Uint32Array, at: number, low: number): void {
    const { lo, hi, stamp, now } = this;
    let n = 0;
    for (; n < wide; n += 2) {
      const field = plan[n];
      const w = at + plan[n + 1];
      stamp[field] = now;
      lo[field] = words[w + low];
      hi[field] = words[w + 1 - low];
    }
    for (; n < plan.length; n += 2) {
      const value = words[at + plan[n + 1]];
      const sign = plan[n] >> 31;
      const field = plan[n] ^ sign;
      stamp[field] = now;
      lo[field] = value;
      hi[field] = (value >> 31) & sign;
    }
  }
  /** A signed 32-bit field, as `ret=-17`. */
  int(field: number): number {
    return this.lo[field] | 0;
  }
}

/** Names found by hash: the reader hashes bytes as it walks over them and asks once. `capacity` is a power of two. */
export class NameTable {
  private readonly mask: number;
  private readonly hashes: Int32Array;
  private readonly lengths: Int32Array;
  private readonly values: Int32Array;

  constructor(capacity: number) {
    this.mask = capacity - 1;
    this.hashes = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
    this.values = new Int32Array(capacity).fill(-1);
  }

  /** Adds a name by its hash and length. At most half of the capacity may be used. */
  add(h: number, length: number, value: number): void {
    let at = (h ^ (h >>> 15)) & this.mask;
    while (this.values[at] >= 0) at = (at + 1) & this.mask;
    this.hashes[at] = h;
    this.lengths[at] = length;
    this.values[at] = value;
  }

  /** Value of the name with this hash and length, or -1. */
  find(h: number, length: number): number {
    for (let at = (h ^ (h >>> 15)) & this.mask; this.values[at] >= 0; at = (at + 1) & this.mask) {
      if (this.hashes[at] === h && this.lengths[at] === length) return this.values[at];
    }
    return -1;
  }
}

/** One step of the name hash: call with each byte in turn, starting at 0. */
export const hashByte = (h: number, byte: number): number => (Math.imul(h, 31) + byte) | 0;

/** Hash of a whole ASCII name. */
export function hashName(name: string): number {
  let h = 0;
  for (let i = 0; i < name.length; i++) h = hashByte(h, name.charCodeAt(i));
  return h;
}

function nameTable(names: readonly (readonly [string, number])[]): NameTable {
  const table = new NameTable(512);
  for (const [name, value] of names) table.add(hashName(name), name.length, value);
  return table;
}

/** Function names → `FN`. */
export const functionTable = nameTable([...FUNCTIONS.map((name, n) => [name, n] as const), ['pci_write_msi_msg', FN.__pci_write_msi_msg]]);
/** Field names and aliases → `F`. */
export const fieldTable = nameTable([...FIELDS.map((name, n) => [name, n] as const), ...Object.entries(ALIASES).map(([alias, name]) => [alias, F[name]] as const)]);
/** Tracepoint names → `TP`. */
export const tracepointTable = nameTable(TRACEPOINTS.map((name, n) => [name, n] as const));
