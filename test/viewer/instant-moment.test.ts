/**
 * The instant of the page: what it shows at a position is what a replay from the start shows there, from wherever one comes,
 * and nothing that an event changed is missing from what the page says that it changed.
 */
import { describe, expect, test } from 'vitest';
import { Audit } from '../../projections/audit.ts';
import { aliveViews, type DomainView } from '../../projections/domain-view.ts';
import { domainName, fieldTexts } from '../../viewer/domain-text.ts';
import { aliveDomains, changesOf, momentAt } from '../../viewer/moment.ts';
import type { PageRecording } from '../../viewer/recording.ts';
import type { History } from '../../viewer/history.ts';
import { historyUnder, openPage, recordingPath } from './instant-page.ts';

const RECORDINGS = ['pdo-steal/steal.trace.txt', 'own72n/iommufd.trace.txt', 'deb72/errors.trace.txt', 'own72v/variant-overrun.trace.txt', 'own72v/variant-trace_pipe-lost.trace.txt', 'own612n/iommufd.trace.txt', 'deb73ident/identity.trace.txt'];

/** The domains after a position by a replay that knows no snapshots. */
function replayed(page: PageRecording, history: History, position: number): DomainView[] {
  const audit = new Audit(history.design, history.own);
  for (let k = 0; k < page.blocks.length && page.starts[k] < position; k++) audit.apply(page.decode(k), position);
  return aliveViews(audit, page.interned, history.arch);
}

describe.each(RECORDINGS)('%s', (name) => {
  test('shows at a position what a replay from the start shows, from wherever one comes', async () => {
    const page = await openPage(recordingPath(name));
    const history = historyUnder(page);
    const positions = Array.from({ length: 60 }, (_, n) => 1 + ((n * 7919) % page.length));
    for (const position of [page.length, 1, ...positions, 0]) {
      momentAt(history, position);
      expect(history.domainsAt(position), `position ${position}`).toEqual(replayed(page, history, position));
      const { interned } = page;
      expect(aliveDomains(history.at(position)).map((d) => interned.addresses.text(d))).toEqual(history.domainsAt(position).map((v) => v.domain));
    }
  });

  test('tells every change of every domain', async () => {
    const page = await openPage(recordingPath(name));
    const history = historyUnder(page);
    let before = new Map<string, DomainView>();
    for (let position = 1; position <= page.length; position++) {
      const { changed, others } = momentAt(history, position);
      const after = new Map(history.domainsAt(position).map((v) => [domainName(v), v]));
      const told = new Map(changed.map((c) => [c.name, c]));
      let untold = [...others.values()].reduce((sum, n) => sum + n, 0);
      for (const [domain, view] of after) {
        const expected = changesOf(before.get(domain) ?? null, view);
        if (told.has(domain)) expect(told.get(domain)!.changes, `${domain} at ${position}`).toEqual(expected);
        else if (expected.length > 0) expect(untold--, `${domain} at ${position}: ${JSON.stringify(expected)}`).toBeGreaterThan(0);
      }
      for (const domain of before.keys()) if (!after.has(domain)) expect(told.get(domain)?.changes ?? [...told.keys()].filter((n) => n.startsWith(domain.split('#')[0])), `${domain} at ${position}`).not.toEqual([]);
      before = after;
    }
  });

  test('says of each event on a domain what the audit says', async () => {
    const page = await openPage(recordingPath(name));
    const history = historyUnder(page);
    for (let position = 1; position <= page.length; position++) {
      const { judged, event, subject } = momentAt(history, position);
      expect(event!['type']).toBe(page.event(position)['type']);
      const { errno, state } = history.answers.at(position);
      expect(judged === null ? { errno: null, state: null } : { errno: judged.errno, state: judged.after }).toEqual({ errno, state });
      if (judged !== null) expect(subject).toEqual({ domain: judged.domain, generation: judged.generation });
      if (judged !== null) expect(fieldTexts(history.domainAt(position, judged.domain, judged.generation)!).state).toBe(state);
    }
  });
});

test('before the first event there is nothing', async () => {
  const page = await openPage(recordingPath(RECORDINGS[0]));
  const history = historyUnder(page);
  expect(momentAt(history, 0)).toMatchObject({ event: null, judged: null, changed: [], subject: null });
  expect(history.domainsAt(0)).toEqual([]);
});

test('the steal: one event takes the domain from iommufd', async () => {
  const page = await openPage(recordingPath('pdo-steal/steal.trace.txt'));
  const { judged, changed } = momentAt(historyUnder(page), 33);
  expect(judged).toMatchObject({ before: 'iommufd_owned', after: 'msi_owned', errno: 0 });
  expect(changed.map(({ changes }) => changes)).toEqual([[
    { field: 'state', before: 'iommufd_owned', after: 'msi_owned' },
    { field: 'word', before: '01000080 type=1 private_data_owner=2', after: '01000040 type=1 private_data_owner=1' },
    { field: 'msi_next', before: 'none', after: '0x8000000' },
  ]]);
});
