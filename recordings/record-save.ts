/**
 * Saves a recording and what is needed to judge it: the trace, what was lost, which kernel, which devices in which groups.
 * The trace is as large as the ring buffer lets it be and is copied in pieces; it takes its name when it is complete.
 * Source: kernel/trace/trace.c tracing_stats_read, trace_kprobe.c probes_profile_seq_show, drivers/iommu/iommu.c iommu_group_show_resv_regions.
 */
import { closeSync, fsyncSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { renderDefinition } from './probe-definitions.ts';
import type { Tracefs } from './tracefs.ts';
import type { TracingInstance } from './tracing-instance.ts';

const PIECE_BYTES = 1 << 20;
const NEWLINE = 10;
const HASH = 35;

/** What a copied trace holds. */
export interface SavedTrace {
  /** Lines of events; the header's are not counted. */
  readonly lines: number;
  /** False where it was given up before its end: the file is `trace.txt.part` then. */
  readonly complete: boolean;
}

/** Copies the instance's trace into `trace.txt`. `giveUp` is asked between pieces. Errors: as write(2) has them; `trace.txt.part` stays. */
export async function saveTrace(tracefs: Tracefs, instance: TracingInstance, directory: string, giveUp: () => boolean): Promise<SavedTrace> {
  const name = join(directory, 'trace.txt');
  const from = openSync(tracefs.path(instance.file('trace')), 'r');
  let lines = 0;
  let complete = false;
  try {
    const to = openSync(`${name}.part`, 'w');
    try {
      const piece = Buffer.alloc(PIECE_BYTES);
      let atStart = true;
      while (!complete && !giveUp()) {
        const size = fill(from, piece);
        for (let at = 0; at < size; at++) {
          if (atStart && piece[at] !== HASH && piece[at] !== NEWLINE) lines++;
          atStart = piece[at] === NEWLINE;
        }
        for (let at = 0; at < size; ) at += writeSync(to, piece, at, size - at);
        complete = size < piece.length;
        // Signals are heard here.
        await breathe();
      }
      fsyncSync(to);
    } finally {
      closeSync(to);
    }
  } finally {
    closeSync(from);
  }
  if (complete) renameSync(`${name}.part`, name);
  return { lines, complete };
}

/** Fills a piece from a file that gives a page at a time; returns its size, less than the piece's at the end of the file. */
function fill(fd: number, piece: Buffer): number {
  let size = 0;
  while (size < piece.length) {
    const count = readSync(fd, piece, size, piece.length - size, null);
    if (count === 0) break;
    size += count;
  }
  return size;
}

/** What was not recorded. */
export interface Losses {
  /** Events that the ring buffer dropped. */
  readonly events: number;
  /** Returns of functions that a kretprobe missed. */
  readonly returns: number;
  /** The lines of `stats.txt`. */
  readonly lines: readonly string[];
}

/** Returns what the instance lost so far. */
export function readLosses(tracefs: Tracefs, instance: TracingInstance): Losses {
  const lines: string[] = [];
  let events = 0;
  const cpus = tracefs.list(instance.file('per_cpu')).map((name) => Number(name.slice('cpu'.length))).sort((a, b) => a - b);
  for (const cpu of cpus) {
    const stats = tracefs.read(instance.file(`per_cpu/cpu${cpu}/stats`));
    const value = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(stats)?.[1] ?? 0);
    lines.push(`cpu${cpu} entries: ${value('entries')} overrun: ${value('overrun')} commit overrun: ${value('commit overrun')} dropped events: ${value('dropped events')}`);
    events += value('overrun') + value('commit overrun') + value('dropped events');
  }
  let returns = 0;
  const ours = new Set(instance.installed.map(({ event }) => event));
  for (const line of textOf(tracefs.path('kprobe_profile')).split('\n')) {
    const [, event, , missed] = /^\s*(\w+)\s+(\d+)\s+(\d+)\s*$/.exec(line) ?? [];
    if (!ours.has(event) || missed === '0') continue;
    lines.push(`${event} missed: ${missed}`);
    returns += Number(missed);
  }
  return { events, returns, lines };
}

/** Writes what surrounds a trace: stats, clock, probes, kernel and devices. Errors: as write(2) has them. */
export function saveSurroundings(tracefs: Tracefs, instance: TracingInstance, losses: Losses, directory: string): void {
  const save = (name: string, lines: readonly string[]): void => writeFileSync(join(directory, name), lines.map((line) => `${line}\n`).join(''));
  save('stats.txt', losses.lines);
  save('clock', [textOf(tracefs.path(instance.file('trace_clock'))).trim()]);
  save('probes.installed.txt', instance.shown());
  // Each reason is a comment, so that the file can be given to --probes as it is.
  save('probes.failed.txt', instance.refused.flatMap(({ definition, reason }) => [`# ${reason}`, renderDefinition(definition, instance.group)]));
  save('version', [textOf('/proc/version').trim()]);
  save('kernel-release', [textOf('/proc/sys/kernel/osrelease').trim()]);
  save('cmdline', [textOf('/proc/cmdline').trim()]);
  save('devices.txt', deviceLines('/sys'));
  save('reserved_regions.txt', reservedRegionLines('/sys'));
}

/** Returns one line a device: name, vendor, device, IOMMU group, type of its default domain, driver. PCI devices first, then what else is in a group. */
export function deviceLines(sys: string): string[] {
  const describe = (name: string, path: string): string => {
    const group = linkOf(join(path, 'iommu_group'));
    const type = textOf(join(sys, 'kernel/iommu_groups', group, 'type')).trim();
    return `${name} ${textOf(join(path, 'vendor')).trim() || '-'} ${textOf(join(path, 'device')).trim() || '-'} group=${group} type=${group && type} driver=${linkOf(join(path, 'driver'))}`;
  };
  const pci = listOf(join(sys, 'bus/pci/devices')).sort();
  const others = groupsOf(sys).flatMap((group) => listOf(join(sys, 'kernel/iommu_groups', group, 'devices')).sort().map((name) => [name, join(sys, 'kernel/iommu_groups', group, 'devices', name)] as const));
  return [...pci.map((name) => describe(name, join(sys, 'bus/pci/devices', name))), ...others.filter(([name]) => !pci.includes(name)).map(([name, path]) => describe(name, path))];
}

/** Returns one line a reserved region: `group=3 0x00000000fee00000 0x00000000feefffff msi`. */
export function reservedRegionLines(sys: string): string[] {
  return groupsOf(sys).flatMap((group) => textOf(join(sys, 'kernel/iommu_groups', group, 'reserved_regions')).split('\n').filter((line) => line !== '').map((line) => `group=${group} ${line}`));
}

const groupsOf = (sys: string): string[] => listOf(join(sys, 'kernel/iommu_groups')).sort((a, b) => Number(a) - Number(b));

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return basename(readlinkSync(path));
  } catch {
    return '';
  }
}
