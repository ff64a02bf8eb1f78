/**
 * Structs of a kernel's type information with the place of every member, and types as C spells them.
 * Truth: Documentation/bpf/btf.rst (BTF_KIND_STRUCT); on big-endian a bitfield's offset counts from the most significant bit.
 * Left out on purpose: attributes (packed, aligned), which BTF does not keep; 32-bit kernels.
 */
import { BTF_KIND, type Btf } from './btf.ts';

const POINTER_BYTES = 8;
const MAX_STEPS = 64;
/** Members of one struct with all that lie inside of it; the kernel's largest have some hundred. */
const MAX_MEMBERS = 1 << 16;
/** Types that stand on their own wherever they are embedded. */
const NOT_OPENED = new Set(['list_head']);

/**
 * A member. `offset` and `size` are those of its type, for a bitfield of its storage unit; `bitOffset` counts from the least
 * significant bit of that unit on both byte orders. `array` is what stands behind the name: `[16]`. Units: bytes from the outermost struct.
 */
export interface BtfField {
  readonly name: string;
  readonly type: number;
  readonly ctype: string;
  readonly array: string;
  readonly offset: number;
  readonly size: number;
  readonly bits?: { readonly bitOffset: number; readonly bitSize: number };
  /** A struct or union that is written inside this one, or embedded by its tag. */
  readonly inner?: BtfStruct;
}

/** A struct or union. Order: as declared. */
export interface BtfStruct {
  readonly kind: 'struct' | 'union';
  readonly tag: string;
  readonly size: number;
  readonly fields: readonly BtfField[];
}

/** A member as `layout --format json` prints it. */
export interface BtfFlatMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly bitOffset?: number;
  readonly bitSize?: number;
}

const QUALIFIERS: Readonly<Record<number, string>> = { [BTF_KIND.CONST]: 'const', [BTF_KIND.VOLATILE]: 'volatile', [BTF_KIND.RESTRICT]: 'restrict' };
const isAggregate = (kind: number): boolean => kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION;

/** Returns the type behind typedefs, qualifiers and tags. Errors: UnreadableError for a circle of them. */
export function resolveType(btf: Btf, id: number): number {
  for (let step = 0; step < MAX_STEPS; step++) {
    const kind = btf.kind(id);
    if (kind !== BTF_KIND.TYPEDEF && kind !== BTF_KIND.TYPE_TAG && QUALIFIERS[kind] === undefined) return id;
    id = btf.sizeOrType(id);
  }
  throw btf.damaged(`type ${id} is a typedef of itself`);
}

/** Returns the type a pointer points to, resolved, or -1 where the type is no pointer. */
export function pointeeOf(btf: Btf, id: number): number {
  const pointer = resolveType(btf, id);
  return btf.kind(pointer) === BTF_KIND.PTR ? resolveType(btf, btf.sizeOrType(pointer)) : -1;
}

/** Returns the size of a type. Units: bytes; 0 for void, functions and what is only declared. */
export function sizeOfType(btf: Btf, id: number): number {
  let count = 1;
  for (let step = 0; step < MAX_STEPS; step++) {
    id = resolveType(btf, id);
    switch (btf.kind(id)) {
      case BTF_KIND.PTR:
        return count * POINTER_BYTES;
      case BTF_KIND.ARRAY: {
        const { type, length } = btf.array(id);
        count *= length;
        id = type;
        break;
      }
      case BTF_KIND.VAR:
        id = btf.sizeOrType(id);
        break;
      case BTF_KIND.INT: case BTF_KIND.STRUCT: case BTF_KIND.UNION: case BTF_KIND.ENUM: case BTF_KIND.ENUM64: case BTF_KIND.FLOAT: case BTF_KIND.DATASEC: {
        const size = count * btf.sizeOrType(id);
        if (!Number.isSafeInteger(size)) throw btf.damaged(`type ${id} has a size of ${size}`);
        return size;
      }
      default:
        return 0;
    }
  }
  throw btf.damaged(`type ${id} is an array of itself`);
}

/** Returns a type as C spells it, without a name: `const struct iommu_ops *`, `int (*)(struct iopf_group *)`. */
export function spellType(btf: Btf, id: number, depth = 0): string {
  if (depth > MAX_STEPS) throw btf.damaged(`type ${id} is made of itself`);
  const spell = (type: number): string => spellType(btf, type, depth + 1);
  const kind = btf.kind(id);
  switch (kind) {
    case BTF_KIND.STRUCT: return `struct ${btf.nameOf(id) || '{...}'}`;
    case BTF_KIND.UNION: return `union ${btf.nameOf(id) || '{...}'}`;
    case BTF_KIND.FWD: return `struct ${btf.nameOf(id)}`;
    case BTF_KIND.ENUM: case BTF_KIND.ENUM64: return `enum ${btf.nameOf(id) || '{...}'}`;
    case BTF_KIND.TYPE_TAG: return spell(btf.sizeOrType(id));
    case BTF_KIND.CONST: case BTF_KIND.VOLATILE: case BTF_KIND.RESTRICT: {
      const of = spell(btf.sizeOrType(id));
      return of.endsWith('*') ? `${of}${QUALIFIERS[kind]}` : `${QUALIFIERS[kind]} ${of}`;
    }
    case BTF_KIND.PTR: {
      const of = spell(btf.sizeOrType(id));
      if (of.includes('(*')) return of.replace('(*', '(**');
      const prototype = prototypeBehind(btf, btf.sizeOrType(id));
      if (prototype > 0) return `${spell(btf.returns(prototype))} (*)(${btf.parameters(prototype).map(({ type }) => (type === 0 ? '...' : spell(type))).join(', ') || 'void'})`;
      return of.endsWith('*') ? `${of}*` : `${of} *`;
    }
    case BTF_KIND.ARRAY: {
      const { type, length } = btf.array(id);
      return `${spell(type)}[${length}]`;
    }
    default: return btf.nameOf(id);
  }
}

/** A function type that is written out, 0 where it has the name of a typedef or is none. */
function prototypeBehind(btf: Btf, id: number): number {
  for (let step = 0; step < MAX_STEPS && btf.kind(id) === BTF_KIND.TYPE_TAG; step++) id = btf.sizeOrType(id);
  return btf.kind(id) === BTF_KIND.FUNC_PROTO ? id : 0;
}

/** Returns the number of a struct or union by its tag, 0 where only its name, or nothing, is known. */
export function findStruct(btf: Btf, tag: string): number {
  return btf.find(tag, BTF_KIND.STRUCT, BTF_KIND.UNION);
}

/** Returns a struct or union with every member in its place. Errors: UnreadableError where it contains itself. */
export function placeStruct(btf: Btf, id: number): BtfStruct {
  return place(btf, id, 0, { members: 0, depth: 0, embedded: true });
}

/** `embedded`: whether structs that have a member's name are opened too. */
interface Walk {
  members: number;
  depth: number;
  readonly embedded: boolean;
}

function place(btf: Btf, id: number, base: number, limit: Walk): BtfStruct {
  if (++limit.depth > MAX_STEPS) throw btf.damaged(`struct ${btf.nameOf(id)} contains itself`);
  const fields = btf.members(id).map(({ name, type, bit, bits }): BtfField => {
    if (++limit.members > MAX_MEMBERS) throw btf.damaged(`struct ${btf.nameOf(id)} has more than ${MAX_MEMBERS} members`);
    const size = sizeOfType(btf, type);
    let element = type;
    let array = '';
    for (let step = 0; step < MAX_STEPS && btf.kind(element) === BTF_KIND.ARRAY; step++) {
      const { type: of, length } = btf.array(element);
      array += `[${length}]`;
      element = of;
    }
    const field = { name, type, ctype: spellType(btf, element), array };
    if (bits > 0) {
      const unit = size * 8;
      if (unit === 0 || (bit % unit) + bits > unit) throw btf.damaged(`${btf.nameOf(id)}.${name} has ${bits} bits of ${unit}`);
      const skipped = bit % unit;
      const bitOffset = btf.endian === 'little' ? skipped : unit - skipped - bits;
      return { ...field, offset: base + (bit - skipped) / 8, size, bits: { bitOffset, bitSize: bits } };
    }
    if (bit % 8 !== 0) throw btf.damaged(`${btf.nameOf(id)}.${name} stands at bit ${bit}`);
    const offset = base + bit / 8;
    const opened = array === '' && isAggregate(btf.kind(type)) && !NOT_OPENED.has(btf.nameOf(type)) && (name === '' || limit.embedded);
    return { ...field, offset, size, ...(opened && { inner: place(btf, type, offset, limit) }) };
  });
  limit.depth--;
  return { kind: btf.kind(id) === BTF_KIND.UNION ? 'union' : 'struct', tag: btf.nameOf(id), size: btf.sizeOrType(id), fields };
}

/** Returns the members by their C names: those of anonymous structs and unions among the others, those of an embedded one behind it as `geometry.x`. */
export function flattenStruct({ fields }: BtfStruct, prefix = ''): BtfFlatMember[] {
  return fields.flatMap(({ name, offset, size, bits, inner }) => {
    const own = name === '' ? [] : [{ name: prefix + name, offset, size, ...bits }];
    return inner === undefined ? own : [...own, ...flattenStruct(inner, name === '' ? prefix : `${prefix}${name}.`)];
  });
}

/** Returns the member of this C name, looked for in anonymous structs and unions too; undefined where there is none. Units: as in BtfField. */
export function findMember(btf: Btf, id: number, name: string): BtfField | undefined {
  const search = ({ fields }: BtfStruct): BtfField | undefined => {
    for (const field of fields) {
      if (field.name === name) return field;
      const deeper = field.name === '' && field.inner ? search(field.inner) : undefined;
      if (deeper) return deeper;
    }
    return undefined;
  };
  return isAggregate(btf.kind(id)) ? search(place(btf, id, 0, { members: 0, depth: 0, embedded: false })) : undefined;
}
