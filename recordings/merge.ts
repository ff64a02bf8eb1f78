/**
 * Several recordings of one machine as one: their events merged by time. Where one begins after the others have ended, what
 * happened in between was not seen, and its `recording_started` says so; where they overlap, an event that two of them hold
 * is taken once. Of equal times the recording that was named first comes first.
 */
import { HAS, EventBatch, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import { ProblemList, quote } from './problem-list.ts';
import type { ReadSummary, Recording } from './recording.ts';

/** Rows merged in one step. */
const STEP = 1 << 14;

/** Returns the recordings as one. All of them must have been opened with this `interned`. */
export function mergeRecordings(recordings: readonly Recording[], interned: Interned): Recording {
  return new Merged(recordings, interned);
}

/** What one recording has given and the merge has not taken yet. */
class Lane {
  readonly recording: Recording;
  readonly number: number;
  private readonly full: EventBatch[] = [];
  private readonly empty: EventBatch[] = [];
  private row = 0;
  private ended = false;
  private unitNsec = 1;
  /** Time of the row in hand; rows without one (lost events) stand where the row before them stood. */
  sec = 0;
  nsec = 0;

  constructor(recording: Recording, number: number) {
    this.recording = recording;
    this.number = number;
    recording.begin((batch) => {
      const copy = this.empty.pop() ?? new EventBatch(batch.interned);
      copy.length = 0;
      copy.copyRows(batch, 0, batch.length);
      this.full.push(copy);
    });
  }

  get batch(): EventBatch {
    return this.full[0];
  }
  get at(): number {
    return this.row;
  }

  /** Makes sure that there is a row in hand; false where the recording has ended. */
  async ready(): Promise<boolean> {
    while (this.full.length === 0) {
      if (this.ended) return false;
      this.ended = !(await this.recording.step());
    }
    // A recording stands where its first event with a time stands.
    for (let row = this.row; row < this.batch.length && !this.readTime(row); row++);
    return true;
  }

  /** Moves to the next row; false where more must be read first. */
  next(): boolean {
    if (++this.row >= this.batch.length) {
      this.row = 0;
      this.empty.push(this.full.shift()!);
      if (this.full.length === 0) return false;
    }
    this.readTime(this.row);
    return true;
  }

  isBefore(other: Lane): boolean {
    return this.sec < other.sec || (this.sec === other.sec && this.nsec < other.nsec);
  }

  isAt(sec: number, nsec: number): boolean {
    return this.sec === sec && this.nsec === nsec;
  }

  /** Digits of the fraction of the row in hand; 9 where it has no time. */
  get digits(): number {
    const { batch } = this;
    let row = this.row;
    while (row < batch.length && (batch.present[row] & HAS.time) === 0) row++;
    return row < batch.length ? batch.digits[row] : 9;
  }

  /** Reads times as coarsely as the coarsest of the recordings: only so is an event the same in all of them. */
  set unit(nsec: number) {
    this.unitNsec = nsec;
    for (let row = this.row; row < this.batch.length && !this.readTime(row); row++);
  }

  private readTime(row: number): boolean {
    const { batch, unitNsec } = this;
    if ((batch.present[row] & HAS.time) === 0) return false;
    this.sec = batch.sec[row];
    // Rounded as trace_print_time() rounds.
    this.nsec = unitNsec === 1 ? batch.nsec[row] : Math.floor((batch.nsec[row] + unitNsec / 2) / unitNsec) * unitNsec;
    if (this.nsec >= 1e9) {
      this.nsec -= 1e9;
      this.sec++;
    }
    return true;
  }
}

class Merged implements Recording {
  readonly interned: Interned;
  readonly sizeBytes: number | null;
  readonly live: boolean;
  readonly summary: ReadSummary;
  private readonly recordings: readonly Recording[];
  private readonly out: EventBatch;
  private consume: (batch: EventBatch) => void = () => {};
  private lanes: Lane[] = [];
  private waiting: Lane[] = [];
  /** Whether any event has been merged, and the latest time. */
  private any = false;
  private sec = 0;
  private nsec = 0;
  /** The rows of this very time, to know them again in another recording. */
  private seen: { readonly lane: Lane; readonly text: string }[] = [];
  private readonly problems = new ProblemList();
  /** Events that another recording had given already. */
  private twice = 0;

  constructor(recordings: readonly Recording[], interned: Interned) {
    this.recordings = recordings;
    this.interned = interned;
    this.out = new EventBatch(interned);
    const sizes = recordings.map(({ sizeBytes }) => sizeBytes);
    this.sizeBytes = sizes.every((size) => size !== null) ? sizes.reduce((sum, size) => sum + size, 0) : null;
    this.live = recordings.some(({ live }) => live);
    for (const { summary } of recordings) interned.recordings.push(summary.source);
    const kernels = [...new Set(recordings.flatMap(({ summary }) => summary.kernel ?? []))];
    if (kernels.length > 1) this.problems.add('other-kernel', recordings[1].summary.source, `the recordings are of different kernels: ${kernels.map(quote).join(', ')}`, 'merge recordings of one machine between two boots only');
    const summaries = recordings.map(({ summary }) => summary);
    const [first] = summaries;
    const { problems } = this;
    const twice = (): number => this.twice;
    const sum = (of: (summary: ReadSummary) => number): number => summaries.reduce((total, summary) => total + of(summary), 0);
    const formats = new Set(summaries.map(({ format }) => format));
    this.summary = {
      source: summaries.map(({ source }) => source).join(' + '),
      format: [...formats].join(' + '),
      kernel: kernels[0] ?? null,
      get lines() { return sum(({ lines }) => lines); },
      events: 0,
      get ignored() { return sum(({ ignored }) => ignored) + twice(); },
      get lost() { return sum(({ lost }) => lost); },
      from: null, to: null, problems,
      get missing() { return summaries.flatMap(({ missing }) => missing); },
      fields: new Set(summaries.flatMap(({ fields }) => [...fields])),
      design: first.design ?? summaries.find(({ design }) => design !== null)?.design ?? null,
    };
  }

  get position(): number {
    return this.recordings.reduce((sum, { position }) => sum + position, 0);
  }

  begin(consume: (batch: EventBatch) => void): void {
    this.consume = consume;
    this.waiting = this.recordings.map((recording, n) => new Lane(recording, n));
  }

  async step(): Promise<boolean> {
    for (let left = STEP; left > 0; left--) {
      if (this.waiting.length > 0) await this.refill();
      if (this.lanes.length === 0) {
        this.end();
        return false;
      }
      let lane = this.lanes[0];
      for (const other of this.lanes) if (other.isBefore(lane)) lane = other;
      this.take(lane);
      if (!lane.next()) {
        this.lanes.splice(this.lanes.indexOf(lane), 1);
        this.waiting.push(lane);
      }
    }
    if (this.live) this.flush();
    return true;
  }

  stop(): void {
    for (const recording of this.recordings) recording.stop();
  }

  close(): void {
    for (const recording of this.recordings) recording.close();
  }

  private async refill(): Promise<void> {
    const { waiting } = this;
    this.waiting = [];
    for (const lane of waiting) if (await lane.ready()) this.lanes.push(lane);
    this.lanes.sort((a, b) => a.number - b.number);
    if (this.any || this.lanes.length < 2) return;
    const unit = 10 ** (9 - Math.min(...this.lanes.map(({ digits }) => digits)));
    if (unit > 1) for (const lane of this.lanes) lane.unit = unit;
  }

  private take(lane: Lane): void {
    const { batch, at } = lane;
    if (batch.kind[at] === KIND.recording_started && this.any && !this.begins(lane)) return;
    if (batch.present[at] & HAS.time) {
      if (!lane.isAt(this.sec, this.nsec)) this.seen = [];
      this.any = true;
      this.sec = lane.sec;
      this.nsec = lane.nsec;
      if (this.seen.length > 0 || this.lanes.some((other) => other !== lane && other.isAt(lane.sec, lane.nsec))) {
        const text = fingerprint(batch, at);
        if (this.seen.some((other) => other.lane !== lane && other.text === text)) {
          this.twice++;
          return;
        }
        this.seen.push({ lane, text });
      }
    }
    if (this.out.isFull) this.flush();
    this.out.copyRows(batch, at, at + 1);
    this.out.recording[this.out.length - 1] = lane.number;
  }

  /** Whether a recording begins where no other one is under way. */
  private begins(lane: Lane): boolean {
    return this.lanes.every((other) => other === lane) && this.waiting.length === 0;
  }

  private flush(): void {
    const { out: b, summary: s } = this;
    for (let i = 0; i < b.length; i++) {
      if ((b.present[i] & HAS.time) === 0) continue;
      s.to = renderTime(b.sec[i], b.nsec[i], b.digits[i]);
      s.from ??= s.to;
    }
    s.events += b.length;
    if (b.length > 0) this.consume(b);
    b.clear();
  }

  private end(): void {
    this.flush();
    for (const { summary } of this.recordings) this.problems.merge(summary.problems);
  }
}

/** What makes a row known again in another recording; its line does not. */
function fingerprint(b: EventBatch, i: number): string {
  return `${b.kind[i]} ${b.cpu[i]} ${b.pid[i]} ${b.domain[i]} ${b.device[i]} ${b.errno[i]} ${b.aLo[i]} ${b.aHi[i]} ${b.bLo[i]} ${b.x[i]}`;
}
