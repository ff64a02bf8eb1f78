/**
 * The compiled table over typed arrays against one XState actor per domain: the same events, the same illegal count.
 */
import { createActor } from 'xstate';
import { EventBatch, createInterned, BATCH_CAPACITY } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { findDesign } from '../machines/design-list.ts';
import { MAP, type MachineEvent } from '../machines/domain-context.ts';
import { DomainRows, step } from '../machines/domain-rows.ts';
import { ownershipMachine } from '../machines/ownership.ts';
import { MACHINE_EVENT } from '../machines/states.ts';
import { NONE, compileDesign } from '../machines/transition-table.ts';
import { spread } from './processes.ts';

/** Domains alive at once. */
const DOMAINS = 10_000;

/** Lives of a VFIO type1 domain: who owns it only, and with its MSI page and a user mapping. `!` marks a call that is refused. */
const LIVES_OF: Readonly<Record<string, readonly string[]>> = {
  'ownership events': [
    'iommu_domain_alloc', 'iommu_group_set_domain', 'iommu_get_msi_cookie', '!iommu_get_msi_cookie',
    '!iommu_get_dma_cookie', 'detached', 'iommu_domain_free', 'iommu_put_msi_cookie',
  ],
  'ownership, MSI page and user mapping': [
    'iommu_domain_alloc', 'iommu_group_set_domain', 'iommu_get_msi_cookie', 'iommu_map:msi', 'iommu_dma_prepare_msi', 'iommu_dma_prepare_msi',
    '!iommu_get_msi_cookie', 'iommu_map', 'iommu_unmap', 'detached', 'iommu_domain_free', 'iommu_put_msi_cookie',
  ],
};

interface Step {
  readonly domain: number;
  readonly event: MachineEvent;
  readonly map: number;
}

/** Lives that each domain goes through in one pass of the table, so that a pass is long enough to time. */
const LIVES = 40;
/** And in one pass of the actors, which take so much longer; a new incarnation is a new actor. */
const ACTOR_LIVES = 1;
/** Events of one domain in a row, as a task makes them, before another domain's turn comes. */
const BURST = 4;

/** Every domain goes through this life in bursts between all others; what is refused counts as illegal. */
function steps(life: readonly string[]): Step[] {
  const all: Step[] = [];
  for (let n = 0; n < DOMAINS * life.length; n++) {
    const domain = Math.floor(n / BURST) % DOMAINS;
    const at = Math.floor(n / BURST / DOMAINS) * BURST + (n % BURST);
    const [, refused, type, msi] = /^(!?)([^:]+)(:msi)?$/.exec(life[at])! as unknown as [string, string, MachineEvent['type'], string | undefined];
    all.push({
      domain,
      map: msi ? MAP.dma : MAP.user,
      event: {
        type, own: true, errno: refused ? -17 : 0, domain_type: 1, base: 0x8000000n, msi_addr: 0x8090040n,
        iova: msi || type === 'iommu_dma_prepare_msi' ? 0x8000000n : 0x100000000n, paddr: msi ? 0x8090000n : 0x45fe6000n,
        size: 0x1000n, prot: msi ? 0x1a : 7, map: msi ? MAP.dma : MAP.user,
      },
    });
  }
  return all;
}

function columns(all: readonly Step[]): { batches: EventBatch[]; events: Int32Array[]; maps: Uint8Array[] } {
  const interned = createInterned();
  const batches: EventBatch[] = [];
  const events: Int32Array[] = [];
  const maps: Uint8Array[] = [];
  for (let from = 0; from < all.length; from += BATCH_CAPACITY) {
    const batch = new EventBatch(interned);
    const codes = new Int32Array(BATCH_CAPACITY);
    const kinds = new Uint8Array(BATCH_CAPACITY);
    for (const { domain, event, map } of all.slice(from, from + BATCH_CAPACITY)) {
      const i = batch.add(Math.min(MACHINE_EVENT[event.type], 20));
      codes[i] = MACHINE_EVENT[event.type];
      kinds[i] = map;
      batch.domain[i] = domain;
      batch.errno[i] = event.errno!;
      const prepare = event.type === 'iommu_dma_prepare_msi';
      const a = event.type === 'iommu_get_msi_cookie' ? event.base! : prepare ? event.msi_addr! : event.iova!;
      const b = prepare ? event.iova! : event.paddr!;
      batch.aLo[i] = Number(a & 0xffffffffn);
      batch.aHi[i] = Number(a >> 32n);
      batch.bLo[i] = Number(b & 0xffffffffn);
      batch.bHi[i] = Number(b >> 32n);
      batch.cLo[i] = Number(event.size!);
      batch.cHi[i] = 0;
      batch.x[i] = event.type === 'iommu_domain_alloc' ? 1 : event.prot!;
      batch.present[i] = HAS.errno | HAS.a | HAS.b | HAS.c | HAS.x;
    }
    batches.push(batch);
    events.push(codes);
    maps.push(kinds);
  }
  return { batches, events, maps };
}

/** Returns the lines of the report. Errors: throws where the two engines count differently. */
export function tableAgainstActors(rounds: number): string[] {
  return Object.entries(LIVES_OF).flatMap(([name, life]) => against(name, steps(life), rounds));
}

function against(name: string, all: readonly Step[], rounds: number): string[] {
  const design = findDesign('v7.3')!;
  const { batches, events, maps } = columns(all);
  const table = compileDesign(design);
  const illegalRule = (verdict: number): number => (verdict !== NONE && table.verdictRule[verdict] !== NONE ? 1 : 0);
  const byTable = (): { rate: number; illegal: number } => {
    const rows = new DomainRows();
    rows.ensure(DOMAINS - 1);
    let illegal = 0;
    const start = process.cpuUsage();
    for (let life = 0; life < LIVES; life++) {
      for (let d = 0; d < DOMAINS; d++) rows.reset(d);
      for (let k = 0; k < batches.length; k++) {
        const b = batches[k];
        const codes = events[k];
        const kinds = maps[k];
        for (let i = 0; i < b.length; i++) {
          rows.map = kinds[i];
          illegal += illegalRule(step(table, rows, b.domain[i], codes[i], b, i, true));
        }
      }
    }
    const { user, system } = process.cpuUsage(start);
    return { rate: (LIVES * all.length) / (user + system), illegal: illegal / LIVES };
  };
  const byActors = (): { rate: number; illegal: number } => {
    const machine = ownershipMachine(design);
    let illegal = 0;
    const start = process.cpuUsage();
    for (let life = 0; life < ACTOR_LIVES; life++) {
      const actors = Array.from({ length: DOMAINS }, () => {
        const actor = createActor(machine as any) as unknown as { start(): void; send(e: MachineEvent): void; getSnapshot(): { context: { verdict: { rule: string | null } } } };
        actor.start();
        return actor;
      });
      for (const { domain, event } of all) {
        actors[domain].send(event);
        if (actors[domain].getSnapshot().context.verdict.rule !== null) illegal++;
      }
    }
    const { user, system } = process.cpuUsage(start);
    return { rate: (ACTOR_LIVES * all.length) / (user + system), illegal: illegal / ACTOR_LIVES };
  };
  byTable();
  byActors();
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const actors = byActors();
    const table = byTable();
    if (table.illegal !== actors.illegal) throw new Error(`table counts ${table.illegal}, actors ${actors.illegal}`);
    ratios.push(table.rate / actors.rate);
    rates.push(table.rate);
  }
  return [
    `machine, ${name}: ${all.length} events over ${DOMAINS} domains, illegal count of both: ${byTable().illegal}`,
    `events/s compiled table / one XState actor a domain (min / median / max):  ${spread(ratios)}`,
    `compiled table: ${rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)].toFixed(1)} M events/s of CPU time`,
    '',
  ];
}
