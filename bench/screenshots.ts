/**
 * `npm run screenshots -- FOLDER`: the page's pictures for the README, as PNG files in a folder: pages of recordings in
 * test/recordings, each at an instant that shows something. Fails where one is too large for a README.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, openPage } from '../test/viewer/open-page.ts';

/** What is pictured: the window, or the first element that matches. */
interface Picture {
  readonly name: string;
  readonly recording: string;
  /** Behind the `#`: viewer/fragment.ts. */
  readonly fragment?: string;
  readonly keys?: readonly string[];
  readonly element?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

const PICTURES: readonly Picture[] = [
  { name: 'theft', recording: 'pdo-steal/steal.trace.txt', fragment: 'at=33' },
  { name: 'iommufd', recording: 'own72n/iommufd.trace.txt', height: 1400 },
  { name: 'iommufd-dark', recording: 'own72n/iommufd.trace.txt', height: 1400, colorScheme: 'dark' },
  { name: 'errors', recording: 'deb72/errors.trace.txt', height: 1400 },
  { name: 'rebind-churn', recording: 'own72n/rebind-churn.trace.txt.gz', height: 1400 },
  { name: 'rebind-churn-timeline', recording: 'own72n/rebind-churn.trace.txt.gz', element: '#part-timeline' },
  { name: 'theft-compared', recording: 'pdo-steal/steal.trace.txt', fragment: 'at=33&beside=cookie-type', element: '#part-compare' },
  { name: 'theft-narrow', recording: 'pdo-steal/steal.trace.txt', fragment: 'at=33', width: 360, height: 800 },
];
/** A README is read over slow lines too. */
const MOST_BYTES = 300_000;
/** A picture of a long part shows its beginning. Units: pixels. */
const MOST_HEIGHT = 900;

const cli = join(import.meta.dirname, '../cli/iommu-ledger.mjs');
const folder = process.argv[2];
if (folder === undefined) throw new Error('npm run screenshots -- FOLDER [NAME…]');
const wanted = new Set(process.argv.slice(3));
mkdirSync(folder, { recursive: true });
const pages = mkdtempSync(join(tmpdir(), 'iommu-ledger-pictures-'));
const browser = await launch();
try {
  for (const picture of PICTURES.filter(({ name }) => wanted.size === 0 || wanted.has(name))) {
    const { name, recording, fragment, keys = [], element, ...size } = picture;
    const file = join(pages, `${name}.html`);
    const source = join('test/recordings', recording);
    const { status, stderr } = spawnSync(process.execPath, [cli, 'report', source, '-o', file, '--quiet'], { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' });
    if (status !== 0) throw new Error(`no page of ${recording}: ${stderr}`);
    const opened = await openPage(browser, file, { ...size, ...(fragment !== undefined && { fragment: `#${fragment}` }), reducedMotion: 'reduce' });
    await opened.press(...keys);
    // Whatever is drawn after the first frame.
    await opened.page.waitForTimeout(500);
    const path = join(folder, `${name}.png`);
    if (element === undefined) await opened.page.screenshot({ path });
    else {
      const box = await opened.page.locator(element).first().boundingBox();
      if (box === null) throw new Error(`${name}: there is no ${element}`);
      await opened.page.screenshot({ path, fullPage: true, clip: { ...box, height: Math.min(box.height, MOST_HEIGHT) } });
    }
    if (opened.complaints.length > 0) throw new Error(`${name}: ${opened.complaints.join('; ')}`);
    await opened.close();
    const bytes = statSync(path).size;
    writeSync(1, `${path} ${bytes} bytes\n`);
    if (bytes > MOST_BYTES) process.exitCode = 1;
  }
} finally {
  await browser.close();
  rmSync(pages, { recursive: true, force: true });
}
