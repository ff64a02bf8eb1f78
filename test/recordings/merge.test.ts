/**
 * More than one recording of a machine: merged by time into one, with what happened between two of them unknown, and what two
 * of them hold taken once. The parts are cut from a real recording.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createInterned } from '../../events/batch.ts';
import { renderEvent } from '../../events/ndjson.ts';
import { mergeRecordings } from '../../recordings/merge.ts';
import { openRecording } from '../../recordings/open-recording.ts';
import { readAll, type Recording } from '../../recordings/recording.ts';
import { RECORDINGS, fileOf } from '../audit-file.ts';
import { run } from '../cli/run.ts';

const STEAL = join(RECORDINGS, 'pdo-steal/steal.trace.txt');
const LINES = readFileSync(STEAL, 'latin1').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const part = (from: number, to?: number): string => fileOf(`${LINES.slice(from, to).join('\n')}\n`);

async function merged(...paths: string[]): Promise<{ events: string[]; recording: Recording }> {
  const interned = createInterned();
  const opened: Recording[] = [];
  for (const path of paths) opened.push(await openRecording(path, { interned }));
  const recording = mergeRecordings(opened, interned);
  const events: string[] = [];
  await readAll(recording, (b) => {
    for (let i = 0; i < b.length; i++) events.push(renderEvent(b, i));
  });
  recording.close();
  return { events, recording };
}

/** Events without what differs between a file and a part of it. */
const plain = (events: readonly string[]): string[] => events.map((line) => line.replace(/"line":\d+,?/, '').replace(/"source":"[^"]*"/, ''));
const whole = plain((await merged(STEAL)).events);
const types = (events: readonly string[]): string[] => events.map((line) => (JSON.parse(line) as { type: string }).type);

describe('merging', () => {
  test('two tasks’ lines in two files, named in either order, are what they were in one', async () => {
    const of = (keep: boolean): string => fileOf(`${LINES.filter((line) => line.includes('insmod-') === keep).join('\n')}\n`);
    const [insmod, others] = [of(true), of(false)];
    for (const paths of [[insmod, others], [others, insmod]]) {
      const { events, recording } = await merged(...paths);
      expect(plain(events).slice(1)).toEqual(whole.slice(1));
      expect(recording.summary).toMatchObject({ events: whole.length, from: '125.234851', problems: { count: 0 } });
    }
  });

  test('what two recordings hold is taken once', async () => {
    const { events, recording } = await merged(part(0, 250), part(154)); // cut between two calls
    expect(plain(events).slice(1)).toEqual(whole.slice(1));
    expect(recording.summary.ignored).toBeGreaterThan(90);
    expect(types(events).filter((type) => type === 'recording_started')).toHaveLength(1);
  });

  test.each(['own72n/iommufd', 'pdo/iommufd', 'pdo-steal/steal', 'deb72/errors', 'x86own72/iommufd'])('%s: the text, the trace.dat and its report of one run are that run', async (name) => {
    const text = join(RECORDINGS, `${name}.trace.txt`);
    const others = [join(RECORDINGS, `${name}.trace.dat`), join(RECORDINGS, `${name}.report.txt`)];
    const alone = types((await merged(text)).events);
    for (const paths of [[text, others[0]], [others[0], text], [others[1], others[0]], [text, ...others]]) expect(types((await merged(...paths)).events)).toEqual(alone);
  });

  test('a later recording begins anew: owners are unknown until they are observed', async () => {
    const [first, second] = [part(0, 130), part(200)];
    const { events } = await merged(second, first);
    expect(types(events).filter((type) => type === 'recording_started')).toHaveLength(2);
    const times = events.flatMap((line) => (JSON.parse(line) as { time?: string }).time ?? []);
    expect(times).toEqual(times.toSorted((a, b) => Number(a) - Number(b)));
    // The theft is in the first part; nothing in the second one is held against anybody because of it.
    const audit = JSON.parse(run(['audit', first, second, '--format', 'json', '--quiet']).stdout) as { findings: { rule: string; recording: string; line: number }[] };
    expect(audit.findings[0]).toMatchObject({ rule: 'get-msi-cookie-on-iommufd', recording: first });
    expect(LINES[audit.findings[0].line - 1]).toContain('get_msi_cookie_ret');
  });

  test('a text and a trace.dat of the same machine', async () => {
    const { events, recording } = await merged(join(RECORDINGS, 'deb72-boot/boot-dma.trace.dat'), join(RECORDINGS, 'deb72/errors.trace.txt'));
    expect(recording.summary.format).toBe('trace.dat + ftrace-text');
    expect(types(events).filter((type) => type === 'recording_started')).toHaveLength(2);
  });

  test('of different kernels: a problem', async () => {
    const { recording } = await merged(join(RECORDINGS, 'own72n/iommufd.trace.dat'), join(RECORDINGS, 'own612n/iommufd.trace.dat'));
    expect(recording.summary.problems.first).toMatchObject([{ code: 'other-kernel' }]);
  });
});

describe('on the command line', () => {
  test.each([
    [['audit', '-', '-'], '-: stdin can be named once'],
    [['audit', 'x.ledger', STEAL], 'x.ledger: only recordings are merged; a log takes several by `import`'],
    [['audit', '--follow', 'x.ledger'], '--follow x.ledger: only a recording is followed'],
  ])('%j', (words, message) => {
    expect(run(words)).toMatchObject({ status: 2, stderr: `iommu-ledger: ${message}; see --help\n` });
  });
});
