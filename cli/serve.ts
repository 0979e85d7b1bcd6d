/**
 * `tearoff serve`: the composition root. Everything is put together here and nowhere else, and taken apart in this order:
 *
 *     start   configuration → lock → NATS → deployment → workers (replay, streams) → gateway listens → ready → read model
 *     stop    not ready → answers in flight → read model → journals flushed and closed → lock → exit 0
 *     fail    every call gets STORAGE_UNAVAILABLE for a moment → last line → exit 1
 *
 * The gateway listens while the log is replayed, so that /livez and /readyz can say how far it is. What must never happen
 * here: to go on after a failure of the engine, whose memory may be ahead of the disk.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Router } from '../engine/routing.ts'
import { Engine, type EngineFailure, FAILURE_GRACE_MS } from '../engine/supervisor.ts'
import type { EngineHealth } from '../gateway/operator/health.ts'
import { KeyAuthenticator, listKeys } from '../gateway/access/keys.ts'
import { createLogger } from '../gateway/operator/log.ts'
import { type Gateway, startGateway } from '../gateway/server.ts'
import { type Deployment, DEPLOYMENT_FILE, openOrCreateDeployment, readDeployment } from '../persistence/deployment.ts'
import { type DirectoryLock, lockDirectory } from '../persistence/directory-lock.ts'
import { JournalError } from '../persistence/errors.ts'
import { ImportHost } from '../imports/host.ts'
import { WatcherHost } from '../lifecycle/watcher-host.ts'
import { ReadModelHost } from '../readmodel/host.ts'
import { ClusterOwner } from './cluster/owner.ts'
import { type Configuration, configuration, type Settings } from './configuration.ts'
import { tellDifference } from './counter-difference.ts'
import { EXIT, type ExitCode, reportFailure } from './ending.ts'
import { attachSessions } from './sessions.ts'
import { watcherEvents } from './watcher-log.ts'

/** How long calls are answered STORAGE_UNAVAILABLE after a failure; the rest of the grace is for getting out. */
const FAILURE_ANSWERS_MS = FAILURE_GRACE_MS - 500

/** How long a start waits for the process that holds the directory, and how often it looks. */
const LOCK_WAIT_MS_MAX = 1_500
const LOCK_RETRY_MS = 100

/** A stop that takes longer has failed; whoever sent SIGTERM was promised an end within 10 s. */
const STOP_MS_MAX = 9_500

/** How long an end waits for threads that are within a call; longer than any turn of theirs on a machine that is not overrun. */
const END_WAIT_MS_MAX = 400

/** How often a long replay is reported in the log. */
const REPLAY_REPORT_MS = 2_000

/** Returns when the server is ready. Throws what stopped the start; later failures end the process. */
export async function serve(settings: Settings): Promise<void> {
  const chosen = configuration(settings)
  const lock = await lockWhenFree(chosen.dataDir)
  const server = new Server(chosen, lock)
  try {
    await server.start(() => deploymentFor(chosen, settings.SHARDS !== undefined))
  } catch (error) {
    server.end(reportFailure(error, chosen.logLevel))
  }
}

/** A process that was just killed may take a moment to be gone; one that lives keeps its directory. */
async function lockWhenFree(dataDir: string): Promise<DirectoryLock> {
  const untilMs = performance.now() + LOCK_WAIT_MS_MAX
  for (;;) {
    try {
      return lockDirectory(dataDir)
    } catch (error) {
      const isInUse = error instanceof JournalError && error.code === 'DIRECTORY_IN_USE'
      if (!isInUse || performance.now() >= untilMs) throw error
      await wait(LOCK_RETRY_MS)
    }
  }
}

/** The deployment of the data directory; made when there is none. Only a number of shards asked for has to agree. */
function deploymentFor({ dataDir, shards }: Configuration, isAskedFor: boolean): Deployment {
  if (!isAskedFor && existsSync(join(dataDir, DEPLOYMENT_FILE))) return readDeployment(dataDir)
  return openOrCreateDeployment(dataDir, { shards }, Date.now, randomBytes)
}

class Server {
  private readonly configuration: Configuration
  private readonly lock: DirectoryLock
  private readonly logger: Logger
  private engine: Engine | null = null
  private gateway: Gateway | null = null
  private readonly readModel: ReadModelHost
  private readonly watcher: WatcherHost
  private imports: ImportHost | null = null
  private cluster: ClusterOwner | null = null
  private isServing = false
  private isStopping = false

  constructor(chosen: Configuration, lock: DirectoryLock) {
    this.configuration = chosen
    this.lock = lock
    this.logger = createLogger(chosen.logLevel)
    this.readModel = new ReadModelHost(chosen.dataDir, {
      onRebuilding: (reason) => this.logger.warn({ reason }, 'the read model is built anew from the log'),
      onDied: (error, restartMs) =>
        this.logger.error(
          { err: error, restartMs },
          'the read model died and is started again; lists are refused meanwhile',
        ),
      onSearchable: (entries, tookMs) => this.logger.info({ entries, tookMs: Math.round(tookMs) }, 'searchable'),
    })
    this.watcher = new WatcherHost(chosen.dataDir, watcherEvents(this.logger))
    process.on('SIGTERM', () => this.signalled('SIGTERM'))
    process.on('SIGINT', () => this.signalled('SIGINT'))
    process.on('uncaughtException', (error) => this.end(reportFailure(error, chosen.logLevel)))
    process.on('unhandledRejection', (error) => this.end(reportFailure(error, chosen.logLevel)))
  }

  async start(openDeployment: () => Deployment): Promise<void> {
    const { dataDir, host, durability, workers, nats } = this.configuration
    const cluster = await this.joinCluster()
    this.cluster = cluster
    const isReplicated = durability === 'replicated'
    const deployment =
      isReplicated && cluster !== null ? await cluster.deployment(dataDir, openDeployment) : openDeployment()
    this.engine = new Engine(
      { ...this.configuration, shards: deployment.shards, replica: isReplicated ? nats : null },
      {
        onFailed: (failure) => this.failed(failure),
        onClockDiffered: (lane, gapMs) => this.logger.warn({ lane, gapMs }, 'the clock of this machine jumped'),
        onSnapshots: ({ shards, events, bytes, archived }, elapsedMs) => {
          this.logger.info({ shards, events, bytes, segmentsArchived: archived.segments, elapsedMs }, 'snapshots made')
        },
        onCounterDifference: (difference) => tellDifference(difference, this.watcher, this.logger),
        onWarning: (sentence) => this.logger.warn(sentence),
      },
    )
    this.imports = this.importsOf(this.engine, deployment)
    this.gateway = await this.listen(this.engine, deployment, this.imports)
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${this.gateway.port}`
    const shown = { url, dataDir: resolve(dataDir), shards: deployment.shards, workers, durability }
    this.logger.info(shown, `listening on ${url}`)
    if (durability === 'relaxed') {
      this.logger.warn('durability is relaxed: what was answered in the last 50 ms before a crash can be lost')
    }
    await this.untilReady(this.engine)
    await cluster?.serve({ deployment, durability, transport: this.engine.transport })
    this.isServing = true
    this.readModel.start()
    this.watcher.start()
    await this.imports.start()
  }

  /** Null: there is no cluster. Throws where NATS cannot be reached, or another process owns the shards. */
  private async joinCluster(): Promise<ClusterOwner | null> {
    const { nats, logLevel } = this.configuration
    if (nats === null) return null
    return await ClusterOwner.join({
      nats,
      name: randomUUID(),
      logger: this.logger,
      onOwnedElsewhere: (error) => this.end(reportFailure(error, logLevel)),
    })
  }

  private importsOf(engine: Engine, { secret }: Deployment): ImportHost {
    return new ImportHost({
      dataDir: this.configuration.dataDir,
      transport: engine.transport,
      secret,
      events: {
        onEnded: (job) => this.logger.info(job, 'an import has ended'),
        onDied: (error) => this.logger.error({ err: error }, 'an import failed inside the server'),
      },
    })
  }

  /** Ends the process, as soon as no thread is within a call of its database. */
  end(code: ExitCode): never {
    const untilMs = performance.now() + END_WAIT_MS_MAX
    this.readModel.freeze(untilMs)
    this.watcher.freeze(untilMs)
    this.lock.release()
    process.exit(code)
  }

  private async listen(engine: Engine, deployment: Deployment, imports: ImportHost): Promise<Gateway> {
    const { host, port, durability } = this.configuration
    const health: EngineHealth = {
      ready: () => engine.isReady,
      progress: () => {
        const { events, elapsedMs } = engine.progress()
        return { events, eventsTotal: engine.isReady ? events : null, elapsedMs }
      },
      durability,
      snapshots: () => engine.snapshotStatus,
      reconciliation: () => engine.reconcileStatus,
      failed: () => (engine.failed === null ? null : publicReason(engine.failed)),
    }
    return await startGateway({
      host,
      port,
      transport: engine.transport,
      router: new Router(deployment.shards, deployment.secret),
      authenticator: this.authenticator(),
      logger: this.logger,
      health,
      nowMs: () => performance.now(),
      random: randomBytes,
      attachSessions: attachSessions(this.logger),
      readModel: this.readModel,
      search: this.readModel,
      events: this.watcher,
      imports,
      rateLimits: this.configuration.rateLimits,
      uniformRefusals: this.configuration.uniformRefusals,
    })
  }

  private authenticator(): KeyAuthenticator | null {
    const { auth, dataDir } = this.configuration
    if (!auth) return null
    if (listKeys(dataDir).every(({ revokedAt }) => revokedAt !== null)) {
      this.logger.warn(
        `there are no API keys, so every call is refused; make one with: tearoff keys create --role operations --name admin --data-dir ${resolve(dataDir)}`,
      )
    }
    const unreadable = (error: unknown): void =>
      this.logger.error({ err: error }, 'the keys cannot be read; the ones read before stay')
    return new KeyAuthenticator(dataDir, () => performance.now(), unreadable)
  }

  private async untilReady(engine: Engine): Promise<void> {
    const report = setInterval(() => {
      const { events, readBytes, totalBytes } = engine.progress()
      this.logger.info({ events, readBytes, totalBytes }, 'replaying the log')
    }, REPLAY_REPORT_MS)
    await engine.started
    clearInterval(report)
    const { events, elapsedMs } = engine.progress()
    this.logger.info({ events, elapsedMs }, 'ready')
  }

  private signalled(signal: NodeJS.Signals): void {
    if (this.isStopping) {
      process.stderr.write(`tearoff: ended at once by a second ${signal}; the next start replays the log\n`)
      this.end(EXIT.FAILED)
    }
    this.isStopping = true
    this.logger.info({ signal }, 'stopping')
    setTimeout(() => {
      process.stderr.write(`tearoff: not stopped after ${STOP_MS_MAX} ms, so ended; the next start replays the log\n`)
      this.end(EXIT.FAILED)
    }, STOP_MS_MAX).unref()
    this.stop().catch((error: unknown) => this.end(reportFailure(error, this.configuration.logLevel)))
  }

  private async stop(): Promise<void> {
    this.imports?.stop()
    this.cluster?.leaveAll()
    await this.gateway?.close()
    await this.cluster?.stop()
    const othersClosed = Promise.all([this.readModel.stop(), this.watcher.stop()])
    // A worker that still replays hears nothing and has written nothing that the next start could not write again.
    if (this.isServing) await this.engine?.stop()
    await othersClosed
    this.logger.info('stopped')
    this.end(EXIT.OK)
  }

  private failed({ storage, message }: EngineFailure): void {
    const endNow = (): never => {
      // LMDB writes to standard error too, and does not end its lines.
      if (storage) process.stderr.write('\n')
      return this.end(reportFailure(new Error(message), this.configuration.logLevel))
    }
    this.logger.fatal({ storage }, message)
    if (!this.isServing) endNow()
    // Another owner may be answering already: nobody is to hear of this one's refusals in its place.
    this.cluster?.leaveForGood()
    // While calls are still answered, so that nothing has to be waited for at the end.
    void this.readModel.stop()
    void this.watcher.stop()
    setTimeout(endNow, FAILURE_ANSWERS_MS)
  }
}

/** What callers may know of a failure: no paths, no names of files. */
function publicReason({ storage }: EngineFailure): string {
  return storage ? 'the log could not be written; the server is ending' : 'a part of the server failed; it is ending'
}
