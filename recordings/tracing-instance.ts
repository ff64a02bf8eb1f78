/**
 * A tracing instance of our own with probes in a group of our own, from the first mkdir to the last rmdir.
 * The machine's own trace is left alone: only the probes' definitions and the error log are shared with it.
 * Order: the instance comes first and goes last, so that whatever a killed recorder leaves behind has an instance that tells
 * whose it was. While the recorder lives it holds a file of the instance open, and the kernel then refuses to remove it.
 * Source: kernel/trace/trace.c __remove_instance, trace_dynevent.c, trace_events.c probe_remove_event_call.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { renderDefinition, type ProbeDefinition } from './probe-definitions.ts';
import type { Tracefs } from './tracefs.ts';

const INSTANCE = 'iommu-ledger-';
const GROUP = 'iodom_';
/** Least ring buffer a CPU that is worth recording with. */
const LEAST_BUFFER_KB = 64;

/** A definition that the kernel did not take, or an event that it did not enable. */
export interface RefusedProbe {
  readonly definition: ProbeDefinition;
  readonly reason: string;
}

/** Something that could not be taken down, and the command that does it. */
export interface Leftover {
  readonly what: string;
  readonly command: string;
}

/** One recording's instance and probes. Every step may be followed by `remove`, which is safe to call at any time and twice. */
export class TracingInstance {
  readonly name: string;
  readonly group: string;
  /** Probes that are installed, in the order of their definitions. */
  readonly installed: ProbeDefinition[] = [];
  readonly refused: RefusedProbe[] = [];
  private readonly tracefs: Tracefs;
  /** `trace_marker`: open as long as we live, see above. */
  private marker = -1;
  private made = false;

  constructor(tracefs: Tracefs, pid: number) {
    this.tracefs = tracefs;
    this.name = `${INSTANCE}${pid}`;
    this.group = `${GROUP}${pid}`;
  }

  /** Returns the name of a file of the instance, below the tracefs. */
  file(name: string): string {
    return `instances/${this.name}/${name}`;
  }

  /** Makes the instance, stopped, with a ring buffer of this many KiB a CPU, or less where memory lacks; returns the size it got. */
  create(bufferSizeKb: number): number {
    this.tracefs.makeInstance(this.name);
    this.made = true;
    this.marker = openSync(this.tracefs.path(this.file('trace_marker')), constants.O_WRONLY);
    this.tracefs.write(this.file('tracing_on'), '0');
    // In step between CPUs, also where the default clock is not.
    if (/\bmono\b/.test(this.tracefs.read(this.file('trace_clock')))) this.tracefs.write(this.file('trace_clock'), 'mono');
    for (let size = bufferSizeKb; ; size >>= 1) {
      try {
        this.tracefs.write(this.file('buffer_size_kb'), `${size}`);
        return size;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOMEM' || size >> 1 < LEAST_BUFFER_KB) throw error;
      }
    }
  }

  /** Installs and enables one probe; what the kernel says against it goes to `refused`. */
  install(definition: ProbeDefinition): void {
    try {
      this.tracefs.write('dynamic_events', `${renderDefinition(definition, this.group)}\n`);
    } catch (error) {
      this.refused.push({ definition, reason: this.reason(definition, error) });
      return;
    }
    try {
      this.tracefs.write(this.file(`events/${this.group}/${definition.event}/enable`), '1');
      this.installed.push(definition);
    } catch (error) {
      this.refused.push({ definition, reason: `cannot be enabled: ${this.reason(definition, error)}` });
      this.removeProbe(definition.event);
    }
  }

  /** Enables the kernel's own events of a subsystem; returns false where it has none. */
  enableSubsystem(subsystem: string): boolean {
    try {
      this.tracefs.write(this.file(`events/${subsystem}/enable`), '1');
      return true;
    } catch {
      return false;
    }
  }

  /** Starts or stops recording. */
  record(on: boolean): void {
    this.tracefs.write(this.file('tracing_on'), on ? '1' : '0');
  }

  /** Leaves a line in the recording. */
  mark(text: string): void {
    try {
      writeSync(this.marker, `iommu-ledger: ${text}`.slice(0, 900));
    } catch {
      // A line that is missing there says nothing about any domain.
    }
  }

  /** Returns the definitions of our probes as the kernel shows them. */
  shown(): string[] {
    return groupLines(this.tracefs, this.group);
  }

  /** Stops recording and takes everything down; returns what did not go. */
  remove(): Leftover[] {
    if (!this.made) return [];
    const left: Leftover[] = [];
    quietly(() => this.record(false));
    quietly(() => this.tracefs.write(this.file(`events/${this.group}/enable`), '0'));
    // What the kernel shows, not what we remember: a probe may stand whose line in `installed` was never reached.
    for (const event of eventsOf(this.tracefs, this.group)) {
      quietly(() => this.tracefs.write(this.file(`events/${this.group}/${event}/enable`), '0'));
      if (!this.removeProbe(event)) left.push(leftProbe(this.tracefs, this.group, event));
    }
    if (this.marker >= 0) closeSync(this.marker);
    this.marker = -1;
    if (patiently(() => this.tracefs.removeInstance(this.name))) this.made = false;
    else left.push(leftInstance(this.tracefs, this.name));
    return left;
  }

  private removeProbe(event: string): boolean {
    return patiently(() => this.tracefs.write('dynamic_events', `-:${this.group}/${event}\n`));
  }

  /** Returns why the kernel refused, in its own words where it wrote them down. */
  private reason(definition: ProbeDefinition, error: unknown): string {
    const { code, message } = error as NodeJS.ErrnoException;
    const log = quietly(() => this.tracefs.read('error_log')) ?? '';
    const last = log.slice(log.lastIndexOf('\n[') + 1);
    const said = last.includes(`${this.group}/${definition.event} `) ? /error: (.*)/.exec(last)?.[1].trim() : undefined;
    return said === undefined ? (code ?? message) : `${said} (${code})`;
  }
}

/**
 * Takes down what recorders left that were killed before they could: instances and probe groups of ours whose process is gone.
 * An instance that anybody holds open is not gone, also where its process cannot be seen from here (a container): the kernel
 * then refuses to remove it, and its probes stay too. Returns what went and what has to stay.
 */
export function clearLeftovers(tracefs: Tracefs, self: number): { gone: string[]; left: Leftover[] } {
  const instances = tracefs.list('instances').flatMap((name) => (/^iommu-ledger-\d+$/.test(name) ? [Number(name.slice(INSTANCE.length))] : []));
  const groups = [...tracefs.read('dynamic_events').matchAll(/:iodom_(\d+)\//g)].map(([, pid]) => Number(pid));
  const gone: string[] = [];
  const left: Leftover[] = [];
  for (const pid of [...new Set([...instances, ...groups])].sort((a, b) => a - b)) {
    const name = `${INSTANCE}${pid}`;
    if (pid !== self && isAlive(pid)) {
      if (isRecorder(pid)) continue;
      if (instances.includes(pid)) left.push(leftInstance(tracefs, name));
      left.push(...eventsOf(tracefs, `${GROUP}${pid}`).map((event) => leftProbe(tracefs, `${GROUP}${pid}`, event)));
      continue;
    }
    if (instances.includes(pid)) {
      quietly(() => tracefs.write(`instances/${name}/tracing_on`, '0'));
      if (!patiently(() => tracefs.removeInstance(name))) {
        left.push(leftInstance(tracefs, name));
        continue;
      }
      gone.push(`instance ${name}`);
    }
    const events = eventsOf(tracefs, `${GROUP}${pid}`);
    const stays = events.filter((event) => !patiently(() => tracefs.write('dynamic_events', `-:${GROUP}${pid}/${event}\n`)));
    left.push(...stays.map((event) => leftProbe(tracefs, `${GROUP}${pid}`, event)));
    if (stays.length < events.length) gone.push(`${events.length - stays.length} probes of group ${GROUP}${pid}`);
  }
  return { gone, left };
}

const leftInstance = (tracefs: Tracefs, name: string): Leftover => ({ what: `tracing instance ${name}`, command: `rmdir ${tracefs.path('instances', name)}` });
const leftProbe = (tracefs: Tracefs, group: string, event: string): Leftover => ({ what: `probe ${group}/${event}`, command: `echo '-:${group}/${event}' >> ${tracefs.path('dynamic_events')}` });

function groupLines(tracefs: Tracefs, group: string): string[] {
  return (quietly(() => tracefs.read('dynamic_events')) ?? '').split('\n').filter((line) => line.split(' ', 1)[0].includes(`:${group}/`));
}

function eventsOf(tracefs: Tracefs, group: string): string[] {
  return [...new Set(groupLines(tracefs, group).map((line) => /\/(\w+)/.exec(line)![1]))];
}

/** Returns what `work` returns, or undefined where it failed: for steps after which the next one is due all the same. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Tries for up to a second where the kernel says busy: a probe just disabled, an instance whose last reader is just leaving. */
function patiently(work: () => void): boolean {
  for (let attempt = 0; ; attempt++) {
    try {
      work();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || attempt === 20) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Whether a living process may be a recorder and not a stranger that got the number again. */
function isRecorder(pid: number): boolean {
  return quietly(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('record')) ?? true;
}
