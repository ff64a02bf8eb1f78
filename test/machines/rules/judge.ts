/**
 * Runs a row of the tables: the calls through the XState actor of a design, and the same calls as lines of NDJSON through the
 * audit, as the recording of that very kernel (own) and as another one's.
 */
import { expect } from 'vitest';
import { createActor } from 'xstate';
import { EventBatch, createInterned } from '../../../events/batch.ts';
import { parseEvent } from '../../../events/parse-event.ts';
import { findDesign } from '../../../machines/design-list.ts';
import type { Design } from '../../../machines/design.ts';
import { MAP, type DomainContext, type MachineEvent } from '../../../machines/domain-context.ts';
import { DOMAIN_CALLS, ownershipMachine } from '../../../machines/ownership.ts';
import { RULES, ruleIndex, type Severity } from '../../../machines/rules.ts';
import { Audit } from '../../../projections/audit.ts';
import type { Finding } from '../../../projections/finding.ts';
import { D, FINE, REFUSED, VOID, eventsOf, type DesignId, type Expected, type Json, type Row } from './row.ts';

/** Predictions that are compared besides the rules; a row that is about one names it by `by`. */
const CONFORMANCE = new Set(['errno-mismatch', 'word-mismatch', 'msi-iova-mismatch', 'msi-address-mismatch', 'msi-address-stale']);
/** The refusal is itself the fault. */
const REFUSAL_IS_FAULT = new Set(['msi-prepare-identity-rejected']);
const MAPS: Readonly<Record<string, number>> = { iommu_dma_get_msi_page: MAP.dma, iommufd_sw_msi_install: MAP.iommufd };

function machineEvent(e: Json): MachineEvent {
  const address = (name: string): object => (e[name] === undefined ? {} : { [name]: BigInt(e[name] as string | number) });
  const { type, errno, domain_type, prot, after } = e as { type: MachineEvent['type']; errno?: number; domain_type?: number; prot?: number; after?: { type?: number } };
  return {
    type, own: true,
    ...(errno !== undefined && { errno }), ...(domain_type !== undefined && { domain_type }), ...(prot !== undefined && { prot }),
    ...(after?.type !== undefined && { afterType: after.type }),
    ...address('base'), ...address('iova'), ...address('paddr'), ...address('size'), ...address('msi_addr'), ...address('hwpt'),
    ...(type === 'iommu_map' && { map: MAPS[e['caller'] as string] ?? MAP.user }),
  };
}

/** Expects the machine of a design to answer the last event as the row says. */
export function expectMachine(row: Row, id: DesignId, expected: Expected): void {
  const actor = createActor(ownershipMachine(findDesign(id)!) as any) as unknown as { start(): void; send(e: unknown): void; getSnapshot(): { context: DomainContext } };
  actor.start();
  for (const e of eventsOf(row, id)) if (e['domain'] === D && (DOMAIN_CALLS as readonly unknown[]).includes(e['type'])) actor.send(machineEvent(e));
  const { verdict } = actor.getSnapshot().context;
  const answer = { outcome: verdict.outcome, ...(verdict.errno !== null && verdict.errno < 0 && { errno: verdict.errno }) };
  if (FINE.has(expected.outcome)) expect(FINE.has(answer.outcome), JSON.stringify(verdict)).toBe(true);
  else expect({ rule: verdict.rule, ...answer }).toEqual({ rule: expected.by ?? row.rule, outcome: expected.outcome, ...(expected.errno && { errno: expected.errno }) });
}

/** Returns the findings of an audit of these events. Errors: throws for an event that the reader would refuse. */
export function audited(design: Design, own: boolean, events: readonly Json[]): readonly Finding[] {
  const batch = new EventBatch(createInterned());
  for (const e of events) {
    const wrong = parseEvent(JSON.stringify({ v: 1, ...e }), batch);
    if (wrong) throw new Error(`${JSON.stringify(e)}: ${wrong}`);
  }
  const audit = new Audit(design, own);
  audit.apply(batch);
  audit.end();
  return audit.findings.sorted();
}

/** What is recorded of the call that is judged: that the kernel refused, or that it went on. */
type Recorded = 'refused' | 'accepted';

/** Expects the audit to find what the row says about the last event, and nothing else of the rules there. */
export function expectAudit(row: Row, id: DesignId, expected: Expected, own: boolean, recorded: Recorded): void {
  const events = [...eventsOf(row, id)];
  const at = events.length - 1 - (row.answeredAt ?? 0);
  const refuses = REFUSED.has(expected.outcome);
  if (events[at]['errno'] === undefined && !row.wentOn && !VOID.has(events[at]['type'])) {
    if (refuses && expected.errno) events[at] = { ...events[at], errno: recorded === 'refused' ? expected.errno : 0 };
    else if (['overwrites', 'leak', 'undetected', 'accepted', 'noop'].includes(expected.outcome)) events[at] = { ...events[at], errno: 0 };
  }
  if (recorded === 'accepted' && row.obeyed) events[at] = { ...events[at], ...row.obeyed };
  const rule = expected.by ?? row.rule;
  const found = audited(findDesign(id)!, own, events)
    .filter((f) => f.position === events.length && (!CONFORMANCE.has(f.rule) || f.rule === rule || expected.outcome === 'accepted' || expected.outcome === 'noop'))
    .map(({ rule, severity, outcome }) => `${rule} ${severity} ${outcome}`);
  const full: Severity = row.known?.includes(id) ? 'info' : RULES[ruleIndex(rule)].severity;
  const wanted = (): string[] => {
    const unseen = row.ownOnly && !own;
    if (unseen) return [];
    if (FINE.has(expected.outcome)) return own && row.evenSo?.includes(id) ? [`${rule} ${full} undetected`] : [];
    if (!refuses) return [`${rule} ${full} ${expected.outcome}`];
    // Of a void call nobody knows whether another kernel ignored it too.
    if (recorded === 'refused' && (own || row.alike || expected.errno !== undefined || !VOID.has(events[at]['type']))) return [`${rule} info rejected`];
    if (!own) return [`${rule} ${REFUSAL_IS_FAULT.has(rule) || full === 'info' ? full : 'warning'} rejected`];
    return [`${rule} ${full} ACCEPTED`];
  };
  expect(found.map((f) => (refuses && own && recorded === 'accepted' ? f.replace(/ (undetected|overwrites)$/, ' ACCEPTED') : f))).toEqual(wanted());
}

/** Whether the row can be recorded in this way: an errno that the row itself names is what the kernel answered. */
export function canBe(row: Row, id: DesignId, expected: Expected, recorded: Recorded): boolean {
  if (!REFUSED.has(expected.outcome)) return recorded === 'accepted';
  if (row.wentOn) return recorded === 'accepted';
  const last = eventsOf(row, id).at(-1 - (row.answeredAt ?? 0))!;
  if (last['errno'] !== undefined) return recorded === 'refused';
  if (VOID.has(last['type'])) return recorded === 'refused' || row.obeyed !== undefined;
  return true;
}
