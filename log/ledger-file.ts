/**
 * Opening a `.ledger` file: an SQLite database that carries our application id, schema version and exactly our tables.
 * Anything else is refused before it is touched, with what it is and what to do. A file that is being created is first a
 * rollback-journal database, so that its first page names us as soon as it has a table; only then it becomes a WAL one.
 * Source: https://www.sqlite.org/fileformat2.html#the_database_header
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { UnreadableError } from '../events/problem.ts';
import { CHAIN_START } from './chain.ts';
import { LogBusyError } from './event-log.ts';

/** "IOML" in the header of a `.ledger` file. */
export const APPLICATION_ID = 0x494f4d4c;

/** Version of the tables that this program reads and writes. */
export const SCHEMA_VERSION = 1;

const MAGIC = 'SQLite format 3\0';
const APPLICATION_ID_AT = 68;
const NOT_A_LOG = 'a log is made by `iommu-ledger import SOURCE --log FILE.ledger`';
const DAMAGED = 'take the log from a backup, or import its recordings into a new one';

// Compared byte for byte with what a file holds: a table, trigger or view that is not ours is refused.
const SCHEMA: readonly (readonly [name: string, sql: string])[] = [
  ['head', 'CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), links INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL) STRICT'],
  ['link', 'CREATE TABLE link (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT'],
  ['link_events', 'CREATE UNIQUE INDEX link_events ON link (first) WHERE kind = 0'],
  ['link_recordings', 'CREATE INDEX link_recordings ON link (seq) WHERE kind = 1'],
];

/**
 * Returns a connection that only reads an existing log.
 * Errors: `UnreadableError`; a missing file stays missing.
 */
export function openForReading(path: string, busyTimeoutMs: number): DatabaseSync {
  if (inspect(path) !== 'ledger') throw new UnreadableError(`${path}: is empty, not a log`, NOT_A_LOG);
  return attempt(path, () => {
    let db = connect(path, 'mode=rw', busyTimeoutMs);
    try {
      checkSchema(db, path);
    } catch (error) {
      db.close();
      // On a read-only directory SQLite cannot make the files that WAL needs; without a writer it does not need them.
      if (primaryCode(error) !== SQLITE_READONLY && primaryCode(error) !== SQLITE_CANTOPEN) throw error;
      if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) throw error;
      db = connect(path, 'immutable=1', busyTimeoutMs);
      checkSchema(db, path);
    }
    db.exec('PRAGMA query_only = 1');
    return db;
  });
}

/**
 * Returns a connection that writes a log, made now if there is no file or an empty one.
 * Errors: `UnreadableError`, `LogBusyError`; somebody else's file is left as it is.
 */
export function openForWriting(path: string, busyTimeoutMs: number): DatabaseSync {
  const found = inspect(path, 'create');
  return attempt(path, () => {
    const db = connect(path, found === 'missing' ? 'mode=rwc' : 'mode=rw', busyTimeoutMs);
    try {
      if (isWithoutSchema(db)) createSchema(db);
      checkSchema(db, path);
      becomeWal(db, busyTimeoutMs);
      db.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864');
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Runs `work` and returns its result; what SQLite throws becomes an `UnreadableError` that names the file. */
export function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(path, error);
  }
}

/** Returns the error to throw for what SQLite threw; an error that is not SQLite's is returned as it is. */
export function explain(path: string, error: unknown): unknown {
  const code = primaryCode(error);
  if (code === undefined) return error;
  switch (code) {
    case 5: case 6: return new LogBusyError(path);
    case SQLITE_READONLY: return new UnreadableError(`${path}: cannot be written`, 'check the permissions of the file and of its directory');
    case 13: return new UnreadableError(`${path}: the disk is full`, 'make room, then try again; the log is as it was before');
    case SQLITE_CANTOPEN: return new UnreadableError(`${path}: cannot be opened`, 'check the path and the permissions of the directory');
    case 11: case 26: return new UnreadableError(`${path}: is damaged or cut short`, DAMAGED);
    default: return new UnreadableError(`${path}: ${(error as Error).message}`, DAMAGED);
  }
}

const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;

/** Returns SQLite's primary result code, undefined for an error of anyone else. */
function primaryCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: string; errcode?: number };
  // A hostile integer too large for a number is damage like any other.
  if (code === 'ERR_OUT_OF_RANGE') return 11;
  return code === 'ERR_SQLITE_ERROR' && errcode !== undefined ? errcode & 0xff : undefined;
}

/** Returns what stands at this path, by its first bytes. Errors: `UnreadableError` for whatever is not and cannot become a log. */
function inspect(path: string, missing?: 'create'): 'ledger' | 'empty' | 'missing' {
  let header: Buffer;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new UnreadableError(`${path}: is a directory, not a log`, NOT_A_LOG);
    // Opening a pipe or a device would wait for its other end.
    if (!stat.isFile()) throw new UnreadableError(`${path}: is not a regular file`, NOT_A_LOG);
    const fd = openSync(path, 'r');
    try {
      header = Buffer.alloc(100);
      header = header.subarray(0, readSync(fd, header, 0, 100, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && missing === 'create') return 'missing';
    if (code === 'ENOENT') throw new UnreadableError(`${path}: no such file`, NOT_A_LOG);
    throw new UnreadableError(`${path}: cannot be read: ${code}`, 'check the path and its permissions');
  }
  if (header.length === 0) return 'empty';
  const magic = header.toString('latin1', 0, MAGIC.length);
  if (magic !== MAGIC.slice(0, magic.length)) {
    throw new UnreadableError(`${path}: is not a log (not an SQLite database)`, `${NOT_A_LOG}; a recording is read under any name that does not end in .ledger`);
  }
  if (header.length < 100) throw new UnreadableError(`${path}: is cut short after ${header.length} bytes`, DAMAGED);
  const id = header.readUInt32BE(APPLICATION_ID_AT);
  if (id !== APPLICATION_ID) throw new UnreadableError(`${path}: is an SQLite database of another program (application id 0x${id.toString(16)})`, NOT_A_LOG);
  return 'ledger';
}

function connect(path: string, mode: string, busyTimeoutMs: number): DatabaseSync {
  const url = pathToFileURL(resolve(path));
  url.search = mode;
  const db = new DatabaseSync(url, { timeout: busyTimeoutMs, enableForeignKeyConstraints: false });
  db.exec('PRAGMA trusted_schema = 0; PRAGMA cell_size_check = 1');
  return db;
}

function isWithoutSchema(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
}

function createSchema(db: DatabaseSync): void {
  db.exec('PRAGMA page_size = 8192; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  // Another process may have been faster.
  if (isWithoutSchema(db)) {
    for (const [, sql] of SCHEMA) db.exec(sql);
    db.prepare('INSERT INTO head VALUES (1, 0, 0, ?)').run(CHAIN_START.hash);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  db.exec('COMMIT');
}

function checkSchema(db: DatabaseSync, path: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > SCHEMA_VERSION) {
    throw new UnreadableError(`${path}: was written by a newer version (schema ${version}, this program knows ${SCHEMA_VERSION})`, 'update iommu-ledger');
  }
  const found = db.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name LIMIT 100").all();
  const same = found.length === SCHEMA.length && SCHEMA.every(([name, sql], i) => found[i]['name'] === name && found[i]['sql'] === sql);
  if (version !== SCHEMA_VERSION || !same) throw new UnreadableError(`${path}: its tables are not those of a log`, DAMAGED);
}

/** Turns write-ahead logging on. Another process that has the file open can be in the way for a moment: SQLite does not wait by itself. */
function becomeWal(db: DatabaseSync, busyTimeoutMs: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; ; waited += 10) {
    try {
      db.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (primaryCode(error) !== 5 || waited >= busyTimeoutMs) throw error;
      Atomics.wait(pause, 0, 0, 10);
    }
  }
}
