/**
 * Writes rows of a batch from probe lines: who and when, the domain a field points to, the words that were seen.
 * Behind NULL and ERR_PTR a trace prints stale ring-buffer bytes; they do not get past this file.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { WORD } from '../events/event-types.ts';
import type { Frame, SavedWords } from './call-frames.ts';
import { F, type ProbeLine } from './probe-line.ts';

/** Fields of a domain's words, for the domain itself, for the group's old and for its current domain. */
export const OWN = { dom: F.dom, type: F.dtype, ctype: F.ctype, cookie: F.cookie, cktype: F.cktype, word: F.word, owner: F.owner };
export const OLD_FIELDS = { dom: F.old_dom, type: F.old_dtype, ctype: F.old_ctype, cookie: F.old_cookie, cktype: F.old_cktype, word: F.old_word, owner: F.old_owner };
export const CUR_FIELDS = { dom: F.cur_dom, type: F.cur_dtype, ctype: F.cur_ctype, cookie: F.cur_cookie, cktype: F.cur_cktype, word: F.cur_word, owner: F.cur_owner };
type WordFields = typeof OWN;

/** Writes the rows of one batch. */
export class RowWriter {
  private readonly batch: EventBatch;
  private readonly flush: () => void;
  private lastDomain = -1;

  /** `flush` is called when the batch is full and must empty it. */
  constructor(batch: EventBatch, flush: () => void) {
    this.batch = batch;
    this.flush = flush;
  }

  /** Starts a row of this kind with what the line says of who, when and from where; returns its index. */
  add(kind: number, p: ProbeLine | null): number {
    if (this.batch.isFull) this.flush();
    const b = this.batch;
    const i = b.add(kind);
    if (p === null) return i;
    p.complete();
    b.sec[i] = p.sec;
    b.nsec[i] = p.nsec;
    b.digits[i] = p.digits;
    b.task[i] = p.task;
    b.pid[i] = p.pid;
    b.present[i] = HAS.time | HAS.task | HAS.pid;
    if (p.line > 0) {
      b.line[i] = p.line;
      b.present[i] |= HAS.line;
    }
    if (p.cpu >= 0) {
      b.cpu[i] = p.cpu;
      b.present[i] |= HAS.cpu;
    }
    if (p.caller !== 0) {
      b.caller[i] = p.caller;
      b.present[i] |= HAS.caller;
    }
    return i;
  }

  /** Number of the domain a field points to, or -1 for NULL and ERR_PTR. */
  domain(p: ProbeLine, field: number): number {
    if (!p.has(field)) return -1;
    const lo = p.lo[field];
    const hi = p.hi[field];
    const { addresses } = this.batch.interned;
    // Most lines are about the domain of the line before.
    const last = this.lastDomain;
    if (last >= 0 && addresses.lo[last] === lo && addresses.hi[last] === hi) return last;
    if (!isPointer(lo, hi)) return -1;
    return (this.lastDomain = addresses.intern(lo, hi));
  }

  /** errno that the call returned, where the line has it. */
  errno(i: number, p: ProbeLine): void {
    if (!p.has(F.ret)) return;
    this.batch.errno[i] = p.int(F.ret);
    this.batch.present[i] |= HAS.errno;
  }

  /** Group id, or `otherwise` where the line has none. */
  group(i: number, p: ProbeLine, otherwise: number): void {
    const own = groupOf(p);
    const group = own >= 0 ? own : otherwise;
    if (group < 0) return;
    this.batch.group[i] = group;
    this.batch.present[i] |= HAS.group;
  }

  /** Device by its number, 0 for none. */
  device(i: number, device: number): void {
    if (device === 0) return;
    this.batch.device[i] = device;
    this.batch.present[i] |= HAS.device;
  }

  /** A 64-bit field as argument `a`. */
  address(i: number, p: ProbeLine, field: number): void {
    if (p.has(field)) this.setA(i, p.lo[field], p.hi[field]);
  }

  /** Argument `a`. */
  setA(i: number, lo: number, hi: number): void {
    this.batch.aLo[i] = lo;
    this.batch.aHi[i] = hi;
    this.batch.present[i] |= HAS.a;
  }

  /** Keeps a field until the return. */
  keepA(frame: Frame, p: ProbeLine, field: number): void {
    frame.hasA = p.has(field);
    frame.aLo = p.lo[field];
    frame.aHi = p.hi[field];
  }

  /** Words that the line shows, as set `set` of row `i`. */
  words(i: number, set: number, p: ProbeLine, f: WordFields): void {
    const b = this.batch;
    const w = i * 3 + set;
    b.words[w] = wordsPresent(p, f);
    b.wordType[w] = p.lo[f.type];
    b.wordOwner[w] = p.has(f.ctype) ? p.lo[f.ctype] : p.lo[f.owner];
    b.wordRaw[w] = p.has(f.word) ? p.lo[f.word] : p.lo[f.type];
    b.cookieLo[w] = p.lo[f.cookie];
    b.cookieHi[w] = p.hi[f.cookie];
    b.cookieKind[w] = p.lo[f.cktype];
  }

  /** Keeps the words that the line shows until the return. */
  save(s: SavedWords, p: ProbeLine, f: WordFields): void {
    s.has = wordsPresent(p, f);
    s.type = p.lo[f.type];
    s.owner = p.has(f.ctype) ? p.lo[f.ctype] : p.lo[f.owner];
    s.raw = p.has(f.word) ? p.lo[f.word] : p.lo[f.type];
    s.cookieLo = p.lo[f.cookie];
    s.cookieHi = p.hi[f.cookie];
    s.kind = p.lo[f.cktype];
  }

  /** Words that were kept, as set `set` of row `i`. */
  restore(i: number, set: number, s: SavedWords): void {
    const b = this.batch;
    const w = i * 3 + set;
    b.words[w] = s.has;
    b.wordType[w] = s.type;
    b.wordOwner[w] = s.owner;
    b.wordRaw[w] = s.raw;
    b.cookieLo[w] = s.cookieLo;
    b.cookieHi[w] = s.cookieHi;
    b.cookieKind[w] = s.kind;
  }
}

/**
 * Which members of a word set the line tells. Behind a NULL or ERR_PTR domain, and for the cookie's type behind a NULL
 * cookie, the trace prints stale ring-buffer bytes instead of a fault: those are not members.
 */
function wordsPresent(p: ProbeLine, f: WordFields): number {
  if (!p.has(f.dom) || !isPointer(p.lo[f.dom], p.hi[f.dom])) return 0;
  let has = 0;
  const packed = isPacked(p, f);
  if (p.has(f.type) && !packed) has |= WORD.type;
  if (p.has(f.word) || packed) has |= WORD.word;
  if (p.has(f.ctype)) return has | WORD.cookie_type;
  if (p.has(f.owner) && p.hi[f.owner] === 0 && p.lo[f.owner] < 4) has |= WORD.private_data_owner;
  if (p.has(f.cookie)) {
    has |= WORD.iova_cookie;
    // With an owner tag the pointer's target is a cookie only where the tag says DMA.
    const owner = has & WORD.private_data_owner ? p.lo[f.owner] : packed ? p.lo[f.type] >>> 30 : 1;
    if (p.has(f.cktype) && owner === 1 && isPointer(p.lo[f.cookie], p.hi[f.cookie]) && p.lo[f.cktype] < 2) has |= WORD.iova_cookie_type;
  }
  return has;
}

/** Whether `type` is the whole word: `:x32` and `:u32` after a bitfield fetch the word and a byte of it, and are not refused. */
function isPacked(p: ProbeLine, f: WordFields): boolean {
  return p.has(f.owner) && p.has(f.type) && p.lo[f.type] >= 0x40000000;
}

/** Neither NULL nor ERR_PTR. */
function isPointer(lo: number, hi: number): boolean {
  return (lo | hi) !== 0 && !(hi === 0xffffffff && lo >= 0xfffff001);
}

/** errno of an ERR_PTR, 0 for anything else. */
export function pointerErrno(lo: number, hi: number): number {
  return hi === 0xffffffff && lo >= 0xfffff001 ? lo | 0 : 0;
}

/** Group id that the line tells, or -1; `group` may be a pointer. */
export function groupOf(p: ProbeLine): number {
  return p.has(F.grp) && p.hi[F.grp] === 0 ? p.lo[F.grp] : -1;
}
