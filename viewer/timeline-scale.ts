/**
 * The horizontal axis: seconds of the recording's own clock, or events in their order. Values on the time axis are seconds since
 * the first event, on the event axis positions. Zoom, pan, ticks and how times are written.
 */

/** What one axis runs over. */
export interface Axis {
  readonly kind: 'time' | 'event';
  /** The whole of it, with a little room at both ends. */
  readonly begin: number;
  readonly end: number;
  /** The least part that can be shown. */
  readonly least: number;
}

/** The part of an axis that is shown. */
export type View = readonly [from: number, to: number];

/** The recording's clock at its first event. `digits`: decimals that the recording prints. */
export interface Clock {
  readonly sec: number;
  readonly nsec: number;
  readonly digits: number;
}

/** One tick of an axis. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Width of a character of tick labels, and room between two. Units: CSS pixels. */
const CHARACTER = 6.7;
const ROOM = 18;

/** Returns the axis over `last` seconds. */
export function timeAxis(last: number): Axis {
  const room = Math.max(last * 0.01, 1e-6);
  return { kind: 'time', begin: -room, end: last + room, least: Math.min(1e-7, last || 1e-7) };
}

/** Returns the axis over events 1 … `length`. */
export function eventAxis(length: number): Axis {
  return { kind: 'event', begin: 0, end: length + 1, least: Math.min(4, length + 1) };
}

/** Returns the clock that a printed time tells, or null where there is none. */
export function clockOf(time: string | null): Clock | null {
  if (time === null) return null;
  const [sec, decimals = ''] = time.split('.');
  return { sec: Number(sec), nsec: Number(decimals.padEnd(9, '0')), digits: decimals.length };
}

/** Returns a view moved and widened so that it lies on the axis. */
export function clampView({ begin, end, least }: Axis, [from, to]: View): View {
  const whole = end - begin;
  const span = Math.min(whole, Math.max(least, to - from));
  const middle = (from + to) / 2;
  // A view that has the right span is not computed anew: rounding would make it creep.
  const first = span === to - from ? from : middle - span / 2;
  const start = Math.min(Math.max(first, begin), end - span);
  return span === whole ? [begin, end] : [start, start + span];
}

/** Returns the view after zooming by a factor (below 1: closer) so that `at` stays where it is. */
export function zoomView(axis: Axis, [from, to]: View, at: number, factor: number): View {
  const span = Math.min(axis.end - axis.begin, Math.max(axis.least, (to - from) * factor));
  const share = (at - from) / (to - from);
  return clampView(axis, [at - span * share, at - span * share + span]);
}

/** Returns the view moved by a part of its width. */
export function panView(axis: Axis, [from, to]: View, share: number): View {
  const by = (to - from) * share;
  return clampView(axis, [from + by, to + by]);
}

/** Returns the view moved so far that `at` is in it. */
export function showIn(axis: Axis, [from, to]: View, at: number): View {
  const room = (to - from) * 0.05;
  if (at < from + room) return clampView(axis, [at - room * 4, at - room * 4 + to - from]);
  if (at > to - room) return clampView(axis, [at + room * 4 - (to - from), at + room * 4]);
  return [from, to];
}

/** Returns ticks at round values whose labels do not touch on `width` pixels. Order: ascending. */
export function ticksOf(kind: Axis['kind'], [from, to]: View, width: number, clock: Clock | null): Tick[] {
  return kind === 'event' || clock === null ? eventTicks(from, to, width) : timeTicks(from, to, width, clock);
}

function eventTicks(from: number, to: number, width: number): Tick[] {
  const pixels = width / (to - from);
  const step = steps(0, (s) => s * pixels >= String(Math.ceil(to)).length * CHARACTER + ROOM);
  const ticks: Tick[] = [];
  for (let k = Math.max(0, Math.ceil(from / step)); k * step <= to; k++) ticks.push({ at: k * step, text: String(k * step) });
  return ticks;
}

function timeTicks(from: number, to: number, width: number, { sec, nsec }: Clock): Tick[] {
  const pixels = width / (to - from);
  const whole = String(Math.max(0, Math.floor(sec + to))).length;
  let digits = 0;
  const step = steps(-9, (s, power) => {
    digits = Math.max(0, -power);
    return s * pixels >= (whole + (digits > 0 ? digits + 1 : 0)) * CHARACTER + ROOM;
  });
  // Round values of the clock itself; the large part of it is kept out of the fractions.
  const rest = sec % Math.max(1, step);
  const offset = rest + nsec / 1e9;
  const ticks: Tick[] = [];
  for (let k = Math.ceil((from + offset) / step); k * step - offset <= to; k++) {
    const [seconds, decimals] = (k * step).toFixed(digits).split('.');
    const absolute = sec - rest + Number(seconds);
    if (k < 0 && sec === rest) continue; // before the clock began
    ticks.push({ at: k * step - offset, text: decimals === undefined || k < 0 ? String(absolute) : `${absolute}.${decimals}` });
  }
  return ticks;
}

/** Returns the first of 1, 2, 5, 10 … × 10^power that is enough. */
function steps(power: number, enough: (step: number, power: number) => boolean): number {
  for (let p = power; p < 16; p++) {
    for (const m of [1, 2, 5]) {
      const step = p < 0 ? m / 10 ** -p : m * 10 ** p;
      if (enough(step, p)) return step;
    }
  }
  return 1e16;
}

/** Returns the recording's clock at some seconds after the first event, with as many decimals as it prints. */
export function clockText({ sec, nsec, digits }: Clock, seconds: number): string {
  const whole = Math.floor(seconds);
  let n = nsec + Math.round((seconds - whole) * 1e9);
  // A marker may stand between two units of the clock.
  const shown = Math.max(digits, n % 1000 === 0 ? 6 : 9);
  let s = sec + whole;
  if (n >= 1e9) {
    n -= 1e9;
    s++;
  }
  if (s < 0) return `before ${sec}.${String(nsec).padStart(9, '0').slice(0, digits)}`;
  return `${s}.${String(n).padStart(9, '0').slice(0, shown)}`;
}

/** Returns a length of time in the unit that fits: `1.5 s`, `814 µs`, `-20 ns`. Precision: nanoseconds. */
export function durationText(seconds: number): string {
  const n = Math.round(Math.abs(seconds) * 1e9);
  const sign = seconds < 0 && n > 0 ? '-' : '';
  if (n === 0) return '0 s';
  const [unit, size, digits] = n >= 1e9 ? ['s', 1e9, 9] as const : n >= 1e6 ? ['ms', 1e6, 6] as const : n >= 1e3 ? ['µs', 1e3, 3] as const : ['ns', 1, 0] as const;
  const text = `${Math.floor(n / size)}.${String(n % size).padStart(digits, '0')}`;
  return `${sign}${text.replace(/\.?0*$/, '')} ${unit}`;
}
