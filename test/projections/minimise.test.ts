/**
 * The shortest list of events that still gives a finding. What is printed is audited again as a reader would, and without each
 * of its events the finding must be gone; lists whose true minimum was worked out by hand stand beside their reason.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import type { Finding } from '../../projections/finding.ts';
import { INJECTABLE_RULES, generateFtrace } from '../../recordings/generate-ftrace.ts';
import { RECORDINGS, auditFile, auditText, fileOf } from '../audit-file.ts';
import { minimised } from '../minimised.ts';

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const ndjson = (...events: readonly Record<string, unknown>[]): string => text(events.map((event) => JSON.stringify({ v: 1, ...event })));
const types = (lines: readonly string[]): string[] => lines.map((line) => (JSON.parse(line) as { type: string }).type);

/** Whether these lines give the finding under the design; the line where it was read tells the call. */
async function give(lines: readonly string[], design: string, wanted: Finding): Promise<boolean> {
  if (lines.length === 0) return false;
  const { findings } = await auditText(text(lines), { design, events: false });
  const facts = ({ rule, outcome, severity, event, domain, line, time, before, after, expected }: Finding): string => JSON.stringify([rule, outcome, severity, event, domain, line, time, before, after, expected]);
  return findings.some((f) => facts(f) === facts(wanted));
}

/** Minimises a finding, and checks that it stays and that no event can be spared. */
async function checked(path: string, finding: Finding, design?: string): Promise<readonly string[]> {
  const result = await minimised(path, finding, { ...(design !== undefined && { design }) });
  const where = `${path} ${design} ${finding.rule} at ${finding.position}`;
  expect(result, where).not.toBeNull();
  const { lines, design: id } = result!;
  expect(await give(lines, id, finding), where).toBe(true);
  for (const n of lines.keys()) expect(await give(lines.toSpliced(n, 1), id, finding), `${where} without event ${n + 1} of ${lines.length}`).toBe(false);
  return lines;
}

const STEAL = join(RECORDINGS, 'pdo-steal/steal.trace.txt');

describe('the theft of pdo-steal', () => {
  test('is one event: the call itself shows iommufd’s tag before and the cookie after', async () => {
    const { findings, events } = await auditFile(STEAL);
    expect(await checked(STEAL, findings[0])).toEqual([events[32]]);
  });

  test('with its history is the allocation that gave the domain to iommufd, and the theft', async () => {
    const { findings, events } = await auditFile(STEAL);
    const { lines } = (await minimised(STEAL, findings[0], { history: true }))!;
    expect(lines).toEqual([events[21], events[32]]);
    expect(types(lines)).toEqual(['iommufd_hwpt_paging_alloc', 'iommu_get_msi_cookie']);
  });

  test('under a design that would refuse it needs to say that the recording is of another', async () => {
    const { findings } = await auditFile(STEAL, { design: 'private-data-owner-guard' });
    expect(findings[0]).toMatchObject({ rule: 'get-msi-cookie-on-iommufd', severity: 'warning', outcome: 'rejected' });
    expect(types(await checked(STEAL, findings[0], 'private-data-owner-guard'))).toEqual(['recording_started', 'iommu_get_msi_cookie']);
    // v7.3 has no such word: that the events are of another design shows.
    expect(types(await checked(STEAL, findings[0], 'v7.3'))).toEqual(['iommu_get_msi_cookie']);
  });

  test('without the words it takes the allocation', async () => {
    const { events } = await auditFile(STEAL);
    const bare = text(events.map((line) => JSON.stringify({ ...(JSON.parse(line) as object), before: undefined, after: undefined, old: undefined })));
    const { findings } = await auditText(bare);
    const theft = findings.find((f) => f.rule === 'get-msi-cookie-on-iommufd')!;
    expect(types(await checked(fileOf(bare), theft))).toEqual(['iommufd_hwpt_paging_alloc', 'iommu_get_msi_cookie']);
  });
});

const NAMES = globSync('*/*.trace.txt', { cwd: RECORDINGS }).toSorted();

test.each(DESIGNS.map(({ id }) => id))('every finding of every recording under %s', async (design) => {
  let count = 0;
  for (const name of NAMES) {
    const path = join(RECORDINGS, name);
    const { findings } = await auditFile(path, { design, events: false });
    for (const finding of findings) {
      expect((await checked(path, finding, design)).length).toBeLessThanOrEqual(5);
      count++;
    }
  }
  expect(count).toBeGreaterThan(4);
}, 30_000);

describe('planted faults', () => {
  test.each(INJECTABLE_RULES)('%s', async (rule) => {
    let generated = '';
    generateFtrace({ domains: 8, events: 800, seed: 7, inject: [rule], injectEvery: 20 }, (chunk) => { generated += chunk; });
    const path = fileOf(generated);
    const { findings } = await auditFile(path, { events: false });
    const planted = findings.filter((f) => f.rule === rule);
    expect(planted.length).toBeGreaterThan(0);
    for (const finding of [planted[0], planted.at(-1)!]) {
      expect((await checked(path, finding)).length).toBeLessThanOrEqual(4);
      const history = (await minimised(path, finding, { history: true }))!;
      expect(await give(history.lines, history.design, finding)).toBe(true);
    }
  });
});

describe('of two stories the newer is told', () => {
  const claim = { type: 'iommu_group_claim_dma_owner', group: 1, errno: 0 };
  const release = { type: 'iommu_group_release_dma_owner', group: 1 };

  test('a claim that was released is not the one that stands', async () => {
    const path = fileOf(ndjson({ ...claim, owner: '0x1' }, release, { ...claim, owner: '0x2' }, { ...claim, owner: '0x3' }));
    const { findings } = await auditFile(path);
    const lines = (await minimised(path, findings[0]))!.lines;
    expect(lines.map((line) => (JSON.parse(line) as { owner: string }).owner)).toEqual(['0x2', '0x3']);
  });

  test('of two lives at one address it is the later free that is used after', async () => {
    const born = { type: 'iommu_domain_alloc', domain: '0x10', domain_type: 1, errno: 0 };
    const freed = { type: 'iommu_domain_free', domain: '0x10' };
    const used = { type: 'iommu_map', domain: '0x10', iova: '0x1000', paddr: '0x2000', size: 4096, errno: 0 };
    const path = fileOf(ndjson(...[born, used, freed, born, used, freed, used].map((event, n) => ({ line: n + 1, ...event }))));
    const { findings } = await auditFile(path);
    const finding = findings.find((f) => f.rule === 'use-after-free')!;
    expect((await checked(path, finding)).map((line) => (JSON.parse(line) as { line: number }).line)).toEqual([6, 7]);
  });
});

test('a fault that shows only by what follows is found again, and needs less where no probe can be missing', async () => {
  const path = fileOf(ndjson(...[
    { type: 'recording_started', format: 'ftrace-text', source: 'x', design: 'v7.3' },
    { type: 'iommu_domain_alloc', domain: '0x10', domain_type: 1, errno: 0 },
    { type: 'iommu_domain_free', domain: '0x10' },
    { type: 'iommu_map', domain: '0x10', iova: '0x1000', paddr: '0x2000', size: 4096, errno: 0 },
    { type: 'iommu_domain_alloc', domain: '0x20', domain_type: 1, errno: 0 },
    { type: 'iommu_domain_free', domain: '0x20' },
  ].map((event, n) => ({ pid: 7, line: n + 1, ...event }))));
  const { findings } = await auditFile(path);
  expect(findings).toMatchObject([{ rule: 'use-after-free', position: 4 }]);
  expect(types(await checked(path, findings[0]))).toEqual(['iommu_domain_free', 'iommu_map']);
});

describe('memory', () => {
  const quiet = (n: number): Record<string, unknown> => ({ type: 'iommu_map', domain: `0x${(n % 50 + 100).toString(16)}000`, iova: '0x1000', paddr: '0x2000', size: 4096, errno: 0 });
  const owned = { type: 'iommufd_hwpt_paging_alloc', domain: '0x10', errno: 0 };
  const theft = { type: 'iommu_get_msi_cookie', domain: '0x10', base: '0x8000000', errno: 0 };
  const source = (before: number, between: number, after: number): string => ndjson(
    { type: 'recording_started', format: 'ftrace-text', source: 'x', design: 'private-data-owner' },
    ...Array.from({ length: before }, (_, n) => quiet(n)), owned, ...Array.from({ length: between }, (_, n) => quiet(n)), theft, ...Array.from({ length: after }, (_, n) => quiet(n)));

  test('of a long source the newest events up to the finding are kept, and recording_started', async () => {
    const path = fileOf(source(5000, 3000, 6000));
    const { findings } = await auditFile(path, { events: false });
    const finding = findings.find((f) => f.rule === 'get-msi-cookie-on-iommufd')!;
    expect(finding.position).toBe(1 + 5000 + 1 + 3000 + 1);
    for (const limit of [4096, 8192, 1 << 20]) expect(types((await minimised(path, finding, { limit }))!.lines)).toEqual([owned.type, theft.type]);
    const foreign = (await auditFile(path, { events: false, design: 'private-data-owner-guard' })).findings[0];
    expect(types((await minimised(path, foreign, { limit: 4096, design: 'private-data-owner-guard' }))!.lines)).toEqual(['recording_started', owned.type, theft.type]);
  });

  test('where what the finding needs has gone, nothing is claimed', async () => {
    const path = fileOf(source(10, 8500, 10));
    const { findings } = await auditFile(path, { events: false });
    expect(await minimised(path, findings[0], { limit: 4096 })).toBeNull();
    expect(types((await minimised(path, findings[0]))!.lines)).toEqual([owned.type, theft.type]);
  });
});

test('a recording of thousands of events takes few replays and the same ones each time', async () => {
  let generated = '';
  generateFtrace({ domains: 64, events: 8000, seed: 3, inject: ['msi-page-unmapped'], injectEvery: 100 }, (chunk) => { generated += chunk; });
  const path = fileOf(generated);
  const last = (await auditFile(path, { events: false })).findings.findLast((f) => f.rule === 'msi-page-unmapped')!;
  const first = (await minimised(path, last))!;
  expect(first.replays).toBeLessThan(100);
  expect(await minimised(path, last)).toEqual(first);
});
