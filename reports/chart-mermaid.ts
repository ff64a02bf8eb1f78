/**
 * A chart as a Mermaid state diagram that GitHub renders: plain ids, one transition an edge, `(!)` before what overwrites or leaks
 * in silence. A call that leaves the owner as it is stands inside of its state, as in the SVG: loops are drawn over each other's
 * labels there. A label of this grammar (stateDiagram.jison) ends at `:`, `;` and `#` begins an entity: none of them is ever written.
 * Limits of GitHub's renderer: 50,000 characters, 500 edges; a chart has some thousand and some thirty.
 */
import { assert } from '../events/problem.ts';
import type { Chart, ChartCall, ChartEdge, Side } from './chart.ts';

const MAX_CHARACTERS = 50_000;
const MAX_EDGES = 500;

/** What stands before an edge of a compared chart. */
const SIDE: Readonly<Record<Side, string>> = { a: '[A] ', b: '[B] ', 'a-differs': '[A≠] ', 'b-differs': '[B≠] ' };

/** Returns the chart as Mermaid text. Order: that of the chart. */
export function renderMermaid(chart: Chart): string {
  const out = ['stateDiagram-v2', '  direction TB'];
  for (const state of chart.states) {
    const inside = chart.edges.filter((e) => e.from === state && e.to === state).flatMap((e) => labels(e).map((label) => `${mark(e)}${label}`));
    if (inside.length > 0) out.push(...[state, ...inside].map((line) => `  ${state} : ${plain(line)}`));
  }
  out.push('  [*] --> unknown');
  for (const e of chart.edges) if (e.from !== e.to) out.push(`  ${e.from} --> ${e.to} : ${plain(`${mark(e)}${labels(e).join('<br/>')}`)}`);
  out.push('  freed --> [*]');
  const notes = [...legend(chart), ...chart.notes];
  if (notes.length > 0) out.push('  note right of unknown', ...notes.map((line) => `    ${plain(line)}`), '  end note');
  const text = `${out.join('\n')}\n`;
  assert(text.length <= MAX_CHARACTERS && chart.edges.length <= MAX_EDGES, 'a chart within what GitHub renders');
  return text;
}

function mark(e: ChartEdge): string {
  return `${e.side ? SIDE[e.side] : ''}${e.kind === 'fault' ? '(!) ' : ''}${e.unforeseen ? '(not in the chart) ' : ''}`;
}

function legend({ compared, heat }: Chart): string[] {
  if (heat) return ['×n  taken n times', '(!)  overwrites, leaks or worse, in silence'];
  if (!compared) return [];
  const { a, b } = compared;
  return [`A is ${a}, B is ${b}`, `[A]  only in ${a}`, `[B]  only in ${b}`, '[A≠] [B≠]  the other one answers this call otherwise', '(!)  overwrites, leaks or worse, in silence'];
}

function labels(edge: ChartEdge): string[] {
  return edge.calls.map((c) => `${c.label}${c.count === undefined ? '' : ` ×${c.count}`}${found(c)}`);
}

function found({ findings }: ChartCall): string {
  return findings && findings.size > 0 ? `<br/>finding ${[...findings].map(([rule, n]) => `${rule} ×${n}`).join(', ')}` : '';
}

/** Replaces what ends or changes a label of this grammar. */
function plain(text: string): string {
  return text.replaceAll(/\s*[:;]\s*/g, ', ').replaceAll(/[#"`{}\\%\n\r]/g, ' ');
}
