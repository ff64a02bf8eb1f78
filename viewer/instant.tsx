/**
 * Time travel: one instant of the recording under the design that judges. Says what `replay --at POSITION` says.
 */
import type { ComponentChildren } from 'preact';
import { ChartView } from './chart-view.tsx';
import { DomainDetail } from './domain-detail.tsx';
import { DomainTable } from './domain-table.tsx';
import { moment, subject, subjectName } from './instant-state.ts';
import { LastEvent } from './last-event.tsx';
import { Scrubber } from './scrubber.tsx';
import { history, position, recording } from './store.ts';
import './instant.css';

/** Returns the part of the page. */
export function Instant(): ComponentChildren {
  return (
    <section class="instant" aria-labelledby="instant-title" data-part="instant" data-position={position.value}>
      <h2 id="instant-title">Instant</h2>
      <Scrubber />
      <div class="instant-parts">
        <LastEvent />
        <LookedAt />
        <Chart />
      </div>
      <DomainTable />
    </section>
  );
}

function LookedAt(): ComponentChildren {
  const at = subject.value;
  return (
    <div class="instant-domain">
      <h3>Domain {at !== null && <code>{subjectName.value}</code>} under {history.value.design.id}</h3>
      {at === null ? <p>No domain has been seen yet.</p> : <DomainDetail history={history.value} position={position.value} domain={at.domain} generation={at.generation} />}
    </div>
  );
}

function Chart(): ComponentChildren {
  const at = subject.value;
  const { design } = history.value;
  const { judged, event } = moment.value;
  const view = at === null ? null : history.value.domainAt(position.value, at.domain, at.generation);
  const isItsOwn = judged !== null && judged.domain === at?.domain && judged.generation === at.generation;
  return (
    <div class="instant-chart">
      <ChartView
        design={design.id} chart={recording.value.header.designs.find((d) => d.id === design.id)!.chart} state={view?.state ?? null}
        edge={isItsOwn ? { from: judged.before, to: judged.after, type: String(event!['type']) } : null} />
    </div>
  );
}
