/**
 * Real Chromium for the tests of the page: one browser a test file, a new page for each test.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { launch, openPage, type OpenOptions, type OpenPage } from './open-page.ts';

/** Returns what opens pages in this test file's browser, which is started before its tests and ended after them. */
export function useChromium(): (target: string, options?: OpenOptions) => Promise<OpenPage> {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());
  return (target, options) => openPage(browser, target, options);
}

/** Fails unless the page is as quiet as a page of ours is: nothing said, nothing asked for but `requests`. */
export function expectQuiet({ complaints, requests }: OpenPage, wanted: readonly string[]): void {
  expect({ complaints, requests }).toEqual({ complaints: [], requests: wanted });
}
