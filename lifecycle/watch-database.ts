/**
 * The database of the watch: one libsql (SQLite) file, `events.db`, beside the log and apart from the read model, because not
 * everything in it can be made again: who guessed codes stands in no log.
 *
 *     about    deployment, shape, epoch of the ids, the boot it was opened under
 *     cursor   a row a shard: how far the log was watched (see `readmodel/cursor.ts`)
 *     stock    a row a campaign, and a coupon that has several uses or a campaign: what is used, what was told
 *     job      jobs, by shard and sequence
 *     batch    codes made in bulk, by ranges of ordinals: their campaign (see `batches.ts`)
 *     event    number, type, time, JSON text
 *
 * Cursor, stock and events are written in one transaction, so an event of the log is found exactly once, whatever is killed
 * when. A power cut may take the last transactions: they are found again, but perhaps under other numbers. So the epoch,
 * which is part of every id, is a new one after an unclean end of the machine, and whoever asks behind an id of another epoch
 * begins at the oldest event. Rather twice than never.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Libsql from 'libsql'
import { Database } from '../readmodel/database.ts'

export const EVENTS_FILE = 'events.db'

/** Whoever changes a table or what stands in it counts on; older files are built anew. */
const SHAPE = 1
const CACHE_KIB = 8 * 1_024

const TABLES = `
  CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE cursor (shard INTEGER PRIMARY KEY, seq INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, sum INTEGER NOT NULL);
  CREATE TABLE stock (id INTEGER PRIMARY KEY, uses INTEGER NOT NULL, max INTEGER NOT NULL, told INTEGER NOT NULL,
    name TEXT NOT NULL, low_ppm INTEGER NOT NULL, budget INTEGER NOT NULL, spent INTEGER NOT NULL,
    campaign INTEGER NOT NULL);
  CREATE TABLE job (shard INTEGER, seq INTEGER, kind TEXT NOT NULL, campaign INTEGER NOT NULL,
    PRIMARY KEY (shard, seq)) WITHOUT ROWID;
  CREATE TABLE batch (shard INTEGER, first INTEGER, end_at INTEGER NOT NULL, job INTEGER NOT NULL,
    campaign INTEGER NOT NULL, PRIMARY KEY (shard, first)) WITHOUT ROWID;
  CREATE TABLE event (number INTEGER PRIMARY KEY, type INTEGER NOT NULL, at_ms INTEGER NOT NULL, text TEXT NOT NULL);
  CREATE INDEX event_by_type ON event (type, number);
`

export interface Belonging {
  readonly dataDir: string
  /** Tells deployments apart. */
  readonly deployment: string
  readonly bootId: string
}

export interface OpenedWatch {
  readonly database: Database
  readonly epoch: string
}

/** Opens the database; one that does not belong to this deployment or cannot be read is begun anew. */
export function openWatchDatabase(belonging: Belonging): OpenedWatch {
  const path = pathOf(belonging.dataDir)
  if (existsSync(path)) {
    try {
      return opened(path, belonging)
    } catch {
      // Whatever is wrong with it: what the log says is found again.
    }
  }
  dropWatchDatabase(belonging.dataDir)
  return created(path, belonging)
}

export function dropWatchDatabase(dataDir: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(pathOf(dataDir) + ending, { force: true })
}

/** Flushes and closes: whatever happens to the machine now, the next start goes on with the same ids. */
export function closeWatchDatabase(database: Database, dataDir: string): void {
  database.sql("DELETE FROM about WHERE name = 'boot'").run()
  database.checkpoint()
  database.close()
  const file = openSync(pathOf(dataDir), 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function pathOf(dataDir: string): string {
  return join(dataDir, EVENTS_FILE)
}

function created(path: string, { deployment, bootId }: Belonging): OpenedWatch {
  const connection = connect(path)
  connection.exec(TABLES)
  const database = new Database(connection)
  const epoch = newEpoch()
  database.transaction(() => {
    const put = database.sql('INSERT INTO about VALUES (?, ?)')
    put.run('shape', String(SHAPE))
    put.run('deployment', deployment)
    put.run('epoch', epoch)
    put.run('boot', bootId)
  })
  return { database, epoch }
}

function opened(path: string, { deployment, bootId }: Belonging): OpenedWatch {
  const connection = connect(path)
  try {
    const database = new Database(connection)
    const about = new Map(database.query('SELECT name, value FROM about').all() as [string, string][])
    if (about.get('shape') !== String(SHAPE) || about.get('deployment') !== deployment) throw new Error('of others')
    const put = database.sql('INSERT INTO about VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
    const leftBy = about.get('boot')
    let epoch = about.get('epoch') ?? newEpoch()
    if (leftBy !== undefined && leftBy !== bootId) {
      const [found] = database.query('PRAGMA quick_check(1)').first() ?? []
      if (found !== 'ok') throw new Error(`damaged: ${String(found)}`)
      epoch = newEpoch()
    }
    // Flushed before the first event gets a number: a power cut that took this with them would give the numbers out again.
    connection.exec('PRAGMA synchronous = FULL')
    database.transaction(() => {
      put.run('epoch', epoch)
      put.run('boot', bootId)
    })
    connection.exec('PRAGMA synchronous = NORMAL')
    return { database, epoch }
  } catch (error) {
    connection.close()
    throw error
  }
}

function newEpoch(): string {
  return randomBytes(4).toString('hex')
}

function connect(path: string): Libsql.Database {
  const connection = new Libsql(path)
  connection.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA temp_store = MEMORY;`)
  return connection
}
