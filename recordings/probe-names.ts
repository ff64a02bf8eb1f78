/**
 * The function a probe stands on by the probe's own name, for text that prints raw addresses instead of symbols
 * (trace-cmd report, perf script). Names: the function's own, those of `iommu-ledger probes`, and what tracefs and perf
 * make of a function where nobody names the probe (iommu_map__entry, p_iommu_map_0, iommu_map__return).
 */
import { FUNCTIONS } from './probe-line.ts';
import { PROBES } from './probes/table.ts';

/** Event names of the definitions that `iommu-ledger probes` prints, and shorter ones for the same. */
const EVENTS = new Map<string, string>([
  ...PROBES.map((probe) => [probe.event.replace(/_ret$/, ''), probe.function] as const),
  ['map', 'iommu_map'], ['map_nosync', 'iommu_map_nosync'], ['unmap', 'iommu_unmap'],
]);

/** Returns the number of `FN` of the function that an event of this name stands on, or -1. */
export function functionOfEvent(event: string): number {
  const name = event.replace(/^[pr]_(?=\w+_\d+$)/, '').replace(/_\d+$/, '').replace(/(__entry|__exit|__return|_ret|_entry|_exit)$/, '');
  for (const candidate of [event, name]) {
    const fn = (FUNCTIONS as readonly string[]).indexOf(EVENTS.get(candidate) ?? candidate);
    if (fn >= 0) return fn;
  }
  return -1;
}
