/** Where results go: `-o FILE` appears only when it is complete, a closed pipe ends the program quietly, nothing is coloured or chatty unasked. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { PROGRAM, recording, run, runShell, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
const STEAL = recording('pdo-steal/steal');
const LOSSY = recording('own72v/variant-overrun');
const LARGE = join(directory, 'large.txt');

beforeAll(() => {
  expect(run(['generate', '--events', '8000', '--quiet', '-o', LARGE]).status).toBe(0);
});

/** Returns a new empty directory. */
function room(name: string): string {
  const path = join(directory, name);
  mkdirSync(path);
  return path;
}

describe('-o FILE', () => {
  test.each([['audit', STEAL], ['replay', STEAL], ['events', STEAL], ['chart'], ['layout'], ['generate', '--events', '20']])('%s: the file holds what stdout would', (...args) => {
    const file = join(room(args[0]), 'result');
    const printed = run(args);
    const written = run([...args, '-o', file]);
    expect(written.stdout).toBe('');
    expect(written.status).toBe(printed.status);
    expect(readFileSync(file, 'utf8')).toBe(printed.stdout);
    expect(readdirSync(join(directory, args[0]))).toEqual(['result']);
  });

  test('the file has no name until it is complete', async () => {
    const folder = room('growing');
    const file = join(folder, 'events.ndjson');
    const child = spawn(process.execPath, [PROGRAM, 'events', '-', '-o', file, '--quiet'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const text = readFileSync(LARGE);
    const exit = once(child, 'exit');
    child.stdin.write(text.subarray(0, text.length - 1000));
    for (let waited = 0; readdirSync(folder).length === 0 && waited < 20_000; waited += 20) await sleep(20);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^events\.ndjson\.\d+\.tmp$/)]);
    child.stdin.end(text.subarray(text.length - 1000));
    expect(await exit).toEqual([0, null]);
    expect(readdirSync(folder)).toEqual(['events.ndjson']);
    expect(readFileSync(file, 'utf8')).toMatch(/\}\n$/);
  });

  test('a failure leaves what was there, and nothing beside it', () => {
    const folder = room('failing');
    const file = join(folder, 'result');
    writeFileSync(file, 'before');
    expect(run(['replay', STEAL, '--at', '9999', '-o', file]).status).toBe(2);
    expect(run(['events', join(directory, 'nothing'), '-o', file]).status).toBe(3);
    expect(run(['import', STEAL, '--log', join(folder, 'no', 'such.ledger'), '-o', file]).status).toBe(3);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['result']);
  });

  test.each([
    ['no/such/result', 'no such directory'],
    ['file/result', 'not a directory'],
    ['.', 'is a directory'],
    ['', '-o: name a file'],
  ])('%j cannot be written: one line, exit 2', (path, reason) => {
    const folder = room(`unwritable-${reason}`.replaceAll(/\W/g, '-'));
    writeFileSync(join(folder, 'file'), '');
    const { status, stdout, stderr } = run([...(reason.startsWith('no') ? ['import', STEAL, '--log', 'new.ledger'] : ['audit', STEAL, '--quiet']), '-o', path], { cwd: folder });
    expect(stderr).toMatch(/^iommu-ledger: [^\n]*; see --help\n$/);
    expect(stderr).toContain(reason);
    expect([status, stdout]).toEqual([2, '']);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('a symbolic link stays one, a pipe stays one', () => {
    const folder = room('special');
    writeFileSync(join(folder, 'target'), 'before');
    symlinkSync('target', join(folder, 'link'));
    expect(run(['chart', '-o', join(folder, 'link')]).status).toBe(0);
    expect(readlinkSync(join(folder, 'link'))).toBe('target');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toMatch(/^stateDiagram-v2\n/);
    spawnSync('mkfifo', [join(folder, 'pipe')]);
    const { status, stdout } = runShell('cat pipe & $LEDGER chart -o pipe; status=$?; wait; exit $status', { cwd: folder });
    expect([status, stdout]).toEqual([0, run(['chart']).stdout]);
    expect(lstatSync(join(folder, 'pipe')).isFIFO()).toBe(true);
  });

  test('a full disk is one line, exit 2', () => {
    if (!existsSync('/dev/full')) return;
    for (const command of [`events ${STEAL}`, `audit ${STEAL} --quiet`, '--help']) {
      const { status, stderr } = runShell(`$LEDGER ${command} > /dev/full`);
      expect([status, stderr]).toEqual([2, 'iommu-ledger: cannot write the result: no space left\n']);
    }
    const { status, stderr } = run(['events', STEAL, '-o', '/dev/full']);
    expect([status, stderr]).toEqual([2, 'iommu-ledger: cannot write /dev/full: no space left\n']);
  });
});

describe('a closed pipe ends the program quietly', () => {
  test.each([
    ['events', `events ${LARGE}`, 'head -1'],
    ['replay --trace', `replay ${LARGE} --trace --quiet`, 'head -1'],
    ['generate', 'generate --events 8000 --quiet', 'head -1'],
    ['--help', '--help', '(exec <&-; sleep 0.4)'],
    ['no arguments', '', '(exec <&-; sleep 0.4)'],
  ])('%s', (_, command, reader) => {
    const { stderr, stdout } = runShell(`$LEDGER ${command} | ${reader} > /dev/null; echo "\${PIPESTATUS[0]}"`);
    expect([stderr, stdout]).toEqual(['', '0\n']);
  });

  test('a closed stderr changes nothing', () => {
    expect(runShell(`$LEDGER audit ${STEAL} 2>&-`)).toEqual({ status: 1, stderr: '', stdout: run(['audit', STEAL]).stdout });
  });
});

test('a bug of ours shows its stack, asks for a report and exits 70', () => {
  const plant = 'data:text/javascript,JSON.stringify=()=>{throw new Error("planted\\u001b[2J")}';
  const { status, stdout, stderr } = runShell(`$NODE --import '${plant}' $PROGRAM layout --format json`);
  expect([status, stdout]).toEqual([70, '']);
  expect(stderr).toMatch(/^Error: planted\\x1b\[2J\n( {4}at .*\n)+this is a bug of iommu-ledger; please report it with the lines above and, if you can, the recording\n$/);
});

describe('what people see', () => {
  const damaged = join(directory, 'damaged.txt');
  beforeAll(() => writeFileSync(damaged, `${readFileSync(LOSSY, 'utf8')}no trace line\ncut`));

  test.each([['audit'], ['replay'], ['events'], ['import', '--log', join(directory, 'quiet.ledger')]])('%s --quiet: nothing on stderr', (command, ...rest) => {
    const { status, stderr } = run([command, damaged, ...rest, '--quiet']);
    expect([status, stderr]).toEqual([0, '']);
  });

  test('without it: problems by kind with their first lines and a hint, then what was lost', () => {
    expect(run(['events', damaged]).stderr).toMatch(new RegExp([
      '^problem unreadable-line: 1 time',
      '  .*damaged\\.txt:\\d+: not a trace line: "no trace line"',
      '  hint: .*',
      'problem truncated-line: 1 time',
      '  .*damaged\\.txt:\\d+: the last line has no line end and is not used: "cut"',
      '  hint: .*',
      'lost events: \\d+',
      '  hint: .*\n$',
    ].join('\n')));
  });

  test.each([[['--no-color'], {}], [[], { NO_COLOR: '1' }], [[], { FORCE_COLOR: '3', CLICOLOR_FORCE: '1' }]])('%j %j: no escape sequence', (args, env) => {
    for (const command of [['audit', STEAL], ['--help']]) {
      const { stdout, stderr } = run(command[0] === '--help' ? command : [...command, ...args], { env });
      expect(stdout + stderr).not.toContain('\u001b');
    }
  });
});
