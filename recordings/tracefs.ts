/**
 * A mounted tracefs: where it is, what it lacks for a recording, and the few ways in which its files are touched.
 * Truth: Documentation/trace/ftrace.rst, kernel/trace/trace_dynevent.c. No file of it is ever opened with O_TRUNC: on
 * `dynamic_events` that removes every dynamic event of the machine, whoever made it.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UnreadableError } from '../events/problem.ts';

const USUAL_PLACE = '/sys/kernel/tracing';
const MOUNT = `mount -t tracefs tracefs ${USUAL_PLACE}`;

/** The files of a tracefs, by their names below its root. A write is one write(2), as the kernel takes one command a write. */
export class Tracefs {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Returns the path of a file of it. */
  path(...parts: readonly string[]): string {
    return join(this.root, ...parts);
  }

  /** Returns the text of a file. */
  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** Returns the names in a directory of it, or none where there is no such directory. */
  list(name: string): string[] {
    try {
      return readdirSync(this.path(name));
    } catch {
      return [];
    }
  }

  /** Writes a setting, or a command at the end of `dynamic_events`. Errors: as write(2) has them, with their `code`. */
  write(name: string, text: string): void {
    const fd = openSync(this.path(name), constants.O_WRONLY | (name === 'dynamic_events' ? constants.O_APPEND : 0));
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes a tracing instance. */
  makeInstance(name: string): void {
    mkdirSync(this.path('instances', name));
  }

  /** Removes a tracing instance. Errors: EBUSY while any process has a file of it open. */
  removeInstance(name: string): void {
    rmdirSync(this.path('instances', name));
  }
}

/** Which kinds of probes a kernel can make. */
export interface ProbeKinds {
  readonly kprobe: boolean;
  readonly fprobe: boolean;
  /** Whether arguments may be named as in C (needs BTF). */
  readonly btf: boolean;
}

/** Returns the kinds of probes that this kernel can make, as its own `README` says. Source: kernel/trace/trace.c readme_msg. */
export function probeKinds(tracefs: Tracefs): ProbeKinds {
  const readme = existsSync(tracefs.path('README')) ? tracefs.read('README') : '';
  return { kprobe: existsSync(tracefs.path('kprobe_events')), fprobe: readme.includes('f[:[<group>/]'), btf: readme.includes('<argname>[->field') };
}

/**
 * Returns the tracefs of this machine, ready to record with, or the one at `directory`.
 * Errors: UnreadableError, which says what is missing and what to do.
 */
export function openTracefs(directory?: string): Tracefs {
  const root = directory ?? findMount();
  const stat = statSync(root, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new UnreadableError(`${root}: ${stat ? 'not a directory' : 'no such directory'}`, `name the directory where tracefs is mounted, or mount it: ${MOUNT}`);
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    throw forbidden(root, error);
  }
  if (names.length === 0) throw new UnreadableError(`${root}: nothing is mounted there`, `as root: mount -t tracefs tracefs ${root}`);
  if (!names.includes('dynamic_events')) {
    throw names.includes('trace')
      ? new UnreadableError(`${root}: this kernel has no dynamic_events`, 'it needs CONFIG_DYNAMIC_EVENTS, by CONFIG_FPROBE_EVENTS=y or CONFIG_KPROBE_EVENTS=y')
      : new UnreadableError(`${root}: not a tracefs, it has no dynamic_events`, `name the directory where tracefs is mounted, or mount it: ${MOUNT}`);
  }
  try {
    closeSync(openSync(join(root, 'dynamic_events'), constants.O_WRONLY | constants.O_APPEND));
  } catch (error) {
    throw forbidden(root, error);
  }
  if (!names.includes('instances')) throw new UnreadableError(`${root}: this kernel has no tracing instances`, "without one a recording would overwrite the machine's own trace; Linux 3.10 and later have them");
  return new Tracefs(root);
}

/** Returns where tracefs is mounted; a writable mount before a read-only one, the usual place before others. */
function findMount(): string {
  const mounts = readLines('/proc/mounts').map((line) => line.split(' ')).filter(([, , type]) => type === 'tracefs')
    .map(([, place, , options]) => ({ place: place.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8))), writable: options.split(',').includes('rw') }));
  const [best] = mounts.sort((a, b) => Number(b.writable) - Number(a.writable) || Number(b.place === USUAL_PLACE) - Number(a.place === USUAL_PLACE));
  if (best) return best.place;
  if (existsSync(join(USUAL_PLACE, 'README'))) return USUAL_PLACE;
  if (process.platform !== 'linux') throw new UnreadableError('recording needs Linux', `this is ${process.platform}; record on the machine in question and audit the file here`);
  if (readLines('/proc/filesystems').some((line) => line.endsWith('\ttracefs'))) throw new UnreadableError('tracefs is not mounted', `as root: ${MOUNT}`);
  throw new UnreadableError('this kernel has no tracefs', 'it was built without CONFIG_FTRACE; recording needs CONFIG_FTRACE, CONFIG_DYNAMIC_FTRACE and CONFIG_FPROBE_EVENTS or CONFIG_KPROBE_EVENTS');
}

/** Returns what to say where tracefs lets nobody in. */
function forbidden(root: string, error: unknown): UnreadableError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EROFS') return new UnreadableError(`${root}: tracefs is mounted read-only`, `as root: mount -o remount,rw ${root}`);
  if (code !== 'EACCES' && code !== 'EPERM') return new UnreadableError(`${root}: ${code ?? message}`, 'look into the kernel log (dmesg)');
  if (readLines('/sys/kernel/security/lockdown').some((line) => line.includes('[confidentiality]'))) {
    return new UnreadableError(`${root}: permission denied, the kernel is locked down (confidentiality) and lets nobody trace`, 'boot it without lockdown=confidentiality (Secure Boot policy may set it)');
  }
  if (process.getuid?.() !== 0) return new UnreadableError(`${root}: permission denied`, 'tracefs belongs to root: run the same command as root (sudo)');
  return new UnreadableError(`${root}: permission denied, even to root`, 'in a container it needs CAP_SYS_ADMIN and a tracefs that may be written; a security policy may forbid it too');
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}
