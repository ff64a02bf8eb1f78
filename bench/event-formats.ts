/**
 * Event formats as a kernel writes them under events/SYSTEM/EVENT/format, and how the fields lie in a record.
 * A probe's fields are taken from the first line that it prints: the C type follows from the field's name and from how its
 * value looks, the offset from what stands before it (probe events are packed, tracepoints are not).
 * Truth: the EVENT FORMATS section of own72n/iommufd.trace.dat (kernel 7.2.13); kernel/trace/trace_probe.c `set_print_fmt`.
 */

/** How a value is stored, and how it is printed: x for 0x…, u and s for decimals, `string` for __data_loc. */
export type Kind = 'x64' | 'u64' | 'x32' | 'u32' | 's32' | 'u8' | 'string';

/** One field of an event. */
export interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly offset: number;
}

/** One event: number, fields after the common ones (those of the code address included in `start`), and size without strings. */
export interface Format {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly what: 'entry' | 'return' | 'tracepoint' | 'print';
  readonly fields: readonly Field[];
  readonly size: number;
  readonly text: string;
}

const SIZE: Readonly<Record<Kind, number>> = { x64: 8, u64: 8, x32: 4, u32: 4, s32: 4, u8: 1, string: 4 };
const C_TYPE: Readonly<Record<Kind, string>> = { x64: 'u64', u64: 'u64', x32: 'u32', u32: 'u32', s32: 's32', u8: 'u8', string: '__data_loc char[]' };
const PRINTED: Readonly<Record<Kind, string>> = { x64: '0x%Lx', u64: '%Lu', x32: '0x%x', u32: '%u', s32: '%d', u8: '%u', string: String.raw`\"%s\"` };

/** Fields printed in hex that have 32 bits, with or without a prefix as in `old_dtype`. */
const HEX_32 = /^(\w+_)?(want|flags|prot|alo|ahi|data|dtype)$/;
const DECIMAL: Readonly<Record<string, Kind>> = { ret: 's32', iova_pfn: 'u64', shift: 'u64', npar: 'u8' };

function kindOf(name: string, value: string): Kind {
  if (value.startsWith('"')) return 'string';
  if (value.startsWith('0x')) return HEX_32.test(name) ? 'x32' : 'x64';
  return DECIMAL[name] ?? 'u32';
}

/** Bytes of the common fields. */
export const COMMON = 8;

function describe(type: string, name: string, offset: number, size: number, signed: boolean): string {
  return `\tfield:${type} ${name};\toffset:${offset};\tsize:${size};\tsigned:${signed ? 1 : 0};\n`;
}

function formatText(name: string, id: number, fields: string, print: string): string {
  const common = describe('unsigned short', 'common_type', 0, 2, false) + describe('unsigned char', 'common_flags', 2, 1, false)
    + describe('unsigned char', 'common_preempt_count', 3, 1, false) + describe('int', 'common_pid', 4, 4, true);
  return `name: ${name}\nID: ${id}\nformat:\n${common}\n${fields}\nprint fmt: ${print}\n`;
}

/** Returns the format of a probe that prints these `name=value` words. */
export function probeFormat(name: string, id: number, isReturn: boolean, words: readonly string[]): Format {
  const codes = isReturn ? ['__probe_func', '__probe_ret_ip'] : ['__probe_ip'];
  let text = codes.map((code, i) => describe('unsigned long', code, COMMON + i * 8, 8, false)).join('');
  let offset = COMMON + codes.length * 8;
  const fields = words.map((word): Field => {
    const at = word.indexOf('=');
    const field = { name: word.slice(0, at), kind: kindOf(word.slice(0, at), word.slice(at + 1)), offset };
    const size = SIZE[field.kind];
    text += describe(C_TYPE[field.kind], field.name, offset, size, field.kind === 's32' || field.kind === 'string');
    offset += size;
    return field;
  });
  const printed = [isReturn ? '(%lx <- %lx)' : '(%lx)', ...fields.map((f) => `${f.name}=${PRINTED[f.kind]}`)].join(' ');
  const values = [...codes.map((code) => `REC->${code}`), ...fields.map((f) => (f.kind === 'string' ? `__get_str(${f.name})` : `REC->${f.name}`))].join(', ');
  return { system: 'iodom', name, id, what: isReturn ? 'return' : 'entry', fields, size: offset, text: formatText(name, id, text, `"${printed}", ${values}`) };
}

type Column = readonly [type: string, name: string, kind: Kind, offset: number, isSigned?: boolean];

function fixed(system: string, name: string, id: number, columns: readonly Column[], print: string): Format {
  const text = columns.map(([type, field, kind, offset, isSigned = false]) => describe(type, field, offset, SIZE[kind], isSigned)).join('');
  const [, , lastKind, lastOffset] = columns.at(-1)!;
  const fields = columns.map(([, field, kind, offset]) => ({ name: field, kind, offset }));
  return { system, name, id, what: 'tracepoint', fields, size: lastOffset + SIZE[lastKind], text: formatText(name, id, text, print) };
}

const GROUP: readonly Column[] = [['int', 'gid', 's32', 8, true], ['__data_loc char[]', 'device', 'string', 12]];
const GROUP_PRINT = '"IOMMU: groupID=%d device=%s", REC->gid, __get_str(device)';

/** The tracepoints of include/trace/events/iommu.h that a synthetic recording has. */
export const TRACEPOINT_FORMATS: readonly Format[] = [
  fixed('iommu', 'unmap', 867, [['u64', 'iova', 'x64', 8], ['size_t', 'size', 'u64', 16], ['size_t', 'unmapped_size', 'u64', 24]],
    '"IOMMU: iova=0x%016llx - 0x%016llx size=%zu unmapped_size=%zu", REC->iova, REC->iova + REC->size, REC->size, REC->unmapped_size'),
  fixed('iommu', 'map', 868, [['u64', 'iova', 'x64', 8], ['u64', 'paddr', 'x64', 16], ['size_t', 'size', 'u64', 24]],
    '"IOMMU: iova=0x%016llx - 0x%016llx paddr=0x%016llx size=%zu", REC->iova, REC->iova + REC->size, REC->paddr, REC->size'),
  fixed('iommu', 'attach_device_to_domain', 869, [['__data_loc char[]', 'device', 'string', 8]], '"IOMMU: device=%s", __get_str(device)'),
  fixed('iommu', 'remove_device_from_group', 870, GROUP, GROUP_PRINT),
  fixed('iommu', 'add_device_to_group', 871, GROUP, GROUP_PRINT),
];

/** What writing to trace_marker leaves: an event of the system `ftrace`. Its text follows the fixed part, without a length. */
export const PRINT_FORMAT: Format = {
  system: 'ftrace', name: 'print', id: 5, what: 'print', fields: [], size: 16,
  text: formatText('print', 5, `${describe('unsigned long', 'ip', 8, 8, false)}\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n`, '"%ps: %s", (void *)REC->ip, REC->buf'),
};

/** Number of the first probe event. */
export const FIRST_PROBE_ID = 1016;
