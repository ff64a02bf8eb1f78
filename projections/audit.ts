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
import type { Design } from '../machines/design.ts';
import { MAP } from '../machines/domain-context.ts';
import { COOKIE, DomainRows, FLAG, step, type RowsSnapshot } from '../machines/domain-rows.ts';
import { mapKind } from '../machines/map-kind.ts';
import { RULES, ruleIndex, type Severity } from '../machines/rules.ts';
import {
  EBUSY, EINVAL, EOPNOTSUPP, EPERM, MACHINE_EVENT, OBSERVED, LIVING, OUTCOMES, STATE, TYPE, errnoText, type Outcome,
} from '../machines/states.ts';
import { NONE, NO_ERRNO, compileDesign, type TransitionTable } from '../machines/transition-table.ts';
import { Attachments, type AttachmentsSnapshot, type Device, type Group, type Msi } from './attachments.ts';
import { Findings, type Checked, type Details, type Finding } from './finding.ts';
import { Incarnations, type IncarnationsSnapshot } from './incarnations.ts';
import { EXHAUSTED, IommufdMaps, UNSURE, type IommufdMapsSnapshot } from './iommufd-maps.ts';
import { WordCheck } from './word-check.ts';

const ATTACH = MACHINE_EVENT.iommu_group_set_domain;
const DETACHED = MACHINE_EVENT.detached;
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
/** Rules whose refusal is itself the fault. */
const REFUSAL_IS_FAULT = new Set([ruleIndex('msi-prepare-identity-rejected')]);

export interface AuditSnapshot {
  readonly design: string;
  readonly own: boolean;
  readonly releasesSeen: boolean;
  readonly rows: RowsSnapshot;
  readonly incarnations: IncarnationsSnapshot;
  readonly attachments: AttachmentsSnapshot;
  readonly maps: IommufdMapsSnapshot;
  readonly started: number;
  readonly lastOnCpu: readonly number[];
  readonly withdrawn: number;
  readonly fdOwner: readonly string[];
  readonly fdGeneration: readonly number[];
  readonly findings: readonly Finding[];
  readonly count: number;
  readonly summary: Readonly<Record<Severity, number>>;
  readonly checked: Checked;
  readonly addressesLo: Uint32Array;
  readonly addressesHi: Uint32Array;
  readonly strings: readonly string[];
}

export class Audit {
  readonly design: Design;
  readonly rows = new DomainRows();
  readonly findings = new Findings();
  readonly checked: Checked = { errno: 0, words: 0, iovas: 0, addresses: 0 };
  readonly attachments = new Attachments();
  readonly incarnations: Incarnations;
  private readonly table: TransitionTable;
  private readonly maps = new IommufdMaps();
  private readonly words: WordCheck;
  /** Whether the events in hand were recorded on a kernel of this design. */
  private own: boolean;
  /** iommufd_ctx of each row's present incarnation, once a group that it owns was attached. */
  private readonly fdOwner: string[] = [];
  private readonly fdGeneration: number[] = [];
  private releasesSeen = false;
  /** Position at which the recording in hand began, and of the last event of each CPU in it. */
  private started = 0;
  private readonly lastOnCpu: number[] = [];
  private mapKinds: Int8Array = new Int8Array(256).fill(-1);
  private readonly useAfterFree: (d: number) => Finding;
  /** Called after each event on a domain: row of the batch, domain, state before and after, rule met or NONE. */
  onStep: ((i: number, d: number, before: number, after: number, rule: number) => void) | null = null;
  private batch!: EventBatch;
  private row = 0;

  /** `own`: whether events that do not say of which design they are count as this design's own. */
  constructor(design: Design, own: boolean) {
    this.design = design;
    this.own = own;
    this.table = compileDesign(design);
    this.words = new WordCheck(design, this.rows);
    this.incarnations = new Incarnations(this.rows, (f) => this.findings.add(f));
    this.useAfterFree = (d) =>
      this.findings.make('use-after-free', this.batch, this.row, d, {
        outcome: 'use-after-free',
        generation: this.incarnations.generation[d],
        before: STATE.freed,
        after: STATE.freed,
        message: `${EVENT_TYPES[this.batch.kind[this.row]]} on a domain that was freed at position ${this.incarnations.last[d]}; no allocation gave the address out again`,
      });
  }

  /** Whether what was recorded last is of this design, so that conformance is judged. */
  get isOwn(): boolean {
    return this.own;
  }

  /** Folds a batch. Order: as recorded. `upTo` is the last position that counts. */
  apply(b: EventBatch, upTo: number = Infinity): void {
    this.batch = b;
    const n = Math.min(b.length, upTo - b.position + 1);
    for (let i = 0; i < n; i++) {
      this.row = i;
      if (b.present[i] & HAS.cpu && b.cpu[i] < CPUS && b.kind[i] !== KIND.events_lost) this.lastOnCpu[b.cpu[i]] = b.position + i;
      switch (b.kind[i]) {
        case KIND.recording_started:
          this.started = b.position + i;
          this.lastOnCpu.length = 0;
          if (b.present[i] & HAS.c) this.own = b.interned.strings.values[b.cLo[i]] === this.design.id;
          break;
        case KIND.events_lost:
          this.gap(b, i);
          break;
        case KIND.pci_write_msi_msg:
          this.written(b, i);
          break;
        case KIND.iommu_release_device:
          this.deviceGone(b, i);
          break;
        case KIND.iommu_group_claim_dma_owner:
          this.claimed(b, i);
          break;
        case KIND.iommu_group_release_dma_owner:
          this.released(b, i);
          break;
        default:
          this.domainEvent(b, i);
      }
    }
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
      design: this.design.id, own: this.own, releasesSeen: this.releasesSeen,
      rows: this.rows.snapshot(this.incarnations.size), incarnations: this.incarnations.snapshot(),
      attachments: this.attachments.snapshot(), maps: this.maps.snapshot(),
      started: this.started, lastOnCpu: [...this.lastOnCpu], withdrawn: this.findings.withdrawn,
      fdOwner: [...this.fdOwner], fdGeneration: [...this.fdGeneration],
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
    audit.releasesSeen = s.releasesSeen;
    audit.incarnations.restore(s.incarnations);
    audit.rows.restore(s.rows);
    audit.attachments.restore(s.attachments);
    audit.maps.restore(s.maps);
    audit.started = s.started;
    audit.lastOnCpu.push(...s.lastOnCpu);
    audit.findings.withdrawn = s.withdrawn;
    audit.fdOwner.push(...s.fdOwner);
    audit.fdGeneration.push(...s.fdGeneration);
    audit.findings.list = [...s.findings];
    audit.findings.count = s.count;
    Object.assign(audit.findings.summary, s.summary);
    Object.assign(audit.checked, s.checked);
    return audit;
  }

  /** The recording is over: reports what was held back. */
  end(): void {
    this.incarnations.end();
  }

  // ── one event on one domain ────────────────────────────────────────────────────────────────────────────────────

  private domainEvent(b: EventBatch, i: number): void {
    const kind = b.kind[i];
    let d = b.domain[i];
    if (d < 0) {
      if (kind !== KIND.iommu_dma_prepare_msi) return this.withoutDomain(b, i);
      d = this.domainOfDevice(b, i);
      if (d < 0) return;
    }
    const { rows, incarnations } = this;
    incarnations.enter(d, b, i, this.useAfterFree);
    if (b.words[i * 3 + OLD] !== 0) this.glimpseOld(b, i);
    if (b.words[i * 3 + BEFORE] !== 0) this.observe(b, i, BEFORE, d, rows.state[d]);
    const before = rows.state[d];
    if (kind === KIND.iommu_group_set_domain) {
      this.setDomain(b, i, d);
      if (b.words[i * 3 + AFTER] !== 0) this.observe(b, i, AFTER, d, before);
      this.onStep?.(i, d, before, rows.state[d], NONE);
      return;
    }
    if (kind === KIND.iommu_map) rows.map = this.mapKindOf(b, i);
    const prediction = rows.map === MAP.iommufd || rows.map === MAP.dma ? kind === KIND.iommu_map && this.own : false;
    if (prediction) this.checkMap(b, i, d);
    // Where no device release can be seen, a hot-unplugged device still looks attached to its default domain.
    if (kind === KIND.iommu_domain_free && !this.releasesSeen && (rows.type[d] & 2) !== 0) rows.attached[d] = 0;
    const verdict = step(this.table, rows, d, kind, b, i, this.own);
    const after = rows.state[d];
    if (after === STATE.freed && before !== STATE.freed) incarnations.freed(d);
    const settled = verdict <= 0 ? false : this.judge(b, i, d, verdict, before, after);
    if (kind === KIND.iommu_dma_prepare_msi) this.prepared(b, i, d, verdict);
    if (b.words[i * 3 + AFTER] !== 0) {
      if (settled) this.adopt(b, i, AFTER, d);
      else this.observe(b, i, AFTER, d, before);
    }
    this.onStep?.(i, d, before, rows.state[d], verdict < 0 ? NONE : this.table.verdictRule[verdict]);
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
    const { id, severity, sentence } = RULES[rule];
    if (outcome === REJECTED || outcome === REJECTED_WARN || outcome === IGNORED_WARN) {
      const agrees = recorded === NO_ERRNO || errno === NO_ERRNO ? !(own && this.wordsChanged(b, i)) : recorded === errno;
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
        const outcome = state !== before && before !== STATE.unowned ? 'overwrites' : 'undetected';
        this.found(id, b, i, d, { ...refused, outcome, after: state, message: `${sentence}: ${this.design.id} ${errno === NO_ERRNO ? 'warns and does nothing' : `answers ${errnoText(errno)}`}, the kernel accepted it` });
        if (state !== after) this.force(b, i, d, state);
        return true;
      }
      this.found(id, b, i, d, {
        ...refused,
        severity: REFUSAL_IS_FAULT.has(rule) ? severity : severity === 'info' ? 'info' : 'warning',
        outcome: 'rejected',
        message: `${sentence}: ${this.design.id} would answer ${errno === NO_ERRNO ? 'with a WARN and do nothing' : errnoText(errno)}`,
      });
      return false;
    }
    // The machine's own design says it cannot happen; it did.
    const shown: Outcome = outcome === NOT_APPLICABLE ? 'undetected' : OUTCOMES[outcome];
    if (outcome === NOT_APPLICABLE && !own) return false;
    this.found(id, b, i, d, {
      outcome: shown, before, after,
      observed: this.observedOf(b, i),
      message: this.sentence(sentence, shown, before, after),
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

  private sentence(sentence: string, outcome: Outcome, before: number, after: number): string {
    const was = LIVING.find((s) => STATE[s] === before);
    const is = LIVING.find((s) => STATE[s] === after);
    return outcome === 'overwrites' && was && is && was !== is ? `${sentence}; the kernel says nothing and ${was} becomes ${is}` : sentence;
  }

  /** State that a call leads to when the kernel lets it through although the design does not. */
  private acceptedState(kind: number, otherwise: number): number {
    if (kind === KIND.iommu_get_msi_cookie) return STATE.msi_owned;
    if (kind === KIND.iommu_get_dma_cookie) return STATE.dma_owned;
    if (kind === KIND.iommu_set_fault_handler) return STATE.fault_handler_owned;
    return otherwise;
  }

  private found(rule: string, b: EventBatch, i: number, d: number, details: Details): void {
    const position = b.position + i;
    const tainted = d >= 0 ? this.incarnations.tainted[d] : 0;
    this.findings.add(
      this.findings.make(rule, b, i, d, {
        ...details,
        ...(d >= 0 && { generation: this.incarnations.generation[d] }),
        ...(tainted > 0 && tainted < position && { follows: tainted }),
      }),
    );
  }

  private force(b: EventBatch, i: number, d: number, state: number): void {
    const event = state === STATE.unknown ? GAP : OBSERVE.get(state);
    if (event !== undefined) step(this.table, this.rows, d, event, b, i, this.own);
  }

  // ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────

  private observe(b: EventBatch, i: number, set: number, d: number, before: number): void {
    const { words, rows } = this;
    if (rows.state[d] === STATE.freed && set === AFTER) return;
    if (this.own && rows.state[d] !== STATE.unknown) {
      const compared = words.compare(b, i * 3 + set, d);
      if (compared) this.checked.words++;
      for (const rule of words.broken) {
        this.found(rule, b, i, d, {
          outcome: 'undetected', before, after: rows.state[d],
          expected: words.expected(d), observed: words.observed(b, i * 3 + set),
          message: words.message(rule, b, i * 3 + set, d),
        });
      }
      if (words.broken.length === 0) return;
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

  private wordsChanged(b: EventBatch, i: number): boolean {
    const before = i * 3 + BEFORE;
    const after = i * 3 + AFTER;
    const both = b.words[before] & b.words[after] & (WORD.cookie_type | WORD.private_data_owner);
    return both !== 0 && b.wordOwner[before] !== b.wordOwner[after];
  }

  private glimpseOld(b: EventBatch, i: number): void {
    if ((b.present[i] & HAS.a) === 0) return;
    const old = b.interned.addresses.intern(b.aLo[i], b.aHi[i]);
    this.incarnations.glimpse(old, b, i);
    if (this.rows.state[old] !== STATE.freed) this.observe(b, i, OLD, old, this.rows.state[old]);
  }

  // ── groups and devices ─────────────────────────────────────────────────────────────────────────────────────────

  private setDomain(b: EventBatch, i: number, d: number): void {
    const { attachments, incarnations } = this;
    const present = b.present[i];
    const errno = present & HAS.errno ? b.errno[i] : 0;
    if (errno < 0) {
      this.checked.errno += this.own ? 1 : 0;
      const rule = errno === EBUSY ? 'attach-group-busy' : errno === EINVAL ? 'attach-foreign-ops' : null;
      if (rule) this.refused(rule, b, i, d, errno);
      return;
    }
    const generation = incarnations.generation[d];
    const device = present & HAS.device ? attachments.device(b.device[i]) : null;
    if (present & HAS.group) {
      const group = attachments.group(b.group[i]);
      if (device) attachments.join(device, group);
      this.move(b, i, group, d, generation);
      if (group.owner !== null) {
        this.fdOwner[d] = group.owner;
        this.fdGeneration[d] = generation;
      }
      if (!device) {
        for (const other of group.members) {
          if (other.domain === d && other.generation === generation) continue;
          other.domain = d;
          other.generation = generation;
          this.checkStale(b, i, other, d);
        }
      }
    }
    if (!device) return;
    if (!device.group) this.move(b, i, device, d, generation);
    device.domain = d;
    device.generation = generation;
    this.checkStale(b, i, device, d);
  }

  /** A group (or a device of unknown group) leaves its domain and comes to another; the same domain again is no move. */
  private move(b: EventBatch, i: number, holder: Group | Device, d: number, generation: number): void {
    if (holder.domain === d && holder.generation === generation) return;
    const old = holder.domain;
    if (old >= 0 && this.incarnations.generation[old] === holder.generation) step(this.table, this.rows, old, DETACHED, b, i, this.own);
    holder.domain = d;
    holder.generation = generation;
    step(this.table, this.rows, d, ATTACH, b, i, this.own);
  }

  private deviceGone(b: EventBatch, i: number): void {
    this.releasesSeen = true;
    const device = this.attachments.devices.get(b.device[i]);
    const group = this.attachments.release(b.device[i], b.present[i] & HAS.group ? b.group[i] : -1);
    for (const holder of [group, device && !device.group ? device : null]) {
      if (holder && holder.domain >= 0 && this.incarnations.generation[holder.domain] === holder.generation) {
        step(this.table, this.rows, holder.domain, DETACHED, b, i, this.own);
      }
    }
  }

  private claimHolder(b: EventBatch, i: number): Group | null {
    const { attachments } = this;
    if (b.present[i] & HAS.group) return attachments.group(b.group[i]);
    if ((b.present[i] & HAS.device) === 0) return null;
    return attachments.device(b.device[i]).group;
  }

  private claimed(b: EventBatch, i: number): void {
    const errno = b.present[i] & HAS.errno ? b.errno[i] : 0;
    const owner = b.present[i] & HAS.a ? hex64(b.aLo[i], b.aHi[i]) : null;
    const group = this.claimHolder(b, i);
    if (errno < 0) {
      if (this.own) this.checked.errno++;
      const rule = errno === EPERM ? 'claim-dma-owner-taken' : errno === EBUSY ? 'claim-dma-owner-not-default' : errno === EINVAL ? 'claim-dma-owner-null' : null;
      if (rule) this.refused(rule, b, i, -1, errno);
      return;
    }
    if (b.present[i] & HAS.pid && owner !== null) this.attachments.claim(b.pid[i], owner);
    if (!group) return;
    // iommu_device_claim_dma_owner counts the same owner up; iommu_group_claim_dma_owner refuses any second claim.
    const byDevice = (b.present[i] & HAS.device) !== 0;
    if (group.claims !== null && group.claims > 0 && !(byDevice && group.owner === owner)) {
      if (this.own) this.checked.errno++;
      this.found('claim-dma-owner-taken', b, i, -1, {
        outcome: 'undetected', expected: { errno: EPERM }, observed: { errno },
        message: `the group is claimed by ${group.owner ?? 'another owner'} already; ${this.design.id} answers -EPERM, the kernel accepted it`,
      });
      group.claims = 0;
    }
    group.claims = (group.claims ?? 0) + 1;
    group.owner = owner;
  }

  private released(b: EventBatch, i: number): void {
    const group = this.claimHolder(b, i);
    if (!group || group.claims === null) return;
    if (group.claims === 0) {
      this.found('release-dma-owner-unowned', b, i, -1, { outcome: 'ignored-warn', severity: 'info', message: 'release of a group that nobody claims: the kernel warns and does nothing' });
      return;
    }
    group.claims--;
    if (group.claims > 0 || group.owner === null) return;
    const { owner } = group;
    group.owner = null;
    for (const other of this.attachments.groups.values()) if (other.owner === owner) return;
    this.maps.released(owner);
  }

  private withoutDomain(b: EventBatch, i: number): void {
    const kind = b.kind[i];
    const errno = b.present[i] & HAS.errno ? b.errno[i] : 0;
    if (kind === KIND.iommu_set_fault_handler) this.found('set-fault-handler-null-domain', b, i, -1, { outcome: this.design.ownerMember === 'cookie_type' ? 'ignored-warn' : 'bug' });
    else if (errno === EOPNOTSUPP && kind !== KIND.iommu_domain_alloc) this.refused('hwpt-alloc-unsupported', b, i, -1, errno);
  }

  /** A refusal that every design gives alike. */
  private refused(rule: string, b: EventBatch, i: number, d: number, errno: number): void {
    this.found(rule, b, i, d, {
      outcome: 'rejected', severity: 'info', ...(d >= 0 && { before: this.rows.state[d], after: this.rows.state[d] }),
      expected: { errno }, observed: { errno },
      message: `${RULES[ruleIndex(rule)].sentence}: refused with ${errnoText(errno)}`,
    });
  }

  // ── MSI ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private mapKindOf(b: EventBatch, i: number): number {
    const caller = b.present[i] & HAS.caller ? b.caller[i] : 0;
    if (caller === 0) return mapKind('', b, i);
    if (caller >= this.mapKinds.length) {
      const wide = new Int8Array(Math.max(caller + 1, this.mapKinds.length * 2)).fill(-1);
      wide.set(this.mapKinds);
      this.mapKinds = wide;
    }
    if (this.mapKinds[caller] < 0) {
      const symbol = b.interned.strings.values[caller];
      if (symbol.startsWith('0x')) return mapKind('', b, i);
      this.mapKinds[caller] = mapKind(symbol, b, i);
    }
    return this.mapKinds[caller];
  }

  /** Compares the IOVA of a new MSI page with the one the back end must have chosen. */
  private checkMap(b: EventBatch, i: number, d: number): void {
    const { rows } = this;
    if (b.present[i] & HAS.errno && b.errno[i] < 0) return;
    if (rows.map === MAP.dma) {
      if (rows.cookie[d] !== COOKIE.msi || (rows.flags[d] & FLAG.msiNextKnown) === 0) return;
      // A doorbell that has its page gets no other one: msi-duplicate-doorbell says so, there is no IOVA to predict.
      if (b.present[i] & HAS.b && rows.findPage(d, MAP.dma, b.bLo[i], b.bHi[i]) !== NONE) return;
      this.checkIova(b, i, d, b.aLo[i], b.aHi[i], rows.msiNextLo[d], rows.msiNextHi[d]);
      return;
    }
    if ((b.present[i] & HAS.b) === 0 || b.aHi[i] !== 0) return;
    const fd = this.fdGeneration[d] === this.incarnations.generation[d] ? this.fdOwner[d] : (b.present[i] & HAS.pid ? this.attachments.claimOf(b.pid[i]) : undefined);
    if (fd === undefined) return;
    const expected = this.maps.predict(fd, b.bLo[i], b.bHi[i]);
    if (expected === EXHAUSTED) {
      this.found('msi-iommufd-ids-exhausted', b, i, d, { outcome: 'undetected', before: rows.state[d], after: rows.state[d] });
      return;
    }
    if (expected !== UNSURE) this.checkIova(b, i, d, b.aLo[i], b.aHi[i], expected, 0);
    this.maps.note(fd, b.bLo[i], b.bHi[i], b.aLo[i]);
  }

  private checkIova(b: EventBatch, i: number, d: number, lo: number, hi: number, expectedLo: number, expectedHi: number): void {
    this.checked.iovas++;
    if (lo === expectedLo && hi === expectedHi) return;
    this.found('msi-iova-mismatch', b, i, d, {
      outcome: 'undetected', before: this.rows.state[d], after: this.rows.state[d],
      expected: { iova: hex64(expectedLo, expectedHi) }, observed: { iova: hex64(lo, hi) },
      message: `the MSI IOVA is ${hex64(lo, hi)}; ${this.design.id} gives ${hex64(expectedLo, expectedHi)}`,
    });
  }

  private domainOfDevice(b: EventBatch, i: number): number {
    if ((b.present[i] & HAS.device) === 0) return -1;
    const device = this.attachments.devices.get(b.device[i]);
    return device && device.domain >= 0 && this.incarnations.generation[device.domain] === device.generation ? device.domain : -1;
  }

  private prepared(b: EventBatch, i: number, d: number, verdict: number): void {
    const present = b.present[i];
    const { rows, pagesOf } = { rows: this.rows, pagesOf: this.rows.pages };
    if (verdict === NONE || (present & HAS.errno && b.errno[i] < 0) || (present & HAS.a) === 0) return;
    const backend = rows.state[d] === STATE.iommufd_owned ? MAP.iommufd : MAP.dma;
    const page = rows.findPage(d, backend, b.aLo[i], b.aHi[i]);
    const passed = this.table.verdictOutcome[verdict] === NOOP;
    const nested = rows.type[d] === TYPE.NESTED;
    if (this.own && present & HAS.b && !nested) {
      if (passed) this.checkIova(b, i, d, b.bLo[i], b.bHi[i], 0, 0);
      else if (page !== NONE) this.checkIova(b, i, d, b.bLo[i], b.bHi[i], pagesOf.iovaLo[page], pagesOf.iovaHi[page]);
      this.checkShift(b, i, d, page);
    }
    if ((present & HAS.device) === 0 || (present & HAS.x) === 0) return;
    const device = this.attachments.device(b.device[i]);
    const msi = this.attachments.msi(device, b.x[i]);
    let lo = b.bLo[i];
    let hi = b.bHi[i];
    if ((present & HAS.b) === 0) {
      msi.known = passed || page !== NONE;
      lo = page === NONE ? 0 : pagesOf.iovaLo[page];
      hi = page === NONE ? 0 : pagesOf.iovaHi[page];
    } else msi.known = true;
    msi.iovaLo = nested ? 0 : lo;
    msi.iovaHi = nested ? 0 : hi;
    const translated = lo !== 0 || hi !== 0;
    const mask = (1 << (present & HAS.y && b.y[i] > 0 && b.y[i] < 31 ? b.y[i] : 12)) - 1;
    msi.addressLo = translated ? ((lo & ~mask) | (b.aLo[i] & mask)) >>> 0 : b.aLo[i];
    msi.addressHi = translated ? hi : b.aHi[i];
  }

  private checkShift(b: EventBatch, i: number, d: number, page: number): void {
    if ((b.present[i] & HAS.y) === 0 || page === NONE || (b.bLo[i] | b.bHi[i]) === 0) return;
    const size = this.rows.pages.sizeLo[page];
    if (size === (1 << (b.y[i] & 31)) >>> 0) return;
    const expected = 31 - Math.clz32(size);
    this.found('msi-desc-shift-mismatch', b, i, d, {
      outcome: 'undetected', before: this.rows.state[d], after: this.rows.state[d],
      expected: { iommu_msi_shift: expected }, observed: { iommu_msi_shift: b.y[i] },
    });
  }

  private written(b: EventBatch, i: number): void {
    const device = this.attachments.device(b.device[i]);
    const msi = this.attachments.msi(device, b.x[i]);
    const lo = b.aLo[i];
    const hi = b.aHi[i];
    const held = (msi.programmedLo | msi.programmedHi) !== 0;
    if (held !== ((lo | hi) !== 0)) device.programmed += held ? -1 : 1;
    msi.programmedLo = lo;
    msi.programmedHi = hi;
    msi.reported = false;
    if (lo === 0 && hi === 0) return; // teardown
    if (!this.own || !msi.known) return;
    this.checked.addresses++;
    if (lo !== msi.addressLo || hi !== msi.addressHi) {
      const d = device.domain >= 0 && this.incarnations.generation[device.domain] === device.generation ? device.domain : -1;
      this.found('msi-address-mismatch', b, i, d, {
        outcome: 'undetected', ...(d >= 0 && { before: this.rows.state[d], after: this.rows.state[d] }),
        expected: { address: hex64(msi.addressLo, msi.addressHi) }, observed: { address: hex64(lo, hi) },
        message: `msi_index ${b.x[i]} was programmed with ${hex64(lo, hi)}; its descriptor says ${hex64(msi.addressLo, msi.addressHi)}`,
      });
      return;
    }
    const d = device.domain;
    if (d >= 0 && this.incarnations.generation[d] === device.generation && !this.isMapped(d, msi)) this.checkStale(b, i, device, d);
  }

  /** The device came to another domain, or was programmed: is every address it holds mapped there? */
  private checkStale(b: EventBatch, i: number, device: Device, d: number): void {
    const { rows } = this;
    if (!this.own || device.programmed === 0) return;
    const type = rows.type[d];
    const translates = (type & 1) !== 0 && rows.state[d] !== STATE.unknown && (rows.flags[d] & FLAG.pagesKnown) !== 0;
    if (!translates && type !== TYPE.IDENTITY) return;
    const stale: number[] = [];
    let address = '';
    for (let index = 0; index < device.msis.length; index++) {
      const msi = device.msis[index];
      if (!msi || !msi.known || msi.reported || (msi.programmedLo | msi.programmedHi) === 0 || (msi.iovaLo | msi.iovaHi) === 0) continue;
      if (translates && this.isMapped(d, msi)) continue;
      msi.reported = true;
      stale.push(index);
      address ||= hex64(msi.programmedLo, msi.programmedHi);
    }
    if (stale.length === 0) return;
    const carried = this.design.replaceCarriesMsiPages;
    this.found('msi-address-stale', b, i, d, {
      outcome: 'undetected', before: rows.state[d], after: rows.state[d], ...(!carried && { severity: 'info' as const }),
      observed: { address, msi_index: stale },
      message: `the device is programmed with ${address} (msi_index ${stale.join(', ')}), which this domain does not map${carried ? '' : `: a known limit of ${this.design.id} (FIXME in iommufd_group_setup_msi)`}`,
    });
  }

  private isMapped(d: number, msi: Msi): boolean {
    const { pages } = this.rows;
    for (let p = this.rows.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (pages.overlaps(p, msi.programmedLo, msi.programmedHi, 1, 0)) return true;
    }
    return false;
  }

  // ── gaps ───────────────────────────────────────────────────────────────────────────────────────────────────────

  private gap(b: EventBatch, i: number): void {
    const { incarnations, rows } = this;
    // The loss lies anywhere since the last event of that CPU, but is marked only here.
    const cpu = b.present[i] & HAS.cpu ? b.cpu[i] : NONE;
    if (cpu !== NONE) this.findings.withdraw(Math.max(this.lastOnCpu[cpu] ?? 0, this.started));
    for (let d = 0; d < incarnations.size; d++) {
      if (incarnations.born[d] !== 0 && rows.state[d] !== STATE.freed) step(this.table, rows, d, GAP, b, i, this.own);
    }
    incarnations.gap();
    this.attachments.forget();
    this.maps.forget();
    this.fdGeneration.length = 0;
  }
}
