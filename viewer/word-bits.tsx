/**
 * The packed word as bits with names, as a number and as memory has it. Fields differ by mark, name and colour.
 */
import type { ComponentChildren } from 'preact';
import type { DomainView } from '../projections/domain-view.ts';
import type { History } from './history.ts';
import { fieldRuns, wordCells, type BitCell, type WordCells } from './word-cells.ts';

/** Marks of the fields of a word, in the order of its fields. */
const MARKS = ['a', 'b', 'c'];
/** A field's name stands over its bits where it fits. Units: letters a bit is wide. */
const LETTERS_PER_BIT = 2;

/** Returns the word of a domain under the design of a history; null: the layout alone, with bits not known. */
export function WordBits({ history, word }: { readonly history: History; readonly word: DomainView['word'] }): ComponentChildren {
  return (
    <div class="word">
      {wordCells(history.design, history.arch, word).map((cells) => <Half key={cells.offset} cells={cells} arch={history.arch} />)}
    </div>
  );
}

function Half({ cells, arch }: { readonly cells: WordCells; readonly arch: string }): ComponentChildren {
  const { offset, bytes, value, fields } = cells;
  const marks = new Map(fields.map(({ name }, n) => [name, MARKS[n]]));
  const spaced = bytes?.match(/../g)?.join(' ') ?? '?? ?? ?? ??';
  return (
    <div class="word-half">
      <div class="scroll" role="group" aria-label={`bits of the u32 at byte ${offset}`} tabIndex={0}>
        <div class="word-ways">
          <Bits caption={<>u32 at byte {offset} as {arch} reads it: <code>{value ?? 'not known'}</code></>} cells={cells.numeric} marks={marks} fields={fields} bytes={null} />
          <Bits caption={<>in memory: <code>{spaced}</code></>} cells={cells.memory} marks={marks} fields={fields} bytes={{ offset, bytes }} />
        </div>
      </div>
      <table class="word-fields">
        <caption class="heard-only">Fields of the u32 at byte {offset}</caption>
        <tbody>
          {fields.map((f, n) => (
            <tr key={f.name}>
              <td><span class="field-mark" data-mark={MARKS[n]}>{MARKS[n]}</span></td>
              <th scope="row" class="mono">{f.declaration}</th>
              <td class="mono">{f.value === null ? '?' : `${f.value} (0x${f.value.toString(16)})`}</td>
              <td class="mono">{f.value === null ? '' : (f.valueName ?? 'not a value that the kernel defines')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface BitsProps {
  readonly caption: ComponentChildren;
  readonly cells: readonly BitCell[];
  readonly marks: ReadonlyMap<string, string>;
  readonly fields: WordCells['fields'];
  /** Where the bytes stand; null where the row is a number. */
  readonly bytes: { readonly offset: number; readonly bytes: string | null } | null;
}

function Bits({ caption, cells, marks, fields, bytes }: BitsProps): ComponentChildren {
  const declared = new Map(fields.map((f) => [f.name, f.declaration]));
  return (
    <table class="bits">
      <caption>{caption}</caption>
      <thead>
        {bytes !== null && <tr><th scope="row">byte</th>{[0, 1, 2, 3].map((n) => <td key={n} colSpan={8} class="byte">{bytes.offset + n}: {bytes.bytes?.slice(n * 2, n * 2 + 2) ?? '??'}</td>)}</tr>}
        <tr>
          <th scope="row">field</th>
          {fieldRuns(cells, bytes !== null).map((run) => {
            const name = declared.get(run.field)!;
            const fits = name.length + 2 <= run.bits * LETTERS_PER_BIT;
            return <td key={run.from} colSpan={run.bits} class="run" data-mark={marks.get(run.field)}>{marks.get(run.field)}<span class={fits ? '' : 'heard-only'}> {name}</span></td>;
          })}
        </tr>
        <tr class="bit-numbers"><th scope="row">bit</th>{cells.map((c, n) => <th key={c.bit} scope="col" class={edge(n)}>{c.bit}</th>)}</tr>
      </thead>
      <tbody><tr class="bit-values"><th scope="row">value</th>{cells.map((c, n) => <td key={c.bit} class={edge(n)} data-mark={marks.get(c.field)}>{c.value ?? '?'}</td>)}</tr></tbody>
    </table>
  );
}

/** A byte begins with a line. */
function edge(n: number): string {
  return n > 0 && n % 8 === 0 ? 'edge' : '';
}
