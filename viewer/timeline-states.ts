/**
 * How states are told apart without colour: a letter in the bar, in the order of the state codes. Once freed, no bar.
 */
import { STATES } from '../machines/states.ts';

/** Letter of each state, by code. */
export const LETTERS = ['?', '-', 'D', 'M', 'I', 'H', 'S', ''] as const;

/** What the legend says of each state, by code: its name and whose it is. */
export const MEANINGS: readonly string[] = STATES.map((name, code) => [
  `${name}: nothing tells the owner`,
  `${name}: allocated, no owner`,
  `${name}: dma-iommu`,
  `${name}: an MSI cookie (VFIO)`,
  `${name}: iommufd`,
  `${name}: a fault handler`,
  `${name}: SVA`,
  `${name}: the lane ends`,
][code]);
