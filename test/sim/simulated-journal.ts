/**
 * The journal of one lane in one life of its process: the real encoder and chain of hashes, over the simulated disk.
 *
 *     append ──▶ record encoded ──▶ (flushMs) ──▶ on the disk, settled(null)
 *                     │                 └── the process dies before: the disk has it, has it not, or has a part of it
 *                     └── put or flush fails: settled(error), and nobody knows what the disk has
 *
 * Like the product's: one append at a time, a commit that takes over two seconds is given up, after a failure nothing more.
 */
import { strict as assert } from 'node:assert'
import type { EntryToAppend, GroupLog } from '../../engine/shard/lane.ts'
import { JournalError, type JournalErrorCode } from '../../persistence/errors.ts'
import type { ShardHead } from '../../persistence/lane-merge.ts'
import { ChainEnd, RecordEncoder } from '../../persistence/record.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Schedule } from './schedule.ts'
import type { SegmentOnDisk, SimulatedDisk } from './simulated-disk.ts'

const COMMIT_TIMEOUT_MS = 2_000
const PLENTY_BYTES = 2 ** 40
const NEARLY_NOTHING_BYTES = 2 ** 20

/** What the disk under a lane does; steps change it. */
export interface DiskTemper {
  /** A flush takes so long, a millisecond more or less. */
  flushMs: number
  isNearlyFull: boolean
  /** What becomes of the next commit. */
  next: 'FINE' | 'PUT_EIO' | 'PUT_FULL' | 'FLUSH_EIO'
}

/** What a crash leaves of a commit whose flush was under way. */
export type Fate = 'KEPT' | 'LOST' | 'TORN'

interface Pending {
  readonly bytes: Buffer
  readonly drafts: readonly EntryToAppend[]
  /** null: it was given up. */
  settled: ((error: Error | null) => void) | null
  isPut: boolean
}

/** Beyond this a lane goes on in a new segment. */
const SEGMENT_RECORDS_MAX = 40

export interface JournalPorts {
  readonly schedule: Schedule
  readonly disk: SimulatedDisk
  readonly temper: DiskTemper
  readonly random: SeededRandom
  /** Runs what a flush sets off, while the process lives. */
  readonly run: (what: () => void) => void
  readonly onRecord: (bytes: Uint8Array) => void
  readonly count: (what: string) => void
}

export class SimulatedJournal implements GroupLog {
  private readonly lane: number
  private readonly ports: JournalPorts
  private readonly encoder = new RecordEncoder(16 * 1024)
  private readonly chains = new Map<number, ChainEnd>()
  private segment: SegmentOnDisk
  private pending: Pending | null = null
  private failed: JournalError | null = null

  constructor(lane: number, heads: ReadonlyMap<number, ShardHead>, ports: JournalPorts) {
    this.lane = lane
    this.ports = ports
    this.segment = ports.disk.openSegment(lane)
    for (const [shard, head] of heads) {
      const chain = this.chainOf(shard)
      Object.assign(chain, head.where, { seq: head.seq, timeMs: head.timeMs })
      chain.hash.set(head.hash)
    }
  }

  append(drafts: readonly EntryToAppend[], settled: (error: Error | null) => void): void {
    const { schedule, temper, count } = this.ports
    if (this.failed !== null) {
      const error = this.failed
      schedule.after(0, () => this.ports.run(() => settled(error)))
      return
    }
    assert(this.pending === null, 'a flush began while another was under way')
    if (this.segment.records.length >= SEGMENT_RECORDS_MAX) this.segment = this.ports.disk.nextSegment(this.segment)
    const record = this.segment.records.length + 1
    const { segment } = this.segment
    const encoded = this.encoder.encode({ lane: this.lane, segment, record }, drafts, (shard) => this.chainOf(shard))
    // The lane uses its entries again.
    const kept = drafts.map((draft) => ({ ...draft, events: NOTHING }))
    const pending: Pending = { bytes: Buffer.from(encoded), drafts: kept, settled, isPut: true }
    this.pending = pending
    const fault = temper.next
    temper.next = 'FINE'
    if (fault === 'PUT_EIO' || fault === 'PUT_FULL') {
      count(fault === 'PUT_EIO' ? 'EIO at put' : 'disk full at put')
      pending.isPut = false
      this.failAfter(0, pending, fault === 'PUT_EIO' ? 'FLUSH_FAILED' : 'STORAGE_FULL')
      return
    }
    const flushMs = this.flushMs()
    if (fault === 'FLUSH_EIO') {
      count('EIO at flush')
      this.failAfter(Math.min(flushMs, COMMIT_TIMEOUT_MS), pending, 'FLUSH_FAILED')
    } else if (flushMs > COMMIT_TIMEOUT_MS) {
      count('flush given up')
      this.failAfter(COMMIT_TIMEOUT_MS, pending, 'FLUSH_FAILED')
    } else {
      schedule.after(flushMs, () => this.ports.run(() => this.flushed(pending)))
    }
  }

  freeBytes(): number {
    return this.ports.temper.isNearlyFull ? NEARLY_NOTHING_BYTES : PLENTY_BYTES
  }

  /** The process is dead: what becomes of the commit that was under way. */
  end(fate: Fate): void {
    const { pending, segment } = this
    this.pending = null
    if (pending === null || !pending.isPut || fate === 'LOST') return
    const { disk, onRecord } = this.ports
    const { bytes } = pending
    const cut = fate === 'TORN' ? 1 + this.ports.random.below(bytes.length - 1) : bytes.length
    // Where nothing but zeros is cut off, all of it is there.
    if (bytes.subarray(cut).every((byte) => byte === 0)) {
      onRecord(bytes)
      disk.put(segment, bytes, pending.drafts)
      return
    }
    bytes.fill(0, cut)
    disk.putTorn(segment, bytes)
  }

  private flushMs(): number {
    const { random, temper } = this.ports
    return temper.flushMs + random.below(2)
  }

  private failAfter(delayMs: number, pending: Pending, code: JournalErrorCode): void {
    const { schedule, run } = this.ports
    schedule.after(delayMs, () =>
      run(() => {
        this.failed = new JournalError(code, `lane ${this.lane}: a commit failed in the simulation`)
        const { settled } = pending
        pending.settled = null
        settled?.(this.failed)
      }),
    )
  }

  private flushed(pending: Pending): void {
    const { disk, onRecord } = this.ports
    const { settled } = pending
    this.pending = null
    onRecord(pending.bytes)
    disk.put(this.segment, pending.bytes, pending.drafts)
    settled?.(null)
  }

  private chainOf(shard: number): ChainEnd {
    let chain = this.chains.get(shard)
    if (chain === undefined) {
      chain = new ChainEnd()
      this.chains.set(shard, chain)
    }
    return chain
  }
}

const NOTHING = new Uint8Array(0)
