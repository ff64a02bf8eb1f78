/**
 * Writes trace.dat files, version 7, from lines of synthetic ftrace text: the rivals of the bench read nothing else.
 * Each CPU's ring-buffer pages go to a file of their own first; then one file or more are made of them, with pages as they
 * are or in chunks compressed by zstd. Nothing grows with the number of events but the list of task names.
 * Truth: trace-cmd.dat.v7(5); kernel/trace/ring_buffer.c `rb_calculate_event_length`, `rb_update_event`; sizes of chunks, order
 * of sections and zero bytes at the end of a page as in own72n/*.trace.dat (trace-cmd 3.3.1).
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { PRINT_FORMAT, type Format } from './event-formats.ts';
import { FtraceRecords } from './ftrace-records.ts';

/** How a file's sections and pages are stored. */
export type Compression = 'none' | 'zstd';

const PAGE = 4096;
const PAGE_HEADER = 16;
/** Pages that trace-cmd compresses at once. */
const CHUNK_PAGES = 10;
const BLOCK_PAGES = 16 * CHUNK_PAGES;
/** ring_buffer.c: records up to RB_MAX_SMALL_DATA have their length in type_len, a delta has 27 bits. */
const MAX_SMALL = 112;
const MAX_DELTA = 2 ** 27;
const TIME_EXTEND = 30;

/** Pages of one CPU: filled here, kept in a file. */
class CpuPages {
  bytes = 0;
  entries = 0;
  readonly fd: number;
  private readonly block = Buffer.alloc(BLOCK_PAGES * PAGE);
  private page = -PAGE;
  private used = PAGE;
  private last = 0;

  constructor(path: string) {
    this.fd = openSync(path, 'w+');
  }

  add(record: Buffer, length: number, timeNs: number): void {
    const size = (length + 3) & ~3;
    const header = length > MAX_SMALL ? 8 : 4;
    const extend = timeNs - this.last >= MAX_DELTA ? 8 : 0;
    if (this.used + extend + header + size > PAGE) this.turn(timeNs);
    const { block } = this;
    let at = this.page + this.used;
    let delta = timeNs - this.last;
    if (delta >= MAX_DELTA) {
      block.writeUInt32LE((delta % MAX_DELTA) * 32 + TIME_EXTEND, at);
      block.writeUInt32LE(Math.floor(delta / MAX_DELTA), at + 4);
      at += 8;
      delta = 0;
    }
    block.writeUInt32LE(delta * 32 + (length > MAX_SMALL ? 0 : size / 4), at);
    if (length > MAX_SMALL) block.writeUInt32LE(size + 4, at + 4);
    record.fill(0, length, size);
    record.copy(block, at + header, 0, size);
    this.used = at + header + size - this.page;
    this.last = timeNs;
    this.entries++;
    block.writeUInt32LE(this.used - PAGE_HEADER, this.page + 8);
  }

  /** A new page, whose time is that of its first event. */
  private turn(timeNs: number): void {
    this.page += PAGE;
    if (this.page === this.block.length) this.flush();
    this.block.writeBigUInt64LE(BigInt(timeNs), this.page);
    this.used = PAGE_HEADER;
    this.last = timeNs;
  }

  private flush(): void {
    writeSync(this.fd, this.block, 0, this.page);
    this.bytes += this.page;
    this.block.fill(0);
    this.page = 0;
  }

  /** Writes what is left. */
  finish(): void {
    this.page += PAGE;
    this.flush();
    this.used = PAGE;
    this.page = -PAGE;
  }
}

const SECTION = { options: 0, buffer: 3, strings: 15, headers: 16, ftraceEvents: 17, events: 18, kallsyms: 19, printk: 20, commands: 21 } as const;
const OPTION = { done: 0, cpuStat: 2, buffer: 3, traceClock: 4, uname: 5, cpuCount: 8, version: 9, traceId: 11 } as const;

const u16 = (n: number): Buffer => Buffer.from(Uint16Array.of(n).buffer);
const u32 = (n: number): Buffer => Buffer.from(Uint32Array.of(n).buffer);
const u64 = (n: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const text = (s: string): Buffer => Buffer.from(`${s}\0`, 'latin1');
const sized = (s: string): Buffer => Buffer.concat([u64(s.length), Buffer.from(s, 'latin1')]);
const option = (id: number, data: Buffer): Buffer => Buffer.concat([u16(id), u32(data.length), data]);
/** trace-cmd's frames do not tell how long their content is: its chunk headers do. */
const compress = (data: Buffer): Buffer => zstdCompressSync(data, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });

const HEADER_PAGE = '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n'
  + '\tfield: char overwrite;\toffset:8;\tsize:1;\tsigned:0;\n\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n';
const HEADER_EVENT = '# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n'
  + '\tpadding     : type == 29\n\ttime_extend : type == 30\n\ttime_stamp : type == 31\n\tdata max type_len  == 28\n';

/** One file in the making: appended to, with numbers filled in later where they stand. */
class Output {
  at = 0;
  readonly fd: number;
  private readonly zstd: boolean;
  private strings = Buffer.alloc(0);

  constructor(path: string, zstd: boolean) {
    this.fd = openSync(path, 'w');
    this.zstd = zstd;
  }

  put(data: Buffer): void {
    writeSync(this.fd, data);
    this.at += data.length;
  }

  fill(at: number, n: number): void {
    writeSync(this.fd, u64(n), 0, 8, at);
  }

  /** The beginning of a section; returns its place in the file. */
  open(id: number, description: string, size: number, compressed = this.zstd): number {
    const { at } = this;
    this.put(Buffer.concat([u16(id), u16(compressed ? 1 : 0), u32(this.strings.length), u64(size)]));
    this.strings = Buffer.concat([this.strings, text(description)]);
    return at;
  }

  /** A whole section; returns the option that tells where it is. */
  section(id: number, description: string, ...parts: readonly Buffer[]): Buffer {
    const data = Buffer.concat(parts);
    const packed = this.zstd ? compress(data) : data;
    const stored = this.zstd ? Buffer.concat([u32(packed.length), u32(data.length), packed]) : data;
    const at = this.open(id, description, stored.length);
    this.put(stored);
    return option(id, u64(at));
  }

  /** Options; returns where the place of the next options goes. */
  options(...list: readonly Buffer[]): number {
    const data = Buffer.concat([...list, option(OPTION.done, u64(0))]);
    this.open(SECTION.options, 'options', data.length, false);
    this.put(data);
    return this.at - 8;
  }

  /** Pages of one CPU from the beginning of a page of the file on; returns where they are and how long. */
  pages(cpu: CpuPages): readonly [at: number, size: number] {
    this.put(Buffer.alloc(-this.at & (PAGE - 1)));
    const from = this.at;
    if (this.zstd) this.put(u32(Math.ceil(cpu.bytes / (CHUNK_PAGES * PAGE))));
    const chunk = Buffer.alloc(CHUNK_PAGES * PAGE);
    for (let at = 0; at < cpu.bytes; at += chunk.length) {
      const data = chunk.subarray(0, readSync(cpu.fd, chunk, 0, chunk.length, at));
      const packed = this.zstd ? compress(data) : data;
      this.put(this.zstd ? Buffer.concat([u32(packed.length), u32(data.length), packed]) : packed);
    }
    return [from, this.at - from];
  }

  close(): void {
    this.section(SECTION.strings, 'strings', this.strings, text('strings'));
    closeSync(this.fd);
  }
}

function bySystem(formats: readonly Format[]): Buffer[] {
  const systems = [...new Set(formats.map(({ system }) => system))];
  return [u32(systems.length), ...systems.flatMap((system) => {
    const events = formats.filter((format) => format.system === system);
    return [text(system), u32(events.length), ...events.map((format) => sized(format.text))];
  })];
}

/** Takes ftrace text in pieces, then writes files; `close` removes what lies on disk in between. */
export class TraceDat {
  /** Events so far. */
  events = 0;
  private readonly records = new FtraceRecords();
  private readonly cpus: CpuPages[];
  private readonly folder: string;
  private rest = '';

  /** `folder` is where the pages are kept, in a folder of their own. */
  constructor(folder: string, cpus: number) {
    this.folder = mkdtempSync(join(folder, 'pages-'));
    this.cpus = Array.from({ length: cpus }, (_, cpu) => new CpuPages(join(this.folder, String(cpu))));
  }

  /** Takes a piece of text; lines may be cut anywhere. Errors: throws at a line that no synthetic recording has. */
  take(chunk: string): void {
    const lines = (this.rest + chunk).split('\n');
    this.rest = lines.pop()!;
    const { records } = this;
    for (const line of lines) {
      if (line === '' || line.startsWith('#')) continue;
      records.take(line);
      this.cpus[records.cpu].add(records.bytes, records.length, records.timeNs);
      this.events++;
    }
  }

  /** All text has been taken; from now on files can be written. */
  finish(): void {
    for (const cpu of this.cpus) cpu.finish();
  }

  /** Writes one file; returns its size in bytes. */
  write(path: string, compression: Compression): number {
    const { records, cpus } = this;
    const zstd = compression === 'zstd';
    const out = new Output(path, zstd);
    out.put(Buffer.concat([Buffer.from([0x17, 0x08, 0x44]), text('tracing7'), Buffer.from([0, 8]), u32(PAGE), text(compression), text(zstd ? '1.5.7' : ''), u64(0)]));
    const firstOptions = out.at - 8;
    const kallsyms = Buffer.from(records.kallsyms, 'latin1');
    const commands = Buffer.from([...records.tasks].map(([pid, name]) => `${pid} ${name}\n`).join(''), 'latin1');
    const places = [
      out.section(SECTION.headers, 'headers', text('header_page'), sized(HEADER_PAGE), text('header_event'), sized(HEADER_EVENT)),
      out.section(SECTION.ftraceEvents, 'ftrace events', u32(1), sized(PRINT_FORMAT.text)),
      out.section(SECTION.events, 'events format', ...bySystem(records.events)),
      out.section(SECTION.kallsyms, 'kallsyms', u32(kallsyms.length), kallsyms),
      out.section(SECTION.printk, 'printk', u32(0)),
      out.section(SECTION.commands, 'command lines', u64(commands.length), commands),
    ];
    const stats = cpus.map(({ entries }, cpu) => option(OPTION.cpuStat, text(`CPU: ${cpu}\nentries: 0\noverrun: 0\ncommit overrun: 0\nbytes: 0\ndropped events: 0\nread events: ${entries}\n`)));
    out.fill(firstOptions, out.at);
    const nextOptions = out.options(...places, option(OPTION.traceClock, text('[local] global counter uptime perf mono mono_raw boot tai\n')),
      option(OPTION.uname, text('Linux synthetic 7.2.13 aarch64')), option(OPTION.version, text('iommu-ledger bench, no kernel recorded this')),
      option(OPTION.traceId, u64(20250228)), ...stats, option(OPTION.cpuCount, u32(cpus.length)));
    const buffer = out.open(SECTION.buffer, 'buffer flyrecord ', 0);
    const pages = cpus.map((cpu, n) => {
      const [at, size] = out.pages(cpu);
      return Buffer.concat([u32(n), u64(at), u64(size)]);
    });
    out.fill(buffer + 8, out.at - buffer - 16);
    out.fill(nextOptions, out.at);
    out.options(option(OPTION.buffer, Buffer.concat([u64(buffer), text(''), text('local'), u32(PAGE), u32(cpus.length), ...pages])));
    out.close();
    return out.at;
  }

  /** Closes and removes the pages. */
  close(): void {
    for (const { fd } of this.cpus) closeSync(fd);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
