/**
 * The journal of durability `replicated`: a commit has settled when it is on this machine's disk and every entry of it is in the
 * stream of its shard. Both happen at the same time.
 *
 *     append ──┬──▶ journal ──▶ flushed ───┐
 *              └──▶ entry by entry, stream ─┴──▶ settled(null)
 *
 * An error of either is final, as a failed flush is: memory is ahead of what counts.
 */
import type { JournalError } from '../../persistence/errors.ts'
import type { Journal } from '../../persistence/journal.ts'
import { type EntryDraft, entriesOfRecord, type StoredEntry } from '../../persistence/record.ts'
import { assert } from '../../protocol/assert.ts'
import { entryMessages, type StreamEntry } from './entry-message.ts'
import type { StreamWriter } from './stream-writer.ts'

export class ReplicatedJournal implements Journal {
  private readonly inner: Journal
  private readonly onClosed: () => Promise<void>
  /** By shard. */
  readonly writers = new Map<number, StreamWriter>()
  /** Of the commit under way: the first sequence of each shard, which nobody may read yet. */
  private readonly unsettled = new Map<number, number>()
  private record: Uint8Array | null = null
  private failed: JournalError | null = null

  /**
   * `open` gets what the journal is to call with the bytes of each record, before its `append` returns. Before a shard's first
   * append its writer has to be in `writers`.
   */
  constructor(
    open: (onEncoded: (record: Uint8Array) => void) => Journal,
    onClosed: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.onClosed = onClosed
    this.inner = open((record) => {
      this.record = record
    })
  }

  get bytes(): number {
    return this.inner.bytes
  }

  append(entries: readonly EntryDraft[], settled: (error: JournalError | null) => void): void {
    if (this.failed !== null) {
      const error = this.failed
      process.nextTick(() => settled(error))
      return
    }
    let left = 1
    let isTold = false
    const one = (error: JournalError | null): void => {
      left--
      // The first error tells; what comes of the others changes nothing.
      if (isTold || (error === null && left > 0)) return
      isTold = true
      if (error === null) this.unsettled.clear()
      else if (error.code !== 'JOURNAL_CLOSED') this.failed = error
      settled(error)
    }
    this.record = null
    this.inner.append(entries, one)
    const { record } = this
    // It was not written: the journal says so itself.
    if (record === null) return
    for (const { shard, firstSeq } of entries) this.unsettled.set(shard, firstSeq)
    for (const { shard, bytes } of entriesOfRecord(record)) {
      const writer = this.writers.get(shard)
      if (writer === undefined) throw new Error(`shard ${shard} has no stream here`)
      left++
      writer.append(entryMessages(bytes, writer.messageBytesMax), one)
    }
  }

  /** Appends an entry that is in its stream already. Rejects where it does not get the hash that it has there. */
  async adopt(entry: StreamEntry): Promise<void> {
    const error = await new Promise<JournalError | null>((resolve) => this.inner.append([entry], resolve))
    if (error !== null) throw error
    const [own] = this.record === null ? [] : entriesOfRecord(this.record)
    assert(
      own !== undefined && Buffer.compare(own.bytes.subarray(0, entry.hash.length), entry.hash) === 0,
      `shard ${entry.shard}: the entry of sequence ${entry.firstSeq} has another hash here than in its stream`,
    )
  }

  entryOf(shard: number, seq: number): StoredEntry | null {
    const from = this.unsettled.get(shard)
    return from !== undefined && seq >= from ? null : this.inner.entryOf(shard, seq)
  }

  async roll(): Promise<void> {
    await this.inner.roll()
  }

  freeBytes(): number {
    return this.inner.freeBytes()
  }

  async close(): Promise<void> {
    await this.inner.close()
    await this.onClosed()
  }
}
