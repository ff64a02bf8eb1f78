/**
 * The page's first line of code: opens the recording and draws the page.
 */
import { render } from 'preact';
import { App } from './app.tsx';
import { load } from './load.ts';
import './page.css';

// What stands there is for a browser that does not come so far.
document.getElementById('page')!.textContent = '';
render(<App />, document.getElementById('page')!);
void load();
