/**
 * Which lanes stand where: every lane is on some row, rows do not overlap, what is hit is what is drawn.
 */
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { HEIGHTS, labelledRows, laneHeight, laneName, nextHeight, rowAt, rowsOf, scrollTo, shownLanes, type Layout } from '../../viewer/timeline-layout.ts';

const layouts = fc.record({
  count: fc.integer({ min: 0, max: 40_000 }), height: fc.integer({ min: 20, max: 700 }), ratio: fc.constantFrom(1, 1.25, 1.5, 2, 3),
  asked: fc.constantFrom<(number | 'fit')[]>('fit', ...HEIGHTS), share: fc.double({ min: 0, max: 1, noNaN: true }),
}).map(({ count, height, ratio, asked, share }): Layout => {
  const lane = laneHeight(asked, count, height);
  return { lane, count, height, ratio, top: Math.max(0, (count * lane - height) * share) };
});

describe('rows', () => {
  test.prop([layouts])('follow each other without a hole, from the first lane that is seen', (layout) => {
    const rows = rowsOf(layout);
    for (let k = 1; k < rows.length; k++) {
      expect(rows[k].first).toBe(rows[k - 1].last);
      expect(rows[k].y0).toBe(rows[k - 1].y1);
      expect(rows[k].y1).toBeGreaterThan(rows[k].y0);
    }
    expect(rows.length).toBeLessThanOrEqual(Math.round(layout.height * layout.ratio) + 1);
    if (layout.count > 0) expect(rows[0].y0).toBeLessThanOrEqual(0);
  });

  test.prop([layouts.filter((l) => l.count > 0 && l.lane * l.count <= l.height + 1e-6)])('show every lane when all are to fit', (layout) => {
    const rows = rowsOf(layout);
    expect(rows[0].first).toBe(0);
    expect(rows.at(-1)!.last).toBe(layout.count);
  });

  test.prop([layouts.filter((l) => l.count > 0), fc.double({ min: 0, max: 0.999, noNaN: true })])('are hit where they are drawn', (layout, share) => {
    const y = share * layout.height;
    const hit = rowAt(layout, y);
    if (hit < 0) return;
    const row = rowsOf(layout).find(({ first, last }) => hit >= first && hit < last)!;
    expect(row.y0 / layout.ratio).toBeLessThanOrEqual(y + 1 / layout.ratio + 1e-6);
    expect(row.y1 / layout.ratio).toBeGreaterThanOrEqual(y - 1 / layout.ratio - 1e-6);
  });

  test.prop([layouts.filter((l) => l.count > 0 && l.lane <= l.height), fc.nat()])('are seen after scrolling to them', (layout, n) => {
    const row = n % layout.count;
    const top = scrollTo(layout, row);
    expect(row * layout.lane).toBeGreaterThanOrEqual(top - 1e-6);
    expect((row + 1) * layout.lane).toBeLessThanOrEqual(top + layout.height + 1e-6);
  });
});

it('labels keep their distance', () => {
  const layout = { lane: 2, count: 500, height: 100, ratio: 1, top: 31 };
  const rows = labelledRows(layout);
  for (let k = 1; k < rows.length; k++) expect((rows[k] - rows[k - 1]) * layout.lane).toBeGreaterThanOrEqual(11);
  expect(labelledRows({ ...layout, lane: 18, top: 0 })).toEqual([0, 1, 2, 3, 4, 5]);
});

it('heights go up and down by steps, and end with all lanes in view', () => {
  expect(nextHeight(0.3, 1)).toBe(2);
  expect(nextHeight(18, 1)).toBe(24);
  expect(nextHeight(32, 1)).toBe(32);
  expect(nextHeight(18, -1)).toBe(13);
  expect(nextHeight(2, -1)).toBe('fit');
});

it('the filter leaves lanes in their order', () => {
  const lanes = [0, 1, 2, 3].map((domain) => ({ domain, generation: 1, first: domain + 1, end: 0 }));
  expect([...shownLanes(lanes, null)]).toEqual([0, 1, 2, 3]);
  expect([...shownLanes(lanes, Uint8Array.of(0, 1, 0, 1))]).toEqual([1, 3]);
});

it('names are short where there is no room', () => {
  expect(laneName('0xffff0000035e9d20', 3, false)).toBe('0xffff0000035e9d20#3');
  expect(laneName('0xffff0000035e9d20', 3, true)).toBe('…5e9d20#3');
  expect(laneName('0x1000', 3, true)).toBe('0x1000#3');
});
