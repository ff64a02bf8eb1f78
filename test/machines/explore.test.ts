/**
 * The explorer: what the proposal's review wanted to know, every path through XState actors and through the audit, and random
 * walks that must find nothing which the explorer calls unreachable.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import { withOwnerBits, type Design } from '../../machines/design.ts';
import type { DomainContext, MachineEvent, Verdict } from '../../machines/domain-context.ts';
import { Explorer, explore, type Exploration, type Found } from '../../machines/explore.ts';
import { DOMAIN } from '../../machines/explore-callers.ts';
import { ownershipMachine } from '../../machines/ownership.ts';
import { Audit } from '../../projections/audit.ts';

type Json = Readonly<Record<string, any>>;

const explorations = new Map<string, Exploration>(DESIGNS.map((d) => [d.id, explore(d)]));
const found = (design: string, rule: string): Found | undefined => explorations.get(design)!.violations.get(rule);
const refused = (design: string, rule: string): Found | undefined => explorations.get(design)!.refusals.get(rule);

/** The event of a path as the machine of the domain takes it. */
function machineEvent(e: Json): MachineEvent {
  if (e['type'] === 'iommu_group_set_domain' && e['domain'] !== DOMAIN) return { type: 'detached', own: true };
  const big = (name: string): object => (e[name] === undefined ? {} : { [name]: BigInt(e[name]) });
  return {
    type: e['type'], own: true,
    ...(e['errno'] !== undefined && { errno: e['errno'] }), ...(e['domain_type'] !== undefined && { domain_type: e['domain_type'] }),
    ...(e['after'] && { afterType: e['after'].type }), ...(e['prot'] !== undefined && { prot: e['prot'] }),
    ...big('base'), ...big('iova'), ...big('paddr'), ...big('size'), ...big('msi_addr'), ...big('hwpt'),
    ...(e['type'] === 'iommu_map' && { map: e['caller'] === 'iommu_dma_get_msi_page' ? 1 : e['caller'] === 'iommufd_sw_msi_install' ? 2 : 0 }),
  } as MachineEvent;
}

interface Actor { start(): void; send(e: MachineEvent): void; getSnapshot(): { value: string; context: DomainContext } }
const actorOf = (design: Design): Actor => {
  const actor = createActor(ownershipMachine(design) as any) as unknown as Actor;
  actor.start();
  return actor;
};

function auditOf(design: Design, events: readonly Json[]): Audit {
  const batch = new EventBatch(createInterned());
  for (const e of events) expect(parseEvent(JSON.stringify(e), batch)).toBeUndefined();
  const audit = new Audit(design, true);
  audit.apply(batch);
  audit.end();
  return audit;
}

describe('what the review asked', () => {
  it.each(['sw-msi', 'private-data-owner'])('%s: a stranger takes the MSI cookie of an iommufd domain in at most 4 events', (design) => {
    expect(found(design, 'get-msi-cookie-on-iommufd')).toMatchObject({ outcome: 'overwrites' });
    expect(found(design, 'get-msi-cookie-on-iommufd')!.path.length).toBeLessThanOrEqual(4);
  });

  it.each(['private-data-owner-guard', 'cookie-type', 'v7.3'])('%s: he is refused', (design) => {
    expect(found(design, 'get-msi-cookie-on-iommufd')).toBeUndefined();
    expect(refused(design, 'get-msi-cookie-on-iommufd')).toMatchObject({ outcome: 'rejected', errno: -17 });
    expect(explorations.get(design)!.complete).toBe(true);
  });

  it('the guard leaves the DMA path open', () => {
    expect(found('private-data-owner-guard', 'get-dma-cookie-on-iommufd')).toMatchObject({ outcome: 'overwrites' });
    for (const design of ['cookie-type', 'v7.3']) expect(found(design, 'get-dma-cookie-on-iommufd')).toBeUndefined();
  });

  it('the union refuses by accident, but not on automatic domains', () => {
    expect(refused('private-data-owner-v2', 'get-msi-cookie-on-iommufd')).toMatchObject({ errno: -17 });
    expect(found('private-data-owner-v2', 'get-msi-cookie-on-iommufd')!.path[0].event).toMatchObject({ hwpt: '0x0', caller: 'iommufd_device_auto_get_domain' });
  });

  it('a doorbell is mapped twice by two groups where no lock serialises them', () => {
    const where = DESIGNS.filter((d) => found(d.id, 'msi-duplicate-doorbell'));
    expect(where.map((d) => d.id)).toEqual(['sw-msi', 'private-data-owner', 'private-data-owner-guard', 'private-data-owner-v2', 'cookie-type']);
    const { path } = found('cookie-type', 'msi-duplicate-doorbell')!;
    expect(new Set(path.flatMap((p) => (p.event['type'] === 'iommu_group_set_domain' ? [p.event['group']] : []))).size).toBe(2);
    expect(path.slice(-2).map((p) => [p.event['paddr'], p.event['iova']])).toEqual([['0x8090000', '0x8000000'], ['0x8090000', '0x8001000']]);
  });

  it('MSIs of identity domains fail under the whole series only', () => {
    expect(DESIGNS.filter((d) => found(d.id, 'msi-prepare-identity-rejected')).map((d) => d.id)).toEqual(['private-data-owner-v2']);
  });

  it('type-overflow moves with the owner width', () => {
    const type = (bits: number): unknown => explore(withOwnerBits(findDesign('private-data-owner')!, bits)).violations.get('type-overflow-30-bits')!.path[0].event['domain_type'];
    expect([type(2), type(3), type(8)]).toEqual([0x40000001, 0x20000001, 0x1000001]);
  });
});

describe.each(DESIGNS.map((d) => [d.id, d] as const))('%s: every path', (id, design) => {
  const { violations, refusals } = explorations.get(id)!;
  const all = [...violations.values(), ...refusals.values()];

  it.each(all.map((f) => [`${f.rule} (${f.outcome})`, f] as const))('%s', (_, { rule, outcome, path }) => {
    const actor = actorOf(design);
    for (const { event, before, after } of path) {
      expect(actor.getSnapshot().value).toBe(before);
      actor.send(machineEvent(event));
      expect(actor.getSnapshot().value).toBe(after);
    }
    expect(actor.getSnapshot().context.verdict).toMatchObject({ rule, outcome });
    const findings = auditOf(design, path.map((p) => p.event)).findings.sorted().filter((f) => f.rule === rule);
    expect(findings.map((f) => f.outcome.replace(/-warn$/, ''))).toContain(outcome.replace(/^.*-warn$/, 'rejected'));
  });

  it('is a shortest one: none is shorter than what a bounded search finds', () => {
    const within = new Map<number, Exploration>();
    for (const f of violations.values()) {
      const depth = f.path.length - 1;
      if (depth === 0) continue;
      if (!within.has(depth)) within.set(depth, explore(design, { maxDepth: depth }));
      expect(within.get(depth)!.violations.has(f.rule), f.rule).toBe(false);
    }
  });
});

describe('random walks of the same callers', () => {
  it.each(DESIGNS.map((d) => [d.id, d] as const))('%s: through XState actors, find no rule that is called unreachable', (id, design) => {
    const { violations, refusals } = explorations.get(id)!;
    const explorer = new Explorer(design);
    fc.assert(fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 24 }), (choices) => {
      const actor = actorOf(design);
      explorer.rows.reset(0);
      let code = 0;
      for (const choice of choices) {
        const open = explorer.steps.flatMap((_, s) => (explorer.enabled(s, 0, code) ? [s] : []));
        if (open.length === 0) return;
        const s = open[choice % open.length];
        const verdict = explorer.take(s, 0, 0, code);
        code = explorer.world.code;
        actor.send(machineEvent(explorer.eventOf(s, verdict)));
        const seen: Verdict = actor.getSnapshot().context.verdict;
        const met = explorer.met(verdict);
        if (met === null) continue;
        expect(seen).toMatchObject({ rule: met.rule, outcome: met.outcome });
        expect([...(explorer.isViolation(met) ? violations : refusals).keys()]).toContain(met.rule);
        if (['use-after-free', 'double-free', 'type-confusion', 'null-deref', 'bug'].includes(met.outcome)) return;
      }
    }), { numRuns: 300 });
  });
});

