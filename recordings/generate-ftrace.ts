/**
 * A synthetic recording: ftrace text as `recordings/own72n` has it, for tests of any size and for benchmarks.
 * Several tasks on four CPUs live through the life cycles of generate-lives.ts, generate-type1.ts and generate-iommufd.ts;
 * their lines are interleaved one by one, while entry and return nest within each task.
 * The whole is run twice: the header of a trace file tells the number of its lines, and the text itself is never kept.
 */
import { iommufd } from './generate-iommufd.ts';
import { kernelDriver, plug, unplug, type Life } from './generate-lives.ts';
import { COOKIE, Domain, Machine, Random, Task, type Device } from './generate-machine.ts';
import { INJECTABLE, Plan, type InjectableRule } from './generate-plan.ts';
import { type1 } from './generate-type1.ts';

/** What a synthetic recording shall hold. */
export interface GenerateOptions {
  /** How many domains are alive at once at most, default domains included and the static blocking domain not. */
  readonly domains: number;
  /**
   * How many operations: calls that CONTRACT.md's event table names (type1's iommu_unmap_fast is none). Calls in progress are
   * finished, and each rule is planted once, even if that takes more.
   */
  readonly events: number;
  readonly seed: number;
  readonly inject?: readonly InjectableRule[];
  /** One violation in so many life cycles, the rules taking turns. */
  readonly injectEvery?: number;
}

/** What a synthetic recording holds. */
export interface Generated {
  readonly lines: number;
  readonly operations: number;
  readonly injected: number;
}

/** The rules that `inject` takes. */
export const INJECTABLE_RULES = Object.keys(INJECTABLE) as InjectableRule[];

/** One violation in so many life cycles, where nothing else is asked for. */
export const INJECT_EVERY = 1000;

const CPUS = 4;
const CPU_LABEL = Array.from({ length: CPUS }, (_, cpu) => `[00${cpu}] `);
const THREE_DIGITS = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'));
const CHUNK = 1 << 16;
const DOORBELLS = [0x8090000, 0x8090000, 0x80b0000];

function makeDevice(index: number): Device {
  const part = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
  const name = `${part(Math.floor(index / (31 * 256)), 4)}:${part(Math.floor(index / 31) % 256, 2)}:${part(1 + (index % 31), 2)}.0`;
  return { name, doorbell: DOORBELLS[index % 3], irq: 23 + index * 8, group: index + 1, home: undefined, on: undefined, vectors: [] };
}

/** The device was there before the recording began: its default domain has a cookie and an MSI page already. */
function bornEarlier(machine: Machine, device: Device): void {
  const home = new Domain(machine.domains.take(), '0x3');
  home.own(COOKIE.DMA_IOVA, machine.cookies.take());
  home.pages.push({ doorbell: device.doorbell, iova: 0xfffff000, node: machine.cookies.take() });
  device.home = device.on = home;
}

/** One task's life without end, with one or two devices. Default domains are set aside for it once and for all. */
function* live(t: Task, devices: readonly Device[]): Life {
  const { machine } = t;
  const { plan, random } = machine;
  for (const device of devices) {
    if (device.home === undefined) yield* plug(t, device);
  }
  for (;;) {
    const device = devices[random.below(devices.length)];
    const kind = plan.wants() ?? (['type1', 'iommufd', 'type1', 'iommufd', 'driver'] as const)[random.below(5)];
    plan.begin();
    if (kind === 'type1' && devices.length > 1 && random.below(2) === 0 && plan.wants() === undefined && machine.reserve(2)) {
      yield* type1(t, devices, undefined);
      machine.giveBack(2);
    } else if (kind === 'type1' && machine.reserve(1)) {
      yield* type1(t, [device], plan.take('type1'));
      machine.giveBack(1);
    } else if (kind === 'iommufd' && machine.reserve(2)) {
      yield* iommufd(t, device, true, plan.take('iommufd'));
      machine.giveBack(2);
    } else if (kind === 'iommufd' && machine.reserve(1)) {
      yield* iommufd(t, device, false, plan.take('iommufd'));
      machine.giveBack(1);
    } else {
      yield* kernelDriver(t, device);
    }
    if (random.below(6) > 0) continue;
    yield* unplug(t, device);
    yield* plug(t, device);
  }
}

interface Actor {
  readonly task: Task;
  readonly life: Life;
}

/** Returns the tasks: half as many devices as domains, so that default domains and users' domains are about as many. */
function makeActors(machine: Machine, domains: number): Actor[] {
  const count = Math.max(1, domains >> 1);
  const actors: Actor[] = [];
  machine.reserve(count);
  for (let i = 0; i < count; ) {
    const devices = [makeDevice(i++)];
    if (count > CPUS && i % 3 === 1 && i < count) devices.push(makeDevice(i++));
    for (const device of devices) if (i % 2 === 0) bornEarlier(machine, device);
    const task = new Task(machine, actors.length);
    actors.push({ task, life: live(task, devices) });
  }
  return actors;
}

/** Removes one at random, without keeping the order. */
function takeAny<T>(from: T[], random: Random): T {
  const at = random.below(from.length);
  const last = from.pop()!;
  if (at === from.length) return last;
  const taken = from[at];
  from[at] = last;
  return taken;
}

/** Runs the machine; without `write` it only counts. */
function run(options: GenerateOptions, heading: string, write: ((chunk: string) => void) | undefined): Generated {
  const random = new Random(options.seed);
  const plan = new Plan(options.inject ?? [], options.injectEvery ?? INJECT_EVERY);
  const machine = new Machine(random, plan, options.domains, Math.max(1, options.domains >> 1));
  let ready = makeActors(machine, options.domains);
  const running: (Actor | undefined)[] = Array.from({ length: CPUS });
  let chunk = heading;
  let lines = 0;
  let stopping = false;
  let seconds = 60 + random.below(60);
  let micros = random.below(1e6);
  let clock = `${String(seconds).padStart(5)}.`;
  for (;;) {
    const cpu = random.below(CPUS);
    const actor = running[cpu];
    if (actor === undefined) {
      if (ready.length > 0) running[cpu] = takeAny(ready, random);
      else if (stopping && running.every((other) => other === undefined)) break;
      continue;
    }
    const { task } = actor;
    if (task.at === task.lines.length) {
      task.settle();
      if (!stopping && machine.operations >= options.events && plan.complete()) {
        stopping = true;
        ready = ready.filter((other) => other.task.at < other.task.lines.length);
      }
      if (stopping) {
        running[cpu] = undefined;
      } else if (random.below(16) === 0) {
        running[cpu] = undefined;
        ready.push(actor);
      } else {
        actor.life.next();
      }
      continue;
    }
    micros += 1 + random.below(random.below(64) === 0 ? 900 : 32);
    if (micros >= 1e6) {
      micros -= 1e6;
      clock = `${String(++seconds).padStart(5)}.`;
    }
    lines++;
    if (write) {
      const { at } = task;
      chunk += `${task.head}${CPU_LABEL[cpu]}${task.lines[at]} ${clock}${THREE_DIGITS[(micros / 1000) | 0]}${THREE_DIGITS[micros % 1000]}: ${task.lines[at + 1]}\n`;
      if (chunk.length > CHUNK) {
        write(chunk);
        chunk = '';
      }
    }
    task.at += 2;
    // Now and then a task is preempted in the middle of a call.
    if (random.below(256) === 0 && ready.length > 0) {
      running[cpu] = undefined;
      ready.push(actor);
    }
  }
  if (write && chunk !== '') write(chunk);
  return { lines, operations: machine.operations, injected: plan.injected };
}

function header(options: GenerateOptions, lines: number): string {
  const { domains, events, seed, inject = [], injectEvery = INJECT_EVERY } = options;
  const command = `generate --domains ${domains} --events ${events} --seed ${seed}${inject.length > 0 ? ` --inject ${inject.join(',')} --inject-every ${injectEvery}` : ''}`;
  return [
    '# tracer: nop',
    '#',
    `# iommu-ledger ${command} (synthetic, no kernel recorded this)`,
    '#',
    `# entries-in-buffer/entries-written: ${lines}/${lines}   #P:${CPUS}`,
    '#',
    '#                                _-----=> irqs-off/BH-disabled',
    '#                               / _----=> need-resched',
    '#                              | / _---=> hardirq/softirq',
    '#                              || / _--=> preempt-depth',
    '#                              ||| / _-=> migrate-disable',
    '#                              |||| /     delay',
    '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
    '#              | |         |   |||||     |         |',
    '',
  ].join('\n');
}

/**
 * Returns what was written: lines without the header, operations, planted violations.
 * Order: `write` gets the text in chunks of about 64 KB; the same options give the same bytes.
 * Errors: RangeError for numbers that make no machine, or violations without room for a user's domain.
 */
export function generateFtrace(options: GenerateOptions, write: (chunk: string) => void): Generated {
  const { domains, events, seed, inject = [], injectEvery = INJECT_EVERY } = options;
  for (const [name, value, least] of [['domains', domains, 1], ['events', events, 1], ['seed', seed, 0], ['injectEvery', injectEvery, 1]] as const) {
    if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${name}: ${value} is not a whole number from ${least} up`);
  }
  if (inject.length > 0 && domains < 2) throw new RangeError('inject: a violation needs 2 domains, a default domain and a user\'s');
  const counted = run(options, '', undefined);
  return run(options, header(options, counted.lines), write);
}
