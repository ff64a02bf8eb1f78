/**
 * Dictionaries of stored blocks and digests: strings as bytes and back without loss, and dense numbers that are local to one block,
 * so that what is stored never depends on the numbers a process happened to intern.
 */
import { assert } from '../events/problem.ts';

/** A string as bytes: UTF-8, or UTF-16LE (`wide`) where lone surrogates would not survive UTF-8. */
export interface EncodedText {
  readonly bytes: Uint8Array;
  readonly wide: boolean;
}

/** Returns the bytes of a string. Equal strings give equal bytes; different strings differ in `bytes` or `wide`. */
export function encodeText(text: string): EncodedText {
  const wide = !text.isWellFormed();
  return { bytes: Buffer.from(text, wide ? 'utf16le' : 'utf8'), wide };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Returns the string of these bytes, undefined if they are no text. */
export function decodeText(bytes: Uint8Array, wide: boolean): string | undefined {
  if (wide) return bytes.length % 2 === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf16le') : undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Gives interned numbers local ones, from 0 upwards in the order of their first use since `start`. */
export class LocalNumbers {
  /** Interned number of each local number. */
  numbers: number[] = [];
  private local = new Int32Array(1024);
  /** The round in which an interned number got its local one: starting anew costs nothing. */
  private rounds = new Int32Array(1024);
  private round = 0;

  start(): void {
    this.round++;
    this.numbers = [];
  }

  /** Returns the local number of an interned number. */
  of(n: number): number {
    if (n >= this.rounds.length) this.widen(n);
    if (this.rounds[n] !== this.round) {
      assert(n >= 0, 'a row names a string or address that was never interned');
      this.rounds[n] = this.round;
      this.local[n] = this.numbers.length;
      this.numbers.push(n);
    }
    return this.local[n];
  }

  private widen(n: number): void {
    const length = Math.max(n + 1, this.rounds.length * 2);
    const rounds = new Int32Array(length);
    const local = new Int32Array(length);
    rounds.set(this.rounds);
    local.set(this.local);
    this.rounds = rounds;
    this.local = local;
  }
}
