/**
 * What a finding shows when it is opened: its domain's history, and expected against observed.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { STATE } from '../../machines/states.ts';
import { callText } from '../../viewer/call-text.ts';
import { domainHistory, type DomainHistory } from '../../viewer/domain-history.ts';
import { comparedRows } from '../../viewer/finding-rows.ts';
import { laneOfFinding } from '../../viewer/row-index.ts';
import { searched } from './search-recording.ts';

const { recording, lanes, index, findings } = await searched(fileURLToPath(new URL('../recordings/pdo-steal/steal.trace.txt', import.meta.url)), 'private-data-owner');
const stolen = findings.find((f) => f.rule === 'get-msi-cookie-on-iommufd')!;
const historyOf = (at: number): DomainHistory => domainHistory(recording, lanes, index, laneOfFinding(stolen, index, lanes, recording), at);

describe('the history of a domain', () => {
  test('ends with the finding, and calls in a row that change nothing are one', () => {
    const { entries, earlier } = historyOf(stolen.position);
    expect(earlier).toBe(0);
    expect(entries.map(({ from, to, count }) => [from, to, count])).toEqual([[5, 5, 1], [6, 6, 1], [7, 21, 15], [22, 22, 1], [23, 23, 1], [24, 28, 3], [33, 33, 1]]);
    expect(entries.at(-1)).toMatchObject({ before: STATE.iommufd_owned, after: STATE.msi_owned });
  });

  test('tells all events: those shown, and those it counts', () => {
    for (let at = stolen.position; at <= recording.length; at++) {
      const { entries, earlier } = historyOf(at);
      expect(entries.length).toBeLessThanOrEqual(8);
      const lane = laneOfFinding(stolen, index, lanes, recording);
      expect(entries.reduce((sum, e) => sum + e.count, earlier)).toBe(index.lane.subarray(0, at).filter((n) => n === lane).length);
    }
  });
});

test('every finding has its domain’s lane', () => {
  for (const f of findings) expect(recording.interned.addresses.text(lanes.list[laneOfFinding(f, index, lanes, recording)].domain)).toBe(f.domain);
});

describe('expected against observed', () => {
  test('a word seen at entry and at return is one row', () => {
    expect(comparedRows(stolen)).toContainEqual({ member: 'private_data_owner', expected: null, observed: '2 → 1', differs: true });
    expect(comparedRows(stolen)).toContainEqual({ member: 'type', expected: null, observed: '1 (IOMMU_DOMAIN_UNMANAGED)', differs: false });
  });

  test.each([
    [{ expected: { errno: -17 }, observed: { errno: 0 } }, [{ member: 'errno', expected: '-EEXIST (-17)', observed: '0', differs: true }]],
    [{ expected: { errno: -17 }, observed: { errno: -17 } }, [{ member: 'errno', expected: '-EEXIST (-17)', observed: '-EEXIST (-17)', differs: false }]],
    [{ expected: {}, observed: { errno: -9999 } }, [{ member: 'errno', expected: null, observed: '-9999', differs: false }]],
    [{ expected: { iova: '0x1000' }, observed: {} }, [{ member: 'iova', expected: '0x1000', observed: null, differs: false }]],
    [{ expected: {}, observed: { before: { word: '0x1' } } }, [{ member: 'word', expected: null, observed: '0x1 (at entry)', differs: false }]],
    [{ expected: {}, observed: { device: 'a\u001b[31m' } }, [{ member: 'device', expected: null, observed: String.raw`a\x1b[31m`, differs: false }]],
  ])('%j', (sides, rows) => {
    expect(comparedRows(sides)).toEqual(rows);
  });
});

test('an event is a C call, and nothing in it is raw', () => {
  expect(callText(recording.event(33))).toBe('iommu_get_msi_cookie(base=0x8000000) = 0');
  expect(callText({ type: 'iommu_release_device', device: '\u202ex' })).toBe(String.raw`iommu_release_device(device=\u{202e}x)`);
});
