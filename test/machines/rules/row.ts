/**
 * The shape of the tables of rules: one row a rule, or a way to meet it, and inside one line a design with outcome and errno last.
 * The tables are written by hand from the kernel sources and the posted series; neither the catalogue nor the designs are asked.
 * Events are NDJSON as people write it (`iommu-ledger events` prints the same); `domain` is `D` where none is said.
 */
import { errnoText, EBUSY, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM, OUTCOMES, type Outcome } from '../../../machines/states.ts';

/** The designs in historical order: the order of the lines in every row. */
export const ORDER = ['v6.12', 'sw-msi', 'private-data-owner', 'private-data-owner-guard', 'private-data-owner-v2', 'cookie-type', 'v7.3'] as const;
/** Id of a design. */
export type DesignId = (typeof ORDER)[number];

/** One event as a line of NDJSON has it. */
export type Json = Readonly<Record<string, unknown>>;

/** What a design does where a row meets it. `by`: the rule that says so, where that is not the row's. */
export interface Expected {
  readonly outcome: Outcome;
  readonly errno?: number;
  readonly by?: string;
}

/**
 * One row. `judge`: whether the domain's machine decides (then the audit must say the same), the audit alone does, or
 * nobody can and only `answersOf` is asked. The last event is the one that is judged.
 */
export interface Row {
  readonly rule: string;
  readonly way?: string;
  readonly judge: 'machine' | 'audit' | 'nobody';
  readonly events: readonly Json[] | ((design: DesignId) => readonly Json[]);
  /** Seen only in a recording of the design itself: it rests on a word, an errno or a back end of that very kernel. */
  readonly ownOnly?: boolean;
  /** Words that tell that a void call was obeyed: added to the last event for the kernel that accepts it. */
  readonly obeyed?: Json;
  /** Every kernel ignores this void call alike, so that another kernel's recording is no accusation. */
  readonly alike?: boolean;
  /** The events show that the kernel went on. */
  readonly wentOn?: boolean;
  /** Designs that say it cannot happen; a recording of such a kernel in which it happened all the same is a finding. */
  readonly evenSo?: readonly DesignId[];
  /** The event that shows what the kernel accepted, where that is not the last one; counted from the end. */
  readonly answeredAt?: number;
  /** Designs in which it is a known limit and not held against the kernel. */
  readonly known?: readonly DesignId[];
  readonly answers: Readonly<Partial<Record<DesignId, Expected>>>;
}

const ERRNOS = new Map([EPERM, EBUSY, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW].map((errno) => [errnoText(errno), errno]));

/** Parses lines of `design  outcome  [-ERRNO]  [by RULE]`. Errors: throws for a line that is not like this. */
function parseAnswers(text: string): Row['answers'] {
  return Object.fromEntries(text.trim().split('\n').map((line) => {
    const found = /^\s*(?<id>\S+)\s+(?<outcome>\S+)(?:\s+(?<errno>-E[A-Z]+))?(?:\s+by (?<by>\S+))?\s*$/.exec(line)?.groups;
    const errno = found?.['errno'] === undefined ? undefined : ERRNOS.get(found['errno']);
    if (!found || !ORDER.includes(found['id'] as DesignId) || !OUTCOMES.includes(found['outcome'] as Outcome) || (found['errno'] && !errno)) throw new Error(`not an answer: ${line}`);
    return [found['id'], { outcome: found['outcome'] as Outcome, ...(errno && { errno }), ...(found['by'] && { by: found['by'] }) }];
  }));
}

type Options = Omit<Row, 'rule' | 'judge' | 'events' | 'answers'>;

const rowOf = (judge: Row['judge']) => (rule: string, options: Options, events: Row['events'], answers: string): Row => ({ rule, judge, events, answers: parseAnswers(answers), ...options });

/** A row that the domain's machine decides, and the audit after it. */
export const machine = rowOf('machine');
/** A row that the audit alone decides: groups, words, descriptors, ids of iommufd. */
export const audit = rowOf('audit');
/** A row that only says the answer: no event carries the facts, or what happens there is another rule's. */
export const nobody = (rule: string, answers: string): Row => rowOf('nobody')(rule, {}, [], answers);

/** Addresses of the two domains. */
export const D = '0xffff000004ceef20';
export const D2 = '0xffff0000035e9d20';

/** The calls of the rows. A row changes what it needs: `{ ...getMsi, base: '0x0' }`. */
export const alloc = (domain_type: number): Json => ({ type: 'iommu_domain_alloc', domain_type });
export const unmanaged = alloc(0x01);
export const dma = alloc(0x03);
export const identity = alloc(0x04);
export const blocked = alloc(0x00);
export const getDma: Json = { type: 'iommu_get_dma_cookie' };
export const getMsi: Json = { type: 'iommu_get_msi_cookie', base: '0x8000000' };
export const putDma: Json = { type: 'iommu_put_dma_cookie' };
export const putMsi: Json = { type: 'iommu_put_msi_cookie' };
export const hwpt: Json = { type: 'iommufd_hwpt_paging_alloc', hwpt: '0xffff000005b23800' };
/** iommufd's automatic domain, whose iommufd_hwpt stayed NULL before 897008d0f767. */
export const autoHwpt: Json = { type: 'iommufd_hwpt_paging_alloc', hwpt: '0x0' };
export const nested: Json = { type: 'iommufd_hwpt_nested_alloc', after: { type: 0x40 } };
export const fault: Json = { type: 'iommu_set_fault_handler' };
export const sva: Json = { type: 'iommu_sva_domain_alloc' };
export const free: Json = { type: 'iommu_domain_free' };
export const attach: Json = { type: 'iommu_group_set_domain', group: 3 };
export const prepare: Json = { type: 'iommu_dma_prepare_msi', msi_addr: '0x8090040' };
export const dmaMap: Json = { type: 'iommu_map', iova: '0x8000000', paddr: '0x8090000', size: 0x1000, prot: 0x1a, caller: 'iommu_dma_get_msi_page' };
export const fdMap: Json = { ...dmaMap, prot: 0x13, caller: 'iommufd_sw_msi_install' };
export const userMap: Json = { type: 'iommu_map', iova: '0x100000000', paddr: '0x45fe6000', size: 0x1000, prot: 0x7 };
export const unmap = (iova: string): Json => ({ type: 'iommu_unmap', iova, size: 0x1000 });
export const claim: Json = { type: 'iommu_group_claim_dma_owner', group: 3, owner: '0xffff0000057e6800', pid: 842 };
export const release: Json = { type: 'iommu_group_release_dma_owner', group: 3 };

/** A device of group 3. */
export const DEV = '0000:00:03.0';
export const shows = (after: Json): Json => ({ ...attach, after });
/** What memory shows where dma-iommu's MSI cookie owns a domain; `put`: the pointer is NULL again, where a design clears it. */
export const msiOwned = (design: DesignId, type: number, put = false): Json => {
  if (design === 'cookie-type' || design === 'v7.3') return { type, cookie_type: 2 };
  const cookie = put ? { type, iova_cookie: '0x0' } : { type, iova_cookie: '0xffff000004079400', iova_cookie_type: 1 };
  return design.startsWith('private-data-owner') ? { ...cookie, private_data_owner: 1 } : cookie;
};

/** Calls that answer no errno. */
export const VOID: ReadonlySet<unknown> = new Set([
  'iommu_put_dma_cookie', 'iommu_put_msi_cookie', 'iommu_set_fault_handler', 'iommu_unmap', 'iommu_domain_free', 'pci_write_msi_msg', 'iommu_group_release_dma_owner',
]);
const WITHOUT_DOMAIN: ReadonlySet<unknown> = new Set(['iommu_group_claim_dma_owner', 'iommu_group_release_dma_owner', 'pci_write_msi_msg', 'iommu_release_device']);

/** Returns the events of a row under a design, each with its domain. `domain: null` stands for a call that returned none. */
export function eventsOf(row: Row, design: DesignId): readonly Json[] {
  const events = typeof row.events === 'function' ? row.events(design) : row.events;
  return events.map((e) => (WITHOUT_DOMAIN.has(e['type']) ? e : { ...e, domain: e['domain'] === undefined ? D : (e['domain'] ?? undefined) }));
}

/** Outcomes that are no finding. */
export const FINE: ReadonlySet<Outcome> = new Set<Outcome>(['accepted', 'noop', 'not-applicable']);
/** Outcomes that say the kernel refuses. */
export const REFUSED: ReadonlySet<Outcome> = new Set<Outcome>(['rejected', 'rejected-warn', 'ignored-warn']);
