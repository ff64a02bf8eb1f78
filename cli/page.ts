/**
 * Puts a page together: template, style, script, header and events, under a Content-Security-Policy that names the hashes of
 * its own script and style and allows nothing else. What comes from the recording is escaped for the place where it stands.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGzip, type Gzip } from 'node:zlib';
import type { EventBatch, Interned } from '../events/batch.ts';
import { escapeJson, escapeText } from '../events/problem.ts';
import { encodeBlock } from '../log/block.ts';
import { DESIGNS } from '../machines/design-list.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { recordingObject } from '../reports/audit-json.ts';
import { chartOf, renderSvg } from '../reports/chart.ts';
import { PAGE_SCHEMA, packBlock, type Excerpt, type PageHeader } from '../viewer/page-data.ts';
import { builtPage } from './page-build.ts';
import type { ChosenDesign } from './source.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Packs events as they are read: what is kept is compressed. */
export class EventPacker {
  events = 0;
  private readonly interned: Interned;
  private readonly gzip: Gzip = createGzip({ level: 9 });
  private readonly chunks: Buffer[] = [];
  private readonly recordingOf: Buffer[] = [];

  constructor(interned: Interned) {
    this.interned = interned;
    this.gzip.on('data', (chunk: Buffer) => this.chunks.push(chunk));
  }

  /** Adds the rows of a batch. */
  add(batch: EventBatch): void {
    if (batch.length === 0) return;
    this.gzip.write(packBlock({ rows: batch.length, bytes: encodeBlock(batch, 0, batch.length) }));
    if (this.interned.recordings.length > 0) this.recordingOf.push(Buffer.from(batch.recording.subarray(0, batch.length)));
    this.events += batch.length;
  }

  /** Returns all events as the base64 that the page carries. */
  async end(): Promise<string> {
    for (const bytes of this.recordingOf) this.gzip.write(bytes);
    await new Promise<void>((resolve, reject) => {
      this.gzip.once('error', reject);
      this.gzip.once('end', resolve);
      this.gzip.end();
    });
    return Buffer.concat(this.chunks).toString('base64');
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

/** Returns the header of a page; the charts of all designs are drawn for it. */
export async function pageHeader(summary: ReadSummary, chosen: ChosenDesign, options: PageOptions): Promise<PageHeader> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const designs = [];
  for (const design of DESIGNS) {
    designs.push({ id: design.id, title: design.title, own: chosen.own && design.id === chosen.design.id, chart: await renderSvg(chartOf(design)) });
  }
  return {
    schema: PAGE_SCHEMA, version, recording: recordingObject(summary) as PageHeader['recording'], design: chosen.design.id, why: chosen.why,
    ownerBits: chosen.design.ownerBits === 0 ? null : chosen.design.ownerBits, designs, ...options,
  };
}

/** Returns the whole page. `text` is what it says without a script. */
export async function renderPage(header: PageHeader, data: string, text: string): Promise<string> {
  const built = await builtPage();
  const script = built.script.replaceAll('</script', String.raw`<\/script`).replaceAll('<!--', String.raw`<\!--`);
  const style = built.style.replaceAll('</style', String.raw`<\/style`);
  const csp = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; connect-src ${header.live ? "'self'" : "'none'"}; base-uri 'none'; form-action 'none'`;
  const parts: Readonly<Record<string, string>> = {
    csp: escapeHtml(csp),
    title: escapeHtml(`${escapeText(header.recording.source)} - iommu-ledger`),
    style,
    text: escapeHtml(text),
    header: escapeJson(JSON.stringify(header)).replaceAll('<', String.raw`\u003c`),
    data,
    script,
  };
  const template = readFileSync(join(ROOT, 'viewer', 'page.html'), 'utf8');
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name]);
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
