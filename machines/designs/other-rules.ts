/**
 * Rules that no decision of a call names, as every kernel design treats them; a design adds its own and what it does
 * differently. They are about groups, devices, objects of iommufd, words in memory and the trace itself.
 * Source: KERNEL.md 5.5 to 5.7, 7.4, 8; [7.3] drivers/iommu/iommu.c, lines in machines/rules.ts.
 */
import type { Answer } from '../design.ts';
import { EBUSY, EINVAL, EOPNOTSUPP, EPERM } from '../states.ts';

const rejected = (errno: number): Answer => ({ outcome: 'rejected', errno });

/** Nothing about it is a fault. */
export const accepted: Answer = { outcome: 'accepted' };
/** The call returns without doing anything. */
export const noop: Answer = { outcome: 'noop' };
/** It cannot happen. */
export const notApplicable: Answer = { outcome: 'not-applicable' };
/** The kernel does not look. */
export const undetected: Answer = { outcome: 'undetected' };
/** WARN in a void function. */
export const ignoredWarn: Answer = { outcome: 'ignored-warn' };

/** What every design does alike. */
export const otherRules: Readonly<Record<string, Answer>> = {
  // a group's domain, KERNEL.md 5.5
  'attach-group-busy': rejected(EBUSY),
  'attach-foreign-ops': rejected(EINVAL),
  'attach-device-multi-group': rejected(EINVAL),
  'attach-require-direct-blocked': rejected(EINVAL),
  'attach-pasid-invalid': rejected(EINVAL),
  'attach-during-reset': notApplicable, // before 7.0
  'detach-device-mismatch': ignoredWarn,
  'detach-group-ignores-domain': undetected,
  // a group's owner, 5.6 and 5.7
  'claim-dma-owner-taken': rejected(EPERM),
  'claim-dma-owner-not-default': rejected(EBUSY),
  'claim-dma-owner-null': { outcome: 'rejected-warn', errno: EINVAL },
  'release-dma-owner-unowned': ignoredWarn,
  'use-default-domain-busy': rejected(EBUSY),
  'default-domain-change-bound': rejected(EPERM),
  // iommufd's objects, 5.1 and 7.4
  'nested-parent-invalid': rejected(EINVAL),
  'hwpt-alloc-unsupported': rejected(EOPNOTSUPP),
  'hwpt-attach-other': rejected(EINVAL),
  'msi-hw-and-sw-window': { outcome: 'rejected-warn', errno: EINVAL },
  'msi-iommufd-required-missing': undetected,
  // words in memory and descriptors, 3 and 4
  'type-unknown-value': undetected,
  'type-illegal-change': undetected,
  'owner-type-mismatch': undetected,
  'msi-desc-shift-mismatch': undetected,
  'msi-compose-mismatch': undetected,
  // no fault in any design
  'static-domain-free': accepted,
  'unknown-domain': accepted,
  'msi-nested-untranslated': accepted,
};
