/**
 * Reader of `bpftrace -f json`, printed by bpftrace's src/output.cpp (JsonOutput): one object a line with `type` and `data`.
 * The `printf` lines of the script that `iommu-ledger probes --tool bpftrace` prints have the columns of the tracefs text;
 * `lost_events` says how many were dropped on the way. Escapes are undone in place of a JSON parse a line.
 */
import { FtraceText } from './ftrace-text.ts';
import { MAX_LINE } from './text-reader.ts';
import { quote } from './problem-list.ts';

const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const U = 117;
const PRINTF = Buffer.from('{"type": "printf", "data": "');
const LOST = /^\{"type": ?"lost_events", ?"data": ?\{"events": ?(\d+)/;
const KNOWN = /^\{"type": ?"(?:attached_probes|printf|lost_events|map|stats|hist|value|time|cat|join|syscall|helper_error|str|[a-z_]{1,32})", ?"data":/;
/** What the character behind a backslash stands for. */
const ESCAPES = new Map(Object.entries({ n: 10, t: 9, r: 13, b: 8, f: 12 }).map(([c, code]) => [c.charCodeAt(0), code]));

/** Returns whether these first bytes are such output. */
export function isBpftraceJson(head: Buffer): boolean {
  return /^\s*\{"type": ?"(?:attached_probes|printf|lost_events)", ?"data":/.test(head.toString('latin1', 0, 4096));
}

/** The reader of one recording. */
export class BpftraceJson extends FtraceText {
  private readonly scratch = Buffer.alloc(MAX_LINE + 1);

  protected override line(buf: Buffer, start: number, end: number): void {
    if (buf.compare(PRINTF, 0, PRINTF.length, start, Math.min(end, start + PRINTF.length)) !== 0) {
      this.other(buf.toString('latin1', start, end));
      return;
    }
    // A printf may hold several lines, the last with or without its end.
    const length = this.unescape(buf, start + PRINTF.length, end);
    if (length < 0) {
      this.out.summary.ignored++;
      this.out.problem('unreadable-line', `its text does not end: ${quote(buf.toString('latin1', start, end))}`, 'was the file cut off or edited?');
      return;
    }
    const { scratch } = this;
    for (let at = 0; at < length; ) {
      const found = scratch.indexOf(NEWLINE, at);
      const lineEnd = found < 0 || found > length ? length : found;
      scratch[lineEnd] = NEWLINE;
      super.line(scratch, at, lineEnd);
      at = lineEnd + 1;
    }
  }

  private other(text: string): void {
    const { out } = this;
    const lost = LOST.exec(text);
    if (lost) {
      out.lost(Number(lost[1]), -1);
      return;
    }
    out.summary.ignored++;
    if (text.trim() !== '' && !KNOWN.test(text)) out.problem('unreadable-line', `not a line of bpftrace -f json: ${quote(text)}`, 'run the script with bpftrace -f json');
  }

  /** Writes the string that begins at `from` to `scratch`; returns its length, or -1 where it does not end. */
  private unescape(buf: Buffer, from: number, end: number): number {
    const { scratch } = this;
    let length = 0;
    for (let q = from; q < end; q++) {
      let c = buf[q];
      if (c === QUOTE) return length;
      if (c === BACKSLASH) {
        c = buf[++q];
        if (c === U) {
          c = Number.parseInt(buf.toString('latin1', q + 1, q + 5), 16) & 0xff; // bpftrace writes control bytes so, and only them
          q += 4;
        } else c = ESCAPES.get(c) ?? c;
      }
      scratch[length++] = c;
    }
    return -1;
  }
}
