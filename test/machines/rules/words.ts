/**
 * What memory may hold: type and owner, apart or in one word. Nothing in a kernel looks at these; only a recording can.
 * Source: include/linux/iommu.h at 6.12, 7.3 and in 1/4 of the series ("Legal (type, owner) pairs").
 */
import { machine, audit, nobody, alloc, unmanaged, dma, getDma, getMsi, putMsi, shows, msiOwned, type Row } from './row.ts';

/** Rows about words. */
export const WORDS: readonly Row[] = [
  audit('owner-reserved-value', { ownOnly: true }, [unmanaged, shows({ type: 1, private_data_owner: 3 })], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  audit('owner-reserved-value', { way: 'at first sight, in the packed word', ownOnly: true }, [shows({ word: '0xc0000001' })], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  audit('cookie-type-out-of-range', { ownOnly: true }, [unmanaged, shows({ type: 1, cookie_type: 6 })], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        not-applicable
  private-data-owner-guard  not-applicable
  private-data-owner-v2     not-applicable
  cookie-type               undetected
  v7.3                      undetected`),
  audit('cookie-type-out-of-range', { way: 'at first sight', ownOnly: true }, [shows({ type: 1, cookie_type: 6 })], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        not-applicable
  private-data-owner-guard  not-applicable
  private-data-owner-v2     not-applicable
  cookie-type               undetected
  v7.3                      undetected`),
  machine('type-overflow-30-bits', {}, [alloc(0x40000001)], `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        overwrites
  private-data-owner-guard  overwrites
  private-data-owner-v2     overwrites
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  machine('type-overflow-30-bits', { way: 'the largest that fits' }, [alloc(0x3fffffff)], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  audit('type-unknown-value', { ownOnly: true }, [unmanaged, shows({ type: 5 })], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('type-unknown-value', { way: 'at first sight', ownOnly: true }, [shows({ type: 5 })], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('type-unknown-value', { way: 'allocated so', ownOnly: true }, [{ ...alloc(5), after: { type: 5 } }], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('type-illegal-change', { way: 'UNMANAGED to NESTED', ownOnly: true }, [unmanaged, shows({ type: 0x40 })], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('type-illegal-change', { way: 'DMA to DMA_FQ and back', ownOnly: true }, [dma, shows({ type: 0x0b }), shows({ type: 0x03 })], `
  v6.12                     accepted
  sw-msi                    accepted
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               accepted
  v7.3                      accepted`),
  audit('owner-type-mismatch', { way: 'a DMA domain with the mark of an MSI cookie', ownOnly: true }, (design) => [dma, getDma, shows(msiOwned(design, 0x03))], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('owner-type-mismatch', { way: 'an IDENTITY domain with an owner, at first sight', ownOnly: true }, (design) => [shows(msiOwned(design, 0x04))], `
  v6.12                     undetected
  sw-msi                    undetected
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               undetected
  v7.3                      undetected`),
  audit('owner-cookie-mismatch', { way: 'the owner is DMA, the pointer NULL', ownOnly: true }, (design) => [unmanaged, getMsi, shows(msiOwned(design, 0x01, true))], `
  v6.12                     not-applicable
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  audit('owner-cookie-mismatch', { way: 'after a put it is as it should be', ownOnly: true }, (design) => [unmanaged, getMsi, putMsi, shows(msiOwned(design, 0x01, true))], `
  v6.12                     not-applicable
  private-data-owner        accepted
  private-data-owner-guard  accepted
  private-data-owner-v2     accepted
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  nobody('word-shared-rmw', `
  v6.12                     not-applicable
  sw-msi                    not-applicable
  private-data-owner        undetected
  private-data-owner-guard  undetected
  private-data-owner-v2     undetected
  cookie-type               not-applicable
  v7.3                      not-applicable`),
  nobody('owner-cookie-mismatch', `
  sw-msi                    undetected`),
];
