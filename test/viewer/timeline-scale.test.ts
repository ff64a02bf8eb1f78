/**
 * The timeline's axis: zooming keeps what is under the pointer, ticks stand at round values of the recording's clock, times are exact.
 */
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { clampView, clockOf, clockText, durationText, eventAxis, panView, showIn, ticksOf, timeAxis, zoomView, type View } from '../../viewer/timeline-scale.ts';

const axis = timeAxis(100);

describe('a view', () => {
  test.prop([fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.double({ min: 0.01, max: 1, noNaN: true })])('zoomed in keeps the value under the pointer', (share, factor) => {
    const view: View = [20, 60];
    const at = 20 + 40 * share;
    const [from, to] = zoomView(axis, view, at, factor);
    expect((at - from) / (to - from)).toBeCloseTo(share, 6);
  });

  test.prop([fc.array(fc.tuple(fc.double({ min: -1, max: 101, noNaN: true }), fc.double({ min: 0.001, max: 1000, noNaN: true })), { maxLength: 30 })])('never leaves the axis and never gets narrower than the least', (zooms) => {
    let view: View = [axis.begin, axis.end];
    for (const [at, factor] of zooms) {
      view = panView(axis, zoomView(axis, view, at, factor), factor - 1);
      expect(view[0]).toBeGreaterThanOrEqual(axis.begin);
      expect(view[1]).toBeLessThanOrEqual(axis.end + 1e-9);
      expect(view[1] - view[0]).toBeGreaterThanOrEqual(axis.least * 0.99);
    }
  });

  it('of the whole is the whole, however far it is zoomed out', () => {
    expect(zoomView(axis, [20, 60], 30, 100)).toEqual([axis.begin, axis.end]);
    expect(clampView(eventAxis(7), [-5, 500])).toEqual([0, 8]);
  });

  it('moves just so far that an instant is seen', () => {
    expect(showIn(axis, [20, 40], 30)).toEqual([20, 40]);
    expect(showIn(axis, [20, 40], 41)).toEqual([25, 45]);
    expect(showIn(axis, [20, 40], 10)).toEqual([6, 26]);
  });
});

describe('ticks', () => {
  const clock = clockOf('103.324186')!;

  it('stand at round values of the clock, not of the seconds since the first event', () => {
    const ticks = ticksOf('time', [0, 1], 800, clock);
    expect(ticks.map(({ text }) => text)).toEqual(['103.4', '103.5', '103.6', '103.7', '103.8', '103.9', '104.0', '104.1', '104.2', '104.3']);
    expect(ticks[0].at).toBeCloseTo(103.4 - 103.324186, 9);
  });

  it('show whole digits at every zoom, and do not touch', () => {
    for (let span = 1e5; span > 1e-7; span /= 3) {
      const ticks = ticksOf('time', [5, 5 + span], 1000, clock);
      const widest = Math.max(...ticks.map(({ text }) => text.length));
      for (let k = 1; k < ticks.length; k++) {
        expect(((ticks[k].at - ticks[k - 1].at) / span) * 1000).toBeGreaterThan(widest * 6.5);
        expect(Number(ticks[k].text)).toBeGreaterThan(Number(ticks[k - 1].text));
      }
      expect(ticks.length).toBeLessThan(40);
    }
  });

  it('of clocks that count from 1970 keep their nanoseconds', () => {
    const ticks = ticksOf('time', [0, 4e-6], 1500, clockOf('1700000000.999998500')!);
    expect(ticks[0].text).toBe('1700000000.9999985');
    expect(ticks.map(({ text }) => text)).toContain('1700000001.0000000');
  });

  it('of events are numbers', () => {
    expect(ticksOf('event', [0, 10], 400, null).map(({ text }) => text)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
    expect(ticksOf('event', [0, 1_000_001], 600, clock).map(({ text }) => text)).toEqual(['0', '200000', '400000', '600000', '800000', '1000000']);
  });
});

describe('times in words', () => {
  it.each([
    [0, '0 s'], [814e-6, '814 µs'], [0.04572, '45.72 ms'], [-20e-9, '-20 ns'], [1.5, '1.5 s'], [100, '100 s'], [1e-9, '1 ns'], [0.001234567, '1.234567 ms'],
    [12_345.000_001, '12345.000001 s'], [1e-12, '0 s'],
  ])('%s s is %s', (seconds, text) => expect(durationText(seconds)).toBe(text));

  it('have the digits that the recording prints', () => {
    expect(clockText(clockOf('125.334851')!, 0.04572)).toBe('125.380571');
    expect(clockText(clockOf('125.9')!, 0.1)).toBe('126.000000');
    expect(clockText(clockOf('1700000000.000000001')!, 1)).toBe('1700000001.000000001');
    expect(clockOf(null)).toBeNull();
  });

  test.prop([fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 1e9 })])('are exact to the microsecond', (sec, usec, more) => {
    const total = usec + more;
    const expected = `${sec + Math.floor(total / 1e6)}.${String(total % 1e6).padStart(6, '0')}`;
    expect(clockText(clockOf(`${sec}.${String(usec).padStart(6, '0')}`)!, more / 1e6)).toBe(expected);
  });
});
