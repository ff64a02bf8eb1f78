/**
 * axe-core finds nothing to say about the page: light and dark, on a telephone and on a screen.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { recording } from '../cli/run.ts';
import { useChromium } from './chromium.ts';
import { useReports } from './reports.ts';

const open = useChromium();
const { report } = useReports();
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** One violation, cut to what its repair needs. */
const VIOLATIONS = 'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 5).map((node) => node.target.join(" ")).join(" | ")}`))';

const pages = new Map<string, string>();
const pageOf = (source: string): string => {
  if (!pages.has(source)) pages.set(source, report([source]));
  return pages.get(source)!;
};

const CASES: readonly (readonly [name: string, width: number, colorScheme: 'light' | 'dark'])[] = [
  ['pdo-steal/steal', 360, 'light'], ['pdo-steal/steal', 1280, 'light'], ['pdo-steal/steal', 360, 'dark'], ['pdo-steal/steal', 1280, 'dark'],
  ['own72v/variant-overrun', 360, 'dark'], ['own72v/variant-overrun', 1280, 'light'],
];

test.each(CASES)('%s at %i px, %s', async (name, width, colorScheme) => {
  const { page, evaluate, close } = await open(pageOf(recording(name)), { width, colorScheme, reducedMotion: 'reduce' });
  await page.evaluate(AXE);
  expect(await evaluate<string[]>(VIOLATIONS)).toEqual([]);
  // No part is wider than the screen.
  expect(await evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0);
  await close();
});

test('a page that cannot be shown, and one that is being opened', async () => {
  const file = pageOf(recording('pdo-steal/steal'));
  const { page, evaluate, close } = await open(file, { before: 'DecompressionStream = undefined', until: '[role=alert]' });
  await page.evaluate(AXE);
  expect(await evaluate<string[]>(VIOLATIONS)).toEqual([]);
  await close();
});
