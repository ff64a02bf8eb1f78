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
    { keys: ['n', 'p'], does: 'next, previous finding that is listed' },
  ] },
  { where: 'in the search field', rows: [
    { keys: ['Esc'], does: 'empties it' },
  ] },
  { where: 'on the timeline', rows: [
    { keys: ['↑', '↓'], does: 'lane above, below' },
    { keys: ['Page Up', 'Page Down'], does: 'lanes by the page' },
    { keys: ['←', '→'], does: 'event of the chosen lane; without one: pan' },
    { keys: ['Shift ←', 'Shift →'], does: 'change of its state' },
    { keys: ['Ctrl ←', 'Ctrl →'], does: 'pan' },
    { keys: ['Home', 'End'], does: 'first and last event of the lane, or the recording’s ends' },
    { keys: ['+', '−'], does: 'zoom' },
    { keys: ['0'], does: 'all of the recording' },
    { keys: ['Enter'], does: 'the lane’s life' },
    { keys: ['[', ']'], does: 'lower, higher lanes' },
    { keys: ['a', 'b'], does: 'marker A, B at the instant' },
    { keys: ['Esc'], does: 'clears the markers, then the lane' },
  ] },
  { where: 'in the bar of the instant', rows: [
    { keys: ['j', 'k'], does: 'next, previous event; on the slider also the arrows' },
    { keys: ['Page Down', 'Page Up'], does: 'ten events forward, back' },
    { keys: ['Home', 'End'], does: 'on the slider: before the first event, after the last' },
    { keys: ['n', 'p'], does: 'next, previous finding' },
    { keys: [']', '['], does: 'next, previous event of the domain' },
  ] },
  { where: 'in the bar of the comparison', rows: [
    { keys: ['n', 'p'], does: 'next, previous difference' },
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
