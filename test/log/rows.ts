/** Events for the tests of the log: one of each type with every member, and recordings that tell by each event which one it is. */
import { createInterned, EventBatch } from '../../events/batch.ts';
import { EVENT_TYPES, MEMBERS, type EventType, type Form } from '../../events/event-types.ts';
import { eventObject } from '../../events/ndjson.ts';
import { parseEvent } from '../../events/parse-event.ts';
import type { EventLog } from '../../log/event-log.ts';
import type { RecordingSource } from '../../log/import.ts';

const VALUE: Record<Form, unknown> = { address: '0xfedcba9876543210', size: '0xffffffffffff0000', number: 0xfffffffe, string: 'ünï\u0000çode 𝄞' };

/** Returns an event of this type as JSON has it, with every member it may have. */
export function fullEvent(type: EventType): Record<string, unknown> {
  const words = (n: number) => ({ type: n, word: `0x8000000${n}`, iova_cookie: `0xffff00000000000${n}`, iova_cookie_type: n + 1 });
  return {
    v: 1, time: '4294967295.999999999', cpu: 255, task: `task of ${type}`, pid: 4194304, line: 9007199254740991, type, domain: '0xffff0000046c9b20',
    ...Object.fromEntries(MEMBERS[type].map((m) => [m.name, VALUE[m.form]])),
    ...(MEMBERS[type].some((m) => m.name === 'group') ? { group: 7 } : {}),
    errno: -4095,
    before: { ...words(1), cookie_type: 2 }, after: { ...words(2), private_data_owner: 3 }, old: words(3),
  };
}

/** Returns a batch of these events. */
export function batchOf(events: readonly Record<string, unknown>[], batch = new EventBatch(createInterned())): EventBatch {
  for (const event of events) {
    const refused = parseEvent(JSON.stringify(event), batch);
    if (refused !== undefined) throw new Error(`${refused}: ${JSON.stringify(event)}`);
  }
  return batch;
}

/** Returns for each event type its barest and its fullest event. */
export function everyEvent(): Record<string, unknown>[] {
  return EVENT_TYPES.flatMap((type) => {
    const required = MEMBERS[type].filter((m) => m.required).map((m) => [m.name, VALUE[m.form]]);
    return [{ v: 1, type, domain: '0xffff000000000001', ...Object.fromEntries(required) }, fullEvent(type)];
  });
}

/** Returns all events of the log from `from` to `to` as objects, and checks that positions have no hole. */
export async function readEvents(log: EventLog, from = 1, to = Infinity): Promise<Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  const last = await log.read(from, to, createInterned(), (batch) => {
    if (batch.position !== from + events.length) throw new Error(`hole: position ${batch.position} after ${from + events.length - 1}`);
    for (let i = 0; i < batch.length; i++) events.push(eventObject(batch, i));
  });
  if (last !== from + events.length - 1) throw new Error(`read says it delivered up to ${last}, it was ${from + events.length - 1}`);
  return events;
}

/** Returns the events of a recording: `recording_started`, then maps whose `line` counts and whose `task` names the recording. */
export function recordingEvents(name: string, length: number, source = `${name}.txt`): Record<string, unknown>[] {
  return Array.from({ length }, (_, i) =>
    i === 0
      ? { v: 1, type: 'recording_started', format: 'ftrace-text', source }
      : { v: 1, task: name, line: i, type: 'iommu_map', domain: `0xffff${(i % 97).toString(16).padStart(4, '0')}`, iova: `0x${i.toString(16)}`, size: 4096 },
  );
}

/** Returns a source of these events, in batches of at most `rows` that share one `EventBatch`. */
export function sourceOf(events: readonly Record<string, unknown>[], rows = 4096): RecordingSource {
  return (consume) => {
    const batch = new EventBatch(createInterned());
    for (let at = 0; at < events.length; at += rows) {
      consume(batchOf(events.slice(at, at + rows), batch));
      batch.clear();
    }
  };
}
