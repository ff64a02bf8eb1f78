/**
 * A chart as Graphviz DOT. A call that leaves the owner as it is stands inside of its state, as internal transitions do in UML,
 * where its text crosses nothing: refusals with their errno in a dashed frame, silent damage in a red one. Every state, edge and
 * frame has an id and a class, which Graphviz writes into its SVG (chart-svg.ts). Courier, because Graphviz knows its widths and
 * every system has a font as wide. Colours have a contrast of at least 4.5 on white.
 */
import type { State } from '../machines/states.ts';
import type { Chart, ChartCall, ChartEdge, EdgeKind, Side } from './chart.ts';

const INK = '#1f2328';
const REFUSED = '#57606a';
const FAULT = '#b3001b';
const NEVER = '#767d86';
const SIDE_COLOR = { a: '#0a4fb3', b: '#a04a00' } as const;

const FILL: Readonly<Partial<Record<State, string>>> = {
  unknown: '#ffffff',
  unowned: '#f3f4f6',
  dma_owned: '#d6e6ff',
  msi_owned: '#d9f2d9',
  iommufd_owned: '#ffe8bf',
  fault_handler_owned: '#efe3f7',
  sva_owned: '#efe3f7',
  freed: '#e1e4e8',
};

const KIND_COLOR: Readonly<Record<EdgeKind, string>> = { accepted: INK, refused: REFUSED, fault: FAULT };
const SIDE_MARK: Readonly<Record<Side, string>> = { a: 'A ', b: 'B ', 'a-differs': 'A≠ ', 'b-differs': 'B≠ ' };

/** Returns the id that an edge has in the SVG; stable for a design. */
export function edgeId(e: ChartEdge): string {
  return `edge-${e.from}-${e.to}-${e.kind}${e.side ? `-${e.side}` : ''}${e.unforeseen ? '-unforeseen' : ''}`;
}

/** Returns the classes that an edge has in the SVG besides `edge`. */
export function edgeClass(e: ChartEdge, chart: Chart): string {
  const taken = e.calls.some((c) => (c.count ?? 0) > 0);
  return [e.kind, ...(e.side ? [e.side] : []), ...(e.unforeseen ? ['unforeseen'] : []), ...(chart.heat && !taken ? ['never'] : []), ...(e.calls.some((c) => c.findings) ? ['finding'] : [])].join(' ');
}

/** Returns one sentence about an edge, for its tooltip. */
export function edgeSentence(e: ChartEdge): string {
  return `${e.side ? SIDE_MARK[e.side] : ''}${e.from === e.to ? e.from : `${e.from} to ${e.to}`}${KIND_WORD[e.kind]}: ${e.calls.map(text).join(', ')}`;
}

const KIND_WORD: Readonly<Record<EdgeKind, string>> = { accepted: '', refused: ', refused', fault: ', in silence' };

/** Returns the chart as DOT. Order: states, then edges, as the chart has them. */
export function renderDot(chart: Chart): string {
  const most = Math.max(1, ...chart.edges.flatMap((e) => e.calls.map((c) => c.count ?? 0)));
  const out = [
    `digraph ${quote(chart.id)} {`,
    '  graph [ rankdir = TB, bgcolor = "#ffffff", pad = 0.3, nodesep = 0.35, ranksep = 0.5, labelloc = t, fontname = "Courier" ];',
    `  node [ shape = box, style = "rounded,filled", margin = "0.08,0.05", color = "${INK}", fontname = "Courier", fontsize = 16, fontcolor = "${INK}" ];`,
    '  edge [ fontname = "Courier", fontsize = 11, arrowsize = 0.8 ];',
    `  label = <${legend(chart)}>;`,
  ];
  for (const s of chart.states) out.push(`  ${s} [ ${stateAttributes(chart, s, most)} ];`);
  for (const e of chart.edges) if (e.from !== e.to) out.push(`  ${e.from} -> ${e.to} [ ${edgeAttributes(chart, e, most)} ];`);
  out.push('}');
  return `${out.join('\n')}\n`;
}

function stateAttributes(chart: Chart, state: State, most: number): string {
  const never = chart.heat === true && !chart.visits?.[state];
  const side = chart.compared?.sides[state];
  const inside = chart.edges.filter((e) => e.from === state && e.to === state);
  const visits = chart.heat ? row(font(12, never ? NEVER : INK, `×${chart.visits?.[state] ?? 0}`)) : '';
  const head = row(`${side ? font(12, colorOf(chart, { side } as ChartEdge), SIDE_MARK[side]) : ''}<B>${state}</B>`);
  const label = `<TABLE BORDER="0" CELLSPACING="3" CELLPADDING="1">${head}${visits}${inside.map((e) => `<TR>${frame(chart, e, most)}</TR>`).join('')}</TABLE>`;
  const attributes = [`id = "state-${state}"`, `class = "state${side ? ` ${side}` : ''}${never ? ' never' : ''}"`, `fillcolor = "${never ? '#ffffff' : FILL[state]}"`];
  if (state === 'unknown' || side) attributes.push('style = "rounded,filled,dashed"');
  if (never) attributes.push(`color = "${NEVER}"`, `fontcolor = "${NEVER}"`);
  else if (side) attributes.push(`color = "${colorOf(chart, { side } as ChartEdge)}"`);
  return [...attributes, `label = <${label}>`].join(', ');
}

/** A frame inside of a state: the calls that leave its owner as it is. */
function frame(chart: Chart, e: ChartEdge, most: number): string {
  const color = colorOf(chart, e);
  const style = e.kind === 'refused' ? 'ROUNDED,DASHED' : 'ROUNDED';
  // Graphviz keeps the id of a cell only where it has a title, too.
  return `<TD ID="${edgeId(e)}" TITLE="${edgeClass(e, chart)}" BORDER="${Math.round(width(chart, e, most))}" STYLE="${style}" COLOR="${color}" CELLPADDING="5" ALIGN="LEFT" BALIGN="LEFT">${lines(chart, e).map((line) => `${line}<BR/>`).join('')}</TD>`;
}

function edgeAttributes(chart: Chart, e: ChartEdge, most: number): string {
  const color = colorOf(chart, e);
  const style = e.kind === 'refused' ? 'dashed' : e.unforeseen ? 'dotted' : 'solid';
  const label = `<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">${lines(chart, e).map((line) => `<TR><TD ALIGN="LEFT">&#160;${line}</TD></TR>`).join('')}</TABLE>`;
  return [`id = "${edgeId(e)}"`, `class = "${edgeClass(e, chart)}"`, `style = ${style}`, `color = "${color}"`, `penwidth = ${width(chart, e, most).toFixed(1)}`, `label = <${label}>`].join(', ');
}

function lines(chart: Chart, e: ChartEdge): string[] {
  const mark = e.side ? SIDE_MARK[e.side] : '';
  return e.calls.flatMap((c) => {
    const color = chart.heat && !c.count ? NEVER : colorOf(chart, e);
    const fault = chart.compared && e.kind === 'fault' ? '(!) ' : '';
    const line = font(11, color, escapeHtml(`${mark}${fault}${text(c)}`));
    return [line, ...[...(c.findings ?? [])].map(([rule, n]) => font(11, FAULT, `<B>finding ${escapeHtml(`${rule} ×${n}`)}</B>`))];
  });
}

function text({ label, when, count }: ChartCall): string {
  return `${label}${when === null ? '' : ` [${when}]`}${count === undefined ? '' : ` ×${count}`}`;
}

function colorOf(chart: Chart, e: ChartEdge): string {
  if (chart.compared) return e.side ? SIDE_COLOR[e.side[0] as 'a' | 'b'] : REFUSED;
  if (chart.heat && !e.calls.some((c) => (c.count ?? 0) > 0)) return NEVER;
  return KIND_COLOR[e.kind];
}

/** Units: points. With counts: 1 for never, up to 6 for the most often taken edge, by the logarithm. */
function width(chart: Chart, e: ChartEdge, most: number): number {
  const count = e.calls.reduce((sum, c) => sum + (c.count ?? 0), 0);
  if (chart.heat) return count === 0 ? 1 : 1.5 + (4.5 * Math.log1p(Math.min(count, most))) / Math.log1p(most);
  return e.kind === 'fault' || e.side ? 1.8 : 1;
}

function legend(chart: Chart): string {
  const cell = (border: string, color: string, words: string): string => `<TD ${border} COLOR="${color}" CELLPADDING="6">${font(11, color, words)}</TD>`;
  const kinds = chart.compared
    ? [
        cell('BORDER="1" STYLE="ROUNDED"', REFUSED, 'both alike'),
        cell('BORDER="2" STYLE="ROUNDED"', SIDE_COLOR.a, `A only in ${escapeHtml(chart.compared.a)}`),
        cell('BORDER="2" STYLE="ROUNDED"', SIDE_COLOR.b, `B only in ${escapeHtml(chart.compared.b)}`),
        cell('BORDER="0"', INK, '≠ the other one answers this call otherwise'),
        cell('BORDER="1" STYLE="ROUNDED,DASHED"', REFUSED, 'refused'),
        cell('BORDER="0"', INK, '(!) damage in silence'),
      ]
    : [
        cell('BORDER="1" STYLE="ROUNDED"', INK, 'owner changes'),
        cell('BORDER="1" STYLE="ROUNDED,DASHED"', REFUSED, 'refused, with errno or WARN'),
        cell('BORDER="2" STYLE="ROUNDED"', FAULT, 'overwrites, leaks or worse, in silence'),
        ...(chart.heat ? [cell('BORDER="1" STYLE="ROUNDED"', NEVER, 'never taken'), cell('BORDER="0"', INK, '×n taken n times; in a state: calls that met or made it')] : []),
        ...(chart.edges.some((e) => e.unforeseen) ? [cell('BORDER="1" STYLE="ROUNDED,DOTTED"', INK, 'recorded, but not in the chart')] : []),
      ];
  const notes = chart.notes.map((note) => row(font(11, INK, escapeHtml(note)))).join('');
  return `<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="1">${row(font(16, INK, `<B>${escapeHtml(chart.title)}</B>`))}<TR><TD><TABLE BORDER="0" CELLSPACING="8" CELLPADDING="0"><TR>${kinds.join('')}</TR></TABLE></TD></TR>${notes}</TABLE>`;
}

const row = (cell: string): string => `<TR><TD>${cell}</TD></TR>`;
const font = (points: number, color: string, words: string): string => `<FONT POINT-SIZE="${points}" COLOR="${color}">${words}</FONT>`;
const quote = (words: string): string => `"${words.replaceAll(/["\\]/g, '\\$&')}"`;

/** Returns text as XML has it. */
export function escapeHtml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
