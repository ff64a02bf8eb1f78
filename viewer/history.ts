/**
 * The recording under one design: the same audit as on the command line, run once over everything, with snapshots on the way,
 * so that the state at any instant is a snapshot and a tail.
 */
import { BATCH_CAPACITY, EventBatch, HAS } from '../events/batch.ts';
import { KIND, OLD } from '../events/event-types.ts';
import { findDesign } from '../machines/design-list.ts';
import { withOwnerBits, type Design } from '../machines/design.ts';
import { Audit, type AuditSnapshot } from '../projections/audit.ts';
import { domainView, aliveViews, type DomainView } from '../projections/domain-view.ts';
import { isArch, type Arch } from '../projections/domain-struct.ts';
import type { Finding } from '../projections/finding.ts';
import { Answers } from './answers.ts';
import { Lanes } from './lanes.ts';
import type { PageRecording } from './recording.ts';

/** Snapshots kept at most; the way from one to the next is what a jump costs. */
const SNAPSHOTS = 48;
/** A step of at most so many events is taken as it is: a snapshot costs more. It also keeps `onStep` of what `at` returned. */
const NEAR = 4096;

/** One design's view of the recording, from the first event to the last one read. */
export class History {
  readonly design: Design;
  readonly recording: PageRecording;
  readonly lanes: Lanes;
  /** What the design answers at each event. */
  readonly answers: Answers;
  /** The audit at the end of what has been read. */
  readonly last: Audit;
  private readonly snapshots: { position: number; snapshot: AuditSnapshot }[] = [];
  /** Blocks from one snapshot to the next. */
  private every: number;
  private started = false;
  private blocks = 0;
  private ended = false;
  private now: { audit: Audit; position: number } | null = null;
  private readonly scratch: EventBatch;
  readonly arch: Arch;

  /** Errors: asserts that the design exists. */
  constructor(recording: PageRecording, design: string, own: boolean) {
    const { ownerBits, arch } = recording.header;
    this.recording = recording;
    this.design = ownerBits === null ? findDesign(design)! : withOwnerBits(findDesign(design)!, ownerBits);
    this.own = own;
    this.last = new Audit(this.design, own);
    this.lanes = new Lanes(this.last);
    this.answers = new Answers(this.last.table);
    this.scratch = new EventBatch(recording.interned);
    this.arch = isArch(arch) ? arch : 'arm64';
    // Where the length is known beforehand no snapshot is taken that goes again.
    const { events } = recording.header;
    this.every = events > 0 ? Math.ceil(events / BATCH_CAPACITY / SNAPSHOTS) : 1;
  }

  /** Whether the recording is of this design. */
  readonly own: boolean;

  /** Reads one more block; returns whether there are more. */
  step(): boolean {
    if (this.blocks >= this.recording.blocks.length) return false;
    const b = this.recording.decode(this.blocks);
    for (let i = 0; i < b.length; i++) {
      if (b.kind[i] === KIND.events_lost || (b.kind[i] === KIND.recording_started && this.started)) this.lanes.falls.push(b.position + i);
      this.started ||= b.kind[i] === KIND.recording_started;
    }
    this.answers.ensure(b.position + b.length);
    this.last.onStep = (i, d, _, after, verdict) => {
      this.lanes.step(b.position + i, b.kind[i], d, after);
      this.answers.step(b.position + i, after, verdict);
      // What memory showed of the domain that was left.
      if (b.words[i * 3 + OLD] !== 0 && b.present[i] & HAS.a) this.lanes.observed(b.position + i, this.recording.interned.addresses.intern(b.aLo[i], b.aHi[i]));
    };
    this.last.apply(b);
    this.blocks++;
    if (this.blocks % this.every === 0) {
      this.snapshots.push({ position: b.position + b.length - 1, snapshot: this.last.snapshot(this.recording.interned) });
      if (this.snapshots.length > SNAPSHOTS) {
        // Every second one goes, and the rest come half as often.
        for (let k = this.snapshots.length - 2; k >= 0; k -= 2) this.snapshots.splice(k, 1);
        this.every *= 2;
      }
    }
    return this.blocks < this.recording.blocks.length;
  }

  /** Everything has been read: what was held back is reported, once. Not while a page is live. */
  end(): void {
    if (!this.ended) this.last.end();
    this.ended = true;
  }

  /** Findings in the order of the recording. */
  get findings(): readonly Finding[] {
    return this.last.findings.sorted();
  }

  /** Returns the audit as it stood after a position (0: before the first event). It is valid until the next call. */
  at(position: number): Audit {
    if (this.now === null || this.now.position > position || this.closer(this.now.position, position)) this.now = this.restored(position);
    const { now, recording, scratch } = this;
    while (now.position < position) {
      const k = recording.blockOf(now.position + 1);
      const to = Math.min(position, recording.starts[k] + recording.blocks[k].rows);
      recording.slice(k, now.position + 1, to, scratch);
      now.audit.apply(scratch);
      now.position = to;
    }
    return now.audit;
  }

  /** The domains alive after a position, as `replay --at` prints them. */
  domainsAt(position: number): DomainView[] {
    return aliveViews(this.at(position), this.recording.interned, this.arch);
  }

  /** One domain after a position, freed or not; null where its incarnation is not there at that instant. */
  domainAt(position: number, d: number, generation: number): DomainView | null {
    const audit = this.at(position);
    if (d >= audit.incarnations.size || audit.incarnations.born[d] === 0 || audit.incarnations.generation[d] !== generation) return null;
    return domainView(audit, this.recording.interned, d, this.arch);
  }

  private closer(from: number, position: number): boolean {
    return this.snapshots.some((s) => s.position <= position && s.position > from + NEAR);
  }

  private restored(position: number): { audit: Audit; position: number } {
    const from = this.snapshots.findLast((s) => s.position <= position);
    if (!from) return { audit: new Audit(this.design, this.own), position: 0 };
    return { audit: Audit.restore(this.design, from.snapshot, this.recording.interned), position: from.position };
  }
}
