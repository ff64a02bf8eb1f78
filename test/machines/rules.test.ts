/**
 * One row a rule: the calls that lead to it, and what each design does about the last one.
 * Written from KERNEL.md sections 5 to 8, not from the designs; outcome, then errno where the kernel answers one.
 */
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { DESIGNS } from '../../machines/design-list.ts';
import type { DomainContext, MachineEvent } from '../../machines/domain-context.ts';
import { MAP } from '../../machines/domain-context.ts';
import { ownershipMachine } from '../../machines/ownership.ts';
import { RULES } from '../../machines/rules.ts';

type Call = Omit<MachineEvent, 'own'>;
const ORDER = ['v6.12', 'sw-msi', 'private-data-owner', 'private-data-owner-guard', 'private-data-owner-v2', 'cookie-type', 'v7.3'] as const;

const alloc = (domain_type: number): Call => ({ type: 'iommu_domain_alloc', domain_type });
const unmanaged = alloc(1);
const dma = alloc(3);
const getMsi: Call = { type: 'iommu_get_msi_cookie', base: 0x8000000n };
const getDma: Call = { type: 'iommu_get_dma_cookie' };
const putDma: Call = { type: 'iommu_put_dma_cookie' };
const putMsi: Call = { type: 'iommu_put_msi_cookie' };
const iommufd: Call = { type: 'iommufd_hwpt_paging_alloc' };
const nestedWrong: Call = { type: 'iommufd_hwpt_nested_alloc', afterType: 1 };
const fault: Call = { type: 'iommu_set_fault_handler' };
const sva: Call = { type: 'iommu_sva_domain_alloc' };
const free: Call = { type: 'iommu_domain_free' };
const attach: Call = { type: 'iommu_group_set_domain' };
const prepare: Call = { type: 'iommu_dma_prepare_msi', msi_addr: 0x8090040n };
const msiMap: Call = { type: 'iommu_map', iova: 0x8000000n, paddr: 0x8090000n, size: 0x1000n, prot: 0x1a, map: MAP.dma };
const userMap: Call = { type: 'iommu_map', iova: 0x100000000n, paddr: 0x45fe6000n, size: 0x1000n, prot: 7, map: MAP.user };
const unmap = (iova: bigint): Call => ({ type: 'iommu_unmap', iova, size: 0x1000n });

const EEXIST = 'rejected -17';
const EINVAL = 'rejected -22';
const ENOMEM = 'rejected -12';
const NOTSUPP = 'rejected -95';
const ok = 'accepted';
/** The same in every design. */
const all = (verdict: string): string[] => ORDER.map(() => verdict);
/** Before cookie_type (five designs), from cookie_type on (two). */
const since = (before: string, after: string): string[] => [before, before, before, before, before, after, after];

const ROWS: readonly (readonly [rule: string, calls: readonly Call[], verdicts: readonly string[]])[] = [
  ['get-msi-cookie-existing-cookie', [unmanaged, getMsi, getMsi], all(EEXIST)],
  ['get-msi-cookie-on-iommufd', [unmanaged, iommufd, getMsi], [ok, 'overwrites 0', 'overwrites 0', EEXIST, EEXIST, EEXIST, EEXIST]],
  ['get-msi-cookie-on-fault-handler', [unmanaged, fault, getMsi], since(ok, EEXIST)],
  ['get-msi-cookie-wrong-type', [dma, getMsi], all(EINVAL)],
  ['get-msi-cookie-wrong-type', [dma, getDma, getMsi], all(EINVAL)], // type before owner in every design
  ['get-dma-cookie-existing-cookie', [dma, getDma, getDma], all(EEXIST)],
  ['get-dma-cookie-existing-cookie', [unmanaged, getMsi, getDma], all(EEXIST)],
  ['get-dma-cookie-on-iommufd', [unmanaged, iommufd, getDma], ['undetected 0', 'overwrites 0', 'overwrites 0', 'overwrites 0', EEXIST, EEXIST, EEXIST]],
  ['get-dma-cookie-non-dma-type', [unmanaged, getDma], all('undetected 0')],
  ['get-dma-cookie-on-fault-handler', [dma, fault, getDma], [EEXIST, ok, ok, ok, ok, EEXIST, EEXIST]], // v6.12: the allocation took a cookie
  ['get-cookie-enomem', [unmanaged, { ...getMsi, errno: -12 }], all(ENOMEM)],
  ['get-cookie-enomem', [alloc(0xb), { type: 'observed.unowned' }, { ...getDma, errno: -12 }], all(ENOMEM)],
  ['get-msi-cookie-no-iommu-dma', [unmanaged, { ...getMsi, errno: -19 }], all('rejected -19')],
  ['msi-cookie-base-unaligned', [unmanaged, { ...getMsi, base: 0x8000800n }], all('undetected 0')],
  ['iommufd-adopts-owned-domain', [unmanaged, getMsi, iommufd], [ok, 'leak 0', 'leak 0', 'leak 0', 'overwrites 0', 'overwrites 0', 'overwrites 0']],
  ['sva-adopts-owned-domain', [unmanaged, getMsi, sva], since('undetected', 'overwrites')],
  ['nested-wrong-type', [nestedWrong], ['rejected-warn -22', 'rejected-warn -22', 'rejected-warn -22', 'rejected-warn -22', 'rejected-warn -22', 'rejected-warn -22', 'rejected-warn -95']],
  ['set-fault-handler-on-owned', [unmanaged, getMsi, fault], since(ok, 'ignored-warn')],
  ['set-fault-handler-on-owned', [unmanaged, iommufd, fault], since(ok, 'ignored-warn')],
  ['set-fault-handler-twice', [unmanaged, fault, fault], since(ok, 'ignored-warn')],
  ['set-fault-handler-on-sva', [sva, fault], since('type-confusion', 'ignored-warn')],
  ['put-dma-cookie-unowned', [unmanaged, putDma], since('noop', 'type-confusion')],
  ['put-cookie-kind-mismatch', [unmanaged, getMsi, putDma], since(ok, 'type-confusion')],
  ['put-cookie-twice', [unmanaged, getMsi, putMsi, putMsi], since('noop', 'double-free')],
  ['put-cookie-twice', [unmanaged, getMsi, free, putMsi, putMsi], since('use-after-free', 'double-free')],
  ['domain-double-free', [unmanaged, free, free], all('double-free')],
  ['use-after-free', [unmanaged, free, userMap], all('use-after-free')],
  ['static-domain-free', [alloc(4), free], all(ok)],
  ['free-while-attached', [unmanaged, attach, free], all('use-after-free')],
  ['free-with-live-mappings', [unmanaged, userMap, free], all('undetected')],
  ['free-with-live-mappings', [unmanaged, userMap, unmap(0x100000000n), free], all(ok)],
  ['cookie-leaked-at-free', [unmanaged, getMsi, iommufd, free], [ok, 'leak', 'leak', 'leak', 'leak', 'leak', 'leak']],
  ['put-on-iommufd-owned', [unmanaged, getMsi, iommufd, putDma], [ok, 'leak', 'leak', 'leak', 'noop', 'type-confusion', 'type-confusion']],
  ['msi-prepare-unowned', [unmanaged, prepare], ['noop 0', 'noop 0', 'noop 0', 'noop 0', NOTSUPP, NOTSUPP, NOTSUPP]],
  ['msi-prepare-identity-rejected', [alloc(4), prepare], ['noop 0', 'noop 0', 'noop 0', 'noop 0', NOTSUPP, 'noop 0', 'noop 0']],
  ['msi-map-failed', [unmanaged, getMsi, { ...msiMap, errno: -12 }, { ...prepare, errno: -12 }], all(ENOMEM)],
  ['msi-cookie-base-zero', [unmanaged, { ...getMsi, base: 0n }, prepare], all(ENOMEM)],
  ['msi-duplicate-doorbell', [unmanaged, getMsi, msiMap, { ...msiMap, iova: 0x8001000n }], ['not-applicable 0', 'undetected 0', 'undetected 0', 'undetected 0', 'undetected 0', 'undetected 0', 'not-applicable 0']],
  ['msi-iova-reused', [unmanaged, getMsi, msiMap, { ...msiMap, paddr: 0x8080000n, errno: 0 }], all('undetected 0')],
  ['msi-iova-outside-window', [unmanaged, getMsi, { ...msiMap, iova: 0x8100000n }], all('undetected 0')],
  ['msi-phys-not-masked', [unmanaged, getMsi, { ...msiMap, paddr: 0x8090040n }], all('undetected 0')],
  ['msi-prot-mismatch', [unmanaged, getMsi, { ...msiMap, prot: 0x13 }], all('undetected 0')],
  ['msi-page-unmapped', [unmanaged, getMsi, msiMap, unmap(0x8000000n)], all('undetected')],
  ['map-non-paging', [alloc(4), userMap], ['rejected -22', 'rejected -22', 'rejected -22', 'rejected -22', 'rejected -22', 'rejected -22', 'rejected-warn -22']],
];

function verdictOf(design: (typeof DESIGNS)[number], calls: readonly Call[]): { rule: string | null; text: string } {
  const actor = createActor(ownershipMachine(design) as any) as unknown as { start(): void; send(e: unknown): void; getSnapshot(): { context: DomainContext } };
  actor.start();
  for (const call of calls) actor.send({ ...call, own: true });
  const { verdict } = actor.getSnapshot().context;
  const text = verdict.errno === null || (verdict.outcome === 'accepted' && verdict.errno === 0) ? verdict.outcome : `${verdict.outcome} ${verdict.errno}`;
  return { rule: verdict.rule, text };
}

describe.each(ROWS)('%s', (rule, calls, verdicts) => {
  it.each(ORDER.map((id, n) => [id, verdicts[n]] as const))(`%s: %s after ${calls.map((c) => c.type).join(', ')}`, (id, expected) => {
    const verdict = verdictOf(DESIGNS.find((d) => d.id === id)!, calls);
    expect(verdict.text).toBe(expected);
    // What is accepted or does nothing is no finding and needs no rule; everything else must name this one.
    if (!/^(accepted|noop( 0)?|rejected -17|use-after-free|type-confusion|undetected 0)$/.test(expected)) expect(verdict.rule).toBe(rule);
  });
});

describe('rules', () => {
  it('are known by id, with a severity, a sentence and a source', () => {
    for (const r of RULES) expect(r.source, r.id).toMatch(/^(drivers|include)\//);
    expect(new Set(RULES.map((r) => r.id)).size).toBe(RULES.length);
    for (const [rule] of ROWS) expect(RULES.map((r) => r.id)).toContain(rule);
  });
});
