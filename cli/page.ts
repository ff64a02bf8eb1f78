/**
 * Puts a page together: template, style, script, header and events, under a Content-Security-Policy that names the hashes of
 * its own script and style and allows nothing else. What comes from the recording is escaped for the place where it stands.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import type { EventBatch } from '../events/batch.ts';
import { escapeJson, escapeText } from '../events/problem.ts';
import { encodeBlock } from '../log/block.ts';
import { DESIGNS } from '../machines/design-list.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { recordingObject } from '../reports/audit-json.ts';
import { PAGE_SCHEMA, packBlock, type Excerpt, type PageHeader } from '../viewer/page-data.ts';
import { builtPage } from './page-build.ts';
import type { ChosenDesign } from './source.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Bytes compressed at a time. Each piece can be unpacked without the ones before it: that costs nothing at this size. */
const PIECE_BYTES = 1 << 18;
/** Bytes in one element of the page: a multiple of 3, so that its base64 ends where the next begins. */
const ELEMENT_BYTES = 3 << 20;
/** Levels above take five times as long for half a percent. */
const LEVEL = 6;
/** A gzip head that says nothing of time and machine (RFC 1952). */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/** Returns bytes compressed so that more may follow; the last piece ends the stream. */
export function deflatePiece(bytes: Uint8Array, last: boolean): Buffer {
  return deflateRawSync(bytes, { level: LEVEL, finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH });
}

/** Returns the rows of a batch as one packed block. */
export function packBatch(batch: EventBatch): Uint8Array {
  const merged = batch.interned.recordings.length > 0;
  return packBlock({ rows: batch.length, bytes: encodeBlock(batch, 0, batch.length), ...(merged && { recordingOf: batch.recording.subarray(0, batch.length) }) });
}

/** Packs events as they are read: what is kept is compressed. */
export class EventPacker {
  events = 0;
  private readonly pieces: Buffer[] = [GZIP_HEAD];
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private bytes = 0;
  private crc = 0;

  /** Adds the rows of a batch. */
  add(batch: EventBatch): void {
    if (batch.length === 0) return;
    const packed = packBatch(batch);
    this.events += batch.length;
    this.waiting.push(packed);
    this.waitingBytes += packed.length;
    if (this.waitingBytes >= PIECE_BYTES) this.compress(false);
  }

  /** Returns all events as one gzip stream, in pieces of the size of the page's elements. */
  *end(): Generator<Buffer> {
    this.compress(true);
    const tail = Buffer.alloc(8);
    tail.writeUInt32LE(this.crc, 0);
    tail.writeUInt32LE(this.bytes % 0x100000000, 4);
    let element: Buffer[] = [];
    let room = ELEMENT_BYTES;
    for (let piece of [...this.pieces, tail]) {
      while (piece.length >= room) {
        yield Buffer.concat([...element, piece.subarray(0, room)]);
        piece = piece.subarray(room);
        element = [];
        room = ELEMENT_BYTES;
      }
      element.push(piece);
      room -= piece.length;
    }
    if (room < ELEMENT_BYTES) yield Buffer.concat(element);
  }

  private compress(last: boolean): void {
    const bytes = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    this.bytes += bytes.length;
    this.crc = crc32(bytes, this.crc);
    this.pieces.push(deflatePiece(bytes, last));
  }
}

/** What a header says besides the summary and the design. */
export interface PageOptions {
  readonly arch: string;
  readonly recordings: readonly string[];
  readonly events: number;
  readonly excerpts: Readonly<Record<string, Excerpt>>;
  readonly live: boolean;
}

/** Returns the header of a page. */
export async function pageHeader(summary: ReadSummary, chosen: ChosenDesign, options: PageOptions): Promise<PageHeader> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const { charts } = await builtPage();
  const designs = DESIGNS.map(({ id, title }) => ({ id, title, own: chosen.own && id === chosen.design.id, chart: charts[id] }));
  return {
    schema: PAGE_SCHEMA, version, recording: recordingObject(summary) as PageHeader['recording'], design: chosen.design.id, why: chosen.why,
    ownerBits: chosen.design.ownerBits === 0 ? null : chosen.design.ownerBits, designs, ...options,
  };
}

/** The text that stands in the page for whoever has no script is cut here. */
const TEXT_CHARS = 1 << 19;

/** A page without its events, and what must be said of it to a browser. */
export interface PageFrame {
  /** Before and behind the events. */
  readonly head: string;
  readonly tail: string;
  /** Its Content-Security-Policy. */
  readonly policy: string;
}

/** Returns a page without its events. `text` is what it says without a script. */
export async function pageFrame(header: PageHeader, text: string): Promise<PageFrame> {
  const built = await builtPage();
  const script = built.script.replaceAll('</script', String.raw`<\/script`).replaceAll('<!--', String.raw`<\!--`);
  const style = built.style.replaceAll('</style', String.raw`<\/style`);
  const policy = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; connect-src ${header.live ? "'self'" : "'none'"}; base-uri 'none'; form-action 'none'`;
  const parts: Readonly<Record<string, string>> = {
    csp: escapeHtml(policy),
    title: escapeHtml(`${escapeText(header.recording.source)} - iommu-ledger`),
    style,
    text: escapeHtml(text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS).toWellFormed()}\n… cut here; iommu-ledger audit prints all of it` : text),
    header: escapeJson(JSON.stringify(header)).replaceAll('<', String.raw`\u003c`),
    script,
  };
  const [head, tail] = readFileSync(join(ROOT, 'viewer', 'page.html'), 'utf8').split('{{data}}').map((half) => half.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name]));
  return { head, tail, policy };
}

/** Returns the element that holds piece `n` of the events. */
export function pageElement(piece: Buffer, n: number): string {
  return `<script type="application/octet-stream" id="recording-${n}">${piece.toString('base64')}</script>\n`;
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
