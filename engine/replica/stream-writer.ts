/**
 * Appends to the stream of one shard for its owner, and finds out what became of an append that nobody answered.
 *
 *     append at n ──▶ stored ─────────────────────────────▶ next at n + 1
 *                 └─▶ refused, or unknown: the stream is looked at
 *                       it ends at n ─────────────────────▶ once more at n: one of the two can be stored, not both
 *                       ends behind, with ours ───────────▶ stored
 *                       ends behind, with another's ──────▶ somebody else owns the shard: this writer is done for
 */
import { JournalError } from '../../persistence/errors.ts'
import { assert } from '../../protocol/assert.ts'
import type { ShardStream } from './stream.ts'

/** Between two looks at a stream that does not answer. */
const LOOK_AGAIN_MS = 200

export class StreamWriter {
  readonly shard: number
  private readonly stream: ShardStream
  private last: number
  private readonly patienceMs: number
  private isBusy = false

  /** `last`: number of the last message. Undecided appends are looked after for so long. */
  constructor(stream: ShardStream, last: number, patienceMs: number) {
    this.shard = stream.shard
    this.stream = stream
    this.last = last
    this.patienceMs = patienceMs
  }

  get messageBytesMax(): number {
    return this.stream.messageBytesMax
  }

  /**
   * Appends these in order, one append at a time. Calls back once, never before it returns: null when all are stored, otherwise
   * why not; after an error nothing may be appended any more.
   */
  append(messages: readonly Uint8Array[], settled: (error: JournalError | null) => void): void {
    assert(!this.isBusy, `shard ${this.shard}: an append to its stream is under way`)
    this.isBusy = true
    const untilMs = performance.now() + this.patienceMs
    const goOn = (index: number): void => {
      const message = messages[index]
      if (message === undefined) {
        this.isBusy = false
        settled(null)
        return
      }
      this.stream.append(this.last, message, (appended) => {
        if (appended === 'STORED') {
          this.last++
          goOn(index + 1)
          return
        }
        // Refused may be because of our own: the first of two that came late, or one of this machine's last life.
        this.decide(message, untilMs).then(
          (isStored) => {
            if (isStored) this.last++
            goOn(isStored ? index + 1 : index)
          },
          (error: JournalError) => settled(error),
        )
      })
    }
    goOn(0)
  }

  /** Whether an append that nobody answered is in the stream; false: it is not yet, and may be made again. Throws JournalError. */
  private async decide(message: Uint8Array, untilMs: number): Promise<boolean> {
    const { stream, last } = this
    for (;;) {
      if (performance.now() > untilMs) {
        throw new JournalError(
          'FLUSH_FAILED',
          `shard ${this.shard}: its stream has not answered for ${this.patienceMs} ms, so what became of a commit is unknown: look after NATS, then start again`,
        )
      }
      try {
        const end = await stream.lastSeq()
        if (end === last) return false
        const there = await stream.read(last + 1)
        if (there === null) throw new Error('the stream ends behind a message that is not there yet')
        if (Buffer.compare(there.bytes, message) === 0) return true
        throw this.fenced()
      } catch (error) {
        if (error instanceof JournalError) throw error
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
      }
    }
  }

  private fenced(): JournalError {
    return new JournalError(
      'FENCED',
      `shard ${this.shard}: another process owns it now, so this one steps down; what it had not confirmed is not in the cluster's log`,
    )
  }
}
