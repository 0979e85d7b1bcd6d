/**
 * `tearoff gateway`: HTTP and WebSocket without shards; calls go over NATS to whoever owns them. As many as there are machines
 * for may run beside one owner.
 *
 *     start   configuration → NATS → who owns? (until somebody answers) → gateway listens, ready
 *     stop    not ready → answers in flight → NATS → exit 0
 *
 * Lists, search, events and imports are the owner's: they answer 503 here.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { Router } from '../../engine/routing.ts'
import { BusCaller } from '../../engine/transport/nats/caller.ts'
import { NatsBus } from '../../engine/transport/nats/connection.ts'
import { askWhoOwns, type Introduction } from '../../engine/transport/nats/introduction.ts'
import { Subjects } from '../../engine/transport/nats/subjects.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { KeyAuthenticator } from '../../gateway/access/keys.ts'
import type { EngineHealth } from '../../gateway/operator/health.ts'
import type { Durability } from '../../protocol/durability.ts'
import { createLogger } from '../../gateway/operator/log.ts'
import { type Gateway, startGateway } from '../../gateway/server.ts'
import {
  type Configuration,
  configuration,
  type NatsSettings,
  type SettingName,
  type Settings,
} from '../configuration.ts'
import { EXIT, reportFailure } from '../ending.ts'
import { attachSessions } from '../sessions.ts'

/** How long an answer of a shard is waited for; what comes later was told as unknown. */
const DEADLINE_MS = 5_000

/** What a gateway without shards can be told. */
export const GATEWAY_SETTINGS: readonly SettingName[] = [
  'HOST',
  'PORT',
  'DATA_DIR',
  'NATS_URL',
  'CLUSTER',
  'AUTH',
  'RATE_LIMITS',
  'UNIFORM_REFUSALS',
  'LOG_LEVEL',
]

/** Settles when calls are taken. Throws what stopped the start. */
export async function runGateway(settings: Settings): Promise<void> {
  const chosen = configuration(settings)
  if (chosen.nats === null)
    throw new MissingNats('a gateway without shards needs TEAROFF_NATS_URL, to reach those who own them')
  const process = new GatewayProcess(chosen, chosen.nats)
  await process.start()
}

class MissingNats extends Error {
  readonly code = 'BAD_CONFIGURATION'
  override readonly name = 'MissingNats'
}

class GatewayProcess {
  private readonly configuration: Configuration
  private readonly nats: NatsSettings
  private readonly logger: Logger
  private readonly name = randomUUID()
  private bus: NatsBus | null = null
  private caller: BusCaller | null = null
  private gateway: Gateway | null = null
  private isStopping = false

  constructor(chosen: Configuration, nats: NatsSettings) {
    this.configuration = chosen
    this.nats = nats
    this.logger = createLogger(chosen.logLevel)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.signalled(signal))
    const fail = (error: unknown): never => process.exit(reportFailure(error, chosen.logLevel))
    process.on('uncaughtException', fail)
    process.on('unhandledRejection', fail)
  }

  async start(): Promise<void> {
    const { logger, nats } = this
    const bus = await NatsBus.connect({
      url: nats.url,
      name: `tearoff gateway ${this.name}`,
      onDisconnected: (server) =>
        logger.warn({ server }, 'the connection to NATS is lost; calls are refused until it is back'),
      onReconnected: (server) => logger.info({ server }, 'the connection to NATS is back'),
    })
    this.bus = bus
    const subjects = new Subjects(nats.cluster)
    const owner = await this.untilOwned(bus, subjects)
    if (owner === null) return
    this.caller = new BusCaller({
      bus,
      subjects,
      shards: owner.deployment.shards,
      name: this.name,
      deadlineMs: DEADLINE_MS,
      nowMs: () => performance.now(),
      onBadMessage: (error) => logger.warn({ err: error }, 'a message of the cluster was not read'),
    })
    this.gateway = await this.listen(bus, this.caller, owner)
    const url = `http://${this.configuration.host}:${this.gateway.port}`
    logger.info({ url, cluster: nats.cluster, shards: owner.deployment.shards }, `listening on ${url}`)
    logger.info('ready')
  }

  /** Null: it is stopping. */
  private async untilOwned(bus: NatsBus, subjects: Subjects): Promise<Introduction | null> {
    for (let isTold = false; !this.isStopping; ) {
      const owner = await askWhoOwns({ bus, subjects, name: this.name })
      if (owner !== null) return owner
      if (!isTold) this.logger.info({ cluster: this.nats.cluster }, 'waiting for a process that owns the shards')
      isTold = true
    }
    return null
  }

  private async listen(bus: NatsBus, caller: BusCaller, { deployment, durability }: Introduction): Promise<Gateway> {
    const { host, port, auth, dataDir, rateLimits, uniformRefusals } = this.configuration
    const { logger } = this
    const unreadable = (error: unknown): void =>
      logger.error({ err: error }, 'the keys cannot be read; the ones read before stay')
    const nowMs = (): number => performance.now()
    return await startGateway({
      host,
      port,
      transport: caller,
      router: new Router(deployment.shards, deployment.secret),
      authenticator: auth ? new KeyAuthenticator(dataDir, nowMs, unreadable) : null,
      logger,
      health: healthOf(bus, durability),
      nowMs,
      random: randomBytes,
      attachSessions: attachSessions(logger),
      rateLimits,
      uniformRefusals,
    })
  }

  private signalled(signal: NodeJS.Signals): void {
    if (this.isStopping) process.exit(EXIT.FAILED)
    this.isStopping = true
    this.logger.info({ signal }, 'stopping')
    this.stop().then(
      () => process.exit(EXIT.OK),
      (error: unknown) => process.exit(reportFailure(error, this.configuration.logLevel)),
    )
  }

  private async stop(): Promise<void> {
    await this.gateway?.close()
    this.caller?.close(SETTLED.UNKNOWN)
    await this.bus?.close()
    this.logger.info('stopped')
  }
}

/** A gateway without shards has nothing to replay, to snapshot or to reconcile. */
function healthOf(bus: NatsBus, durability: Durability): EngineHealth {
  return {
    ready: () => bus.isConnected,
    progress: () => ({ events: 0, eventsTotal: 0, elapsedMs: 0 }),
    durability,
    snapshots: () => ({ madeAtMs: null, eventsBehind: 0, archiveBytes: null }),
    reconciliation: () => ({
      endedAtMs: null,
      countersCompared: 0,
      roundsForAll: null,
      differences: 0,
      lastDifferenceAtMs: null,
    }),
    failed: () => null,
  }
}
