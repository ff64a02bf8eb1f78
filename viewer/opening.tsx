/**
 * What is seen before the recording has been read, and when it cannot be: then the report as text, which the page carries for
 * readers without a script.
 */
import type { ComponentChildren } from 'preact';
import { failure, loading } from './store.ts';

/** How far reading has come. */
export function Opening(): ComponentChildren {
  const { phase, done, of } = loading.value!;
  return (
    <header class="opening">
      <h1>iommu-ledger</h1>
      <p role="status">{phase}</p>
      <progress aria-label={phase} {...(of > 0 && { max: of, value: done })} />
    </header>
  );
}

/** Why the page cannot be shown. */
export function Failure(): ComponentChildren {
  const text = plainReport();
  return (
    <main class="opening">
      <h1>iommu-ledger</h1>
      <p role="alert">This page cannot be shown: {failure.value}.</p>
      {text !== null && <><h2>The report as text</h2><pre tabIndex={0}>{text}</pre></>}
    </main>
  );
}

function plainReport(): string | null {
  const html = document.querySelector('noscript')?.textContent;
  return html ? (new DOMParser().parseFromString(html, 'text/html').querySelector('pre')?.textContent ?? null) : null;
}
