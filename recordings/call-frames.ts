/**
 * What every task is in the middle of: the calls it has entered and not returned from, with what was seen at their entry.
 * Frames are made once and used again; tasks that are idle are forgotten first, so memory is bounded.
 */
import type { ProbeLine } from './probe-line.ts';

const MAX_DEPTH = 32;
const MAX_TASKS = 8192;

/** Words seen at entry, kept until the return. */
export class SavedWords {
  has = 0;
  type = 0;
  owner = 0;
  raw = 0;
  cookieLo = 0;
  cookieHi = 0;
  kind = 0;
}

/** A call that has been entered and has not returned yet. */
export class Frame {
  fn = -1;
  line = 0;
  domain = -1;
  oldDomain = -1;
  group = -1;
  device = 0;
  hasA = false;
  aLo = 0;
  aHi = 0;
  msiIndex = -1;
  /** A mapping seen through a tracepoint or iommu_map_nosync, until iommu_map itself reports it. */
  pendingMap = false;
  mapFn = 0;
  iovaLo = 0;
  iovaHi = 0;
  paddrLo = 0;
  paddrHi = 0;
  sizeLo = 0;
  readonly before = new SavedWords();
  readonly old = new SavedWords();
}

/** What one task is in the middle of. */
export class Task {
  readonly frames: Frame[] = [];
  depth = 0;
  lastAlloc = -1;
  lastAllocRank = 0;
  lastSetGroup = -1;
  lastSetDomain = -1;
  lastSetErrno = 0;
  lastAttachDevice = 0;
  lastAttachDomain = -1;
  lastReleased = 0;
  tracepointDevice = 0;
}

/** The open calls of all tasks. */
export class CallFrames {
  private readonly tasks = new Map<number, Task>();
  private lastKey = 0;
  private lastTask: Task | undefined;

  /** Forgets all tasks. */
  clear(): void {
    this.tasks.clear();
    this.lastTask = undefined;
  }

  /** What this task is in the middle of. */
  task(p: ProbeLine): Task {
    const key = taskKey(p);
    if (key === this.lastKey && this.lastTask) return this.lastTask;
    let task = this.tasks.get(key);
    if (task === undefined) {
      if (this.tasks.size >= MAX_TASKS) {
        for (const [pid, idle] of this.tasks) if (idle.depth === 0) this.tasks.delete(pid);
        if (this.tasks.size >= MAX_TASKS) this.tasks.clear();
        this.lastTask = undefined;
      }
      task = new Task();
      this.tasks.set(key, task);
    }
    this.lastKey = key;
    this.lastTask = task;
    return task;
  }

  /** Enters a call; the caller fills the frame. */
  push(p: ProbeLine): Frame {
    const task = this.task(p);
    // The same function cannot be inside itself: its return was missed.
    if (task.depth > 0 && task.frames[task.depth - 1].fn === p.fn) task.depth--;
    if (task.depth === MAX_DEPTH) task.depth = 0;
    const frame = (task.frames[task.depth] ??= new Frame());
    task.depth++;
    frame.fn = p.fn;
    frame.line = p.line;
    frame.domain = -1;
    frame.oldDomain = -1;
    frame.group = -1;
    frame.device = 0;
    frame.hasA = false;
    frame.msiIndex = -1;
    frame.pendingMap = false;
    frame.before.has = 0;
    frame.old.has = 0;
    return frame;
  }

  /** Returns the frame that this return about `domain` (-1: it names none) belongs to; calls above it lost their return. */
  pop(p: ProbeLine, domain: number): Frame | null {
    const task = this.task(p);
    for (let at = task.depth - 1; at >= 0; at--) {
      if (task.frames[at].fn !== p.fn) continue;
      task.depth = at;
      const frame = task.frames[at];
      // The entry may be of an earlier call whose return was missed: then it is about another domain.
      return domain >= 0 && frame.domain >= 0 && domain !== frame.domain ? null : frame;
    }
    return null;
  }

  /** The innermost open call, if it is of this function or lies inside one of it. */
  top(p: ProbeLine, fn: number): Frame | null {
    const task = this.task(p);
    for (let at = task.depth - 1; at >= 0; at--) if (task.frames[at].fn === fn) return task.frames[at];
    return null;
  }
}

/** Idle tasks all have pid 0, one a CPU. */
function taskKey(p: ProbeLine): number {
  return p.pid === 0 ? -1 - p.cpu : p.pid;
}
