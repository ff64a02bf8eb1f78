/**
 * MSI pages of all domains in one pool of typed arrays: a linked list per domain, newest last, freed rows reused.
 * 64-bit values are two u32. Memory is bounded by live pages.
 */

const NIL = -1;

/** The pool of MSI pages of all domains. */
export class MsiPages {
  iovaLo = new Uint32Array(256);
  iovaHi = new Uint32Array(256);
  physLo = new Uint32Array(256);
  physHi = new Uint32Array(256);
  sizeLo = new Uint32Array(256);
  sizeHi = new Uint32Array(256);
  backend = new Uint8Array(256);
  /** Log position of the event that made the page. */
  position = new Float64Array(256);
  next = new Int32Array(256);
  private size = 0;
  private freeList = NIL;

  /** Adds a page behind `tail` (or as the first one, NIL) and returns its row. */
  add(tail: number, iovaLo: number, iovaHi: number, physLo: number, physHi: number, sizeLo: number, sizeHi: number, backend: number, position: number): number {
    let p = this.freeList;
    if (p !== NIL) this.freeList = this.next[p];
    else {
      if (this.size === this.next.length) this.widen();
      p = this.size++;
    }
    this.iovaLo[p] = iovaLo;
    this.iovaHi[p] = iovaHi;
    this.physLo[p] = physLo;
    this.physHi[p] = physHi;
    this.sizeLo[p] = sizeLo;
    this.sizeHi[p] = sizeHi;
    this.backend[p] = backend;
    this.position[p] = position;
    this.next[p] = NIL;
    if (tail !== NIL) this.next[tail] = p;
    return p;
  }

  /** Gives the whole list that starts at `head` back. */
  freeAll(head: number): void {
    while (head !== NIL) {
      const next = this.next[head];
      this.next[head] = this.freeList;
      this.freeList = head;
      head = next;
    }
  }

  /** Gives one row back; the caller has unlinked it. */
  free(p: number): void {
    this.next[p] = this.freeList;
    this.freeList = p;
  }

  /** Whether page `p` shares a byte with [iova, iova + size). */
  overlaps(p: number, iovaLo: number, iovaHi: number, sizeLo: number, sizeHi: number): boolean {
    return (
      below(this.iovaLo[p], this.iovaHi[p], 0, 0, iovaLo, iovaHi, sizeLo, sizeHi) &&
      below(iovaLo, iovaHi, 0, 0, this.iovaLo[p], this.iovaHi[p], this.sizeLo[p], this.sizeHi[p])
    );
  }

  /** Whether page `p` is the page that holds this physical address (masked by the page's own size). */
  holdsPhys(p: number, lo: number, hi: number): boolean {
    const sizeLo = this.sizeLo[p];
    const maskLo = ~(sizeLo - 1) >>> 0;
    const maskHi = ~(sizeLo === 0 ? this.sizeHi[p] - 1 : this.sizeHi[p]) >>> 0;
    return this.physLo[p] === (lo & maskLo) >>> 0 && this.physHi[p] === (hi & maskHi) >>> 0;
  }

  private widen(): void {
    const n = this.next.length * 2;
    this.iovaLo = grown(this.iovaLo, new Uint32Array(n));
    this.iovaHi = grown(this.iovaHi, new Uint32Array(n));
    this.physLo = grown(this.physLo, new Uint32Array(n));
    this.physHi = grown(this.physHi, new Uint32Array(n));
    this.sizeLo = grown(this.sizeLo, new Uint32Array(n));
    this.sizeHi = grown(this.sizeHi, new Uint32Array(n));
    this.backend = grown(this.backend, new Uint8Array(n));
    this.position = grown(this.position, new Float64Array(n));
    this.next = grown(this.next, new Int32Array(n));
  }
}

/** Whether a + b < c + d, without losing a bit: each operand is a 64-bit value as two u32. */
export function below(aLo: number, aHi: number, bLo: number, bHi: number, cLo: number, cHi: number, dLo: number, dHi: number): boolean {
  let lo1 = aLo + bLo;
  let hi1 = aHi + bHi;
  if (lo1 > 0xffffffff) {
    lo1 -= 0x100000000;
    hi1++;
  }
  let lo2 = cLo + dLo;
  let hi2 = cHi + dHi;
  if (lo2 > 0xffffffff) {
    lo2 -= 0x100000000;
    hi2++;
  }
  return hi1 < hi2 || (hi1 === hi2 && lo1 < lo2);
}

/** Copies `from` into the longer array `to` and returns that. */
export function grown<T extends Uint8Array | Int32Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
