/**
 * What `probes` prints, the kernel has and the reader understands: every name is looked up in the type information, every
 * definition is compared with those that a kernel of that release took, and every field of every line changes what is read.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UnreadableError } from '../../events/problem.ts';
import { BTF_KIND, decodeBtf } from '../../recordings/btf.ts';
import { findMember, pointeeOf, resolveType } from '../../recordings/btf-layout.ts';
import { renderBpftrace } from '../../recordings/probes/bpftrace.ts';
import { planProbes, type ProbePlan } from '../../recordings/probes/resolve.ts';
import { PROBES } from '../../recordings/probes/table.ts';
import { renderScript, renderTracefs, tracefsLine, type TracefsStyle } from '../../recordings/probes/tracefs.ts';
import { FIELDS } from '../../recordings/probe-line.ts';
import { auditText, RECORDINGS, traceText } from '../audit-file.ts';
import { btf72, buildBtf, withFunctions } from '../btf-file.ts';

const FPROBE: TracefsStyle = { probeType: 'f', raw: false };
const btf = btf72();
const plan = planProbes([btf], true);
const definitions = plan.probes.map((probe) => tracefsLine(probe, FPROBE));

const D = 'iommu_domain';
/** The same kernel with everything that it inlined or left out. */
const everything = planProbes([withFunctions(btf, {
  iommu_paging_domain_alloc: [D, [['dev', 'device']]],
  __iommu_domain_alloc: [D, [['ops', ''], ['dev', 'device'], ['type', '']]],
  iommu_domain_alloc: [D, [['bus', '']]],
  __iommu_alloc_identity_domain: [D, [['dev', 'device']]],
  iommu_group_alloc_default_domain: [D, [['group', 'iommu_group'], ['req_type', '']]],
  iommu_sva_domain_alloc: [D, [['dev', 'device'], ['mm', '']]],
  iommu_release_device: ['', [['dev', 'device']]],
  iommu_dma_get_msi_page: ['', [['dev', 'device'], ['msi_addr', ''], ['domain', D]]],
  iommufd_sw_msi: ['', [['domain', D], ['desc', 'msi_desc'], ['msi_addr', '']]],
  iommufd_hwpt_paging_alloc: ['iommufd_hwpt_paging', []],
  iommufd_hwpt_nested_alloc: ['iommufd_hwpt_paging', []],
  iommufd_viommu_alloc_hwpt_nested: ['iommufd_hwpt_paging', []],
})], true);

/** A definition, taken apart. */
interface Parsed {
  readonly event: string;
  readonly function: string;
  readonly at: 'entry' | 'return';
  readonly fields: readonly (readonly [name: string, fetch: string])[];
}

function parse(line: string): Parsed {
  const [, kind, event, fn, ret, rest] = /^([fpr]):\w+\/(\w+) (\w+)(%return)?((?: \S+=\S+)*)$/.exec(line)!;
  const fields = rest.trim().split(' ').map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)] as const);
  return { event, function: fn, at: kind === 'r' || ret !== undefined ? 'return' : 'entry', fields };
}

describe('7.2.13+deb14-arm64', () => {
  test.each(definitions)('%s', (line) => {
    const { function: fn, fields } = parse(line);
    const id = btf.find(fn, BTF_KIND.FUNC);
    expect(id).toBeGreaterThan(0);
    for (const [, fetch] of fields) {
      const [root, ...steps] = fetch.replace(/:\w+$/, '').split(/(?=->|\.)/);
      let type = root === '$retval' ? btf.returns(id) : btf.parameters(id).find(({ name }) => name === root)!.type;
      for (const step of steps) {
        const member = findMember(btf, step.startsWith('->') ? pointeeOf(btf, type) : resolveType(btf, type), step.replace(/^->|^\./, ''))!;
        expect(member.bits === undefined, `${fetch}: a bitfield has no type behind it, all else has`).toBe(fetch.includes(':'));
        type = member.type;
      }
    }
  });

  const installed = readFileSync(join(RECORDINGS, 'deb72/probes.installed.txt'), 'utf8').trim().split('\n').map(parse);
  const key = (probe: Parsed): string => `${probe.function} ${probe.at}`;

  test.each(definitions)('was taken by that kernel: %s', (line) => {
    const probe = parse(line);
    const taken = installed.find((other) => key(other) === key(probe))!;
    // The mappings were called as the tracepoints are (README.md, surprise 4).
    expect(taken.event).toBe(probe.event.replace(/^dom_/, ''));
    for (const field of probe.fields) {
      // iommu_dma_prepare_msi was asked for all but the cookie pointer, which iommu_dma_sw_msi was.
      if (probe.event === 'prepare_msi' && field[0] === 'cookie') continue;
      expect(taken.fields).toContainEqual(field);
    }
  });

  test('what was recorded there and is not asked for tells the audit nothing', () => {
    const ours = new Set(definitions.map((line) => key(parse(line))));
    expect(installed.filter((probe) => !ours.has(key(probe))).map(({ event }) => event)).toEqual([
      'setup_default', 'domain_free_ret', // their other half tells it
      'setup_dma_ops', 'attach_group', 'detach_group_ret', 'detach_device_api', 'detach_handle', // __iommu_group_set_domain_internal inside tells it
      'use_default', 'unuse_default', // drivers, not owners
      'sw_msi_ret', // prepare_msi_ret tells it
      't1_attach_group', 't1_attach_group_ret', 't1_detach_group', // the calls inside tell it; in a module
    ]);
  });

  test('says what it cannot record, and what that costs', () => {
    expect(plan.missing.map(({ event }) => event)).toEqual(['identity_alloc', 'sva_alloc', 'get_msi_page', 'fd_sw_msi', 'fd_paging_alloc', 'fd_nested_alloc', 'fd_vnested_alloc']);
    expect(plan.tracepoints).toEqual(['add_device_to_group', 'remove_device_from_group', 'attach_device_to_domain', 'map']);
    const text = renderTracefs(plan, FPROBE, 'x');
    expect(text).toContain('# not on this kernel: iommu_sva_domain_alloc (sva_alloc): costs: SVA domains are first seen in mid-life\n');
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# |f:iodom\/\w+ \w+(%return)?( \w+=\S+)+$)/);
  });

  test('kprobes, and raw offsets', () => {
    const line = (event: string, style: TracefsStyle): string => tracefsLine(plan.probes.find((probe) => probe.event === event)!, style);
    expect(line('get_msi_cookie', { probeType: 'p', raw: false })).toMatch(/^p:iodom\/get_msi_cookie iommu_get_msi_cookie base=base:x64 /);
    expect(line('get_msi_cookie_ret', { probeType: 'p', raw: false })).toMatch(/^r:iodom\/get_msi_cookie_ret iommu_get_msi_cookie ret=\$retval:s32 /);
    // As in a definition that 7.3.4 took, where struct device has other offsets.
    expect(line('prepare_msi_ret', { probeType: 'p', raw: true })).toBe('r:iodom/prepare_msi_ret iommu_dma_prepare_msi ret=$retval:s32 dev=+0(+0(+8($arg1))):string msi_index=+72($arg1):u32 msi_addr=$arg2:x64 iova_pfn=+40($arg1):b58@0/64 shift=+40($arg1):b6@58/64');
    const group = findMember(btf, btf.find('device', BTF_KIND.STRUCT), 'iommu_group')!.offset;
    expect(line('prepare_msi', { probeType: 'p', raw: true })).toContain(` ctype=+4(+176(+${group}(+8($arg1)))):u32 `);
  });

  test.each(['trace-cmd', 'perf'] as const)('the script for %s is one', (tool) => {
    const script = renderScript(plan, FPROBE, 'x', tool);
    expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(script).toContain(tool === 'perf' ? "exec perf record -a -e 'iodom:*' -e 'iommu:*' \"$@\"\n" : 'exec trace-cmd record -e iodom -e iommu "$@"\n');
    expect(script.split('\n').filter((line) => line.startsWith('f:'))).toEqual(definitions);
  });
});

describe('other kernels', () => {
  /** A kernel with these members in iommu_domain and one function. */
  const small = (endian: 'little' | 'big', members: readonly (readonly [name: string, type: number, place: number])[], parameter = 'domain'): ProbePlan => planProbes([decodeBtf(buildBtf(endian, [
    { kind: BTF_KIND.INT, name: 'unsigned int', sizeOrType: 4, more: [32] },
    { kind: BTF_KIND.PTR, sizeOrType: 3 },
    { kind: BTF_KIND.STRUCT, name: 'iommu_dma_cookie', sizeOrType: 8, vlen: 1, flag: true, more: ['type', 1, 0] },
    { kind: BTF_KIND.STRUCT, name: D, sizeOrType: 24, vlen: members.length, flag: true, more: members.flat() },
    { kind: BTF_KIND.PTR, sizeOrType: 4 },
    { kind: BTF_KIND.FUNC_PROTO, sizeOrType: 0, vlen: 1, more: [parameter, 5] },
    { kind: BTF_KIND.FUNC, name: 'iommu_domain_free', sizeOrType: 6, vlen: 1 },
  ]), 'small')], true);
  const owner = [['type', 1, 30 << 24], ['private_data_owner', 1, (2 << 24) | 30], ['iova_cookie', 2, 64], ['sw_msi', 2, 128]] as const;

  test('the proposal: bitfields without a type behind them', () => {
    expect(small('little', owner).probes.map((probe) => tracefsLine(probe, FPROBE))).toEqual([
      'f:iodom/domain_free iommu_domain_free dom=domain:x64 word=+0(domain):x32 dtype=domain->type owner=domain->private_data_owner cookie=domain->iova_cookie:x64 cktype=domain->iova_cookie->type:u32 swmsi=domain->sw_msi:x64',
    ]);
  });

  test.each([['little', 'b30@0/32', 'b2@30/32'], ['big', 'b30@2/32', 'b2@0/32']] as const)('the proposal, raw, %s-endian', (endian, type, tag) => {
    expect(small(endian, owner).probes.map((probe) => tracefsLine(probe, { probeType: 'p', raw: true }))).toEqual([
      `p:iodom/domain_free iommu_domain_free dom=$arg1:x64 word=+0($arg1):x32 dtype=+0($arg1):${type} owner=+0($arg1):${tag} cookie=+8($arg1):x64 cktype=+0(+8($arg1)):u32 swmsi=+16($arg1):x64`,
    ]);
  });

  test('v6.12: the cookie tells its kind', () => {
    expect(small('little', [['type', 1, 0], ['iova_cookie', 2, 64]], 'd').probes.map((probe) => tracefsLine(probe, { probeType: 'p', raw: false }))).toEqual([
      'p:iodom/domain_free iommu_domain_free dom=d:x64 dtype=d->type:x32 cookie=d->iova_cookie:x64 cktype=d->iova_cookie->type:u32',
    ]);
  });

  test('a kernel whose return probes see no arguments', () => {
    const probe = planProbes([btf], false).probes.find(({ event }) => event === 'get_msi_cookie_ret')!;
    expect(probe.fields.map(({ name }) => name)).toEqual(['ret']);
  });

  test('no IOMMU at all', () => {
    expect(() => planProbes([decodeBtf(buildBtf('little', []), 'none')], true)).toThrow(UnreadableError);
  });
});

// ── the reader ─────────────────────────────────────────────────────────────────────────────────────────────────────

const VALUES: Readonly<Record<string, string>> = {
  dev: '"0000:00:03.0"', grp: '3', ret: '0', want: '0x1', dom: '0xffff0000046c9b20', dtype: '0x1', ctype: '2', cookie: '0xffff000004079400',
  old_dom: '0xffffadc67d6f2560', old_dtype: '0x0', old_ctype: '0', old_cookie: '0x0', cur_dom: '0xffff0000046c9b20', cur_dtype: '0x1', cur_ctype: '2', cur_cookie: '0x0',
  base: '0x8000000', owner: '0xffff000004011000', msi_index: '1', msi_addr: '0x8090040', iova_pfn: '32768', shift: '12', alo: '0x8000040', ahi: '0x0', data: '0x7',
  iova: '0x8000000', paddr: '0x8090000', size: '0x1000', prot: '0x1a', hwpt: '0xffff00000510a8a0', buf: '"DMA-FQ"',
  def_dom: '0xffff0000046c9b20', def_dtype: '0x3', def_ctype: '1', def_cookie: '0x0',
};
/** Another value of the same kind. */
const otherValue = (value: string): string => (value === '0' ? '-22' : value === '"0000:00:03.0"' ? '"0000:00:04.0"' : value.replace(/.$/, (c) => (c === '1' ? '5' : '1')));
const other = (name: string): string => (name.endsWith('ctype') ? '5' : name === 'shift' ? '16' : name.endsWith('dom') ? '0xffff000003333000' : otherValue(VALUES[name]));

/** Fields that say what another field of the line says, or that the person reads. */
const SAYS_NOTHING_NEW: Readonly<Record<string, string>> = {
  cookie: 'behind a cookie_type the union may hold anything', old_cookie: 'the same', cur_cookie: 'the same',
  'domain_alloc_in want': 'dtype is what it became', 'dom_unmap size': 'ret is what was unmapped', 'dom_map_nosync prot': 'iommu_map tells it',
};

const lineOf = (probe: Parsed | { event: string; function: string; at: string; fields: readonly { name: string }[] }, values: (name: string) => string): string => {
  const names = (probe.fields as readonly ({ name: string } | readonly [string, string])[]).map((field) => ('name' in field ? field.name : field[0]));
  const place = probe.at === 'entry' ? `${probe.function}+0x4/0xa0` : `some_caller+0x8e0/0xee0 [some_module] <- ${probe.function}`;
  return `${probe.event}: (${place})${names.map((name) => ` ${name}=${values(name)}`).join('')}`;
};

/** What stands before and after a line so that it says something: calls inside iommu_dma_prepare_msi, and the other half of a pair. */
function around(fn: string, at: string): [before: string[], after: string[]] {
  const prepared = 'r: (x+0x1/0x2 <- iommu_dma_prepare_msi) ret=0 iova_pfn=32768 shift=12';
  if (['iommu_dma_sw_msi', 'iommufd_sw_msi', 'iommu_dma_get_msi_page', 'iommu_map_nosync'].includes(fn)) return [['p: (iommu_dma_prepare_msi+0x4/0x8) dev="0000:00:03.0" msi_index=1 msi_addr=0x8090040'], [prepared]];
  if (fn === 'iommu_dma_prepare_msi') return at === 'entry' ? [[], [prepared]] : [[`p: (iommu_dma_prepare_msi+0x4/0x8) dom=${VALUES['dom']}`], []];
  const paired = ['iommu_get_dma_cookie', 'iommu_get_msi_cookie', 'iommu_set_fault_handler', '__iommu_group_set_domain_internal'];
  return [[], at === 'entry' && paired.includes(fn) ? [`r: (x+0x1/0x2 <- ${fn}) ret=0`] : []];
}

/** The events of a line with what must be around it, and how many lines were of no use. */
async function read(line: string, fn: string, at: string): Promise<{ events: string; ignored: number; problems: number }> {
  const [before, after] = around(fn, at);
  const { events, summary } = await auditText(traceText(...before, line, ...after));
  return { events: events.slice(1).join('\n'), ignored: summary.ignored, problems: summary.problems.count };
}

const judged = everything.probes.filter(({ event }) => !PROBES.find((spec) => spec.event === event)!.context);

describe('what is printed, the reader understands', () => {
  test('every probe of the table is tried', () => {
    expect(everything.missing).toEqual([]);
    expect(everything.probes).toHaveLength(PROBES.length);
    for (const { fields } of judged) for (const { name } of fields) expect(FIELDS).toContain(name);
  });

  test.each(judged.map((probe) => [`${probe.event} ${probe.function}`, probe] as const))('%s', async (_, probe) => {
    const line = lineOf(probe, (name) => VALUES[name]);
    const whole = await read(line, probe.function, probe.at);
    expect(whole).toMatchObject({ ignored: 0, problems: 0 });
    for (const { name } of probe.fields) {
      const changed = await read(lineOf(probe, (n) => (n === name ? other(n) : VALUES[n])), probe.function, probe.at);
      expect([name, changed.events !== whole.events]).toEqual([name, !(name in SAYS_NOTHING_NEW || `${probe.event} ${name}` in SAYS_NOTHING_NEW)]);
    }
  });

  test.each(everything.probes.filter((probe) => !judged.includes(probe)).map((probe) => [probe.event, probe] as const))('%s is for people and harms nothing', async (_, probe) => {
    expect(await read(lineOf(probe, (name) => VALUES[name]), probe.function, probe.at)).toMatchObject({ events: '', problems: 0 });
  });
});

/** An event without the line that it was read from. */
const withoutLine = (event: string): object => ({ ...JSON.parse(event), line: undefined });

describe('bpftrace', () => {
  const script = renderBpftrace(everything, 'x');

  /** The lines that the script's printfs would print. */
  const printed = [...script.matchAll(/printf\("(.*)\\n",\n([^;]*)\);/g)].map(([, format, values]) => {
    const context = ['vt-aarch64', '601', '0', '173', '746083000'];
    expect(values.split(',').length - [...values.matchAll(/, 32\)/g)].length, format).toBe([...format.matchAll(/%/g)].length);
    const [columns, event] = [format.slice(0, format.indexOf('%09d: ') + 6), format.slice(format.indexOf('%09d: ') + 6).replaceAll('\\"', '"')];
    let n = 0;
    const prefix = columns.replaceAll(/%(-?)(0?)(\d+)([sd])/g, (_, left: string, zero: string, width: string) => {
      const value = context[n++];
      return left ? value.padEnd(Number(width)) : value.padStart(Number(width), zero || ' ');
    });
    return { prefix, event };
  });

  test('has one line a probe, in the columns of tracefs', () => {
    expect(printed).toHaveLength(everything.probes.length + 2);
    for (const { prefix } of printed) expect(prefix).toBe('      vt-aarch64-601     [000] .....   173.746083000: ');
  });

  test.each(judged.map((probe) => [`${probe.event} ${probe.function}`, probe] as const))('%s reads as its tracefs line does, but for the caller', async (_, probe) => {
    const { event, prefix } = printed[everything.probes.indexOf(probe)];
    const n = (name: string): string => VALUES[name].replaceAll('"', '').replace(/^0x/, '');
    const line = prefix + event.replaceAll(/(\w+)=("?)(0x)?%\w+"?/g, (_, name: string, quote: string, hex = '') => `${name}=${quote}${hex}${n(name)}${quote}`);
    const [before, after] = around(probe.function, probe.at);
    const wrap = (text: string): string => prefix + text;
    const lines = [...before.map(wrap), line, ...after.map(wrap)];
    // As `bpftrace -f json` prints what printf is given.
    const json = ['{"type": "attached_probes", "data": {"probes": 40}}', ...lines.map((text) => `{"type": "printf", "data": ${JSON.stringify(`${text}\n`)}}`), ''];
    const bpf = await auditText(json.join('\n'));
    const tracefs = await auditText([...before.map(wrap), wrap(lineOf(probe, (name) => VALUES[name])), ...after.map(wrap), ''].join('\n'));
    expect((await auditText([...lines, ''].join('\n'))).events.slice(1).map(withoutLine)).toEqual(bpf.events.slice(1).map(withoutLine));
    const plain = (events: readonly string[]): unknown[] => events.slice(1).map((event) => ({ ...withoutLine(event), caller: undefined }));
    expect(plain(bpf.events)).toEqual(plain(tracefs.events));
    expect(bpf.events.length).toBeGreaterThan(1);
    expect(bpf.summary.problems.count).toBe(0);
  });

  test('the tracepoints of groups are read', async () => {
    const lines = printed.slice(-2).map(({ prefix, event }) => prefix + event.replace('%d', '3').replace('%s', '0000:00:03.0'));
    const { events } = await auditText([...lines, ''].join('\n'));
    expect(events.map((event) => (JSON.parse(event) as { type: string }).type)).toEqual(['recording_started', 'iommu_release_device']);
  });
});
