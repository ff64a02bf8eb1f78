/**
 * A second process for the tests of the ledger.
 * `hold PATH MS` keeps a transaction open for a while, then commits one event; `import PATH FROM` imports recordings FROM, FROM + 1, …
 * without end and says `N` on a line of its own after recording N was committed.
 */
import { writeSync } from 'node:fs';
import { importRecording } from '../../log/import.ts';
import { openLedger } from '../../log/ledger-store.ts';
import { childRecording } from './child-recordings.ts';
import { batchOf, recordingEvents } from './rows.ts';

const [what, path, argument] = process.argv.slice(2);
writeSync(1, 'ready\n');
const log = openLedger(path, { write: true });
if (what === 'hold') {
  const transaction = await log.begin();
  transaction.stage(batchOf(recordingEvents('held', 1)), 0, 1);
  writeSync(1, 'held\n');
  await new Promise((resolve) => setTimeout(resolve, Number(argument)));
  await transaction.commit();
} else {
  for (let n = Number(argument); ; n++) {
    await importRecording(log, childRecording(n));
    writeSync(1, `${n}\n`);
  }
}
await log.close();
