/**
 * Designs compared in one pass over the events, batch by batch: what is listed must be what separate audits of the whole
 * recording say, whatever is reported late or taken back, and what nobody knows any more must be given back.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EventBatch, HAS, createInterned } from '../../events/batch.ts';
import { KIND } from '../../events/event-types.ts';
import { renderEvent } from '../../events/ndjson.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import type { Design } from '../../machines/design.ts';
import { STATES } from '../../machines/states.ts';
import { NO_ERRNO } from '../../machines/transition-table.ts';
import { Audit } from '../../projections/audit.ts';
import { Comparison, rulesOf } from '../../projections/compare.ts';
import { FREED_KEPT } from '../../projections/incarnations.ts';
import { openRecording } from '../../recordings/open-recording.ts';
import { readAll } from '../../recordings/recording.ts';
import { RECORDINGS } from '../audit-file.ts';

type Lines = readonly string[];
type Event = Readonly<Record<string, unknown>>;

const D = '0xffff000000001000';
const E = '0xffff000000002000';
const lines = (events: readonly Event[]): Lines => events.map((event) => JSON.stringify({ v: 1, ...event }));

/** Returns the events of a recording as NDJSON, and its design. */
async function read(name: string): Promise<{ events: Lines; own: string }> {
  const recording = await openRecording(join(RECORDINGS, `${name}.trace.txt`));
  const events: string[] = [];
  await readAll(recording, (b) => {
    for (let i = 0; i < b.length; i++) events.push(renderEvent(b, i));
  });
  recording.close();
  return { events, own: recording.summary.design! };
}

/** Returns the events in batches of `size`. */
function batches(events: Lines, size: number): EventBatch[] {
  const interned = createInterned();
  const all: EventBatch[] = [];
  for (let from = 0; from < events.length; from += size) {
    const batch = new EventBatch(interned);
    batch.position = from + 1;
    for (const line of events.slice(from, from + size)) expect(parseEvent(line, batch)).toBeUndefined();
    all.push(batch);
  }
  return all;
}

interface Said {
  readonly errno: number | null;
  readonly state: string | null;
  readonly rules: readonly string[];
}

/** What one design says of each event, from an audit of its own: position → answer, state after it and rules that stand at the end. */
function alone(design: Design, own: boolean, all: readonly EventBatch[]): Said[] {
  const audit = new Audit(design, own);
  const said: { errno: number | null; state: string | null; rules: string[] }[] = [];
  let position = 0;
  audit.onStep = (i, _, __, after, verdict) => {
    const errno = verdict < 0 ? NO_ERRNO : audit.table.verdictErrno[verdict];
    Object.assign(said[position + i], { errno: errno === NO_ERRNO ? null : errno, state: STATES[after] });
  };
  for (const batch of all) {
    ({ position } = batch);
    for (let i = 0; i < batch.length; i++) said[position + i] = { errno: null, state: null, rules: [] };
    audit.apply(batch);
  }
  audit.end();
  for (const { position, rule } of audit.findings.list) said[position].rules = [...new Set([...said[position].rules, rule])].sort();
  return said;
}

function compare(ids: readonly string[], own: string, all: readonly EventBatch[]): Comparison {
  const comparison = new Comparison(ids.map((id) => ({ design: findDesign(id)!, own: id === own })));
  for (const batch of all) comparison.apply(batch);
  comparison.end();
  return comparison;
}

/** Returns what a comparison lists: position → what each design says. */
function listed(comparison: Comparison): Map<number, Said[]> {
  return new Map(comparison.list.map(({ position, verdicts }) => [position, verdicts.map((v) => ({ errno: v.errno, state: v.state, rules: rulesOf(v) }))]));
}

/** Compares designs two by two and all at once with audits of their own; returns how many differences there were. */
function checkAll(events: Lines, own: string, size: number): number {
  const whole = batches(events, 4096);
  const cut = batches(events, size);
  const said = new Map(DESIGNS.map((design) => [design.id, alone(design, design.id === own, whole)]));
  const ids = DESIGNS.map(({ id }) => id);
  const sets = [...ids.flatMap((a, n) => ids.slice(n + 1).map((b) => [a, b])), ids];
  let count = 0;
  for (const set of sets) {
    const expected = new Map<number, Said[]>();
    for (let position = 1; position <= events.length; position++) {
      const here = set.map((id) => said.get(id)![position]);
      if (new Set(here.map((s) => JSON.stringify(s))).size > 1) expected.set(position, here);
    }
    const comparison = compare(set, own, cut);
    expect(listed(comparison), set.join()).toEqual(expected);
    expect(comparison.unlisted).toBe(0);
    count += expected.size;
  }
  return count;
}

describe('what is listed is what separate audits say', () => {
  it.each([
    ['pdo-steal/steal', 7], ['pdo2-steal/steal', 50], ['own72n/iommufd', 33], ['own612n/iommufd', 1], ['own72v/variant-trace_pipe-lost', 10],
    ['own72v/variant-overrun', 10], ['stock72-steal/steal', 20],
  ] as const)('%s in batches of %i', async (name, size) => {
    const { events, own } = await read(name);
    expect(checkAll(events, own, size)).toBeGreaterThan(10);
  });

  const alloc = { type: 'iommu_domain_alloc', cpu: 1, domain: D, domain_type: 1, errno: 0 };
  const paging = { type: 'iommufd_hwpt_paging_alloc', cpu: 1, domain: D, errno: 0 };
  const theft = { type: 'iommu_get_msi_cookie', cpu: 1, domain: D, base: '0x8000000', errno: 0 };
  const free = { type: 'iommu_domain_free', cpu: 1, domain: D };

  it.each([[1, 5], [2, 5], [100, 5], [1, 2], [100, 2]])('findings that are reported at the end, in batches of %i, memory holding %i', (size, memory) => {
    // Memory shows another owner, or another type, where no probe has shown allocations yet: held until one is seen.
    const events = lines([
      { type: 'recording_started', format: 'x', source: 'x', design: 'v7.3' },
      { type: 'iommu_group_set_domain', group: 1, domain: E, errno: 0, before: { type: 1, cookie_type: 2 } },
      { type: 'iommu_group_set_domain', group: 1, domain: E, errno: 0, before: { type: memory === 5 ? 1 : 0x40, cookie_type: memory } },
      alloc, free,
    ]);
    expect(checkAll(events, 'v7.3', size)).toBeGreaterThan(0);
    const [late] = compare(['cookie-type', 'v7.3'], 'v7.3', batches(events, size)).list;
    expect([late.position, rulesOf(late.verdicts[0]), rulesOf(late.verdicts[1])]).toEqual([3, [], memory === 5 ? ['word-mismatch'] : ['type-illegal-change', 'word-mismatch']]);
  });

  it.each([1, 3, 100])('a use after free that all find late is no difference, in batches of %i', (size) => {
    const events = lines([alloc, free, { type: 'iommu_map', cpu: 1, domain: D, iova: '0x1000', paddr: '0x2000', size: 4096, errno: 0 }, { ...alloc, domain: E }, free]);
    const comparison = compare(['sw-msi', 'v7.3'], 'v7.3', batches(events, size));
    expect(comparison.audits.map(({ findings }) => findings.list.map(({ rule, position }) => [rule, position]))).toEqual([[['use-after-free', 3]], [['use-after-free', 3]]]);
    expect(comparison.list).toEqual([]);
    expect(comparison.worse.worst).toBeNull();
    checkAll(events, 'v7.3', size);
  });

  it.each([1, 2, 100])('what a gap takes back is no difference, in batches of %i', (size) => {
    const wrong = { ...free, before: { type: 1, cookie_type: 2 } };
    const rules = (events: readonly Event[]): unknown => compare(['cookie-type', 'v7.3'], 'v7.3', batches(lines(events), size)).list.map(({ position, verdicts }) => [position, rulesOf(verdicts[1])]);
    expect(rules([alloc, wrong])).toEqual([[2, ['word-mismatch']]]);
    expect(rules([alloc, wrong, { type: 'events_lost', cpu: 0, count: 1 }])).toEqual([]);
    checkAll(lines([alloc, paging, theft, wrong, { type: 'events_lost', cpu: 0, count: 1 }, alloc, paging, theft]), 'v7.3', size);
  });
});

describe('what a difference is', () => {
  it('the theft parts the proposal as posted from the whole series, and only what follows from it comes after', async () => {
    const { events, own } = await read('pdo-steal/steal');
    const { list, worse } = compare(['private-data-owner', 'private-data-owner-v2'], own, batches(events, 16));
    expect(list[0]).toMatchObject({ position: 33, line: 121, event: 'iommu_get_msi_cookie', domain: '0xffff0000035e9d20', generation: 1, task: 'insmod', recorded: 0 });
    expect(list[0].verdicts.map((v) => [v.errno, v.state, v.findings.map(({ rule, severity, outcome }) => [rule, severity, outcome])])).toEqual([
      [0, 'msi_owned', [['get-msi-cookie-on-iommufd', 'critical', 'overwrites']]],
      [-17, 'iommufd_owned', [['get-msi-cookie-on-iommufd', 'warning', 'rejected']]],
    ]);
    expect(list.length).toBeGreaterThan(5);
    for (const difference of list) {
      expect(difference).toMatchObject({ domain: '0xffff0000035e9d20', generation: 1 });
      expect(difference.verdicts.map(({ state }) => state)).toEqual(['msi_owned', 'iommufd_owned']);
    }
    // Both refuse the second attempt, by whichever rule.
    expect(worse.summary).toEqual({ critical: 0, error: 0, warning: 0, info: 0 });
  });

  it('designs that behave alike have none', async () => {
    for (const name of ['own72n/iommufd', 'own72n/vfio-type1']) {
      const { events, own } = await read(name);
      expect(compare(['sw-msi', 'private-data-owner'], own, batches(events, 50)).list).toEqual([]);
    }
  });

  it('worse is what the last does and the first does not, in this direction only', async () => {
    const { events, own } = await read('pdo-steal/steal');
    const summary = (...ids: string[]): unknown => compare(ids, own, batches(events, 4096)).worse.summary;
    expect(summary('private-data-owner-v2', 'private-data-owner')).toEqual({ critical: 1, error: 0, warning: 0, info: 3 });
    expect(summary('private-data-owner-v2', 'v6.12', 'private-data-owner')).toEqual({ critical: 1, error: 0, warning: 0, info: 3 });
    expect(summary('private-data-owner', 'v6.12', 'private-data-owner-v2')).toEqual({ critical: 0, error: 0, warning: 0, info: 0 });
  });

  it('the same rule with a higher severity is worse, though it is no difference', () => {
    // The kernel of the last design accepted what both designs refuse.
    const events = lines([{ type: 'iommu_domain_alloc', domain: D, domain_type: 1, errno: 0 }, ...[0, 0].map((errno) => ({ type: 'iommu_get_msi_cookie', domain: D, base: '0x8000000', errno }))]);
    const { list, worse } = compare(['cookie-type', 'v7.3'], 'v7.3', batches(events, 1));
    expect(list).toEqual([]);
    expect(worse).toMatchObject({ summary: { critical: 0, error: 1, warning: 0, info: 0 }, worst: { rule: 'get-msi-cookie-existing-cookie', position: 3 } });
  });

  it('events without a domain differ by rules only', () => {
    const write = { type: 'pci_write_msi_msg', device: '0000:00:03.0', msi_index: 0, address: '0xdead0040' };
    const events = lines([
      { type: 'iommu_domain_alloc', domain: D, domain_type: 1, errno: 0 },
      { type: 'iommu_get_msi_cookie', domain: D, base: '0x8000000', errno: 0 },
      { type: 'iommu_dma_prepare_msi', domain: D, device: '0000:00:03.0', msi_index: 0, msi_addr: '0x8090040', iova: '0x8000000', errno: 0 },
      write,
    ]);
    const { list } = compare(['cookie-type', 'v7.3'], 'v7.3', batches(events, 2));
    expect(list.map(({ position, event, verdicts }) => [position, event, verdicts.map((v) => [v.errno, v.state, rulesOf(v)])])).toEqual([
      [4, 'pci_write_msi_msg', [[null, null, []], [null, null, ['msi-address-mismatch']]]],
    ]);
  });
});

describe('memory stays bounded', () => {
  const UNMANAGED = 1;

  /** Fills a batch with domains that are allocated and freed at once, from address `from` on. */
  function lives(batch: EventBatch, from: number, count: number): void {
    for (let n = from; n < from + count; n++) {
      const d = batch.interned.addresses.intern(0x1000 + n * 0x100, 0xffff0000);
      for (const kind of [KIND.iommu_domain_alloc, KIND.iommu_domain_free]) {
        const i = batch.add(kind);
        batch.domain[i] = d;
        batch.present[i] = HAS.domain | (kind === KIND.iommu_domain_alloc ? HAS.x | HAS.errno : 0);
        batch.x[i] = UNMANAGED;
      }
    }
  }

  const designs = ['sw-msi', 'v7.3'].map((id) => ({ design: findDesign(id)!, own: id === 'v7.3' }));

  it('addresses that every audit has forgotten are given back', () => {
    const comparison = new Comparison(designs);
    const batch = new EventBatch(createInterned());
    const { addresses } = batch.interned;
    const domains = FREED_KEPT * 2;
    for (let n = 0; n < domains; n += 2048) {
      lives(batch, n, 2048);
      comparison.apply(batch);
      batch.clear();
      for (const d of comparison.evict()) addresses.release(d);
    }
    expect(comparison.audits[0].incarnations.count).toBe(domains);
    expect(addresses.size).toBeLessThanOrEqual(FREED_KEPT + 2 * 2048);
  });

  it('an address that one audit still knows, or has met again, is kept', () => {
    const comparison = new Comparison(designs);
    const batch = new EventBatch(createInterned());
    for (let n = 0; n < FREED_KEPT; n += 2048) {
      lives(batch, n, 2048);
      comparison.apply(batch);
      batch.clear();
    }
    expect(comparison.evict()).toEqual([]);
    lives(batch, FREED_KEPT, 3);
    comparison.apply(batch);
    batch.clear();
    const [ahead] = comparison.audits;
    expect(ahead.evict()).toEqual([0, 1, 2]);
    lives(batch, 1, 1);
    ahead.apply(batch);
    expect(comparison.evict()).toEqual([0, 2]);
  });

  it('differences beyond the limit are counted, and weighed', () => {
    const interned = createInterned();
    const comparison = new Comparison([{ design: findDesign('cookie-type')!, own: false }, { design: findDesign('v7.3')!, own: true }]);
    const template = new EventBatch(interned);
    for (const line of lines([
      { type: 'iommu_domain_alloc', domain: D, domain_type: 1, errno: 0 },
      { type: 'iommu_get_msi_cookie', domain: D, base: '0x8000000', errno: 0 },
      { type: 'iommu_dma_prepare_msi', domain: D, device: '0000:00:03.0', msi_index: 0, msi_addr: '0x8090040', iova: '0x8000000', errno: 0 },
      { type: 'pci_write_msi_msg', device: '0000:00:03.0', msi_index: 0, address: '0xdead0040' },
    ])) parseEvent(line, template);
    const batch = new EventBatch(interned);
    batch.copyRows(template, 0, 3);
    let events = -3;
    while (events < 105_000) {
      while (!batch.isFull) batch.copyRows(template, 3, 4);
      comparison.apply(batch);
      events += batch.length;
      batch.clear();
    }
    comparison.end();
    expect(comparison.list.length).toBe(100_000);
    expect(comparison.unlisted).toBe(events - 100_000);
    expect(comparison.worse.summary.error).toBe(events);
    expect(comparison.worse.worst).toMatchObject({ rule: 'msi-address-mismatch', position: 4 });
  });
});
