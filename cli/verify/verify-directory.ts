/**
 * Verify: every counter against the log, of a stopped directory or beside a running server, which is asked what it says.
 *
 *     log ─▶ replay ─▶ counters, snapshots                         as `tearoff replay`
 *     server ─▶ GET /coupons/{id} ─▶ answer, shard:seq@time ─┐
 *     log ─▶ the shard after seq, judged at that time ───────┴─▶ the same answer, member by member
 *
 * An answer is compared with the log at its very position, so it does not matter how fast the server goes on meanwhile.
 */
import { isDeepStrictEqual } from 'node:util'
import { formatId } from '../../protocol/ids.ts'
import { ANYBODY } from '../../gateway/access/authenticate.ts'
import { OPERATIONS } from '../../gateway/operations/operation-table.ts'
import { type Replayed, replayDirectory } from '../replay/replay-directory.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { Divergence } from '../rebuild/divergence.ts'
import { type AnswerPosition, NO_CUT, UsageFault } from '../rebuild/positions.ts'
import type { LogProgress } from '../rebuild/read-log.ts'
import { positionsFrom, type ServerCalls } from '../rebuild/server-calls.ts'
import { askPast } from '../why/ask-past.ts'

export interface Verified extends Replayed {
  /** Answers of the server that were held against the log; null: no server was asked. */
  readonly answersCompared: number | null
}

export interface Verifying {
  readonly server: ServerCalls | null
  /** At most so many coupons are asked for, spread over all. */
  readonly couponsMax: number
  readonly progress: (step: string) => LogProgress
}

/** Throws Divergence, JournalError or UsageFault. */
export async function verifyDirectory(
  directory: DataDirectory,
  { server, couponsMax, progress }: Verifying,
): Promise<Verified> {
  const replayed = replayDirectory(directory, { cut: NO_CUT, coupon: null, onProgress: progress('replaying the log') })
  if (server === null) return { ...replayed, answersCompared: null }
  const asked = await askServer(directory, server, spread(replayed, couponsMax), progress('asking the server'))
  compare(directory, asked, progress('comparing its answers'))
  return { ...replayed, answersCompared: asked.length }
}

interface Answered {
  readonly couponId: string
  /** Of its shard, and of the campaign's where that is another. */
  readonly positions: readonly AnswerPosition[]
  readonly body: unknown
}

/** Ids of at most so many coupons, the same number apart. */
function spread({ shards }: Replayed, couponsMax: number): readonly string[] {
  const total = shards.reduce((sum, { coupons }) => sum + coupons, 0)
  const step = Math.max(1, Math.ceil(total / couponsMax))
  const ids: string[] = []
  let index = 0
  for (const { shard, coupons } of shards) {
    for (let ordinal = 0; ordinal < coupons; ordinal++) {
      if (index++ % step === 0) ids.push(formatId('cpn_', shard, ordinal))
    }
  }
  return ids
}

async function askServer(
  { deployment }: DataDirectory,
  server: ServerCalls,
  ids: readonly string[],
  onProgress: LogProgress,
): Promise<readonly Answered[]> {
  const answers: Answered[] = []
  for (const couponId of ids) {
    const reply = await server.get(`/v1/coupons/${couponId}`)
    const positions = positionsFrom(reply, deployment.shards)
    const [position] = positions
    if (position === undefined) throw new UsageFault(`${server.url} answered ${reply.status} to a read of ${couponId}`)
    if (reply.status !== 200) {
      const { shard, seq } = position
      throw new Divergence(
        `${couponId}: the log holds it, and the server answered ${reply.status} at ${shard}:${seq}`,
        position,
      )
    }
    answers.push({ couponId, positions, body: reply.body })
    onProgress(answers.length / ids.length, answers.length)
  }
  return answers
}

function compare(directory: DataDirectory, answers: readonly Answered[], onProgress: LogProgress): void {
  const logged = askPast(
    directory,
    answers.map(({ couponId, positions }) => ({
      request: {
        operation: OPERATIONS.getCoupon,
        input: { body: undefined, target: couponId, query: '', ifMatch: '', caller: ANYBODY },
      },
      positions,
    })),
    onProgress,
  )
  for (const [index, { couponId, positions, body }] of answers.entries()) {
    const difference = differenceOf(body, logged[index]?.told?.body)
    if (difference === null) continue
    const { shard, seq } = positions[0] as AnswerPosition
    throw new Divergence(`${couponId} at ${shard}:${seq}: ${difference}`, { shard, seq })
  }
}

/** The first member that differs. */
function differenceOf(said: unknown, logged: unknown): string | null {
  if (isDeepStrictEqual(said, logged)) return null
  const told = (said ?? {}) as Readonly<Record<string, unknown>>
  const made = (logged ?? {}) as Readonly<Record<string, unknown>>
  for (const name of new Set([...Object.keys(told), ...Object.keys(made)])) {
    if (isDeepStrictEqual(told[name], made[name])) continue
    return `the server says ${name} ${JSON.stringify(told[name])}, the log makes ${JSON.stringify(made[name])}`
  }
  return 'the server and the log differ'
}
