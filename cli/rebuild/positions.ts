/**
 * Positions and cuts, as they are typed and shown: `3:1204` an event, `3:1204@1790000000000` the moment of an answer.
 *
 * A cut says where the log ends for somebody who looks back: after an event of a shard, after a time, or (for a backup) after
 * one event of each shard. Events of equal time belong to it: what happened in a millisecond is never torn apart by time.
 */

/** After event `seq` of a shard. */
export interface ShardPosition {
  readonly shard: number
  readonly seq: number
}

/** The moment that an answer names in `X-Tearoff-Position`. */
export interface AnswerPosition extends ShardPosition {
  readonly timeMs: number
}

export interface Cut {
  /** Last sequence by shard; a shard that is not in it is bound by the time alone. */
  readonly seqs: ReadonlyMap<number, number>
  /** Last time; infinite: no bound. */
  readonly untilMs: number
  /** Shards that are not in `seqs` end where they began. */
  readonly others: 'all' | 'none'
}

export const NO_CUT: Cut = { seqs: new Map(), untilMs: Number.POSITIVE_INFINITY, others: 'all' }

/** What was typed makes no sense: the message says what would. */
export class UsageFault extends Error {
  readonly code = 'USAGE'
  override readonly name = 'UsageFault'
}

/** The last sequence of a shard that a cut may reach, its time aside. */
export function lastSeqOf(cut: Cut, shard: number): number {
  return cut.seqs.get(shard) ?? (cut.others === 'all' ? Number.MAX_SAFE_INTEGER : 0)
}

/** Reads `SHARD:SEQ`. Throws UsageFault. */
export function shardPosition(text: string, shards: number): ShardPosition {
  const [shard, seq] = numbersOf(/^(\d{1,4}):(\d{1,16})$/, text.trim())
  if (shard === undefined || seq === undefined) {
    throw new UsageFault(`"${text}" is not a position like 3:1204 (shard:sequence)`)
  }
  return { shard: shardWithin(shard, shards, text), seq }
}

/** Reads the value of an `X-Tearoff-Position` header: one moment, or several with commas between. Throws UsageFault. */
export function answerPositions(text: string, shards: number): readonly AnswerPosition[] {
  const positions = text.split(',').map((part): AnswerPosition => {
    const [shard, seq, timeMs] = numbersOf(/^(\d{1,4}):(\d{1,16})@(\d{1,16})$/, part.trim())
    if (shard === undefined || seq === undefined || timeMs === undefined) {
      throw new UsageFault(`"${part.trim()}" is not a position like 3:1204@1790000000000 (shard:sequence@milliseconds)`)
    }
    return { shard: shardWithin(shard, shards, part), seq, timeMs }
  })
  if (new Set(positions.map(({ shard }) => shard)).size < positions.length) {
    throw new UsageFault(`"${text}" names a shard twice`)
  }
  return positions
}

/** Reads an RFC 3339 time as milliseconds. Throws UsageFault. */
function timeOf(text: string): number {
  const timeMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(timeMs)) throw new UsageFault(`"${text}" is not a time like 2026-11-20T18:00:00Z`)
  return timeMs
}

/** The cut of `--until` (repeatable) and `--until-time`. Throws UsageFault. */
export function cutOf(until: readonly string[], untilTime: string | undefined, shards: number): Cut {
  const seqs = new Map<number, number>()
  for (const text of until) {
    const { shard, seq } = shardPosition(text, shards)
    if (seqs.has(shard)) throw new UsageFault(`--until names shard ${shard} twice`)
    seqs.set(shard, seq)
  }
  return { seqs, untilMs: untilTime === undefined ? Number.POSITIVE_INFINITY : timeOf(untilTime), others: 'all' }
}

/** RFC 3339 with milliseconds; a time that no calendar has is shown as its number. */
export function shownTime(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString()
}

function numbersOf(form: RegExp, text: string): readonly number[] {
  const numbers = (form.exec(text) ?? []).slice(1).map(Number)
  return numbers.every(Number.isSafeInteger) ? numbers : []
}

function shardWithin(shard: number, shards: number, text: string): number {
  if (shard >= shards)
    throw new UsageFault(`"${text.trim()}" names shard ${shard}; the deployment has 0 to ${shards - 1}`)
  return shard
}
