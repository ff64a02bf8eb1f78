/**
 * The verdict: what was recorded, which design judges it and why, what was checked, what is wrong, and what is unknown because of
 * gaps, missing probe fields and problems of the reader. The sentences are those of the text report.
 */
import type { ComponentChildren } from 'preact';
import type { Problem } from '../events/problem.ts';
import { SEVERITIES } from '../machines/rules.ts';
import { assumptionsOf } from '../reports/assumptions.ts';
import { checkedText, gapText, isUnchecked, lostText, missingText, NOTHING_COMPARED, unknownText } from '../reports/audit-text.ts';
import { plural } from '../reports/text.ts';
import { EventLink, safe, SeverityMark } from './pieces.tsx';
import { designId, history, length, recording } from './store.ts';
import './verdict.css';

/** Gaps shown at once, and at all. */
const GAPS_SHOWN = 8;
const GAPS_LISTED = 500;

type MissingFields = Parameters<typeof missingText>[0];

/** What the header says of the recording besides what its type names. */
interface Recorded {
  readonly lines: number;
  readonly ignored: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly missing?: readonly MissingFields[];
  readonly problem_list?: readonly Problem[];
}

/** Returns the part of the page. */
export function Verdict(): ComponentChildren {
  void length.value; // a live page's history is the same object all the time
  const { header } = recording.value;
  const { last } = history.value;
  const recorded = header.recording as typeof header.recording & Recorded;
  const { missing = [] } = recorded;
  return (
    <section class="verdict" aria-labelledby="verdict-title">
      <h2 id="verdict-title">Verdict</h2>
      <Counts />
      <dl>
        {header.recordings.length > 0 && <Row name="merged"><ul>{header.recordings.map((name) => <li>{safe(name)}</li>)}</ul></Row>}
        <Row name="design"><DesignChoice /></Row>
        <Row name="recording">{recordedText(recorded, length.value)}</Row>
        {recorded.from !== null && <Row name="time">{spanText(recorded.from, recorded.to)}</Row>}
        {last.gaps.count > 0 && <Row name="lost"><Lost /></Row>}
        {missing.length > 0 && <Row name="missing"><ul>{missing.map((m) => <li>{safe(missingText(m))}</li>)}</ul></Row>}
        <Row name="domains">{last.incarnations.count}</Row>
        <Row name="checked">{checkedText(last.checked)}{isUnchecked(last.checked) && <p class="caution">{uncheckedText()}</p>}</Row>
        {last.other.automaticDomains > 0 && <Row name="assumed">{assumptionsOf(last).join('; ')}</Row>}
        {recorded.problems > 0 && <Row name="problems"><Problems count={recorded.problems} list={recorded.problem_list ?? []} /></Row>}
      </dl>
    </section>
  );
}

function Row({ name, children }: { readonly name: string; readonly children: ComponentChildren }): ComponentChildren {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function Counts(): ComponentChildren {
  void length.value;
  const { findings } = history.value.last;
  return (
    <ul class="counts" aria-label="findings by severity">
      {SEVERITIES.map((s) => <li class={findings.summary[s] === 0 ? 'none' : ''}><b>{findings.summary[s]}</b> <SeverityMark of={s} /></li>)}
    </ul>
  );
}

function DesignChoice(): ComponentChildren {
  const { header } = recording.value;
  return (
    <>
      <label>judged as <select value={designId.value} onChange={(event) => (designId.value = event.currentTarget.value)}>
        {header.designs.map((d) => <option value={d.id} selected={d.id === designId.value}>{d.id}</option>)}
      </select></label>{' '}
      {header.designs.find((d) => d.id === designId.value)!.title.replace(`${designId.value}: `, '')}
      {designId.value === header.design ? ` (${safe(header.why)})` : `; the recording itself was taken to be ${header.design} (${safe(header.why)})`}
    </>
  );
}

function recordedText(r: PageRecorded, events: number): string {
  const unit = r.format === 'trace.dat' ? 'record' : 'line';
  return [
    r.format,
    ...(r.kernel === null ? [] : [`kernel ${safe(r.kernel)}`]),
    ...(r.lines > 0 ? [plural(r.lines, unit)] : []),
    plural(events, 'event'),
    ...(r.lines > 0 ? [`${plural(r.ignored, unit)} of no use`] : []),
    ...(r.problems > 0 ? [plural(r.problems, 'problem')] : []),
  ].join(', ');
}

type PageRecorded = Recorded & { readonly format: string; readonly kernel: string | null; readonly problems: number };

/** `125.234851 .. 125.833315 s (0.598464 s)`, with the recording's own precision. */
function spanText(from: string, to: string | null): string {
  const digits = from.split('.')[1]?.length ?? 0;
  return `${from} .. ${to} s${to === null ? '' : ` (${(Number(to) - Number(from)).toFixed(digits)} s)`}`;
}

function uncheckedText(): string {
  const { header } = recording.value;
  void length.value;
  if (history.value.own) return NOTHING_COMPARED;
  return `nothing was compared with what ${designId.value} predicts, because the recording ${header.designs.some((d) => d.own) ? `is of ${header.design}` : 'does not say that it is of this design'}: only what ${designId.value} allows is judged`;
}

function Lost(): ComponentChildren {
  void length.value;
  const { last } = history.value;
  const { list, count } = last.gaps;
  const item = (gap: (typeof list)[number]): ComponentChildren => <li><EventLink position={gap.position} />: {gapText(gap)}</li>;
  return (
    <>
      {lostText(recording.value.header.recording.lost, count)}
      <ul>{list.slice(0, GAPS_SHOWN).map(item)}</ul>
      {count > GAPS_SHOWN && (
        <details>
          <summary>{plural(count - GAPS_SHOWN, 'more gap')}</summary>
          <ul>{list.slice(GAPS_SHOWN, GAPS_LISTED).map(item)}</ul>
          {count > GAPS_LISTED && <p>… and {plural(count - GAPS_LISTED, 'more gap')}</p>}
        </details>
      )}
      <p>{unknownText(last)}</p>
    </>
  );
}

function Problems({ count, list }: { readonly count: number; readonly list: readonly Problem[] }): ComponentChildren {
  return (
    <>
      {plural(count, 'problem')} while reading{list.length < count ? `, of which ${list.length} are kept` : ''}
      <ul>{list.map((p) => <li><code>{safe(p.code)}</code> {safe(p.where)}: {safe(p.message)}{p.hint === '' ? '' : ` (${safe(p.hint)})`}</li>)}</ul>
    </>
  );
}
