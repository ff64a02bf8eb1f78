/**
 * Reads one file to the end as the program does: a recording through audit and both of its reports, type information through
 * `layout` and `probes`. Anything but a result or an UnreadableError is thrown on: a bug.
 */
import { UnreadableError } from '../../events/problem.ts';
import { designOfMembers } from '../../machines/design-list.ts';
import { archOf, domainOf, probeSupport } from '../../recordings/btf-kernel.ts';
import { readBtf } from '../../recordings/btf-file.ts';
import { flattenStruct } from '../../recordings/btf-layout.ts';
import { renderBpftrace } from '../../recordings/probes/bpftrace.ts';
import { planProbes } from '../../recordings/probes/resolve.ts';
import { renderScript, renderTracefs } from '../../recordings/probes/tracefs.ts';
import { auditJson } from '../../reports/audit-json.ts';
import { auditText } from '../../reports/audit-text.ts';
import { renderBtfLayout } from '../../reports/layout-btf.ts';
import { alive, auditFile } from '../audit-file.ts';
import type { Target } from './seeds.ts';

/** What may come of a mutated file. */
export type Outcome = 'unreadable' | 'problems' | 'clean';

/** Returns what came of reading a file. Errors: any but UnreadableError is a bug of the program. */
export async function runOne(path: string, kind: Target['kind']): Promise<Outcome> {
  try {
    return kind === 'btf' ? typeInformation(path) : await recording(path);
  } catch (error) {
    // What cannot be read must say what is wrong and what to do.
    if (error instanceof UnreadableError && error.message.length > 10 && error.hint !== '') return 'unreadable';
    throw error;
  }
}

async function recording(path: string): Promise<Outcome> {
  const audited = await auditFile(path);
  const { summary, audit } = audited;
  alive(audited);
  auditText(summary, audit, '');
  JSON.parse(auditJson(summary, audit));
  return summary.problems.count > 0 || summary.lost > 0 ? 'problems' : 'clean';
}

function typeInformation(path: string): Outcome {
  const btf = readBtf(path);
  const struct = domainOf(btf);
  const arch = archOf(btf);
  const members = flattenStruct(struct);
  const design = designOfMembers(new Map(members.map(({ name, offset }) => [name, offset])));
  renderBtfLayout(struct, { design, arch, endian: btf.endian, source: path });
  const { btfArguments, fprobe } = probeSupport(btf);
  for (const atReturn of [true, false]) {
    const plan = planProbes([btf], atReturn);
    for (const raw of [!btfArguments, btfArguments]) {
      const style = { probeType: fprobe ? 'f' : 'p', raw } as const;
      renderTracefs(plan, style, '');
      renderScript(plan, style, '', 'perf');
    }
    renderBpftrace(plan, '');
  }
  return 'clean';
}
