/**
 * The barrier of a backup: a time up to which everything is on disk and behind which nothing is taken.
 *
 * Beside a running server each shard is asked to answer something. The answer has the shard's time t and leaves only when all
 * that the shard has logged is on disk; whatever it logs later has a time of t or later. With T = the earliest t − 1 ms:
 *
 *     shard 0   ───────●──────────●────t0          every event up to T is on disk, of every shard,
 *     shard 1   ──●──────────●──────────t1         and none will be added
 *     shard 2   ───────────────●──────────t2
 *                                    T
 *
 * The cut by T is consistent: a message between shards makes its receiver's time at least that of the event it tells of. So
 * an event with a time up to T depends only on events with times up to T, and these are in the backup as well. Positions
 * taken one after the other, without the time, would not be: between two of them a transaction could pass.
 *
 * Of a stopped server everything is taken: nothing is under way.
 */
import { formatId } from '../../protocol/ids.ts'
import type { DataDirectory } from '../rebuild/data-directory.ts'
import { type Cut, NO_CUT, UsageFault } from '../rebuild/positions.ts'
import { positionFrom } from '../rebuild/server-calls.ts'
import type { ServerCalls } from '../rebuild/server-calls.ts'

export interface Barrier {
  readonly cut: Cut
  /** Durable beside a running server: the log is read at least so far, by shard. */
  readonly atLeast: ReadonlyMap<number, number>
}

/** Throws UsageFault when a server runs and does not answer. */
export async function barrierOf({ deployment, runningPid }: DataDirectory, server: ServerCalls): Promise<Barrier> {
  if (runningPid === null) return { cut: NO_CUT, atLeast: new Map() }
  const atLeast = new Map<number, number>()
  let untilMs = Number.POSITIVE_INFINITY
  for (let shard = 0; shard < deployment.shards; shard++) {
    const reply = await server.get(`/v1/coupons/${formatId('cpn_', shard, 0)}`)
    const position = positionFrom(reply, deployment.shards)
    if (position === null || position.shard !== shard) {
      throw new UsageFault(
        `process ${runningPid} works on this directory, and shard ${shard} at ${server.url} answered ${reply.status} without a position: name the address of that server with --url, and a key with --key where it wants one`,
      )
    }
    atLeast.set(shard, position.seq)
    untilMs = Math.min(untilMs, position.timeMs - 1)
  }
  return { cut: { seqs: new Map(), untilMs, others: 'all' }, atLeast }
}
