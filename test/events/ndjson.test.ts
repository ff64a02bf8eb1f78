/** NDJSON line by line: what is printed for an event of CONTRACT.md, what is refused and in which words, versions and upcasters. */
import { beforeEach, describe, expect, test } from 'vitest';
import { BATCH_CAPACITY, EventBatch, createInterned } from '../../events/batch.ts';
import { DOMAIN_OPTIONAL, EVENT_TYPES, MEMBERS } from '../../events/event-types.ts';
import { renderEvent } from '../../events/ndjson.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { escapeJson, escapeText } from '../../events/problem.ts';
import { UPCASTERS, upcast } from '../../events/schema.ts';

let batch: EventBatch;
beforeEach(() => {
  batch = new EventBatch(createInterned());
});

/** Parses one event; returns what it prints as, or why it is refused. */
function read(event: Record<string, unknown>): { printed?: unknown; refused?: string | undefined } {
  const refused = parseEvent(JSON.stringify(event), batch);
  if (refused !== undefined) return { refused };
  return { printed: JSON.parse(renderEvent(batch, batch.length - 1)) as unknown };
}

const MAP = { v: 1, type: 'iommu_map', domain: '0x10', iova: '0x8000000', size: 4096 };

describe('printed', () => {
  test('the example of the contract, member by member and in this order', () => {
    const line = '{"v":1,"time":"173.746083","cpu":0,"task":"vt","pid":601,"line":123,"type":"iommu_get_msi_cookie","domain":"0xffff0000046c9b20","base":"0x8000000","errno":0,"before":{"type":1,"cookie_type":0},"after":{"type":1,"cookie_type":2}}';
    expect(parseEvent(line, batch)).toBeUndefined();
    expect(renderEvent(batch, 0)).toBe(line);
  });

  test.each([
    ['upper-case addresses', { domain: '0xFFFF0000046C9B20' }, { domain: '0xffff0000046c9b20' }],
    ['padded addresses', { domain: '0x000000000000ff00' }, { domain: '0xff00' }],
    ['numbers as hex', { prot: '0x1a' }, { prot: 26 }],
    ['a size as hex', { size: '0x1000' }, { size: 4096 }],
    ['a size that JavaScript cannot count', { size: '0x20000000000001' }, { size: '0x20000000000001' }],
    ['a time without decimals', { time: '7' }, { time: '7' }],
    ['a time to the nanosecond', { time: '4294967295.999999999' }, { time: '4294967295.999999999' }],
    ['trailing zeros', { time: '1.500' }, { time: '1.500' }],
    ['an unknown member', { colour: 'blue', __proto__: 1 }, {}],
    ['both owner members', { before: { cookie_type: 1, private_data_owner: 2 } }, { before: { private_data_owner: 2 } }],
    ['no word at all', { before: {} }, {}],
    ['the packed word', { after: { word: '0x40000001' } }, { after: { word: '0x40000001' } }],
    ['the packed word as a number', { after: { word: 0x40000001 } }, { after: { word: '0x40000001' } }],
    ['a domain that is NULL where one must be', { domain: '0x0' }, { domain: '0x0' }],
  ])('%s', (_, given, printed) => {
    const { domain, iova, size } = MAP;
    expect(read({ ...MAP, ...given })).toEqual({ printed: { v: 1, type: 'iommu_map', domain, iova, size, ...printed } });
  });

  test('a domain that is NULL where none needs to be is not there', () => {
    expect(read({ v: 1, type: 'iommu_domain_alloc', domain: '0x0', domain_type: 1, errno: -12 }).printed).toEqual({ v: 1, type: 'iommu_domain_alloc', domain_type: 1, errno: -12 });
  });

  test('is ASCII control free, whatever a task is called', () => {
    const task = 'a\u001b[2J\u009b1m\u202e\u2028\n"\\é😀';
    expect(parseEvent(JSON.stringify({ ...MAP, task }), batch)).toBeUndefined();
    const printed = renderEvent(batch, 0);
    expect(printed).toContain('"a\\u001b[2J\\u009b1m\\u202e\\u2028\\n\\"\\\\é😀"');
    expect((JSON.parse(printed) as { task: string }).task).toBe(task);
  });
});

describe('refused, with the name of the member', () => {
  const HEX = 'an address is a 0x… hex string of at most 16 digits';
  const U32 = 'a whole number from 0 to 4294967295';
  test.each<[Record<string, unknown>, string]>([
    [{ type: undefined }, '"type" is missing'],
    [{ type: 7 }, '"type": 7 is not an event type'],
    [{ type: 'iommu_mop' }, '"type": "iommu_mop" is not an event type'],
    [{ type: 'toString' }, '"type": "toString" is not an event type'],
    [{ domain: undefined }, '"domain" is missing'],
    [{ iova: undefined }, '"iova" is missing'],
    [{ domain: 16 }, `"domain": ${HEX}`],
    [{ domain: '10' }, `"domain": ${HEX}`],
    [{ domain: '0x' }, `"domain": ${HEX}`],
    [{ domain: '0x10000000000000000' }, `"domain": ${HEX}`],
    [{ iova: null }, `"iova": ${HEX}`],
    [{ size: -1 }, '"size": a whole number of bytes, or a 0x… hex string of at most 16 digits'],
    [{ size: 2 ** 53 }, '"size": '],
    [{ size: 0.5 }, '"size": '],
    [{ prot: 2 ** 32 }, `"prot": ${U32}`],
    [{ prot: -1 }, `"prot": ${U32}`],
    [{ prot: 1.5 }, `"prot": ${U32}`],
    [{ prot: '0x100000000' }, `"prot": ${U32}, or a 0x… hex string of at most 8 digits`],
    [{ prot: true }, `"prot": ${U32}, or a 0x… hex string of at most 8 digits`],
    [{ errno: 1 }, '"errno": a whole number from -4095 to 0'],
    [{ errno: -4096 }, '"errno": a whole number from -4095 to 0'],
    [{ errno: 'ENOMEM' }, '"errno": a whole number from -4095 to 0'],
    [{ cpu: -1 }, '"cpu": a whole number from 0 to 2147483647'],
    [{ pid: 2 ** 31 }, '"pid": a whole number from 0 to 2147483647'],
    [{ type: 'iommu_release_device', device: '', group: 2 ** 31 }, '"group": a whole number from 0 to 2147483647'],
    [{ line: 0 }, '"line": a whole number from 1 to 9007199254740991'],
    [{ time: 1.5 }, '"time": a time is decimal seconds, as "173.746083"'],
    [{ time: '-1' }, '"time": a time is decimal seconds'],
    [{ time: '1.0000000001' }, '"time": a time is decimal seconds'],
    [{ time: '4294967296' }, '"time": a time is at most 4294967295 seconds'],
    [{ task: 1 }, '"task": a string of at most 4096 characters'],
    [{ task: 'x'.repeat(4097) }, '"task": a string of at most 4096 characters'],
    [{ caller: {} }, '"caller": a string of at most 4096 characters'],
    [{ before: 1 }, '"before": an object with the words that were observed'],
    [{ before: { type: -1 } }, `"before.type": ${U32}`],
    [{ after: { cookie_type: 2 ** 32 } }, `"after.cookie_type": ${U32}`],
    [{ old: { iova_cookie: 5 } }, `"old.iova_cookie": ${HEX}`],
    [{ v: 2 }, '"v": 2 is newer than this program understands (1)'],
    [{ v: 1.5 }, '"v" is not a version number'],
    [{ v: -1 }, '"v" is not a version number'],
    [{ v: '1' }, '"v" is not a version number'],
    [{ v: null }, '"v" is not a version number'],
  ])('%j', (given, message) => {
    expect(read({ ...MAP, ...given }).refused).toContain(message);
    expect(batch.length).toBe(0);
  });

  test.each([['', 'not JSON'], ['{', 'not JSON'], ['nul', 'not JSON'], ['7', 'not a JSON object'], ['null', 'not a JSON object'], ['[]', 'not a JSON object'], ['"x"', 'not a JSON object']])('%j', (line, message) => {
    expect(parseEvent(line, batch)).toBe(message);
    expect(batch.length).toBe(0);
  });

  test.each(EVENT_TYPES)('%s without a member that it must have', (type) => {
    const whole = Object.fromEntries(MEMBERS[type].map((m) => [m.name, m.form === 'address' || m.form === 'size' ? '0x1' : m.form === 'number' ? 1 : 'x']));
    const event = { v: 1, type, domain: '0x10', ...whole };
    expect(read(event).refused).toBeUndefined();
    const required = MEMBERS[type].filter((m) => m.required).map((m) => m.name);
    for (const name of DOMAIN_OPTIONAL.has(type) ? required : ['domain', ...required]) expect(read({ ...event, [name]: undefined }).refused).toBe(`"${name}" is missing`);
  });

  test('a full batch is the caller’s mistake', () => {
    for (let i = 0; i < BATCH_CAPACITY; i++) expect(parseEvent(JSON.stringify(MAP), batch)).toBeUndefined();
    expect(() => parseEvent(JSON.stringify(MAP), batch)).toThrow('batch is full');
  });
});

describe('versions', () => {
  test('an event without v is of version 0, and is lifted to the newest', () => {
    expect(upcast({ type: 'x' })).toEqual({ type: 'x', v: 1 });
    expect(read({ ...MAP, v: undefined }).printed).toEqual(MAP);
    expect(read({ ...MAP, v: 0 }).printed).toEqual(MAP);
  });

  test('an event of this version passes as it is; lifting does not touch what it is given', () => {
    const event = { v: 1 };
    expect(upcast(event)).toBe(event);
    const old = Object.freeze({ type: 'x' });
    expect(upcast(old)).not.toBe(old);
    expect(UPCASTERS).toHaveLength(1);
  });
});

test('escapeText and escapeJson leave readable text alone', () => {
  const text = 'kworker/u8:0-12 é ж 漢 😀 … \\ "';
  expect(escapeText(text)).toBe(text);
  expect(escapeJson(text)).toBe(text);
});
