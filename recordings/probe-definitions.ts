/**
 * Probe definitions as lines of `dynamic_events`: taken apart, and moved into a group of our own.
 * Format: Documentation/trace/kprobetrace.rst, fprobetrace.rst, eprobetrace.rst. What the kernel thinks of a line only the kernel
 * knows; here it is only made sure that a line defines something (`-:` and `!` would remove) and where its group and name are.
 */

/** One line of `dynamic_events`. */
export interface ProbeDefinition {
  /** `p` and `r` kprobe at entry and return, `f` fprobe, `t` tracepoint, `e` event probe. */
  readonly kind: string;
  /** The event's name without its group. */
  readonly event: string;
  /** What is probed: a function, `func%return`, a tracepoint, `GROUP.EVENT`. */
  readonly place: string;
  /** What stands before and behind `:GROUP/EVENT`. */
  readonly head: string;
  readonly tail: string;
}

const DEFINITION = /^(?<head>(?<kind>[prfte])\d*)(?::(?:[A-Za-z_]\w*\/)?(?<name>[A-Za-z_]\w*)?)?(?<tail>\s+(?<place>\S+).*)$/;

/** Returns the definition in a line, or null where it is not one. */
export function parseDefinition(line: string): ProbeDefinition | null {
  const groups = DEFINITION.exec(line.trim())?.groups;
  if (!groups) return null;
  const { head, kind, name, place, tail } = groups;
  return { kind, event: name ?? `${kind}_${place.replaceAll(/\W/g, '_')}`, place, head, tail };
}

/** Returns the definitions in a text and the numbers of the lines that are none. Empty lines and those that begin with # are left out. */
export function parseDefinitions(text: string): { definitions: ProbeDefinition[]; bad: number[] } {
  const definitions: ProbeDefinition[] = [];
  const bad: number[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const definition = parseDefinition(line);
    if (definition) definitions.push(definition);
    else bad.push(i + 1);
  }
  return { definitions, bad };
}

/** Returns the line that makes this probe in a group. */
export function renderDefinition({ head, event, tail }: ProbeDefinition, group: string): string {
  return `${head}:${group}/${event}${tail}`;
}
