/**
 * The page's first line of code: opens the recording and draws the page.
 */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app.tsx';
import { load } from './load.ts';
import './page.css';
import { length, loading, position } from './store.ts';

// What stands there is for a browser that does not come so far.
document.getElementById('page')!.textContent = '';
render(<App />, document.getElementById('page')!);
// For programs that look at the page: how many events it has, and after which one it shows the domains.
effect(() => {
  if (loading.value === null) Object.assign(document.documentElement.dataset, { events: length.value, position: position.value });
});
void load();
