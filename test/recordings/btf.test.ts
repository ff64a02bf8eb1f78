/**
 * Type information (BTF): a real kernel's against what another program read from it, both byte orders by hand, and damage.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { UnreadableError } from '../../events/problem.ts';
import { BTF_KIND, decodeBtf, type Btf } from '../../recordings/btf.ts';
import { readBtf } from '../../recordings/btf-file.ts';
import { archOf, domainOf, probeSupport } from '../../recordings/btf-kernel.ts';
import { findMember, findStruct, flattenStruct, placeStruct, pointeeOf, resolveType, sizeOfType, spellType } from '../../recordings/btf-layout.ts';
import { fileOf } from '../audit-file.ts';
import { BTF_72, btf72, btf72Bytes, buildBtf, type HandType } from '../btf-file.ts';

const K = BTF_KIND;
const btf = btf72();
const func = (name: string): string[] => btf.parameters(btf.find(name, K.FUNC)).map(({ name, type }) => `${spellType(btf, type)} ${name}`);

interface Expected {
  readonly structs: Record<string, { size: number; fields: Record<string, { offset?: number; size?: number; type: string; bit_offset?: number; bits?: number }> }>;
  readonly enums: Record<string, Record<string, number> | null>;
}
const expected = JSON.parse(readFileSync(new URL('../fixtures/btf-7.2.13-arm64.json', import.meta.url), 'utf8')) as Expected;

describe('7.2.13+deb14-arm64', () => {
  test.each(Object.entries(expected.structs))('struct %s', (tag, { size, fields }) => {
    const id = findStruct(btf, tag);
    expect(placeStruct(btf, id).size).toBe(size);
    const got = Object.keys(fields).map((name) => {
      const { offset, size, ctype, array, bits } = findMember(btf, id, name)!;
      return [name, { ...(bits ? { bit_offset: offset * 8 + bits.bitOffset, bits: bits.bitSize } : { offset, size }), type: ctype + array }];
    });
    expect(Object.fromEntries(got)).toEqual(fields);
  });

  test.each(Object.entries(expected.enums))('enum %s', (name, values) => {
    const id = btf.find(name, K.ENUM, K.ENUM64);
    expect(id > 0 ? Object.fromEntries(btf.enumerators(id).map(([name, value]) => [name, Number(value)])) : null).toEqual(values);
  });

  test('functions with their parameters; what was inlined is not there', () => {
    expect(func('__iommu_group_set_domain_internal')).toEqual(['struct iommu_group * group', 'struct iommu_domain * new_domain', 'unsigned int flags']);
    expect(func('iommu_map')).toEqual(['struct iommu_domain * domain', 'long unsigned int iova', 'phys_addr_t paddr', 'size_t size', 'int prot', 'gfp_t gfp']);
    expect(spellType(btf, btf.returns(btf.find('iommu_paging_domain_alloc_flags', K.FUNC)))).toBe('struct iommu_domain *');
    expect(btf.find('iommu_dma_get_msi_page', K.FUNC)).toBe(0);
    expect(btf.find('iommufd_hwpt_paging_alloc', K.FUNC)).toBe(0);
  });

  test('tells its architecture and its probes', () => {
    expect(archOf(btf)).toBe('arm64');
    expect(probeSupport(btf)).toEqual({ fprobe: true, kprobe: true, btfArguments: true, argumentsAtReturn: true });
  });

  test('is decoded in well under a second, and so is a question', () => {
    const bytes = btf72Bytes();
    const start = performance.now();
    expect(flattenStruct(domainOf(decodeBtf(bytes, 'x')))).toHaveLength(20);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

/** `struct iommu_domain` of the proposal, and `msi_desc`, as gcc describes them: on big-endian bits count from the top. */
const proposal = (endian: 'little' | 'big'): HandType[] => [
  { kind: K.INT, name: 'unsigned int', sizeOrType: 4, more: [32] }, // 1
  { kind: K.TYPEDEF, name: 'u32', sizeOrType: 1 }, // 2
  { kind: K.INT, name: 'long unsigned int', sizeOrType: 8, more: [64] }, // 3
  { kind: K.PTR, sizeOrType: 5 }, // 4
  { kind: K.CONST, sizeOrType: 6 }, // 5
  { kind: K.FWD, name: 'iommu_ops' }, // 6
  { kind: K.UNION, sizeOrType: 8, vlen: 2, more: ['iommufd_hwpt', 4, 0, 'handler', 9, 0] }, // 7
  { kind: K.STRUCT, name: 'iommu_domain', sizeOrType: 24, vlen: 4, flag: true, more: ['type', 2, (30 << 24) | 0, 'private_data_owner', 2, (2 << 24) | 30, 'ops', 4, 64, '', 7, 128] }, // 8
  { kind: K.PTR, sizeOrType: 10 }, // 9
  { kind: K.FUNC_PROTO, sizeOrType: 1, vlen: 2, more: ['domain', 11, '', 0] }, // 10
  { kind: K.PTR, sizeOrType: 8 }, // 11
  { kind: K.STRUCT, name: 'msi_desc', sizeOrType: 16, vlen: 3, flag: true, more: ['irq', 1, 0, 'iommu_msi_iova', 3, (58 << 24) | 64, 'iommu_msi_shift', 3, (6 << 24) | 122] }, // 12
  { kind: K.FUNC, name: 'iommu_domain_free', sizeOrType: 10, vlen: 1 }, // 13
  { kind: K.ARRAY, more: [2, 1, 3] }, // 14
  { kind: K.VAR, name: 'words', sizeOrType: 14, more: [1] }, // 15
  { kind: K.DATASEC, name: '.data', sizeOrType: 12, vlen: 1, more: [15, 0, 12] }, // 16
  { kind: K.ENUM64, name: 'wide', sizeOrType: 8, vlen: 1, flag: true, more: ['MINUS', 0xffffffff, 0xffffffff] }, // 17
  { kind: K.ENUM, name: 'narrow', sizeOrType: 4, vlen: 2, more: ['ZERO', 0, 'TOP', 0xffffffff] }, // 18
  { kind: K.DECL_TAG, name: 'kfunc', sizeOrType: 13, more: [0xffffffff] }, // 19
  { kind: K.FLOAT, name: 'double', sizeOrType: 8 }, // 20
  { kind: K.TYPE_TAG, name: 'rcu', sizeOrType: 2 }, // 21
  { kind: K.VOLATILE, sizeOrType: 21 }, // 22
  { kind: K.PTR, sizeOrType: 23 }, // 23: a pointer to itself
  // What compilers wrote before kind_flag: the integer holds the bits.
  { kind: K.INT, name: 'u32:5', sizeOrType: 4, more: [(3 << 16) | 5] }, // 24
  { kind: K.STRUCT, name: 'old', sizeOrType: 4, vlen: 1, more: ['five', 24, 8] }, // 25
  { kind: K.INT, name: endian, sizeOrType: 1, more: [8] },
];

describe.each(['little', 'big'] as const)('by hand, %s-endian', (endian) => {
  const hand = decodeBtf(buildBtf(endian, proposal(endian)), 'hand');

  test('bitfields count from the least significant bit of their word', () => {
    expect(flattenStruct(domainOf(hand))).toEqual([
      { name: 'type', offset: 0, size: 4, bitOffset: endian === 'little' ? 0 : 2, bitSize: 30 },
      { name: 'private_data_owner', offset: 0, size: 4, bitOffset: endian === 'little' ? 30 : 0, bitSize: 2 },
      { name: 'ops', offset: 8, size: 8 },
      { name: 'iommufd_hwpt', offset: 16, size: 8 },
      { name: 'handler', offset: 16, size: 8 },
    ]);
    expect(flattenStruct(placeStruct(hand, findStruct(hand, 'msi_desc')))).toEqual([
      { name: 'irq', offset: 0, size: 4 },
      { name: 'iommu_msi_iova', offset: 8, size: 8, bitOffset: endian === 'little' ? 0 : 6, bitSize: 58 },
      { name: 'iommu_msi_shift', offset: 8, size: 8, bitOffset: endian === 'little' ? 58 : 0, bitSize: 6 },
    ]);
    expect(findMember(hand, findStruct(hand, 'old'), 'five')!.bits).toEqual({ bitOffset: endian === 'little' ? 11 : 16, bitSize: 5 });
  });

  test('every kind', () => {
    expect(spellType(hand, 4)).toBe('const struct iommu_ops *');
    expect(spellType(hand, 9)).toBe('unsigned int (*)(struct iommu_domain *, ...)');
    expect(spellType(hand, 14)).toBe('u32[3]');
    expect(spellType(hand, 22)).toBe('volatile u32');
    expect(resolveType(hand, 22)).toBe(1);
    expect(pointeeOf(hand, 11)).toBe(8);
    expect(pointeeOf(hand, 1)).toBe(-1);
    expect([1, 4, 8, 14, 15, 16, 20, 6].map((id) => sizeOfType(hand, id))).toEqual([4, 8, 24, 12, 12, 12, 8, 0]);
    expect(hand.section(16)).toEqual([{ type: 15, offset: 0, size: 12 }]);
    expect(hand.enumerators(17)).toEqual([['MINUS', -1n]]);
    expect(hand.enumerators(18)).toEqual([['ZERO', 0n], ['TOP', 0xffffffffn]]);
    expect(hand.tags(13)).toEqual([{ tag: 'kfunc', component: -1 }]);
    expect(hand.parameters(13)).toEqual([{ name: 'domain', type: 11 }, { name: '', type: 0 }]);
    expect(hand.find('nothing', K.FUNC)).toBe(0);
  });

  test('a module’s types go on from those of its base', () => {
    const own = buildBtf(endian, [{ kind: K.FUNC, sizeOrType: 10 }, { kind: K.PTR, sizeOrType: 27 }]);
    const module = decodeBtf(own, 'module', hand);
    expect(module.count).toBe(hand.count + 2);
    expect(module.kind(hand.count + 1)).toBe(K.FUNC);
    expect(module.find('iommu_domain_free', K.FUNC)).toBe(13);
  });
});

describe('files', () => {
  const elf = (section: string, body: Buffer): Buffer => {
    const names = Buffer.from(`\0.shstrtab\0${section}\0`);
    const file = Buffer.alloc(64 + 3 * 64);
    file.writeUInt32BE(0x7f454c46, 0);
    file.set([2, 1, 1], 4);
    file.writeBigUInt64LE(64n, 0x28);
    file.writeUInt16LE(64, 0x3a);
    file.writeUInt16LE(3, 0x3c);
    file.writeUInt16LE(1, 0x3e);
    const header = (n: number, name: number, at: number, size: number): void => {
      file.writeUInt32LE(name, 64 + n * 64);
      file.writeBigUInt64LE(BigInt(at), 64 + n * 64 + 0x18);
      file.writeBigUInt64LE(BigInt(size), 64 + n * 64 + 0x20);
    };
    header(1, 1, file.length, names.length);
    header(2, 11, file.length + names.length, body.length);
    return Buffer.concat([file, names, body]);
  };
  const bytes = buildBtf('little', proposal('little'));

  test.each([['BTF', bytes], ['gzip', gzipSync(bytes)], ['ELF', elf('.BTF', bytes)]])('%s', (_, file) => {
    expect(domainOf(readBtf(fileOf(file))).size).toBe(24);
  });

  test('the one of the kernel in the tests', () => {
    expect(readBtf(BTF_72).count).toBe(btf.count);
  });

  test.each([
    ['an empty file', Buffer.alloc(0), 'is no type information'],
    ['text', Buffer.from('struct iommu_domain {};'), 'is no type information'],
    ['gzip of something else', gzipSync('x'.repeat(1000)), 'is no type information'],
    ['damaged gzip', gzipSync(bytes).fill(0, 20, 60), 'damaged gzip data'],
    ['an ELF file without the section', elf('.data', bytes), 'without a .BTF section'],
    ['an ELF file that is cut off', elf('.BTF', bytes).subarray(0, 300), 'without a .BTF section'],
    ['a header alone', bytes.subarray(0, 20), 'cut off in its header'],
    ['half of it', bytes.subarray(0, 200), 'cut off'],
  ])('%s is refused', (_, file, why) => {
    expect(() => readBtf(fileOf(file))).toThrow(UnreadableError);
    expect(() => readBtf(fileOf(file))).toThrow(why);
  });

  test('a missing file and a directory are refused', () => {
    expect(() => readBtf(join(import.meta.dirname, 'nothing-here'))).toThrow('no such file');
    expect(() => readBtf(import.meta.dirname)).toThrow('is no file');
  });
});

describe('damage', () => {
  /** Everything that the program asks of type information. */
  const ask = (bytes: Buffer): void => {
    const damaged = decodeBtf(bytes, 'damaged');
    flattenStruct(domainOf(damaged));
    archOf(damaged);
    probeSupport(damaged);
    for (const [name, member] of [['iommu_domain', 'type'], ['msi_desc', 'iommu_msi_iova'], ['device', 'iommu_group'], ['iommu_group', 'domain']]) {
      const id = findStruct(damaged, name);
      if (id > 0) findMember(damaged, id, member);
    }
    for (const name of ['iommu_domain_free', 'iommu_map']) {
      const id = damaged.find(name, K.FUNC);
      if (id > 0) for (const { type } of damaged.parameters(id)) spellType(damaged, type);
    }
    for (let id = 1; id <= Math.min(damaged.count, 30); id++) {
      damaged.tags(id);
      spellType(damaged, id);
      sizeOfType(damaged, id);
      const kind = damaged.kind(id);
      if (kind === K.ENUM || kind === K.ENUM64) damaged.enumerators(id);
      if (kind === K.DATASEC) damaged.section(id);
    }
  };
  const onlyUnreadable = (bytes: Buffer): boolean => {
    try {
      ask(bytes);
      return false;
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      expect(error.hint).not.toBe('');
      return true;
    }
  };

  test.each(['little', 'big'] as const)('every bit flipped, every length, %s-endian', (endian) => {
    // A pointer to itself is no damage, but cannot be spelled; without it the whole of the rest is asked.
    const whole = buildBtf(endian, proposal(endian).map((type, n) => (n === 22 ? { kind: K.PTR, sizeOrType: 1 } : type)));
    expect(onlyUnreadable(whole)).toBe(false);
    for (let length = 0; length < whole.length; length++) expect(onlyUnreadable(whole.subarray(0, length))).toBe(true);
    let refused = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      refused += Number(onlyUnreadable(bytes));
    }
    expect(refused).toBeGreaterThan(1000);
  });

  test('a real one with bytes changed', () => {
    const whole = btf72Bytes();
    let seed = 1;
    const random = (below: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    const start = performance.now();
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(whole);
      // Half of them in the header and the first types, which everything refers to.
      for (let n = 0; n < 20; n++) bytes[random(round % 2 === 0 ? 4096 : bytes.length)] = random(256);
      onlyUnreadable(bytes);
    }
    expect((performance.now() - start) / 60).toBeLessThan(500);
  });

  const small = (...types: HandType[]): Btf => decodeBtf(buildBtf('little', types), 'x');

  test.each([
    ['a typedef of itself', () => sizeOfType(small({ kind: K.TYPEDEF, name: 't', sizeOrType: 2 }, { kind: K.CONST, sizeOrType: 1 }), 1), 'typedef of itself'],
    ['a pointer to itself', () => spellType(small({ kind: K.PTR, sizeOrType: 1 }), 1), 'made of itself'],
    ['an array of itself', () => sizeOfType(small({ kind: K.ARRAY, more: [1, 1, 2] }), 1), 'itself'],
    ['a struct that contains itself', () => domainOf(small({ kind: K.STRUCT, name: 'iommu_domain', sizeOrType: 8, vlen: 2, more: ['', 1, 0, '', 1, 0] })), 'contains itself'],
    ['a name without end', () => decodeBtf(buildBtf('little', [{ kind: K.FLOAT, name: 'x', sizeOrType: 8 }]).fill(1, 36), 'x').nameOf(1), 'no end'],
    ['a name that is no text', () => small({ kind: K.FLOAT, name: '\x1b[2J', sizeOrType: 8 }).nameOf(1), 'no text'],
  ])('%s', (_, ask, why) => {
    expect(ask).toThrow(UnreadableError);
    expect(ask).toThrow(why);
  });

  test('2^60 members are not counted', () => {
    // Each level holds the next one 64 times.
    const levels = Array.from({ length: 10 }, (_, n): HandType => ({ kind: K.STRUCT, name: n === 0 ? 'iommu_domain' : '', sizeOrType: 8, vlen: 64, more: Array.from({ length: 64 }, () => ['', n === 9 ? 11 : n + 2, 0]).flat() }));
    const start = performance.now();
    expect(() => domainOf(decodeBtf(buildBtf('little', [...levels, { kind: K.INT, name: 'int', sizeOrType: 4, more: [32] }]), 'x'))).toThrow('more than');
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
