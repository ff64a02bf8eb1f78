/**
 * What a search finds, in real recordings and against a slow and simple way to find it.
 */
import { fileURLToPath } from 'node:url';
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { STATES } from '../../machines/states.ts';
import { NO_STATE } from '../../viewer/row-index.ts';
import { search, type Matches } from '../../viewer/search-match.ts';
import { parseQuery } from '../../viewer/search-query.ts';
import { searched } from './search-recording.ts';

const RECORDINGS = fileURLToPath(new URL('../recordings', import.meta.url));
const steal = await searched(`${RECORDINGS}/pdo-steal/steal.trace.txt`, 'private-data-owner');
const overrun = await searched(`${RECORDINGS}/own72v/variant-overrun.trace.txt`, 'v7.3');
const STOLEN = '0xffff0000035e9d20';

const find = (query: string): Matches => search(parseQuery(query), steal);
const events = (query: string): number[] => [...find(query).events];

describe('the stolen domain', () => {
  test.each([
    ['rule:get-msi-cookie-on-iommufd', [33]],
    ['severity:critical', [33]],
    ['severity:error task:insmod', [33]],
    ['severity:info', [33, 39, 40, 48, 77]],
    ['task:insmod-845', [33]],
    ['task:845', [33]],
    ['task:nsmod-845', [33]],
    ['TASK:INSMOD', [33, 40]],
    ['task:mod-84', []],
    [`domain:${STOLEN}#1 fn:iommu_get_msi_cookie`, [33, 40]],
    [`domain:${STOLEN}# fn:iommu_get_msi_cookie`, [33, 40]],
    [`domain:${STOLEN}#2`, []],
    ['domain:35e9d20 fn:get_msi_cookie', [33, 40]],
    ['fn:iommufd_sw_msi_install', [23, 58]],
    ['state:iommufd_owned state:msi_owned', [33]],
    ['fn:get_msi 35e9d20 insmod', [33, 40]],
    ['nothing-of-this', []],
  ])('%s is in events %j', (query, found) => {
    expect(events(query)).toEqual(found);
  });

  test('a word without a field looks everywhere', () => {
    expect(events('0xffff80007914e0f4')).toEqual([33, 40]);
    expect(events('get-msi-cookie-existing')).toEqual([40]);
  });

  test('findings are judged one by one', () => {
    expect(find('rule:msi-map-failed').findings.map((f) => f.position)).toEqual([39, 48, 77]);
    expect(find('severity:error').findings.map((f) => f.rule)).toEqual(['get-msi-cookie-on-iommufd']);
    expect(find('device:0000:00:04.0').findings.map((f) => f.position)).toEqual([48]);
  });

  test('lanes are shown that have an event for every word', () => {
    const lanes = (query: string): string[] => steal.lanes.list.filter((_, n) => find(query).lanes[n] === 1).map((l) => steal.recording.interned.addresses.text(l.domain));
    expect(lanes('severity:error')).toEqual([STOLEN]);
    // No one event is both.
    expect(lanes('fn:iommufd_sw_msi_install task:insmod')).toEqual([STOLEN]);
    expect(events('fn:iommufd_sw_msi_install task:insmod')).toEqual([]);
    expect(find('fn:iommufd_sw_msi_install task:insmod').laneCount).toBe(1);
  });

  test('a device is on its domain: events that name no device are its own there, and only while it is there', () => {
    const found = events('device:0000:00:03.0 fn:iommu_map');
    expect(found).toContain(23);
    for (const p of found) expect(steal.recording.event(p)).toMatchObject({ domain: STOLEN });
    expect(events('device:0000:00:03.0')).not.toContain(1);
  });
});

test('after lost events a domain was of unknown owner', () => {
  const { recording, index } = overrun;
  const lost = Array.from({ length: recording.length }, (_, k) => k + 1).filter((p) => recording.event(p)['type'] === 'events_lost').at(-1)!;
  const next = index.lane.findIndex((lane, row) => row >= lost && lane >= 0 && index.lane.subarray(0, lost).includes(lane));
  expect(STATES[index.before[next]]).toBe('unknown');
  expect(index.after[next]).not.toBe(NO_STATE);
});

const word = fc.oneof(
  fc.record({ field: fc.constantFrom('task', 'fn', 'domain', 'state'), text: fc.constantFrom('vt', 'insmod', '842', '0xffff', '35e9', 'msi', 'iommufd', 'unowned', 'map', 'msi_owned', '#1', 'aarch64-842') }),
);

property.prop([fc.array(word, { minLength: 1, maxLength: 3 })])('a search finds the events that a look at each one finds', (words) => {
  const { recording, index, lanes } = steal;
  const slow = Array.from({ length: recording.length }, (_, k) => k + 1).filter((p) => words.every(({ field, text }) => {
    const e = recording.event(p);
    const here = lanes.list[index.lane[p - 1]];
    const rules = steal.findings.filter((f) => f.position === p);
    const states = [index.before[p - 1], index.after[p - 1]].map((s): string => STATES[s] ?? '').concat(rules.flatMap((f) => [f.before ?? '', f.after ?? '']));
    switch (field) {
      case 'task': return String(e['task'] ?? '').includes(text) || String(e['pid']) === text || (text.includes('-') && `${e['task']}-${e['pid']}`.endsWith(text));
      case 'fn': return String(e['type']).includes(text) || String(e['caller'] ?? '').includes(text);
      case 'domain': return text.includes('#') ? here !== undefined && `${recording.interned.addresses.text(here.domain)}#${here.generation}` === text : /^(0x)?[\da-f]*$/.test(text) && String(e['domain'] ?? '').includes(text);
      default: return states.some((s) => s === text || (!(STATES as readonly string[]).includes(text) && s.includes(text)));
    }
  }));
  expect(events(words.map((w) => `${w.field}:${w.text}`).join(' '))).toEqual(slow);
});
