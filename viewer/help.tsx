/**
 * The help: every key of the page.
 */
import { useSignalEffect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { helpOpen, KEYS } from './keys.ts';
import './help.css';

/** Returns the dialog, which is shown while `helpOpen`. */
export function Help(): ComponentChildren {
  const dialog = useRef<HTMLDialogElement>(null);
  useSignalEffect(() => {
    if (helpOpen.value && !dialog.current!.open) dialog.current!.showModal();
    else if (!helpOpen.value) dialog.current!.close();
  });
  return (
    <dialog class="help" ref={dialog} aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="help-title">Keys</h2>
      {KEYS.map(({ where, rows }) => (
        <table key={where}>
          <caption>{where}</caption>
          <thead class="unseen"><tr><th scope="col">key</th><th scope="col">does</th></tr></thead>
          <tbody>
            {rows.map(({ keys, does }) => <tr key={does}><th scope="row">{keys.map((key, n) => <>{n > 0 && ' '}<kbd>{key}</kbd></>)}</th><td>{does}</td></tr>)}
          </tbody>
        </table>
      ))}
      <p>Every control is reached with Tab. The address of this page, behind its #, names the instant, the domain, the designs, the search and the timeline: whoever opens the same file with it sees the same.</p>
      <button type="button" autofocus onClick={() => (helpOpen.value = false)}>Close</button>
    </dialog>
  );
}
