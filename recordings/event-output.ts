/**
 * What every reader of probe lines writes to: the batch in hand, the calls that become its events, and the summary of what
 * was read, ignored and not understood.
 */
import { HAS, EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import { Calls } from './calls.ts';
import type { ReadSummary } from './recording.ts';

/** The events of one recording on their way out. */
export class EventOutput {
  readonly summary: ReadSummary;
  readonly calls: Calls;
  readonly strings: Interned['strings'];
  private consume: (batch: EventBatch) => void = () => {};
  private readonly batch: EventBatch;

  constructor(summary: ReadSummary, interned: Interned) {
    this.summary = summary;
    this.batch = new EventBatch(interned);
    this.strings = interned.strings;
    this.calls = new Calls(this.batch, () => this.flush());
  }

  /** Names who takes each batch, which is reused afterwards, and writes the first event: what is known of the whole. */
  begin(consume: (batch: EventBatch) => void): void {
    this.consume = consume;
    const { batch: b, summary, strings } = this;
    const i = b.add(KIND.recording_started);
    b.caller[i] = strings.intern(summary.format);
    b.bLo[i] = strings.intern(summary.source);
    b.present[i] = HAS.caller | HAS.b;
    if (summary.kernel !== null) {
      b.aLo[i] = strings.intern(summary.kernel);
      b.present[i] |= HAS.a;
    }
    if (summary.design !== null) {
      b.cLo[i] = strings.intern(summary.design);
      b.present[i] |= HAS.c;
    }
  }

  /** Counts lost events and tells the calls; `count` and `cpu` are -1 where no one says how many, or which. */
  lost(count: number, cpu: number): void {
    this.summary.lost += count < 0 ? 1 : count;
    this.calls.lost(Math.max(count, 0), cpu, null);
  }

  /** Hands over what the batch holds. */
  flush(): void {
    const { batch: b, summary: s } = this;
    for (let i = 0; s.from === null && i < b.length; i++) if (b.present[i] & HAS.time) s.from = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
    for (let i = b.length - 1; i >= 0; i--) {
      if ((b.present[i] & HAS.time) === 0) continue;
      s.to = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
      break;
    }
    s.events += b.length;
    if (b.length > 0) this.consume(b);
    b.clear();
  }

  /** The recording is over. */
  end(): void {
    this.flush();
    this.summary.missing = this.calls.coverage.missing();
  }

  /** Counts a problem at the line in hand. */
  problem(code: string, message: string, hint: string): void {
    this.summary.problems.add(code, `${this.summary.source}:${this.summary.lines}`, message, hint);
  }
}
