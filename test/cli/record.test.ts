/**
 * `record`: what it refuses and how, and the life of an instance with its probes.
 * Three grounds: directories that lack what tracefs has; a directory that stands in for tracefs, which shows what is written in
 * which order, and nothing of what a kernel would say to it; and, where this machine has a tracefs that may be written and has
 * uprobe events, the real thing, with a uprobe on the shell's first instruction. Kernel functions are probed on none of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseDefinitions, renderDefinition } from '../../recordings/probe-definitions.ts';
import { deviceLines, reservedRegionLines } from '../../recordings/record-save.ts';
import { Tracefs } from '../../recordings/tracefs.ts';
import { TracingInstance, clearLeftovers } from '../../recordings/tracing-instance.ts';
import { PROGRAM, run, temporaryDirectory } from './run.ts';

const directory = temporaryDirectory();
const PROBES = join(directory, 'probes.txt');
writeFileSync(PROBES, '# one\nf:iodom/domain_free iommu_domain_free dom=domain:x64\n');

/** Returns a directory with these files, each with its text; a name that ends in / is a directory. */
function place(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(directory, name);
  mkdirSync(root);
  for (const [file, text] of Object.entries(files)) {
    if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
    else writeFileSync(join(root, file), text);
  }
  return root;
}

describe('usage: status 2, nothing made', () => {
  const bad = join(directory, 'bad.txt');
  const full = place('full', { file: 'x' });
  writeFileSync(bad, 'p:a/b c\n-:a/b\n');
  const out = join(directory, 'never');
  test.each<[string, readonly string[], string]>([
    ['no -o', ['--probes', PROBES, '--', 'true'], '-o DIR is missing'],
    ['no command', ['-o', out, '--probes', PROBES], "missing required argument 'command'"],
    ['not empty', ['-o', full, '--probes', PROBES, '--', 'true'], 'is not empty'],
    ['a file', ['-o', PROBES, '--probes', PROBES, '--', 'true'], 'is not a directory'],
    ['no number', ['-o', out, '--buffer-size-kb', '-1', '--probes', PROBES, '--', 'true'], '--buffer-size-kb -1: not a whole number'],
    ['no such file', ['-o', out, '--probes', join(directory, 'no'), '--', 'true'], 'no such file'],
    ['a kind that is none', ['-o', out, '--probe-type', 'x', '--', 'true'], '--probe-type x: not one of f, p'],
    ['a kind and a file', ['-o', out, '--probe-type', 'f', '--probes', PROBES, '--', 'true'], 'the file says it'],
    ['a line that removes probes', ['-o', out, '--probes', bad, '--', 'true'], 'bad.txt:2: does not define a probe'],
  ])('%s', (_, args, says) => {
    const { status, stdout, stderr } = run(['record', ...args]);
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/^iommu-ledger: [^\n]+; see --help\n$/);
    expect([status, stdout, existsSync(out)]).toEqual([2, '', false]);
  });
});

describe('no tracefs to record with: status 3, what is missing and what to do; the command does not run', () => {
  test.each<[string, Readonly<Record<string, string>>, string, string]>([
    ['not mounted', {}, 'nothing is mounted there', 'mount -t tracefs tracefs'],
    ['something else', { 'a.txt': '' }, 'not a tracefs', 'mount -t tracefs tracefs'],
    ['no dynamic events', { trace: '', README: '' }, 'no dynamic_events', 'CONFIG_DYNAMIC_EVENTS'],
    ['no instances', { trace: '', dynamic_events: '' }, 'no tracing instances', "machine's own trace"],
    ['no probes of the kernel', { trace: '', dynamic_events: '', 'instances/': '', README: 'p[:[<group>/][<event>]] <place>' }, 'neither fprobe nor kprobe events', 'CONFIG_FPROBE_EVENTS=y'],
    ['kprobes only', { trace: '', dynamic_events: '', 'instances/': '', kprobe_events: '' }, 'no fprobe events', 'CONFIG_FPROBE_EVENTS=y'],
  ])('%s', (name, files, says, hint) => {
    const root = place(name.replaceAll(' ', '-'), files);
    const out = join(directory, 'never');
    const { status, stdout, stderr } = run(['record', '-o', out, '--tracefs', root, '--probes', PROBES, '--', 'echo', 'it ran']);
    expect(stderr).toMatch(/^iommu-ledger: [^\n]+\n {2}hint: [^\n]+\n$/);
    expect(stderr).toContain(says);
    expect(stderr).toContain(hint);
    expect([status, stdout, existsSync(out)]).toEqual([3, '', false]);
  });
});

test('definitions keep all but their group; what has no name gets one', () => {
  const { definitions, bad } = parseDefinitions('r64:o/get iommu_map ret=$retval:s32\nf iommu_unmap%return dom=domain\n\n!x\np:n vfio:f+4\n');
  expect(definitions.map((definition) => renderDefinition(definition, 'g'))).toEqual(['r64:g/get iommu_map ret=$retval:s32', 'f:g/f_iommu_unmap_return iommu_unmap%return dom=domain', 'p:g/n vfio:f+4']);
  expect(bad).toEqual([4]);
});

test('devices and reserved regions, from a directory laid out like /sys', () => {
  const sys = place('sys', { 'bus/pci/devices/0000:00:03.0/': '', 'kernel/iommu_groups/10/devices/arm-smmu/': '', 'kernel/iommu_groups/2/': '' });
  writeFileSync(join(sys, 'bus/pci/devices/0000:00:03.0/vendor'), '0x8086\n');
  writeFileSync(join(sys, 'bus/pci/devices/0000:00:03.0/device'), '0x10d3\n');
  for (const group of ['2', '10']) writeFileSync(join(sys, `kernel/iommu_groups/${group}/reserved_regions`), `0x${group} 0xfff msi\n`);
  expect(deviceLines(sys)).toEqual(['0000:00:03.0 0x8086 0x10d3 group= type= driver=', 'arm-smmu - - group= type= driver=']);
  expect(reservedRegionLines(sys)).toEqual(['group=2 0x2 0xfff msi', 'group=10 0x10 0xfff msi']);
});

/** A directory that stands in for tracefs: writes are noted, instances appear with their files and go with them. A kernel's own refusals are only imitated. */
class StandIn extends Tracefs {
  readonly steps: string[] = [];
  refuse: (name: string, text: string) => string | undefined = () => undefined;

  override write(name: string, text: string): void {
    this.steps.push(`${text.trim()} > ${name}`);
    const code = this.refuse(name, text);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    const event = /^-:(\S+)/.exec(text)?.[1];
    if (name !== 'dynamic_events') return;
    const lines = this.read(name).split('\n').filter((line) => line !== '' && !line.includes(`:${event} `));
    writeFileSync(this.path(name), [...lines, ...(event === undefined ? [text.trim()] : [])].map((line) => `${line}\n`).join(''));
  }

  override makeInstance(name: string): void {
    this.steps.push(`mkdir ${name}`);
    cpSync(this.path('template'), this.path('instances', name), { recursive: true });
  }

  override removeInstance(name: string): void {
    this.steps.push(`rmdir ${name}`);
    const code = this.refuse('rmdir', name);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    rmSync(this.path('instances', name), { recursive: true });
  }
}

describe('the order of things, on a directory that stands in for tracefs', () => {
  const standIn = (name: string): StandIn => new StandIn(place(name, { dynamic_events: 'p:theirs/x iommu_map \n', error_log: '', 'instances/': '', 'template/': '', 'template/trace_marker': '', 'template/trace_clock': '[local] mono\n' }));
  const { definitions } = parseDefinitions('f:a/one f1 x=y\nf:a/two f2 x=y\n');

  test('the instance comes first and goes last; nobody else’s probe is touched; a second removal does nothing', () => {
    const tracefs = standIn('order');
    const instance = new TracingInstance(tracefs, 77);
    expect(instance.create(64)).toBe(64);
    for (const definition of definitions) instance.install(definition);
    expect(instance.remove()).toEqual([]);
    const { steps } = tracefs;
    expect([steps[0], steps.at(-1)]).toEqual(['mkdir iommu-ledger-77', 'rmdir iommu-ledger-77']);
    expect(steps.indexOf('0 > instances/iommu-ledger-77/tracing_on')).toBeLessThan(steps.indexOf('f:iodom_77/one f1 x=y > dynamic_events'));
    for (const event of ['one', 'two']) expect(steps.lastIndexOf(`0 > instances/iommu-ledger-77/events/iodom_77/${event}/enable`)).toBeLessThan(steps.indexOf(`-:iodom_77/${event} > dynamic_events`));
    expect(tracefs.read('dynamic_events')).toBe('p:theirs/x iommu_map \n');
    steps.length = 0;
    expect(instance.remove()).toEqual([]);
    expect(steps).toEqual([]);
  });

  test('a probe that cannot be enabled is removed at once; one that is refused is not the end', () => {
    const tracefs = standIn('refusals');
    const instance = new TracingInstance(tracefs, 77);
    instance.create(64);
    tracefs.refuse = (name, text) => (text.startsWith('f:iodom_77/one') ? 'ENOENT' : name.endsWith('two/enable') ? 'EINVAL' : undefined);
    for (const definition of definitions) instance.install(definition);
    expect(instance.refused.map(({ definition, reason }) => [definition.event, reason])).toEqual([['one', 'ENOENT'], ['two', 'cannot be enabled: EINVAL']]);
    expect(instance.shown()).toEqual([]);
    instance.remove();
  });

  test('what does not go is told with the command, and the rest goes', () => {
    const tracefs = standIn('stuck');
    const instance = new TracingInstance(tracefs, 77);
    instance.create(64);
    for (const definition of definitions) instance.install(definition);
    tracefs.refuse = (_, text) => (text.startsWith('-:iodom_77/one') ? 'EBUSY' : undefined);
    expect(instance.remove()).toEqual([{ what: 'probe iodom_77/one', command: `echo '-:iodom_77/one' >> ${tracefs.path('dynamic_events')}` }]);
    expect(instance.shown()).toEqual(['f:iodom_77/one f1 x=y']);
    expect(tracefs.list('instances')).toEqual([]);
  });

  test('memory that lacks for the buffer halves it', () => {
    const tracefs = standIn('memory');
    tracefs.refuse = (name, text) => (name.endsWith('buffer_size_kb') && Number(text) > 300 ? 'ENOMEM' : undefined);
    const instance = new TracingInstance(tracefs, 77);
    expect(instance.create(1024)).toBe(256);
    instance.remove();
  });

  test('leftovers go only where their process is gone and nobody holds the instance', () => {
    const tracefs = standIn('leftovers');
    // No process has these numbers: they are above the largest that Linux gives.
    for (const name of ['iommu-ledger-4194305', 'iommu-ledger-4194306', 'iommu-ledger-1', 'other-4194305']) mkdirSync(tracefs.path('instances', name));
    writeFileSync(tracefs.path('dynamic_events'), 'f:iodom_4194305/a f \nf:iodom_4194306/a f \nf:iodom_4194307/a f \nf:iodom_1/a f \nf:iodom/a f \n');
    tracefs.refuse = (name, text) => (name === 'rmdir' && text.endsWith('06') ? 'EBUSY' : undefined);
    const { gone, left } = clearLeftovers(tracefs, process.pid);
    expect(gone).toEqual(['instance iommu-ledger-4194305', '1 probes of group iodom_4194305', '1 probes of group iodom_4194307']);
    expect(left.map(({ what }) => what)).toEqual(['tracing instance iommu-ledger-1', 'probe iodom_1/a', 'tracing instance iommu-ledger-4194306']);
    expect(tracefs.read('dynamic_events')).toBe('f:iodom_4194306/a f \nf:iodom_1/a f \nf:iodom/a f \n');
  });
});

/** Returns where a tracefs is mounted that may be written and takes uprobes, or why there is none. */
function realTracefs(): { root: string } | { reason: string } {
  const root = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' ')).find(([, , type, options]) => type === 'tracefs' && options.split(',').includes('rw'))?.[1];
  if (root === undefined) return { reason: 'no tracefs is mounted' };
  try {
    accessSync(join(root, 'uprobe_events'), constants.W_OK);
    accessSync(join(root, 'dynamic_events'), constants.W_OK);
    return { root };
  } catch {
    return { reason: 'tracefs may not be written, or has no uprobe events' };
  }
}

/** Returns the offset of a program's first instruction in its file: ELF64, little endian. */
function entryOffset(file: string): number {
  const bytes = readFileSync(file);
  const entry = Number(bytes.readBigUInt64LE(24));
  const table = Number(bytes.readBigUInt64LE(32));
  for (let i = 0; i < bytes.readUInt16LE(56); i++) {
    const at = table + i * bytes.readUInt16LE(54);
    const [offset, address, size] = [8, 16, 32].map((field) => Number(bytes.readBigUInt64LE(at + field)));
    if (bytes.readUInt32LE(at) === 1 && entry >= address && entry < address + size) return entry - address + offset;
  }
  throw new Error(`${file} has no entry`);
}

const real = process.platform === 'linux' ? realTracefs() : { reason: 'not Linux' };

describe.skipIf('reason' in real)(`on the tracefs of this machine${'reason' in real ? ` (skipped: ${real.reason})` : ''}`, () => {
  const root = 'root' in real ? real.root : '';
  const probes = join(directory, 'uprobes.txt');
  const shell = realpathSync('/bin/sh');
  writeFileSync(probes, `p:iodom/start ${shell}:0x${'root' in real ? entryOffset(shell).toString(16) : '0'}\np:x/absent /nonexistent:0x10\n`);
  const args = (name: string, ...more: readonly string[]): string[] => ['record', '-o', join(directory, name), '--tracefs', root, '--buffer-size-kb', '64', '--probes', probes, ...more];
  const ours = (pid: number): string[] => [
    ...readdirSync(join(root, 'instances')).filter((name) => name === `iommu-ledger-${pid}`),
    ...readFileSync(join(root, 'dynamic_events'), 'utf8').split('\n').filter((line) => line.includes(`iodom_${pid}/`)),
  ];
  /** Starts a recording of a shell line that prints `ready`; returns once it has. */
  const start = async (name: string, line: string) => {
    const child = spawn(process.execPath, [PROGRAM, ...args(name, '--', 'sh', '-c', line)], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += data));
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    return { child, exit, pid: child.pid!, stderr: () => stderr };
  };

  test('records, saves, says what was refused, passes the status on, leaves nothing', () => {
    const { status, stdout, stderr } = run(args('whole', '--', 'sh', '-c', 'sh -c "echo inner"; exit 5'));
    expect([status, stdout]).toEqual([5, 'inner\n']);
    const saved = (name: string): string => readFileSync(join(directory, 'whole', name), 'utf8');
    expect(readdirSync(join(directory, 'whole')).sort()).toEqual(['clock', 'cmdline', 'devices.txt', 'kernel-release', 'probes.failed.txt', 'probes.installed.txt', 'reserved_regions.txt', 'stats.txt', 'trace.txt', 'version']);
    expect(saved('trace.txt').match(/ start: \(/g)!.length).toBeGreaterThanOrEqual(2);
    expect(saved('trace.txt')).toContain('iommu-ledger: record: status 5');
    const pid = Number(/iodom_(\d+)\/start/.exec(saved('probes.installed.txt'))![1]);
    expect(saved('probes.failed.txt')).toMatch(new RegExp(`^# .+ \\(ENOENT\\)\np:iodom_${pid}/absent /nonexistent:0x10\n$`));
    expect(saved('version')).toMatch(/^Linux version /);
    expect(stderr).toContain('1 probes do not fit this kernel (absent)');
    expect(ours(pid)).toEqual([]);
  });

  test.each<[NodeJS.Signals, number]>([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])('%s in the middle: saved, and nothing left', async (signal, expected) => {
    const { child, exit, pid } = await start(signal, 'echo ready; exec sleep 60');
    expect(ours(pid)).toHaveLength(2);
    child.kill(signal);
    expect(await exit).toEqual([expected, null]);
    expect(ours(pid)).toEqual([]);
    expect(readFileSync(join(directory, signal, 'trace.txt'), 'utf8')).toContain(`killed by ${signal}`);
  });

  test('a command that ignores signals is left alone after the second, and no probe with it', async () => {
    const { child, exit, pid, stderr } = await start('deaf', "trap '' INT; echo ready; sleep 12");
    child.kill('SIGINT');
    await sleep(500);
    child.kill('SIGINT');
    expect(await exit).toEqual([130, null]);
    expect(stderr()).toContain('still runs');
    expect(ours(pid)).toEqual([]);
  });

  test('what kill -9 leaves is removed at the next start, and not while somebody holds it', async () => {
    const { child, exit, pid } = await start('killed', 'echo ready; exec sleep 60');
    const holder = spawn('sh', ['-c', `exec 3< '${join(root, 'instances', `iommu-ledger-${pid}`, 'trace_pipe')}'; echo open; exec sleep 60`], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(holder.stdout, 'data');
    child.kill('SIGKILL');
    await exit;
    expect(ours(pid)).toHaveLength(2);
    expect(run(args('held', '--', 'true')).stderr).toContain(`rmdir ${join(root, 'instances', `iommu-ledger-${pid}`)}`);
    expect(ours(pid)).toHaveLength(2);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(run(args('next', '--', 'true')).stderr).toContain(`removed what an earlier, killed recording left: instance iommu-ledger-${pid}, 1 probes`);
    expect(ours(pid)).toEqual([]);
    process.kill(-pid, 'SIGKILL');
  });

  test('lost events are counted and said', () => {
    const { stderr } = run(args('lossy', '--buffer-size-kb', '1', '--', 'sh', '-c', 'for i in $(seq 2500); do sh -c :; done'));
    expect(stderr).toMatch(/\d+ events were lost, the ring buffer was too small/);
    expect(readFileSync(join(directory, 'lossy', 'stats.txt'), 'utf8')).toMatch(/overrun: [1-9]/);
  });

  test.each([['not found', 'no-such-command', 127], ['not executable', '/', 126]])('a command that is %s: its status, no directory', (says, command, expected) => {
    const { status, stderr } = run(args('nothing', '--', command));
    expect(status).toBe(expected);
    expect(stderr).toContain(`${says}; nothing was recorded`);
    expect(existsSync(join(directory, 'nothing'))).toBe(false);
  });
});
