/**
 * A chart as SVG, drawn by Graphviz in WASM. What Graphviz writes is made ready for a page and for people who hear it: no prolog,
 * no comments, a role, a title and a description that says every edge; `id="state-msi_owned"`, `class="node state"`, and
 * `class="edge refused"` on arrows and on the frames inside of states alike. Its background is its own and opaque, so that it
 * reads the same on white and on dark pages.
 */
import type { Design } from '../machines/design.ts';
import { chartOf, type Chart } from './chart.ts';
import { edgeId, edgeSentence, escapeHtml, renderDot } from './chart-dot.ts';

/** Fonts that are as wide as Courier, of which Graphviz knows the widths, or a little narrower. */
const FONTS = 'Menlo,Consolas,DejaVu Sans Mono,Liberation Mono,monospace';

/** Returns the chart as an `<svg>` element, one line end at the end. */
export async function renderSvg(chart: Chart): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  const viz = await instance();
  const sentences = new Map(chart.edges.map((e) => [edgeId(e), edgeSentence(e)]));
  const svg = viz
    .renderString(renderDot(chart), { format: 'svg', engine: 'dot' })
    .replace(/^[\s\S]*?(?=<svg)/, '')
    .replaceAll(/<!--[\s\S]*?-->\n?/g, '')
    .replaceAll('&#45;', '-')
    // A frame inside of a state arrives as a link; it becomes a group like the arrows.
    .replaceAll(/<g id="a_(edge-[^"]*)"><a [^>]*xlink:title="([^"]*)"[^>]*>\n([\s\S]*?)<\/a>\n<\/g>/g, (_, id: string, kind: string, content: string) => `<g id="${id}" class="edge ${kind}">\n<title></title>\n${content}</g>`)
    .replaceAll(/(<g id="(edge-[^"]*)"[^>]*>\n<title>)[^<]*/g, (_, head: string, id: string) => `${head}${escapeHtml(sentences.get(id) ?? id)}`)
    .replace(/<svg ([^>]*)>/, (_, attributes: string) => `<svg role="img" aria-labelledby="chart-title chart-desc" ${attributes.replaceAll('\n', '')}>\n<title id="chart-title">${escapeHtml(chart.title)}</title>\n<desc id="chart-desc">${escapeHtml(description(chart))}</desc>`)
    .replace(/(<g id="graph0"[^>]*>\n)<title>[^<]*<\/title>\n/, '$1')
    .replaceAll('font-family="Courier,monospace"', `font-family="${FONTS}"`)
    .replace('<polygon fill="#ffffff" stroke="none"', '<polygon class="background" fill="#ffffff" stroke="none"');
  return withLabelsOnTop(svg, chart);
}

/**
 * The labels of all arrows stand behind all arrows, each in a group of its own (`id="edge-…-label"`, `class="edge-label …"`) and
 * with a white rim: no line runs through a word.
 */
function withLabelsOnTop(svg: string, chart: Chart): string {
  const arrows = new Set(chart.edges.filter((e) => e.from !== e.to).map(edgeId));
  const labels: string[] = [];
  const lines = svg.replaceAll(/<g id="(edge-[^"]*)" class="edge ([^"]*)">\n([\s\S]*?)<\/g>\n/g, (whole, id: string, kind: string, content: string) => {
    if (!arrows.has(id)) return whole;
    const words = content.match(/<text .*\n/g) ?? [];
    labels.push(`<g id="${id}-label" class="edge-label ${kind}" stroke="#ffffff" stroke-width="4" stroke-linejoin="round" paint-order="stroke">\n${words.join('')}</g>\n`);
    return `<g id="${id}" class="edge ${kind}">\n${content.replaceAll(/<text .*\n/g, '')}</g>\n`;
  });
  return lines.replace(/<\/g>\n<\/svg>\n$/, `${labels.join('')}</g>\n</svg>\n`);
}

/** Returns the chart of a design as an `<svg>` element. */
export function designSvg(design: Design): Promise<string> {
  return renderSvg(chartOf(design));
}

function description(chart: Chart): string {
  return [`${chart.states.length} states: ${chart.states.join(', ')}.`, ...chart.notes.map((n) => `${n}.`), ...chart.edges.map((e) => `${edgeSentence(e)}.`)].join(' ');
}
