/** `iommu-ledger layout`: the JSON of the contract, text that a kernel developer can paste, and refused command lines. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../cli/io.ts';
import { addLayoutCommand } from '../../cli/layout.ts';
import { UnreadableError } from '../../events/problem.ts';
import { designIds } from '../../machines/designs/struct-layouts.ts';
import { ARCH_ENDIAN, layoutOf } from '../../projections/domain-struct.ts';
import { BTF_72, buildBtf } from '../btf-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-layout-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `layout` with these arguments writes to `-o`. */
function layout(...args: string[]): string {
  const file = join(folder, 'out');
  const program = new Command('iommu-ledger').exitOverride();
  addLayoutCommand(program);
  program.parse(['layout', ...args, '-o', file], { from: 'user' });
  return readFileSync(file, 'utf8');
}

const archs = Object.keys(ARCH_ENDIAN);
const everywhere = designIds().flatMap((design) => archs.map((arch) => [design, arch] as const));

describe('layout --format json', () => {
  test('is the shape of the contract', () => {
    const printed = JSON.parse(layout('--design', 'private-data-owner', '--arch', 's390x', '--format', 'json')) as Record<string, unknown>;
    expect(printed).toMatchObject({ schema: 'iommu-ledger/layout/1', design: 'private-data-owner', arch: 's390x', endian: 'big', size: 128 });
    const members = printed['members'] as { name: string }[];
    expect(members.slice(0, 3)).toEqual([
      { name: 'type', offset: 0, size: 4, bitOffset: 2, bitSize: 30 },
      { name: 'private_data_owner', offset: 0, size: 4, bitOffset: 0, bitSize: 2 },
      { name: 'ops', offset: 8, size: 8 },
    ]);
    expect(members.map(({ name }) => name)).toContain('geometry.aperture_start');
  });

  test('defaults are cookie-type on arm64', () => {
    const printed = JSON.parse(layout('--format', 'json')) as Record<string, unknown>;
    expect(printed).toEqual({ schema: 'iommu-ledger/layout/1', design: 'cookie-type', arch: 'arm64', ...layoutOf('cookie-type', 'arm64') });
  });

  test('options reach the layout', () => {
    const printed = JSON.parse(layout('--design', 'private-data-owner', '--owner-bits', '3', '--no-irq-msi-iommu', '--format', 'json')) as { size: number; members: { name: string }[] };
    expect(printed.size).toBe(120);
    expect(printed.members).toContainEqual({ name: 'private_data_owner', offset: 0, size: 4, bitOffset: 29, bitSize: 3 });
    expect(printed.members.map(({ name }) => name)).not.toContain('sw_msi');
  });
});

describe('layout --format text', () => {
  test.each(everywhere)('%s on %s: 80 columns, every member, every byte accounted for', (design, arch) => {
    const text = layout('--design', design, '--arch', arch);
    for (const line of text.split('\n')) {
      expect(line.replaceAll('\t', ' '.repeat(8)).length, line).toBeLessThanOrEqual(80);
      expect(line).not.toMatch(/[ \t]$/);
    }
    expect(text).not.toContain('\n\n\n');
    const { size, members } = layoutOf(design, arch as keyof typeof ARCH_ENDIAN);
    for (const { name, offset, bitSize } of members) {
      const own = name.split('.').at(-1)!;
      // The offset stands behind the name, or for a wrapped function pointer on the next line.
      expect(text).toMatch(new RegExp(String.raw`[ }(*]${own}(:${bitSize})?\b(;|\)\()[^;/]*;? */\* +${offset}\b`));
    }
    const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
    const sum = number(/sum members: (\d+)/) + number(/sum holes: (\d+)/) + number(/\((\d+) bytes\) \*\/\n\t\/\* padd/);
    if (text.includes('sum members')) expect(sum).toBe(size);
    expect(text).toContain(`/* size: ${size}, cachelines: `);
  });

  test('shows the bitfields and the words of the proposal as pahole and a debugger would', () => {
    const text = layout('--design', 'private-data-owner');
    expect(text.split('\n').slice(0, 7)).toEqual([
      '/* private-data-owner, arm64 (little-endian), CONFIG_IRQ_MSI_IOMMU=y */',
      'struct iommu_domain {',
      '\tu32                        type:30;                 /*     0: 0  4 */',
      '\tu32                        private_data_owner:2;    /*     0:30  4 */',
      '',
      '\t/* XXX 4 bytes hole, try to pack */',
      '',
    ]);
    expect(text).toContain('  IOMMU_DOMAIN_UNMANAGED  IOMMU_DOMAIN_DATA_OWNER_DMA      0x40000001  01000040\n');
    expect(text).toContain('  type               = word & 0x3fffffff\n  private_data_owner = word >> 30\n');
    expect(text).toContain('\t/* size: 128, cachelines: 2, members: 12 */\n\t/* sum members: 120, holes: 1, sum holes: 4 */\n');
  });

  test('on s390x the owner is in the low bits', () => {
    const text = layout('--design', 'private-data-owner-v2', '--arch', 's390x');
    expect(text).toContain('  type               = word >> 2\n  private_data_owner = word & 0x3\n');
    expect(text).toContain('  IOMMU_DOMAIN_UNMANAGED  IOMMU_DOMAIN_DATA_OWNER_DMA      0x00000005  00000005\n');
    expect(text).toContain('/* bits are counted from the most significant one, as in BTF */');
  });

  test('says which owner one bit cannot hold', () => {
    expect(layout('--design', 'private-data-owner', '--owner-bits', '1')).toContain('IOMMU_DOMAIN_DATA_OWNER_IOMMUFD (2) does not fit: 0 is stored\n');
    expect(layout('--design', 'private-data-owner')).not.toContain('does not fit');
  });

  test('shows cookie_type as the second word', () => {
    expect(layout()).toContain('  IOMMU_DOMAIN_UNMANAGED  IOMMU_COOKIE_DMA_MSI        01000000 02000000\n');
  });
});

describe('usage', () => {
  test.each([
    [['--design', 'v9'], `--design v9: not one of ${designIds().join(', ')}`],
    [['--design', 'toString'], 'not one of v6.12'],
    [['--arch', 'riscv'], '--arch riscv: not one of arm64, x86_64, s390x'],
    [['--owner-bits', '3'], 'cookie-type has no private_data_owner'],
    [['--design', 'private-data-owner', '--owner-bits', '0'], 'from 1 to 25'],
    [['--design', 'private-data-owner', '--owner-bits', '26'], 'from 1 to 25'],
    [['--design', 'private-data-owner', '--owner-bits', '2.5'], 'from 1 to 25'],
    [['--format', 'xml'], 'layout prints text, json'],
  ])('%j is refused', (args, message) => {
    expect(() => layout(...args)).toThrow(UsageError);
    expect(() => layout(...args)).toThrow(message);
  });

  test('help names the designs and the default', () => {
    const program = new Command('iommu-ledger');
    addLayoutCommand(program);
    const help = program.commands[0].helpInformation().replace(/\s+/g, ' ');
    for (const design of designIds()) expect(help).toContain(design);
    expect(help).toContain('(default: cookie-type)');
  });
});

describe('layout --btf', () => {
  test('is where that kernel has its members, and whose design it is', () => {
    const printed = JSON.parse(layout('--btf', BTF_72, '--format', 'json')) as Record<string, unknown>;
    expect(printed).toEqual({ schema: 'iommu-ledger/layout/1', design: 'v7.3', arch: 'arm64', ...layoutOf('v7.3', 'arm64') });
  });

  // What BTF has not: how the source spells a type, and names of parameters.
  const members = (text: string): string[] => [...text.matchAll(/(\w+(?::\d+)?);\s+\/\*\s+(\d+(?::\s*\d+)?)\s+(\d+)/g)].map(([, name, offset, size]) => `${name} ${offset} ${size}`);

  test('text has the struct and the words of the design laid out by its declaration', () => {
    const text = layout('--btf', BTF_72);
    const design = layout('--design', 'v7.3', '--arch', 'arm64');
    expect(members(text)).toEqual(members(design));
    expect(text.split('\n\n').slice(-2)).toEqual(design.split('\n\n').slice(-2));
    expect(text.match(/\/\* (size|sum|padd|last).*/g)).toEqual(design.match(/\/\* (size|sum|padd|last).*/g));
    expect(text).toContain('int (*iopf_handler)(struct iopf_group *);');
  });

  test.each(['little', 'big'] as const)('bitfields, %s-endian', (endian) => {
    const file = join(folder, 'hand.btf');
    writeFileSync(file, buildBtf(endian, [
      { kind: 1, name: 'unsigned int', sizeOrType: 4, more: [32] },
      { kind: 2, sizeOrType: 1 },
      { kind: 4, name: 'iommu_domain', sizeOrType: 24, vlen: 4, flag: true, more: ['type', 1, 30 << 24, 'private_data_owner', 1, (2 << 24) | 30, 'iova_cookie', 2, 64, 'iommufd_hwpt', 2, 128] },
    ]));
    expect(JSON.parse(layout('--btf', file, '--format', 'json'))).toMatchObject({ design: 'private-data-owner', arch: null, endian, size: 24 });
    const arch = endian === 'little' ? 'arm64' : 's390x';
    const text = layout('--btf', file, '--arch', arch);
    expect(text).toContain(`private-data-owner, ${arch} (${endian}-endian)`);
    const words = (text: string): string => text.slice(text.indexOf('The word'));
    expect(words(text)).toBe(words(layout('--design', 'private-data-owner', '--arch', arch)));
    expect(members(text).slice(0, 2)).toEqual(members(layout('--design', 'private-data-owner', '--arch', arch)).slice(0, 2));
  });

  test.each([
    ['--design', ['--design', 'v7.3']],
    ['--owner-bits', ['--owner-bits', '2']],
    ['--no-irq-msi-iommu', ['--no-irq-msi-iommu']],
    ['--arch s390x', ['--arch', 's390x']],
  ])('%s is refused beside it', (_, args) => {
    expect(() => layout('--btf', BTF_72, ...args)).toThrow(UsageError);
  });

  test('other files are refused', () => {
    expect(() => layout('--btf', join(folder, 'nothing'))).toThrow(UnreadableError);
    expect(() => layout('--btf', import.meta.filename)).toThrow(UnreadableError);
  });
});
