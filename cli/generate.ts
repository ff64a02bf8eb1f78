/**
 * `generate`: a synthetic recording as ftrace text, healthy or with planted violations (CONTRACT.md).
 * The text goes to stdout or `-o FILE` while it is made; one line on stderr tells what it holds.
 */
import type { Command } from 'commander';
import { generateFtrace, INJECT_EVERY, INJECTABLE_RULES, type GenerateOptions } from '../recordings/generate-ftrace.ts';
import { note, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';

/** More domains than any machine has; a task, its devices and their domains are kept for each two. */
const MAX_DOMAINS = 1_000_000;
/** The designs whose words and answers a 7.2 kernel shows. */
const DESIGNS = ['cookie-type', 'v7.3'];

interface GenerateCommandOptions extends CommonOptions {
  readonly domains: string;
  readonly events: string;
  readonly seed: string;
  readonly inject?: readonly string[];
  readonly injectEvery: string;
}

const collect = (value: string, all: readonly string[] = []): string[] => [...all, ...value.split(',')];

/** Adds the `generate` command. Errors: `UsageError` for an unknown rule and for numbers that are none. */
export function addGenerateCommand(program: Command): void {
  const command = withCommonOptions(program.command('generate'), ['ftrace-text'])
    .description('a synthetic recording as ftrace text')
    .option('--domains <n>', 'domains alive at once at most', '16')
    .option('--events <m>', 'kernel operations, one for each call that becomes an event; lines are between two and three times as many', '10000')
    .option('--seed <s>', 'the same seed gives the same recording', '1')
    .option('--inject <rule>', `plant violations, several by commas or by repeating the option: ${INJECTABLE_RULES.join(', ')}`, collect)
    .option('--inject-every <k>', 'plant one violation in so many life cycles, at least one of each rule', String(INJECT_EVERY))
    .action((options: GenerateCommandOptions) => {
      const wanted = readOptions(options);
      const output = new Output(options.output);
      try {
        const { lines, operations, injected } = generateFtrace(wanted, (chunk) => output.write(chunk));
        output.close();
        if (options.quiet !== true) note(`generate: ${lines} lines, ${operations} operations, ${injected} planted violations`);
      } catch (error) {
        output.discard();
        throw error;
      }
    });
  // The common help text speaks of a recording's own design; this command writes what one design shows.
  command.options.find(({ long }) => long === '--design')!.description = `kernel design: ${DESIGNS.join(', ')} (the words are the same)`;
}

function readOptions(options: GenerateCommandOptions): GenerateOptions {
  if (options.design !== undefined && !DESIGNS.includes(options.design)) {
    throw new UsageError(`--design ${options.design}: generate writes what a 7.2 kernel shows: ${DESIGNS.join(', ')}`);
  }
  const domains = wholeNumber('--domains', options.domains, 1, MAX_DOMAINS);
  const events = wholeNumber('--events', options.events, 1, Number.MAX_SAFE_INTEGER);
  const seed = wholeNumber('--seed', options.seed, 0, Number.MAX_SAFE_INTEGER);
  const injectEvery = wholeNumber('--inject-every', options.injectEvery, 1, Number.MAX_SAFE_INTEGER);
  const inject = [...new Set(options.inject ?? [])].map((rule) => {
    const known = INJECTABLE_RULES.find((id) => id === rule);
    if (known === undefined) throw new UsageError(`--inject ${rule}: not one of ${INJECTABLE_RULES.join(', ')}`);
    return known;
  });
  if (inject.length > 0 && domains < 2) throw new UsageError(`--inject needs --domains 2 or more: a default domain and a user's`);
  return { domains, events, seed, inject, injectEvery };
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) throw new UsageError(`${option} ${text}: a whole number from ${least} to ${most}`);
  return value;
}
