/**
 * Puts the timeline on its two canvases: below the lanes, axis and labels, redrawn when what they show changes; above them what
 * follows the pointer and the instant, so that moving these does not draw the lanes again.
 */
import { STATE, STATES } from '../machines/states.ts';
import { recording, chosen, history, markers } from './store.ts';
import { labelledRows, laneName, rowAt, rowsOf } from './timeline-layout.ts';
import { Raster, type Palette } from './timeline-raster.ts';
import { ticksOf } from './timeline-scale.ts';
import { LETTERS } from './timeline-states.ts';
import {
  axis, chosenLane, clock, layout, losses, markerValue, now, placed, placedOther, pointer, rowOf, shown, size, tracks, valueOf, view, xOf,
} from './timeline-view.ts';

/** Height of the axis above the lanes, and width of the labels beside them. Units: CSS pixels. */
export const AXIS = 30;
/** Width of the labels beside the lanes: shorter ones where there is little room. */
export function gutterOf(width: number): number {
  return width < 560 ? 78 : 158;
}

const FONT = '11px ui-monospace, "DejaVu Sans Mono", monospace';

/** Colours of the page at the moment: as text for the canvas, as words for the picture of the lanes. */
export interface Colours {
  readonly back: string;
  readonly text: string;
  readonly dim: string;
  readonly accent: string;
  readonly onState: readonly string[];
  readonly palette: Palette;
}

/** Reads the page's colours; they change with the scheme. */
export function readColours(element: HTMLElement): Colours {
  const probe = document.createElement('span');
  element.append(probe);
  const bytes = (name: string): readonly number[] => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g)!.slice(0, 3).map(Number);
  };
  const css = (name: string): string => `rgb(${bytes(name).join(' ')})`;
  const word = ([r, g, b]: readonly number[]): number => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const states = STATES.map((name) => bytes(`state-${name}`));
  const colours = {
    back: css('back'), text: css('text'), dim: css('dim'), accent: css('accent'),
    // On every owner's colour black has the better contrast, in both schemes.
    onState: STATES.map((_, code) => (code <= STATE.unowned ? css('text') : '#000')),
    palette: {
      back: word(bytes('back')), grid: word(bytes('line')), text: word(bytes('text')), bad: word(bytes('bad')), hatch: word(bytes('dim')),
      states: Uint32Array.from(states, word),
    },
  };
  probe.remove();
  return colours;
}

/** Draws lanes, axis and labels on one canvas. */
export class LanesCanvas {
  private raster: Raster | null = null;
  private image: ImageData | null = null;

  /** Draws everything; `sample` bounds how many lanes of a shared row are looked at. */
  draw(canvas: HTMLCanvasElement, colours: Colours, sample: number): void {
    const { width, height, ratio } = size.value;
    if (width <= 0 || height <= 0) return;
    const gutter = size.value.gutter;
    fit(canvas, width + gutter, height + AXIS, ratio);
    const c = canvas.getContext('2d', { alpha: false })!;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = colours.back;
    c.fillRect(0, 0, canvas.width, canvas.height);
    const left = Math.round(gutter * ratio);
    const wide = canvas.width - left;
    const high = Math.round(height * ratio);
    if (this.raster === null || this.raster.width !== wide || this.raster.height !== high) {
      this.image = new ImageData(wide, high);
      this.raster = new Raster(wide, high, new Uint32Array(this.image.data.buffer));
    }
    const [from, to] = view.value;
    const scale = wide / (to - from);
    const ticks = ticksOf(axis.value.kind, view.value, width, clock.value);
    const lost = new Uint8Array(wide);
    for (const [a, b] of losses.value) {
      const x0 = Math.max(0, Math.floor((a - from) * scale));
      const x1 = Math.min(wide, Math.max(Math.floor((b - from) * scale), Math.floor((a - from) * scale) + 1));
      if (x1 > x0) lost.fill(1, x0, x1);
    }
    this.raster.draw({
      columns: { from, scale, count: wide }, shown: shown.value, rows: rowsOf(layout.value), sample, ...placed.value, other: placedOther.value,
      grid: ticks.map(({ at }) => Math.floor((at - from) * scale)), lost, ratio,
    }, colours.palette);
    c.putImageData(this.image!, left, Math.round(AXIS * ratio));
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.letters(c, colours, gutter);
    drawAxis(c, colours, ticks, gutter);
    drawLabels(c, colours, gutter);
  }

  private letters(c: CanvasRenderingContext2D, colours: Colours, gutter: number): void {
    const { ratio } = size.value;
    c.font = 'bold 10px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.textAlign = 'left';
    for (const { x, y, state } of this.raster!.letters) {
      c.fillStyle = colours.onState[state];
      c.fillText(LETTERS[state], gutter + x / ratio, AXIS + y / ratio + 0.5);
    }
  }
}

/** Gives a canvas its size in device pixels. */
function fit(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): void {
  const wide = Math.round(width * ratio);
  const high = Math.round(height * ratio);
  if (canvas.width === wide && canvas.height === high) return;
  canvas.width = wide;
  canvas.height = high;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}

function drawAxis(c: CanvasRenderingContext2D, colours: Colours, ticks: readonly { at: number; text: string }[], gutter: number): void {
  const { width } = size.value;
  c.font = FONT;
  c.textBaseline = 'alphabetic';
  c.textAlign = 'center';
  c.fillStyle = colours.dim;
  for (const { at, text } of ticks) {
    const x = xOf(at);
    const half = c.measureText(text).width / 2;
    if (x - half >= 0 && x + half <= width) c.fillText(text, gutter + x, AXIS - 11);
    c.fillRect(Math.round(gutter + x), AXIS - 7, 1, 6);
  }
  c.fillRect(gutter, AXIS - 1, width, 1);
  c.textAlign = 'left';
  c.fillText(axis.value.kind === 'event' ? 'event' : gutter > 100 ? 'clock, s' : 's', 4, AXIS - 11);
  // Findings that are about no domain stand on the axis.
  c.fillStyle = `rgb(${[0, 8, 16].map((s) => (colours.palette.bad >>> s) & 255).join(' ')})`;
  const at = tracks.value.loose;
  let last = -Infinity;
  for (const p of at) {
    const x = xOf(valueOf(p));
    if (x < 0 || x > width || x - last < 3) continue;
    c.fillRect(gutter + x - 2, AXIS - 7, 5, 6);
    last = x;
  }
}


function drawLabels(c: CanvasRenderingContext2D, colours: Colours, gutter: number): void {
  const l = layout.value;
  const { addresses } = recording.value.interned;
  c.save();
  c.beginPath();
  c.rect(0, AXIS, gutter, l.height);
  c.clip();
  c.font = FONT;
  c.textBaseline = 'middle';
  c.textAlign = 'left';
  const short = gutter < 100;
  for (const row of labelledRows(l)) {
    const lane = shown.value[row];
    const { domain, generation } = tracks.value.lanes[lane];
    c.fillStyle = lane === chosenLane.value ? colours.accent : colours.text;
    c.fillText(laneName(addresses.text(domain), generation, short), 4, AXIS + row * l.lane - l.top + Math.max(l.lane, 11) / 2);
  }
  c.restore();
}

/** Draws what stands above the lanes: chosen lane, instant, markers, the place of the pointer. */
export function drawAbove(canvas: HTMLCanvasElement, colours: Colours): void {
  const { width, height, ratio } = size.value;
  if (width <= 0 || height <= 0) return;
  const gutter = size.value.gutter;
  fit(canvas, width + gutter, height + AXIS, ratio);
  const c = canvas.getContext('2d')!;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, canvas.width, canvas.height);
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const l = layout.value;
  const row = chosenLane.value < 0 ? -1 : rowOf.value[chosenLane.value];
  if (row >= 0) {
    const y = AXIS + row * l.lane - l.top;
    const high = Math.max(3, l.lane);
    c.save();
    c.beginPath();
    c.rect(0, AXIS, width + gutter, height);
    c.clip();
    c.strokeStyle = colours.accent;
    c.lineWidth = 2;
    c.strokeRect(1, y - 1, width + gutter - 2, high + 1);
    c.restore();
  }
  c.save();
  c.beginPath();
  c.rect(gutter, 0, width, height + AXIS);
  c.clip();
  const p = pointer.value;
  if (p !== null && p.x >= 0) line(c, gutter + p.x, colours.dim, 1, [1, 2]);
  const [a, b] = markers.value.map((m) => (m === null ? null : xOf(markerValue(m))));
  if (a !== null && b !== null) {
    c.globalAlpha = 0.12;
    c.fillStyle = colours.accent;
    c.fillRect(gutter + Math.min(a, b), AXIS, Math.abs(a - b), height);
    c.globalAlpha = 1;
  }
  line(c, gutter + xOf(now.value), colours.accent, 2, []);
  c.fillStyle = colours.accent;
  flag(c, gutter + xOf(now.value), 5);
  for (const [name, x] of [['A', a], ['B', b]] as const) {
    if (x === null) continue;
    line(c, gutter + x, colours.text, 1.5, [5, 3]);
    c.fillStyle = colours.text;
    c.fillRect(gutter + x - 7, 0, 14, 15);
    c.fillStyle = colours.back;
    c.font = 'bold 11px system-ui, sans-serif';
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.fillText(name, gutter + x, 8);
  }
  c.restore();
}

function line(c: CanvasRenderingContext2D, x: number, colour: string, width: number, dash: readonly number[]): void {
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.setLineDash([...dash]);
  c.beginPath();
  c.moveTo(x, dash.length === 0 ? AXIS - 8 : 15);
  c.lineTo(x, AXIS + size.value.height);
  c.stroke();
  c.setLineDash([]);
}

function flag(c: CanvasRenderingContext2D, x: number, half: number): void {
  c.beginPath();
  c.moveTo(x - half, AXIS - 10);
  c.lineTo(x + half, AXIS - 10);
  c.lineTo(x, AXIS - 2);
  c.fill();
}

/** Number of the lane at a height below the axis, or -1. */
export function laneUnder(y: number): number {
  const row = rowAt(layout.value, y);
  return row < 0 ? -1 : shown.value[row];
}

/** Everything that the lanes' canvas depends on; read inside of an effect. */
export function dependencies(): void {
  void [size.value, view.value, layout.value, shown.value, placed.value, placedOther.value, losses.value, clock.value, history.value, chosen.value];
}
