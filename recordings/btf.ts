/**
 * Type information of a kernel (BTF), read from its bytes: which structs, functions, enums and tags there are.
 * The types stay where they are, as words of one array with the place of each; an object is made only for what is asked for,
 * because a kernel has 150,000 types and a question is about a dozen. Sizes and places of members: btf-layout.ts.
 * Truth: include/uapi/linux/btf.h and Documentation/bpf/btf.rst at v7.3. Left out on purpose: .BTF.ext, line information.
 */
import { UnreadableError } from '../events/problem.ts';

/** `BTF_KIND_*`. Source: include/uapi/linux/btf.h. */
export const BTF_KIND = {
  VOID: 0, INT: 1, PTR: 2, ARRAY: 3, STRUCT: 4, UNION: 5, ENUM: 6, FWD: 7, TYPEDEF: 8, VOLATILE: 9, CONST: 10, RESTRICT: 11,
  FUNC: 12, FUNC_PROTO: 13, VAR: 14, DATASEC: 15, FLOAT: 16, DECL_TAG: 17, TYPE_TAG: 18, ENUM64: 19,
} as const;

/** Words behind the three of `struct btf_type`, for each kind: always, and for each of its `vlen`. */
const FIXED_WORDS = [0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0] as const;
const VLEN_WORDS = [0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3] as const;

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
/** A kernel's own is 7 MB. Units: bytes of types or of strings. */
const MAX_SECTION = 1 << 28;
const MAX_NAME = 4096;

/** A member as it is written: `bit` counts from the start of the struct, `bits` is 0 where it is no bitfield; `name` is '' for an anonymous one. */
export interface BtfMember {
  readonly name: string;
  readonly type: number;
  readonly bit: number;
  readonly bits: number;
}

/** A parameter of a function; a variadic one has no name and type 0. */
export interface BtfParameter {
  readonly name: string;
  readonly type: number;
}

/** A section of variables, and where they are in it. Units: bytes. */
export interface BtfSectionEntry {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

/** The sections of one file in host byte order; a module's stand behind those of its base. */
interface Sections {
  readonly words: Uint32Array;
  readonly strings: Buffer;
}

/** Types by number, 1 to `count`; 0 is void. Errors: every method throws UnreadableError for a number or name that the file cannot mean. */
export class Btf {
  readonly name: string;
  readonly endian: 'little' | 'big';
  /** Number of the last type. */
  readonly count: number;
  readonly sections: Sections;
  /** Index in `words` at which each type starts. */
  private readonly starts: Uint32Array;
  private readonly found = new Map<string, number>();

  constructor(name: string, endian: 'little' | 'big', sections: Sections) {
    this.name = name;
    this.endian = endian;
    this.sections = sections;
    const { words } = sections;
    this.starts = new Uint32Array(Math.floor(words.length / 3) + 1);
    let id = 0;
    for (let at = 0; at < words.length; ) {
      if (at + 3 > words.length) throw this.damaged(`type ${id + 1} is cut off`);
      this.starts[++id] = at;
      const kind = (words[at + 1] >>> 24) & 0x7f;
      if (kind === 0 || kind >= FIXED_WORDS.length) throw this.damaged(`type ${id} is of kind ${kind}, which does not exist`);
      // vlen of a FUNC is its linkage.
      at += 3 + FIXED_WORDS[kind] + VLEN_WORDS[kind] * (words[at + 1] & 0xffffff);
      if (at > words.length) throw this.damaged(`type ${id} is longer than the file`);
    }
    this.count = id;
  }

  /** The error to throw when the bytes cannot be what they say. */
  damaged(what: string): UnreadableError {
    return new UnreadableError(`${this.name}: damaged type information: ${what}`, 'copy it again: cat /sys/kernel/btf/vmlinux > FILE');
  }

  /** Returns a value of `BTF_KIND`. */
  kind(id: number): number {
    return id === 0 ? BTF_KIND.VOID : (this.sections.words[this.start(id) + 1] >>> 24) & 0x7f;
  }

  /** Returns the name of a type, '' where it has none. */
  nameOf(id: number): string {
    return id === 0 ? 'void' : this.text(this.sections.words[this.start(id)]);
  }

  /** Returns the third word: a size in bytes or another type's number, by kind. */
  sizeOrType(id: number): number {
    return this.sections.words[this.start(id) + 2];
  }

  /** Returns the number of the first type of this name and one of these kinds, 0 where there is none. */
  find(name: string, ...kinds: readonly number[]): number {
    const key = `${kinds.join()} ${name}`;
    let id = this.found.get(key);
    if (id === undefined) this.found.set(key, (id = this.search(name, kinds)));
    return id;
  }

  /** Returns the members of a struct or union. Order: as declared. */
  members(id: number): BtfMember[] {
    const flagged = this.sections.words[this.start(id) + 1] >>> 31 !== 0;
    return this.list(id, 3, [BTF_KIND.STRUCT, BTF_KIND.UNION], (words, at) => {
      const type = words[at + 1];
      const place = words[at + 2];
      if (flagged) return { name: this.text(words[at]), type, bit: place & 0xffffff, bits: place >>> 24 };
      // Before kind_flag the integer said how many bits of it are used.
      const integer = type !== 0 && this.kind(type) === BTF_KIND.INT ? words[this.start(type) + 3] : 0;
      const bits = integer & 0xff;
      const part = bits > 0 && bits !== this.sizeOrType(type) * 8;
      return { name: this.text(words[at]), type, bit: place + (part ? (integer >>> 16) & 0xff : 0), bits: part ? bits : 0 };
    });
  }

  /** Returns the names of an enum with their values. Order: as declared. */
  enumerators(id: number): [name: string, value: bigint][] {
    const signed = this.sections.words[this.start(id) + 1] >>> 31 !== 0;
    if (this.kind(id) === BTF_KIND.ENUM) return this.list(id, 2, [BTF_KIND.ENUM], (words, at) => [this.text(words[at]), BigInt(signed ? words[at + 1] | 0 : words[at + 1])]);
    return this.list(id, 3, [BTF_KIND.ENUM64], (words, at) => {
      const value = (BigInt(words[at + 2]) << 32n) | BigInt(words[at + 1]);
      return [this.text(words[at]), signed ? BigInt.asIntN(64, value) : value];
    });
  }

  /** Returns the parameters of a FUNC or FUNC_PROTO. Order: as declared. */
  parameters(id: number): BtfParameter[] {
    return this.list(this.prototypeOf(id), 2, [BTF_KIND.FUNC_PROTO], (words, at) => ({ name: this.text(words[at]), type: words[at + 1] }));
  }

  /** Returns the number of the type that a FUNC or FUNC_PROTO returns. */
  returns(id: number): number {
    return this.sizeOrType(this.prototypeOf(id));
  }

  /** Returns element type and length of an array. */
  array(id: number): { readonly type: number; readonly length: number } {
    if (this.kind(id) !== BTF_KIND.ARRAY) throw this.damaged(`type ${id} is no array`);
    const at = this.start(id);
    return { type: this.sections.words[at + 3], length: this.sections.words[at + 5] };
  }

  /** Returns what a section of variables holds. */
  section(id: number): BtfSectionEntry[] {
    return this.list(id, 3, [BTF_KIND.DATASEC], (words, at) => ({ type: words[at], offset: words[at + 1], size: words[at + 2] }));
  }

  /** Returns the tags that declarations attach to a type, each with the member or parameter meant; -1 is the type itself. */
  tags(id: number): { readonly tag: string; readonly component: number }[] {
    const { words } = this.sections;
    const tags: { tag: string; component: number }[] = [];
    for (let other = 1; other <= this.count; other++) {
      const at = this.starts[other];
      if (words[at + 2] === id && this.kind(other) === BTF_KIND.DECL_TAG) tags.push({ tag: this.text(words[at]), component: words[at + 3] | 0 });
    }
    return tags;
  }

  private start(id: number): number {
    if (id < 1 || id > this.count) throw this.damaged(`type ${id} is named, but there are ${this.count}`);
    return this.starts[id];
  }

  private prototypeOf(id: number): number {
    return this.kind(id) === BTF_KIND.FUNC ? this.sizeOrType(id) : id;
  }

  private list<T>(id: number, width: number, kinds: readonly number[], decode: (words: Uint32Array, at: number) => T): T[] {
    if (!kinds.includes(this.kind(id))) throw this.damaged(`type ${id} is of kind ${this.kind(id)} where ${kinds.join(' or ')} is meant`);
    const { words } = this.sections;
    const at = this.start(id);
    return Array.from({ length: words[at + 1] & 0xffffff }, (_, n) => decode(words, at + 3 + n * width));
  }

  /** A name in the string section. */
  private text(offset: number): string {
    const { strings } = this.sections;
    const end = offset < strings.length ? strings.indexOf(0, offset) : -1;
    if (end < 0 || end - offset > MAX_NAME) throw this.damaged(`a name at byte ${offset} of the strings, which has no end`);
    const text = strings.toString('latin1', offset, end);
    if (/[^ -~]/.test(text)) throw this.damaged(`a name at byte ${offset} of the strings, which is no text`);
    return text;
  }

  private search(name: string, kinds: readonly number[]): number {
    const { words, strings } = this.sections;
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const offsets = new Set<number>();
    for (let at = strings.indexOf(wanted); at >= 0; at = strings.indexOf(wanted, at + 1)) offsets.add(at);
    if (offsets.size === 0) return 0;
    for (let id = 1; id <= this.count; id++) {
      const at = this.starts[id];
      if (offsets.has(words[at]) && kinds.includes((words[at + 1] >>> 24) & 0x7f)) return id;
    }
    return 0;
  }
}

/**
 * Returns the types in the bytes of a BTF file. `base`: that of vmlinux, for the file of a module, whose numbers go on from there.
 * Errors: UnreadableError where the bytes are no BTF, or damaged.
 */
export function decodeBtf(bytes: Uint8Array, name: string, base?: Btf): Btf {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): UnreadableError => new UnreadableError(`${name}: ${what}`, 'name a copy of /sys/kernel/btf/vmlinux, or a vmlinux with a .BTF section');
  const little = data.length >= 2 && data.readUInt16LE(0) === MAGIC;
  if (!little && (data.length < 2 || data.readUInt16BE(0) !== MAGIC)) throw damaged('is no type information (BTF)');
  if (data.length < HEADER_BYTES) throw damaged('the type information is cut off in its header');
  const u32 = (at: number): number => (little ? data.readUInt32LE(at) : data.readUInt32BE(at));
  if (data[2] !== 1) throw damaged(`type information of version ${data[2]}, which is not known`);
  const [header, typeOffset, typeBytes, stringOffset, stringBytes] = [4, 8, 12, 16, 20].map(u32);
  if (header < HEADER_BYTES || header + typeOffset + typeBytes > data.length || header + stringOffset + stringBytes > data.length) {
    throw damaged(`the type information is cut off: its header tells of ${header + Math.max(typeOffset + typeBytes, stringOffset + stringBytes)} bytes, the file has ${data.length}`);
  }
  if (typeBytes % 4 !== 0 || Math.max(typeBytes, stringBytes) > MAX_SECTION) throw damaged(`damaged type information: ${typeBytes} bytes of types`);
  const endian = little ? 'little' : 'big';
  if (base && base.endian !== endian) throw damaged(`is ${endian}-endian, and ${base.name} is not`);
  const words = joined(base?.sections.words, data.subarray(header + typeOffset, header + typeOffset + typeBytes), little);
  const strings = data.subarray(header + stringOffset, header + stringOffset + stringBytes);
  return new Btf(name, endian, { words, strings: base ? Buffer.concat([base.sections.strings, strings]) : strings });
}

/** The words of `bytes` in host order, behind those of the base. */
function joined(base: Uint32Array | undefined, bytes: Buffer, little: boolean): Uint32Array {
  const skip = base?.length ?? 0;
  const words = new Uint32Array(skip + bytes.length / 4);
  if (base) words.set(base);
  const copy = Buffer.from(words.buffer, skip * 4, bytes.length);
  bytes.copy(copy);
  const hostIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (little !== hostIsLittle) copy.swap32();
  return words;
}
