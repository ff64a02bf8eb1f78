/**
 * `replay SOURCE`: every domain's state, packed word and MSI pages, at the end or at an earlier instant.
 */
import type { Command } from 'commander';
import { HAS, type EventBatch } from '../events/batch.ts';
import { escapeJson } from '../events/problem.ts';
import { renderTime, time as timePattern } from '../events/time.ts';
import { STATE } from '../machines/states.ts';
import { NONE } from '../machines/transition-table.ts';
import { Audit } from '../projections/audit.ts';
import { isArch } from '../projections/domain-struct.ts';
import { aliveViews, domainView, type DomainView } from '../projections/domain-view.ts';
import { replayText, traceLine } from '../reports/replay-text.ts';
import { EXIT, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { addOwnerBitsOption } from './owner-bits.ts';
import { announce, chooseDesign, openSource, printProblems } from './source.ts';

interface ReplayOptions extends CommonOptions {
  readonly at?: string;
  readonly atTime?: string;
  readonly domain?: string;
  readonly all?: boolean;
  readonly trace?: boolean;
  readonly arch: string;
}

/** Adds the `replay` command. */
export function addReplayCommand(program: Command): void {
  addOwnerBitsOption(withCommonOptions(program.command('replay').description("every domain's state, packed word and MSI pages").argument('<source...>', 'a recording, - for stdin, or a log; several recordings are merged by time'), ['text', 'json']))
    .option('--at <position>', 'after this event (counted from 1) instead of at the end')
    .option('--at-time <seconds>', 'after the last event up to this time')
    .option('--domain <address>', 'one domain, as 0xADDRESS or 0xADDRESS#GENERATION')
    .option('--all', 'the freed ones too')
    .option('--trace', 'one line an event: STATE x EVENT -> NEXT')
    .option('--arch <arch>', 'machine the words are of: arm64, x86_64, s390x', 'arm64')
    .action(async (paths: string[], options: ReplayOptions) => {
      if (options.at !== undefined && options.atTime !== undefined) throw new UsageError('--at and --at-time: name one of them');
      const at = parsePosition(options.at);
      const until = parseTime(options.atTime);
      const wanted = parseDomain(options.domain);
      const { arch } = options;
      if (!isArch(arch)) throw new UsageError(`--arch ${arch}: one of arm64, x86_64, s390x`);
      const quiet = options.quiet === true;
      const source = await openSource(paths, { quiet });
      const chosen = chooseDesign(source.summary, options);
      const output = new Output(options.output);
      try {
        const audit = new Audit(chosen.design, chosen.own);
        const ended: DomainView[] = [];
        if (options.all || wanted?.generation !== undefined) {
          audit.incarnations.onEnd = (d) => {
            const view = domainView(audit, source.interned, d, arch);
            if (!wanted || matches(wanted, view)) ended.push(view);
          };
        }
        let batch: EventBatch;
        if (options.trace && options.format === 'text') {
          audit.onStep = (i, d, before, after, verdict) => {
            const generation = audit.incarnations.generation[d];
            if (wanted?.generation !== undefined && wanted.generation !== generation) return;
            const rule = verdict < 0 ? NONE : audit.table.verdictRule[verdict];
            const line = traceLine(batch, i, d, generation, before, after, rule);
            if (!wanted || line.domain === wanted.domain) output.write(line.text);
          };
        }
        let position = 0;
        let time: string | null = null;
        await source.read((b) => {
          batch = b;
          const last = Math.min(b.position + b.length - 1, at, until === null ? Infinity : lastUntil(b, until));
          if (last < b.position) return;
          audit.apply(b, last);
          position = last;
          const i = last - b.position;
          for (let k = i; k >= 0; k--) {
            if ((b.present[k] & HAS.time) === 0) continue;
            time = renderTime(b.sec[k], b.nsec[k], b.digits[k]);
            break;
          }
        });
        announce(chosen, quiet);
        if (at !== Infinity && at > source.summary.events) throw new UsageError(`--at ${at}: the source ends at position ${source.summary.events}`);
        let views = aliveViews(audit, source.interned, arch);
        if (options.all || wanted) {
          for (let d = 0; d < audit.incarnations.size; d++) {
            if (audit.incarnations.born[d] !== 0 && audit.rows.state[d] === STATE.freed) ended.push(domainView(audit, source.interned, d, arch));
          }
          views = [...views, ...ended].sort((a, b) => a.first - b.first);
        }
        if (wanted) {
          views = views.filter((v) => matches(wanted, v));
          if (views.length === 0) throw new UsageError(`--domain ${options.domain}: no such domain up to position ${position}`);
        }
        if (options.format === 'json') {
          const document = { schema: 'iommu-ledger/replay/1', design: audit.design.id, position, time, domains: views };
          output.write(`${escapeJson(JSON.stringify(document, null, 2))}\n`);
        } else if (!options.trace) output.write(replayText(audit.design, position, time, views));
        output.close();
        printProblems(source.summary, quiet);
        if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
      } catch (error) {
        output.discard();
        throw error;
      }
    });
}

function parsePosition(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new UsageError(`--at ${text}: a position is a whole number from 1`);
  return Number(text);
}

function parseTime(text: string | undefined): { sec: number; nsec: number } | null {
  if (text === undefined) return null;
  if (!timePattern.test(text)) throw new UsageError(`--at-time ${text}: a time is decimal seconds, as 173.746083`);
  const [sec, fraction = ''] = text.split('.');
  return { sec: Number(sec), nsec: Number(fraction.padEnd(9, '0')) };
}

interface Wanted {
  readonly domain: string;
  readonly generation?: number;
}

function parseDomain(text: string | undefined): Wanted | null {
  if (text === undefined) return null;
  const m = /^0x0*([0-9a-fA-F]{1,16})(?:#([1-9]\d{0,9}))?$/.exec(text);
  if (!m) throw new UsageError(`--domain ${text}: write 0xADDRESS or 0xADDRESS#GENERATION`);
  return { domain: `0x${m[1].toLowerCase()}`, ...(m[2] && { generation: Number(m[2]) }) };
}

function matches(wanted: Wanted, view: DomainView): boolean {
  return view.domain === wanted.domain && (wanted.generation === undefined || view.generation === wanted.generation);
}

/** Position of the last event of the batch that is not later than `until`; time never goes back in a recording of one clock. */
function lastUntil(b: EventBatch, until: { sec: number; nsec: number }): number {
  for (let i = b.length - 1; i >= 0; i--) {
    if ((b.present[i] & HAS.time) === 0) continue;
    if (b.sec[i] < until.sec || (b.sec[i] === until.sec && b.nsec[i] <= until.nsec)) return b.position + i;
  }
  return b.position - 1;
}
