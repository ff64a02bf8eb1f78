/**
 * `explore` through the command line: what it prints goes into `audit`, and says so where there is nothing to print.
 */
import { describe, expect, it } from 'vitest';
import { run } from './run.ts';

interface Document {
  readonly found: boolean;
  readonly depth: number | null;
  readonly states: number;
  readonly complete: boolean;
  readonly path: readonly object[];
  readonly outcome?: string;
  readonly refused?: { readonly errno: number; readonly depth: number; readonly path: readonly object[] };
  readonly reason?: string;
}
const json = (...args: string[]): Document => JSON.parse(run(['explore', '--format', 'json', ...args]).stdout) as Document;

describe('explore --rule', () => {
  it('a path piped into audit gives the finding', () => {
    const path = run(['explore', '--rule', 'get-msi-cookie-on-iommufd', '--design', 'private-data-owner']);
    expect(path.status).toBe(0);
    expect(path.stderr).toContain('get-msi-cookie-on-iommufd under private-data-owner: overwrites, in 2 events');
    const audit = run(['audit', '--design', 'private-data-owner', '--format', 'json', '-'], { stdin: path.stdout });
    expect(audit.status).toBe(1);
    const { findings } = JSON.parse(audit.stdout) as { findings: object[] };
    expect(findings).toMatchObject([{ rule: 'get-msi-cookie-on-iommufd', outcome: 'overwrites', before: 'iommufd_owned', after: 'msi_owned', position: 2 }]);
  });

  it('as JSON of a fixed shape', () => {
    expect(json('--rule', 'msi-duplicate-doorbell', '--design', 'cookie-type')).toMatchObject({
      schema: 'iommu-ledger/explore/1', design: 'cookie-type', rule: 'msi-duplicate-doorbell', found: true, depth: 6, outcome: 'undetected',
    });
    const none = json('--rule', 'get-msi-cookie-on-iommufd', '--design', 'v7.3');
    expect(none).toMatchObject({ found: false, depth: null, complete: true, path: [], refused: { outcome: 'rejected', errno: -17, depth: 2 } });
    expect(none.states).toBeGreaterThan(1000);
  });

  it('says that nothing was found, and why', () => {
    const none = run(['explore', '--rule', 'msi-duplicate-doorbell', '--design', 'v7.3']);
    expect(none).toMatchObject({ status: 0, stdout: '' });
    expect(none.stderr).toMatch(/no path violates it: all \d+ states/);
    expect(run(['explore', '--rule', 'msi-duplicate-doorbell', '--design', 'v7.3', '--quiet'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const short = json('--rule', 'msi-duplicate-doorbell', '--design', 'cookie-type', '--max-depth', '5');
    expect(short).toMatchObject({ found: false, complete: false });
    const group = json('--rule', 'attach-group-busy', '--design', 'v7.3');
    expect(group).toMatchObject({ found: false, states: 0, complete: false });
    expect(group.reason).toContain('groups');
  });

  it('as text for a mail, at most 80 columns', () => {
    const { stdout } = run(['explore', '--rule', 'msi-duplicate-doorbell', '--design', 'cookie-type', '--format', 'text']);
    expect(stdout).toContain('  5  irqchip     iommu_map() = 0\n');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('the owner width moves the type that does not fit', () => {
    const { stdout } = run(['explore', '--rule', 'type-overflow-30-bits', '--design', 'private-data-owner', '--owner-bits', '4']);
    expect(stdout).toContain(`"domain_type":${2 ** 28 + 1}`);
  });

  it.each([
    [['--rule', 'no-such-rule'], 'no such rule'],
    [[], 'name a rule'],
    [['--all', '--rule', 'use-after-free'], 'name one of them'],
    [['--all', '--format', 'ndjson'], '--all prints text, json'],
    [['--rule', 'use-after-free', '--design', 'v9'], 'not one of'],
    [['--rule', 'use-after-free', '--max-depth', '0'], 'a whole number from 1'],
    [['--rule', 'use-after-free', '--design', 'v7.3', '--owner-bits', '3'], 'has no private_data_owner'],
  ])('%j is a usage error', (args, message) => {
    const { status, stderr, stdout } = run(['explore', ...args]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('explore --all', () => {
  it('as JSON has every rule and design', () => {
    const document = JSON.parse(run(['explore', '--all', '--format', 'json']).stdout) as { designs: object[]; rules: { rule: string; explored: boolean; designs?: Record<string, Document> }[] };
    expect(document.designs).toHaveLength(7);
    const rule = document.rules.find((r) => r.rule === 'get-msi-cookie-on-iommufd')!;
    expect(Object.entries(rule.designs!).filter(([, d]) => d.found).map(([id]) => id)).toEqual(['sw-msi', 'private-data-owner', 'private-data-owner-v2']);
    expect(document.rules.filter((r) => !r.explored).map((r) => r.rule)).toContain('claim-dma-owner-taken');
  });
});
