/**
 * Links and keys: a link opens the page where it was made, "back" goes back, and whatever is written behind the `#` breaks nothing.
 */
import { describe, expect, test } from 'vitest';
import { recording } from '../cli/run.ts';
import { useChromium } from './chromium.ts';
import type { OpenPage } from './open-page.ts';
import { useReports } from './reports.ts';

const open = useChromium();
const { report } = useReports();
const STEAL = recording('pdo-steal/steal');
const EVENTS = 93;
const FINDINGS = [33, 39, 40, 48, 77];

let file: string | null = null;
const page = (): string => (file ??= report([STEAL]));
const at = ({ evaluate }: OpenPage): Promise<number> => evaluate<number>('Number(document.documentElement.dataset.position)');
const place = (opened: OpenPage): Promise<Record<string, string>> => opened.evaluate('Object.fromEntries(new URLSearchParams(location.hash.slice(1)))');

describe('links', () => {
  test('open the page where they were made', async () => {
    const fragment = '#at=40&domain=0xffff0000035e9d20.1&design=cookie-type&beside=v6.12&q=task%3Ainsmod&a=0.1&b=0.25&range=0-0.5';
    const opened = await open(page(), { fragment });
    expect(await at(opened)).toBe(40);
    expect(await opened.attribute('[data-part=instant]', 'data-position')).toBe('40');
    expect(await opened.evaluate('document.querySelector("input[type=search], #search").value')).toBe('task:insmod');
    const first = await place(opened);
    expect(first).toEqual(Object.fromEntries(new URLSearchParams(fragment.slice(1))));
    // Moving about rewrites it; what it then says opens the same again.
    await opened.press('k', 'k');
    await expect.poll(() => place(opened)).toEqual({ ...first, at: '38' });
    const again = await open(page(), { fragment: await opened.evaluate<string>('location.hash') });
    expect([await at(again), await place(again)]).toEqual([38, { ...first, at: '38' }]);
    expect([...opened.complaints, ...again.complaints]).toEqual([]);
    await again.close();
    await opened.close();
  });

  test('that cannot be honoured say so', async () => {
    const opened = await open(page(), { fragment: '#at=1e9' });
    const said = (): Promise<string> => opened.evaluate<string>('document.querySelector(".notice").innerText');
    expect(await said()).toBe('this link names event 1e9, which is not here: this is another place');
    const follow = (fragment: string): Promise<void> => opened.evaluate(`location.hash = ${JSON.stringify(fragment)}`);
    await follow('#at=33&design=bogus&domain=0xdead.9');
    await expect.poll(said).toBe('this link names domain 0xdead.9, design bogus, which is not here: this is another place');
    await follow('#finding-39-1');
    await expect.poll(() => at(opened)).toBe(39);
    await opened.close();
  });

  const MALFORMED = [
    '#', '#at=', '#at=-1', '#at=99999999999999999999', '#at=1e9', '#at=0x10', '#at=93.5', '#design=nope&beside=%00', '#domain=0xdead.1', '#q=%ff%fe%00', '#%',
    '#<img src=x onerror=window.ran=1>', '#__proto__=1&at=__proto__', `#q=${'x'.repeat(50_000)}`, '#range=5-1', '#range=0-0&a=NaN&b=Infinity', '#part-timeline',
  ];
  const isSound = async (opened: OpenPage): Promise<void> => {
    expect(await opened.evaluate('[window.ran ?? null, document.querySelector("[role=alert]"), document.images.length]')).toEqual([null, null, 0]);
    expect(await at(opened)).toBeGreaterThanOrEqual(0);
    expect(await at(opened)).toBeLessThanOrEqual(EVENTS);
    expect(opened.complaints).toEqual([]);
  };

  test('that are malformed break nothing, followed on the page', async () => {
    const opened = await open(page());
    for (const fragment of MALFORMED) {
      await opened.evaluate(`new Promise((done) => { addEventListener('hashchange', () => setTimeout(done), { once: true }); setTimeout(done, 500); location.hash = ${JSON.stringify(fragment)}; })`);
      await isSound(opened);
    }
    await opened.close();
  });

  test('that are malformed break nothing, opened', async () => {
    for (const fragment of ['#at=99999999999999999999&design=nope', '#<img src=x onerror=window.ran=1>&q=%ff', `#${'x'.repeat(50_000)}`]) {
      const opened = await open(page(), { fragment });
      await isSound(opened);
      await opened.close();
    }
  });
});

describe('keys', () => {
  test('every event and every finding is reached', async () => {
    const opened = await open(page());
    expect(await at(opened)).toBe(EVENTS);
    await opened.press('k', 'k', 'j');
    expect(await at(opened)).toBe(EVENTS - 1);
    const passed: number[] = [];
    for (let n = 0; n < FINDINGS.length; n++) {
      await opened.press('p');
      passed.push(await at(opened));
    }
    expect(passed).toEqual(FINDINGS.toReversed());
    await opened.press('n');
    expect(await at(opened)).toBe(FINDINGS[1]);
    // In a field they are letters.
    await opened.press('/', 'j', 'k', 'n');
    expect(await opened.evaluate('document.activeElement.value')).toBe('jkn');
    expect(await at(opened)).toBe(FINDINGS[1]);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  test('Tab goes through everything that can be used, each with a name and a visible focus', async () => {
    const opened = await open(page(), { fragment: '#at=33' });
    const seen = new Set<string>();
    for (let n = 0; n < 300; n++) {
      await opened.press('Tab');
      const here = await opened.evaluate<{ id: string; name: string; outline: string } | null>(`(() => {
        const e = document.activeElement;
        if (!e || e === document.body) return null;
        window.ids ??= new Map();
        if (!window.ids.has(e)) window.ids.set(e, String(window.ids.size));
        const s = getComputedStyle(e);
        const label = e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ').trim() || [...(e.labels ?? [])].map((l) => l.textContent).join(' ') || e.textContent.trim() || e.title;
        return { id: window.ids.get(e), name: label, outline: s.outlineStyle + ' ' + s.boxShadow + ' ' + s.borderColor };
      })()`);
      if (here === null) break;
      expect(here.name).not.toBe('');
      expect(here.outline).not.toMatch(/^none none/);
      seen.add(here.id);
    }
    expect(seen.size).toBeGreaterThan(20);
    await opened.close();
  });
});
