/** A synthetic recording has the shape of a real one, the same bytes for a seed, no violation but the planted ones, and no memory. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addGenerateCommand } from '../../cli/generate.ts';
import { UsageError } from '../../cli/io.ts';
import { generateFtrace, INJECTABLE_RULES, type Generated, type GenerateOptions } from '../../recordings/generate-ftrace.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ledger-generate-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function generate(options: Partial<GenerateOptions> = {}): Generated & { text: string; body: string[] } {
  let text = '';
  const done = generateFtrace({ domains: 16, events: 3000, seed: 1, ...options }, (chunk) => { text += chunk; });
  return { ...done, text, body: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')) };
}

const AWK = ['gawk', 'mawk'].find((awk) => spawnSync(awk, ['BEGIN{}']).status === 0);

/** Returns what bench/audit.awk says of a recording. */
function auditByAwk(text: string): { events: number; illegal: number } {
  const path = join(directory, 'recording.txt');
  writeFileSync(path, text);
  const { stdout } = spawnSync(AWK!, ['-f', new URL('../../bench/audit.awk', import.meta.url).pathname, path], { encoding: 'utf8' });
  const [, events, illegal] = /^events=(\d+) illegal=(\d+)\n$/.exec(stdout)!;
  return { events: Number(events), illegal: Number(illegal) };
}

// Columns as in own72n/vfio-type1.trace.txt: comm to 16, pid to 7, CPU, flags, seconds to 5 and 6 decimals.
const LINE = /^(?=.{16}-.{7} \[)( *\S+)-(\d+) +\[00([0-3])\] ([.d][.l]\.[.12]\.) ([ \d]{5}\.\d{6}): (\w+): (.+)$/;
const DOM = 'dom=0xffff[0-9a-f]{12} dtype=0x[013] ctype=[0125] cookie=0x[0-9a-f]+';
/** One regular expression an event, written after real lines of own72n. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  domain_alloc_in: new RegExp(`^\\(\\w+\\+0x\\w+/0x\\w+ <- __iommu_paging_domain_alloc_flags\\) dev="[0-9a-f:.]{12}" want=0x[13] flags=0x0 ${DOM}$`),
  get_dma_cookie: new RegExp(`^\\(iommu_get_dma_cookie\\+0x4/0x80\\) ${DOM}$`),
  get_dma_cookie_ret: new RegExp(`^\\(iommu_setup_default_domain\\+0x174/0x228 <- iommu_get_dma_cookie\\) ret=0 ${DOM}$`),
  get_msi_cookie: new RegExp(`^\\(iommu_get_msi_cookie\\+0x4/0x98\\) base=0x8000000 ${DOM}$`),
  get_msi_cookie_ret: new RegExp(`^\\(vfio_iommu_type1_attach_group\\+0x6e4/0x958 \\[vfio_iommu_type1\\] <- iommu_get_msi_cookie\\) ret=0 base=0x8000000 ${DOM}$`),
  put_msi_cookie: new RegExp(`^\\(iommu_put_msi_cookie\\+0x4/0x68\\) ${DOM}$`),
  put_dma_cookie: new RegExp(`^\\(iommu_put_dma_cookie\\+0x4/0x80\\) ${DOM}$`),
  domain_free: new RegExp(`^\\(iommu_domain_free\\+0x4/0xb0\\) ${DOM}$`),
  domain_free_ret: /^\(\w+\+0x\w+\/0x\w+( \[\w+\])? <- iommu_domain_free\) dom=0xffff[0-9a-f]{12}$/,
  group_set_domain: new RegExp(`^\\(__iommu_group_set_domain_internal\\+0x4/0x168\\) grp=\\d+ flags=0x[01] ${DOM} old_dom=0x[0-9a-f]+ old_dtype=0x[013] old_ctype=\\d+ old_cookie=0x[0-9a-f]+$`),
  group_set_domain_ret: /^\(\w+\+0x\w+\/0x\w+ <- __iommu_group_set_domain_internal\) ret=0 grp=\d+ cur_dom=0xffff[0-9a-f]{12} cur_dtype=0x[013] cur_ctype=[0125] cur_cookie=0x[0-9a-f]+$/,
  attach_device_to_domain: /^IOMMU: device=[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.0$/,
  attach_dev: new RegExp(`^\\(__iommu_device_set_domain\\+0x7c/0xe8 <- __iommu_attach_device\\) ret=0 dev="[0-9a-f:.]{12}" ${DOM}$`),
  claim_group: /^\(vfio_container_attach_group\+0x118\/0x1a8 \[vfio\] <- iommu_group_claim_dma_owner\) ret=0 grp=\d+ owner=0xffff[0-9a-f]{12} owner_cnt=1$/,
  claim_device: /^\(iommufd_device_bind\+0xcc\/0x1c0 \[iommufd\] <- iommu_device_claim_dma_owner\) ret=0 dev="[0-9a-f:.]{12}" owner=0xffff[0-9a-f]{12}$/,
  prepare_msi: /^\(iommu_dma_prepare_msi\+0x4\/0x1b8\) dev="[0-9a-f:.]{12}" desc=0xffff[0-9a-f]{12} msi_index=\d+ irq=0 msi_addr=0x80[9b]0040 dom=0xffff[0-9a-f]{12} dtype=0x[13] ctype=[125]$/,
  prepare_msi_ret: /^\(its_irq_domain_alloc\+0xe0\/0x1d8 <- iommu_dma_prepare_msi\) ret=0 dev="[0-9a-f:.]{12}" desc=0xffff[0-9a-f]{12} msi_index=\d+ msi_addr=0x80[9b]0040 iova_pfn=(3276[89]|10485\d\d) shift=12$/,
  map: /^IOMMU: iova=0x[0-9a-f]{16} - 0x[0-9a-f]{16} paddr=0x[0-9a-f]{16} size=4096$/,
  dom_map: /^\(\w+\+0x\w+\/0x\w+( \[\w+\])? <- iommu_map\) ret=0 dom=0xffff[0-9a-f]{12} iova=0x[0-9a-f]+ paddr=0x[0-9a-f]+ size=0x1000 prot=0x(6|7|13|1a)$/,
  dom_map_nosync: /^\(iommu_map\+0x28\/0x88 <- iommu_map_nosync\) ret=0 dom=0xffff[0-9a-f]{12} iova=0x[0-9a-f]+ paddr=0x[0-9a-f]+ size=0x1000 prot=0x(6|7|13|1a)$/,
  dom_unmap: /^\(iommu_unmap_nofail\+0x1c\/0x48 \[iommufd\] <- iommu_unmap\) ret=(0x\w+) dom=0xffff[0-9a-f]{12} iova=0x[0-9a-f]+ size=\1$/,
  fd_sw_msi_install: /^\(\w+\+0x\w+\/0x\w+( \[\w+\])? <- iommufd_sw_msi_install\) ret=0 hwpt=0xffff[0-9a-f]{12} dom=0xffff[0-9a-f]{12} map=0xffff[0-9a-f]{12} start=0x8000000 msi_addr=0x80[9b]0000 pgoff=0 id=0$/,
  fd_paging_alloc: new RegExp(`^\\(\\w+\\+0x\\w+/0x\\w+ \\[iommufd\\] <- iommufd_hwpt_paging_alloc\\) flags=0x0 hwpt=0xffff[0-9a-f]{12} id=[45] ${DOM} npar=0$`),
  write_msg: /^\(__pci_write_msi_msg\+0x4\/0x1d0\) desc=0xffff[0-9a-f]{12} dev="[0-9a-f:.]{12}" msi_index=\d+ irq=\d+ alo=0x(0|800[01]040|ffff[def]040|fffff040) ahi=0x0 data=0x\w+$/,
};
const ENTRY_OF: Readonly<Record<string, string>> = { fd_sw_msi_install: 'fd_sw_msi_inst_in' };
const WITH_RETURN = ['setup_default', 'get_dma_cookie', 'get_msi_cookie', 'domain_free', 'group_set_domain', 'attach_group', 'detach_group', 't1_attach_group', 'prepare_msi', 'sw_msi', 'fd_sw_msi', 'fd_sw_msi_inst_in'];

describe('the text of a healthy machine', () => {
  const { body, text, lines, operations, injected } = generate({ events: 20000, seed: 7 });

  test('has the header of a trace file, with the right count and a word on where it comes from', () => {
    expect(text.split('\n').slice(0, 6)).toEqual([
      '# tracer: nop',
      '#',
      '# iommu-ledger generate --domains 16 --events 20000 --seed 7 (synthetic, no kernel recorded this)',
      '#',
      `# entries-in-buffer/entries-written: ${lines}/${lines}   #P:4`,
      '#',
    ]);
    expect(text).toContain('\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n#              | |         |   |||||     |         |\n');
  });

  test('counts lines and operations; two to three lines an operation', () => {
    expect(body).toHaveLength(lines);
    expect(injected).toBe(0);
    expect(operations).toBeGreaterThanOrEqual(20000);
    expect(operations).toBeLessThan(20100);
    expect(lines / operations).toSatisfy((ratio: number) => ratio > 1.8 && ratio < 3);
  });

  test('has the columns and the fields of real lines, and every kind of them', () => {
    const seen = new Set<string>();
    for (const line of body) {
      const [, , , , , , event = '', rest = ''] = LINE.exec(line) ?? [];
      expect(event, line).not.toBe('');
      if (SHAPES[event]) expect(rest, line).toMatch(SHAPES[event]);
      seen.add(event);
    }
    expect([...Object.keys(SHAPES), 'use_default', 'release_group', 'release_device', 'fd_hwpt_destroy', 'replace_handle', 'unmap'].filter((event) => !seen.has(event))).toEqual([]);
  });

  test('time goes on, calls nest per task, and several tasks on several CPUs are in a call at once', () => {
    const open = new Map<string, string[]>();
    const cpus = new Set<string>();
    let before = '';
    let together = 0;
    for (const line of body) {
      const [, , pid = '', cpu = '', , time = '', event = ''] = LINE.exec(line)!;
      expect(time > before, line).toBe(true);
      before = time;
      cpus.add(cpu);
      const stack = open.get(pid) ?? [];
      if (WITH_RETURN.includes(event)) stack.push(event);
      const entry = ENTRY_OF[event] ?? (event.endsWith('_ret') ? event.slice(0, -4) : undefined);
      if (entry !== undefined) expect(stack.pop(), line).toBe(entry);
      if (stack.length > 0) open.set(pid, stack);
      else open.delete(pid);
      if (open.size > 1) together++;
    }
    expect([...open.values()]).toEqual([]);
    expect(cpus.size).toBe(4);
    expect(together).toBeGreaterThan(1000);
  });

  test('reuses the address of a freed domain soon', () => {
    const births = body.filter((line) => line.includes(' domain_alloc_in: ')).map((line) => / dom=(\S+)/.exec(line)![1]);
    expect(new Set(births).size).toBeLessThan(births.length / 5);
  });
});

describe('the same recording', () => {
  test.each([1, 2, 3, 16, 300])('%i domains: the same bytes for a seed, others for another', (domains) => {
    const inject = domains > 1 ? INJECTABLE_RULES : [];
    const text = generate({ domains, inject }).text;
    expect(generate({ domains, inject }).text).toBe(text);
    expect(generate({ domains, inject, seed: 2 }).text).not.toBe(text);
  });

  test('never more domains alive than asked for', () => {
    for (const domains of [1, 2, 3, 7, 40]) {
      const alive = new Set<string>();
      let most = 0;
      for (const line of generate({ domains, events: 10000 }).body) {
        const dom = / (?:old_)?dom=(0xffff0\S+)/.exec(line)?.[1];
        if (dom === undefined || line.includes('domain_free_ret')) continue;
        if (/ (domain_alloc_in|group_set_domain|fd_paging_alloc|fd_group_setup_msi|fd_sw_msi_inst_in|dom_map): /.test(line)) alive.add(dom);
        else if (line.includes(' domain_free: ')) alive.delete(dom);
        most = Math.max(most, alive.size);
      }
      expect(most).toBeLessThanOrEqual(domains);
    }
  });
});

/** What must be in the text for each planted rule. */
const EVIDENCE: Readonly<Record<string, RegExp>> = {
  'get-msi-cookie-on-iommufd': /get_msi_cookie: \(\S+ base=\S+ (dom=\S+) dtype=0x1 ctype=5 [^]*?get_msi_cookie_ret: .* ret=0 base=0x8000000 \1 dtype=0x1 ctype=2 /,
  'get-msi-cookie-existing-cookie': /get_msi_cookie: \(\S+ base=\S+ (dom=\S+) dtype=0x1 ctype=2 [^]*?get_msi_cookie_ret: .* ret=0 base=0x8000000 \1 dtype=0x1 ctype=2 /,
  'get-dma-cookie-on-iommufd': /get_dma_cookie: \(\S+ (dom=\S+) dtype=0x1 ctype=5 [^]*?get_dma_cookie_ret: .* ret=0 \1 dtype=0x1 ctype=1 /,
  'domain-double-free': /fd_hwpt_destroy: .* (dom=\S+) dtype(?:(?!fd_hwpt_destroy:|domain_alloc_in:)[^])*?domain_free: \S+ \1 (?:(?!fd_hwpt_destroy:|domain_alloc_in:)[^])*?domain_free: \S+ \1 /,
  'use-after-free': /t1_detach_group: (?:(?!release_group)[^])*?domain_free_ret: .* (dom=\S+)\n(?:(?!release_group)[^])*?dom_map: .* ret=0 \1 /,
  'free-while-attached': /t1_detach_group: .* grp=\d+\n(?:(?!group_set_domain)[^])*?domain_free: \S+ dom=\S+ dtype=0x1 ctype=2 /,
  'msi-duplicate-doorbell': /dom_map: .* (dom=\S+) iova=0x8000000 (paddr=\S+) [^]*?dom_map: .* \1 iova=0x800[12]000 \2 size=0x1000 prot=0x1a/,
  'msi-iova-outside-window': /dom_map: .* iova=0x8100000 paddr=0x[0-9a-f]+ size=0x1000 prot=0x1a/,
  'msi-page-unmapped': /dom_unmap: .* ret=0x1000 dom=\S+ iova=0x8000000 size=0x1000/,
  'word-mismatch': /domain_free: .* dtype=0x1 ctype=3 /,
  'errno-mismatch': /get_msi_cookie_ret: .* ret=-17 base=0x8000000 dom=\S+ dtype=0x1 ctype=0 /,
  'msi-address-mismatch': /write_msg: .* alo=0x800[01]0c0 /,
};

// With two domains there is one task, so that the lines of a life cycle follow each other.
const HEALTHY = generate({ domains: 2, events: 20000 }).text;

describe.each(INJECTABLE_RULES)('planted: %s', (rule) => {
  test('as a kernel without the check records it, and nowhere else', () => {
    const sick = generate({ domains: 2, inject: [rule], injectEvery: 40, events: 20000 });
    expect(sick.injected).toBeGreaterThan(3);
    expect(EVIDENCE[rule].test(sick.text)).toBe(true);
    expect(EVIDENCE[rule].test(HEALTHY)).toBe(false);
  });

  test.runIf(AWK).each([2, 300])('%i domains: the awk audit finds each once', (domains) => {
    const sick = generate({ domains, inject: [rule], injectEvery: 40, events: 20000 });
    expect(auditByAwk(sick.text)).toEqual({ events: sick.operations, illegal: sick.injected });
  });

  test('at least once, however short the recording', () => {
    expect(generate({ events: 1, inject: [rule] }).injected).toBe(1);
  });
});

test.runIf(AWK)('the awk audit finds nothing in a healthy recording, and every planted rule among all', () => {
  const healthy = generate({ domains: 200, events: 50000 });
  expect(auditByAwk(healthy.text)).toEqual({ events: healthy.operations, illegal: 0 });
  const sick = generate({ inject: INJECTABLE_RULES, injectEvery: 10, events: 50000 });
  expect(auditByAwk(sick.text)).toEqual({ events: sick.operations, illegal: sick.injected });
});

test('100,000 operations take a few seconds, and no memory that grows with them', () => {
  let characters = 0;
  let largest = 0;
  const run = (events: number): number => {
    const start = performance.now();
    generateFtrace({ domains: 100, events, seed: 3 }, (chunk) => {
      characters += chunk.length;
      largest = Math.max(largest, chunk.length);
    });
    return performance.now() - start;
  };
  run(10000);
  const before = process.memoryUsage().heapUsed;
  expect(run(100000)).toBeLessThan(5000);
  expect(characters).toBeGreaterThan(30e6);
  expect(largest).toBeLessThan(1 << 17);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64e6);
});

test.each([{ domains: 0 }, { domains: 1.5 }, { events: 0 }, { seed: -1 }, { injectEvery: 0 }, { domains: 1, inject: INJECTABLE_RULES }])('refuses %o', (options) => {
  expect(() => generate(options)).toThrow(RangeError);
});

describe('the command', () => {
  async function command(...args: string[]): Promise<string> {
    const path = join(directory, 'out.txt');
    const program = new Command().exitOverride();
    addGenerateCommand(program);
    await program.parseAsync(['generate', '--quiet', '-o', path, ...args], { from: 'user' });
    return readFileSync(path, 'utf8');
  }

  test('writes what the generator makes', async () => {
    const text = await command('--domains', '8', '--events', '500', '--seed', '5', '--inject', 'word-mismatch,use-after-free', '--inject', 'errno-mismatch', '--inject-every', '20');
    expect(text).toBe(generate({ domains: 8, events: 500, seed: 5, inject: ['word-mismatch', 'use-after-free', 'errno-mismatch'], injectEvery: 20 }).text);
  });

  test.each([
    [['--domains', '0'], '--domains 0: a whole number from 1'],
    [['--events', '1e3'], '--events 1e3: a whole number from 1'],
    [['--seed', '-1'], '--seed -1: a whole number from 0'],
    [['--inject-every', 'x'], '--inject-every x: a whole number from 1'],
    [['--inject', 'use-after-free,no-such-rule'], `--inject no-such-rule: not one of ${INJECTABLE_RULES.join(', ')}`],
    [['--inject', 'use-after-free', '--domains', '1'], '--inject needs --domains 2'],
    [['--design', 'v6.12'], '--design v6.12: generate writes what a 7.2 kernel shows'],
    [['--format', 'json'], '--format json: generate prints ftrace-text'],
  ])('%j is a usage error', async (args, message) => {
    const path = join(directory, 'out.txt');
    rmSync(path, { force: true });
    const error = await command(...args).then(() => undefined, (e: unknown) => e);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(message);
    expect(existsSync(path)).toBe(false);
  });
});
