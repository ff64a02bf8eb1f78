/**
 * The ring buffer's page format, in both byte orders: pages built here word by word as kernel/trace/ring_buffer.c writes them,
 * read from a real file. What a machine with 104 days of uptime, a guest's clock or a lost page does cannot be recorded at will.
 */
import { describe, expect, test } from 'vitest';
import { ByteSource } from '../../recordings/byte-source.ts';
import { PageSource } from '../../recordings/page-source.ts';
import { RandomAccess } from '../../recordings/random-access.ts';
import { RingBuffer, pageLayout } from '../../recordings/ring-buffer.ts';
import { fileOf } from '../audit-file.ts';

const PAGE = 256;
const MISSED_EVENTS = 0x80000000;
const MISSED_STORED = 0x40000000;
type Endian = 'little' | 'big';

/** One page: its time, words of data, flags of lost events and a word behind the data. */
function page(endian: Endian, time: bigint, words: readonly number[], flags = 0, behind = 0): Buffer {
  const little = endian === 'little';
  const bytes = Buffer.alloc(PAGE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE);
  view.setBigUint64(0, time, little);
  view.setBigUint64(8, BigInt((words.length * 4 + flags) >>> 0), little);
  words.forEach((word, n) => view.setUint32(16 + n * 4, word, little));
  if (flags & MISSED_STORED) view.setBigUint64(16 + words.length * 4, BigInt(behind), little);
  return bytes;
}

const header = (endian: Endian, type: number, delta: number): number => (endian === 'little' ? (delta << 5) | type : (type << 27) | delta) >>> 0;

interface Read {
  readonly time: bigint;
  readonly words: number[];
  readonly lost: number;
}

async function readPages(endian: Endian, pages: readonly Buffer[], shift = { lo: 0, hi: 0 }): Promise<{ records: Read[]; damaged: number; lost: number }> {
  const bytes = Buffer.concat(pages);
  const access = await RandomAccess.of(await ByteSource.open(fileOf(bytes)));
  const source = new PageSource(access, { cpu: 0, offset: 0, size: bytes.length, packed: false }, PAGE, 'none', endian === 'little');
  const ring = new RingBuffer(0, 0, source, pageLayout(''), endian === 'little', shift);
  const records: Read[] = [];
  while (ring.next()) {
    const words: number[] = [];
    for (let q = 0; q + 4 <= ring.length; q += 4) words.push(ring.words[(ring.at + q) >>> 2]);
    records.push({ time: (BigInt(ring.timeHi) << 32n) | BigInt(ring.timeLo), words, lost: ring.lost });
    ring.lost = 0;
  }
  return { records, damaged: ring.damaged, lost: ring.lost };
}

describe.each(['little', 'big'] as const)('%s-endian', (endian) => {
  const h = (type: number, delta: number): number => header(endian, type, delta);
  const T = 5_000_000_000n;

  test('records of every length; times add up', async () => {
    const { records, damaged } = await readPages(endian, [page(endian, T, [h(2, 10), 7, 8, h(1, 5), 9, h(0, 1), 12, 1, 2]), page(endian, T + 100n, [h(1, 0), 3])]);
    expect(records).toEqual([
      { time: T + 10n, words: [7, 8], lost: 0 },
      { time: T + 15n, words: [9], lost: 0 },
      { time: T + 16n, words: [1, 2], lost: 0 },
      { time: T + 100n, words: [3], lost: 0 },
    ]);
    expect(damaged).toBe(0);
  });

  test('a time extend carries across 32 bits, also after years of uptime', async () => {
    const years = 150_000_000_000_000_000n;
    const extend = 40_000_000_000n;
    const words = [h(30, Number(extend & 0x7ffffffn)), Number(extend >> 27n), h(1, 1), 1];
    for (const start of [0xfffffff0n, years]) expect((await readPages(endian, [page(endian, start, words)])).records[0].time).toBe(start + extend + 1n);
  });

  test('an absolute time has 59 bits, the rest is that of the page', async () => {
    const absolute = 0x0123456789abcden;
    const start = 0xf000000000000000n;
    const { records } = await readPages(endian, [page(endian, start, [h(31, Number(absolute & 0x7ffffffn)), Number(absolute >> 27n), h(1, 3), 1])]);
    expect(records[0].time).toBe((start & 0xf800000000000000n) + absolute + 3n);
  });

  test('padding ends a page; a discarded record is skipped', async () => {
    const { records } = await readPages(endian, [page(endian, T, [h(29, 2), 8, 77, h(1, 1), 5, h(29, 0), 6, 6]), page(endian, T, [h(1, 0), 4])]);
    expect(records.map(({ words }) => words)).toEqual([[5], [4]]);
    expect(records[0].time).toBe(T + 3n);
  });

  test('lost events: how many where the page stores it, some where it does not', async () => {
    const flags = (MISSED_EVENTS | MISSED_STORED) >>> 0;
    const { records } = await readPages(endian, [page(endian, T, [h(1, 0), 1]), page(endian, T, [h(1, 0), 2], flags, 679), page(endian, T, [h(1, 0), 3], MISSED_EVENTS), page(endian, T, [h(1, 0), 4])]);
    expect(records.map(({ lost }) => lost)).toEqual([0, 679, -1, 0]);
  });

  test('a shift of the clock, back and forth', async () => {
    for (const by of [3_000_000_000n, -3_000_000_000n]) {
      const shift = BigInt.asUintN(64, by);
      const { records } = await readPages(endian, [page(endian, T, [h(1, 9), 1])], { lo: Number(shift & 0xffffffffn), hi: Number(shift >> 32n) });
      expect(records[0].time).toBe(T + by + 9n);
    }
  });

  test.each([
    ['a record longer than the page', [h(28, 0), 1]],
    ['a long record that says it is longer than the page', [h(0, 0), 4000, 1]],
    ['a long record without room for its length', [h(0, 0), 3, 1]],
    ['a discarded record without a length', [h(29, 1), 0, 1]],
  ])('%s: the rest of the page is damaged, the next one is read', async (_, words) => {
    const { records, damaged } = await readPages(endian, [page(endian, T, [h(1, 0), 1, ...words]), page(endian, T, [h(1, 0), 2])]);
    expect(records).toMatchObject([{ words: [1], lost: 0 }, { words: [2], lost: -1 }]);
    expect(damaged).toBe(1);
  });

  test('a page that claims more than a page', async () => {
    const { records, damaged } = await readPages(endian, [page(endian, T, [h(1, 0), 1], 4096), page(endian, T, [h(1, 0), 2])]);
    expect(records).toMatchObject([{ words: [2], lost: -1 }]);
    expect(damaged).toBe(1);
  });
});
