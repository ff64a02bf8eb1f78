/**
 * All domains alive at the instant, a page of them at a time, in the order and with the texts of `replay --at POSITION`.
 * Where something is searched for, only the domains that match.
 */
import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { domainView, type DomainView } from '../projections/domain-view.ts';
import { StateMark } from './domain-detail.tsx';
import { FIELDS, domainName, fieldTexts, type Field } from './domain-text.ts';
import { subject } from './instant-state.ts';
import { aliveDomains } from './moment.ts';
import { laneFilter } from './search.ts';
import { chosen, history, position, recording } from './store.ts';

/** Rows shown at once. */
const ROWS = 50;
/** Lists longer than this are folded. Units: letters. */
const SHORT = 64;
const HEADS: Readonly<Record<Field, string>> = { state: 'state', type: 'type', word: 'word in memory', msi_pages: 'MSI pages', msi_next: 'next MSI IOVA', devices: 'devices', groups: 'groups', first: 'first event', last: 'last event' };

/** Page that was turned to while a domain was looked at; another domain turns to its own page. */
const turned = signal<{ readonly page: number; readonly key: string } | null>(null);

/** Domain numbers alive at the instant that are not filtered out, and how many are alive. */
const listed = computed(() => {
  const audit = history.value.at(position.value);
  const alive = aliveDomains(audit);
  const filter = laneFilter.value;
  if (filter === null) return { shown: alive, alive: alive.length };
  const { lanes } = history.value;
  return { shown: alive.filter((d) => filter[lanes.find(d, audit.incarnations.generation[d])] === 1), alive: alive.length };
});

/** Returns the table. */
export function DomainTable(): ComponentChildren {
  const { shown, alive } = listed.value;
  const at = subject.value;
  const key = at === null ? '' : `${at.domain} ${at.generation}`;
  const pages = Math.max(1, Math.ceil(shown.length / ROWS));
  const own = at === null ? 0 : Math.max(0, Math.floor(shown.indexOf(at.domain) / ROWS));
  const page = Math.min(pages - 1, turned.value?.key === key ? turned.value.page : own);
  const turn = (to: number): void => {
    if (to >= 0 && to < pages) turned.value = { page: to, key };
  };
  const first = page * ROWS;
  const rows = shown.slice(first, first + ROWS);
  return (
    <div class="instant-domains">
      <h3>All domains alive</h3>
      <p>
        {alive} alive{shown.length < alive ? `, ${shown.length} of them match the search` : ''}.
        {pages > 1 && (
          <span class="scrubber-group">
            {` ${first + 1} to ${first + rows.length} are shown. `}
            <button type="button" aria-disabled={page === 0} onClick={() => turn(page - 1)}>Previous {ROWS}</button>
            <button type="button" aria-disabled={page === pages - 1} onClick={() => turn(page + 1)}>Next {ROWS}</button>
          </span>
        )}
      </p>
      {rows.length > 0 && (
        <div class="scroll domains-scroll" role="group" aria-label="domains alive" tabIndex={0}>
          <table class="domains">
            <caption class="heard-only">Domains alive after event {position.value}</caption>
            <thead><tr><th scope="col">domain</th>{FIELDS.map((f) => <th key={f} scope="col">{HEADS[f]}</th>)}</tr></thead>
            <tbody>{rows.map((d, n) => <Row key={n} d={d} isChosen={at?.domain === d} />)}</tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function Row({ d, isChosen }: { readonly d: number; readonly isChosen: boolean }): ComponentChildren {
  const audit = history.value.at(position.value);
  const view = domainView(audit, recording.value.interned, d, history.value.arch);
  const texts = fieldTexts(view);
  const choose = (): void => void (chosen.value = { domain: d, generation: view.generation });
  const name = domainName(view);
  return (
    <tr data-domain={name} aria-current={isChosen ? 'true' : undefined} onClick={choose}>
      <th scope="row" class="mono"><button type="button" class="link" aria-label={`look at ${name}`} onClick={choose}>{name}</button></th>
      {FIELDS.map((f) => <td key={f} class="mono" data-field={f}>{cell(f, texts[f], view)}</td>)}
    </tr>
  );
}

function cell(field: Field, text: string, { msi_pages: { length: pages }, devices: { length: devices } }: DomainView): ComponentChildren {
  if (field === 'state') return <StateMark state={text} />;
  if (field === 'msi_pages' && pages > 0) return <Folded text={text} count={pages === 1 ? '1 page' : `${pages} pages`} />;
  return field === 'devices' && text.length > SHORT ? <Folded text={text} count={`${devices} devices`} /> : text;
}

/** A long list behind its length, which CSS writes: the text of the cell is the list. */
function Folded({ text, count }: { readonly text: string; readonly count: string }): ComponentChildren {
  return <details onClick={(event) => event.stopPropagation()}><summary data-count={count} aria-label={count} />{text}</details>;
}
