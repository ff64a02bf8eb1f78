/**
 * The audit of one design: folds batches of events into the state of every domain, and into findings.
 * Legality is what the design's machine says of each event in the state it has itself reached; conformance is whether what
 * was recorded (errno, words, IOVAs, programmed addresses) is what the design predicts, judged only where the recording
 * is of this design. A healthy recording under its own design gives no finding.
 */
import type { EventBatch, Interned } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { AFTER, BEFORE, EVENT_TYPES, KIND, OLD, WORD } from '../events/event-types.ts';
import { wordsObject } from '../events/ndjson.ts';
import { assert } from '../events/problem.ts';
import { hex64 } from '../events/tables.ts';
import { findDesign } from '../machines/design-list.ts';
import { typeMaskOf, type Design } from '../machines/design.ts';
import { MAP } from '../machines/domain-context.ts';
import { COOKIE, DomainRows, FLAG, step, type RowsSnapshot } from '../machines/domain-rows.ts';
import { REFUSAL_IS_FAULT, RULES, sentenceOf, type Severity } from '../machines/rules.ts';
import {
  EINVAL, EOPNOTSUPP, MACHINE_EVENT, OBSERVED, LIVING, OUTCOMES, STATE, errnoText, type Outcome,
} from '../machines/states.ts';
import { NONE, NO_ERRNO, compileDesign, type TransitionTable } from '../machines/transition-table.ts';
import { Attachments, type AttachmentsSnapshot } from './attachments.ts';
import type { AuditState } from './audit-state.ts';
import { Findings, type Checked, type Details, type Finding } from './finding.ts';
import { Gaps, type GapsSnapshot } from './gaps.ts';
import { GroupCheck } from './group-check.ts';
import { Incarnations, type IncarnationsSnapshot } from './incarnations.ts';
import { MsiCheck, type MsiCheckSnapshot } from './msi-check.ts';
import { OtherKernel, type OtherKernelSnapshot } from './other-kernel.ts';
import { WordCheck } from './word-check.ts';

const GAP = MACHINE_EVENT.gap;
/** Machine event that puts a domain into a state because memory showed it. */
const OBSERVE = new Map(LIVING.map((s, n) => [STATE[s], MACHINE_EVENT[OBSERVED[n]]]));

const OUTCOME_NUMBER = Object.fromEntries(OUTCOMES.map((o, n) => [o, n])) as Record<Outcome, number>;
const { rejected: REJECTED, 'rejected-warn': REJECTED_WARN, 'ignored-warn': IGNORED_WARN, noop: NOOP, accepted: ACCEPTED } = OUTCOME_NUMBER;
const NOT_APPLICABLE = OUTCOME_NUMBER['not-applicable'];
/** CPUs whose last event is remembered. */
const CPUS = 8192;
/** Outcomes after which the domain is not what its owner thinks: later findings on it follow from this one. */
const TAINTS = new Set<Outcome>(['overwrites', 'leak', 'use-after-free', 'double-free', 'type-confusion']);
/** Allocations that take a parent. */
const NESTED_ALLOCATIONS = new Set([KIND.iommufd_hwpt_nested_alloc, KIND.iommufd_viommu_alloc_hwpt_nested]);

/** An audit as plain data. */
export interface AuditSnapshot {
  readonly design: string;
  readonly own: boolean;
  readonly releasesSeen: boolean;
  readonly unmapsSeen: boolean;
  readonly other: OtherKernelSnapshot;
  readonly held: readonly (readonly ['lives' | 'cookies', Finding])[];
  readonly rows: RowsSnapshot;
  readonly incarnations: IncarnationsSnapshot;
  readonly attachments: AttachmentsSnapshot;
  readonly msi: MsiCheckSnapshot;
  readonly gaps: GapsSnapshot;
  readonly started: number;
  readonly lastOnCpu: readonly number[];
  readonly withdrawn: number;
  readonly findings: readonly Finding[];
  readonly count: number;
  readonly summary: Readonly<Record<Severity, number>>;
  readonly checked: Checked;
  readonly addressesLo: Uint32Array;
  readonly addressesHi: Uint32Array;
  readonly strings: readonly string[];
}

/** The audit of one design: apply batches in order, then `end`. */
export class Audit implements AuditState {
  readonly design: Design;
  readonly rows: DomainRows;
  readonly findings = new Findings();
  readonly checked: Checked = { errno: 0, words: 0, iovas: 0, addresses: 0 };
  readonly attachments = new Attachments();
  readonly gaps = new Gaps();
  readonly incarnations: Incarnations;
  readonly table: TransitionTable;
  private readonly words: WordCheck;
  private readonly msi: MsiCheck;
  /** What is asked where the recording is of another design. */
  readonly other: OtherKernel;
  private readonly groups: GroupCheck;
  /** Whether the events in hand were recorded on a kernel of this design. */
  own: boolean;
  private unmapsSeen = false;
  /** Findings that a missing probe would explain, and what they wait for. */
  private held: (readonly ['lives' | 'cookies', Finding])[] = [];
  /** Position at which the recording in hand began, and of the last event of each CPU in it. */
  private started = 0;
  private readonly lastOnCpu: number[] = [];
  private readonly useAfterFree: (d: number) => Finding;
  /** Whether a kernel of this design can have been recorded: one with another width of the owner field never was. */
  private readonly isRecorded: boolean;
  /** Called after each event on a domain: row of the batch, domain, state before and after, number of the verdict in `table` or NONE. */
  onStep: ((i: number, d: number, before: number, after: number, verdict: number) => void) | null = null;
  private batch!: EventBatch;
  private row = 0;

  /**
   * `own`: whether events that do not say of which design they are count as this design's own.
   * `table`: the design compiled before, for who makes many audits of it.
   */
  constructor(design: Design, own: boolean, table: TransitionTable = compileDesign(design)) {
    assert(table.design === design, `a table of ${table.design.id} for ${design.id}`);
    this.design = design;
    this.own = own;
    this.isRecorded = findDesign(design.id)?.ownerBits === design.ownerBits;
    this.table = table;
    this.rows = new DomainRows(typeMaskOf(design));
    this.words = new WordCheck(design, this.rows);
    this.incarnations = new Incarnations(this.rows, (f) => this.findings.add(f));
    this.msi = new MsiCheck(this);
    this.other = new OtherKernel(this);
    this.groups = new GroupCheck(this, this.msi);
    this.useAfterFree = (d) =>
      this.findings.make('use-after-free', this.batch, this.row, d, {
        outcome: 'use-after-free',
        generation: this.incarnations.generation[d],
        before: STATE.freed,
        after: STATE.freed,
        message: `${EVENT_TYPES[this.batch.kind[this.row]]} on a domain that was freed at position ${this.incarnations.last[d]}; no allocation gave the address out again`,
      });
  }

  /** Folds a batch. Order: as recorded. `upTo` is the last position that counts. */
  apply(b: EventBatch, upTo: number = Infinity): void {
    this.batch = b;
    const n = Math.min(b.length, upTo - b.position + 1);
    this.gaps.begin(b);
    for (let i = 0; i < n; i++) {
      this.row = i;
      if (b.present[i] & HAS.cpu && b.cpu[i] < CPUS && b.kind[i] !== KIND.events_lost) this.lastOnCpu[b.cpu[i]] = b.position + i;
      switch (b.kind[i]) {
        case KIND.recording_started:
          // Between two recordings nothing was seen.
          if (this.started !== 0) this.forget(b, i);
          this.started = b.position + i;
          this.lastOnCpu.length = 0;
          this.incarnations.probed = true;
          if (b.present[i] & HAS.c) this.own = this.isRecorded && b.interned.strings.values[b.cLo[i]] === this.design.id;
          break;
        case KIND.events_lost:
          this.gap(b, i);
          break;
        case KIND.pci_write_msi_msg:
          this.incarnations.note(-1, b, i);
          this.msi.written(b, i);
          break;
        case KIND.iommu_release_device:
          this.groups.deviceGone(b, i);
          break;
        case KIND.iommu_group_claim_dma_owner:
          this.groups.claimed(b, i);
          break;
        case KIND.iommu_group_release_dma_owner:
          this.groups.released(b, i);
          break;
        default:
          this.domainEvent(b, i);
      }
    }
    this.gaps.end(b, n);
  }

  /** Forgets domains freed long ago (see `Incarnations.evict`); call between batches. Returns their address numbers. */
  evict(): readonly number[] {
    return this.incarnations.evict();
  }

  /** Returns the whole state as plain data: restoring it and applying the rest equals a full replay. */
  snapshot(interned: Interned): AuditSnapshot {
    const { addresses, strings } = interned;
    assert(!addresses.released, 'no snapshot after evicted addresses were released');
    return {
      design: this.design.id, own: this.own, releasesSeen: this.groups.releasesSeen, unmapsSeen: this.unmapsSeen, other: this.other.snapshot(), held: [...this.held],
      rows: this.rows.snapshot(this.incarnations.size), incarnations: this.incarnations.snapshot(),
      attachments: this.attachments.snapshot(), msi: this.msi.snapshot(),
      gaps: this.gaps.snapshot(), started: this.started, lastOnCpu: [...this.lastOnCpu], withdrawn: this.findings.withdrawn,
      findings: [...this.findings.list], count: this.findings.count, summary: { ...this.findings.summary }, checked: { ...this.checked },
      addressesLo: addresses.lo.slice(0, addresses.size), addressesHi: addresses.hi.slice(0, addresses.size), strings: [...strings.values],
    };
  }

  /** Returns an audit that goes on where the snapshot was taken; `interned` must be new and is filled as it was then. */
  static restore(design: Design, s: AuditSnapshot, interned: Interned): Audit {
    assert(design.id === s.design, `snapshot of ${s.design} restored as ${design.id}`);
    s.addressesLo.forEach((lo, n) => interned.addresses.intern(lo, s.addressesHi[n]));
    for (const text of s.strings) interned.strings.intern(text);
    const audit = new Audit(design, s.own);
    audit.groups.releasesSeen = s.releasesSeen;
    audit.unmapsSeen = s.unmapsSeen;
    audit.other.restore(s.other);
    audit.held = [...s.held];
    audit.incarnations.restore(s.incarnations);
    audit.rows.restore(s.rows);
    audit.attachments.restore(s.attachments);
    audit.msi.restore(s.msi);
    audit.gaps.restore(s.gaps);
    audit.started = s.started;
    audit.lastOnCpu.push(...s.lastOnCpu);
    audit.findings.withdrawn = s.withdrawn;
    audit.findings.list = [...s.findings];
    audit.findings.count = s.count;
    Object.assign(audit.findings.summary, s.summary);
    Object.assign(audit.checked, s.checked);
    return audit;
  }

  /** The recording is over: reports what was held back. */
  end(): void {
    const { livesSeen, cookiesSeen } = this.incarnations;
    for (const [waits, finding] of this.held) if (waits === 'lives' ? livesSeen : cookiesSeen) this.findings.add(finding);
    this.held = [];
    this.incarnations.end();
  }

  // ── one event on one domain ────────────────────────────────────────────────────────────────────────────────────

  private domainEvent(b: EventBatch, i: number): void {
    const kind = b.kind[i];
    let d = b.domain[i];
    if (d < 0) {
      if (kind !== KIND.iommu_dma_prepare_msi) return this.withoutDomain(b, i);
      d = this.msi.domainOfDevice(b, i);
      if (d < 0) return;
    }
    const { rows, incarnations } = this;
    incarnations.note(d, b, i);
    incarnations.enter(d, b, i, this.useAfterFree);
    if (b.words[i * 3 + OLD] !== 0) this.glimpseOld(b, i);
    if (b.words[i * 3 + BEFORE] !== 0) this.observe(b, i, BEFORE, d, rows.state[d]);
    const before = rows.state[d];
    if (kind === KIND.iommu_group_set_domain) {
      if (!this.own) this.other.attaching(b, i, d);
      this.groups.setDomain(b, i, d);
      if (b.words[i * 3 + AFTER] !== 0) this.observe(b, i, AFTER, d, before);
      this.onStep?.(i, d, before, rows.state[d], NONE);
      return;
    }
    if (kind === KIND.iommu_map) rows.map = this.msi.mapKindOf(b, i);
    const prediction = rows.map === MAP.iommufd || rows.map === MAP.dma ? kind === KIND.iommu_map && this.own : false;
    if (prediction) this.msi.checkMap(b, i, d);
    if (kind === KIND.iommu_unmap) this.unmapsSeen = true;
    // Where no probe shows iommu_unmap, every mapping looks alive at the free.
    if (kind === KIND.iommu_domain_free && incarnations.probed && !this.unmapsSeen) rows.mappedBytes[d] = 0;
    if (!this.own && this.other.skips(b, i, d)) {
      this.onStep?.(i, d, before, rows.state[d], NONE);
      return;
    }
    // Where no device release can be seen, a hot-unplugged device still looks attached to its default domain.
    if (kind === KIND.iommu_domain_free && !this.groups.releasesSeen && (rows.type[d] & 2) !== 0) rows.attached[d] = 0;
    const verdict = step(this.table, rows, d, kind, b, i, this.own);
    const after = rows.state[d];
    if (after === STATE.freed && before !== STATE.freed) incarnations.freed(d);
    const settled = verdict <= 0 ? false : this.judge(b, i, d, verdict, before, after);
    if (kind === KIND.iommu_dma_prepare_msi) this.msi.prepared(b, i, d, verdict);
    else if (kind === KIND.iommu_get_msi_cookie && before === STATE.unowned) this.msi.cookieTaken(b, i, d);
    else if (!this.own && kind === KIND.iommufd_hwpt_paging_alloc) this.other.allocated(b, i, d);
    if (b.words[i * 3 + AFTER] !== 0) {
      // v6.12's iommufd has taken its MSI cookie before its allocation returns: memory tells, not the allocation.
      const adopts = before === STATE.unknown && this.design.ownerMember === 'none' && kind !== KIND.iommu_domain_alloc;
      if (settled || adopts) this.adopt(b, i, AFTER, d);
      else this.observe(b, i, AFTER, d, before);
    }
    this.onStep?.(i, d, before, rows.state[d], verdict);
  }

  /** Judges a verdict; returns whether memory, not the prediction, must be believed from here on. */
  private judge(b: EventBatch, i: number, d: number, verdict: number, before: number, after: number): boolean {
    const { table, own } = this;
    const outcome = table.verdictOutcome[verdict];
    const rule = table.verdictRule[verdict];
    const errno = table.verdictErrno[verdict];
    const recorded = b.present[i] & HAS.errno ? b.errno[i] : NO_ERRNO;
    if (own && errno !== NO_ERRNO && recorded !== NO_ERRNO) {
      this.checked.errno++;
      if (errno !== recorded && !(errno < 0 && recorded === 0 && rule !== NONE)) {
        this.found('errno-mismatch', b, i, d, {
          outcome: 'undetected', before, after: before,
          expected: { errno }, observed: { errno: recorded },
          message: `${EVENT_TYPES[b.kind[i]]} answered ${errnoText(recorded)}; ${this.design.id} answers ${errnoText(errno)} here${rule === NONE ? '' : ` (${RULES[rule].id})`}`,
        });
        if (after !== before && recorded < 0) this.force(b, i, d, before);
        return true;
      }
    }
    if (rule === NONE || outcome === ACCEPTED || outcome === NOOP) return false;
    const { id, severity } = RULES[rule];
    const sentence = sentenceOf(RULES[rule], this.design.ownerBits);
    if (outcome === REJECTED || outcome === REJECTED_WARN || outcome === IGNORED_WARN) {
      const agrees = recorded === NO_ERRNO || errno === NO_ERRNO ? this.ignored(b, i, recorded) : recorded === errno;
      const refused: Details = {
        outcome: OUTCOMES[outcome], before, after,
        expected: errno === NO_ERRNO ? {} : { errno },
        observed: this.observedOf(b, i),
      };
      if (agrees) {
        this.found(id, b, i, d, { ...refused, severity: 'info', outcome: 'rejected', message: `${sentence}${this.takenBy(d)}: refused${recorded < 0 && recorded !== NO_ERRNO ? ` with ${errnoText(recorded)}` : ''}, as ${this.design.id} does` });
        return false;
      }
      if (own) {
        // The kernel accepted what its design refuses.
        const state = this.acceptedState(b.kind[i], after);
        const went = state !== before && before !== STATE.unowned ? 'overwrites' : 'undetected';
        this.found(id, b, i, d, { ...refused, outcome: went, after: state, message: `${sentence}: ${this.design.id} ${outcome === IGNORED_WARN ? 'warns and does nothing' : `answers ${errno === NO_ERRNO ? 'an errno' : errnoText(errno)}`}, the kernel accepted it` });
        if (state !== after) this.force(b, i, d, state);
        return true;
      }
      this.found(id, b, i, d, {
        ...refused,
        severity: REFUSAL_IS_FAULT.has(id) ? severity : severity === 'info' ? 'info' : 'warning',
        outcome: 'rejected',
        message: `${sentence}: ${this.design.id} would ${outcome === IGNORED_WARN ? 'warn and do nothing' : `answer ${errno === NO_ERRNO ? 'an errno' : errnoText(errno)}`}`,
      });
      return false;
    }
    // The machine's own design says it cannot happen; it did.
    const shown: Outcome = outcome === NOT_APPLICABLE ? 'undetected' : OUTCOMES[outcome];
    if (outcome === NOT_APPLICABLE && !own) return false;
    this.found(id, b, i, d, {
      outcome: shown, before, after,
      observed: this.observedOf(b, i),
      message: this.sentence(sentence, shown, before, after, recorded < 0 && recorded !== NO_ERRNO),
    });
    if (TAINTS.has(shown) && this.incarnations.tainted[d] === 0) this.incarnations.tainted[d] = b.position + i;
    return false;
  }

  /** What was recorded of a call: errno, and the words before and after. */
  private observedOf(b: EventBatch, i: number): Record<string, unknown> {
    const before = wordsObject(b, i * 3 + BEFORE);
    const after = wordsObject(b, i * 3 + AFTER);
    return { ...(b.present[i] & HAS.errno && { errno: b.errno[i] }), ...(before && { before }), ...(after && { after }) };
  }

  /** Why the next MSI IOVA cannot be mapped, where it is another page's. */
  private takenBy(d: number): string {
    const { rows } = this;
    const { pages } = rows;
    if (rows.cookie[d] !== COOKIE.msi || (rows.flags[d] & FLAG.msiNextKnown) === 0) return '';
    for (let p = rows.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (!pages.overlaps(p, rows.msiNextLo[d], rows.msiNextHi[d], 1, 0)) continue;
      const owner = pages.backend[p] === MAP.iommufd ? 'iommufd' : 'dma-iommu';
      return ` (the cookie's next IOVA ${hex64(rows.msiNextLo[d], rows.msiNextHi[d])} is mapped already, by ${owner} in event ${pages.position[p]})`;
    }
    return '';
  }

  private sentence(sentence: string, outcome: Outcome, before: number, after: number, refused: boolean): string {
    const was = LIVING.find((s) => STATE[s] === before);
    const is = LIVING.find((s) => STATE[s] === after);
    return outcome === 'overwrites' && was && is && was !== is ? `${sentence}; ${refused ? `under ${this.design.id} nobody refuses` : 'the kernel says nothing'} and ${was} becomes ${is}` : sentence;
  }

  /** State that a call leads to when the kernel lets it through although the design does not. */
  private acceptedState(kind: number, otherwise: number): number {
    if (kind === KIND.iommu_get_msi_cookie) return STATE.msi_owned;
    if (kind === KIND.iommu_get_dma_cookie) return STATE.dma_owned;
    if (kind === KIND.iommu_set_fault_handler) return STATE.fault_handler_owned;
    return otherwise;
  }

  found(rule: string, b: EventBatch, i: number, d: number, details: Details): void {
    const position = b.position + i;
    const waits = this.waitsFor(rule, details, d);
    const tainted = d >= 0 ? this.incarnations.tainted[d] : 0;
    const finding = this.findings.make(rule, b, i, d, {
      ...details,
      ...(d >= 0 && { generation: this.incarnations.generation[d] }),
      ...(tainted > 0 && tainted < position && { follows: tainted }),
    });
    if (waits) this.held.push([waits, finding]);
    else this.findings.add(finding);
  }

  /**
   * What a probe that may be missing would explain, while no event of its kind was seen: another domain on the same address (an
   * owner that is gone, a refusal that did not come) where neither allocation nor free shows, a cookie taken where no
   * iommu_get_*_cookie shows. Such a finding waits for one of them; without any it is nobody's fault.
   */
  private waitsFor(rule: string, details: Details, d: number): 'lives' | 'cookies' | null {
    const { incarnations } = this;
    if (d < 0 || !this.own || !incarnations.probed || details.before === undefined) return null;
    const refusedOnly = ((details.expected?.['errno'] as number | undefined) ?? 0) < 0 && details.observed?.['errno'] === 0;
    const word = rule === 'word-mismatch' || rule.startsWith('type-') || rule.startsWith('owner-');
    if (!incarnations.livesSeen && details.before > STATE.unowned && (refusedOnly || word || rule === 'msi-iova-mismatch')) return 'lives';
    if (!incarnations.cookiesSeen && details.before === STATE.unowned && word && (this.rows.type[d] & 1) !== 0) return incarnations.livesSeen ? 'cookies' : 'lives';
    return null;
  }

  force(b: EventBatch, i: number, d: number, state: number): void {
    const event = state === STATE.unknown ? GAP : OBSERVE.get(state);
    if (event !== undefined) step(this.table, this.rows, d, event, b, i, this.own);
  }

  // ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private observe(b: EventBatch, i: number, set: number, d: number, before: number): void {
    const { words, rows } = this;
    if (rows.state[d] === STATE.freed && set === AFTER) return;
    if (this.own) {
      const known = rows.state[d] !== STATE.unknown;
      if (!known) words.alone(b, i * 3 + set, d);
      else if (words.compare(b, i * 3 + set, d)) this.checked.words++;
      if (known && set === AFTER && b.kind[i] === KIND.iommu_domain_alloc) words.checkType(b, i * 3 + set, d, true);
      for (const rule of words.broken) {
        this.found(rule, b, i, d, {
          outcome: 'undetected', before, after: rows.state[d],
          expected: words.expected(d), observed: words.observed(b, i * 3 + set),
          message: words.message(rule, b, i * 3 + set, d),
        });
      }
      if (known && words.broken.length === 0) return;
    }
    this.adopt(b, i, set, d);
  }

  /** Believes memory: type and owner become what was seen. */
  private adopt(b: EventBatch, i: number, set: number, d: number): void {
    const { rows, words } = this;
    const w = i * 3 + set;
    if (b.words[w] & WORD.type || words.rawTells(b, w)) rows.type[d] = words.typeOf(b, w);
    if (rows.state[d] === STATE.freed) return;
    if (!this.own && rows.state[d] !== STATE.unknown) return;
    const state = words.stateOf(b, w, d);
    if (state !== NONE && state !== rows.state[d]) this.force(b, i, d, state);
  }

  /**
   * Whether the recorded kernel refused a call of which no errno can be compared: it answered some errno, or kept the owner
   * word. Of a void call another design's kernel is not known to have ignored it, unless its cookie_type shows that.
   */
  private ignored(b: EventBatch, i: number, recorded: number): boolean {
    if (recorded !== NO_ERRNO) return recorded < 0;
    const before = i * 3 + BEFORE;
    const after = i * 3 + AFTER;
    const both = b.words[before] & b.words[after] & (this.own ? WORD.cookie_type | WORD.private_data_owner : WORD.cookie_type);
    return both === 0 ? this.own : b.wordOwner[before] === b.wordOwner[after];
  }

  private glimpseOld(b: EventBatch, i: number): void {
    if ((b.present[i] & HAS.a) === 0) return;
    const old = b.interned.addresses.intern(b.aLo[i], b.aHi[i]);
    this.incarnations.glimpse(old, b, i);
    if (this.rows.state[old] !== STATE.freed) this.observe(b, i, OLD, old, this.rows.state[old]);
  }

  private withoutDomain(b: EventBatch, i: number): void {
    const kind = b.kind[i];
    const errno = b.present[i] & HAS.errno ? b.errno[i] : 0;
    if (kind === KIND.iommu_set_fault_handler) this.nullDomain(b, i);
    else if (errno === EOPNOTSUPP && kind !== KIND.iommu_domain_alloc) this.groups.refused('hwpt-alloc-unsupported', b, i, -1, errno);
    else if (errno === EINVAL && NESTED_ALLOCATIONS.has(kind)) this.groups.refused('nested-parent-invalid', b, i, -1, errno);
  }

  /** iommu_set_fault_handler(NULL): a BUG, or a WARN that the recorded kernel gave too if it is of this design. */
  private nullDomain(b: EventBatch, i: number): void {
    const rule = 'set-fault-handler-null-domain';
    const { outcome } = this.design.others[rule];
    const message = `iommu_set_fault_handler(NULL): ${this.design.id} ${this.own ? 'warns and does nothing' : 'would warn and do nothing'}`;
    this.found(rule, b, i, -1, outcome === 'ignored-warn' ? { outcome: 'rejected', severity: this.own ? 'info' : 'warning', message } : { outcome });
  }

  // ── gaps ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** How many living domains have an owner that nothing has shown. */
  get unknown(): number {
    let count = 0;
    for (let d = 0; d < this.incarnations.size; d++) if (this.incarnations.born[d] !== 0 && this.rows.state[d] === STATE.unknown) count++;
    return count;
  }

  private gap(b: EventBatch, i: number): void {
    // The loss lies anywhere since the last event of that CPU, but is marked only here.
    const cpu = b.present[i] & HAS.cpu ? b.cpu[i] : NONE;
    const { withdrawn } = this.findings;
    if (cpu !== NONE) this.findings.withdraw(Math.max(this.lastOnCpu[cpu] ?? 0, this.started));
    this.gaps.add(b, i, this.forget(b, i), this.findings.withdrawn - withdrawn);
  }

  /** Makes unknown whatever may have changed unseen; returns how many domains lost a known owner. */
  private forget(b: EventBatch, i: number): number {
    const { incarnations, rows } = this;
    let known = 0;
    for (let d = 0; d < incarnations.size; d++) {
      if (incarnations.born[d] === 0 || rows.state[d] === STATE.freed) continue;
      if (rows.state[d] !== STATE.unknown) known++;
      step(this.table, rows, d, GAP, b, i, this.own);
    }
    incarnations.gap();
    this.attachments.forget();
    this.msi.forget();
    return known;
  }
}
