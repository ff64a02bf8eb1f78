/**
 * What a design expected and what was recorded, member by member, as a finding has it.
 */
import { DOMAIN_TYPE_NAMES } from '../machines/designs/struct-layouts.ts';
import { escapeText } from '../events/problem.ts';
import { errnoText } from '../machines/states.ts';

/** One member; null where the design does not say, or nothing was recorded. */
export interface ComparedRow {
  readonly member: string;
  readonly expected: string | null;
  readonly observed: string | null;
  /** Whether what was observed is not what was expected, or changed in the call. */
  readonly differs: boolean;
}

type Members = Readonly<Record<string, unknown>>;

/** Returns the members of both sides; a word that was seen before and after the call is one row. Order: the expected ones first. */
export function comparedRows({ expected, observed }: { readonly expected: Members; readonly observed: Members }): ComparedRow[] {
  const { before, after, ...rest } = observed;
  const right = new Map([...texts(rest), ...changes((before ?? {}) as Members, (after ?? {}) as Members)]);
  const left = texts(expected);
  return [...new Set([...left.keys(), ...right.keys()])].map((member) => {
    const [e, o] = [left.get(member) ?? null, right.get(member) ?? null];
    return { member, expected: e, observed: o, differs: e !== null && o !== null ? e !== o : (o?.includes(ARROW) ?? false) };
  });
}

const ARROW = ' → ';

/** `2 → 1`, or one of them with a word where the other was not recorded. */
function changes(before: Members, after: Members): Map<string, string> {
  const [was, is] = [texts(before), texts(after)];
  return new Map([...new Set([...was.keys(), ...is.keys()])].map((name) => {
    const [b, a] = [was.get(name), is.get(name)];
    if (b === undefined) return [name, `${a} (at return)`];
    if (a === undefined) return [name, `${b} (at entry)`];
    return [name, b === a ? a : `${b}${ARROW}${a}`];
  }));
}

function texts(members: Members): Map<string, string> {
  return new Map(Object.entries(members).map(([name, value]) => [name, escapeText(textOf(name, value))]));
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  if (name === 'errno') return value === 0 ? '0' : `${errnoText(value)}${/\d/.test(errnoText(value)) ? '' : ` (${value})`}`;
  const type = name === 'type' ? DOMAIN_TYPE_NAMES.get(value) : undefined;
  return type === undefined ? String(value) : `${value} (${type})`;
}
