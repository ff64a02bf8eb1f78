/**
 * What the first bytes of NDJSON events tell, without parsing them.
 */

/** Returns whether these first bytes look like NDJSON events. */
export function isNdjson(head: Buffer): boolean {
  return /^\s*\{/.test(head.toString('latin1', 0, Math.min(head.length, 4096)));
}

/** Returns what the first lines tell about the design: the one that `recording_started` names, and the owner members seen. */
export function ndjsonEvidence(head: Buffer): { design: string | null; kernel: string | null; fields: Set<string> } {
  const text = head.toString('utf8');
  const started = /^[^\n]*"type":\s*"recording_started"[^\n]*/m.exec(text)?.[0] ?? '';
  const member = (name: string): string | null => new RegExp(`"${name}":\\s*"([^"\\\\]{1,64})"`).exec(started)?.[1] ?? null;
  const fields = new Set<string>();
  if (/"cookie_type":/.test(text)) fields.add('cookie_type');
  if (/"private_data_owner":/.test(text)) fields.add('private_data_owner');
  if (/"iova_cookie_type":/.test(text)) fields.add('iova_cookie_type');
  return { design: member('design'), kernel: member('kernel'), fields };
}
