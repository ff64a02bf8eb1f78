/**
 * `chart`: the state chart of a design: plain, with the counts of a recording (`--heat`), what no recording took (`--coverage`), or
 * over that of another design (`--compare`).
 */
import type { Command } from 'commander';
import { escapeText } from '../events/problem.ts';
import { DESIGNS, findDesign } from '../machines/design-list.ts';
import type { Design } from '../machines/design.ts';
import { Heat } from '../projections/heat.ts';
import { compareCharts } from '../reports/chart-compare.ts';
import { renderDot } from '../reports/chart-dot.ts';
import { coverageJson, coverageText, heatChart } from '../reports/chart-heat.ts';
import { renderMermaid } from '../reports/chart-mermaid.ts';
import { chartOf, type Chart } from '../reports/chart.ts';
import { plural } from '../reports/text.ts';
import { EXIT, Output, UsageError, withCommonOptions, type CommonOptions } from './io.ts';
import { announce, chooseDesign, openSource, printProblems, requireDesign } from './source.ts';

const DEFAULT_DESIGN = 'cookie-type';
const DRAWN = ['mermaid', 'dot', 'svg'];
const MODELS = ['scxml', 'xstate', 'rv'];
const LISTED = ['text', 'json'];

interface ChartOptions extends CommonOptions {
  readonly heat?: readonly string[];
  readonly coverage?: readonly string[];
  readonly compare?: string;
}

/** Adds the `chart` command. */
export function addChartCommand(program: Command): void {
  const command = withCommonOptions(program.command('chart').description('the state chart of a design'), [...DRAWN, ...MODELS, ...LISTED])
    .option('--heat <source...>', 'weigh and label the edges by how often a recording took them (several are merged by time)')
    .option('--coverage <source...>', 'list the transitions that none of these recordings took (text, json)')
    .option('--compare <a,b>', 'two designs drawn over each other')
    .action(async (options: ChartOptions, self: Command) => {
      const format = checkFormat(options, self.getOptionValueSource('format') === 'default');
      const output = new Output(options.output);
      try {
        output.write(await chartText(options, format));
        output.close();
      } catch (error) {
        output.discard();
        throw error;
      }
    });
  // The common help text speaks of a recording; without --heat this command has none.
  command.options.find(({ long }) => long === '--design')!.description = `kernel design: ${DESIGNS.map(({ id }) => id).join(', ')} (default: ${DEFAULT_DESIGN}; that of the recording with --heat, --coverage)`;
  command.options.find(({ long }) => long === '--format')!.description = `output format: ${[...DRAWN, ...MODELS].join(', ')}; with --coverage: ${LISTED.join(', ')}`;
}

/** Returns the format. Errors: UsageError where options do not go together. */
function checkFormat(options: ChartOptions, isDefault: boolean): string {
  const modes = (['heat', 'coverage', 'compare'] as const).filter((mode) => options[mode] !== undefined);
  if (modes.length > 1) throw new UsageError(`--${modes[0]} and --${modes[1]}: name one of them`);
  const [mode] = modes;
  const formats = mode === 'coverage' ? LISTED : mode === undefined ? [...DRAWN, ...MODELS] : DRAWN;
  const format = isDefault ? formats[0] : options.format!;
  if (!formats.includes(format)) throw new UsageError(`--format ${format}: chart${mode === undefined ? '' : ` --${mode}`} prints ${formats.join(', ')}`);
  return format;
}

async function chartText(options: ChartOptions, format: string): Promise<string> {
  if (options.compare !== undefined) return draw(compareCharts(...twoDesigns(options.compare, options.design)), format);
  if (options.heat) return draw(await withCounts([options.heat], options), format);
  if (options.coverage) {
    const chart = await withCounts(options.coverage.map((path) => [path]), options);
    const names = options.coverage.map(escapeText);
    return format === 'json' ? coverageJson(chart, names) : coverageText(chart, names);
  }
  const design = requireDesign(options.design ?? DEFAULT_DESIGN);
  switch (format) {
    case 'scxml': return (await import('../reports/chart-scxml.ts')).renderScxml(design);
    case 'xstate': return (await import('../reports/chart-xstate.ts')).renderXstate(design);
    case 'rv': return renderModel(design);
    default: return draw(chartOf(design), format);
  }
}

async function renderModel(design: Design): Promise<string> {
  const { automatonOf } = await import('../machines/automaton.ts');
  const { renderRv } = await import('../reports/chart-rv.ts');
  const { automaton, conflicts } = automatonOf(design);
  if (conflicts.length > 0) throw new UsageError(`--format rv: ${design.id} has no deterministic automaton: ${conflicts[0]}`);
  return renderRv(automaton);
}

async function draw(chart: Chart, format: string): Promise<string> {
  if (format === 'svg') return (await import('../reports/chart-svg.ts')).renderSvg(chart);
  return format === 'dot' ? renderDot(chart) : renderMermaid(chart);
}

function twoDesigns(text: string, design: string | undefined): [Design, Design] {
  if (design !== undefined) throw new UsageError('--compare and --design: --compare names both designs');
  const names = text.split(',').map((name) => name.trim());
  if (names.length !== 2 || names[0] === names[1]) throw new UsageError(`--compare ${text}: name two designs, as --compare v6.12,v7.3`);
  const [a, b] = names.map((name) => {
    const found = findDesign(name);
    if (!found) throw new UsageError(`--compare ${text}: ${name} is not one of ${DESIGNS.map((d) => d.id).join(', ')}`);
    return found;
  });
  return [a, b];
}

/** Returns the chart with the counts of every group of sources; the sources of one group are merged by time. */
async function withCounts(groups: readonly (readonly string[])[], options: ChartOptions): Promise<Chart> {
  const quiet = options.quiet === true;
  let heat: Heat | undefined;
  for (const paths of groups) {
    const source = await openSource(paths, { quiet });
    const chosen = chooseDesign(source.summary, heat ? { ...options, design: heat.design.id } : options);
    heat ??= new Heat(chosen.design);
    heat.begin(chosen.own);
    await source.read((batch) => heat!.apply(batch));
    heat.end();
    announce(chosen, quiet);
    printProblems(source.summary, quiet);
    if (options.strict && (source.summary.problems.count > 0 || source.summary.lost > 0)) process.exitCode = EXIT.unreadable;
  }
  const paths = groups.flat();
  return heatChart(heat!.design, heat!, paths.length === 1 ? escapeText(paths[0]) : plural(paths.length, 'recording'));
}
