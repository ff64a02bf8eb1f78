/**
 * The picture of the lanes, pixel by pixel: states as bars, a gap hatched across all lanes, MSI pages and attachments as small
 * marks, findings in red above everything. Works on plain arrays in device pixels; what it costs follows from the size of the
 * picture, not from how many events there are.
 */
import { STATE } from '../machines/states.ts';
import { MARK } from './lanes.ts';
import { Crowd, NOTHING, Runs, laneCodes, laneRuns, seek, spread, type Columns, type Placed } from './timeline-runs.ts';
import type { Row } from './timeline-layout.ts';

/** Colours as they stand in the picture's memory (ABGR in a little-endian word). */
export interface Palette {
  readonly back: number;
  readonly grid: number;
  readonly text: number;
  readonly bad: number;
  readonly hatch: number;
  /** By state code. */
  readonly states: Uint32Array;
}

/** What is drawn. */
export interface Scene {
  readonly columns: Columns;
  /** Numbers of the lanes in the order shown, and the rows that show them. */
  readonly shown: Int32Array;
  readonly rows: readonly Row[];
  /** Lanes of each row that are looked at; more than a row has means all. */
  readonly sample: number;
  readonly changes: Placed;
  readonly marks: Placed;
  readonly findings: Placed;
  /** The other design's changes and, by lane, its lane of the same domain or -1; null where one design is shown. */
  readonly other: { readonly changes: Placed; readonly lane: Int32Array } | null;
  /** Columns with a line of the axis, and columns in which events were lost. */
  readonly grid: readonly number[];
  readonly lost: Uint8Array;
  /** Device pixels of one CSS pixel. */
  readonly ratio: number;
}

/** A letter that stands in a bar. Device pixels, the middle of its height. */
export interface Letter {
  readonly x: number;
  readonly y: number;
  readonly state: number;
}

/** Letters at most, heights at which bars are divided, have letters, and marks. */
const LETTERS = 1500;
const PATTERNED = 6;
const LETTERED = 13;
const MARKED = 6;

/** Draws scenes of one size. */
export class Raster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array;
  /** Letters of the last scene. */
  letters: Letter[] = [];
  private readonly runs: Runs;
  private readonly crowd: Crowd;
  private readonly most: Runs;
  private readonly codes: Uint8Array;
  private readonly otherCodes: Uint8Array;
  private readonly empty: Uint32Array;
  private readonly line: Uint32Array;

  constructor(width: number, height: number, pixels: Uint32Array) {
    this.width = width;
    this.height = height;
    this.pixels = pixels;
    this.runs = new Runs(width);
    this.crowd = new Crowd(width);
    this.most = new Runs(width);
    this.codes = new Uint8Array(width);
    this.otherCodes = new Uint8Array(width);
    this.empty = new Uint32Array(width);
    this.line = new Uint32Array(width);
  }

  /** Draws a scene. */
  draw(scene: Scene, palette: Palette): void {
    const { width, height, pixels, empty } = this;
    this.letters = [];
    empty.fill(palette.back);
    for (const x of scene.grid) if (x >= 0 && x < width) empty[x] = palette.grid;
    for (let y = 0; y < height; y++) pixels.set(empty, y * width);
    for (const row of scene.rows) {
      if (row.last - row.first === 1) this.lane(scene, palette, row);
      else this.lanes(scene, palette, row);
    }
    this.hatch(scene.lost, palette);
    for (const row of scene.rows) {
      if ((row.y1 - row.y0) >= MARKED * scene.ratio) this.marks(scene, palette, row);
    }
    for (const row of scene.rows) this.findings(scene, palette, row);
  }

  private lane(scene: Scene, palette: Palette, row: Row): void {
    const { codes, otherCodes, runs } = this;
    const { other, changes, columns, ratio, shown } = scene;
    const lane = shown[row.first];
    laneCodes(changes, lane, columns, runs, codes);
    const high = row.y1 - row.y0;
    const gap = high >= 4 * ratio ? Math.max(1, Math.round(ratio)) : 0;
    const differs = other !== null && this.otherLane(scene, lane);
    const middle = differs ? row.y0 + ((high - gap) >> 1) : row.y1 - gap;
    this.bar(codes, row.y0, middle, palette, ratio);
    if (differs) this.bar(otherCodes, middle, row.y1 - gap, palette, ratio);
    if (high < LETTERED * ratio) return;
    if (differs && high < 2 * LETTERED * ratio) {
      for (let x = 0; x < codes.length; x++) if (codes[x] !== otherCodes[x]) codes[x] = NOTHING;
      return this.letter(codes, (row.y0 + row.y1 - gap) / 2, ratio);
    }
    this.letter(codes, (row.y0 + middle) / 2, ratio);
    if (differs) this.letter(otherCodes, (middle + row.y1 - gap) / 2, ratio);
  }

  /** Fills the other design's codes; returns whether they differ anywhere from this one's. */
  private otherLane({ other, columns }: Scene, lane: number): boolean {
    const { codes, otherCodes, runs } = this;
    const number = other!.lane[lane];
    if (number < 0) otherCodes.fill(NOTHING);
    else laneCodes(other!.changes, number, columns, runs, otherCodes);
    for (let x = 0; x < codes.length; x++) if (codes[x] !== otherCodes[x]) return true;
    return false;
  }

  private lanes({ shown, changes, columns, sample, other }: Scene, palette: Palette, { y0, first, last }: Row): void {
    const { codes, otherCodes, runs, crowd, most } = this;
    const step = Math.max(1, (last - first) / sample);
    for (let k = first; k < last; k += step) {
      laneRuns(changes, shown[Math.floor(k)], columns, runs);
      crowd.add(runs);
    }
    crowd.settle(most);
    if (other === null) return this.mostOf(y0, palette);
    spread(most, codes);
    for (let k = first; k < last; k += step) {
      const lane = other.lane[shown[Math.floor(k)]];
      if (lane < 0) continue;
      laneRuns(other.changes, lane, columns, runs);
      crowd.add(runs);
    }
    crowd.settle(most);
    spread(most, otherCodes);
    // Where most lanes differ, both colours stand side by side.
    for (let x = 0; x < codes.length; x++) if (((x + y0) & 2) !== 0) codes[x] = otherCodes[x];
    this.bar(codes, y0, y0 + 1, palette, 1);
  }

  /** A row of pixels from runs; the picture has its background already. */
  private mostOf(y: number, { states }: Palette): void {
    const { pixels, width, most: { x, code, length } } = this;
    if (y < 0 || y >= this.height) return;
    const at = y * width;
    for (let k = 0; k < length; k++) {
      if (code[k] === NOTHING) continue;
      const colour = states[code[k]];
      const end = at + x[k + 1];
      if (x[k + 1] - x[k] > 24) pixels.fill(colour, at + x[k], end);
      else for (let p = at + x[k]; p < end; p++) pixels[p] = colour;
    }
  }

  /** A bar: an unowned domain is thin, an unknown one broken, an owned one full; low bars are full. */
  private bar(codes: Uint8Array, y0: number, y1: number, palette: Palette, ratio: number): void {
    const { pixels, width, line, empty } = this;
    const { states } = palette;
    const patterned = y1 - y0 >= PATTERNED * ratio;
    const thin = Math.floor((y1 - y0) / 3.4);
    const cell = Math.max(1, Math.round(ratio)) * 2;
    let shown = -1;
    for (let y = Math.max(0, y0); y < Math.min(y1, this.height); y++) {
      const edge = y < y0 + thin || y >= y1 - thin;
      const phase = Math.floor((y - y0) / cell) & 1;
      const kind = patterned ? Number(edge) * 2 + phase : 0;
      if (kind !== shown) {
        shown = kind;
        for (let x = 0; x < width; x++) {
          const code = codes[x];
          if (code === NOTHING) line[x] = empty[x];
          else if (patterned && code === STATE.unowned && edge) line[x] = empty[x];
          else if (patterned && code === STATE.unknown && (Math.floor(x / cell) & 1) === phase) line[x] = empty[x];
          else line[x] = states[code];
        }
      }
      pixels.set(line, y * width);
    }
  }

  private letter(codes: Uint8Array, y: number, ratio: number): void {
    const least = 18 * ratio;
    for (let x = 0; x < codes.length && this.letters.length < LETTERS;) {
      const code = codes[x];
      let end = x + 1;
      while (end < codes.length && codes[end] === code) end++;
      if (code !== NOTHING && end - x >= least) this.letters.push({ x: x + 7 * ratio, y, state: code });
      x = end;
    }
  }

  private hatch(lost: Uint8Array, { hatch }: Palette): void {
    const { pixels, width, height } = this;
    for (let x = 0; x < width; x++) {
      if (lost[x] === 0) continue;
      const alone = (x === 0 || lost[x - 1] === 0) || (x === width - 1 || lost[x + 1] === 0);
      for (let y = 0; y < height; y++) if (alone || ((x + y) & 7) < 2) pixels[y * width + x] = hatch;
    }
  }

  private marks({ shown, marks, columns, ratio }: Scene, palette: Palette, { y0, y1, first }: Row): void {
    const lane = shown[first];
    const unit = Math.max(1, Math.round(ratio));
    const wide = 4 * unit;
    const high = y1 - y0;
    const { from, scale, count } = columns;
    const end = marks.starts[lane + 1];
    for (let k = seek(marks.at, marks.starts[lane], end, from); k < end;) {
      const x = Math.floor((marks.at[k] - from) * scale);
      if (x >= count) break;
      // Marks that would touch are one of each kind.
      const next = seek(marks.at, k + 1, end, from + (x + wide) / scale);
      let kinds = 0;
      for (let i = k; i < next && i < k + 8; i++) kinds |= 1 << marks.value[i];
      if (kinds & (1 << MARK.attach)) this.box(x, y0, unit, Math.max(2 * unit, Math.round(high * 0.42)), palette.text, palette.back, unit);
      if (kinds & (1 << MARK.page)) this.box(x - unit, y1 - 4 * unit - (high > 10 * unit ? unit : 0), 3 * unit, 3 * unit, palette.text, palette.back, unit);
      k = next;
    }
  }

  private findings(scene: Scene, palette: Palette, row: Row): void {
    const { shown, findings, columns, ratio } = scene;
    const { y0, y1, first, last } = row;
    if (last - first > 1) return this.sharedFindings(scene, palette, row);
    const unit = Math.max(1, Math.round(ratio));
    const high = Math.max(y1 - y0, 3 * unit);
    const { from, scale, count } = columns;
    const lane = shown[first];
    const end = findings.starts[lane + 1];
    for (let k = seek(findings.at, findings.starts[lane], end, from); k < end;) {
      const x = Math.floor((findings.at[k] - from) * scale);
      if (x >= count) break;
      const next = seek(findings.at, k + 1, end, from + (x + 3 * unit) / scale);
      let worst = findings.value[k];
      for (let i = k; i < next && i < k + 16; i++) worst = Math.min(worst, findings.value[i]);
      const size = high >= 9 * unit ? 5 * unit : 3 * unit;
      this.box(x - (size >> 1), y0, size, Math.max(3 * unit, high - unit), palette.bad, palette.back, high >= 9 * unit ? unit : 0);
      // Warnings and infos are hollow.
      if (worst >= 2 && high >= 9 * unit) this.box(x - (size >> 1) + unit, y0 + unit, size - 2 * unit, high - 3 * unit, palette.back, palette.back, 0);
      k = next;
    }
  }

  /** The findings of all lanes of a row: one mark where there is any. */
  private sharedFindings({ shown, findings, columns: { from, scale, count }, ratio }: Scene, { bad }: Palette, { y0, first, last }: Row): void {
    const { codes } = this;
    let any = false;
    for (let row = first; row < last; row++) {
      const lane = shown[row];
      const end = findings.starts[lane + 1];
      if (end === findings.starts[lane]) continue;
      if (!any) codes.fill(0);
      any = true;
      for (let k = seek(findings.at, findings.starts[lane], end, from); k < end;) {
        const x = Math.floor((findings.at[k] - from) * scale);
        if (x >= count) break;
        codes[x] = 1;
        k = seek(findings.at, k + 1, end, from + (x + 1) / scale);
      }
    }
    if (!any) return;
    const unit = Math.max(1, Math.round(ratio));
    for (let x = 0; x < count; x++) {
      if (codes[x] === 0) continue;
      let end = x + 1;
      while (end < count && codes[end] === 1) end++;
      this.box(x - unit, y0 - unit, end - x + 2 * unit, 3 * unit, bad, bad, 0);
      x = end;
    }
  }

  /** A box with a rim that lifts it off whatever it stands on. */
  private box(x: number, y: number, wide: number, high: number, colour: number, rim: number, rimWidth: number): void {
    if (rimWidth > 0) this.box(x - rimWidth, y, wide + 2 * rimWidth, high + rimWidth, rim, rim, 0);
    const { pixels, width, height } = this;
    const begin = Math.max(0, x);
    const end = Math.min(width, x + wide);
    if (end <= begin) return;
    for (let k = Math.max(0, y); k < Math.min(height, y + high); k++) pixels.fill(colour, k * width + begin, k * width + end);
  }
}
