/**
 * Two designs drawn over each other. A line that both have alike is drawn once; one that only A or only B has says so, and is
 * marked `≠` where the other design has an edge for the same call in the same state, too, with another answer or another target.
 */
import type { Design } from '../machines/design.ts';
import { STATES, type State } from '../machines/states.ts';
import { chartOf, type Chart, type ChartCall, type ChartEdge, type Side } from './chart.ts';
import { plural } from './text.ts';

const lineKey = (e: ChartEdge, c: ChartCall): string => `${e.from} ${e.to} ${e.kind} ${c.label}`;
const callKey = (e: ChartEdge, c: ChartCall): string => `${e.from} ${c.calls[0]}`;

/** Returns the chart of both designs. Order: the edges of A, then those that only B has. */
export function compareCharts(a: Design, b: Design): Chart {
  const [chartA, chartB] = [chartOf(a), chartOf(b)];
  const edges = [...sided(chartA, chartB, 'a'), ...sided(chartB, chartA, 'b').filter((e) => e.side !== undefined)];
  const count = (...sides: readonly (Side | undefined)[]): number => edges.filter((e) => sides.includes(e.side)).reduce((sum, e) => sum + e.calls.length, 0);
  const states = STATES.filter((s) => chartA.states.includes(s) || chartB.states.includes(s));
  const sides: Partial<Record<State, Side>> = {};
  for (const s of states) if (!chartA.states.includes(s) || !chartB.states.includes(s)) sides[s] = chartA.states.includes(s) ? 'a' : 'b';
  return {
    id: `${a.id} and ${b.id}`,
    title: `A ${a.id}, B ${b.id}`,
    states,
    edges,
    notes: [`${plural(count(undefined), 'transition')} alike, ${count('a')} only in A, ${count('b')} only in B; answered otherwise ${count('a-differs')} of A, ${count('b-differs')} of B`, 'an edge that only one of them has: the other one lets that call pass and notices nothing'],
    compared: { a: a.id, b: b.id, sides },
  };
}

/** Splits the edges of `chart` by what `other` has of them. */
function sided(chart: Chart, other: Chart, name: 'a' | 'b'): ChartEdge[] {
  const lines = new Set(other.edges.flatMap((e) => e.calls.map((c) => lineKey(e, c))));
  const calls = new Set(other.edges.flatMap((e) => e.calls.map((c) => callKey(e, c))));
  return chart.edges.flatMap((edge) => {
    const parts = new Map<Side | undefined, ChartCall[]>();
    for (const call of edge.calls) {
      const side = lines.has(lineKey(edge, call)) ? undefined : calls.has(callKey(edge, call)) ? (`${name}-differs` as const) : name;
      parts.set(side, [...(parts.get(side) ?? []), call]);
    }
    return [...parts].map(([side, part]) => ({ ...edge, calls: part, ...(side && { side }) }));
  });
}
