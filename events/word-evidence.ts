/**
 * What the words of events tell about the design they were recorded on, where nothing else does.
 * The names are those of ftrace text, which `designFromEvidence` knows.
 */
import type { EventBatch } from './batch.ts';
import { WORD } from './event-types.ts';

/** Name in ftrace text of each member of a word that only some designs have. */
export const EVIDENCE_NAMES: Readonly<Record<string, string>> = { cookie_type: 'ctype', private_data_owner: 'owner', iova_cookie_type: 'cktype' };

/** Adds to `fields` the names of the telling members seen in the words of row `i`. */
export function addEvidence(batch: EventBatch, i: number, fields: Set<string>): void {
  for (let w = i * 3; w < i * 3 + 3; w++) {
    if (batch.words[w] & WORD.cookie_type) fields.add('ctype');
    if (batch.words[w] & WORD.private_data_owner) fields.add('owner');
    if (batch.words[w] & WORD.iova_cookie_type) fields.add('cktype');
  }
}
