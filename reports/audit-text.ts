/**
 * The audit as text that a kernel developer pastes into a mail: what was read and checked first, then one block a finding.
 */
import { escapeText } from '../events/problem.ts';
import type { Audit } from '../projections/audit.ts';
import type { Checked, Finding } from '../projections/finding.ts';
import type { Gap } from '../projections/gaps.ts';
import type { Missing } from '../recordings/coverage.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { errnoText } from '../machines/states.ts';
import { assumptionsOf } from './assumptions.ts';
import { fold, headField, plural, recordingText, severitiesText, severityText, taskText } from './text.ts';

/** Findings shown one by one; the rest is counted. */
const SHOWN = 1000;

/** Gaps shown one by one; the rest is counted. */
const GAPS_SHOWN = 8;

/** Returns the report, ending in a newline. `shown`: the findings have been printed as they came. */
export function auditText(s: ReadSummary, audit: Audit, why: string, shown = false): string {
  const { findings, checked } = audit;
  const out: string[] = [];
  const field = (name: string, value: string): void => void out.push(headField(name, value));
  field('source', escapeText(s.source));
  field('design', `${audit.design.id} (${escapeText(why)})`);
  field('recording', recordingText(s));
  if (s.from !== null) field('time', `${s.from} .. ${s.to} s`);
  if (audit.gaps.count > 0) {
    const { list, count } = audit.gaps;
    field('lost', lostText(s.lost, count));
    for (const gap of list.slice(0, GAPS_SHOWN)) field('', gapText(gap));
    if (count > GAPS_SHOWN) field('', `… and ${plural(count - GAPS_SHOWN, 'more gap')}`);
    field('', unknownText(audit));
  }
  s.missing.forEach((m, n) => field(n === 0 ? 'missing' : '', missingText(m)));
  field('domains', String(audit.incarnations.count));
  field('checked', checkedText(checked));
  if (audit.own && isUnchecked(checked)) field('', NOTHING_COMPARED);
  for (const text of assumptionsOf(audit)) field('assumed', text);
  out.push('');
  const list = shown ? [] : findings.sorted();
  for (const f of list.slice(0, SHOWN)) out.push(findingText(f), '');
  if (!shown && findings.count > Math.min(SHOWN, list.length)) out.push(`… and ${findings.count - Math.min(SHOWN, list.length)} more (--format json lists them)`, '');
  out.push(severitiesText(findings.summary));
  return `${out.join('\n')}\n`;
}

/** Said where an audit compared nothing. */
export const NOTHING_COMPARED = 'nothing could be compared: no finding means nothing here';

/** Whether nothing that was recorded was compared with a prediction. */
export function isUnchecked(checked: Checked): boolean {
  return checked.errno + checked.words + checked.iovas + checked.addresses === 0;
}

/** Returns how much was compared with the design's predictions. */
export function checkedText(checked: Checked): string {
  return `${plural(checked.errno, 'errno')}, ${plural(checked.words, 'word')}, ${plural(checked.iovas, 'MSI IOVA')}, ${plural(checked.addresses, 'programmed address').replace(/addresss$/, 'addresses')}`;
}

/** Returns how many events were lost and what that means. */
export function lostText(lost: number, gaps: number): string {
  return `${plural(lost, 'event')} in ${plural(gaps, 'gap')}: owners are unknown after a gap until they are observed again; what happened inside it is not judged`;
}

/** Returns what is unknown at the end because events were lost. */
export function unknownText({ unknown, findings }: Audit): string {
  return `${unknown} of the domains have an unknown owner at the end${findings.withdrawn > 0 ? `; ${plural(findings.withdrawn, 'finding')} near a gap taken back` : ''}`;
}

/** Returns which fields a function's probes lack, and what that costs. */
export function missingText(m: Missing): string {
  return `${m.fields.join('/')} of ${m.function}: ${m.costs}`;
}

/** Returns where a gap is and what it hides. */
export function gapText(gap: Gap): string {
  const when = gap.from === null ? `before ${gap.to ?? 'the first event'}` : gap.to === null ? `after ${gap.from}` : `${gap.from} .. ${gap.to}`;
  return [
    gap.count === 0 ? 'an unknown number' : String(gap.count),
    gap.cpu === null ? '' : `on CPU ${gap.cpu}`,
    when,
    gap.line === null ? '' : `(line ${gap.line})`,
    gap.domains > 0 ? `hides ${plural(gap.domains, 'owner')}` : '',
  ].filter(Boolean).join(' ');
}

/** Returns one finding as a block of lines. */
export function findingText(f: Finding): string {
  const out: string[] = [];
  const where = [f.line === null ? null : `line ${f.line}`, f.recording === null ? null : escapeText(f.recording), `event ${f.position}`].filter(Boolean).join(', ');
  out.push(`${severityText(f.severity)} ${f.rule} (${where})`);
  const errno = f.observed['errno'];
  const call = `${f.event}()${typeof errno === 'number' ? ` = ${errnoText(errno)}` : ''}`;
  out.push(`  ${[f.time, f.cpu === null ? null : `[${String(f.cpu).padStart(3, '0')}]`, f.task === null && f.pid === null ? null : taskText(f.task, f.pid), call].filter(Boolean).join(' ')}`);
  if (f.domain !== null) {
    const states = f.before === null ? '' : f.before === f.after ? `  ${f.before}` : `  ${f.before} -> ${f.after}`;
    out.push(`  domain ${f.domain}#${f.generation}${states}`);
  }
  if (f.device !== null || f.group !== null) {
    out.push(`  ${[f.device === null ? null : `device ${escapeText(f.device)}`, f.group === null ? null : `group ${f.group}`].filter(Boolean).join(', ')}`);
  }
  const words = wordChange(f);
  if (words) out.push(`  ${words}`);
  out.push(fold(escapeText(f.message), '  '));
  out.push(`  source ${f.source}`);
  if (f.caller !== null) out.push(`  caller ${escapeText(f.caller)}`);
  if (f.follows !== null) out.push(`  follows from event ${f.follows}`);
  return out.join('\n');
}

function wordChange(f: Finding): string | null {
  const before = f.observed['before'] as Record<string, unknown> | undefined;
  const after = f.observed['after'] as Record<string, unknown> | undefined;
  if (!before || !after) return null;
  const changed = Object.keys(after).filter((k) => k in before && before[k] !== after[k] && k !== 'iova_cookie');
  return changed.length === 0 ? null : changed.map((k) => `${k} ${String(before[k])} -> ${String(after[k])}`).join(', ');
}
