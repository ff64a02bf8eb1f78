/**
 * The small machine behind a synthetic recording: random numbers, slabs that hand a freed address out again at once,
 * domains with the words that a 7.2 kernel keeps in them, devices, and tasks with the lines they have yet to print.
 * Addresses are text from the start, because text is all that becomes of them.
 */
import type { Plan } from './generate-plan.ts';

/** cookie_type as 7.2 numbers it ([7.3] iommu.h:170); values that no healthy life cycle has are left out, but FAULT_HANDLER. */
export const COOKIE = { NONE: 0, DMA_IOVA: 1, DMA_MSI: 2, FAULT_HANDLER: 3, IOMMUFD: 5 } as const;

/** The page size of the machine. */
export const PAGE = 0x1000;

/** Where the SW_MSI window of arm-smmu-v3 begins. */
export const SW_MSI_BASE = 0x8000000;

/** xorshift32: the same numbers for the same seed on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b) ^ 0x2545f491) | 0 || 1;
    for (let i = 0; i < 8; i++) this.below(2);
  }

  /** Returns a whole number from 0 to n - 1. */
  below(n: number): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return (s >>> 0) % n;
  }
}

/** A kmem cache: last freed, first reused, as SLUB does; the order of fresh objects is scattered. */
export class Slab {
  private readonly free: string[] = [];
  private fresh = 0;
  private readonly base: number;
  private readonly size: number;

  constructor(base: number, size: number) {
    this.base = base;
    this.size = size;
  }

  take(): string {
    const reused = this.free.pop();
    if (reused !== undefined) return reused;
    const index = this.fresh++;
    const scattered = (index & ~0xfff) + (((index & 0xfff) * 0x2b5) & 0xfff);
    return `0xffff${(this.base + scattered * this.size).toString(16).padStart(12, '0')}`;
  }

  give(address: string): void {
    this.free.push(address);
  }
}

/** One page through which a domain reaches a doorbell; `node` is the kernel's list entry (or iommufd's map). */
export interface MsiPage {
  readonly doorbell: number;
  readonly iova: number;
  readonly node: string;
}

/** A struct iommu_domain; `words` is how a probe prints its address and first members. */
export class Domain {
  readonly at: string;
  readonly type: string;
  readonly pages: MsiPage[] = [];
  owner = 0;
  cookie = '0x0';
  words = '';

  constructor(at: string, type: string) {
    this.at = at;
    this.type = type;
    this.own(COOKIE.NONE, '0x0');
  }

  /** A new owner starts with no MSI page on its list. */
  own(owner: number, cookie: string): void {
    this.pages.length = 0;
    this.owner = owner;
    this.cookie = cookie;
    this.words = `dom=${this.at} dtype=${this.type} ctype=${owner} cookie=${cookie}`;
  }

  /** Returns the words as a probe names them that reads them through another member (`old_`, `cur_`, `def_`). */
  through(prefix: string): string {
    return `${prefix}dom=${this.at} ${prefix}dtype=${this.type} ${prefix}ctype=${this.owner} ${prefix}cookie=${this.cookie}`;
  }
}

/** The driver's static blocking domain: an object of the kernel image, never allocated. */
export const BLOCKING = new Domain('0xffff800080f0c1b8', '0x0');

/** A PCI function, alone in its group. `home` is the default domain, `on` the domain it is attached to now. */
export interface Device {
  readonly name: string;
  readonly doorbell: number;
  readonly irq: number;
  group: number;
  home: Domain | undefined;
  on: Domain | undefined;
  readonly vectors: { desc: string; iova: number }[];
}

/** What all tasks share. */
export class Machine {
  readonly random: Random;
  readonly plan: Plan;
  readonly domains = new Slab(0x02000020, 0x100);
  readonly cookies = new Slab(0x1000000000, 0x40);
  readonly descs = new Slab(0x1800000000, 0x80);
  readonly objects = new Slab(0x2000000000, 0x1e0);
  operations = 0;
  /** Where the pids of new processes begin: after those of the kernel threads. */
  firstPid = 0;
  pid = 0;
  groups: number;
  private room: number;

  constructor(random: Random, plan: Plan, room: number, groups: number) {
    this.random = random;
    this.plan = plan;
    this.room = room;
    this.groups = groups;
  }

  /** Returns whether so many more domains may be alive at once, and sets them aside. */
  reserve(count: number): boolean {
    if (count > this.room) return false;
    this.room -= count;
    return true;
  }

  giveBack(count: number): void {
    this.room += count;
  }
}

const FIRST_PID = 600;
const LAST_PID = 4194303;

function heading(comm: string, pid: number): string {
  return `${comm.padStart(16)}-${String(pid).padEnd(7)} `;
}

/**
 * One program or kernel thread. `lines` holds flags and text of the call in progress, `at` how far it is printed.
 * No two tasks that run at once have the same pid: calls nest per task.
 */
export class Task {
  readonly machine: Machine;
  readonly lines: string[] = [];
  at = 0;
  head = '';
  private readonly worker: string;
  private readonly freed: [Slab, string][] = [];

  constructor(machine: Machine, number: number) {
    this.machine = machine;
    this.worker = heading(`kworker/u9:${number % 1000}`, 24 + number);
    machine.firstPid = machine.pid = Math.max(FIRST_PID, 25 + number);
  }

  /** The task is from now on its own kernel thread. */
  work(): void {
    this.head = this.worker;
  }

  /** The task is from now on a new process. */
  start(comm: string): void {
    const { machine } = this;
    this.head = heading(comm, machine.pid);
    machine.pid = machine.pid === LAST_PID ? machine.firstPid : machine.pid + 1;
  }

  say(flags: string, text: string): void {
    this.lines.push(flags, text);
  }

  /** Frees memory once the call that frees it has been printed: nobody may be seen to reuse it before. */
  free(slab: Slab, address: string): void {
    if (address !== '0x0') this.freed.push([slab, address]);
  }

  settle(): void {
    for (const [slab, address] of this.freed) slab.give(address);
    this.freed.length = this.lines.length = this.at = 0;
  }
}
