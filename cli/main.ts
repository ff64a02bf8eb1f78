/**
 * The command line: finds the command, loads only its file, and turns every kind of trouble into one line and an exit status.
 */
import { Command, CommanderError } from 'commander';
import { UnreadableError, escapeText } from '../events/problem.ts';
import { EXIT, UsageError, note } from './io.ts';

type Add = (program: Command) => void;

/** Every command and where it is; loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  audit: async () => (await import('./audit.ts')).addAuditCommand,
  replay: async () => (await import('./replay.ts')).addReplayCommand,
  import: async () => (await import('./import.ts')).addImportCommand,
  events: async () => (await import('./events.ts')).addEventsCommand,
  verify: async () => (await import('./verify.ts')).addVerifyCommand,
  chart: async () => (await import('./chart.ts')).addChartCommand,
  layout: async () => (await import('./layout.ts')).addLayoutCommand,
  generate: async () => (await import('./generate.ts')).addGenerateCommand,
};

const ISSUES = 'this is a bug of iommu-ledger; please report it with the lines above and, if you can, the recording';

/** Runs the command line; sets the exit status. `argv` is process.argv. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('iommu-ledger')
    .description('who owns a Linux struct iommu_domain: replay recorded kernel traces, audit ownership transitions')
    .version('0.1.0')
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const name = argv.slice(2).find((word) => !word.startsWith('-'));
  const wanted = name !== undefined && Object.hasOwn(COMMANDS, name) ? [name] : Object.keys(COMMANDS);
  try {
    for (const command of wanted) (await COMMANDS[command]())(program);
    for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
    if (argv.length <= 2) {
      process.stdout.write(program.helpInformation());
      return;
    }
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** Prints what went wrong; returns the exit status. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.clean;
    note(`iommu-ledger: ${escapeText(error.message.replace(/^error: /, ''))}; see --help`);
    return EXIT.usage;
  }
  if (error instanceof UsageError) {
    note(`iommu-ledger: ${escapeText(error.message)}; see --help`);
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
