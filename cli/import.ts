/**
 * `import SOURCE --log LOG`: appends a recording to a log, all of it or nothing; the same recording again appends nothing.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { UnreadableError } from '../events/problem.ts';
import type { EventLog } from '../log/event-log.ts';
import { EXIT, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { openSource, printProblems } from './source.ts';

interface ImportOptions extends CommonOptions {
  readonly log: string;
}

/** Adds the `import` command. */
export function addImportCommand(program: Command): void {
  withCommonOptions(program.command('import').description('append a recording to a log').argument('<source...>', 'a recording, or - for stdin; several recordings are merged by time'), ['text', 'json'])
    .requiredOption('--log <log>', 'the log: a path that ends in .ledger')
    .action(async (paths: string[], options: ImportOptions) => {
      if (options.log.startsWith('nats://')) throw new UnreadableError(`${options.log}: JetStream logs are not supported yet`, 'use a .ledger file');
      if (!options.log.endsWith('.ledger')) throw new UsageError(`--log ${options.log}: a log's name ends in .ledger`);
      const itself = paths.find((path) => resolve(path) === resolve(options.log));
      if (itself !== undefined) throw new UsageError(`${itself}: cannot be imported into itself`);
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet });
      const { openLedger } = await import('../log/ledger-store.ts');
      const { importRecording } = await import('../log/import.ts');
      const output = new Output(options.output);
      let log: EventLog | undefined;
      try {
        log = openLedger(options.log, { write: true });
        const result = await importRecording(log, (consume) => source.read(consume));
        if (options.format === 'json') output.write(`${JSON.stringify({ schema: 'iommu-ledger/import/1', ...result })}\n`);
        else {
          output.write(
            result.appended === 0
              ? `nothing appended: all ${result.skipped} events are in the log already; it ends at position ${result.head}\n`
              : `${result.appended} events appended${result.skipped > 0 ? `, ${result.skipped} were there already` : ''}; the log ends at position ${result.head}\n`,
          );
        }
        output.close();
        printProblems(source.summary, quiet);
        if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
      } catch (error) {
        output.discard();
        throw error;
      } finally {
        await log?.close();
      }
    });
}
