/**
 * What the tests of type information share: the BTF of a real kernel (birth note: test/recordings/README.md, `btf/`), and
 * small ones built by hand in either byte order.
 */
import { gunzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BTF_KIND, decodeBtf, type Btf } from '../recordings/btf.ts';

/** Path of the type information of Debian's 7.2.13+deb14-arm64, gzip. */
export const BTF_72 = join(import.meta.dirname, 'recordings/btf/7.2.13+deb14-arm64.btf.gz');

/** Returns its bytes, unpacked. */
export function btf72Bytes(): Buffer {
  return gunzipSync(readFileSync(BTF_72));
}

/** Returns its types. */
export function btf72(): Btf {
  return decodeBtf(btf72Bytes(), '7.2.13+deb14-arm64');
}

/** A type for `buildBtf`: its kind, what its third word holds, and the words behind. Texts become offsets of names. */
export interface HandType {
  readonly kind: number;
  readonly name?: string;
  readonly sizeOrType?: number;
  readonly vlen?: number;
  readonly flag?: boolean;
  readonly more?: readonly (number | string)[];
}

/** Returns the bytes of a BTF with these types, numbered from 1; behind a base they go on from its last, and names from the end of its own. */
export function buildBtf(endian: 'little' | 'big', types: readonly HandType[], base?: Btf): Buffer {
  const before = base?.sections.strings.length ?? 0;
  let strings = '\0';
  const text = (name: string): number => {
    if (name === '') return 0;
    const at = strings.indexOf(`\0${name}\0`);
    if (at >= 0) return before + at + 1;
    strings += `${name}\0`;
    return before + strings.length - name.length - 1;
  };
  const words = types.flatMap(({ kind, name = '', sizeOrType = 0, vlen = 0, flag = false, more = [] }) => [
    text(name), ((flag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0, sizeOrType, ...more.map((word) => (typeof word === 'string' ? text(word) : word)),
  ]);
  const bytes = Buffer.alloc(24 + words.length * 4 + strings.length);
  const u32 = (value: number, at: number): number => (endian === 'little' ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at));
  if (endian === 'little') bytes.writeUInt16LE(0xeb9f, 0);
  else bytes.writeUInt16BE(0xeb9f, 0);
  bytes[2] = 1;
  [24, 0, words.length * 4, words.length * 4, strings.length].forEach((value, n) => u32(value, 4 + n * 4));
  words.forEach((word, n) => u32(word, 24 + n * 4));
  bytes.write(strings, 24 + words.length * 4, 'latin1');
  return bytes;
}

/** A parameter or result of `withFunctions`: a pointer to a struct of this tag, or a number. */
type HandParameter = readonly [name: string, struct: string];

/**
 * Returns the types of `base` with functions that its compiler inlined or its configuration left out, as a module's type
 * information would have them: `[result struct, parameters]` by name. The structs of iommufd are added as far as they are looked at.
 */
export function withFunctions(base: Btf, functions: Readonly<Record<string, readonly [result: string, parameters: readonly HandParameter[]]>>): Btf {
  const types: HandType[] = [];
  const add = (type: HandType): number => base.count + types.push(type);
  const structs = new Map<string, number>();
  const pointerTo = (tag: string): number => {
    if (tag === '') return base.find('long unsigned int', BTF_KIND.INT);
    if (!structs.has(tag)) structs.set(tag, add({ kind: BTF_KIND.PTR, sizeOrType: base.find(tag, BTF_KIND.STRUCT) || add(HAND_STRUCTS[tag]) }));
    return structs.get(tag)!;
  };
  const domain = pointerTo('iommu_domain');
  const HAND_STRUCTS: Readonly<Record<string, HandType>> = {
    // hwpt->common.domain
    iommufd_hwpt_paging: { kind: BTF_KIND.STRUCT, name: 'iommufd_hwpt_paging', sizeOrType: 32, vlen: 1, more: ['common', add({ kind: BTF_KIND.STRUCT, name: 'iommufd_hw_pagetable', sizeOrType: 16, vlen: 1, more: ['domain', domain, 64] }), 0] },
  };
  for (const [name, [result, parameters]] of Object.entries(functions)) {
    const more = parameters.flatMap(([parameter, struct]) => [parameter, pointerTo(struct)]);
    const prototype = add({ kind: BTF_KIND.FUNC_PROTO, sizeOrType: pointerTo(result), vlen: parameters.length, more });
    add({ kind: BTF_KIND.FUNC, name, sizeOrType: prototype, vlen: 1 });
  }
  return decodeBtf(buildBtf(base.endian, types, base), 'more functions', base);
}
