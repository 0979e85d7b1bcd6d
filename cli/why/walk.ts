/**
 * Goes through the log once and stops at positions, in the order of each shard's log, with the shard as it stood there.
 *
 *     log    … 17 18 19 20 21 22 …          stop at 20@t, and 19 and 20 happened at t:
 *                 ▲  ▲  ▲                   the moments are after 18, after 19, after 20, the earliest first
 *
 * An answer's position counts the answer's own events, which all have its time and lie in one entry, so what the request met
 * is one of these moments. A thousand stops cost no more than one, as long as they are asked for together. A walk begins at
 * the newest snapshots before its first stops, where there are any: an entry never reaches over a snapshot.
 */
import type { ShardState } from '../../engine/domain/state.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { type AnswerPosition, NO_CUT, UsageFault } from '../rebuild/positions.ts'
import { LogSoFar, readLog, type LogProgress } from '../rebuild/read-log.ts'
import { applyStored, eachEventWithin, emptyStates } from '../rebuild/rebuild.ts'
import { type SnapshotsInUse, snapshotsBefore } from '../rebuild/snapshots-in-use.ts'
import type { StoredEvent } from '../rebuild/stored-events.ts'
import type { PastShard } from './past-transport.ts'

/** Where somebody wants to look, and what to do there. */
export interface Stop {
  readonly position: AnswerPosition
  /**
   * At a moment that may be it: `ahead` are the logged bytes of the events between this moment and the position, ticks left
   * out; empty at the position itself, which is the last moment. True: seen enough.
   */
  readonly look: (past: PastShard, ahead: Uint8Array) => boolean
}

/** Throws JournalError or Divergence for a log that cannot be read, UsageFault for a position that it does not have. */
export function walkTo(directory: DataDirectory, stops: readonly Stop[], onProgress?: LogProgress): void {
  const atLeast = new Map<number, number>()
  const firsts = new Map<number, number>()
  for (const { position } of stops) {
    const { shard, seq } = position
    atLeast.set(shard, Math.max(seq, atLeast.get(shard) ?? 0))
    firsts.set(shard, Math.min(seq, firsts.get(shard) ?? Number.POSITIVE_INFINITY))
  }
  const behind = snapshotsBefore(directory, firsts)
  const walk = new Walk(directory, stops, behind)
  try {
    walk.lookAtBeginnings()
    readLog(directory, { onEntry: (entry) => walk.take(entry), onProgress, atLeast, behind })
    walk.end()
  } finally {
    walk.close()
  }
}

const NOTHING = new Uint8Array(0)

class Walk {
  private readonly states: ReadonlyMap<number, ShardState>
  private readonly log: LogSoFar
  /** By shard, the next one last. */
  private readonly waiting = new Map<number, Stop[]>()

  constructor(directory: DataDirectory, stops: readonly Stop[], behind: SnapshotsInUse | null) {
    this.states = new Map([...emptyStates(directory.deployment), ...(behind?.states ?? [])])
    this.log = new LogSoFar(directory, behind)
    for (const stop of [...stops].sort((a, b) => b.position.seq - a.position.seq)) {
      const { shard } = stop.position
      this.waiting.set(shard, [...(this.waiting.get(shard) ?? []), stop])
    }
  }

  close(): void {
    this.log.close()
  }

  /** Position 0: before anything happened. */
  lookAtBeginnings(): void {
    for (const stops of this.waiting.values()) this.lookHere(stops, 0)
  }

  take(entry: StoredEntry): void {
    const stops = this.waiting.get(entry.shard)
    // What nobody asks for need not be applied, nor what comes behind the last stop.
    if (stops === undefined || stops.length === 0) return
    this.log.add(entry)
    const state = this.states.get(entry.shard) as ShardState
    const endSeq = entry.firstSeq + entry.eventCount
    const ahead = (stops.at(-1)?.position.seq ?? 0) < endSeq ? eventsOf(entry) : null
    if (ahead !== null) this.lookAhead(stops, state, ahead, entry)
    eachEventWithin(entry, NO_CUT, (stored) => {
      applyStored(state, stored, entry)
      if (ahead === null) return
      this.lookHere(stops, stored.seq)
      this.lookAhead(stops, state, ahead, entry)
    })
  }

  /** Every stop was reached. */
  end(): void {
    for (const [shard, stops] of this.waiting) {
      const next = stops.at(-1)
      if (next === undefined) continue
      const state = this.states.get(shard) as ShardState
      throw new UsageFault(`shard ${shard} has no event ${next.position.seq}: its log ends at ${state.seq}`)
    }
  }

  /** Stops at this very sequence: the last moment of each. */
  private lookHere(stops: Stop[], seq: number): void {
    for (let stop = stops.at(-1); stop?.position.seq === seq; stop = stops.at(-1)) {
      stop.look(this.pastAt(stop), NOTHING)
      stops.pop()
    }
  }

  /** Stops further on in this entry whose events all happened at the time of their answer. */
  private lookAhead(stops: Stop[], state: ShardState, ahead: readonly StoredEvent[], entry: StoredEntry): void {
    for (let at = stops.length - 1; at >= 0; at--) {
      const stop = stops[at] as Stop
      const { seq, timeMs } = stop.position
      if (seq >= entry.firstSeq + entry.eventCount) return
      const next = ahead[state.seq + 1 - entry.firstSeq]
      // Times never fall, so the first and the last of a stretch speak for all of it.
      if (next?.atMs !== timeMs || ahead[seq - entry.firstSeq]?.atMs !== timeMs) continue
      const between = ahead.slice(state.seq + 1 - entry.firstSeq, seq + 1 - entry.firstSeq)
      const isDone = stop.look(this.pastAt(stop), bytesOfEvents(entry, between))
      if (isDone) stops.splice(at, 1)
    }
  }

  private pastAt({ position }: Stop): PastShard {
    const state = this.states.get(position.shard) as ShardState
    return { state, history: this.log.historyOf(position.shard), nowMs: position.timeMs }
  }
}

function eventsOf(entry: StoredEntry): readonly StoredEvent[] {
  const events: StoredEvent[] = []
  eachEventWithin(entry, NO_CUT, (stored) => {
    events.push(stored)
  })
  return events
}

function bytesOfEvents(entry: StoredEntry, events: readonly StoredEvent[]): Uint8Array {
  return Buffer.concat(events.map(({ start, end }) => entry.events.subarray(start, end)))
}
