/**
 * Reader of trace.dat, versions 6 and 7, straight from its ring-buffer pages: the CPUs are merged by time, each record is
 * read by the offsets of its event's format. A probe is known by the function that its address lies in, where the file
 * carries the kernel's symbols; else by its event's name. No text is made of a record.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import { designFromEvidence } from '../machines/design-list.ts';
import type { ByteSource } from './byte-source.ts';
import { parseEventFormat } from './event-format.ts';
import { ByteStrings } from './byte-strings.ts';
import { EventOutput } from './event-output.ts';
import { PageSource } from './page-source.ts';
import { F, FIELDS, LINE, ProbeLine, TP } from './probe-line.ts';
import { RandomAccess } from './random-access.ts';
import type { ReadSummary, Reader } from './recording.ts';
import { probeRecord, type ProbeRecord } from './probe-record.ts';
import { RingBuffer, pageLayout } from './ring-buffer.ts';
import { Symbols } from './symbols.ts';
import { readTraceDat, type TraceDatFile } from './trace-dat-file.ts';

/** Records taken in one step. */
const STEP = 1 << 16;
/** Clocks that do not count nanoseconds: their times are printed as the numbers they are. */
const COUNTING = new Set(['counter', 'x86-tsc', 'uptime']);
/** 2^32 nanoseconds are 4 s and so many nanoseconds. */
const NSEC_OF_HI = 294967296;
const SECOND = 1e9;

/** Returns the reader of a trace.dat, and completes what the summary says of kernel and design. Errors: UnreadableError. */
export async function openTraceDat(source: ByteSource, summary: ReadSummary, interned: Interned): Promise<Reader> {
  const access = await RandomAccess.of(source);
  try {
    const file = readTraceDat(access, source.name);
    summary.kernel = file.kernel;
    const reader = new TraceDat(file, access, new EventOutput(summary, interned));
    for (const field of reader.members()) summary.fields.add(field);
    summary.design = designFromEvidence(summary)?.design ?? null;
    return reader;
  } catch (error) {
    access.close();
    throw error;
  }
}

class TraceDat implements Reader {
  private readonly file: TraceDatFile;
  private readonly access: RandomAccess;
  private readonly out: EventOutput;
  private readonly p = new ProbeLine();
  private readonly symbols: Symbols;
  /** Records of interest by event id. */
  private readonly records: (ProbeRecord | undefined)[] = [];
  private readonly cpus: RingBuffer[] = [];
  private readonly tasks = new Map<number, number>();
  private readonly counting: boolean;
  /** CPUs of which some page said that events were lost. */
  private readonly told = new Set<number>();
  /** CPUs whose events end before their time. */
  private readonly blind: number[] = [];
  private cpu!: RingBuffer;
  private readonly devices: ByteStrings;
  private lastDevice = 0;
  private lastPid = -1;
  private lastTask = 0;

  constructor(file: TraceDatFile, access: RandomAccess, out: EventOutput) {
    this.file = file;
    this.access = access;
    this.out = out;
    this.counting = file.clock !== null && COUNTING.has(file.clock);
    this.devices = new ByteStrings(out.strings);
    this.symbols = new Symbols(file.kallsyms, out.strings);
    for (const { system, text } of file.formats) {
      const format = parseEventFormat(system, text);
      const record = format && probeRecord(format);
      if (record) this.records[format.id] = record;
    }
    for (const [, pid, comm] of file.cmdlines.matchAll(/^(\d{1,10}) ([^\n]*)$/gm)) this.tasks.set(Number(pid), out.strings.intern(Buffer.from(comm, 'latin1').toString('utf8')));
    this.tasks.set(0, out.strings.intern('<idle>'));
    this.p.complete = () => this.context();
  }

  /** Names of members that the probes fetch and that tell the design. */
  members(): Set<string> {
    const found = new Set<string>();
    for (const record of this.records) {
      for (const { field, size } of record?.fields ?? []) {
        if (field === F.ctype || field === F.cktype || field === F.swmsi) found.add(FIELDS[field]);
        else if ((field === F.owner || field === F.word) && size <= 4) found.add('owner'); // claims have an owner too, a pointer
      }
    }
    return found;
  }

  get position(): number {
    return this.access.sizeBytes - this.cpus.reduce((left, cpu) => left + cpu.pages.left, 0);
  }

  begin(consume: (batch: EventBatch) => void): void {
    const { file, out } = this;
    out.begin(consume);
    for (const note of file.notes) this.problem('trace-dat-part', note, 'record again with `trace-cmd record`, or copy the whole file');
    const layout = pageLayout(file.headerPage);
    const shift = BigInt.asUintN(64, file.offset);
    for (const data of file.cpus) {
      const pages = new PageSource(this.access, data, file.pageSize, file.compression, file.littleEndian, file.cpus.length);
      const cpu = new RingBuffer(data.cpu, this.cpus.length, pages, layout, file.littleEndian, { lo: Number(shift & 0xffffffffn), hi: Number(shift >> 32n) });
      if (cpu.next()) this.cpus.push(cpu);
      else this.ended(cpu);
    }
    this.cpus.sort((a, b) => (before(a, b) ? -1 : 1));
  }

  step(): boolean {
    const { cpus } = this;
    for (let left = STEP; left > 0 && cpus.length > 0; left--) {
      const cpu = cpus[0];
      if (cpu.lost !== 0) this.lost(cpu);
      this.record(cpu);
      if (!cpu.next()) {
        cpus.shift();
        this.ended(cpu);
        continue;
      }
      // The CPUs stay in the order of their next records.
      let n = 0;
      while (n + 1 < cpus.length && before(cpus[n + 1], cpu)) {
        cpus[n] = cpus[n + 1];
        n++;
      }
      cpus[n] = cpu;
    }
    if (cpus.length > 0) return true;
    for (const cpu of this.blind) this.out.lost(-1, cpu);
    this.overrun();
    this.out.end();
    this.access.close();
    return false;
  }

  private record(cpu: RingBuffer): void {
    const { summary, calls } = this.out;
    this.cpu = cpu;
    summary.lines++;
    const { words, at, length } = cpu;
    const { low } = cpu.pages;
    // common_type is the first half of the first word, common_pid the second word.
    const first = words[at >>> 2];
    const record = length >= 8 ? this.records[low === 0 ? first & 0xffff : first >>> 16] : undefined;
    if (record === undefined || length < record.size) {
      summary.ignored++;
      return;
    }
    const { p } = this;
    if (record.tracepoint >= 0) {
      if (record.tracepoint === TP.map && !calls.awaitsMap) {
        summary.ignored++;
        return;
      }
      p.clear();
      p.kind = LINE.tracepoint;
      p.fn = record.tracepoint;
    } else {
      const fn = this.symbols.functionAt(record, words, at, low);
      if (fn < 0 || !calls.wants(fn, record.isReturn ? LINE.return : LINE.entry)) {
        summary.ignored++;
        return;
      }
      p.clear();
      p.fn = fn;
      p.kind = record.isReturn ? LINE.return : LINE.entry;
      p.probe = record.id;
      if (record.callerAt >= 0) p.caller = this.symbols.callerAt(record, words, at, low);
    }
    p.cpu = cpu.cpu;
    p.pid = words[(at >>> 2) + 1] | 0;
    this.fields(record, cpu);
    if (record.tracepoint >= 0 && p.fn !== TP.map && p.dev === 0) summary.ignored++;
    else if (!calls.take(p)) summary.ignored++;
  }

  private fields(record: ProbeRecord, cpu: RingBuffer): void {
    const { p } = this;
    const { at } = cpu;
    p.fill(record.plan, record.wide, cpu.words, at >>> 2, cpu.pages.low);
    if (record.deviceAt >= 0) p.dev = this.device(cpu, cpu.view.getUint32(at + record.deviceAt, this.file.littleEndian));
    if (record.odd.length > 0) this.oddFields(record, cpu);
  }

  private oddFields(record: ProbeRecord, cpu: RingBuffer): void {
    const { p, file: { littleEndian } } = this;
    const { view } = cpu;
    for (const { field, offset, size, signed } of record.odd) {
      const q = cpu.at + offset;
      if (size === 8) {
        const low = cpu.pages.low * 4;
        p.set(field, view.getUint32(q + low, littleEndian), view.getUint32(q + 4 - low, littleEndian));
        continue;
      }
      const value = size === 4 ? view.getUint32(q, littleEndian) : size === 2 ? view.getUint16(q, littleEndian) : view.getUint8(q);
      p.set(field, value, size === 4 && signed && value >= 0x80000000 ? 0xffffffff : 0);
    }
  }

  /** Number of the string that a __data_loc points to: its length and its offset in the record. */
  private device(cpu: RingBuffer, location: number): number {
    const from = location & 0xffff;
    let length = location >>> 16;
    if (length === 0 || from + length > cpu.length) return 0;
    const { bytes } = cpu;
    const start = cpu.at + from;
    while (length > 0 && bytes[start + length - 1] === 0) length--;
    this.lastDevice = length === 0 ? 0 : this.devices.intern(bytes, start, start + length, this.lastDevice);
    return this.lastDevice;
  }

  /** Task and time of the record in hand. */
  private context(): void {
    const { p, cpu } = this;
    if (p.pid !== this.lastPid) {
      this.lastPid = p.pid;
      this.lastTask = this.tasks.get(p.pid) ?? this.out.strings.intern('<...>');
    }
    p.task = this.lastTask;
    const { timeLo: lo, timeHi: hi } = cpu;
    if (this.counting) {
      p.sec = lo;
      p.nsec = 0;
      p.digits = 0;
      return;
    }
    const rest = hi * NSEC_OF_HI + lo; // exact for four years of uptime
    const seconds = Math.floor(rest / SECOND);
    p.sec = hi * 4 + seconds;
    p.nsec = rest - seconds * SECOND;
    p.digits = 9;
  }

  /** What the kernel's statistics say was overwritten, and no page: it lies before the first events, whose state is unknown anyway. */
  private overrun(): void {
    for (const [cpu, count] of this.file.overruns) {
      if (this.told.has(cpu)) continue;
      this.out.summary.lost += count;
      this.problem('overrun', `CPU ${cpu}: ${count} events were overwritten before the first one that is there`, 'give the ring buffer more room (trace-cmd record -b), or record fewer events');
    }
  }

  private lost(cpu: RingBuffer): void {
    this.told.add(cpu.cpu);
    this.out.lost(cpu.lost, cpu.cpu);
    cpu.lost = 0;
  }

  /** A CPU has no more records: tells what was wrong with its pages. */
  private ended(cpu: RingBuffer): void {
    if (cpu.damaged > 0) this.problem('damaged-page', `CPU ${cpu.cpu}: ${cpu.damaged} ${cpu.damaged === 1 ? 'page does' : 'pages do'} not follow the ring-buffer format`, 'copy the file again; what could be read was used');
    const damage = cpu.pages.damaged;
    if (damage !== null) this.problem('cut-off', `CPU ${cpu.cpu}: ${damage}`, 'copy the whole file again; what is there was used');
    // The rest of this CPU is missing to the end of the recording: whatever is said after its last event is taken back there.
    if (cpu.lost !== 0 || damage !== null) this.blind.push(cpu.cpu);
    if (cpu.lost !== 0) this.lost(cpu);
  }

  private problem(code: string, message: string, hint: string): void {
    const { summary } = this.out;
    summary.problems.add(code, summary.source, message, hint);
  }
}

/** Of equal times the CPU that comes first in the file comes first, as the kernel merges them. */
function before(a: RingBuffer, b: RingBuffer): boolean {
  if (a.timeHi !== b.timeHi) return a.timeHi < b.timeHi;
  return a.timeLo < b.timeLo || (a.timeLo === b.timeLo && a.order < b.order);
}
