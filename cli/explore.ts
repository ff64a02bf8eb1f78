/**
 * `explore`: can a design be driven into a rule, and by which calls? Reads no recording.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { DESIGNS, findDesign } from '../machines/design-list.ts';
import { explore, type Exploration } from '../machines/explore.ts';
import { isRule } from '../machines/rules.ts';
import { exploreJson, exploreNdjson, exploreSentence, exploreText, matrixJson, matrixText } from '../reports/explore.ts';
import { Output, UsageError, note, withCommonOptions, type CommonOptions } from './io.ts';
import { noSuchRule } from './near-names.ts';
import { addOwnerBitsOption, designWithOwnerBits } from './owner-bits.ts';

const DEFAULT_DESIGN = 'cookie-type';
/** A path is NDJSON, which `audit` reads; the matrix is text. */
const FORMATS = ['ndjson', 'text', 'json'];

interface ExploreCommandOptions extends CommonOptions {
  readonly rule?: string;
  readonly all?: boolean;
  readonly maxDepth?: number;
}

/** Adds the `explore` command. */
export function addExploreCommand(program: Command): void {
  const command = addOwnerBitsOption(withCommonOptions(program.command('explore').description('the shortest event path by which a design can be driven into a rule, or that there is none'), FORMATS))
    .option('--rule <rule>', 'the rule (`rules` lists them)')
    .option('--all', 'every rule and every design, as a matrix (text or json)')
    .option('--max-depth <n>', 'look at paths of at most this many events (default: until every state has been visited)', depth)
    .action((options: ExploreCommandOptions, self: Command) => {
      const text = options.all ? matrix(options, self.getOptionValueSource('format') === 'default') : path(options);
      const output = new Output(options.output);
      output.write(text);
      output.close();
    });
  // The common help text speaks of a recording; this command has none.
  command.options.find(({ long }) => long === '--design')!.description = `kernel design: ${DESIGNS.map(({ id }) => id).join(', ')} (default: ${DEFAULT_DESIGN})`;
  command.options.find(({ long }) => long === '--format')!.description = 'output format: ndjson (the path, which `audit` reads), text, json';
}

function depth(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('a whole number from 1');
  return Number(text);
}

function limit({ maxDepth }: ExploreCommandOptions): { maxDepth?: number } {
  return maxDepth === undefined ? {} : { maxDepth };
}

function path(options: ExploreCommandOptions): string {
  const { rule } = options;
  if (rule === undefined) throw new UsageError('name a rule (--rule RULE), or --all');
  if (!isRule(rule)) throw new UsageError(`--rule ${rule}: ${noSuchRule(rule)}`);
  const design = designWithOwnerBits(findDesign(options.design ?? DEFAULT_DESIGN)!, options.ownerBits);
  const exploration = explore(design, { ...limit(options), until: rule });
  if (options.format === 'json') return exploreJson(exploration, rule);
  if (options.format === 'text') return exploreText(exploration, rule);
  if (!options.quiet) note(exploreSentence(exploration, rule));
  return exploreNdjson(exploration, rule);
}

function matrix(options: ExploreCommandOptions, anyFormat: boolean): string {
  if (options.rule !== undefined) throw new UsageError('--rule and --all: name one of them');
  if (options.format === 'ndjson' && !anyFormat) throw new UsageError('--format ndjson: --all prints text, json');
  const designs = options.design === undefined ? DESIGNS : [findDesign(options.design)!];
  const wide = designs.map((d) => (d.ownerBits > 0 || designs.length === 1 ? designWithOwnerBits(d, options.ownerBits) : d));
  const explorations: Exploration[] = wide.map((d) => explore(d, limit(options)));
  return options.format === 'json' ? matrixJson(explorations) : matrixText(explorations);
}
