/**
 * A recording of test/recordings as a search sees it, under its own design.
 */
import { encodeBlock } from '../../log/block.ts';
import { openRecording } from '../../recordings/open-recording.ts';
import { readAll } from '../../recordings/recording.ts';
import { History } from '../../viewer/history.ts';
import type { PageHeader } from '../../viewer/page-data.ts';
import { PageRecording } from '../../viewer/recording.ts';
import { indexRows } from '../../viewer/row-index.ts';
import type { Searched } from '../../viewer/search-match.ts';

const HEADER = { ownerBits: null, arch: 'arm64', recordings: [], designs: [] } as unknown as PageHeader;

/** Returns what a search of the file runs over. */
export async function searched(path: string, design: string): Promise<Searched> {
  const file = await openRecording(path);
  const recording = new PageRecording(HEADER);
  await readAll(file, (b) => {
    if (b.length > 0) recording.add({ rows: b.length, bytes: encodeBlock(b, 0, b.length) });
  });
  file.close();
  const history = new History(recording, design, true);
  while (history.step());
  history.end();
  return { recording, lanes: history.lanes, index: indexRows(recording, history.lanes), findings: history.findings };
}
