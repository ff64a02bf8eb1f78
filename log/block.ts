/**
 * Bytes of one block: up to 4,096 events in columns, with a dictionary of the strings and addresses they name.
 * Layout, all little-endian: "IOLB", u16 version, u16 rows, u32 strings, u32 addresses; per string u32 (bytes << 1 | utf16) and
 * its bytes; per address u32 low, u32 high; then each column of `COLUMNS` that has values, packed as `packing.ts` says.
 * Values of absent members are not stored. A block may come from a hostile file: every length is checked before it is believed.
 */
import { BATCH_CAPACITY, type EventBatch, type Interned } from '../events/batch.ts';
import { assert, UnreadableError } from '../events/problem.ts';
import { COLUMNS, TEXT_SLOTS, type Column } from './columns.ts';
import { decodeText, encodeText, LocalNumbers } from './dictionary.ts';
import { lines, packColumn, packed, unpackColumn, values } from './packing.ts';

/** Version that `encodeBlock` writes. */
export const BLOCK_VERSION = 1;

const MAGIC = 0x424c4f49;
const HEAD_BYTES = 16;

// Work space of one call; nothing in it outlives the call, and no call awaits.
const localStrings = new LocalNumbers();
const localAddresses = new LocalNumbers();

/**
 * Returns rows `from` (inclusive) to `to` (exclusive) as the bytes of one block.
 * Errors: throws on a row that no reader may make (unknown kind, more than 9 digits, a negative line).
 */
export function encodeBlock(batch: EventBatch, from: number, to: number): Uint8Array {
  assert(from >= 0 && from < to && to <= batch.length, `rows ${from} to ${to} of ${batch.length}`);
  localStrings.start();
  localAddresses.start();
  const masks = masksOf(batch, from, to);
  let at = 0;
  for (const column of COLUMNS) {
    if (!hasValues(column, masks)) continue;
    const count = gather(column, batch, from, to, masks);
    if (column.refers !== 'value') localise(column, batch, from, to, count);
    at = packColumn(column, count, at);
  }
  return assemble(batch.interned, to - from, packed.subarray(0, at));
}

/**
 * Adds the rows of a block to a batch that has room for `rows` more.
 * Errors: `UnreadableError` unless the block is well-formed and has exactly `rows` rows; the batch is then as long as before.
 */
export function decodeBlock(bytes: Uint8Array, rows: number, batch: EventBatch): void {
  assert(batch.length + rows <= BATCH_CAPACITY, 'batch has no room for the block');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD_BYTES || view.getUint32(0, true) !== MAGIC) throw damaged('it does not start like a block');
  const version = view.getUint16(4, true);
  if (version > BLOCK_VERSION) throw new UnreadableError(`block version ${version} is newer than ${BLOCK_VERSION}`, 'update iommu-ledger');
  if (version === 0) throw damaged('block version 0');
  if (view.getUint16(6, true) !== rows || rows === 0) throw damaged('wrong number of rows');

  const dictionary = decodeDictionary(bytes, view, batch.interned);
  const from = batch.length;
  const to = from + rows;
  let masks = NO_MASKS;
  let at = dictionary.end;
  for (const column of COLUMNS) {
    if (!hasValues(column, masks)) continue;
    const max = column.refers === 'string' ? dictionary.strings.length - 1 : column.refers === 'address' ? dictionary.addresses.length : column.max;
    const unpacked = unpackColumn(column, max, rows * column.per, bytes, view, at);
    if (typeof unpacked === 'string') throw damaged(unpacked);
    at = unpacked.end;
    if (column.refers !== 'value') globalise(column, batch, from, to, unpacked.count, dictionary);
    if (!scatter(column, batch, from, to, unpacked.count, masks)) throw damaged(`column ${column.name} has ${unpacked.count} values`);
    // From here on it is known which rows have which values.
    if (column.name === 'words') masks = masksOf(batch, from, to);
  }
  if (at !== bytes.length) throw damaged('bytes left over at its end');
  batch.length = to;
}

/** Presence bits that any row has, and those that every row has, of `present` and of `words`. */
interface Masks {
  readonly any: number;
  readonly all: number;
  readonly anyWord: number;
  readonly allWords: number;
}

const NO_MASKS: Masks = { any: 0, all: 0, anyWord: 0, allWords: 0 };

function masksOf({ present, words }: EventBatch, from: number, to: number): Masks {
  let [any, all, anyWord, allWords] = [0, -1, 0, -1];
  for (let i = from; i < to; i++) {
    any |= present[i];
    all &= present[i];
  }
  for (let w = from * 3; w < to * 3; w++) {
    anyWord |= words[w];
    allWords &= words[w];
  }
  return { any, all, anyWord, allWords };
}

function hasValues({ when, per }: Column, masks: Masks): boolean {
  return when === 0 || ((per === 3 ? masks.anyWord : masks.any) & when) !== 0;
}

/** Returns whether every row has a value. Two bits in `when` (either will do) are looked at row by row. */
function isDense({ when, per }: Column, masks: Masks): boolean {
  return when === 0 || ((per === 3 ? masks.allWords : masks.all) & when) === when;
}

/** Returns a column as bytes or as u32 bit patterns: two kinds of arrays instead of four keep the loops below fast. */
function dataOf(column: Column, batch: EventBatch): Uint8Array | Uint32Array {
  const data = batch[column.name];
  return data instanceof Uint8Array || data instanceof Uint32Array ? data : new Uint32Array(data.buffer, data.byteOffset, data.length);
}

/** Collects a column's values in `values` (`lines`); returns how many there are. */
function gather(column: Column, batch: EventBatch, from: number, to: number, masks: Masks): number {
  const { when, per, name } = column;
  if (name === 'line') {
    let n = 0;
    for (let i = from; i < to; i++) if ((batch.present[i] & when) !== 0) lines[n++] = batch.line[i];
    return n;
  }
  const data = dataOf(column, batch);
  const begin = from * per;
  const end = to * per;
  if (isDense(column, masks)) {
    values.set(data.subarray(begin, end));
    return end - begin;
  }
  const { present, words } = batch;
  let n = 0;
  if (per === 3) for (let i = begin; i < end; i++) (words[i] & when) !== 0 && (values[n++] = data[i]);
  else for (let i = begin; i < end; i++) (present[i] & when) !== 0 && (values[n++] = data[i]);
  return n;
}

/** Puts values into the rows that have one; returns whether there was exactly one for each of these. */
function scatter(column: Column, batch: EventBatch, from: number, to: number, count: number, masks: Masks): boolean {
  const { when, per, name } = column;
  const { present, words, line } = batch;
  let n = 0;
  if (name === 'line') {
    for (let i = from; i < to; i++) if ((present[i] & when) !== 0) line[i] = lines[n++];
    return n === count;
  }
  const data = dataOf(column, batch);
  const begin = from * per;
  const end = to * per;
  if (isDense(column, masks)) {
    data.set(values.subarray(0, Math.min(count, end - begin)), begin);
    return count === end - begin;
  }
  if (per === 3) for (let i = begin; i < end; i++) (words[i] & when) !== 0 && (data[i] = values[n++]);
  else for (let i = begin; i < end; i++) (present[i] & when) !== 0 && (data[i] = values[n++]);
  return n === count;
}

/** Replaces interned numbers in `values` by the block's own. */
function localise(column: Column, { present, kind }: EventBatch, from: number, to: number, count: number): void {
  if (column.refers === 'string') for (let k = 0; k < count; k++) values[k] = localStrings.of(values[k]);
  else if (column.refers === 'address') for (let k = 0; k < count; k++) values[k] = values[k] >= 0x80000000 ? 0 : localAddresses.of(values[k]) + 1;
  else {
    for (let i = from, k = 0; i < to; i++) {
      if ((present[i] & column.when) === 0) continue;
      if ((TEXT_SLOTS[kind[i]] & column.when) !== 0) values[k] = localStrings.of(values[k]);
      k++;
    }
  }
}

/** Replaces the block's own numbers in `values`, which are in range, by interned ones. */
function globalise(column: Column, { present, kind }: EventBatch, from: number, to: number, count: number, { strings, addresses }: Dictionary): void {
  if (column.refers === 'string') for (let k = 0; k < count; k++) values[k] = strings[values[k]];
  else if (column.refers === 'address') for (let k = 0; k < count; k++) values[k] = values[k] === 0 ? -1 : addresses[values[k] - 1];
  else {
    for (let i = from, k = 0; i < to && k < count; i++) {
      if ((present[i] & column.when) === 0) continue;
      if ((TEXT_SLOTS[kind[i]] & column.when) !== 0) {
        if (values[k] >= strings.length) throw damaged(`column ${column.name} is out of range`);
        values[k] = strings[values[k]];
      }
      k++;
    }
  }
}

function assemble(interned: Interned, rows: number, columns: Uint8Array): Uint8Array {
  const texts = localStrings.numbers.map((n) => encodeText(interned.strings.values[n]));
  const addresses = localAddresses.numbers;
  const textBytes = texts.reduce((sum, t) => sum + 4 + t.bytes.length, 0);
  const block = new Uint8Array(HEAD_BYTES + textBytes + addresses.length * 8 + columns.length);
  const view = new DataView(block.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, BLOCK_VERSION, true);
  view.setUint16(6, rows, true);
  view.setUint32(8, texts.length, true);
  view.setUint32(12, addresses.length, true);
  let at = HEAD_BYTES;
  for (const { bytes, wide } of texts) {
    view.setUint32(at, bytes.length * 2 + (wide ? 1 : 0), true);
    block.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  for (const n of addresses) {
    view.setUint32(at, interned.addresses.lo[n], true);
    view.setUint32(at + 4, interned.addresses.hi[n], true);
    at += 8;
  }
  block.set(columns, at);
  return block;
}

/** Interned numbers of a block's dictionary, and where it ends. */
interface Dictionary {
  readonly strings: Int32Array;
  readonly addresses: Int32Array;
  readonly end: number;
}

function decodeDictionary(bytes: Uint8Array, view: DataView, interned: Interned): Dictionary {
  let at = HEAD_BYTES;
  // Both counts are bounded by bytes that are really there before anything is allocated for them.
  const [stringCount, addressCount] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (stringCount * 4 + addressCount * 8 > bytes.length - at) throw damaged('its dictionary is longer than the block');
  const strings = new Int32Array(stringCount);
  for (let n = 0; n < stringCount; n++) {
    if (bytes.length - at < 4) throw damaged('it ends too early');
    const head = view.getUint32(at, true);
    const end = at + 4 + (head >>> 1);
    if (end > bytes.length) throw damaged('it ends too early');
    const text = decodeText(bytes.subarray(at + 4, end), (head & 1) === 1);
    if (text === undefined) throw damaged('a string is not text');
    strings[n] = interned.strings.intern(text);
    at = end;
  }
  if (addressCount * 8 > bytes.length - at) throw damaged('it ends too early');
  const addresses = new Int32Array(addressCount);
  for (let n = 0; n < addressCount; n++, at += 8) addresses[n] = interned.addresses.intern(view.getUint32(at, true), view.getUint32(at + 4, true));
  return { strings, addresses, end: at };
}

function damaged(what: string): UnreadableError {
  return new UnreadableError(`damaged block: ${what}`, 'take the log from a backup, or import its recordings into a new one');
}
