/**
 * Timeline.
 */
import type { ComponentChildren } from 'preact';

/** Returns the part of the page. */
export function Timeline(): ComponentChildren {
  return <section aria-label="timeline" />;
}
