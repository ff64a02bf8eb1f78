/**
 * Random machine events as both engines take them: a row of a batch for the compiled table, an object for XState.
 * Values are few on purpose, so that IOVAs, doorbells and errnos meet.
 */
import * as fc from 'fast-check';
import { HAS, type EventBatch } from '../../events/batch.ts';
import { AFTER, EVENT_TYPES, WORD } from '../../events/event-types.ts';
import type { MachineEvent } from '../../machines/domain-context.ts';
import { MAP } from '../../machines/domain-context.ts';
import { DOMAIN_CALLS } from '../../machines/ownership.ts';
import { MACHINE_EVENT, MACHINE_EVENTS, OBSERVED, type MachineEventType } from '../../machines/states.ts';

/** One event with every argument any call may take; absent ones are undefined. */
export interface Draw {
  readonly type: MachineEventType;
  readonly own: boolean;
  readonly errno: number | undefined;
  readonly a: bigint | undefined;
  readonly b: bigint | undefined;
  readonly c: bigint;
  readonly x: number | undefined;
  readonly afterType: number | undefined;
  readonly map: number;
}

const calls: readonly MachineEventType[] = [...DOMAIN_CALLS, ...OBSERVED, 'gap', 'detached'];
const addresses = [0x8000000n, 0x8001000n, 0x8002000n, 0x80ff000n, 0x8100000n, 0xfffff000n, 0n, 0xfffffffffffff000n, 0x8090000n, 0x8080000n, 0x8090040n, 0x8000800n, 0x400000000000000n];
const maybe = <T>(...values: readonly T[]) => fc.constantFrom<T | undefined>(undefined, ...values);

/** Any event of the machine; calls that own, release and map come more often than the rest. */
export const draw: fc.Arbitrary<Draw> = fc.record({
  type: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<MachineEventType>(...calls) },
    { weight: 4, arbitrary: fc.constantFrom<MachineEventType>('iommu_get_msi_cookie', 'iommu_map', 'iommu_dma_prepare_msi', 'iommufd_hwpt_paging_alloc', 'iommu_get_dma_cookie', 'iommu_unmap') },
  ),
  own: fc.boolean(),
  errno: maybe(0, 0, -12, -16, -17, -19, -22, -75, -95),
  a: maybe(...addresses),
  b: maybe(...addresses),
  c: fc.constantFrom(0x1000n, 0x1000n, 0x2000n, 0x10000n, 0x800n, 0n),
  x: maybe(0, 1, 3, 4, 0xb, 0x10, 0x13, 0x1a, 0x40, 0x10000001, 0x40000001),
  afterType: maybe(1, 0x40, 3),
  map: fc.constantFrom(MAP.user, MAP.dma, MAP.dma, MAP.iommufd, MAP.iommufd, MAP.uncounted),
});

/** Adds the event as a row; returns its index. `map` is given to the rows by the caller. */
export function addRow(batch: EventBatch, e: Draw): number {
  const code = MACHINE_EVENT[e.type];
  const i = batch.add(code < EVENT_TYPES.length ? code : MACHINE_EVENT.iommu_map);
  let present = 0;
  const put = (bit: number, lo: Uint32Array, hi: Uint32Array, value: bigint | undefined): void => {
    if (value === undefined) return;
    lo[i] = Number(value & 0xffffffffn);
    hi[i] = Number(value >> 32n);
    present |= bit;
  };
  put(HAS.a, batch.aLo, batch.aHi, needsA(e.type) ? (e.a ?? 0x8000000n) : e.a);
  put(HAS.b, batch.bLo, batch.bHi, e.b);
  put(HAS.c, batch.cLo, batch.cHi, e.c);
  if (e.errno !== undefined) {
    batch.errno[i] = e.errno;
    present |= HAS.errno;
  }
  if (e.x !== undefined) {
    batch.x[i] = e.x;
    present |= HAS.x;
  }
  if (e.afterType !== undefined) {
    batch.words[i * 3 + AFTER] = WORD.type;
    batch.wordType[i * 3 + AFTER] = e.afterType;
  }
  batch.present[i] = present;
  return i;
}

/** The same event as XState takes it. */
export function machineEvent(e: Draw): MachineEvent {
  const out: { -readonly [K in keyof MachineEvent]: MachineEvent[K] } = { type: e.type, own: e.own };
  if (e.errno !== undefined) out.errno = e.errno;
  if (e.afterType !== undefined) out.afterType = e.afterType;
  switch (e.type) {
    case 'iommu_domain_alloc':
      if (e.x !== undefined) out.domain_type = e.x;
      break;
    case 'iommufd_hwpt_paging_alloc':
      if (e.a !== undefined) out.hwpt = e.a;
      break;
    case 'iommu_get_msi_cookie':
      if (e.a !== undefined) out.base = e.a;
      break;
    case 'iommu_dma_prepare_msi':
      if (e.a !== undefined) out.msi_addr = e.a;
      if (e.b !== undefined) out.iova = e.b;
      break;
    case 'iommu_map':
      out.iova = e.a ?? 0x8000000n;
      if (e.b !== undefined) out.paddr = e.b;
      out.size = e.c;
      if (e.x !== undefined) out.prot = e.x;
      out.map = e.map;
      break;
    case 'iommu_unmap':
      out.iova = e.a ?? 0x8000000n;
      out.size = e.c;
      break;
    default:
      break;
  }
  return out;
}

const needsA = (type: MachineEventType): boolean => type === 'iommu_map' || type === 'iommu_unmap';

/** Name of a machine event, for failure messages. */
export const eventName = (code: number): string => MACHINE_EVENTS[code];
