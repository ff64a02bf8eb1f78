/**
 * Whether the page is being printed: then what can be opened is open.
 */
import { signal } from '@preact/signals';

/** True from before the browser lays out the print until it is done. */
export const printing = signal(false);

/** Follows the browser's printing. */
export function followPrinting(): void {
  addEventListener('beforeprint', () => (printing.value = true));
  addEventListener('afterprint', () => (printing.value = false));
}
