/**
 * `audit SOURCE`: findings under one design; with `--minimise RULE` the events that one of them needs (minimise.ts).
 */
import type { Command } from 'commander';
import { Audit } from '../projections/audit.ts';
import { atOrAbove, type Finding } from '../projections/finding.ts';
import { auditJson } from '../reports/audit-json.ts';
import { auditText, findingText } from '../reports/audit-text.ts';
import { SEVERITIES } from '../machines/rules.ts';
import { failOnSeverity } from './fail-on.ts';
import { EXIT, Output, withCommonOptions } from './io.ts';
import { minimise, type MinimiseOptions } from './minimise.ts';
import { addOwnerBitsOption } from './owner-bits.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';

interface AuditOptions extends MinimiseOptions {
  readonly failOn: string;
}

/** Adds the `audit` command. */
export function addAuditCommand(program: Command): void {
  addOwnerBitsOption(withCommonOptions(program.command('audit').description('findings under one design').argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time'), ['text', 'json']))
    .option('--follow', 'wait for more at the end of the file; findings are printed as they come, ^C ends with the summary')
    .option('--fail-on <severity>', `exit 1 for findings at or above: ${SEVERITIES.join(', ')}, never`, 'error')
    .option('--minimise <rule>', 'print the fewest events that still give the first finding of this rule, as NDJSON')
    .option('--at <position>', 'with --minimise: the finding at this event instead of the first')
    .option('--history', 'with --minimise: keep what tells the owner before the call, even where the call itself shows it')
    .action(async (paths: string[], options: AuditOptions) => {
      const failOn = failOnSeverity(options.failOn);
      if (options.minimise !== undefined || options.at !== undefined || options.history) return minimise(paths, options);
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet, follow: options.follow === true });
      const chosen = chooseDesign(source.summary, options);
      const output = new Output(options.output);
      try {
        const audit = new Audit(chosen.design, chosen.own);
        const { addresses } = source.interned;
        // What is live may never end: its findings are told at once.
        const told = source.live && options.format === 'text' ? new Told(output, () => announce(chosen, quiet)) : null;
        await source.read((batch) => {
          audit.apply(batch);
          told?.tell(audit.findings.list);
          for (const n of audit.evict()) addresses.release(n);
        });
        audit.end();
        told?.tell(audit.findings.list);
        if (!told?.any) announce(chosen, quiet);
        output.write(options.format === 'json' ? auditJson(source.summary, audit) : auditText(source.summary, audit, chosen.why, told !== null));
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

/** Prints each finding once, when it is there. */
class Told {
  private readonly output: Output;
  /** Says by which design, before the first one. */
  private readonly first: () => void;
  private readonly told = new WeakSet<Finding>();
  any = false;

  constructor(output: Output, first: () => void) {
    this.output = output;
    this.first = first;
  }

  tell(findings: readonly Finding[]): void {
    let first = findings.length;
    while (first > 0 && !this.told.has(findings[first - 1])) first--;
    if (!this.any && first < findings.length) {
      this.any = true;
      this.first();
    }
    for (const finding of findings.slice(first)) {
      this.told.add(finding);
      this.output.write(`${findingText(finding)}\n\n`);
    }
    this.output.flush();
  }
}
