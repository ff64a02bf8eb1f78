/**
 * The private data of all domains as typed arrays, one row a domain, and `step`: the compiled table on a row and an event.
 * Each guard and action says over arrays what `domain-context.ts` says over a context; a differential test compares them.
 * Rows are indexed by the dense number of the domain's address. No object, BigInt or closure per event.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { AFTER, WORD } from '../events/event-types.ts';
import { ACTIONS, GUARDS, type Action, type Guard } from './design.ts';
import { MAP, MSI_PAGE_LIMIT } from './domain-context.ts';
import { MsiPages, below, grown } from './msi-pages.ts';
import {
  ENODEV, ENOMEM, EOVERFLOW, MACHINE_EVENT, MSI_IOVA_BASE, MSI_IOVA_LENGTH, PAGE_SIZE, PROT_DMA_MSI, PROT_IOMMUFD_MSI, STATE, TYPE, TYPE_UNKNOWN,
} from './states.ts';
import { FACT_GUARDS, NONE, type TransitionTable } from './transition-table.ts';

/** `cookie` column. */
export const COOKIE = { none: 0, dma: 1, msi: 2 } as const;
/** Bits of the `flags` column. */
export const FLAG = {
  cookiePut: 1,
  hwpt: 2,
  releasing: 4,
  baseKnown: 8,
  msiNextKnown: 16,
  failedKnown: 32,
  pagesKnown: 64,
  hwptNull: 128,
} as const;

const PREPARE = MACHINE_EVENT.iommu_dma_prepare_msi;

const ROW_COLUMNS = [
  'state', 'type', 'cookie', 'flags', 'attached', 'mappedBytes', 'baseLo', 'baseHi', 'msiNextLo', 'msiNextHi', 'failedLo', 'failedHi',
] as const;

/** Rows as plain data. */
export interface RowsSnapshot {
  readonly columns: readonly (Uint8Array | Uint32Array | Int32Array | Float64Array)[];
  /** Eight numbers a page. */
  readonly pages: readonly (readonly number[])[];
}

/** Private data of all domains. Shape: one row a domain, grown by `ensure`; MSI pages in a pool of their own. */
export class DomainRows {
  state = new Uint8Array(1024);
  type = new Uint32Array(1024);
  cookie = new Uint8Array(1024);
  flags = new Uint32Array(1024);
  attached = new Int32Array(1024);
  mappedBytes = new Float64Array(1024);
  baseLo = new Uint32Array(1024);
  baseHi = new Uint32Array(1024);
  msiNextLo = new Uint32Array(1024);
  msiNextHi = new Uint32Array(1024);
  failedLo = new Uint32Array(1024);
  failedHi = new Uint32Array(1024);
  pageHead = new Int32Array(1024).fill(NONE);
  pageTail = new Int32Array(1024).fill(NONE);
  pageCount = new Int32Array(1024);
  readonly pages = new MsiPages();
  /** Largest value that `type` holds under the design. */
  readonly typeMask: number;
  /** What the mapping of the event in hand is (`MAP`); set by the caller for iommu_map. */
  map: number = MAP.user;

  constructor(typeMask = 0xffffffff) {
    this.typeMask = typeMask;
  }

  /** Makes rows 0 … d exist. */
  ensure(d: number): void {
    if (d < this.state.length) return;
    let n = this.state.length;
    while (n <= d) n *= 2;
    const head = this.pageHead.length;
    this.state = grown(this.state, new Uint8Array(n));
    this.type = grown(this.type, new Uint32Array(n));
    this.cookie = grown(this.cookie, new Uint8Array(n));
    this.flags = grown(this.flags, new Uint32Array(n));
    this.attached = grown(this.attached, new Int32Array(n));
    this.mappedBytes = grown(this.mappedBytes, new Float64Array(n));
    this.baseLo = grown(this.baseLo, new Uint32Array(n));
    this.baseHi = grown(this.baseHi, new Uint32Array(n));
    this.msiNextLo = grown(this.msiNextLo, new Uint32Array(n));
    this.msiNextHi = grown(this.msiNextHi, new Uint32Array(n));
    this.failedLo = grown(this.failedLo, new Uint32Array(n));
    this.failedHi = grown(this.failedHi, new Uint32Array(n));
    this.pageHead = grown(this.pageHead, new Int32Array(n)).fill(NONE, head);
    this.pageTail = grown(this.pageTail, new Int32Array(n)).fill(NONE, head);
    this.pageCount = grown(this.pageCount, new Int32Array(n));
  }

  /** Makes row `d` a domain of which nothing is known. */
  reset(d: number): void {
    this.state[d] = STATE.unknown;
    this.type[d] = TYPE_UNKNOWN;
    this.cookie[d] = COOKIE.none;
    this.flags[d] = 0;
    this.attached[d] = 0;
    this.mappedBytes[d] = 0;
    this.dropPages(d);
  }

  /** Makes row `to` what row `from` is. */
  copyRow(from: number, to: number): void {
    this.ensure(to);
    for (const name of ROW_COLUMNS) this[name][to] = this[name][from];
    this.dropPages(to);
    const { pages } = this;
    for (let p = this.pageHead[from]; p !== NONE; p = pages.next[p]) {
      this.linkPage(to, pages.iovaLo[p], pages.iovaHi[p], pages.physLo[p], pages.physHi[p], pages.sizeLo[p], pages.sizeHi[p], pages.backend[p], pages.position[p]);
    }
  }

  /** Forgets the MSI pages of row `d`. */
  dropPages(d: number): void {
    if (this.pageHead[d] === NONE) return;
    this.pages.freeAll(this.pageHead[d]);
    this.pageHead[d] = NONE;
    this.pageTail[d] = NONE;
    this.pageCount[d] = 0;
  }

  /** Returns rows 0 … n - 1 as plain data; pages as one list a row. */
  snapshot(n: number): RowsSnapshot {
    const columns = ROW_COLUMNS.map((name) => this[name].slice(0, n));
    const pages: number[][] = [];
    const p = this.pages;
    for (let d = 0; d < n; d++) {
      const list: number[] = [];
      for (let at = this.pageHead[d]; at !== NONE; at = p.next[at]) {
        list.push(p.iovaLo[at], p.iovaHi[at], p.physLo[at], p.physHi[at], p.sizeLo[at], p.sizeHi[at], p.backend[at], p.position[at]);
      }
      pages.push(list);
    }
    return { columns, pages };
  }

  /** Takes over what `snapshot` returned; only on a fresh object. */
  restore(s: RowsSnapshot): void {
    if (s.pages.length > 0) this.ensure(s.pages.length - 1);
    s.pages.forEach((list, d) => {
      for (let at = 0; at < list.length; at += 8) {
        const [iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, backend, position] = list.slice(at, at + 8);
        this.addPage(d, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, backend, position);
      }
    });
    // The columns last: adding pages moves the next IOVA.
    ROW_COLUMNS.forEach((name, i) => this[name].set(s.columns[i] as never));
  }

  /** Row of the page of this back end that holds a doorbell, or NONE; the newest, as list_add puts it at the head. */
  findPage(d: number, backend: number, lo: number, hi: number): number {
    const { pages } = this;
    let found: number = NONE;
    for (let p = this.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (pages.backend[p] === backend && pages.holdsPhys(p, lo, hi)) found = p;
    }
    return found;
  }

  addPage(d: number, iovaLo: number, iovaHi: number, physLo: number, physHi: number, sizeLo: number, sizeHi: number, backend: number, position: number): void {
    if (this.pageCount[d] < MSI_PAGE_LIMIT) this.linkPage(d, iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, backend, position);
    else this.flags[d] &= ~FLAG.pagesKnown;
    if (backend === MAP.dma && this.cookie[d] === COOKIE.msi) {
      const lo = iovaLo + sizeLo;
      this.msiNextLo[d] = lo;
      this.msiNextHi[d] = iovaHi + sizeHi + (lo > 0xffffffff ? 1 : 0);
      this.flags[d] |= FLAG.msiNextKnown;
    }
  }

  private linkPage(d: number, iovaLo: number, iovaHi: number, physLo: number, physHi: number, sizeLo: number, sizeHi: number, backend: number, position: number): void {
    const p = this.pages.add(this.pageTail[d], iovaLo, iovaHi, physLo, physHi, sizeLo, sizeHi, backend, position);
    if (this.pageHead[d] === NONE) this.pageHead[d] = p;
    this.pageTail[d] = p;
    this.pageCount[d]++;
  }
}

type Test = (r: DomainRows, d: number, b: EventBatch, i: number, own: boolean) => boolean;
type Effect = (r: DomainRows, d: number, b: EventBatch, i: number) => void;

const refused = (b: EventBatch, i: number): boolean => (b.present[i] & HAS.errno) !== 0 && b.errno[i] < 0;
const recorded = (b: EventBatch, i: number, errno: number): boolean => (b.present[i] & HAS.errno) !== 0 && b.errno[i] === errno;
const recordedTells = (b: EventBatch, i: number, own: boolean): boolean => own || b.kind[i] !== PREPARE;
const has = (b: EventBatch, i: number, bit: number): boolean => (b.present[i] & bit) !== 0;
const afterType = (b: EventBatch, i: number): number => ((b.words[i * 3 + AFTER] & WORD.type) !== 0 ? b.wordType[i * 3 + AFTER] : TYPE_UNKNOWN);

function anyOverlap(r: DomainRows, d: number, b: EventBatch, i: number): boolean {
  const { pages } = r;
  for (let p = r.pageHead[d]; p !== NONE; p = pages.next[p]) {
    if (pages.overlaps(p, b.aLo[i], b.aHi[i], b.cLo[i], b.cHi[i])) return true;
  }
  return false;
}

/** Guards that are facts of a row, by what they depend on. */
const typeFacts: Readonly<Partial<Record<Guard, (type: number) => boolean>>> = {
  typeIsNotUnmanaged: (type) => type !== TYPE_UNKNOWN && type !== TYPE.UNMANAGED,
  typeIsNotDma: (type) => type !== TYPE_UNKNOWN && (type & 2) === 0,
  typeIsIdentity: (type) => type === TYPE.IDENTITY,
  typeIsNested: (type) => type === TYPE.NESTED,
  typeIsStatic: (type) => type === TYPE.BLOCKED || type === TYPE.IDENTITY,
  typeIsNotPaging: (type) => type !== TYPE_UNKNOWN && (type & 1) === 0,
};
const otherFacts: Readonly<Partial<Record<Guard, (cookie: number, flags: number, map: number, own: boolean) => boolean>>> = {
  hasCookie: (cookie) => cookie !== COOKIE.none,
  hasNoCookie: (cookie) => cookie === COOKIE.none,
  cookieWasPut: (_, flags) => (flags & FLAG.cookiePut) !== 0,
  hasHwpt: (_, flags) => (flags & FLAG.hwpt) !== 0,
  releasing: (_, flags) => (flags & FLAG.releasing) !== 0,
  isUserMapping: (_, __, map) => map === MAP.user || map === MAP.uncounted,
  isDmaBackend: (_, __, map, own) => own && map === MAP.dma,
  isIommufdBackend: (_, __, map, own) => own && map === MAP.iommufd,
};
/** Bits of the facts that hold for a type; index 256 stands for a type that nothing has told. */
const TYPE_BITS = Int32Array.from({ length: 257 }, (_, type) => typeBits(type === 256 ? TYPE_UNKNOWN : type));
/** Bits of the other facts, by cookie, the three low flags, kind of mapping and ownness. */
const OTHER_BITS = Int32Array.from({ length: 256 }, (_, at) => bitsOf(otherFacts, (f) => f(at & 3, (at >> 2) & 7, (at >> 5) & 3, at >= 128)));

function typeBits(type: number): number {
  return bitsOf(typeFacts, (f) => f(type));
}

function bitsOf<F>(facts: Readonly<Partial<Record<Guard, F>>>, holds: (f: F) => boolean): number {
  let bits = 0;
  for (const [name, f] of Object.entries(facts)) if (holds(f as F)) bits |= 1 << GUARDS.indexOf(name as Guard);
  return bits;
}

/** Guards that are asked one by one. */
const tests: Readonly<Partial<Record<Guard, Test>>> = {
  typeIsDma: (_, __, b, i) => has(b, i, HAS.x) && (b.x[i] & 2) !== 0,
  typeIsNotNested: (_, __, b, i) => afterType(b, i) !== TYPE_UNKNOWN && afterType(b, i) !== TYPE.NESTED,
  typeOverflows: (r, _, b, i) => has(b, i, HAS.x) && b.x[i] > r.typeMask,
  hwptIsNull: (r, d) => (r.flags[d] & FLAG.hwptNull) !== 0,
  isAttached: (r, d) => r.attached[d] > 0,
  hasMappings: (r, d) => r.mappedBytes[d] > 0 && r.type[d] === TYPE.UNMANAGED,
  refused: (_, __, b, i, own) => refused(b, i) && recordedTells(b, i, own),
  outOfMemory: (_, __, b, i, own) => recorded(b, i, ENOMEM) && recordedTells(b, i, own),
  noIommuDma: (_, __, b, i) => recorded(b, i, ENODEV),
  idsExhausted: (_, __, b, i, own) => recorded(b, i, EOVERFLOW) && recordedTells(b, i, own),
  baseIsUnaligned: (_, __, b, i) => has(b, i, HAS.a) && (b.aLo[i] & (PAGE_SIZE - 1)) !== 0,
  pageIsListed: (r, d, b, i) => has(b, i, HAS.a) && r.findPage(d, MAP.dma, b.aLo[i], b.aHi[i]) !== NONE,
  pageIsInstalled: (r, d, b, i) => has(b, i, HAS.a) && r.findPage(d, MAP.iommufd, b.aLo[i], b.aHi[i]) !== NONE,
  msiMapFailed: (r, d, b, i) =>
    (r.flags[d] & FLAG.failedKnown) !== 0 && has(b, i, HAS.a) && r.failedLo[d] === (b.aLo[i] & ~(PAGE_SIZE - 1)) >>> 0 && r.failedHi[d] === b.aHi[i],
  nextIovaIsZero: (r, d) => r.cookie[d] === COOKIE.msi && (r.flags[d] & FLAG.msiNextKnown) !== 0 && r.msiNextLo[d] === 0 && r.msiNextHi[d] === 0,
  nextIovaIsMapped: (r, d) => {
    if (r.cookie[d] !== COOKIE.msi || (r.flags[d] & FLAG.msiNextKnown) === 0) return false;
    for (let p = r.pageHead[d]; p !== NONE; p = r.pages.next[p]) if (r.pages.overlaps(p, r.msiNextLo[d], r.msiNextHi[d], PAGE_SIZE, 0)) return true;
    return false;
  },
  iovaIsReused: (r, d, b, i) => {
    if (refused(b, i) || !has(b, i, HAS.b)) return false;
    const { pages } = r;
    for (let p = r.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (pages.overlaps(p, b.aLo[i], b.aHi[i], b.cLo[i], b.cHi[i]) && (pages.physLo[p] !== b.bLo[i] || pages.physHi[p] !== b.bHi[i])) return true;
    }
    return false;
  },
  iovaIsMapped: anyOverlap,
  doorbellIsMapped: (r, d, b, i) => {
    if (!has(b, i, HAS.b)) return false;
    const { pages } = r;
    for (let p = r.pageHead[d]; p !== NONE; p = pages.next[p]) {
      if (
        pages.physLo[p] === b.bLo[i] && pages.physHi[p] === b.bHi[i] &&
        (pages.iovaLo[p] !== b.aLo[i] || pages.iovaHi[p] !== b.aHi[i])
      ) return true;
    }
    return false;
  },
  iovaIsAbove58Bits: (_, __, b, i) => b.aHi[i] >= 0x4000000,
  isOutsideWindow: (r, d, b, i) => {
    if (r.map === MAP.dma && r.cookie[d] !== COOKIE.msi) return false;
    if (r.map === MAP.dma && (r.flags[d] & FLAG.baseKnown) === 0) return false;
    const lo = r.map === MAP.dma ? r.baseLo[d] : MSI_IOVA_BASE;
    const hi = r.map === MAP.dma ? r.baseHi[d] : 0;
    return below(b.aLo[i], b.aHi[i], 0, 0, lo, hi, 0, 0) || !below(b.aLo[i], b.aHi[i], 0, 0, lo, hi, MSI_IOVA_LENGTH, 0);
  },
  physIsNotMasked: (_, __, b, i) => {
    if (!has(b, i, HAS.b)) return false;
    const maskLo = b.cLo[i] - 1;
    const maskHi = b.cLo[i] === 0 ? b.cHi[i] - 1 : b.cHi[i];
    return (b.bLo[i] & maskLo) !== 0 || (b.bHi[i] & maskHi) !== 0;
  },
  protIsUnexpected: (r, _, b, i, own) => own && has(b, i, HAS.x) && b.x[i] !== (r.map === MAP.dma ? PROT_DMA_MSI : PROT_IOMMUFD_MSI),
  overlapsMsiPage: anyOverlap,
};

function preparePage(r: DomainRows, d: number, b: EventBatch, i: number, backend: number): void {
  r.flags[d] &= ~FLAG.failedKnown;
  if (!has(b, i, HAS.a)) return;
  const linear = backend === MAP.dma && r.cookie[d] === COOKIE.msi && (r.flags[d] & FLAG.msiNextKnown) !== 0;
  if (!linear && !has(b, i, HAS.b)) return;
  const lo = linear ? r.msiNextLo[d] : b.bLo[i];
  const hi = linear ? r.msiNextHi[d] : b.bHi[i];
  if (lo === 0 && hi === 0) return;
  const mask = ~(PAGE_SIZE - 1);
  r.addPage(d, (lo & mask) >>> 0, hi, (b.aLo[i] & mask) >>> 0, b.aHi[i], PAGE_SIZE, 0, backend, b.position + i);
}

const NOT_COOKIE = ~(FLAG.baseKnown | FLAG.msiNextKnown);

const effects: Readonly<Record<Action, Effect>> = {
  setType: (r, d, b, i) => {
    if (has(b, i, HAS.x)) r.type[d] = b.x[i] & r.typeMask;
    r.flags[d] |= FLAG.pagesKnown;
  },
  setTypeAndTakeDmaCookie: (r, d, b, i) => {
    if (has(b, i, HAS.x)) r.type[d] = b.x[i] & r.typeMask;
    r.flags[d] = (r.flags[d] | FLAG.pagesKnown) & ~FLAG.cookiePut;
    r.cookie[d] = COOKIE.dma;
  },
  setTypeNested: (r, d, b, i) => {
    const type = afterType(b, i);
    r.type[d] = type === TYPE_UNKNOWN ? TYPE.NESTED : type;
    r.flags[d] |= FLAG.hwpt | FLAG.pagesKnown;
  },
  setTypeSva: (r, d) => { r.type[d] = TYPE.SVA; },
  takeDmaCookie: (r, d) => {
    r.cookie[d] = COOKIE.dma;
    r.flags[d] &= ~FLAG.cookiePut;
  },
  takeMsiCookie: (r, d, b, i) => {
    r.cookie[d] = COOKIE.msi;
    r.flags[d] &= NOT_COOKIE & ~FLAG.cookiePut;
    if (!has(b, i, HAS.a)) return;
    r.baseLo[d] = r.msiNextLo[d] = b.aLo[i];
    r.baseHi[d] = r.msiNextHi[d] = b.aHi[i];
    r.flags[d] |= FLAG.baseKnown | FLAG.msiNextKnown;
  },
  setHwpt: (r, d, b, i) => {
    const type = afterType(b, i);
    if (type !== TYPE_UNKNOWN) r.type[d] = type;
    else if (r.type[d] === TYPE_UNKNOWN) r.type[d] = TYPE.UNMANAGED;
    r.flags[d] = (r.flags[d] & ~FLAG.hwptNull) | FLAG.hwpt | FLAG.pagesKnown;
    if (has(b, i, HAS.a) && (b.aLo[i] | b.aHi[i]) === 0) r.flags[d] |= FLAG.hwptNull;
  },
  clearCookie: (r, d) => {
    r.cookie[d] = COOKIE.none;
    r.flags[d] &= NOT_COOKIE;
  },
  markCookiePut: (r, d) => { r.flags[d] |= FLAG.cookiePut; },
  beginRelease: (r, d) => { r.flags[d] |= FLAG.releasing; },
  endRelease: (r, d) => { r.flags[d] &= ~FLAG.releasing; },
  addMapping: (r, d, b, i) => {
    if (r.map === MAP.user && !refused(b, i)) r.mappedBytes[d] += b.cHi[i] * 0x100000000 + b.cLo[i];
  },
  removeMapping: (r, d, b, i) => {
    r.mappedBytes[d] = Math.max(0, r.mappedBytes[d] - (b.cHi[i] * 0x100000000 + b.cLo[i]));
  },
  addMsiPage: (r, d, b, i) => {
    r.flags[d] &= ~FLAG.failedKnown;
    if (has(b, i, HAS.b)) r.addPage(d, b.aLo[i], b.aHi[i], b.bLo[i], b.bHi[i], b.cLo[i], b.cHi[i], r.map, b.position + i);
  },
  removeMsiPages: (r, d, b, i) => {
    const { pages } = r;
    let before: number = NONE;
    for (let p = r.pageHead[d]; p !== NONE; ) {
      const next = pages.next[p];
      if (pages.overlaps(p, b.aLo[i], b.aHi[i], b.cLo[i], b.cHi[i])) {
        if (before === NONE) r.pageHead[d] = next;
        else pages.next[before] = next;
        if (r.pageTail[d] === p) r.pageTail[d] = before;
        pages.free(p);
        r.pageCount[d]--;
      } else before = p;
      p = next;
    }
  },
  markMsiMapFailed: (r, d, b, i) => {
    if (has(b, i, HAS.b)) {
      r.failedLo[d] = (b.bLo[i] & ~(PAGE_SIZE - 1)) >>> 0;
      r.failedHi[d] = b.bHi[i];
      r.flags[d] |= FLAG.failedKnown;
    } else r.flags[d] &= ~FLAG.failedKnown;
  },
  prepareMsiPage: (r, d, b, i) => preparePage(r, d, b, i, MAP.dma),
  installMsiPage: (r, d, b, i) => preparePage(r, d, b, i, MAP.iommufd),
  skipMsiIova: (r, d) => {
    const lo = r.msiNextLo[d] + PAGE_SIZE;
    r.msiNextLo[d] = lo;
    if (lo > 0xffffffff) r.msiNextHi[d]++;
  },
  attach: (r, d) => { r.attached[d]++; },
  detach: (r, d) => { if (r.attached[d] > 0) r.attached[d]--; },
  adoptNone: (r, d) => {
    r.cookie[d] = COOKIE.none;
    r.flags[d] &= NOT_COOKIE & ~FLAG.hwpt;
  },
  adoptDmaCookie: (r, d) => {
    r.cookie[d] = COOKIE.dma;
    r.flags[d] &= NOT_COOKIE & ~FLAG.cookiePut;
  },
  adoptMsiCookie: (r, d) => {
    if (r.cookie[d] !== COOKIE.msi) r.flags[d] &= NOT_COOKIE;
    r.cookie[d] = COOKIE.msi;
    r.flags[d] &= ~FLAG.cookiePut;
  },
  adoptHwpt: (r, d) => {
    r.cookie[d] = COOKIE.none;
    r.flags[d] = (r.flags[d] & NOT_COOKIE) | FLAG.hwpt;
  },
  forget: (r, d) => {
    const state = r.state[d];
    r.reset(d);
    r.state[d] = state;
  },
};

const TESTS = GUARDS.map((name, n) => {
  const test = tests[name];
  if ((n < FACT_GUARDS) !== (name in typeFacts || name in otherFacts) || (n >= FACT_GUARDS && !test)) throw new Error(`guard ${name} has no typed-array counterpart`);
  return test as Test;
});
const EFFECTS: readonly Effect[] = ACTIONS.map((name) => effects[name]);

/**
 * Takes the machine of row `d` through one event; returns the number of the verdict, or NONE where it has no such transition.
 * `event` is a code of `MACHINE_EVENT`; its arguments are row `i` of the batch. `own`: the recording is of this design.
 */
export function step(table: TransitionTable, r: DomainRows, d: number, event: number, b: EventBatch, i: number, own: boolean): number {
  const cell = r.state[d] * table.events + event;
  let at = table.cells[cell];
  if (at === NONE) return NONE;
  const c = table.candidates;
  if (c[at] !== NONE) {
    const type = r.type[d];
    const facts =
      (type < 256 ? TYPE_BITS[type] : type === TYPE_UNKNOWN ? TYPE_BITS[256] : typeBits(type)) |
      OTHER_BITS[r.cookie[d] | ((r.flags[d] & 7) << 2) | (r.map << 5) | (own ? 128 : 0)];
    if ((facts & table.plainFacts[cell]) === 0 && r.pageHead[d] === NONE && b.errno[i] >= 0) at = table.plainCells[cell];
    for (let guard = c[at]; guard !== NONE; guard = c[(at += 4)]) {
      if (guard < FACT_GUARDS ? (facts >>> guard) & 1 : TESTS[guard](r, d, b, i, own)) break;
    }
  }
  const action = c[at + 1];
  if (action !== NONE) EFFECTS[action](r, d, b, i);
  const target = c[at + 2];
  if (target !== NONE) r.state[d] = target;
  return c[at + 3];
}
