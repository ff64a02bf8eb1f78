/**
 * The ownership machine: one XState 5 machine per design, and the only definition of what is allowed.
 * X: unknown, unowned, dma_owned, msi_owned, iommufd_owned, fault_handler_owned, sva_owned, freed; x0: unknown.
 * E: the recorded kernel calls of one domain, what memory showed (observed.*), gap, detached.
 * f: the decisions of the design for the living states, plus the rows below that hold for every design.
 * Charts, the explorer and the compiled table are all derived from what `ownershipMachine` returns.
 */
import { assign, setup } from 'xstate';
import type { EventType } from '../events/event-types.ts';
import { ACTIONS, GUARDS, typeMaskOf, type Action, type Decision, type Design, type Guard } from './design.ts';
import { applyAction, guards, initialContext, type DomainContext, type MachineEvent, type Verdict } from './domain-context.ts';
import { LIVING, OBSERVED, STATES, type MachineEventType, type State } from './states.ts';

/** Calls that act on one domain; the others are about a group, a device or the recording. */
export const DOMAIN_CALLS = [
  'iommu_domain_alloc', 'iommu_get_dma_cookie', 'iommu_get_msi_cookie', 'iommu_put_dma_cookie', 'iommu_put_msi_cookie',
  'iommufd_hwpt_paging_alloc', 'iommufd_hwpt_nested_alloc', 'iommufd_viommu_alloc_hwpt_nested',
  'iommu_set_fault_handler', 'iommu_sva_domain_alloc', 'iommu_group_set_domain', 'iommu_dma_prepare_msi',
  'iommu_map', 'iommu_unmap', 'iommu_domain_free',
] as const satisfies readonly EventType[];

/** Calls after which a domain is there. */
export const ALLOCATIONS: ReadonlySet<MachineEventType> = new Set([
  'iommu_domain_alloc', 'iommufd_hwpt_paging_alloc', 'iommufd_hwpt_nested_alloc', 'iommufd_viommu_alloc_hwpt_nested', 'iommu_sva_domain_alloc',
]);

const attach: Decision = { errno: 'none', do: 'attach' };
const useAfterFree: Decision = { errno: 'none', outcome: 'use-after-free', rule: 'use-after-free' };

/** Without knowing the owner nothing is judged; what the kernel accepted still tells who owns the domain now. */
const UNKNOWN_CALLS: Partial<Record<EventType, readonly Decision[]>> = {
  iommu_dma_prepare_msi: [{ errno: 'none' }],
  iommu_map: [
    { if: 'isUserMapping', errno: 'none', do: 'addMapping' },
    { if: 'refused', errno: 'none', do: 'markMsiMapFailed' },
    { errno: 'none', do: 'addMsiPage' },
  ],
  iommu_unmap: [
    { if: 'overlapsMsiPage', errno: 'none', do: 'removeMsiPages' },
    { errno: 'none', do: 'removeMapping' },
  ],
  iommu_domain_free: [
    { if: 'typeIsStatic', errno: 'none' },
    { errno: 'none', to: 'freed', do: 'beginRelease' },
  ],
  iommu_put_dma_cookie: [{ errno: 'none' }],
  iommu_put_msi_cookie: [{ errno: 'none' }],
  iommu_set_fault_handler: [{ errno: 'none' }],
  iommu_group_set_domain: [attach],
};

const ADOPT: Readonly<Record<(typeof LIVING)[number], Action>> = {
  unowned: 'adoptNone',
  dma_owned: 'adoptDmaCookie',
  msi_owned: 'adoptMsiCookie',
  iommufd_owned: 'adoptHwpt',
  fault_handler_owned: 'adoptNone',
  sva_owned: 'adoptNone',
};

/** Returns what a design decides for one event in one state, in order. Empty: the machine has no such transition. */
export function decisionsOf(design: Design, state: State, event: MachineEventType): readonly Decision[] {
  const observed = OBSERVED.indexOf(event as (typeof OBSERVED)[number]);
  if (observed >= 0) return state === 'freed' ? [{ errno: 'none' }] : [{ errno: 'none', to: LIVING[observed], do: ADOPT[LIVING[observed]] }];
  if (event === 'gap') return state === 'freed' ? [{ errno: 'none' }] : [{ errno: 'none', to: 'unknown', do: 'forget' }];
  if (event === 'detached') return [{ errno: 'none', do: 'detach' }];
  if (!(DOMAIN_CALLS as readonly string[]).includes(event)) return [];
  const call = event as EventType;
  const decisions = (design.calls[call] ?? [attach]).filter((d) => !d.in || d.in.includes(state));
  if (state === 'freed') return freedDecisions(design, call);
  if (state !== 'unknown') return decisions;
  if (ALLOCATIONS.has(call)) return decisions;
  if (UNKNOWN_CALLS[call]) return UNKNOWN_CALLS[call];
  const accepted = (design.calls[call] ?? [attach]).filter((d) => !d.in || d.in.includes('unowned')).at(-1)!;
  return [{ if: 'refused', errno: 'none' }, { errno: 'none', ...(accepted.to && { to: accepted.to }), ...(accepted.do && { do: accepted.do }) }];
}

/** iommu_domain_free puts the cookie once by itself; everything else on freed memory is a bug of the caller. */
function freedDecisions(design: Design, call: EventType): readonly Decision[] {
  if (ALLOCATIONS.has(call)) return []; // a new incarnation: another machine
  if (call === 'iommu_domain_free') return [{ errno: 'none', outcome: 'double-free', rule: 'domain-double-free' }];
  if (call === 'iommu_put_dma_cookie' || call === 'iommu_put_msi_cookie') {
    return [{ if: 'releasing', errno: 'none', do: 'endRelease' }, design.putAfterPut];
  }
  return [useAfterFree];
}

/** The verdict a decision stands for. */
export function verdictOf(d: Decision): Verdict {
  return { rule: d.rule ?? null, outcome: d.outcome ?? 'accepted', errno: d.errno === 'none' ? null : (d.errno ?? 0) };
}

/** Returns the XState setup of all designs: what each guard and action name of a machine's configuration does. */
export function ownershipSetup() {
  return setup({
    types: { context: {} as DomainContext, events: {} as MachineEvent },
    guards: Object.fromEntries(
      GUARDS.map((name) => [name, ({ context, event }: { context: DomainContext; event: MachineEvent }) => guards[name](context, event)]),
    ),
    actions: {
      ...Object.fromEntries(ACTIONS.map((name) => [name, assign(({ context, event }: any) => applyAction(name, context, event))])),
      judge: assign((_: any, verdict: Verdict) => ({ verdict })),
    },
  });
}

/** One transition of the configuration as XState has it: names of guard and actions, and the verdict. */
export interface TransitionConfig {
  readonly guard?: Guard;
  readonly target?: State;
  readonly actions: readonly { readonly type: string; readonly params?: Verdict }[];
}

/** What `createMachine` is given for a design: plain data, which JSON takes and gives back. */
export interface OwnershipConfig {
  readonly id: string;
  readonly context: DomainContext;
  readonly initial: State;
  readonly states: Readonly<Record<State, { readonly on: Readonly<Record<string, readonly TransitionConfig[]>> }>>;
}

/** Returns the configuration of a design's machine. Order: states and events of the vocabulary, decisions of the design. */
export function ownershipConfig(design: Design): OwnershipConfig {
  const states = Object.fromEntries(STATES.map((state) => [state, { on: transitionsOf(design, state) }])) as unknown as OwnershipConfig['states'];
  return { id: design.id, context: initialContext(typeMaskOf(design)), initial: 'unknown', states };
}

/** Returns the XState machine of a design; its context is the domain's private data and the last verdict. */
export function ownershipMachine(design: Design) {
  return ownershipSetup().createMachine(ownershipConfig(design) as any);
}

/** What `ownershipMachine` returns. */
export type OwnershipMachine = ReturnType<typeof ownershipMachine>;

function transitionsOf(design: Design, state: State): Record<string, TransitionConfig[]> {
  const on: Record<string, TransitionConfig[]> = {};
  for (const event of [...DOMAIN_CALLS, ...OBSERVED, 'gap', 'detached'] as MachineEventType[]) {
    const decisions = decisionsOf(design, state, event);
    // XState reads a dot in an event name as nothing special; only `*` is.
    if (decisions.length > 0) on[event] = decisions.map(transition);
  }
  return on;
}

function transition(d: Decision): TransitionConfig {
  return {
    ...(d.if && { guard: d.if }),
    ...(d.to && { target: d.to }),
    actions: [...(d.do ? [{ type: d.do }] : []), { type: 'judge', params: verdictOf(d) }],
  };
}
