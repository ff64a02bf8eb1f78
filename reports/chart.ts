/**
 * The state chart of a design as data: which calls lead from which owner to which, which are refused and with what errno, which
 * overwrite or leak in silence. Read from the design's decisions for domains as they really are in each state, so it shows what
 * the kernel does to these, not every guard there is; the whole machine is what chart-scxml.ts and chart-xstate.ts print.
 * One edge for each pair of states and kind; machine order throughout, so that equal designs give equal bytes.
 */
import type { Decision, Design, Guard } from '../machines/design.ts';
import { guards, initialContext, type DomainContext, type MachineEvent } from '../machines/domain-context.ts';
import { ALLOCATIONS, DOMAIN_CALLS, decisionsOf, verdictOf } from '../machines/ownership.ts';
import { STATES, TYPE, errnoText, type MachineEventType, type Outcome, type State } from '../machines/states.ts';

/** What an edge stands for; decides how it is drawn. */
export type EdgeKind = 'accepted' | 'refused' | 'fault';

/** Which of two compared designs an edge is of: of that one only, or the other answers the same call otherwise. */
export type Side = 'a' | 'b' | 'a-differs' | 'b-differs';

/** One line on an edge: a call with its answer. */
export interface ChartCall {
  readonly label: string;
  /** The calls of this line: one, or several that need no telling apart. */
  readonly calls: readonly MachineEventType[];
  /** What a refusal answers; null where it only warns, and on other edges. */
  readonly errno: number | null;
  /** When it is so, where the same call in the same state has other answers too. */
  readonly when: string | null;
  /** A case too special for the chart, drawn because the recording met it. */
  readonly special?: boolean;
  /** How often a recording took it; absent where none was asked. */
  readonly count?: number;
  /** Findings that the recording gave here: how many of which rule. */
  readonly findings?: ReadonlyMap<string, number>;
}

/** All calls that lead from one state to another in the same way. */
export interface ChartEdge {
  readonly from: State;
  readonly to: State;
  readonly kind: EdgeKind;
  readonly calls: readonly ChartCall[];
  readonly side?: Side;
  /** The recording has it, the design has not. */
  readonly unforeseen?: boolean;
}

/** The states that a design can reach, and the edges between them. */
export interface Chart {
  /** What it is of, for the first line of a file. */
  readonly id: string;
  readonly title: string;
  readonly states: readonly State[];
  readonly edges: readonly ChartEdge[];
  /** What the reader must know besides; for the legend. */
  readonly notes: readonly string[];
  /** Whether calls have counts. */
  readonly heat?: boolean;
  /** How often each state was entered or stayed in; with `heat`. */
  readonly visits?: Readonly<Partial<Record<State, number>>>;
  /** The two designs that are drawn over each other, and states that only one of them has. */
  readonly compared?: { readonly a: string; readonly b: string; readonly sides: Readonly<Partial<Record<State, Side>>> };
}

const REFUSALS: ReadonlySet<Outcome> = new Set(['rejected', 'rejected-warn', 'ignored-warn']);
const FAULTS: ReadonlySet<Outcome> = new Set(['overwrites', 'leak', 'use-after-free', 'double-free', 'type-confusion', 'null-deref', 'bug']);

/** Returns how an outcome is drawn. */
export function kindOf(outcome: Outcome): EdgeKind {
  return FAULTS.has(outcome) ? 'fault' : REFUSALS.has(outcome) ? 'refused' : 'accepted';
}

/** Domains as they really are in each state. */
function typicalDomains(design: Design, state: State): readonly Partial<DomainContext>[] {
  switch (state) {
    case 'unknown': return [{}];
    case 'unowned': return [{ type: TYPE.UNMANAGED }, { type: TYPE.DMA }, { type: TYPE.IDENTITY }];
    case 'dma_owned': return [{ type: TYPE.DMA, cookie: 'dma' }];
    case 'msi_owned': return [{ type: TYPE.UNMANAGED, cookie: 'msi', base: 0x8000000n, msiNext: 0x8000000n }];
    case 'iommufd_owned': return [{ type: TYPE.UNMANAGED, hwpt: true }, ...(design.automaticHwptIsNull ? [{ type: TYPE.UNMANAGED, hwpt: true, hwptNull: true }] : [])];
    case 'fault_handler_owned': return [{ type: TYPE.UNMANAGED }, { type: TYPE.DMA }];
    case 'sva_owned': return [{ type: TYPE.SVA }];
    case 'freed': return [{ type: TYPE.UNMANAGED }];
  }
}

/** A call as its usual callers make it. */
function usual(call: MachineEventType): readonly MachineEvent[] {
  const event = { type: call, own: false, domain_type: TYPE.UNMANAGED as number, base: 0x8000000n, iova: 0x100000000n, paddr: 0x45fe6000n, size: 0x1000n, map: 0, msi_addr: 0x8090040n };
  return call === 'iommu_domain_alloc' ? [event, { ...event, domain_type: TYPE.DMA }] : [event];
}

/** Guards that tell answers of one call in one state apart, in the words of the kernel. */
const WHEN: Readonly<Partial<Record<Guard, string>>> = {
  typeIsNotUnmanaged: 'type is not UNMANAGED',
  typeIsNotPaging: 'type is not paging',
  typeIsIdentity: 'type is IDENTITY',
  typeIsDma: 'type is DMA',
  hwptIsNull: 'iommufd_hwpt is NULL',
};

/** Returns the line that a decision has on the chart; the errno stands on refusals only. */
export function callOf(from: State, call: MachineEventType, d: Decision, ambiguous: boolean): ChartCall {
  const { outcome, errno } = verdictOf(d);
  const refused = kindOf(outcome) === 'refused';
  const label = from === 'freed' ? 'any call' : refused ? `${call} ${errno === null ? 'WARN' : errnoText(errno)}` : call;
  return { label, calls: [call], errno: refused ? errno : null, when: ambiguous && d.if && from !== 'freed' ? (WHEN[d.if] ?? d.if) : null };
}

type Edges = Map<string, { from: State; to: State; kind: EdgeKind; calls: ChartCall[] }>;

/** Returns the chart of a design. Order: states and calls as the machine has them. */
export function chartOf(design: Design): Chart {
  const edges: Edges = new Map();
  for (const from of STATES) for (const call of DOMAIN_CALLS) if (from !== 'unknown' || ALLOCATIONS.has(call)) addCall(edges, design, from, call);
  const reached = new Set<State>(['unknown']);
  for (const state of reached) for (const e of edges.values()) if (e.from === state) reached.add(e.to);
  return { id: design.id, title: design.title, states: STATES.filter((s) => reached.has(s)), edges: [...edges.values()].filter((e) => reached.has(e.from)), notes: [] };
}

function addCall(edges: Edges, design: Design, from: State, call: MachineEventType): void {
  const decisions = typicalDomains(design, from).flatMap((typical) => usual(call).flatMap((event) => {
    const context = { ...initialContext(), ...typical };
    return decisionsOf(design, from, call).find((d) => !d.if || guards[d.if](context, event)) ?? [];
  }));
  const results = new Set(decisions.map((d) => `${d.to ?? from} ${kindOf(verdictOf(d).outcome)} ${verdictOf(d).errno}`));
  for (const d of decisions) {
    const { outcome } = verdictOf(d);
    const to = d.to ?? from;
    const kind = kindOf(outcome);
    // What a design does not notice is a rule, not a way to live; what changes no owner needs no edge.
    if (outcome === 'undetected' || (kind === 'accepted' && to === from)) continue;
    const line = callOf(from, call, d, results.size > 1);
    const key = `${from} ${to} ${kind}`;
    const edge = edges.get(key);
    const at = edge?.calls.findIndex((c) => c.label === line.label) ?? -1;
    if (!edge) edges.set(key, { from, to, kind, calls: [line] });
    else if (at < 0) edge.calls.push(line);
    else if (!edge.calls[at].calls.includes(call)) edge.calls[at] = { ...edge.calls[at], calls: [...edge.calls[at].calls, call] };
  }
}
