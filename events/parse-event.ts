/**
 * Events in: one JSON object a line → upcast → zod → a row of a batch. This is a border; the replay path never comes here.
 */
import { BATCH_CAPACITY, HAS, type EventBatch } from './batch.ts';
import { KIND, MEMBERS, WORD, WORD_SETS, type Member } from './event-types.ts';
import { EVENT_SCHEMAS, upcast, type Event } from './schema.ts';

/**
 * Parses one line and adds it to the batch.
 * Errors: returns why the line is refused, and what it should be; the batch is then unchanged.
 */
export function parseEvent(line: string, batch: EventBatch): string | undefined {
  if (batch.length >= BATCH_CAPACITY) throw new Error('batch is full');
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return 'not a JSON object';
  let lifted: Record<string, unknown>;
  try {
    lifted = upcast(json as Record<string, unknown>);
  } catch (error) {
    return (error as Error).message;
  }
  const type = lifted['type'];
  if (type === undefined) return '"type" is missing';
  if (typeof type !== 'string' || !Object.hasOwn(EVENT_SCHEMAS, type)) return `"type": ${JSON.stringify(type).slice(0, 80)} is not an event type`;
  const parsed = EVENT_SCHEMAS[type as keyof typeof EVENT_SCHEMAS].safeParse(lifted);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const missing = issue.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], lifted) === undefined;
    return `"${issue.path.join('.')}"${missing ? ' is missing' : `: ${issue.message}`}`;
  }
  addEvent(batch, parsed.data as Event);
  return undefined;
}

/** Adds a decoded event as a row. */
export function addEvent(batch: EventBatch, event: Event): number {
  const type = event.type;
  const i = batch.add(KIND[type]);
  const { strings, addresses } = batch.interned;
  let present = 0;
  if (event.time !== undefined) {
    const [sec, fraction = ''] = event.time.split('.');
    batch.sec[i] = Number(sec);
    batch.nsec[i] = Number(fraction.padEnd(9, '0'));
    batch.digits[i] = fraction.length;
    present |= HAS.time;
  }
  if (event.cpu !== undefined) {
    batch.cpu[i] = event.cpu;
    present |= HAS.cpu;
  }
  if (event.task !== undefined) {
    batch.task[i] = strings.intern(event.task);
    present |= HAS.task;
  }
  if (event.pid !== undefined) {
    batch.pid[i] = event.pid;
    present |= HAS.pid;
  }
  if (event.line !== undefined) {
    batch.line[i] = event.line;
    present |= HAS.line;
  }
  if (event.errno !== undefined) {
    batch.errno[i] = event.errno;
    present |= HAS.errno;
  }
  if (event.domain !== undefined && event.domain !== 0n) batch.domain[i] = addresses.intern(low(event.domain), high(event.domain));
  for (const m of MEMBERS[type]) {
    const value = event[m.name];
    if (value === undefined) continue;
    present |= HAS[m.slot];
    writeMember(batch, i, m, value as never);
  }
  batch.present[i] = present;
  for (let set = 0; set < 3; set++) {
    const w = event[WORD_SETS[set]] as Record<string, number | bigint> | undefined;
    if (w) writeWords(batch, i * 3 + set, w);
  }
  return i;
}

function writeMember(batch: EventBatch, i: number, m: Member, value: number | bigint | string): void {
  const { strings } = batch.interned;
  const lo = typeof value === 'bigint' ? low(value) : typeof value === 'string' ? strings.intern(value) : value;
  const hi = typeof value === 'bigint' ? high(value) : 0;
  switch (m.slot) {
    case 'a': batch.aLo[i] = lo; batch.aHi[i] = hi; return;
    case 'b': batch.bLo[i] = lo; batch.bHi[i] = hi; return;
    case 'c': batch.cLo[i] = lo; batch.cHi[i] = hi; return;
    case 'x': batch.x[i] = lo; return;
    case 'y': batch.y[i] = lo; return;
    case 'group': batch.group[i] = lo; return;
    case 'device': batch.device[i] = lo; return;
    case 'caller': batch.caller[i] = lo; return;
  }
}

function writeWords(batch: EventBatch, w: number, from: Record<string, number | bigint>): void {
  let has = 0;
  if (from['type'] !== undefined) {
    batch.wordType[w] = from['type'] as number;
    has |= WORD.type;
  }
  if (from['cookie_type'] !== undefined) {
    batch.wordOwner[w] = from['cookie_type'] as number;
    has |= WORD.cookie_type;
  }
  if (from['private_data_owner'] !== undefined) {
    batch.wordOwner[w] = from['private_data_owner'] as number;
    has = (has & ~WORD.cookie_type) | WORD.private_data_owner;
  }
  if (from['word'] !== undefined) {
    batch.wordRaw[w] = from['word'] as number;
    has |= WORD.word;
  }
  if (from['iova_cookie'] !== undefined) {
    batch.cookieLo[w] = low(from['iova_cookie'] as bigint);
    batch.cookieHi[w] = high(from['iova_cookie'] as bigint);
    has |= WORD.iova_cookie;
  }
  if (from['iova_cookie_type'] !== undefined) {
    batch.cookieKind[w] = from['iova_cookie_type'] as number;
    has |= WORD.iova_cookie_type;
  }
  batch.words[w] = has;
}

const low = (value: bigint): number => Number(value & 0xffffffffn);
const high = (value: bigint): number => Number(value >> 32n);
