/**
 * Interning: an address (two u32) or a string becomes a dense number once, at the border, and travels as that.
 * Replay state is indexed by these numbers, so a row is found without hashing.
 */

const EMPTY = -1;

/** Dense numbers for 64-bit addresses. Numbers are given from 0 upwards and may be released and given again. */
export class AddressTable {
  /** Low and high half of each address, by dense number. */
  lo = new Uint32Array(1024);
  hi = new Uint32Array(1024);
  /** Highest number given so far + 1. */
  size = 0;
  private slots = new Int32Array(4096).fill(EMPTY);
  private used = 0;
  /** Whether a number was ever given back: then numbers no longer follow the order of first sight. */
  released = false;
  private freed: number[] = [];

  /** Returns the number of an address, giving it one if it is new. */
  intern(lo: number, hi: number): number {
    let slots = this.slots;
    let mask = slots.length - 1;
    let at = hashAddress(lo, hi) & mask;
    for (let n = slots[at]; n !== EMPTY; n = slots[at]) {
      if (this.lo[n] === lo && this.hi[n] === hi) return n;
      at = (at + 1) & mask;
    }
    if (this.used * 2 >= slots.length) {
      this.grow();
      slots = this.slots;
      mask = slots.length - 1;
      at = hashAddress(lo, hi) & mask;
      while (slots[at] !== EMPTY) at = (at + 1) & mask;
    }
    const n = this.freed.length > 0 ? this.freed.pop()! : this.size++;
    if (n >= this.lo.length) {
      this.lo = widen(this.lo);
      this.hi = widen(this.hi);
    }
    this.lo[n] = lo;
    this.hi[n] = hi;
    slots[at] = n;
    this.used++;
    return n;
  }

  /** Forgets an address; its number may be given to another one. */
  release(n: number): void {
    const slots = this.slots;
    const mask = slots.length - 1;
    let at = hashAddress(this.lo[n], this.hi[n]) & mask;
    while (slots[at] !== n) {
      if (slots[at] === EMPTY) return;
      at = (at + 1) & mask;
    }
    // Backward-shift deletion keeps every probe sequence unbroken.
    for (let next = (at + 1) & mask; slots[next] !== EMPTY; next = (next + 1) & mask) {
      const home = hashAddress(this.lo[slots[next]], this.hi[slots[next]]) & mask;
      if (((next - home) & mask) >= ((next - at) & mask)) {
        slots[at] = slots[next];
        at = next;
      }
    }
    slots[at] = EMPTY;
    this.used--;
    this.released = true;
    this.freed.push(n);
  }

  /** Lower-case `0x…` text of an address number. */
  text(n: number): string {
    return hex64(this.lo[n], this.hi[n]);
  }

  private grow(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2).fill(EMPTY);
    const mask = slots.length - 1;
    for (const n of old) {
      if (n === EMPTY) continue;
      let at = hashAddress(this.lo[n], this.hi[n]) & mask;
      while (slots[at] !== EMPTY) at = (at + 1) & mask;
      slots[at] = n;
    }
    this.slots = slots;
  }
}

/** Strings by dense number; 0 is the empty string. At most `LIMIT` distinct ones are kept apart. */
export class StringTable {
  readonly values: string[] = [''];
  private readonly numbers = new Map<string, number>([['', 0]]);
  static readonly LIMIT = 1 << 20;

  /** Returns the number of a string. Past the limit every new string becomes `…`, so memory stays bounded. */
  intern(value: string): number {
    let n = this.numbers.get(value);
    if (n === undefined) {
      if (this.values.length >= StringTable.LIMIT) {
        return this.numbers.get('…') ?? this.intern1('…');
      }
      n = this.intern1(value);
    }
    return n;
  }

  private intern1(value: string): number {
    const n = this.values.length;
    this.values.push(value);
    this.numbers.set(value, n);
    return n;
  }
}

/** Lower-case `0x…` text of a 64-bit value given as two u32. */
export function hex64(lo: number, hi: number): string {
  return hi === 0 ? `0x${lo.toString(16)}` : `0x${hi.toString(16)}${lo.toString(16).padStart(8, '0')}`;
}

function hashAddress(lo: number, hi: number): number {
  let h = Math.imul(lo, 0x9e3779b1) ^ Math.imul(hi, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

function widen(old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(old.length * 2);
  wide.set(old);
  return wide;
}
