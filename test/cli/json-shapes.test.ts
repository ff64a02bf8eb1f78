/**
 * What programs read: every JSON document of CONTRACT.md under a schema written from its text, names and forms exactly.
 * Members beyond the contract are allowed; every address anywhere is lower-case hex without leading zeros.
 */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseEvent } from '../../events/parse-event.ts';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import { isRule } from '../../machines/rules.ts';
import { recording, run, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
const address = z.string().regex(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/);
const time = z.string().regex(/^\d+(\.\d{1,9})?$/);
const position = z.int().min(1);
const count = z.int().min(0);
const severity = z.enum(['critical', 'error', 'warning', 'info']);
const design = z.enum(DESIGNS.map(({ id }) => id) as [string, ...string[]]);
const state = z.enum(['unknown', 'unowned', 'dma_owned', 'msi_owned', 'iommufd_owned', 'fault_handler_owned', 'sva_owned', 'freed']);
const summary = z.strictObject({ critical: count, error: count, warning: count, info: count });

const finding = z.looseObject({
  rule: z.string().refine(isRule),
  severity,
  outcome: z.string(),
  domain: address.nullable(),
  generation: position.nullable(),
  position,
  line: position.nullable(),
  time: time.nullable(),
  cpu: count.nullable(),
  task: z.string().nullable(),
  pid: count.nullable(),
  event: z.string(),
  before: state.nullable(),
  after: state.nullable(),
  expected: z.record(z.string(), z.unknown()),
  observed: z.record(z.string(), z.unknown()),
  message: z.string().min(1),
  source: z.string().regex(/^(drivers|include)\/\S+\.[ch]/),
});

const audit = z.looseObject({
  schema: z.literal('iommu-ledger/audit/1'),
  design,
  recording: z.looseObject({
    source: z.string(), format: z.string(), kernel: z.string().nullable(),
    lines: count, events: count, ignored: count, problems: count, lost: count, from: time.nullable(), to: time.nullable(),
  }),
  domains: count,
  checked: z.strictObject({ errno: count, words: count, iovas: count, addresses: count }),
  summary,
  findings: z.array(finding),
});

const replay = z.looseObject({
  schema: z.literal('iommu-ledger/replay/1'),
  design,
  position: count,
  time: time.nullable(),
  domains: z.array(z.looseObject({
    domain: address,
    generation: position,
    state,
    type: z.strictObject({ value: count, name: z.string() }).nullable(),
    word: z.strictObject({ offset: z.literal(0), bytes: z.string().regex(/^([0-9a-f]{8}){1,2}$/), fields: z.record(z.string(), count) }).nullable(),
    msi_pages: z.array(z.strictObject({ iova: address, phys: address, size: position, position })),
    msi_next: address.nullable(),
    devices: z.array(z.string()),
    groups: z.array(count),
    first: position,
    last: position,
  })),
});

const layout = z.strictObject({
  schema: z.literal('iommu-ledger/layout/1'),
  design,
  arch: z.enum(['arm64', 'x86_64', 's390x']),
  endian: z.enum(['little', 'big']),
  size: position,
  members: z.array(z.strictObject({ name: z.string(), offset: count, size: position, bitOffset: count.max(31).optional(), bitSize: position.max(32).optional() })).min(5),
});

/** Returns the document that these arguments print, after its addresses were looked at. */
function printed<T>(schema: z.ZodType<T>, args: readonly string[], stdin = ''): T {
  const { stdout } = run([...args, '--quiet', '--format', 'json'], { stdin });
  const document: unknown = JSON.parse(stdout, (key, value: unknown) => {
    if (typeof value === 'string' && /^0x/i.test(value) && key !== 'caller') expect(value, key).toMatch(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/);
    return value;
  });
  expect(stdout.endsWith('}\n')).toBe(true);
  return schema.parse(document);
}

const RECORDINGS = ['pdo-steal/steal', 'own612n/iommufd', 'own72n/vfio-type1', 'own72v/variant-overrun', 'x86deb72/vfio-type1'];

describe('audit', () => {
  test.each(RECORDINGS)('%s', (name) => {
    const document = printed(audit, ['audit', recording(name)]);
    const { findings, recording: read } = document;
    for (const level of severity.options) expect(findings.filter((f) => f.severity === level)).toHaveLength(document.summary[level]);
    expect(findings.map((f) => f.position)).toEqual(findings.map((f) => f.position).sort((a, b) => a - b));
    expect(Math.max(0, ...findings.map((f) => f.position))).toBeLessThanOrEqual(read.events);
    expect(read).toMatchObject({ source: recording(name), format: 'ftrace-text', problems: 0 });
  });

  test('the stolen domain, member by member', () => {
    expect(printed(audit, ['audit', recording('pdo-steal/steal')]).findings[0]).toMatchObject({
      rule: 'get-msi-cookie-on-iommufd', severity: 'critical', outcome: 'overwrites', domain: '0xffff0000035e9d20', generation: 1,
      position: 33, line: 121, time: '125.345816', cpu: 1, task: 'insmod', pid: 845, event: 'iommu_get_msi_cookie',
      before: 'iommufd_owned', after: 'msi_owned', source: 'drivers/iommu/dma-iommu.c iommu_get_msi_cookie',
    });
  });

  test('another design', () => {
    const document = printed(audit, ['audit', recording('pdo-steal/steal'), '--design', 'cookie-type']);
    expect(document.design).toBe('cookie-type');
    expect(document.findings[0]).toMatchObject({ rule: 'get-msi-cookie-on-iommufd', severity: 'warning', line: 121 });
  });

  test('hand-written events without line, time and task', () => {
    const stdin = ['iommu_get_msi_cookie', 'iommu_get_msi_cookie'].map((type) => `${JSON.stringify({ v: 1, type, domain: '0xAB', base: '0x08000000', errno: 0, before: { type: 1 } })}\n`).join('');
    const [first] = printed(audit, ['audit', '-'], stdin).findings;
    expect(first).toMatchObject({ domain: '0xab', position: 2, line: null, time: null, cpu: null, task: null, pid: null });
  });
});

describe('replay', () => {
  test.each(RECORDINGS)('%s', (name) => {
    const end = printed(replay, ['replay', recording(name)]);
    expect(end.domains.every((d) => d.state !== 'freed' && d.first <= d.last && d.last <= end.position)).toBe(true);
    const all = printed(replay, ['replay', recording(name), '--all']);
    expect(all.domains.filter((d) => d.state !== 'freed')).toEqual(end.domains);
    expect(all.domains.map((d) => d.first)).toEqual(all.domains.map((d) => d.first).sort((a, b) => a - b));
  });

  test.each(DESIGNS)('$id: the word has the type, and the owner where the design keeps one', ({ id, ownerMember }) => {
    const { design: used, domains } = printed(replay, ['replay', recording('own72n/vfio-type1'), '--design', id]);
    expect(used).toBe(id);
    for (const { word, state } of domains) {
      if (word === null) continue;
      expect(Object.keys(word.fields), state).toEqual(ownerMember === 'none' ? ['type'] : ['type', ownerMember]);
      expect(word.bytes).toHaveLength(ownerMember === 'cookie_type' ? 16 : 8);
    }
    expect(domains.some(({ word }) => word !== null)).toBe(true);
  });

  test('a domain with its MSI page', () => {
    expect(printed(replay, ['replay', recording('pdo-steal/steal'), '--at', '33', '--domain', '0xffff0000035e9d20'])).toMatchObject({
      position: 33, time: '125.345816',
      domains: [{
        domain: '0xffff0000035e9d20', generation: 1, state: 'msi_owned', type: { value: 1, name: 'IOMMU_DOMAIN_UNMANAGED' },
        word: { offset: 0, bytes: '01000040', fields: { type: 1, private_data_owner: 1 } },
        msi_pages: [{ iova: '0x8000000', phys: '0x8090000', size: 4096, position: 23 }], msi_next: '0x8000000', devices: ['0000:00:03.0'], groups: [3],
      }],
    });
  });
});

test.each(DESIGNS.flatMap(({ id }) => ['arm64', 's390x'].map((arch) => [id, arch])))('layout %s %s', (id, arch) => {
  const document = printed(layout, ['layout', '--design', id, '--arch', arch]);
  expect(document).toMatchObject({ design: id, arch, endian: arch === 's390x' ? 'big' : 'little' });
  for (const { bitOffset, bitSize } of document.members) expect(bitOffset === undefined).toBe(bitSize === undefined);
});

test('import and verify', () => {
  const log = `${directory}/shapes.ledger`;
  const imported = z.strictObject({ schema: z.literal('iommu-ledger/import/1'), appended: count, skipped: count, head: count });
  expect(printed(imported, ['import', recording('pdo-steal/steal'), '--log', log])).toEqual({ schema: 'iommu-ledger/import/1', appended: 93, skipped: 0, head: 93 });
  const verified = z.strictObject({ schema: z.literal('iommu-ledger/verify/1'), ok: z.literal(true), events: count, head: count, firstBad: z.null() });
  expect(printed(verified, ['verify', log])).toEqual({ schema: 'iommu-ledger/verify/1', ok: true, events: 93, head: 93, firstBad: null });
});

test('events: every line is an event by itself', () => {
  const lines = run(['events', recording('own72n/vfio-type1'), '--quiet']).stdout.split('\n');
  expect(lines.pop()).toBe('');
  const batch = new EventBatch(createInterned());
  for (const line of lines) {
    const event = JSON.parse(line) as Record<string, unknown>;
    expect([event['v'], typeof event['type']]).toEqual([1, 'string']);
    batch.clear();
    expect(parseEvent(line, batch)).toBeUndefined();
  }
});
