/**
 * The search field with its filters, and the events that match. What is chosen in the filters is written into the query.
 */
import { useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Severity } from '../machines/rules.ts';
import { plural } from '../reports/text.ts';
import { Pager } from './pager.tsx';
import { EventLine } from './pieces.tsx';
import { QUERY_CHARS, valueOf, withWord } from './search-query.ts';
import { findings, listed, matches, words } from './search.ts';
import { history, query, recording } from './store.ts';
import './search-box.css';

/** How long typing must rest before the search runs. Units: milliseconds. */
const REST = 120;
/** Events on one page. */
const PAGE = 25;

const SEVERITY_CHOICES: readonly (readonly [Severity, string])[] = [['critical', 'critical'], ['error', 'error or worse'], ['warning', 'warning or worse'], ['info', 'any']];

/** Returns the part of the page. */
export function SearchBox(): ComponentChildren {
  const typed = useSignal(query.peek());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useSignalEffect(() => {
    // Somebody else changed it: a filter, a link.
    if (query.value !== typed.peek().trim()) typed.value = query.value;
  });
  const set = (text: string): void => {
    clearTimeout(timer.current);
    typed.value = text;
    query.value = text.trim();
  };
  const type = (text: string): void => {
    typed.value = text;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => (query.value = text.trim()), REST);
  };
  return (
    <search class="search-box" aria-label="events, domains and findings">
      <form onSubmit={(event) => (event.preventDefault(), set(typed.value))}>
        <label class="wide">search <input id="search" type="search" value={typed.value} maxLength={QUERY_CHARS} autocomplete="off" spellcheck={false} autocapitalize="off"
          aria-describedby="search-syntax" onInput={(event) => type(event.currentTarget.value)} onKeyDown={(event) => event.key === 'Escape' && set('')} /></label>
        <SeverityChoice onChange={set} />
        <RuleChoice onChange={set} />
        <button type="button" disabled={typed.value === ''} onClick={() => set('')}>Show all</button>
      </form>
      <Syntax />
      <p role="status">{resultText()}</p>
      <Events key={query.value} />
    </search>
  );
}

function SeverityChoice({ onChange }: { readonly onChange: (query: string) => void }): ComponentChildren {
  const value = valueOf(words.value, 'severity') ?? '';
  return (
    <label>severity <select value={value} onChange={(event) => onChange(withWord(query.value, 'severity', event.currentTarget.value || null))}>
      <option value="" selected={value === ''}>with or without findings</option>
      {SEVERITY_CHOICES.map(([severity, text]) => <option value={severity} selected={value === severity}>{text}</option>)}
    </select></label>
  );
}

function RuleChoice({ onChange }: { readonly onChange: (query: string) => void }): ComponentChildren {
  const counts = new Map<string, number>();
  for (const { rule } of findings.value) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const value = valueOf(words.value, 'rule') ?? '';
  return (
    <label>rule <select value={value} onChange={(event) => onChange(withWord(query.value, 'rule', event.currentTarget.value || null))}>
      <option value="" selected={value === ''}>any</option>
      {value !== '' && !counts.has(value) && <option value={value} selected>{value}</option>}
      {[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([rule, n]) => <option value={rule} selected={value === rule}>{rule} ({n})</option>)}
    </select></label>
  );
}

function Syntax(): ComponentChildren {
  return (
    <details class="syntax">
      <summary id="search-syntax">words that must all match; <code>domain: device: task: rule: fn: state: severity:</code></summary>
      <dl>
        <div><dt><code>0000:00:03.0</code></dt><dd>a bare word looks in all of these but the severity; upper and lower case are the same; no patterns</dd></div>
        <div><dt><code>domain:0xffff0000035e9d20#1</code></dt><dd>the address, or a piece of it; with # one incarnation</dd></div>
        <div><dt><code>device:0000:00:03.0</code></dt><dd>events that name the device, and those that name none on the domain it was last put on</dd></div>
        <div><dt><code>task:vt-842</code></dt><dd>the name or a piece of it, the pid, or both</dd></div>
        <div><dt><code>rule:use-after-free</code></dt><dd>findings of the rule, or of all rules with this in their name, and their events</dd></div>
        <div><dt><code>fn:iommu_get_msi</code></dt><dd>the function called, or the one that called it</dd></div>
        <div><dt><code>state:msi_owned</code></dt><dd>the domain's state before or after the event</dd></div>
        <div><dt><code>severity:error</code></dt><dd>findings of this severity or worse, and their events</dd></div>
        <div><dt><code>task:"irq worker"</code></dt><dd>quotes hold blanks</dd></div>
      </dl>
      <p>An event must match every word. A domain is shown when for every word there is an event on it.</p>
    </details>
  );
}

function resultText(): string {
  const { lanes } = history.value;
  const found = matches.value;
  if (found === null) return '';
  return `${found.events.length} of ${plural(recording.value.length, 'event')}, ${found.laneCount} of ${plural(lanes.list.length, 'domain')}, ${listed.value.length} of ${plural(findings.value.length, 'finding')}`;
}

/** The events that match, a page at a time. */
function Events(): ComponentChildren {
  const page = useSignal(0);
  const open = useSignal(false);
  const events = matches.value?.events;
  if (!events || events.length === 0) return null;
  const pages = Math.ceil(events.length / PAGE);
  const at = Math.min(page.value, pages - 1);
  return (
    <details open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>{plural(events.length, 'event')}</summary>
      {open.value && (
        <>
          <Pager what="events" page={at} pages={pages} onPage={(to) => (page.value = to)} />
          <ol class="events">{[...events.subarray(at * PAGE, (at + 1) * PAGE)].map((p) => <li key={p}><EventLine position={p} withDomain /></li>)}</ol>
        </>
      )}
    </details>
  );
}
