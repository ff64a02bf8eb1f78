/**
 * The README is run: every `npx iommu-ledger` line, and where a text or mermaid block follows it, its output must be that.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('..', import.meta.url).pathname;
const readme = readFileSync(`${root}README.md`, 'utf8');
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));

function run(command: string): { status: number | null; stdout: string } {
  const words = command.replace(/^npm ci && /, '').replace(/^npx iommu-ledger /, '').trim().split(/\s+/);
  return spawnSync(process.execPath, [`${root}cli/iommu-ledger.mjs`, ...words], { cwd: root, encoding: 'utf8' });
}

describe('README', () => {
  const commands = blocks.flatMap(({ language, text }, n) => (language === 'sh' && text.includes('npx iommu-ledger') ? [{ text, next: blocks[n + 1] }] : []));

  it.each(commands.map((c) => [c.text.trim(), c] as const))('%s', (_, { text, next }) => {
    const { status, stdout } = run(text);
    expect(status).toBeLessThanOrEqual(1);
    expect(stdout.trimEnd()).toBe(next.text.trimEnd());
  });

  it('shows the chart that the program draws', () => {
    const mermaid = blocks.find((b) => b.language === 'mermaid');
    expect(run('npx iommu-ledger chart --design private-data-owner').stdout.trimEnd()).toBe(mermaid!.text.trimEnd());
  });

  it.each([
    ['v7.3.svg', ['chart', '--design', 'v7.3', '--format', 'svg']],
    ['heat-pdo-steal.svg', ['chart', '--heat', 'test/recordings/pdo-steal/steal.trace.txt', '--format', 'svg']],
  ])('shows %s as the program draws it', (name, args) => {
    expect(readme).toContain(`(pictures/${name})`);
    expect(run(`npx iommu-ledger ${args.join(' ')}`).stdout).toBe(readFileSync(`${root}pictures/${name}`, 'utf8'));
  });

  it('shows an event that is one', async () => {
    const { EventBatch, createInterned } = await import('../events/batch.ts');
    const { parseEvent } = await import('../events/parse-event.ts');
    const { renderEvent } = await import('../events/ndjson.ts');
    const batch = new EventBatch(createInterned());
    const line = blocks.find((b) => b.language === 'json')!.text.trim();
    expect(parseEvent(line, batch)).toBeUndefined();
    expect(renderEvent(batch, 0)).toBe(line);
  });

  it('names the test command that .ci/run calls', () => {
    expect(readFileSync(`${root}.ci/run`, 'utf8')).toContain('npm ci && npm test');
    expect(readme).toContain('npm ci && npm test');
  });
});
