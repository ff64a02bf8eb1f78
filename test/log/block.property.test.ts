/** Blocks of any rows come back as they were; blocks of any bytes are decoded or refused, never more. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BATCH_CAPACITY, createInterned, EventBatch } from '../../events/batch.ts';
import { UnreadableError } from '../../events/problem.ts';
import { decodeBlock, encodeBlock } from '../../log/block.ts';
import { COLUMNS, TEXT_SLOTS, type Column } from '../../log/columns.ts';
import { batchOf, everyEvent } from './rows.ts';

const STRINGS = ['', 'a', 'swapper/0', '…', 'ü𝄞', '\ud83d', '\ufeff', 'x'.repeat(5000)];

/** A value of a column, spread over its whole range or close together. */
const valueOf = ({ min, max }: Column): fc.Arbitrary<number> => {
  const [low, high] = [Math.max(min, -0x80000000), max];
  return fc.oneof(fc.constantFrom(low, high), fc.integer({ min: low, max: Math.min(high, low + 3) }), fc.maxSafeInteger().map((n) => low + (Math.abs(n) % (high - low + 1))));
};

const ROW = fc.record({
  plain: fc.tuple(...COLUMNS.map(valueOf)),
  words: fc.tuple(...Array.from({ length: 3 }, () => fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 63 })))),
  present: fc.oneof(fc.constant(0x7fff & ~32), fc.integer({ min: 0, max: 0x7fff })),
  string: fc.constantFrom(...STRINGS),
  domain: fc.option(fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 0xffff0000))),
});
type Row = typeof ROW extends fc.Arbitrary<infer T> ? T : never;

function fill(batch: EventBatch, rows: readonly Row[]): EventBatch {
  const { strings, addresses } = batch.interned;
  rows.forEach((row, n) => {
    const i = batch.add(0);
    const string = strings.intern(row.string);
    for (const [c, column] of COLUMNS.entries()) {
      const value = column.refers === 'string' ? string : row.plain[c];
      for (let at = i * column.per; at < (i + 1) * column.per; at++) batch[column.name][at] = value;
    }
    for (let w = 0; w < 3; w++) batch.words[i * 3 + w] = row.words[w];
    batch.present[i] = row.present;
    batch.domain[i] = row.domain ? addresses.intern(...row.domain) : -1;
    const texts = TEXT_SLOTS[batch.kind[i]];
    // A slot that holds a text holds the number of an interned one.
    for (const column of COLUMNS) if (column.refers === 'slot' && (texts & column.when) !== 0) batch[column.name][i] = n % strings.values.length;
  });
  return batch;
}

/** Returns everything a batch says, by content. */
function content(batch: EventBatch, from = 0, to = batch.length): unknown[] {
  const { strings, addresses } = batch.interned;
  const rows: unknown[] = [];
  for (let i = from; i < to; i++) {
    rows.push(COLUMNS.map(({ name, per, when, refers }) => {
      const mask = per === 3 ? batch.words : batch.present;
      return Array.from({ length: per }, (_, w) => {
        const at = i * per + w;
        if (when !== 0 && (mask[at] & when) === 0) return 'absent';
        const value = batch[name][at];
        if (refers === 'address') return value < 0 ? 'none' : addresses.text(value);
        return refers === 'string' || (refers === 'slot' && (TEXT_SLOTS[batch.kind[i]] & when) !== 0) ? strings.values[value] : value;
      });
    }));
  }
  return rows;
}

/** Decodes into a batch that has rows already, and whose columns are full of junk. */
function decoded(bytes: Uint8Array, rows: number): EventBatch {
  const interned = createInterned();
  for (let n = 0; n < 50; n++) interned.strings.intern(`junk ${n}`);
  const batch = new EventBatch(interned);
  for (const { name } of COLUMNS) batch[name].fill(3);
  batch.length = 2;
  decodeBlock(bytes, rows, batch);
  return batch;
}

describe('blocks', () => {
  test('any rows come back', () => {
    fc.assert(fc.property(fc.array(ROW, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), (rows, a, b) => {
      const batch = fill(new EventBatch(createInterned()), rows);
      const from = a % rows.length;
      const to = from + 1 + (b % (rows.length - from));
      const back = decoded(encodeBlock(batch, from, to), to - from);
      expect(back.length).toBe(2 + to - from);
      expect(content(back, 2)).toEqual(content(batch, from, to));
    }), { numRuns: 400 });
  });

  test('the same rows are the same bytes, whatever numbers their strings and addresses had', () => {
    fc.assert(fc.property(fc.array(ROW, { minLength: 1, maxLength: 10 }), (rows) => {
      const bytes = encodeBlock(fill(new EventBatch(createInterned()), rows), 0, rows.length);
      const again = decoded(bytes, rows.length);
      expect(Buffer.compare(encodeBlock(again, 2, again.length), bytes)).toBe(0);
    }));
  });

  test('a full batch, and one row', () => {
    const batch = new EventBatch(createInterned());
    while (!batch.isFull) batchOf(everyEvent().slice(0, BATCH_CAPACITY - batch.length), batch);
    const back = new EventBatch(createInterned());
    decodeBlock(encodeBlock(batch, 0, BATCH_CAPACITY), BATCH_CAPACITY, back);
    expect(content(back)).toEqual(content(batch));
    expect(() => decodeBlock(encodeBlock(batch, 0, 1), 1, back)).toThrow('no room');
  });

  const originalRows = everyEvent().length;
  const original = encodeBlock(batchOf(everyEvent()), 0, originalRows);
  const batch = new EventBatch(createInterned());
  const tryDecode = (bytes: Uint8Array, rows: number): void => {
    batch.length = 0;
    try {
      decodeBlock(bytes, rows, batch);
    } catch (error) {
      expect(error).toBeInstanceOf(UnreadableError);
      expect(batch.length).toBe(0);
      return;
    }
    // What was accepted is a block in its own right.
    content(batch);
    encodeBlock(batch, 0, batch.length);
  };

  test('changed bytes are decoded or refused', { timeout: 30_000 }, () => {
    const change = fc.record({ at: fc.nat(original.length - 1), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const bytes = original.slice();
      for (const { at, to } of changes) bytes[at] = to;
      tryDecode(bytes, originalRows);
    }), { numRuns: 5000 });
  });

  test('changed lengths are refused before anything is allocated for them', { timeout: 30_000 }, () => {
    const word = fc.record({ at: fc.nat(original.length - 4), to: fc.constantFrom(0xffffffff, 0x7fffffff, 0x10000, 4097, 0) });
    fc.assert(fc.property(word, ({ at, to }) => {
      const bytes = original.slice();
      new DataView(bytes.buffer).setUint32(at, to, true);
      tryDecode(bytes, originalRows);
    }), { numRuns: 3000 });
  });

  test('shortened, lengthened and random bytes are refused', { timeout: 30_000 }, () => {
    batch.length = 0;
    for (let length = 0; length < original.length; length++) expect(() => decodeBlock(original.slice(0, length), originalRows, batch)).toThrow(UnreadableError);
    expect(() => decodeBlock(Buffer.concat([original, Buffer.alloc(1)]), originalRows, batch)).toThrow('left over');
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: BATCH_CAPACITY }), tryDecode));
  });
});
