/**
 * Findings.
 */
import type { ComponentChildren } from 'preact';

/** Returns the part of the page. */
export function Findings(): ComponentChildren {
  return <section aria-label="findings" />;
}
