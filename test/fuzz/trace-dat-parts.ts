/**
 * A trace.dat taken apart and put together again, without the reader that is tested: where its sections, options, chunks and
 * pages begin, and where its lengths, counts and offsets stand. What is put together of a recording's parts is derived from
 * it, no recording. Truth: man trace-cmd.dat.v6(5), trace-cmd.dat.v7(5); kernel/trace/ring_buffer.c. Little-endian only.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Places } from './mutate.ts';

const PAGE = 4096;
const CHUNK = 10 * PAGE;
const OPTION = { done: 0, buffer: 3 } as const;
/** Sections that an option points to. Order: as version 6 has them. */
const SECTIONS = [16, 17, 18, 19, 20, 21] as const;

/** What a file is made of, unpacked. */
export interface TraceDatParts {
  /** By id: headers, ftrace events, events, kallsyms, printk, command lines. */
  readonly sections: ReadonlyMap<number, Buffer>;
  /** Options that hold their data themselves. */
  readonly options: readonly { readonly id: number; readonly data: Buffer }[];
  /** Pages of each CPU. */
  readonly pages: readonly Buffer[];
}

/** Places that grow. */
class Noted implements Places {
  readonly boundaries: number[] = [];
  readonly fields: { at: number; size: 1 | 2 | 4 | 8 }[] = [];
  field(at: number, size: 1 | 2 | 4 | 8): void {
    this.fields.push({ at, size });
  }
  add({ boundaries, fields }: Places, at: number): void {
    this.boundaries.push(...boundaries.map((place) => place + at));
    this.fields.push(...fields.map((field) => ({ ...field, at: field.at + at })));
  }
}

const u16 = (n: number): Buffer => Buffer.from(Uint16Array.of(n).buffer);
const u32 = (n: number): Buffer => Buffer.from(Uint32Array.of(n).buffer);
const u64 = (n: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const text = (s: string): Buffer => Buffer.from(`${s}\0`, 'latin1');
const option = (id: number, data: Buffer): Buffer => Buffer.concat([u16(id), u32(data.length), data]);
const size = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));
const compress = (data: Buffer): Buffer => zstdCompressSync(data, { params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_compressionLevel]: 1 } });

/** Returns the places of an unpacked section. */
export function sectionPlaces(id: number, data: Buffer): Places {
  const noted = new Noted();
  let at = 0;
  const sized = (): void => {
    noted.boundaries.push(at);
    noted.field(at, 8);
    at += 8 + size(data, at);
  };
  const count = (): number => {
    noted.field(at, 4);
    at += 4;
    return data.readUInt32LE(at - 4);
  };
  const name = (): void => {
    noted.boundaries.push(at);
    at = data.indexOf(0, at) + 1;
  };
  if (id === 16) {
    for (let n = 0; n < 2; n++) {
      name();
      sized();
    }
  } else if (id === 17) for (let n = count(); n > 0; n--) sized();
  else if (id === 18) {
    for (let systems = count(); systems > 0; systems--) {
      name();
      for (let n = count(); n > 0; n--) sized();
    }
  } else noted.field(0, id === 21 ? 8 : 4);
  return noted;
}

/** Returns the places of ring-buffer pages: page and record headers, lengths, event ids. */
export function pagePlaces(pages: Buffer): Places {
  const noted = new Noted();
  for (let page = 0; page + PAGE <= pages.length; page += PAGE) {
    noted.boundaries.push(page, page + 8, page + 16);
    noted.field(page, 8);
    noted.field(page + 8, 4);
    const end = page + 16 + (pages.readUInt32LE(page + 8) & 0x07ffffff);
    for (let at = page + 16; at + 4 <= end; ) {
      const type = pages[at] & 31;
      noted.field(at, 4);
      if (type === 0 || type >= 29) noted.field(at + 4, 4);
      if (type < 29) noted.field(at + (type === 0 ? 8 : 4), 2);
      at += type === 0 ? 4 + pages.readUInt32LE(at + 4) : type < 29 ? 4 + type * 4 : 8;
    }
  }
  return noted;
}

/** Returns the parts of a file of version 7, and its places. */
export function takeApart(bytes: Buffer): TraceDatParts & Places {
  const noted = new Noted();
  const sections = new Map<number, Buffer>();
  const options: { id: number; data: Buffer }[] = [];
  const pages: Buffer[] = [];
  const version = bytes.indexOf(0, 10) + 1;
  const algorithm = version + 6;
  const algorithmVersion = bytes.indexOf(0, algorithm) + 1;
  const first = bytes.indexOf(0, algorithmVersion) + 1;
  noted.boundaries.push(3, 10, version, algorithm, algorithmVersion, first, first + 8);
  for (const at of [version, version + 1]) noted.field(at, 1);
  noted.field(version + 2, 4);
  noted.field(first, 8);

  const chunk = (at: number): [data: Buffer, next: number] => {
    noted.boundaries.push(at, at + 8);
    noted.field(at, 4);
    noted.field(at + 4, 4);
    const end = at + 8 + bytes.readUInt32LE(at);
    return [zstdDecompressSync(bytes.subarray(at + 8, end)), end];
  };
  const header = (at: number): boolean => {
    noted.boundaries.push(at, at + 16);
    noted.field(at, 2);
    noted.field(at + 2, 2);
    noted.field(at + 8, 8);
    return (bytes[at + 2] & 1) !== 0;
  };
  const section = (at: number): Buffer => (header(at) ? chunk(at + 16)[0] : bytes.subarray(at + 16, at + 16 + size(bytes, at + 8)));
  const cpu = (at: number, length: number, packed: boolean): Buffer => {
    noted.boundaries.push(at, at + length);
    if (!packed) {
      const plain = bytes.subarray(at, at + length);
      noted.add(pagePlaces(plain), at);
      return plain;
    }
    noted.field(at, 4);
    const chunks: Buffer[] = [];
    for (let next = at + 4, left = bytes.readUInt32LE(at); left > 0; left--) {
      const [data, end] = chunk(next);
      chunks.push(data);
      next = end;
    }
    return Buffer.concat(chunks);
  };

  for (let at = size(bytes, first); at !== 0; ) {
    const list = section(at);
    const start = at + 16;
    at = 0;
    for (let q = 0; q + 6 <= list.length; ) {
      const id = list.readUInt16LE(q);
      const data = list.subarray(q + 6, q + 6 + list.readUInt32LE(q + 2));
      noted.boundaries.push(start + q);
      noted.field(start + q, 2);
      noted.field(start + q + 2, 4);
      if (data.length === 8 || data.length === 4) noted.field(start + q + 6, data.length);
      if (id === OPTION.done) at = size(data, 0);
      else if ((SECTIONS as readonly number[]).includes(id)) {
        const content = section(size(data, 0));
        if ((bytes[size(data, 0) + 2] & 1) === 0) noted.add(sectionPlaces(id, content), size(data, 0) + 16);
        sections.set(id, content);
      } else if (id === OPTION.buffer) {
        const packed = header(size(data, 0));
        let place = data.indexOf(0, data.indexOf(0, 8) + 1) + 1;
        const there = start + q + 6;
        noted.field(there, 8);
        noted.field(there + place, 4);
        noted.field(there + place + 4, 4);
        for (place += 8; place + 20 <= data.length; place += 20) {
          noted.field(there + place, 4);
          noted.field(there + place + 4, 8);
          noted.field(there + place + 12, 8);
          pages.push(cpu(size(data, place + 4), size(data, place + 12), packed));
        }
      } else options.push({ id, data });
      q += 6 + data.length;
      if (id === OPTION.done) break;
    }
  }
  return { sections, options, pages, boundaries: noted.boundaries, fields: noted.fields };
}

const head = (version: string, compression: readonly string[]): Buffer => Buffer.concat([Buffer.from([0x17, 0x08, 0x44]), text(`tracing${version}`), Buffer.from([0, 8]), u32(PAGE), ...compression.map(text)]);
const aligned = (at: number): Buffer => Buffer.alloc(-at & (PAGE - 1));

/** Returns a file of version 7 of these parts. */
export function version7(parts: TraceDatParts, zstd: boolean): Buffer {
  const out: Buffer[] = [];
  let at = 0;
  const add = (bytes: Buffer): number => {
    out.push(bytes);
    at += bytes.length;
    return at - bytes.length;
  };
  const chunk = (data: Buffer): Buffer => {
    const packed = compress(data);
    return Buffer.concat([u32(packed.length), u32(data.length), packed]);
  };
  const section = (id: number, data: Buffer, packed: boolean): number => add(Buffer.concat([u16(id), u16(packed ? 1 : 0), u32(0), u64(data.length), data]));
  add(head('7', [zstd ? 'zstd' : 'none', '1.5.7']));
  const first = u64(0);
  add(first);
  const pointers = [...parts.sections].map(([id, data]) => option(id, u64(section(id, zstd ? chunk(data) : data, zstd))));
  first.writeBigUInt64LE(BigInt(at));
  const next = option(OPTION.done, u64(0));
  const list = Buffer.concat([...pointers, ...parts.options.map(({ id, data }) => option(id, data))]);
  add(Buffer.concat([u16(0), u16(0), u32(0), u64(list.length + next.length), list]));
  add(next);
  const buffer = section(OPTION.buffer, Buffer.alloc(0), zstd);
  const cpus = parts.pages.map((pages, cpu) => {
    add(aligned(at));
    const chunks = zstd ? Array.from({ length: Math.ceil(pages.length / CHUNK) }, (_, n) => chunk(pages.subarray(n * CHUNK, (n + 1) * CHUNK))) : [pages];
    const data = Buffer.concat(zstd ? [u32(chunks.length), ...chunks] : chunks);
    return Buffer.concat([u32(cpu), u64(add(data)), u64(data.length)]);
  });
  next.writeBigUInt64LE(BigInt(at), 6);
  section(0, Buffer.concat([option(OPTION.buffer, Buffer.concat([u64(buffer), text(''), text('local'), u32(PAGE), u32(cpus.length), ...cpus])), option(OPTION.done, u64(0))]), false);
  return Buffer.concat(out);
}

/** Returns a file of version 6 of these parts, and its places unless the parts are damaged. */
export function version6(parts: TraceDatParts, damaged = false): { readonly bytes: Buffer } & Places {
  const noted = new Noted();
  const out: Buffer[] = [];
  let at = 0;
  const add = (bytes: Buffer): void => {
    noted.boundaries.push(at);
    out.push(bytes);
    at += bytes.length;
  };
  add(head('6', []));
  noted.field(12, 1);
  noted.field(13, 1);
  noted.field(14, 4);
  for (const id of SECTIONS) {
    const data = parts.sections.get(id)!;
    if (!damaged) noted.add(sectionPlaces(id, data), at);
    add(data);
  }
  noted.field(at, 4);
  add(u32(parts.pages.length));
  add(text('options  '));
  for (const { id, data } of parts.options) {
    noted.field(at, 2);
    noted.field(at + 2, 4);
    add(option(id, data));
  }
  add(u16(OPTION.done));
  add(text('flyrecord'));
  const table = Buffer.alloc(parts.pages.length * 16);
  for (let n = 0; n < table.length; n += 8) noted.field(at + n, 8);
  add(table);
  for (const [cpu, pages] of parts.pages.entries()) {
    add(aligned(at));
    table.writeBigUInt64LE(BigInt(at), cpu * 16);
    table.writeBigUInt64LE(BigInt(pages.length), cpu * 16 + 8);
    if (!damaged) noted.add(pagePlaces(pages), at);
    add(pages);
  }
  return { bytes: Buffer.concat(out), boundaries: noted.boundaries, fields: noted.fields };
}
