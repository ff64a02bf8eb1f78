/**
 * What stands around the timeline's canvas: buttons, the legend, the facts of the chosen lane as text, the tip at the pointer,
 * and which key does what.
 */
import type { ComponentChildren } from 'preact';
import { STATES } from '../machines/states.ts';
import { designId, history, length, markers, otherId, position, range } from './store.ts';
import { choose, clearMarkers, mark, resize, showAll, showLane, visit, zoom } from './timeline-actions.ts';
import { laneUnder } from './timeline-draw.ts';
import { changesOf, laneFacts, markersText, under } from './timeline-facts.ts';
import { LETTERS, MEANINGS } from './timeline-states.ts';
import {
  axisKind, backward, chosenLane, clock, laneSize, layout, losses, pointer, rowOf, setAxis, shown, size, tracks, valueAt, valueOf,
} from './timeline-view.ts';

/** Buttons: everything that keys and the pointer do. */
export function Tools(): ComponentChildren {
  const lane = chosenLane.value;
  return (
    <div class="timeline-tools" role="group" aria-label="Timeline: zoom, lanes, axis, markers">
      <span>
        <button type="button" onClick={() => zoom(1 / 2)} aria-label="zoom in" title="zoom in (+)">+</button>
        <button type="button" onClick={() => zoom(2)} aria-label="zoom out" title="zoom out (-)" disabled={range.value === null}>−</button>
        <button type="button" onClick={showAll} title="show all of the recording (0)" disabled={range.value === null}>all</button>
        <button type="button" onClick={() => showLane(lane)} title="show the chosen lane’s life (Enter, double click)" disabled={lane < 0}>lane’s life</button>
      </span>
      <span>
        <button type="button" onClick={() => resize(1)} aria-label="higher lanes" title="higher lanes (])">lanes ↕+</button>
        <button type="button" onClick={() => resize(-1)} aria-label="lower lanes" title="lower lanes ([)">↕−</button>
        <button type="button" onClick={() => (laneSize.value = 'fit')} aria-pressed={laneSize.value === 'fit'}>fit all</button>
      </span>
      {clock.value === null ? <span>no times in this recording: events in their order</span> : (
        <span role="radiogroup" aria-label="axis">
          {(['time', 'event'] as const).map((kind) => (
            <label key={kind}><input type="radio" name="timeline-axis" checked={axisKind.value === kind} onChange={() => setAxis(kind)} />{kind === 'time' ? 'by time' : 'by event'}</label>
          ))}
        </span>
      )}
      <span>
        <button type="button" onClick={() => mark(0)} title="marker A at the instant (a)">set A</button>
        <button type="button" onClick={() => mark(1)} title="marker B at the instant (b)">set B</button>
        <button type="button" onClick={clearMarkers} title="(Esc)" disabled={markers.value[0] === null && markers.value[1] === null}>clear</button>
      </span>
    </div>
  );
}

/** Where the markers are. Always one line below the lanes, so that nothing moves when one is set. */
export function Between(): ComponentChildren {
  const text = markersText();
  return <p class="timeline-between">{text === '' ? 'no markers: a and b set them at the instant' : <span class="mono">{text}</span>}</p>;
}

/** What colours, letters and marks mean. */
export function Legend(): ComponentChildren {
  void length.value;
  const { lane, count } = layout.value;
  const { list, count: found } = history.value.last.findings;
  return (
    <>
      <ul class="timeline-legend" aria-label="legend">
        {STATES.map((name, code) => (
          <li key={name} title={MEANINGS[code]}><span class={`timeline-swatch state-${name}`} aria-hidden="true">{LETTERS[code]}</span>{name === 'freed' ? 'freed: the lane ends' : name}</li>
        ))}
        <li><span class="timeline-sign sign-attach" aria-hidden="true" />attachment</li>
        <li><span class="timeline-sign sign-page" aria-hidden="true" />MSI page</li>
        <li><span class="timeline-sign sign-finding" aria-hidden="true" />finding: critical, error</li>
        <li><span class="timeline-sign sign-finding hollow" aria-hidden="true" />warning, info</li>
        {losses.value.length > 0 && <li><span class="timeline-sign sign-gap" aria-hidden="true" />events lost: owners are unknown until seen again</li>}
        {otherId.value !== null && <li>where they differ: above {designId.value}, below {otherId.value}</li>}
      </ul>
      <p class="timeline-note">
        {count === tracks.value.lanes.length ? `${count} domains` : `${count} of ${tracks.value.lanes.length} domains`}, one lane each.
        {lane * size.value.ratio < 1 && ` ${(1 / (lane * size.value.ratio)).toFixed(1)} lanes share a row of pixels, which shows the state of most of them; no finding is left out.`}
        {found > list.length && ` Of ${found} findings the first ${list.length} are drawn.`}
        {backward.value > 0 && clock.value !== null && ` Times go back at ${backward.value} events: those are drawn where time had come to; “by event” shows their order.`}
      </p>
    </>
  );
}

/** The chosen lane in words. */
export function Facts(): ComponentChildren {
  const lane = chosenLane.value;
  if (lane < 0) return <p class="timeline-note">No lane is chosen: click one, or press the down arrow in the timeline.</p>;
  const { lines, more } = changesOf(lane);
  return (
    <div class="timeline-facts">
      <p class="mono">{laneFacts(lane, position.value)}{rowOf.value[lane] < 0 && ' (the filter hides this lane)'}</p>
      <details>
        <summary>Changes of state of this lane</summary>
        <ol class="mono">
          {lines.map(({ position: p, text }) => <li key={p}><button type="button" class="timeline-link" onClick={() => visit(p)}>{text}</button></li>)}
        </ol>
        {more > 0 && <p>and {more} more</p>}
      </details>
    </div>
  );
}

/** What is under the pointer. */
export function Tip(): ComponentChildren {
  const p = pointer.value;
  const lane = p === null || p.x < 0 ? -1 : laneUnder(p.y);
  if (p === null || lane < 0) return null;
  const { width, height } = size.value;
  const gutter = size.value.gutter;
  const { name, state, time, nearest, findings } = under(lane, valueAt(p.x), valueOf);
  const right = p.x > width / 2;
  const low = p.y > height / 2;
  return (
    <div
      class="timeline-tip mono" aria-hidden="true"
      style={{ [right ? 'right' : 'left']: `${right ? width - p.x + 28 : gutter + p.x + 12}px`, [low ? 'bottom' : 'top']: `${low ? height - p.y + 10 : p.y + 44}px` }}
    >
      <b>{name}</b>
      <span>{state}</span>
      <span>{time}</span>
      {nearest !== null && <span>{nearest}</span>}
      {findings.map((f) => <span key={f} class="timeline-bad">{f}</span>)}
    </div>
  );
}

/** Which key does what. */
export function Help(): ComponentChildren {
  const keys: readonly (readonly [string, string])[] = [
    ['↑ ↓', 'lane'], ['← →', 'event of the chosen lane; without one: pan'], ['Shift ← →', 'change of its state'], ['Ctrl ← →', 'pan'],
    ['Home End', 'first and last event of the lane, or the recording’s ends'], ['PgUp PgDn', 'lanes by the page'], ['+ −', 'zoom'], ['0', 'all'],
    ['Enter', 'the lane’s life'], ['[ ]', 'lower, higher lanes'], ['a b', 'marker A, B at the instant'], ['Esc', 'clear markers, then the lane'],
  ];
  return (
    <details class="timeline-help">
      <summary>Keys and pointer</summary>
      <dl id="timeline-keys">
        {keys.map(([key, does]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{does}</dd></div>)}
        <div><dt>pointer</dt><dd>drag pans, Ctrl + wheel or two fingers zoom, click chooses a lane and goes to the instant, double click shows its life, marker flags can be dragged</dd></div>
      </dl>
      {shown.value.length > 0 && chosenLane.value < 0 && <button type="button" onClick={() => choose(shown.value[0])}>choose the first lane</button>}
    </details>
  );
}
