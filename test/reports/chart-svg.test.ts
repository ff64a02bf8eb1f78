/**
 * The drawn chart of every design: what is in the SVG, that it can be addressed and heard, and that nobody has to guess: no word
 * lies on another one or on a state that is not its own, and nothing is cut off. Boxes of words are computed from the widest of
 * the fonts named (0.602 em a character), so that what is checked holds in every viewer.
 */
import { describe, expect, it } from 'vitest';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import { compareCharts } from '../../reports/chart-compare.ts';
import { edgeId, renderDot } from '../../reports/chart-dot.ts';
import { designSvg, renderSvg } from '../../reports/chart-svg.ts';
import { chartOf, type Chart } from '../../reports/chart.ts';
import { elementsOf, type Element } from './xml.ts';

interface Box {
  readonly what: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const WIDEST = 0.602;

function textBox(e: Element): Box {
  const size = Number(e.attributes['font-size']);
  const width = e.text.trimEnd().length * size * WIDEST;
  const x = Number(e.attributes['x']);
  const left = e.attributes['text-anchor'] === 'middle' ? x - width / 2 : x;
  const y = Number(e.attributes['y']);
  return { what: e.text.trim(), left, right: left + width, top: y - size * 0.75, bottom: y + size * 0.2 };
}

function pathBox(e: Element): Box {
  const numbers = (e.attributes['d'] ?? e.attributes['points']).match(/-?\d+(\.\d+)?/g)!.map(Number);
  const xs = numbers.filter((_, i) => i % 2 === 0);
  const ys = numbers.filter((_, i) => i % 2 === 1);
  return { what: 'state', left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

const meet = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

function readable(svg: string): string[] {
  const all = elementsOf(svg);
  const texts = all.filter((e) => e.name === 'text').map((e) => ({ box: textBox(e), e }));
  const states = all.filter((e) => e.attributes['class']?.startsWith('node state')).map((g) => ({ g, box: pathBox(g.children.find((c) => c.name === 'path')!) }));
  const background = pathBox(all.find((e) => e.attributes['class'] === 'background')!);
  const wrong: string[] = [];
  texts.forEach(({ box, e }, i) => {
    for (const other of texts.slice(i + 1)) if (meet(box, other.box)) wrong.push(`"${box.what}" lies on "${other.box.what}"`);
    if (box.left < background.left || box.right > background.right || box.top < background.top || box.bottom > background.bottom) wrong.push(`"${box.what}" is cut off`);
    for (const { g, box: state } of states) {
      const inside = e.path.includes(g);
      if (!inside && meet(box, state)) wrong.push(`"${box.what}" lies on ${g.attributes['id']}`);
      if (inside && (box.left < state.left || box.right > state.right)) wrong.push(`"${box.what}" leaves ${g.attributes['id']}`);
    }
    if (Number(e.attributes['font-size']) < 11) wrong.push(`"${box.what}" is small`);
  });
  return wrong;
}

const CHARTS: readonly [string, Chart][] = [
  ...DESIGNS.map((d): [string, Chart] => [d.id, chartOf(d)]),
  ...[['v6.12', 'v7.3'], ['private-data-owner', 'cookie-type'], ['private-data-owner', 'private-data-owner-v2']].map(([a, b]): [string, Chart] => [`${a}, ${b}`, compareCharts(findDesign(a)!, findDesign(b)!)]),
];

describe.each(CHARTS)('%s', (_, chart) => {
  it('is readable: no word on another one, none cut off', async () => {
    expect(readable(await renderSvg(chart))).toEqual([]);
  });

  it('has every state, edge and call, each with its id and class', async () => {
    const all = elementsOf(await renderSvg(chart));
    const ids = all.flatMap((e) => e.attributes['id'] ?? []);
    expect(ids.length).toBe(new Set(ids).size);
    for (const s of chart.states) expect(all.find((e) => e.attributes['id'] === `state-${s}`)?.attributes['class']).toMatch(/^node state/);
    for (const e of chart.edges) {
      const drawn = all.find((g) => g.attributes['id'] === edgeId(e))!;
      expect(drawn.attributes['class']).toMatch(new RegExp(`^edge ${e.kind}\\b`));
      const label = e.from === e.to ? drawn : all.find((g) => g.attributes['id'] === `${edgeId(e)}-label`)!;
      const words = elementsIn(label).filter((t) => t.name === 'text').map((t) => t.text).join('\n');
      for (const c of e.calls) expect(words).toContain(c.label);
      const dashes = elementsIn(drawn).filter((p) => p.name === 'path').map((p) => p.attributes['stroke-dasharray'] !== undefined);
      expect(dashes).toEqual(dashes.map(() => e.kind === 'refused'));
    }
  });

  it('can be heard', async () => {
    const svg = await renderSvg(chart);
    const [root] = elementsOf(svg);
    expect(svg).toMatch(/^<svg role="img" aria-labelledby="chart-title chart-desc" /);
    expect(root.children[0]).toMatchObject({ name: 'title', text: chart.title });
    for (const s of chart.states) expect(root.children[1].text).toContain(s);
    for (const e of chart.edges) for (const c of e.calls) expect(root.children[1].text).toContain(c.label);
  });
});

const elementsIn = (e: Element): Element[] => [e, ...e.children.flatMap(elementsIn)];

it('an overwrite in silence is red, a refusal is not', async () => {
  const all = elementsOf(await designSvg(findDesign('private-data-owner')!));
  const stroke = (id: string): string => elementsIn(all.find((e) => e.attributes['id'] === id)!).find((e) => e.name === 'path')!.attributes['stroke'];
  expect(stroke('edge-iommufd_owned-msi_owned-fault')).toBe('#b3001b');
  expect(stroke('edge-msi_owned-msi_owned-refused')).toBe('#57606a');
});

it('DOT is what the SVG is drawn from, and holds its ids', () => {
  const dot = renderDot(chartOf(findDesign('v7.3')!));
  expect(dot).toMatch(/^digraph "v7\.3" \{\n/);
  expect(dot).toContain('  unowned -> dma_owned [ id = "edge-unowned-dma_owned-accepted", class = "accepted", style = solid');
  expect(dot).toMatch(/iommufd_owned \[ id = "state-iommufd_owned".*STYLE="ROUNDED,DASHED".*iommu_get_msi_cookie -EEXIST/);
});
