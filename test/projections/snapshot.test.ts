/**
 * Folds: restoring a snapshot and applying the tail equals a full replay, and how events are cut into batches changes nothing.
 */
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { EventBatch, createInterned, type Interned } from '../../events/batch.ts';
import { renderEvent } from '../../events/ndjson.ts';
import { parseEvent } from '../../events/parse-event.ts';
import { findDesign } from '../../machines/design-list.ts';
import { Audit } from '../../projections/audit.ts';
import { aliveViews } from '../../projections/domain-view.ts';
import { openRecording } from '../../recordings/open-recording.ts';
import { readAll } from '../../recordings/recording.ts';

const RECORDINGS = ['pdo-steal/steal', 'own72n/iommufd', 'own612n/iommufd', 'own72v/variant-trace_pipe-lost', 'deb72/errors'];

async function linesOf(name: string): Promise<{ lines: string[]; design: string }> {
  const recording = await openRecording(new URL(`../recordings/${name}.trace.txt`, import.meta.url).pathname);
  const lines: string[] = [];
  await readAll(recording, (b) => {
    for (let i = 0; i < b.length; i++) lines.push(renderEvent(b, i));
  });
  recording.close();
  return { lines, design: recording.summary.design ?? 'cookie-type' };
}

/** Applies lines `from` (inclusive) to `to` (exclusive) in batches of `size`. */
function apply(audit: Audit, interned: Interned, lines: readonly string[], from: number, to: number, size: number): void {
  for (let start = from; start < to; start += size) {
    const batch = new EventBatch(interned);
    batch.position = start + 1;
    for (const line of lines.slice(start, Math.min(to, start + size))) expect(parseEvent(line, batch)).toBeUndefined();
    audit.apply(batch);
  }
}

function result(audit: Audit, interned: Interned): unknown {
  audit.end();
  return { findings: audit.findings.sorted(), summary: audit.findings.summary, checked: audit.checked, domains: audit.incarnations.count, alive: aliveViews(audit, interned, 'arm64') };
}

describe.each(RECORDINGS)('%s', (name) => {
  it('restore + tail = full replay, at any cut and any batch size', async () => {
    const { lines, design } = await linesOf(name);
    const full = new Audit(findDesign(design)!, true);
    const fullInterned = createInterned();
    apply(full, fullInterned, lines, 0, lines.length, 4096);
    const expected = result(full, fullInterned);
    fc.assert(
      fc.property(fc.nat(lines.length), fc.integer({ min: 1, max: 50 }), (cut, size) => {
        const head = new Audit(findDesign(design)!, true);
        const headInterned = createInterned();
        apply(head, headInterned, lines, 0, cut, size);
        // Through bytes, as a store would keep it.
        const snapshot = structuredClone(head.snapshot(headInterned));
        const interned = createInterned();
        const tail = Audit.restore(findDesign(design)!, snapshot, interned);
        apply(tail, interned, lines, cut, lines.length, size);
        expect(result(tail, interned)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});

describe('incarnations', () => {
  it('free forgets everything: the next one on the address starts empty', () => {
    const interned = createInterned();
    const audit = new Audit(findDesign('v7.3')!, true);
    const lines = [
      { type: 'iommu_domain_alloc', domain: '0xffff000000001000', domain_type: 1, errno: 0 },
      { type: 'iommu_get_msi_cookie', domain: '0xffff000000001000', base: '0x8000000', errno: 0 },
      { type: 'iommu_dma_prepare_msi', domain: '0xffff000000001000', device: '0000:00:03.0', msi_index: 0, msi_addr: '0x8090040', iova: '0x8000000', errno: 0 },
      { type: 'iommu_domain_free', domain: '0xffff000000001000' },
      { type: 'iommu_domain_alloc', domain: '0xffff000000001000', domain_type: 1, errno: 0 },
    ].map((e) => JSON.stringify({ v: 1, ...e }));
    apply(audit, interned, lines, 0, lines.length, 1);
    const [view] = aliveViews(audit, interned, 'arm64');
    expect(view).toMatchObject({ generation: 2, state: 'unowned', msi_pages: [], msi_next: null, devices: [], groups: [], first: 5 });
    expect(audit.findings.count).toBe(0);
  });
});
