/**
 * The page's script and style, built by Vite from viewer/ when they are needed first and kept until a source changes.
 * A published package has them in dist/ (`npm run build:page`).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../events/problem.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What goes into the page. */
const SOURCES = ['viewer', 'events', 'log', 'machines', 'projections', 'reports'];

/** Script and style of the page. */
export interface BuiltPage {
  readonly script: string;
  readonly style: string;
}

/** Returns the page's script and style. */
export async function builtPage(): Promise<BuiltPage> {
  const published = join(ROOT, 'dist', 'page.json');
  if (existsSync(published)) return JSON.parse(readFileSync(published, 'utf8')) as BuiltPage;
  const folder = join(ROOT, 'node_modules', '.cache', 'iommu-ledger');
  const cached = join(folder, `page-${digest()}.json`);
  if (existsSync(cached)) return JSON.parse(readFileSync(cached, 'utf8')) as BuiltPage;
  const page = await buildPage();
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${cached}.${process.pid}`, JSON.stringify(page));
    renameSync(`${cached}.${process.pid}`, cached);
  } catch {
    // A checkout that cannot be written to builds the page each time.
  }
  return page;
}

/** Builds the page's script and style with Vite. */
export async function buildPage(): Promise<BuiltPage> {
  const { build } = await import('vite');
  const results = await build({
    root: join(ROOT, 'viewer'), configFile: false, logLevel: 'error', publicDir: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    build: { write: false, target: 'es2024', cssCodeSplit: false, lib: { entry: 'main.tsx', formats: ['iife'], name: 'page', fileName: () => 'page.js' } },
  });
  const outputs = (Array.isArray(results) ? results : [results]).flatMap((r) => ('output' in r ? r.output : []));
  const script = outputs.find((o) => o.type === 'chunk');
  const style = outputs.find((o) => o.type === 'asset' && o.fileName.endsWith('.css'));
  assert(script?.type === 'chunk', 'Vite made no script');
  return { script: script.code, style: style?.type === 'asset' ? String(style.source) : '' };
}

function digest(): string {
  const hash = createHash('sha256');
  const files = SOURCES.flatMap((room) => readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)));
  for (const file of [...files.filter((f) => /\.(ts|tsx|css|html|json)$/.test(f)), 'package.json'].sort()) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}
