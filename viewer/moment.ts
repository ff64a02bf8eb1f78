/**
 * One instant of a history: the event that led to it, what the design answered, and what that changed in which domain, found
 * by comparing the domains before with the domains after. What changed beside the domains that the event can be about (a loss
 * of events makes every owner unknown) is found in the columns of the replay and told by its state alone.
 */
import { HAS } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { STATE, STATES, type State } from '../machines/states.ts';
import type { Audit } from '../projections/audit.ts';
import { domainView, type DomainView } from '../projections/domain-view.ts';
import { fieldTexts, pageText, type Field } from './domain-text.ts';
import type { History } from './history.ts';

/** One field that an event changed, as text; null where there was no domain. */
export interface Change {
  readonly field: Field;
  readonly before: string | null;
  readonly after: string | null;
}

/** What an event changed in one domain. `domain` is its number. */
export interface DomainChange {
  readonly domain: number;
  readonly generation: number;
  readonly name: string;
  /** First seen with this event. */
  readonly isNew: boolean;
  readonly changes: readonly Change[];
}

/** The domain that an event was judged on. */
export interface Judged {
  readonly domain: number;
  readonly generation: number;
  readonly name: string;
  readonly before: State;
  readonly after: State;
  /** What the design answers; null where it gives none or none can be predicted. */
  readonly errno: number | null;
}

/** One instant. `position` 0 is before the first event. */
export interface Moment {
  readonly position: number;
  /** The event as `events` prints it; null at 0. */
  readonly event: Readonly<Record<string, unknown>> | null;
  readonly time: string | null;
  readonly judged: Judged | null;
  readonly changed: readonly DomainChange[];
  /** Other domains whose state it changed, counted by `before -> after`. */
  readonly others: ReadonlyMap<string, number>;
  /** The domain that the instant is about: of this event, or of the last one before it that was about any. */
  readonly subject: { readonly domain: number; readonly generation: number } | null;
}

/** Fields whose change is worth telling; `first` and `last` only count events. */
const TOLD = ['state', 'type', 'word', 'msi_next', 'devices', 'groups'] as const satisfies readonly Field[];

/** Returns the instant after an event. */
export function momentAt(history: History, position: number): Moment {
  if (position === 0) return { position, event: null, time: null, judged: null, changed: [], others: new Map(), subject: null };
  const { recording, arch } = history;
  const { interned } = recording;
  const before = history.at(position - 1);
  const candidates = domainsOf(history, before, position);
  const seen = [...candidates].map((d) => [d, viewOf(d)] as const);
  const state = before.rows.state.slice(0, before.incarnations.size);
  const generation = before.incarnations.generation.slice(0, before.incarnations.size);
  let judged: Judged | null = null;
  // One event further, the audit is the same object: nothing is restored for so short a way.
  before.onStep = (_, d, from, to) => {
    const number = before.incarnations.generation[d];
    judged = { domain: d, generation: number, name: nameOf(d, number), before: STATES[from], after: STATES[to], errno: history.answers.at(position).errno };
  };
  const after = history.at(position);
  after.onStep = null;
  const views = new Map(seen);
  const step = judged as Judged | null;
  if (step !== null && !views.has(step.domain)) views.set(step.domain, null);
  const changed = [...views].flatMap(([d, was]) => {
    const is = viewIn(after, d);
    return is === null ? [] : changeOf(d, was, is);
  });
  const others = new Map<string, number>();
  for (let d = 0; d < state.length; d++) {
    if (state[d] === after.rows.state[d] && generation[d] === after.incarnations.generation[d]) continue;
    if (views.has(d)) continue;
    const key = `${STATES[state[d]]} -> ${STATES[after.rows.state[d]]}`;
    others.set(key, (others.get(key) ?? 0) + 1);
  }
  const about = step?.domain ?? lastDomain(recording.domain, position);
  const subject = about < 0 || about >= after.incarnations.size || after.incarnations.born[about] === 0 ? null : { domain: about, generation: after.incarnations.generation[about] };
  return { position, event: recording.event(position), time: recording.time(position), judged: step, changed, others, subject };

  function viewOf(d: number): DomainView | null {
    return viewIn(before, d);
  }
  function viewIn(audit: Audit, d: number): DomainView | null {
    return d < audit.incarnations.size && audit.incarnations.born[d] !== 0 ? domainView(audit, interned, d, arch) : null;
  }
  function nameOf(d: number, number: number): string {
    return `${interned.addresses.text(d)}#${number}`;
  }
}

/** Returns what differs between two views of a domain; the second one's generation may be a later one. */
export function changesOf(was: DomainView | null, is: DomainView): Change[] {
  const same = was !== null && was.generation === is.generation;
  const old = same ? fieldTexts(was) : null;
  const now = fieldTexts(is);
  const changes: Change[] = [];
  for (const field of TOLD) {
    if (old === null ? now[field] !== 'none' : old[field] !== now[field]) changes.push({ field, before: old?.[field] ?? null, after: now[field] });
  }
  const had = new Set(same ? was.msi_pages.map(pageText) : []);
  const has = new Set(is.msi_pages.map(pageText));
  for (const page of had) if (!has.has(page)) changes.push({ field: 'msi_pages', before: page, after: null });
  for (const page of has) if (!had.has(page)) changes.push({ field: 'msi_pages', before: null, after: page });
  return changes;
}

function changeOf(d: number, was: DomainView | null, is: DomainView): DomainChange[] {
  const changes = changesOf(was, is);
  const isNew = was === null || was.generation !== is.generation;
  return changes.length === 0 && !isNew ? [] : [{ domain: d, generation: is.generation, name: `${is.domain}#${is.generation}`, isNew, changes }];
}

/** The domains that an event can be about: its own, the old one, and those of its group and device. Order: its own first. */
function domainsOf(history: History, audit: Audit, position: number): Set<number> {
  const { recording } = history;
  const b = recording.decode(recording.blockOf(position));
  const i = position - b.position;
  const found = new Set<number>();
  const add = (d: number | undefined): void => {
    if (d !== undefined && d >= 0) found.add(d);
  };
  add(b.domain[i]);
  const present = b.present[i];
  if (b.kind[i] === KIND.iommu_group_set_domain && present & HAS.a) add(addressNumber(recording.interned.addresses, b.aLo[i], b.aHi[i]));
  const { groups, devices } = audit.attachments;
  if (present & HAS.device) {
    const device = devices.get(b.device[i]);
    add(device?.domain);
    add(device?.group?.domain);
  }
  if (present & HAS.group) {
    const group = groups.get(b.group[i]);
    add(group?.domain);
    for (const member of group?.members ?? []) add(member.domain);
  }
  return found;
}

/** Number of an address, or -1; it must not be given one here, because numbers follow the order of the replay. */
function addressNumber(table: { readonly lo: Uint32Array; readonly hi: Uint32Array; readonly size: number }, lo: number, hi: number): number {
  for (let n = 0; n < table.size; n++) if (table.lo[n] === lo && table.hi[n] === hi) return n;
  return -1;
}

function lastDomain(domains: Int32Array, position: number): number {
  for (let row = position - 1; row >= 0; row--) if (domains[row] >= 0) return domains[row];
  return -1;
}

/** Numbers of the domains alive in an audit, in the order in which `replay` prints them. */
export function aliveDomains(audit: Audit): number[] {
  const { incarnations, rows } = audit;
  const alive: number[] = [];
  for (let d = 0; d < incarnations.size; d++) if (incarnations.born[d] !== 0 && rows.state[d] !== STATE.freed) alive.push(d);
  return alive.sort((a, b) => incarnations.first[a] - incarnations.first[b]);
}
