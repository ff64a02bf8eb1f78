/**
 * The instant that the page shows is what `replay --at POSITION` says: 50 positions of two recordings, every field of every
 * domain, by way of links, so that these are tested as well.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addReplayCommand } from '../../cli/replay.ts';
import type { DomainView } from '../../projections/domain-view.ts';
import { recording } from '../cli/run.ts';
import { useChromium } from './chromium.ts';
import type { OpenPage } from './open-page.ts';
import { headerOf, useReports } from './reports.ts';

const open = useChromium();
const { directory, report } = useReports();
const POSITIONS = 50;

/** What the page says of the domains: by `0x…#G` the text of each field. */
type Shown = Readonly<Record<string, Readonly<Record<string, string>>>>;
const SHOWN = `Object.fromEntries([...document.querySelectorAll('[data-part=instant] [data-domain]')].map((row) =>
  [row.dataset.domain, Object.fromEntries([...row.querySelectorAll('[data-field]')].map((cell) => [cell.dataset.field, cell.textContent]))]))`;

const listed = (texts: readonly string[], between: string): string => (texts.length === 0 ? 'none' : texts.join(between));

/** The same in the words of the page, from the JSON of `replay`. */
function expected({ domains }: { readonly domains: readonly DomainView[] }): Shown {
  return Object.fromEntries(domains.map((d) => [`${d.domain}#${d.generation}`, {
    state: d.state,
    type: d.type === null ? 'unknown' : `${d.type.name} (0x${d.type.value.toString(16)})`,
    word: d.word === null ? 'unknown' : `${d.word.bytes.replaceAll(/.{8}(?=.)/g, '$& ')} ${Object.entries(d.word.fields).map(([name, value]) => `${name}=${value}`).join(' ')}`,
    msi_pages: listed(d.msi_pages.map((p) => `${p.iova} -> ${p.phys} size 0x${p.size.toString(16)} (event ${p.position})`), '; '),
    msi_next: d.msi_next ?? 'none',
    devices: listed(d.devices, ' '),
    groups: listed(d.groups.map(String), ' '),
    first: String(d.first),
    last: String(d.last),
  }]));
}

async function showAt({ evaluate }: OpenPage, position: number): Promise<Shown> {
  await evaluate(`location.hash = 'at=${position}'`);
  await expect.poll(() => evaluate<string | null>('document.querySelector("[data-part=instant]")?.dataset.position ?? null')).toBe(String(position));
  return evaluate<Shown>(SHOWN);
}

/** `replay` itself, without a process for each position. */
async function replay(source: string, position: number): Promise<{ readonly domains: readonly DomainView[] }> {
  const file = join(directory, 'replay.json');
  const program = new Command();
  addReplayCommand(program);
  await program.parseAsync(['replay', source, '--quiet', '--at', String(position), '--format', 'json', '-o', file], { from: 'user' });
  return JSON.parse(readFileSync(file, 'utf8')) as { domains: DomainView[] };
}

describe.each(['pdo-steal/steal', 'own72n/iommufd'])('%s', (name) => {
  test(`${POSITIONS} instants, forwards, backwards and across`, async () => {
    const source = recording(name);
    const file = report([source]);
    const { events } = headerOf(readFileSync(file, 'utf8'));
    const opened = await open(file, { width: 3840 });
    // The same positions in every run, near and far from each other.
    const positions = Array.from({ length: POSITIONS }, (_, n) => 1 + ((n * n * 7919 + n * 31) % events));
    positions.splice(0, 3, 1, events, events - 1);
    for (const position of positions) {
      expect({ position, domains: await showAt(opened, position) }).toEqual({ position, domains: expected(await replay(source, position)) });
    }
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });
});
