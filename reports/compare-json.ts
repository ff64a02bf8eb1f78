/**
 * The comparison of designs as JSON: CONTRACT "compare --format json". Members may be added, none renamed or dropped.
 */
import { escapeJson } from '../events/problem.ts';
import { rulesOf, type Comparison, type Difference } from '../projections/compare.ts';
import type { ReadSummary } from '../recordings/recording.ts';
import { recordingObject } from './audit-json.ts';

/** Yields the document in pieces, ending in a newline: of 100,000 differences it is too long for one text. `own`: as for `compareText`. */
export function* compareJson(summary: ReadSummary, comparison: Comparison, own: string | null): Generator<string> {
  const ids = comparison.audits.map(({ design }) => design.id);
  const { list, unlisted, worse } = comparison;
  const head = { schema: 'iommu-ledger/compare/1', designs: ids, own, recording: recordingObject(summary) };
  yield `${escapeJson(JSON.stringify(head, null, 2)).slice(0, -2)},\n  "differences": [`;
  for (let n = 0; n < list.length; n++) yield `${n === 0 ? '' : ','}\n    ${escapeJson(JSON.stringify(differenceObject(list[n], ids)))}`;
  const tail = {
    ...(unlisted > 0 && { unlisted }),
    summary: Object.fromEntries(comparison.audits.map(({ design, findings }) => [design.id, findings.summary])),
    worse: { design: ids.at(-1), than: ids[0], summary: worse.summary },
  };
  yield `${list.length === 0 ? '' : '\n  '}],\n${escapeJson(JSON.stringify(tail, null, 2)).slice(2)}\n`;
}

function differenceObject({ position, line, recording, time, cpu, task, pid, event, domain, generation, recorded, verdicts }: Difference, ids: readonly string[]): object {
  return {
    position, line, ...(recording !== null && { recording }), time, cpu, task, pid, event, domain, generation, recorded: { errno: recorded },
    verdicts: Object.fromEntries(verdicts.map((verdict, k) => [ids[k], {
      errno: verdict.errno, state: verdict.state, rules: rulesOf(verdict),
      ...(verdict.findings.length > 0 && { findings: verdict.findings.map(({ rule, severity, outcome }) => ({ rule, severity, outcome })) }),
    }])),
  };
}
