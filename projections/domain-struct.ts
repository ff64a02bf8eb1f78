/**
 * Where the compiler puts the members of `struct iommu_domain`, and what its first word looks like in memory.
 * The C ABI of 64-bit Linux targets (LP64; bitfields from the least significant bit upwards on little-endian, from the
 * most significant one downwards on big-endian), applied to the declarations in machines/designs/struct-layouts.ts.
 * Truth: the psABIs of AMD64, AArch64 and s390x; checked against compilers and shipped BTF in the tests.
 * Left out on purpose: zero-width and packed bitfields, arrays, 32-bit targets: no design has them.
 */
import { assert } from '../events/problem.ts';
import { CTYPES, MSI_DESC_IOMMU, OWNER_BITS_MAX, structOf } from '../machines/designs/struct-layouts.ts';
import type { CField, CMember, DesignId } from '../machines/designs/struct-layouts.ts';

/** Byte order of memory and, on Linux, of bitfields. */
export type Endian = 'little' | 'big';

/** Byte order of each architecture whose layouts are known. */
export const ARCH_ENDIAN = { arm64: 'little', x86_64: 'little', s390x: 'big', arm64_be: 'big' } as const;
/** Name of an architecture, as `uname -m` of its kernels or their source folder has it. */
export type Arch = keyof typeof ARCH_ENDIAN;

/** Returns whether a text names an architecture whose layouts are known. */
export function isArch(arch: string): arch is Arch {
  return Object.hasOwn(ARCH_ENDIAN, arch);
}

/** `ownerBits`: width of `private_data_owner`, `type` gets the rest (default 2). `irqMsiIommu`: CONFIG_IRQ_MSI_IOMMU (default y). */
export interface LayoutOptions {
  readonly ownerBits?: number;
  readonly irqMsiIommu?: boolean;
}

/**
 * A member with its place. Units: bytes from the start of the outermost struct; for bitfields `offset` and `size` are
 * those of the storage unit and `bitOffset` counts from its least significant bit, whatever the byte order.
 * `hole` is what was left unused before it, `padding` what a struct leaves unused at its end.
 */
export interface Placed {
  readonly member: CMember;
  readonly offset: number;
  readonly size: number;
  readonly hole: number;
  readonly bits?: { readonly bitOffset: number; readonly bitSize: number };
  readonly inner?: PlacedStruct;
}

/** A struct or union with every member in its place. Order: as declared. */
export interface PlacedStruct {
  readonly size: number;
  readonly align: number;
  readonly padding: number;
  readonly members: readonly Placed[];
}

function sizeAndAlign(member: CMember, endian: Endian): { readonly size: number; readonly align: number } {
  if (member.kind !== 'field') return place(member.kind, member.members, endian);
  if (member.ctype.endsWith('*') || member.ctype.includes('(*)')) return { size: 8, align: 8 }; // a pointer
  assert(Object.hasOwn(CTYPES, member.ctype), `size of C type ${member.ctype} is not known`);
  return CTYPES[member.ctype];
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Returns the members of a struct or union in their places, starting at byte `base`. Errors: asserts on an unknown C type. */
function place(kind: 'struct' | 'union', members: readonly CMember[], endian: Endian, base = 0): PlacedStruct {
  const placed: Placed[] = [];
  let at = 0; // next free bit, counted from base
  let end = 0;
  let align = 1;
  for (const member of members) {
    if (kind === 'union') at = 0;
    const { size, align: own } = sizeAndAlign(member, endian);
    const unit = size * 8;
    align = Math.max(align, own);
    if (member.kind === 'field' && member.bits !== undefined) {
      if ((at % unit) + member.bits > unit) at = roundUp(at, unit);
      const skipped = at % unit;
      const bitOffset = endian === 'little' ? skipped : unit - skipped - member.bits;
      placed.push({ member, offset: base + (at - skipped) / 8, size, hole: 0, bits: { bitOffset, bitSize: member.bits } });
      at += member.bits;
    } else {
      const start = roundUp(at, own * 8);
      const offset = base + start / 8;
      const inner = member.kind === 'field' ? {} : { inner: place(member.kind, member.members, endian, offset) };
      placed.push({ member, offset, size, hole: Math.floor((start - at) / 8), ...inner });
      at = start + unit;
    }
    end = Math.max(end, at);
  }
  const size = roundUp(end, align * 8) / 8;
  return { size, align, padding: Math.floor(size - end / 8), members: placed };
}

/**
 * Returns `struct iommu_domain` of a design as the compiler lays it out, with the nesting of the declaration.
 * Errors: asserts that `ownerBits` is from 1 to OWNER_BITS_MAX, and that size and holes are those stated in the declaration.
 */
export function placeDomain(design: DesignId, arch: Arch, { ownerBits = 2, irqMsiIommu = true }: LayoutOptions = {}): PlacedStruct {
  assert(Number.isInteger(ownerBits) && ownerBits >= 1 && ownerBits <= OWNER_BITS_MAX, `ownerBits ${ownerBits}`);
  const { members, size, sizeWithoutMsi, holes } = structOf(design);
  const width = ({ name }: CField): number => (name === 'type' ? 32 - ownerBits : ownerBits);
  const compiled = members
    .filter((member) => member.kind !== 'field' || member.config === undefined || irqMsiIommu)
    .map((member) => (member.kind === 'field' && member.bits !== undefined ? { ...member, bits: width(member) } : member));
  const placed = place('struct', compiled, ARCH_ENDIAN[arch]);
  assert(placed.size === (irqMsiIommu ? size : sizeWithoutMsi), `sizeof(struct iommu_domain) of ${design} is ${placed.size}`);
  assert(placed.padding === 0 && placed.members.reduce((sum, { hole }) => sum + hole, 0) === holes, `holes of ${design}`);
  return placed;
}

/** Size, byte order and flattened members of a struct, as CONTRACT "layout" prints them. Units: as in `Placed`. */
export interface Layout {
  readonly size: number;
  readonly endian: Endian;
  readonly members: readonly LayoutMember[];
}

/** One member of a `Layout`; the bit numbers only where it is a bitfield. */
export interface LayoutMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly bitOffset?: number;
  readonly bitSize?: number;
}

function flatten({ members }: PlacedStruct, prefix = ''): LayoutMember[] {
  return members.flatMap(({ member, offset, size, bits, inner }) => {
    const own = member.name === undefined ? [] : [{ name: prefix + member.name, offset, size, ...bits }];
    return inner === undefined ? own : [...own, ...flatten(inner, member.name === undefined ? prefix : `${prefix}${member.name}.`)];
  });
}

/**
 * Returns where a design's `struct iommu_domain` has its members on an architecture.
 * Order: as declared; members of anonymous unions stand among the others, those of `geometry` after it as `geometry.x`.
 */
export function layoutOf(design: DesignId, arch: Arch, options: LayoutOptions = {}): Layout {
  const placed = placeDomain(design, arch, options);
  return { size: placed.size, endian: ARCH_ENDIAN[arch], members: flatten(placed) };
}

/** What the first word says, by the C names of the members; which there are depends on the design. */
export interface WordFields {
  readonly type: number;
  readonly private_data_owner?: number;
  readonly cookie_type?: number;
}

/** The type word, with the cookie_type word after it where the design has one. `bytes`: hex in memory order. */
export interface Word {
  readonly offset: 0;
  readonly bytes: string;
  readonly fields: WordFields;
}

type WordMember = Required<LayoutMember>;
const WORD_MEMBERS: readonly string[] = ['type', 'private_data_owner', 'cookie_type'] satisfies (keyof WordFields)[];
const wordMembers = new Map<string, WordMember[]>();

// Computed once, because a replay asks for every domain.
function wordOf(design: DesignId, arch: Arch, { ownerBits = 2 }: LayoutOptions): WordMember[] {
  const key = `${design} ${arch} ${ownerBits}`;
  const known = wordMembers.get(key);
  if (known !== undefined) return known;
  const members = layoutOf(design, arch, { ownerBits }).members.filter(({ name }) => WORD_MEMBERS.includes(name));
  assert(members[0].offset === 0 && members.every(({ offset, size }) => size === 4 && offset <= 4), `${design} does not start with its word`);
  wordMembers.set(key, members.map((member) => ({ bitOffset: 0, bitSize: 32, ...member })));
  return wordMembers.get(key)!;
}

const maskOf = (bits: number): number => (bits === 32 ? 0xffffffff : 2 ** bits - 1);
const toHex = (view: DataView): string => Array.from(new Uint8Array(view.buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');

function fromHex(bytes: string, length: number): DataView {
  assert(bytes.length === length * 2 && /^[0-9a-f]*$/i.test(bytes), `${length} bytes of hex expected, not ${JSON.stringify(bytes)}`);
  return new DataView(Uint8Array.from({ length }, (_, i) => Number.parseInt(bytes.slice(i * 2, i * 2 + 2), 16)).buffer);
}

/**
 * Returns the word as memory holds it once the fields were stored; `fields` are the values that were kept.
 * A value too wide for its bitfield loses its high bits, as in C; a field that is not given is 0.
 * Errors: asserts that the design has the fields given.
 */
export function encodeWord(design: DesignId, arch: Arch, fields: WordFields, options: LayoutOptions = {}): Word {
  const members = wordOf(design, arch, options);
  const given: Readonly<Record<string, number | undefined>> = { ...fields };
  const little = ARCH_ENDIAN[arch] === 'little';
  const view = new DataView(new ArrayBuffer(members.at(-1)!.offset + 4));
  for (const name in given) assert(given[name] === undefined || members.some((member) => member.name === name), `${design} has no ${name}`);
  for (const { name, offset, bitOffset, bitSize } of members) {
    const stored = ((given[name] ?? 0) & maskOf(bitSize)) << bitOffset;
    view.setUint32(offset, view.getUint32(offset, little) | stored, little);
  }
  return decodeWord(design, arch, toHex(view), options);
}

/** Returns what the bytes of a word mean under a design. Errors: asserts that `bytes` is hex of the word's length. */
export function decodeWord(design: DesignId, arch: Arch, bytes: string, options: LayoutOptions = {}): Word {
  const members = wordOf(design, arch, options);
  const view = fromHex(bytes, members.at(-1)!.offset + 4);
  const little = ARCH_ENDIAN[arch] === 'little';
  const fields = members.map(({ name, offset, bitOffset, bitSize }) => [name, ((view.getUint32(offset, little) >>> bitOffset) & maskOf(bitSize)) >>> 0]);
  return { offset: 0, bytes: bytes.toLowerCase(), fields: Object.fromEntries(fields) as WordFields };
}

/**
 * Returns the u32 that the traced machine reads for `type:30 | private_data_owner:2`; values too wide lose their high bits.
 * Source: KERNEL.md 3.1; the tests hold it equal to `encodeWord`.
 */
export function packWord(arch: Arch, type: number, owner: number, ownerBits = 2): number {
  if (ARCH_ENDIAN[arch] === 'little') return ((owner << (32 - ownerBits)) | (type & (0xffffffff >>> ownerBits))) >>> 0;
  return ((type << ownerBits) | (owner & ((1 << ownerBits) - 1))) >>> 0;
}

/** Returns type and owner from the u32 that the traced machine read. */
export function unpackWord(arch: Arch, word: number, ownerBits = 2): { type: number; private_data_owner: number } {
  if (ARCH_ENDIAN[arch] === 'little') return { type: (word & (0xffffffff >>> ownerBits)) >>> 0, private_data_owner: word >>> (32 - ownerBits) };
  return { type: word >>> ownerBits, private_data_owner: word & ((1 << ownerBits) - 1) };
}

/** `iommu_msi_iova:58 | iommu_msi_shift:6`: the u64 that the machine reads, its bytes in memory order, and the IOVA it stands for. */
export interface MsiDescWord {
  readonly u64: bigint;
  readonly bytes: string;
  readonly iommu_msi_iova: bigint;
  readonly iommu_msi_shift: number;
  readonly iova: bigint;
}

const msiDescMembers = (arch: Arch) => flatten(place('struct', MSI_DESC_IOMMU, ARCH_ENDIAN[arch])) as WordMember[];

/** Returns the word of an MSI descriptor whose doorbell is mapped at `iova` in a page of `1 << shift` bytes. Errors: asserts a 6-bit shift. */
export function encodeMsiDescWord(arch: Arch, iova: bigint, shift: number): MsiDescWord {
  assert(Number.isInteger(shift) && shift >= 0 && shift < 64, `iommu_msi_shift ${shift}`);
  const values = [iova >> BigInt(shift), BigInt(shift)];
  const stored = msiDescMembers(arch).map(({ bitOffset, bitSize }, i) => BigInt.asUintN(bitSize, values[i]) << BigInt(bitOffset));
  return decodeMsiDescWord(arch, stored[0] | stored[1]);
}

/**
 * Returns what the word of an MSI descriptor says: a bigint is the number that the machine read, a text its bytes in memory order.
 * The IOVA is modulo 2^58 as gcc composes it (KERNEL.md 3.3). Errors: asserts that a text is 8 bytes of hex.
 */
export function decodeMsiDescWord(arch: Arch, word: bigint | string): MsiDescWord {
  const little = ARCH_ENDIAN[arch] === 'little';
  const view = typeof word === 'string' ? fromHex(word, 8) : new DataView(new ArrayBuffer(8));
  if (typeof word === 'bigint') view.setBigUint64(0, word, little);
  const u64 = view.getBigUint64(0, little);
  const [field, shift] = msiDescMembers(arch).map(({ bitOffset, bitSize }) => BigInt.asUintN(bitSize, u64 >> BigInt(bitOffset)));
  return { u64, bytes: toHex(view), iommu_msi_iova: field, iommu_msi_shift: Number(shift), iova: BigInt.asUintN(58, field << shift) };
}
