/**
 * The command line: finds the command, loads only its file, and turns every kind of trouble into one line and an exit status.
 */
import { Command, CommanderError } from 'commander';
import { UnreadableError, escapeText } from '../events/problem.ts';
import { EXIT, Output, OutputError, UsageError, note } from './io.ts';

type Add = (program: Command) => void;

/** Every command and where it is; loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  audit: async () => (await import('./audit.ts')).addAuditCommand,
  replay: async () => (await import('./replay.ts')).addReplayCommand,
  compare: async () => (await import('./compare.ts')).addCompareCommand,
  import: async () => (await import('./import.ts')).addImportCommand,
  events: async () => (await import('./events.ts')).addEventsCommand,
  verify: async () => (await import('./verify.ts')).addVerifyCommand,
  explore: async () => (await import('./explore.ts')).addExploreCommand,
  chart: async () => (await import('./chart.ts')).addChartCommand,
  rules: async () => (await import('./rules.ts')).addRulesCommand,
  layout: async () => (await import('./layout.ts')).addLayoutCommand,
  probes: async () => (await import('./probes.ts')).addProbesCommand,
  generate: async () => (await import('./generate.ts')).addGenerateCommand,
  record: async () => (await import('./record.ts')).addRecordCommand,
};

const ISSUES = 'this is a bug of iommu-ledger; please report it with the lines above and, if you can, the recording';

/** Help goes out like any other result, so that `--help | head` ends quietly; `explain` prints what is wrong. */
const OUTPUT = { writeOut: printHelp, writeErr: (): void => {} };

function printHelp(text: string): void {
  const output = new Output(undefined);
  output.write(text);
  output.close();
}

/** Runs the command line; sets the exit status. `argv` is process.argv. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('iommu-ledger')
    .description('who owns a Linux struct iommu_domain: replay recorded kernel traces, audit ownership transitions')
    .version('0.1.0')
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput(OUTPUT);
  const name = argv.slice(2).find((word) => !word.startsWith('-'));
  const wanted = name !== undefined && Object.hasOwn(COMMANDS, name) ? [name] : Object.keys(COMMANDS);
  try {
    for (const command of wanted) (await COMMANDS[command]())(program);
    for (const command of program.commands) command.exitOverride().configureOutput(OUTPUT);
    if (argv.length <= 2) {
      printHelp(program.helpInformation());
      return;
    }
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = explain(error);
  }
  // A read of a pipe that was given up may still be under way; all that was to be written has been.
  process.exit();
}

/** Prints what went wrong; returns the exit status. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.clean;
    const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, ' (did you mean $1?)').replace(/\.$/, '');
    note(`iommu-ledger: ${escapeText(message)}; see --help`);
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    note(`iommu-ledger: ${escapeText(error.message)}; see --help`);
    return EXIT.usage;
  }
  if (error instanceof OutputError) {
    note(`iommu-ledger: ${escapeText(error.message)}`);
    return EXIT.usage;
  }
  if (error instanceof UnreadableError) {
    note(`iommu-ledger: ${escapeText(error.message)}`);
    note(`  hint: ${escapeText(error.hint)}`);
    return EXIT.unreadable;
  }
  note(error instanceof Error && error.stack ? escapeText(error.stack).replaceAll('\\x0a', '\n') : escapeText(String(error)));
  note(ISSUES);
  return EXIT.bug;
}
