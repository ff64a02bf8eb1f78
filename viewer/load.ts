/**
 * Opens the recording that the page carries and reads it through under its design, a slice at a time so that the page stays alive.
 */
import { escapeText } from '../events/problem.ts';
import { History } from './history.ts';
import { followLocation } from './location.ts';
import { unpackPage, type PageHeader } from './page-data.ts';
import { PageRecording } from './recording.ts';
import { designId, failure, keepHistory, length, loading, position, recording } from './store.ts';

/** Work done before the page is drawn again. Units: milliseconds. */
const SLICE = 40;

/** Reads the page's data; the signals of the store say how far it is. Errors are told by `failure`. */
export async function load(): Promise<void> {
  try {
    const header = JSON.parse(take('header')) as PageHeader;
    const data = unpackPage(header, await gunzip(decodeBase64(take('recording'))));
    const opened = new PageRecording(header, data.recordingOf);
    recording.value = opened;
    designId.value = header.design;
    const history = new History(opened, header.design, header.designs.find((d) => d.id === header.design)!.own);
    keepHistory(header.design, history);
    let next = performance.now() + SLICE;
    for (let k = 0; k < data.blocks.length; k++) {
      opened.add(data.blocks[k]);
      history.step(); // the block is decoded at the moment
      if (performance.now() > next) {
        loading.value = { phase: 'reading', done: k, of: data.blocks.length };
        next = await breathe();
      }
    }
    if (!header.live) history.end();
    length.value = opened.length;
    position.value = opened.length;
    followLocation();
    loading.value = null;
  } catch (error) {
    failure.value = escapeText(error instanceof Error ? error.message : String(error));
    loading.value = null;
  }
}

/** Text of a data block of the page, which is not needed any more. */
function take(id: string): string {
  const element = document.getElementById(id)!;
  const text = element.textContent!;
  element.remove();
  return text.trim();
}

function breathe(): Promise<number> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => resolve(performance.now() + SLICE));
  });
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
