/**
 * A journal in memory whose flushes end when the test says so, and the disk below it, which a crash leaves. It keeps the
 * promises of a journal (test/conformance/journal-suite.ts).
 */
import type { StoredBytes, StoredEntries } from '../../../engine/shard/history.ts'
import type { EntryToAppend, GroupLog } from '../../../engine/shard/lane.ts'
import { assert } from '../../../protocol/assert.ts'

const PLENTY_BYTES = 2 ** 40

export interface Stored extends StoredBytes {
  readonly shard: number
}

/** What survives a crash. Journals of several lanes may share one. */
export class MemoryDisk implements StoredEntries {
  readonly stored: Stored[] = []
  private readonly nextSeq = new Map<number, number>()

  entryOf(shard: number, seq: number): StoredBytes | null {
    const isHere = (one: Stored) => one.shard === shard && seq >= one.firstSeq && seq < one.firstSeq + one.eventCount
    return this.stored.find(isHere) ?? null
  }

  follows({ shard, firstSeq }: EntryToAppend): boolean {
    return firstSeq === (this.nextSeq.get(shard) ?? 1)
  }

  store(entries: readonly Stored[]): void {
    this.stored.push(...entries)
    for (const { shard, firstSeq, eventCount } of entries) this.nextSeq.set(shard, firstSeq + eventCount)
  }
}

export class HeldJournal implements GroupLog, StoredEntries {
  readonly disk: MemoryDisk
  free = PLENTY_BYTES
  flushes = 0
  /** The flush under way, or null. */
  waiting: { readonly entries: readonly Stored[]; readonly settled: (error: Error | null) => void } | null = null
  private failure: Error | null = null

  constructor(disk = new MemoryDisk()) {
    this.disk = disk
  }

  append(entries: readonly EntryToAppend[], settled: (error: Error | null) => void): void {
    assert(this.waiting === null, 'a flush began while another was under way')
    const { failure } = this
    if (failure !== null) {
      setImmediate(() => settled(new Error('the journal failed before and takes nothing more', { cause: failure })))
      return
    }
    for (const entry of entries)
      assert(this.disk.follows(entry), `shard ${entry.shard} does not go on from its last entry`)
    this.flushes++
    const copies = entries.map(({ shard, firstSeq, eventCount, timeMs, events, length }) => {
      return { shard, firstSeq, eventCount, timeMs, events: events.slice(0, length), start: 0, end: length }
    })
    this.waiting = { entries: copies, settled }
  }

  freeBytes(): number {
    return this.free
  }

  entryOf(shard: number, seq: number): StoredBytes | null {
    return this.disk.entryOf(shard, seq)
  }

  /** Ends the flush under way. */
  settle(error: Error | null = null): void {
    const { waiting } = this
    assert(waiting !== null, 'no flush is under way')
    this.waiting = null
    if (error === null) this.disk.store(waiting.entries)
    else this.failure = error
    waiting.settled(error)
  }

  /** Ends flush after flush until none is under way. */
  settleAll(): void {
    while (this.waiting !== null) this.settle()
  }

  /** On disk, and nobody hears of it any more. */
  settleUnheard(): void {
    if (this.waiting !== null) this.disk.store(this.waiting.entries)
    this.waiting = null
  }
}
