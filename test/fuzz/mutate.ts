/**
 * Mutations of real files, the same for the same seed and number: first every section boundary cut and every length, count
 * and offset set to its extremes, one after the other; then chance, one to four at a time. A seed may have parts (what a packed
 * section holds) that are mutated before the file is put together again, so that the reader behind the unpacking is reached.
 */

/** Where a file or a part of it can hurt: `boundaries` of its sections, and `fields` that tell lengths, counts, offsets, flags. */
export interface Places {
  readonly boundaries: readonly number[];
  readonly fields: readonly { readonly at: number; readonly size: 1 | 2 | 4 | 8 }[];
}

/** Bytes with their places. */
export interface Part extends Places {
  readonly bytes: Buffer;
}

/** A file to be mutated. `text`: numbers in it are digits. `build` makes the file of `parts`. Numbers are little-endian. */
export interface Seed {
  readonly whole: Part;
  readonly text: boolean;
  readonly parts: readonly Part[];
  build(parts: readonly Buffer[]): Buffer;
}

/** Numbers as if by chance, the same for the same seed (mulberry32). */
class Chance {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** Returns a whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

type Mutation = (bytes: Buffer) => Buffer;

const EXTREMES: readonly ((bits: bigint) => bigint)[] = [() => 0n, () => 1n, (bits) => (1n << bits) - 1n, (bits) => (1n << bits) - 2n, (bits) => 1n << (bits - 1n), (bits) => (1n << (bits - 1n)) - 1n];
const DIGITS = ['0', '1', '-1', '255', '65535', '4294967295', '4294967296', '18446744073709551615', '99999999999999999999999', '0x0', '0xffffffffffffffff', '0x8000000000000000'];
const BYTES = [0, 1, 9, 10, 13, 32, 34, 45, 47, 58, 92, 0x7f, 0x80, 0xff];
const MAX_BLOCK = 4096;

/** Sets `size` bytes at `at` to a number. */
function put(bytes: Buffer, at: number, size: number, value: bigint): Buffer {
  for (let n = 0; n < size && at + n < bytes.length; n++) bytes[at + n] = Number((value >> BigInt(8 * n)) & 0xffn);
  return bytes;
}

/** Every cut at a boundary, one byte before it and one behind it; every field at every extreme. */
function systematic({ boundaries, fields }: Places): Mutation[] {
  const cuts = boundaries.flatMap((at) => [at - 1, at, at + 1].map((end): Mutation => (bytes) => bytes.subarray(0, Math.max(0, end))));
  const extremes = fields.flatMap(({ at, size }) => EXTREMES.map((extreme): Mutation => (bytes) => put(bytes, at, size, extreme(BigInt(size * 8)))));
  return [...cuts, ...extremes];
}

function block(chance: Chance, bytes: Buffer): [from: number, to: number] {
  const from = chance.below(bytes.length);
  return [from, Math.min(bytes.length, from + 1 + chance.below(chance.pick([4, 64, MAX_BLOCK])))];
}

const splice = (bytes: Buffer, from: number, to: number, ...between: Buffer[]): Buffer => Buffer.concat([bytes.subarray(0, from), ...between, bytes.subarray(to)]);

const BY_CHANCE: readonly ((bytes: Buffer, chance: Chance, places: Places) => Buffer)[] = [
  (bytes, chance) => {
    bytes[chance.below(bytes.length)] ^= 1 << chance.below(8);
    return bytes;
  },
  (bytes, chance) => bytes.fill(chance.pick(BYTES), ...block(chance, bytes)),
  (bytes, chance) => {
    bytes[chance.below(bytes.length)] = chance.below(4) === 0 ? chance.below(256) : chance.pick(BYTES);
    return bytes;
  },
  // A word of a ring buffer is a type in five bits and a length or a time.
  (bytes, chance) => put(bytes, chance.below(bytes.length) & ~3, chance.pick([1, 2, 4, 8]), (chance.pick(EXTREMES)(BigInt(32)) << 5n) | BigInt(chance.pick([0, 1, 28, 29, 30, 31]))),
  (bytes, chance, { fields }) => {
    if (fields.length === 0) return bytes;
    const { at, size } = chance.pick(fields);
    return put(bytes, at, size, chance.below(2) === 0 ? chance.pick(EXTREMES)(BigInt(size * 8)) : BigInt(chance.below(chance.pick([16, 4096, 2 ** 32]))));
  },
  (bytes, chance) => splice(bytes, ...block(chance, bytes)),
  (bytes, chance) => {
    const [from, to] = block(chance, bytes);
    const at = chance.below(bytes.length);
    return splice(bytes, at, at, bytes.subarray(from, to));
  },
  (bytes, chance) => {
    bytes.copy(bytes, chance.below(bytes.length), ...block(chance, bytes));
    return bytes;
  },
  (bytes, chance) => {
    const [from, to] = block(chance, bytes);
    return splice(bytes, to, to, ...Array.from({ length: chance.pick([1, 2, 20]) }, () => bytes.subarray(from, to)));
  },
  (bytes, chance, { boundaries }) => bytes.subarray(0, boundaries.length > 0 && chance.below(2) === 0 ? chance.pick(boundaries) : chance.below(bytes.length)),
];

/** Puts an extreme in place of a number that is written in digits. */
function digits(bytes: Buffer, chance: Chance): Buffer {
  const near = chance.below(bytes.length);
  const window = bytes.toString('latin1', near, near + 200);
  const numbers = [...window.matchAll(/0x[0-9a-f]+|-?\d+/g)];
  if (numbers.length === 0) return bytes;
  const { 0: number, index } = chance.pick(numbers);
  return splice(bytes, near + index, near + index + number.length, Buffer.from(chance.pick(DIGITS)));
}

/** The mutations of one seed, by number. */
export class Mutations {
  private readonly seed: Seed;
  private readonly list: readonly (() => Buffer)[];

  constructor(seed: Seed) {
    this.seed = seed;
    this.list = [
      ...systematic(seed.whole).map((mutation) => () => mutation(Buffer.from(seed.whole.bytes))),
      ...seed.parts.flatMap((part, n) => systematic(part).map((mutation) => () => this.with(n, mutation))),
    ];
  }

  /** How many mutations are not by chance. */
  get systematic(): number {
    return this.list.length;
  }

  /** Returns mutation `n`; behind the systematic ones chance decides, from `number` on. */
  make(n: number, number: number): Buffer {
    return n < this.list.length ? this.list[n]() : this.byChance(new Chance(Math.imul(number, 0x9e3779b1) ^ n));
  }

  private byChance(chance: Chance): Buffer {
    const { whole, parts, text } = this.seed;
    const several = (places: Places): Mutation => (original) => {
      let bytes = original;
      for (let left = chance.pick([1, 1, 2, 4]); left > 0 && bytes.length > 0; left--) {
        bytes = (text || parts.length > 0) && chance.below(3) === 0 ? digits(bytes, chance) : chance.pick(BY_CHANCE)(bytes, chance, places);
      }
      return bytes;
    };
    const n = parts.length > 0 && chance.below(4) > 0 ? chance.below(parts.length) : -1;
    return n < 0 ? several(whole)(Buffer.from(whole.bytes)) : this.with(n, several(parts[n]));
  }

  /** The file with one of its parts mutated. */
  private with(n: number, mutation: Mutation): Buffer {
    const { parts, build } = this.seed;
    return build(parts.map(({ bytes }, other) => (other === n ? mutation(Buffer.from(bytes)) : bytes)));
  }
}
