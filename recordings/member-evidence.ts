/**
 * Which design a recording is of shows in the members that its probes fetched. Names as `designFromEvidence` takes them.
 */
const MEMBERS: readonly (readonly [RegExp, string])[] = [
  [/ ctype=\d| cookie_type=\d/, 'ctype'],
  [/ cktype=\d/, 'cktype'],
  [/ owner=[0-3] | private_data_owner=\d| word=0x/, 'owner'],
  [/ swmsi=0x| sw_msi=0x/, 'swmsi'],
];

/** Returns the names of members in the first bytes of a text. */
export function memberEvidence(head: Buffer): Set<string> {
  const text = head.toString('latin1');
  return new Set(MEMBERS.filter(([pattern]) => pattern.test(text)).map(([, name]) => name));
}
