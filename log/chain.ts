/**
 * The chain a stored log is made of: links in the order of their writing, each a block of events or the mark of an imported
 * recording, each with the SHA-256 of the previous link's hash and of everything in itself. Whoever changes, removes or reorders
 * a link breaks the chain at that position. The chain finds damage; it does not stop somebody who computes all hashes anew.
 */
import { createHash } from 'node:crypto';
import type { EventBatch } from '../events/batch.ts';
import { encodeBlock } from './block.ts';
import type { ImportedRecording, RecordingMark } from './event-log.ts';

/** What a link holds. The codes are stored. */
export const LINK = { events: 0, recording: 1 } as const;

/**
 * One link.
 * Shape: `events`: `first` is the position of the block's first event, `count` its rows, `body` the block.
 * `recording`: `first` and `count` are `ImportedRecording.first` and `events`, `body` the 32 bytes of its digest.
 */
export interface Link {
  /** Counted from 1. */
  readonly seq: number;
  readonly kind: number;
  readonly first: number;
  readonly count: number;
  readonly body: Uint8Array;
  readonly hash: Uint8Array;
}

/** Where a chain stands after `links` links: the position of its last event and the hash of its last link. */
export interface ChainPoint {
  readonly links: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** The chain without a link. */
export const CHAIN_START: ChainPoint = {
  links: 0,
  position: 0,
  hash: createHash('sha256').update('iommu-ledger/log/1').digest(),
};

/** Most bytes of a block, so that a reader can refuse an absurd one before it allocates. */
export const MAX_BODY_BYTES = 1 << 26;

/** Returns the links that hold rows `from` to `to`: one, or more where texts are so long that one would exceed the limit. */
export function blockLinks(point: ChainPoint, batch: EventBatch, from: number, to: number): Link[] {
  const body = encodeBlock(batch, from, to);
  if (body.length > MAX_BODY_BYTES && to - from > 1) {
    const middle = (from + to) >>> 1;
    const head = blockLinks(point, batch, from, middle);
    return [...head, ...blockLinks(pointAfter(point, ...head), batch, middle, to)];
  }
  return [seal(point, LINK.events, point.position + 1, to - from, body)];
}

/** Returns the link that marks a recording as imported. */
export function recordingLink(point: ChainPoint, recording: RecordingMark, first: number): Link {
  return seal(point, LINK.recording, first, recording.events, Buffer.from(recording.digest, 'hex'));
}

/** Returns the recording that a link of kind `recording` marks. */
export function linkRecording(link: Link): ImportedRecording {
  return { events: link.count, digest: Buffer.from(link.body).toString('hex'), first: link.first };
}

/** Returns where the chain stands after these links, which the caller knows to follow. */
export function pointAfter(point: ChainPoint, ...links: readonly Link[]): ChainPoint {
  for (const link of links) {
    point = { links: link.seq, position: point.position + (link.kind === LINK.events ? link.count : 0), hash: link.hash };
  }
  return point;
}

/** Returns why this link cannot come next, undefined if it does. */
export function whyBroken(point: ChainPoint, link: Link): string | undefined {
  if (link.seq !== point.links + 1) return `link ${point.links + 1} is missing`;
  if (link.kind !== LINK.events && link.kind !== LINK.recording) return `link ${link.seq} is of unknown kind ${link.kind}`;
  if (link.kind === LINK.events && link.first !== point.position + 1) return `link ${link.seq} holds position ${link.first} instead of ${point.position + 1}`;
  if (!(link.count >= 1)) return `link ${link.seq} is empty`;
  const hash = hashLink(point.hash, link.seq, link.kind, link.first, link.count, link.body);
  if (Buffer.compare(hash, link.hash) !== 0) return `link ${link.seq} was changed after it was written, or one before it`;
  return undefined;
}

function seal(point: ChainPoint, kind: number, first: number, count: number, body: Uint8Array): Link {
  const seq = point.links + 1;
  return { seq, kind, first, count, body, hash: hashLink(point.hash, seq, kind, first, count, body) };
}

function hashLink(previous: Uint8Array, seq: number, kind: number, first: number, count: number, body: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(32));
  head.setFloat64(0, seq, true);
  head.setFloat64(8, first, true);
  head.setFloat64(16, count, true);
  head.setFloat64(24, kind, true);
  return createHash('sha256').update(previous).update(head).update(body).digest();
}
