/**
 * What all text formats share: lines out of chunks of bytes, and one probe line after the other handed to `calls.ts`.
 * A format says where the columns of a line are (`columns`) and what they hold (`who`, `context`).
 */
import type { EventBatch } from '../events/batch.ts';
import type { ByteSource } from './byte-source.ts';
import { CHUNK_BYTES } from './byte-source.ts';
import type { EventOutput } from './event-output.ts';
import { ProbeLine } from './probe-line.ts';
import { ProbeText } from './probe-text.ts';
import { quote } from './problem-list.ts';
import type { Reader } from './recording.ts';

const NEWLINE = 10;
/** A line longer than this is no trace line. */
export const MAX_LINE = 1 << 16;

/** Reader of one text recording; `step` is called until it gives false. */
export abstract class TextReader implements Reader {
  protected readonly out: EventOutput;
  protected readonly p = new ProbeLine();
  protected readonly text: ProbeText;
  private readonly source: ByteSource;
  private readonly buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE + 1);
  private kept = 0;
  private skipLong = false;

  constructor(source: ByteSource, out: EventOutput) {
    this.source = source;
    this.out = out;
    this.text = new ProbeText(this.p, out.calls, out.strings);
    this.p.complete = () => this.context();
  }

  /** Returns where the event of the line starts, or -1 for a line that has none and has been counted. */
  protected abstract columns(buf: Buffer, start: number, end: number): number;
  /** Fills pid, and cpu where the pid is 0, of the line whose columns were found. */
  protected abstract who(): void;
  /** Fills task, cpu and time of that line. */
  protected abstract context(): void;

  begin(consume: (batch: EventBatch) => void): void {
    this.out.begin(consume);
  }

  async step(): Promise<boolean> {
    const { buffer, kept } = this;
    const n = await this.source.read(buffer.subarray(0, CHUNK_BYTES + MAX_LINE), kept);
    if (n === 0) {
      this.finish();
      this.out.end();
      return false;
    }
    const end = kept + n;
    const last = buffer.lastIndexOf(NEWLINE, end - 1);
    // No line end in sight: keep what may still become a line, give up on what cannot.
    this.kept = end;
    if (last >= 0) {
      this.scan(buffer, last + 1);
      buffer.copyWithin(0, last + 1, end);
      this.kept = end - last - 1;
    }
    if (this.kept >= MAX_LINE) this.tooLong();
    if (this.source.live) this.out.flush();
    return true;
  }

  /** Takes one line, buf[start, end) without its end. */
  protected line(buf: Buffer, start: number, end: number): void {
    const { p, out } = this;
    const at = this.columns(buf, start, end);
    if (at < 0) return;
    let used = false;
    if (this.text.event(buf, at, end)) {
      this.who();
      p.line = out.summary.lines;
      used = out.calls.take(p);
    }
    if (!used) out.summary.ignored++;
  }

  /** Takes all lines in buffer[0, end); buffer[end - 1] is a line end. */
  private scan(buf: Buffer, end: number): void {
    const { summary } = this.out;
    let at = 0;
    if (this.skipLong) {
      at = buf.indexOf(NEWLINE) + 1;
      this.skipLong = false;
    }
    while (at < end) {
      const start = at;
      const lineEnd = buf.indexOf(NEWLINE, at);
      at = lineEnd + 1;
      summary.lines++;
      if (lineEnd - start >= MAX_LINE) this.longLine(start);
      else this.line(buf, start, lineEnd);
    }
  }

  /** A line without an end in sight: what is kept of it is dropped, and its rest is skipped. */
  private tooLong(): void {
    if (!this.skipLong) {
      this.out.summary.lines++;
      this.longLine(0);
    }
    this.skipLong = true;
    this.kept = 0;
  }

  private longLine(start: number): void {
    this.out.summary.ignored++;
    this.out.problem('line-too-long', `a line of more than ${MAX_LINE} bytes: ${quote(this.buffer.toString('latin1', start, start + 80))}`, 'this is not trace text from here on; was the file damaged in transfer?');
  }

  /** The last line has no line end: it counts only if it is whole, and a cut one cannot be told from a whole one. */
  private finish(): void {
    const { kept, buffer, out } = this;
    if (kept === 0 || this.skipLong) return;
    const text = buffer.toString('latin1', 0, kept);
    out.summary.lines++;
    out.summary.ignored++;
    if (text.trim() !== '') out.problem('truncated-line', `the last line has no line end and is not used: ${quote(text)}`, 'the recording was cut off; record again or copy the whole file');
  }
}
