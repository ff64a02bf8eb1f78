/**
 * `--owner-bits N`: the width of `private_data_owner` in the designs that have it; `type` gets the rest of the 32 bits.
 */
import type { Command } from 'commander';
import { DESIGNS } from '../machines/design-list.ts';
import { withOwnerBits, type Design } from '../machines/design.ts';
import { OWNER_BITS_MAX } from '../machines/designs/struct-layouts.ts';
import { UsageError } from './io.ts';

/** Width that the proposal has. */
export const OWNER_BITS = 2;

/** Adds the option. */
export function addOwnerBitsOption(command: Command): Command {
  return command.option('--owner-bits <n>', `width of private_data_owner in designs that have it; type gets the rest of 32 (default: ${OWNER_BITS})`);
}

/** Returns the width that `--owner-bits` gives for a design. Errors: UsageError where the design has no such field, or for an impossible width. */
export function ownerBitsOf(text: string, design: Design, least = 1): number {
  if (design.ownerBits === 0) {
    const owned = DESIGNS.filter((d) => d.ownerBits > 0).map(({ id }) => id);
    throw new UsageError(`--owner-bits: ${design.id} has no private_data_owner; these have: ${owned.join(', ')}`);
  }
  const bits = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0;
  if (bits < least || bits > OWNER_BITS_MAX) throw new UsageError(`--owner-bits ${text}: a whole number from ${least} to ${OWNER_BITS_MAX}${least > 1 ? ' (NONE, DMA and IOMMUFD need two bits)' : ''}`);
  return bits;
}

/** Returns the design as `--owner-bits` wants it; without the option as it is. Errors: as `ownerBitsOf`. */
export function designWithOwnerBits(design: Design, text: string | undefined): Design {
  return text === undefined ? design : withOwnerBits(design, ownerBitsOf(text, design, OWNER_BITS));
}
