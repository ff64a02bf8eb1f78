/**
 * An event as the text of a C call, safe to show.
 */
import { MEMBERS, type EventType } from '../events/event-types.ts';
import { escapeText } from '../events/problem.ts';
import { errnoText } from '../machines/states.ts';

/** `iommu_get_msi_cookie(base=0x8000000) = -EEXIST`, of an event as JSON has it; the answer where it was recorded. */
export function callText(event: Readonly<Record<string, unknown>>): string {
  const type = event['type'] as EventType;
  const args = MEMBERS[type].filter(({ name }) => name !== 'caller' && event[name] !== undefined).map(({ name }) => `${name}=${escapeText(String(event[name]))}`);
  const errno = event['errno'];
  return `${type}(${args.join(', ')})${typeof errno === 'number' ? ` = ${errnoText(errno)}` : ''}`;
}
