/**
 * `chart` on the command line: every format of every design, twice in processes of their own with the same bytes; counts of real
 * recordings; and what is refused in one line.
 */
import { describe, expect, test } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import { recording, run, runShell } from './run.ts';

const STEAL = recording('pdo-steal/steal');
const FORMATS = ['svg', 'dot', 'mermaid', 'scxml', 'xstate', 'rv'];

describe('bytes', () => {
  test.each(FORMATS)('%s: the same from two processes', (format) => {
    const [one, other] = [1, 2].map(() => run(['chart', '--design', 'v7.3', '--format', format]));
    expect(one).toMatchObject({ status: 0, stderr: '' });
    expect(other.stdout).toBe(one.stdout);
    expect(one.stdout).toMatch(/\n$/);
  });

  test.each([['--heat', STEAL], ['--compare', 'v6.12,v7.3']])('%s: the same from two processes', (...args) => {
    for (const format of ['svg', 'dot', 'mermaid']) {
      const [one, other] = [1, 2].map(() => run(['chart', ...args, '--format', format, '--quiet']));
      expect(one.status).toBe(0);
      expect(other.stdout).toBe(one.stdout);
    }
  });
});

test.each(DESIGNS.map(({ id }) => id))('%s: every format', (id) => {
  const all = runShell(FORMATS.map((f) => `$LEDGER chart --design ${id} --format ${f} || echo FAILED`).join('; '));
  expect(all.stdout).not.toContain('FAILED');
  expect(all.stderr).toBe('');
  for (const begin of ['<svg role="img"', `digraph "${id}" {`, 'stateDiagram-v2\n', '<?xml version="1.0" encoding="UTF-8"?>\n<scxml ', `{\n  "id": "${id}"`, 'digraph state_automaton {\n']) expect(all.stdout).toContain(begin);
});

describe('--heat', () => {
  test('takes the design of the recording and marks the theft', () => {
    const { status, stdout, stderr } = run(['chart', '--heat', STEAL]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^design private-data-owner: its words have/);
    expect(stdout).toContain('iommufd_owned --> msi_owned : (!) iommu_get_msi_cookie ×1<br/>finding get-msi-cookie-on-iommufd ×1\n');
    expect(stdout).toContain('unknown --> sva_owned : iommu_sva_domain_alloc ×0\n');
  });

  test('SVG: classes say what was never taken and where a finding is', () => {
    const { stdout } = run(['chart', '--heat', STEAL, '--format', 'svg', '--quiet']);
    expect(stdout).toContain('<g id="edge-iommufd_owned-msi_owned-fault" class="edge fault finding">');
    expect(stdout).toContain('<g id="edge-unowned-dma_owned-accepted" class="edge accepted never">');
    expect(stdout).toMatch(/iommu_domain_free ×1</);
  });

  test('a healthy recording took nothing that its design has not', () => {
    for (const [path, design] of [['pdo/iommufd', 'private-data-owner'], ['own72n/vfio-type1', 'v7.3'], ['own612n/iommufd', 'v6.12']]) {
      const { stdout, stderr } = run(['chart', '--heat', recording(path)]);
      expect(stderr).toContain(`design ${design}:`);
      expect(stdout).not.toMatch(/not in the chart|finding/);
      expect(stdout).toMatch(/×[1-9]/);
    }
  });

  test('several are merged, as one option or as two', () => {
    const [a, b] = [recording('pdo/iommufd'), recording('pdo/vfio-type1')];
    const once = run(['chart', '--heat', a, b, '--quiet']);
    expect(once.stdout).toContain('2 recordings, ');
    expect(run(['chart', '--heat', a, '--heat', b, '--quiet']).stdout).toBe(once.stdout);
  });
});

describe('--coverage', () => {
  test('text and JSON agree', () => {
    const args = ['chart', '--coverage', STEAL, recording('pdo/iommufd'), '--quiet'];
    const { stdout, status } = run(args);
    expect(status).toBe(0);
    const [, taken, all] = /^design private-data-owner, 2 recordings: (\d+) of (\d+) transitions taken, never:\n/.exec(stdout)!;
    const document = JSON.parse(run([...args, '--format', 'json']).stdout) as { taken: number; transitions: number; missing: unknown[] };
    expect([document.taken, document.transitions]).toEqual([Number(taken), Number(all)]);
    expect(stdout.trimEnd().split('\n').length - 2).toBe(document.missing.length);
  });
});

describe('wrong command lines', () => {
  test.each([
    [['--format', 'rv', '--heat', STEAL], '--format rv: chart --heat prints mermaid, dot, svg'],
    [['--format', 'scxml', '--compare', 'v6.12,v7.3'], '--format scxml: chart --compare prints mermaid, dot, svg'],
    [['--format', 'svg', '--coverage', STEAL], '--format svg: chart --coverage prints text, json'],
    [['--format', 'json'], '--format json: chart prints mermaid, dot, svg, scxml, xstate, rv'],
    [['--heat', STEAL, '--compare', 'v6.12,v7.3'], '--heat and --compare: name one of them'],
    [['--compare', 'v6.12'], '--compare v6.12: name two designs'],
    [['--compare', 'v7.3,v7.3'], '--compare v7.3,v7.3: name two designs'],
    [['--compare', 'v7.3,v9'], '--compare v7.3,v9: v9 is not one of v6.12, sw-msi'],
    [['--compare', 'v6.12,v7.3', '--design', 'v7.3'], '--compare and --design: --compare names both designs'],
  ])('%j', (args, message) => {
    const { status, stdout, stderr } = run(['chart', ...args]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`iommu-ledger: ${message}`);
    expect(stderr).toMatch(/^[^\n]*; see --help\n$/);
  });

  test('a recording that is not there: exit 3', () => {
    expect(run(['chart', '--heat', 'no-such-file']).status).toBe(3);
  });
});
