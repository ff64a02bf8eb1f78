/**
 * What a design expected and what was recorded, member by member, as a finding has it.
 */
import { DOMAIN_TYPE_NAMES } from '../machines/designs/struct-layouts.ts';
import { escapeText } from '../events/problem.ts';
import { errnoText } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';

/** One member; null where the design does not say, or nothing was recorded. */
export interface ComparedRow {
  readonly member: string;
  readonly expected: string | null;
  readonly observed: string | null;
}

/** Returns the members of both sides. Order: the expected ones first. */
export function comparedRows({ expected, observed }: Pick<Finding, 'expected' | 'observed'>): ComparedRow[] {
  const left = flat(expected);
  const right = flat(observed);
  return [...new Set([...left.keys(), ...right.keys()])].map((member) => ({ member, expected: left.get(member) ?? null, observed: right.get(member) ?? null }));
}

function flat(members: Readonly<Record<string, unknown>>, prefix = '', into = new Map<string, string>()): Map<string, string> {
  for (const [name, value] of Object.entries(members)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) flat(value as Record<string, unknown>, `${prefix}${name} `, into);
    else into.set(`${prefix}${name}`, escapeText(textOf(name, value)));
  }
  return into;
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  if (name === 'errno') return value === 0 ? '0' : `${errnoText(value)}${/\d/.test(errnoText(value)) ? '' : ` (${value})`}`;
  const type = name === 'type' ? DOMAIN_TYPE_NAMES.get(value) : undefined;
  return type === undefined ? String(value) : `${value} (${type})`;
}
