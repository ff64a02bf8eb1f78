/**
 * The automaton of a design as a model of Linux runtime verification, for tools/verification/rvgen (dot2k before v6.16). It is read
 * in two dialects: up to v7.0 line by line (the `{node …}` lines first, then the initial edge, then one transition a line with a
 * space around each sign, spaces nowhere in a name), later by a grammar of DOT without comments that keeps one edge between two
 * states. Both split labels at `\n`. Neither has comments in common, so what was left out is said in the graph's label at the end.
 */
import { assert } from '../events/problem.ts';
import type { Automaton } from '../machines/automaton.ts';
import { NOT_OBSERVED } from '../machines/automaton.ts';
import type { State } from '../machines/states.ts';

/** Returns the model as DOT. Order: states, then edges by the states they lead from and to. Errors: asserts that names are C identifiers. */
export function renderRv(automaton: Automaton): string {
  const { design, X, E, f, x0, Xm } = automaton;
  for (const name of [...X, ...E]) assert(/^[A-Za-z_]\w*$/.test(name), `${name} is a C identifier`);
  const out = ['digraph state_automaton {', `\t{node [shape = plaintext, style=invis, label=""] "__init_${x0}"};`];
  for (const state of X) out.push(`\t{node [shape = ${Xm.includes(state) ? 'doublecircle' : 'circle'}] "${state}"};`);
  out.push(`\t"__init_${x0}" -> "${x0}";`);
  for (const state of X) {
    out.push(`\t"${state}" [label = "${state}"${state === x0 ? ', color = green3' : ''}];`);
    for (const to of X) {
      const events = f.filter((s) => s.from === state && s.to === to).map((s) => s.event);
      if (events.length > 0) out.push(`\t"${state}" -> "${to}" [ label = "${events.join('\\n')}" ];`);
    }
  }
  out.push('\t{ rank = min ;', `\t\t"__init_${x0}";`, `\t\t"${x0}";`, '\t}');
  out.push(`\tlabel = "${notes(automaton).map((line) => `${line}\\l`).join('')}";`, '}');
  assert(X.includes(x0) && Xm.every((s: State) => X.includes(s)), `${design.id}: x0 and Xm are in X`);
  return `${out.join('\n')}\n`;
}

function notes({ design, X, E, f, x0, Xm }: Automaton): string[] {
  return [
    `Who owns a struct iommu_domain under ${design.id}: ${X.length} states, ${E.length} events, ${f.length} values of f, x0 = ${x0}, Xm = ${Xm.join(', ')}.`,
    'One automaton for each domain (-t per_obj); unknown: no allocation has been seen, freed: the end of a life.',
    'An event is a call with its answer: _ok 0, _eexist -EEXIST and so on, _err any other errno, _warn a WARN, nothing where it answers nothing.',
    ...(E.some((e) => e.includes('_dma_ok')) ? ['_dma_ok: the allocated type has __IOMMU_DOMAIN_DMA_API; _ok: it has not.'] : []),
    'No transition, so that a monitor reacts: what the design lets overwrite, leak or corrupt in silence, and a call on freed memory.',
    `Not observed, no owner depends on it: ${[...NOT_OBSERVED].join(', ')}, MSI pages, whether a group still uses the domain.`,
    'Observed at the return of a call; iommu_domain_free at its entry, because it puts the cookie itself. Nobody else puts one.',
    'Not told apart: that put and a second one.',
  ];
}
