/**
 * The database of the read model: one libsql (SQLite) file, `read-model.db`, that can be deleted at any time.
 *
 *     about       which deployment, which shape of tables: any other is dropped and built anew
 *     cursor      a row a shard: how far the log is in here, and what its last entry was (see `cursor.ts`)
 *     coupon …    what lists of coupons filter by and show (see `coupon-rows.ts`)
 *     hold …      capacity that is taken now
 *     campaign    what a search finds campaigns by; their shards show them
 *     coupon_campaign, code_job  whose coupons and codes are whose (see `campaign-members.ts`)
 *     search_change  what was made or changed, in order, for the search to follow (see `search-changes.ts`)
 *     run, block  postings: which events are in which list (see `runs.ts`)
 *     fact        bytes of events that a coupon's history tells (see `facts.ts`)
 *
 * Nothing is flushed while it runs (`synchronous = OFF`): rows and cursor are in one transaction, so a killed process leaves a
 * whole state of the past. A power cut may leave pages of different moments that fit each other and are wrong together, so one
 * that was open when the machine went down is dropped unread and built anew from the log, which is the truth. Whether it was
 * stands beside it in `read-model.mark`, never in itself: `open` with the boot, flushed before anything is written, or `closed`,
 * when all of it is flushed.
 * Must never happen here: a fact that is not in the log.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Libsql from 'libsql'
import { writeFileDurably } from '../persistence/durable-file.ts'

export const DATABASE_FILE = 'read-model.db'
const MARK_FILE = 'read-model.mark'
const CLOSED = 'closed'

/** Whoever changes a table or what stands in it counts on; older files are built anew. */
const SHAPE = 4

/** Kibibytes of pages in memory. */
const CACHE_KIB = 32 * 1_024
/** The same, of a connection that only reads. */
const READING_CACHE_KIB = 4 * 1_024
const READING_WAIT_MS = 2_000
/** Pages in the write-ahead file before they are copied into place; one that changed often is copied once. */
const CHECKPOINT_PAGES = 4_096

const TABLES = `
  CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE cursor (shard INTEGER PRIMARY KEY, seq INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, sum INTEGER NOT NULL);
  CREATE TABLE coupon (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL, disabled INTEGER NOT NULL, max_uses INTEGER, valid_from INTEGER, valid_until INTEGER,
    type TEXT NOT NULL, category TEXT, merchant TEXT, user TEXT);
  CREATE INDEX coupon_by_created ON coupon (created_at, id);
  CREATE INDEX coupon_by_until ON coupon (valid_until, id) WHERE valid_until IS NOT NULL;
  CREATE INDEX coupon_by_category ON coupon (category, created_at, id) WHERE category IS NOT NULL;
  CREATE INDEX coupon_by_merchant ON coupon (merchant, created_at, id) WHERE merchant IS NOT NULL;
  CREATE INDEX coupon_by_user ON coupon (user, created_at, id) WHERE user IS NOT NULL;
  CREATE TABLE coupon_definition (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE coupon_uses (id INTEGER PRIMARY KEY, uses INTEGER NOT NULL);
  CREATE TABLE campaign (id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, disabled INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE INDEX campaign_by_created ON campaign (created_at, id);
  CREATE TABLE coupon_campaign (id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, created_at INTEGER NOT NULL);
  CREATE INDEX coupon_by_campaign ON coupon_campaign (campaign, created_at, id);
  CREATE TABLE code_job (place INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, first_ordinal INTEGER);
  CREATE TABLE search_change (seq INTEGER PRIMARY KEY, entries BLOB NOT NULL);
  CREATE TABLE hold (owner INTEGER, coupon INTEGER, expires_at INTEGER NOT NULL, until_at INTEGER NOT NULL,
    user TEXT NOT NULL, PRIMARY KEY (owner, coupon)) WITHOUT ROWID;
  CREATE INDEX hold_by_coupon ON hold (coupon, expires_at);
  CREATE TABLE alias (name INTEGER PRIMARY KEY, owner INTEGER NOT NULL);
  CREATE TABLE run (id INTEGER PRIMARY KEY, level INTEGER NOT NULL, state INTEGER NOT NULL);
  CREATE TABLE block (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, key INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    place INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE INDEX block_by_first ON block (run, key, at_ms, place);
  CREATE TABLE fact (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
`

export type SqlValue = number | string | Uint8Array | null
/** A row in the order of its columns. */
export type SqlRow = readonly SqlValue[]

/** A prepared statement. */
export class Sql {
  private readonly statement: Libsql.Statement

  constructor(statement: Libsql.Statement) {
    this.statement = statement
  }

  run(...values: SqlValue[]): void {
    this.statement.run(values)
  }

  first(...values: SqlValue[]): SqlRow | null {
    const [row] = this.statement.all(values) as SqlRow[]
    return row ?? null
  }

  all(...values: SqlValue[]): SqlRow[] {
    return this.statement.all(values) as SqlRow[]
  }
}

export class Database {
  private readonly connection: Libsql.Database

  constructor(connection: Libsql.Database) {
    this.connection = connection
  }

  sql(text: string): Sql {
    return new Sql(this.connection.prepare(text))
  }

  /** A statement whose rows come as arrays. */
  query(text: string): Sql {
    return new Sql(this.connection.prepare(text).raw())
  }

  /** All or nothing. */
  transaction(work: () => void): void {
    this.connection.exec('BEGIN IMMEDIATE')
    try {
      work()
    } catch (error) {
      this.connection.exec('ROLLBACK')
      throw error
    }
    this.connection.exec('COMMIT')
  }

  /** Copies everything into the file itself; false: somebody still reads what was there before, so not all of it. */
  checkpoint(): boolean {
    const [isBusy] = this.query('PRAGMA wal_checkpoint(TRUNCATE)').first() ?? []
    return isBusy === 0
  }

  /** The file stays open until the last statement is collected, so nothing may rely on what SQLite does at an end. */
  close(): void {
    this.connection.close()
  }
}

/** The file is not ours to use as it is. */
class Unusable extends Error {}

/** What a database has to fit. */
export interface Belonging {
  readonly dataDir: string
  /** Tells deployments apart. */
  readonly deployment: string
  /** Of the running machine, since its start: what was left open under another one may be anything. */
  readonly bootId: string
}

/** Opens the database of a data directory. One that cannot be used is dropped and made anew; `dropped` then says why. */
export function openDatabase(belonging: Belonging): { database: Database; dropped: string | null } {
  const { dataDir, bootId } = belonging
  const path = pathOf(dataDir)
  const wasThere = existsSync(path)
  let dropped: string | null = null
  if (wasThere) {
    try {
      if (!isTrusted(belonging)) throw new Unusable('the machine went down while it was open')
      // From here on it may be anything, should the machine go down.
      mark(dataDir, bootId)
      return { database: opened(path, belonging), dropped }
    } catch (error) {
      dropped = error instanceof Error ? error.message : String(error)
    }
  }
  dropDatabase(dataDir)
  mark(dataDir, bootId)
  return { database: created(path, belonging), dropped }
}

/** A connection that only reads, beside the one that writes. The database has to be there. */
export function openToRead(dataDir: string): Database {
  const connection = new Libsql(pathOf(dataDir))
  connection.exec(
    `PRAGMA query_only = ON; PRAGMA busy_timeout = ${READING_WAIT_MS}; PRAGMA cache_size = -${READING_CACHE_KIB}; PRAGMA temp_store = MEMORY;`,
  )
  return new Database(connection)
}

/** Deletes it, with what SQLite keeps beside it. */
export function dropDatabase(dataDir: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(pathOf(dataDir) + ending, { force: true })
}

/** Flushes and closes: whatever happens to the machine now, the next start finds it whole. */
export function closeDatabase(database: Database, dataDir: string): void {
  const isWhole = database.checkpoint()
  database.close()
  const file = openSync(pathOf(dataDir), 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  if (isWhole) mark(dataDir, CLOSED)
}

function isTrusted({ dataDir, bootId }: Belonging): boolean {
  const path = join(dataDir, MARK_FILE)
  const found = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return found === CLOSED || found === `open ${bootId}`
}

/** `closed`, or the boot under which it is open. */
function mark(dataDir: string, state: string): void {
  writeFileDurably(join(dataDir, MARK_FILE), state === CLOSED ? CLOSED : `open ${state}`)
}

/** Whether an error says that the file holds no sound database. */
export function isDamage(error: unknown): boolean {
  const { code } = error instanceof Error ? (error as Error & { readonly code?: unknown }) : { code: null }
  return typeof code === 'string' && /^SQLITE_(?:CORRUPT|NOTADB)/.test(code)
}

function pathOf(dataDir: string): string {
  return join(dataDir, DATABASE_FILE)
}

function created(path: string, { deployment }: Belonging): Database {
  const connection = connect(path)
  connection.exec(TABLES)
  const database = new Database(connection)
  database.transaction(() => {
    const put = database.sql('INSERT INTO about VALUES (?, ?)')
    put.run('shape', String(SHAPE))
    put.run('deployment', deployment)
  })
  return database
}

function opened(path: string, { deployment }: Belonging): Database {
  const connection = connect(path)
  try {
    const database = new Database(connection)
    const about = new Map(database.query('SELECT name, value FROM about').all() as [string, string][])
    if (about.get('shape') !== String(SHAPE)) throw new Unusable('it was made by another version')
    if (about.get('deployment') !== deployment) throw new Unusable('it belongs to another deployment')
    return database
  } catch (error) {
    connection.close()
    throw error
  }
}

function connect(path: string): Libsql.Database {
  const connection = new Libsql(path)
  connection.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA temp_store = MEMORY;`)
  return connection
}
