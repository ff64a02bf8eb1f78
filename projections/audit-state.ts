/**
 * What the parts of an audit share: the state of every domain, group and device, and where findings go.
 */
import type { EventBatch } from '../events/batch.ts';
import type { Design } from '../machines/design.ts';
import type { DomainRows } from '../machines/domain-rows.ts';
import type { TransitionTable } from '../machines/transition-table.ts';
import type { Attachments } from './attachments.ts';
import type { Checked, Details } from './finding.ts';
import type { Incarnations } from './incarnations.ts';

/** State of one audit under one design. */
export interface AuditState {
  readonly design: Design;
  readonly table: TransitionTable;
  readonly rows: DomainRows;
  readonly incarnations: Incarnations;
  readonly attachments: Attachments;
  readonly checked: Checked;
  /** Whether the events in hand were recorded on a kernel of this design. */
  readonly own: boolean;
  /** Makes domain `d` be in a state, because row `i` shows it. */
  force(b: EventBatch, i: number, d: number, state: number): void;
  /** Reports that a rule met row `i`; `d` is the domain, -1 for none. */
  found(rule: string, b: EventBatch, i: number, d: number, details: Details): void;
}
