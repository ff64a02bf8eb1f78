/**
 * One line on a live page: whether more can come, and why not where it can't.
 */
import type { ComponentChildren } from 'preact';
import './live-status.css';
import { stream } from './live.ts';

const TEXT = {
  open: 'Live: this page grows with its source.',
  ended: 'The source has ended: this is all of it.',
  broken: 'No longer live: iommu-ledger view was ended, or the connection to it broke. What had come by then is shown.',
} as const;

/** The line; nothing on a page that is not live. */
export function LiveStatus(): ComponentChildren {
  return stream.value === null ? null : <p role="status" class="live-status" data-stream={stream.value}>{TEXT[stream.value]}</p>;
}
