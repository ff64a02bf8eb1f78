/**
 * A recording as the page holds it, without a browser: the same blocks, the same history.
 */
import { fileURLToPath } from 'node:url';
import { chooseDesign, openSource } from '../../cli/source.ts';
import { encodeBlock } from '../../log/block.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import { History } from '../../viewer/history.ts';
import { PAGE_SCHEMA, type PageBlock, type PageHeader } from '../../viewer/page-data.ts';
import { PageRecording } from '../../viewer/recording.ts';

/** Returns the path of a recording of the tests. */
export function recordingPath(name: string): string {
  return fileURLToPath(new URL(`../recordings/${name}`, import.meta.url));
}

/** Returns a recording as a page has it. */
export async function openPage(path: string): Promise<PageRecording> {
  const source = await openSource([path], { quiet: true });
  const blocks: PageBlock[] = [];
  let events = 0;
  await source.read((batch) => {
    if (batch.length === 0) return;
    blocks.push({ rows: batch.length, bytes: encodeBlock(batch, 0, batch.length).slice() });
    events += batch.length;
  });
  const chosen = chooseDesign(source.summary, {});
  const header: PageHeader = {
    schema: PAGE_SCHEMA, version: '0', recording: { source: path, format: source.summary.format, kernel: null, lost: 0, problems: 0 },
    design: chosen.design.id, why: chosen.why, ownerBits: null, arch: 'arm64',
    designs: DESIGNS.map(({ id, title }) => ({ id, title, own: chosen.own && id === chosen.design.id, chart: '' })),
    recordings: [], events, excerpts: {}, live: false,
  };
  const page = new PageRecording(header);
  for (const block of blocks) page.add(block);
  return page;
}

/** Returns the whole history of a page under a design. */
export function historyUnder(page: PageRecording, id: string = page.header.design): History {
  const history = new History(page, id, page.header.designs.find((d) => d.id === id)!.own);
  while (history.step());
  history.end();
  return history;
}
