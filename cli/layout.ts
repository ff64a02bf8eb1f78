/**
 * `iommu-ledger layout`: where a kernel design has the members of `struct iommu_domain`, for people or for programs.
 * Truth for the JSON: CONTRACT.md "layout --format json". Reads no recording; a kernel's own type information
 * (`--btf FILE`) is not read here yet.
 */
import type { Command } from 'commander';
import { designIds, isDesignId, OWNER_BITS_MAX } from '../machines/designs/struct-layouts.ts';
import type { DesignId } from '../machines/designs/struct-layouts.ts';
import { ARCH_ENDIAN, isArch, layoutOf } from '../projections/domain-struct.ts';
import type { Arch, LayoutOptions } from '../projections/domain-struct.ts';
import { renderLayout } from '../reports/layout-text.ts';
import { Output, UsageError, withCommonOptions } from './io.ts';
import type { CommonOptions } from './io.ts';

const DEFAULT_DESIGN = 'cookie-type';

interface LayoutCommandOptions extends CommonOptions {
  readonly arch: string;
  readonly ownerBits?: string;
  readonly irqMsiIommu: boolean;
}

/** Adds the `layout` command. Errors: `UsageError` for an unknown design or architecture and for an impossible width. */
export function addLayoutCommand(program: Command): void {
  const command = withCommonOptions(program.command('layout'), ['text', 'json'])
    .description("print the struct's members and bit positions under a design")
    .option('--arch <arch>', `architecture: ${Object.keys(ARCH_ENDIAN).join(', ')}`, 'arm64')
    .option('--owner-bits <n>', 'width of private_data_owner in designs that have it; type gets the rest of 32 (default: 2)')
    .option('--no-irq-msi-iommu', 'lay out for a kernel without CONFIG_IRQ_MSI_IOMMU')
    .action((options: LayoutCommandOptions) => {
      const text = layoutText(options);
      const output = new Output(options.output);
      output.write(text);
      output.close();
    });
  // The common help text speaks of a recording; this command has none.
  command.options.find(({ long }) => long === '--design')!.description = `kernel design: ${designIds().join(', ')} (default: ${DEFAULT_DESIGN})`;
}

function layoutText(options: LayoutCommandOptions): string {
  const design = options.design ?? DEFAULT_DESIGN;
  if (!isDesignId(design)) throw new UsageError(`--design ${design}: not one of ${designIds().join(', ')}`);
  if (!isArch(options.arch)) throw new UsageError(`--arch ${options.arch}: not one of ${Object.keys(ARCH_ENDIAN).join(', ')}`);
  const layoutOptions: LayoutOptions = {
    irqMsiIommu: options.irqMsiIommu,
    ...(options.ownerBits !== undefined && { ownerBits: ownerBitsOf(options.ownerBits, design) }),
  };
  return options.format === 'json' ? layoutJson(design, options.arch, layoutOptions) : renderLayout(design, options.arch, layoutOptions);
}

function ownerBitsOf(text: string, design: DesignId): number {
  const owned = designIds().filter((id) => layoutOf(id, 'arm64').members.some(({ name }) => name === 'private_data_owner'));
  if (!owned.includes(design)) throw new UsageError(`--owner-bits: ${design} has no private_data_owner; these have: ${owned.join(', ')}`);
  const bits = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0;
  if (bits < 1 || bits > OWNER_BITS_MAX) throw new UsageError(`--owner-bits ${text}: a whole number from 1 to ${OWNER_BITS_MAX}`);
  return bits;
}

function layoutJson(design: DesignId, arch: Arch, options: LayoutOptions): string {
  const { endian, size, members } = layoutOf(design, arch, options);
  return `${JSON.stringify({ schema: 'iommu-ledger/layout/1', design, arch, endian, size, members }, null, 2)}\n`;
}
