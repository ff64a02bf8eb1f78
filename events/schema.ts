/**
 * One zod schema an event type, a closed discriminated union. Schemas stand at the border (NDJSON, sockets);
 * columnar batches inside are trusted. Addresses are `0x…` text outside and bigint inside (`z.codec`).
 * `v` is the version of the shape; `upcast` lifts an older one to the newest before it is parsed.
 */
import { z } from 'zod';
import { time as timePattern } from './time.ts';
import { DOMAIN_OPTIONAL, EVENT_TYPES, EVENT_VERSION, MEMBERS, type EventType, type Form } from './event-types.ts';

const ADDRESS = 'an address is a 0x… hex string of at most 16 digits';
const TIME = 'a time is decimal seconds, as "173.746083"';

/** `0x…` text ↔ bigint, at most 64 bits. */
export const address = z.codec(
  z.string(ADDRESS).regex(/^0x[0-9a-fA-F]{1,16}$/, ADDRESS),
  z.bigint().min(0n).max(0xffffffffffffffffn),
  { decode: (text) => BigInt(text), encode: (value) => `0x${value.toString(16)}` },
);

/** Seconds as decimal text with the recording's own precision. */
export const time = z.string(TIME).regex(timePattern, TIME).refine((text) => Number.parseInt(text, 10) <= 0xffffffff, 'a time is at most 4294967295 seconds');

const whole = (least: number, most: number): z.ZodNumber => {
  const form = `a whole number from ${least} to ${most}`;
  return z.number(form).int(form).min(least, form).max(most, form);
};
const u32 = z.union([
  whole(0, 0xffffffff),
  z.string().regex(/^0x[0-9a-fA-F]{1,8}$/).transform(Number),
], 'a whole number from 0 to 4294967295, or a 0x… hex string of at most 8 digits');
const size = z.union([
  whole(0, Number.MAX_SAFE_INTEGER).transform(BigInt),
  z.string().regex(/^0x[0-9a-fA-F]{1,16}$/).transform(BigInt),
], 'a whole number of bytes, or a 0x… hex string of at most 16 digits');
const TEXT = 'a string of at most 4096 characters';
const text = z.string(TEXT).max(4096, TEXT);

/** Observed words of `struct iommu_domain`; `word` is the packed u32 as the machine reads it. */
export const words = z.object({
  type: u32.optional(),
  cookie_type: u32.optional(),
  private_data_owner: u32.optional(),
  word: u32.optional(),
  iova_cookie: address.optional(),
  iova_cookie_type: u32.optional(),
}, 'an object with the words that were observed');

const common = {
  v: z.literal(EVENT_VERSION),
  time: time.optional(),
  cpu: whole(0, 0x7fffffff).optional(),
  task: text.optional(),
  pid: whole(0, 0x7fffffff).optional(),
  line: whole(1, Number.MAX_SAFE_INTEGER).optional(),
  errno: whole(-4095, 0).optional(),
  before: words.optional(),
  after: words.optional(),
  old: words.optional(),
};

const FORMS: Readonly<Record<Form, z.ZodType>> = { address, size, number: u32, string: text };

/** Group ids are C ints, and their column is signed. */
const group = whole(0, 0x7fffffff);

function schemaOf(type: EventType) {
  const shape: Record<string, z.ZodType> = {};
  for (const m of MEMBERS[type]) {
    const form = m.slot === 'group' ? group : FORMS[m.form];
    shape[m.name] = m.required ? form : form.optional();
  }
  return z.object({
    ...common,
    type: z.literal(type),
    domain: DOMAIN_OPTIONAL.has(type) ? address.optional() : address,
    ...shape,
  });
}

/** Schema of each event type, by its name. Unknown members are dropped. */
export const EVENT_SCHEMAS = Object.fromEntries(EVENT_TYPES.map((t) => [t, schemaOf(t)])) as Record<
  EventType,
  ReturnType<typeof schemaOf>
>;

/** The closed union of all events, told apart by `type`. */
export const eventSchema = z.discriminatedUnion(
  'type',
  EVENT_TYPES.map((t) => EVENT_SCHEMAS[t]) as unknown as [ReturnType<typeof schemaOf>, ...ReturnType<typeof schemaOf>[]],
);

/** A decoded event: addresses are bigint. Members beyond the common ones are in `MEMBERS[type]`. */
export type Event = z.output<typeof eventSchema> & { readonly [member: string]: unknown };

/** Lifts one step: entry n takes the shape of version n and returns that of version n + 1. */
export type Upcaster = (event: Record<string, unknown>) => Record<string, unknown>;

/** Upcasters by the version they lift from. Version 0 (before `v` was written) differs by the missing `v` only. */
export const UPCASTERS: readonly Upcaster[] = [(event) => ({ ...event, v: 1 })];

/** Returns the event lifted to the newest version. Throws for a version from the future. */
export function upcast(event: Record<string, unknown>): Record<string, unknown> {
  let version = event['v'] === undefined ? 0 : event['v'];
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0) throw new Error('"v" is not a version number');
  if (version > EVENT_VERSION) throw new Error(`"v": ${version} is newer than this program understands (${EVENT_VERSION})`);
  for (; version < EVENT_VERSION; version++) event = UPCASTERS[version](event);
  return event;
}
