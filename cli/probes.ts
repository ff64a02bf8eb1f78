/**
 * `iommu-ledger probes`: definitions that record what the audit needs, for one kernel's type information and one tool.
 * Reads no recording and writes nothing to the kernel.
 */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { UnreadableError } from '../events/problem.ts';
import { designOfMembers } from '../machines/design-list.ts';
import type { Btf } from '../recordings/btf.ts';
import { readBtf, RUNNING_KERNEL } from '../recordings/btf-file.ts';
import { archOf, domainOf, probeSupport, type ProbeSupport } from '../recordings/btf-kernel.ts';
import { flattenStruct } from '../recordings/btf-layout.ts';
import { renderBpftrace } from '../recordings/probes/bpftrace.ts';
import { planProbes, type ProbePlan } from '../recordings/probes/resolve.ts';
import { fetchOf, renderScript, renderTracefs, tracefsLine, type TracefsStyle } from '../recordings/probes/tracefs.ts';
import { Output, UsageError, withCommonOptions } from './io.ts';
import type { CommonOptions } from './io.ts';

const TOOLS = ['ftrace', 'trace-cmd', 'perf', 'bpftrace'] as const;
type Tool = (typeof TOOLS)[number];

interface ProbesOptions extends CommonOptions {
  readonly tool: string;
  readonly btf?: string | true;
  readonly moduleBtf?: readonly string[];
  readonly probeType?: string;
  readonly raw?: boolean;
}

/** Adds the `probes` command. Errors: `UsageError` for an unknown tool, `UnreadableError` where the kernel can have no probes. */
export function addProbesCommand(program: Command): void {
  const command = withCommonOptions(program.command('probes'), ['text', 'json'])
    .description("print probe definitions that record what the audit needs, made for one kernel's type information")
    .option('--tool <tool>', `what records: ${TOOLS.join(', ')}`, 'ftrace')
    .option('--btf [file]', `the kernel's type information: BTF, gzip of it, or vmlinux (default: ${RUNNING_KERNEL})`)
    .option('--module-btf <file...>', 'type information of modules of that kernel, as /sys/kernel/btf/iommufd (default: that one, for the running kernel)')
    .option('--probe-type <type>', 'f: fprobes, p: kprobes (default: what the kernel has, fprobes first)')
    .option('--raw', 'fields as offsets of registers, not by name')
    .action((options: ProbesOptions) => {
      const text = probesText(options);
      const output = new Output(options.output);
      output.write(text);
      output.close();
    });
  command.options.find(({ long }) => long === '--design')!.description = 'refused: the type information says it';
}

function probesText({ tool, btf, moduleBtf, probeType, raw, design, format }: ProbesOptions): string {
  if (!isTool(tool)) throw new UsageError(`--tool ${tool}: not one of ${TOOLS.join(', ')}`);
  if (design !== undefined) throw new UsageError('--design with probes: the type information says it');
  if (probeType !== undefined && probeType !== 'f' && probeType !== 'p') throw new UsageError(`--probe-type ${probeType}: not one of f, p`);
  if (tool === 'bpftrace' && (probeType !== undefined || raw)) throw new UsageError(`${raw ? '--raw' : '--probe-type'} with --tool bpftrace: it knows neither`);
  const file = typeof btf === 'string' ? btf : RUNNING_KERNEL;
  const vmlinux = readBtf(file);
  const modules = moduleBtf ?? (file === RUNNING_KERNEL ? ['/sys/kernel/btf/iommufd'].filter((path) => existsSync(path)) : []);
  const support = probeSupport(vmlinux);
  // A BPF program sees the arguments at the return, whatever tracefs can.
  const plan = planProbes([vmlinux, ...modules.map((path) => readBtf(path, vmlinux))], support.argumentsAtReturn || tool === 'bpftrace');
  const style: TracefsStyle = { probeType: tool === 'bpftrace' ? 'f' : (probeType ?? probeTypeOf(support, file)), raw: raw ?? !support.btfArguments };
  const kernel = describe(vmlinux);
  if (format === 'json') return probesJson(plan, style, tool, kernel);
  const head = `${file}: ${kernel.design}, ${kernel.arch ?? 'unknown architecture'}`;
  if (tool === 'bpftrace') return renderBpftrace(plan, head);
  return tool === 'ftrace' ? renderTracefs(plan, style, head) : renderScript(plan, style, head, tool);
}

const isTool = (tool: string): tool is Tool => (TOOLS as readonly string[]).includes(tool);

function probeTypeOf({ fprobe, kprobe }: ProbeSupport, file: string): 'f' | 'p' {
  if (fprobe) return 'f';
  if (kprobe) return 'p';
  throw new UnreadableError(`${file}: this kernel has neither fprobe nor kprobe events`, 'build it with CONFIG_FPROBE_EVENTS or CONFIG_KPROBE_EVENTS; --tool bpftrace may work; --probe-type f or p prints them all the same');
}

function describe(btf: Btf): { readonly design: string; readonly arch: string | null } {
  return { design: designOfMembers(new Map(flattenStruct(domainOf(btf)).map(({ name, offset }) => [name, offset]))), arch: archOf(btf) };
}

function probesJson({ probes, tracepoints, missing }: ProbePlan, style: TracefsStyle, tool: Tool, kernel: { design: string; arch: string | null }): string {
  const definitions = probes.map((probe) => ({
    event: probe.event,
    function: probe.function,
    at: probe.at,
    fields: probe.fields.map((field) => ({ name: field.name, fetch: fetchOf(field, style.raw) })),
    ...(tool !== 'bpftrace' && { definition: tracefsLine(probe, style) }),
  }));
  const probeType = tool === 'bpftrace' ? null : style.probeType;
  return `${JSON.stringify({ schema: 'iommu-ledger/probes/1', tool, ...kernel, probeType, definitions, tracepoints, missing }, null, 2)}\n`;
}
