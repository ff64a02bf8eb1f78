/**
 * Verdict.
 */
import type { ComponentChildren } from 'preact';

/** Returns the part of the page. */
export function Verdict(): ComponentChildren {
  return <section aria-label="verdict" />;
}
