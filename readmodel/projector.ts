/**
 * The projector: the database of a data directory and the log behind it, a batch at a time. Whoever turns it decides when and
 * how fast: the thread beside a server (`projector-thread.ts`), or a rebuild that has the machine for itself (`rebuild.ts`).
 *
 *     log ── follower ──▶ batch ──▶ projection ──▶ database ◀── queries
 *
 * A database that does not fit the log is dropped and begun anew, here and nowhere else.
 */
import { createHash } from 'node:crypto'
import { LogDiffers } from './cursor.ts'
import { closeDatabase, type Database, dropDatabase, isDamage, openDatabase } from './database.ts'
import { BATCH_BYTES, RUNS_MAX } from './limits.ts'
import { Projection } from './projection.ts'
import { Queries } from './queries.ts'
import { type Deployment, readDeployment } from '../persistence/deployment.ts'
import { followLog, type LogFollower } from '../persistence/log-follower.ts'
import { currentProcess } from '../persistence/process-identity.ts'

interface Opened {
  readonly database: Database
  readonly projection: Projection
  readonly queries: Queries
  readonly follower: LogFollower
}

export class Projector {
  /** Events projected by this object. */
  events = 0
  /**
   * Everything is projected that was durable at this moment of the wall clock. While the log is being caught up with: the
   * logged time of the newest event that is projected.
   */
  asOfMs = 0
  private readonly dataDir: string
  private readonly deployment: Deployment
  private readonly rebuilding: (reason: string) => void
  private opened: Opened

  /** `rebuilding` is told when a database was dropped. Throws JournalError when the deployment cannot be read. */
  constructor(dataDir: string, rebuilding: (reason: string) => void) {
    this.dataDir = dataDir
    this.deployment = readDeployment(dataDir)
    this.rebuilding = rebuilding
    this.opened = this.open()
  }

  get queries(): Queries {
    return this.opened.queries
  }

  /** Projects one batch; whether it reached the end of the log, as far as that is durable. Throws JournalError. */
  step(nowMs: () => number): boolean {
    try {
      return this.batch(nowMs)
    } catch (error) {
      if (!(error instanceof LogDiffers) && !isDamage(error)) throw error
      this.rebuild(error instanceof Error ? error.message : String(error))
      return false
    }
  }

  /** Whether lists have become slow to look for. */
  get isUntidy(): boolean {
    return this.opened.projection.isUntidy
  }

  get isVeryUntidy(): boolean {
    return this.isUntidy && this.opened.projection.runs.readable.length > RUNS_MAX
  }

  tidy(): void {
    this.opened.projection.tidy()
  }

  close(): void {
    this.opened.follower.close()
    closeDatabase(this.opened.database, this.dataDir)
  }

  private batch(nowMs: () => number): boolean {
    const { projection, follower } = this.opened
    const beganMs = nowMs()
    let newestMs = 0
    let entries = 0
    let bytes = 0
    this.events += projection.project((onEntry) => {
      entries = follower.poll((entry) => {
        onEntry(entry)
        bytes += entry.end - entry.start
        newestMs = entry.timeMs
      }, BATCH_BYTES)
    })
    const isAtEnd = entries === 0 || bytes < BATCH_BYTES / 2
    if (entries === 0) projection.cursor.confirmAll()
    this.asOfMs = isAtEnd ? beganMs : newestMs
    return isAtEnd
  }

  private rebuild(reason: string): void {
    const { database, follower } = this.opened
    follower.close()
    database.close()
    dropDatabase(this.dataDir)
    this.opened = this.open()
    this.asOfMs = 0
    this.rebuilding(reason)
  }

  private open(): Opened {
    const { deployment, dataDir } = this
    const { database, dropped } = openDatabase({
      dataDir,
      deployment: createHash('sha256').update(deployment.secret).digest('hex'),
      bootId: currentProcess().bootId,
    })
    if (dropped !== null) this.rebuilding(dropped)
    const projection = new Projection(database)
    const queries = new Queries(database, projection.runs, projection.facts)
    const follower = followLog(dataDir, deployment, projection.cursor.beginsAfter())
    return { database, projection, queries, follower }
  }
}
