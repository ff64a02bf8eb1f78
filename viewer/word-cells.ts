/**
 * The packed word cut into bits and named runs, in the two ways in which people read it: as the number that the machine computes
 * with, bit 31 first, and byte by byte as it stands in memory. Places come from projections/domain-struct.ts.
 */
import { COOKIE_TYPE_NAMES, DOMAIN_TYPE_NAMES, PRIVATE_DATA_OWNER_NAMES, type DesignId } from '../machines/designs/struct-layouts.ts';
import type { Design } from '../machines/design.ts';
import { layoutOf, type Arch } from '../projections/domain-struct.ts';
import type { DomainView } from '../projections/domain-view.ts';

/** One bit. `value` is null where the word is not known; `bit` counts from the least significant one. */
export interface BitCell {
  readonly bit: number;
  readonly value: 0 | 1 | null;
  readonly field: string;
}

/** Neighbouring bits of one field. */
export interface FieldRun {
  readonly field: string;
  readonly bits: number;
  /** Number of its first (left) bit and of its last one. */
  readonly from: number;
  readonly to: number;
}

/** One field: C declaration, value, and the name of the value. */
export interface WordField {
  readonly name: string;
  readonly declaration: string;
  readonly value: number | null;
  readonly valueName: string | null;
}

/** One u32 of the word. `memory` has the byte at the lowest address first, each from its bit 7 to its bit 0. */
export interface WordCells {
  readonly offset: number;
  readonly bytes: string | null;
  /** What the machine reads, as `0x40000001`. */
  readonly value: string | null;
  readonly fields: readonly WordField[];
  readonly numeric: readonly BitCell[];
  readonly memory: readonly BitCell[];
}

const VALUE_NAMES: Readonly<Record<string, ReadonlyMap<number, string>>> = {
  type: DOMAIN_TYPE_NAMES, private_data_owner: PRIVATE_DATA_OWNER_NAMES, cookie_type: COOKIE_TYPE_NAMES,
};

/** Returns the u32s of a design's word with what they hold; `word` null: their layout alone. Order: as in memory. */
export function wordCells(design: Design, arch: Arch, word: DomainView['word']): WordCells[] {
  const { members, endian } = layoutOf(design.id as DesignId, arch, design.ownerBits === 0 ? {} : { ownerBits: design.ownerBits });
  const named = members.filter(({ name }) => Object.hasOwn(VALUE_NAMES, name));
  return [...new Set(named.map(({ offset }) => offset))].map((offset) => {
    const bytes = word === null ? null : word.bytes.slice(offset * 2, offset * 2 + 8);
    const inOrder = bytes?.match(/../g) ?? null;
    const value = inOrder === null ? null : Number.parseInt((endian === 'big' ? inOrder : inOrder.toReversed()).join(''), 16);
    const here = named.filter((m) => m.offset === offset);
    const numeric = Array.from({ length: 32 }, (_, n): BitCell => {
      const bit = 31 - n;
      const field = here.find(({ bitOffset = 0, bitSize = 32 }) => bit >= bitOffset && bit < bitOffset + bitSize)!.name;
      return { bit, value: value === null ? null : (((value >>> bit) & 1) as 0 | 1), field };
    });
    const memory = endian === 'big' ? numeric : [3, 2, 1, 0].flatMap((byte) => numeric.slice(byte * 8, byte * 8 + 8));
    const fields = here.map(({ name, bitSize }): WordField => {
      const held = (word?.fields as Readonly<Record<string, number>> | undefined)?.[name] ?? null;
      return { name, declaration: bitSize === undefined ? name : `${name}:${bitSize}`, value: held, valueName: held === null ? null : (VALUE_NAMES[name].get(held) ?? null) };
    });
    return { offset, bytes, value: value === null ? null : `0x${value.toString(16).padStart(8, '0')}`, fields, numeric, memory };
  });
}

/** Returns the runs of fields in a row of bits; a run ends where a byte does if `byBytes`. */
export function fieldRuns(cells: readonly BitCell[], byBytes: boolean): FieldRun[] {
  const runs: FieldRun[] = [];
  cells.forEach(({ bit, field }, n) => {
    const last = runs.at(-1);
    if (last?.field === field && last.to === bit + 1 && !(byBytes && n % 8 === 0)) runs[runs.length - 1] = { ...last, bits: last.bits + 1, to: bit };
    else runs.push({ field, bits: 1, from: bit, to: bit });
  });
  return runs;
}
