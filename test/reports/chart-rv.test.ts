/**
 * The model for Linux runtime verification, read in both dialects of DOT that its generators have had, each by a reader that
 * follows the kernel's own: `tools/verification/dot2/automata.py` up to v7.0 (lines and words by their place) and
 * `tools/verification/rvgen/rvgen/automata.py` of v7.3 (a grammar, one edge between two states). Both must give the automaton, and
 * the automaton must go where the machine goes.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { LEGAL, automatonOf, eventName, isMade, type Automaton, type Step } from '../../machines/automaton.ts';
import { DESIGNS } from '../../machines/design-list.ts';
import type { DomainContext } from '../../machines/domain-context.ts';
import { ownershipMachine } from '../../machines/ownership.ts';
import type { MachineEventType, State } from '../../machines/states.ts';
import { renderRv } from '../../reports/chart-rv.ts';
import { draw, machineEvent, type Draw } from '../machines/machine-events.ts';

interface Model {
  readonly X: readonly string[];
  readonly x0: string;
  readonly Xm: readonly string[];
  readonly f: readonly { readonly from: string; readonly event: string; readonly to: string }[];
}

const words = (line: string): string[] => line.trim().split(/\s+/);
const bare = (word: string): string => word.replaceAll(/"|\};/g, '').replaceAll(',', '_');

/** Up to v7.0: the node lines, one line that is skipped, then lines that begin with a quote. */
function readLines(text: string): Model {
  const lines = text.split('\n');
  if (words(lines[0])[0] !== 'digraph' || words(lines[0])[1] !== 'state_automaton') throw new Error('not a model');
  let at = lines.findIndex((line) => words(line)[0] === '{node');
  const X: string[] = [];
  const Xm: string[] = [];
  let x0 = '';
  for (; words(lines[at])[0] === '{node'; at++) {
    const state = bare(words(lines[at]).at(-1)!);
    if (state.startsWith('__init_')) x0 = state.slice(7);
    else X.push(state);
    if (/doublecircle|ellipse/.test(lines[at])) Xm.push(state);
  }
  const f: { from: string; event: string; to: string }[] = [];
  for (at++; lines[at].trimStart().startsWith('"'); at++) {
    const line = words(lines[at]);
    if (line[1] !== '->') continue;
    for (const event of bare(line.at(-2)!).split('\\n')) f.push({ from: bare(line[0]), event, to: bare(line[2]) });
  }
  return { X, x0, Xm, f };
}

/** From v7.1 on: statements; of several edges between two states only the first one's label counts. */
function readGrammar(text: string): Model {
  const token = /\s*(?:(?<quoted>"(?:[^"\\]|\\.)*")|(?<word>[A-Za-z_]\w*)|(?<sign>->|[{}[\]=;,]))/gy;
  const tokens: string[] = [];
  let at = 0;
  for (const m of text.trimEnd().matchAll(token)) {
    if (m.index !== at) break;
    at += m[0].length;
    tokens.push(m.groups!['quoted'] ?? m.groups!['word'] ?? m.groups!['sign']);
  }
  if (at !== text.trimEnd().length) throw new Error(`no token of the grammar: ${text.slice(at, at + 20)}`);
  const unquote = (t: string): string => t.replaceAll('"', '');
  const nodes = new Map<string, Record<string, string>>();
  const edges = new Map<string, string>();
  const defaults: Record<string, string>[] = [{}];
  let i = tokens.indexOf('{') + 1;
  const attributes = (): Record<string, string> => {
    const found: Record<string, string> = {};
    if (tokens[i] !== '[') return found;
    for (i++; tokens[i] !== ']'; ) {
      if (tokens[i + 1] !== '=') throw new Error(`attribute ${tokens[i]}`);
      found[tokens[i]] = unquote(tokens[i + 2]);
      i += 3;
      if (tokens[i] === ',' || tokens[i] === ';') i++;
    }
    i++;
    return found;
  };
  while (i < tokens.length) {
    const t = tokens[i++];
    if (t === '{') defaults.push({ ...defaults.at(-1)! });
    else if (t === '}') defaults.pop();
    else if (t === 'node') Object.assign(defaults.at(-1)!, attributes());
    else if (t === ';') continue;
    else if (tokens[i] === '=') i += 2;
    else if (tokens[i] === '->') {
      const key = `${unquote(t)} ${unquote(tokens[i + 1])}`;
      i += 2;
      const { label } = attributes();
      if (label !== undefined && !edges.has(key)) edges.set(key, label);
    } else {
      const name = unquote(t);
      nodes.set(name, { ...defaults.at(-1)!, ...attributes(), ...nodes.get(name) });
    }
  }
  const states = [...nodes].filter(([, a]) => a['label']);
  return {
    X: states.map(([, a]) => a['label']),
    x0: [...nodes.keys()].find((n) => n.startsWith('__init_'))!.slice(7),
    Xm: states.filter(([, a]) => ['doublecircle', 'ellipse'].includes(a['shape'])).map(([, a]) => a['label']),
    f: [...edges].flatMap(([key, label]) => label.split('\\n').map((event) => ({ from: key.split(' ')[0], event, to: key.split(' ')[1] }))),
  };
}

const sorted = (f: readonly Step[] | Model['f']): string[] => f.map(({ from, event, to }) => `${from} ${event} ${to}`).toSorted();

describe.each(DESIGNS.map((d) => [d.id, d] as const))('%s', (_, design) => {
  const { automaton, conflicts } = automatonOf(design);
  const text = renderRv(automaton);

  it.each([['line by line, as dot2k reads it', readLines], ['by the grammar of rvgen', readGrammar]] as const)('%s', (__, read) => {
    const model = read(text);
    expect({ X: model.X, x0: model.x0, Xm: model.Xm }).toEqual({ X: automaton.X, x0: 'unknown', Xm: ['freed'] });
    expect(sorted(model.f)).toEqual(sorted(automaton.f));
    for (const event of automaton.E) expect(event).toMatch(/^[a-z_]\w*$/);
  });

  it('is a five-tuple: f has one state for a state and an event, E and X are what it uses', () => {
    const { X, E, f, x0, Xm } = automaton;
    expect(conflicts).toEqual([]);
    expect(new Set(f.map(({ from, event }) => `${from} ${event}`)).size).toBe(f.length);
    expect(new Set(f.map(({ event }) => event))).toEqual(new Set(E));
    expect(new Set([x0, ...f.map(({ to }) => to)])).toEqual(new Set(X));
    expect(Xm.every((s) => X.includes(s))).toBe(true);
  });

  it('goes where the machine goes, and stops where the machine does damage', () => {
    const machine = ownershipMachine(design);
    const f = new Map(automaton.f.map((s) => [`${s.from} ${s.event}`, s.to]));
    const taken = new Set<string>();
    fc.assert(fc.property(fc.constantFrom(...FIRST), fc.array(draw, { minLength: 8, maxLength: 40 }), (first, events) => follow(machine, f, [first, ...events], taken)), { numRuns: 300 });
    expect(taken.size / f.size).toBeGreaterThan(0.6);
  });
});

/** A domain is allocated first. */
const FIRST: readonly Draw[] = (['iommu_domain_alloc', 'iommu_domain_alloc', 'iommufd_hwpt_paging_alloc', 'iommufd_hwpt_nested_alloc', 'iommu_sva_domain_alloc'] as const).map((type, n) => ({
  type, own: true, errno: 0, a: undefined, b: undefined, c: 0x1000n, x: n === 0 ? 3 : undefined, afterType: undefined, map: 0,
}));

/** Drives the machine with the calls that a sound kernel makes; the automaton must follow each of them. */
function follow(machine: unknown, f: ReadonlyMap<string, State>, events: readonly Draw[], taken: Set<string>): void {
  const actor = createActor(machine as any) as unknown as { start(): void; send(e: unknown): void; getSnapshot(): { value: State; context: DomainContext } };
  actor.start();
  for (const drawn of events) {
    const e = sound(drawn);
    const before = actor.getSnapshot().value;
    if (e.errno === -19 || !isMade(e.type, before) || !(e.x === undefined || ALLOCATED.includes(e.x))) continue;
    actor.send(machineEvent(e));
    const { value, context: { verdict } } = actor.getSnapshot();
    if (!LEGAL.has(verdict.outcome)) {
      // What is not noticed leads on, but no monitor can follow it.
      return;
    }
    const names = [eventName(e.type, verdict), eventName(e.type, verdict, 'dma')];
    const next = names.map((name) => f.get(`${before} ${name}`));
    for (const name of names) if (f.has(`${before} ${name}`)) taken.add(`${before} ${name}`);
    expect(next, `${before} ${names[0]}`).toContain(value);
  }
}

/** Types that are allocated; a static domain never is. */
const ALLOCATED: readonly number[] = [1, 3, 0xb];

function sound(e: Draw): Draw {
  const allocates: readonly MachineEventType[] = ['iommufd_hwpt_nested_alloc', 'iommufd_viommu_alloc_hwpt_nested'];
  return { ...e, own: true, x: e.type === 'iommu_domain_alloc' ? (e.x ?? 1) : undefined, afterType: allocates.includes(e.type) ? (e.afterType === 1 ? 1 : 0x40) : undefined };
}

describe('what a kernel developer wants to know', () => {
  const step = (a: Automaton, from: State, event: string): State | undefined => a.f.find((s) => s.from === from && s.event === event)?.to;
  const of = (id: string): Automaton => automatonOf(DESIGNS.find((d) => d.id === id)!).automaton;

  it.each([
    ['v7.3', 'iommufd_owned', 'iommu_get_msi_cookie_eexist', 'iommufd_owned'],
    ['v7.3', 'iommufd_owned', 'iommu_get_msi_cookie_ok', undefined],
    ['private-data-owner', 'iommufd_owned', 'iommu_get_msi_cookie_ok', undefined],
    ['private-data-owner-guard', 'iommufd_owned', 'iommu_get_msi_cookie_eexist', 'iommufd_owned'],
    ['private-data-owner-v2', 'unowned', 'iommu_dma_prepare_msi_eopnotsupp', 'unowned'],
    ['v6.12', 'unknown', 'iommu_domain_alloc_ok', 'unowned'],
    ['v6.12', 'unknown', 'iommu_domain_alloc_dma_ok', 'dma_owned'],
    ['v6.12', 'fault_handler_owned', 'iommu_get_msi_cookie_ok', 'msi_owned'],
    ['cookie-type', 'fault_handler_owned', 'iommu_get_msi_cookie_ok', undefined],
    ['cookie-type', 'msi_owned', 'iommu_set_fault_handler_warn', 'msi_owned'],
    ['cookie-type', 'msi_owned', 'iommu_domain_free', 'freed'],
    ['cookie-type', 'freed', 'iommu_get_dma_cookie_ok', undefined],
  ] as const)('%s: %s x %s -> %s', (id, from, event, to) => {
    expect(step(of(id), from, event)).toBe(to);
  });
});

it('says where a design cannot be told by call and answer', () => {
  const v73 = DESIGNS.find((d) => d.id === 'v7.3')!;
  const moody = { ...v73, calls: { ...v73.calls, iommu_set_fault_handler: [{ if: 'isAttached', errno: 'none' }, { errno: 'none', to: 'fault_handler_owned' }] } } as const;
  expect(automatonOf(moody).conflicts[0]).toBe('iommu_set_fault_handler leads from unowned to unowned and to fault_handler_owned');
});
