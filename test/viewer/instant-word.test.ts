/**
 * The packed word as the page draws it, and the texts of a domain's fields.
 */
import { describe, expect, test } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import { withOwnerBits } from '../../machines/design.ts';
import type { DesignId } from '../../machines/designs/struct-layouts.ts';
import { ARCH_ENDIAN, encodeWord, type Arch } from '../../projections/domain-struct.ts';
import type { DomainView } from '../../projections/domain-view.ts';
import { fieldTexts } from '../../viewer/domain-text.ts';
import { fieldRuns, wordCells } from '../../viewer/word-cells.ts';

const ARCHS = Object.keys(ARCH_ENDIAN) as Arch[];
const numberOf = (bits: readonly { readonly value: 0 | 1 | null }[]): number => Number.parseInt(bits.map((c) => c.value).join(''), 2);

describe.each(DESIGNS.map((d) => [d.id, d] as const))('%s', (_, design) => {
  test.each(ARCHS)('bits on %s give the bytes, the number and the fields back', (arch) => {
    const fields = { type: 0x0b, ...(design.ownerMember !== 'none' && { [design.ownerMember]: 2 }) };
    const word = encodeWord(design.id as DesignId, arch, fields);
    const halves = wordCells(design, arch, word);
    expect(halves.map((h) => h.bytes).join('')).toBe(word.bytes);
    for (const half of halves) {
      expect(half.numeric.map((c) => c.bit)).toEqual(Array.from({ length: 32 }, (__, n) => 31 - n));
      expect(numberOf(half.numeric)).toBe(Number(half.value));
      const bytes = [0, 8, 16, 24].map((from) => numberOf(half.memory.slice(from, from + 8)).toString(16).padStart(2, '0'));
      expect(bytes.join('')).toBe(half.bytes);
      for (const cells of [half.numeric, half.memory]) expect(fieldRuns(cells, true).reduce((sum, r) => sum + r.bits, 0)).toBe(32);
      for (const f of half.fields) expect(numberOf(half.numeric.filter((c) => c.field === f.name))).toBe(fields[f.name as keyof typeof fields]);
    }
    expect(halves.flatMap((h) => h.fields.map((f) => f.name)).sort()).toEqual(Object.keys(fields).sort());
  });

  test('a word that is not known has its layout and no bits', () => {
    for (const half of wordCells(design, 'arm64', null)) {
      expect(half).toMatchObject({ bytes: null, value: null });
      expect(half.numeric.every((c) => c.value === null)).toBe(true);
    }
  });
});

test('type:30 | private_data_owner:2 stands where each byte order has it', () => {
  const design = DESIGNS.find((d) => d.id === 'private-data-owner')!;
  const runs = (arch: Arch, way: 'numeric' | 'memory'): string => {
    const [half] = wordCells(design, arch, encodeWord('private-data-owner', arch, { type: 1, private_data_owner: 1 }));
    return `${half.value} ${half.bytes}: ${fieldRuns(half[way], way === 'memory').map((r) => `${r.field}[${r.from}..${r.to}]`).join(' ')}`;
  };
  expect(runs('arm64', 'numeric')).toBe('0x40000001 01000040: private_data_owner[31..30] type[29..0]');
  expect(runs('arm64', 'memory')).toBe('0x40000001 01000040: type[7..0] type[15..8] type[23..16] private_data_owner[31..30] type[29..24]');
  expect(runs('s390x', 'numeric')).toBe('0x00000005 00000005: type[31..2] private_data_owner[1..0]');
  expect(runs('s390x', 'memory')).toBe('0x00000005 00000005: type[31..24] type[23..16] type[15..8] type[7..2] private_data_owner[1..0]');
});

test('a wider owner takes its bits from the type', () => {
  const design = withOwnerBits(DESIGNS.find((d) => d.id === 'private-data-owner')!, 4);
  expect(wordCells(design, 'arm64', null)[0].fields.map((f) => f.declaration)).toEqual(['type:28', 'private_data_owner:4']);
});

test('texts of fields: nothing, what is not known, and hostile names', () => {
  const view: DomainView = { domain: '0x1000', generation: 2, state: 'unknown', type: null, word: null, msi_pages: [], msi_next: null, devices: [], groups: [], first: 3, last: 9 };
  expect(fieldTexts(view)).toEqual({ state: 'unknown', type: 'unknown', word: 'unknown', msi_pages: 'none', msi_next: 'none', devices: 'none', groups: 'none', first: '3', last: '9' });
  expect(fieldTexts({
    ...view, state: 'msi_owned', type: { value: 1, name: 'IOMMU_DOMAIN_UNMANAGED' }, word: { offset: 0, bytes: '0100000002000000', fields: { type: 1, cookie_type: 2 } },
    msi_pages: [{ iova: '0x8000000', phys: '0x8090000', size: 4096, position: 60 }, { iova: '0x8001000', phys: '0x80a0000', size: 4096, position: 61 }],
    msi_next: '0x8002000', devices: ['a\u001b[2J', '0000:00:03.0'], groups: [3, 4],
  })).toEqual({
    state: 'msi_owned', type: 'IOMMU_DOMAIN_UNMANAGED (0x1)', word: '01000000 02000000 type=1 cookie_type=2',
    msi_pages: '0x8000000 -> 0x8090000 size 0x1000 (event 60); 0x8001000 -> 0x80a0000 size 0x1000 (event 61)',
    msi_next: '0x8002000', devices: String.raw`a\x1b[2J 0000:00:03.0`, groups: '3 4', first: '3', last: '9',
  });
});
