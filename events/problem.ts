/**
 * The kinds of trouble that are not findings (STYLE: "Errors: four kinds, never mixed").
 * A problem is data about a damaged, lossy or unknown recording; an `UnreadableError` means nothing can be read at all;
 * a failed `assert` is our own bug.
 */

/** What is wrong with a recording, where, and what whoever recorded it can do. `where` is `FILE:LINE` or `FILE`. */
export interface Problem {
  readonly code: string;
  readonly where: string;
  readonly message: string;
  readonly hint: string;
}

/** A source or log that cannot be read at all. The command line turns it into one line and exit status 3. */
export class UnreadableError extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.name = 'UnreadableError';
    this.hint = hint;
  }
}

/** Throws when our own code is wrong; never for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/**
 * Returns text that is safe on a terminal: control characters, bidi marks and line separators become `\xNN` or `\u{…}`.
 * Everything that comes from a recording passes through here before it is printed as text.
 */
export function escapeText(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Returns JSON text with the same meaning that is safe on a terminal: what JSON leaves raw becomes `\uNNNN`. */
export function escapeJson(json: string): string {
  return json.replace(/[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
