/**
 * /proc/kallsyms as a trace.dat carries it: "ffff80008041f5cc T name" or "… t name\t[module]". Looks an address up among
 * all symbols; whoever asks often remembers the answers.
 */

/** Symbols of one kernel. */
export class Kallsyms {
  private readonly text: Buffer;
  private readonly lo: Uint32Array;
  private readonly hi: Uint32Array;
  /** Where the name of each symbol begins in the text. */
  private readonly names: Uint32Array;
  private count = 0;

  constructor(text: Buffer) {
    this.text = text;
    let lines = 1;
    for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, at + 1)) lines++;
    this.lo = new Uint32Array(lines);
    this.hi = new Uint32Array(lines);
    this.names = new Uint32Array(lines);
    for (let at = 0; at < text.length; ) {
      let end = text.indexOf(10, at);
      if (end < 0) end = text.length;
      this.add(at, end);
      at = end + 1;
    }
  }

  /** Returns "name" or "name [module]" of the function that an address lies in, or null. */
  find(lo: number, hi: number): string | null {
    let best = -1;
    for (let n = 0; n < this.count; n++) {
      if (this.hi[n] > hi || (this.hi[n] === hi && this.lo[n] > lo)) continue;
      if (best < 0 || this.hi[n] > this.hi[best] || (this.hi[n] === this.hi[best] && this.lo[n] > this.lo[best])) best = n;
    }
    if (best < 0) return null;
    let end = this.names[best];
    while (end < this.text.length && this.text[end] !== 10 && this.text[end] !== 9) end++;
    return this.text.toString('latin1', this.names[best], end);
  }

  private add(from: number, end: number): void {
    let lo = 0;
    let hi = 0;
    let q = from;
    for (; q < end && this.text[q] !== 32; q++) {
      const c = this.text[q];
      const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : -1;
      if (digit < 0) return;
      hi = ((hi << 4) | (lo >>> 28)) >>> 0;
      lo = ((lo << 4) | digit) >>> 0;
    }
    // Only code: "t", "T", "w", "W"; and no address means that the kernel hid it (kptr_restrict).
    const type = this.text[q + 1] | 32;
    if (q + 3 >= end || (type !== 116 && type !== 119) || (lo | hi) === 0) return;
    this.lo[this.count] = lo;
    this.hi[this.count] = hi;
    this.names[this.count++] = q + 3;
  }
}
