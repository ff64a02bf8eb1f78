/**
 * All temporary files of a test run lie in one folder, which goes at its end, however the workers end.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Called by vitest before its workers start; returns what it calls at the end. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'iommu-ledger-tests-'));
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
