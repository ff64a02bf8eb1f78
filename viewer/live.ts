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
/** The page is drawn again at most so often. Units: milliseconds. */
const DRAW = 100;
/** Work done before the browser's own turn. Units: milliseconds. */
const SLICE = 40;

/** How it stands with the stream: null on a page that is not live. */
export const stream = signal<'open' | 'ended' | 'broken' | null>(null);

/**
 * Adds what the server sends, as it comes, to its end; `ready` is called when the first events are there.
 * Errors: rejects where the server does not answer, or sends what are no events.
 */
export async function follow(opened: PageRecording, ready: () => void): Promise<void> {
  const response = await fetch(EVENTS, { cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' });
  if (!response.ok || response.body === null) throw new Error(`the server gives no events (HTTP ${response.status})`);
  stream.value = 'open';
  loading.value = { phase: 'waiting for the first event', done: 0, of: 1 };
  const blocks = new BlockReader(opened.header.recordings.length > 0);
  const reader = response.body.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const draw = (): void => {
    timer = null;
    show(opened, ready);
  };
  let next = performance.now() + SLICE;
  for (;;) {
    // Whatever breaks it: what has come is whole, and the page says that no more will come.
    const chunk = await reader.read().catch(() => null);
    if (chunk === null || chunk.done) break;
    for (const block of blocks.add(chunk.value)) {
      if (block.rows > 0) opened.add(block);
      else hear(opened, JSON.parse(new TextDecoder().decode(block.bytes)) as LiveNews);
    }
    timer ??= setTimeout(draw, DRAW);
    if (performance.now() < next) continue;
    await breathe();
    next = performance.now() + SLICE;
  }
  clearTimeout(timer ?? undefined);
  if (stream.peek() !== 'ended') stream.value = 'broken';
  draw();
}

/** The server says how the recording stands. */
function hear(opened: PageRecording, { recording, ended }: LiveNews): void {
  (opened.header as { recording: PageHeader['recording'] }).recording = recording;
  opened.complete = ended;
  if (ended) stream.value = 'ended';
}

function show(opened: PageRecording, ready: () => void): void {
  batch(() => {
    if (loading.peek() !== null) {
      if (opened.length > 0 || stream.peek() !== 'open') ready();
      return;
    }
    const isAtEnd = position.peek() === length.peek();
    length.value = opened.length;
    if (isAtEnd) position.value = opened.length;
  });
}
