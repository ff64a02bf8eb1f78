/**
 * One machine, two engines: any event sequence through the XState machine and through the compiled table over typed arrays
 * ends in the same state, errno, rule and MSI pages, after every single event.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { typeMaskOf, withOwnerBits, type Design } from '../../machines/design.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import type { DomainContext } from '../../machines/domain-context.ts';
import { COOKIE, DomainRows, FLAG, step } from '../../machines/domain-rows.ts';
import { ownershipMachine, type OwnershipMachine } from '../../machines/ownership.ts';
import { RULES } from '../../machines/rules.ts';
import { MACHINE_EVENT, OUTCOMES, STATES } from '../../machines/states.ts';
import { NONE, NO_ERRNO, compileDesign, type TransitionTable } from '../../machines/transition-table.ts';
import { addRow, draw, machineEvent, type Draw } from './machine-events.ts';

/** Sequences in all, shared out over the designs. */
const SEQUENCES = 10_500;

const u64 = (lo: number, hi: number): bigint => (BigInt(hi) << 32n) | BigInt(lo);

/** What the table says of row 0, in the words of the XState context. */
function tableView(rows: DomainRows): unknown {
  const flag = (bit: number): boolean => (rows.flags[0] & bit) !== 0;
  const pages = [];
  const p = rows.pages;
  for (let at = rows.pageHead[0]; at !== NONE; at = p.next[at]) {
    pages.push({ iova: u64(p.iovaLo[at], p.iovaHi[at]), phys: u64(p.physLo[at], p.physHi[at]), size: u64(p.sizeLo[at], p.sizeHi[at]), backend: p.backend[at] });
  }
  return {
    state: STATES[rows.state[0]],
    type: rows.type[0],
    typeMask: rows.typeMask,
    cookie: rows.cookie[0] === COOKIE.none ? 'none' : rows.cookie[0] === COOKIE.dma ? 'dma' : 'msi',
    cookiePut: flag(FLAG.cookiePut), hwpt: flag(FLAG.hwpt), hwptNull: flag(FLAG.hwptNull), releasing: flag(FLAG.releasing), pagesKnown: flag(FLAG.pagesKnown),
    attached: rows.attached[0], mappedBytes: rows.mappedBytes[0],
    base: flag(FLAG.baseKnown) ? u64(rows.baseLo[0], rows.baseHi[0]) : null,
    msiNext: flag(FLAG.msiNextKnown) ? u64(rows.msiNextLo[0], rows.msiNextHi[0]) : null,
    failed: flag(FLAG.failedKnown) ? u64(rows.failedLo[0], rows.failedHi[0]) : null,
    pages,
  };
}

function machineView(state: string, c: DomainContext): unknown {
  const { verdict: _, ...context } = c;
  return { state, ...context, pages: c.pages.map((p) => ({ ...p })) };
}

/** Machine and table are made once a design; only state is new in each sequence. */
function engines(design: Design): (events: readonly Draw[]) => void {
  const table = compileDesign(design);
  const machine = ownershipMachine(design);
  return (events) => run(table, machine, events);
}

function run(table: TransitionTable, machine: OwnershipMachine, events: readonly Draw[]): void {
  const rows = new DomainRows(typeMaskOf(table.design));
  rows.reset(0);
  const batch = new EventBatch(createInterned());
  const actor = createActor(machine as any) as unknown as {
    start(): void;
    send(e: unknown): void;
    getSnapshot(): { value: string; context: DomainContext };
  };
  actor.start();
  for (const e of events) {
    const i = addRow(batch, e);
    rows.map = e.map;
    const verdict = step(table, rows, 0, MACHINE_EVENT[e.type], batch, i, e.own);
    actor.send(machineEvent(e));
    const { value, context } = actor.getSnapshot();
    expect(tableView(rows), `after ${e.type}`).toEqual(machineView(value, context));
    if (verdict === NONE) continue;
    const rule = table.verdictRule[verdict];
    const errno = table.verdictErrno[verdict];
    expect({
      rule: rule === NONE ? null : RULES[rule].id,
      outcome: OUTCOMES[table.verdictOutcome[verdict]],
      errno: errno === NO_ERRNO ? null : errno,
    }).toEqual(context.verdict);
  }
}

describe('compiled table and XState machine agree', () => {
  const wide = withOwnerBits(DESIGNS[2], 4);
  it.each([...DESIGNS.map((d) => [d.id, d] as const), [`${wide.id}, 4 owner bits`, wide] as const])('%s', (_, design) => {
    const compare = engines(design);
    fc.assert(
      fc.property(fc.array(draw, { minLength: 1, maxLength: 16 }), compare),
      { numRuns: Math.ceil(SEQUENCES / DESIGNS.length) },
    );
  });

  it('covers every state and nearly every transition of each design', () => {
    for (const design of DESIGNS) {
      const table = compileDesign(design);
      const taken = new Set<number>();
      const states = new Set<number>();
      for (const events of fc.sample(fc.array(draw, { minLength: 4, maxLength: 24 }), { numRuns: 1000, seed: 7 })) {
        const rows = new DomainRows();
        rows.reset(0);
        const batch = new EventBatch(createInterned());
        for (const e of events) {
          const i = addRow(batch, e);
          rows.map = e.map;
          taken.add(rows.state[0] * table.events + MACHINE_EVENT[e.type]);
          step(table, rows, 0, MACHINE_EVENT[e.type], batch, i, e.own);
          states.add(rows.state[0]);
        }
      }
      const cells = table.cells.filter((c) => c !== NONE).length;
      const reachable = [...taken].filter((cell) => table.cells[cell] !== NONE).length;
      expect(reachable / cells, design.id).toBeGreaterThan(0.85);
      expect(states.size, design.id).toBeGreaterThanOrEqual(7);
    }
  });
});
