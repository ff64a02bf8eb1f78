/**
 * The replay as text: one block a domain, or one line an event in the `STATE x EVENT -> NEXT` shape.
 */
import { HAS, type EventBatch } from '../events/batch.ts';
import { EVENT_TYPES } from '../events/event-types.ts';
import { escapeText } from '../events/problem.ts';
import { renderTime } from '../events/time.ts';
import type { Design } from '../machines/design.ts';
import { RULES } from '../machines/rules.ts';
import { STATES, errnoText } from '../machines/states.ts';
import type { DomainView } from '../projections/domain-view.ts';

/** Returns the state of all domains, ending in a newline. */
export function replayText(design: Design, position: number, time: string | null, views: readonly DomainView[]): string {
  const out = [`design ${design.id}, after event ${position}${time === null ? '' : ` at ${time} s`}, ${views.length} domain${views.length === 1 ? '' : 's'}`, ''];
  for (const v of views) out.push(domainText(v), '');
  return `${out.join('\n').trimEnd()}\n`;
}

function domainText(v: DomainView): string {
  const out = [`${v.domain}#${v.generation}  ${v.state}`];
  out.push(`  type     ${v.type === null ? 'unknown' : `${v.type.name} (0x${v.type.value.toString(16)})`}`);
  if (v.word) out.push(`  word     ${groupBytes(v.word.bytes)}  ${Object.entries(v.word.fields).map(([k, n]) => `${k}=${n}`).join(' ')}`);
  for (const p of v.msi_pages) out.push(`  msi page ${p.iova} -> ${p.phys} size 0x${p.size.toString(16)} (event ${p.position})`);
  if (v.msi_next !== null) out.push(`  msi next ${v.msi_next}`);
  if (v.devices.length > 0) out.push(`  devices  ${v.devices.map(escapeText).join(' ')}`);
  if (v.groups.length > 0) out.push(`  groups   ${v.groups.join(' ')}`);
  out.push(`  events   ${v.first} .. ${v.last}`);
  return out.join('\n');
}

/** `0100004000000000` as `01000040 00000000`: memory order, a u32 a group. */
function groupBytes(bytes: string): string {
  return bytes.replace(/(.{8})(?=.)/g, '$1 ');
}

/** Returns one event as a line, and the domain it is about. */
export function traceLine(b: EventBatch, i: number, d: number, generation: number, before: number, after: number, rule: number): { text: string; domain: string } {
  const domain = b.interned.addresses.text(d);
  const time = b.present[i] & HAS.time ? `${renderTime(b.sec[i], b.nsec[i], b.digits[i])} ` : '';
  const errno = b.present[i] & HAS.errno && b.errno[i] !== 0 ? ` = ${errnoText(b.errno[i])}` : '';
  const met = rule >= 0 ? ` [${RULES[rule].id}]` : '';
  return {
    domain,
    text: `${String(b.position + i).padStart(6)} ${time}${domain}#${generation} ${STATES[before]} x ${EVENT_TYPES[b.kind[i]]}${errno} -> ${STATES[after]}${met}\n`,
  };
}
