/**
 * Moving through the recording: a slider over all positions, step buttons and keys, jumps to events of the domain looked at and
 * to findings. The slider is followed once a frame at most.
 */
import type { ComponentChildren, TargetedEvent, TargetedKeyboardEvent } from 'preact';
import { nextOf, previousOf } from './differences.ts';
import { eventOfDomain, found, moment, said, step, subjectName } from './instant-state.ts';
import { chosen, goTo, length, position } from './store.ts';

/** Keys that work while the focus is anywhere in the bar. */
const KEYS: Readonly<Record<string, () => number | null>> = {
  j: () => position.value + 1,
  k: () => position.value - 1,
  PageUp: () => position.value - 10,
  PageDown: () => position.value + 10,
  n: nextFinding,
  p: previousFinding,
  ']': () => eventOfDomain(1),
  '[': () => eventOfDomain(-1),
};

let wanted: number | null = null;

/** Returns the bar. */
export function Scrubber(): ComponentChildren {
  const at = position.value;
  const last = length.value;
  const { time } = moment.value;
  return (
    <fieldset class="scrubber" onKeyDown={onKey}>
      <legend class="heard-only">Move through the recording</legend>
      <input
        type="range" class="scrubber-range" min={0} max={last} step={1} value={at} aria-label="Instant"
        aria-valuetext={at === 0 ? 'before the first event' : `event ${at} of ${last}${time === null ? '' : ` at ${time} seconds`}`}
        onInput={drag} onChange={settle} />
      <div class="scrubber-row">
        <span class="scrubber-group">
          <Step name="First" to={() => (at === 1 ? null : 1)} off={at === 1} />
          <Step name="Back 10" to={() => at - 10} off={at === 0} />
          <Step name="Back" to={() => at - 1} off={at === 0} />
          <Step name="Forward" to={() => at + 1} off={at === last} />
          <Step name="Forward 10" to={() => at + 10} off={at === last} />
          <Step name="Last" to={() => last} off={at === last} />
        </span>
        <label class="scrubber-field">event <input type="number" min={0} max={last} value={at} onChange={typed} /> of {last}</label>
        <output class="mono">{time === null ? 'no time' : `${time} s`}</output>
      </div>
      <div class="scrubber-row">
        <span class="scrubber-group">
          <Step name="Previous finding" to={previousFinding} off={previousOf(found.value.positions, at) === null} />
          <Step name="Next finding" to={nextFinding} off={nextOf(found.value.positions, at) === null} />
        </span>
        <span class="scrubber-group">
          <Step name="Previous event of the domain" to={() => eventOfDomain(-1)} off={subjectName.value === null} />
          <Step name="Next event of the domain" to={() => eventOfDomain(1)} off={subjectName.value === null} />
        </span>
        <label><input type="checkbox" checked={chosen.value === null} onChange={follow} /> look at the domain of each event</label>
      </div>
      <p class="scrubber-help">
        Keys while the focus is in this bar: <kbd>j</kbd> <kbd>k</kbd> or arrows one event, <kbd>Page Down</kbd> <kbd>Page Up</kbd> ten,{' '}
        <kbd>Home</kbd> <kbd>End</kbd> on the slider, <kbd>n</kbd> <kbd>p</kbd> next and previous finding, <kbd>]</kbd> <kbd>[</kbd> next and previous event of the domain.
      </p>
      <p role="status" class="heard-only">{said.value}</p>
    </fieldset>
  );
}

/** A button that goes somewhere. It keeps the focus where it leads nowhere, so that keys go on working. */
function Step({ name, to, off }: { readonly name: string; readonly to: () => number | null; readonly off: boolean }): ComponentChildren {
  return <button type="button" aria-disabled={off} onClick={() => step(off ? null : to())}>{name}</button>;
}

function nextFinding(): number | null {
  return nextOf(found.value.positions, position.value);
}

function previousFinding(): number | null {
  return previousOf(found.value.positions, position.value);
}

function onKey(event: TargetedKeyboardEvent<HTMLElement>): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || (target instanceof HTMLInputElement && target.type === 'number')) return;
  const key = KEYS[event.key];
  if (key === undefined) return;
  event.preventDefault();
  step(key());
}

function drag(event: TargetedEvent<HTMLInputElement>): void {
  const first = wanted === null;
  wanted = event.currentTarget.valueAsNumber;
  if (first) requestAnimationFrame(flush);
}

function flush(): void {
  if (wanted !== null) goTo(wanted);
  wanted = null;
}

function settle(event: TargetedEvent<HTMLInputElement>): void {
  wanted = null;
  step(event.currentTarget.valueAsNumber);
}

function typed(event: TargetedEvent<HTMLInputElement>): void {
  const to = event.currentTarget.valueAsNumber;
  if (Number.isFinite(to)) step(to);
  event.currentTarget.value = String(position.value);
}

function follow(event: TargetedEvent<HTMLInputElement>): void {
  chosen.value = event.currentTarget.checked ? null : (moment.value.subject ?? null);
}
