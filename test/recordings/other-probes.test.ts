/**
 * Probes that somebody else defined (README.md here, "Events"): a probe is known by the function
 * in its line, whatever its name is; fields have C names and aliases; two probes may stand on one function.
 */
import { describe, expect, test } from 'vitest';
import { RECORDINGS, alive, auditFile, auditText, eventsOf, traceText } from '../audit-file.ts';

const D = '0xffff0000046c9b20';

const life = [
  `alloc: (iommu_paging_domain_alloc_flags+0x1c/0x30 <- __iommu_paging_domain_alloc_flags) domain=${D} req_type=0x1 type=0x1 cookie_type=0`,
  `get: (iommu_get_msi_cookie+0x4/0xa0) domain=${D} base=0x8000000 type=0x1 cookie_type=0`,
  `got: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) domain=${D} base=0x8000000 ret=0 type=0x1 cookie_type=2`,
];

describe('probes that somebody else defined', () => {
  test('other event names, and fields by their C names and aliases', async () => {
    const a = await auditText(traceText(
      `alloc: (iommu_paging_domain_alloc_flags+0x1c/0x30 <- __iommu_paging_domain_alloc_flags) domain=${D} dev="0000:00:03.0" req_type=0x1 type=0x1 cookie_type=0`,
      `g1: (iommu_get_msi_cookie+0x0/0xa0) domain=${D} base=134217728 type=1 cookie_type=0 iova_cookie=0x0`,
      `g2: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) domain=${D} ret=0 type=0x1 cookie_type=2 iova_cookie=0xffff000004079400`,
      `set: (__iommu_group_set_domain_internal+0x4/0x190) gid=3 old=0xffffadc67d6f2560 new=${D} flags=0x0`,
      'set2: (__iommu_group_set_domain+0x18/0x28 <- __iommu_group_set_domain_internal) ret=0 gid=3',
      `p1: (iommu_dma_prepare_msi+0x4/0x1c0) device="0000:00:03.0" msi_index=0 pa=0x8090040 domain=${D} type=0x1 cookie_type=2`,
      `m: (iommu_dma_sw_msi+0x190/0x300 <- iommu_map) ret=0 domain=${D} iova=0x8000000 phys=0x8090000 size=4096 prot=0x1a`,
      'p2: (its_irq_domain_alloc+0xe0/0x1d8 <- iommu_dma_prepare_msi) ret=0 device="0000:00:03.0" msi_index=0 pa=0x8090040 iommu_msi_iova=32768 iommu_msi_shift=12',
      'w: (__pci_write_msi_msg+0x4/0x278) device="0000:00:03.0" msi_index=0 address_lo=0x8000040 address_hi=0x0 data=0x0',
      `f: (iommu_domain_free+0x0/0xc8) domain=${D} type=0x1 cookie_type=2 owner=0xffffadc67d6f2560`,
    ));
    expect(eventsOf(a)).toMatchObject([
      { type: 'iommu_domain_alloc', domain: D, domain_type: 1, device: '0000:00:03.0', after: { type: 1, cookie_type: 0 } },
      { type: 'iommu_get_msi_cookie', domain: D, base: '0x8000000', errno: 0, before: { type: 1, cookie_type: 0 }, after: { type: 1, cookie_type: 2 } },
      { type: 'iommu_group_set_domain', domain: D, group: 3, old_domain: '0xffffadc67d6f2560', errno: 0 },
      { type: 'iommu_map', domain: D, iova: '0x8000000', paddr: '0x8090000', size: 4096, prot: 26 },
      { type: 'iommu_dma_prepare_msi', domain: D, device: '0000:00:03.0', msi_index: 0, msi_addr: '0x8090040', iova: '0x8000000', iommu_msi_shift: 12 },
      { type: 'pci_write_msi_msg', device: '0000:00:03.0', msi_index: 0, address: '0x8000040', data: 0 },
      { type: 'iommu_domain_free', domain: D, before: { type: 1, cookie_type: 2 } },
    ]);
    expect(a.audit.design.id).toBe('v7.3');
    expect(a.audit.checked.addresses).toBe(1);
    expect(a.findings).toMatchObject([{ rule: 'free-while-attached', severity: 'critical' }]); // this one was never detached
  });

  test.each([['under two names', 'free_raw', '0x0'], ['a kprobe and an fprobe under one name', 'free', '0x4']])('two probes on one function, %s, report one call', async (_, name, offset) => {
    const a = await auditText(traceText(...life, `free: (iommu_domain_free+0x0/0xc8) domain=${D} type=0x1 cookie_type=2`, `${name}: (iommu_domain_free+${offset}/0xc8) domain=${D} type=0x1 cookie_type=2 handler=0x0`));
    expect(eventsOf(a).filter((e) => e['type'] === 'iommu_domain_free')).toMatchObject([{ line: 4 }]);
    expect(a.findings).toEqual([]);
  });

  test('one probe that fires twice reports two calls', async () => {
    const free = `free: (iommu_domain_free+0x0/0xc8) domain=${D} type=0x1 cookie_type=2`;
    const a = await auditText(traceText(...life, free, free));
    expect(a.findings).toMatchObject([{ rule: 'domain-double-free', line: 5 }]);
  });

  test('domain->type:x32 prints the whole word and private_data_owner:u32 a byte of it: they are taken for what they are', async () => {
    const words = (word: string, byte: number): string => `dom=${D} dtype=${word} owner=${byte} swmsi=0xffff8000804dcb28`;
    const text = traceText(
      `alloc: (iommu_paging_domain_alloc_flags+0x1c/0x30 <- __iommu_paging_domain_alloc_flags) dom=${D} want=0x1 dtype=0x1 owner=0 swmsi=0x0`,
      `get: (iommu_get_msi_cookie+0x4/0xa0) base=0x8000000 ${words('0x1', 0)}`,
      `got: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) ret=0 base=0x8000000 ${words('0x40000001', 64)}`,
    );
    const a = await auditText(text);
    expect(a.audit.design.id).toBe('private-data-owner');
    expect(eventsOf(a)[1]).toMatchObject({ before: { type: 1, private_data_owner: 0 }, after: { word: '0x40000001' } });
    expect(alive(a)).toMatchObject([{ state: 'msi_owned', type: { value: 1 }, word: { bytes: '01000040' } }]);
    expect(a.audit.checked.words).toBe(3);
    expect(a.findings).toEqual([]);
    const stolen = await auditText(text.replace('dtype=0x40000001 owner=64', 'dtype=0x80000001 owner=128'));
    expect(stolen.findings).toMatchObject([{ rule: 'word-mismatch', line: 3, expected: { private_data_owner: 1 }, observed: { type: 1, private_data_owner: 2 } }]);
  });

  test('returns alone, which name the domain themselves', async () => {
    const a = await auditText(traceText(
      `set_dom: (__iommu_group_set_domain+0x18/0x28 <- __iommu_group_set_domain_internal) group=0xffff000002c41400 domain=${D} flags=0x0 ret=0`,
      `prep: (its_irq_domain_alloc+0xe0/0x260 <- iommu_dma_prepare_msi) desc=0xffff0000050c8800 pa=0x8090040 ret=0 dev="0000:00:03.0" group=0xffff000002c41400 domain=${D} type=0x1 cookie=0xffff000004079400 ctype=2 msi=0x3000000000008000`,
    ));
    expect(eventsOf(a)).toEqual([
      expect.objectContaining({ type: 'iommu_group_set_domain', domain: D, errno: 0 }),
      expect.objectContaining({ type: 'iommu_dma_prepare_msi', domain: D, device: '0000:00:03.0', msi_addr: '0x8090040', errno: 0, after: { type: 1, cookie_type: 2 } }),
    ]);
    expect(alive(a)).toMatchObject([{ domain: D, state: 'msi_owned' }]);
    expect(a.findings).toEqual([]);
  });

  test('a group pointer is no group id; the id may stand beside it', async () => {
    const claim = 'c: (vfio_container_attach_group+0x12c/0x1b0 [vfio] <- iommu_group_claim_dma_owner) group=0xffff000002c41400 owner=0xffff000008697800';
    const a = await auditText(traceText(`${claim} ret=0`, `${claim} gid=7 ret=0`));
    expect(eventsOf(a)[0]).not.toHaveProperty('group');
    expect(eventsOf(a)[1]).toMatchObject({ type: 'iommu_group_claim_dma_owner', group: 7, owner: '0xffff000008697800' });
  });
});

describe('fields that a probe lacks', () => {
  test('are told with what they cost; the rest is judged', async () => {
    const a = await auditText(traceText(
      life[0],
      `get: (iommu_get_msi_cookie+0x4/0xa0) domain=${D} type=0x1 cookie_type=0`,
      `got: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) domain=${D} type=0x1 cookie_type=2`,
      `claim: (vfio_group_fops_unl_ioctl+0x1c/0x30 [vfio] <- iommu_group_claim_dma_owner) gid=3 owner=0xffff000002360180`,
    ));
    expect(a.summary.missing).toEqual([
      { function: '__iommu_paging_domain_alloc_flags', fields: ['dev'], costs: 'which device it was is not known' },
      { function: 'iommu_get_msi_cookie', fields: ['ret'], costs: 'its answer is not compared' },
      { function: 'iommu_get_msi_cookie', fields: ['base'], costs: 'MSI IOVAs are not predicted' },
      { function: 'iommu_group_claim_dma_owner', fields: ['ret'], costs: 'its answer is not compared' },
    ]);
    expect(a.audit.checked).toMatchObject({ errno: 1, words: 3 });
  });

  test('a recording with the definitions that are printed lacks none', async () => {
    for (const name of ['own72n/iommufd', 'deb72/errors', 'pdo/iommufd', 'own612n/iommufd']) expect((await auditFile(`${RECORDINGS}/${name}.trace.txt`, { events: false })).summary.missing, name).toEqual([]);
  });
});
