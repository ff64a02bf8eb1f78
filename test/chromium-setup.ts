/**
 * The page is tested in a real browser: Debian's chromium, or the one that the environment variable CHROMIUM names. Where there
 * is none, it is installed before the first test; where that cannot be, what to install is said, and no test runs.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, writeSync } from 'node:fs';

const CHROMIUM = '/usr/bin/chromium';
/** A font, so that text has a size. */
const PACKAGES = ['chromium', 'fonts-dejavu-core'];

/** Called by vitest before its workers start. */
export function setup(): void {
  // Whatever playwright thinks of it: no browser is downloaded.
  process.env['PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD'] = '1';
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') {
    if (!isExecutable(named)) throw new Error(`CHROMIUM=${named} cannot be run: name a Chromium or Chrome, or leave the variable out`);
    return;
  }
  if (!isExecutable(CHROMIUM)) install();
  process.env['CHROMIUM'] = CHROMIUM;
}

function install(): void {
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`;
  const advice = `the page is tested in Chromium, which is not at ${CHROMIUM}: install it (${command}), or name one by the environment variable CHROMIUM`;
  if (process.getuid?.() !== 0 || !isExecutable('/usr/bin/apt-get')) throw new Error(advice);
  writeSync(2, `${CHROMIUM} is missing: ${command}\n`);
  const from = performance.now();
  for (const words of [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES]]) {
    const { status, stderr, error } = spawnSync('apt-get', words, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
    // An update fails where one of many sources does; what counts is the installation.
    if (words[0] === 'install' && status !== 0) throw new Error(`${advice}\n${error?.message ?? stderr.trim().split('\n').slice(-5).join('\n')}`);
  }
  if (!isExecutable(CHROMIUM)) throw new Error(advice);
  writeSync(2, `installed in ${Math.round((performance.now() - from) / 1000)} s\n`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
