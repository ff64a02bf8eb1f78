/**
 * Packing of one column's values: the smallest one as base, the others as differences in 0, 1, 2, 4 or 8 bytes.
 * Values travel as u32 bit patterns in a work space (a signed column's -1 is 0xffffffff there); only `line`, which may exceed
 * 32 bits, has one of its own. Layout of a packed column, little-endian: u8 id, u8 width, u16 zero, u32 values, f64 base, then
 * value - base in `width` bytes each. Width 0: all values are equal. Width 8: the values themselves as f64 (`line` only).
 */
import { BATCH_CAPACITY } from '../events/batch.ts';
import { assert } from '../events/problem.ts';
import { COLUMNS, type Column } from './columns.ts';

/** Work space of values, valid until the next call of anything in here. No call awaits. */
export const values = new Uint32Array(BATCH_CAPACITY * 3);

/** The same for `line`. */
export const lines = new Float64Array(BATCH_CAPACITY);

/** Work space in which a block's columns are packed one after the other. */
export const packed = new Uint8Array(COLUMNS.reduce((sum, c) => sum + 16 + BATCH_CAPACITY * c.per * 8, 0));

const packedView = new DataView(packed.buffer);
const HEAD_BYTES = 16;

/** Packs `count` values (of `lines` for `line`) at `at` of `packed`; returns where they end. */
export function packColumn(column: Column, count: number, at: number): number {
  if (column.name === 'line') return packLines(column, count, at);
  // With the sign bit flipped, signed numbers are in unsigned order.
  const flip = column.min < 0 ? 0x80000000 : 0;
  let min = 0xffffffff;
  let max = 0;
  for (let k = 0; k < count; k++) {
    const v = (values[k] ^ flip) >>> 0;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  assert(min - flip >= column.min && max - flip <= column.max, `column ${column.name} holds ${min - flip} to ${max - flip}`);
  const first = (min ^ flip) >>> 0;
  return packDifferences(column, count, first, min - flip, max - min, at);
}

function packLines(column: Column, count: number, at: number): number {
  let min = Infinity;
  let max = -Infinity;
  for (let k = 0; k < count; k++) {
    const v = lines[k];
    assert(Number.isInteger(v), 'a line number is whole');
    if (v < min) min = v;
    if (v > max) max = v;
  }
  assert(min >= column.min && max <= column.max, `column line holds ${min} to ${max}`);
  if (max - min <= 0xffffffff) {
    for (let k = 0; k < count; k++) values[k] = lines[k] - min;
    return packDifferences(column, count, 0, min, max - min, at);
  }
  const end = packHead(column, count, 8, 0, at);
  for (let k = 0; k < count; k++) packedView.setFloat64(end + 8 * k, lines[k], true);
  return end + 8 * count;
}

function packDifferences(column: Column, count: number, first: number, base: number, span: number, at: number): number {
  const width = span === 0 ? 0 : span <= 0xff ? 1 : span <= 0xffff ? 2 : 4;
  const end = packHead(column, count, width, base, at);
  if (width === 1) for (let k = 0; k < count; k++) packed[end + k] = values[k] - first;
  else if (width === 2) for (let k = 0; k < count; k++) packedView.setUint16(end + 2 * k, values[k] - first, true);
  else if (width === 4) for (let k = 0; k < count; k++) packedView.setUint32(end + 4 * k, values[k] - first, true);
  return end + width * count;
}

function packHead(column: Column, count: number, width: number, base: number, at: number): number {
  packedView.setUint8(at, column.id);
  packedView.setUint8(at + 1, width);
  packedView.setUint16(at + 2, 0, true);
  packedView.setUint32(at + 4, count, true);
  packedView.setFloat64(at + 8, base, true);
  return at + HEAD_BYTES;
}

/** A packed column that was read: how many values it has and where it ends; or what is wrong with it. */
export type Unpacked = { readonly count: number; readonly end: number } | string;

/**
 * Unpacks the column at `at` into `values` (`lines` for `line`) and returns its extent.
 * Errors: returns what is wrong if it is not this column, has more than `most` values, or one outside of `column.min` to `max`.
 */
export function unpackColumn(column: Column, max: number, most: number, bytes: Uint8Array, view: DataView, at: number): Unpacked {
  if (bytes.length - at < HEAD_BYTES) return 'it ends too early';
  const width = bytes[at + 1];
  const count = view.getUint32(at + 4, true);
  const base = view.getFloat64(at + 8, true);
  if (bytes[at] !== column.id || view.getUint16(at + 2, true) !== 0) return `column ${column.name} is missing`;
  if ((width & (width - 1)) !== 0 || width > (column.name === 'line' ? 8 : 4)) return `column ${column.name} has values of ${width} bytes`;
  if (count === 0 || count > most) return `column ${column.name} has ${count} values`;
  const start = at + HEAD_BYTES;
  if (width * count > bytes.length - start) return 'it ends too early';
  const end = start + width * count;

  // Width 8 has no base; NaN and fractions are out of range.
  let low = base;
  let high = base;
  if (width === 8) {
    for (let k = 0; k < count; k++) {
      const v = view.getFloat64(start + 8 * k, true);
      if (!(v >= column.min && v <= max && Number.isInteger(v))) return `column ${column.name} is out of range`;
      lines[k] = v;
    }
    low = high = column.min;
  } else {
    const add = column.name === 'line' ? 0 : base >>> 0;
    high += unpackDifferences(count, width, add, bytes, view, start);
    if (column.name === 'line') for (let k = 0; k < count; k++) lines[k] = base + values[k];
  }
  if (!Number.isSafeInteger(low) || low < column.min || high > max) return `column ${column.name} is out of range`;
  return { count, end };
}

/** Fills `values` with `add` + each difference; returns the largest difference. */
function unpackDifferences(count: number, width: number, add: number, bytes: Uint8Array, view: DataView, start: number): number {
  let top = 0;
  if (width === 0) values.fill(add, 0, count);
  else if (width === 1) {
    for (let k = 0; k < count; k++) {
      const d = bytes[start + k];
      if (d > top) top = d;
      values[k] = add + d;
    }
  } else if (width === 2) {
    for (let k = 0; k < count; k++) {
      const d = view.getUint16(start + 2 * k, true);
      if (d > top) top = d;
      values[k] = add + d;
    }
  } else {
    for (let k = 0; k < count; k++) {
      const d = view.getUint32(start + 4 * k, true);
      if (d > top) top = d;
      values[k] = add + d;
    }
  }
  return top;
}
