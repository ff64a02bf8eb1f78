/**
 * What the explorer found: one rule under one design as JSON (CONTRACT "explore --format json") or text, and the matrix of all
 * rules and designs. The path as NDJSON is the events themselves, so that `audit` reads them.
 */
import type { Answer, Design } from '../machines/design.ts';
import type { Exploration, Found } from '../machines/explore.ts';
import { answersOf, isDecided } from '../machines/rule-answers.ts';
import { RULES } from '../machines/rules.ts';
import { errnoText } from '../machines/states.ts';
import { fold, plural } from './text.ts';

/** Why a rule that no machine decides about is not explored. */
export const NOT_EXPLORED = 'no call on one domain meets it: it is judged from groups, devices, words in memory, descriptors or the recording itself (see `rules RULE`)';

/** What an exploration has looked at, and so what `found: false` means. */
const IMITATED = 'one domain, two groups with one device each, one doorbell; VFIO, iommufd, default-domain code, a driver, an irqchip, a stranger; no PASIDs, nested parents or second doorbell';

/** Returns the sentence that says how an exploration for a rule ended. */
export function exploreSentence(e: Exploration, rule: string): string {
  const found = e.violations.get(rule);
  const refusal = e.refusals.get(rule);
  const head = `${rule} under ${e.design.id}: `;
  if (found) return `${head}${answerText(found)}, in ${plural(found.path.length, 'event')} (${plural(e.states, 'state')} seen)`;
  if (!isDecided(rule)) return `${head}not explored: ${NOT_EXPLORED}`;
  const how = refusal ? `an attempt is refused (${answerText(refusal)}), in ${plural(refusal.path.length, 'event')}; ` : '';
  return `${head}${how}${e.complete ? `no path violates it: all ${plural(e.states, 'state')} that the callers imitated here can reach were visited` : `no path violates it within the depth given (${plural(e.states, 'state')} seen)`}`;
}

/** Returns the result for one rule as JSON, ending in a newline. */
export function exploreJson(e: Exploration, rule: string): string {
  const found = e.violations.get(rule);
  const refusal = e.refusals.get(rule);
  const explored = isDecided(rule);
  const document = {
    schema: 'iommu-ledger/explore/1', design: e.design.id, rule, found: found !== undefined,
    depth: found?.path.length ?? null, states: explored ? e.states : 0, complete: explored && e.complete,
    ...(explored && { imitated: IMITATED }),
    ...(found && answer(found)),
    path: found?.path.map(({ event }) => event) ?? [],
    ...(refusal && { refused: { ...answer(refusal), depth: refusal.path.length, path: refusal.path.map(({ event }) => event) } }),
    ...(!explored && { reason: NOT_EXPLORED }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Returns the path of a rule as NDJSON; empty where there is none. */
export function exploreNdjson(e: Exploration, rule: string): string {
  return (e.violations.get(rule)?.path ?? []).map(({ event }) => `${JSON.stringify(event)}\n`).join('');
}

/** Returns the result for one rule as text: the sentence, then one line an event with the domain's states. */
export function exploreText(e: Exploration, rule: string): string {
  const out = [fold(exploreSentence(e, rule), ''), ''];
  const shown = e.violations.get(rule) ?? e.refusals.get(rule);
  shown?.path.forEach(({ event, before, after }, n) => {
    const { v: _, task, type, domain: __, errno, after: words, ...members } = event as Record<string, unknown> & { task: string; type: string };
    const text = Object.entries({ ...members, ...(words as object | undefined) }).map(([name, value]) => `${name}=${String(value)}`).join(' ');
    out.push(`${String(n + 1).padStart(3)}  ${task.padEnd(11)} ${type}()${typeof errno === 'number' ? ` = ${errnoText(errno)}` : ''}`);
    if (text !== '') out.push(fold(text, ' '.repeat(17)));
    out.push(`${' '.repeat(17)}${before === after ? before : `${before} -> ${after}`}`);
  });
  return `${out.join('\n').trimEnd()}\n`;
}

const answer = ({ outcome, errno }: Answer): Answer => ({ outcome, ...(errno !== undefined && { errno }) });
const answerText = ({ outcome, errno }: Answer): string => `${outcome}${errno === undefined ? '' : ` ${errnoText(errno)}`}`;

const LETTERS: Readonly<Record<string, string>> = {
  overwrites: 'O', leak: 'L', 'type-confusion': 'C', 'null-deref': 'N', bug: 'B', 'double-free': 'D', 'use-after-free': 'F', undetected: 'U', rejected: 'R',
};
const LEGEND = [
  'O overwrites  L leak  C type confusion  N NULL or ERR_PTR dereference',
  'D double free  F use after free  U undetected  R refused, which is the fault;',
  'the number is how many events the shortest path takes',
  '-17 -22 …  only an attempt that is refused with this errno; W: with a WARN',
  'ok  met and no fault    n/a  cannot happen    .  no path of the callers imitated',
];
const WIDTH = 6;

function cell(design: Design, rule: string, found: Found | undefined, refusal: Found | undefined): string {
  if (found) return `${LETTERS[found.outcome]}${found.path.length}`;
  if (refusal) return refusal.errno === undefined ? 'W' : String(refusal.errno);
  const [known] = answersOf(design, rule);
  if (!known || known.outcome === 'accepted' || known.outcome === 'noop') return known ? 'ok' : '.';
  return known.outcome === 'not-applicable' ? 'n/a' : '.';
}

function columns(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < names.length; at += 3) lines.push(names.slice(at, at + 3).map((name) => name.padEnd(27)).join('').trimEnd());
  return lines;
}

/** Returns the matrix of every rule that calls on one domain can meet, and every design. At most 80 columns. */
export function matrixText(explorations: readonly Exploration[]): string {
  const rules = RULES.filter(({ id }) => isDecided(id)).map(({ id }) => id);
  const row = (head: string, cells: readonly string[]): string => `${head.padEnd(32)}${cells.map((c) => c.padEnd(WIDTH)).join('')}`.trimEnd();
  const out = [
    ...columns(explorations.map(({ design }, n) => `${n + 1} ${design.id}`)),
    '',
    row('rule', explorations.map((_, n) => String(n + 1))),
    ...rules.map((rule) => row(rule, explorations.map((e) => cell(e.design, rule, e.violations.get(rule), e.refusals.get(rule))))),
    '',
    row('states visited', explorations.map((e) => `${e.states}${e.complete ? '' : '+'}`)),
    '',
    ...LEGEND,
    fold(`${plural(RULES.length - rules.length, 'more rule')} that no call on one domain meets: about groups, devices, words in memory, descriptors, the recording (see \`rules\`)`, ''),
  ];
  return `${out.join('\n')}\n`;
}

/** Returns the matrix as JSON, rules that are not explored included, ending in a newline. */
export function matrixJson(explorations: readonly Exploration[]): string {
  const document = {
    schema: 'iommu-ledger/explore-all/1',
    designs: explorations.map(({ design, states, complete }) => ({ design: design.id, states, complete })),
    rules: RULES.map(({ id }) => ({
      rule: id,
      explored: isDecided(id),
      ...(isDecided(id) && {
        designs: Object.fromEntries(explorations.map((e) => {
          const found = e.violations.get(id);
          const refusal = e.refusals.get(id);
          return [e.design.id, {
            found: found !== undefined, depth: found?.path.length ?? null, ...(found && answer(found)),
            ...(refusal && { refused: { ...answer(refusal), depth: refusal.path.length } }),
          }];
        })),
      }),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
