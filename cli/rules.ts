/**
 * `rules`: every rule that a finding can name, or all about some of them: why it matters, what each design does, where to check
 * it, and what must be recorded to see it. Reads no recording.
 */
import type { Command } from 'commander';
import { DESIGNS } from '../machines/design-list.ts';
import { withOwnerBits, type Design } from '../machines/design.ts';
import { RULES, isRule, ruleIndex, type Rule } from '../machines/rules.ts';
import { rulesJson } from '../reports/rules-json.ts';
import { ruleText, rulesText } from '../reports/rules-text.ts';
import { Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { noSuchRule } from './near-names.ts';
import { OWNER_BITS, addOwnerBitsOption, designWithOwnerBits, ownerBitsOf } from './owner-bits.ts';
import { requireDesign } from './source.ts';

/** Adds the `rules` command. Errors: UsageError for an unknown rule or design, and for an impossible width. */
export function addRulesCommand(program: Command): void {
  const command = addOwnerBitsOption(withCommonOptions(program.command('rules').description('every rule; or why one matters, what each design does, and what must be recorded to see it').argument('[rule...]', 'rules to tell about (default: a list of all)'), ['text', 'json']))
    .action((ids: string[], options: CommonOptions) => {
      const rules = ids.length === 0 ? RULES : ids.map(requireRule);
      const designs = designsOf(options);
      const output = new Output(options.output);
      output.write(options.format === 'json' ? rulesJson(rules, designs) : ids.length === 0 ? rulesText(rules, designs) : ruleText(rules, designs));
      output.close();
    });
  // The common help text speaks of a recording; this command has none.
  command.options.find(({ long }) => long === '--design')!.description = `tell about one design only: ${DESIGNS.map(({ id }) => id).join(', ')}`;
}

function requireRule(id: string): Rule {
  if (isRule(id)) return RULES[ruleIndex(id)];
  throw new UsageError(`${id}: ${noSuchRule(id)}`);
}

/** The designs to tell about, with the owner field as wide as `--owner-bits` says where they have one. */
function designsOf({ design, ownerBits }: CommonOptions): readonly Design[] {
  if (design !== undefined) return [designWithOwnerBits(requireDesign(design), ownerBits)];
  if (ownerBits === undefined) return DESIGNS;
  const bits = ownerBitsOf(ownerBits, DESIGNS.find((d) => d.ownerBits > 0)!, OWNER_BITS);
  return DESIGNS.map((d) => withOwnerBits(d, bits));
}
