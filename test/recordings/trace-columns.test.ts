/**
 * What real trace text surprised with (README.md here, "Surprises"), second part: task names, columns, line ends, losses,
 * calls whose entry or return is missing, and callers.
 */
import { describe, expect, test } from 'vitest';
import { alive, auditText, eventsOf, fedInChunks, traceLine, traceText, type Who } from '../audit-file.ts';

const D = '0xffff0000046c9b20';
const E = '0xffff0000046c9c20';

const alloc = (dom = D): string => `domain_alloc_in: (iommu_paging_domain_alloc_flags+0x1c/0x30 <- __iommu_paging_domain_alloc_flags) dev="0000:00:03.0" want=0x1 flags=0x0 dom=${dom} dtype=0x1 ctype=0 cookie=0x0`;
const getMsi = (dom = D): string => `get_msi_cookie: (iommu_get_msi_cookie+0x4/0xa0) base=0x8000000 dom=${dom} dtype=0x1 ctype=0 cookie=0x0`;
const gotMsi = (dom = D, ret = 0, ctype = 2): string => `get_msi_cookie_ret: (vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1] <- iommu_get_msi_cookie) ret=${ret} base=0x8000000 dom=${dom} dtype=0x1 ctype=${ctype} cookie=0xffff000004079400`;
const free = (dom = D, ctype = 2): string => `domain_free: (iommu_domain_free+0x4/0xc8) dom=${dom} dtype=0x1 ctype=${ctype} cookie=0xffff000004079400`;
const prepare = (dom = D, ctype = 2): string => `prepare_msi: (iommu_dma_prepare_msi+0x4/0x1c0) dev="0000:00:03.0" desc=0xffff0000053bb980 msi_index=0 irq=0 msi_addr=0x8090040 dom=${dom} dtype=0x1 ctype=${ctype}`;
const prepared = `prepare_msi_ret: (its_irq_domain_alloc+0xe0/0x1d8 <- iommu_dma_prepare_msi) ret=0 dev="0000:00:03.0" desc=0xffff0000053bb980 msi_index=0 msi_addr=0x8090040 iova_pfn=32768 shift=12`;

describe('columns', () => {
  const names = ['vt-aarch64', 'kworker/u8:0', 'a,b;c', '[kthread]', 'two  words', '-1 [000]', 'x-1 [000] 1: b', 'a-1 [0] d 1.0: ', '(x <- y)', 'größer', '日本語', '%s %d', '"quoted"', 'CPU:1 [LOST 9'];

  test.each(names)('task name %j in the usual columns', async (comm) => {
    expect(Buffer.byteLength(comm)).toBeLessThan(16);
    const a = await auditText(`# tracer: nop\n#\n${traceLine('173.745997', free(), { comm, pid: 601, cpu: 1 })}\n`);
    expect(eventsOf(a)).toMatchObject([{ time: '173.745997', cpu: 1, task: comm, pid: 601, line: 3, type: 'iommu_domain_free' }]);
  });

  test.each(names)('task name %j in columns that a long uptime has shifted', async (comm) => {
    const a = await auditText(`# tracer: nop\n${traceLine('1234567.745997', free(), { comm, pid: 601, cpu: 1 })}\n`);
    expect(eventsOf(a)).toMatchObject([{ time: '1234567.745997', cpu: 1, task: comm, pid: 601 }]);
  });

  test.each(['vt-aarc', '-1 [000]', 'a b'])('task name %j in latency-format', async (comm) => {
    const a = await auditText(`# tracer: nop\n#\n# nop latency trace v1.1.5 on 7.2.13-cap\n# latency: 0 us, #2/2, CPU#0 | (M:PREEMPTLAZY VP:0, KP:0, SP:0 HP:0 #P:2)\n${comm.padStart(8)}-493       1d..2. 365146us#: ${free()}\n${comm.padStart(8)}-493       0...1. 1372061us : ${alloc()}\n`);
    expect(a.summary).toMatchObject({ kernel: '7.2.13-cap', lines: 6, lost: 0 });
    expect(eventsOf(a)).toMatchObject([{ time: '0.365146', cpu: 1, task: comm, pid: 493, line: 5 }, { time: '1.372061', cpu: 0, line: 6 }]);
    expect(a.summary.problems.count).toBe(0);
  });

  test('more CPUs than three digits can name', async () => {
    const a = await auditText(`${traceLine('173.745997', free(), { cpu: 1023 })}\n`);
    expect(eventsOf(a)).toMatchObject([{ cpu: 1023, task: 'vt-aarch64', pid: 601, time: '173.745997' }]);
  });

  test('a task name with a newline costs its own beginning, not the event', async () => {
    const a = await auditText(`# tracer: nop\n${traceLine('173.745997', free(), { comm: 'evil\nname' })}\n`);
    expect(eventsOf(a)).toMatchObject([{ task: 'name', pid: 601, line: 3 }]);
    expect(a.summary.problems.first).toMatchObject([{ code: 'unreadable-line' }]);
  });

  test('record-tgid has one more column, also where it is not known', async () => {
    const a = await auditText([
      `      vt-aarch64-459     (    459) [000] ...2.   109.722965: ${free()}`,
      `          <idle>-0       (-------) [001] d..2.   109.722966: ${alloc()}`, ''].join('\n'));
    expect(eventsOf(a)).toMatchObject([{ task: 'vt-aarch64', pid: 459, cpu: 0, time: '109.722965' }, { task: '<idle>', pid: 0, cpu: 1, time: '109.722966' }]);
  });

  test('stack traces are passed over', async () => {
    const a = await auditText(traceText(getMsi(), traceLine('173.000002', '<stack trace>'), ' => fentry_dispatcher', ' => iommu_get_msi_cookie', ' => vfio_iommu_type1_attach_group', gotMsi()));
    expect(eventsOf(a)).toMatchObject([{ type: 'iommu_get_msi_cookie', line: 6, before: { cookie_type: 0 }, after: { cookie_type: 2 } }]);
    expect(a.summary).toMatchObject({ lines: 6, ignored: 4 });
    expect(a.summary.problems.count).toBe(0);
  });

  test('equal timestamps: the order of the file is the order of the events', async () => {
    const at = (body: string): string => `${traceLine('179.381421', body)}\n`;
    const a = await auditText([alloc(), getMsi(), gotMsi(), free(), alloc(), getMsi(), gotMsi()].map(at).join(''));
    expect(eventsOf(a).map((e) => [e['line'], e['type']])).toEqual([[1, 'iommu_domain_alloc'], [3, 'iommu_get_msi_cookie'], [4, 'iommu_domain_free'], [5, 'iommu_domain_alloc'], [7, 'iommu_get_msi_cookie']]);
    expect(alive(a)).toMatchObject([{ generation: 2, state: 'msi_owned' }]);
    expect(a.findings).toEqual([]);
  });

  test('a last line without its end is a problem and not used, even where it looks whole', async () => {
    for (const cut of [0, 40]) {
      const a = await auditText(traceText(alloc(), free()).slice(0, -1 - cut));
      expect(eventsOf(a)).toMatchObject([{ type: 'iommu_domain_alloc' }]);
      expect(a.summary.problems.first).toMatchObject([{ code: 'truncated-line', where: expect.stringMatching(/:2$/) }]);
      expect(a.summary.lines).toBe(2);
    }
  });

  test('a line of 64 KiB and more is a problem and skipped', async () => {
    const a = await auditText(traceText(alloc(), `x: ${'y-1 [000] '.repeat(7000)}`, `${getMsi()} pad=${'z'.repeat(70_000)}`, free()));
    expect(eventsOf(a).map((e) => e['line'])).toEqual([1, 4]);
    expect(a.summary.problems.first.map((p) => p.code)).toEqual(['line-too-long', 'line-too-long']);
    expect(a.summary).toMatchObject({ lines: 4, ignored: 2 });
  });

  test('CRLF line ends, as a copy through another system makes them, change nothing', async () => {
    const text = ['# tracer: nop', '# entries-in-buffer/entries-written: 9/9   #P:2', '',
      traceText(alloc(), getMsi(), gotMsi(), prepare(), 'attach_device_to_domain: IOMMU: device=0000:00:03.0', prepared, 'change_type: (x+0x38/0x68 <- iommu_group_store_type) ret=-1 grp=3 buf="identity', '"', ' => el0_svc', free())].join('\n');
    const [a, b] = [await auditText(text), await auditText(text.replaceAll('\n', '\r\n'))];
    expect(eventsOf(a)).toHaveLength(4);
    expect(eventsOf(b)).toEqual(eventsOf(a));
    expect(b.summary).toMatchObject({ lines: a.summary.lines, ignored: a.summary.ignored });
    expect(b.summary.problems.first).toEqual([]);
  });

  test.each([1, 7, 100, 70_000])('it does not matter that bytes arrive %d at a time', async (size) => {
    const odd = traceText('# tracer: nop', alloc(), `x: ${'y-1 [000] '.repeat(7000)}`, 'CPU:1 [LOST 12 EVENTS]', '', getMsi(), `${gotMsi()} pad=${'z'.repeat(70_000)}`, traceLine('173.5', prepare(), { comm: '-1 [000] größer' }));
    for (const text of [odd, odd.replaceAll('\n', '\r\n'), odd.slice(0, -1), odd.slice(0, -60)]) {
      const whole = await auditText(text);
      const fed = await fedInChunks(Buffer.from(text), size, whole.summary);
      expect(fed.events).toEqual(whole.events);
      expect({ ...fed.summary, problems: fed.summary.problems.first }).toEqual({ ...whole.summary, problems: whole.summary.problems.first });
    }
  });

  test('a header and nothing else is a recording without events', async () => {
    const a = await auditText('# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:2\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n#              | |         |   |||||     |         |\n');
    expect(eventsOf(a)).toEqual([]);
    expect(a.summary).toMatchObject({ lines: 6, ignored: 6, lost: 0, from: null, to: null });
    expect(a.summary.problems.count).toBe(0);
    expect(a.audit.checked).toEqual({ errno: 0, words: 0, iovas: 0, addresses: 0 });
  });
});

describe('lost events', () => {
  const life = [alloc(), getMsi(), gotMsi()];
  test.each([
    ['a LOST line of trace_pipe', ['CPU:1 [LOST 679 EVENTS]'], 679, []],
    ['a LOST line without a count', ['CPU:1 [LOST EVENTS]'], 1, []],
    ['a buffer that started late', ['##### CPU 0 buffer started ####'], 535, ['# tracer: nop', '# entries-in-buffer/entries-written: 256/791   #P:2']],
  ])('%s: owners are unknown until memory is seen again, then conformance goes on', async (_, mark, lost, header) => {
    const gap = await auditText(traceText(...header, ...life, ...mark));
    expect(gap.summary.lost).toBe(lost);
    expect(eventsOf(gap).at(-1)).toMatchObject({ type: 'events_lost' });
    expect(alive(gap)).toMatchObject([{ domain: D, generation: 1, state: 'unknown', word: null, msi_next: null }]);
    // cookie_type 2 became 5 in the gap: nobody knows how, so that is no finding, and nothing can be compared.
    const seen = await auditText(traceText(...header, ...life, ...mark, prepare(D, 5), prepared));
    expect(alive(seen)).toMatchObject([{ domain: D, state: 'iommufd_owned' }]);
    expect(seen.findings).toEqual([]);
    expect(seen.audit.checked.words).toBe(gap.audit.checked.words);
    const later = await auditText(traceText(...header, ...life, ...mark, prepare(D, 5), prepared, free(D, 0)));
    expect(later.findings).toMatchObject([{ rule: 'word-mismatch', line: header.length + 7, expected: { cookie_type: 5 }, observed: { cookie_type: 0 } }]);
  });

  test('without a loss a "buffer started" mark is only a line', async () => {
    const a = await auditText(traceText('# tracer: nop', '# entries-in-buffer/entries-written: 3/3   #P:2', ...life, '##### CPU 1 buffer started ####'));
    expect(alive(a)).toMatchObject([{ state: 'msi_owned' }]);
    expect(a.summary.lost).toBe(0);
  });

  test('an address freed before the gap may have been given out again in it', async () => {
    const a = await auditText(traceText(...life, free(), 'CPU:0 [LOST 12 EVENTS]', prepare(D, 2), prepared));
    expect(alive(a)).toMatchObject([{ generation: 2, state: 'msi_owned' }]);
    expect(a.findings).toEqual([]);
  });
});

describe('calls', () => {
  const as = (who: Who, ...bodies: string[]): string[] => bodies.map((body, i) => traceLine(`200.00000${i}`, body, who));
  const [one, two] = [{ pid: 601, cpu: 0 }, { comm: 'insmod', pid: 459, cpu: 1 }];

  test('an entry without return is a call without an answer: its task went on', async () => {
    const a = await auditText(traceText(alloc(), getMsi(), alloc(E), getMsi(E), gotMsi(E)));
    expect(eventsOf(a).map((e) => [e['type'], e['domain']])).toEqual([['iommu_domain_alloc', D], ['iommu_get_msi_cookie', D], ['iommu_domain_alloc', E], ['iommu_get_msi_cookie', E]]);
    expect(a.findings).toEqual([]);
  });

  test('a return without entry is an event without "before"', async () => {
    const a = await auditText(traceText(alloc(), gotMsi()));
    expect(eventsOf(a)[1]).toMatchObject({ type: 'iommu_get_msi_cookie', base: '0x8000000', errno: 0, after: { cookie_type: 2 } });
    expect(eventsOf(a)[1]).not.toHaveProperty('before');
    expect(a.findings).toEqual([]);
  });

  test('a return is not paired with the entry of a call on another domain', async () => {
    const a = await auditText(traceText(alloc(), alloc(E), getMsi(D), gotMsi(E)));
    expect(eventsOf(a)[2]).toMatchObject({ domain: E, after: { cookie_type: 2 } });
    expect(eventsOf(a)[2]).not.toHaveProperty('before');
    expect(alive(a)).toMatchObject([{ domain: D, state: 'unowned' }, { domain: E, state: 'msi_owned' }]);
  });

  test.each([['two tasks on two CPUs', one, two], ['the idle tasks of two CPUs, both of pid 0', { comm: '<idle>', pid: 0, cpu: 0 }, { comm: '<idle>', pid: 0, cpu: 1 }], ['one task that moved', one, { ...two, comm: 'vt-aarch64' }]])('calls of %s are told apart', async (_, x, y) => {
    const map = (dom: string): string => `dom_map: (iommu_dma_get_msi_page+0x108/0x170 <- iommu_map) ret=0 dom=${dom} iova=0x8000000 paddr=0x8090000 size=0x1000 prot=0x1a`;
    const [x1, x2, x3, x4, x5] = as(x, getMsi(D), gotMsi(D), prepare(D), map(D), prepared);
    const [y1, y2, y3, y4, y5] = as(y, getMsi(E), gotMsi(E), prepare(E), map(E), prepared);
    const a = await auditText(traceText(alloc(D), alloc(E), x1, y1, x2, y2, x3, y3, y4, x4, x5, y5));
    expect(eventsOf(a).slice(2).map((e) => [e['line'], e['type'], e['domain']])).toEqual([
      [5, 'iommu_get_msi_cookie', D], [6, 'iommu_get_msi_cookie', E], [9, 'iommu_map', E], [10, 'iommu_map', D], [11, 'iommu_dma_prepare_msi', D], [12, 'iommu_dma_prepare_msi', E]]);
    expect(eventsOf(a).slice(2, 4)).toMatchObject([{ before: { cookie_type: 0 } }, { before: { cookie_type: 0 } }]);
    expect(a.findings).toEqual([]);
  });

  test.each(["[unknown/kretprobe'd]", '0xffff80007914f0f4', 'fn.isra.0+0x7c/0x110', 'vfio_iommu_type1_attach_group+0x8e0/0xee0 [vfio_iommu_type1]'])('a return to %s', async (caller) => {
    const a = await auditText(traceText(alloc(), ...Array.from({ length: 2 }, () => [getMsi(), gotMsi().replace(/\(.* <-/, `(${caller} <-`)]).flat().slice(0, 2)));
    const symbol = /^\w+/.exec(caller)?.[0];
    expect(eventsOf(a)[1]).toMatchObject({ type: 'iommu_get_msi_cookie', errno: 0, before: { cookie_type: 0 }, ...(symbol !== undefined && { caller: symbol }) });
    if (symbol === undefined) expect(eventsOf(a)[1]).not.toHaveProperty('caller');
  });

  test.each(['.isra.0', '.part.0', '.constprop.0', ''])('a function with the compiler\'s suffix "%s" is the function', async (suffix) => {
    const a = await auditText(traceText(`a: (__iommu_take_dma_ownership+0x90/0xe8 <- __iommu_paging_domain_alloc_flags${suffix}) dom=${D} dtype=0x1 ctype=0`, `b: (iommu_domain_free${suffix}+0x4/0xc8) dom=${D} dtype=0x1 ctype=0`));
    expect(eventsOf(a).map((e) => e['type'])).toEqual(['iommu_domain_alloc', 'iommu_domain_free']);
  });

  test('a function whose name only begins alike is another one', async () => {
    const a = await auditText(traceText(`a: (iommu_domain_free_something+0x4/0xc8) dom=${D}`, `b: (x+0x1/0x2 <- iommu_get_msi_cookie_v2) ret=0 dom=${D}`));
    expect(eventsOf(a)).toEqual([]);
  });
});
