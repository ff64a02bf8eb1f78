/**
 * The lines of a text recording around its findings, read from the files a second time.
 */
import { statSync } from 'node:fs';
import { UnreadableError } from '../events/problem.ts';
import { ByteSource, CHUNK_BYTES } from '../recordings/byte-source.ts';
import type { Finding } from '../projections/finding.ts';
import type { Excerpt } from '../viewer/page-data.ts';

/** Lines before and after. */
const AROUND = 4;
/** Findings that get an excerpt, and characters of a line that are kept. */
const FINDINGS = 1000;
const LINE_CHARS = 400;

const NEWLINE = 10;

/** Formats whose events say on which line of the file in hand they stand. Others have no lines, or those of another file. */
const WITH_LINES: ReadonlySet<string> = new Set(['ftrace-text', 'perf-script', 'bpftrace-json']);

/**
 * Returns the lines around each finding that has a line, by the finding's position. What cannot be read twice has none;
 * `format` is that of the source, several joined by ` + `.
 */
export async function excerptsOf(paths: readonly string[], format: string, findings: readonly Finding[]): Promise<Record<string, Excerpt>> {
  const excerpts: Record<string, Excerpt> = {};
  if (!format.split(' + ').every((f) => WITH_LINES.has(f))) return excerpts;
  const wanted = findings.filter((f) => f.line !== null).slice(0, FINDINGS);
  for (const path of paths) {
    const here = wanted.filter((f) => f.recording === null || f.recording === path);
    // A file of procfs or tracefs has no size, and may have no second reading.
    const stat = here.length === 0 || path === '-' ? undefined : statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size === 0) continue;
    const lines = await linesOf(path, new Set(here.flatMap((f) => Array.from({ length: AROUND * 2 + 1 }, (_, n) => f.line! - AROUND + n)))).catch(withoutLines);
    for (const f of here) {
      const first = Math.max(1, f.line! - AROUND);
      const around: string[] = [];
      for (let n = first; n <= f.line! + AROUND && lines.has(n); n++) around.push(lines.get(n)!);
      if (around.length > 0) excerpts[f.position] = { first, lines: around };
    }
  }
  return excerpts;
}

/** A file that was read once and cannot be read again costs its excerpts, not the report. */
function withoutLines(error: unknown): Map<number, string> {
  if (!(error instanceof UnreadableError)) throw error;
  return new Map();
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
