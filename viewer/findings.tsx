/**
 * The list of findings under the design that judges, a page at a time. When the instant moves to a finding, the list shows it.
 */
import { useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Finding } from '../projections/finding.ts';
import { isUnchecked, NOTHING_COMPARED } from '../reports/audit-text.ts';
import { severitiesText } from '../reports/text.ts';
import { plural } from '../reports/text.ts';
import { FindingView } from './finding.tsx';
import { Pager } from './pager.tsx';
import { laneOfFinding } from './row-index.ts';
import { findings, listed, rowIndex } from './search.ts';
import { chosen, goTo, history, length, position, recording } from './store.ts';
import './findings.css';

/** Findings on one page. */
const PAGE = 20;

/** Returns the part of the page. */
export function Findings(): ComponentChildren {
  const list = listed.value;
  const page = useSignal(0);
  const was = useRef(position.peek());
  useSignalEffect(() => {
    const n = indexFrom(listed.value, position.value);
    if (was.current !== position.value && listed.value[n]?.position === position.value) page.value = Math.floor(n / PAGE);
    was.current = position.value;
  });
  const pages = Math.max(1, Math.ceil(list.length / PAGE));
  const at = Math.min(page.value, pages - 1);
  const shown = list.slice(at * PAGE, (at + 1) * PAGE);
  return (
    <section class="findings" aria-labelledby="findings-title">
      <h2 id="findings-title">Findings</h2>
      <p>{countText(list.length)}</p>
      <Pager what="findings" page={at} pages={pages} onPage={(to) => (page.value = to)} />
      <div class="list">
        {shown.map((f) => <FindingView key={`${history.value.design.id} ${f.position} ${nthOf(f)}`} finding={f} nth={nthOf(f)} />)}
      </div>
      {pages > 1 && <Pager what="findings, below the list" page={at} pages={pages} onPage={(to) => (page.value = to)} />}
    </section>
  );
}

/** Goes to the next finding that is listed, or to the one before. */
export function goToFinding(direction: 1 | -1): void {
  const list = listed.value;
  const n = direction === 1 ? indexFrom(list, position.value + 1) : indexFrom(list, position.value) - 1;
  const { [n]: f } = list;
  if (!f) return;
  goTo(f.position);
  const lane = history.value.lanes.list[laneOfFinding(f, rowIndex.value, history.value.lanes, recording.value)];
  if (lane) chosen.value = lane;
  requestAnimationFrame(() => document.querySelector(`[id^="finding-${f.position}-"]`)?.scrollIntoView({ block: 'nearest' }));
}

function countText(shown: number): string {
  void length.value;
  const { last, own } = history.value;
  const { count, list } = last.findings;
  const all = findings.value.length;
  if (count === 0) return ['none', own && isUnchecked(last.checked) ? NOTHING_COMPARED : '', last.gaps.count > 0 ? 'what happened while events were lost is not judged' : ''].filter(Boolean).join('; ');
  const unlisted = count > list.length ? `; ${plural(count - list.length, 'more finding')} only counted` : '';
  return shown === all ? `${severitiesText(last.findings.summary)}${unlisted}` : `${shown} of ${all} match the search${unlisted}`;
}

/** Index of the first finding at or behind a position. */
function indexFrom(list: readonly Finding[], at: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].position < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which of its event's findings it is, from 1. */
function nthOf(f: Finding): number {
  const list = findings.value;
  let n = indexFrom(list, f.position);
  while (list[n] !== f) n++;
  return n - indexFrom(list, f.position) + 1;
}
