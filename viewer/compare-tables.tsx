/**
 * The tables of compare mode: what two designs say of one event, and in which ways they part in the whole recording.
 */
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { errnoText } from '../machines/states.ts';
import { kindsOf, type DesignVerdict } from './differences.ts';
import { EventLink, StateMark } from './domain-detail.tsx';
import type { History } from './history.ts';
import { findingsAt, type FoundAt } from './instant-state.ts';
import type { Moment } from './moment.ts';

/** Kinds shown; the rest is counted. */
const SHOWN = 200;

/** One design's part of the comparison of an event. */
export interface EventSide {
  readonly of: History;
  readonly now: Moment;
  readonly findings: FoundAt;
}

/** What both designs say of the event at hand, and what the recorded kernel did. */
export function EventTable({ sides: [first, second] }: { readonly sides: readonly [EventSide, EventSide] }): ComponentChildren {
  const { position, event } = first.now;
  const recorded = event!['errno'];
  const sides = [first, second].map(({ of, now, findings }) => {
    const { errno, state } = of.answers.at(position);
    const rules = [...new Set(findingsAt(findings, position).map((f) => f.rule))].sort();
    return { id: of.design.id, before: now.judged?.before ?? 'none', errno: errno === null ? 'none' : errnoText(errno), state: state ?? 'none', rules: rules.length === 0 ? 'none' : rules.join(' ') };
  });
  const row = (name: string, field: 'errno' | 'before' | 'state' | 'rules'): ComponentChildren => {
    const differs = sides[0][field] !== sides[1][field];
    return (
      <tr class={differs && field !== 'before' ? 'differs' : ''}>
        <th scope="row">{name}</th>
        {sides.map((s) => <td key={s.id} class="mono" data-design={s.id} data-field={field}>{(field === 'state' || field === 'before') && s[field] !== 'none' ? <StateMark state={s[field]} /> : s[field]}</td>)}
        <td>{differs ? '≠ differs' : 'same'}</td>
      </tr>
    );
  };
  return (
    <div class="scroll" role="group" aria-label="what both designs say of the event" tabIndex={0}>
      <table class="compare-event">
        <caption>Event {position}, <code>{String(event!['type'])}</code>{typeof recorded === 'number' && <>; the recorded kernel answered <code>{errnoText(recorded)}</code></>}</caption>
        <thead><tr><th scope="col">what</th>{sides.map((s) => <th key={s.id} scope="col">{s.id}</th>)}<th scope="col">both</th></tr></thead>
        <tbody>
          {row('answer', 'errno')}
          {row('state before', 'before')}
          {row('state after', 'state')}
          {row('rules met', 'rules')}
        </tbody>
      </table>
    </div>
  );
}

/** In which ways the designs part: like differences together, with the way to the first of each kind. */
export function Kinds({ history, other, positions }: { readonly history: History; readonly other: History; readonly positions: Float64Array }): ComponentChildren {
  const kinds = useMemo(() => kindsOf(history, other, positions), [history, other, positions]);
  return (
    <details class="compare-kinds">
      <summary>{kinds.length === 1 ? 'All of one kind' : `${kinds.length} kinds of differences`}</summary>
      <div class="scroll" role="group" aria-label="kinds of differences" tabIndex={0}>
        <table class="compare-event">
          <caption class="heard-only">Kinds of differences, by their first event</caption>
          <thead><tr><th scope="col">call</th><th scope="col">{history.design.id}</th><th scope="col">{other.design.id}</th><th scope="col">events</th><th scope="col">first</th></tr></thead>
          <tbody>
            {kinds.slice(0, SHOWN).map((kind) => (
              <tr key={kind.first}>
                <th scope="row" class="mono">{kind.event}</th><td class="mono"><Verdict of={kind.a} /></td><td class="mono"><Verdict of={kind.b} /></td><td>{kind.count}</td><td><EventLink position={kind.first} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {kinds.length > SHOWN && <p>And {kinds.length - SHOWN} more.</p>}
    </details>
  );
}

function Verdict({ of: { errno, state, rules } }: { readonly of: DesignVerdict }): ComponentChildren {
  return <>{errno === null ? '' : `${errnoText(errno)} `}{state !== null && <StateMark state={state} />}{rules.length > 0 && ` ${rules.join(' ')}`}</>;
}
