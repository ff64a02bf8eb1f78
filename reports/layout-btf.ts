/**
 * `struct iommu_domain` as a kernel's type information has it, in the shape of `layout-text.ts`; types are spelled as BTF has
 * them (`long unsigned int`, parameters without names).
 */
import type { CMember, DesignId } from '../machines/designs/struct-layouts.ts';
import type { Arch, Endian, Placed, PlacedStruct } from '../projections/domain-struct.ts';
import type { BtfField, BtfStruct } from '../recordings/btf-layout.ts';
import { escapeText } from '../events/problem.ts';
import { structLines, wordLines } from './layout-text.ts';

/** What is said above the struct; `arch` is null where it is not known. */
export interface BtfLayoutHead {
  readonly source: string;
  readonly design: DesignId;
  readonly arch: Arch | null;
  readonly endian: Endian;
}

function memberOf({ name, ctype, array, bits }: BtfField, inner: PlacedStruct | undefined, struct: BtfStruct | undefined): CMember {
  if (inner === undefined || struct === undefined) return { kind: 'field', ctype, name: name + array, ...(bits && { bits: bits.bitSize }) };
  return { kind: struct.kind, ...(struct.tag !== '' && { tag: struct.tag }), ...(name !== '' && { name }), members: inner.members.map(({ member }) => member) };
}

/** First and last bit of a member in memory order. */
function extentOf({ offset, size, bits }: BtfField, endian: Endian): [first: number, end: number] {
  if (bits === undefined) return [offset * 8, (offset + size) * 8];
  const first = offset * 8 + (endian === 'little' ? bits.bitOffset : size * 8 - bits.bitOffset - bits.bitSize);
  return [first, first + bits.bitSize];
}

function placedOf(struct: BtfStruct, endian: Endian, base = 0): PlacedStruct {
  let end = base * 8;
  const members = struct.fields.map((field): Placed => {
    const { offset, size, bits, inner } = field;
    const [first, last] = extentOf(field, endian);
    const hole = struct.kind === 'union' ? 0 : Math.max(0, Math.floor((first - end) / 8));
    end = Math.max(end, last);
    const placed = inner && placedOf(inner, endian, offset);
    return { member: memberOf(field, placed, inner), offset, size, hole, ...(bits && { bits }), ...(placed && { inner: placed }) };
  });
  return { size: struct.size, align: 8, padding: Math.max(0, struct.size - Math.ceil(end / 8) + base), members };
}

/** Returns the struct as text for people, with the words of the design that it is of. Shape: as `renderLayout`; ends with a newline. */
export function renderBtfLayout(struct: BtfStruct, { source, design, arch, endian }: BtfLayoutHead): string {
  // Where the architecture is not known, one of its byte order says all that the text needs.
  const like = arch ?? (endian === 'little' ? 'arm64' : 's390x');
  const ownerBits = struct.fields.find(({ name }) => name === 'private_data_owner')?.bits?.bitSize;
  const head = [`${escapeText(source)}: ${design}`, `${arch ?? 'unknown architecture'} (${endian}-endian)`].join(', ');
  return [...structLines(head, placedOf(struct, endian), like), '', ...wordLines(design, like, ownerBits === undefined ? {} : { ownerBits }), ''].join('\n');
}
