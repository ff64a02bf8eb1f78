/**
 * The audit as JSON (CONTRACT "audit --format json").
 */
import { escapeJson } from '../events/problem.ts';
import type { Audit } from '../projections/audit.ts';
import { assumptionsOf } from './assumptions.ts';
import type { ReadSummary } from '../recordings/recording.ts';

/** Returns the document, ending in a newline. */
export function auditJson(summary: ReadSummary, audit: Audit): string {
  const document = {
    schema: 'iommu-ledger/audit/1',
    design: audit.design.id,
    recording: recordingObject(summary),
    domains: audit.incarnations.count,
    checked: audit.checked,
    summary: audit.findings.summary,
    ...(audit.gaps.count > 0 && { gaps: audit.gaps.list, unknown_domains: audit.unknown }),
    ...(audit.other.automaticDomains > 0 && { assumptions: assumptionsOf(audit) }),
    findings: audit.findings.sorted(),
    ...(audit.findings.count > audit.findings.list.length && { unlisted: audit.findings.count - audit.findings.list.length }),
  };
  return `${escapeJson(JSON.stringify(document, null, 2))}\n`;
}

/** What was read, as every JSON report shows it. */
export function recordingObject(s: ReadSummary): Record<string, unknown> {
  return {
    source: s.source, format: s.format, kernel: s.kernel, lines: s.lines, events: s.events, ignored: s.ignored,
    problems: s.problems.count, lost: s.lost, from: s.from, to: s.to,
    ...(s.missing.length > 0 && { missing: s.missing }),
    ...(s.problems.count > 0 && { problem_list: s.problems.first }),
  };
}
