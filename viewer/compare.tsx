/**
 * Compare mode: a second design beside the one that judges, at the same instant, and the way from one difference to the next.
 * The second history is read a slice at a time, so that the page stays alive.
 */
import { computed, signal } from '@preact/signals';
import type { ComponentChildren, TargetedEvent, TargetedKeyboardEvent } from 'preact';
import { useEffect } from 'preact/hooks';
import { ChartView } from './chart-view.tsx';
import { EventTable, Kinds } from './compare-tables.tsx';
import { countUpTo, differencesOf, nextOf, previousOf } from './differences.ts';
import { DomainDetail } from './domain-detail.tsx';
import { History } from './history.ts';
import { findingsAt, found, foundIn, moment, step, subject, subjectName, type FoundAt } from './instant-state.ts';
import { FindingList } from './last-event.tsx';
import { momentAt } from './moment.ts';
import { designId, history, keepHistory, keptHistory, length, otherHistory, otherId, position, recording } from './store.ts';
import './compare.css';

/** Work done before the page is drawn again. Units: milliseconds. */
const SLICE = 40;

/** Id of the second design once its history has been read, and how far reading has come. */
const ready = signal<string | null>(null);
const reading = signal<{ readonly done: number; readonly of: number } | null>(null);

/** What a screen reader says of the jump from difference to difference. */
const announced = signal('');

const beside = computed(() => (otherId.value !== null && otherId.value === ready.value && otherId.value !== designId.value ? otherHistory.value : null));
const differences = computed(() => {
  void length.value;
  return beside.value === null ? new Float64Array() : differencesOf(history.value, beside.value);
});
const foundBeside = computed<FoundAt>(() => {
  void length.value;
  return beside.value === null ? { list: [], positions: new Float64Array() } : foundIn(beside.value);
});
const momentBeside = computed(() => (beside.value === null ? null : momentAt(beside.value, position.value)));

/** Returns the part of the page. */
export function Compare(): ComponentChildren {
  const id = otherId.value;
  useEffect(() => {
    if (id === null) return;
    let wanted = true;
    void read(id, () => wanted);
    return () => {
      wanted = false;
    };
  }, [id]);
  const { designs } = recording.value.header;
  const choose = (event: TargetedEvent<HTMLSelectElement>): void => {
    otherId.value = event.currentTarget.value === '' ? null : event.currentTarget.value;
  };
  return (
    <section class="compare" aria-labelledby="compare-title" data-part="compare" data-position={position.value}>
      <h2 id="compare-title">Compare</h2>
      <p>
        <label>
          Beside {designId.value}:{' '}
          <select value={id ?? ''} onChange={choose}>
            <option value="">no other design</option>
            {designs.filter((d) => d.id !== designId.value).map((d) => <option key={d.id} value={d.id}>{d.title}</option>)}
          </select>
        </label>
      </p>
      {reading.value !== null && <p role="status">Reading under {id} <progress aria-label={`reading under ${id}`} max={reading.value.of} value={reading.value.done} /></p>}
      {beside.value !== null && <SideBySide other={beside.value} />}
    </section>
  );
}

/** Reads the recording under a design unless that has been done; stops where nobody wants it any more. */
async function read(id: string, wanted: () => boolean): Promise<void> {
  if (keptHistory(id) === undefined) {
    const { blocks, header } = recording.value;
    const made = new History(recording.value, id, header.designs.find((d) => d.id === id)!.own);
    let next = performance.now() + SLICE;
    for (let done = 1; made.step(); done++) {
      if (performance.now() < next) continue;
      reading.value = { done, of: blocks.length };
      next = await new Promise<number>((resolve) => void requestAnimationFrame(() => resolve(performance.now() + SLICE)));
      if (!wanted()) return void (reading.value = null);
    }
    keepHistory(id, made);
    reading.value = null;
  }
  ready.value = id;
}

function SideBySide({ other }: { readonly other: History }): ComponentChildren {
  const at = position.value;
  const positions = differences.value;
  const passed = countUpTo(positions, at);
  const isOne = passed > 0 && positions[passed - 1] === at;
  const go = (to: number | null): void => {
    step(to);
    announced.value = to === null ? '' : where(positions.length, countUpTo(positions, to), true, to);
  };
  const keys: Readonly<Record<string, () => number | null>> = { n: () => nextOf(positions, at), p: () => previousOf(positions, at) };
  const onKey = (event: TargetedKeyboardEvent<HTMLElement>): void => {
    const key = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (key === undefined) return;
    event.preventDefault();
    go(key());
  };
  return (
    <>
      <fieldset class="scrubber" onKeyDown={onKey}>
        <legend class="heard-only">Move from difference to difference</legend>
        <div class="scrubber-row">
          <span class="scrubber-group">
            <button type="button" aria-disabled={positions.length === 0} onClick={() => go(positions[0] ?? null)}>First difference</button>
            <button type="button" aria-disabled={previousOf(positions, at) === null} onClick={() => go(previousOf(positions, at))}>Previous difference</button>
            <button type="button" aria-disabled={nextOf(positions, at) === null} onClick={() => go(nextOf(positions, at))}>Next difference</button>
          </span>
          <span data-part="difference" data-differences={positions.length} data-number={isOne ? passed : 0}>{where(positions.length, passed, isOne, at)}</span>
        </div>
        <p class="scrubber-help">A difference is an event at which what the design answers, the state after it, or the rules met differ. Keys while the focus is in this bar: <kbd>n</kbd> <kbd>p</kbd> next and previous difference.</p>
        <p class="heard-only" role="status">{announced.value}</p>
      </fieldset>
      {positions.length > 0 && <Kinds history={history.value} other={other} positions={positions} />}
      {at > 0 && <EventTable sides={[{ of: history.value, now: moment.value, findings: found.value }, { of: other, now: momentBeside.value!, findings: foundBeside.value }]} />}
      <div class="compare-sides">
        <Side history={history.value} findings={found.value} />
        <Side history={other} findings={foundBeside.value} />
      </div>
    </>
  );
}

function where(count: number, passed: number, isOne: boolean, at: number): string {
  if (count === 0) return 'No difference in the whole recording.';
  if (isOne) return `Difference ${passed} of ${count}: event ${at}.`;
  return `${count} difference${count === 1 ? '' : 's'}; event ${at} is none (${passed} before it).`;
}

/** The domain looked at under one of the designs; the other design may count another incarnation of the address. */
function Side({ history: of, findings }: { readonly history: History; readonly findings: FoundAt }): ComponentChildren {
  const at = subject.value;
  const p = position.value;
  const here = findingsAt(findings, p);
  const audit = of.at(p);
  const isThere = at !== null && at.domain < audit.incarnations.size && audit.incarnations.born[at.domain] !== 0;
  const isKnown = isThere && of.domainAt(p, at.domain, at.generation) !== null;
  const generation = isThere && !isKnown ? audit.incarnations.generation[at.domain] : (at?.generation ?? 0);
  const judged = (of === history.value ? moment.value : momentBeside.value)?.judged ?? null;
  const view = at === null ? null : of.domainAt(p, at.domain, generation);
  const design = recording.value.header.designs.find((d) => d.id === of.design.id)!;
  return (
    <div class="compare-side" data-design={of.design.id}>
      <h3>{of.design.id}: {at === null ? 'no domain' : <code>{generation === at.generation ? subjectName.value : `${recording.value.interned.addresses.text(at.domain)}#${generation}`}</code>}</h3>
      {here.length > 0 && <FindingList findings={here} linked={of === history.value} />}
      {at !== null && <DomainDetail history={of} position={p} domain={at.domain} generation={generation} />}
      <ChartView
        design={design.id} chart={design.chart} state={view?.state ?? null}
        edge={judged !== null && judged.domain === at?.domain ? { from: judged.before, to: judged.after, type: String(moment.value.event!['type']) } : null} />
    </div>
  );
}
