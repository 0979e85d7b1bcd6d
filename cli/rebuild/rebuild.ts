/**
 * Rebuilds shards from the log alone, by the engine's own `apply`, up to a cut. Every event passes by, so that whoever wants
 * to count or to tell sees the same ones.
 *
 *     files ─▶ records (check sums) ─▶ entries (sequence, chain of hashes) ─▶ events ─▶ apply ─▶ state
 *                                                                               └─▶ onEvent
 *
 * One event at a time, without the block-wise look-ahead of a start (`engine/shard/replay.ts`): a tool has to name the very
 * event at which something broke. What must never happen here: a write, or a look at a snapshot.
 */
import { apply } from '../../engine/domain/apply.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { emptyState } from '../../engine/shard/snapshot-state.ts'
import type { Deployment } from '../../persistence/deployment.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import type { DataDirectory } from './data-directory.ts'
import { Divergence, placeText } from './divergence.ts'
import { type Cut, lastSeqOf, UsageFault } from './positions.ts'
import { type LogProgress, type LogRead, readLog } from './read-log.ts'
import { eachEvent, type StoredEvent } from './stored-events.ts'

export interface Rebuilding {
  readonly cut: Cut
  /** Beside a running server: positions that it answered from, by shard; the log is read at least so far. */
  readonly atLeast?: ReadonlyMap<number, number> | undefined
  /** After the event was applied. */
  readonly onEvent?: (state: ShardState, stored: StoredEvent, entry: StoredEntry) => void
  readonly onProgress?: LogProgress | undefined
}

export interface Rebuilt {
  /** Of every shard of the deployment. */
  readonly states: ReadonlyMap<number, ShardState>
  readonly log: LogRead
  /** Applied. */
  readonly events: number
}

/** Throws JournalError for damage, Divergence for events that cannot have happened, UsageFault for a cut behind the end. */
export function rebuild(directory: DataDirectory, { cut, atLeast, onEvent, onProgress }: Rebuilding): Rebuilt {
  const states = emptyStates(directory.deployment)
  let events = 0
  const onEntry = (entry: StoredEntry): void => {
    const state = states.get(entry.shard) as ShardState
    if (entry.firstSeq > lastSeqOf(cut, entry.shard) || entry.timeMs > cut.untilMs) return
    eachEventWithin(entry, cut, (stored) => {
      applyStored(state, stored, entry)
      events++
      onEvent?.(state, stored, entry)
    })
  }
  const log = readLog(directory, { onEntry, onProgress, atLeast })
  for (const [shard, seq] of cut.seqs) {
    const endsAt = log.lastSeqs.get(shard) ?? 0
    if (seq > endsAt) throw new UsageFault(`shard ${shard} has no event ${seq}: its log ends at ${endsAt}`)
  }
  return { states, log, events }
}

/** A shard without events, for each of the deployment. */
export function emptyStates(deployment: Deployment): Map<number, ShardState> {
  const states = new Map<number, ShardState>()
  for (let shard = 0; shard < deployment.shards; shard++) {
    states.set(shard, emptyState(shard, deployment))
  }
  return states
}

/** The events of an entry that a cut keeps; whether it keeps all. Throws Divergence where they are not what it says. */
export function eachEventWithin(entry: StoredEntry, cut: Cut, onEvent: (stored: StoredEvent) => void): boolean {
  const lastSeq = lastSeqOf(cut, entry.shard)
  const endSeq = entry.firstSeq + entry.eventCount
  let nextSeq = entry.firstSeq
  let isCut = false
  eachEvent(entry, (stored) => {
    isCut = stored.seq > lastSeq || stored.atMs > cut.untilMs
    if (isCut) return false
    onEvent(stored)
    nextSeq = stored.seq + 1
    return true
  })
  if (!isCut && nextSeq !== endSeq) {
    const sentence = `${placeText(entry.where)}: the entry of shard ${entry.shard} from sequence ${entry.firstSeq} says it has ${entry.eventCount} events and has ${nextSeq - entry.firstSeq}`
    throw new Divergence(sentence, { shard: entry.shard, seq: nextSeq, where: entry.where })
  }
  return !isCut
}

/** Applies one event. Throws Divergence where it breaks a promise. */
export function applyStored(state: ShardState, stored: StoredEvent, entry: StoredEntry): void {
  try {
    apply(state, stored.event, stored.atMs)
  } catch (cause) {
    const { shard, where } = entry
    const reason = cause instanceof Error ? cause.message : String(cause)
    const sentence = `${placeText(where)}: sequence ${stored.seq} of shard ${shard} cannot have happened: ${reason}`
    throw new Divergence(sentence, { shard, seq: stored.seq, where, cause })
  }
}
