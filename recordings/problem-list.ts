/**
 * Problems of one recording: counted all, kept in full only the first few of each code, never dropped in silence.
 */
import { escapeText, type Problem } from '../events/problem.ts';

const KEPT_PER_CODE = 3;
const QUOTE_LENGTH = 100;

/** What was wrong with one recording. `count` is of all problems, `first` holds the kept ones in order of appearance. */
export class ProblemList {
  count = 0;
  readonly first: Problem[] = [];
  private readonly counts = new Map<string, number>();

  /** Counts a problem; `where` is `FILE:LINE` or `FILE`. */
  add(code: string, where: string, message: string, hint: string): void {
    this.count++;
    const n = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, n);
    if (n <= KEPT_PER_CODE) this.first.push({ code, where, message, hint });
  }

  /** Adds the problems of another list. */
  merge(other: ProblemList): void {
    this.count += other.count;
    this.first.push(...other.first);
    for (const [code, n] of other.counts) this.counts.set(code, (this.counts.get(code) ?? 0) + n);
  }

  /** How many problems of each code there are, in order of appearance. */
  byCode(): ReadonlyMap<string, number> {
    return this.counts;
  }
}

/** A piece of a recording's text, safe to print, cut to a readable length. */
export function quote(text: string): string {
  const cut = text.length > QUOTE_LENGTH ? `${text.slice(0, QUOTE_LENGTH)}…` : text;
  return `"${escapeText(cut)}"`;
}
