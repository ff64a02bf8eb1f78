/**
 * The timeline of domains: a canvas for the lanes, one above it for what moves, buttons and keys for everything, and the same facts
 * as text. What is drawn follows from signals; a frame is drawn only when one of them has changed.
 */
import { effect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { markers, position } from './store.ts';
import { press, said } from './timeline-actions.ts';
import { AXIS, LanesCanvas, dependencies, drawAbove, gutterOf, readColours, type Colours } from './timeline-draw.ts';
import { COMFORTABLE } from './timeline-layout.ts';
import { listen } from './timeline-pointer.ts';
import { Between, Facts, Help, Legend, Tip, Tools } from './timeline-parts.tsx';
import { chosenLane, layout, now, pointer, scrolled, shown, size, view } from './timeline-view.ts';
import './timeline.css';

/** What a frame may cost before lanes that share a row are sampled while something moves, and when it is drawn in full then. Units: milliseconds. */
const FRAME = 12;
const REST = 150;

/** The timeline, with its buttons, its legend and its facts. */
export function Timeline(): ComponentChildren {
  const plot = useRef<HTMLDivElement>(null);
  useEffect(() => run(plot.current!), []);
  return (
    <section aria-labelledby="timeline-title" class="timeline">
      <h2 id="timeline-title">Timeline</h2>
      <Tools />
      <div class="timeline-frame">
        <div ref={plot} class="timeline-plot" tabIndex={0} role="application" aria-label="Timeline of domains" aria-describedby="timeline-keys">
          <canvas class="timeline-lanes" aria-hidden="true" />
          <canvas class="timeline-above" aria-hidden="true" />
          <div class="timeline-bar" tabIndex={-1} aria-hidden="true"><div /></div>
        </div>
        <Tip />
      </div>
      <p class="timeline-said" role="status">{said.value}</p>
      <Between />
      <Legend />
      <Facts />
      <Help />
    </section>
  );
}

/** Keeps the canvases up to date; returns a function that ends it. */
function run(plot: HTMLElement): () => void {
  const [below, above] = plot.querySelectorAll('canvas');
  const bar = plot.querySelector<HTMLElement>('.timeline-bar')!;
  const spacer = bar.firstElementChild as HTMLElement;
  const lanes = new LanesCanvas();
  let colours: Colours = readColours(plot);
  let frame = 0;
  let rest = 0;
  let whole = 0;
  let drawn = 0;
  let [stale, moved] = [true, true];

  const draw = (): void => {
    frame = 0;
    const begin = performance.now();
    if (stale) {
      const hurry = whole > FRAME && begin - drawn < REST;
      // Lanes of a shared row that there is time for.
      const few = Math.max(1, Math.floor((FRAME / 2 / whole) / (layout.value.lane * size.value.ratio)));
      lanes.draw(below, colours, hurry ? few : Infinity);
      if (!hurry) whole = performance.now() - begin;
      drawn = begin;
      clearTimeout(rest);
      if (hurry) {
        rest = window.setTimeout(() => {
          drawn = 0;
          ask(true);
        }, REST);
      }
    }
    if (moved || stale) drawAbove(above, colours);
    stale = moved = false;
  };
  const ask = (lanesToo: boolean): void => {
    stale ||= lanesToo;
    moved = true;
    if (frame === 0) frame = requestAnimationFrame(draw);
  };

  const measure = (): void => {
    const width = Math.floor(plot.clientWidth) - bar.offsetWidth;
    const gutter = gutterOf(width);
    const next = { width: Math.max(0, width - gutter), gutter, height: Math.max(0, Math.floor(plot.clientHeight) - AXIS), ratio: window.devicePixelRatio };
    const { width: w, height: h, ratio: r } = size.value;
    if (w === next.width && h === next.height && r === next.ratio) return;
    size.value = next;
    // Before this frame is painted: no blank one in between.
    cancelAnimationFrame(frame);
    stale = true;
    draw();
  };
  const sizes = new ResizeObserver(measure);
  sizes.observe(plot);

  // As high as its lanes need, until somebody drags its corner.
  let given = '';
  const heights = effect(() => {
    const wanted = AXIS + Math.max(3 * COMFORTABLE, Math.min(shown.value.length * COMFORTABLE, Math.round(window.innerHeight * 0.5)));
    if (plot.style.height !== given) return;
    given = plot.style.height = `${wanted}px`;
  });
  const scroll = effect(() => {
    const { count, lane, height, top } = layout.value;
    spacer.style.height = `${count * lane}px`;
    plot.style.touchAction = count * lane > height + 1 ? 'none' : 'pan-y';
    if (Math.abs(bar.scrollTop - top) > 1) bar.scrollTop = top;
  });
  const onScroll = (): void => {
    if (Math.abs(bar.scrollTop - layout.value.top) > 1) scrolled.value = bar.scrollTop;
  };
  bar.addEventListener('scroll', onScroll);

  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const recolour = (): void => {
    colours = readColours(plot);
    ask(true);
  };
  scheme.addEventListener('change', recolour);
  const onKey = (e: KeyboardEvent): void => {
    if (e.target === plot && press(e)) e.preventDefault();
  };
  plot.addEventListener('keydown', onKey);

  const ends = [
    effect(() => {
      dependencies();
      ask(true);
    }),
    effect(() => {
      void [pointer.value, now.value, markers.value, position.value, chosenLane.value, view.value, layout.value];
      ask(false);
    }),
    listen(plot), heights, scroll, watchRatio(measure),
    () => sizes.disconnect(),
    () => scheme.removeEventListener('change', recolour),
    () => bar.removeEventListener('scroll', onScroll),
    () => plot.removeEventListener('keydown', onKey),
    () => cancelAnimationFrame(frame),
    () => clearTimeout(rest),
  ];
  return () => ends.forEach((end) => end());
}

/** Calls when the page goes to a screen of another resolution; returns a function that ends it. */
function watchRatio(changed: () => void): () => void {
  let query: MediaQueryList;
  const again = (): void => {
    changed();
    watch();
  };
  const watch = (): void => {
    query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener('change', again, { once: true });
  };
  watch();
  return () => query.removeEventListener('change', again);
}
