/**
 * Rules as JSON, `iommu-ledger/rules/1`: one object a rule, with what each design does about it. An empty list: no design answers
 * it, because it compares what was recorded with a prediction.
 */
import type { Design } from '../machines/design.ts';
import { answersOf } from '../machines/rule-answers.ts';
import { sentenceOf, type Rule } from '../machines/rules.ts';

/** Returns the document, ending in a newline. */
export function rulesJson(rules: readonly Rule[], designs: readonly Design[]): string {
  const ownerBits = Math.max(...designs.map((d) => d.ownerBits));
  const document = {
    schema: 'iommu-ledger/rules/1',
    rules: rules.map((rule) => ({
      id: rule.id, severity: rule.severity, sentence: sentenceOf(rule, ownerBits), why: rule.why, source: rule.source, cites: citesOf(rule), needs: rule.needs,
      ...(rule.unseen !== undefined && { unseen: rule.unseen }),
      designs: Object.fromEntries(designs.map((design) => [design.id, answersOf(design, rule.id)])),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Returns the places where a rule can be checked, one by one. */
export function citesOf(rule: Rule): readonly string[] {
  return rule.cites === '' ? [] : rule.cites.split(', ');
}
