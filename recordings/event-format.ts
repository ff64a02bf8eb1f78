/**
 * The `format` files of trace events as a trace.dat carries them: id, name, and where each field lies in a record.
 * Printed by kernel/trace/trace_events.c (f_show): "field:TYPE NAME;\toffset:N;\tsize:N;\tsigned:N;".
 */

/** One field of a record. Units: bytes. */
export interface FormatField {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

/** One event. */
export interface EventFormat {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: readonly FormatField[];
}

const FIELD = /^\tfield:(.{1,200}?)\s*\b(\w+)(?:\[[^\]\n]*\])?;\s*offset:(\d{1,6});\s*size:(\d{1,6});(?:\s*signed:(\d);)?/gm;

/** Returns the event that a format file describes, or null where it is none. */
export function parseEventFormat(system: string, text: string): EventFormat | null {
  const name = /^name: (\S{1,128})$/m.exec(text);
  const id = /^ID: (\d{1,6})$/m.exec(text);
  if (!name || !id) return null;
  const fields = [...text.matchAll(FIELD)].map(([, type, field, offset, size, signed]) => ({
    name: field, type, offset: Number(offset), size: Number(size), signed: signed === '1',
  }));
  return { system, name: name[1], id: Number(id[1]), fields };
}
