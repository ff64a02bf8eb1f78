/**
 * Compare.
 */
import type { ComponentChildren } from 'preact';

/** Returns the part of the page. */
export function Compare(): ComponentChildren {
  return <section aria-label="compare" />;
}
