/**
 * One domain at one instant under one design: its state, packed word, MSI page table, devices and groups, as `replay --at` says.
 */
import type { ComponentChildren } from 'preact';
import { MAP } from '../machines/domain-context.ts';
import { NONE } from '../machines/transition-table.ts';
import type { Audit } from '../projections/audit.ts';
import type { DomainView } from '../projections/domain-view.ts';
import { domainName, fieldTexts } from './domain-text.ts';
import type { History } from './history.ts';
import { step } from './instant-state.ts';
import { WordBits } from './word-bits.tsx';

/** Who mapped an MSI page. */
const BACK_ENDS: Readonly<Record<number, string>> = { [MAP.dma]: 'dma-iommu', [MAP.iommufd]: 'iommufd' };

/** Which domain to show, of which history, when. */
export interface DetailProps {
  readonly history: History;
  readonly position: number;
  readonly domain: number;
  readonly generation: number;
}

/** Returns a domain in full, or why there is none to show. */
export function DomainDetail({ history, position, domain, generation }: DetailProps): ComponentChildren {
  const view = history.domainAt(position, domain, generation);
  if (view === null) return <Absent history={history} position={position} domain={domain} generation={generation} />;
  const texts = fieldTexts(view);
  return (
    <div class="detail" data-chosen={domainName(view)}>
      <dl class="facts">
        <dt>state</dt><dd data-field="state"><StateMark state={texts.state} /></dd>
        <dt>type</dt><dd class="mono" data-field="type">{texts.type}</dd>
        <dt>word</dt><dd class="mono" data-field="word">{texts.word}</dd>
        <dt>next MSI IOVA</dt><dd class="mono" data-field="msi_next">{texts.msi_next}</dd>
        <dt>devices</dt><dd class="mono" data-field="devices">{texts.devices}</dd>
        <dt>groups</dt><dd class="mono" data-field="groups">{texts.groups}</dd>
        <dt>events</dt><dd class="mono"><EventLink position={view.first} field="first" /> .. <EventLink position={view.last} field="last" /></dd>
      </dl>
      <h4>Packed word</h4>
      {view.word === null && <p class="dim">{view.state === 'freed' ? 'Freed memory: what it holds is not defined.' : `Not known: nothing has told the ${view.type === null ? 'type' : 'owner'}.`}</p>}
      <WordBits history={history} word={view.word} />
      <h4>MSI page table</h4>
      <PageTable view={view} backEnds={backEndsOf(history.at(position), domain)} />
    </div>
  );
}

/** Returns a state with its colour. */
export function StateMark({ state }: { readonly state: string }): ComponentChildren {
  return <span class="state-mark mono" data-state={state}>{state}</span>;
}

/** Returns the position of an event as a way to it; `field` names it for programs. */
export function EventLink({ position, field }: { readonly position: number; readonly field?: string }): ComponentChildren {
  return <button type="button" class="link mono" data-field={field} aria-label={`go to event ${position}`} onClick={() => step(position)}>{position}</button>;
}

function PageTable({ view, backEnds }: { readonly view: DomainView; readonly backEnds: readonly string[] }): ComponentChildren {
  if (view.msi_pages.length === 0) return <p class="dim">No MSI page is mapped{view.state === 'unknown' ? ', as far as was seen' : ''}.</p>;
  return (
    <div class="scroll" role="group" aria-label="MSI page table" tabIndex={0}>
      <table class="pages">
        <caption class="heard-only">MSI pages of {domainName(view)}</caption>
        <thead><tr><th scope="col">iova</th><th scope="col">phys</th><th scope="col">size</th><th scope="col">mapped by</th><th scope="col">event</th></tr></thead>
        <tbody>
          {view.msi_pages.map((p, n) => (
            <tr key={n}><th scope="row" class="mono">{p.iova}</th><td class="mono">{p.phys}</td><td class="mono">0x{p.size.toString(16)}</td><td>{backEnds[n]}</td><td><EventLink position={p.position} /></td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Who mapped each page. Order: as the view has the pages. */
function backEndsOf({ rows }: Audit, d: number): string[] {
  const names: string[] = [];
  for (let p = rows.pageHead[d]; p !== NONE; p = rows.pages.next[p]) names.push(BACK_ENDS[rows.pages.backend[p]] ?? 'another caller');
  return names;
}

function Absent({ history, position, domain, generation }: DetailProps): ComponentChildren {
  const { lanes } = history;
  const lane = lanes.list[lanes.find(domain, generation)];
  if (lane === undefined) return <p>This domain is not in the recording.</p>;
  return lane.first > position
    ? <p>Not seen yet at this instant: its first event is <EventLink position={lane.first} />.</p>
    : <p>Its address stands for a later domain at this instant; its own events are <EventLink position={lane.first} /> .. <EventLink position={lane.end || lane.first} />.</p>;
}
