/**
 * Sources that are damaged, foreign or hostile. What cannot be read is one line that names it and one that says what to do,
 * status 3, nothing on stdout; what can be read in part is used, and the rest is counted and quoted. A log is never harmed.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '../../cli/source.ts';
import { UnreadableError } from '../../events/problem.ts';
import { importRecording } from '../../log/import.ts';
import { openLedger } from '../../log/ledger-store.ts';
import { recording, run, runShell, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
const STEAL = recording('pdo-steal/steal');
const TRACE = readFileSync(STEAL);
const HEADER = Buffer.from(TRACE.toString().split(/(?<=\n)/).filter((line) => line.startsWith('#')).join(''));
const LOG = join(directory, 'good.ledger');
const EVENT = '{"v":1,"type":"iommu_domain_free","domain":"0x10"}\n';
/** Looks random, is the same every time; no line of it looks like trace text. */
const NOISE = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 13) & 0xff));
const LINE = 'a trace line never ends like this '.repeat(32_000).slice(0, 1 << 20);

beforeAll(() => {
  expect(run(['import', recording('pdo/vfio-type1'), '--log', LOG]).status).toBe(0);
});

/** Imports a bad source into a good log, as `import` does, and looks whether the log is what it was. */
async function importHarmsNothing(name: string): Promise<void> {
  const before = readFileSync(LOG);
  const log = openLedger(LOG, { write: true });
  await expect(openSource([join(directory, name)], { quiet: true }).then((source) => importRecording(log, source.read))).rejects.toThrow(UnreadableError);
  expect(await log.verify()).toMatchObject({ ok: true, firstBad: null });
  await log.close();
  expect(readFileSync(LOG).equals(before)).toBe(true);
}

/** Whether a report is one line about this source and one with a hint. */
function twoLines(stderr: string, name: string): void {
  expect(stderr).toMatch(/^iommu-ledger: [^\n]+\n {2}hint: [^\n]+\n$/);
  expect(stderr).toContain(`iommu-ledger: ${name}: `);
  expect(stderr).not.toMatch(/\bat .*\.(ts|js|mjs):\d+|Error:|undefined|\[object/);
}

describe('nothing can be read: status 3, one line and a hint', () => {
  const files: [name: string, content: string | Uint8Array, says: string][] = [
    ['empty', '', 'is empty'],
    ['program', readFileSync(process.execPath).subarray(0, 100_000), 'is an ELF file'],
    ['noise', NOISE, 'is binary data of no known format'],
    ['nul', Buffer.alloc(5000), 'is binary data of no known format'],
    ['one-byte', 'x', 'no known recording format; it begins "x"'],
    ['no-newline', LINE, 'no known recording format; it begins "a trace line'],
    ['comments', '# one\n# two\n', 'no known recording format; it begins "# one"'],
    ['invalid-utf8', Buffer.from([0xc3, 0x28, 0x80, 0x0a, 0xf0, 0x28, 0x8c]), 'no known recording format; it begins "Ã(\\x80"'],
    ['other-text', 'the quick brown fox\njumps over\n', 'no known recording format; it begins "the quick brown fox"'],
    ['cut-in-first-line', Buffer.concat([HEADER, Buffer.from('      vt-aarch64-842     [000] ...2.   125.2')]), 'no event could be read, 1 problem'],
    ['header-and-garbage', `${HEADER.toString()}nothing here\nnor here\n`, 'no event could be read, 2 problems; the first: header-and-garbage:13: not a trace line: "nothing here"'],
    ['packed-thrice', gzipSync(gzipSync(zstdCompressSync(TRACE))), 'is packed more than twice'],
    ['nothing.gz', gzipSync(''), 'is empty'],
    ['cut.gz', gzipSync(TRACE).subarray(0, 20), 'its gzip data is damaged or cut off'],
    ['cut.zst', zstdCompressSync(TRACE).subarray(0, 30), 'its zstd data is damaged or cut off'],
    ['trace.txt.xz', Buffer.from('\xfd7zXZ\0\0\0', 'latin1'), 'is xz data'],
    ['trace.dat', Buffer.from('\x17\x08\x44tracing6\0\0\x08\0\x10\0\0', 'latin1'), 'is a damaged or cut trace.dat'],
    ['perf.data', Buffer.from('PERFILE2\0\0\0\0'), 'perf.data'],
    ['utf16.txt', Buffer.from(`\ufeff${TRACE.toString().slice(0, 3000)}`, 'utf16le'), 'is UTF-16 text'],
    ['bom.ndjson', `\ufeff${EVENT}`, 'is text behind a byte-order mark'],
    ['array.json', `[\n${EVENT.trim()},\n${EVENT}]\n`, 'is a JSON array'],
    ['pretty.json', JSON.stringify(JSON.parse(EVENT), null, 2), 'no event could be read, 5 problems; the first: pretty.json:1: not JSON: "{"'],
    ['all-bad.ndjson', '{"v":1}\n{"v":1,"type":"iommu_map"}\n{\n', 'no event could be read, 3 problems; the first: all-bad.ndjson:1: "type" is missing: "{"v":1}"'],
    ['newer.ndjson', '{"v":2,"type":"iommu_domain_free","domain":"0x10"}\n', 'newer.ndjson:1: "v": 2 is newer than this program understands (1)'],
    ['deep.ndjson', '{"a":'.repeat(100_000), 'deep.ndjson:1: not JSON: "{"a":{"a":'],
    ['long.ndjson', `{"task":"${'x'.repeat(3 << 20)}"}\n`, 'long.ndjson:1: a line of more than 1048576 bytes: "{"task":"xxx'],
  ];

  test.each(files)('%s', async (name, content, says) => {
    writeFileSync(join(directory, name), content);
    const { status, stdout, stderr } = run(['audit', name], { cwd: directory });
    twoLines(stderr, name);
    expect(stderr).toContain(says);
    expect([status, stdout]).toEqual([3, '']);
    await importHarmsNothing(name);
  });

  test('import says so as well, and exits alike', () => {
    const before = readFileSync(LOG);
    for (const name of ['all-bad.ndjson', 'header-and-garbage', 'noise']) {
      const { status, stdout, stderr } = run(['import', name, '--log', LOG], { cwd: directory });
      twoLines(stderr, name);
      expect([status, stdout]).toEqual([3, '']);
    }
    expect(readFileSync(LOG).equals(before)).toBe(true);
  });

  test('the same from stdin is called stdin', () => {
    for (const stdin of ['', NOISE, '{"v":2}\n']) {
      const { status, stdout, stderr } = run(['audit', '-'], { stdin });
      twoLines(stderr, 'stdin');
      expect([status, stdout]).toEqual([3, '']);
    }
    const { status, stderr } = runShell('$LEDGER audit - < .', { cwd: directory });
    expect([status, stderr]).toEqual([3, 'iommu-ledger: stdin: is a directory\n  hint: name the recording inside it\n']);
  });

  test.each([
    ['missing.txt', 'no such file'],
    ['empty/x', 'no such file'],
    ['.', 'is a directory'],
    ['/dev/null', 'is empty'],
    ['/dev/zero', 'is binary data of no known format'],
    ['/proc/self/mem', 'cannot be read: EIO'],
    ['nats://127.0.0.1:4222/IOMMU', 'JetStream'],
  ])('%s', (path, says) => {
    if (path.startsWith('/') && !existsSync(path)) return;
    for (const command of path === 'missing.txt' ? ['audit', 'replay', 'events'] : ['audit']) {
      const { status, stdout, stderr } = run([command, path], { cwd: directory });
      twoLines(stderr, path);
      expect(stderr).toContain(says);
      expect([status, stdout]).toEqual([3, '']);
    }
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read', () => {
    writeFileSync(join(directory, 'secret'), TRACE);
    chmodSync(join(directory, 'secret'), 0);
    const { status, stderr } = run(['audit', 'secret'], { cwd: directory });
    expect([status, stderr]).toEqual([3, expect.stringMatching(/^iommu-ledger: secret: permission denied\n {2}hint: /)]);
  });
});

describe('what is called a log must be one, and is left as it is', () => {
  beforeAll(() => {
    writeFileSync(join(directory, 'text.ledger'), TRACE);
    writeFileSync(join(directory, 'noise.ledger'), NOISE);
    writeFileSync(join(directory, 'cut.ledger'), readFileSync(LOG).subarray(0, 5000));
    mkdirSync(join(directory, 'folder.ledger'));
    spawnSync('mkfifo', [join(directory, 'pipe.ledger')]);
    const db = new DatabaseSync(join(directory, 'other.ledger'));
    db.exec('CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES (1)');
    db.close();
  });

  test.each([
    ['missing.ledger', 'no such file'],
    ['text.ledger', 'is not a log (not an SQLite database)'],
    ['noise.ledger', 'is not a log (not an SQLite database)'],
    ['other.ledger', 'is an SQLite database of another program'],
    ['cut.ledger', 'is damaged or cut short'],
    ['folder.ledger', 'is a directory, not a log'],
    ['pipe.ledger', 'is not a regular file'],
  ])('%s', (name, says) => {
    const path = join(directory, name);
    const content = (): string | null => (/^(text|noise|other|cut)/.test(name) ? readFileSync(path, 'latin1') : null);
    const before = content();
    for (const args of [name === 'missing.ledger' ? ['audit', name] : ['import', STEAL, '--log', name], ['verify', name]]) {
      const { status, stdout, stderr } = run(args, { cwd: directory });
      twoLines(stderr, name);
      expect(stderr).toContain(says);
      expect([status, stdout]).toEqual([3, '']);
    }
    expect(existsSync(path)).toBe(name !== 'missing.ledger');
    expect(content()).toBe(before);
  });

  test('importing what cannot be opened makes no log', () => {
    for (const source of ['missing.txt', 'noise.ledger', '.']) expect(run(['import', source, '--log', 'new.ledger'], { cwd: directory }).status).toBe(3);
    expect(existsSync(join(directory, 'new.ledger'))).toBe(false);
  });

  test('an empty file becomes one by import, not by reading', () => {
    const name = 'blank.ledger';
    writeFileSync(join(directory, name), '');
    const { status, stderr } = run(['audit', name], { cwd: directory });
    twoLines(stderr, name);
    expect([status, readFileSync(join(directory, name)).length]).toEqual([3, 0]);
    expect(run(['import', STEAL, '--log', name], { cwd: directory }).stdout).toBe('93 events appended; the log ends at position 93\n');
  });
});

describe('what can be read in part is used', () => {
  const half = TRACE.subarray(0, 20_000);
  const cases: [name: string, content: string | Uint8Array, events: number, problems: number, says: RegExp][] = [
    ['cut-in-a-line', half, 31, 1, /problem truncated-line: 1 time\n {2}cut-in-a-line:116: the last line has no line end and is not used: " +vt-aarch64-842 +\[000\] \."\n {2}hint: the recording was cut off/],
    ['garbage-half-way', Buffer.concat([half, NOISE]), 31, 50, /problem unreadable-line: \d+ times\n {2}garbage-half-way:116: not a trace line: "[^\n]*"\n {2}garbage-half-way:117: .*\n {2}garbage-half-way:118: .*\n {2}… and \d+ more\n {2}hint: /],
    ['long-line-half-way', Buffer.concat([half, Buffer.from(`${LINE}\n`), TRACE.subarray(20_000)]), 92, 1, /long-line-half-way:116: a line of more than 65536 bytes: /],
    ['one-bad.ndjson', `${EVENT}{"v":1,"type":"iommu_map","domain":"0x10"}\n\n${EVENT}`, 2, 1, /one-bad\.ndjson:2: "iova" is missing: "/],
    ['cut.ndjson', EVENT + EVENT.slice(0, 20), 1, 1, /cut\.ndjson:2: not JSON: /],
    ['mixed-versions.ndjson', EVENT + EVENT.replace('"v":1', '"v":2') + EVENT.replace('"v":1,', ''), 2, 1, /mixed-versions\.ndjson:2: "v": 2 is newer than this program understands \(1\): /],
    ['long-line.ndjson', `${EVENT}{"task":"${'x'.repeat(3 << 20)}"}\n${EVENT}{}\n`, 2, 2, /long-line\.ndjson:2: a line of more than 1048576 bytes: "\{"task":"xx[^\n]*\n(.*\n)*.*long-line\.ndjson:4: "type" is missing/],
    ['long-name.ndjson', `${EVENT}{"v":1,"type":"iommu_domain_free","domain":"0x10","task":"${'x'.repeat(1_000_000)}"}\n`, 1, 1, /long-name\.ndjson:2: "task": a string of at most 4096 characters: /],
    ['nul.ndjson', Buffer.concat([Buffer.from(EVENT), Buffer.alloc(100), Buffer.from(`\n${EVENT}`)]), 2, 1, /nul\.ndjson:2: not JSON: "\\x00\\x00/],
  ];

  test.each(cases)('%s', (name, content, events, problems, says) => {
    writeFileSync(join(directory, name), content);
    const { status, stdout, stderr } = run(['audit', name, '--format', 'json', '--fail-on', 'never'], { cwd: directory });
    const read = (JSON.parse(stdout) as { recording: { events: number; problems: number } }).recording;
    expect(read.events).toBe(events);
    expect(read.problems).toBeGreaterThanOrEqual(problems);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/[\0-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(status).toBe(0);
    if (name === 'cut.ndjson' || name === 'garbage-half-way') expect(run(['events', name, '--strict', '--quiet'], { cwd: directory })).toMatchObject({ status: 3, stderr: '' });
  });

  test('a trace with no event of ours is a problem of its own, not a clean audit', () => {
    writeFileSync(join(directory, 'idle'), `${HEADER.toString()}              sh-1       [000] .....     1.000000: sched_switch: prev=1\n`);
    for (const [name, content] of [['header', HEADER], ['idle', readFileSync(join(directory, 'idle'))]] as const) {
      writeFileSync(join(directory, name), content);
      const { status, stderr } = run(['audit', name], { cwd: directory });
      expect(stderr).toContain(`problem no-events: 1 time\n  ${name}: it has no event of an IOMMU domain\n  hint: were the probes installed and tracing switched on?\n`);
      expect(status).toBe(0);
      expect(run(['audit', name, '--strict'], { cwd: directory }).status).toBe(3);
    }
  });

  test('Windows line ends and a pipe change nothing', () => {
    writeFileSync(join(directory, 'crlf'), TRACE.toString().replaceAll('\n', '\r\n'));
    spawnSync('mkfifo', [join(directory, 'pipe')]);
    const findings = (stdout: string): unknown => (JSON.parse(stdout) as { findings: unknown }).findings;
    const expected = findings(run(['audit', STEAL, '--format', 'json']).stdout);
    expect(findings(run(['audit', 'crlf', '--format', 'json'], { cwd: directory }).stdout)).toEqual(expected);
    expect(findings(runShell(`cat ${STEAL} > pipe & $LEDGER audit pipe --format json`, { cwd: directory }).stdout)).toEqual(expected);
  });
});

describe('hostile text', () => {
  const HOSTILE = 'a\u001b[2J\u001b]0;x\u0007\u009b31m\u202eb\u2066\u200f\ufeff\u007f\r\n\u0000\ud800"\\';
  const UNSAFE = /[\0-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
  const commands = [['audit'], ['audit', '--format', 'json'], ['events'], ['replay'], ['replay', '--trace'], ['replay', '--format', 'json', '--all']];

  test('in events: every string member comes out escaped, and as itself from JSON', () => {
    const common = { v: 1, task: HOSTILE, domain: '0x10', caller: HOSTILE, errno: 0 };
    const lines = [
      { v: 1, type: 'recording_started', kernel: HOSTILE, arch: HOSTILE, format: HOSTILE, source: HOSTILE, design: HOSTILE },
      { ...common, type: 'iommu_domain_alloc', domain_type: 1, device: HOSTILE },
      { ...common, type: 'iommu_group_set_domain', group: 1, device: HOSTILE },
      { ...common, type: 'iommu_get_msi_cookie', base: '0x8000000' },
      { ...common, type: 'iommu_get_msi_cookie', base: '0x8000000' },
      { v: 1, type: HOSTILE },
      { v: 1, type: 'iommu_map', [HOSTILE]: 1, domain: HOSTILE },
    ];
    const stdin = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    for (const command of commands) {
      const { stdout, stderr } = run([...command, '-'], { stdin });
      expect(stdout + stderr).not.toMatch(UNSAFE);
      expect(stderr).toContain('problem refused-event: 2 times');
    }
    const text = run(['audit', '-'], { stdin }).stdout;
    expect(text).toContain('a\\x1b[2J\\x1b]0;x\\x07\\x9b31m\\u{202e}b\\u{2066}\\u{200f}\\u{feff}\\x7f\\x0d\\x0a\\x00\\u{d800}"\\');
    const [finding] = (JSON.parse(run(['audit', '-', '--format', 'json'], { stdin }).stdout) as { findings: { task: string; caller: string }[] }).findings;
    expect([finding.task, finding.caller]).toEqual([HOSTILE, HOSTILE]);
    const printed = run(['events', '-', '--quiet'], { stdin }).stdout;
    expect(printed.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(lines.slice(0, 5));
    expect(run(['events', '-', '--quiet'], { stdin: printed }).stdout).toBe(printed);
  });

  test('in a trace: a task name of any bytes, in its columns and out of them', () => {
    for (const name of ['i\u001b[2J', 'i\u001b[2J\u202e a task name that fits no column', 'a-1 [0] 1.0: b']) {
      const file = join(directory, 'hostile.txt');
      writeFileSync(file, TRACE.toString().replaceAll(/^ *insmod(?=-)/gm, name.padStart(16)));
      const [audit, events] = ['audit', 'events'].map((command) => run([command, file]));
      for (const { stdout, stderr } of [audit, events]) expect(stdout + stderr).not.toMatch(UNSAFE);
      expect(audit.stdout).toContain('CRITICAL get-msi-cookie-on-iommufd (line 121, event 33)');
    }
  });

  test('in a file name', () => {
    const name = 'a\u001b[31m\u202e\n.txt';
    copyFileSync(STEAL, join(directory, name));
    for (const args of [['audit', name], ['audit', `${name}.missing`], ['events', name, '-o', 'x/y']]) {
      const { stdout, stderr } = run(args, { cwd: directory });
      expect(stdout + stderr).not.toMatch(UNSAFE);
    }
    expect(run(['audit', name], { cwd: directory }).stdout).toContain('source     a\\x1b[31m\\u{202e}\\x0a.txt');
  });
});

test('-o that is the source itself is refused, also behind a link; nothing is lost', () => {
  const copy = join(directory, 'mine.trace.txt');
  const link = join(directory, 'link.txt');
  copyFileSync(STEAL, copy);
  symlinkSync(copy, link);
  for (const args of [['audit', copy, '-o', copy], ['audit', copy, '-o', link], ['replay', link, '-o', copy], ['compare', copy, '--designs', 'all', '-o', copy], ['events', copy, '-o', copy], ['audit', LOG, '-o', LOG]]) {
    expect(run(args)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('is the source itself') as string });
  }
  expect(readFileSync(copy).equals(TRACE)).toBe(true);
});
