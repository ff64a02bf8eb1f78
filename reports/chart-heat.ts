/**
 * A chart with the counts of a recording: how often each call of each edge was taken, where findings were given, and what the
 * recording did that the chart does not have. `coverage` says the same as a list of what was never taken.
 */
import type { Design } from '../machines/design.ts';
import type { Verdict } from '../machines/domain-context.ts';
import { decisionsOf, verdictOf } from '../machines/ownership.ts';
import { STATES, type MachineEventType, type State } from '../machines/states.ts';
import type { FindingCount, Heat, Taken } from '../projections/heat.ts';
import { callOf, chartOf, kindOf, type Chart, type ChartCall, type ChartEdge, type EdgeKind } from './chart.ts';
import { plural } from './text.ts';

interface Line {
  readonly call: ChartCall;
  count: number;
  readonly findings: Map<string, number>;
}

interface Edge {
  readonly edge: ChartEdge;
  readonly lines: Line[];
}

/** Returns the chart of a design with the counts of `heat`. Order: that of the chart, then what it does not have. */
export function heatChart(design: Design, heat: Heat, source: string): Chart {
  const chart = chartOf(design);
  const edges: Edge[] = chart.edges.map((edge) => ({ edge, lines: edge.calls.map((call) => ({ call, count: 0, findings: new Map() })) }));
  const visits: Partial<Record<State, number>> = {};
  let steps = 0;
  let drawn = 0;
  let firstSeen = 0;
  for (const taken of heat.taken()) {
    steps += taken.count;
    visits[taken.from] = (visits[taken.from] ?? 0) + taken.count;
    if (taken.to !== taken.from) visits[taken.to] = (visits[taken.to] ?? 0) + taken.count;
    // Whose it was before it was first seen is nobody's step.
    if (taken.from === 'unknown' && !edges.some((e) => find(e, taken.from, taken.event, taken.to, asDrawn(design, taken)))) {
      if (taken.to !== 'unknown') firstSeen += taken.count;
      continue;
    }
    const line = lineOf(edges, taken, design);
    if (!line) continue;
    line.count += taken.count;
    drawn += taken.count;
  }
  const elsewhere: FindingCount[] = [];
  for (const found of heat.findings) {
    const { from, to, rule, count } = found;
    const line = from === null || to === null ? null : lineOfFinding(edges, design, from, found, to);
    if (line) line.findings.set(rule, (line.findings.get(rule) ?? 0) + count);
    else elsewhere.push(found);
  }
  const notes = [
    `${source}: ${plural(steps, 'call')} on domains, ${drawn} on edges drawn here, the others changed no owner`,
    ...(firstSeen > 0 ? [`an owner became known in mid-life, by what memory or a call showed ×${firstSeen}`] : []),
    ...elsewhere.map(({ rule, count }) => `finding ${rule} ×${count}, about no transition`),
    ...(heat.unlisted > 0 ? [`${heat.unlisted} more findings are not marked`] : []),
  ];
  const reached = new Set(edges.flatMap(({ edge }) => [edge.from, edge.to]));
  return {
    ...chart,
    states: STATES.filter((s) => reached.has(s)),
    edges: edges.map(({ edge, lines }) => ({ ...edge, calls: lines.map(({ call, count, findings }) => ({ ...call, count, ...(findings.size > 0 && { findings }) })) })),
    notes,
    heat: true,
    visits,
  };
}

/** A step as a line of the chart. `foreseen`: the design takes it as the recording did. */
interface Drawn {
  readonly kind: EdgeKind;
  readonly call: ChartCall;
  readonly foreseen: boolean;
}

const NOT_ASKED: Verdict = { rule: null, outcome: 'accepted', errno: null };

function asDrawn(design: Design, { from, event, to, verdict }: Pick<Taken, 'from' | 'event' | 'to' | 'verdict'>): Drawn {
  const { rule, outcome, errno } = verdict ?? NOT_ASKED;
  const same = (v: Verdict): boolean => v.rule === rule && v.outcome === outcome && v.errno === errno;
  const foreseen = verdict === null ? from === to : decisionsOf(design, from, event).some((d) => (d.to ?? from) === to && same(verdictOf(d)));
  const kind = foreseen ? kindOf(outcome) : rule === null ? 'accepted' : 'fault';
  return { kind, foreseen, call: callOf(from, event, foreseen ? { outcome, errno: errno ?? 'none' } : { errno: 'none' }, false) };
}

function find({ edge, lines }: Edge, from: State, event: MachineEventType, to: State, { kind, call, foreseen }: Drawn): Line | undefined {
  if (edge.from !== from || edge.to !== to || edge.kind !== kind || (edge.unforeseen !== true) !== foreseen) return undefined;
  return lines.find((l) => l.call.calls.includes(event) && l.call.errno === call.errno);
}

/** The line of a step; null where it changes no owner and nothing is wrong with it. Adds a line that the chart lacks. */
function lineOf(edges: Edge[], taken: Pick<Taken, 'from' | 'event' | 'to' | 'verdict'>, design: Design): Line | null {
  const { from, event, to } = taken;
  const drawn = asDrawn(design, taken);
  for (const e of edges) {
    const line = find(e, from, event, to, drawn);
    if (line) return line;
  }
  return from === to && drawn.kind === 'accepted' ? null : added(edges, from, to, drawn);
}

/** The line of a finding: that of the decision which names its rule, else one of its own. */
function lineOfFinding(edges: Edge[], design: Design, from: State, { event, rule }: FindingCount, to: State): Line {
  const decisions = decisionsOf(design, from, event).filter((d) => d.rule === rule);
  const d = decisions.find((e) => (e.to ?? from) === to) ?? decisions[0];
  const line = d && lineOf(edges, { from, event, to, verdict: verdictOf(d) }, design);
  return line ?? added(edges, from, to, { kind: 'fault', foreseen: from === to, call: { label: event, calls: [event], errno: null, when: null } });
}

function added(edges: Edge[], from: State, to: State, { kind, call, foreseen }: Drawn): Line {
  let edge = edges.find(({ edge: e }) => e.from === from && e.to === to && e.kind === kind && (e.unforeseen !== true) === foreseen);
  if (!edge) edges.push(edge = { edge: { from, to, kind, calls: [], ...(!foreseen && { unforeseen: true }) }, lines: [] });
  let line = edge.lines.find((l) => l.call.label === call.label);
  if (!line) edge.lines.push(line = { call: { ...call, special: true }, count: 0, findings: new Map() });
  return line;
}

/** One transition of a chart and how often it was taken. */
export interface Covered {
  readonly from: State;
  readonly call: string;
  readonly to: State;
  readonly kind: EdgeKind;
  readonly when: string | null;
  readonly count: number;
}

/** Returns every transition that the design's chart has, with its count. Order: that of the chart. */
export function coverage(chart: Chart): readonly Covered[] {
  return chart.edges.flatMap(({ from, to, kind, calls }) => calls.filter((c) => !c.special).map(({ label, when, count }) => ({ from, call: label, to, kind, when, count: count ?? 0 })));
}

/** Returns the transitions that no recording took, as text. */
export function coverageText(chart: Chart, sources: readonly string[]): string {
  const all = coverage(chart);
  const missing = all.filter((c) => c.count === 0);
  const out = [`design ${chart.id}, ${plural(sources.length, 'recording')}: ${all.length - missing.length} of ${all.length} transitions taken${missing.length > 0 ? ', never:' : ''}`, ''];
  const width = Math.max(0, ...missing.map((c) => c.from.length));
  for (const { from, call, to, kind, when } of missing) {
    out.push(`${from.padEnd(width)}  ${call}${when === null ? '' : ` [${when}]`}${from === to ? '' : ` -> ${to}`}${kind === 'fault' ? '  (in silence)' : ''}`);
  }
  return `${(missing.length > 0 ? out : out.slice(0, 1)).join('\n')}\n`;
}

/** Returns the coverage as JSON. Shape: schema iommu-ledger/chart-coverage/1. */
export function coverageJson(chart: Chart, sources: readonly string[]): string {
  const transitions = coverage(chart);
  const taken = transitions.filter((c) => c.count > 0).length;
  return `${JSON.stringify({ schema: 'iommu-ledger/chart-coverage/1', design: chart.id, sources, transitions: transitions.length, taken, missing: transitions.filter((c) => c.count === 0), covered: transitions.filter((c) => c.count > 0) }, null, 2)}\n`;
}
