/**
 * One line of ftrace text becomes the record that the kernel would have put into its ring buffer: common fields, code
 * addresses, arguments packed at the offsets of the event's format, strings behind them.
 * Code addresses are made up: each function gets a place of its own, and kallsyms text tells afterwards where it was.
 * For lines as generate-ftrace.ts writes them; a line of any other shape throws.
 */
import { COMMON, FIRST_PROBE_ID, PRINT_FORMAT, TRACEPOINT_FORMATS, probeFormat, type Format } from './event-formats.ts';

const KERNEL_HIGH = 0xffff8000;
const KERNEL_LOW = 0x80010000;
/** Room for one function; none of those in the recordings is longer. */
const ROOM = 0x4000;
/** Where in a function fprobe stands. */
const ENTRY = 4;
/** Return address of the print event within tracing_mark_write. */
const MARK = 0x70;

interface Symbol {
  readonly low: number;
  size: number;
  module: string;
}

/** Functions by name, each at an address that was given out when it was first seen. */
class Symbols {
  private readonly byName = new Map<string, Symbol>();
  private readonly byText = new Map<string, number>();

  /** Low half of the address of a function's first byte. */
  entry(name: string): number {
    return this.find(name).low;
  }

  /** Low half of the address that `name+0x10/0x20 [module]` names. */
  code(text: string): number {
    let low = this.byText.get(text);
    if (low !== undefined) return low;
    const [, name, offset, size, module = ''] = /^([^+]+)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[(\w+)\])?$/.exec(text) ?? [];
    if (name === undefined) throw new Error(`no code address: ${text}`);
    const symbol = this.find(name);
    symbol.size = Number.parseInt(size, 16);
    symbol.module ||= module;
    low = symbol.low + Number.parseInt(offset, 16);
    this.byText.set(text, low);
    return low;
  }

  private find(name: string): Symbol {
    let symbol = this.byName.get(name);
    if (!symbol) this.byName.set(name, (symbol = { low: KERNEL_LOW + (1 + this.byName.size) * ROOM, size: 0, module: '' }));
    return symbol;
  }

  /** What /proc/kallsyms prints: each function, and behind it a symbol that tells where it ends. */
  get text(): string {
    const line = (low: number, name: string, module: string): string => `${KERNEL_HIGH.toString(16)}${low.toString(16)} t ${name}${module && `\t[${module}]`}\n`;
    let text = line(KERNEL_LOW, '_stext', '');
    for (const [name, { low, size, module }] of this.byName) {
      text += line(low, name, module);
      if (size > 0) text += line(low + size, `__end_of_${name}`, module);
    }
    return text;
  }
}

/** Makes records of lines. The record in hand is `bytes` up to `length`, of CPU `cpu` at `timeNs`. */
export class FtraceRecords {
  readonly bytes = Buffer.alloc(1024);
  length = 0;
  cpu = 0;
  timeNs = 0;
  /** Task names by pid; a pid that is used again keeps its last name, as saved_cmdlines does. */
  readonly tasks = new Map<number, string>();
  private readonly symbols = new Symbols();
  private readonly formats = new Map<string, Format>(TRACEPOINT_FORMATS.map((format) => [format.name, format]));
  private count = 0;

  /** Formats of all events so far, without print. */
  get events(): readonly Format[] {
    return [...this.formats.values()];
  }

  /** The text of kallsyms for all functions so far. */
  get kallsyms(): string {
    return this.symbols.text;
  }

  /** Takes one line without its line feed. */
  take(line: string): void {
    const cpuAt = line.indexOf('[', 17);
    const timeAt = cpuAt + 12;
    const timeEnd = line.indexOf(':', timeAt);
    const nameEnd = line.indexOf(':', timeEnd + 2);
    if (cpuAt < 0 || line[16] !== '-' || nameEnd < 0) throw new Error(`not a line of a synthetic recording: ${line}`);
    const pid = Number(line.slice(17, cpuAt));
    this.cpu = Number(line.slice(cpuAt + 1, cpuAt + 4));
    const dot = line.indexOf('.', timeAt);
    // Text has microseconds; what lies below is made up so that rounding and cutting off give the same text.
    this.timeNs = Number(line.slice(timeAt, dot)) * 1e9 + Number(line.slice(dot + 1, timeEnd)) * 1e3 + ((this.count++ * 137) % 500);
    if (!this.tasks.has(pid)) this.tasks.set(pid, line.slice(0, 16).trim());
    const name = line.slice(timeEnd + 2, nameEnd);
    const rest = line.slice(nameEnd + 2);
    const { bytes } = this;
    bytes[2] = line[cpuAt + 6] === 'd' ? 1 : 0;
    bytes[3] = line[cpuAt + 9] === '.' ? 0 : Number(line[cpuAt + 9]);
    bytes.writeInt32LE(pid, 4);
    const id = name === 'tracing_mark_write' ? this.print(rest) : rest.startsWith('(') ? this.probe(name, rest) : this.tracepoint(name, rest);
    bytes.writeUInt16LE(id, 0);
  }

  private print(text: string): number {
    this.address(8, this.symbols.entry('tracing_mark_write') + MARK);
    this.length = PRINT_FORMAT.size + this.bytes.write(`${text}\n\0`, PRINT_FORMAT.size, 'latin1');
    return PRINT_FORMAT.id;
  }

  private probe(name: string, rest: string): number {
    const end = rest.indexOf(')');
    const arrow = rest.indexOf(' <- ');
    const isReturn = arrow > 0 && arrow < end;
    const words = end + 2 < rest.length ? rest.slice(end + 2).split(' ') : [];
    let format = this.formats.get(name);
    if (!format) this.formats.set(name, (format = probeFormat(name, FIRST_PROBE_ID + this.formats.size, isReturn, words)));
    if (words.length !== format.fields.length) throw new Error(`${name} had ${format.fields.length} fields before: ${rest}`);
    if (isReturn) {
      this.address(COMMON, this.symbols.entry(rest.slice(arrow + 4, end)) + ENTRY);
      const caller = rest.slice(1, arrow);
      if (caller.startsWith('0x')) this.hex(COMMON + 8, caller, 0);
      else this.address(COMMON + 8, this.symbols.code(caller));
    } else {
      this.address(COMMON, this.symbols.code(rest.slice(1, end)));
    }
    this.length = format.size;
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      const at = word.indexOf('=') + 1;
      const { kind, offset } = format.fields[i];
      switch (kind) {
        case 'string':
          this.string(offset, word.slice(at + 1, -1));
          break;
        case 'x64':
          this.hex(offset, word, at);
          break;
        case 'x32':
          this.bytes.writeUInt32LE(Number.parseInt(word.slice(at + 2), 16), offset);
          break;
        case 'u64':
          this.wide(offset, Number(word.slice(at)));
          break;
        case 'u8':
          this.bytes[offset] = Number(word.slice(at));
          break;
        default:
          this.bytes.writeInt32LE(Number(word.slice(at)) | 0, offset);
      }
    }
    return format.id;
  }

  private tracepoint(name: string, rest: string): number {
    const format = this.formats.get(name);
    if (!format) throw new Error(`unknown tracepoint ${name}: ${rest}`);
    this.length = format.size;
    for (const { name: field, kind, offset } of format.fields) {
      const printed = field === 'gid' ? 'groupID' : field;
      const at = rest.indexOf(` ${printed}=`) + printed.length + 2;
      const space = rest.indexOf(' ', at);
      const value = rest.slice(at, space < 0 ? undefined : space);
      if (kind === 'string') this.string(offset, value);
      else if (kind === 'x64') this.hex(offset, value, 0);
      else if (kind === 'u64') this.wide(offset, Number(value));
      else this.bytes.writeInt32LE(Number(value), offset);
    }
    return format.id;
  }

  private address(offset: number, low: number): void {
    this.bytes.writeUInt32LE(low, offset);
    this.bytes.writeUInt32LE(KERNEL_HIGH, offset + 4);
  }

  private wide(offset: number, value: number): void {
    this.bytes.writeUInt32LE(value % 2 ** 32, offset);
    this.bytes.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
  }

  /** The number of `0x…` from `at` to the end of the text. */
  private hex(offset: number, text: string, at: number): void {
    const low = Math.max(at + 2, text.length - 8);
    this.bytes.writeUInt32LE(Number.parseInt(text.slice(low), 16), offset);
    this.bytes.writeUInt32LE(low > at + 2 ? Number.parseInt(text.slice(at + 2, low), 16) : 0, offset + 4);
  }

  /** Length in the high half, place in the low half of the word at `offset`; the bytes behind all that is there. */
  private string(offset: number, text: string): void {
    const length = this.bytes.write(text, this.length, 'latin1') + 1;
    this.bytes[this.length + length - 1] = 0;
    this.bytes.writeUInt32LE(length * 0x10000 + this.length, offset);
    this.length += length;
  }
}
