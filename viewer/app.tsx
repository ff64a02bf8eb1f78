/**
 * The page from top to bottom: verdict, search, findings, timeline, instant, comparison; and what belongs to all of them.
 * Nothing is drawn before the recording has been read.
 */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Compare } from './compare.tsx';
import { copy, notice } from './copy.ts';
import { Findings, goToFinding } from './findings.tsx';
import { Help } from './help.tsx';
import { Instant } from './instant.tsx';
import { helpOpen, listen } from './keys.ts';
import { LiveStatus } from './live-status.tsx';
import { linkHere } from './location.ts';
import { Failure, Opening } from './opening.tsx';
import { safe } from './pieces.tsx';
import { followPrinting } from './printing.ts';
import { SearchBox } from './search-box.tsx';
import { listed } from './search.ts';
import { failure, goTo, length, loading, position, recording } from './store.ts';
import { Timeline } from './timeline.tsx';
import { Verdict } from './verdict.tsx';
import './app.css';

/** The parts in the order of the page, with the text of the link that skips to each. */
const PARTS: readonly (readonly [id: string, name: string, part: () => ComponentChildren])[] = [
  ['verdict', 'verdict', Verdict],
  ['search', 'search', SearchBox],
  ['findings', 'findings', Findings],
  ['timeline', 'timeline', Timeline],
  ['instant', 'instant', Instant],
  ['compare', 'comparison', Compare],
];

/** The whole page. */
export function App(): ComponentChildren {
  if (failure.value !== null) return <Failure />;
  if (loading.value !== null) return <Opening />;
  return <Page />;
}

function Page(): ComponentChildren {
  useEffect(() => {
    followPrinting();
    return listen({
      '?': () => (helpOpen.value = true),
      '/': () => document.getElementById('search')!.focus(),
      j: () => goTo(position.value + 1),
      k: () => goTo(position.value - 1),
      n: () => goToFinding(1),
      p: () => goToFinding(-1),
    });
  }, []);
  const { header } = recording.value;
  return (
    <>
      <nav class="skip" aria-label="parts of the page">
        {PARTS.map(([id, name]) => <a key={id} href={`#part-${id}`} onClick={(event) => (event.preventDefault(), focusPart(id))}>to the {name}</a>)}
      </nav>
      <header class="page-head">
        <h1>{safe(header.recording.source)}</h1>
        <p class="buttons">
          <button type="button" onClick={() => void copy(linkHere(), 'link')}>Copy link</button>{' '}
          <button type="button" aria-keyshortcuts="?" onClick={() => (helpOpen.value = true)}>Keys</button>
        </p>
        <p role="status" class="notice">{notice.value}</p>
      </header>
      <LiveStatus />
      <main>
        {/* The instant stays in sight beside the others, and ends where they end: the comparison stands below. */}
        <div class="parts">{PARTS.slice(0, -1).map(placed)}</div>
        {PARTS.slice(-1).map(placed)}
      </main>
      <footer>iommu-ledger {header.version}; this page holds the whole recording and loads nothing</footer>
      <InstantBar />
      <Help />
    </>
  );
}

function placed([id, , Part]: (typeof PARTS)[number]): ComponentChildren {
  return <div key={id} class={`part part-${id}`} id={`part-${id}`} tabIndex={-1}><Part /></div>;
}

/** On a narrow screen: which instant is shown, and the ways to the next, always at hand. */
function InstantBar(): ComponentChildren {
  const at = position.value;
  const time = at === 0 ? null : recording.value.time(at);
  return (
    <aside class="instant-bar" aria-label="the instant shown">
      <button type="button" aria-label="previous event" disabled={at === 0} onClick={() => goTo(at - 1)}>‹</button>
      <button type="button" class="there" onClick={() => focusPart('instant')}>event {at} of {length.value}{time === null ? '' : `, ${time} s`}</button>
      <button type="button" aria-label="next event" disabled={at === length.value} onClick={() => goTo(at + 1)}>›</button>
      <button type="button" aria-label="previous finding" disabled={listed.value.length === 0} onClick={() => goToFinding(-1)}>‹ finding</button>
      <button type="button" aria-label="next finding" disabled={listed.value.length === 0} onClick={() => goToFinding(1)}>finding ›</button>
    </aside>
  );
}

function focusPart(id: string): void {
  const part = document.getElementById(`part-${id}`)!;
  part.scrollIntoView();
  part.focus({ preventScroll: true });
}
