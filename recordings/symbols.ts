/**
 * Addresses in binary records become functions and callers, by the kernel's symbols that a trace.dat carries. Each address
 * is looked up once; there are as many as there are places in the code that call something probed.
 */
import { AddressTable, hex64, type StringTable } from '../events/tables.ts';
import { Kallsyms } from './kallsyms.ts';
import { functionTable, hashName } from './probe-line.ts';
import type { ProbeRecord } from './probe-record.ts';

/** Damaged files could hold addresses without end; behind so many they are no longer remembered. */
const LIMIT = 1 << 16;

/** The symbols of one recording. */
export class Symbols {
  private readonly kallsyms: Kallsyms;
  private readonly strings: StringTable;
  private readonly seen = new AddressTable();
  /** By number of an address: the number of the string that names its function, 0 before it was looked up. */
  private names = new Int32Array(1024);

  constructor(text: Buffer, strings: StringTable) {
    this.kallsyms = new Kallsyms(text);
    this.strings = strings;
  }

  /** Returns the number of `FN` that a record's address lies in; -1 for any other function. */
  functionAt(record: ProbeRecord, view: DataView, at: number, littleEndian: boolean): number {
    const q = at + record.functionAt;
    const lo = view.getUint32(littleEndian ? q : q + 4, littleEndian);
    const hi = view.getUint32(littleEndian ? q + 4 : q, littleEndian);
    if (lo === record.functionLo && hi === record.functionHi && record.fn !== -2) return record.fn;
    const name = this.strings.values[this.name(lo, hi)];
    record.functionLo = lo;
    record.functionHi = hi;
    record.fn = name.startsWith('0x') ? record.named : functionTable.find(hashName(name), name.length);
    return record.fn;
  }

  /** Returns the number of the string that names who called. */
  callerAt(record: ProbeRecord, view: DataView, at: number, littleEndian: boolean): number {
    const q = at + record.callerAt;
    return this.name(view.getUint32(littleEndian ? q : q + 4, littleEndian), view.getUint32(littleEndian ? q + 4 : q, littleEndian));
  }

  /** The function's name without a compiler suffix, as the text of a trace shows it; 0x… where there is no symbol. */
  private name(lo: number, hi: number): number {
    const n = this.seen.intern(lo, hi);
    if (n >= this.names.length) {
      const wide = new Int32Array(this.names.length * 2);
      wide.set(this.names);
      this.names = wide;
    }
    if (this.names[n] !== 0) return this.names[n];
    const address = hex64(lo, hi);
    const name = this.strings.intern(/^\w+/.exec(this.kallsyms.find(lo, hi) ?? address)?.[0] ?? address);
    if (n < LIMIT) this.names[n] = name;
    else this.seen.release(n);
    return name;
  }
}
