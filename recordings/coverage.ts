/**
 * Which fields the probes of a recording have, function by function, against those that `iommu-ledger probes` would fetch:
 * whoever reads the audit must know what could not be looked at. Only the first lines of each probe are looked at.
 */
import { F, FIELDS, FN, FUNCTIONS, type FieldName, type FunctionName, type ProbeLine } from './probe-line.ts';
import { PROBES } from './probes/table.ts';

/** Lines of a probe that are looked at: a field behind a NULL pointer may be absent in one of them. */
const SAMPLE = 16;

/** What is lost without a field; fields that stand for another are one. */
const COSTS: readonly (readonly [fields: readonly FieldName[], costs: string])[] = [
  [['ret'], 'its answer is not compared'],
  [['dom'], 'it is of no use, or its domain is told by another probe only'],
  [['dtype', 'word'], 'the type of the domain is not compared'],
  [['ctype', 'cktype', 'owner', 'word', 'cookie'], 'the owner of the domain is not compared'],
  [['base'], 'MSI IOVAs are not predicted'],
  [['dev'], 'which device it was is not known'],
  [['grp'], 'which group it was is not known'],
  [['msi_index'], 'the message it was about is not known'],
  [['msi_addr', 'paddr'], 'the physical address is not known'],
  [['iova_pfn'], 'the IOVA in the descriptor is not compared'],
  [['alo'], 'the programmed address is not compared'],
  [['iova'], 'it is of no use'],
  [['size'], 'it is of no use'],
];

/** A function whose probes lack fields. */
export interface Missing {
  readonly function: FunctionName;
  readonly fields: readonly FieldName[];
  readonly costs: string;
}

/** Fields that a definition fetches, by function; a domain's words are told by the names in `COSTS`. */
const WANTED = new Map<number, Set<FieldName>>();
for (const probe of PROBES) {
  // Those whose absence costs nothing only name a domain for another one.
  if (!(FUNCTIONS as readonly string[]).includes(probe.function) || probe.costs.startsWith('nothing')) continue;
  const fn = FN[probe.function as FunctionName];
  const names = WANTED.get(fn) ?? new Set();
  WANTED.set(fn, names);
  for (const field of probe.fields) {
    if (typeof field === 'string') names.add(field.slice(0, field.indexOf('=')) as FieldName);
    else if (field.prefix === '') for (const name of ['dom', 'dtype', 'ctype'] as const) names.add(name);
  }
}

/** The fields seen so far. */
export class Coverage {
  private readonly lines = new Uint8Array(FUNCTIONS.length * 2);
  private readonly seen = new Uint8Array(FUNCTIONS.length * FIELDS.length);

  /** Looks at a line of a probe, unless enough like it have been seen. */
  look(p: ProbeLine): void {
    const k = p.fn * 2 + p.kind;
    if (this.lines[k] === SAMPLE) return;
    this.lines[k]++;
    const at = p.fn * FIELDS.length;
    for (let f = 0; f < FIELDS.length; f++) if (p.has(f)) this.seen[at + f] = 1;
    if (p.dev !== 0) this.seen[at + F.dev] = 1;
  }

  /** Returns what the probes that were seen lack. Order: functions as in `FUNCTIONS`. */
  missing(): Missing[] {
    const found: Missing[] = [];
    for (const [fn, names] of [...WANTED].toSorted(([a], [b]) => a - b)) {
      if (this.lines[fn * 2] + this.lines[fn * 2 + 1] === 0) continue;
      for (const [fields, costs] of COSTS) {
        if (fields.some((name) => names.has(name)) && fields.every((name) => this.seen[fn * FIELDS.length + F[name]] === 0)) found.push({ function: FUNCTIONS[fn], fields: fields.filter((name) => names.has(name)), costs });
      }
    }
    return found;
  }
}
