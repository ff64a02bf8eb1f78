/**
 * Pages for the tests, made by the command line as a person makes them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { PageHeader } from '../../viewer/page-data.ts';
import { run, temporaryDirectory, type RunOptions } from '../cli/run.ts';

/** Returns what makes `report` pages in a directory that goes with the test file. */
export function useReports(): { readonly directory: string; readonly report: (args: readonly string[], options?: RunOptions & { readonly status?: number }) => string } {
  const directory = temporaryDirectory();
  let n = 0;
  return {
    directory,
    report: (args, options = {}) => {
      const file = join(directory, `page-${n++}.html`);
      const { status, stdout, stderr } = run(['report', ...args, '-o', file], options);
      expect({ status, stdout, stderr: status === (options.status ?? 0) ? '' : stderr }).toEqual({ status: options.status ?? 0, stdout: '', stderr: '' });
      return file;
    },
  };
}

/** Returns the header that a page carries. */
export function headerOf(html: string): PageHeader {
  return JSON.parse(/<script type="application\/json" id="header">(.*?)<\/script>/s.exec(html)![1]) as PageHeader;
}

/** Writes a changed copy of a page beside it; returns its name. */
export function changed(file: string, name: string, change: (html: Buffer) => Buffer | string): string {
  const copy = file.replace(/\.html$/, `-${name}.html`);
  writeFileSync(copy, change(readFileSync(file)));
  return copy;
}
