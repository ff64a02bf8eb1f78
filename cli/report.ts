/**
 * `report SOURCE -o FILE.html`: one self-contained page. Nothing is loaded from anywhere; the recording is inside.
 */
import { constants } from 'node:os';
import { setImmediate as soon } from 'node:timers/promises';
import type { Command } from 'commander';
import { Audit } from '../projections/audit.ts';
import { isArch } from '../projections/domain-struct.ts';
import { auditText } from '../reports/audit-text.ts';
import { excerptsOf } from './excerpts.ts';
import { EXIT, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { addOwnerBitsOption } from './owner-bits.ts';
import { EventPacker, pageElement, pageFrame, pageHeader } from './page.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';

interface ReportOptions extends CommonOptions {
  readonly arch: string;
}

/** Adds the `report` command. */
export function addReportCommand(program: Command): void {
  addOwnerBitsOption(withCommonOptions(program.command('report').description('one self-contained page').argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time'), ['html']))
    .option('--arch <arch>', 'machine the words are of: arm64, x86_64, s390x', 'arm64')
    .action(async (paths: string[], options: ReportOptions) => {
      if (options.output === undefined) throw new UsageError('-o FILE.html: name the file');
      requireArch(options.arch);
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet, pause: soon });
      const chosen = chooseDesign(source.summary, options);
      const output = new Output(options.output);
      // What is live makes a page of what has come by then.
      if (!source.live) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => {
        output.discard();
        process.exit(128 + constants.signals[signal]);
      });
      try {
        const audit = new Audit(chosen.design, chosen.own);
        const packer = new EventPacker();
        await source.read((batch) => {
          audit.apply(batch);
          packer.add(batch);
        });
        audit.end();
        announce(chosen, quiet);
        const excerpts = await excerptsOf(paths, source.summary.format, audit.findings.sorted());
        const header = await pageHeader(source.summary, chosen, { arch: options.arch, recordings: source.interned.recordings, events: packer.events, excerpts, live: false });
        const { head, tail } = await pageFrame(header, auditText(source.summary, audit, chosen.why));
        output.write(head);
        let n = 0;
        for (const piece of packer.end()) output.write(pageElement(piece, n++));
        output.write(tail);
        output.close();
        printProblems(source.summary, quiet);
        if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
      } catch (error) {
        output.discard();
        throw error;
      }
    });
}

/** Errors: UsageError where it is no machine whose structs are known. */
export function requireArch(arch: string): void {
  if (!isArch(arch)) throw new UsageError(`--arch ${arch}: one of arm64, x86_64, s390x`);
}
