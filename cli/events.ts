/**
 * `events SOURCE`: the events, one JSON object a line; the output is itself a SOURCE.
 */
import type { Command } from 'commander';
import { renderEvent } from '../events/ndjson.ts';
import { EXIT, Output, withCommonOptions, type CommonOptions } from './io.ts';
import { openSource, printProblems } from './source.ts';

/** Adds the `events` command. */
export function addEventsCommand(program: Command): void {
  withCommonOptions(program.command('events').description('the events, one JSON object a line').argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time'), ['ndjson']).action(
    async (paths: string[], options: CommonOptions) => {
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet });
      const output = new Output(options.output);
      try {
        await source.read((b) => {
          for (let i = 0; i < b.length; i++) output.write(`${renderEvent(b, i)}\n`);
        });
        output.close();
      } catch (error) {
        output.discard();
        throw error;
      }
      printProblems(source.summary, quiet);
      if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
    },
  );
}
