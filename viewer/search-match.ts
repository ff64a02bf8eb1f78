/**
 * Which events, lanes and findings a query's words match. Each distinct string is looked at once a word; then one pass a column
 * over all events. An event matches when every word matches something of it; a lane, when every word matches some event on it.
 * A device is matched by the events that name it and by those that name none on the domain it was last put on.
 */
import { EVENT_TYPES, KIND } from '../events/event-types.ts';
import { RULES, type Severity } from '../machines/rules.ts';
import { STATES } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';
import type { Lanes } from './lanes.ts';
import { NIL, type PageRecording } from './recording.ts';
import { NO_STATE, type RowIndex } from './row-index.ts';
import { isAtLeast, type Field, type Word } from './search-query.ts';

/** What a search runs over. */
export interface Searched {
  readonly recording: PageRecording;
  readonly lanes: Lanes;
  readonly index: RowIndex;
  readonly findings: readonly Finding[];
}

/** What a search found. */
export interface Matches {
  /** By lane: 1 where it is shown. */
  readonly lanes: Uint8Array;
  readonly laneCount: number;
  /** Positions of the events. */
  readonly events: Int32Array;
  readonly findings: readonly Finding[];
}

/** Returns what matches all words. */
export function search(words: readonly Word[], searched: Searched): Matches {
  const { recording, lanes, index, findings } = searched;
  const rows = new Uint8Array(recording.length).fill(1);
  const shown = new Uint8Array(lanes.list.length).fill(1);
  const listed = new Uint8Array(findings.length).fill(1);
  for (const word of words) {
    const hit = rowsOf(word, searched);
    const rules = rulesOf(word);
    // The first is of the events without a lane.
    const onLane = new Uint8Array(lanes.list.length + 1);
    const own = findings.map((f) => isOf(f, word, rules));
    findings.forEach((f, k) => {
      if (!own[k] && hit[f.position - 1] === 0) listed[k] = 0;
    });
    // Now that each finding has been judged by itself: an event is of its findings' rules and severity.
    findings.forEach((f, k) => {
      if (own[k]) hit[f.position - 1] = 1;
    });
    scatter(onLane, index.lane, hit);
    keep(rows, hit);
    keep(shown, onLane.subarray(-NIL));
  }
  return { lanes: shown, laneCount: sum(shown), events: positions(rows), findings: findings.filter((_, k) => listed[k] === 1) };
}

function looksAt(word: Word, field: Field): boolean {
  return word.field === null ? field !== 'severity' : word.field === field;
}

/** Rules that a word names: the one of this id, else all that have it in theirs. */
function rulesOf(word: Word): ReadonlySet<string> {
  if (!looksAt(word, 'rule')) return new Set();
  const ids = RULES.map(({ id }) => id);
  return new Set(word.field === 'rule' && ids.includes(word.text) ? [word.text] : ids.filter((id) => id.includes(word.text)));
}

/** Whether a finding is what a word asks for, besides what its event is. */
function isOf(f: Finding, word: Word, rules: ReadonlySet<string>): boolean {
  switch (word.field) {
    case 'severity': return isAtLeast(f.severity, word.text as Severity);
    case 'rule': return rules.has(f.rule);
    case 'domain': return isDomain(f, word.text);
    case 'state': return [f.before, f.after].some((state) => state !== null && isState(state, word.text));
    case null: return rules.has(f.rule) || isDomain(f, word.text) || f.message.toLowerCase().includes(word.text);
    default: return false;
  }
}

function isDomain(f: Finding, text: string): boolean {
  return f.domain !== null && isAddress(f.domain, f.generation ?? 0, text);
}

/** `unowned` is not `dma_owned`: the whole name, or what is in it and is no name itself. */
function isState(state: string, text: string): boolean {
  return state === text || (!(STATES as readonly string[]).includes(text) && state.includes(text));
}

/** `0x…#2` is one incarnation, anything else a piece of the address. */
function isAddress(address: string, generation: number, text: string): boolean {
  const hash = text.indexOf('#');
  return hash < 0 ? address.includes(text) : address === text.slice(0, hash) && (hash === text.length - 1 || String(generation) === text.slice(hash + 1));
}

/** By row: 1 where something of the event, its findings apart, is what a word asks for. */
function rowsOf(word: Word, { recording, lanes, index }: Searched): Uint8Array {
  const hit = new Uint8Array(recording.length);
  const { strings, addresses } = recording.interned;
  const inStrings = looksAt(word, 'task') || looksAt(word, 'fn') || looksAt(word, 'device');
  const texts = inStrings ? flags(strings.values.length, (n) => strings.values[n].toLowerCase().includes(word.text)) : new Uint8Array();
  if (looksAt(word, 'task')) {
    mark(hit, recording.task, texts);
    markPids(hit, recording, word.text);
  }
  if (looksAt(word, 'fn')) {
    mark(hit, recording.caller, texts);
    mark(hit, recording.kind, flags(EVENT_TYPES.length, (n) => EVENT_TYPES[n].includes(word.text)));
  }
  if (looksAt(word, 'device')) {
    mark(hit, recording.device, texts);
    markAttached(hit, recording, texts);
  }
  if (looksAt(word, 'domain') && /^(0x)?[0-9a-f]*(#\d*)?$/.test(word.text)) {
    if (word.text.includes('#')) mark(hit, index.lane, flags(lanes.list.length, (n) => isAddress(addresses.text(lanes.list[n].domain), lanes.list[n].generation, word.text)));
    else mark(hit, recording.domain, flags(addresses.size, (n) => addresses.text(n).includes(word.text)));
  }
  if (looksAt(word, 'state')) {
    const states = flags(NO_STATE + 1, (n) => n < STATES.length && isState(STATES[n], word.text));
    mark(hit, index.before, states);
    mark(hit, index.after, states);
  }
  return hit;
}

/** Marks the lanes of the rows that are hit. */
function scatter(onLane: Uint8Array, lane: Int32Array, hit: Uint8Array): void {
  for (let row = hit.indexOf(1); row >= 0 && row < hit.length; row++) onLane[lane[row] - NIL] |= hit[row];
}

/** Takes away what is not kept. */
function keep(bits: Uint8Array, kept: Uint8Array): void {
  for (let n = 0; n < bits.length; n++) bits[n] &= kept[n];
}

function flags(length: number, is: (n: number) => boolean): Uint8Array {
  const table = new Uint8Array(length);
  for (let n = 0; n < length; n++) if (is(n)) table[n] = 1;
  return table;
}

/** Marks the rows whose number in a column is flagged. Without a branch, which costs more than the store. */
function mark(hit: Uint8Array, column: Int32Array | Uint8Array, flagged: Uint8Array): void {
  if (!flagged.includes(1)) return;
  const table = new Uint8Array(flagged.length + 1);
  table.set(flagged, -NIL);
  if (column instanceof Int32Array) for (let row = 0; row < hit.length; row++) hit[row] |= table[column[row] - NIL];
  else for (let row = 0; row < hit.length; row++) hit[row] |= table[column[row] - NIL];
}

/** `842` is a pid, `vt-842` a task and its pid, as they are printed. */
function markPids(hit: Uint8Array, recording: PageRecording, text: string): void {
  const [, name, digits] = /^(.*?-)?(\d{1,10})$/.exec(text) ?? [];
  if (digits === undefined) return;
  const pid = Number(digits);
  const { values } = recording.interned.strings;
  const named = name === undefined ? null : flags(values.length, (n) => values[n].toLowerCase().endsWith(name.slice(0, -1)));
  for (let row = 0; row < hit.length; row++) {
    if (recording.pid[row] === pid && (named === null || (recording.task[row] >= 0 && named[recording.task[row]] === 1))) hit[row] = 1;
  }
}

/** Marks the events without a device of their own on domains that a flagged device was put on. */
function markAttached(hit: Uint8Array, recording: PageRecording, flagged: Uint8Array): void {
  if (!recording.interned.strings.values.some((_, n) => flagged[n] === 1)) return;
  const { kind, domain, device } = recording;
  const domainOf = new Map<number, number>();
  const devices = new Int32Array(recording.interned.addresses.size);
  for (let row = 0; row < hit.length; row++) {
    const dev = device[row];
    const d = domain[row];
    if (dev >= 0) {
      if (flagged[dev] === 0) continue;
      const moves = kind[row] === KIND.iommu_group_set_domain && d >= 0;
      if (!moves && kind[row] !== KIND.iommu_release_device) continue;
      const old = domainOf.get(dev);
      if (old !== undefined) devices[old]--;
      domainOf.delete(dev);
      if (!moves) continue;
      domainOf.set(dev, d);
      devices[d]++;
    } else if (d >= 0 && devices[d] > 0) hit[row] = 1;
  }
}

function positions(rows: Uint8Array): Int32Array {
  const found = new Int32Array(sum(rows) + 1);
  let n = 0;
  for (let row = 0; row < rows.length; row++) {
    found[n] = row + 1;
    n += rows[row];
  }
  return found.subarray(0, n);
}

function sum(bits: Uint8Array): number {
  let count = 0;
  for (let n = 0; n < bits.length; n++) count += bits[n];
  return count;
}
