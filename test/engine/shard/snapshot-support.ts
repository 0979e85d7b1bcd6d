/** What the tests of snapshots share: a data directory with random logs, and a state as bytes. */
import { createHash } from 'node:crypto'
import type { Journal } from '../../../persistence/journal.ts'
import type { EntryDraft } from '../../../persistence/record.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import { recoverShards } from '../../../engine/shard/recover.ts'
import { makeSnapshots, type SnapshotRun, type SnapshotsMade } from '../../../engine/shard/snapshot-maker.ts'
import { dumpState } from '../../../engine/shard/snapshot-state.ts'
import type { DumpWriter } from '../../../engine/shard/tables/dump.ts'
import { append, deployment, reopen } from '../../persistence/support.ts'
import { RandomShard } from '../support/random-log.ts'

const COMMITS_BETWEEN_LOOKS = 20
const COMMITS_TO_MEET_MAX = 10_000

export const SHARDS: readonly number[] = Array.from({ length: deployment.shards }, (_, shard) => shard)

/** Every section of a dump as a digest of its words. */
export function digestsOf(state: ShardState): Map<string, string> {
  const writer = new DigestingWriter()
  dumpState(state, writer)
  return writer.end()
}

class DigestingWriter implements DumpWriter {
  private readonly digests = new Map<string, string>()
  private name = ''
  private hash = createHash('sha256')
  private readonly bytes = Buffer.alloc(8)

  section(name: string): void {
    this.end()
    this.name = name
    this.hash = createHash('sha256')
  }

  word(value: number): void {
    this.bytes.writeInt32LE(value | 0)
    this.hash.update(this.bytes.subarray(0, 4))
  }

  number(value: number): void {
    this.bytes.writeDoubleLE(value)
    this.hash.update(this.bytes)
  }

  raw(bytes: Uint8Array): void {
    this.hash.update(bytes)
  }

  end(): Map<string, string> {
    if (this.name !== '') this.digests.set(this.name, this.hash.digest('hex'))
    this.name = ''
    return this.digests
  }
}

/** Random shards that write to a real journal, with new segments, restarts and another number of lanes now and then. */
export class LogOfShards {
  readonly dataDir: string
  readonly sources = new Map<number, RandomShard>()
  private readonly random: (below: number) => number
  private lanes: Journal[] = []

  constructor(dataDir: string, random: (below: number) => number, shards = 6) {
    this.dataDir = dataDir
    this.random = random
    for (let shard = 0; shard < shards; shard++) this.sources.set(shard, new RandomShard(shard, deployment, random))
  }

  start(lanes = 1 + this.random(3)): void {
    this.lanes = Array.from({ length: lanes }, (_, lane) => {
      const shards = new Set(SHARDS.filter((shard) => shard % lanes === lane))
      return reopen(this.dataDir, lane, { segmentBytesMax: 20_000 }, shards)
    })
  }

  async commits(count: number): Promise<void> {
    const { random, lanes } = this
    for (let commit = 0; commit < count; commit++) {
      const lane = random(lanes.length)
      const drafts: EntryDraft[] = []
      for (const [shard, source] of this.sources) {
        if (shard % lanes.length !== lane || random(2) === 0) continue
        const draft = source.nextDraft(1 + random(12))
        if (draft !== null) drafts.push(draft)
      }
      if (drafts.length > 0) await append(lanes[lane] as Journal, drafts)
    }
  }

  /** Commits until every one of these types of events is in the log; throws when that takes too many. */
  async commitsUntilMet(types: readonly number[]): Promise<void> {
    const missing = new Set(types)
    for (let commits = 0; ; commits += COMMITS_BETWEEN_LOOKS) {
      for (const { met } of this.sources.values()) for (const type of met) missing.delete(type)
      if (missing.size === 0) return
      if (commits >= COMMITS_TO_MEET_MAX) throw new Error(`events that never came: ${[...missing].join(', ')}`)
      await this.commits(COMMITS_BETWEEN_LOOKS)
    }
  }

  async roll(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.roll()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close()))
    this.lanes = []
  }

  entryOf(shard: number, seq: number): number | null {
    return this.lanes[shard % this.lanes.length]?.entryOf(shard, seq)?.firstSeq ?? null
  }
}

export function snapshots(dataDir: string, more: Partial<SnapshotRun> = {}): SnapshotsMade {
  return makeSnapshots({
    dataDir,
    deployment,
    nowMs: () => 1_770_000_000_000,
    rest: () => {},
    warn: () => {},
    ...more,
  })
}

export interface Recovered {
  readonly digests: Map<number, Map<string, string>>
  readonly states: ReadonlyMap<number, ShardState>
  readonly snapshotEvents: number
  readonly replayed: number
  readonly warnings: readonly string[]
}

export function recovered(dataDir: string, ignoreSnapshots = false): Recovered {
  const warnings: string[] = []
  const warn = (sentence: string) => warnings.push(sentence)
  const { states, log, snapshotEvents } = recoverShards(dataDir, deployment, SHARDS, { warn, ignoreSnapshots })
  const digests = new Map([...states].map(([shard, state]) => [shard, digestsOf(state)]))
  return { digests, states, snapshotEvents, replayed: log.events, warnings }
}
