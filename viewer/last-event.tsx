/**
 * The event that led to the instant: who called what with which arguments, what was answered, what memory held before and after,
 * what it changed in which domain, and the findings that it made. Text of the recording is escaped before it is shown.
 */
import type { ComponentChildren, TargetedMouseEvent } from 'preact';
import { MEMBERS, WORD_SETS, type EventType } from '../events/event-types.ts';
import { escapeText } from '../events/problem.ts';
import { DOMAIN_TYPE_NAMES } from '../machines/designs/struct-layouts.ts';
import { errnoText } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';
import { findingsAt, found, moment } from './instant-state.ts';
import type { DomainChange, Moment } from './moment.ts';
import { chosen, history, recording } from './store.ts';

const FIELD_NAMES = { state: 'state', type: 'type', word: 'word', msi_pages: 'MSI page', msi_next: 'next IOVA', devices: 'devices', groups: 'groups', first: 'first event', last: 'last event' } as const;

/** Returns the part of the instant. */
export function LastEvent(): ComponentChildren {
  const now = moment.value;
  if (now.event === null) return <div class="instant-event"><h3>Event</h3><p>Before the first event nothing is known.</p></div>;
  const findings = findingsAt(found.value, now.position);
  return (
    <div class="instant-event" data-part="event">
      <h3>Event {now.position}: <code>{String(now.event['type'])}</code></h3>
      <dl class="facts">
        {facts(now).map(([name, value]) => <><dt>{name}</dt><dd class="mono" data-event={name}>{value}</dd></>)}
        {now.judged !== null && now.judged.errno !== null && <><dt>predicted</dt><dd class="mono" data-event="predicted">{errnoText(now.judged.errno)} ({history.value.design.id})</dd></>}
      </dl>
      <h4>What it changed</h4>
      <Changes now={now} />
      {findings.length > 0 && <><h4>{findings.length === 1 ? 'Finding' : `${findings.length} findings`}</h4><FindingList findings={findings} /></>}
    </div>
  );
}

/** Members of the event by their C names, ready to be shown. Order: who, what, answer, memory. */
function facts({ position, event, time }: Moment): [string, string][] {
  const all = event!;
  const type = all['type'] as EventType;
  const out: [string, string][] = [];
  if (time !== null) out.push(['time', `${time} s`]);
  if (all['task'] !== undefined) out.push(['task-pid', `${escapeText(String(all['task']))}${all['pid'] === undefined ? '' : `-${String(all['pid'])}`}`]);
  else if (all['pid'] !== undefined) out.push(['pid', String(all['pid'])]);
  if (all['cpu'] !== undefined) out.push(['cpu', String(all['cpu'])]);
  const source = sourceOf(position);
  if (source !== null) out.push(['recording', escapeText(source)]);
  if (all['line'] !== undefined) out.push(['line', String(all['line'])]);
  if (all['domain'] !== undefined) out.push(['domain', String(all['domain'])]);
  for (const { name } of MEMBERS[type]) {
    if (all[name] === undefined) continue;
    const text = escapeText(String(all[name]));
    out.push([name, name === 'domain_type' ? `${text} (${DOMAIN_TYPE_NAMES.get(all[name] as number) ?? 'unknown'})` : text]);
  }
  if (typeof all['errno'] === 'number') out.push(['errno', all['errno'] === 0 ? '0' : `${errnoText(all['errno'])} (${all['errno']})`]);
  for (const set of WORD_SETS) {
    const words = all[set] as Readonly<Record<string, unknown>> | undefined;
    if (words !== undefined) out.push([set, Object.entries(words).map(([name, value]) => `${name}=${String(value)}`).join(' ')]);
  }
  return out;
}

/** Which of several merged recordings an event is of, or null. */
function sourceOf(position: number): string | null {
  const { interned } = recording.value;
  const b = recording.value.decode(recording.value.blockOf(position));
  return interned.recordings[b.recording[position - b.position]] ?? null;
}

function Changes({ now }: { readonly now: Moment }): ComponentChildren {
  const others = [...now.others];
  if (now.changed.length === 0 && others.length === 0) return <p>Nothing of what the kernel keeps in a domain.</p>;
  return (
    <>
      {now.changed.length > 0 && (
        <table class="changes">
          <caption class="heard-only">What event {now.position} changed</caption>
          <thead><tr><th scope="col">what</th><th scope="col">before</th><th scope="col">after</th></tr></thead>
          {now.changed.map((change) => <ChangeRows key={change.name} change={change} />)}
        </table>
      )}
      {others.length > 0 && <ul>{others.map(([what, count]) => <li key={what}><span class="mono">{what}</span> in {count} {now.changed.length > 0 ? 'other ' : ''}domain{count === 1 ? '' : 's'}</li>)}</ul>}
    </>
  );
}

function ChangeRows({ change }: { readonly change: DomainChange }): ComponentChildren {
  const { domain, generation, name, isNew, changes } = change;
  const look = (): void => void (chosen.value = { domain, generation });
  return (
    <tbody data-changed={name}>
      <tr><th scope="rowgroup" colSpan={3} class="mono"><button type="button" class="link" aria-label={`look at ${name}`} onClick={look}>{name}</button>{isNew && <span class="dim"> first seen</span>}</th></tr>
      {changes.map(({ field, before, after }, n) => (
        <tr key={n} data-change={field}>
          <td>{FIELD_NAMES[field]}</td>
          <td class="mono">{before ?? '-'}</td>
          <td class="mono">{after ?? (field === 'msi_pages' ? 'gone' : '-')}</td>
        </tr>
      ))}
    </tbody>
  );
}

/** Returns findings as a list, with links to where they are explained if `linked`. */
export function FindingList({ findings, linked = true }: { readonly findings: readonly Finding[]; readonly linked?: boolean }): ComponentChildren {
  return (
    <ul class="instant-findings">
      {findings.map((f, n) => (
        <li key={n}>
          <span class="severity" data-severity={f.severity}>{f.severity}</span>{' '}
          {linked ? <a href={`#finding-${f.position}-${n + 1}`} onClick={(event) => reveal(event, f.position, n)}>{f.rule}</a> : <code>{f.rule}</code>}
          {` (${f.outcome}) `}{escapeText(f.message)}
        </li>
      ))}
    </ul>
  );
}

/** Goes to the finding in the list of findings without touching the part of the URL that makes a link of the page. */
function reveal(event: TargetedMouseEvent<HTMLElement>, position: number, n: number): void {
  const target = document.querySelectorAll<HTMLElement>(`[id^="finding-${position}-"]`)[n];
  if (target === undefined) return;
  event.preventDefault();
  target.scrollIntoView({ block: 'center' });
  if (!target.matches('a, button, [tabindex]')) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}
