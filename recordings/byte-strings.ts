/**
 * Strings found by their bytes, so that no string is made of bytes that were seen before.
 */
import type { StringTable } from '../events/tables.ts';
import { hashByte } from './probe-line.ts';

/** Strings that are remembered by hash; a damaged recording may hold them without end. */
const LIMIT = 1 << 16;

/** Interned strings of one recording. */
export class ByteStrings {
  private readonly strings: StringTable;
  /** Hash → number of the string, checked against the bytes. */
  private readonly numbers = new Map<number, number>();

  constructor(strings: StringTable) {
    this.strings = strings;
  }

  /** Returns the number of the UTF-8 string of these bytes; `guess` is the one it most likely is. */
  intern(bytes: Buffer, start: number, end: number, guess: number): number {
    const { values } = this.strings;
    if (same(values[guess], bytes, start, end)) return guess;
    let h = end - start;
    for (let q = start; q < end; q++) h = hashByte(h, bytes[q]);
    const n = this.numbers.get(h);
    if (n !== undefined && same(values[n], bytes, start, end)) return n;
    const made = this.strings.intern(bytes.toString('utf8', start, end));
    if (this.numbers.size < LIMIT) this.numbers.set(h, made);
    return made;
  }
}

function same(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
