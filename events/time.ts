/**
 * The recording's own clock as text: decimal seconds with the precision it was printed with.
 */

/** What a time looks like. Units: seconds, at most nine decimals. */
export const time = /^\d{1,10}(\.\d{1,9})?$/;

/** Returns seconds with exactly `digits` decimals. */
export function renderTime(sec: number, nsec: number, digits: number): string {
  return digits === 0 ? String(sec) : `${sec}.${String(nsec).padStart(9, '0').slice(0, digits)}`;
}
