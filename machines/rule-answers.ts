/**
 * What each design does about each rule, read from the design's own decisions; for charts, `rules` and the explorer.
 */
import { DESIGNS } from './design-list.ts';
import type { Answer, Design } from './design.ts';
import { decisionsOf, verdictOf } from './ownership.ts';
import { MACHINE_EVENTS, STATES } from './states.ts';

/**
 * Returns every answer that a design gives where it meets a rule, in the order of its decisions: mostly one. What the machine
 * decides comes before what the design says besides. Empty for rules about what was recorded (`errno-mismatch` …).
 */
export function answersOf(design: Design, rule: string): readonly Answer[] {
  const answers = decided(design, rule);
  const other = design.others[rule];
  return answers.length > 0 ? answers : other ? [other] : [];
}

/** Whether any design's machine decides about a rule; the others are judged from groups, words, descriptors or the trace. */
export function isDecided(rule: string): boolean {
  return DESIGNS.some((design) => decided(design, rule).length > 0);
}

function decided(design: Design, rule: string): readonly Answer[] {
  const answers = new Map<string, Answer>();
  for (const event of MACHINE_EVENTS) {
    for (const state of STATES) {
      for (const decision of decisionsOf(design, state, event)) {
        if (decision.rule !== rule) continue;
        const { outcome, errno } = verdictOf(decision);
        answers.set(`${outcome} ${errno}`, { outcome, ...(errno !== null && errno < 0 && { errno }) });
      }
    }
  }
  return [...answers.values()];
}
