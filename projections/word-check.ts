/**
 * Compares observed words of `struct iommu_domain` with what a design predicts for a domain's state, and reads states
 * from observed words. Source: KERNEL.md 3, 4 ("Legal (type, owner) pairs").
 */
import type { EventBatch } from '../events/batch.ts';
import { WORD } from '../events/event-types.ts';
import { hex64 } from '../events/tables.ts';
import { typeMaskOf, type Design } from '../machines/design.ts';
import { COOKIE, type DomainRows } from '../machines/domain-rows.ts';
import { RULES, ruleIndex } from '../machines/rules.ts';
import { LIVING, STATE, STATES, TYPE, TYPE_UNKNOWN } from '../machines/states.ts';
import { NONE } from '../machines/transition-table.ts';

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(TYPE));
const COOKIE_TYPE_STATES = [STATE.unowned, STATE.dma_owned, STATE.msi_owned, STATE.fault_handler_owned, STATE.sva_owned, STATE.iommufd_owned];
const isDmaType = (type: number): boolean => type === TYPE.DMA || type === TYPE.DMA_FQ;

/** Types on which each state can be; absent: any. */
const TYPES_OF_STATE: ReadonlyMap<number, (type: number) => boolean> = new Map([
  [STATE.dma_owned, isDmaType],
  [STATE.msi_owned, (t) => t === TYPE.UNMANAGED],
  [STATE.iommufd_owned, (t) => t === TYPE.UNMANAGED || t === TYPE.NESTED],
  [STATE.sva_owned, (t) => t === TYPE.SVA],
  [STATE.fault_handler_owned, (t) => t === TYPE.UNMANAGED],
]);

/** Compares and reads words under one design. */
export class WordCheck {
  /** Rules that the last compared words break. */
  readonly broken: string[] = [];
  private readonly design: Design;
  private readonly rows: DomainRows;
  /** Owner value of each state, NONE where it has none. */
  private readonly ownerOf: Int32Array;
  /** The two fields of the packed word, on little-endian machines. */
  private readonly typeMask: number;
  private readonly ownerShift: number;
  /** Largest value of the owner member that is defined, and the rule that a larger one breaks. */
  private readonly ownerMost: number;
  private readonly tooLarge: string;

  constructor(design: Design, rows: DomainRows) {
    this.design = design;
    this.rows = rows;
    this.typeMask = typeMaskOf(design);
    this.ownerShift = 32 - design.ownerBits;
    [this.ownerMost, this.tooLarge] = design.ownerMember === 'cookie_type' ? [5, 'cookie-type-out-of-range'] : [2, 'owner-reserved-value'];
    this.ownerOf = Int32Array.from(STATES, (s) => (s === 'unknown' || s === 'freed' ? NONE : design.ownerValues[s]));
  }

  /**
   * Compares word set `w` with the prediction for row `d`; the rules it breaks are then in `broken`.
   * Returns whether anything could be compared. DMA and DMA_FQ turn into each other in place: that is no difference.
   */
  compare(b: EventBatch, w: number, d: number): boolean {
    const { broken } = this;
    if (broken.length > 0) broken.length = 0;
    const compared = this.compareWords(b, w, d);
    // A type that changed has not the owner it should have either: that is told once.
    if (broken.length > 0 && !broken.some((rule) => rule.startsWith('type-'))) this.checkPair(b, w, d);
    return compared;
  }

  /** What words say without a prediction, where nothing has told the owner of row `d` yet: values that no kernel writes. */
  alone(b: EventBatch, w: number, d: number): void {
    const { broken } = this;
    broken.length = 0;
    this.checkType(b, w, d);
    const owner = this.ownerIn(b, w);
    if (owner !== NONE && owner > this.ownerMost) broken.push(this.tooLarge);
    else this.checkPair(b, w, d);
  }

  /** A type that no kernel defines, told when it is first seen. */
  checkType(b: EventBatch, w: number, d: number, allocated = false): void {
    const type = this.typeOf(b, w);
    if (type !== TYPE_UNKNOWN && !KNOWN_TYPES.has(type) && (allocated || type !== this.rows.type[d])) this.broken.push('type-unknown-value');
  }

  /** An owner on a type that cannot have it. */
  private checkPair(b: EventBatch, w: number, d: number): void {
    const type = this.typeOf(b, w);
    if (type === TYPE_UNKNOWN || !KNOWN_TYPES.has(type)) return;
    const fits = TYPES_OF_STATE.get(this.stateOf(b, w, d));
    if (fits && !fits(type)) this.broken.push('owner-type-mismatch');
  }

  private compareWords(b: EventBatch, w: number, d: number): boolean {
    const { broken, rows } = this;
    const has = b.words[w];
    const state = rows.state[d];
    if (state === STATE.freed) return false;
    let compared = false;
    const type = this.typeOf(b, w);
    if (type !== TYPE_UNKNOWN) {
      const predicted = rows.type[d];
      if (predicted === TYPE_UNKNOWN) rows.type[d] = type;
      else {
        compared = true;
        if (type !== predicted) {
          if (isDmaType(type) && isDmaType(predicted)) rows.type[d] = type;
          else broken.push('word-mismatch', KNOWN_TYPES.has(type) ? 'type-illegal-change' : 'type-unknown-value');
        }
      }
    }
    const member = this.design.ownerMember;
    if (member === 'none') {
      if (has & WORD.iova_cookie) {
        compared = true;
        const cookie = this.cookieOf(b, w);
        // A pointer whose kind is not told is at least a cookie.
        if (cookie === NONE ? rows.cookie[d] === COOKIE.none : cookie !== rows.cookie[d]) this.mismatch();
      }
      return compared;
    }
    const owner = this.ownerIn(b, w);
    if (owner === NONE) return compared;
    compared = true;
    if (owner > this.ownerMost) broken.push('word-mismatch', this.tooLarge);
    else if (owner !== this.ownerOf[state]) this.mismatch();
    else if (owner === 1 && has & WORD.iova_cookie_type && member === 'private_data_owner') {
      if (this.cookieOf(b, w) !== (state === STATE.msi_owned ? COOKIE.msi : COOKIE.dma)) this.mismatch();
    }
    // A put clears the pointer and leaves the tag: then the row has no cookie either.
    if (owner === 1 && member === 'private_data_owner' && has & WORD.iova_cookie && rows.cookie[d] !== COOKIE.none && this.cookieOf(b, w) === COOKIE.none) broken.push('owner-cookie-mismatch');
    this.compareRaw(b, w, state, rows.type[d]);
    return compared;
  }

  /** The packed word itself, where it was fetched besides its two fields. */
  private compareRaw(b: EventBatch, w: number, state: number, predicted: number): void {
    if (!this.rawTells(b, w)) return;
    const type = b.wordRaw[w] & this.typeMask;
    const same = predicted === TYPE_UNKNOWN || type === predicted || (isDmaType(type) && isDmaType(predicted));
    if (!same || b.wordRaw[w] >>> this.ownerShift !== this.ownerOf[state]) this.mismatch();
  }

  private mismatch(): void {
    if (this.broken[0] !== 'word-mismatch') this.broken.unshift('word-mismatch');
  }

  /** Whether the packed word alone tells type and owner under this design. */
  rawTells(b: EventBatch, w: number): boolean {
    return this.design.ownerMember === 'private_data_owner' && (b.words[w] & WORD.word) !== 0;
  }

  /** Observed type, or TYPE_UNKNOWN. Little-endian machines only: a recorded u32 is already the machine's number. */
  typeOf(b: EventBatch, w: number): number {
    if (b.words[w] & WORD.type) return b.wordType[w];
    return this.rawTells(b, w) ? b.wordRaw[w] & this.typeMask : TYPE_UNKNOWN;
  }

  /** Observed value of this design's owner member, or NONE. */
  private ownerIn(b: EventBatch, w: number): number {
    const has = b.words[w];
    if (this.design.ownerMember === 'cookie_type') return has & WORD.cookie_type ? b.wordOwner[w] : NONE;
    if (has & WORD.private_data_owner) return b.wordOwner[w];
    return this.rawTells(b, w) ? b.wordRaw[w] >>> this.ownerShift : NONE;
  }

  /** Observed `iova_cookie` as a `COOKIE`, or NONE where its kind is not told. */
  private cookieOf(b: EventBatch, w: number): number {
    if ((b.cookieLo[w] | b.cookieHi[w]) === 0) return COOKIE.none;
    if ((b.words[w] & WORD.iova_cookie_type) === 0) return NONE;
    return b.cookieKind[w] === 0 ? COOKIE.dma : COOKIE.msi;
  }

  /** State that observed words show, or NONE where they do not tell. Any design's words are understood. */
  stateOf(b: EventBatch, w: number, d: number): number {
    const has = b.words[w];
    const type = this.typeOf(b, w);
    const state = this.rows.state[d];
    const sva = type === TYPE.SVA ? STATE.sva_owned : STATE.unowned;
    if (has & WORD.cookie_type) return b.wordOwner[w] < COOKIE_TYPE_STATES.length ? this.fit(COOKIE_TYPE_STATES[b.wordOwner[w]]) : NONE;
    const tag = has & WORD.private_data_owner ? b.wordOwner[w] : this.rawTells(b, w) ? b.wordRaw[w] >>> this.ownerShift : NONE;
    if (tag !== NONE) {
      if (tag === 0) return state === STATE.fault_handler_owned ? state : sva;
      if (tag === 2) return this.fit(STATE.iommufd_owned);
      if (tag > 2) return NONE;
      const cookie = has & WORD.iova_cookie ? this.cookieOf(b, w) : NONE;
      if (cookie === COOKIE.dma) return STATE.dma_owned;
      if (cookie === COOKIE.msi) return STATE.msi_owned;
      return type === TYPE_UNKNOWN ? NONE : isDmaType(type) ? STATE.dma_owned : STATE.msi_owned;
    }
    if (has & WORD.iova_cookie) {
      const cookie = this.cookieOf(b, w);
      if (cookie === COOKIE.none) return state === STATE.fault_handler_owned ? state : sva;
      if (cookie !== NONE) return cookie === COOKIE.dma ? STATE.dma_owned : STATE.msi_owned;
      // A cookie of unknown kind: DMA domains have IOVA cookies, UNMANAGED ones MSI cookies.
      return type === TYPE_UNKNOWN ? NONE : isDmaType(type) ? STATE.dma_owned : STATE.msi_owned;
    }
    return NONE;
  }

  /** v6.12 has no word for iommufd: such a domain is unowned there. */
  private fit(state: number): number {
    return this.design.ownerMember === 'none' && this.design.id === 'v6.12' && state === STATE.iommufd_owned ? STATE.unowned : state;
  }

  /** What the design predicts for row `d`, by the members' C names. */
  expected(d: number): Record<string, unknown> {
    const { rows, design } = this;
    const out: Record<string, unknown> = {};
    if (rows.type[d] !== TYPE_UNKNOWN) out['type'] = rows.type[d];
    const owner = this.ownerOf[rows.state[d]];
    if (design.ownerMember !== 'none' && owner !== NONE) out[design.ownerMember] = owner;
    if (design.ownerMember === 'none') out['iova_cookie'] = ['NULL', 'IOMMU_DMA_IOVA_COOKIE', 'IOMMU_DMA_MSI_COOKIE'][rows.cookie[d]];
    return out;
  }

  /** What memory held, by the members' C names. */
  observed(b: EventBatch, w: number): Record<string, unknown> {
    const { design } = this;
    const out: Record<string, unknown> = {};
    const type = this.typeOf(b, w);
    if (type !== TYPE_UNKNOWN) out['type'] = type;
    const owner = this.ownerIn(b, w);
    if (design.ownerMember !== 'none' && owner !== NONE) out[design.ownerMember] = owner;
    if (this.rawTells(b, w)) out['word'] = hex64(b.wordRaw[w], 0);
    if (design.ownerMember === 'none' && b.words[w] & WORD.iova_cookie) {
      out['iova_cookie'] = ['unknown kind', 'NULL', 'IOMMU_DMA_IOVA_COOKIE', 'IOMMU_DMA_MSI_COOKIE'][this.cookieOf(b, w) + 1];
    }
    return out;
  }

  message(rule: string, b: EventBatch, w: number, d: number): string {
    const text = (o: Record<string, unknown>): string => Object.entries(o).map(([k, v]) => `${k}=${String(v)}`).join(' ') || 'nothing';
    if (this.rows.state[d] === STATE.unknown) return `${RULES[ruleIndex(rule)].sentence}: memory holds ${text(this.observed(b, w))}`;
    return `${rule === 'word-mismatch' ? 'memory differs from the prediction' : rule}: ${this.design.id} predicts ${text(this.expected(d))} for ${STATES[this.rows.state[d]]}, memory holds ${text(this.observed(b, w))}`;
  }
}

/** States that words can show, for tests. */
export const WORD_STATES = LIVING;
