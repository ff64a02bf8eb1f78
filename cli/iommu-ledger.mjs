#!/usr/bin/env node
// Plain JavaScript on purpose: an older Node must be able to say what to do instead of failing on the first type annotation.
import module from 'node:module';

const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `iommu-ledger needs Node 24 or newer, this is ${process.version}: run "npm ci" in the checkout, then "npx iommu-ledger …", which brings its own Node.\n`,
  );
  process.exit(2);
}
module.enableCompileCache?.();
// node:sqlite announces itself as experimental on every start; all other warnings stay.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) => {
  if (!String(warning).includes('SQLite is an experimental feature')) emitWarning.call(process, warning, ...rest);
};
const { main } = await import('./main.ts');
await main(process.argv);
