/**
 * Search and filters: which lanes, events and findings the page shows. Everything follows from the query, under the design that judges.
 */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { Finding } from '../projections/finding.ts';
import { indexRows, type RowIndex } from './row-index.ts';
import { search, type Matches } from './search-match.ts';
import { parseQuery, type Word } from './search-query.ts';
import { history, length, query, recording } from './store.ts';

/** All findings under the design that judges, in the order of the recording. */
export const findings: ReadonlySignal<readonly Finding[]> = computed(() => (void length.value, history.value.findings));

/** Lane and states of every event under that design. */
export const rowIndex: ReadonlySignal<RowIndex> = computed(() => {
  void length.value;
  return indexRows(recording.value, history.value.lanes);
});

/** The query's words. */
export const words: ReadonlySignal<readonly Word[]> = computed(() => parseQuery(query.value));

/** What the query matches, or null where it asks for nothing. */
export const matches: ReadonlySignal<Matches | null> = computed(() => {
  if (words.value.length === 0) return null;
  return search(words.value, { recording: recording.value, lanes: history.value.lanes, index: rowIndex.value, findings: findings.value });
});

/** By lane of the judging design's history: 1 where it is shown; null where all are. */
export const laneFilter: ReadonlySignal<Uint8Array | null> = computed(() => matches.value?.lanes ?? null);

/** Findings that are listed. */
export const listed: ReadonlySignal<readonly Finding[]> = computed(() => matches.value?.findings ?? findings.value);
