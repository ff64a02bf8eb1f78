/**
 * Losing events is a fact: owners are unknown after it until they are observed again, and what lies between the last event of
 * the CPU that lost them and the mark is not held against anybody, because the mark comes only with that CPU's next event.
 */
import { describe, expect, it } from 'vitest';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { findDesign } from '../../machines/design-list.ts';
import { Audit } from '../../projections/audit.ts';
import { aliveViews } from '../../projections/domain-view.ts';

const D = '0xffff000000001000';

function audit(events: readonly Record<string, unknown>[]): { rules: string[]; withdrawn: number; states: string[] } {
  const interned = createInterned();
  const batch = new EventBatch(interned);
  for (const e of events) expect(parseEvent(JSON.stringify({ v: 1, ...e }), batch)).toBeUndefined();
  const a = new Audit(findDesign('v7.3')!, true);
  a.apply(batch);
  a.end();
  return { rules: a.findings.sorted().map((f) => f.rule), withdrawn: a.findings.withdrawn, states: aliveViews(a, interned, 'arm64').map((v) => v.state) };
}

const alloc = { type: 'iommu_domain_alloc', cpu: 1, domain: D, domain_type: 1, errno: 0 };
const free = { type: 'iommu_domain_free', cpu: 1, domain: D, before: { type: 1, cookie_type: 2 } };

describe('a gap', () => {
  it('makes owners unknown until they are observed', () => {
    const lost = { type: 'events_lost', cpu: 1, count: 7 };
    expect(audit([alloc, lost]).states).toEqual(['unknown']);
    expect(audit([alloc, lost, { type: 'iommu_group_set_domain', group: 3, domain: D, before: { type: 1, cookie_type: 5 } }]).states).toEqual(['iommufd_owned']);
    expect(audit([alloc, lost, free]).rules).toEqual([]);
  });

  it('takes back what it may explain: the cookie was taken on the CPU that lost events', () => {
    expect(audit([alloc, free]).rules).toEqual(['word-mismatch']);
    expect(audit([alloc, free, { type: 'events_lost', cpu: 0, count: 1 }])).toMatchObject({ rules: [], withdrawn: 1 });
  });

  it('leaves what another CPU had finished before, and what memory itself showed', () => {
    const before0 = { type: 'pci_write_msi_msg', cpu: 0, device: '0000:00:03.0', msi_index: 0, address: '0x0' };
    expect(audit([alloc, free, before0, { type: 'events_lost', cpu: 0, count: 1 }])).toMatchObject({ rules: ['word-mismatch'], withdrawn: 0 });
    const theft = { type: 'iommu_get_msi_cookie', cpu: 1, domain: D, base: '0x8000000', errno: 0, before: { type: 1, cookie_type: 5 }, after: { type: 1, cookie_type: 2 } };
    expect(audit([{ ...alloc, type: 'iommufd_hwpt_paging_alloc', domain_type: undefined }, theft, { type: 'events_lost', cpu: 0, count: 1 }]).rules).toEqual(['get-msi-cookie-on-iommufd']);
  });
});
