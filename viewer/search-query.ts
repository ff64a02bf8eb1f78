/**
 * The syntax of a search: words apart by blanks, all of which must match, in any case of letters; no patterns.
 * `domain: device: task: rule: fn: state: severity:` look at one thing; a bare word looks at all of them but the severity.
 * Quotes hold blanks together. What has a colon and none of these names before it is a bare word: devices are written that way.
 */
import { SEVERITIES, type Severity } from '../machines/rules.ts';

/** What a word can look at. */
export const FIELDS = ['domain', 'device', 'task', 'rule', 'fn', 'state', 'severity'] as const;
export type Field = (typeof FIELDS)[number];

/** One word: where to look (null: everywhere) and for what, in lower case. */
export interface Word {
  readonly field: Field | null;
  readonly text: string;
}

/** Longest query, and most words of it, that count. Units: characters. */
export const QUERY_CHARS = 1000;
const WORDS = 16;

/** Returns the words of a query. One without a value is not there yet, a severity that is none is none. */
export function parseQuery(query: string): Word[] {
  return tokens(query).map(wordOf).filter(({ field, text }) => text !== '' && (field !== 'severity' || isSeverity(text))).slice(0, WORDS);
}

/** Returns the query with the words of one field replaced by one value, or taken out. */
export function withWord(query: string, field: Field, value: string | null): string {
  const others = tokens(query).filter((token) => wordOf(token).field !== field);
  return [...others, ...(value === null ? [] : [`${field}:${/\s/.test(value) ? `"${value}"` : value}`])].join(' ');
}

/** Returns what a query asks of a field, or null. */
export function valueOf(words: readonly Word[], field: Field): string | null {
  return words.find((word) => word.field === field)?.text ?? null;
}

/** Whether a severity is as bad as another one or worse. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least);
}

function isSeverity(text: string): text is Severity {
  return (SEVERITIES as readonly string[]).includes(text);
}

function tokens(query: string): string[] {
  return query.slice(0, QUERY_CHARS).match(/(?:[^\s"]|"[^"]*(?:"|$))+/g) ?? [];
}

function wordOf(token: string): Word {
  const text = token.replaceAll('"', '').toLowerCase();
  const colon = text.indexOf(':');
  const field = FIELDS.find((name) => name === text.slice(0, Math.max(0, colon)));
  return field === undefined ? { field: null, text } : { field, text: text.slice(colon + 1) };
}
