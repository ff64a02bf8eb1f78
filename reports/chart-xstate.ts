/**
 * The whole machine of a design as JSON that XState's `createMachine` takes back: `ownershipSetup()` of machines/ownership.ts
 * gives its guards and actions a meaning; without them any XState tool draws it.
 */
import type { Design } from '../machines/design.ts';
import { ownershipConfig } from '../machines/ownership.ts';

/** Returns the configuration as JSON. Order: states, events and decisions as the machine has them. */
export function renderXstate(design: Design): string {
  return `${JSON.stringify(ownershipConfig(design), null, 2)}\n`;
}
