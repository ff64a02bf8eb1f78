/**
 * Keeps the place that the page shows in the URL's fragment, and the page where the fragment says. Moving about rewrites the
 * fragment; a jump to an event that somebody chose from a list is a step in the browser's history, so that "back" undoes it.
 */
import { batch, effect, untracked } from '@preact/signals';
import { escapeText } from '../events/problem.ts';
import { notice } from './copy.ts';
import { NIL } from './recording.ts';
import { parseFragment, renderFragment, type Place } from './fragment.ts';
import { chosen, designId, goTo, length, markers, otherId, position, query, range, recording } from './store.ts';

/** How long the page must rest before the fragment follows: browsers refuse too many changes. Units: milliseconds. */
const REST = 250;

let timer: ReturnType<typeof setTimeout> | undefined;

/** Takes the place from the fragment, and follows from now on. Call when the recording has been read, before it is drawn. */
export function followLocation(): void {
  take();
  addEventListener('hashchange', take);
  addEventListener('pagehide', write);
  effect(() => {
    place();
    clearTimeout(timer);
    timer = setTimeout(write, REST);
  });
}

/** Returns a link to what the page shows now. */
export function linkHere(): string {
  return `${location.href.replace(/#.*$/s, '')}#${renderFragment(place())}`;
}

/** Returns a fragment, with its `#`, that shows another instant and a domain (null: the one that is looked at), and all else as it is now. */
export function linkTo(at: number, lane: { readonly domain: number; readonly generation: number } | null): string {
  // Whoever draws a link need not draw it again whenever the page moves.
  return untracked(() => `#${renderFragment({ ...place(), at, domain: laneText(lane ?? chosen.value) })}`);
}

/** Goes to an instant as a step that "back" undoes. `lane`: the domain to look at; null leaves it as it is. */
export function jumpTo(at: number, lane: { readonly domain: number; readonly generation: number } | null = null): void {
  write();
  step(renderFragment({ ...place(), at: at === recording.value.length ? null : at, domain: laneText(lane ?? chosen.value) }), true);
  batch(() => {
    goTo(at);
    if (lane !== null) chosen.value = lane;
  });
}

function place(): Place {
  const { header, length: end } = recording.value;
  void length.value;
  return {
    at: position.value === end ? null : position.value,
    domain: laneText(chosen.value),
    design: designId.value === header.design ? null : designId.value,
    beside: otherId.value,
    query: query.value,
    markers: markers.value,
    range: range.value,
  };
}

function laneText(lane: { readonly domain: number; readonly generation: number } | null): Place['domain'] {
  return lane === null ? null : { address: recording.value.interned.addresses.text(lane.domain), generation: lane.generation };
}

/** What the fragment names that the page does not have, as text. */
function notHere(noDomain: boolean, end: number): string[] {
  const named = new URLSearchParams(location.hash.slice(1));
  const missing: string[] = [];
  const check = (name: string, what: string, isHere: (value: string) => boolean): void => {
    const value = named.get(name);
    if (value !== null && !isHere(value)) missing.push(`${what} ${escapeText(value.slice(0, 40))}`);
  };
  const isDesign = (id: string): boolean => recording.value.header.designs.some((d) => d.id === id);
  check('at', 'event', (at) => /^\d{1,15}$/.test(at) && Number(at) <= end);
  check('domain', 'domain', () => !noDomain);
  check('design', 'design', isDesign);
  check('beside', 'design', isDesign);
  const known = ['at', 'domain', 'design', 'beside', 'q', 'a', 'b', 'range'];
  if (location.hash.length > 1 && !location.hash.startsWith('#part-') && !known.some((name) => named.has(name))) missing.push(`“${escapeText(location.hash.slice(1, 41))}”`);
  return missing;
}

function take(): void {
  // The page's own links to findings name them by their anchors.
  const finding = /^#finding-(\d{1,15})-\d{1,6}$/.exec(location.hash);
  const said = parseFragment(finding ? `#at=${finding[1]}` : location.hash);
  const { header, length: end } = recording.value;
  const known = (id: string | null): string | null => (header.designs.some((d) => d.id === id) ? id : null);
  batch(() => {
    goTo(said.at ?? end);
    designId.value = known(said.design) ?? header.design;
    otherId.value = known(said.beside);
    query.value = said.query;
    markers.value = said.markers;
    range.value = said.range;
    const domain = said.domain === null ? NIL : numberOfAddress(said.domain.address);
    chosen.value = domain === NIL ? null : { domain, generation: said.domain!.generation };
    const missing = finding && Number(finding[1]) <= end ? [] : notHere(domain === NIL, end);
    if (missing.length > 0) notice.value = `this link names ${missing.join(', ')}, which is not here: this is another place`;
  });
}

/** The table of addresses gives a number to whatever it is asked for, so a link's address is looked for by hand. */
function numberOfAddress(text: string): number {
  const { addresses } = recording.value.interned;
  for (let n = 0; n < addresses.size; n++) if (addresses.text(n) === text) return n;
  return NIL;
}

function write(): void {
  clearTimeout(timer);
  const fragment = renderFragment(place());
  if (fragment !== location.hash.slice(1)) step(fragment, false);
}

/** Changes the fragment. Where a browser refuses, the page goes on without. */
function step(fragment: string, add: boolean): void {
  const url = fragment === '' ? location.href.replace(/#.*$/s, '') : `#${fragment}`;
  try {
    if (add) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  } catch {
    // Too many changes in a short time, or a page without an address of its own.
  }
}
