/**
 * What a column of pixels shows of a lane, against looking at every change of it.
 */
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { STATE } from '../../machines/states.ts';
import { Crowd, NOTHING, Runs, laneCodes, laneRuns, seek, spread, type Placed } from '../../viewer/timeline-runs.ts';

const COLUMNS = 40;
const lane = (changes: readonly (readonly [number, number])[]): Placed => ({
  starts: Int32Array.of(0, changes.length), at: Float64Array.from(changes, ([at]) => at), value: Uint8Array.from(changes, ([, v]) => v),
});
const codesOf = (placed: Placed, from: number, scale: number): number[] => {
  const codes = new Uint8Array(COLUMNS);
  laneCodes(placed, 0, { from, scale, count: COLUMNS }, new Runs(COLUMNS), codes);
  return [...codes];
};

// Values on a grid of eighths, so that no rounding blurs which column a change is in.
const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 800 }), fc.integer({ min: 0, max: 7 })), { maxLength: 60 })
  .map((all) => all.map(([at, state]) => [at / 8, state] as const).toSorted((a, b) => a[0] - b[0]));

describe('columns of one lane', () => {
  test.prop([changes, fc.integer({ min: -10, max: 90 }), fc.constantFrom(0.25, 0.5, 1, 2, 8)])('show a state that the lane had there, and the only one where there was one', (all, from, scale) => {
    const codes = codesOf(lane(all), from, scale);
    for (let x = 0; x < COLUMNS; x++) {
      const [left, right] = [from + x / scale, from + (x + 1) / scale];
      const before = all.findLast(([at]) => at < left);
      const inside = all.filter(([at]) => at >= left && at < right);
      const had = [before === undefined ? NOTHING : before[1], ...inside.map(([, s]) => s)].map((s) => (s === STATE.freed ? NOTHING : s));
      expect(had).toContain(codes[x]);
      // From one change to the next nothing else can be seen.
      if (inside.length === 0) expect(codes[x]).toBe(had[0]);
      // A life is never hidden by its own end.
      if (inside.length > 1 && inside.length < 12 && had.some((s) => s !== NOTHING)) expect(codes[x]).not.toBe(NOTHING);
    }
  });

  it('show the state that lasts longest in them', () => {
    expect(codesOf(lane([[1.1, STATE.unowned], [1.2, STATE.iommufd_owned], [1.9, STATE.msi_owned]]), 0, 1).slice(0, 3)).toEqual([NOTHING, STATE.iommufd_owned, STATE.msi_owned]);
  });

  it('show a domain that lives shorter than one of them', () => {
    expect(codesOf(lane([[1.5, STATE.dma_owned], [1.5, STATE.freed]]), 0, 1).slice(0, 3)).toEqual([NOTHING, STATE.dma_owned, NOTHING]);
  });

  it('visit few of very many changes', () => {
    const placed = lane(Array.from({ length: 1_000_000 }, (_, k) => [k / 1e6, k % 2 === 0 ? STATE.unowned : STATE.msi_owned] as const));
    let reads = 0;
    const at = new Proxy(placed.at, { get: (target, key) => {
      reads++;
      return Reflect.get(target, key) as unknown;
    } });
    laneRuns({ ...placed, at }, 0, { from: 0, scale: COLUMNS, count: COLUMNS }, new Runs(COLUMNS));
    expect(reads).toBeLessThan(COLUMNS * 100);
  });
});

test.prop([fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), fc.integer({ min: -1, max: 51 }), fc.nat(40)])('seek finds the first point that is not before a value', (values, value, from) => {
  const at = Float64Array.from(values).sort();
  const low = Math.min(from, at.length);
  const expected = at.findIndex((v, k) => k >= low && v >= value);
  expect(seek(at, low, at.length, value)).toBe(expected < 0 ? at.length : expected);
});

test.prop([fc.array(changes, { minLength: 1, maxLength: 9 })])('a crowd shows the state of most of its lanes', (lanes) => {
  const crowd = new Crowd(COLUMNS);
  const runs = new Runs(COLUMNS);
  const votes = Array.from({ length: COLUMNS }, () => new Map<number, number>());
  for (const each of lanes) {
    laneRuns(lane(each), 0, { from: 0, scale: 1, count: COLUMNS }, runs);
    crowd.add(runs);
    codesOf(lane(each), 0, 1).forEach((code, x) => code !== NOTHING && votes[x].set(code, (votes[x].get(code) ?? 0) + 1));
  }
  const codes = new Uint8Array(COLUMNS);
  crowd.settle(runs);
  spread(runs, codes);
  for (let x = 0; x < COLUMNS; x++) {
    const most = Math.max(0, ...votes[x].values());
    expect(codes[x] === NOTHING ? 0 : votes[x].get(codes[x])).toBe(most);
  }
  crowd.settle(runs);
  spread(runs, codes);
  expect([...codes].every((code) => code === NOTHING)).toBe(true); // it forgets
});
