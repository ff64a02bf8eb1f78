/**
 * A design as the deterministic automaton of Linux runtime verification: X states, E events, f one next state for a state and an
 * event, x0, Xm. Source: Documentation/trace/rv/deterministic_automata.rst. Such an automaton has no guards, so an event is a call
 * together with what the kernel answered, as a tracepoint at its return would see it. Every domain that can come about is followed
 * through the machine's own decisions (its facts as they are, whatever the arguments may be), and the answers are collected.
 * What a design does in silence to another owner's data has no transition: that is what a monitor is to react to.
 */
import type { Decision, Design, Guard } from './design.ts';
import { typeMaskOf } from './design.ts';
import { applyAction, guards, initialContext, type DomainContext, type MachineEvent, type Verdict } from './domain-context.ts';
import { ALLOCATIONS, DOMAIN_CALLS, decisionsOf, verdictOf } from './ownership.ts';
import { STATES, TYPE, errnoText, type MachineEventType, type Outcome, type State } from './states.ts';

/** One value of the transition function. */
export interface Step {
  readonly from: State;
  readonly event: string;
  readonly to: State;
}

/** The five-tuple. Order: states by their codes, events by calls of the vocabulary, f by states and then events. */
export interface Automaton {
  readonly design: Design;
  readonly X: readonly State[];
  readonly E: readonly string[];
  readonly f: readonly Step[];
  readonly x0: State;
  readonly Xm: readonly State[];
}

/** An automaton, and where the machine has more than one next state although call and answer are the same. */
export interface Determined {
  readonly automaton: Automaton;
  readonly conflicts: readonly string[];
}

/** Calls that say nothing about the owner: they map, unmap and attach. */
export const NOT_OBSERVED: ReadonlySet<MachineEventType> = new Set(['iommu_map', 'iommu_unmap', 'iommu_group_set_domain']);

/** Outcomes that a monitor takes as they come; it reacts to the others. */
export const LEGAL: ReadonlySet<Outcome> = new Set(['accepted', 'noop', 'rejected', 'rejected-warn', 'ignored-warn']);

/** Guards that call, answer and domain decide; any other one may hold or not. */
const FACTS: ReadonlySet<Guard> = new Set([
  'typeIsNotUnmanaged', 'typeIsNotDma', 'typeIsIdentity', 'typeIsNested', 'typeIsStatic', 'typeIsNotPaging', 'hasCookie', 'hasNoCookie',
  'cookieWasPut', 'hasHwpt', 'releasing', 'typeIsDma', 'typeIsNotNested', 'hwptIsNull',
]);

/** Arguments that a tracepoint sees, too: they become part of the event where the answer alone does not decide. */
const ARGUMENT: Readonly<Partial<Record<Guard, string>>> = { typeIsDma: 'dma', typeIsNotNested: 'not_nested' };

/** The stub of a kernel without CONFIG_IOMMU_DMA is inline: no tracepoint sees its -ENODEV. */
const NEVER: ReadonlySet<Guard> = new Set(['noIommuDma']);

/** The arguments that make a difference, call by call. A domain that is static (BLOCKED, IDENTITY) is never allocated. */
function variants(call: MachineEventType): readonly MachineEvent[] {
  const event = { type: call, own: true };
  switch (call) {
    case 'iommu_domain_alloc': return [{ ...event, domain_type: TYPE.UNMANAGED }, { ...event, domain_type: TYPE.DMA }];
    case 'iommufd_hwpt_paging_alloc': return [{ ...event, hwpt: 1n, afterType: TYPE.UNMANAGED }, { ...event, hwpt: 0n, afterType: TYPE.UNMANAGED }];
    case 'iommufd_hwpt_nested_alloc': case 'iommufd_viommu_alloc_hwpt_nested': return [{ ...event, afterType: TYPE.NESTED }, { ...event, afterType: TYPE.UNMANAGED }];
    default: return [event];
  }
}

/**
 * Whether a sound kernel makes the call: it allocates what is not there, calls nothing on what it has not allocated, and puts a
 * cookie from iommu_domain_free only.
 */
export function isMade(call: MachineEventType, state: State): boolean {
  if (NOT_OBSERVED.has(call) || !(DOMAIN_CALLS as readonly MachineEventType[]).includes(call)) return false;
  if (call === 'iommu_put_dma_cookie' || call === 'iommu_put_msi_cookie') return state === 'freed';
  if (call === 'iommu_domain_alloc') return state === 'unknown';
  return ALLOCATIONS.has(call) ? state === 'unknown' || state === 'unowned' : state !== 'unknown';
}

interface Domain {
  readonly state: State;
  readonly context: DomainContext;
}

interface Answer extends Step {
  readonly call: MachineEventType;
  readonly decision: Decision;
}

/** Returns the automaton of a design. */
export function automatonOf(design: Design): Determined {
  const answers = answersOf(design);
  const targets = Map.groupBy(answers, (a) => `${a.from} ${a.event}`);
  const split = (a: Answer): boolean => new Set(targets.get(`${a.from} ${a.event}`)!.map(({ to }) => to)).size > 1;
  const f = new Map<string, Step & { readonly call: MachineEventType }>();
  const conflicts: string[] = [];
  for (const a of answers) {
    const argument = split(a) && a.decision.if ? ARGUMENT[a.decision.if] : undefined;
    const step = { from: a.from, event: argument ? eventName(a.call, verdictOf(a.decision), argument) : a.event, to: a.to, call: a.call };
    const known = f.get(`${step.from} ${step.event}`);
    if (known && known.to !== step.to) conflicts.push(`${step.event} leads from ${step.from} to ${known.to} and to ${step.to}`);
    f.set(`${step.from} ${step.event}`, known ?? step);
  }
  const steps = [...f.values()];
  const E = [...new Set(DOMAIN_CALLS.flatMap((call) => steps.filter((s) => s.call === call).map((s) => s.event)))];
  const reached = new Set<State>(['unknown', ...steps.map(({ to }) => to)]);
  const ordered = steps
    .toSorted((a, b) => STATES.indexOf(a.from) - STATES.indexOf(b.from) || E.indexOf(a.event) - E.indexOf(b.event))
    .map(({ from, event, to }) => ({ from, event, to }));
  return { automaton: { design, X: STATES.filter((s) => reached.has(s)), E, f: ordered, x0: 'unknown', Xm: ['freed'] }, conflicts };
}

/** Every lawful answer in every domain that lawful answers lead to. */
function answersOf(design: Design): Answer[] {
  const answers: Answer[] = [];
  const domains: Domain[] = [{ state: 'unknown', context: initialContext(typeMaskOf(design)) }];
  const seen = new Set(domains.map(keyOf));
  for (const { state, context } of domains) {
    for (const call of DOMAIN_CALLS.filter((c) => isMade(c, state))) {
      for (const event of variants(call)) {
        for (const decision of possible(design, state, context, event)) {
          if (!LEGAL.has(decision.outcome ?? 'accepted')) continue;
          const to = decision.to ?? state;
          answers.push({ from: state, event: eventName(call, verdictOf(decision)), to, call, decision });
          const next = { state: to, context: decision.do ? applyAction(decision.do, context, event) : context };
          if (seen.has(keyOf(next))) continue;
          seen.add(keyOf(next));
          domains.push(next);
        }
      }
    }
  }
  return answers;
}

/** The decisions that can be taken: up to the first one whose guard holds, those whose guard may hold. */
function possible(design: Design, state: State, context: DomainContext, event: MachineEvent): Decision[] {
  const taken: Decision[] = [];
  for (const d of decisionsOf(design, state, event.type)) {
    if (d.if !== undefined && NEVER.has(d.if)) continue;
    const isFact = d.if === undefined || FACTS.has(d.if);
    if (isFact && d.if !== undefined && !guards[d.if](context, event)) continue;
    taken.push(d);
    if (isFact) break;
  }
  return taken;
}

/** Facts of a domain; what it has mapped is not among them. */
function keyOf({ state, context: c }: Domain): string {
  return [state, c.type, c.cookie, c.cookiePut, c.hwpt, c.hwptNull, c.releasing].join(' ');
}

/** Returns the name of a call with its answer, a C identifier: `_ok` is 0, `_warn` a WARN without answer, `_err` any errno that is not named. */
export function eventName(call: MachineEventType, { outcome, errno }: Verdict, argument?: string): string {
  const answer = errno === 0 ? 'ok' : errno !== null ? errnoText(errno).slice(1).toLowerCase() : outcome === 'ignored-warn' ? 'warn' : outcome === 'rejected' || outcome === 'rejected-warn' ? 'err' : null;
  return [call, ...(argument ? [argument] : []), ...(answer ? [answer] : [])].join('_');
}
