/**
 * Streams of shards over JetStream: one stream a shard, one subject in it, kept for ever, by files.
 *
 * Appends are published with `Nats-Expected-Last-Sequence`, which every replica checks (ADR-22 of NATS); what ends a stream is asked of
 * its leader (`STREAM.INFO`, `STREAM.MSG.GET`), never by direct get, which a replica behind may answer.
 */
import {
  jetstreamManager,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  DiscardPolicy,
} from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/transport-node'
import { orEnd } from '../transport/nats/connection.ts'
import type { Appended, ShardStream, StreamMessage } from './stream.ts'

/** What JetStream says of a wrong `Nats-Expected-Last-Sequence`. */
const WRONG_LAST_SEQUENCE = 10_071
const MESSAGE_NOT_FOUND = 10_037
/** After so long an append counts as unknown. */
const ANSWER_MS = 2_000
/** An entry is a message up to this size (DESIGN: at most 512 KiB), less room for the head of the protocol. */
const MESSAGE_BYTES_MAX = 512 * 1024

export interface JetStreamOptions {
  readonly connection: NatsConnection
  /** A token that no other user of these subjects has. */
  readonly name: string
  readonly cluster: string
  /** Copies of each stream, on as many servers: 1 or 3. */
  readonly replicas: number
}

/** An append that nobody has answered yet. */
interface Waiting {
  /** That the message is to get. */
  readonly number: number
  readonly told: (appended: Appended) => void
}

interface Acknowledgement {
  readonly seq?: number
  readonly error?: { readonly err_code: number; readonly description: string }
}

export class JetStreams {
  private readonly options: JetStreamOptions
  private readonly manager: JetStreamManager
  private readonly waiting = new Map<string, Waiting>()
  private readonly inbox: string
  private appends = 0

  private constructor(options: JetStreamOptions, manager: JetStreamManager) {
    this.options = options
    this.manager = manager
    this.inbox = `tearoff.${options.cluster}.acks.${options.name}`
    options.connection.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error === null) {
          orEnd(() => this.hear(message.subject, message.data, message.headers?.code ?? 0))
        }
      },
    })
  }

  /** Throws where JetStream is not there or not allowed. */
  static async open(options: JetStreamOptions): Promise<JetStreams> {
    return new JetStreams(options, await jetstreamManager(options.connection))
  }

  /** The stream of a shard, made where there is none. */
  async ofShard(shard: number): Promise<ShardStream> {
    const { cluster } = this.options
    return await this.stream(`tearoff-${cluster}-log-${shard}`, `tearoff.${cluster}.log.${shard}`, shard)
  }

  /** The stream with the cluster's deployment, made where there is none. */
  async ofDeployment(): Promise<ShardStream> {
    const { cluster } = this.options
    return await this.stream(`tearoff-${cluster}-deployment`, `tearoff.${cluster}.deployment`, 0)
  }

  private async stream(name: string, subject: string, shard: number): Promise<ShardStream> {
    const { replicas } = this.options
    await this.manager.streams.add({
      name,
      subjects: [subject],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      num_replicas: replicas,
      deny_delete: true,
      deny_purge: true,
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
    })
    return {
      shard,
      messageBytesMax: MESSAGE_BYTES_MAX,
      append: (after, bytes, settled) => this.append(subject, after, bytes, settled),
      lastSeq: async () => (await this.manager.streams.info(name)).state.last_seq,
      read: (seq) => this.read(name, seq),
    }
  }

  private append(subject: string, after: number, bytes: Uint8Array, settled: (appended: Appended) => void): void {
    const token = String(++this.appends)
    const timer = setTimeout(() => this.settle(token, 'UNKNOWN'), ANSWER_MS)
    const told = (appended: Appended): void => {
      clearTimeout(timer)
      settled(appended)
    }
    this.waiting.set(token, { number: after + 1, told })
    const head = headers()
    head.set('Nats-Expected-Last-Sequence', String(after))
    this.options.connection.publish(subject, bytes, { headers: head, reply: `${this.inbox}.${token}` })
  }

  /** `status`: 503 where nobody keeps the stream now; then it is not stored, and asked for like what is unknown. */
  private hear(subject: string, data: Uint8Array, status: number): void {
    const token = subject.slice(this.inbox.length + 1)
    if (status !== 0 || data.length === 0) {
      this.settle(token, 'UNKNOWN')
      return
    }
    const { seq, error } = JSON.parse(Buffer.from(data).toString('utf8')) as Acknowledgement
    // A server that does not know the header stores it wherever the stream ends.
    if (error === undefined && seq !== undefined)
      this.settle(token, seq === this.expected(token) ? 'STORED' : 'REFUSED')
    else this.settle(token, error?.err_code === WRONG_LAST_SEQUENCE ? 'REFUSED' : 'UNKNOWN')
  }

  private expected(token: string): number | undefined {
    return this.waiting.get(token)?.number
  }

  private settle(token: string, appended: Appended): void {
    const waiting = this.waiting.get(token)
    this.waiting.delete(token)
    waiting?.told(appended)
  }

  private async read(name: string, seq: number): Promise<StreamMessage | null> {
    try {
      const message = await this.manager.streams.getMessage(name, { seq })
      return message === null ? null : { seq: message.seq, bytes: message.data }
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === MESSAGE_NOT_FOUND) return null
      throw error
    }
  }
}
