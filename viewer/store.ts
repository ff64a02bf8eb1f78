/**
 * What the page shows at the moment, as signals: everything on it follows from these and from the recording.
 * `viewer/location.ts` keeps the part that makes a link in the URL's fragment.
 */
import { computed, signal } from '@preact/signals';
import { History } from './history.ts';
import type { PageRecording } from './recording.ts';

/** How far loading has come; `ready` once everything has been read. */
export const loading = signal<{ readonly phase: string; readonly done: number; readonly of: number } | null>({ phase: 'opening', done: 0, of: 1 });
/** Why the page cannot be shown. */
export const failure = signal<string | null>(null);
/** The recording; set before anything else is drawn. */
export const recording = signal<PageRecording>(null as unknown as PageRecording);
/** Grows with every block that a live page receives: whoever depends on the recording's length reads it. */
export const length = signal(0);
/** Ids of the designs: the one that judges, and the one beside it or null. */
export const designId = signal('');
export const otherId = signal<string | null>(null);
/** Position of the instant that is shown; 0 is before the first event. */
export const position = signal(0);
/** Lane that is looked at: a domain number and a generation, or null. */
export const chosen = signal<{ readonly domain: number; readonly generation: number } | null>(null);
/** What was typed into the search field. */
export const query = signal('');
/** Markers A and B on the timeline, in seconds since the first event; null where not set. */
export const markers = signal<readonly [number | null, number | null]>([null, null]);
/** Part of the recording that the timeline shows, in seconds since the first event; null: all of it. */
export const range = signal<readonly [number, number] | null>(null);

const histories = new Map<string, History>();

/** Returns the history under a design, which has read everything. It is made when it is asked for first. */
export function historyOf(id: string): History {
  let history = histories.get(id);
  if (!history) {
    const own = recording.value.header.designs.find((d) => d.id === id)!.own;
    histories.set(id, (history = new History(recording.value, id, own)));
  }
  while (history.step());
  if (recording.value.complete) history.end();
  return history;
}

/** Returns the history under a design where it has been made. */
export function keptHistory(id: string): History | undefined {
  return histories.get(id);
}

/** Puts a history that is being read where `historyOf` finds it. */
export function keepHistory(id: string, history: History): void {
  histories.set(id, history);
}

/** The history under the design that judges. */
export const history = computed(() => {
  void length.value;
  return historyOf(designId.value);
});

/** The history under the design beside it, or null. */
export const otherHistory = computed(() => {
  void length.value;
  return otherId.value === null ? null : historyOf(otherId.value);
});

/** Goes to a position, within the recording. */
export function goTo(to: number): void {
  position.value = Math.max(0, Math.min(recording.value.length, Math.round(to)));
}
