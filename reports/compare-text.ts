/**
 * The comparison of designs as text that a kernel developer pastes into a mail: what was read and how often the designs part,
 * one block a difference with one line a design, then what each design found and what the last does worse than the first.
 * After two designs have parted over a domain, the state differs at all its later events: those that say nothing new, and
 * the same call with the same answers again, are counted under the block before them (JSON lists them).
 */
import { escapeText } from '../events/problem.ts';
import { errnoText } from '../machines/states.ts';
import type { Comparison, DesignVerdict, Difference } from '../projections/compare.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { assumptionsOf } from './assumptions.ts';
import { fold, headField, plural, recordingText, severitiesText, severityText, taskText } from './text.ts';

/** Blocks shown; the rest is counted. */
const SHOWN = 1000;

/** Returns the report, ending in a newline. `own`: which of the designs the recording is of, and why. */
export function compareText(s: ReadSummary, comparison: Comparison, own: string): string {
  const { audits, list, unlisted, worse } = comparison;
  const ids = audits.map(({ design }) => design.id);
  const out = [
    headField('source', escapeText(s.source)),
    headField('designs', ids.join(', ')),
    headField('own', escapeText(own)),
    headField('recording', recordingText(s)),
    ...(s.from === null ? [] : [headField('time', `${s.from} .. ${s.to} s`)]),
    ...(s.lost === 0 ? [] : [headField('lost', `${plural(s.lost, 'event')} in ${plural(audits[0].gaps.count, 'gap')}: owners are unknown after a gap until they are observed again`)]),
    ...s.missing.map((m, n) => headField(n === 0 ? 'missing' : '', `${m.fields.join('/')} of ${m.function}: ${m.costs}`)),
    ...audits.flatMap(assumptionsOf).map((text, n) => headField(n === 0 ? 'assumed' : '', text)),
    headField('differ', list.length + unlisted === 0 ? 'at no event' : `at ${plural(list.length + unlisted, 'event')}${domainsText(list, unlisted)}, first at event ${list[0]?.position ?? '?'}`),
    '',
  ];
  const blocks = blocksOf(list);
  const width = Math.max(...ids.map((id) => id.length));
  for (const block of blocks.slice(0, SHOWN)) out.push(blockText(block, ids, width), '');
  const hidden = blocks.slice(SHOWN).reduce((sum, { again, more }) => sum + 1 + again + more, unlisted);
  if (hidden > 0) out.push(`… and ${plural(hidden, 'more difference')}${unlisted > 0 ? '' : ' (--format json lists them)'}`, '');
  for (const { design, findings } of audits) out.push(`${design.id.padEnd(width)}  ${severitiesText(findings.summary)}`);
  const { worst } = worse;
  out.push(fold(`${ids.at(-1)} does worse than ${ids[0]}: ${worst === null ? 'nothing' : `${severitiesText(worse.summary)}; the worst is ${worst.rule} at event ${worst.position}`}`, ''));
  return `${out.join('\n')}\n`;
}

/** A difference that is shown, and how many later ones of its domain are the same again, or say nothing new. */
interface Block {
  readonly difference: Difference;
  again: number;
  more: number;
}

function blocksOf(list: readonly Difference[]): Block[] {
  const blocks: Block[] = [];
  const last = new Map<string, Block>();
  for (const difference of list) {
    const domain = domainText(difference);
    const before = domain === null ? undefined : last.get(domain);
    if (before && saysNothingNew(difference.verdicts, before.difference.verdicts)) before.more++;
    else if (before && isSame(difference, before.difference)) before.again++;
    else {
      const block = { difference, again: 0, more: 0 };
      blocks.push(block);
      if (domain !== null) last.set(domain, block);
    }
  }
  return blocks;
}

/** Whether the same call got the same from every design. */
function isSame(a: Difference, b: Difference): boolean {
  return a.event === b.event && a.recorded === b.recorded && a.verdicts.every(({ errno, state, findings }, k) => {
    const other = b.verdicts[k];
    return errno === other.errno && state === other.state && findings.length === other.findings.length
      && findings.every((f, n) => f.rule === other.findings[n].rule && f.severity === other.findings[n].severity && f.outcome === other.findings[n].outcome);
  });
}

/** Whether all designs answer alike, meet no rule, and are in the states in which they were. */
function saysNothingNew(verdicts: readonly DesignVerdict[], before: readonly DesignVerdict[]): boolean {
  return verdicts.every(({ errno, state, findings }, k) => errno === verdicts[0].errno && state === before[k].state && findings.length === 0);
}

function blockText({ difference: d, again, more }: Block, ids: readonly string[], width: number): string {
  const where = [d.line === null ? null : `line ${d.line}`, d.recording === null ? null : escapeText(d.recording)].filter(Boolean).join(', ');
  const out = [`event ${d.position}${where === '' ? '' : ` (${where})`}`];
  const call = `${d.event}()${d.recorded === null ? '' : ` = ${errnoText(d.recorded)}`}`;
  out.push(`  ${[d.time, d.cpu === null ? null : `[${String(d.cpu).padStart(3, '0')}]`, d.task === null && d.pid === null ? null : taskText(d.task, d.pid), call].filter(Boolean).join(' ')}`);
  const domain = domainText(d);
  if (domain !== null) out.push(`  domain ${domain}`);
  const answers = d.verdicts.map(answerText);
  const answerWidth = Math.max(...answers.map((text) => text.length));
  d.verdicts.forEach((verdict, k) => {
    out.push(`  ${ids[k].padEnd(width)}  ${answers[k].padEnd(answerWidth)}  ${verdict.state ?? ''}`.trimEnd());
    for (const { rule, severity, outcome } of verdict.findings) {
      const went = outcome !== 'rejected' && verdict.errno !== null && verdict.errno < 0 && d.recorded === 0;
      out.push(`    ${severityText(severity)} ${rule}, ${outcome}${went ? ' in the recorded kernel, which answered 0' : ''}`);
    }
  });
  if (again > 0) out.push(`  … ${again} more of this call on this domain, answered the same`);
  if (more > 0) out.push(`  … ${plural(more, 'more event')} of this domain in these states`);
  return out.join('\n');
}

function answerText({ errno }: DesignVerdict): string {
  return errno === null ? '-' : errnoText(errno);
}

function domainText({ domain, generation }: Difference): string | null {
  return domain === null ? null : `${domain}#${generation}`;
}

function domainsText(list: readonly Difference[], unlisted: number): string {
  const domains = new Set(list.map(domainText));
  domains.delete(null);
  return domains.size === 0 ? '' : ` of ${unlisted > 0 ? 'at least ' : ''}${plural(domains.size, 'domain')}`;
}
