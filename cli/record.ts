/**
 * `record -o DIR -- COMMAND`: records what the kernel does with its IOMMU domains while a command runs, in a tracing instance and a
 * probe group of our own, and takes both down again whatever happens: a signal, a full disk, a bug of ours.
 * Exit status: the command's own; 3 where nothing could be recorded, 2 where DIR cannot be written.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { availableParallelism, constants, cpus, freemem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UnreadableError, escapeText } from '../events/problem.ts';
import { readBtf, RUNNING_KERNEL } from '../recordings/btf-file.ts';
import { probeSupport } from '../recordings/btf-kernel.ts';
import { parseDefinitions, renderDefinition, type ProbeDefinition } from '../recordings/probe-definitions.ts';
import { planProbes } from '../recordings/probes/resolve.ts';
import { renderTracefs } from '../recordings/probes/tracefs.ts';
import { Interruptions, runCommand, type CommandEnd } from '../recordings/record-command.ts';
import { readLosses, saveSurroundings, saveTrace } from '../recordings/record-save.ts';
import { openTracefs, probeKinds, type Tracefs } from '../recordings/tracefs.ts';
import { TracingInstance, clearLeftovers, type Leftover } from '../recordings/tracing-instance.ts';
import { OutputError, UsageError, note } from './io.ts';

const DEFAULT_BUFFER_KB = 16384;
/** A buffer that nobody asked for takes at most this part of the free memory, over all CPUs. */
const MEMORY_SHARE = 8;
/** Refusals that are quoted; the rest is in `probes.failed.txt`. */
const QUOTED = 3;

/** Type information of the module, where it is loaded. */
const IOMMUFD = '/sys/kernel/btf/iommufd';
const NO_PROBES = ['this kernel has neither fprobe nor kprobe events', 'it needs CONFIG_FPROBE_EVENTS=y (with CONFIG_DYNAMIC_FTRACE_WITH_ARGS) or CONFIG_KPROBE_EVENTS=y, and CONFIG_DEBUG_INFO_BTF=y for arguments by name'] as const;

interface RecordOptions {
  readonly output?: string;
  readonly bufferSizeKb?: string;
  readonly tracefs?: string;
  readonly probes?: string;
  readonly probeType?: string;
  readonly quiet?: boolean;
}

/** Adds the `record` command. */
export function addRecordCommand(program: Command): void {
  program
    .command('record')
    .description('record what the kernel does with its IOMMU domains while a command runs (Linux, root)')
    .usage('-o DIR [options] -- COMMAND [ARG...]')
    .argument('<command...>', 'what to run; its exit status becomes ours')
    .option('-o, --output <dir>', 'new or empty directory for the recording')
    .option('--buffer-size-kb <n>', `ring buffer of each CPU (default: ${DEFAULT_BUFFER_KB}, less where memory is short)`)
    .option('--tracefs <dir>', 'where tracefs is mounted (default: found in /proc/mounts)')
    .option('--probes <file>', 'definitions to use, as lines of dynamic_events; their group is replaced by our own (default: made for this kernel, see probes)')
    .option('--probe-type <type>', 'f: fprobes, p: kprobes (default: what the kernel has, fprobes first)')
    .option('--quiet', 'say only what is wrong')
    .action(record);
}

async function record(argv: readonly string[], options: RecordOptions): Promise<void> {
  const directory = options.output;
  if (directory === undefined || directory === '') throw new UsageError('record: -o DIR is missing');
  demandEmpty(directory);
  const asked = options.bufferSizeKb;
  if (asked !== undefined && !/^[1-9]\d{0,8}$/.test(asked)) throw new UsageError(`--buffer-size-kb ${asked}: not a whole number of KiB`);
  const type = options.probeType;
  if (type !== undefined && type !== 'f' && type !== 'p') throw new UsageError(`--probe-type ${type}: not one of f, p`);
  if (type !== undefined && options.probes !== undefined) throw new UsageError('--probe-type with --probes: the file says it');
  const given = options.probes === undefined ? null : readDefinitions(options.probes);
  const tracefs = openTracefs(options.tracefs);
  if (given) demandKinds(tracefs, given);
  const definitions = given ?? ownDefinitions(tracefs, type);

  const interruptions = new Interruptions();
  const instance = new TracingInstance(tracefs, process.pid);
  const takeDown = (): void => tell(instance.remove());
  // The last resort: nothing that ends this process in an orderly way leaves a probe.
  process.on('exit', takeDown);
  try {
    const { gone, left } = clearLeftovers(tracefs, process.pid);
    if (gone.length > 0) note(`iommu-ledger: removed what an earlier, killed recording left: ${gone.join(', ')}`);
    tell(left);
    process.exitCode = await recordInto(directory, argv, definitions, tracefs, instance, interruptions, options);
  } finally {
    takeDown();
    process.off('exit', takeDown);
    interruptions.end();
  }
}

async function recordInto(directory: string, argv: readonly string[], definitions: readonly ProbeDefinition[], tracefs: Tracefs, instance: TracingInstance, interruptions: Interruptions, options: RecordOptions): Promise<number> {
  const say = options.quiet ? (): void => {} : (line: string): void => note(line);
  const made = makeDirectory(directory);
  const giveUp = (): void => {
    if (made) rmdirSync(directory);
  };
  try {
    setUp(instance, definitions, options);
  } catch (error) {
    giveUp();
    throw error;
  }
  // Signals that came during the set-up are heard here.
  await new Promise((resolve) => setImmediate(resolve));
  if (interruptions.signal) {
    giveUp();
    note(`iommu-ledger: ${interruptions.signal} before the command was started; nothing was recorded`);
    return 128 + constants.signals[interruptions.signal];
  }

  instance.record(true);
  instance.mark(`record: ${escapeText(argv.join(' '))}`);
  const end = await runCommand(argv, interruptions, () => note('iommu-ledger: the command still runs; ^C once more ends the recording'));
  instance.mark(`record: ${end.text}`);
  instance.record(false);
  if (!end.started) {
    giveUp();
    note(`iommu-ledger: ${escapeText(argv[0])}: ${end.text}; nothing was recorded`);
    return end.status;
  }
  await save(directory, end, tracefs, instance, interruptions, say);
  return end.status;
}

/** Makes the instance and its probes. Errors: UnreadableError where there is nothing to record with. */
function setUp(instance: TracingInstance, definitions: readonly ProbeDefinition[], options: RecordOptions): void {
  const wanted = options.bufferSizeKb === undefined ? defaultBufferKb() : Number(options.bufferSizeKb);
  try {
    const size = instance.create(wanted);
    if (size < wanted) note(`iommu-ledger: memory for ${size} KiB of ring buffer a CPU only, instead of ${wanted}`);
  } catch (error) {
    throw new UnreadableError(`cannot make tracing instance ${instance.name}: ${reasonOf(error)}`, 'as root, outside of a container; with ENOMEM try a smaller --buffer-size-kb');
  }
  for (const definition of definitions) instance.install(definition);
  if (instance.installed.length === 0) {
    const [{ definition, reason }] = instance.refused;
    throw new UnreadableError(`this kernel refuses all ${definitions.length} probes; the first: ${renderDefinition(definition, instance.group)}: ${reason}`, 'give definitions that fit this kernel by --probes FILE');
  }
  if (!instance.enableSubsystem('iommu')) note('iommu-ledger: this kernel has no events/iommu; recording without them');
}

async function save(directory: string, end: CommandEnd, tracefs: Tracefs, instance: TracingInstance, interruptions: Interruptions, say: (line: string) => void): Promise<void> {
  const before = interruptions.count;
  interruptions.onSignal = () => note(interruptions.count === before + 1 ? 'iommu-ledger: saving the recording; once more gives it up' : 'iommu-ledger: given up');
  try {
    const losses = readLosses(tracefs, instance);
    // The trace first: where the disk fills, the rest can be had again.
    const { lines, complete } = await saveTrace(tracefs, instance, directory, () => interruptions.count > before + 1);
    saveSurroundings(tracefs, instance, losses, directory);
    const file = join(directory, 'trace.txt');
    if (!complete) note(`iommu-ledger: not all of the recording was saved: ${lines} lines are in ${file}.part`);
    else say(`iommu-ledger: ${lines} lines of ${instance.installed.length} probes in ${file}; the command ended: ${end.text}`);
    if (instance.refused.length > 0) {
      const names = instance.refused.slice(0, QUOTED).map(({ definition }) => definition.event).join(', ');
      say(`  ${instance.refused.length} probes do not fit this kernel (${names}${instance.refused.length > QUOTED ? ', …' : ''}), see probes.failed.txt`);
    }
    if (losses.events > 0) note(`  ${losses.events} events were lost, the ring buffer was too small: record again with a larger --buffer-size-kb`);
    if (losses.returns > 0) note(`  ${losses.returns} returns were missed by their probes, see stats.txt`);
    if (complete) say(`  next: iommu-ledger audit ${file}`);
  } catch (error) {
    throw new OutputError(`cannot save the recording in ${directory}: ${reasonOf(error)}; what is there is not complete (the command ended: ${end.text})`);
  }
}

/** Returns the definitions of a file. Errors: UsageError. */
function readDefinitions(file: string): ProbeDefinition[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--probes ${file}: ${reasonOf(error)}`);
  }
  const { definitions, bad } = parseDefinitions(text);
  if (bad.length > 0) throw new UsageError(`--probes ${file}:${bad[0]}: does not define a probe of the kernel (p, r, f, t or e, see dynamic_events)`);
  if (definitions.length === 0) throw new UsageError(`--probes ${file}: no definition in it`);
  return definitions;
}

/** Returns definitions made for the running kernel. Errors: UnreadableError where it tells nothing of its types or can have no such probes. */
function ownDefinitions(tracefs: Tracefs, type: 'f' | 'p' | undefined): ProbeDefinition[] {
  const { kprobe, fprobe, btf } = probeKinds(tracefs);
  if (!kprobe && !fprobe) throw new UnreadableError(...NO_PROBES);
  const probeType = type ?? (fprobe ? 'f' : 'p');
  if (probeType === 'f' ? !fprobe : !kprobe) throw new UnreadableError(`this kernel has no ${probeType === 'f' ? 'fprobe' : 'kprobe'} events`, 'leave --probe-type out: the other kind is there');
  const vmlinux = readBtf(RUNNING_KERNEL);
  const modules = [IOMMUFD].filter((path) => existsSync(path)).map((path) => readBtf(path, vmlinux));
  const plan = planProbes([vmlinux, ...modules], probeSupport(vmlinux).argumentsAtReturn);
  return parseDefinitions(renderTracefs(plan, { probeType, raw: !btf }, RUNNING_KERNEL)).definitions;
}

/** Refuses where the kernel can make none of the probes. Errors: UnreadableError. */
function demandKinds(tracefs: Tracefs, definitions: readonly ProbeDefinition[]): void {
  const { kprobe, fprobe } = probeKinds(tracefs);
  const can = ({ kind, place }: ProbeDefinition): boolean => (kind === 'f' || kind === 't' ? fprobe : kprobe || kind === 'e' || place.startsWith('/'));
  if (definitions.some(can)) return;
  const wants = definitions.some(({ kind }) => kind === 'f' || kind === 't') ? 'fprobe' : 'kprobe';
  const other = wants === 'fprobe' ? kprobe : fprobe;
  if (other) throw new UnreadableError(`this kernel has no ${wants} events`, `it needs CONFIG_${wants.toUpperCase()}_EVENTS=y, or definitions of the other kind by --probes FILE`);
  throw new UnreadableError(...NO_PROBES);
}

/** Errors: UsageError where something is there already, before anything is traced. */
function demandEmpty(directory: string): void {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isDirectory()) throw new UsageError(`-o ${directory}: is not a directory`);
  if (readdirSync(directory).length > 0) throw new UsageError(`-o ${directory}: is not empty`);
}

/** Makes the directory; returns false where it is there already. Errors: UsageError. */
function makeDirectory(directory: string): boolean {
  if (statSync(directory, { throwIfNoEntry: false })) return false;
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    throw new UsageError(`cannot make ${directory}: ${reasonOf(error)}`);
  }
}

function defaultBufferKb(): number {
  const share = Math.floor(freemem() / 1024 / MEMORY_SHARE / Math.max(cpus().length, availableParallelism()));
  return Math.max(1024, Math.min(DEFAULT_BUFFER_KB, share));
}

function tell(left: readonly Leftover[]): void {
  for (const { what, command } of left) note(`iommu-ledger: ${what} is still there and in use; remove it by: ${command}`);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT': return 'no such file or directory';
    case 'ENOSPC': case 'EDQUOT': return 'no space left';
    case 'EACCES': case 'EPERM': return `permission denied (${code})`;
    case 'EROFS': return 'the file system is read-only';
    default: return code ?? message;
  }
}
