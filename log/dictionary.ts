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
  if (text.isWellFormed()) return { bytes: utf8Bytes.encode(text), wide: false };
  const bytes = new Uint8Array(text.length * 2);
  for (let k = 0; k < text.length; k++) {
    bytes[k * 2] = text.charCodeAt(k) & 0xff;
    bytes[k * 2 + 1] = text.charCodeAt(k) >> 8;
  }
  return { bytes, wide: true };
}

const utf8Bytes = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Returns the string of these bytes, undefined if they are no text. */
export function decodeText(bytes: Uint8Array, wide: boolean): string | undefined {
  if (wide) {
    // TextDecoder would replace what stands alone.
    if (bytes.length % 2 !== 0) return undefined;
    let text = '';
    for (let at = 0; at < bytes.length; at += 2) text += String.fromCharCode(bytes[at] | (bytes[at + 1] << 8));
    return text;
  }
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
