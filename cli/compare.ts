/**
 * `compare SOURCE --designs A,B[,…]`: the same recording under several designs, read once.
 */
import type { Command } from 'commander';
import { escapeText } from '../events/problem.ts';
import { DESIGNS, findDesign } from '../machines/design-list.ts';
import type { Design } from '../machines/design.ts';
import { SEVERITIES } from '../machines/rules.ts';
import { Comparison } from '../projections/compare.ts';
import { atOrAbove } from '../projections/finding.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { compareJson } from '../reports/compare-json.ts';
import { compareText } from '../reports/compare-text.ts';
import { failOnSeverity } from './fail-on.ts';
import { EXIT, Output, UsageError, note, withCommonOptions, type CommonOptions } from './io.ts';
import { chooseDesign, openSource, printProblems } from './source.ts';

interface CompareOptions extends CommonOptions {
  readonly designs: readonly string[];
  readonly failOn: string;
}

const collect = (value: string, all: readonly string[] = []): string[] => [...all, ...value.split(',').map((id) => id.trim())];

/** Adds the `compare` command. */
export function addCompareCommand(program: Command): void {
  withCommonOptions(program.command('compare').description('the same recording under several designs: where they part').argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time'), ['text', 'json'])
    .requiredOption('--designs <ids>', `two or more, by commas: ${DESIGNS.map(({ id }) => id).join(', ')}; or all. Where a recording does not tell its own design, it is --design, or the first of them`, collect)
    .option('--fail-on <severity>', `exit 1 where the last design has a finding at or above that the first has not: ${SEVERITIES.join(', ')}, never`, 'error')
    .action(async (paths: string[], options: CompareOptions) => {
      const failOn = failOnSeverity(options.failOn);
      const designs = requireDesigns(options.designs);
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet });
      const { own, why } = ownDesign(source.summary, designs, options);
      if (!quiet) note(`own design ${escapeText(why)}`);
      const output = new Output(options.output);
      try {
        const comparison = new Comparison(designs.map((design) => ({ design, own: design === own })));
        const { addresses } = source.interned;
        await source.read((batch) => {
          comparison.apply(batch);
          for (const n of comparison.evict()) addresses.release(n);
        });
        comparison.end();
        if (options.format === 'json') for (const part of compareJson(source.summary, comparison, own?.id ?? null)) output.write(part);
        else output.write(compareText(source.summary, comparison, why));
        output.close();
        printProblems(source.summary, quiet);
        if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
        else if (failOn !== null && atOrAbove(comparison.worse.summary, failOn)) process.exitCode = EXIT.findings;
      } catch (error) {
        output.discard();
        throw error;
      }
    });
}

/** Returns the designs of `--designs`. Order: as named; `all` stands for all in historical order. Errors: UsageError. */
function requireDesigns(named: readonly string[]): Design[] {
  const given = `--designs ${named.join(',')}`;
  const designs = named.flatMap((id) => {
    if (id === 'all') return DESIGNS;
    const design = findDesign(id);
    if (!design) throw new UsageError(`${given}: ${id === '' ? 'an empty name' : id} is not one of ${DESIGNS.map((d) => d.id).join(', ')}, all`);
    return [design];
  });
  const twice = designs.find((design, n) => designs.indexOf(design) !== n);
  if (twice) throw new UsageError(`${given}: ${twice.id} is named twice`);
  if (designs.length < 2) throw new UsageError(`${given}: name two or more, or all`);
  return designs;
}

/**
 * Returns which of the named designs the recording is of, so that what was recorded is compared with what it predicts, and why.
 * Where the source tells nothing, or only a family of designs (words written by hand), `--design` says it, as for `audit`;
 * without that the first-named design that it may be of takes this place, because not more than one of them can be the recorded kernel.
 */
export function ownDesign(summary: ReadSummary, named: readonly Design[], options: CommonOptions): { own: Design | null; why: string } {
  const told = chooseDesign(summary, {});
  const possible = DESIGNS.filter(({ id }) => chooseDesign(summary, { design: id }).own);
  if (possible.length === 1) {
    const own = named.includes(told.design) ? told.design : null;
    return { own, why: own ? `${own.id} (${told.why})` : `none of these: the recording is of ${told.design.id} (${told.why}), so nothing is compared with what was recorded` };
  }
  const asked = options.design === undefined ? possible : possible.filter(({ id }) => id === options.design);
  const own = named.find((design) => asked.includes(design)) ?? null;
  if (!own) return { own, why: `none of these${options.design === undefined ? ` (${told.why})` : `: ${options.design} was asked for`}, so nothing is compared with what was recorded` };
  return { own, why: `${own.id} (${options.design === undefined ? `the first named; ${told.why}` : 'asked for'})` };
}
