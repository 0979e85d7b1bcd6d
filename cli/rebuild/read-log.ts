/**
 * Reads the whole log of a data directory, of a stopped server or beside a running one, and looks entries up again.
 *
 * Of a stopped server everything is read as a start would read it. Beside a running one the follower is asked, which hands
 * out what is durable and nothing else, until it has caught up or has come to where the caller wants to be.
 */
import { statSync } from 'node:fs'
import type { History } from '../../engine/domain/state.ts'
import { Entry } from '../../engine/shard/entry.ts'
import { EntryHistory } from '../../engine/shard/history.ts'
import { EntryIndex } from '../../persistence/entry-index.ts'
import { EntryLookup } from '../../persistence/entry-lookup.ts'
import { JournalError } from '../../persistence/errors.ts'
import { followLog } from '../../persistence/log-follower.ts'
import type { EntryPosition, StoredEntry } from '../../persistence/record.ts'
import { replayLog, type ReplayProgress } from '../../persistence/recovery.ts'
import { listSegments } from '../../persistence/segment-files.ts'
import type { DataDirectory } from './data-directory.ts'
import { Divergence } from './divergence.ts'
import type { SnapshotsInUse } from './snapshots-in-use.ts'

/** `doneShare` of 1 is read; so many events were handed out. */
export type LogProgress = (doneShare: number, events: number) => void

export interface LogRead {
  /** Last sequence by shard; shards without events are not in it. */
  readonly lastSeqs: ReadonlyMap<number, number>
  readonly segments: number
  readonly entries: number
  readonly events: number
}

export interface LogReading {
  readonly onEntry: (entry: StoredEntry) => void
  readonly onProgress?: LogProgress | undefined
  /** Of a stopped server: those of these shards alone, behind what the snapshots hold. */
  readonly behind?: SnapshotsInUse | null | undefined
  /** Beside a running server: read at least up to these, by shard. They are known to be durable. */
  readonly atLeast?: ReadonlyMap<number, number> | undefined
}

const POLL_BYTES = 8 * 1024 * 1024
/** A follower may be behind by a commit for a moment; what was answered is on disk. */
const WAIT_MS_MAX = 5_000
const WAIT_STEP_MS = 20
const LOOKUPS_MAX = 16

/** Hands out each shard's entries in order. Throws JournalError at the first damage. */
export function readLog(directory: DataDirectory, reading: LogReading): LogRead {
  return directory.runningPid === null ? readStopped(directory, reading) : readBesideServer(directory, reading)
}

function readStopped({ path, deployment }: DataDirectory, { onEntry, onProgress, behind }: LogReading): LogRead {
  const shards = behind?.shards ?? new Set(Array.from({ length: deployment.shards }, (_, shard) => shard))
  const progress = ({ bytes, bytesTotal, events }: ReplayProgress): void =>
    onProgress?.(bytesTotal === 0 ? 1 : bytes / bytesTotal, events)
  const options = behind === undefined || behind === null ? {} : { after: behind.heads }
  const log = replayLog(path, deployment, shards, onEntry, progress, options)
  const lastSeqs = new Map([...log.heads].map(([shard, { seq }]) => [shard, seq]))
  return { lastSeqs, segments: log.segments.length, entries: log.entries, events: log.events }
}

function readBesideServer({ path, deployment }: DataDirectory, reading: LogReading): LogRead {
  const { onEntry, onProgress, atLeast = new Map<number, number>() } = reading
  const follower = followLog(path, deployment, new Map())
  const lastSeqs = new Map<number, number>()
  const waiting = new Map(atLeast)
  const bytesTotal = Math.max(1, bytesOfSegments(path))
  let entries = 0
  let events = 0
  let bytes = 0
  let untilMs = performance.now() + WAIT_MS_MAX
  try {
    for (;;) {
      const before = bytes
      const count = follower.poll((entry) => {
        const { shard, firstSeq, eventCount } = entry
        lastSeqs.set(shard, firstSeq + eventCount - 1)
        if (firstSeq + eventCount > (waiting.get(shard) ?? Number.POSITIVE_INFINITY)) waiting.delete(shard)
        entries++
        events += eventCount
        bytes += entry.end - entry.start
        onEntry(entry)
      }, POLL_BYTES)
      onProgress?.(Math.min(1, bytes / bytesTotal), events)
      const hasCaughtUp = bytes - before < POLL_BYTES
      if (hasCaughtUp && waiting.size === 0) break
      if (count > 0) untilMs = performance.now() + WAIT_MS_MAX
      else if (performance.now() > untilMs) throw neverCame(waiting)
      else pause()
    }
  } finally {
    follower.close()
  }
  return { lastSeqs, segments: listSegments(path).length, entries, events }
}

function neverCame(waiting: ReadonlyMap<number, number>): Divergence {
  const [shard, seq] = [...waiting][0] ?? [0, 0]
  return new Divergence(
    `shard ${shard} has no event ${seq} on disk though the server answered from it: is that server running on this directory?`,
    { shard, seq },
  )
}

/** The tools are synchronous programs: nothing else wants the thread. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_STEP_MS)
}

/** A file holds pages, not records, so this is a little too much. */
function bytesOfSegments(path: string): number {
  return listSegments(path).reduce((sum, files) => sum + statSync(files.path).size, 0)
}

/** The log so far, for looking up facts by sequence while it is still being read. */
export class LogSoFar {
  private readonly path: string
  private readonly isWritten: boolean
  private readonly index: EntryIndex
  /** The index knows every entry already. */
  private readonly isComplete: boolean
  private readonly last = new Map<number, { readonly where: EntryPosition; readonly lastSeq: number }>()
  private readonly histories = new Map<number, History>()
  private lookup: EntryLookup

  /** `behind`: only what these snapshots do not hold is going to be added. */
  constructor({ path, runningPid }: DataDirectory, behind: SnapshotsInUse | null = null) {
    this.path = path
    this.index = behind?.index ?? new EntryIndex()
    this.isComplete = behind !== null
    for (const [shard, { seq, where }] of behind?.heads ?? []) this.last.set(shard, { where, lastSeq: seq })
    this.isWritten = runningPid !== null
    this.lookup = new EntryLookup(path, this.index)
  }

  /** Every entry, before its events are asked for. */
  add({ shard, firstSeq, eventCount, where }: StoredEntry): void {
    if (!this.isComplete) this.index.add(shard, firstSeq, where.lane, where.segment, where.record, where.offset)
    this.last.set(shard, { where, lastSeq: firstSeq + eventCount - 1 })
  }

  historyOf(shard: number): History {
    const known = this.histories.get(shard)
    if (known !== undefined) return known
    const nothing = { state: { shard }, openEntry: new Entry(), flushing: new Entry() }
    const history = new EntryHistory(nothing, { entryOf: (_, seq) => this.entryOf(shard, seq) })
    this.histories.set(shard, history)
    return history
  }

  close(): void {
    this.lookup.close()
  }

  private entryOf(shard: number, seq: number): StoredEntry | null {
    const last = this.last.get(shard)
    if (last === undefined || seq < 1 || seq > last.lastSeq) return null
    for (let attempt = 1; ; attempt++) {
      try {
        return this.lookup.find(shard, seq, last.where, null)
      } catch (error) {
        // Beside a server a segment may have grown or moved under the reader: look again with fresh eyes.
        if (!this.isWritten || !(error instanceof JournalError) || attempt === LOOKUPS_MAX) throw error
        this.lookup.close()
        this.lookup = new EntryLookup(this.path, this.index)
      }
    }
  }
}
