/**
 * A few thousand types of a real kernel's type information, numbered anew: what `layout --btf` and `probes` ask for and what
 * that is made of, a few pointers deep. Derived from the real one for fuzzing, because the whole of it takes far longer.
 */
import { BTF_KIND, type Btf } from '../../recordings/btf.ts';
import { PROBES } from '../../recordings/probes/table.ts';
import type { Part } from './mutate.ts';

/** Pointers behind this many others point to void. */
const MAX_DEPTH = 2;
const HEADER = 24;
const ROOTS = ['iommu_domain', 'pt_regs', 'trace_fprobe', 'trace_kprobe', 'probe_entry_arg', 'msi_desc', 'iommu_group'];
const REFERS = new Set<number>([BTF_KIND.PTR, BTF_KIND.FWD, BTF_KIND.TYPEDEF, BTF_KIND.VOLATILE, BTF_KIND.CONST, BTF_KIND.RESTRICT, BTF_KIND.FUNC, BTF_KIND.FUNC_PROTO, BTF_KIND.TYPE_TAG]);

/** A type by its words, with which of them are names and types. */
interface Words {
  readonly words: number[];
  readonly names: readonly number[];
  readonly types: readonly number[];
}

function wordsOf(btf: Btf, id: number, at: number): Words {
  const { words } = btf.sections;
  const kind = btf.kind(id);
  const vlen = words[at + 1] & 0xffffff;
  const names = [0];
  const types = REFERS.has(kind) && kind !== BTF_KIND.FWD ? [2] : [];
  let length = 3;
  if (kind === BTF_KIND.INT) length++;
  else if (kind === BTF_KIND.ARRAY) {
    types.push(3, 4);
    length += 3;
  } else if (kind === BTF_KIND.ENUM) {
    for (let n = 0; n < vlen; n++) names.push(length + n * 2);
    length += vlen * 2;
  } else if (kind === BTF_KIND.ENUM64 || kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION) {
    for (let n = 0; n < vlen; n++) {
      names.push(length + n * 3);
      if (kind !== BTF_KIND.ENUM64) types.push(length + n * 3 + 1);
    }
    length += vlen * 3;
  } else if (kind === BTF_KIND.FUNC_PROTO) {
    for (let n = 0; n < vlen; n++) {
      names.push(length + n * 2);
      types.push(length + n * 2 + 1);
    }
    length += vlen * 2;
  }
  return { words: [...words.subarray(at, at + length)], names, types };
}

/** Returns the bytes of the part of `btf`, with its places. */
export function btfSubset(btf: Btf): Part {
  const { strings } = btf.sections;
  const starts = startsOf(btf);
  const numbers = new Map<number, number>([[0, 0]]);
  const queue: { id: number; depth: number }[] = [];
  const want = (id: number, depth: number): void => {
    if (id === 0 || numbers.has(id)) return;
    numbers.set(id, numbers.size);
    queue.push({ id, depth });
  };
  for (const tag of ROOTS) want(btf.find(tag, BTF_KIND.STRUCT), 0);
  for (const name of ['btf_find_func_proto', ...PROBES.map((probe) => probe.function)]) want(btf.find(name, BTF_KIND.FUNC), 0);
  const taken: Words[] = [];
  for (const { id, depth } of queue) {
    const type = wordsOf(btf, id, starts[id]);
    const pointer = btf.kind(id) === BTF_KIND.PTR;
    for (const n of type.types) {
      if (pointer && depth >= MAX_DEPTH) type.words[n] = 0;
      else want(type.words[n], depth + Number(pointer));
    }
    taken.push(type);
  }
  let text = '\0';
  const offsets = new Map<string, number>([['', 0]]);
  const words = taken.flatMap((type) => {
    for (const n of type.names) {
      const name = strings.toString('latin1', type.words[n], strings.indexOf(0, type.words[n]));
      if (!offsets.has(name)) {
        offsets.set(name, text.length);
        text += `${name}\0`;
      }
      type.words[n] = offsets.get(name)!;
    }
    for (const n of type.types) type.words[n] = numbers.get(type.words[n])!;
    return type.words;
  });
  const header = Buffer.alloc(HEADER);
  header.writeUInt16LE(0xeb9f);
  header[2] = 1;
  [HEADER, 0, words.length * 4, words.length * 4, text.length].forEach((value, n) => header.writeUInt32LE(value, 4 + n * 4));
  const fields: { at: number; size: 1 | 2 | 4 }[] = [{ at: 0, size: 2 }, { at: 2, size: 1 }, { at: 3, size: 1 }];
  for (let at = 4; at < HEADER; at += 4) fields.push({ at, size: 4 });
  let at = HEADER;
  for (const [n, type] of taken.entries()) {
    // All words of what is asked for first, the three that every type has for some of the others.
    if (n < 40) type.words.forEach((_, word) => fields.push({ at: at + word * 4, size: 4 }));
    else if (n % 16 === 0) for (let word = 0; word < 3; word++) fields.push({ at: at + word * 4, size: 4 });
    at += type.words.length * 4;
  }
  return { bytes: Buffer.concat([header, Buffer.from(Uint32Array.from(words).buffer), Buffer.from(text, 'latin1')]), boundaries: [2, 4, HEADER, at], fields };
}

/** Where each type starts, by number. */
function startsOf(btf: Btf): number[] {
  const starts = [0];
  for (let at = 0, id = 1; id <= btf.count; id++) {
    starts.push(at);
    const kind = btf.kind(id);
    const vlen = btf.sections.words[at + 1] & 0xffffff;
    const three: readonly number[] = [BTF_KIND.STRUCT, BTF_KIND.UNION, BTF_KIND.DATASEC, BTF_KIND.ENUM64];
    const one: readonly number[] = [BTF_KIND.INT, BTF_KIND.VAR, BTF_KIND.DECL_TAG];
    at += 3 + (three.includes(kind) ? 3 * vlen : kind === BTF_KIND.ENUM || kind === BTF_KIND.FUNC_PROTO ? 2 * vlen : kind === BTF_KIND.ARRAY ? 3 : one.includes(kind) ? 1 : 0);
  }
  return starts;
}
