/** A stream in memory, as JetStream is while it is well; it loses appends and answers when it is told to. */
import type { Appended, ShardStream, StreamMessage } from '../../engine/replica/stream.ts'

export type StreamFault =
  /** The append never arrives. */
  | 'LOST'
  /** It is stored, and nobody hears so. */
  | 'UNHEARD'
  /** Nobody hears of it, and it is stored later, in the moment of the next append. */
  | 'LATE'

export class MemoryStream implements ShardStream {
  readonly shard: number
  readonly messageBytesMax: number
  readonly messages: Uint8Array[] = []
  /** What becomes of the next appends. */
  readonly faults: StreamFault[] = []
  private late: (() => void) | null = null

  constructor(shard: number, messageBytesMax = 1_000_000) {
    this.shard = shard
    this.messageBytesMax = messageBytesMax
  }

  append(after: number, bytes: Uint8Array, settled: (appended: Appended) => void): void {
    this.late?.()
    this.late = null
    const own = bytes.slice()
    const store = (): boolean => {
      if (this.messages.length !== after) return false
      this.messages.push(own)
      return true
    }
    const fault = this.faults.shift()
    if (fault === undefined) {
      const appended = store() ? 'STORED' : 'REFUSED'
      setImmediate(() => settled(appended))
      return
    }
    if (fault === 'UNHEARD') store()
    if (fault === 'LATE') this.late = () => void store()
    setImmediate(() => settled('UNKNOWN'))
  }

  lastSeq(): Promise<number> {
    return Promise.resolve(this.messages.length)
  }

  read(seq: number): Promise<StreamMessage | null> {
    const bytes = this.messages[seq - 1]
    return Promise.resolve(bytes === undefined ? null : { seq, bytes })
  }
}
