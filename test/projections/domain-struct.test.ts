/**
 * The computed layouts and words against what compilers and shipped kernels have (test/fixtures/layouts.json).
 * Every vector is checked both ways; the C text of each struct is checked against its transcription.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  COOKIE_TYPE_NAMES, COOKIE_TYPES, designIds, DOMAIN_TYPE_NAMES, DOMAIN_TYPES, isDesignId, OWNER_BITS_MAX, PRIVATE_DATA_OWNER_NAMES, structOf,
} from '../../machines/designs/struct-layouts.ts';
import type { CMember, DesignId } from '../../machines/designs/struct-layouts.ts';
import {
  ARCH_ENDIAN, decodeMsiDescWord, decodeWord, encodeMsiDescWord, encodeWord, isArch, layoutOf, packWord, placeDomain, unpackWord,
} from '../../projections/domain-struct.ts';
import type { Arch, LayoutMember } from '../../projections/domain-struct.ts';

interface WordVector {
  type: string;
  type_value: number;
  owner?: string;
  owner_value?: number;
  cookie_type?: string;
  cookie_value?: number;
  u32?: string;
  u64?: string;
  bytes: string;
}
interface Compiled {
  arch: Arch;
  endian: string;
  sizeof: number;
  CONFIG_IRQ_MSI_IOMMU?: boolean;
  fields: Record<string, { offset: number; size?: number; storage_bytes?: number; shift_in_u32?: number; width?: number }>;
  first_word_vectors: WordVector[];
}
interface Btf {
  kernel: string;
  arch: Arch;
  endian: string;
  profile: DesignId;
  enums: { iommu_domain_cookie_type: Record<string, number> | null };
  iommu_domain: { size: number; fields: Record<string, { offset: number; size: number }> };
}
interface Fixture {
  profiles: Record<DesignId, { c_struct: string; layouts: Compiled[] }>;
  msi_desc_word: Record<Arch, { vectors: { iova: string; shift: number; field_iova: string; u64: string; bytes: string }[] }>;
  owner_bits_vectors: { ownerBits: number; endian: string; type_value: number; owner_value: number; bytes: string }[];
  btf_real_kernels: Btf[];
}

const fixture = JSON.parse(readFileSync(new URL('../fixtures/layouts.json', import.meta.url), 'utf8')) as Fixture;
const compiled = designIds().flatMap((design) => fixture.profiles[design].layouts.map((layout) => ({ design, msi: layout.CONFIG_IRQ_MSI_IOMMU ?? true, ...layout })));
const archs = Object.keys(ARCH_ENDIAN) as Arch[];
const tagDesigns = designIds().filter((design) => layoutOf(design, 'arm64').members.some(({ name }) => name === 'private_data_owner'));
const byName = (members: readonly LayoutMember[]): Record<string, Omit<LayoutMember, 'name'>> => Object.fromEntries(members.map(({ name, ...rest }) => [name, rest]));

/** The declaration as C text, every run of white space one blank. */
function toC(members: readonly CMember[]): string {
  return members.map((member) => {
    if (member.kind === 'field') {
      const declarator = member.ctype.includes('(*)') ? member.ctype.replace('(*)', `(*${member.name})`) : `${member.ctype} ${member.name}`.replace('* ', '*');
      const text = `${declarator}${member.bits === undefined ? '' : ` : ${member.bits}`};`;
      return member.config === undefined ? text : `#if MSI ${text} #endif`;
    }
    if (member.tag !== undefined) return `struct ${member.tag} ${member.name};`;
    return `${member.kind} { ${toC(member.members)} };`;
  }).join(' ');
}

describe('struct iommu_domain, declared', () => {
  test.each(designIds())('%s is the C declaration', (design) => {
    expect(`struct iommu_domain { ${toC(structOf(design).members)} };`).toBe(fixture.profiles[design].c_struct.replace(/\s+/g, ' '));
  });

  test('ids are recognised, nothing else is', () => {
    expect(designIds()).toHaveLength(7);
    expect(designIds().every(isDesignId)).toBe(true);
    expect(['', 'v6.1', 'toString', 'V7.3'].some(isDesignId)).toBe(false);
    expect([...archs].every(isArch)).toBe(true);
    expect(['', 'constructor', 'aarch64'].some(isArch)).toBe(false);
  });
});

describe('struct iommu_domain, laid out', () => {
  test.each(compiled)('$design on $arch, CONFIG_IRQ_MSI_IOMMU=$msi: size and every member as compiled', ({ design, arch, endian, sizeof, msi, fields }) => {
    const expected = Object.entries(fields).map(([name, { offset, size, storage_bytes, shift_in_u32, width }]) => [
      name,
      width === undefined ? { offset, size } : { offset, size: storage_bytes, bitOffset: shift_in_u32, bitSize: width },
    ]);
    const layout = layoutOf(design, arch, { irqMsiIommu: msi });
    expect({ size: layout.size, endian: layout.endian, members: byName(layout.members) }).toEqual({ size: sizeof, endian, members: Object.fromEntries(expected) });
    expect(layout.members).toHaveLength(expected.length);
  });

  test.each(fixture.btf_real_kernels)('$kernel ($arch): as in its BTF', ({ arch, endian, profile, iommu_domain, enums }) => {
    const layout = layoutOf(profile, arch);
    const top = layout.members.filter(({ name }) => !name.includes('.'));
    const expected = Object.entries(iommu_domain.fields).map(([name, { offset, size }]) => [name, { offset, size }]);
    expect({ size: layout.size, endian: layout.endian, members: byName(top) }).toEqual({ size: iommu_domain.size, endian, members: Object.fromEntries(expected) });
    if (enums.iommu_domain_cookie_type !== null) expect(COOKIE_TYPES).toEqual(enums.iommu_domain_cookie_type);
  });

  test('arm64_be has the bytes of arm64 and the bits of s390x', () => {
    for (const design of designIds()) {
      expect(layoutOf(design, 'arm64_be')).toEqual(layoutOf(design, 's390x'));
      const offsets = (arch: Arch): unknown[] => layoutOf(design, arch).members.map(({ name, offset, size }) => [name, offset, size]);
      expect(offsets('arm64_be')).toEqual(offsets('arm64'));
    }
  });

  test('ownerBits moves bits and no byte; an impossible width is our bug', () => {
    for (const design of tagDesigns) {
      for (let ownerBits = 1; ownerBits <= OWNER_BITS_MAX; ownerBits++) {
        const [little, big] = (['x86_64', 's390x'] as const).map((arch) => byName(layoutOf(design, arch, { ownerBits }).members));
        expect(little['type']).toEqual({ offset: 0, size: 4, bitOffset: 0, bitSize: 32 - ownerBits });
        expect(little['private_data_owner']).toEqual({ offset: 0, size: 4, bitOffset: 32 - ownerBits, bitSize: ownerBits });
        expect(big['type']).toEqual({ offset: 0, size: 4, bitOffset: ownerBits, bitSize: 32 - ownerBits });
        expect(big['private_data_owner']).toEqual({ offset: 0, size: 4, bitOffset: 0, bitSize: ownerBits });
        expect(placeDomain(design, 'arm64', { ownerBits }).size).toBe(structOf(design).size);
      }
      for (const ownerBits of [0, -1, 1.5, OWNER_BITS_MAX + 1]) expect(() => layoutOf(design, 'arm64', { ownerBits })).toThrow('ownerBits');
    }
    expect(OWNER_BITS_MAX).toBe(25);
  });
});

describe('the first word', () => {
  test.each(compiled)('$design on $arch, CONFIG_IRQ_MSI_IOMMU=$msi: every compiled vector, both ways', ({ design, arch, first_word_vectors }) => {
    expect(first_word_vectors.length).toBeGreaterThanOrEqual(9);
    for (const { type, type_value, owner, owner_value, cookie_type, cookie_value, u32, u64, bytes } of first_word_vectors) {
      const fields = { type: type_value, ...(owner_value !== undefined && { private_data_owner: owner_value }), ...(cookie_value !== undefined && { cookie_type: cookie_value }) };
      expect(encodeWord(design, arch, fields)).toEqual({ offset: 0, bytes, fields });
      expect(decodeWord(design, arch, bytes)).toEqual({ offset: 0, bytes, fields });
      if (owner_value !== undefined) {
        expect(packWord(arch, type_value, owner_value)).toBe(Number(u32));
        expect(unpackWord(arch, Number(u32))).toEqual(fields);
        if (owner !== 'RESERVED3') expect(PRIVATE_DATA_OWNER_NAMES.get(owner_value)).toBe(`IOMMU_DOMAIN_DATA_OWNER_${owner}`);
      } else if (cookie_value !== undefined) {
        expect(u64).toBe(`0x${ARCH_ENDIAN[arch] === 'big' ? bytes : bytes.match(/../g)!.toReversed().join('')}`);
        expect(COOKIE_TYPE_NAMES.get(cookie_value)).toBe(`IOMMU_COOKIE_${cookie_type}`);
      }
      if (type !== 'MAX30') expect(DOMAIN_TYPE_NAMES.get(type_value)).toBe(`IOMMU_DOMAIN_${type}`);
    }
  });

  test.each(fixture.owner_bits_vectors)('$ownerBits owner bits, $endian: type $type_value owner $owner_value is $bytes as gcc stores it', ({ ownerBits, endian, type_value, owner_value, bytes }) => {
    const arch = endian === 'little' ? 'arm64' : 's390x';
    const fields = { type: type_value, private_data_owner: owner_value };
    expect(encodeWord('private-data-owner', arch, fields, { ownerBits })).toEqual({ offset: 0, bytes, fields });
    expect(decodeWord('private-data-owner', arch, bytes, { ownerBits }).fields).toEqual(fields);
  });

  test('decode(encode(x)) = x for any type and tag, in both endians, and the packed u32 is the same word', () => {
    const ownerBits = fc.integer({ min: 1, max: 8 });
    fc.assert(fc.property(fc.constantFrom(...tagDesigns), fc.constantFrom(...archs), ownerBits, fc.nat(2 ** 30 - 1), fc.nat(255), (design, arch, width, anyType, anyOwner) => {
      const fields = { type: anyType % 2 ** (32 - width), private_data_owner: anyOwner % 2 ** width };
      const word = encodeWord(design, arch, fields, { ownerBits: width });
      expect(word.fields).toEqual(fields);
      expect(decodeWord(design, arch, word.bytes, { ownerBits: width })).toEqual(word);
      const u32 = packWord(arch, fields.type, fields.private_data_owner, width);
      expect(unpackWord(arch, u32, width)).toEqual(fields);
      expect(u32.toString(16).padStart(8, '0')).toBe(ARCH_ENDIAN[arch] === 'big' ? word.bytes : word.bytes.match(/../g)!.toReversed().join(''));
    }), { numRuns: 2000 });
    fc.assert(fc.property(fc.constantFrom(...archs), fc.nat(0xffffffff), fc.nat(0xffffffff), (arch, type, cookie_type) => {
      for (const design of ['cookie-type', 'v7.3'] as const) expect(decodeWord(design, arch, encodeWord(design, arch, { type, cookie_type }).bytes).fields).toEqual({ type, cookie_type });
      for (const design of ['v6.12', 'sw-msi'] as const) expect(decodeWord(design, arch, encodeWord(design, arch, { type }).bytes).fields).toEqual({ type });
    }));
  });

  test('any u32 is a word: pack(unpack(w)) = w', () => {
    fc.assert(fc.property(fc.constantFrom(...archs), fc.integer({ min: 1, max: 25 }), fc.nat(0xffffffff), (arch, ownerBits, word) => {
      const { type, private_data_owner } = unpackWord(arch, word, ownerBits);
      expect(packWord(arch, type, private_data_owner, ownerBits)).toBe(word);
    }));
  });

  test('type-overflow-30-bits: the low 30 bits are kept, the owner is not touched', () => {
    for (const arch of archs) {
      const word = encodeWord('private-data-owner', arch, { type: 0xc0000001, private_data_owner: 2 });
      expect(word.fields).toEqual({ type: 1, private_data_owner: 2 });
      expect(unpackWord(arch, packWord(arch, 0xc0000001, 2))).toEqual(word.fields);
      expect(unpackWord(arch, packWord(arch, DOMAIN_TYPES.IOMMU_DOMAIN_DMA, 5))).toEqual({ type: 3, private_data_owner: 1 });
      expect(encodeWord('v6.12', arch, { type: 0xc0000001 }).fields).toEqual({ type: 0xc0000001 });
    }
  });

  test('a field that the design has not, and bytes that are not its word, are our bug', () => {
    expect(() => encodeWord('v6.12', 'arm64', { type: 1, private_data_owner: 1 })).toThrow('v6.12 has no private_data_owner');
    expect(() => encodeWord('private-data-owner', 'arm64', { type: 1, cookie_type: 1 })).toThrow('has no cookie_type');
    for (const bytes of ['', '0100004', '0100004g', '0100004000']) expect(() => decodeWord('private-data-owner', 'arm64', bytes)).toThrow('4 bytes of hex');
    expect(() => decodeWord('cookie-type', 'arm64', '01000000')).toThrow('8 bytes of hex');
    expect(decodeWord('private-data-owner', 'arm64', '0B000040').bytes).toBe('0b000040');
  });
});

describe('msi_desc: iommu_msi_iova:58 | iommu_msi_shift:6', () => {
  const rows = archs.flatMap((arch) => fixture.msi_desc_word[arch].vectors.map((vector) => ({ arch, ...vector })));
  test.each(rows)('$arch $iova >> $shift is $bytes', ({ arch, iova, shift, field_iova, u64, bytes }) => {
    const word = { u64: BigInt(u64), bytes, iommu_msi_iova: BigInt(field_iova), iommu_msi_shift: shift, iova: BigInt(iova) };
    expect(encodeMsiDescWord(arch, BigInt(iova), shift)).toEqual(word);
    expect(decodeMsiDescWord(arch, bytes)).toEqual(word);
    expect(decodeMsiDescWord(arch, word.u64)).toEqual(word);
  });

  test('the composed IOVA is modulo 2^58; a shift of more than 6 bits is our bug', () => {
    fc.assert(fc.property(fc.constantFrom(...archs), fc.bigInt(0n, (1n << 64n) - 1n), fc.integer({ min: 12, max: 16 }), (arch, iova, shift) => {
      const { iova: composed, bytes } = encodeMsiDescWord(arch, iova, shift);
      expect(composed).toBe(BigInt.asUintN(58, (iova >> BigInt(shift)) << BigInt(shift)));
      expect(decodeMsiDescWord(arch, bytes).iova).toBe(composed);
    }));
    expect(() => encodeMsiDescWord('arm64', 0n, 64)).toThrow('iommu_msi_shift');
  });
});
