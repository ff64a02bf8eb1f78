/**
 * A finding: a rule met an event. Kept with everything a report prints (CONTRACT "audit --format json"); made only when
 * something is found, so this is not the replay path.
 */
import type { EventBatch } from '../events/batch.ts';
import { HAS } from '../events/batch.ts';
import { EVENT_TYPES, type EventType } from '../events/event-types.ts';
import { renderTime } from '../events/time.ts';
import { RULES, SEVERITIES, ruleIndex, type Severity } from '../machines/rules.ts';
import { STATES, type Outcome, type State } from '../machines/states.ts';

/** One finding, as JSON has it. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly outcome: Outcome;
  readonly domain: string | null;
  readonly generation: number | null;
  readonly position: number;
  readonly line: number | null;
  /** Which of several merged recordings the line is of, or null. */
  readonly recording: string | null;
  readonly time: string | null;
  readonly cpu: number | null;
  readonly task: string | null;
  readonly pid: number | null;
  readonly event: EventType;
  readonly caller: string | null;
  readonly device: string | null;
  readonly group: number | null;
  readonly before: State | null;
  readonly after: State | null;
  readonly expected: Readonly<Record<string, unknown>>;
  readonly observed: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly source: string;
  /** Position of the finding on the same domain that this one follows from, or null. */
  readonly follows: number | null;
}

/** Findings listed one by one; beyond this they are only counted, so that memory stays bounded. */
export const FINDINGS_KEPT = 100_000;

/** Rules that compare with a prediction. */
export const CONFORMANCE: ReadonlySet<string> = new Set(['errno-mismatch', 'word-mismatch', 'msi-iova-mismatch', 'msi-address-mismatch', 'msi-address-stale']);

/** What was compared with the design's prediction. */
export interface Checked {
  errno: number;
  words: number;
  iovas: number;
  addresses: number;
}

/** Details of a finding besides the event it is about. */
export interface Details {
  readonly severity?: Severity;
  readonly outcome: Outcome;
  readonly generation?: number;
  readonly before?: number;
  readonly after?: number;
  readonly expected?: Record<string, unknown>;
  readonly observed?: Record<string, unknown>;
  readonly message?: string;
  readonly follows?: number;
}

/** Who looks on while findings are made: an audit may hold one back, add it later, or take it back at a gap. */
export interface FindingsWatcher {
  made(finding: Finding): void;
  added(finding: Finding): void;
  withdrawn(finding: Finding): void;
}

/** The findings of one audit, listed up to `FINDINGS_KEPT` and counted without end. */
export class Findings {
  list: Finding[] = [];
  readonly summary: Record<Severity, number> = { critical: 0, error: 0, warning: 0, info: 0 };
  count = 0;
  /** Findings taken back because events were lost around them. */
  withdrawn = 0;
  watcher: FindingsWatcher | null = null;

  /** Returns a finding about row `i` of the batch. */
  make(rule: string, b: EventBatch, i: number, d: number, details: Details): Finding {
    const r = RULES[ruleIndex(rule)];
    const present = b.present[i];
    const { strings, addresses } = b.interned;
    const finding: Finding = {
      rule,
      severity: details.severity ?? r.severity,
      outcome: details.outcome,
      domain: d >= 0 ? addresses.text(d) : null,
      generation: details.generation ?? null,
      position: b.position + i,
      line: present & HAS.line ? b.line[i] : null,
      recording: b.interned.recordings[b.recording[i]] ?? null,
      time: present & HAS.time ? renderTime(b.sec[i], b.nsec[i], b.digits[i]) : null,
      cpu: present & HAS.cpu ? b.cpu[i] : null,
      task: present & HAS.task ? strings.values[b.task[i]] : null,
      pid: present & HAS.pid ? b.pid[i] : null,
      event: EVENT_TYPES[b.kind[i]],
      caller: present & HAS.caller ? strings.values[b.caller[i]] : null,
      device: present & HAS.device ? strings.values[b.device[i]] : null,
      group: present & HAS.group ? b.group[i] : null,
      before: details.before === undefined ? null : STATES[details.before],
      after: details.after === undefined ? null : STATES[details.after],
      expected: details.expected ?? {},
      observed: details.observed ?? {},
      message: details.message ?? r.sentence,
      source: r.source,
      follows: details.follows && details.follows > 0 ? details.follows : null,
    };
    this.watcher?.made(finding);
    return finding;
  }

  /**
   * Takes back findings behind a position that rest on a state which lost events may have changed; those whose words memory
   * itself showed before the call stay.
   */
  withdraw(after: number): void {
    for (let at = this.list.length - 1; at >= 0 && this.list[at].position > after; at--) {
      const finding = this.list[at];
      if (finding.observed['before'] !== undefined && !CONFORMANCE.has(finding.rule)) continue;
      this.list.splice(at, 1);
      this.count--;
      this.summary[finding.severity]--;
      this.withdrawn++;
      this.watcher?.withdrawn(finding);
    }
  }

  add(finding: Finding): void {
    this.count++;
    this.summary[finding.severity]++;
    if (this.list.length < FINDINGS_KEPT) this.list.push(finding);
    this.watcher?.added(finding);
  }

  /** Order: position; findings of one event in the order they were made. */
  sorted(): readonly Finding[] {
    return this.list.toSorted((a, b) => a.position - b.position);
  }
}

/** Whether any finding is at or above a severity. */
export function atOrAbove(summary: Readonly<Record<Severity, number>>, severity: Severity): boolean {
  return SEVERITIES.slice(0, SEVERITIES.indexOf(severity) + 1).some((s) => summary[s] > 0);
}
