/**
 * `struct iommu_domain` of a design as pahole prints it, and below it the packed word for the pairs that occur.
 * Made for mail: at most 80 columns with tabs of 8. Bit numbers of bitfields are those of BTF, which on big-endian
 * count from the most significant bit; the expressions below the struct are what to compute with.
 * Truth: dwarves, dwarves_fprintf.c. Differs from it: types are spelt as in the C source (`unsigned`), named inner
 * structs are expanded (pahole -E), long function pointers are wrapped.
 */
import { COOKIE_TYPES, DOMAIN_TYPES, PRIVATE_DATA_OWNERS, structOf } from '../machines/designs/struct-layouts.ts';
import type { CMember, DesignId } from '../machines/designs/struct-layouts.ts';
import { ARCH_ENDIAN, encodeWord, layoutOf, placeDomain } from '../projections/domain-struct.ts';
import type { Arch, Endian, LayoutMember, LayoutOptions, PlacedStruct } from '../projections/domain-struct.ts';

/** Where the offset comments begin: behind the longest name two tabs deep (`iommufd_hwpt`), 17 columns before 80. */
const COMMENT_COLUMN = 60;
const NAME_COLUMN = 35;
/** L1_CACHE_BYTES. Source: arch/{arm64,x86,s390}/include/asm/cache.h at v7.3. */
const CACHE_LINE: Readonly<Record<Arch, number>> = { arm64: 64, x86_64: 64, s390x: 256, arm64_be: 64 };

/** What a healthy kernel stores, as each design says it. Source: KERNEL.md 4, "Legal (type, owner) pairs". */
const PAIRS: readonly (readonly [keyof typeof DOMAIN_TYPES, keyof typeof PRIVATE_DATA_OWNERS, keyof typeof COOKIE_TYPES])[] = [
  ['IOMMU_DOMAIN_BLOCKED', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_NONE'],
  ['IOMMU_DOMAIN_IDENTITY', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_NONE'],
  ['IOMMU_DOMAIN_UNMANAGED', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_NONE'],
  ['IOMMU_DOMAIN_UNMANAGED', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_FAULT_HANDLER'],
  ['IOMMU_DOMAIN_UNMANAGED', 'IOMMU_DOMAIN_DATA_OWNER_DMA', 'IOMMU_COOKIE_DMA_MSI'],
  ['IOMMU_DOMAIN_UNMANAGED', 'IOMMU_DOMAIN_DATA_OWNER_IOMMUFD', 'IOMMU_COOKIE_IOMMUFD'],
  ['IOMMU_DOMAIN_DMA', 'IOMMU_DOMAIN_DATA_OWNER_DMA', 'IOMMU_COOKIE_DMA_IOVA'],
  ['IOMMU_DOMAIN_DMA_FQ', 'IOMMU_DOMAIN_DATA_OWNER_DMA', 'IOMMU_COOKIE_DMA_IOVA'],
  ['IOMMU_DOMAIN_SVA', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_SVA'],
  ['IOMMU_DOMAIN_PLATFORM', 'IOMMU_DOMAIN_DATA_OWNER_NONE', 'IOMMU_COOKIE_NONE'],
  ['IOMMU_DOMAIN_NESTED', 'IOMMU_DOMAIN_DATA_OWNER_IOMMUFD', 'IOMMU_COOKIE_IOMMUFD'],
];

const counted = (n: number, unit: string): string => `${n} ${unit}${n === 1 ? '' : 's'}`;
const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
const widthOf = (line: string): number => line.replaceAll('\t', ' '.repeat(8)).length;
const commented = (line: string, comment: string): string => `${line}${' '.repeat(Math.max(1, COMMENT_COLUMN - widthOf(line)))}/* ${comment} */`;
const extent = (offset: number, size: number): string => `${String(offset).padStart(5)} ${String(size).padStart(5)}`;

/** Returns a member's declaration; a function pointer is broken before its last argument if the comment would not fit. */
function declare(ctype: string, name: string, indent: string): string[] {
  if (!ctype.includes('(*)')) return [`${indent}${ctype.padEnd(NAME_COLUMN - 1 - 8 * indent.length)} ${name};`];
  const text = `${ctype.replace('(*)', `(*${name})`)};`;
  const last = text.lastIndexOf(', ') + 1;
  if (last === 0 || widthOf(indent + text) < COMMENT_COLUMN) return [indent + text];
  const open = text.indexOf(')(') + 2;
  return [indent + text.slice(0, last), `${indent}${'\t'.repeat(open >> 3)}${' '.repeat(open & 7)}${text.slice(last + 1)}`];
}

/** Returns the lines of the members in order. `state.line` is the last cache line marked: each is marked once, however deep. */
function memberLines(struct: PlacedStruct, indent: string, endian: Endian, cacheLine: number, state: { line: number }): string[] {
  const lines: string[] = [];
  for (const { member, offset, size, hole, bits, inner } of struct.members) {
    if (hole > 0) lines.push('', `${indent}/* XXX ${counted(hole, 'byte')} hole, try to pack */`, '');
    const line = Math.floor(offset / cacheLine);
    if (line !== state.line) {
      const ago = offset - line * cacheLine;
      const when = ago === 0 ? '' : ` was ${counted(ago, 'byte')} ago`;
      lines.push(`${indent}/* --- cacheline ${line} boundary (${line * cacheLine} bytes)${when} --- */`);
      state.line = line;
    }
    if (inner !== undefined && member.kind !== 'field') {
      lines.push(`${indent}${member.kind}${member.tag === undefined ? '' : ` ${member.tag}`} {`);
      lines.push(...memberLines(inner, `${indent}\t`, endian, cacheLine, state));
      lines.push(commented(`${indent}}${member.name === undefined ? '' : ` ${member.name}`};`, extent(offset, size)));
      const padding = paddingOf(member, inner);
      if (padding > 0) lines.push('', `${indent}/* XXX last struct has ${counted(padding, 'byte')} of padding */`, '');
    } else if (member.kind === 'field' && bits !== undefined) {
      const bit = endian === 'little' ? bits.bitOffset : size * 8 - bits.bitOffset - bits.bitSize;
      const [text] = declare(member.ctype, `${member.name}:${bits.bitSize}`, indent);
      lines.push(commented(text, `${String(offset).padStart(5)}:${String(bit).padStart(2)} ${String(size).padStart(2)}`));
    } else if (member.kind === 'field') {
      const text = declare(member.ctype, member.name, indent);
      lines.push(...text.slice(0, -1), commented(text.at(-1)!, extent(offset, size)));
    }
  }
  return lines;
}

const paddingOf = (member: CMember, inner?: PlacedStruct): number => (member.kind === 'struct' && inner !== undefined ? inner.padding : 0);

/** Returns pahole's totals: size is the sum of members, bitfields, holes and padding. */
function totals({ size, padding, members }: PlacedStruct, cacheLine: number): string[] {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const bits = sum(members.map((placed) => placed.bits?.bitSize ?? 0));
  const holes = members.map(({ hole }) => hole).filter((hole) => hole > 0);
  const paddings = members.map(({ member, inner }) => paddingOf(member, inner)).filter((bytes) => bytes > 0);
  const whole = sum(members.filter((placed) => placed.bits === undefined).map((placed) => placed.size));
  const lines = [`size: ${size}, cachelines: ${Math.ceil(size / cacheLine)}, members: ${members.length}`];
  if (holes.length > 0) lines.push(`sum members: ${whole}, holes: ${holes.length}, sum holes: ${sum(holes)}`);
  if (bits > 0) lines.push(`sum bitfield members: ${bits} bits (${bits / 8} bytes)`);
  if (padding > 0) lines.push(`padding: ${padding}`);
  if (paddings.length > 0) lines.push(`paddings: ${paddings.length}, sum paddings: ${sum(paddings)}`);
  if (size % cacheLine !== 0) lines.push(`last cacheline: ${size % cacheLine} bytes`);
  return lines.map((line) => `\t/* ${line} */`);
}

/** Returns the C expression that takes a bitfield out of its word; each field reaches one end of it. */
function extraction({ name, bitOffset = 0, bitSize = 32 }: LayoutMember): string {
  return `  ${name.padEnd(18)} = word ${bitOffset === 0 ? `& 0x${(2 ** bitSize - 1).toString(16)}` : `>> ${bitOffset}`}`;
}

/** Returns the lines of the table of words below the struct, and which owner a narrow field could not hold. */
export function wordLines(design: DesignId, arch: Arch, options: LayoutOptions): string[] {
  const little = ARCH_ENDIAN[arch] === 'little';
  const { members } = layoutOf(design, arch, options);
  const bitfields = members.filter(({ bitSize }) => bitSize !== undefined);
  const tag = members.map(({ name }) => name).find((name) => name === 'private_data_owner' || name === 'cookie_type');
  const rows = new Set<string>();
  const misfits = new Set<string>();
  for (const [type, ownerName, cookieName] of PAIRS) {
    const tagName = tag === undefined ? '' : tag === 'cookie_type' ? cookieName : ownerName;
    const tagValue = tag === undefined ? 0 : tag === 'cookie_type' ? COOKIE_TYPES[cookieName] : PRIVATE_DATA_OWNERS[ownerName];
    const { bytes, fields } = encodeWord(design, arch, { type: DOMAIN_TYPES[type], ...(tag && { [tag]: tagValue }) }, options);
    const word = Number.parseInt(little ? bytes.match(/../g)!.toReversed().join('') : bytes, 16);
    const columns = tag === 'cookie_type' ? [cookieName.padEnd(26), bytes.replace(/.{8}/, '$& ')] : [ownerName.padEnd(31), hex(word), bytes];
    rows.add(['', type.padEnd(22), ...columns.slice(tag === undefined ? 1 : 0)].join('  '));
    if (tag !== undefined && fields[tag] !== tagValue) misfits.add(`  ${tagName} (${tagValue}) does not fit: ${fields[tag]} is stored`);
  }
  const heads = tag === 'cookie_type' ? [tag.padEnd(26)] : [...(tag === undefined ? [] : [tag.padEnd(31)]), 'u32       '];
  return [
    `The word at offset 0, ${ARCH_ENDIAN[arch]}-endian (bytes in memory order):`,
    ...(bitfields.length > 0 ? ['', ...bitfields.map(extraction)] : []),
    '',
    ['', 'type'.padEnd(22), ...heads, 'bytes'].join('  '),
    ...rows,
    ...(misfits.size > 0 ? ['', ...misfits] : []),
  ];
}

/**
 * Returns `struct iommu_domain` of a design as text for people.
 * Shape: at most 80 columns, tabs of 8, ends with a newline. Errors: as `layoutOf`.
 */
export function renderLayout(design: DesignId, arch: Arch, options: LayoutOptions = {}): string {
  const conditional = structOf(design).members.some((member) => member.kind === 'field' && member.config !== undefined);
  const config = conditional ? `, CONFIG_IRQ_MSI_IOMMU=${options.irqMsiIommu === false ? 'n' : 'y'}` : '';
  const head = `${design}, ${arch} (${ARCH_ENDIAN[arch]}-endian)${config}`;
  return [...structLines(head, placeDomain(design, arch, options), arch), '', ...wordLines(design, arch, options), ''].join('\n');
}

/** Returns the lines of `struct iommu_domain` as it was placed, with pahole's totals; `head` is the comment above it. */
export function structLines(head: string, placed: PlacedStruct, arch: Arch): string[] {
  const endian = ARCH_ENDIAN[arch];
  const fromTop = endian === 'big' && placed.members.some(({ bits }) => bits !== undefined);
  return [
    `/* ${head} */`,
    ...(fromTop ? ['/* bits are counted from the most significant one, as in BTF */'] : []),
    'struct iommu_domain {',
    ...memberLines(placed, '\t', endian, CACHE_LINE[arch], { line: 0 }),
    '',
    ...totals(placed, CACHE_LINE[arch]),
    '};',
  ];
}
