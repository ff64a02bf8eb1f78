/** Properties of the vocabulary: any event printed and read again is the same row; interning is a map; hex and times are exact. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { DOMAIN_OPTIONAL, EVENT_TYPES, MEMBERS, WORD_SETS, type EventType, type Form } from '../../events/event-types.ts';
import { eventObject, renderEvent } from '../../events/ndjson.ts';
import { addEvent, parseEvent } from '../../events/parse-event.ts';
import { escapeJson, escapeText } from '../../events/problem.ts';
import { eventSchema } from '../../events/schema.ts';
import { AddressTable, StringTable, hex64 } from '../../events/tables.ts';
import { renderTime, time as timePattern } from '../../events/time.ts';

const u32 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 0xffffffff }));
const u64 = fc.oneof(fc.bigInt(0n, 16n), fc.bigInt(0n, (1n << 64n) - 1n), fc.constantFrom(0xffffffffn, 0x100000000n, 1n << 63n, (1n << 64n) - 1n, 1n << 53n));
const hex = u64.map((value) => `0x${value.toString(16)}`);
const text = fc.string({ unit: 'binary', maxLength: 40 });
const time = fc.tuple(u32, fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 9 })).map(([sec, fraction]) => (fraction === '' ? String(sec) : `${sec}.${fraction}`));
/** A size prints as a number as long as JavaScript counts exactly. */
const size = u64.map((value) => (value < 1n << 53n ? Number(value) : `0x${value.toString(16)}`));
const FORMS: Readonly<Record<Form, fc.Arbitrary<unknown>>> = { address: hex, size, number: u32, string: text };

const numbers = { type: u32, iova_cookie: hex, iova_cookie_type: u32, word: u32.map((value) => `0x${value.toString(16)}`) };
const words = fc.oneof(
  fc.record({ ...numbers, cookie_type: u32 }, { requiredKeys: [] }),
  fc.record({ ...numbers, private_data_owner: u32 }, { requiredKeys: [] }),
).filter((w) => Object.keys(w).length > 0);

/** Any event of a type as the object that is printed: every optional member there or not. */
function eventOf(type: EventType): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.fromEntries(MEMBERS[type].map((m) => [m.name, m.slot === 'group' ? fc.nat(0x7fffffff) : FORMS[m.form]]));
  const required = MEMBERS[type].filter((m) => m.required).map((m) => m.name);
  const optionalDomain = DOMAIN_OPTIONAL.has(type);
  const model: Record<string, fc.Arbitrary<unknown>> = {
    v: fc.constant(1),
    type: fc.constant(type),
    time,
    cpu: fc.nat(0x7fffffff),
    task: text,
    pid: fc.nat(0x7fffffff),
    line: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    domain: optionalDomain ? hex.filter((address) => address !== '0x0') : hex,
    errno: fc.integer({ min: -4095, max: 0 }),
    ...Object.fromEntries(WORD_SETS.map((set) => [set, words])),
    ...members,
  };
  return fc.record(model, { requiredKeys: ['v', 'type', ...(optionalDomain ? [] : ['domain']), ...required] });
}

const anyEvent = fc.constantFrom(...EVENT_TYPES).chain(eventOf);

describe('an event', () => {
  test('of every type: read, printed and read again it is the same row, and the same bytes', () => {
    fc.assert(fc.property(fc.array(anyEvent, { maxLength: 20 }), (events) => {
      const first = new EventBatch(createInterned());
      for (const event of events) expect(parseEvent(JSON.stringify(event), first)).toBeUndefined();
      const second = new EventBatch(createInterned());
      second.interned.addresses.intern(1, 1); // other numbers for the same addresses and strings
      second.interned.strings.intern('another');
      events.forEach((event, i) => {
        const printed = renderEvent(first, i);
        expect(JSON.parse(printed)).toEqual(event);
        expect(parseEvent(printed, second)).toBeUndefined();
        expect(eventObject(second, i)).toEqual(eventObject(first, i));
        expect(renderEvent(second, i)).toBe(printed);
        expect(printed).not.toMatch(/[\0-\u001f\u007f-\u009f\u202a-\u202e]/);
      });
    }), { numRuns: 300 });
  });

  test('of each type by itself', () => {
    for (const type of EVENT_TYPES) {
      fc.assert(fc.property(eventOf(type), (event) => {
        const batch = new EventBatch(createInterned());
        expect(parseEvent(JSON.stringify(event), batch)).toBeUndefined();
        expect(JSON.parse(renderEvent(batch, 0))).toEqual(event);
      }), { numRuns: 25 });
    }
  });

  test('a row of a batch that was used before says nothing of the row before', () => {
    fc.assert(fc.property(anyEvent, anyEvent, (before, event) => {
      const batch = new EventBatch(createInterned());
      parseEvent(JSON.stringify(before), batch);
      batch.clear();
      expect(batch.position).toBe(2);
      parseEvent(JSON.stringify(event), batch);
      expect(JSON.parse(renderEvent(batch, 0))).toEqual(event);
    }), { numRuns: 200 });
  });

  test('decoded by the union is the same row as parsed', () => {
    fc.assert(fc.property(anyEvent, (event) => {
      const batch = new EventBatch(createInterned());
      parseEvent(JSON.stringify(event), batch);
      addEvent(batch, eventSchema.parse(event));
      expect(eventObject(batch, 1)).toEqual(eventObject(batch, 0));
    }), { numRuns: 100 });
  });

  test('with unknown members is the same event without them', () => {
    const known = new Set([...EVENT_TYPES.flatMap((type) => MEMBERS[type].map((m) => m.name)), ...WORD_SETS, 'v', 'type', 'time', 'cpu', 'task', 'pid', 'line', 'domain', 'errno']);
    fc.assert(fc.property(anyEvent, fc.dictionary(fc.string().filter((key) => !known.has(key)), fc.jsonValue()), (event, extra) => {
      const batch = new EventBatch(createInterned());
      expect(parseEvent(JSON.stringify({ ...extra, ...event }), batch)).toBeUndefined();
      expect(JSON.parse(renderEvent(batch, 0))).toEqual(event);
    }), { numRuns: 100 });
  });

  test('of any other JSON is refused or read, never thrown at, and a refused one leaves the batch alone', () => {
    const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), hex, text);
    fc.assert(fc.property(anyEvent, fc.dictionary(fc.constantFrom('v', 'type', 'time', 'cpu', 'domain', 'errno', 'before', 'iova', 'size', 'device'), values), (event, broken) => {
      const batch = new EventBatch(createInterned());
      const refused = parseEvent(JSON.stringify({ ...event, ...broken }), batch);
      expect(batch.length).toBe(refused === undefined ? 1 : 0);
      if (refused !== undefined) expect(refused).toMatch(/^"/);
    }), { numRuns: 300 });
  });
});

describe('AddressTable', () => {
  test('is a map from address to a dense number, through any interning and releasing', () => {
    // Few distinct addresses of few hashes: collisions and reuse in every run.
    const known = fc.tuple(fc.nat(7), fc.nat(3)).map(([lo, hi]) => [lo * 4096, hi * 0xffff0000] as const);
    const step = fc.record({ address: fc.oneof(known, fc.tuple(u32, u32)), release: fc.boolean() });
    fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new AddressTable();
      const model = new Map<string, number>();
      for (const { address: [lo, hi], release } of steps) {
        const key = hex64(lo >>> 0, hi >>> 0);
        if (release) {
          const n = model.get(key);
          if (n === undefined) continue;
          table.release(n);
          table.release(n); // a second time does nothing
          model.delete(key);
        } else {
          const n = table.intern(lo >>> 0, hi >>> 0);
          expect(n).toBe(model.get(key) ?? n);
          expect([...model.entries()].filter(([other, number]) => number === n && other !== key)).toEqual([]);
          model.set(key, n);
        }
      }
      for (const [key, n] of model) expect(table.text(n)).toBe(key);
      expect(table.size).toBeLessThanOrEqual(steps.length);
    }), { numRuns: 300 });
  });

  test('gives numbers from 0 upwards, grows, and stays dense when numbers are given back', () => {
    const table = new AddressTable();
    const N = 20_000;
    for (let i = 0; i < N; i++) expect(table.intern(i * 0x1000, 0xffff)).toBe(i);
    for (let i = 0; i < N; i += 2) table.release(i);
    for (let i = 1; i < N; i += 2) expect(table.intern(i * 0x1000, 0xffff)).toBe(i);
    for (let i = 0; i < N / 2; i++) table.intern(i, 1);
    expect(table.size).toBe(N);
    expect(table.intern(5, 5)).toBe(N);
  });

  test('says whether a number was ever given back', () => {
    const table = new AddressTable();
    expect(table.released).toBe(false);
    table.release(table.intern(1, 2));
    expect(table.released).toBe(true);
  });
});

test('StringTable gives one number a string, and 0 to the empty one', () => {
  fc.assert(fc.property(fc.array(text), (list) => {
    const table = new StringTable();
    for (const value of ['', ...list]) expect(table.values[table.intern(value)]).toBe(value);
    expect(table.intern('')).toBe(0);
    expect(new Set(table.values).size).toBe(table.values.length);
  }));
});

test('StringTable past its limit keeps no more strings', () => {
  const table = new StringTable();
  for (let i = 0; i < StringTable.LIMIT; i++) table.intern(`s${i}`);
  expect(table.values[table.intern('…')]).toBe('…');
  expect(table.values[table.intern('one too many')]).toBe('…');
  expect(table.intern('s7')).toBe(8);
  expect(table.values.length).toBeLessThanOrEqual(StringTable.LIMIT + 1);
});

test('hex64 is lower-case hex without leading zeros, as BigInt prints it', () => {
  fc.assert(fc.property(u64, (value) => {
    expect(hex64(Number(value & 0xffffffffn), Number(value >> 32n))).toBe(`0x${value.toString(16)}`);
  }));
});

test('renderTime prints exactly the digits that were there', () => {
  fc.assert(fc.property(time, (printed) => {
    expect(printed).toMatch(timePattern);
    const [sec, fraction = ''] = printed.split('.');
    expect(renderTime(Number(sec), Number(fraction.padEnd(9, '0')), fraction.length)).toBe(printed);
  }));
  expect([renderTime(1, 5, 9), renderTime(1, 5, 3), renderTime(0, 0, 0)]).toEqual(['1.000000005', '1.000', '0']);
});

test('escapeText leaves nothing that a terminal obeys; escapeJson means the same', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => {
    const unsafe = /[\0-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
    expect(escapeText(value)).not.toMatch(unsafe);
    const json = escapeJson(JSON.stringify(value));
    expect(json).not.toMatch(unsafe);
    expect(JSON.parse(json)).toBe(value);
  }));
});
