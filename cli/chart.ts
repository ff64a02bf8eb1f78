/**
 * `chart`: the state chart of a design.
 */
import type { Command } from 'commander';
import { DESIGNS } from '../machines/design-list.ts';
import { renderDot } from '../reports/chart-dot.ts';
import { renderMermaid } from '../reports/chart-mermaid.ts';
import { renderSvg } from '../reports/chart-svg.ts';
import { chartOf } from '../reports/chart.ts';
import { Output, withCommonOptions, type CommonOptions } from './io.ts';
import { requireDesign } from './source.ts';

const DEFAULT_DESIGN = 'cookie-type';

/** Adds the `chart` command. */
export function addChartCommand(program: Command): void {
  const command = withCommonOptions(program.command('chart').description('the state chart of a design'), ['mermaid', 'dot', 'svg']).action(async (options: CommonOptions) => {
    const chart = chartOf(requireDesign(options.design ?? DEFAULT_DESIGN));
    const text = options.format === 'svg' ? await renderSvg(chart) : options.format === 'dot' ? renderDot(chart) : renderMermaid(chart);
    const output = new Output(options.output);
    output.write(text);
    output.close();
  });
  // The common help text speaks of a recording; this command has none.
  command.options.find(({ long }) => long === '--design')!.description = `kernel design: ${DESIGNS.map(({ id }) => id).join(', ')} (default: ${DEFAULT_DESIGN})`;
}
