/**
 * A recording of test/recordings as the page has it: its blocks and the history under a design.
 */
import { encodeBlock } from '../../log/block.ts';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { openRecording } from '../../recordings/open-recording.ts';
import { readAll } from '../../recordings/recording.ts';
import { History } from '../../viewer/history.ts';
import type { PageHeader } from '../../viewer/page-data.ts';
import { PageRecording } from '../../viewer/recording.ts';

const HEADER = { ownerBits: null, arch: 'arm64', recordings: [], designs: [] } as unknown as PageHeader;

/** Returns a recording file as the page holds it. */
export async function pageRecording(path: string): Promise<PageRecording> {
  const recording = await openRecording(path);
  const page = new PageRecording(HEADER);
  await readAll(recording, (b) => {
    if (b.length > 0) page.add({ rows: b.length, bytes: encodeBlock(b, 0, b.length) });
  });
  recording.close();
  return page;
}

/** Returns events as the page holds them. */
export function pageOfEvents(events: readonly Record<string, unknown>[]): PageRecording {
  const batch = new EventBatch(createInterned());
  for (const e of events) {
    const problem = parseEvent(JSON.stringify({ v: 1, ...e }), batch);
    if (problem) throw new Error(JSON.stringify(problem));
  }
  const page = new PageRecording(HEADER);
  page.add({ rows: batch.length, bytes: encodeBlock(batch, 0, batch.length) });
  return page;
}

/** Returns the history of a page's recording, read to its end. */
export function historyOf(page: PageRecording, design: string, own = true): History {
  const history = new History(page, design, own);
  while (history.step());
  history.end();
  return history;
}
