/**
 * Which columns a stored block has, in the order in which they are stored, with the range of values each may hold.
 * The ranges hold in both directions: what `encodeBlock` would refuse to read it refuses to write.
 * Ids and ranges are part of the file format: append a column with a new id and raise the block version, never change one.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { EVENT_TYPES, MEMBERS, WORD } from '../events/event-types.ts';

/** Names of the columns of an `EventBatch`. */
export type ColumnName = {
  [K in keyof EventBatch]: EventBatch[K] extends Uint8Array | Uint32Array | Int32Array | Float64Array ? K : never;
}[keyof EventBatch];

/**
 * One stored column.
 * Shape: `per` is 3 for the word columns (before, after, old of each row), else 1; `when` is the bit of `present` (of `words`
 * where `per` is 3) without which a row has no value here, 0 if every row has one; `refers` says what a value stands for:
 * itself, an entry of the block's dictionary of strings, 1 + an entry of its addresses (0 = none), or, in rows whose
 * event type has a text there (`TEXT_SLOTS`), an entry of the strings.
 */
export interface Column {
  readonly id: number;
  readonly name: ColumnName;
  readonly per: 1 | 3;
  readonly when: number;
  readonly min: number;
  readonly max: number;
  readonly refers: 'value' | 'string' | 'address' | 'slot';
}

const U32 = 0xffffffff;
const I32_MIN = -0x80000000;
const I32_MAX = 0x7fffffff;
const ALL_PRESENT = Object.values(HAS).reduce((all, bit) => all | bit, 0);
const ALL_WORDS = Object.values(WORD).reduce((all, bit) => all | bit, 0);

const every = (id: number, name: ColumnName, min: number, max: number): Column => ({ id, name, per: 1, when: 0, min, max, refers: 'value' });
const some = (id: number, name: ColumnName, when: number, min: number, max: number): Column => ({ id, name, per: 1, when, min, max, refers: 'value' });
const text = (id: number, name: ColumnName, when: number): Column => ({ id, name, per: 1, when, min: 0, max: I32_MAX, refers: 'string' });
const slot = (id: number, name: ColumnName, when: number): Column => ({ id, name, per: 1, when, min: 0, max: U32, refers: 'slot' });
const word = (id: number, name: ColumnName, when: number): Column => ({ id, name, per: 3, when, min: 0, max: U32, refers: 'value' });

/** All columns in stored order. The first three say which rows the others have values for. */
export const COLUMNS: readonly Column[] = [
  every(1, 'kind', 0, EVENT_TYPES.length - 1),
  every(2, 'present', 0, ALL_PRESENT),
  { id: 3, name: 'words', per: 3, when: 0, min: 0, max: ALL_WORDS, refers: 'value' },
  { id: 4, name: 'domain', per: 1, when: 0, min: 0, max: I32_MAX, refers: 'address' },
  some(5, 'sec', HAS.time, 0, U32),
  some(6, 'nsec', HAS.time, 0, 999_999_999),
  some(7, 'digits', HAS.time, 0, 9),
  some(8, 'cpu', HAS.cpu, I32_MIN, I32_MAX),
  text(9, 'task', HAS.task),
  some(10, 'pid', HAS.pid, I32_MIN, I32_MAX),
  some(11, 'line', HAS.line, 0, Number.MAX_SAFE_INTEGER),
  some(12, 'errno', HAS.errno, I32_MIN, I32_MAX),
  text(13, 'device', HAS.device),
  some(14, 'group', HAS.group, I32_MIN, I32_MAX),
  slot(15, 'aLo', HAS.a),
  some(16, 'aHi', HAS.a, 0, U32),
  slot(17, 'bLo', HAS.b),
  some(18, 'bHi', HAS.b, 0, U32),
  slot(19, 'cLo', HAS.c),
  some(20, 'cHi', HAS.c, 0, U32),
  some(21, 'x', HAS.x, 0, U32),
  some(22, 'y', HAS.y, 0, U32),
  text(23, 'caller', HAS.caller),
  word(24, 'wordType', WORD.type),
  word(25, 'wordOwner', WORD.cookie_type | WORD.private_data_owner),
  word(26, 'wordRaw', WORD.word),
  word(27, 'cookieLo', WORD.iova_cookie),
  word(28, 'cookieHi', WORD.iova_cookie),
  word(29, 'cookieKind', WORD.iova_cookie_type),
];

/** By event type code: presence bits of those of `a`, `b`, `c` that hold a string number instead of a value. */
export const TEXT_SLOTS: Int32Array = Int32Array.from(EVENT_TYPES, (type) =>
  MEMBERS[type].reduce((bits, m) => (m.form === 'string' && 'abc'.includes(m.slot) ? bits | HAS[m.slot] : bits), 0),
);
