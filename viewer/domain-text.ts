/**
 * What the page says of a domain, field by field: the same object that `replay --at POSITION --format json` prints, as text.
 * The elements `data-field="…"` of the page hold exactly these texts.
 */
import { escapeText } from '../events/problem.ts';
import type { DomainView, PageView } from '../projections/domain-view.ts';

/** Fields of a domain in the order in which they are shown. */
export const FIELDS = ['state', 'type', 'word', 'msi_pages', 'msi_next', 'devices', 'groups', 'first', 'last'] as const;
/** Name of one of them. */
export type Field = (typeof FIELDS)[number];

/** Text of a list without members. */
export const NOTHING = 'none';
/** Text of what nothing has told. */
export const UNTOLD = 'unknown';

/** Returns `0x…#G`. */
export function domainName(view: { readonly domain: string; readonly generation: number }): string {
  return `${view.domain}#${view.generation}`;
}

/** Returns one MSI page as a line. */
export function pageText({ iova, phys, size, position }: PageView): string {
  return `${iova} -> ${phys} size 0x${size.toString(16)} (event ${position})`;
}

/** Returns the text of every field of a domain. */
export function fieldTexts(view: DomainView): Readonly<Record<Field, string>> {
  const { type, word } = view;
  return {
    state: view.state,
    type: type === null ? UNTOLD : `${type.name} (0x${type.value.toString(16)})`,
    word: word === null ? UNTOLD : `${groupBytes(word.bytes)} ${Object.entries(word.fields).map(([name, value]) => `${name}=${value}`).join(' ')}`,
    msi_pages: listed(view.msi_pages.map(pageText), '; '),
    msi_next: view.msi_next ?? NOTHING,
    devices: listed(view.devices.map(escapeText), ' '),
    groups: listed(view.groups.map(String), ' '),
    first: String(view.first),
    last: String(view.last),
  };
}

/** Returns `0100004000000000` as `01000040 00000000`: memory order, a u32 a group. */
export function groupBytes(bytes: string): string {
  return bytes.replace(/(.{8})(?=.)/g, '$1 ');
}

function listed(texts: readonly string[], between: string): string {
  return texts.length === 0 ? NOTHING : texts.join(between);
}
