/**
 * The lines of a text recording around its findings, read from the files a second time.
 */
import { statSync } from 'node:fs';
import { ByteSource, CHUNK_BYTES } from '../recordings/byte-source.ts';
import type { Finding } from '../projections/finding.ts';
import type { Excerpt } from '../viewer/page-data.ts';

/** Lines before and after. */
const AROUND = 4;
/** Findings that get an excerpt, and characters of a line that are kept. */
const FINDINGS = 1000;
const LINE_CHARS = 400;

const NEWLINE = 10;

/** Returns the lines around each finding that has a line, by the finding's position. What cannot be read twice has none. */
export async function excerptsOf(paths: readonly string[], findings: readonly Finding[]): Promise<Record<string, Excerpt>> {
  const excerpts: Record<string, Excerpt> = {};
  const wanted = findings.filter((f) => f.line !== null).slice(0, FINDINGS);
  for (const path of paths) {
    const here = wanted.filter((f) => f.recording === null || f.recording === path);
    if (here.length === 0 || path === '-' || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    const lines = await linesOf(path, new Set(here.flatMap((f) => Array.from({ length: AROUND * 2 + 1 }, (_, n) => f.line! - AROUND + n))));
    for (const f of here) {
      const first = Math.max(1, f.line! - AROUND);
      const around: string[] = [];
      for (let n = first; n <= f.line! + AROUND && lines.has(n); n++) around.push(lines.get(n)!);
      if (around.length > 0) excerpts[f.position] = { first, lines: around };
    }
  }
  return excerpts;
}

async function linesOf(path: string, wanted: ReadonlySet<number>): Promise<Map<number, string>> {
  const lines = new Map<number, string>();
  const last = Math.max(...wanted);
  const source = await ByteSource.open(path);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let line = 1;
  let begun = '';
  try {
    for (;;) {
      const n = await source.read(chunk, 0);
      if (n === 0 || line > last) break;
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0 && at < n && line <= last; at = chunk.indexOf(NEWLINE, from)) {
        if (wanted.has(line)) lines.set(line, (begun + chunk.toString('utf8', from, Math.min(at, from + LINE_CHARS * 4))).slice(0, LINE_CHARS));
        begun = '';
        from = at + 1;
        line++;
      }
      if (wanted.has(line) && from < n && begun.length < LINE_CHARS) begun += chunk.toString('utf8', from, Math.min(n, from + LINE_CHARS * 4));
    }
    if (begun !== '' && wanted.has(line)) lines.set(line, begun.slice(0, LINE_CHARS));
  } finally {
    source.close();
  }
  return lines;
}
