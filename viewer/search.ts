/**
 * Search and filters: which lanes, events and findings the page shows.
 */
import { computed, type ReadonlySignal } from '@preact/signals';

/** By lane of the judging design's history: 1 where it is shown; null where all are. */
export const laneFilter: ReadonlySignal<Uint8Array | null> = computed(() => null);
