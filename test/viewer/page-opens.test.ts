/**
 * The page in a browser: it opens from a file, asks for nothing, runs nothing but its own script, and says so where it is damaged.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileOf } from '../audit-file.ts';
import { recording } from '../cli/run.ts';
import { expectQuiet, useChromium } from './chromium.ts';
import { changed, useReports } from './reports.ts';

const open = useChromium();
const { directory, report } = useReports();
const STEAL = recording('pdo-steal/steal');
const RECORDINGS = [STEAL, recording('deb72/errors'), recording('own72v/variant-overrun'), recording('x86deb72/vfio-type1')];

describe('a page from a file', () => {
  test.each(RECORDINGS)('%s: no complaint, no request', async (source) => {
    const file = report([source]);
    const opened = await open(file);
    expectQuiet(opened, [`file://${file}`]);
    expect(await opened.evaluate('document.querySelector("main") !== null && document.querySelector("[role=alert]") === null')).toBe(true);
    await opened.close();
  });

  test('several recordings as one, events as NDJSON, and what is not followed by a newline', async () => {
    const parts = [recording('deb72/errors'), recording('deb72/vfio-type1')];
    const opened = await open(report(parts));
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  test('without a script it is the audit as text', async () => {
    const opened = await open(report([STEAL]), { javaScriptEnabled: false, until: 'noscript' });
    const text = await opened.page.locator('noscript').textContent();
    expect(text).toContain('CRITICAL get-msi-cookie-on-iommufd (line 121, event 33)');
    await opened.close();
  });
});

describe('the Content-Security-Policy', () => {
  test('lets no script, no style and no handler of somebody else run', async () => {
    const evil = '<script>window.ran = "script"</script><style>body { --ran: style }</style><svg onload="window.ran = 1"></svg><img src="data:image/gif;base64,AAAA" onerror="window.ran = 2" alt=""><a href="javascript:window.ran=3" id="evil">x</a><p style="--ran: attribute" id="styled">x</p>';
    const file = changed(report([STEAL]), 'evil', (html) => html.toString('utf8').replace('</body>', () => `${evil}</body>`));
    const { page, evaluate, complaints, close } = await open(file);
    await page.locator('#evil').evaluate('element => element.click()');
    await page.waitForTimeout(100);
    expect(await evaluate('[window.ran ?? null, getComputedStyle(document.body).getPropertyValue("--ran"), getComputedStyle(document.getElementById("styled")).getPropertyValue("--ran")]')).toEqual([null, '', '']);
    expect(complaints.length).toBeGreaterThanOrEqual(4);
    expect(complaints.filter((c) => !c.includes('Content Security Policy'))).toEqual([]);
    await close();
  });

  test('lets the page ask nobody, and make no code of text', async () => {
    const { evaluate, close } = await open(report([STEAL]));
    const refused = (expression: string): Promise<boolean> => evaluate(`(async () => { try { ${expression}; return false } catch { return true } })()`);
    expect(await refused('await fetch("http://127.0.0.1:9/")')).toBe(true);
    expect(await refused('await fetch("data:,x")')).toBe(true);
    expect(await refused('new WebSocket("ws://127.0.0.1:9/"); await new Promise((_, no) => addEventListener("securitypolicyviolation", no))')).toBe(true);
    const policy = await evaluate<string>('document.querySelector("meta[http-equiv]").content');
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; connect-src 'none'; base-uri 'none'; form-action 'none'$/);
    await close();
  });
});

describe('a hostile recording', () => {
  const HOSTILE = [
    '<img src=x onerror="window.ran=1">', '</script><script>window.ran=2</script>', '<!--<script>', '--></noscript></pre><script>window.ran=3</script>', ']]>',
    'a\u0000b\u001b[2J\u0007\u009b31m\r\n', '\u202eevil\u2066\u200f\ufeff\u2028\u2029', '\ud800 alone \udc00', '{{script}}$&$1$`', '"\'&amp;&lt;', 'javascript:window.ran=4', 'x'.repeat(1 << 20), '',
  ];
  const events = HOSTILE.flatMap((text, n) => {
    const common = { v: 1, task: text, caller: text, domain: `0x${(0x1000 * (n + 1)).toString(16)}`, errno: 0 };
    return [
      { ...common, type: 'iommu_domain_alloc', domain_type: 1, device: text },
      { ...common, type: 'iommu_group_set_domain', group: n + 1, device: text },
      { ...common, type: 'iommu_get_msi_cookie', base: '0x8000000' },
      { ...common, type: 'iommu_get_msi_cookie', base: '0x8000000' },
      { ...common, type: 'iommu_domain_free' },
      { ...common, type: 'iommu_domain_free' },
    ];
  });
  const started = { v: 1, type: 'recording_started', kernel: HOSTILE[0], arch: HOSTILE[1], format: HOSTILE[2], source: HOSTILE[3] };
  const refusals = HOSTILE.map((text) => ({ v: 1, type: text, [text]: text }));
  const text = [started, ...events, ...refusals].map((event) => `${JSON.stringify(event)}\n`).join('');

  test('runs nothing, adds nothing, and shows what it is', async () => {
    const source = join(directory, '<img src=x onerror=window.ran=5>\u202e\u001b<!--<script>{{data}}.ndjson');
    writeFileSync(source, text);
    const file = report([source]);
    const harmless = await open(report([STEAL]));
    const shape = 'JSON.stringify([document.scripts.length > 0, document.querySelectorAll("img, iframe, object, embed, base, form, link, [onerror], [onload], [onclick]").length, document.querySelectorAll("style").length, document.querySelectorAll("a[href^=javascript]").length, window.ran ?? null])';
    const expected = await harmless.evaluate(shape);
    await harmless.close();
    const opened = await open(file);
    const { evaluate, complaints, requests, close } = opened;
    expect(complaints).toEqual([]);
    expect(requests).toHaveLength(1);
    expect(await evaluate(shape)).toBe(expected);
    expect(await evaluate('document.querySelector("[role=alert]")')).toBe(null);
    // What a terminal or a reader could be fooled by is shown escaped.
    const shown = await evaluate<string>('document.body.innerText + document.title');
    expect(shown).not.toMatch(/[\0-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/);
    await close();
  });

  test('in the lines around a finding', async () => {
    const name = '</script><b>\u202e';
    const trace = readFileSync(STEAL, 'utf8').replaceAll(/^ *insmod(?=-)/gm, name.padStart(16));
    const opened = await open(report([fileOf(trace)]));
    expect(opened.complaints).toEqual([]);
    expect(await opened.evaluate('document.querySelector("b") === null || !document.body.innerText.includes("\\u202e")')).toBe(true);
    await opened.close();
  });
});

describe('a damaged page says so', () => {
  const said = async (file: string): Promise<string> => {
    const { evaluate, close } = await open(file, { until: '[role=alert], #page > p' });
    await expect.poll(() => evaluate('document.readyState')).toBe('complete');
    await expect.poll(() => evaluate<string>('document.getElementById("page").innerText'), { timeout: 10_000 }).toMatch(/cut off/);
    const text = await evaluate<string>('document.getElementById("page").innerText');
    await close();
    return text;
  };

  test('cut off in its events', async () => {
    const file = report([recording('own72n/iommufd')]);
    const html = readFileSync(file);
    const events = html.indexOf('id="recording-0"');
    const end = html.indexOf('</script>', events);
    for (const at of [events - 40, Math.floor((events + end) / 2), end - 4]) {
      expect(await said(changed(file, `cut-${at}`, (bytes) => bytes.subarray(0, at)))).toMatch(/This page cannot be shown: the file is damaged or cut off, \d+ of \d+ events can be read/);
    }
    // Behind the last event nothing is missed.
    const whole = await open(changed(file, 'tail', (bytes) => bytes.subarray(0, end + '</script>'.length)));
    expect(await whole.evaluate('document.querySelector("[role=alert]")')).toBe(null);
    await whole.close();
  });

  test('cut off before its script', async () => {
    const file = report([STEAL]);
    for (const part of [0.3]) expect(await said(changed(file, `cut-${part}`, (bytes) => bytes.subarray(0, bytes.indexOf('<script>') + Math.floor(part * 10_000))))).toMatch(/cut off, or its script is not run/);
  });

  test('changed in one letter', async () => {
    const file = report([recording('own72n/iommufd')]);
    const html = readFileSync(file, 'latin1');
    const events = html.indexOf('>', html.indexOf('id="recording-0"')) + 1;
    const end = html.indexOf('<', events);
    for (const at of [events + 40, Math.floor((events + end) / 2)]) {
      const other = html[at] === 'A' ? 'B' : 'A';
      expect(await said(changed(file, `flip-${at}`, () => Buffer.from(`${html.slice(0, at)}${other}${html.slice(at + 1)}`, 'latin1')))).toMatch(/damaged or cut off/);
    }
  });
});
