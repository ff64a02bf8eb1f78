/**
 * Every rule in every design, by hand: what the tables under rules/ say, the XState machine of each design answers, the audit
 * reports, `answersOf` lists, and the catalogue that the rules came from says too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DESIGNS, findDesign } from '../../machines/design-list.ts';
import { withOwnerBits, type Design } from '../../machines/design.ts';
import { answersOf } from '../../machines/rule-answers.ts';
import { RULES, ruleIndex } from '../../machines/rules.ts';
import { errnoText } from '../../machines/states.ts';
import { COOKIES } from './rules/cookies.ts';
import { GROUPS } from './rules/groups.ts';
import { audited, canBe, expectAudit, expectMachine } from './rules/judge.ts';
import { LIVES } from './rules/lives.ts';
import { MSI } from './rules/msi.ts';
import { PAGES } from './rules/pages.ts';
import { D, FINE, ORDER, alloc, shows, unmanaged, type DesignId, type Expected, type Json, type Row } from './rules/row.ts';
import { WORDS } from './rules/words.ts';

const ROWS: readonly Row[] = [...COOKIES, ...LIVES, ...GROUPS, ...MSI, ...PAGES, ...WORDS];
/** Rules about what was recorded: no design answers them. */
const CONFORMANCE = ['errno-mismatch', 'word-mismatch', 'msi-iova-mismatch', 'msi-address-mismatch', 'msi-address-stale'];
/** The catalogue that was compiled from the kernel sources before this program: ids, severities, outcomes. Six designs: no v2. */
const COMPILED = (JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/rules.json'), 'utf8')) as {
  readonly rules: readonly { readonly id: string; readonly severity: string; readonly profiles: Readonly<Record<string, { readonly outcome: string; readonly errno?: string }>> }[];
}).rules;
/** Rows that say other than it, and why. Recordings win, then the kernel sources; the catalogue has one answer a rule and design. */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  'get-msi-cookie-existing-cookie: after the put: the tag stays, and only some look at it': 'a put clears iova_cookie before cookie_type, and only the guard and cookie_type look at what stays',
  'iommufd-adopts-owned-domain: a fault handler, which has a field of its own until the one union': 'no cookie is there to leak',
  'sva-adopts-owned-domain: iommufd': 'v6.12 has nothing that says iommufd before its MSI cookie',
  'put-cookie-twice: after the put of iommu_domain_free': 'the domain is freed; where the put dispatches by what memory held, that is all there is to say',
  'put-on-iommufd-owned': 'the call itself is put-dma-cookie-unowned there',
  'free-with-live-mappings: unmapped before': 'nothing is left',
  'free-with-live-mappings: MSI pages are never unmapped': 'the legal exception',
  'cookie-leaked-at-free: SVA did: put looks at sw_msi or the tag, which SVA leaves alone until cookie_type': 'the catalogue has the early return only; after SVA there is none, iommu_put_dma_cookie is called always',
  'cookie-leaked-at-free: a stolen domain: the thief is named, and its cookie is put': 'sw_msi and the tag name the thief, so the put frees its cookie; where the theft is refused there is none',
  'attach-during-reset: the group is claimed and blocked': 'a kernel without reset windows has another reason for -EBUSY',
  'attach-during-reset: the group is on its identity domain': 'likewise',
  'attach-during-reset: the group is on its DMA domain': 'likewise',
  'claim-dma-owner-taken: the same owner again, by device, only counts up': 'iommu_device_claim_dma_owner',
  'msi-map-failed: iommufd passes the errno of the map on': 'iommufd_sw_msi_install returns the errno of iommu_map; only dma-iommu folds it into -ENOMEM',
  'msi-cookie-base-zero: only the first attempt fails': 'msi_iova was advanced',
  'msi-iova-outside-window: a DMA domain has no window': 'its IOVAs come from iovad',
  'msi-wrong-backend: dma-iommu on a domain of iommufd': 'by the tag it cannot happen: what is seen is a page with the wrong protection',
  'msi-wrong-backend: iommufd on a domain with an MSI cookie': 'likewise; v6.12 has one back end',
  'type-overflow-30-bits: the largest that fits': 'it fits',
  'type-illegal-change: DMA to DMA_FQ and back': 'the one change that the kernel makes',
  'owner-cookie-mismatch: after a put it is as it should be': 'a put clears the pointer and leaves the tag',
};
const nameOf = (row: Row): string => (row.way ? `${row.rule}: ${row.way}` : row.rule);
const CATALOGUE = RULES.map((r) => r.id).filter((id) => !CONFORMANCE.includes(id));
const lines = (row: Row): [DesignId, Expected][] => ORDER.filter((id) => row.answers[id]).map((id) => [id, row.answers[id]!]);
const text = ({ outcome, errno }: { outcome: string; errno?: number | string | undefined }): string => (errno ? `${outcome} ${errno}` : outcome);

describe.each(ROWS.filter((row) => row.judge !== 'nobody').map((row) => [nameOf(row), row] as const))('%s', (_, row) => {
  test.each(lines(row).map(([id, expected]) => [id, text(expected), expected] as const))('%s %s', (id, _, expected) => {
    if (row.judge === 'machine') expectMachine(row, id, expected);
    for (const own of [true, false]) {
      for (const recorded of ['refused', 'accepted'] as const) if (canBe(row, id, expected, recorded)) expectAudit(row, id, expected, own, recorded);
    }
  });
});

describe('the tables', () => {
  test('have every rule and every design', () => {
    for (const rule of CATALOGUE) {
      const seen = new Set(ROWS.filter((row) => row.rule === rule).flatMap((row) => Object.keys(row.answers)));
      expect([...ORDER].filter((id) => !seen.has(id)), rule).toEqual([]);
    }
    for (const row of ROWS) expect(CATALOGUE).toContain(row.rule);
  });

  test.each(CATALOGUE)('%s: answersOf lists what the rows say', (rule) => {
    for (const id of ORDER) {
      const said = ROWS.filter((row) => row.rule === rule).flatMap((row) => row.answers[id] && (!row.answers[id].by || CONFORMANCE.includes(row.answers[id].by!)) ? [row.answers[id]] : []);
      const faults = said.filter(({ outcome }) => !FINE.has(outcome));
      const wanted = faults.length > 0 ? faults : said.slice(0, 1);
      const first = ROWS.find((row) => row.rule === rule && row.answers[id])!.answers[id]!;
      const listed = answersOf(findDesign(id)!, rule).map(text);
      expect(new Set(listed), id).toEqual(new Set((wanted.length > 0 ? wanted : [first]).map(text)));
      expect(listed.length, id).toBe(new Set(listed).size);
    }
  });

  test('agree with the compiled catalogue, but for what is named here', () => {
    for (const { id, severity } of COMPILED) expect(RULES[ruleIndex(id)].severity, id).toBe(severity);
    const differing = ROWS.filter(({ rule, answers }) => Object.entries(COMPILED.find(({ id }) => id === rule)!.profiles).some(([id, { outcome, errno }]) => {
      const said = answers[id as DesignId];
      return said !== undefined && (said.outcome !== outcome || (said.errno ? errnoText(said.errno) : undefined) !== (errno && `-${errno}`) || (said.by && !CONFORMANCE.includes(said.by)));
    }));
    expect(differing.map(nameOf)).toEqual(Object.keys(DISAGREEMENTS));
    // Besides them each rule has a row that says the same.
    for (const { id: rule, profiles } of COMPILED) {
      for (const [id, { outcome, errno }] of Object.entries(profiles)) {
        const said = ROWS.filter((row) => row.rule === rule).flatMap((row) => row.answers[id as DesignId] ?? []).filter(({ by }) => !by || CONFORMANCE.includes(by));
        expect(said.map((e) => text({ outcome: e.outcome, errno: e.errno && errnoText(e.errno) })), `${rule} ${id}`).toContain(text({ outcome, errno: errno && `-${errno}` }));
      }
    }
    expect(new Set(COMPILED.map(({ id }) => id))).toEqual(new Set(CATALOGUE));
  });
});

describe('what must be recorded', () => {
  test('is said of every rule, in one sentence without its end', () => {
    for (const { id, needs, unseen } of RULES) {
      expect(needs, id).toMatch(/^[a-z_-].*[^.]$/);
      expect(unseen ?? 'An excuse.', id).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('is in no event exactly where no row of the tables can be played', () => {
    const played = new Set(ROWS.filter((row) => row.judge !== 'nobody' && !Object.values(row.answers).some(({ by }) => by && CONFORMANCE.includes(by))).map(({ rule }) => rule));
    expect(RULES.filter(({ unseen }) => unseen !== undefined).map(({ id }) => id)).toEqual(CATALOGUE.filter((id) => !played.has(id)));
  });
});

describe('the width of private_data_owner', () => {
  const tagged = DESIGNS.filter((d) => d.ownerBits > 0);
  const rulesOf = (design: Design, ...events: Json[]): string[] => audited(design, true, events.map((e) => ({ ...e, domain: D }))).map((f) => f.rule);

  test.each(tagged.flatMap((design) => [2, 3, 4].map((bits) => [design.id, bits, design] as const)))('%s, %i bits: the first type that is too large', (_, bits, design) => {
    const wide = withOwnerBits(design, bits);
    const least = 2 ** (32 - bits);
    expect(least).toBe({ 2: 0x40000000, 3: 0x20000000, 4: 0x10000000 }[bits]);
    expect(rulesOf(wide, alloc(least + 1))).toEqual(['type-overflow-30-bits']);
    expect(rulesOf(wide, alloc(least - 1))).toEqual([]);
  });

  test.each(tagged.flatMap((design) => [2, 3].map((bits) => [design.id, bits, design] as const)))('%s, %i bits: every value above IOMMUFD is reserved', (_, bits, design) => {
    const wide = withOwnerBits(design, bits);
    for (let owner = 0; owner < 2 ** bits; owner++) {
      const found = [{ type: 1, private_data_owner: owner }, { word: 2 ** (32 - bits) * owner + 1 }].map((after) => rulesOf(wide, unmanaged, shows(after)));
      for (const rules of found) expect(rules.includes('owner-reserved-value'), `${owner}`).toBe(owner > 2);
    }
  });
});
