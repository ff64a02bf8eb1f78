/**
 * The XState export goes through JSON and `createMachine` and comes back as the machine it was: same states, same verdicts, same
 * private data after any sequence of events.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { DESIGNS } from '../../machines/design-list.ts';
import type { DomainContext } from '../../machines/domain-context.ts';
import { ownershipMachine, ownershipSetup } from '../../machines/ownership.ts';
import { STATES } from '../../machines/states.ts';
import { renderXstate } from '../../reports/chart-xstate.ts';
import { draw, machineEvent, type Draw } from '../machines/machine-events.ts';

interface Actor {
  start(): void;
  send(event: unknown): void;
  getSnapshot(): { value: string; context: DomainContext };
}

describe.each(DESIGNS.map((d) => [d.id, d] as const))('%s', (_, design) => {
  const config = JSON.parse(renderXstate(design)) as { id: string; initial: string; states: Record<string, unknown> };
  const again = ownershipSetup().createMachine(config as any);

  it('has its states, in order', () => {
    expect([config.id, config.initial, Object.keys(config.states)]).toEqual([design.id, 'unknown', [...STATES]]);
  });

  it('goes where the machine goes, with its verdicts', () => {
    const machine = ownershipMachine(design);
    const run = (events: readonly Draw[]): void => {
      const [one, other] = [machine, again].map((m) => createActor(m as any) as unknown as Actor);
      one.start();
      other.start();
      for (const e of events) {
        one.send(machineEvent(e));
        other.send(machineEvent(e));
        expect(other.getSnapshot().value).toBe(one.getSnapshot().value);
        expect(other.getSnapshot().context).toEqual(one.getSnapshot().context);
      }
    };
    fc.assert(fc.property(fc.array(draw, { minLength: 1, maxLength: 16 }), run), { numRuns: 60 });
  });
});
