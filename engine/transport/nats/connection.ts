/** The bus over NATS (core, at most once). */
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import type { Bus, BusMessage, BusSubscription } from './bus.ts'

/** What the server says in place of an answer where nobody listens: a status as in HTTP. */
const NO_RESPONDERS = 503
/** Between two attempts to come back. */
const RECONNECT_MS = 250

/** NATS cannot be reached, or refuses: the message says which address and why. */
class NatsUnavailable extends Error {
  readonly code = 'NATS_UNAVAILABLE'
  override readonly name = 'NatsUnavailable'
}

export interface NatsOptions {
  /** `nats://host:port`, several parted by commas; a user and password, or a token, may stand before the first host. */
  readonly url: string
  /** As it shows in the server's lists of connections. */
  readonly name: string
  readonly onDisconnected: (server: string) => void
  readonly onReconnected: (server: string) => void
}

export class NatsBus implements Bus {
  isConnected = true
  /** For what is more than a bus: streams. */
  readonly connection: NatsConnection

  private constructor(connection: NatsConnection, options: NatsOptions) {
    this.connection = connection
    void this.watch(options)
  }

  /** Throws NatsUnavailable. */
  static async connect(options: NatsOptions): Promise<NatsBus> {
    const settings = connectionOptions(options)
    try {
      return new NatsBus(await connect(settings), options)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new NatsUnavailable(`NATS at ${String(settings.servers)} cannot be used: ${reason}`)
    }
  }

  get payloadBytesMax(): number {
    return this.connection.info?.max_payload ?? 0
  }

  publish(subject: string, payload: Uint8Array, replyTo?: string): void {
    this.connection.publish(subject, payload, replyTo === undefined ? undefined : { reply: replyTo })
  }

  subscribe(subject: string, heard: (message: BusMessage) => void): BusSubscription {
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return
        const isUndelivered = message.data.length === 0 && message.headers?.code === NO_RESPONDERS
        const replyTo = message.reply ?? ''
        orEnd(() => heard({ subject: message.subject, payload: message.data, replyTo, isUndelivered }))
      },
    })
    return { end: () => subscription.unsubscribe() }
  }

  /** Everything that was published has reached the server, and it knows of every subscription. */
  async flush(): Promise<void> {
    await this.connection.flush()
  }

  async close(): Promise<void> {
    await this.connection.close()
  }

  private async watch({ onDisconnected, onReconnected }: NatsOptions): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') {
        this.isConnected = false
        onDisconnected(status.server)
      } else if (status.type === 'reconnect') {
        this.isConnected = true
        onReconnected(status.server)
      }
    }
    this.isConnected = false
  }
}

/** Addresses without what is secret in them; that goes where the client wants it. */
function connectionOptions({ url, name }: NatsOptions): NodeConnectionOptions {
  const urls = url.split(',').map((each) => new URL(each.trim()))
  const [first] = urls
  const user = decodeURIComponent(first?.username ?? '')
  const pass = decodeURIComponent(first?.password ?? '')
  const credentials = pass !== '' ? { user, pass } : user !== '' ? { token: user } : {}
  return {
    servers: urls.map(({ host }) => host),
    name,
    // It comes back for as long as the process lives; until then calls are refused, not kept.
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    ...credentials,
    ...(urls.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
  }
}

/** The client prints what a callback throws and goes on; a broken invariant has to end the process. */
export function orEnd(heard: () => void): void {
  try {
    heard()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
