/**
 * The clipboard, and the sentences that a screen reader is told and the page shows for a moment.
 */
import { signal } from '@preact/signals';

/** What was done last, for the live region. */
export const notice = signal('');

/** Copies text and says so. */
export async function copy(text: string, what: string): Promise<void> {
  notice.value = '';
  notice.value = (await written(text)) ? `${what} copied` : `${what} could not be copied: the browser does not allow it`;
}

async function written(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return typed(text);
  }
}

/** The way of browsers without a clipboard for pages from files. */
function typed(text: string): boolean {
  const area = document.createElement('textarea');
  const { activeElement } = document;
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  return done;
}
