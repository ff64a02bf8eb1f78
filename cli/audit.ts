/**
 * `audit SOURCE`: findings under one design.
 */
import type { Command } from 'commander';
import { Audit } from '../projections/audit.ts';
import { atOrAbove } from '../projections/finding.ts';
import { auditJson } from '../reports/audit-json.ts';
import { auditText } from '../reports/audit-text.ts';
import { SEVERITIES, type Severity } from '../machines/rules.ts';
import { EXIT, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';

interface AuditOptions extends CommonOptions {
  readonly failOn: string;
}

/** Adds the `audit` command. */
export function addAuditCommand(program: Command): void {
  withCommonOptions(program.command('audit').description('findings under one design').argument('<source>', 'a recording, - for stdin, or a log'), ['text', 'json'])
    .option('--fail-on <severity>', `exit 1 for findings at or above: ${SEVERITIES.join(', ')}, never`, 'error')
    .action(async (path: string, options: AuditOptions) => {
      const failOn = severity(options.failOn);
      const quiet = options.quiet === true;
      const source = await openSource(path, quiet);
      const chosen = chooseDesign(source.summary, options);
      const output = new Output(options.output);
      try {
        const audit = new Audit(chosen.design, chosen.own);
        const { addresses } = source.interned;
        await source.read((batch) => {
          audit.apply(batch);
          for (const n of audit.evict()) addresses.release(n);
        });
        audit.end();
        announce(chosen, quiet);
        output.write(options.format === 'json' ? auditJson(source.summary, audit) : auditText(source.summary, audit, chosen.why));
        output.close();
        printProblems(source.summary, quiet);
        if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
        else if (failOn !== null && atOrAbove(audit.findings.summary, failOn)) process.exitCode = EXIT.findings;
      } catch (error) {
        output.discard();
        throw error;
      }
    });
}

function severity(text: string): Severity | null {
  if (text === 'never') return null;
  if (!(SEVERITIES as readonly string[]).includes(text)) throw new UsageError(`--fail-on ${text}: one of ${SEVERITIES.join(', ')}, never`);
  return text as Severity;
}
