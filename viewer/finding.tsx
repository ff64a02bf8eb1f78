/**
 * One finding: a line, and when it is opened everything that it rests on: the rule, the kernel source, expected against observed,
 * the recording's lines around it and what its domain went through before.
 */
import { useComputed, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { RULES, ruleIndex } from '../machines/rules.ts';
import { errnoText, STATE } from '../machines/states.ts';
import type { Finding } from '../projections/finding.ts';
import { findingText } from '../reports/audit-text.ts';
import { plural, taskText } from '../reports/text.ts';
import { copy } from './copy.ts';
import { domainHistory } from './domain-history.ts';
import { comparedRows } from './finding-rows.ts';
import { jumpTo } from './location.ts';
import { CallsLine, EventLine, EventLink, safe, SeverityMark, StateChange } from './pieces.tsx';
import { printing } from './printing.ts';
import { NIL } from './recording.ts';
import { laneOfFinding } from './row-index.ts';
import { rowIndex } from './search.ts';
import { history, position, recording } from './store.ts';
import './finding.css';

/** A finding in the list. `nth` tells apart the findings of one event. */
export function FindingView({ finding: f, nth }: { readonly finding: Finding; readonly nth: number }): ComponentChildren {
  const open = useSignal(false);
  const shown = open.value || printing.value;
  // Drawn again when this changes, not whenever the instant moves.
  const current = useComputed(() => position.value === f.position).value;
  return (
    <article class={`finding finding-${f.severity}`} id={`finding-${f.position}-${nth}`} aria-current={current ? 'true' : undefined} aria-label={`${f.severity} ${f.rule}, event ${f.position}`}>
      <details open={shown} onToggle={(event) => (open.value = event.currentTarget.open)}>
        <summary>
          <SeverityMark of={f.severity} /> <b>{f.rule}</b> <span class="where">{whereText(f)}{current ? ', the instant shown' : ''}</span>
          <span class="sentence">{safe(f.message)}</span>
        </summary>
        {shown && <Details finding={f} />}
      </details>
    </article>
  );
}

/** `line 121, event 33, 125.345816 s`. */
function whereText(f: Finding): string {
  return [f.line === null ? null : `line ${f.line}`, f.recording === null ? null : safe(f.recording), `event ${f.position}`, f.time === null ? null : `${f.time} s`].filter(Boolean).join(', ');
}

function Details({ finding: f }: { readonly finding: Finding }): ComponentChildren {
  const { lanes } = history.value;
  const lane = laneOfFinding(f, rowIndex.value, lanes, recording.value);
  const { [ruleIndex(f.rule)]: rule } = RULES;
  const { errno } = f.observed;
  return (
    <div class="finding-body">
      <p class="buttons">
        <button type="button" onClick={() => jumpTo(f.position, lanes.list[lane] ?? null)}>Go to this instant</button>{' '}
        <button type="button" onClick={() => void copy(findingText(f), 'finding')}>Copy as text</button>
      </p>
      <dl>
        <Row name="call">{f.event}(){typeof errno === 'number' ? ` = ${errnoText(errno)}` : ''}</Row>
        {f.caller !== null && <Row name="caller">{safe(f.caller)}</Row>}
        {(f.task !== null || f.pid !== null) && <Row name="task">{taskText(f.task, f.pid)}{f.cpu === null ? '' : ` on CPU ${f.cpu}`}</Row>}
        {f.domain !== null && <Row name="domain">{f.domain}#{f.generation} {f.before !== null && f.after !== null && <StateChange before={STATE[f.before]} after={STATE[f.after]} />}</Row>}
        {f.device !== null && <Row name="device">{safe(f.device)}</Row>}
        {f.group !== null && <Row name="group">{f.group}</Row>}
        <Row name="outcome">{f.outcome}</Row>
        {f.follows !== null && <Row name="follows from"><EventLink position={f.follows} lane={lane} /></Row>}
        {!f.message.startsWith(rule.sentence) && <Row name="rule">{rule.sentence}</Row>}
        <Row name="why">{rule.why}</Row>
        <Row name="source"><code>{f.source}</code>{rule.cites === '' ? '' : ` (${rule.cites})`}</Row>
      </dl>
      <Compared finding={f} />
      <Lines finding={f} />
      {lane !== NIL && <Before position={f.position} lane={lane} domain={`${f.domain}#${f.generation}`} />}
    </div>
  );
}

function Row({ name, children }: { readonly name: string; readonly children: ComponentChildren }): ComponentChildren {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function Compared({ finding }: { readonly finding: Finding }): ComponentChildren {
  const rows = comparedRows(finding);
  if (rows.length === 0) return null;
  const predicted = rows.some(({ expected }) => expected !== null);
  return (
    <table>
      <caption>{predicted ? `expected by ${history.value.design.id}, and observed` : 'observed'}</caption>
      <thead><tr><th scope="col">member</th>{predicted && <th scope="col">expected</th>}<th scope="col">observed</th></tr></thead>
      <tbody>
        {rows.map(({ member, expected, observed, differs }) => (
          <tr class={differs ? 'differs' : ''}>
            <th scope="row">{member}</th>{predicted && <td>{expected ?? <i>not predicted</i>}</td>}<td>{observed ?? <i>not recorded</i>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The recording's lines around the finding; its own has a mark in front. */
function Lines({ finding: f }: { readonly finding: Finding }): ComponentChildren {
  const excerpt = recording.value.header.excerpts[String(f.position)];
  if (!excerpt || f.line === null) return null;
  const { first, lines } = excerpt;
  const width = String(first + lines.length - 1).length;
  return (
    <figure>
      <figcaption>lines {first} to {first + lines.length - 1} of the recording; &gt; is the finding's own</figcaption>
      <pre tabIndex={0} aria-label="lines of the recording">
        {lines.map((text, n) => {
          const line = `${first + n === f.line ? '>' : ' '}${String(first + n).padStart(width)}  ${safe(text)}`;
          return <>{first + n === f.line ? <mark>{line}</mark> : line}{'\n'}</>;
        })}
      </pre>
    </figure>
  );
}

/** What the domain went through up to the finding. */
function Before({ position: at, lane, domain }: { readonly position: number; readonly lane: number; readonly domain: string }): ComponentChildren {
  const { lanes } = history.value;
  const { entries, earlier } = domainHistory(recording.value, lanes, rowIndex.value, lane, at);
  return (
    <figure>
      <figcaption>
        {domain} up to here{earlier === 0 ? '' : <>: first seen in <EventLink position={lanes.list[lane].first} lane={lane} />, then {plural(earlier - 1, 'event')} that {earlier === 2 ? 'is' : 'are'} not shown, then</>}
      </figcaption>
      <ol class="history">
        {entries.map((e) => <li>{e.count === 1 ? <EventLine position={e.from} withDomain={false} /> : <CallsLine {...e} />}</li>)}
      </ol>
    </figure>
  );
}
