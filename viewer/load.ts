/**
 * Opens the recording that the page carries and reads it through under its design, a slice at a time so that the page stays alive.
 */
import { escapeText } from '../events/problem.ts';
import { History } from './history.ts';
import { unpackPage, type PageBlock, type PageHeader } from './page-data.ts';
import { PageRecording } from './recording.ts';
import { followLocation } from './location.ts';
import { designId, failure, keepHistory, length, loading, position, recording } from './store.ts';

/** Work done before the page is drawn again. Units: milliseconds. */
const SLICE = 40;

/** Reads the page's data; the signals of the store say how far it is. Errors are told by `failure`. */
export async function load(): Promise<void> {
  try {
    if (typeof DecompressionStream === 'undefined') throw new Error('this browser cannot unpack the recording (it has no DecompressionStream); Chrome 123, Firefox 120, Safari 17.5 and later can');
    const header = await damagedUnless('its header cannot be read', () => JSON.parse(take('header')) as PageHeader);
    const data = await damagedUnless('its events cannot be unpacked', async () => unpackPage(header, await gunzip(decodeBase64(take('recording')))));
    await read(new PageRecording(header, data.recordingOf), data.blocks);
  } catch (error) {
    failure.value = escapeText(error instanceof Error ? error.message : String(error));
  }
  loading.value = null;
}

async function read(opened: PageRecording, blocks: readonly PageBlock[]): Promise<void> {
  const { header } = opened;
  recording.value = opened;
  designId.value = header.design;
  const history = new History(opened, header.design, header.designs.find((d) => d.id === header.design)!.own);
  keepHistory(header.design, history);
  let next = performance.now() + SLICE;
  for (let k = 0; k < blocks.length; k++) {
    await damagedUnless(`block ${k + 1} of ${blocks.length} of its events cannot be read`, () => opened.add(blocks[k]));
    history.step(); // the block is decoded at the moment
    if (performance.now() > next) {
      loading.value = { phase: `reading ${header.events} events`, done: k, of: blocks.length };
      next = await breathe();
    }
  }
  if (!header.live) history.end();
  length.value = opened.length;
  position.value = opened.length;
  followLocation();
}

/** Returns what a step of reading gives; where it fails, the file is at fault. */
async function damagedUnless<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new Error(`the file is damaged or cut off, ${what} (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
}

/** Text of a data block of the page, which is not needed any more. */
function take(id: string): string {
  const element = document.getElementById(id);
  if (!element) throw new Error(`it has no ${id}`);
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
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error('what is in them is not gzip'); // browsers call it a failure to fetch
  }
}
