/**
 * What a verdict about a recording rests on besides the recording: said in the head of a report, because it may be otherwise.
 */
import type { Audit } from '../projections/audit.ts';
import { plural } from './text.ts';

/** Returns one sentence for each assumption that an audit has made; none for most. */
export function assumptionsOf({ other: { automaticDomains }, design }: Audit): readonly string[] {
  if (automaticDomains === 0) return [];
  return [`iommufd_hwpt of ${plural(automaticDomains, 'automatic domain')} is set, as recorded; ${design.id} as posted left it NULL, and would take a stranger's cookie or dereference NULL there (rules msi-prepare-null-hwpt)`];
}
