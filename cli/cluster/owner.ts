/**
 * An owner's part in a cluster: its shards are served over NATS too, beside its own gateway.
 *
 *     asks who owns ──▶ nobody ──▶ replays, joins the streams ──▶ says that it owns ──▶ asks again ──▶ nobody ──▶ serves
 *                  └── somebody ──▶ this process must end                                     ▲   └── somebody ──▶ must end
 *                                                      lost ──▶ serves nobody ──▶ connected ──┘
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { JetStreams } from '../../engine/replica/jetstream.ts'
import { NatsBus } from '../../engine/transport/nats/connection.ts'
import { askWhoOwns, introduce, type Meeting } from '../../engine/transport/nats/introduction.ts'
import { BusResponder } from '../../engine/transport/nats/responder.ts'
import { Subjects } from '../../engine/transport/nats/subjects.ts'
import type { ShardTransport } from '../../engine/transport/port.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import type { Durability } from '../../protocol/durability.ts'
import type { NatsSettings } from '../configuration.ts'
import { sharedDeployment } from './shared-deployment.ts'

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
  readonly logger: Logger
  /** Another owner was found after a lost connection: the process must end. */
  readonly onOwnedElsewhere: (error: OwnedElsewhere) => void
}

export interface OwnedShards {
  readonly deployment: Deployment
  readonly durability: Durability
  /** Reaches the shards in this process. */
  readonly transport: ShardTransport
}

interface Owned {
  readonly shards: number
  readonly durability: Durability
  readonly transport: ShardTransport
  readonly responder: BusResponder
}

export class ClusterOwner {
  private readonly options: OwnerOptions
  private readonly bus: NatsBus
  private readonly meeting: Meeting
  private owned: Owned | null = null
  private isStopping = false
  /** How often it has left its shards: who has asked before that has to ask again. */
  private departures = 0

  private constructor(options: OwnerOptions, bus: NatsBus) {
    this.options = options
    this.bus = bus
    this.meeting = { bus, subjects: new Subjects(options.nats.cluster), name: options.name }
  }

  /** Before anything is owned: settles when nobody else does. Throws NatsUnavailable, OwnedElsewhere. */
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
    owner = new ClusterOwner(options, bus)
    try {
      await owner.makeSure()
      return owner
    } catch (error) {
      await bus.close()
      throw error
    }
  }

  /** The deployment of the cluster; with durability `replicated` only. See shared-deployment.ts. */
  async deployment(dataDir: string, openOwn: () => Deployment): Promise<Deployment> {
    const { cluster, replicas } = this.options.nats
    const { connection } = this.bus
    const streams = await JetStreams.open({ connection, name: this.options.name, cluster, replicas })
    return await sharedDeployment(await streams.ofDeployment(), dataDir, openOwn)
  }

  /** Says that it owns the shards, and settles when they are served. Throws OwnedElsewhere. */
  async serve({ deployment, durability, transport }: OwnedShards): Promise<void> {
    const { bus, meeting, options } = this
    const { logger } = options
    const onBadMessage = (error: Error): void => logger.warn({ err: error }, 'a message of the cluster was not read')
    const responder = new BusResponder({ bus, subjects: meeting.subjects, transport, onBadMessage })
    this.owned = { shards: deployment.shards, durability, transport, responder }
    introduce(meeting, { deployment, durability })
    await bus.flush()
    await this.takeCalls()
  }

  /** The process ends: no call is taken any more, whatever becomes of the connection. */
  leaveForGood(): void {
    this.isStopping = true
    this.leaveAll()
  }

  /** Takes no more calls from others; those that are here are still answered, until `stop`. */
  leaveAll(): void {
    this.departures++
    if (this.owned === null) return
    for (let shard = 0; shard < this.owned.shards; shard++) this.owned.responder.leave(shard)
  }

  /** Answers what was taken, and goes. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.leaveAll()
    const untilMs = performance.now() + DRAIN_MS_MAX
    while ((this.owned?.transport.inFlight ?? 0) > 0 && performance.now() < untilMs) await wait(DRAIN_LOOK_MS)
    // The answers of the last turn are gathered until its end.
    await wait(0)
    if (this.bus.isConnected) await this.bus.flush()
    await this.bus.close()
  }

  private async makeSure(): Promise<void> {
    const other = await askWhoOwns(this.meeting)
    if (other === null) return
    throw new OwnedElsewhere(
      `the shards of cluster ${this.options.nats.cluster} are owned by another process (${other.name}) already: end it first, or choose another TEAROFF_CLUSTER`,
    )
  }

  private async takeCalls(): Promise<void> {
    const { owned, options, departures } = this
    if (owned === null) return
    // Where every commit goes through the streams of the shards, the claim there has settled who owns them.
    if (owned.durability !== 'replicated') await this.makeSure()
    if (this.isStopping || this.departures !== departures || !this.bus.isConnected) return
    for (let shard = 0; shard < owned.shards; shard++) owned.responder.serve(shard)
    await this.bus.flush()
    options.logger.info({ cluster: options.nats.cluster, shards: owned.shards }, 'shards are served over NATS')
  }

  private serveAgain(): void {
    this.takeCalls().catch((error: unknown) => {
      if (error instanceof OwnedElsewhere) this.options.onOwnedElsewhere(error)
      // The connection is lost again: it is tried once more when it is back.
      else this.options.logger.warn({ err: error }, 'the shards are not served over NATS yet')
    })
  }
}
