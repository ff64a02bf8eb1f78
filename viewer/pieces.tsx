/**
 * Small pieces that several parts of the page show.
 */
import type { ComponentChildren } from 'preact';
import { EVENT_TYPES } from '../events/event-types.ts';
import { escapeText } from '../events/problem.ts';
import type { Severity } from '../machines/rules.ts';
import { STATES } from '../machines/states.ts';
import { taskText } from '../reports/text.ts';
import { callText } from './call-text.ts';
import { jumpTo, linkTo } from './location.ts';
import { NIL } from './recording.ts';
import { NO_STATE } from './row-index.ts';
import { rowIndex } from './search.ts';
import { history, recording } from './store.ts';
import './pieces.css';

/** A severity as a word. */
export function SeverityMark({ of }: { readonly of: Severity }): ComponentChildren {
  return <span class={`severity-mark severity-${of}`}>{of}</span>;
}

/** A link that goes to an event; `lane` is its domain's lane, or -1. */
export function EventLink({ position, lane = NIL, children }: { readonly position: number; readonly lane?: number; readonly children?: ComponentChildren }): ComponentChildren {
  const { [lane]: found } = history.value.lanes.list;
  const go = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    jumpTo(position, found ?? null);
  };
  return <a href={linkTo(position, found ?? null)} onClick={go}>{children ?? `event ${position}`}</a>;
}

/** `iommufd_owned → msi_owned`, or the state alone where it stays; codes or `NO_STATE`. */
export function StateChange({ before, after }: { readonly before: number; readonly after: number }): ComponentChildren {
  if (after === NO_STATE) return null;
  if (before === after || before === NO_STATE) return <>{STATES[after]}</>;
  return <>{STATES[before]} → <b>{STATES[after]}</b></>;
}

/** An event in one line: number, time, task, call, domain and state. */
export function EventLine({ position, withDomain }: { readonly position: number; readonly withDomain: boolean }): ComponentChildren {
  const event = recording.value.event(position);
  const { lane, before, after } = rowIndex.value;
  const found = history.value.lanes.list[lane[position - 1]];
  const task = event['task'] as string | undefined;
  const pid = event['pid'] as number | undefined;
  return (
    <>
      <EventLink position={position} lane={lane[position - 1]}>{position}</EventLink>{' '}
      {event['time'] as string ?? ''}{' '}
      {task === undefined && pid === undefined ? '' : `${taskText(task ?? null, pid ?? null)} `}
      {callText(event)}{' '}
      {(withDomain || found) && event['domain'] !== undefined && (
        <span class="domain">[{withDomain ? `${String(event['domain'])}${found ? `#${found.generation} ` : ''}` : ''}<StateChange before={before[position - 1]} after={after[position - 1]} />]</span>
      )}
    </>
  );
}

/** Calls of one function in a row, none of which changed anything, in one line. */
export function CallsLine({ from, to, count }: { readonly from: number; readonly to: number; readonly count: number }): ComponentChildren {
  const { lane, after } = rowIndex.value;
  return (
    <>
      <EventLink position={from} lane={lane[from - 1]}>{from}</EventLink> to <EventLink position={to} lane={lane[to - 1]}>{to}</EventLink>{' '}
      {recording.value.time(from)}{' '}
      {EVENT_TYPES[recording.value.kind[from - 1]]}(), {count} times{' '}
      <span class="domain">[<StateChange before={after[to - 1]} after={after[to - 1]} />]</span>
    </>
  );
}

/** Text of a recording, safe to show. */
export function safe(text: unknown): string {
  return escapeText(String(text));
}
