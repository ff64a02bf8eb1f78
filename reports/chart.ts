/**
 * The state chart of a design as DOT or Mermaid, read from the XState machine. One edge a pair of states, labels merged,
 * refusals as loops with their errno, silent overwrites apart. Bytes are deterministic: machine order throughout.
 */
import type { Design } from '../machines/design.ts';
import { guards, initialContext, type DomainContext, type MachineEvent } from '../machines/domain-context.ts';
import { DOMAIN_CALLS, decisionsOf, verdictOf } from '../machines/ownership.ts';
import { STATES, TYPE, errnoText, type MachineEventType, type State } from '../machines/states.ts';

/** What an edge stands for; decides how it is drawn. */
export type EdgeKind = 'accepted' | 'refused' | 'fault';

/** All calls that lead from one state to another in the same way. */
export interface ChartEdge {
  readonly from: State;
  readonly to: State;
  readonly kind: EdgeKind;
  /** One label a call, in the kernel's names. */
  readonly labels: readonly string[];
}

/** The states that a design can reach, and the edges between them. */
export interface Chart {
  readonly design: Design;
  readonly states: readonly State[];
  readonly edges: readonly ChartEdge[];
}

const REFUSALS = new Set(['rejected', 'rejected-warn', 'ignored-warn']);
const FAULTS = new Set(['overwrites', 'leak', 'use-after-free', 'double-free', 'type-confusion', 'null-deref', 'bug']);
const ALLOCATIONS = new Set(['iommu_domain_alloc', 'iommufd_hwpt_paging_alloc', 'iommufd_hwpt_nested_alloc', 'iommufd_viommu_alloc_hwpt_nested', 'iommu_sva_domain_alloc']);

/** Domains as they really are in each state: the chart shows what the kernel does to these, not every guard there is. */
const TYPICAL: Readonly<Record<State, readonly Partial<DomainContext>[]>> = {
  unknown: [{}],
  unowned: [{ type: TYPE.UNMANAGED }, { type: TYPE.DMA }, { type: TYPE.IDENTITY }],
  dma_owned: [{ type: TYPE.DMA, cookie: 'dma' }],
  msi_owned: [{ type: TYPE.UNMANAGED, cookie: 'msi', base: 0x8000000n, msiNext: 0x8000000n }],
  iommufd_owned: [{ type: TYPE.UNMANAGED, hwpt: true }],
  fault_handler_owned: [{ type: TYPE.UNMANAGED }],
  sva_owned: [{ type: TYPE.SVA }],
  freed: [{ type: TYPE.UNMANAGED }],
};

/** A call as its usual caller makes it. */
function usual(call: MachineEventType): MachineEvent {
  return { type: call, own: false, domain_type: TYPE.UNMANAGED, base: 0x8000000n, iova: 0x100000000n, paddr: 0x45fe6000n, size: 0x1000n, map: 0, msi_addr: 0x8090040n };
}

/** Returns the chart of a design. Order: states and calls as the machine has them. */
export function chartOf(design: Design): Chart {
  const edges = new Map<string, { from: State; to: State; kind: EdgeKind; labels: string[] }>();
  for (const from of STATES) {
    for (const call of DOMAIN_CALLS) {
      for (const typical of TYPICAL[from]) {
        const context = { ...initialContext(), ...typical };
        const decision = decisionsOf(design, from, call).find((d) => !d.if || guards[d.if](context, usual(call)));
        if (!decision || (from === 'unknown' && !ALLOCATIONS.has(call))) continue;
        const verdict = verdictOf(decision);
        const to = decision.to ?? from;
        const kind: EdgeKind = FAULTS.has(verdict.outcome) ? 'fault' : REFUSALS.has(verdict.outcome) ? 'refused' : 'accepted';
        // What a design does not notice is a rule, not a way to live; what changes no owner needs no edge.
        if (verdict.outcome === 'undetected' || (kind === 'accepted' && to === from)) continue;
        const key = `${from} ${to} ${kind}`;
        const edge = edges.get(key) ?? { from, to, kind, labels: [] };
        edges.set(key, edge);
        const label = from === 'freed' ? 'any call' : kind === 'refused' ? `${call} ${verdict.errno === null ? 'WARN' : errnoText(verdict.errno)}` : call;
        if (!edge.labels.includes(label)) edge.labels.push(label);
      }
    }
  }
  const used = new Set([...edges.values()].flatMap((e) => [e.from, e.to]));
  return { design, states: STATES.filter((s) => used.has(s)), edges: [...edges.values()] };
}

/** Returns the chart as Graphviz DOT; refused calls dashed, silent overwrites and worse red. */
export function renderDot(chart: Chart): string {
  const out = [
    `digraph "${chart.design.id}" {`,
    '  rankdir = TB;',
    `  label = "${chart.design.title}";`,
    '  labelloc = t;',
    '  pad = 0.4;',
    '  fontname = "Courier";',
    '  bgcolor = "white";',
    '  node [ shape = box, style = "rounded,filled", fillcolor = "#f4f4f4", fontname = "Courier", fontsize = 12 ];',
    '  edge [ fontname = "Courier", fontsize = 9 ];',
  ];
  for (const s of chart.states) {
    // A call that changes no state stands inside of the state, where its label can cross nothing.
    const inside = chart.edges.filter((e) => e.from === s && e.to === s).map((e) => {
      const [color, text] = e.kind === 'fault' ? ['#c00000', e.labels] : ['#444444', e.labels.map((l) => `${l} (refused)`)];
      return `<FONT POINT-SIZE="9" COLOR="${color}">${text.join('<BR/>')}</FONT>`;
    });
    const label = inside.length > 0 ? `<${[s, ...inside].join('<BR/>')}>` : `"${s}"`;
    out.push(`  ${s} [ label = ${label}${STYLE[s] ? `, fillcolor = "${STYLE[s]}"` : ''}${s === 'unknown' ? ', style = "rounded,dashed"' : ''} ];`);
  }
  for (const e of chart.edges) {
    if (e.from !== e.to) out.push(`  ${e.from} -> ${e.to} [ label = "${e.labels.map((l) => ` ${l} `).join('\\l')}\\l"${EDGE_STYLE[e.kind]} ];`);
  }
  out.push('}');
  return `${out.join('\n')}\n`;
}

const STYLE: Readonly<Partial<Record<State, string>>> = {
  dma_owned: '#cfe2ff',
  msi_owned: '#d8f0d8',
  iommufd_owned: '#ffe5b8',
  fault_handler_owned: '#eee0f5',
  sva_owned: '#eee0f5',
  freed: '#dddddd',
};

const EDGE_STYLE: Readonly<Record<EdgeKind, string>> = {
  accepted: '',
  refused: ', style = dashed, color = "#666666", fontcolor = "#444444"',
  fault: ', color = "#c00000", fontcolor = "#c00000", penwidth = 1.6',
};

/** Returns the chart as a Mermaid state diagram that GitHub renders: plain ids, one label line an edge. */
export function renderMermaid(chart: Chart): string {
  const out = ['stateDiagram-v2', '  direction TB', '  [*] --> unknown'];
  for (const e of chart.edges) {
    const mark = e.kind === 'fault' ? '(!) ' : '';
    out.push(`  ${e.from} --> ${e.to} : ${mark}${e.labels.join('<br/>')}`);
  }
  out.push('  freed --> [*]');
  return `${out.join('\n')}\n`;
}

/** Returns the chart as SVG, drawn by Graphviz in WASM. */
export async function renderSvg(chart: Chart): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  const viz = await instance();
  return viz.renderString(renderDot(chart), { format: 'svg', engine: 'dot' });
}
