/**
 * The picture of the lanes, in colours that are numbers: what must never be hidden, and what two designs look like.
 */
import { describe, expect, it } from 'vitest';
import { STATE } from '../../machines/states.ts';
import { MARK } from '../../viewer/lanes.ts';
import { rowsOf } from '../../viewer/timeline-layout.ts';
import { Raster, type Palette, type Scene } from '../../viewer/timeline-raster.ts';
import type { Placed } from '../../viewer/timeline-runs.ts';

const PALETTE: Palette = { back: 1, grid: 2, text: 3, bad: 4, hatch: 5, states: Uint32Array.from([10, 11, 12, 13, 14, 15, 16, 17]) };
const WIDTH = 60;
const HEIGHT = 40;

/** Points of lanes from lists of [value of the axis, what]. */
function points(lanes: readonly (readonly (readonly [number, number])[])[]): Placed {
  const starts = [0];
  for (const l of lanes) starts.push(starts.at(-1)! + l.length);
  return { starts: Int32Array.from(starts), at: Float64Array.from(lanes.flat(), ([at]) => at), value: Uint8Array.from(lanes.flat(), ([, v]) => v) };
}

function draw(count: number, lane: number, parts: Partial<Scene>): { pixel: (x: number, y: number) => number; raster: Raster; all: Uint32Array } {
  const none = points(Array.from({ length: count }, () => []));
  const raster = new Raster(WIDTH, HEIGHT, new Uint32Array(WIDTH * HEIGHT));
  raster.draw({
    columns: { from: 0, scale: 1, count: WIDTH }, shown: Int32Array.from({ length: count }, (_, k) => k),
    rows: rowsOf({ lane, count, height: HEIGHT, top: 0, ratio: 1 }), sample: Infinity,
    changes: none, marks: none, findings: none, other: null, grid: [], lost: new Uint8Array(WIDTH), ratio: 1, ...parts,
  }, PALETTE);
  return { pixel: (x, y) => raster.pixels[y * WIDTH + x], raster, all: raster.pixels };
}

describe('lanes', () => {
  it('have the colours of their states from the change on, and none before and after their lives', () => {
    const { pixel, raster } = draw(1, 20, { changes: points([[[5, STATE.dma_owned], [30, STATE.iommufd_owned], [50, STATE.freed]]]), grid: [2] });
    expect([pixel(2, 8), pixel(4, 8), pixel(5, 8), pixel(29, 8), pixel(30, 8), pixel(49, 8), pixel(50, 8), pixel(5, 25)]).toEqual([2, 1, 12, 12, 14, 14, 1, 1]);
    expect(raster.letters.map(({ state }) => state)).toEqual([STATE.dma_owned, STATE.iommufd_owned]);
  });

  it('are thin where nobody owns the domain, and broken where nobody knows', () => {
    const { pixel } = draw(2, 20, { changes: points([[[0, STATE.unowned]], [[0, STATE.unknown]]]) });
    expect([pixel(9, 1), pixel(9, 9), pixel(9, 17)]).toEqual([1, 11, 1]);
    const seen = new Set(Array.from({ length: 8 }, (_, x) => pixel(20 + x, 30)));
    expect(seen).toEqual(new Set([1, 10]));
  });

  it('have the judging design above and the other below where the two differ', () => {
    const other = { changes: points([[[0, STATE.iommufd_owned], [30, STATE.msi_owned]]]), lane: Int32Array.of(0) };
    const { pixel } = draw(1, 20, { changes: points([[[0, STATE.msi_owned]]]), other });
    expect([pixel(10, 3), pixel(10, 15), pixel(40, 3), pixel(40, 15)]).toEqual([13, 14, 13, 13]);
  });

  it('share rows when there are too many, and show what most are', () => {
    const lanes = Array.from({ length: 400 }, (_, k) => [[0, k % 10 < 7 ? STATE.dma_owned : STATE.msi_owned] as const]);
    const { all } = draw(400, HEIGHT / 400, { changes: points(lanes) });
    expect(new Set(all)).toEqual(new Set([12]));
  });
});

describe('what must be seen', () => {
  it('is every finding, in a picture in which a thousand lanes share a row', () => {
    const count = 40_000;
    const lanes = Array.from({ length: count }, (_, k) => (k === 31_999 ? [[33, 0] as const] : []));
    const { pixel } = draw(count, HEIGHT / count, { findings: points(lanes) });
    expect(pixel(33, 31)).toBe(PALETTE.bad);
  });

  it('is a loss, across all lanes, however short', () => {
    const lost = new Uint8Array(WIDTH);
    lost.fill(1, 20, 40);
    lost[50] = 1;
    const { pixel } = draw(1, 20, { changes: points([[[0, STATE.dma_owned]]]), lost });
    for (let y = 0; y < HEIGHT; y++) expect(pixel(50, y)).toBe(PALETTE.hatch);
    const column = Array.from({ length: HEIGHT }, (_, y) => pixel(30, y));
    expect(column.filter((c) => c === PALETTE.hatch).length).toBeGreaterThan(5);
    expect(column.filter((c) => c === PALETTE.hatch).length).toBeLessThan(20);
  });

  it('is told apart by shape: attachments above, pages below, warnings hollow', () => {
    const { pixel } = draw(2, 20, {
      changes: points([[[0, STATE.dma_owned]], []]),
      marks: points([[[10, MARK.attach], [30, MARK.page]], []]),
      findings: points([[[45, 0]], [[45, 2]]]),
    });
    expect([pixel(10, 2), pixel(10, 15), pixel(30, 2), pixel(30, 16)]).toEqual([3, 12, 12, 3]);
    expect([pixel(45, 10), pixel(45, 30), pixel(43, 30)]).toEqual([4, 1, 4]);
  });
});
