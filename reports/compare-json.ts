/**
 * The comparison of designs as JSON: CONTRACT "compare --format json". Members may be added, none renamed or dropped.
 */
import { escapeJson } from '../events/problem.ts';
import { rulesOf, type Comparison, type DesignVerdict, type Difference } from '../projections/compare.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { assumptionsOf } from './assumptions.ts';
import { recordingObject } from './audit-json.ts';

/** Yields the document in pieces, ending in a newline: of 100,000 differences it is too long for one text. `own`: as for `compareText`. */
export function* compareJson(summary: ReadSummary, comparison: Comparison, own: string | null): Generator<string> {
  const ids = comparison.audits.map(({ design }) => design.id);
  const { list, unlisted, worse } = comparison;
  const assumptions = comparison.audits.flatMap(assumptionsOf);
  const head = { schema: 'iommu-ledger/compare/1', designs: ids, own, recording: recordingObject(summary), ...(assumptions.length > 0 && { assumptions }) };
  yield `${escapeJson(JSON.stringify(head, null, 2)).slice(0, -2)},\n  "differences": [`;
  const verdicts = new VerdictTexts();
  for (let n = 0; n < list.length; n++) {
    const said = list[n].verdicts.map((verdict, k) => `${JSON.stringify(ids[k])}:${verdicts.text(verdict)}`);
    yield `${n === 0 ? '' : ','}\n    ${eventText(list[n]).slice(0, -1)},"verdicts":{${said.join()}}}`;
  }
  const tail = {
    ...(unlisted > 0 && { unlisted }),
    summary: Object.fromEntries(comparison.audits.map(({ design, findings }) => [design.id, findings.summary])),
    worse: { design: ids.at(-1), than: ids[0], summary: worse.summary },
  };
  yield `${list.length === 0 ? '' : '\n  '}],\n${escapeJson(JSON.stringify(tail, null, 2)).slice(2)}\n`;
}

/** The event that a difference is about, as JSON. */
function eventText({ position, line, recording, time, cpu, task, pid, event, domain, generation, recorded }: Difference): string {
  return escapeJson(JSON.stringify({ position, line, ...(recording !== null && { recording }), time, cpu, task, pid, event, domain, generation, recorded: { errno: recorded } }));
}

/** Verdicts as JSON. Those without a finding are few, and many differences share them: each is rendered once. */
class VerdictTexts {
  private readonly texts = new Map<DesignVerdict, string>();

  text(verdict: DesignVerdict): string {
    const known = this.texts.get(verdict);
    if (known !== undefined) return known;
    const { errno, state, findings } = verdict;
    const met = findings.map(({ rule, severity, outcome }) => ({ rule, severity, outcome }));
    const text = JSON.stringify({ errno, state, rules: rulesOf(verdict), ...(met.length > 0 && { findings: met }) });
    if (met.length === 0) this.texts.set(verdict, text);
    return text;
  }
}
