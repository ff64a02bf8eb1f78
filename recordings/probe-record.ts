/**
 * What of a binary record is used: the fields of a probe by where they lie, out of the event's format. Fields have the C
 * names and aliases of `probe-line.ts`; the addresses are __probe_ip (entry), or __probe_func and __probe_ret_ip (return).
 */
import type { EventFormat, FormatField } from './event-format.ts';
import { F, fieldTable, hashName, tracepointTable } from './probe-line.ts';
import { functionOfEvent } from './probe-names.ts';

/** One field that is used. Units: bytes from the beginning of the record. */
export interface RecordField {
  readonly field: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly signed: boolean;
}

/** One event that may be of interest. */
export interface ProbeRecord {
  readonly id: number;
  /** Number of `TP`, or -1 for a probe. */
  readonly tracepoint: number;
  readonly isReturn: boolean;
  /** The function by the event's name, for files without symbols; -1 where the name says nothing. */
  readonly named: number;
  /** Where the function's address lies, and the caller's, -1 for none. */
  readonly functionAt: number;
  readonly callerAt: number;
  readonly fields: readonly RecordField[];
  /** Those that lie in whole 32-bit words, as `ProbeLine.fill` takes them; `wide` numbers of it are of 64-bit fields. */
  readonly plan: Int32Array;
  readonly wide: number;
  /** The others: small, or across two words. */
  readonly odd: readonly RecordField[];
  /** Where the string of the device is told, -1 for nowhere. */
  readonly deviceAt: number;
  /** Bytes that a record must have. */
  readonly size: number;
  /** What was found for the function's address of the record before: most records repeat it. */
  functionLo: number;
  functionHi: number;
  fn: number;
}

/** Returns how the records of an event are read, or null where they say nothing of domains. */
export function probeRecord(format: EventFormat): ProbeRecord | null {
  const named = (name: string): FormatField | undefined => format.fields.find((field) => field.name === name);
  const func = named('__probe_func');
  const ip = func ?? named('__probe_ip');
  const tracepoint = format.system === 'iommu' ? tracepointTable.find(hashName(format.name), format.name.length) : -1;
  if (tracepoint < 0 && (ip === undefined || ip.size !== 8 || ip.offset % 4 !== 0)) return null;
  let fields = format.fields.flatMap((field) => used(field) ?? []);
  if (fields.some(({ field }) => field === F.ctype)) fields = fields.filter(({ field }) => field !== F.cookie);
  const plain = fields.filter(({ field }) => field !== F.dev);
  const wide = plain.filter(({ size, offset }) => size === 8 && offset % 4 === 0);
  const narrow = plain.filter(({ size, offset }) => size === 4 && offset % 4 === 0);
  const back = func ? named('__probe_ret_ip') : undefined;
  const callerAt = back !== undefined && back.size === 8 && back.offset % 4 === 0 ? back.offset : -1;
  return {
    id: format.id, tracepoint, isReturn: func !== undefined, named: functionOfEvent(format.name), functionAt: ip?.offset ?? -1, callerAt, fields,
    plan: Int32Array.from([...wide, ...narrow].flatMap(({ field, offset, signed, size }) => [signed && size === 4 ? ~field : field, offset >>> 2])),
    wide: wide.length * 2,
    odd: plain.filter((field) => !wide.includes(field) && !narrow.includes(field)),
    deviceAt: fields.find(({ field }) => field === F.dev)?.offset ?? -1,
    size: Math.max(8, (ip?.offset ?? -8) + 8, callerAt < 0 ? 0 : callerAt + 8, ...fields.map(({ offset, size }) => offset + size)),
    functionLo: 0, functionHi: 0, fn: -2,
  };
}

function used({ name, type, offset, size, signed }: FormatField): RecordField | null {
  const field = fieldTable.find(hashName(name), name.length);
  if (field < 0) return null;
  // Only the device is a string; its field holds where it lies.
  if ((field === F.dev) !== type.startsWith('__data_loc')) return null;
  return size === 1 || size === 2 || size === 4 || size === 8 ? { field, offset, size, signed } : null;
}
