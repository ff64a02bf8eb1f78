/**
 * Some hundred mutations of every reader's seed, and what fuzzing has found: each a file made as the mutation made it.
 * All of them: `npm run fuzz`.
 */
import { describe, expect, test } from 'vitest';
import { auditText, fileOf, recordingBytes } from '../audit-file.ts';
import { runOne } from './run-one.ts';
import { runTarget } from './run-target.ts';
import { TARGETS } from './seeds.ts';
import { takeApart, version7 } from './trace-dat-parts.ts';

/** Four seeds are ftrace text, three are trace.dat: some hundred a reader. */
const COUNT = 100;
/** Large ones are for `npm run fuzz`. */
const QUICK = Object.entries(TARGETS).filter(([, { share }]) => share === undefined);

describe.concurrent('mutated files', () => {
  test.each(QUICK)('%s: a problem or UnreadableError, in time and memory', async (reader) => {
    // By chance alone: numbers behind every systematic mutation.
    const result = await runTarget(reader, 1 << 20, (1 << 20) + COUNT, 1);
    expect(result.failures).toEqual([]);
    expect(result.mutations).toBe(COUNT);
  });
});

describe('what was found', () => {
  const parts = takeApart(recordingBytes('own72v/variant-record-v7.trace.dat'));

  test('every seed is read without a mutation', async () => {
    for (const { seed, kind } of Object.values(TARGETS)) {
      const { whole } = await seed();
      expect(['clean', 'problems']).toContain(await runOne(fileOf(whole.bytes), kind));
    }
  });

  test.each([0xffffffff, 0xfffffffe, 0x80000000, 0x80000004])('a record of 0x%x bytes is a damaged page, not one without end', async (length) => {
    const pages = Buffer.from(parts.pages[0]);
    pages.writeUInt32LE(0, 16); // its length stands in the next word
    pages.writeUInt32LE(length, 20);
    const { summary } = await auditText(version7({ ...parts, pages: [pages] }, false));
    expect(summary.problems.byCode().has('damaged-page')).toBe(true);
  });
});
