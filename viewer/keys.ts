/**
 * Keys: those that work on the whole page, and what the help says of all of them.
 */
import { signal } from '@preact/signals';

/** Whether the help is open. */
export const helpOpen = signal(false);

/** One row of the help: keys as they stand on the caps, and what they do. */
export interface KeyRow {
  readonly keys: readonly string[];
  readonly does: string;
}

/** All keys, by the part of the page they work in. */
export const KEYS: readonly { readonly where: string; readonly rows: readonly KeyRow[] }[] = [
  { where: 'anywhere outside of a text field', rows: [
    { keys: ['?'], does: 'this help' },
    { keys: ['/'], does: 'to the search field' },
    { keys: ['j', 'k'], does: 'next, previous event' },
    { keys: ['n', 'p'], does: 'next, previous finding among those listed' },
  ] },
  { where: 'the slider of the instant', rows: [
    { keys: ['←', '→'], does: 'one event back, forward' },
    { keys: ['Page Up', 'Page Down'], does: 'a stretch forward, back' },
    { keys: ['Home', 'End'], does: 'before the first event, after the last' },
  ] },
  { where: 'the timeline', rows: [
    { keys: ['+', '−'], does: 'closer, farther' },
    { keys: ['0'], does: 'all of the recording' },
    { keys: ['←', '→', '↑', '↓'], does: 'earlier, later; the domain above, below' },
    { keys: ['a', 'b'], does: 'marker A, marker B at the instant' },
    { keys: ['Esc'], does: 'markers away' },
  ] },
  { where: 'the search field', rows: [
    { keys: ['Esc'], does: 'empties it' },
  ] },
];

/** What a key does on the whole page. */
export type KeyActions = Readonly<Record<string, () => void>>;

/** Listens for keys on the whole page; those typed into a field, with a modifier, in a dialog or taken by a part are not ours. */
export function listen(actions: KeyActions): () => void {
  const down = (event: KeyboardEvent): void => {
    const action = actions[event.key];
    if (!action || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    action();
  };
  addEventListener('keydown', down);
  return () => removeEventListener('keydown', down);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
    || (target instanceof HTMLInputElement && !/^(?:range|checkbox|radio|button|submit)$/.test(target.type)));
}
