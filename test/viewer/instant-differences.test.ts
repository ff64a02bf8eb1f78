/**
 * Compare mode of the page: where two histories part, counted against each design's own audit of the same recording.
 */
import { describe, expect, test } from 'vitest';
import { KIND } from '../../events/event-types.ts';
import { NO_ERRNO } from '../../machines/transition-table.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import { Audit } from '../../projections/audit.ts';
import { countUpTo, differencesOf, kindsOf, nextOf, previousOf } from '../../viewer/differences.ts';
import type { PageRecording } from '../../viewer/recording.ts';
import { historyUnder, openPage, recordingPath } from './instant-page.ts';

/** What a design says of each event, as text, by an audit of its own. */
function saidBy(page: PageRecording, id: string): string[] {
  const design = DESIGNS.find((d) => d.id === id)!;
  const audit = new Audit(design, page.header.designs.find((d) => d.id === id)!.own);
  const said: string[] = Array.from({ length: page.length }, () => 'no domain');
  for (let k = 0; k < page.blocks.length; k++) {
    const b = page.decode(k);
    audit.onStep = (i, _, before, after, verdict) => {
      const errno = verdict < 0 ? NO_ERRNO : audit.table.verdictErrno[verdict];
      said[b.position + i - 1] = `${errno} ${after}`;
      expect(before).toBeLessThan(8);
    };
    audit.apply(b);
  }
  audit.end();
  const rules = new Map<number, Set<string>>();
  for (const f of audit.findings.list) rules.set(f.position, (rules.get(f.position) ?? new Set()).add(f.rule));
  return said.map((text, n) => `${text} ${[...(rules.get(n + 1) ?? [])].sort().join()}`);
}

describe.each(['pdo-steal/steal.trace.txt', 'own72n/iommufd.trace.txt', 'deb72/errors.trace.txt', 'deb73ident/identity.trace.txt'])('%s', (name) => {
  test('parts where the audits part, under every pair with its own design', async () => {
    const page = await openPage(recordingPath(name));
    const own = historyUnder(page);
    const a = saidBy(page, own.design.id);
    for (const { id } of DESIGNS) {
      const other = historyUnder(page, id);
      const b = saidBy(page, id);
      const positions = differencesOf(own, other);
      expect([...positions], id).toEqual(a.flatMap((text, n) => (text === b[n] ? [] : [n + 1])));
      const kinds = kindsOf(own, other, positions);
      expect(kinds.reduce((sum, k) => sum + k.count, 0)).toBe(positions.length);
      expect(kinds.map((k) => k.first)).toEqual(kinds.map((k) => k.first).toSorted((x, y) => x - y));
    }
  });
});

test('a design does not part from itself', async () => {
  const page = await openPage(recordingPath('pdo-steal/steal.trace.txt'));
  expect(differencesOf(historyUnder(page), historyUnder(page))).toHaveLength(0);
});

test('the steal: v7.3 refuses what private-data-owner lets through', async () => {
  const page = await openPage(recordingPath('pdo-steal/steal.trace.txt'));
  const a = historyUnder(page);
  const b = historyUnder(page, 'v7.3');
  const positions = differencesOf(a, b);
  expect(positions[0]).toBe(33);
  expect(page.kind[32]).toBe(KIND.iommu_get_msi_cookie);
  expect(kindsOf(a, b, positions)[0]).toEqual({
    event: 'iommu_get_msi_cookie', first: 33, count: 1,
    a: { errno: 0, state: 'msi_owned', rules: ['get-msi-cookie-on-iommufd'] },
    b: { errno: -17, state: 'iommufd_owned', rules: ['get-msi-cookie-on-iommufd'] },
  });
});

test('jumps among sorted positions', () => {
  const positions = Float64Array.of(3, 5, 5, 9);
  expect([0, 3, 4, 5, 8, 9, 99].map((p) => countUpTo(positions, p))).toEqual([0, 1, 1, 3, 3, 4, 4]);
  expect([0, 3, 5, 9].map((p) => nextOf(positions, p))).toEqual([3, 5, 9, null]);
  expect([3, 4, 5, 9, 99].map((p) => previousOf(positions, p))).toEqual([null, 3, 3, 5, 9]);
  expect(nextOf(new Float64Array(), 0)).toBeNull();
});
