/**
 * The timeline by keyboard alone, on a recording of a theft: what keys do to the store, and what is said.
 */
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chosen, designId, keepHistory, length, markers, otherId, position, range, recording } from '../../viewer/store.ts';
import { press, said } from '../../viewer/timeline-actions.ts';
import { changesOf, laneFacts, markersText, nearestEvent, under } from '../../viewer/timeline-facts.ts';
import { axis, axisKind, clock, laneSize, layout, scrolled, setAxis, setView, size, valueOf, view } from '../../viewer/timeline-view.ts';
import { historyOf, pageOfEvents, pageRecording } from './page-history.ts';

const THEFT = fileURLToPath(new URL('../recordings/pdo-steal/steal.trace.txt', import.meta.url));

function key(name: string, held: { shift?: boolean; ctrl?: boolean } = {}): boolean {
  return press({ key: name, shiftKey: held.shift === true, ctrlKey: held.ctrl === true, altKey: false, metaKey: false });
}

async function open(page: Awaited<ReturnType<typeof pageRecording>>, designs: readonly string[]): Promise<void> {
  for (const id of designs) keepHistory(id, historyOf(page, id));
  recording.value = page;
  length.value = page.length;
  designId.value = designs[0];
}

beforeAll(async () => {
  await open(await pageRecording(THEFT), ['private-data-owner', 'v6.12']);
  size.value = { width: 1000, height: 100, ratio: 1, gutter: 150 };
});

beforeEach(() => {
  chosen.value = null;
  markers.value = [null, null];
  range.value = null;
  otherId.value = null;
  axisKind.value = 'time';
  laneSize.value = 'fit';
  scrolled.value = 0;
  position.value = 0;
  said.value = '';
});

const chosenAddress = (): string => `${recording.value.interned.addresses.text(chosen.value!.domain)}#${chosen.value!.generation}`;

describe('keys', () => {
  it('go from lane to lane and say what each is', () => {
    expect(key('ArrowDown')).toBe(true);
    expect(chosenAddress()).toBe('0xffff800080f0c1b8#1');
    key('ArrowDown');
    // First seen as the domain that a group left.
    expect(chosenAddress()).toBe('0xffff000001e4f520#1');
    key('ArrowDown');
    expect(chosenAddress()).toBe('0xffff0000035e9d20#1');
    expect(said.value).toBe('0xffff0000035e9d20#1: not seen yet; instant: event 0; seen from event 5 to event 86; 5 findings, the worst critical');
    key('ArrowUp');
    key('ArrowUp');
    key('ArrowUp');
    expect(chosenAddress()).toBe('0xffff800080f0c1b8#1');
  });

  it('go from event to event of the lane, with shift from change to change, and say where there is none', () => {
    key('ArrowDown');
    key('ArrowDown');
    key('ArrowDown');
    key('ArrowRight');
    expect(position.value).toBe(5);
    key('ArrowRight', { shift: true });
    expect(position.value).toBe(33);
    expect(said.value).toContain('msi_owned since event 33 at 125.345816 s; event 33 iommu_get_msi_cookie');
    expect(said.value).toContain('critical: get-msi-cookie-on-iommufd');
    key('ArrowRight', { shift: true });
    expect(position.value).toBe(86);
    key('ArrowRight', { shift: true });
    expect(said.value).toMatch(/^no later change of state of this lane; /);
    key('ArrowLeft', { shift: true });
    expect(position.value).toBe(33);
    key('Home');
    expect(position.value).toBe(5);
    key('End');
    expect(position.value).toBeGreaterThanOrEqual(86);
  });

  it('zoom around the instant, pan, and show all', () => {
    position.value = 33;
    const before = (valueOf(33) - view.value[0]) / (view.value[1] - view.value[0]);
    key('+');
    key('+');
    expect((valueOf(33) - view.value[0]) / (view.value[1] - view.value[0])).toBeCloseTo(before, 6);
    const [from] = view.value;
    key('ArrowRight');
    expect(view.value[0]).toBeGreaterThan(from);
    key('ArrowLeft', { ctrl: true });
    expect(view.value[0]).toBeCloseTo(from, 9);
    key('0');
    expect(range.value).toBeNull();
  });

  it('set markers at instants, say what is between them, and clear them before the lane', () => {
    key('ArrowDown');
    key('ArrowDown');
    position.value = 5;
    key('a');
    position.value = 33;
    key('b');
    expect(said.value).toBe(markersText());
    expect(markersText()).toBe('A 125.278705 s · B 125.345816 s · B - A = 67.111 ms · 28 events from one to the other');
    key('Escape');
    expect(markers.value).toEqual([null, null]);
    expect(chosen.value).not.toBeNull();
    key('Escape');
    expect(chosen.value).toBeNull();
  });

  it('show the life of a lane and make lanes higher', () => {
    key('ArrowDown');
    key('ArrowDown');
    key('ArrowDown');
    key('Enter');
    expect(view.value[0]).toBeLessThan(valueOf(5));
    expect(view.value[1]).toBeGreaterThan(valueOf(86));
    expect(view.value[1] - view.value[0]).toBeLessThan(axis.value.end - axis.value.begin);
    const { lane } = layout.value;
    key(']');
    expect(layout.value.lane).toBeGreaterThan(lane);
  });

  it('that are the browser’s stay the browser’s', () => {
    expect(press({ key: 'ArrowLeft', shiftKey: false, ctrlKey: false, altKey: true, metaKey: false })).toBe(false);
    expect(key('+', { ctrl: true })).toBe(false);
    expect(key('Tab')).toBe(false);
    expect(key('constructor')).toBe(false);
  });
});

describe('the axis of events', () => {
  it('shows the same part as the axis of time, and goes back to it', () => {
    setView([valueOf(10), valueOf(40)]);
    const [from, to] = view.value;
    setAxis('event');
    expect(view.value).toEqual([10, 41]);
    setAxis('time');
    expect(view.value[0]).toBeCloseTo(from, 6);
    expect(view.value[1]).toBeCloseTo(to, 6);
  });

  it('follows a range that a link gives', () => {
    setAxis('event');
    setView([10.25, 20.5]);
    expect(view.value).toEqual([10.25, 20.5]);
    axisKind.value = 'time';
    const other: [number, number] = [valueOf(50), valueOf(60)];
    axisKind.value = 'event';
    range.value = other;
    expect(view.value[0]).toBeGreaterThanOrEqual(50);
    expect(view.value[1]).toBeLessThanOrEqual(62);
  });

  it('is the only one where a recording has no times', async () => {
    const was = recording.value;
    await open(pageOfEvents([{ type: 'iommu_domain_alloc', domain: '0x1000', domain_type: 1, errno: 0 }, { type: 'iommu_domain_free', domain: '0x1000' }]), ['cookie-type']);
    try {
      expect(clock.value).toBeNull();
      expect(axis.value).toMatchObject({ kind: 'event', end: 3 });
      position.value = 2;
      key('a');
      expect(markersText()).toBe('A event 2');
      expect(laneFacts(0, 1)).toBe('0x1000#1: unowned since event 1 at event 1; event 1 iommu_domain_alloc at event 1; seen from event 1 to event 2; 0 findings');
    } finally {
      recording.value = was;
      length.value = was.length;
      designId.value = 'private-data-owner';
    }
  });
});

describe('words', () => {
  it('say both designs where they differ', () => {
    otherId.value = 'v6.12';
    expect(laneFacts(2, 20)).toMatch(/^0xffff0000035e9d20#1: iommufd_owned, under the other design unowned since event 5/);
  });

  it('name what is under the pointer and the event next to it', () => {
    const { state, nearest, findings } = under(2, valueOf(33) + 1e-5, valueOf);
    expect(state).toBe('msi_owned, since event 33 at 125.345816 s');
    expect(nearest).toContain('nearest: event 33 iommu_get_msi_cookie');
    expect(findings).toEqual(['critical: get-msi-cookie-on-iommufd']);
    expect(nearestEvent(2, valueOf(33) + 1e-3, 1e-6, valueOf)).toBe(0);
  });

  it('list the changes of a lane', () => {
    expect(changesOf(2).lines.map(({ position: p }) => p)).toEqual([5, 33, 86]);
    expect(changesOf(2).more).toBe(0);
  });
});
