/**
 * The embedded store: one `.ledger` file, an SQLite database that holds the chain of links, one row each. A writer in WAL mode
 * with synchronous FULL: what `commit` returned for survives a crash, and readers go on seeing the state they began with.
 * Rows are only ever inserted; the one row that changes is `head`, in the same transaction.
 */
import { type DatabaseSync, type StatementSync } from 'node:sqlite';
import { UnreadableError } from '../events/problem.ts';
import { CHAIN_START, LINK, linkRecording, MAX_BODY_BYTES, type ChainPoint, type Link } from './chain.ts';
import { ChainedLog, type ChainStorage, type ChainView } from './chained-log.ts';
import { type EventLog, type ImportedRecording } from './event-log.ts';
import { attempt, explain, openForReading, openForWriting } from './ledger-file.ts';

/** How a ledger is opened. */
export interface LedgerOptions {
  /** The log may be appended to, and is made if it does not exist. */
  readonly write?: boolean;
  /** How long a writer waits for another one, 5,000 by default. */
  readonly busyTimeoutMs?: number;
}

const DAMAGED = '`iommu-ledger verify` names the first bad position; take the log from a backup, or import its recordings into a new one';

/**
 * Returns the log in this file.
 * Errors: `UnreadableError` that names the file and what is wrong with it; without `write`, a missing file is one.
 */
export function openLedger(path: string, options: LedgerOptions = {}): EventLog {
  const timeout = options.busyTimeoutMs ?? 5000;
  const writer = options.write === true ? openForWriting(path, timeout) : undefined;
  try {
    // Reads have a connection of their own: a transaction that is still open stays invisible to them.
    return new ChainedLog(new LedgerStorage(path, openForReading(path, timeout), writer));
  } catch (error) {
    writer?.close();
    throw error;
  }
}

class LedgerStorage implements ChainStorage {
  readonly name: string;
  private readonly reader: DatabaseSync;
  private readonly writer: DatabaseSync | undefined;
  private insert: StatementSync | undefined;

  constructor(path: string, reader: DatabaseSync, writer: DatabaseSync | undefined) {
    this.name = path;
    this.reader = reader;
    this.writer = writer;
  }

  view<T>(body: (view: ChainView) => T): T {
    // A read inside of a read shares its snapshot.
    const inside = this.reader.isTransaction;
    if (!inside) attempt(this.name, () => this.reader.exec('BEGIN'));
    try {
      return body(new LedgerView(this.name, this.reader));
    } finally {
      if (!inside) this.reader.exec('ROLLBACK');
    }
  }

  begin(): ChainPoint {
    const writer = this.writer;
    if (!writer) throw new UnreadableError(`${this.name}: was opened for reading only`, 'open it for writing');
    return attempt(this.name, () => {
      writer.exec('BEGIN IMMEDIATE; SAVEPOINT staged');
      try {
        const end = readHead(this.name, writer);
        const last = writer.prepare('SELECT seq, hash FROM link ORDER BY seq DESC LIMIT 1').get();
        const [links, hash] = last ? [last['seq'], last['hash'] as Uint8Array] : [0, CHAIN_START.hash];
        if (links !== end.links || Buffer.compare(hash, end.hash) !== 0) throw new UnreadableError(`${this.name}: is damaged: its last link is not the one its head says`, DAMAGED);
        this.insert ??= writer.prepare('INSERT INTO link (seq, kind, first, count, hash, body) VALUES (?, ?, ?, ?, ?, ?)');
        return end;
      } catch (error) {
        writer.exec('ROLLBACK');
        throw error;
      }
    });
  }

  put({ seq, kind, first, count, hash, body }: Link): void {
    attempt(this.name, () => this.insert!.run(seq, kind, first, count, hash, body));
  }

  rewind(): void {
    attempt(this.name, () => this.writer!.exec('ROLLBACK TO staged'));
  }

  commit(end: ChainPoint): void {
    attempt(this.name, () => {
      this.writer!.prepare('UPDATE head SET links = ?, position = ?, hash = ?').run(end.links, end.position, end.hash);
      this.writer!.exec('COMMIT');
    });
  }

  abort(): void {
    // After some errors (disk full, for one) SQLite has rolled back already.
    if (this.writer?.isTransaction) attempt(this.name, () => this.writer!.exec('ROLLBACK'));
  }

  fault(): string | undefined {
    const [first] = attempt(this.name, () => this.reader.prepare('PRAGMA integrity_check(1)').all());
    const said = first?.['integrity_check'];
    return said === 'ok' ? undefined : `the events are intact, the database around them is not: ${String(said)}`;
  }

  close(): void {
    // The last connection to close folds the write-ahead log into the file; it should be one that may write.
    this.reader.close();
    this.writer?.close();
  }
}

class LedgerView implements ChainView {
  readonly end: ChainPoint;
  private readonly name: string;
  private readonly db: DatabaseSync;

  constructor(name: string, db: DatabaseSync) {
    this.name = name;
    this.db = db;
    this.end = attempt(name, () => readHead(name, db));
  }

  before(position: number): ChainPoint {
    return attempt(this.name, () => {
      const block = this.db.prepare('SELECT seq, first FROM link WHERE kind = 0 AND first <= ? ORDER BY first DESC LIMIT 1').get(position);
      if (!block || block['seq'] === 1) return CHAIN_START;
      const links = Number(block['seq']) - 1;
      const previous = this.db.prepare('SELECT hash FROM link WHERE seq = ?').get(links);
      if (!previous) throw new UnreadableError(`${this.name}: is damaged: link ${links} is missing`, DAMAGED);
      return { links, position: Number(block['first']) - 1, hash: previous['hash'] as Uint8Array };
    });
  }

  *links(seq: number): Iterable<Link> {
    const statement = this.db.prepare(`SELECT seq, kind, first, count, hash, CASE WHEN length(body) <= ${MAX_BODY_BYTES} THEN body END AS body FROM link WHERE seq >= ? ORDER BY seq`);
    try {
      for (const row of statement.iterate(seq)) {
        if (row['body'] === null) throw new UnreadableError(`${this.name}: is damaged: link ${String(row['seq'])} is absurdly large`, DAMAGED);
        yield row as unknown as Link;
      }
    } catch (error) {
      throw explain(this.name, error);
    }
  }

  recordings(): ImportedRecording[] {
    return attempt(this.name, () => {
      const rows = this.db.prepare(`SELECT seq, kind, first, count, hash, body FROM link WHERE kind = ${LINK.recording} AND length(body) = 32 ORDER BY seq`).all();
      return rows.map((row) => linkRecording(row as unknown as Link));
    });
  }
}

/** Returns the chain's end as the file says it. */
function readHead(name: string, db: DatabaseSync): ChainPoint {
  const row = db.prepare('SELECT links, position, hash FROM head').get();
  if (!row || !(Number(row['position']) >= 0) || !(row['hash'] instanceof Uint8Array)) throw new UnreadableError(`${name}: is damaged: it has no head`, DAMAGED);
  return row as unknown as ChainPoint;
}
