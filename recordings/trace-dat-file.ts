/**
 * What a trace.dat file of trace-cmd holds besides the events: where each CPU's pages are, the formats of the events, symbols,
 * task names, kernel release, clock. Truth: man trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5), and for what they leave open
 * the files that trace-cmd 3.1 and 3.3 write. Version 6 has its parts one after the other; version 7 has sections that
 * options point to, each of which may be compressed.
 */
import { UnreadableError } from '../events/problem.ts';
import type { RandomAccess } from './random-access.ts';
import { Damaged, PartCursor, isDamage, unpack, MAX_PART, type Compression } from './trace-dat-part.ts';

const OPTION = { done: 0, date: 1, cpustat: 2, buffer: 3, traceclock: 4, uname: 5, offset: 7, cpucount: 8, timeShift: 12, headerInfo: 16, eventFormats: 18, kallsyms: 19, cmdlines: 21, bufferText: 22 } as const;
const COMPRESSED = 1;
const MAX_OPTIONS = 1 << 16;

/** Where the pages of one CPU of one tracing instance are. Units: bytes. */
export interface CpuData {
  readonly cpu: number;
  readonly offset: number;
  readonly size: number;
  /** Whether the pages are in chunks, each packed. */
  readonly packed: boolean;
}

/** What a file holds. Text parts are as the kernel printed them. */
export interface TraceDatFile {
  readonly version: number;
  readonly littleEndian: boolean;
  readonly pageSize: number;
  readonly compression: Compression;
  headerPage: string;
  readonly formats: { readonly system: string; readonly text: string }[];
  kallsyms: Buffer;
  cmdlines: string;
  kernel: string | null;
  clock: string | null;
  /** Added to every time. Units: nanoseconds. */
  offset: bigint;
  /** Events overwritten before they were read, by CPU, as the kernel's per_cpu statistics say. */
  readonly overruns: Map<number, number>;
  readonly cpus: CpuData[];
  /** What could not be used, as sentences. */
  readonly notes: string[];
}

/** Returns what the file holds. Errors: UnreadableError that says what is wrong where nothing can be used. */
export function readTraceDat(file: RandomAccess, name: string): TraceDatFile {
  try {
    return new Parser(file).parse();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new UnreadableError(`${name}: is a damaged or cut trace.dat: ${error.message}`, 'copy the whole file again; `trace-cmd dump --validate` tells what trace-cmd makes of it');
  }
}

class Parser {
  private readonly file: RandomAccess;
  private readonly out: TraceDatFile;
  /** Behind the header that both versions share. */
  private readonly start: number;
  private optionsAt = 0;

  constructor(file: RandomAccess) {
    this.file = file;
    const head = new PartCursor(file.read(0, Math.min(file.sizeBytes, 256)), true);
    head.data(10);
    const version = Number(head.string());
    const littleEndian = head.data(1)[0] === 0;
    head.data(1); // size of a long of user space
    const header = new PartCursor(head.bytes, littleEndian);
    header.at = head.at;
    const pageSize = header.u32();
    if (version !== 6 && version !== 7) throw new Damaged(`its version is ${Number.isNaN(version) ? 'no number' : version}; 6 and 7 are read`);
    if (pageSize < 64 || pageSize > 1 << 20 || (pageSize & 3) !== 0) throw new Damaged(`a page of ${pageSize} bytes`);
    let compression: Compression = 'none';
    if (version === 7) {
      const algorithm = header.string();
      header.string(); // version of the algorithm
      if (algorithm !== 'none' && algorithm !== '' && algorithm !== 'zstd' && algorithm !== 'zlib') throw new Damaged(`compressed by ${JSON.stringify(algorithm.slice(0, 32))}; zstd, zlib and none are read`);
      compression = algorithm === '' ? 'none' : algorithm;
      this.optionsAt = header.u64();
    }
    this.start = header.at;
    this.out = {
      version, littleEndian, pageSize, compression, headerPage: '', formats: [], kallsyms: Buffer.alloc(0), cmdlines: '', kernel: null, clock: null,
      offset: 0n, overruns: new Map(), cpus: [], notes: [],
    };
  }

  parse(): TraceDatFile {
    if (this.out.version === 7) this.version7();
    else this.version6();
    if (this.out.cpus.length === 0) throw new Damaged(`no CPU's events are in it${this.out.notes.length > 0 ? ` (${this.out.notes[0]})` : ''}`);
    return this.out;
  }

  // ── version 7 ──────────────────────────────────────────────────────────────────────────────────────────────────

  private version7(): void {
    const seen = new Set<number>();
    let count = 0;
    for (let at = this.optionsAt; at !== 0; ) {
      if (seen.has(at)) throw new Damaged(`its options at ${at} lead back to themselves`);
      seen.add(at);
      const from = at;
      at = 0;
      const options = this.attempt(`its options at ${from}`, () => this.section(from));
      if (options === null) return;
      while (options.left >= 6) {
        if (++count > MAX_OPTIONS) throw new Damaged('options without end');
        const id = options.u16();
        const data = new PartCursor(options.data(options.u32()), this.out.littleEndian);
        if (id === OPTION.done) {
          at = data.left >= 8 ? data.u64() : 0;
          break;
        }
        this.attempt(`what its option ${id} points to`, () => this.option(id, data));
      }
    }
  }

  /** Does without a part that is damaged. */
  private attempt<T>(what: string, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.out.notes.push(`${what} cannot be read: ${error.message}`);
      return null;
    }
  }

  /** Returns the unpacked content of the section at an offset. */
  private section(offset: number): PartCursor {
    const header = this.cursor(offset, 16);
    header.u16();
    const flags = header.u16();
    header.u32();
    const size = header.u64();
    if (size > MAX_PART) throw new Damaged(`a section of ${size} bytes at ${offset}`);
    if ((flags & COMPRESSED) === 0) return this.cursor(offset + 16, size);
    const packed = this.cursor(offset + 16, 8);
    const [from, to] = [packed.u32(), packed.u32()];
    return new PartCursor(unpack(this.out.compression, this.file.read(offset + 24, from), to), this.out.littleEndian);
  }

  private option(id: number, data: PartCursor): void {
    const { out } = this;
    switch (id) {
      case OPTION.headerInfo:
        return this.headerInfo(this.section(data.u64()));
      case OPTION.eventFormats:
        return this.eventFormats(this.section(data.u64()));
      case OPTION.kallsyms: {
        const section = this.section(data.u64());
        out.kallsyms = section.data(Math.min(section.u32(), section.left));
        return;
      }
      case OPTION.cmdlines: {
        const section = this.section(data.u64());
        out.cmdlines = section.text(Math.min(section.u64(), section.left));
        return;
      }
      case OPTION.buffer:
        return out.version === 7 ? this.buffer(data) : this.buffer6(data);
      case OPTION.bufferText:
        return void out.notes.push('it holds the text of a latency tracer, which is not read');
      default:
        this.plainOption(id, data.bytes);
    }
  }

  /** Options that are the same in both versions. */
  private plainOption(id: number, data: Buffer): void {
    const { out } = this;
    const text = data.toString('latin1').replace(/\0.*$/s, '').trim();
    switch (id) {
      case OPTION.uname:
        out.kernel = /^\S+ \S+ (\S{1,64}) \S+/.exec(text)?.[1] ?? null;
        return;
      case OPTION.traceclock:
        out.clock = /\[([\w-]+)\]/.exec(text)?.[1] ?? (/^[\w-]+$/.test(text) ? text : null);
        return;
      case OPTION.date:
      case OPTION.offset:
        if (/^[+-]?\d{1,20}$/.test(text)) out.offset += BigInt(text) * (id === OPTION.date ? 1000n : 1n);
        return;
      case OPTION.timeShift:
        return void out.notes.push('it is a guest whose times could be shifted to the host\'s (TIME_SHIFT): they are left as they are');
      case OPTION.cpustat: {
        const cpu = /^CPU:\s*(\d+)/m.exec(text);
        const overrun = /^overrun:\s*(\d+)/m.exec(text);
        if (cpu && overrun && Number(overrun[1]) > 0) out.overruns.set(Number(cpu[1]), Number(overrun[1]));
      }
    }
  }

  private headerInfo(section: PartCursor): void {
    if (section.string() !== 'header_page') throw new Damaged('its header section does not begin with header_page');
    this.out.headerPage = section.text(section.u64());
  }

  private eventFormats(section: PartCursor): void {
    const systems = section.u32();
    for (let s = 0; s < systems && section.left > 0; s++) {
      const system = section.string();
      const events = section.u32();
      for (let e = 0; e < events && section.left > 0; e++) this.out.formats.push({ system, text: section.text(section.u64()) });
    }
  }

  private buffer(data: PartCursor): void {
    const { out } = this;
    const sectionAt = data.u64();
    data.string(); // name of the instance
    const clock = data.string();
    out.clock ??= clock === '' ? null : clock;
    data.u32(); // page size
    const cpus = data.u32();
    const header = this.cursor(sectionAt, 4);
    header.u16();
    const packed = (header.u16() & COMPRESSED) !== 0;
    for (let n = 0; n < cpus && data.left >= 20; n++) out.cpus.push({ cpu: data.u32(), offset: data.u64(), size: data.u64(), packed });
  }

  // ── version 6 ──────────────────────────────────────────────────────────────────────────────────────────────────

  private version6(): void {
    const { out } = this;
    let at = this.start;
    const take = (length: number): PartCursor => {
      const cursor = this.cursor(at, length);
      at += length;
      return cursor;
    };
    const sized = (size: number): Buffer => {
      if (size > MAX_PART) throw new Damaged(`a part of ${size} bytes at ${at}`);
      return take(size).bytes;
    };
    if (take(12).string() !== 'header_page') throw new Damaged('header_page is missing');
    out.headerPage = sized(take(8).u64()).toString('latin1');
    if (take(13).string() !== 'header_event') throw new Damaged('header_event is missing');
    sized(take(8).u64());
    const ftrace = take(4).u32();
    for (let n = 0; n < ftrace; n++) sized(take(8).u64());
    const systems = take(4).u32();
    for (let s = 0; s < systems; s++) {
      const name = this.cursor(at, Math.min(256, this.file.sizeBytes - at)).string();
      at += name.length + 1;
      const events = take(4).u32();
      for (let e = 0; e < events; e++) out.formats.push({ system: name, text: sized(take(8).u64()).toString('latin1') });
    }
    out.kallsyms = sized(take(4).u32());
    sized(take(4).u32()); // trace_printk formats
    out.cmdlines = sized(take(8).u64()).toString('latin1');
    let cpus = take(4).u32();
    const instances: PartCursor[] = [];
    let mark = take(10).string();
    if (mark === 'options  ') {
      for (let id = take(2).u16(); id !== OPTION.done; id = take(2).u16()) {
        const data = sized(take(4).u32());
        if (id === OPTION.buffer) instances.push(new PartCursor(data, out.littleEndian));
        else if (id === OPTION.cpucount && data.length >= 4) cpus = new PartCursor(data, out.littleEndian).u32();
        else this.plainOption(id, data);
      }
      mark = take(10).string();
    }
    if (mark === 'flyrecord') this.cpus6(take(Math.min(cpus * 16, Math.max(0, this.file.sizeBytes - at))), cpus);
    else out.notes.push(mark === 'latency  ' ? 'it holds the text of a latency tracer, which is not read' : 'the place of its events is not marked');
    for (const instance of instances) this.buffer6(instance, cpus);
  }

  private cpus6(table: PartCursor, cpus: number): void {
    for (let cpu = 0; cpu < cpus && table.left >= 16; cpu++) this.out.cpus.push({ cpu, offset: table.u64(), size: table.u64(), packed: false });
  }

  private buffer6(data: PartCursor, cpus = 0): void {
    const at = data.u64();
    if (at === 0 || this.cursor(at, 10).string() !== 'flyrecord') return;
    this.cpus6(this.cursor(at + 10, Math.min(cpus * 16, Math.max(0, this.file.sizeBytes - at - 10))), cpus);
  }

  private cursor(offset: number, length: number): PartCursor {
    return new PartCursor(this.file.read(offset, length), this.out.littleEndian);
  }
}
