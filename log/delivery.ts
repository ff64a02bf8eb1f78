/**
 * From links back to batches: checks the chain while it reads, joins small blocks, cuts the first and the last one to the
 * positions that were asked for. One batch is lent again and again.
 */
import { BATCH_CAPACITY, createInterned, EventBatch, type Interned } from '../events/batch.ts';
import { UnreadableError } from '../events/problem.ts';
import { decodeBlock } from './block.ts';
import { LINK, pointAfter, whyBroken, type ChainPoint, type Link } from './chain.ts';
import type { Consume, Verification } from './event-log.ts';

const DAMAGE_HINT = '`iommu-ledger verify` names the first bad position; take the log from a backup, or import its recordings into a new one';

/**
 * Delivers events `from` to `to` out of the links that follow `start`; returns the last position delivered, `from - 1` if none.
 * Errors: `UnreadableError` that names the log where a link is broken, missing before `head`, or cannot be decoded.
 */
export function deliver(
  name: string, links: Iterable<Link>, start: ChainPoint, head: number, from: number, to: number, interned: Interned, consume: Consume,
): number {
  const last = Math.min(to, head);
  if (from > last) return from - 1;
  const batch = new EventBatch(interned);
  let whole: EventBatch | undefined;
  let point = start;
  batch.position = from;
  for (const link of links) {
    const broken = whyBroken(point, link);
    if (broken !== undefined) throw unreadable(name, point, broken);
    const first = point.position + 1;
    point = pointAfter(point, link);
    if (link.kind !== LINK.events || point.position < from) continue;
    if (link.count > BATCH_CAPACITY) throw unreadable(name, start, `a block of ${link.count} events`);
    const skip = Math.max(0, from - first);
    const keep = Math.min(link.count, last - first + 1);
    if (batch.length + keep - skip > BATCH_CAPACITY) lend(batch, consume);
    if (skip === 0 && keep === link.count) decode(name, link, batch);
    else {
      whole ??= new EventBatch(interned);
      whole.length = 0;
      decode(name, link, whole);
      batch.copyRows(whole, skip, keep);
    }
    if (point.position >= last) break;
  }
  if (point.position < last) throw unreadable(name, point, `the log should go on to position ${head}`);
  lend(batch, consume);
  return last;
}

/** Returns what is wrong with a chain that should lead from its beginning to `head`. */
export function verifyChain(links: Iterable<Link>, head: ChainPoint, start: ChainPoint): Verification {
  let point = start;
  let batch = new EventBatch(createInterned());
  const bad = (message: string): Verification => ({
    ok: false, events: point.position, head: head.position, firstBad: Math.max(1, point.position + 1), message,
  });
  try {
    for (const link of links) {
      const broken = whyBroken(point, link);
      if (broken !== undefined) return bad(broken);
      if (link.kind === LINK.events) {
        if (link.count > BATCH_CAPACITY) return bad(`link ${link.seq} claims ${link.count} events`);
        // The addresses of a whole log need not fit in memory.
        if (link.seq % 64 === 0) batch = new EventBatch(createInterned());
        batch.length = 0;
        decodeBlock(link.body, link.count, batch);
      }
      point = pointAfter(point, link);
    }
  } catch (error) {
    if (error instanceof UnreadableError) return bad(error.message);
    throw error;
  }
  if (point.links < head.links) return bad(`${head.links - point.links} links are missing at the end`);
  if (point.links > head.links || point.position !== head.position) return bad('the log holds more than its head says');
  if (Buffer.compare(point.hash, head.hash) !== 0) return bad('the last hash is not the one the head says');
  return { ok: true, events: point.position, head: head.position, firstBad: null };
}

function lend(batch: EventBatch, consume: Consume): void {
  if (batch.length === 0) return;
  // The consumer may clear the batch itself; where the next row belongs does not depend on it.
  const next = batch.position + batch.length;
  consume(batch);
  batch.length = 0;
  batch.position = next;
}

function decode(name: string, link: Link, batch: EventBatch): void {
  try {
    decodeBlock(link.body, link.count, batch);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    throw new UnreadableError(`${name}: events ${link.first} to ${link.first + link.count - 1}: ${error.message}`, error.hint);
  }
}

function unreadable(name: string, point: ChainPoint, what: string): UnreadableError {
  return new UnreadableError(`${name}: damaged after position ${point.position}: ${what}`, DAMAGE_HINT);
}
