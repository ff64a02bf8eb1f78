/**
 * Keeps the place that the page shows in the URL's fragment, and the page where the fragment says. Moving about rewrites the
 * fragment; a jump to an event that somebody chose from a list is a step in the browser's history, so that "back" undoes it.
 */
import { batch, effect, untracked } from '@preact/signals';
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

function take(): void {
  const said = parseFragment(location.hash);
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
