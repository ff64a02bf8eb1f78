/**
 * What real trace text surprised with (README.md here, "Surprises"): each as a few lines shaped like the real ones, with the
 * events, problems and states that must come of them. This file: what the fields and the lives of domains do;
 * `trace-columns.test.ts` has task names, columns, losses and calls.
 */
import { describe, expect, test } from 'vitest';
import { alive, auditText, eventsOf, traceLine, traceText } from '../audit-file.ts';

const D = '0xffff0000046c9b20';
const BLOCKED = '0xffffadc67d6f2560';
const DMA = '0xffff000003d08220';

const alloc = (dom = D, dtype = '0x1'): string => `domain_alloc_in: (iommu_paging_domain_alloc_flags+0x1c/0x30 <- __iommu_paging_domain_alloc_flags) dev="0000:00:03.0" want=${dtype} flags=0x0 dom=${dom} dtype=${dtype} ctype=0 cookie=0x0`;
const getMsi = (dom = D): string => `get_msi_cookie: (iommu_get_msi_cookie+0x4/0xa0) base=0x8000000 dom=${dom} dtype=0x1 ctype=0 cookie=0x0`;
const gotMsi = (dom = D, ret = 0, ctype = 2): string => `get_msi_cookie_ret: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) ret=${ret} base=0x8000000 dom=${dom} dtype=0x1 ctype=${ctype} cookie=0xffff000004079400`;
const free = (dom = D, dtype = '0x1', ctype = 2): string => `domain_free: (iommu_domain_free+0x4/0xc8) dom=${dom} dtype=${dtype} ctype=${ctype} cookie=0xffff000004079400`;
const setDomain = (dom: string, words: string, old: string, oldWords: string): string => `group_set_domain: (__iommu_group_set_domain_internal+0x4/0x190) grp=3 flags=0x0 dom=${dom} ${words} old_dom=${old} ${oldWords}`;
const domainSet = (dom: string, words: string): string => `group_set_domain_ret: (__iommu_group_set_domain+0x18/0x28 <- __iommu_group_set_domain_internal) ret=0 grp=3 cur_dom=${dom} ${words}`;
const prepare = (dom: string, words: string): string => `prepare_msi: (iommu_dma_prepare_msi+0x4/0x1c0) dev="0000:00:03.0" desc=0xffff0000053bb980 msi_index=0 irq=0 msi_addr=0x8090040 dom=${dom} ${words}`;
const prepared = (ret = 0, pfn = 32768, shift = 12): string => `prepare_msi_ret: (its_irq_domain_alloc+0xe0/0x1d8 <- iommu_dma_prepare_msi) ret=${ret} dev="0000:00:03.0" desc=0xffff0000053bb980 msi_index=0 msi_addr=0x8090040 iova_pfn=${pfn} shift=${shift}`;

describe('fields', () => {
  test('behind a NULL old_dom the other old_ fields are stale bytes: no old domain, no old words', async () => {
    const a = await auditText(traceText(
      setDomain(DMA, 'dtype=0x3 ctype=1 cookie=0xffff000003d08400', '0x0', 'old_dtype=0x0 old_ctype=4096 old_cookie=0x100000000000'),
      domainSet(DMA, 'cur_dtype=0x3 cur_ctype=1 cur_cookie=0xffff000003d08400'),
    ));
    const [event] = eventsOf(a);
    expect(event).toMatchObject({ type: 'iommu_group_set_domain', domain: DMA, group: 3, errno: 0, before: { type: 3, cookie_type: 1 }, after: { type: 3, cookie_type: 1 } });
    expect(event).not.toHaveProperty('old_domain');
    expect(event).not.toHaveProperty('old');
    expect(alive(a).map((d) => d.domain)).toEqual([DMA]);
    expect(a.findings).toEqual([]);
  });

  test('behind an ERR_PTR hwpt there is only the errno', async () => {
    const a = await auditText(traceText('fd_paging_alloc: (iommufd_device_auto_get_domain+0xcc/0x2a0 [iommufd] <- iommufd_hwpt_paging_alloc) flags=0x0 hwpt=0xffffffffffffffa1 id=10224 dom=0xffff80008047fc20 dtype=0xffff8000 ctype=2152567184 cookie=0xffff800080481e48 npar=0'));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommufd_hwpt_paging_alloc', errno: -95 }]);
    for (const member of ['domain', 'hwpt', 'after']) expect(eventsOf(a)[0]).not.toHaveProperty(member);
    expect(alive(a)).toEqual([]);
    expect(a.findings).toMatchObject([{ rule: 'hwpt-alloc-unsupported', severity: 'info', outcome: 'rejected' }]);
  });

  test('an allocation that returns ERR_PTR is an event without domain, one that returns NULL says nothing', async () => {
    const a = await auditText(traceText(alloc('0xfffffffffffffff4', '0xffff8000'), alloc('0x0', '0x1000')));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommu_domain_alloc', line: 1, errno: -12 }]);
    expect(eventsOf(a)[0]).not.toHaveProperty('after');
    expect(a.summary.ignored).toBe(1);
  });

  test.each([['4096', 'stale'], ['0', 'which would read as IOVA cookie'], ['4294943093', 'stale']])('v6.12: cktype=%s behind cookie=0x0 (%s) is no member', async (cktype) => {
    const a = await auditText(traceText(`attach_dev: (__iommu_device_set_domain+0x78/0xe0 <- __iommu_attach_device) ret=0 dev="0000:00:03.0" dom=0xffffa1757cf016d8 dtype=0x0 cookie=0x0 cktype=${cktype}`));
    expect(a.audit.design.id).toBe('v6.12');
    expect(eventsOf(a)[0]['after']).toEqual({ type: 0, iova_cookie: '0x0' });
    expect(alive(a)).toMatchObject([{ domain: '0xffffa1757cf016d8', state: 'unowned', type: { value: 0 } }]);
  });

  test('a string with a newline splits its line: the rest is ignored, not a problem', async () => {
    const a = await auditText(traceText(
      'change_type: (iommu_group_attr_store+0x38/0x68 <- iommu_group_store_type) ret=-1 grp=3 buf="identity',
      '"',
      free(),
    ));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommu_domain_free', line: 3 }]);
    expect(a.summary).toMatchObject({ lines: 3, ignored: 2 });
    expect(a.summary.problems.count).toBe(0);
  });

  test('bitfields print in decimal: iova_pfn=32768 shift=12 is 0x8000000, 4294967295 the top of a 52-bit space', async () => {
    const a = await auditText(traceText(prepare(D, 'dtype=0x1 ctype=2'), prepared(), prepare(D, 'dtype=0x1 ctype=2'), prepared(0, 4294967295)));
    expect(eventsOf(a)).toMatchObject([{ iova: '0x8000000', iommu_msi_shift: 12 }, { iova: '0xffffffff000', iommu_msi_shift: 12 }]);
  });

  test('a refused prepare_msi leaves no iova: 0 and shift 0 are what the descriptor held before', async () => {
    const a = await auditText(traceText(prepare(D, 'dtype=0x1 ctype=0'), prepared(-95, 0, 0)));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommu_dma_prepare_msi', errno: -95, before: { type: 1, cookie_type: 0 } }]);
    expect(eventsOf(a)[0]).not.toHaveProperty('iova');
    expect(a.findings).toMatchObject([{ rule: 'msi-prepare-unowned', severity: 'info', outcome: 'rejected' }]);
  });
});

describe('map is the name of a tracepoint and of a probe', () => {
  const tracepoint = 'map: IOMMU: iova=0x0000000008000000 - 0x0000000008001000 paddr=0x0000000008090000 size=4096';
  const probe = `map: (iommu_dma_sw_msi+0x190/0x300 <- iommu_map) ret=0 dom=${D} iova=0x8000000 paddr=0x8090000 size=0x1000 prot=0x1a`;
  const life = (...maps: string[]): string => traceText(alloc(), getMsi(), gotMsi(), prepare(D, 'dtype=0x1 ctype=2'), ...maps, prepared());

  test('both: one mapping, told by the probe', async () => {
    const a = await auditText(life(tracepoint, probe));
    expect(eventsOf(a).filter((e) => e['type'] === 'iommu_map')).toEqual([expect.objectContaining({ line: 6, domain: D, iova: '0x8000000', paddr: '0x8090000', size: 4096, prot: 26, caller: 'iommu_dma_sw_msi', errno: 0 })]);
    expect(alive(a)[0].msi_pages).toMatchObject([{ iova: '0x8000000', phys: '0x8090000', size: 4096 }]);
    expect(a.findings).toEqual([]);
  });

  test('the tracepoint alone, inside iommu_dma_prepare_msi: it is that domain\'s MSI page', async () => {
    const a = await auditText(life(tracepoint));
    expect(eventsOf(a).filter((e) => e['type'] === 'iommu_map')).toMatchObject([{ domain: D, iova: '0x8000000', paddr: '0x8090000', size: 4096, errno: 0 }]);
    expect(alive(a)[0].msi_pages).toMatchObject([{ iova: '0x8000000', phys: '0x8090000' }]);
    expect(a.findings).toEqual([]);
  });

  test('the tracepoint alone, elsewhere: it names no domain and is ignored', async () => {
    const a = await auditText(traceText(alloc(), tracepoint));
    expect(eventsOf(a)).toHaveLength(1);
    expect(a.summary.ignored).toBe(1);
  });
});

describe('lives of domains', () => {
  test('first seen in mid-life: words tell the state, nothing is alarming', async () => {
    const a = await auditText(traceText(
      setDomain(BLOCKED, 'dtype=0x0 ctype=0 cookie=0x0', DMA, 'old_dtype=0x3 old_ctype=1 old_cookie=0xffff000003d08400'),
      domainSet(BLOCKED, 'cur_dtype=0x0 cur_ctype=0 cur_cookie=0x0'),
      prepare(D, 'dtype=0x1 ctype=5'),
      `map: (batch_to_domain+0xfc/0x178 [iommufd] <- iommu_map) ret=0 dom=0xffff000003913b20 iova=0x100000000 paddr=0x4135c000 size=0x10000 prot=0x7`,
      prepared(),
    ));
    expect(alive(a).map((d) => [d.domain, d.state])).toEqual([[BLOCKED, 'unowned'], [DMA, 'dma_owned'], ['0xffff000003913b20', 'unknown'], [D, 'iommufd_owned']]);
    expect(a.findings).toEqual([]);
  });

  test.each([['identity', '0x4'], ['blocked', '0x0']])('a static %s domain that is freed lives on', async (_, dtype) => {
    const words = `dtype=${dtype} ctype=0 cookie=0x0`;
    const set = [setDomain(BLOCKED, words, DMA, 'old_dtype=0x3 old_ctype=1 old_cookie=0xffff000003d08400'), domainSet(BLOCKED, words.replaceAll(/(dtype|ctype|cookie)/g, 'cur_$1'))];
    const a = await auditText(traceText(...set, free(BLOCKED, dtype, 0), ...set, free(BLOCKED, dtype, 0)));
    expect(alive(a)).toMatchObject([{ domain: BLOCKED, generation: 1, state: 'unowned', groups: [3] }, { domain: DMA }]);
    expect(eventsOf(a).filter((e) => e['type'] === 'iommu_domain_free')).toHaveLength(2);
    expect(a.findings).toEqual([]);
  });

  test('two allocators, one inside the other, return one domain', async () => {
    const a = await auditText(traceText(alloc(), `domain_alloc: (vfio_iommu_domain_alloc+0x20/0x40 [vfio_iommu_type1] <- iommu_paging_domain_alloc_flags) dev="0000:00:03.0" flags=0x0 dom=${D} dtype=0x1 ctype=0 cookie=0x0`));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommu_domain_alloc', line: 1, domain: D }]);
    expect(alive(a)).toMatchObject([{ generation: 1 }]);
  });

  test('v6.12: __iommu_domain_alloc returns the static blocking domain at each claim', async () => {
    const claim = `domain_alloc_in: (__iommu_take_dma_ownership+0x90/0xe8 <- __iommu_domain_alloc) dev="0000:00:03.0" want=0x0 dom=${BLOCKED} dtype=0x0 cookie=0x0 cktype=4294943093`;
    const a = await auditText(traceText(claim, claim, claim));
    expect(alive(a)).toMatchObject([{ domain: BLOCKED, generation: 1, state: 'unowned', first: 2, last: 4 }]);
    expect(a.findings).toEqual([]);
  });

  test('an address that is given out again at once is another domain', async () => {
    const a = await auditText(traceText(alloc(), getMsi(), gotMsi(), free(), alloc(), getMsi(), gotMsi(), free(), alloc()));
    expect(alive(a)).toMatchObject([{ domain: D, generation: 3, state: 'unowned', msi_next: null }]);
    expect(a.findings).toEqual([]);
  });

  test('writing DMA-FQ turns the type 0x3 into 0xb in place: the same domain, the same cookie', async () => {
    const a = await auditText(traceText(
      alloc(DMA, '0x3'),
      `get_dma_cookie: (iommu_get_dma_cookie+0x4/0x80) dom=${DMA} dtype=0x3 ctype=0 cookie=0x0`,
      `get_dma_cookie_ret: (iommu_setup_default_domain+0x2f0/0x550 <- iommu_get_dma_cookie) ret=0 dom=${DMA} dtype=0x3 ctype=1 cookie=0xffff000003d08400`,
      prepare(DMA, 'dtype=0x3 ctype=1'), prepared(0, 1048575),
      'change_type: (iommu_group_attr_store+0x38/0x68 <- iommu_group_store_type) ret=7 grp=3 buf="DMA-FQ', '"',
      prepare(DMA, 'dtype=0xb ctype=1'), prepared(0, 1048575),
    ));
    expect(alive(a)).toMatchObject([{ domain: DMA, generation: 1, state: 'dma_owned', type: { value: 0xb }, msi_pages: [{ iova: '0xfffff000' }] }]);
    expect(a.audit.checked).toMatchObject({ errno: 4, words: 5 });
    expect(a.findings).toEqual([]);
  });

  test('iommufd attaches a domain before the return of its allocation names it', async () => {
    const words = 'dtype=0x1 ctype=5 cookie=0xffff00000170ac00';
    const birth = [
      setDomain(D, words, BLOCKED, 'old_dtype=0x0 old_ctype=0 old_cookie=0x0'),
      domainSet(D, 'cur_dtype=0x1 cur_ctype=5 cur_cookie=0xffff00000170ac00'),
      `fd_paging_alloc: (iommufd_device_auto_get_domain+0xcc/0x2a0 [iommufd] <- iommufd_hwpt_paging_alloc) flags=0x0 hwpt=0xffff00000170ac00 id=4 dom=${D} ${words} npar=0`,
    ];
    const leave = [setDomain(BLOCKED, 'dtype=0x0 ctype=0 cookie=0x0', D, 'old_dtype=0x1 old_ctype=5 old_cookie=0xffff00000170ac00'), domainSet(BLOCKED, 'cur_dtype=0x0 cur_ctype=0 cur_cookie=0x0')];
    const first = await auditText(traceText(...birth));
    expect(alive(first)).toMatchObject([{ domain: D, generation: 1, state: 'iommufd_owned', groups: [3] }, { domain: BLOCKED }]);
    expect(first.findings).toEqual([]);
    // The same on an address that was freed just before: no use after free, another incarnation.
    const again = await auditText(traceText(...birth, ...leave, free(D, '0x1', 5), ...birth));
    expect(alive(again)).toMatchObject([{ domain: BLOCKED }, { domain: D, generation: 2, state: 'iommufd_owned', groups: [3] }]);
    expect(again.findings).toEqual([]);
    // At the end of the recording the allocation may still be under way; once the task went on to something else, it is not.
    const open = await auditText(traceText(...birth, ...leave, free(D, '0x1', 5), ...birth.slice(0, 2)));
    expect(open.findings).toEqual([]);
    const never = await auditText(traceText(...birth, ...leave, free(D, '0x1', 5), ...birth.slice(0, 2), ...leave));
    expect(never.findings).toMatchObject([{ rule: 'use-after-free', severity: 'critical', line: 8, domain: D, generation: 1 }]);
  });

  test('a module\'s trace_printk and a marker are no events, whatever they say', async () => {
    const a = await auditText(traceText(
      '0xffff80007914f110: stealmod: get_msi_cookie(ffff000003913b20, 0x8000000) = -17, first words now 00000001 00000005',
      `tracing_mark_write: (iommu_domain_free+0x4/0xc8) dom=${D} dtype=0x1 ctype=2`,
      traceLine('174.000000', 'tracing_mark_write: vt: DEVICE_SET_IRQS(msix,3 vectors) = 0', { comm: 'a: (x <- y)' }),
    ));
    expect(eventsOf(a)).toEqual([]);
    expect(a.summary).toMatchObject({ lines: 3, ignored: 3 });
    expect(a.summary.problems.count).toBe(0);
  });
});
