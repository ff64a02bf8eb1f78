/**
 * Recordings are never tidy: they start in mid-life, end in the middle of a call, and were made with some probes only.
 * Whatever is cut off or left out of a healthy recording, nobody is accused of what cannot be known.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DESIGNS } from '../../machines/design-list.ts';
import { auditText } from '../audit-file.ts';

const HEALTHY = [
  'pdo/iommufd', 'pdo/vfio-type1', 'own72n/iommufd', 'own72n/vfio-type1', 'deb72/vfio-type1', 'deb72/errors',
  'own612n/iommufd', 'deb612b/vfio-type1', 'x86own72/iommufd', 'x86deb72/vfio-type1', 'deb72-boot/boot-dma',
];
const DESIGN = (name: string): string => (name.startsWith('pdo') ? 'private-data-owner' : name.includes('612') ? 'v6.12' : 'v7.3');

/** The text lines of a recording; a string field with a newline in it keeps its two lines together. */
const linesOf = (name: string): string[] => readFileSync(new URL(`./${name}.trace.txt`, import.meta.url), 'utf8').split(/(?<=\n)/);

async function accused(lines: readonly string[], design: string): Promise<string[]> {
  const { findings } = await auditText(lines.join(''), { design });
  return findings.filter((f) => f.severity !== 'info').map((f) => `${f.rule} at line ${f.line}`);
}

describe.each(HEALTHY)('%s', (name) => {
  const lines = linesOf(name);
  const step = Math.max(5, Math.floor(lines.length / 90));

  it('begins anywhere', async () => {
    for (let cut = 12; cut < lines.length; cut += step) expect(await accused(lines.slice(cut), DESIGN(name)), `without the first ${cut} lines`).toEqual([]);
  });

  it('ends anywhere', async () => {
    for (let cut = 12; cut < lines.length; cut += step) expect(await accused(lines.slice(0, cut), DESIGN(name)), `the first ${cut} lines`).toEqual([]);
  });
});

describe('under every design', () => {
  it.each(HEALTHY)('%s is healthy life', async (name) => {
    for (const { id } of DESIGNS) expect(await accused(linesOf(name), id), id).toEqual([]);
  });
});

describe('with some probes only', () => {
  const PROBES = ['get_msi_cookie', 'get_msi_cookie_ret', 'domain_free', 'prepare_msi', 'prepare_msi_ret', 'dom_map', 'write_msg', 'attach_dev', 'group_set_domain'];

  it.each(['own72n/vfio-type1', 'own72n/iommufd', 'deb72/vfio-type1', 'pdo/iommufd'])('%s', async (name) => {
    const lines = linesOf(name);
    const only = (probes: readonly string[]): string[] => lines.filter((l) => l.startsWith('#') || probes.some((p) => l.includes(`: ${p}: (`)) || / (map|unmap|attach_device_to_domain): IOMMU/.test(l));
    expect(await accused(only(PROBES), DESIGN(name))).toEqual([]);
    for (const left of PROBES) {
      expect(await accused(only(PROBES.filter((p) => p !== left)), DESIGN(name)), `without ${left}`).toEqual([]);
      expect(await accused(only([left]), DESIGN(name)), `with ${left} only`).toEqual([]);
    }
  });
});
