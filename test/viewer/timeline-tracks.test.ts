/**
 * The lanes say of every domain, after every event, what the audit says: also after losses, where owners are unknown.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Audit } from '../../projections/audit.ts';
import { EventBatch } from '../../events/batch.ts';
import { STATES } from '../../machines/states.ts';
import type { History } from '../../viewer/history.ts';
import { laneOf, stateAt, tracksOf, type Tracks } from '../../viewer/timeline-tracks.ts';
import { historyOf, pageOfEvents, pageRecording } from './page-history.ts';

const FOLDER = fileURLToPath(new URL('../recordings/', import.meta.url));

function tracks(history: History): Tracks {
  const { addresses } = history.recording.interned;
  return tracksOf(history.lanes, history.findings, (address) => {
    for (let n = 0; n < addresses.size; n++) if (addresses.text(n) === address) return n;
    return -1;
  });
}

/** Lines about instants at which a lane says something else than the audit. */
function differences(history: History): string[] {
  const { recording } = history;
  const t = tracks(history);
  const audit = new Audit(history.design, history.own);
  const one = new EventBatch(recording.interned);
  const told: string[] = [];
  for (let p = 1; p <= recording.length; p++) {
    recording.slice(recording.blockOf(p), p, p, one);
    audit.apply(one);
    for (let d = 0; d < audit.incarnations.size; d++) {
      if (audit.incarnations.born[d] === 0) continue;
      const lane = laneOf(t, d, audit.incarnations.generation[d]);
      if (lane < 0 || t.lanes[lane].first !== audit.incarnations.first[d]) {
        told.push(`${p} ${recording.interned.addresses.text(d)}: its lane begins at ${lane < 0 ? 'nowhere' : t.lanes[lane].first}, the domain at ${audit.incarnations.first[d]}`);
        continue;
      }
      const drawn = stateAt(t, lane, p);
      if (drawn !== audit.rows.state[d]) told.push(`${p} ${recording.interned.addresses.text(d)}: ${STATES[drawn]}, the audit has ${STATES[audit.rows.state[d]]}`);
    }
  }
  return told;
}

const FILES = globSync('*/*.{trace.txt,trace.txt.gz,dat,ndjson,perf.txt}', { cwd: FOLDER }).sort();

describe('lanes of real recordings are the audit’s states at every instant', () => {
  it.each(FILES.map((f) => [f]))('%s', async (file) => {
    const page = await pageRecording(join(FOLDER, file));
    for (const design of ['v7.3', 'v6.12', 'private-data-owner']) expect(differences(historyOf(page, design)).slice(0, 5)).toEqual([]);
  });
});

describe('lanes of events made by hand', () => {
  const X = '0xffff000000001000';
  const Y = '0xffff000000002000';
  const lost = { type: 'events_lost', cpu: 1, count: 7 };
  const alloc = (domain: string): Record<string, unknown> => ({ type: 'iommu_domain_alloc', domain, domain_type: 1, errno: 0 });
  const attach = (domain: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ type: 'iommu_group_set_domain', group: 3, domain, errno: 0, ...more });
  const msi = { type: 1, cookie_type: 2 };

  const runs = (events: readonly Record<string, unknown>[], address: string): string[] => {
    const history = historyOf(pageOfEvents(events), 'v7.3');
    expect(differences(history)).toEqual([]);
    const t = tracks(history);
    const lane = t.lanes.findIndex(({ domain }) => history.recording.interned.addresses.text(domain) === address);
    return Array.from({ length: t.changes.starts[lane + 1] - t.changes.starts[lane] }, (_, k) => {
      const at = t.changes.starts[lane] + k;
      return `${t.changes.position[at]} ${STATES[t.changes.value[at]]}`;
    });
  };

  it('fall to unknown at a loss, and rise again when the same owner is seen', () => {
    expect(runs([alloc(X), lost, attach(X, { before: { type: 1, cookie_type: 0 } })], X)).toEqual(['1 unowned', '2 unknown', '3 unowned']);
  });

  it('stay unknown where nothing follows; what was freed does not fall', () => {
    expect(runs([alloc(X), lost, lost], X)).toEqual(['1 unowned', '2 unknown']);
    expect(runs([alloc(X), { type: 'iommu_domain_free', domain: X }, lost], X)).toEqual(['1 unowned', '2 freed']);
  });

  it('follow what memory shows of a domain that is left', () => {
    expect(runs([attach(X), attach(Y, { old_domain: X, old: msi, before: msi })], X)).toEqual(['1 unknown', '2 msi_owned']);
    expect(runs([attach(X, { before: msi }), lost, attach(Y, { old_domain: X, old: msi, before: msi })], X)).toEqual(['1 msi_owned', '2 unknown', '3 msi_owned']);
  });
});
