/**
 * Which events of a recording can have to do with one of them, cheaply: those about the same domain, about the groups and
 * devices that come to it, and what is about everything (`recording_started`, `events_lost`). A first cut, not a proof.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import type { KeptEvents } from './kept-events.ts';

/** Returns those of `list` that concern the event at `position`. Order: as in `list`. */
export function concerning(events: KeptEvents, list: readonly number[], position: number): readonly number[] {
  const about = new About();
  about.add(events.batchOf(position), events.rowOf(position));
  // Who comes to the domain, and then in which group a device is; a second look takes what the first has shown.
  for (let look = 0; look < 2; look++) {
    for (const p of list) {
      const [b, i] = [events.batchOf(p), events.rowOf(p)];
      if (about.names(b, i)) about.add(b, i);
    }
  }
  return list.filter((p) => {
    const [b, i] = [events.batchOf(p), events.rowOf(p)];
    return b.kind[i] === KIND.recording_started || b.kind[i] === KIND.events_lost || about.names(b, i) || about.leaves(b, i);
  });
}

/** One domain, and the groups and devices that were seen with it. */
class About {
  private domain = -1;
  private readonly groups = new Set<number>();
  private readonly devices = new Set<number>();

  add(b: EventBatch, i: number): void {
    if (this.domain < 0) this.domain = b.domain[i];
    if (b.present[i] & HAS.group) this.groups.add(b.group[i]);
    if (hasDevice(b, i)) this.devices.add(b.device[i]);
  }

  names(b: EventBatch, i: number): boolean {
    return (this.domain >= 0 && b.domain[i] === this.domain) || ((b.present[i] & HAS.group) !== 0 && this.groups.has(b.group[i])) || (hasDevice(b, i) && this.devices.has(b.device[i]));
  }

  /** Whether a group or device leaves the domain for another. */
  leaves(b: EventBatch, i: number): boolean {
    const { addresses } = b.interned;
    return this.domain >= 0 && b.kind[i] === KIND.iommu_group_set_domain && (b.present[i] & HAS.a) !== 0 && b.aLo[i] === addresses.lo[this.domain] && b.aHi[i] === addresses.hi[this.domain];
  }
}

/** In `recording_started` the column holds something else. */
function hasDevice(b: EventBatch, i: number): boolean {
  return (b.present[i] & HAS.device) !== 0 && b.kind[i] !== KIND.recording_started;
}
