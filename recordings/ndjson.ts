/**
 * Reader of events as NDJSON: what `events` prints, or a scenario written by hand. One JSON object a line.
 * A line that is no event is a problem with its line number; the others are used.
 */
import { HAS, EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import { parseEvent } from '../events/parse-event.ts';
import { addEvidence } from '../events/word-evidence.ts';
import type { ByteSource } from './byte-source.ts';
import { CHUNK_BYTES } from './byte-source.ts';
import { quote } from './problem-list.ts';
import type { ReadSummary, Reader } from './recording.ts';

const NEWLINE = 10;
/** A line longer than this is refused. */
const MAX_LINE = 1 << 20;

/** The reader of one source of NDJSON events. */
export class NdjsonEvents implements Reader {
  private readonly source: ByteSource;
  private readonly summary: ReadSummary;
  private readonly batch: EventBatch;
  private readonly buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE);
  private kept = 0;
  private skipping = false;
  private consume: (batch: EventBatch) => void = () => {};

  constructor(source: ByteSource, summary: ReadSummary, interned: Interned) {
    this.source = source;
    this.summary = summary;
    this.batch = new EventBatch(interned);
  }

  begin(consume: (batch: EventBatch) => void): void {
    this.consume = consume;
  }

  async step(): Promise<boolean> {
    const { buffer, kept } = this;
    const n = await this.source.read(buffer, kept);
    if (n === 0) {
      if (kept > 0) this.take(0, kept);
      this.flush();
      return false;
    }
    const end = kept + n;
    let start = 0;
    for (let at = buffer.indexOf(NEWLINE, kept); at >= 0 && at < end; at = buffer.indexOf(NEWLINE, start)) {
      this.take(start, at);
      start = at + 1;
      if (start >= end) break;
    }
    buffer.copyWithin(0, start, end);
    this.kept = end - start;
    if (this.kept >= MAX_LINE) this.tooLong();
    if (this.source.live) this.flush();
    return true;
  }

  private take(start: number, end: number): void {
    this.kept = 0;
    if (this.skipping) {
      this.skipping = false;
      return;
    }
    this.summary.lines++;
    this.line(this.buffer.toString('utf8', start, end));
  }

  private tooLong(): void {
    if (!this.skipping) {
      this.summary.lines++;
      this.summary.ignored++;
      this.problem('line-too-long', `a line of more than ${MAX_LINE} bytes: ${quote(this.buffer.toString('utf8', 0, 80))}`);
    }
    this.skipping = true;
    this.kept = 0;
  }

  private line(text: string): void {
    if (text.trim() === '') {
      this.summary.ignored++;
      return;
    }
    if (this.batch.isFull) this.flush();
    const b = this.batch;
    const refused = parseEvent(text, b);
    if (refused !== undefined) {
      this.summary.ignored++;
      this.problem('refused-event', `${refused}: ${quote(text)}`);
      return;
    }
    const i = b.length - 1;
    const s = this.summary;
    if (b.present[i] & HAS.time) {
      s.to = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
      s.from ??= s.to;
    }
    if (b.kind[i] === KIND.events_lost) s.lost += b.x[i];
    if (b.kind[i] === KIND.recording_started && b.present[i] & HAS.a) s.kernel ??= b.interned.strings.values[b.aLo[i]];
    addEvidence(b, i, s.fields);
  }

  private flush(): void {
    this.summary.events += this.batch.length;
    if (this.batch.length > 0) this.consume(this.batch);
    this.batch.clear();
  }

  private problem(code: string, message: string): void {
    this.summary.problems.add(code, `${this.summary.source}:${this.summary.lines}`, message, 'see the event shapes in README.md, "Events"');
  }
}
