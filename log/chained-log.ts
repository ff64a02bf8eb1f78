/**
 * The `EventLog` over anything that can keep a chain of links: the rules (expected position, one transaction at a time,
 * all or nothing) stand here once, a store only keeps bytes. Nothing waits in here: every method does its work before it
 * returns its promise, so that a batch may be filled again at once.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import { assert } from '../events/problem.ts';
import { blockLinks, CHAIN_START, pointAfter, recordingLink, type ChainPoint, type Link } from './chain.ts';
import { deliver, verifyChain } from './delivery.ts';
import {
  LogBusyError, WrongPositionError,
  type Consume, type EventLog, type ImportedRecording, type LogTransaction, type RecordingMark, type Verification,
} from './event-log.ts';

/** What a reader sees: one state of the chain, whatever a writer does meanwhile. */
export interface ChainView {
  /** Returns where the chain ends. */
  readonly end: ChainPoint;
  /** Returns where the chain stands before the block that holds `position`, which is at most `end.position`. */
  before(position: number): ChainPoint;
  /** Links from this number on, in order. */
  links(seq: number): Iterable<Link>;
  /** Recordings in the order of their marks. */
  recordings(): ImportedRecording[];
}

/** Keeps a chain of links. Between `begin` and `commit` or `abort` there is one writer, and no view shows what it put. */
export interface ChainStorage {
  /** How the log is called in messages: its path. */
  readonly name: string;
  /** Runs `body` on one snapshot and returns what it returns. */
  view<T>(body: (view: ChainView) => T): T;
  /** Takes the writer's place; returns where the chain ends. Errors: `LogBusyError`. */
  begin(): ChainPoint;
  put(link: Link): void;
  /** Drops everything put since `begin`. */
  rewind(): void;
  /** Makes everything put visible and durable; the chain now ends at `end`. */
  commit(end: ChainPoint): void;
  abort(): void;
  /** Returns what is wrong with the storage itself beside the chain, undefined if nothing. */
  fault(): string | undefined;
  close(): void;
}

/** An `EventLog` kept in a `ChainStorage`. */
export class ChainedLog implements EventLog {
  private readonly storage: ChainStorage;
  private writer: ChainedTransaction | undefined;

  constructor(storage: ChainStorage) {
    this.storage = storage;
  }

  async head(): Promise<number> {
    return this.storage.view((view) => view.end.position);
  }

  async append(batch: EventBatch, from: number, to: number, expectedPosition: number): Promise<number> {
    const transaction = this.start();
    try {
      if (transaction.base !== expectedPosition) throw new WrongPositionError(this.storage.name, expectedPosition, transaction.base);
      transaction.stage(batch, from, to);
      return transaction.finish();
    } catch (error) {
      transaction.drop();
      throw error;
    }
  }

  async begin(): Promise<LogTransaction> {
    return this.start();
  }

  async read(from: number, to: number, interned: Interned, consume: Consume): Promise<number> {
    assert(Number.isInteger(from) && from >= 1 && !Number.isNaN(to), `positions ${from} to ${to}`);
    return this.storage.view((view) => {
      const { position } = view.end;
      if (from > Math.min(to, position)) return from - 1;
      const start = view.before(from);
      return deliver(this.storage.name, view.links(start.links + 1), start, position, from, to, interned, consume);
    });
  }

  async recordings(): Promise<readonly ImportedRecording[]> {
    return this.storage.view((view) => view.recordings());
  }

  async verify(): Promise<Verification> {
    const found = this.storage.view((view) => verifyChain(view.links(1), view.end, CHAIN_START));
    const fault = found.ok ? this.storage.fault() : undefined;
    return fault === undefined ? found : { ...found, ok: false, message: fault };
  }

  async close(): Promise<void> {
    this.writer?.drop();
    this.storage.close();
  }

  private start(): ChainedTransaction {
    if (this.writer) throw new LogBusyError(this.storage.name);
    const transaction = new ChainedTransaction(this.storage, () => (this.writer = undefined));
    this.writer = transaction;
    return transaction;
  }
}

class ChainedTransaction implements LogTransaction {
  readonly base: number;
  private readonly storage: ChainStorage;
  private readonly onEnd: () => void;
  private readonly start: ChainPoint;
  private point: ChainPoint;
  private open = true;

  constructor(storage: ChainStorage, onEnd: () => void) {
    this.storage = storage;
    this.onEnd = onEnd;
    this.start = storage.begin();
    this.point = this.start;
    this.base = this.start.position;
  }

  get head(): number {
    return this.point.position;
  }

  stage(batch: EventBatch, from: number, to: number): void {
    assert(this.open, 'the transaction has ended');
    if (from === to) return;
    for (const link of blockLinks(this.point, batch, from, to)) this.put(link);
  }

  rewind(): void {
    assert(this.open, 'the transaction has ended');
    if (this.point === this.start) return;
    this.storage.rewind();
    this.point = this.start;
  }

  async commit(recording?: RecordingMark): Promise<number> {
    return this.finish(recording);
  }

  async abort(): Promise<void> {
    this.drop();
  }

  finish(recording?: RecordingMark): number {
    assert(this.open, 'the transaction has ended');
    if (recording) this.put(recordingLink(this.point, recording, this.base + 1));
    if (this.point === this.start) {
      this.drop();
    } else {
      // Still open if this throws: the caller aborts.
      this.storage.commit(this.point);
      this.end();
    }
    return this.head;
  }

  drop(): void {
    if (!this.open) return;
    this.end();
    this.storage.abort();
  }

  private put(link: Link): void {
    this.storage.put(link);
    this.point = pointAfter(this.point, link);
  }

  private end(): void {
    this.open = false;
    this.onEnd();
  }
}
