/**
 * Charts with counts: what a small recording did stands on the edges it took, with its findings, and what the chart lacks is drawn
 * apart; coverage is the same as a list. Two charts over each other: every line of both is there, once where they agree.
 */
import { describe, expect, it, test } from 'vitest';
import { EventBatch, createInterned } from '../../events/batch.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import { Heat } from '../../projections/heat.ts';
import { compareCharts } from '../../reports/chart-compare.ts';
import { renderDot } from '../../reports/chart-dot.ts';
import { coverage, coverageJson, coverageText, heatChart } from '../../reports/chart-heat.ts';
import { renderMermaid } from '../../reports/chart-mermaid.ts';
import { chartOf, type Chart, type ChartEdge } from '../../reports/chart.ts';

type Json = Readonly<Record<string, unknown>>;

const alloc = (domain: string, domain_type = 1): Json => ({ type: 'iommu_domain_alloc', domain, domain_type, errno: 0 });
const call = (type: string, domain: string, members: Json = {}): Json => ({ type, domain, ...members });
const msi = (domain: string, errno: number): Json => call('iommu_get_msi_cookie', domain, { base: '0x8000000', errno });

/** Returns the heat of recordings, each a list of events. */
function heatOf(id: string, ...recordings: readonly (readonly Json[])[]): Heat {
  const heat = new Heat(findDesign(id)!);
  for (const events of recordings) {
    const batch = new EventBatch(createInterned());
    for (const e of events) expect(parseEvent(JSON.stringify({ v: 1, ...e }), batch)).toBeUndefined();
    batch.position = 1;
    heat.begin(true);
    heat.apply(batch);
    heat.end();
  }
  return heat;
}

/** Lines that were taken, as `FROM LABEL -> TO xN`. */
const hot = (chart: Chart): string[] => chart.edges.flatMap((e) => e.calls.filter((c) => c.count! > 0).map((c) => `${e.unforeseen ? 'unforeseen ' : ''}${e.from} ${c.label} -> ${e.to} x${c.count}`));

const LIFE = [alloc('0x10'), msi('0x10', 0), msi('0x10', -17), call('iommu_domain_free', '0x10'), call('iommu_put_msi_cookie', '0x10')];

describe('heat', () => {
  it('counts a life where it went', () => {
    const chart = heatChart(findDesign('cookie-type')!, heatOf('cookie-type', LIFE), 'x');
    expect(hot(chart)).toEqual([
      'unknown iommu_domain_alloc -> unowned x1',
      'unowned iommu_get_msi_cookie -> msi_owned x1',
      'msi_owned iommu_get_msi_cookie -EEXIST -> msi_owned x1',
      'msi_owned iommu_domain_free -> freed x1',
    ]);
    expect(chart.notes).toEqual(['x: 5 calls on domains, 4 on edges drawn here, the others changed no owner']);
  });

  it('adds up recordings', () => {
    const chart = heatChart(findDesign('cookie-type')!, heatOf('cookie-type', LIFE, LIFE, [alloc('0x10')]), 'x');
    expect(hot(chart)).toContain('unknown iommu_domain_alloc -> unowned x3');
    expect(hot(chart)).toContain('msi_owned iommu_domain_free -> freed x2');
  });

  it('marks the edge of a finding', () => {
    const theft = [call('iommufd_hwpt_paging_alloc', '0x10', { hwpt: '0x99', errno: 0 }), msi('0x10', 0)];
    const chart = heatChart(findDesign('private-data-owner')!, heatOf('private-data-owner', theft), 'x');
    const edge = chart.edges.find((e) => e.from === 'iommufd_owned' && e.to === 'msi_owned')!;
    expect([...edge.calls[0].findings!]).toEqual([['get-msi-cookie-on-iommufd', 1]]);
    expect(renderDot(chart)).toContain('finding get-msi-cookie-on-iommufd ×1');
    expect(renderMermaid(chart)).toContain('iommufd_owned --> msi_owned : (!) iommu_get_msi_cookie ×1<br/>finding get-msi-cookie-on-iommufd ×1\n');
  });

  it('draws what the kernel accepted and the design refuses apart', () => {
    const chart = heatChart(findDesign('cookie-type')!, heatOf('cookie-type', [call('iommufd_hwpt_paging_alloc', '0x10', { hwpt: '0x99', errno: 0 }), msi('0x10', 0)]), 'x');
    expect(hot(chart)).toContain('unforeseen iommufd_owned iommu_get_msi_cookie -> msi_owned x1');
    expect(renderDot(chart)).toContain('recorded, but not in the chart');
    expect(coverage(chart)).toHaveLength(coverage(chartOf(findDesign('cookie-type')!)).length);
  });

  it('a refusal too special for the chart joins its state, and does not count as covered', () => {
    const chart = heatChart(findDesign('v7.3')!, heatOf('v7.3', [alloc('0x10'), msi('0x10', -12)]), 'x');
    expect(hot(chart)).toContain('unowned iommu_get_msi_cookie -ENOMEM -> unowned x1');
    expect(coverage(chart).some((c) => c.call.endsWith('-ENOMEM'))).toBe(false);
  });

  it('says how often an owner was learnt in mid-life, and draws no edge for it', () => {
    const seen = call('iommu_map', '0x10', { iova: '0x1000', paddr: '0x2000', size: '0x1000', prot: 3, errno: 0, after: { type: 1, cookie_type: 2 } });
    const chart = heatChart(findDesign('v7.3')!, heatOf('v7.3', [seen]), 'x');
    expect(hot(chart)).toEqual([]);
    expect(chart.notes.join()).toContain('an owner became known in mid-life');
  });
});

describe('coverage', () => {
  const chart = heatChart(findDesign('cookie-type')!, heatOf('cookie-type', LIFE), 'x');

  it('as JSON', () => {
    const document = JSON.parse(coverageJson(chart, ['a', 'b'])) as { schema: string; transitions: number; taken: number; missing: unknown[]; covered: unknown[]; sources: string[] };
    expect(document).toMatchObject({ schema: 'iommu-ledger/chart-coverage/1', design: 'cookie-type', sources: ['a', 'b'], taken: 4 });
    expect(document.missing.length + document.covered.length).toBe(document.transitions);
    expect(document.covered).toContainEqual({ from: 'msi_owned', call: 'iommu_get_msi_cookie -EEXIST', to: 'msi_owned', kind: 'refused', when: null, count: 1 });
  });

  it('as text: the count, then what was never taken', () => {
    const text = coverageText(chart, ['a']);
    expect(text).toMatch(/^design cookie-type, 1 recording: 4 of \d+ transitions taken, never:\n\n/);
    expect(text).toContain('\nunowned              iommu_get_dma_cookie -> dma_owned\n');
    expect(text).toMatch(/\ndma_owned +iommufd_hwpt_paging_alloc -> iommufd_owned {2}\(in silence\)\n/);
    expect(text).not.toMatch(/^msi_owned +iommu_get_msi_cookie -EEXIST$/m);
  });
});

describe('compare', () => {
  const line = (e: ChartEdge, label: string): string => `${e.from} ${e.to} ${e.kind} ${label}`;
  const lines = (chart: Chart, sides: readonly unknown[]): string[] => chart.edges.filter((e) => sides.includes(e.side)).flatMap((e) => e.calls.map((c) => line(e, c.label))).toSorted();

  test.each(DESIGNS.flatMap((a) => DESIGNS.filter((b) => b !== a).map((b) => [a.id, b.id] as const)))('%s and %s: each line of both, once where they agree', (a, b) => {
    const chart = compareCharts(findDesign(a)!, findDesign(b)!);
    expect(lines(chart, [undefined, 'a', 'a-differs'])).toEqual(lines(chartOf(findDesign(a)!), [undefined]));
    expect(lines(chart, [undefined, 'b', 'b-differs'])).toEqual(lines(chartOf(findDesign(b)!), [undefined]));
  });

  it('tells another answer from an edge that the other has not', () => {
    const chart = compareCharts(findDesign('private-data-owner')!, findDesign('private-data-owner-guard')!);
    const side = (from: string, label: string): unknown => chart.edges.find((e) => e.from === from && e.calls.some((c) => c.label === label))?.side;
    expect(side('iommufd_owned', 'iommu_get_msi_cookie')).toBe('a-differs');
    expect(side('iommufd_owned', 'iommu_get_msi_cookie -EEXIST')).toBe('b-differs');
    expect(side('iommufd_owned', 'iommu_get_dma_cookie')).toBe(undefined);
    expect(compareCharts(findDesign('v6.12')!, findDesign('v7.3')!).compared!.sides).toEqual({ iommufd_owned: 'b' });
  });
});

describe('mermaid', () => {
  const heat = heatOf('private-data-owner', [call('iommufd_hwpt_paging_alloc', '0x10', { hwpt: '0x99', errno: 0 }), msi('0x10', 0)]);
  const charts: readonly [string, Chart][] = [
    ...DESIGNS.map((d): [string, Chart] => [d.id, chartOf(d)]),
    ['compare', compareCharts(findDesign('v6.12')!, findDesign('v7.3')!)],
    ['heat', heatChart(findDesign('private-data-owner')!, heat, 'a:b;c#d"e`f%g.txt')],
  ];

  test.each(charts)('%s: lines of the grammar, plain ids, no sign that ends a label', (_, chart) => {
    const lines = renderMermaid(chart).trimEnd().split('\n');
    const start = lines.indexOf('  [*] --> unknown');
    const note = lines.indexOf('  note right of unknown');
    const body = lines.slice(start + 1, note < 0 ? undefined : note);
    expect(lines.slice(0, 2)).toEqual(['stateDiagram-v2', '  direction TB']);
    for (const l of lines.slice(2, start)) expect(l).toMatch(/^ {2}[a-z_]+ : [^:;#"%{}\\`]+$/);
    expect(body.pop()).toBe('  freed --> [*]');
    for (const l of body) expect(l).toMatch(/^ {2}[a-z_]+ --> [a-z_]+ : [^:;#"%{}\\`]+$/);
    for (const l of note < 0 ? [] : lines.slice(note + 1, -1)) expect(l).toMatch(/^ {4}[^:;#"%{}\\`]+$/);
    if (note >= 0) expect(lines.at(-1)).toBe('  end note');
    for (const e of chart.edges) {
      for (const c of e.calls) expect(lines.some((l) => l.startsWith(e.from === e.to ? `  ${e.from} : ` : `  ${e.from} --> ${e.to} : `) && l.includes(c.label)), c.label).toBe(true);
    }
  });
});
