/** The journal of a lane with durability `replicated`: opened, and joined to the streams of its shards. */
import { randomUUID } from 'node:crypto'
import type { RecoveredLog } from '../../persistence/recovery.ts'
import { type JournalOptions, openJournal } from '../../persistence/journal.ts'
import type { ShardState } from '../domain/state.ts'
import { NatsBus } from '../transport/nats/connection.ts'
import type { LogEnd } from './catch-up.ts'
import { JetStreams } from './jetstream.ts'
import { type Joined, joinStream } from './replicate.ts'
import { ReplicatedJournal } from './replicated-journal.ts'

export interface ReplicaSettings {
  /** Servers of NATS, parted by commas. */
  readonly url: string
  readonly cluster: string
  /** Servers that keep each stream. */
  readonly replicas: number
}

export interface JoinedShard extends Joined {
  readonly shard: number
}

/** Settles when every shard owns its stream. Throws NatsUnavailable, JournalError. */
export async function openReplica(
  options: JournalOptions,
  { url, cluster, replicas }: ReplicaSettings,
  states: ReadonlyMap<number, ShardState>,
  onJoined: (joined: JoinedShard) => void,
): Promise<ReplicatedJournal> {
  const owner = randomUUID()
  const name = `tearoff lane ${options.lane} of ${owner}`
  const bus = await NatsBus.connect({ url, name, onDisconnected: () => {}, onReconnected: () => {} })
  const { connection } = bus
  const streams = await JetStreams.open({ connection, name: owner, cluster, replicas })
  const journal = new ReplicatedJournal(
    (onEncoded) => openJournal({ ...options, onEncoded }),
    () => bus.close(),
  )
  for (const [shard, state] of states) {
    const end = endOf(options.recovered, shard)
    const joined = await joinStream(journal, { stream: await streams.ofShard(shard), state, end }, owner)
    onJoined({ shard, ...joined })
  }
  return journal
}

function endOf({ heads }: RecoveredLog, shard: number): LogEnd {
  const head = heads.get(shard)
  return head === undefined ? { seq: 0, hash: Buffer.alloc(32) } : { seq: head.seq, hash: head.hash }
}
