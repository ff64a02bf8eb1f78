/**
 * Mouse, pen and fingers on the timeline: drag pans, two fingers and ctrl+wheel zoom where they are, a click chooses a lane and
 * goes to the instant, a double click shows the lane's life, markers are dragged by their flags or lines.
 */
import { batch } from '@preact/signals';
import { chosen, goTo, markers } from './store.ts';
import { choose, mark, showLane, zoom } from './timeline-actions.ts';
import { AXIS, laneUnder } from './timeline-draw.ts';
import { nearestEvent } from './timeline-facts.ts';
import { clampView } from './timeline-scale.ts';
import { axis, instantAt, layout, markerValue, pointer, scrolled, setView, size, valueAt, valueOf, view, xOf } from './timeline-view.ts';

/** How near a click must be to an event to mean it, how near to a marker, and how far a hand shakes. Units: CSS pixels. */
const SNAP = 5;
const GRIP = 6;
const FINGER = 14;
const SHAKE = 4;

interface Drag {
  readonly x: number;
  readonly y: number;
  readonly view: readonly [number, number];
  readonly top: number;
  readonly marker: 0 | 1 | -1;
  moved: boolean;
}

/** Listens on an element of the size of both canvases; returns a function that ends it. */
export function listen(element: HTMLElement): () => void {
  const fingers = new Map<number, { x: number; y: number }>();
  let drag: Drag | null = null;
  let apart = 0;

  const place = (e: MouseEvent): { x: number; y: number } => {
    const box = element.getBoundingClientRect();
    return { x: e.clientX - box.left - gutter(), y: e.clientY - box.top - AXIS };
  };
  const gutter = (): number => size.value.gutter;

  const begin = (at: { x: number; y: number }, marker: Drag['marker']): void => {
    drag = { ...at, view: view.value, top: layout.value.top, marker, moved: false };
  };

  const down = (e: PointerEvent): void => {
    if (e.button !== 0) return;
    const at = place(e);
    fingers.set(e.pointerId, at);
    element.setPointerCapture(e.pointerId);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      apart = Math.hypot(a.x - b.x, a.y - b.y);
      drag = null;
    } else begin(at, markerAtPlace(at, e.pointerType === 'mouse' ? GRIP : FINGER));
  };

  const move = (e: PointerEvent): void => {
    const at = place(e);
    if (e.pointerType === 'mouse') pointer.value = at;
    if (fingers.has(e.pointerId)) fingers.set(e.pointerId, at);
    element.style.cursor = drag === null ? (markerAtPlace(at, GRIP) >= 0 ? 'ew-resize' : '') : drag.marker >= 0 ? 'ew-resize' : 'grabbing';
    if (fingers.size === 2) pinch();
    else if (drag !== null) follow(at);
  };

  const pinch = (): void => {
    const [a, b] = [...fingers.values()];
    const now = Math.hypot(a.x - b.x, a.y - b.y);
    if (apart > 0 && now > 0) zoom(apart / now, valueAt((a.x + b.x) / 2));
    apart = now;
  };

  const follow = (at: { x: number; y: number }): void => {
    const d = drag!;
    if (!d.moved && Math.hypot(at.x - d.x, at.y - d.y) < SHAKE) return;
    d.moved = true;
    if (d.marker >= 0) return mark(d.marker as 0 | 1, snapped(at));
    const by = ((d.x - at.x) / size.value.width) * (d.view[1] - d.view[0]);
    batch(() => {
      setView(clampView(axis.value, [d.view[0] + by, d.view[1] + by]));
      scrolled.value = Math.max(0, d.top + d.y - at.y);
    });
  };

  const up = (e: PointerEvent): void => {
    const at = place(e);
    const d = drag;
    fingers.delete(e.pointerId);
    drag = null;
    if (fingers.size === 1) {
      begin([...fingers.values()][0], -1);
      drag!.moved = true; // the finger that is left clicks nothing
      return;
    }
    element.style.cursor = '';
    if (d === null || d.moved || d.marker >= 0 || e.type === 'pointercancel') return;
    click(at);
  };

  const click = (at: { x: number; y: number }): void => {
    const lane = laneUnder(at.y);
    batch(() => {
      if (at.x >= 0) goTo(instantAt(snapped(at)));
      if (lane >= 0) choose(lane);
      else if (at.y >= 0) chosen.value = null;
    });
  };

  const double = (e: MouseEvent): void => {
    const lane = laneUnder(place(e).y);
    if (lane >= 0) showLane(lane);
  };

  const wheel = (e: WheelEvent): void => {
    const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? size.value.height : 1;
    if (e.ctrlKey || e.metaKey) {
      e.preventDefault();
      zoom(Math.exp(Math.max(-120, Math.min(120, e.deltaY * unit)) * 0.006), valueAt(Math.max(0, place(e).x)));
      return;
    }
    const sideways = e.shiftKey && e.deltaX === 0 ? e.deltaY : e.deltaX;
    if (Math.abs(sideways) > (e.shiftKey ? 0 : Math.abs(e.deltaY))) {
      e.preventDefault();
      const by = ((sideways * unit) / size.value.width) * (view.value[1] - view.value[0]);
      setView(clampView(axis.value, [view.value[0] + by, view.value[1] + by]));
      return;
    }
    const { count, lane, height, top } = layout.value;
    const to = Math.max(0, Math.min(count * lane - height, top + e.deltaY * unit));
    if (to === top) return; // the page scrolls on
    e.preventDefault();
    scrolled.value = to;
  };

  const leave = (): void => {
    pointer.value = null;
  };

  const events: readonly (readonly [string, (e: never) => void])[] = [
    ['pointerdown', down], ['pointermove', move], ['pointerup', up], ['pointercancel', up], ['pointerleave', leave], ['dblclick', double],
  ];
  for (const [name, listener] of events) element.addEventListener(name, listener as EventListener);
  element.addEventListener('wheel', wheel, { passive: false });
  return () => {
    for (const [name, listener] of events) element.removeEventListener(name, listener as EventListener);
    element.removeEventListener('wheel', wheel);
  };
}

/** Which marker is at a place: its flag on the axis, or its line. */
function markerAtPlace({ x, y }: { x: number; y: number }, grip: number): 0 | 1 | -1 {
  const reach = y < 0 ? Math.max(grip, 9) : grip - 2;
  let best: 0 | 1 | -1 = -1;
  let least = reach;
  for (const which of [0, 1] as const) {
    const m = markers.value[which];
    if (m === null) continue;
    const far = Math.abs(xOf(markerValue(m)) - x);
    if (far <= least) [best, least] = [which, far];
  }
  return best;
}

/** Value of the axis at a place: that of the lane's event next to it, if there is one so near that it is meant. */
function snapped({ x, y }: { x: number; y: number }): number {
  // A hand is not finer than a nanosecond.
  const value = Math.round(valueAt(Math.max(0, Math.min(size.value.width, x))) * 1e9) / 1e9;
  const lane = y < 0 ? -1 : laneUnder(y);
  if (lane < 0) return value;
  const event = nearestEvent(lane, value, valueAt(SNAP) - valueAt(0), valueOf);
  return event === 0 ? value : valueOf(event);
}
