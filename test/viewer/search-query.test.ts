/**
 * The syntax of the search field.
 */
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { FIELDS, parseQuery, valueOf, withWord } from '../../viewer/search-query.ts';

describe('a query', () => {
  test.each([
    ['', []],
    ['  \t ', []],
    ['Vt', [[null, 'vt']]],
    ['task:VT-842 iommu', [['task', 'vt-842'], [null, 'iommu']]],
    ['0000:00:03.0', [[null, '0000:00:03.0']]],
    ['DEVICE:0000:00:03.0', [['device', '0000:00:03.0']]],
    ['task:"irq worker" x', [['task', 'irq worker'], [null, 'x']]],
    ['"two words', [[null, 'two words']]],
    ['task:', []],
    ['""', []],
    ['severity:bad', []],
    ['severity:error', [['severity', 'error']]],
    ['domain:0xFF#2', [['domain', '0xff#2']]],
    ['other:x', [[null, 'other:x']]],
    [':x', [[null, ':x']]],
  ] as const)('%j is %j', (query, words) => {
    expect(parseQuery(query).map(({ field, text }) => [field, text])).toEqual(words);
  });

  property.prop([fc.string({ unit: 'binary', maxLength: 2000 })])('of anything has at most 16 words, none empty', (query) => {
    const words = parseQuery(query);
    expect(words.length).toBeLessThanOrEqual(16);
    expect(words.every(({ text }) => text !== '')).toBe(true);
  });
});

describe('a filter', () => {
  test('replaces the words of its field and leaves the others', () => {
    expect(withWord('task:vt rule:a  x rule:b', 'rule', 'use-after-free')).toBe('task:vt x rule:use-after-free');
    expect(withWord('rule:a', 'rule', null)).toBe('');
    expect(withWord('x', 'task', 'irq worker')).toBe('x task:"irq worker"');
  });

  property.prop([fc.string({ maxLength: 100 }), fc.constantFrom(...FIELDS.filter((f) => f !== 'severity')), fc.stringMatching(/^[a-z\d-]{1,20}$/)])('is found in the query it was written into', (query, field, value) => {
    // An open quote in front would swallow it.
    const closed = query.replaceAll('"', '');
    if (parseQuery(closed).length < 16) expect(valueOf(parseQuery(withWord(closed, field, value)), field)).toBe(value);
  });
});
