/**
 * What somebody may have meant by a name that does not exist: names that have it in them, and names that few typing errors away.
 */

import { RULES } from '../machines/rules.ts';

/** Names given back at most. */
const MOST = 5;

/** How many letters to type differently, leave out, add or swap with their neighbour make `a` of `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.length];
}

/** Returns the names that are near to one that is not among them. Order: the nearest first, then as given. */
export function nearNames(name: string, names: readonly string[]): readonly string[] {
  const wanted = name.toLowerCase().replaceAll('_', '-');
  const within = wanted.length < 3 ? [] : names.filter((n) => n.includes(wanted));
  const distances = names.map((n) => [n, distance(wanted, n)] as const);
  const least = Math.min(...distances.map(([, d]) => d));
  // A few letters, and fewer than would make any other short word of it.
  const close = least > Math.max(2, wanted.length * 0.3) ? [] : distances.filter(([, d]) => d === least).map(([n]) => n);
  return [...new Set([...close, ...within])].slice(0, MOST);
}

/** Returns what to tell somebody who named a rule that does not exist. */
export function noSuchRule(id: string): string {
  const near = nearNames(id, RULES.map((rule) => rule.id));
  return `no such rule${near.length === 0 ? '; `rules` lists them' : ` (did you mean ${near.length === 1 ? near[0] : `one of ${near.join(', ')}`}?)`}`;
}
