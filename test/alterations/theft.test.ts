/**
 * The theft that all this is about: a stranger's iommu_get_msi_cookie() on a domain that iommufd owns. Recorded on a kernel
 * with the proposal as posted, where it succeeds in silence; on two kernels that refuse it; and as three lines of NDJSON.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RECORDINGS, alive, auditFile, auditText } from '../audit-file.ts';

const STEAL = join(RECORDINGS, 'pdo-steal/steal.trace.txt');
/** The line at which the stranger's call returned 0, its position among the events, and the domain. */
const LINE = 121;
const POSITION = 33;
const STOLEN = '0xffff0000035e9d20';

describe('recorded on the proposal, patch 1/4 as posted', () => {
  test('one critical finding, at the return of iommu_get_msi_cookie; all others are refusals that follow from it', async () => {
    const { audit, findings, summary } = await auditFile(STEAL);
    expect(summary.design).toBe('private-data-owner');
    expect(audit.findings.summary).toMatchObject({ critical: 1, error: 0, warning: 0 });
    const [theft, ...others] = findings;
    expect(theft).toMatchObject({
      rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites', line: LINE, position: POSITION, follows: null,
      domain: STOLEN, generation: 1, task: 'insmod', event: 'iommu_get_msi_cookie', before: 'iommufd_owned', after: 'msi_owned',
      observed: {
        errno: 0,
        before: { type: 1, private_data_owner: 2, word: '0x80000001', iova_cookie: '0x0' },
        after: { type: 1, private_data_owner: 1, word: '0x40000001', iova_cookie_type: 1 },
      },
    });
    expect(theft.message).toContain('iommufd_owned becomes msi_owned');
    // Lines 138, 177, 275: prepare_msi -12, as iommu_map finds iommufd's page at the base; 143: the second theft, -17.
    expect(others.map((f) => [f.line, f.rule, f.severity, f.outcome, f.expected['errno'], f.follows])).toEqual([
      [138, 'msi-map-failed', 'info', 'rejected', -12, POSITION],
      [143, 'get-msi-cookie-existing-cookie', 'info', 'rejected', -17, POSITION],
      [177, 'msi-map-failed', 'info', 'rejected', -12, POSITION],
      [275, 'msi-map-failed', 'info', 'rejected', -12, POSITION],
    ]);
    expect(others[0].message).toContain('0x8000000 is mapped already, by iommufd');
  });

  test('the word in memory, just before and just after', async () => {
    for (const [upTo, state, bytes] of [[POSITION - 1, 'iommufd_owned', '01000080'], [POSITION, 'msi_owned', '01000040']] as const) {
      const view = alive(await auditFile(STEAL, { upTo })).find((d) => d.domain === STOLEN);
      expect(view).toMatchObject({ state, word: { offset: 0, bytes }, msi_pages: [{ iova: '0x8000000', phys: '0x8090000' }] });
    }
  });

  test.each(['cookie-type', 'v7.3', 'private-data-owner-guard', 'private-data-owner-v2'])('under %s it is only a warning: this design would have refused, nothing recorded is compared', async (design) => {
    const { audit, findings } = await auditFile(STEAL, { design });
    expect(audit.checked).toEqual({ errno: 0, words: 0, iovas: 0, addresses: 0 });
    expect(audit.findings.summary).toMatchObject({ critical: 0, error: 0, warning: 1 });
    expect(findings.find((f) => f.severity === 'warning')).toMatchObject({
      rule: 'get-msi-cookie-on-iommufd', outcome: 'rejected', line: LINE, before: 'iommufd_owned', after: 'iommufd_owned', expected: { errno: -17 }, observed: { errno: 0 },
    });
  });

  test('under sw-msi, which has no tag, it is the same theft', async () => {
    const { findings } = await auditFile(STEAL, { design: 'sw-msi' });
    expect(findings[0]).toMatchObject({ rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites', line: LINE });
  });
});

test.each([['pdo2-steal', [124, 163]], ['stock72-steal', [79, 118]]])('%s: refused twice, as its design says', async (machine, lines) => {
  const { audit, findings } = await auditFile(join(RECORDINGS, `${machine}/steal.trace.txt`));
  expect(audit.findings.summary).toEqual({ critical: 0, error: 0, warning: 0, info: 2 });
  expect(findings.map((f) => f.line)).toEqual(lines);
  for (const f of findings) expect(f).toMatchObject({ rule: 'get-msi-cookie-on-iommufd', severity: 'info', outcome: 'rejected', before: 'iommufd_owned', after: 'iommufd_owned', expected: { errno: -17 }, observed: { errno: -17 } });
});

describe('written by hand as NDJSON', () => {
  const domain = '0xffff0000046c9b20';
  const scenario = [
    { v: 1, time: '1.000001', type: 'iommu_domain_alloc', domain, domain_type: 1, errno: 0 },
    { v: 1, time: '1.000002', type: 'iommufd_hwpt_paging_alloc', domain, errno: 0 },
    { v: 1, time: '1.000003', type: 'iommu_get_msi_cookie', domain, base: '0x8000000', errno: 0 },
  ].map((event) => `${JSON.stringify(event)}\n`).join('');

  test('private-data-owner: iommufd_owned becomes msi_owned, one critical finding', async () => {
    const design = 'private-data-owner';
    for (const [upTo, state, bytes, owner] of [[2, 'iommufd_owned', '01000080', 2], [3, 'msi_owned', '01000040', 1]] as const) {
      expect(alive(await auditText(scenario, { design, upTo }))).toMatchObject([{ domain, generation: 1, state, word: { offset: 0, bytes, fields: { type: 1, private_data_owner: owner } }, last: upTo }]);
    }
    const { audit, findings } = await auditText(scenario, { design });
    expect(findings).toMatchObject([{ rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites', position: 3, line: null, before: 'iommufd_owned', after: 'msi_owned' }]);
    expect(audit.checked).toEqual({ errno: 3, words: 0, iovas: 0, addresses: 0 });
  });

  test.each(['cookie-type', 'v7.3', 'private-data-owner-v2', 'private-data-owner-guard'])('%s predicts -EEXIST for the same event', async (design) => {
    const { findings } = await auditText(scenario, { design });
    expect(findings).toMatchObject([{ rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites', position: 3, before: 'iommufd_owned', after: 'msi_owned', expected: { errno: -17 }, observed: { errno: 0 } }]);
    const refused = await auditText(scenario.replace('"base":"0x8000000","errno":0', '"base":"0x8000000","errno":-17'), { design });
    expect(refused.findings).toMatchObject([{ rule: 'get-msi-cookie-on-iommufd', severity: 'info', outcome: 'rejected', after: 'iommufd_owned' }]);
    expect(alive(refused)).toMatchObject([{ state: 'iommufd_owned' }]);
  });

  test('v6.12: iommufd itself takes this cookie, so it is normal life', async () => {
    const a = await auditText(scenario, { design: 'v6.12' });
    expect(a.findings).toEqual([]);
    expect(alive(a)).toMatchObject([{ state: 'msi_owned', msi_next: '0x8000000' }]);
  });
});
