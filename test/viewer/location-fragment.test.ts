/**
 * The fragment of a link: what is written is read again, and nothing that somebody else wrote does harm.
 */
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { parseFragment, renderFragment, type Place } from '../../viewer/fragment.ts';

const NOWHERE: Place = { at: null, domain: null, design: null, beside: null, query: '', markers: [null, null], range: null };

const nanoseconds = fc.integer({ min: 0, max: 10 ** 15 }).map((ns) => ns / 1e9);
const design = fc.constantFrom(null, 'v6.12', 'v7.3', 'private-data-owner-v2');
const places = fc.record({
  at: fc.option(fc.nat()),
  domain: fc.option(fc.record({ address: fc.bigInt(0n, (1n << 64n) - 1n).map((a) => `0x${a.toString(16)}`), generation: fc.nat(1_000_000) })),
  design, beside: design,
  query: fc.string({ unit: 'grapheme', maxLength: 60 }),
  markers: fc.tuple(fc.option(nanoseconds), fc.option(nanoseconds)),
  range: fc.option(fc.tuple(nanoseconds, nanoseconds).filter(([a, b]) => a < b)),
});

describe('a fragment', () => {
  test('is readable', () => {
    expect(renderFragment({ at: 33, domain: { address: '0xffff0000035e9d20', generation: 1 }, design: 'v7.3', beside: 'v6.12', query: 'task:vt rule:x', markers: [0.1, 0.25], range: [0, 0.5] }))
      .toBe('at=33&domain=0xffff0000035e9d20.1&design=v7.3&beside=v6.12&q=task:vt%20rule:x&a=0.1&b=0.25&range=0-0.5');
  });

  test('is empty at the start', () => {
    expect(renderFragment(NOWHERE)).toBe('');
    expect(parseFragment('')).toEqual(NOWHERE);
    expect(parseFragment('#')).toEqual(NOWHERE);
  });

  property.prop([places])('says the same when it is read, with and without its #', (place) => {
    const fragment = renderFragment(place);
    expect(parseFragment(fragment)).toEqual(place);
    expect(parseFragment(`#${fragment}`)).toEqual(place);
    expect(fragment).not.toMatch(/[\s"<>#]/);
  });

  test.each([
    'at=-1', 'at=1.5', 'at=1e9', 'at=0x10', 'at=99999999999999999999', 'at=NaN', 'at', '=', '&&&', '#at', '%', '%E0%A4%A', 'domain=0xzz.1', 'domain=0xff', 'domain=0xff.-1',
    'domain=0xffffffffffffffffff.1', 'design=<script>', 'design=__proto__ ', 'beside=a b', 'a=Infinity', 'b=1,5', 'range=5-2', 'range=1-1', 'range=-', 'range=1', 'range=1-2-3', 'part-timeline',
  ])('%j says nothing', (fragment) => {
    expect(parseFragment(fragment)).toEqual(NOWHERE);
  });

  property.prop([fc.string({ unit: 'binary', maxLength: 300 })])('of anything is read without harm', (fragment) => {
    const place = parseFragment(fragment);
    expect(place.at === null || (Number.isSafeInteger(place.at) && place.at >= 0)).toBe(true);
    expect(parseFragment(renderFragment(place))).toEqual(place);
  });
});
