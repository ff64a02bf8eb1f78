/**
 * Rules for people: a list of all, or everything about some. Made for mail: at most 80 columns, no colour.
 * Where a design has several answers to one rule, the lines say when each is given, read from its own decisions.
 */
import { typeMaskOf, type Answer, type Decision, type Design, type Guard } from '../machines/design.ts';
import { decisionsOf, verdictOf } from '../machines/ownership.ts';
import { answersOf } from '../machines/rule-answers.ts';
import { REFUSAL_IS_FAULT, sentenceOf, type Rule } from '../machines/rules.ts';
import { MACHINE_EVENTS, STATES, errnoText, type Outcome } from '../machines/states.ts';
import { citesOf } from './rules-json.ts';
import { WIDTH, fold, plural } from './text.ts';

/** What each outcome means, as far as the word does not say it. */
const MEANING: Readonly<Record<Outcome, string>> = {
  accepted: 'allowed, and no fault',
  rejected: 'the call answers an errno and changes nothing',
  'rejected-warn': 'a WARN and an errno; nothing is changed',
  'ignored-warn': 'a WARN; nothing is changed, and the caller cannot know',
  overwrites: 'what was there is replaced, and nothing says so',
  noop: 'the call returns and has done nothing',
  leak: 'memory is lost',
  'use-after-free': 'a pointer into freed memory is followed',
  'double-free': 'memory is freed twice',
  'type-confusion': 'memory is taken for another structure than it is',
  'null-deref': 'a pointer that points nowhere is followed: oops',
  bug: 'BUG(): the kernel stops here',
  undetected: 'the kernel does not look',
  'not-applicable': 'cannot happen',
};
/** When a guard holds, for the answers that differ by it alone. */
const WHEN: Readonly<Partial<Record<Guard, string>>> = { hwptIsNull: 'iommufd_hwpt is NULL' };
const REFUSALS: ReadonlySet<Outcome> = new Set<Outcome>(['rejected', 'rejected-warn', 'ignored-warn']);
const NO_FAULTS: ReadonlySet<Outcome> = new Set<Outcome>(['accepted', 'noop', 'not-applicable']);
const MARK = '[unseen]';
/** Columns of the ids of designs, and of outcomes below them. */
const ID = 26;
const OUTCOME = 16;

/** Returns the list of rules: severity, id and sentence, and a mark where no event can show it. */
export function rulesText(rules: readonly Rule[], designs: readonly Design[]): string {
  const ownerBits = Math.max(...designs.map((d) => d.ownerBits));
  const lines = rules.flatMap((rule) => {
    const conformance = designs.every((design) => answersOf(design, rule.id).length === 0);
    const outcomes = designs.length === 1 && !conformance ? `  ${answersOf(designs[0], rule.id).map(answerText).join(' or ')}` : '';
    return [
      `${rule.severity.padEnd(9)} ${rule.id}${rule.unseen === undefined ? '' : ` ${MARK}`}${outcomes}`,
      fold(sentenceOf(rule, ownerBits), ' '.repeat(10)),
    ];
  });
  const unseen = rules.filter((rule) => rule.unseen !== undefined).length;
  return `${lines.join('\n')}\n\n${fold(`${plural(rules.length, 'rule')}; ${unseen} ${MARK}: no event carries the facts, \`iommu-ledger rules RULE\` says which.`, '')}\n`;
}

/** Returns everything about some rules, each a paragraph of its own. */
export function ruleText(rules: readonly Rule[], designs: readonly Design[]): string {
  return rules.map((rule) => oneRule(rule, designs)).join(`\n${'-'.repeat(WIDTH)}\n\n`);
}

function oneRule(rule: Rule, designs: readonly Design[]): string {
  const ownerBits = Math.max(...designs.map((d) => d.ownerBits));
  const answers = designs.map((design) => [design, answersOf(design, rule.id)] as const);
  const outcomes = new Set(answers.flatMap(([, list]) => list.map(({ outcome }) => outcome)));
  const widths = rule.id === 'type-overflow-30-bits' ? widthNote(designs) : null;
  return [
    `${rule.id} (${rule.severity})`,
    fold(`${sentenceOf(rule, ownerBits)}.`, '  '),
    '',
    entry('why', rule.why),
    ...(widths === null ? [] : [entry('width', widths)]),
    entry('record', `${rule.needs}.`),
    ...(rule.unseen === undefined ? [] : [entry('unseen', rule.unseen)]),
    entry('source', rule.source),
    ...citesOf(rule).map((cite, n) => entry(n === 0 ? 'check' : '', cite)),
    '',
    ...(outcomes.size === 0
      ? [fold('Compared with what each design predicts, in a recording of that design only.', '')]
      : [
          ...answers.flatMap(([design, list]) => designLines(design, rule.id, list)), '',
          ...[...outcomes].map((outcome) => `${outcome.padEnd(OUTCOME)} ${MEANING[outcome]}`), '',
          fold(reported(rule, outcomes), ''),
        ]),
    '',
  ].join('\n');
}

/** With which severity it is found. */
function reported({ id, severity, unseen }: Rule, outcomes: ReadonlySet<Outcome>): string {
  if (unseen !== undefined) return 'No finding has this name: see `unseen`.';
  const refuses = [...outcomes].some((outcome) => REFUSALS.has(outcome));
  const faults = [...outcomes].some((outcome) => !REFUSALS.has(outcome) && !NO_FAULTS.has(outcome));
  if (!refuses) return faults ? `Found as ${severity}.` : 'Nothing of it is a finding.';
  if (severity === 'info') return 'Found as info.';
  const other = REFUSAL_IS_FAULT.has(id) ? severity : 'warning';
  if (other === severity) return `Found as info where the recorded kernel refused as its design does, else as ${severity}.`;
  return `Found as info where the recorded kernel refused as its design does, as ${other} under a design that would refuse, as ${severity} where a kernel of such a design did not${faults ? ', or in a design that does not refuse' : ''}.`;
}

/** `name` in the margin, text beside it. */
function entry(name: string, text: string): string {
  const indent = ' '.repeat(9);
  return `${name.padEnd(indent.length)}${fold(text, indent).slice(indent.length)}`;
}

function widthNote(designs: readonly Design[]): string {
  const tagged = designs.find((design) => design.ownerBits > 0);
  if (!tagged) return 'this design has no private_data_owner: type has all 32 bits.';
  const left = 32 - tagged.ownerBits;
  return `private_data_owner:${tagged.ownerBits} leaves type ${left} bits${left === 30 ? '' : ", whatever the rule's name says"}; 0x${(typeMaskOf(tagged) + 1).toString(16)} is the first value that does not fit.`;
}

function answerText({ outcome, errno }: Answer): string {
  if (errno !== undefined) return `${outcome} ${errnoText(errno)}`;
  return outcome === 'rejected' || outcome === 'rejected-warn' ? `${outcome} with an errno` : outcome;
}

function designLines(design: Design, rule: string, answers: readonly Answer[]): string[] {
  const when = answers.length === 1 ? [''] : whenOf(design, rule, answers);
  return answers.map((answer, n) => `${(n === 0 ? design.id : '').padEnd(ID)} ${answerText(answer)}${when[n] === '' ? '' : ` (${when[n]})`}`);
}

/** When each of several answers is given: in which states, or under which condition of the same ones. */
function whenOf(design: Design, rule: string, answers: readonly Answer[]): string[] {
  const given = answers.map((answer) => {
    const states = new Set<string>();
    const decisions: Decision[] = [];
    for (const state of STATES) {
      for (const event of MACHINE_EVENTS) {
        for (const decision of decisionsOf(design, state, event)) {
          const { outcome, errno } = verdictOf(decision);
          if (decision.rule !== rule || outcome !== answer.outcome || (errno === null || errno >= 0 ? undefined : errno) !== answer.errno) continue;
          states.add(state);
          decisions.push(decision);
        }
      }
    }
    return { states: [...states].join(', '), guard: decisions.every((d) => d.if === decisions[0].if) ? decisions[0].if : undefined };
  });
  if (new Set(given.map(({ states }) => states)).size === given.length) return given.map(({ states }) => states);
  return given.map(({ guard }) => (guard === undefined ? 'else' : (WHEN[guard] ?? guard)));
}
