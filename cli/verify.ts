/**
 * `verify LOG`: checks the log's own integrity: every event against the chain of hashes.
 */
import type { Command } from 'commander';
import { UsageError, EXIT, Output, withCommonOptions, type CommonOptions } from './io.ts';

/** Adds the `verify` command. */
export function addVerifyCommand(program: Command): void {
  withCommonOptions(program.command('verify').description("check a log's own integrity").argument('<log>', 'a path that ends in .ledger'), ['text', 'json']).action(
    async (path: string, options: CommonOptions) => {
      if (!path.endsWith('.ledger')) throw new UsageError(`${path}: a log's name ends in .ledger`);
      const { openLedger } = await import('../log/ledger-store.ts');
      const log = openLedger(path);
      const output = new Output(options.output);
      try {
        const { ok, events, head, firstBad, message } = await log.verify();
        if (options.format === 'json') output.write(`${JSON.stringify({ schema: 'iommu-ledger/verify/1', ok, events, head, firstBad, ...(message && { message }) })}\n`);
        else output.write(ok ? `ok: ${events} events, the log ends at position ${head}\n` : `damaged: the first bad position is ${firstBad}${message ? ` (${message})` : ''}; ${events} events before it are intact\n`);
        output.close();
        if (!ok) process.exitCode = EXIT.unreadable;
      } catch (error) {
        output.discard();
        throw error;
      } finally {
        await log.close();
      }
    },
  );
}
