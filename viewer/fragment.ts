/**
 * What a link to the page says behind its `#`, as text and as data: the instant, the domain, the designs, the query, the markers
 * and the part of the timeline. A fragment is written by anybody: what is malformed or out of range is as if it were not there.
 * Shape: `at=33&domain=0xffff0000035e9d20.1&design=v7.3&beside=v6.12&q=task:vt&a=0.1&b=0.25&range=0-0.5`; what is absent is as at the start.
 */
import { QUERY_CHARS } from './search-query.ts';

/** The part of the page's state that a link carries; null where it is as at the start. */
export interface Place {
  readonly at: number | null;
  readonly domain: { readonly address: string; readonly generation: number } | null;
  readonly design: string | null;
  readonly beside: string | null;
  readonly query: string;
  /** Units: seconds since the first event. */
  readonly markers: readonly [number | null, number | null];
  readonly range: readonly [number, number] | null;
}

/** Longest fragment that is looked at. Units: characters. */
const CHARS = 10_000;
/** Decimals of a time in seconds. */
const DECIMALS = 9;

/** Returns a fragment without its `#`; empty where everything is as at the start. */
export function renderFragment(place: Place): string {
  const { at, domain, design, beside, query, markers: [a, b], range } = place;
  const parts: readonly (readonly [string, string | null])[] = [
    ['at', at === null ? null : String(at)],
    ['domain', domain === null ? null : `${domain.address}.${domain.generation}`],
    ['design', design],
    ['beside', beside],
    ['q', query === '' ? null : query.slice(0, QUERY_CHARS).toWellFormed()],
    ['a', a === null ? null : seconds(a)],
    ['b', b === null ? null : seconds(b)],
    ['range', range === null ? null : `${seconds(range[0])}-${seconds(range[1])}`],
  ];
  return parts.flatMap(([name, value]) => (value === null ? [] : [`${name}=${escaped(value)}`])).join('&');
}

/** Returns what a fragment says, with or without its `#`. Ids, addresses and positions need not exist. */
export function parseFragment(fragment: string): Place {
  const said = new URLSearchParams(fragment.slice(0, CHARS).replace(/^#/, ''));
  const match = (name: string, pattern: RegExp): RegExpExecArray | null => pattern.exec(said.get(name) ?? '');
  const at = match('at', /^\d{1,15}$/);
  const domain = match('domain', /^(0x[\da-f]{1,16})\.(\d{1,9})$/);
  const range = match('range', /^(\d{1,15}(?:\.\d+)?)-(\d{1,15}(?:\.\d+)?)$/);
  const marker = (name: string): number | null => numberOf(match(name, /^-?\d{1,15}(\.\d+)?$/)?.[0]);
  const id = (name: string): string | null => match(name, /^[\w.-]{1,64}$/)?.[0] ?? null;
  const [from, to] = [Number(range?.[1] ?? 0), Number(range?.[2] ?? 0)];
  return {
    at: numberOf(at?.[0]),
    domain: domain === null ? null : { address: domain[1], generation: Number(domain[2]) },
    design: id('design'),
    beside: id('beside'),
    query: (said.get('q') ?? '').slice(0, QUERY_CHARS),
    markers: [marker('a'), marker('b')],
    range: from < to ? [from, to] : null,
  };
}

function numberOf(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function seconds(value: number): string {
  return value.toFixed(DECIMALS).replace(/\.?0+$/, '');
}

/** Readable in a mail: only what would end the value, or the link, is escaped. */
function escaped(value: string): string {
  return encodeURIComponent(value).replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/');
}
