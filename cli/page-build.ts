/**
 * What is the same in every page: script and style, built by Vite from viewer/, and the state charts of all designs. Made when
 * they are needed first and kept until a source changes.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../events/problem.ts';
import { DESIGNS } from '../machines/design-list.ts';
import { designSvg } from '../reports/chart-svg.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What goes into the page: folders, and files. */
const FOLDERS = ['viewer', 'events', 'log', 'machines', 'projections', 'reports'];
const FILES = [fileURLToPath(import.meta.url), join(ROOT, 'package.json'), join(ROOT, 'package-lock.json')];

/** What is the same in every page. */
export interface BuiltPage {
  readonly script: string;
  readonly style: string;
  /** State charts as SVG, by design. */
  readonly charts: Readonly<Record<string, string>>;
}

/** Returns what is the same in every page. */
export async function builtPage(): Promise<BuiltPage> {
  const folder = join(ROOT, 'node_modules', '.cache', 'iommu-ledger');
  const cached = join(folder, `page-${digest()}.json`);
  if (existsSync(cached)) return JSON.parse(readFileSync(cached, 'utf8')) as BuiltPage;
  const page = await buildPage();
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, JSON.stringify(page));
    renameSync(`${cached}.${process.pid}`, cached);
    for (const name of readdirSync(folder)) if (/^page-\w+\.json$/.test(name) && join(folder, name) !== cached) rmSync(join(folder, name), { force: true });
  } catch {
    // A checkout that cannot be written to builds the page each time.
  }
  return page;
}

/** Makes what is the same in every page. */
export async function buildPage(): Promise<BuiltPage> {
  const { build } = await import('vite');
  // Vite asks the environment, and its page for developers names the paths of this machine.
  const environment = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  const results = await build({
    root: join(ROOT, 'viewer'), configFile: false, mode: 'production', logLevel: 'error', publicDir: false, envDir: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false, target: 'es2024', cssTarget: ['chrome123', 'firefox120', 'safari17.5'], cssCodeSplit: false,
      lib: { entry: 'main.tsx', formats: ['iife'], name: 'page', fileName: () => 'page.js' },
    },
  }).finally(() => {
    if (environment === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = environment;
  });
  const outputs = (Array.isArray(results) ? results : [results]).flatMap((r) => ('output' in r ? r.output : []));
  const script = outputs.find((o) => o.type === 'chunk');
  const style = outputs.find((o) => o.type === 'asset' && o.fileName.endsWith('.css'));
  assert(script?.type === 'chunk', 'Vite made no script');
  const charts: Record<string, string> = {};
  for (const design of DESIGNS) charts[design.id] = await designSvg(design);
  return { script: script.code, style: style?.type === 'asset' ? String(style.source) : '', charts };
}

function digest(): string {
  const hash = createHash('sha256');
  const sources = FOLDERS.flatMap((room) => readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)));
  for (const source of sources.filter((name) => /\.(ts|tsx|css|html|json)$/.test(name)).sort()) hash.update(source).update(readFileSync(join(ROOT, source)));
  for (const file of FILES.filter((path) => existsSync(path))) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
