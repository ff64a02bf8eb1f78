/**
 * Opens the recording that the page carries, or follows the one that its server reads, and reads it through under the page's
 * design, a slice at a time so that the page stays alive.
 */
import { assert, escapeText } from '../events/problem.ts';
import { History } from './history.ts';
import { follow } from './live.ts';
import { BlockReader, PAGE_SCHEMA, type PageHeader } from './page-data.ts';
import { PageRecording } from './recording.ts';
import { followLocation } from './location.ts';
import { designId, failure, keepHistory, length, loading, position, recording } from './store.ts';
import { breathe, takeText, unpackedPieces } from './unpack.ts';

/** Work done before the page is drawn again. Units: milliseconds. */
const SLICE = 40;

/** Reads the page's data; the signals of the store say how far it is. Errors are told by `failure`. */
export async function load(): Promise<void> {
  try {
    if (typeof DecompressionStream === 'undefined') throw new Error('this browser cannot unpack the recording (it has no DecompressionStream); Chrome 123, Firefox 120, Safari 17.5 and later can');
    const header = JSON.parse(takeText('header')) as PageHeader;
    assert(header.schema === PAGE_SCHEMA, `the page is of ${String(header.schema)}`);
    const opened = new PageRecording(header);
    recording.value = opened;
    designId.value = header.design;
    const history = new History(opened, header.design, header.designs.find((d) => d.id === header.design)!.own);
    keepHistory(header.design, history);
    if (header.live) await follow(opened, ready);
    else await read(opened, history);
  } catch (error) {
    failure.value = escapeText(error instanceof Error ? error.message : String(error));
  }
  loading.value = null;
}

/** The page can be drawn: the recording is there, or what has come of it. */
function ready(): void {
  length.value = recording.value.length;
  position.value = recording.value.length;
  followLocation();
  loading.value = null;
}

async function read(opened: PageRecording, history: History): Promise<void> {
  const { header } = opened;
  const blocks = new BlockReader(header.recordings.length > 0);
  let next = performance.now() + SLICE;
  try {
    const reader = unpackedPieces().getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      for (const block of blocks.add(chunk.value)) {
        opened.add(block);
        history.step(); // the block is decoded at the moment
      }
      if (performance.now() < next) continue;
      loading.value = { phase: `reading ${header.events} events`, done: opened.length, of: header.events };
      await breathe();
      next = performance.now() + SLICE;
    }
    assert(!blocks.isInside && opened.length === header.events, 'it ends early');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the file is damaged or cut off, ${opened.length} of ${header.events} events can be read (${why})`, { cause: error });
  }
  opened.complete = true;
  history.end();
  ready();
}
