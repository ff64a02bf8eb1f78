/**
 * A recording in which exactly one fact is altered: the right rule must be found at the right line, as the first finding,
 * and the recording as it is must not have it. Lines are found in real recordings by what they say; nothing is typed in.
 * Memory is believed after a difference, so that an alteration may have consequences: `later` names their rules, all of them.
 */
import { describe, expect, test } from 'vitest';
import { aboveInfo, auditText, recordingBytes, type Audited } from '../audit-file.ts';

/** Changes `lines`, of which `lines[i]` is the one that was looked for. */
type Edit = (lines: string[], i: number) => void;

/** `at`, `nth`: which line. `found`: rules above info at `where`, which is that line unless it is further down or the first that matches. */
interface Alteration {
  readonly what: string;
  readonly recording: string;
  readonly at: RegExp;
  readonly nth?: number;
  readonly edit: Edit;
  readonly where?: number | RegExp;
  readonly found: readonly string[];
  readonly finding?: Record<string, unknown>;
  readonly later?: readonly string[];
}

const replace = (from: string | RegExp, to: string): Edit => (lines, i) => {
  const altered = lines[i].replace(from, to);
  if (altered === lines[i]) throw new Error(`nothing to alter in ${lines[i]}`);
  lines[i] = altered;
};
const insert = (...made: ((line: string, dom: string) => string)[]): Edit => (lines, i) => {
  const dom = / (?:cur_)?dom=(0x\w+)/.exec(lines[i])?.[1] ?? '';
  lines.splice(i + 1, 0, ...made.map((make) => make(lines[i], dom)));
};
const drop = (count: number, from = 0): Edit => (lines, i) => void lines.splice(i + from, count);
/** The line's own columns with another event behind them. */
const says = (line: string, body: string): string => line.replace(/(\d: ).*$/, `$1${body}`);
const userMap = (dom: string): string => `dom_map: (vfio_iommu_type1_ioctl+0xe50/0x15f0 [vfio_iommu_type1] <- iommu_map) ret=0 dom=${dom} iova=0x100000000 paddr=0x45fbf000 size=0x1000 prot=0x7`;

const TYPE1 = 'own72n/vfio-type1';
const IOMMUFD = 'own72n/iommufd';
const got = / get_msi_cookie_ret: /;
const dmaPage = /\(iommu_dma_(get_msi_page|sw_msi|prepare_msi)\S+ <- iommu_map\).*iova=0x8000000/;
const fdPage = /\(iommufd_sw_msi_install\S+ <- iommu_map\)/;
const freed = / domain_free: .*dtype=(0x)?1 /;
const preparedLine = / prepare_msi_ret: .*iova_pfn=32768/;
const stale = ['msi-iova-mismatch', 'msi-address-stale'];

const answers: readonly Alteration[] = [
  ...[TYPE1, 'deb72/vfio-type1', 'deb612b/vfio-type1', 'pdo/vfio-type1', 'own612n/iommufd'].map((recording) => ({
    what: 'get_msi_cookie 0 → -EEXIST', recording, at: got, edit: replace('ret=0', 'ret=-17'), found: ['errno-mismatch'], finding: { expected: { errno: 0 }, observed: { errno: -17 } },
  })),
  ...['stock72-steal/steal', 'pdo2-steal/steal'].map((recording) => ({
    what: 'the refused theft -EEXIST → 0', recording, at: got, edit: replace('ret=-17', 'ret=0'), found: ['get-msi-cookie-on-iommufd'], finding: { severity: 'critical', outcome: 'overwrites', before: 'iommufd_owned', expected: { errno: -17 }, observed: { errno: 0 } },
  })),
  { what: 'the refused theft -EEXIST → -EINVAL', recording: 'stock72-steal/steal', at: got, edit: replace('ret=-17', 'ret=-22'), found: ['errno-mismatch'] },
  ...[TYPE1, 'own612n/iommufd', 'pdo/iommufd'].map((recording) => ({ what: 'prepare_msi 0 → -EOPNOTSUPP', recording, at: preparedLine, nth: 3, edit: replace('ret=0', 'ret=-95'), found: ['errno-mismatch'], finding: { observed: { errno: -95 } } })),
  { what: 'the failed prepare_msi -ENOMEM → 0', recording: 'pdo-steal/steal', at: / prepare_msi_ret: .*ret=-12/, edit: replace('ret=-12', 'ret=0'), found: ['msi-map-failed'], finding: { severity: 'error', outcome: 'undetected', expected: { errno: -12 } } },
  { what: 'the failed prepare_msi -ENOMEM → -EOPNOTSUPP', recording: 'pdo-steal/steal', at: / prepare_msi_ret: .*ret=-12/, edit: replace('ret=-12', 'ret=-95'), found: ['errno-mismatch'] },
  { what: 'get_dma_cookie accepted on a domain that has a cookie', recording: 'deb72-boot/boot-dma', at: / get_dma_cookie_ret: /, edit: (l, i) => void l.splice(i + 1, 0, l[i - 1].replace('ctype=0', 'ctype=1'), l[i]), where: 2, found: ['get-dma-cookie-existing-cookie'], finding: { outcome: 'undetected', expected: { errno: -17 } } },
  { what: 'get_dma_cookie accepted on a domain that has a cookie', recording: 'deb612b/boot-dma', at: / get_dma_cookie_ret: /, edit: (l, i) => void l.splice(i + 1, 0, l[i - 1].replace('cookie=0x0', 'cookie=0xffff062d04788000'), l[i]), where: 2, found: ['get-dma-cookie-existing-cookie'] },
  { what: 'a claim granted twice', recording: TYPE1, at: / claim_group: /, edit: insert((line) => line), where: 1, found: ['claim-dma-owner-taken'], finding: { expected: { errno: -1 }, domain: null } },
  { what: 'a claim granted to another iommufd', recording: IOMMUFD, at: / claim_device: /, edit: insert((line) => line.replace(/owner=0x\w+/, 'owner=0xffff0000057d6500')), where: 1, found: ['claim-dma-owner-taken'] },
  { what: 'a fault handler set on a domain with an MSI cookie', recording: TYPE1, at: got, edit: insert((line, dom) => says(line, `set_fault_handler: (iommu_set_fault_handler+0x4/0x60) dom=${dom} dtype=0x1 ctype=2`), (line, dom) => says(line, `set_fault_handler_ret: (msm_iommu_attach+0x4/0x60 <- iommu_set_fault_handler) dom=${dom} dtype=0x1 ctype=3`)), where: 2, found: ['set-fault-handler-on-owned'], finding: { severity: 'error', outcome: 'overwrites', after: 'fault_handler_owned' }, later: ['word-mismatch'] },
];

const words: readonly Alteration[] = [
  { what: 'cookie_type at the free', recording: TYPE1, at: freed, edit: replace('ctype=2', 'ctype=0'), found: ['word-mismatch'], finding: { expected: { type: 1, cookie_type: 2 }, observed: { type: 1, cookie_type: 0 } } },
  { what: 'cookie_type in one attach', recording: IOMMUFD, at: / attach_dev: .*ctype=5/, nth: 2, edit: replace('ctype=5', 'ctype=2'), found: ['word-mismatch'], later: ['word-mismatch'] },
  { what: 'cookie_type that the type cannot have', recording: TYPE1, at: freed, edit: replace('ctype=2', 'ctype=1'), found: ['word-mismatch', 'owner-type-mismatch'] },
  { what: 'cookie_type beyond the enum', recording: TYPE1, at: freed, edit: replace('ctype=2', 'ctype=9'), found: ['word-mismatch', 'cookie-type-out-of-range'] },
  { what: 'type UNMANAGED → DMA', recording: TYPE1, at: freed, edit: replace('dtype=0x1', 'dtype=0x3'), found: ['word-mismatch', 'type-illegal-change'] },
  { what: 'type UNMANAGED → DMA', recording: 'own612n/iommufd', at: freed, edit: replace('dtype=0x1', 'dtype=0x3'), found: ['word-mismatch', 'type-illegal-change'] },
  { what: 'a type that does not exist', recording: 'deb612b/vfio-type1', at: freed, edit: replace('dtype=0x1', 'dtype=0x7'), found: ['word-mismatch', 'type-unknown-value'] },
  { what: 'private_data_owner 1 → 2', recording: 'pdo/vfio-type1', at: freed, edit: replace('owner=1', 'owner=2'), found: ['word-mismatch'], finding: { expected: { private_data_owner: 1 }, observed: { private_data_owner: 2 } } },
  { what: 'private_data_owner 3', recording: 'pdo/vfio-type1', at: freed, edit: replace('owner=1', 'owner=3'), found: ['word-mismatch', 'owner-reserved-value'] },
  { what: 'v6.12: the cookie is of the other kind', recording: 'deb612b/vfio-type1', at: / domain_free: .*cktype=1/, edit: replace('cktype=1', 'cktype=0'), found: ['word-mismatch', 'owner-type-mismatch'], finding: { expected: { iova_cookie: 'IOMMU_DMA_MSI_COOKIE' }, observed: { iova_cookie: 'IOMMU_DMA_IOVA_COOKIE' } } },
  // What an entry shows stands in the event of its return: the first line that shows the cookie is prepare_msi, so its return.
  ...[[TYPE1, 'unowned'], ['deb612b/vfio-type1', 'unowned'], ['pdo/vfio-type1', 'unowned']].map(([recording, before]) => ({ what: 'the cookie came from nowhere', recording, at: / get_msi_cookie: /, edit: drop(2), where: / prepare_msi_ret: /, found: ['word-mismatch'], finding: { before, after: before } })),
];

const pages: readonly Alteration[] = [
  { what: 'IOVA of type1\'s MSI page', recording: TYPE1, at: dmaPage, edit: replace('iova=0x8000000', 'iova=0x8001000'), found: ['msi-iova-mismatch'], finding: { expected: { iova: '0x8000000' }, observed: { iova: '0x8001000' } }, later: stale },
  { what: 'IOVA of type1\'s MSI page', recording: 'deb612b/vfio-type1', at: dmaPage, edit: replace('iova=0x8000000', 'iova=0x8001000'), found: ['msi-iova-mismatch'], later: ['msi-iova-mismatch'] },
  { what: 'IOVA of iommufd\'s MSI page', recording: IOMMUFD, at: fdPage, edit: replace('iova=0x8000000', 'iova=0x8001000'), found: ['msi-iova-mismatch'], later: stale },
  { what: 'an IOVA outside of the window', recording: TYPE1, at: dmaPage, edit: replace('iova=0x8000000', 'iova=0x8100000'), found: ['msi-iova-mismatch', 'msi-iova-outside-window'], later: stale },
  { what: 'an IOVA outside of the window', recording: 'pdo/iommufd', at: fdPage, edit: replace('iova=0x8000000', 'iova=0x7fff000'), found: ['msi-iova-mismatch', 'msi-iova-outside-window'], later: stale },
  { what: 'protection of type1\'s page', recording: TYPE1, at: dmaPage, edit: replace('prot=0x1a', 'prot=0x12'), found: ['msi-prot-mismatch'], finding: { severity: 'warning' } },
  { what: 'protection of iommufd\'s page', recording: 'pdo/iommufd', at: fdPage, edit: replace('prot=0x13', 'prot=0x1a'), found: ['msi-prot-mismatch'] },
  { what: 'doorbell not masked', recording: TYPE1, at: dmaPage, edit: replace('paddr=0x8090000', 'paddr=0x8090040'), found: ['msi-phys-not-masked'], later: ['msi-iova-mismatch'] },
  { what: 'page mapped by the other back end', recording: IOMMUFD, at: fdPage, edit: replace('iommufd_sw_msi_install', 'iommu_dma_get_msi_page'), found: ['msi-prot-mismatch'] },
  { what: 'a second page for the doorbell', recording: TYPE1, at: dmaPage, edit: insert((line) => line.replace('iova=0x8000000', 'iova=0x8001000')), where: 1, found: ['msi-duplicate-doorbell'], later: ['msi-iova-mismatch'] },
  { what: 'a second page for the doorbell', recording: 'pdo/iommufd', at: fdPage, edit: insert((line) => line.replace('iova=0x8000000', 'iova=0x8001000')), where: 1, found: ['msi-iova-mismatch', 'msi-duplicate-doorbell'], later: ['msi-iova-mismatch'] },
  { what: 'a second doorbell at the IOVA', recording: TYPE1, at: dmaPage, edit: insert((line) => line.replace('paddr=0x8090000', 'paddr=0x80a0000')), where: 1, found: ['msi-iova-mismatch', 'msi-iova-reused'] },
  { what: 'a live MSI page is unmapped', recording: TYPE1, at: / detach_group: /, edit: insert((line, dom) => says(line, `dom_unmap: (vfio_iommu_type1_ioctl+0xe50/0x15f0 [vfio_iommu_type1] <- iommu_unmap) ret=0x1000 dom=${dom} iova=0x8000000 size=0x1000`)), where: 1, found: ['msi-page-unmapped'] },
  { what: 'a mapping of a blocking domain', recording: TYPE1, at: / group_set_domain_ret: .*cur_dtype=0x0/, edit: insert((line, dom) => says(line, userMap(dom))), where: 1, found: ['map-non-paging'], finding: { expected: { errno: -22 }, observed: { errno: 0 } } },
];

const descriptors: readonly Alteration[] = [
  ...[TYPE1, 'pdo/iommufd', 'own612n/iommufd'].map((recording) => ({ what: 'IOVA in the descriptor', recording, at: preparedLine, nth: 2, edit: replace('iova_pfn=32768', 'iova_pfn=32769'), found: ['msi-iova-mismatch'], finding: { expected: { iova: '0x8000000' }, observed: { iova: '0x8001000' } }, later: ['msi-address-mismatch'] })),
  { what: 'shift in the descriptor', recording: TYPE1, at: preparedLine, nth: 2, edit: replace('shift=12', 'shift=16'), found: ['msi-iova-mismatch', 'msi-desc-shift-mismatch'], later: ['msi-address-mismatch'] },
  { what: 'address written to the device', recording: TYPE1, at: / write_msg: .*alo=0x8000040/, nth: 2, edit: replace('alo=0x8000040', 'alo=0x8001040'), found: ['msi-address-mismatch'], finding: { expected: { address: '0x8000040' }, observed: { address: '0x8001040' } } },
  { what: 'the physical doorbell written to the device', recording: 'own612n/iommufd', at: / write_msg: .*alo=0x8000040/, nth: 2, edit: replace('alo=0x8000040', 'alo=0x8090040'), found: ['msi-address-mismatch'] },
  { what: 'upper half of the address written', recording: 'pdo/vfio-type1', at: / write_msg: .*alo=0x8000040/, nth: 3, edit: replace('ahi=0x0', 'ahi=0x1'), found: ['msi-address-mismatch'], finding: { observed: { address: '0x108000040' } } },
  // Lines of fd_sw_msi_inst_in, map, dom_map_nosync, dom_map and this one; then group_set_domain, tracepoint, attach_dev.
  { what: 'replaced without installing the pages', recording: IOMMUFD, at: / fd_sw_msi_install: \(iommufd_group_setup_msi/, edit: drop(5, -4), where: -1, found: ['msi-address-stale'], finding: { observed: { address: '0x8000040', msi_index: [0, 1, 2] }, expected: {} } },
];

const lives: readonly Alteration[] = [
  ...[TYPE1, 'own612n/iommufd', 'pdo/iommufd'].map((recording) => ({ what: 'freed twice', recording, at: freed, edit: insert((line) => line), where: 1, found: ['domain-double-free'], finding: { severity: 'critical', outcome: 'double-free', before: 'freed', after: 'freed' } })),
  { what: 'a mapping after the free', recording: TYPE1, at: / domain_free_ret: /, edit: insert((line, dom) => says(line, userMap(dom))), where: 1, found: ['use-after-free'], finding: { severity: 'critical', before: 'freed' } },
  { what: 'a mapping after the free', recording: 'deb612b/vfio-type1', at: / domain_free_ret: /, edit: insert((line, dom) => says(line, userMap(dom))), where: 1, found: ['use-after-free'] },
  { what: 'a mapping after the last free', recording: IOMMUFD, at: / domain_free_ret: /, nth: 7, edit: insert((line, dom) => says(line, userMap(dom))), where: 1, found: ['use-after-free'] },
  { what: 'freed while attached', recording: TYPE1, at: / detach_group: /, edit: drop(6), where: freed, found: ['free-while-attached'], finding: { severity: 'critical', after: 'freed' } },
  { what: 'freed with a mapping of iommufd\'s user', recording: IOMMUFD, at: / dom_unmap: /, edit: drop(1), where: freed, found: ['free-with-live-mappings'] },
  { what: 'cookie put twice', recording: TYPE1, at: / put_msi_cookie: /, edit: insert((line) => line), where: 1, found: ['put-cookie-twice'], finding: { severity: 'critical' } },
  { what: 'v6.12: cookie put after the free', recording: 'deb612b/vfio-type1', at: / put_dma_cookie: .*cktype=1/, edit: insert((line) => line), where: 1, found: ['use-after-free'] },
];

const originals = new Map<string, Promise<Audited>>();
function original(recording: string): Promise<Audited> {
  if (!originals.has(recording)) originals.set(recording, auditText(recordingBytes(`${recording}.trace.txt`), { events: false }));
  return originals.get(recording)!;
}

describe.each(Object.entries({ answers, words, pages, descriptors, lives }))('%s', (_, alterations) => {
  test.each(alterations)('$what ($recording)', async ({ recording, at, nth = 1, edit, where = 0, found, finding = {}, later = [] }) => {
    const lines = recordingBytes(`${recording}.trace.txt`).toString('utf8').split('\n');
    let i = -1;
    for (let n = 0; n < nth; n++) i = lines.findIndex((line, k) => k > i && at.test(line));
    expect(i, 'the line to alter').toBeGreaterThan(0);
    edit(lines, i);
    const line = 1 + (typeof where === 'number' ? i + where : lines.findIndex((text, k) => k >= i && where.test(text)));

    const before = aboveInfo((await original(recording)).findings).map((f) => `${f.line} ${f.rule}`);
    expect(before.filter((text) => text.startsWith(`${i + 1} `))).toEqual([]);
    const all = await auditText(lines.join('\n'), { events: false });
    const news = aboveInfo(all.findings).filter((f) => !before.includes(`${f.line} ${f.rule}`));
    expect(all.summary.problems.count).toBe(0);
    expect(news.filter((f) => f.line === line).map((f) => f.rule)).toEqual(found);
    expect(news[0].line, 'the first finding').toBe(line);
    expect(news.find((f) => f.rule === found.at(-1))).toMatchObject(finding);
    expect([...new Set(news.filter((f) => f.line !== line).map((f) => f.rule))].toSorted()).toEqual(later.toSorted());
  });
});
