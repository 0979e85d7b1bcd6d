/**
 * An owner's part in a cluster: its shards are served over NATS too, beside its own gateway.
 *
 *     connected ──▶ listens for "who owns?" ──▶ asks ──▶ nobody else ──▶ serves
 *         ▲                                        └── somebody else ──▶ this process must end
 *         └── lost ──▶ serves nobody ──▶ connected again ──▶ asks once more, another may have begun meanwhile
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { NatsBus } from '../../engine/transport/nats/connection.ts'
import { askWhoOwns, introduce, type Meeting } from '../../engine/transport/nats/introduction.ts'
import { BusResponder } from '../../engine/transport/nats/responder.ts'
import { Subjects } from '../../engine/transport/nats/subjects.ts'
import type { ShardTransport } from '../../engine/transport/port.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import type { NatsSettings } from '../configuration.ts'

/** How long a stop waits for answers in flight, and how often it looks. */
const DRAIN_MS_MAX = 2_000
const DRAIN_LOOK_MS = 5

/** Another process owns the shards: two would each give away the last use. */
export class OwnedElsewhere extends Error {
  readonly code = 'OWNED_ELSEWHERE'
  override readonly name = 'OwnedElsewhere'
}

export interface OwnerOptions {
  readonly nats: NatsSettings
  /** Of this process among those of the cluster. */
  readonly name: string
  readonly deployment: Deployment
  readonly durability: 'flush' | 'relaxed'
  /** Reaches the shards in this process. */
  readonly transport: ShardTransport
  readonly logger: Logger
  /** Another owner was found after a lost connection: the process must end. */
  readonly onOwnedElsewhere: (error: OwnedElsewhere) => void
}

export class ClusterOwner {
  private readonly options: OwnerOptions
  private readonly bus: NatsBus
  private readonly meeting: Meeting
  private readonly responder: BusResponder
  private isStopping = false

  private constructor(options: OwnerOptions, bus: NatsBus, subjects: Subjects) {
    this.options = options
    this.bus = bus
    this.meeting = { bus, subjects, name: options.name }
    const onBadMessage = (error: Error): void =>
      options.logger.warn({ err: error }, 'a message of the cluster was not read')
    this.responder = new BusResponder({ bus, subjects, transport: options.transport, onBadMessage })
  }

  /** Settles when the shards are served. Throws NatsUnavailable, OwnedElsewhere. */
  static async join(options: OwnerOptions): Promise<ClusterOwner> {
    const { nats, name, logger } = options
    let owner: ClusterOwner | null = null
    const bus = await NatsBus.connect({
      url: nats.url,
      name: `tearoff owner ${name}`,
      onDisconnected: (server) => {
        logger.warn({ server }, 'the connection to NATS is lost; other processes do not reach these shards')
        owner?.leaveAll()
      },
      onReconnected: (server) => {
        logger.info({ server }, 'the connection to NATS is back')
        owner?.serveAgain()
      },
    })
    owner = new ClusterOwner(options, bus, new Subjects(nats.cluster))
    try {
      introduce(owner.meeting, options)
      await bus.flush()
      await owner.serve()
      return owner
    } catch (error) {
      await bus.close()
      throw error
    }
  }

  /** Takes no more calls from others; those that are here are still answered, until `close`. */
  leaveAll(): void {
    for (let shard = 0; shard < this.options.transport.shards; shard++) this.responder.leave(shard)
  }

  /** Answers what was taken, and goes. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.leaveAll()
    const untilMs = performance.now() + DRAIN_MS_MAX
    while (this.options.transport.inFlight > 0 && performance.now() < untilMs) await wait(DRAIN_LOOK_MS)
    // The answers of the last turn are gathered until its end.
    await wait(0)
    if (this.bus.isConnected) await this.bus.flush()
    await this.bus.close()
  }

  private async serve(): Promise<void> {
    const { nats, transport, logger } = this.options
    const other = await askWhoOwns(this.meeting)
    if (other !== null) {
      throw new OwnedElsewhere(
        `the shards of cluster ${nats.cluster} are owned by another process (${other.name}) already: end it first, or choose another TEAROFF_CLUSTER`,
      )
    }
    if (this.isStopping) return
    for (let shard = 0; shard < transport.shards; shard++) this.responder.serve(shard)
    await this.bus.flush()
    logger.info({ cluster: nats.cluster, shards: transport.shards }, 'shards are served over NATS')
  }

  private serveAgain(): void {
    this.serve().catch((error: unknown) => {
      if (error instanceof OwnedElsewhere) this.options.onOwnedElsewhere(error)
      // The connection is lost again: it is tried once more when it is back.
      else this.options.logger.warn({ err: error }, 'the shards are not served over NATS yet')
    })
  }
}
