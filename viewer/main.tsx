/**
 * The page's first line of code: opens the recording and draws the page.
 */
import { render } from 'preact';
import { App } from './app.tsx';
import { load } from './load.ts';
import './page.css';

const page = document.getElementById('page')!;
// What stood here is for browsers in which this line is never reached.
page.textContent = '';
render(<App />, page);
void load();
