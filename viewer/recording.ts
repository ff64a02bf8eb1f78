/**
 * The recording in the page: its blocks, and a few columns of all events that search, lists and the timeline need.
 * Whatever else an event says is decoded from its block when it is asked for. Position p is row p - 1.
 */
import { EventBatch, HAS, createInterned, type Interned } from '../events/batch.ts';
import { KIND } from '../events/event-types.ts';
import { eventObject } from '../events/ndjson.ts';
import { renderTime } from '../events/time.ts';
import { decodeBlock } from '../log/block.ts';
import { grown } from '../machines/msi-pages.ts';
import type { PageBlock, PageHeader } from './page-data.ts';

/** No string, no domain. */
export const NIL = -1;

/** All events of a page. Grows where the page is live. */
export class PageRecording {
  readonly header: PageHeader;
  readonly interned: Interned = createInterned();
  /** Events there are. */
  length = 0;
  /** By row: event type, domain number, task, device, function called from (string numbers), pid, seconds since the first event. */
  kind = new Uint8Array(1 << 14);
  domain = new Int32Array(1 << 14);
  task = new Int32Array(1 << 14);
  device = new Int32Array(1 << 14);
  caller = new Int32Array(1 << 14);
  pid = new Int32Array(1 << 14);
  seconds = new Float64Array(1 << 14);
  readonly blocks: PageBlock[] = [];
  /** Row of each block's first event. */
  readonly starts: number[] = [];
  /** Whether all events are there: no more will come. */
  complete = false;
  private readonly batch: EventBatch;
  private decoded = NIL;
  private first: { sec: number; nsec: number } | null = null;

  constructor(header: PageHeader) {
    this.header = header;
    this.interned.recordings.push(...header.recordings);
    this.batch = new EventBatch(this.interned);
  }

  /** Adds a block behind the others. */
  add(block: PageBlock): void {
    this.blocks.push(block);
    this.starts.push(this.length);
    const b = this.decode(this.blocks.length - 1);
    this.ensure(this.length + b.length);
    for (let i = 0; i < b.length; i++) {
      const row = this.length + i;
      const present = b.present[i];
      this.kind[row] = b.kind[i];
      this.domain[row] = b.domain[i];
      this.task[row] = present & HAS.task ? b.task[i] : NIL;
      // A recording's own event has its format and machine in these columns.
      const called = b.kind[i] !== KIND.recording_started;
      this.device[row] = called && present & HAS.device ? b.device[i] : NIL;
      this.caller[row] = called && present & HAS.caller ? b.caller[i] : NIL;
      this.pid[row] = present & HAS.pid ? b.pid[i] : NIL;
      if (present & HAS.time) {
        this.first ??= { sec: b.sec[i], nsec: b.nsec[i] };
        this.seconds[row] = b.sec[i] - this.first.sec + (b.nsec[i] - this.first.nsec) / 1e9;
      } else this.seconds[row] = row === 0 ? 0 : this.seconds[row - 1];
    }
    this.length += b.length;
  }

  /** Index of the block that holds a position. */
  blockOf(position: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] < position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Returns block `k` as a batch, which is valid until the next call. */
  decode(k: number): EventBatch {
    const { batch } = this;
    if (this.decoded === k) return batch;
    batch.length = 0;
    batch.position = this.starts[k] + 1;
    const { bytes, rows, recordingOf } = this.blocks[k];
    decodeBlock(bytes, rows, batch);
    if (recordingOf) batch.recording.set(recordingOf);
    this.decoded = k;
    return batch;
  }

  /** Copies rows into `into` so that it holds positions `from` … `to` of one block. */
  slice(k: number, from: number, to: number, into: EventBatch): void {
    const b = this.decode(k);
    into.length = 0;
    into.position = from;
    into.copyRows(b, from - b.position, to - b.position + 1);
  }

  /** Returns an event as the JSON object that `events` prints. */
  event(position: number): Record<string, unknown> {
    const b = this.decode(this.blockOf(position));
    return eventObject(b, position - b.position);
  }

  /** Time of an event as the recording printed it, or null. */
  time(position: number): string | null {
    const b = this.decode(this.blockOf(position));
    const i = position - b.position;
    return b.present[i] & HAS.time ? renderTime(b.sec[i], b.nsec[i], b.digits[i]) : null;
  }

  /** Position of the last event at or before a number of seconds since the first one; 0 where there is none. */
  positionAt(seconds: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seconds[middle] <= seconds) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Text of a string number, or ''. */
  text(n: number): string {
    return n === NIL ? '' : this.interned.strings.values[n];
  }

  private ensure(n: number): void {
    if (n <= this.kind.length) return;
    let size = this.kind.length;
    while (size < n) size *= 2;
    this.kind = grown(this.kind, new Uint8Array(size));
    this.domain = grown(this.domain, new Int32Array(size));
    this.task = grown(this.task, new Int32Array(size));
    this.device = grown(this.device, new Int32Array(size));
    this.caller = grown(this.caller, new Int32Array(size));
    this.pid = grown(this.pid, new Int32Array(size));
    this.seconds = grown(this.seconds, new Float64Array(size));
  }
}

