/**
 * A page that `iommu-ledger view` serves: its events come as a stream from the same server, and go on coming while the source
 * grows. Whoever looks at the end goes on looking at the end.
 */
import { batch, signal } from '@preact/signals';
import { BlockReader, type LiveNews, type PageHeader } from './page-data.ts';
import type { PageRecording } from './recording.ts';
import { length, loading, position } from './store.ts';
import { breathe } from './unpack.ts';

/** Where the events come from, beside the page. */
const EVENTS = 'events';
/** Work done before the page is drawn again. Units: milliseconds. */
const SLICE = 40;

/** How it stands with the stream: null on a page that is not live. */
export const stream = signal<'open' | 'ended' | 'broken' | null>(null);

/** Adds what the server sends, as it comes, to its end. Errors: rejects where the server does not answer at all. */
export async function follow(opened: PageRecording): Promise<void> {
  const response = await fetch(EVENTS, { cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' });
  if (!response.ok || response.body === null) throw new Error(`the server gives no events (HTTP ${response.status})`);
  stream.value = 'open';
  const blocks = new BlockReader(opened.header.recordings.length > 0);
  const reader = response.body.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  let next = performance.now() + SLICE;
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      for (const block of blocks.add(chunk.value)) {
        if (block.rows > 0) opened.add(block);
        else hear(opened, JSON.parse(new TextDecoder().decode(block.bytes)) as LiveNews);
      }
      if (performance.now() < next) continue;
      await breathe();
      next = performance.now() + SLICE;
    }
  } catch {
    // Whatever broke it: what has come is whole, and the page says that no more will come.
  }
  if (stream.peek() !== 'ended') stream.value = 'broken';
  show(opened);
}

/** The server says how the recording stands. It does so behind everything that it has sent at a time. */
function hear(opened: PageRecording, { recording, ended }: LiveNews): void {
  (opened.header as { recording: PageHeader['recording'] }).recording = recording;
  opened.complete = ended;
  if (ended) stream.value = 'ended';
  show(opened);
}

function show(opened: PageRecording): void {
  batch(() => {
    const atEnd = position.peek() === length.peek();
    length.value = opened.length;
    if (atEnd) position.value = opened.length;
    loading.value = null;
  });
}
