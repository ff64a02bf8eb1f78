/**
 * Real recordings, four checks each: the golden (what the audit makes of it, compared with a file that was read and found
 * true), sniffed without its name, exported as NDJSON and imported again, and fed in chunks of 100 bytes.
 * `UPDATE_GOLDEN=1` writes the golden files anew; read the difference before it is kept. Birth notes: README.md here.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RECORDINGS, aboveInfo, alive, auditFile, fedInChunks, fileOf, nameOf, recordingBytes, type Audited } from '../audit-file.ts';

/** Recordings of kernels that were made to do, or refuse, something; all others are of healthy lives. */
const PROVOKED = new Set(['pdo-steal/steal', 'pdo2-steal/steal', 'stock72-steal/steal', 'pdo-steal/bitfields', 'deb72/errors'].map((name) => `${name}.trace.txt`));
const CHURN = 'own72n/rebind-churn.trace.txt.gz';
const NAMES = globSync('*/*.trace.txt{,.gz}', { cwd: RECORDINGS }).toSorted();

const CLI = join(import.meta.dirname, '../../cli/iommu-ledger.mjs');

/** One audit of each recording serves all checks. */
const audits = new Map<string, Promise<Audited>>();
function audited(name: string): Promise<Audited> {
  let audit = audits.get(name);
  if (!audit) audits.set(name, (audit = auditFile(name.endsWith('.gz') ? fileOf(recordingBytes(name)) : join(RECORDINGS, name))));
  return audit;
}

/** What the golden file of a recording holds. */
function golden(a: Audited): Record<string, unknown> {
  const counts: Record<string, number> = {};
  for (const line of a.events) {
    const { type } = JSON.parse(line) as { type: string };
    counts[type] = (counts[type] ?? 0) + 1;
  }
  const { lines, ignored, lost, from, to, problems } = a.summary;
  return {
    design: a.audit.design.id,
    recording: { lines, ignored, problems: problems.count, lost, from, to },
    events: Object.fromEntries(Object.entries(counts).toSorted()),
    checked: a.audit.checked,
    findings: a.findings.map((f) => ({
      line: f.line, rule: f.rule, severity: f.severity, outcome: f.outcome, domain: f.domain && `${f.domain}#${f.generation}`,
      states: f.before && `${f.before} → ${f.after}`, expected: f.expected, observed: f.observed, follows: f.follows,
    })),
    domains: alive(a).map((d) => ({
      domain: `${d.domain}#${d.generation}`, state: d.state, type: d.type?.value ?? null, word: d.word?.bytes ?? null,
      msi_pages: d.msi_pages.map((p) => `${p.iova} -> ${p.phys} (${p.size})`), msi_next: d.msi_next, devices: d.devices, groups: d.groups,
    })),
  };
}

/** JSON with one line a member, and one line an element of an array: a difference reads as a sentence. */
function compact(document: Record<string, unknown>): string {
  const members = Object.entries(document).map(([key, value]) => {
    const text = Array.isArray(value) && value.length > 0 ? `[\n${value.map((v) => `    ${JSON.stringify(v)}`).join(',\n')}\n  ]` : JSON.stringify(value);
    return `  ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${members.join(',\n')}\n}\n`;
}

describe.each(NAMES)('%s', (name) => {
  const goldenPath = join(RECORDINGS, 'golden', `${nameOf(name)}.json`);

  test('golden', async () => {
    const found = compact(golden(await audited(name)));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(goldenPath, found);
    expect(existsSync(goldenPath), `${goldenPath} is missing: UPDATE_GOLDEN=1 writes it`).toBe(true);
    expect(found).toBe(readFileSync(goldenPath, 'utf8'));
  });

  test('what it holds is compared; a healthy life gives no finding above info', async () => {
    const { audit, findings, summary } = await audited(name);
    const text = recordingBytes(name).toString('latin1');
    const ownText = name === 'pdo-steal/bitfields.trace.txt' ? '' : text; // its probes are on no function of ownership that returns
    expect(audit.checked.errno > 0, 'errno').toBe(/<- iommu_(get_\w+_cookie|dma_prepare_msi|group_claim_dma_owner)\) ret=|<- iommufd_hwpt_paging_alloc\)|_domain_alloc(_flags)?\) /.test(ownText));
    expect(audit.checked.words > 0, 'words').toBe(/ dtype=/.test(ownText));
    expect(audit.checked.iovas > 0, 'iovas').toBe(/<- iommu_dma_prepare_msi\) ret=0 .* iova_pfn=/.test(text));
    expect(audit.checked.addresses > 0, 'addresses').toBe(/<- iommu_dma_prepare_msi\) ret=0 .* iova_pfn=/.test(text) && /__pci_write_msi_msg/.test(text));
    expect(summary.problems.first).toEqual([]);
    if (!PROVOKED.has(name)) expect(aboveInfo(findings)).toEqual([]);
  });

  test('sniffed without its name', async () => {
    const first = await audited(name);
    const second = await auditFile(fileOf(recordingBytes(name)), { events: false });
    expect(second.summary.format).toBe('ftrace-text');
    expect(compact(golden({ ...second, events: first.events }))).toBe(compact(golden(first)));
  });

  test('exported and imported again', async () => {
    const first = await audited(name);
    const exported = `${first.events.join('\n')}\n`;
    const second = await auditFile(fileOf(exported));
    expect(second.summary).toMatchObject({ format: 'ndjson', kernel: first.summary.kernel, design: first.summary.design, lost: first.summary.lost, from: first.summary.from, to: first.summary.to });
    expect(second.summary.problems.first).toEqual([]);
    expect(second.audit.design.id).toBe(first.audit.design.id);
    expect(second.audit.checked).toEqual(first.audit.checked);
    expect(second.findings).toEqual(first.findings);
    expect(alive(second)).toEqual(alive(first));
    expect(`${second.events.join('\n')}\n` === exported, 'exported twice, byte by byte').toBe(true);
  });

  test('fed in chunks of 100 bytes', async () => {
    const { events, summary } = await audited(name);
    const fed = await fedInChunks(recordingBytes(name), 100, summary);
    expect(fed.events.join('\n') === events.join('\n'), 'the same events').toBe(true);
    expect({ ...fed.summary, problems: fed.summary.problems.first }).toEqual({ ...summary, problems: summary.problems.first });
  });
});

test('every golden file has its recording', () => {
  const files = globSync('*.json', { cwd: join(RECORDINGS, 'golden') }).toSorted();
  expect(files).toEqual(NAMES.map((name) => `${nameOf(name)}.json`).toSorted());
});

test('on stdin, through the command line', async () => {
  const name = 'pdo-steal/steal.trace.txt';
  const { audit, findings } = await audited(name);
  const run = spawnSync(process.execPath, [CLI, 'audit', '-', '--format', 'json'], { input: recordingBytes(name), encoding: 'utf8' });
  expect(run.status).toBe(1); // a critical finding
  expect(run.stderr).toMatch(/^(note: )?.*design private-data-owner: /m);
  expect(JSON.parse(run.stdout)).toMatchObject({ design: 'private-data-owner', recording: { source: 'stdin', format: 'ftrace-text' }, checked: audit.checked, findings });
});

test('rebind-churn: what is alive at the end is what the text says', async () => {
  const a = await audited(CHURN);
  const living = new Set<string>();
  let [frees, staticFrees, births] = [0, 0, 0];
  const seen = (dom: string | undefined): void => {
    if (dom === undefined || dom === '0x0' || living.has(dom)) return;
    living.add(dom);
    births++;
  };
  for (const line of recordingBytes(CHURN).toString('latin1').split('\n')) {
    const event = /\d: (domain_free|domain_alloc_in|fd_paging_alloc|group_set_domain|attach_dev): /.exec(line)?.[1];
    if (event === undefined) continue;
    const dom = / dom=(0x\w+)/.exec(line)![1];
    seen(dom);
    if (event !== 'domain_free') {
      seen(/ old_dom=(0x\w+)/.exec(line)?.[1]);
      continue;
    }
    frees++;
    if (/ dtype=0x[04] /.test(line)) staticFrees++; // the group's blocking domain: a static object, it lives on
    else living.delete(dom);
  }
  expect([frees, staticFrees]).toEqual([551, 1]);
  expect(a.events.filter((line) => line.includes('"type":"iommu_domain_free"'))).toHaveLength(551);
  expect(a.audit.incarnations.count).toBe(births);
  expect(births).toBe(550 + living.size);
  expect(alive(a).map((d) => d.domain).toSorted()).toEqual([...living].toSorted());
  expect(aboveInfo(a.findings)).toEqual([]);
});
