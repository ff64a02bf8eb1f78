/**
 * Events out: a row of a batch as the JSON object of CONTRACT "An event". `parse-event.ts` is the way in;
 * what is printed and read again is the same row.
 */
import { HAS, type EventBatch } from './batch.ts';
import { DOMAIN_OPTIONAL, EVENT_TYPES, EVENT_VERSION, MEMBERS, WORD, WORD_SETS, type Member } from './event-types.ts';
import { escapeJson } from './problem.ts';
import { hex64 } from './tables.ts';
import { renderTime } from './time.ts';

/** Returns the JSON object of row `i`, without a newline. Members stand in a fixed order. */
export function renderEvent(batch: EventBatch, i: number): string {
  return escapeJson(JSON.stringify(eventObject(batch, i)));
}

/** Returns row `i` as the plain object that `renderEvent` prints. */
export function eventObject(batch: EventBatch, i: number): Record<string, unknown> {
  const present = batch.present[i];
  const { strings } = batch.interned;
  const out: Record<string, unknown> = { v: EVENT_VERSION };
  if (present & HAS.time) out['time'] = renderTime(batch.sec[i], batch.nsec[i], batch.digits[i]);
  if (present & HAS.cpu) out['cpu'] = batch.cpu[i];
  if (present & HAS.task) out['task'] = strings.values[batch.task[i]];
  if (present & HAS.pid) out['pid'] = batch.pid[i];
  if (present & HAS.line) out['line'] = batch.line[i];
  const type = EVENT_TYPES[batch.kind[i]];
  out['type'] = type;
  if (batch.domain[i] >= 0) out['domain'] = batch.interned.addresses.text(batch.domain[i]);
  else if (!DOMAIN_OPTIONAL.has(type)) out['domain'] = '0x0';
  for (const m of MEMBERS[type]) {
    if (present & HAS[m.slot]) out[m.name] = readMember(batch, i, m);
  }
  if (present & HAS.errno) out['errno'] = batch.errno[i];
  for (let set = 0; set < 3; set++) {
    const words = wordsObject(batch, i * 3 + set);
    if (words) out[WORD_SETS[set]] = words;
  }
  return out;
}

function readMember(batch: EventBatch, i: number, m: Member): unknown {
  switch (m.slot) {
    case 'a': return wide(batch, m, batch.aLo[i], batch.aHi[i]);
    case 'b': return wide(batch, m, batch.bLo[i], batch.bHi[i]);
    case 'c': return wide(batch, m, batch.cLo[i], batch.cHi[i]);
    case 'x': return batch.x[i];
    case 'y': return batch.y[i];
    case 'group': return batch.group[i];
    case 'device': return batch.interned.strings.values[batch.device[i]];
    case 'caller': return batch.interned.strings.values[batch.caller[i]];
  }
}

function wide(batch: EventBatch, m: Member, lo: number, hi: number): unknown {
  if (m.form === 'string') return batch.interned.strings.values[lo];
  if (m.form === 'size' && hi < 0x200000) return hi * 0x100000000 + lo;
  return hex64(lo, hi);
}

/** Returns word set `w` (`3 * row + set`) as an object by the members' C names, or undefined where nothing was observed. */
export function wordsObject(batch: EventBatch, w: number): Record<string, unknown> | undefined {
  const has = batch.words[w];
  if (has === 0) return undefined;
  const out: Record<string, unknown> = {};
  if (has & WORD.type) out['type'] = batch.wordType[w];
  if (has & WORD.cookie_type) out['cookie_type'] = batch.wordOwner[w];
  if (has & WORD.private_data_owner) out['private_data_owner'] = batch.wordOwner[w];
  if (has & WORD.word) out['word'] = hex64(batch.wordRaw[w], 0);
  if (has & WORD.iova_cookie) out['iova_cookie'] = hex64(batch.cookieLo[w], batch.cookieHi[w]);
  if (has & WORD.iova_cookie_type) out['iova_cookie_type'] = batch.cookieKind[w];
  return out;
}
