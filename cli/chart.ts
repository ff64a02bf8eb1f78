/**
 * `chart`: the state chart of a design.
 */
import type { Command } from 'commander';
import { chartOf, renderDot, renderMermaid, renderSvg } from '../reports/chart.ts';
import { Output, withCommonOptions, type CommonOptions } from './io.ts';
import { requireDesign } from './source.ts';

/** Adds the `chart` command. */
export function addChartCommand(program: Command): void {
  withCommonOptions(program.command('chart').description('the state chart of a design'), ['mermaid', 'dot', 'svg']).action(async (options: CommonOptions) => {
    const chart = chartOf(requireDesign(options.design ?? 'cookie-type'));
    const text = options.format === 'svg' ? await renderSvg(chart) : options.format === 'dot' ? renderDot(chart) : renderMermaid(chart);
    const output = new Output(options.output);
    output.write(text);
    output.close();
  });
}
