/**
 * The house rules of STYLE.md and DESIGN.md as a test: which room may import which, who may touch files and clocks, how long a
 * file is, what it is called, and that what is exported says what it returns. Reads the sources as text; comments are not code.
 * A file that breaks a rule for a reason stands in the list of that rule, with the reason; a reason that is gone fails too.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = ['events', 'recordings', 'log', 'machines', 'projections', 'reports', 'viewer', 'cli'] as const;
const AROUND = ['test', 'bench'] as const;

/** What the files of a room may import: rooms, or single files. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  events: [],
  machines: ['events'],
  log: ['events'],
  // Which design a recording is of is evidence that the reader has in hand.
  recordings: ['events', 'machines/design-list.ts'],
  projections: ['machines', 'events'],
  reports: ['projections', 'machines', 'events'],
  viewer: ['reports', 'projections', 'machines', 'events', 'recordings', 'log'],
  cli: ROOMS,
};
/** What they may import as types only. */
const MAY_IMPORT_TYPES: Readonly<Record<string, readonly string[]>> = { reports: ['recordings'] };

/** Rooms that may touch files, sockets, clocks and the process. */
const OUTSIDE_WORLD = new Set<string>(['recordings', 'log', 'cli', ...AROUND]);
const MAX_LINES = 300;
const MAX_HEADER_LINES = 12;

interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
}

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const IMPORT = /^(?:import|export)\b(?<types>\s+type\b)?(?<names>[^'";]*?)\bfrom\s+'(?<from>[^']+)'|^import\s+'(?<bare>[^']+)'|\bimport\(\s*'(?<lazy>[^']+)'\s*\)/gm;

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, '')).replaceAll(/(?<![:'"`\\])\/\/(?=[ /]).*$/gm, '');
  const imports = [...code.matchAll(IMPORT)].map(({ groups }) => {
    const { types, names = '', from, bare, lazy } = groups!;
    const listed = names.replaceAll(/[{}\s]+/g, ' ').split(',').map((name) => name.trim()).filter((name) => name !== '');
    return { from: (from ?? bare ?? lazy)!, typesOnly: types !== undefined || (listed.length > 0 && listed.every((name) => name.startsWith('type '))) };
  });
  return { path, room: path.includes('/') ? path.split('/')[0] : '', text, lines: text.trimEnd().split('\n'), code, imports };
}

const SOURCES = [...ROOMS, ...AROUND]
  .filter((room) => existsSync(join(ROOT, room)))
  .flatMap((room) => readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`))
  .concat(readdirSync(ROOT))
  .filter((path) => /\.(ts|mts|mjs|js)$/.test(path))
  .sort()
  .map(readSource);
const HOUSE = SOURCES.filter(({ room }) => (ROOMS as readonly string[]).includes(room));

/** Returns the file of ours that a relative import names. */
const target = (source: Source, from: string): string => relative(ROOT, join(ROOT, dirname(source.path), from));

/**
 * Fails with everything that breaks a rule without being excused, and with every excuse that is not needed any more.
 * `where` is a file, or `FILE#NAME`.
 */
function demand(breaches: readonly (readonly [where: string, what: string])[], excused: Readonly<Record<string, string>> = {}): void {
  const unexcused = breaches.filter(([where]) => !(where in excused)).map(([where, what]) => `${where}: ${what}`);
  const broken = new Set(breaches.map(([where]) => where));
  const notNeeded = Object.keys(excused).filter((where) => existsSync(join(ROOT, where.split('#')[0])) && !broken.has(where));
  expect({ unexcused, notNeeded }).toEqual({ unexcused: [], notNeeded: [] });
}

describe('imports', () => {
  test('run from right to left only', () => {
    demand(HOUSE.flatMap((source) => source.imports.filter(({ from }) => from.startsWith('.')).flatMap(({ from, typesOnly }) => {
      const path = target(source, from);
      const room = path.split('/')[0];
      const allowed = [source.room, ...MAY_IMPORT[source.room], ...(typesOnly ? (MAY_IMPORT_TYPES[source.room] ?? []) : [])];
      return allowed.includes(room) || allowed.includes(path) ? [] : [[source.path, `imports ${path}`] as const];
    })));
  });

  test('have no cycle', () => {
    const graph = new Map(SOURCES.map((source) => [source.path, source.imports.filter(({ from, typesOnly }) => from.startsWith('.') && !typesOnly).map(({ from }) => target(source, from))]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      if (done.has(path) || trail.includes(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    expect(cycles).toEqual([]);
  });

  test('name the file that holds the thing, and it is there', () => {
    demand(SOURCES.flatMap((source) => source.imports.filter(({ from }) => from.startsWith('.')).flatMap(({ from }) => (existsSync(join(ROOT, target(source, from))) && /\.\w+$/.test(from) ? [] : [[source.path, `imports ${from}`] as const]))));
    demand(HOUSE.filter(({ path }) => /\/index\.\w+$/.test(path)).map(({ path }) => [path, 'is a barrel file']));
  });

  test('of Node’s modules stay where the outside world is', () => {
    demand(HOUSE.filter(({ room }) => !OUTSIDE_WORLD.has(room)).flatMap(({ path, imports }) => imports.filter(({ from }) => from.startsWith('node:')).map(({ from }) => [path, `imports ${from}`] as const)));
  });
});

describe('code', () => {
  const uses = (sources: readonly Source[], pattern: RegExp): [string, string][] =>
    sources.flatMap(({ path, code }) => [...code.matchAll(pattern)].map((m): [string, string] => [path, m[0].trim()]));

  test('has no default export', () => {
    demand(uses(SOURCES, /^export default\b|\bas default\b/gm), { 'vitest.config.ts': 'vitest asks for one' });
  });

  test('never prints by console', () => {
    demand(uses(SOURCES, /\bconsole\.\w+/g));
  });

  test('touches process, clocks, timers and chance only where the outside world is', () => {
    const pure = SOURCES.filter(({ room }) => !OUTSIDE_WORLD.has(room));
    demand(uses(pure, /\bprocess\.\w+|\bDate\.now\b|\bnew Date\(\)|\bperformance\.\w+|\bset(?:Timeout|Interval|Immediate)\(|\bMath\.random\b|\bfetch\(/g));
  });

  test('names no place of one machine', () => {
    demand(SOURCES.filter(({ path }) => path !== 'test/tidy.test.ts').flatMap(({ path, room, text }) => {
      const places = room === 'test' ? /\/work\/\w|\/home\/\w/g : /\/work\/\w|\/home\/\w|\/tmp\//g;
      return [...text.matchAll(places)].map((m) => [path, m[0]] as const);
    }));
  });

  test('is not called util, helper, manager or handler', () => {
    // The kernel has a fault handler and an iopf_handler.
    const names = SOURCES.flatMap(({ path, code }) => [...code.matchAll(/\b(?:const|let|function|class|interface|type)\s+(\w+)/g)].map((m) => [path, m[1]] as const));
    demand([...names, ...SOURCES.map(({ path }) => [path, path] as const)].filter(([, name]) => /util|helper|manager|(?<!(?:fault|iopf)[-_]?)handler/i.test(name)));
  });
});

describe('files', () => {
  test('have kebab-case names', () => {
    demand(SOURCES.filter(({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.\d+)*(\.(test|property|contract|config|page))*\.(ts|mjs)$/.test(path)).map(({ path }) => [path, 'is not kebab-case']));
  });

  test(`have at most ${MAX_LINES} lines`, () => {
    demand(SOURCES.filter(({ lines }) => lines.length > MAX_LINES).map(({ path, lines }) => [path, `${lines.length} lines`]), {
      'machines/domain-rows.ts': 'a method for each guard and action of the machine, all over the same columns, so that `step` finds them without a call through an object',
      'projections/audit.ts': 'the step that every event of a recording goes through, with what it compares beside it',
      'recordings/calls.ts': 'one method for each probed kernel function, all over the same open calls of a task',
    });
  });

  test(`begin with a comment of at most ${MAX_HEADER_LINES} lines`, () => {
    demand(SOURCES.flatMap(({ path, lines }): (readonly [string, string])[] => {
      const first = lines[0].startsWith('#!') ? 1 : 0;
      let last = first;
      if (lines[first].startsWith('/**')) while (!lines[last].includes('*/')) last++;
      else if (lines[first].startsWith('//')) while (lines[last + 1].startsWith('//')) last++;
      else return [[path, 'has no header comment']];
      // The lines of the comment's marks are not text.
      const count = lines.slice(first, last + 1).filter((line) => /[^\s/*]/.test(line)).length;
      return count > MAX_HEADER_LINES ? [[path, `has a header of ${count} lines`]] : [];
    }), {
      'test/log/memory-store.test.ts': 'seven lines that run the contract test, which says everything',
      'vitest.config.ts': 'settings, each with its reason beside it where it has one',
    });
  });
});

/** Whether line `i` has a docstring: right above it, or for constants and types above the paragraph that they stand in (a list, its type, its codes). */
function isDocumented(lines: readonly string[], i: number): boolean {
  if (lines[i - 1]?.endsWith('*/')) return true;
  if (!/^export (const|type)\b/.test(lines[i])) return false;
  let first = i;
  while (first > 0 && lines[first - 1] !== '') first--;
  return lines[first].startsWith('/**');
}


test('what is exported has a docstring', () => {
  demand(SOURCES.flatMap(({ path, lines }) => lines.flatMap((line, i) => {
    const name = /^export (?:declare |abstract |async )*(?:function\*?|class|const|let|interface|type|namespace) (\w+)/.exec(line)?.[1];
    return name === undefined || isDocumented(lines, i) ? [] : [[`${path}#${name}`, 'has none'] as const];
  })));
});

test('the patterns of this test find what they look for', () => {
  const count = (pattern: RegExp): number => SOURCES.reduce((sum, { code }) => sum + [...code.matchAll(pattern)].length, 0);
  expect(SOURCES.length).toBeGreaterThan(80);
  expect(SOURCES.find(({ path }) => path === 'cli/main.ts')!.imports).toEqual(expect.arrayContaining([{ from: 'commander', typesOnly: false }, { from: './audit.ts', typesOnly: false }]));
  expect(SOURCES.find(({ path }) => path === 'events/batch.ts')!.imports).toEqual([{ from: './tables.ts', typesOnly: false }]);
  expect(SOURCES.find(({ path }) => path === 'reports/audit-json.ts')!.imports.find(({ from }) => from === '../recordings/recording.ts')).toMatchObject({ typesOnly: true });
  expect(count(/\bprocess\.\w+/g)).toBeGreaterThan(5);
  expect(count(/^export /gm)).toBeGreaterThan(200);
});
