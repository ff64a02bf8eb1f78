/**
 * Opens a page in real Chromium, without cookies or cache, and with no way out: it may ask for what it was opened from, and every
 * other request is refused and remembered.
 */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** A browser in a container, as root, without a graphics card, that asks nobody for anything. */
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
/** A slow machine that does other things as well. Units: milliseconds. */
const PATIENCE = 30_000;
/** What stands in the document once the recording has been read, or cannot be. */
const OPENED = 'main, [role=alert]';

/** How a page is opened. */
export interface OpenOptions extends Pick<BrowserContextOptions, 'colorScheme' | 'reducedMotion' | 'javaScriptEnabled'> {
  readonly width?: number;
  readonly height?: number;
  /** `#…` of a link. */
  readonly fragment?: string;
  /** Run in the page before its own script. */
  readonly before?: string;
  /** What to wait for instead of the page's parts. */
  readonly until?: string;
}

/** A page of ours in the browser. */
export interface OpenPage {
  readonly page: Page;
  /** What the console said, uncaught errors, and refused requests: a good page has none. */
  readonly complaints: readonly string[];
  /** URLs of all requests. */
  readonly requests: readonly string[];
  /** How long it took from the click until the parts of the page were drawn. Units: milliseconds. */
  readonly openMs: number;
  /** Returns the value of a JavaScript expression, which may be a promise. */
  evaluate<T>(expression: string): Promise<T>;
  /** Presses keys, one after the other, as playwright calls them. */
  press(...keys: readonly string[]): Promise<void>;
  /** Returns the value of an attribute of the first element that matches, or null. */
  attribute(selector: string, name: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Starts a browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ARGUMENTS, timeout: PATIENCE });
}

/** Opens a file, or a URL, in a page of its own, and waits until the recording has been read. */
export async function openPage(browser: Browser, target: string, options: OpenOptions = {}): Promise<OpenPage> {
  const { width = 1280, height = 900, fragment = '', before, until = OPENED, ...rest } = options;
  const url = target.includes('://') ? target : `file://${encodeURI(target).replaceAll('#', '%23').replaceAll('?', '%3F')}`;
  const context = await browser.newContext({ viewport: { width, height }, serviceWorkers: 'block', ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => void (['error', 'warning'].includes(message.type()) && complaints.push(`${message.type()}: ${message.text()}`)));
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('request', (request) => requests.push(request.url()));
  await context.route((to) => !isAllowed(url, to), (route) => {
    complaints.push(`request: ${route.request().url()}`);
    return route.abort();
  });
  if (before !== undefined) await page.addInitScript(before);
  const from = performance.now();
  await page.goto(url + fragment, { waitUntil: 'commit' });
  await page.waitForSelector(until, { state: 'attached' });
  // Drawn, not only made.
  if (options.javaScriptEnabled !== false) await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))');
  const openMs = performance.now() - from;
  return {
    page, complaints, requests, openMs,
    evaluate: <T>(expression: string) => page.evaluate<T>(expression),
    press: async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    },
    attribute: (selector, name) => page.locator(selector).first().getAttribute(name),
    close: () => context.close(),
  };
}

/** A file is one request; a server's page may ask its server. */
function isAllowed(opened: string, to: URL): boolean {
  const from = new URL(opened);
  return to.protocol === 'file:' ? from.pathname === to.pathname : to.origin === from.origin;
}
