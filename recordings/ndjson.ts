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
import type { ReadSummary } from './recording.ts';

const NEWLINE = 10;
/** A line longer than this is refused. */
const MAX_LINE = 1 << 20;

/** The reader of one source of NDJSON events. */
export class NdjsonEvents {
  private readonly source: ByteSource;
  private readonly summary: ReadSummary;
  private readonly batch: EventBatch;

  constructor(source: ByteSource, summary: ReadSummary, interned: Interned) {
    this.source = source;
    this.summary = summary;
    this.batch = new EventBatch(interned);
  }

  read(consume: (batch: EventBatch) => void, progress?: (bytesRead: number) => void): void {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES + MAX_LINE);
    let kept = 0;
    let total = 0;
    let skipping = false;
    const line = (start: number, end: number): void => {
      if (skipping) {
        skipping = false;
        return;
      }
      this.summary.lines++;
      this.line(buffer.toString('utf8', start, end), consume);
    };
    for (;;) {
      const n = this.source.read(buffer, kept);
      if (n === 0) break;
      total += n;
      const end = kept + n;
      let start = 0;
      for (let at = buffer.indexOf(NEWLINE, kept); at >= 0 && at < end; at = buffer.indexOf(NEWLINE, start)) {
        line(start, at);
        start = at + 1;
        if (start >= end) break;
      }
      buffer.copyWithin(0, start, end);
      kept = end - start;
      if (kept >= MAX_LINE) {
        if (!skipping) {
          this.summary.lines++;
          this.summary.ignored++;
          this.problem('line-too-long', `a line of more than ${MAX_LINE} bytes: ${quote(buffer.toString('utf8', 0, 80))}`);
        }
        skipping = true;
        kept = 0;
      }
      progress?.(total);
    }
    if (kept > 0) line(0, kept);
    this.flush(consume);
  }

  private line(text: string, consume: (batch: EventBatch) => void): void {
    if (text.trim() === '') {
      this.summary.ignored++;
      return;
    }
    if (this.batch.isFull) this.flush(consume);
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

  private flush(consume: (batch: EventBatch) => void): void {
    this.summary.events += this.batch.length;
    if (this.batch.length > 0) consume(this.batch);
    this.batch.clear();
  }

  private problem(code: string, message: string): void {
    this.summary.problems.add(code, `${this.summary.source}:${this.summary.lines}`, message, 'see the event shapes in README.md, "Events"');
  }
}
