/**
 * The recording's bytes as the page carries them: pieces of base64 in elements of their own, together one gzip stream. They are
 * unpacked while the browser still reads the file.
 */
import { assert } from '../events/problem.ts';

/** Elements of the pieces are called so, with a number from 0 behind it. */
const PIECE = 'recording-';

/** Returns the text of a data block of the page, which is not needed any more. */
export function takeText(id: string): string {
  const element = document.getElementById(id);
  assert(element !== null, `the page has no ${id}`);
  const text = element.textContent;
  element.remove();
  return text.trim();
}

/** Returns the page's events as they are unpacked. Errors: its reader fails where the page is damaged. */
export function unpackedPieces(): ReadableStream<Uint8Array<ArrayBuffer>> {
  let n = 0;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller): Promise<void> {
      const id = `${PIECE}${n++}`;
      while (!isWhole(id) && document.readyState === 'loading') await breathe();
      if (document.getElementById(id) === null) controller.close();
      else controller.enqueue(decodeBase64(takeText(id)));
    },
  }, { highWaterMark: 1 });
  return packed.pipeThrough(new DecompressionStream('gzip'));
}

/** Lets the browser do what waits: draw the page, read more of the file, hear the keyboard. */
export function breathe(): Promise<void> {
  // Not requestAnimationFrame: that stands still in a tab in the background.
  return new Promise((resolve) => void setTimeout(resolve));
}

/** Whether the browser has read on behind a piece. */
function isWhole(id: string): boolean {
  const piece = document.getElementById(id);
  return piece !== null && piece.nextElementSibling !== null;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (native !== undefined) return native.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}
