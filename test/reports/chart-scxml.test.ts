/**
 * The SCXML export, read back with a reader of its own and compared with the XState machine: every state, event, guard and target,
 * in order. The rules of the W3C schema that such a document can break are checked one by one: which element may stand where,
 * which attributes it has, ids once, references to ids, event descriptors that match no other event.
 */
import { describe, expect, it } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import type { Verdict } from '../../machines/domain-context.ts';
import { ownershipMachine } from '../../machines/ownership.ts';
import { LEDGER_NAMESPACE, renderScxml } from '../../reports/chart-scxml.ts';
import { elementsOf, type Element } from './xml.ts';

interface Row {
  readonly state: string;
  readonly event: string;
  readonly guard: string | null;
  readonly target: string | null;
  readonly action: string | null;
  readonly verdict: Verdict;
}

/** Reads every transition. Order: document order. */
function read(xml: string): Row[] {
  return elementsOf(xml)[0].children.filter((e) => e.name === 'state').flatMap((state) =>
    state.children.map(({ attributes: a }) => ({
      state: state.attributes['id'],
      event: a['event'],
      guard: a['cond'] ?? null,
      target: a['target'] ?? null,
      action: a['ledger:action'] ?? null,
      verdict: { rule: a['ledger:rule'] ?? null, outcome: a['ledger:outcome'] as Verdict['outcome'], errno: a['ledger:errno'] === undefined ? null : Number(a['ledger:errno']) },
    })),
  );
}

interface Transition {
  readonly guard?: string;
  readonly target?: readonly { readonly key: string }[];
  readonly actions: readonly { readonly type: string; readonly params?: Verdict }[];
}

/** What may stand in an element, and with which attributes; attributes of other namespaces are free. */
const SCHEMA: Readonly<Record<string, { readonly inside: readonly string[]; readonly attributes: readonly string[]; readonly required: readonly string[] }>> = {
  scxml: { inside: ['state', 'parallel', 'final', 'datamodel', 'script'], attributes: ['xmlns', 'initial', 'name', 'version', 'datamodel', 'binding'], required: ['xmlns', 'version'] },
  datamodel: { inside: ['data'], attributes: [], required: [] },
  data: { inside: [], attributes: ['id', 'src', 'expr'], required: ['id'] },
  state: { inside: ['onentry', 'onexit', 'transition', 'initial', 'state', 'parallel', 'final', 'history', 'datamodel', 'invoke'], attributes: ['id', 'initial'], required: [] },
  transition: { inside: ['raise', 'if', 'foreach', 'send', 'script', 'assign', 'log', 'cancel'], attributes: ['event', 'cond', 'target', 'type'], required: [] },
};
const NCNAME = /^[A-Za-z_][\w.-]*$/;

describe.each(DESIGNS.map((d) => [d.id, d] as const))('%s', (_, design) => {
  const xml = renderScxml(design);

  it('holds every transition of the machine, in order', () => {
    const machine = ownershipMachine(design);
    const rows = Object.entries(machine.root.states).flatMap(([state, node]) =>
      [...(node.transitions as unknown as Map<string, readonly Transition[]>)].flatMap(([event, list]) =>
        list.map(({ guard, target, actions }): Row => ({
          state,
          event,
          guard: guard ?? null,
          target: target?.[0].key ?? null,
          action: actions.find((a) => a.type !== 'judge')?.type ?? null,
          verdict: actions.find((a) => a.type === 'judge')!.params!,
        })),
      ),
    );
    expect(rows.length).toBeGreaterThan(300);
    expect(read(xml)).toEqual(rows);
    expect(elementsOf(xml)[0].children.filter((e) => e.name === 'state').map((e) => e.attributes['id'])).toEqual(Object.keys(machine.root.states));
    expect(elementsOf(xml)[0].attributes['initial']).toBe('unknown');
  });

  it('breaks no rule of the schema', () => {
    const all = elementsOf(xml);
    const [root] = all;
    expect(root).toMatchObject({ name: 'scxml', attributes: { xmlns: 'http://www.w3.org/2005/07/scxml', version: '1.0', 'xmlns:ledger': LEDGER_NAMESPACE } });
    expect(root.attributes['name']).toMatch(NCNAME);
    const breaches = all.flatMap((e: Element): string[] => {
      const rule = SCHEMA[e.name];
      if (!rule) return [`<${e.name}> is no element`];
      const names = Object.keys(e.attributes);
      return [
        ...e.children.filter((c) => !rule.inside.includes(c.name)).map((c) => `<${c.name}> in <${e.name}>`),
        ...names.filter((n) => !n.includes(':') && !rule.attributes.includes(n)).map((n) => `${n} of <${e.name}>`),
        ...rule.required.filter((n) => !names.includes(n)).map((n) => `<${e.name}> without ${n}`),
        ...(e.text.trim() === '' ? [] : [`text in <${e.name}>`]),
      ];
    });
    expect(breaches).toEqual([]);
    const ids = all.flatMap((e) => e.attributes['id'] ?? []);
    expect(ids.every((id) => NCNAME.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = [root.attributes['initial'], ...all.flatMap((e) => e.attributes['target'] ?? [])];
    expect(targets.every((t) => all.some((e) => e.name === 'state' && e.attributes['id'] === t))).toBe(true);
    const conditions = all.flatMap((e) => e.attributes['cond'] ?? []);
    expect(conditions.every((c) => all.some((e) => e.name === 'data' && e.attributes['id'] === c))).toBe(true);
    // A descriptor matches every event that begins with it and a dot.
    const events = new Set(all.flatMap((e) => e.attributes['event'] ?? []));
    for (const a of events) for (const b of events) expect(a.startsWith(`${b}.`)).toBe(false);
  });
});
