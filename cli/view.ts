/**
 * `view SOURCE`: the page on 127.0.0.1, following a source that grows, until ^C. Nothing is written anywhere, and no browser is
 * started: a URL in another program's arguments could be read by everyone on the machine.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { setImmediate as soon } from 'node:timers/promises';
import type { Command } from 'commander';
import { unpackerFor } from '../recordings/raw-read.ts';
import { recordingObject } from '../reports/audit-json.ts';
import type { PageHeader } from '../viewer/page-data.ts';
import { EXIT, Output, UsageError, note, withCommonOptions, type CommonOptions } from './io.ts';
import { LiveFeed } from './live-feed.ts';
import { addOwnerBitsOption } from './owner-bits.ts';
import { pageFrame, pageHeader } from './page.ts';
import { requireArch } from './report.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';
import { servePage } from './view-server.ts';

interface ViewOptions extends CommonOptions {
  readonly arch: string;
  readonly port: string;
  readonly follow: boolean;
}

/** Adds the `view` command. */
export function addViewCommand(program: Command): void {
  addOwnerBitsOption(withCommonOptions(program.command('view').description('the page of `report` on 127.0.0.1, following a source that grows; ^C ends it').argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time, as they are now'), ['url']))
    .option('--port <n>', 'port to listen on (default: a free one)', '0')
    .option('--no-follow', 'read the file as it is now')
    .option('--arch <arch>', 'machine the words are of: arm64, x86_64, s390x', 'arm64')
    .action(async (paths: string[], options: ViewOptions) => {
      const port = parsePort(options.port);
      requireArch(options.arch);
      const interrupted = new Promise<'interrupted'>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'));
      });
      await view(paths, port, options, interrupted);
    });
}

async function view(paths: readonly string[], port: number, options: ViewOptions, interrupted: Promise<'interrupted'>): Promise<void> {
  const quiet = options.quiet === true;
  const follow = options.follow && paths.length === 1 && canGrow(paths[0]);
  // A pipe that stays silent may keep it waiting.
  const source = await Promise.race([openSource(paths, { quiet, follow, pause: soon }), interrupted]);
  if (source === 'interrupted') return;
  const { summary, interned } = source;
  const chosen = chooseDesign(summary, options);
  const header = await pageHeader(summary, chosen, { arch: options.arch, recordings: interned.recordings, events: 0, excerpts: {}, live: true });
  const recording = (): PageHeader['recording'] => recordingObject(summary) as PageHeader['recording'];
  const feed = new LiveFeed(recording);
  const text = 'This page needs its script. The same as text: iommu-ledger audit, with the same source.\n';
  const server = await servePage(port, await pageFrame(header, text), feed);
  try {
    announce(chosen, quiet);
    const output = new Output(options.output);
    output.write(`${server.url}\n`);
    output.close();
    if (!quiet) note('^C ends it');
    const reading = source.read((batch) => feed.add(batch)).then(() => feed.end());
    await Promise.race([reading, interrupted]);
    await interrupted;
  } finally {
    await server.close();
  }
  printProblems(summary, quiet);
  if (options.strict && (summary.problems.count > 0 || summary.lost > 0)) process.exitCode = EXIT.unreadable;
}

/** Whether a file is of a kind that is written line by line; a trace.dat and what is packed appear as a whole. */
function canGrow(path: string): boolean {
  if (path.endsWith('.ledger')) return false;
  if (path === '-' || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const head = Buffer.alloc(16);
  try {
    const fd = openSync(path, 'r');
    readSync(fd, head, 0, head.length, 0);
    closeSync(fd);
  } catch {
    return false; // whoever opens it says why
  }
  return unpackerFor(head) === null && head.toString('latin1', 3, 10) !== 'tracing';
}

function parsePort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) throw new UsageError(`--port ${text}: a whole number from 1 to 65535, 0 for a free one`);
  return port;
}
