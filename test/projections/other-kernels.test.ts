/**
 * What a foreign design is held to and what not: v6.12's borrowed cookie, the fact that iommufd_hwpt was stored, ids of one HWPT.
 */
import { describe, expect, it } from 'vitest';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { findDesign } from '../../machines/design-list.ts';
import { STATE } from '../../machines/states.ts';
import { Audit } from '../../projections/audit.ts';
import { assumptionsOf } from '../../reports/assumptions.ts';

const D = '0xffff000005417a20';
const E = '0xffff000005417b20';
const alloc = (domain: string, more: object = {}): object => ({ type: 'iommufd_hwpt_paging_alloc', domain, hwpt: '0xffff0000045894e0', errno: 0, after: { type: 1 }, ...more });
const attach = (domain: string): object => ({ type: 'iommu_group_set_domain', domain, group: 3, errno: 0 });
const install = (domain: string, n = 0): object => ({ type: 'iommu_map', domain, iova: `0x${(0x8000000 + n * 0x1000).toString(16)}`, paddr: `0x${(0x8090000 + n * 0x1000).toString(16)}`, size: 0x1000, prot: 0x13, caller: 'iommufd_sw_msi_install', errno: 0 });
const theft = (domain: string): object => ({ type: 'iommu_get_msi_cookie', domain, base: '0x8000000', errno: -17 });

function audit(design: string, own: boolean, events: readonly object[]): { audit: Audit; states: number[] } {
  const batch = new EventBatch(createInterned());
  for (const e of events) expect(parseEvent(JSON.stringify({ v: 1, ...e }), batch)).toBeUndefined();
  const audit = new Audit(findDesign(design)!, own);
  audit.apply(batch);
  audit.end();
  return { audit, states: Array.from(audit.rows.state.subarray(0, 2)) };
}

describe('v6.12 over a recording of a newer kernel', () => {
  it('has borrowed a cookie once iommufd maps an MSI page, and from then on before each attach', () => {
    const { audit: { findings }, states } = audit('v6.12', false, [alloc(D), attach(D), install(D), alloc(E), attach(E), theft(E)]);
    expect(states).toEqual([STATE.msi_owned, STATE.msi_owned]);
    expect(findings.sorted()).toMatchObject([{ rule: 'get-msi-cookie-existing-cookie', severity: 'info', position: 6 }]);
  });

  it('without a software MSI window it takes none', () => {
    expect(audit('v6.12', false, [alloc(D), attach(D)]).states[0]).toBe(STATE.unowned);
  });
});

describe('automatic domains', () => {
  const auto = alloc(D, { caller: 'iommufd_device_auto_get_domain' });

  it('count as stored where the recorded kernel stored iommufd_hwpt, and the report says that it assumes so', () => {
    const { audit: judged } = audit('private-data-owner-v2', false, [auto, theft(D)]);
    expect(judged.findings.sorted()).toMatchObject([{ outcome: 'rejected' }]);
    expect(assumptionsOf(judged)).toEqual([expect.stringContaining('iommufd_hwpt of 1 automatic domain is set, as recorded; private-data-owner-v2 as posted left it NULL')]);
    expect(assumptionsOf(audit('private-data-owner-v2', true, [auto]).audit)).toEqual([]);
    expect(assumptionsOf(audit('v7.3', false, [auto]).audit)).toEqual([]);
  });

  it('are overwritten where it was NULL', () => {
    const { audit: judged } = audit('private-data-owner-v2', false, [{ ...auto, hwpt: '0x0' }, theft(D)]);
    expect(judged.findings.sorted()).toMatchObject([{ rule: 'get-msi-cookie-on-iommufd', outcome: 'overwrites' }]);
    expect(judged.findings.sorted()[0].message).toContain('under private-data-owner-v2 nobody refuses and iommufd_owned becomes msi_owned');
    expect(assumptionsOf(judged)).toEqual([]);
  });
});

it('the 65th doorbell page of one HWPT is one too many, whichever fd it is of', () => {
  const pages = Array.from({ length: 65 }, (_, n) => install(D, n));
  expect(audit('v7.3', true, [alloc(D), ...pages]).audit.findings.sorted()).toMatchObject([{ rule: 'msi-iommufd-ids-exhausted', position: 66 }]);
});
