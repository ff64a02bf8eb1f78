/**
 * Reads XML as this project writes it (no CDATA, no doctype inside) into elements, and refuses what is not well-formed: an open
 * tag, a wrong end, an attribute twice, a bare `&` or `<`.
 */

/** One element. `path`: its ancestors, the outermost first. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** Its own text, decoded. */
  readonly text: string;
  readonly path: readonly Element[];
}

type Open = { -readonly [K in keyof Element]: Element[K] extends readonly Element[] ? Element[] : Element[K] };

const TOKEN = /<\?[^?]*\?>|<!--[\s\S]*?-->|<(?<end>\/)?(?<name>[A-Za-z_][\w:.-]*)(?<attributes>(?:\s+[\w:.-]+="[^"<]*")*)\s*(?<empty>\/)?>|(?<text>[^<]+)/gy;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replaceAll(/&(#?\w*;?)/g, (whole, name: string) => {
    const code = /^#(\d+);$/.exec(name)?.[1];
    const entity = code ? String.fromCodePoint(Number(code)) : ENTITIES[name.replace(';', '')];
    if (!name.endsWith(';') || entity === undefined) throw new Error(`not an entity: ${whole}`);
    return entity;
  });
}

/** Returns all elements in document order; the first one is the root. Errors: throws where the text is not well-formed. */
export function elementsOf(xml: string): Element[] {
  const all: Open[] = [];
  const open: Open[] = [];
  let at = 0;
  for (const match of xml.matchAll(TOKEN)) {
    if (match.index !== at) break;
    at += match[0].length;
    const { end, name, attributes, empty, text } = match.groups!;
    if (text !== undefined) {
      if (open.length > 0) open.at(-1)!.text += decode(text);
      else if (text.trim() !== '') throw new Error('text outside of the root');
    } else if (end) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> ends another element`);
    } else if (name) {
      const pairs = [...attributes.matchAll(/([\w:.-]+)="([^"]*)"/g)].map(([, key, value]): [string, string] => [key, decode(value)]);
      if (new Set(pairs.map(([key]) => key)).size < pairs.length) throw new Error(`an attribute twice in <${name}>`);
      const element: Open = { name, attributes: Object.fromEntries(pairs), children: [], text: '', path: [...open] };
      if (open.length > 0) open.at(-1)!.children.push(element);
      else if (all.length > 0) throw new Error('a second root');
      all.push(element);
      if (!empty) open.push(element);
    }
  }
  if (at < xml.length || open.length > 0) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 60)}`);
  return all;
}
