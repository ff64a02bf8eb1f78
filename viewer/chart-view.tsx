/**
 * The state chart of a design with the state that a domain is in lit, and the edge that the event at hand took emphasised.
 * The SVG is our own renderer's; it is parsed as XML and only its elements are taken. States and edges are found by the ids of
 * the renderer (`state-msi_owned`, `edge-unowned-msi_owned-accepted`) or, in plain Graphviz output, by their titles.
 */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Size of the smallest letters of a chart that is not fitted to its place. Units: CSS pixels. */
const READABLE = 10.5;

/** Whether charts are as wide as their place, or as large as they are readable. */
const fitted = signal(false);
const parsed = new Map<string, Element>();
let copies = 0;

/** `edge`: the states before and after the event and its type, where it is about this domain. */
interface ChartProps {
  readonly design: string;
  readonly chart: string;
  readonly state: string | null;
  readonly edge: { readonly from: string; readonly to: string; readonly type: string } | null;
}

/** Returns the chart in a place that can be scrolled. */
export function ChartView({ design, chart, state, edge }: ChartProps): ComponentChildren {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    place.current!.replaceChildren(copyOf(chart));
  }, [chart]);
  const { from = '', to = '', type = '' } = edge ?? {};
  const hasArrow = edge !== null && arrowsOf(sourceOf(chart), edge).length > 0;
  useLayoutEffect(() => {
    const svg = place.current!.querySelector('svg')!;
    svg.setAttribute('aria-label', `state chart of ${design}${state === null ? '' : `, current state ${state}`}`);
    light(svg, state, edge);
    show(place.current!, svg.querySelector('.lit'));
  }, [chart, design, state, from, to, type, fitted.value]);
  return (
    <figure class="chart">
      <figcaption>
        State chart of {design}. {state === null ? 'No domain is looked at.' : <>Current state: <b class="mono">{state}</b> (thick frame){edge !== null && edge.from !== edge.to && <>; the event led there from <b class="mono">{edge.from}</b> ({hasArrow ? 'thick arrow' : 'seen in memory, no call of the chart'})</>}.</>}{' '}
        <label><input type="checkbox" checked={fitted.value} onChange={() => (fitted.value = !fitted.value)} /> fit to width</label>
      </figcaption>
      <div class="chart-place" data-fitted={fitted.value} ref={place} role="group" aria-label={`state chart of ${design}`} tabIndex={0} />
    </figure>
  );
}

/** Returns a chart as parsed: nothing that runs or styles. */
function sourceOf(chart: string): Element {
  let source = parsed.get(chart);
  if (!source) {
    source = new DOMParser().parseFromString(chart, 'image/svg+xml').documentElement;
    for (const element of source.querySelectorAll('script, style, foreignObject')) element.remove();
    for (const element of [source, ...source.querySelectorAll('*')]) {
      for (const { name } of Array.from(element.attributes)) if (name === 'style' || name.startsWith('on') || name.endsWith('href')) element.removeAttribute(name);
    }
    for (const element of source.querySelectorAll('[id]')) element.setAttribute('data-id', element.id);
    parsed.set(chart, source);
  }
  return source;
}

/** Returns a chart as elements of this document, with ids that occur once. */
function copyOf(chart: string): Element {
  const svg = document.importNode(sourceOf(chart), true);
  const prefix = `chart-${++copies}-`;
  for (const element of svg.querySelectorAll('[id]')) element.id = prefix + element.id;
  svg.removeAttribute('aria-labelledby');
  svg.setAttribute('role', 'img');
  const { width = 1000 } = (svg as SVGSVGElement).viewBox.baseVal;
  svg.removeAttribute('height');
  const smallest = Math.min(...Array.from(svg.querySelectorAll('text[font-size]'), (text) => Number.parseFloat(text.getAttribute('font-size')!)));
  svg.setAttribute('width', String(Math.round(width * (Number.isFinite(smallest) ? READABLE / smallest : 1))));
  return svg;
}

function light(svg: Element, state: string | null, edge: ChartProps['edge']): void {
  for (const element of svg.querySelectorAll('.lit, .taken')) element.classList.remove('lit', 'taken');
  const nodes = [...svg.querySelectorAll('g.node')];
  const node = nodes.find((g) => g.getAttribute('data-id') === `state-${state}` || titleOf(g) === state);
  node?.classList.add('lit');
  if (edge === null) return;
  // A call that leaves the state as it is stands as a line inside of it.
  if (edge.from === edge.to) name(node, edge.type);
  for (const g of arrowsOf(svg, edge)) {
    g.classList.add('taken');
    name(g, edge.type);
  }
}

/** The arrow or frame that names the call between these states, with its label where that stands apart. */
function arrowsOf(svg: Element, { from, to, type }: NonNullable<ChartProps['edge']>): Element[] {
  const idOf = (g: Element): string | undefined => g.getAttribute('data-id')?.replace(/-label$/, '');
  const edges = [...svg.querySelectorAll('g.edge, g.edge-label')].filter((g) => titleOf(g) === `${from}->${to}` || idOf(g)?.startsWith(`edge-${from}-${to}-`));
  const named = new Set(edges.filter((g) => [...g.querySelectorAll('text')].some((text) => says(text, type))).map(idOf));
  return edges.filter((g) => named.has(idOf(g)));
}

/** Marks the lines that name a call. */
function name(element: Element | undefined, type: string): void {
  for (const text of element?.querySelectorAll('text') ?? []) if (says(text, type)) text.classList.add('taken');
}

/** Whether a text of the chart names a call. */
function says(element: Element, type: string): boolean {
  return (element.textContent ?? '').split(/[\s[\]]+/).includes(type);
}

function titleOf(g: Element): string | undefined {
  return g.querySelector(':scope > title')?.textContent ?? undefined;
}

/** Scrolls the place, not the page, so that an element stands in its middle. */
function show(place: HTMLElement, element: Element | null): void {
  if (element === null) return;
  const outer = place.getBoundingClientRect();
  const inner = element.getBoundingClientRect();
  place.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
  place.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
}
