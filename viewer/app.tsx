/**
 * The page from top to bottom: verdict, findings, timeline, instant, comparison.
 */
import type { ComponentChildren } from 'preact';
import { Compare } from './compare.tsx';
import { Findings } from './findings.tsx';
import { Instant } from './instant.tsx';
import { LiveStatus } from './live-status.tsx';
import { failure, loading } from './store.ts';
import { Timeline } from './timeline.tsx';
import { Verdict } from './verdict.tsx';

/** The whole page. */
export function App(): ComponentChildren {
  if (failure.value !== null) return <p role="alert">This page cannot be shown: {failure.value}</p>;
  if (loading.value !== null) return <p role="status">{loading.value.phase} <progress max={loading.value.of} value={loading.value.done} /></p>;
  return <main><LiveStatus /><Verdict /><Findings /><Timeline /><Instant /><Compare /></main>;
}
