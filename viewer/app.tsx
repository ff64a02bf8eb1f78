/**
 * The page from top to bottom: verdict, findings, timeline, instant.
 */
import type { ComponentChildren } from 'preact';
import { failure, length, loading, recording } from './store.ts';

/** The whole page. */
export function App(): ComponentChildren {
  if (failure.value !== null) return <p role="alert">This page cannot be shown: {failure.value}</p>;
  if (loading.value !== null) return <p role="status">{loading.value.phase} <progress max={loading.value.of} value={loading.value.done} /></p>;
  return <main><h1>iommu-ledger</h1><p>{recording.value.header.recording.source}: {length.value} events</p></main>;
}
