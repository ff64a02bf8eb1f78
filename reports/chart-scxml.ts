/**
 * The whole machine of a design as SCXML 1.0 (W3C Recommendation of 1 September 2015). Guards keep their names: each is a boolean
 * of the data model that whoever runs it sets before an event. What a transition does to the private data and what the kernel
 * answers stand in attributes of a namespace of their own, which the schema allows on every element and processors skip.
 * `freed` is no <final>: what is called on freed memory is judged, too.
 */
import type { Design } from '../machines/design.ts';
import { ownershipConfig, type TransitionConfig } from '../machines/ownership.ts';

/** Namespace of `action`, `outcome`, `errno` and `rule` on a <transition>. */
export const LEDGER_NAMESPACE = 'urn:iommu-ledger:verdict';

/** Returns the machine as an SCXML document. Order: states, events and decisions as the machine has them. */
export function renderScxml(design: Design): string {
  const { id, initial, states } = ownershipConfig(design);
  const list = Object.entries(states).map(([state, { on }]) => ({ state, transitions: Object.entries(on).flatMap(([event, ts]) => ts.map((t) => ({ event, t }))) }));
  const guards = new Set(list.flatMap(({ transitions }) => transitions.flatMap(({ t }) => t.guard ?? [])));
  const out = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:ledger="${LEDGER_NAMESPACE}" version="1.0" name="${id}" initial="${initial}" datamodel="ecmascript">`,
    '  <datamodel>',
    ...[...guards].map((guard) => `    <data id="${guard}" expr="false"/>`),
    '  </datamodel>',
  ];
  for (const { state, transitions } of list) {
    out.push(`  <state id="${state}">`);
    for (const { event, t } of transitions) out.push(`    <transition ${attributes(event, t)}/>`);
    out.push('  </state>');
  }
  out.push('</scxml>');
  return `${out.join('\n')}\n`;
}

function attributes(event: string, { guard, target, actions }: TransitionConfig): string {
  const verdict = actions.find((a) => a.type === 'judge')?.params;
  const action = actions.find((a) => a.type !== 'judge')?.type;
  return [
    ['event', event],
    ['cond', guard],
    ['target', target],
    ['ledger:action', action],
    ['ledger:outcome', verdict?.outcome],
    ['ledger:errno', verdict?.errno ?? undefined],
    ['ledger:rule', verdict?.rule ?? undefined],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`])).join(' ');
}
