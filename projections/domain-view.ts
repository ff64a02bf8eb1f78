/**
 * What `replay` shows of a domain: state, packed word, MSI pages, devices and groups, as the small object that people and
 * programs read (CONTRACT "replay --format json"). Made on demand from the rows; never on the replay path.
 */
import type { Interned } from '../events/batch.ts';
import { hex64 } from '../events/tables.ts';
import { COOKIE, FLAG } from '../machines/domain-rows.ts';
import { DOMAIN_TYPE_NAMES, type DesignId } from '../machines/designs/struct-layouts.ts';
import { STATE, STATES, TYPE_UNKNOWN, type State } from '../machines/states.ts';
import { NONE } from '../machines/transition-table.ts';
import type { Audit } from './audit.ts';
import { encodeWord, type Arch, type Word } from './domain-struct.ts';

/** One MSI page of a domain. Units: bytes. */
export interface PageView {
  readonly iova: string;
  readonly phys: string;
  readonly size: number;
  readonly position: number;
}

/** One domain as people and programs read it. */
export interface DomainView {
  readonly domain: string;
  readonly generation: number;
  readonly state: State;
  /** null where nothing told it. */
  readonly type: { readonly value: number; readonly name: string } | null;
  /** The type word and, in designs that have one, the cookie_type word; null where type or owner is not known. */
  readonly word: { readonly offset: number; readonly bytes: string; readonly fields: Word['fields'] } | null;
  readonly msi_pages: readonly PageView[];
  readonly msi_next: string | null;
  readonly devices: readonly string[];
  readonly groups: readonly number[];
  readonly first: number;
  readonly last: number;
}

/** Returns the view of row `d`. */
export function domainView(audit: Audit, interned: Interned, d: number, arch: Arch): DomainView {
  const { rows, incarnations, attachments } = audit;
  const state = rows.state[d];
  const type = rows.type[d];
  const generation = incarnations.generation[d];
  const { devices, groups } = attachments.on(d, generation);
  const msiNext = rows.cookie[d] === COOKIE.msi && rows.flags[d] & FLAG.msiNextKnown && state !== STATE.freed;
  return {
    domain: interned.addresses.text(d),
    generation,
    state: STATES[state],
    type: type === TYPE_UNKNOWN ? null : { value: type, name: DOMAIN_TYPE_NAMES.get(type) ?? 'unknown' },
    word: wordOf(audit, d, arch),
    msi_pages: pagesOf(audit, d),
    msi_next: msiNext ? hex64(rows.msiNextLo[d], rows.msiNextHi[d]) : null,
    devices: devices.map((n) => interned.strings.values[n]).toSorted(),
    groups: groups.toSorted((a, b) => a - b),
    first: incarnations.first[d],
    last: incarnations.last[d],
  };
}

/** Returns the views of all domains that are alive, in the order of their numbers; `ended` are put where they belong. */
export function aliveViews(audit: Audit, interned: Interned, arch: Arch): DomainView[] {
  const views: DomainView[] = [];
  for (let d = 0; d < audit.incarnations.size; d++) {
    if (audit.incarnations.born[d] !== 0 && audit.rows.state[d] !== STATE.freed) views.push(domainView(audit, interned, d, arch));
  }
  return views.sort((a, b) => a.first - b.first);
}

/** Returns the word that the design has in memory in this state; the owner of freed memory is not defined. */
function wordOf(audit: Audit, d: number, arch: Arch): DomainView['word'] {
  const { rows, design } = audit;
  const type = rows.type[d];
  const state = STATES[rows.state[d]];
  if (type === TYPE_UNKNOWN) return null;
  if (design.ownerMember === 'none') return encodeWord(design.id as DesignId, arch, { type });
  if (state === 'unknown' || state === 'freed') return null;
  const width = design.ownerBits === 0 ? {} : { ownerBits: design.ownerBits };
  return encodeWord(design.id as DesignId, arch, { type, [design.ownerMember]: design.ownerValues[state] }, width);
}

function pagesOf(audit: Audit, d: number): PageView[] {
  const { rows } = audit;
  const { pages } = rows;
  const views: PageView[] = [];
  for (let p = rows.pageHead[d]; p !== NONE; p = pages.next[p]) {
    views.push({
      iova: hex64(pages.iovaLo[p], pages.iovaHi[p]),
      phys: hex64(pages.physLo[p], pages.physHi[p]),
      size: pages.sizeHi[p] * 0x100000000 + pages.sizeLo[p],
      position: pages.position[p],
    });
  }
  return views;
}
