/**
 * The designs that exist, in historical order, and how a recording shows which one it is of.
 * Source: CONTRACT "Designs"; KERNEL.md 1.
 */
import type { Design } from './design.ts';
import type { DesignId } from './designs/struct-layouts.ts';
import { cookieType } from './designs/cookie-type.ts';
import { privateDataOwnerGuard } from './designs/private-data-owner-guard.ts';
import { privateDataOwnerV2 } from './designs/private-data-owner-v2.ts';
import { privateDataOwner } from './designs/private-data-owner.ts';
import { swMsi } from './designs/sw-msi.ts';
import { v612 } from './designs/v6.12.ts';
import { v73 } from './designs/v7.3.ts';

/** Every design, in historical order. */
export const DESIGNS: readonly Design[] = [v612, swMsi, privateDataOwner, privateDataOwnerGuard, privateDataOwnerV2, cookieType, v73];

/** Returns the design of this id, or undefined. */
export function findDesign(id: string): Design | undefined {
  return DESIGNS.find((d) => d.id === id);
}

/** What a recording shows about its kernel. `fields` are observed member names: ctype, cktype, owner, swmsi, is_iommupt. */
export interface Evidence {
  readonly kernel: string | null;
  readonly fields: ReadonlySet<string>;
}

/**
 * Returns the design a recording is of and why, or undefined where nothing tells.
 * The owner member decides first, because a release string says nothing about a patched kernel; then the release.
 */
export function designFromEvidence(evidence: Evidence): { design: string; why: string } | undefined {
  const { fields, kernel } = evidence;
  if (fields.has('owner')) {
    return fields.has('swmsi')
      ? { design: 'private-data-owner', why: 'its words have a private_data_owner field, and domains a sw_msi pointer' }
      : { design: 'private-data-owner-v2', why: 'its words have a private_data_owner field, and domains no sw_msi pointer' };
  }
  const release = kernel === null ? null : /^(\d+)\.(\d+)/.exec(kernel);
  if (release) {
    const version = Number(release[1]) * 1000 + Number(release[2]);
    if (version < 6015) return { design: 'v6.12', why: `its kernel release is ${kernel}` };
    return version >= 7002
      ? { design: 'v7.3', why: `its kernel release is ${kernel}` }
      : { design: 'cookie-type', why: `its kernel release is ${kernel}` };
  }
  if (fields.has('ctype')) return { design: 'v7.3', why: 'its words have a cookie_type field, and no kernel release says older' };
  if (fields.has('cktype')) return { design: 'v6.12', why: 'its cookies have a type member (iova_cookie->type)' };
  return undefined;
}

/**
 * Returns the design that has these members in `struct iommu_domain`, by their offsets. Without CONFIG_IRQ_MSI_IOMMU there is no
 * `sw_msi`: then the place of `iommufd_hwpt` tells. Source: KERNEL.md 2.
 */
export function designOfMembers(offsets: ReadonlyMap<string, number>): DesignId {
  if (offsets.has('cookie_type')) return offsets.has('is_iommupt') ? 'v7.3' : 'cookie-type';
  if (offsets.has('private_data_owner')) return offsets.get('iova_cookie') === offsets.get('iommufd_hwpt') ? 'private-data-owner-v2' : 'private-data-owner';
  return offsets.has('sw_msi') || offsets.has('iommufd_hwpt') ? 'sw-msi' : 'v6.12';
}
