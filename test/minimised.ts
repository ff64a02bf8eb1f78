/**
 * Minimises a finding of a recording as `iommu-ledger audit --minimise` does, without a process of its own.
 */
import { chooseDesign } from '../cli/source.ts';
import { renderEvent } from '../events/ndjson.ts';
import type { Finding } from '../projections/finding.ts';
import { KeptEvents } from '../projections/kept-events.ts';
import { Minimiser } from '../projections/minimise.ts';
import { ownOf } from '../cli/minimise.ts';
import { openRecording } from '../recordings/open-recording.ts';
import { readAll } from '../recordings/recording.ts';

/** What is left of a recording: the lines that are printed, and the design by which they give the finding. */
export interface Minimised {
  readonly design: string;
  readonly lines: readonly string[];
  readonly replays: number;
}

/** Returns the events that a finding of the recording at `path` needs, or null where the events in memory do not give it. */
export async function minimised(path: string, target: Finding, { design, history = false, limit }: { design?: string; history?: boolean; limit?: number } = {}): Promise<Minimised | null> {
  const recording = await openRecording(path);
  try {
    const chosen = chooseDesign(recording.summary, design === undefined ? {} : { design });
    const events = new KeptEvents(recording.interned, limit);
    await readAll(recording, (b) => events.add(b, (last) => last >= target.position));
    const minimiser = new Minimiser(events, chosen.design, target, { ownOf: ownOf(recording.summary, { design: chosen.design.id }), history });
    const steps = minimiser.steps();
    let step = steps.next();
    while (!step.done) step = steps.next();
    if (!step.value) return null;
    return { design: chosen.design.id, replays: minimiser.replays, lines: minimiser.kept.map((p) => renderEvent(events.batchOf(p), events.rowOf(p))) };
  } finally {
    recording.close();
  }
}
