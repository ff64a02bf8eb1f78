/**
 * Instant.
 */
import type { ComponentChildren } from 'preact';

/** Returns the part of the page. */
export function Instant(): ComponentChildren {
  return <section aria-label="instant" />;
}
