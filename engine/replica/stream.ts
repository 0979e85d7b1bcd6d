/**
 * The stream of one shard as its owner sees it: messages numbered from 1, and an append that names the last one that it knows of.
 * Whoever is wrong about that is refused, so of two owners one at most goes on. JetStream implements it (jetstream.ts).
 */

export type Appended =
  /** It is in the stream, on as many servers as that has replicas. */
  | 'STORED'
  /** The stream has gone on without this owner. */
  | 'REFUSED'
  /** Nobody answered: it may be there, now or later. */
  | 'UNKNOWN'

export interface StreamMessage {
  readonly seq: number
  readonly bytes: Uint8Array
}

export interface ShardStream {
  readonly shard: number
  /** The largest message, bytes. */
  readonly messageBytesMax: number
  /** As message `after + 1`, if the stream ends at `after`. `settled` is called once, never before this returns. */
  append(after: number, bytes: Uint8Array, settled: (appended: Appended) => void): void
  /** Number of the last message, 0 when there is none, as the stream's leader says. Throws where nobody answers. */
  lastSeq(): Promise<number>
  /** Null: there is none of this number. Throws where nobody answers. */
  read(seq: number): Promise<StreamMessage | null>
}
