/**
 * `--owner-bits N`: what if the reviewer's "room for tomorrow" had been left? The type gets fewer bits, the word looks different,
 * and nothing is compared with a kernel that had two.
 */
import { describe, expect, it } from 'vitest';
import { recording, run } from './run.ts';

const STEAL = recording('pdo-steal/steal');

describe('--owner-bits', () => {
  it('makes another design than the recorded one: the theft stays, no word is compared', () => {
    const { stdout, stderr, status } = run(['audit', STEAL, '--owner-bits', '3', '--format', 'json']);
    expect(status).toBe(1);
    expect(stderr).toContain('with 3 owner bits, so nothing is compared with what was recorded');
    const { checked, summary } = JSON.parse(stdout) as { checked: object; summary: object };
    expect(checked).toEqual({ errno: 0, words: 0, iovas: 0, addresses: 0 });
    expect(summary).toMatchObject({ critical: 1, error: 0 });
    const same = JSON.parse(run(['audit', STEAL, '--owner-bits', '2', '--format', 'json']).stdout) as { checked: { words: number } };
    expect(same.checked.words).toBeGreaterThan(50);
  });

  it('moves the packed word', () => {
    const word = (bits: string): string => run(['replay', STEAL, '--at', '33', '--domain', '0xffff0000035e9d20', '--owner-bits', bits, '--quiet']).stdout;
    expect(word('2')).toContain('word     01000040  type=1 private_data_owner=1\n');
    expect(word('3')).toContain('word     01000020  type=1 private_data_owner=1\n');
    expect(word('8')).toContain('word     01000001  type=1 private_data_owner=1\n');
  });

  it.each([
    ['2', 0x3fffffff, 0], ['2', 0x40000000, 1], ['3', 0x1fffffff, 0], ['3', 0x20000000, 1], ['8', 0x1000000, 1],
  ])('with %s bits a type of %i overflows %i times', (bits, domain_type, times) => {
    const event = JSON.stringify({ v: 1, type: 'iommu_domain_alloc', domain: '0xffff000005417a20', domain_type, errno: 0 });
    const { stdout } = run(['audit', '--design', 'private-data-owner', '--owner-bits', bits, '--format', 'json', '-'], { stdin: `${event}\n` });
    const { findings } = JSON.parse(stdout) as { findings: { rule: string }[] };
    expect(findings.filter((f) => f.rule === 'type-overflow-30-bits')).toHaveLength(times);
  });

  it.each([
    ['1', 'from 2 to 25 (NONE, DMA and IOMMUFD need two bits)'], ['26', 'from 2 to 25'], ['two', 'from 2 to 25'],
  ])('%s is a usage error', (bits, message) => {
    expect(run(['audit', STEAL, '--owner-bits', bits])).toMatchObject({ status: 2, stderr: expect.stringContaining(message) as string });
  });

  it('is refused for a design without the field', () => {
    expect(run(['audit', STEAL, '--design', 'v7.3', '--owner-bits', '3'])).toMatchObject({ status: 2, stderr: expect.stringContaining('v7.3 has no private_data_owner') as string });
  });
});
