/**
 * `iommu-ledger layout`: where a kernel design has the members of `struct iommu_domain`, for people or for programs;
 * or where a kernel's own type information says they are. Truth for the JSON: CONTRACT.md "layout --format json". Reads no recording.
 */
import type { Command } from 'commander';
import { designOfMembers, findDesign } from '../machines/design-list.ts';
import { designIds, isDesignId } from '../machines/designs/struct-layouts.ts';
import type { DesignId } from '../machines/designs/struct-layouts.ts';
import { ARCH_ENDIAN, isArch, layoutOf } from '../projections/domain-struct.ts';
import type { Arch, LayoutOptions } from '../projections/domain-struct.ts';
import { readBtf, RUNNING_KERNEL } from '../recordings/btf-file.ts';
import { archOf, domainOf } from '../recordings/btf-kernel.ts';
import { flattenStruct } from '../recordings/btf-layout.ts';
import { renderBtfLayout } from '../reports/layout-btf.ts';
import { renderLayout } from '../reports/layout-text.ts';
import { Output, UsageError, withCommonOptions } from './io.ts';
import type { CommonOptions } from './io.ts';
import { addOwnerBitsOption, ownerBitsOf } from './owner-bits.ts';

const DEFAULT_DESIGN = 'cookie-type';
const DEFAULT_ARCH = 'arm64';

interface LayoutCommandOptions extends CommonOptions {
  readonly arch?: string;
  readonly btf?: string | true;
  readonly ownerBits?: string;
  readonly irqMsiIommu: boolean;
}

/** Adds the `layout` command. Errors: `UsageError` for an unknown design or architecture and for an impossible width. */
export function addLayoutCommand(program: Command): void {
  const command = addOwnerBitsOption(withCommonOptions(program.command('layout'), ['text', 'json']))
    .description("print the struct's members and bit positions under a design")
    .option('--arch <arch>', `architecture: ${Object.keys(ARCH_ENDIAN).join(', ')} (default: ${DEFAULT_ARCH}, or that of the type information)`)
    .option('--btf [file]', `lay out as a kernel's type information says: BTF, gzip of it, or vmlinux (default: ${RUNNING_KERNEL})`)
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
  const arch = options.arch ?? DEFAULT_ARCH;
  if (!isDesignId(design)) throw new UsageError(`--design ${design}: not one of ${designIds().join(', ')}`);
  if (!isArch(arch)) throw new UsageError(`--arch ${arch}: not one of ${Object.keys(ARCH_ENDIAN).join(', ')}`);
  if (options.btf !== undefined) return btfText(options, options.btf === true ? RUNNING_KERNEL : options.btf);
  const layoutOptions: LayoutOptions = {
    irqMsiIommu: options.irqMsiIommu,
    ...(options.ownerBits !== undefined && { ownerBits: ownerBitsOf(options.ownerBits, findDesign(design)!) }),
  };
  return options.format === 'json' ? layoutJson(design, arch, layoutOptions) : renderLayout(design, arch, layoutOptions);
}

function layoutJson(design: DesignId, arch: Arch, options: LayoutOptions): string {
  const { endian, size, members } = layoutOf(design, arch, options);
  return json({ design, arch, endian, size, members });
}

const json = (layout: object): string => `${JSON.stringify({ schema: 'iommu-ledger/layout/1', ...layout }, null, 2)}\n`;

/** What the type information in `file` says; it decides the design, and the architecture where it can. */
function btfText({ design, ownerBits, irqMsiIommu, arch, format }: LayoutCommandOptions, file: string): string {
  const given = design !== undefined ? '--design' : ownerBits !== undefined ? '--owner-bits' : irqMsiIommu ? undefined : '--no-irq-msi-iommu';
  if (given !== undefined) throw new UsageError(`${given} with --btf: the type information says it`);
  const btf = readBtf(file);
  const told = archOf(btf);
  if (arch !== undefined && ((told !== null && told !== arch) || ARCH_ENDIAN[arch as Arch] !== btf.endian)) {
    throw new UsageError(`--arch ${arch}: the type information is of ${told ?? `a ${btf.endian}-endian kernel`}`);
  }
  const struct = domainOf(btf);
  const members = flattenStruct(struct);
  const layout = { design: designOfMembers(new Map(members.map(({ name, offset }) => [name, offset]))), arch: told ?? (arch as Arch | undefined) ?? null, endian: btf.endian };
  return format === 'json' ? json({ ...layout, size: struct.size, members }) : renderBtfLayout(struct, { ...layout, source: file });
}
