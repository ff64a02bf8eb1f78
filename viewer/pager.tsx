/**
 * Goes through a long list page by page.
 */
import type { ComponentChildren } from 'preact';

/** Returns the buttons, or nothing where there is one page only. `page` counts from 0. */
export function Pager({ what, page, pages, onPage }: { readonly what: string; readonly page: number; readonly pages: number; readonly onPage: (page: number) => void }): ComponentChildren {
  if (pages <= 1) return null;
  const go = (to: number): void => onPage(Math.max(0, Math.min(pages - 1, to)));
  return (
    <nav class="pager" aria-label={`pages of ${what}`}>
      <button type="button" onClick={() => go(0)} disabled={page === 0}>First</button>
      <button type="button" onClick={() => go(page - 1)} disabled={page === 0}>Previous</button>
      <label>page <input type="number" min={1} max={pages} value={page + 1} onChange={(event) => go(Math.round(event.currentTarget.valueAsNumber || 1) - 1)} /> of {pages}</label>
      <button type="button" onClick={() => go(page + 1)} disabled={page === pages - 1}>Next</button>
      <button type="button" onClick={() => go(pages - 1)} disabled={page === pages - 1}>Last</button>
    </nav>
  );
}
