// What clients had been told by a moment of a recording, from the replies that left over sockets in the same trace.

import type { Reply } from '../trace/replies.ts'

export interface Told {
  /** By shard, the last sequence that any answer named: refusals and reads too, as they tell what they saw. */
  readonly lastSeqs: ReadonlyMap<number, number>
  /** Redeemed, as `code order`. */
  readonly orders: ReadonlySet<string>
  /** Jobs that were begun. */
  readonly jobs: ReadonlySet<string>
  readonly answers: number
}

/** A reply whose first byte was handed over in a line before `at` may have been read. */
export function toldBefore(replies: readonly Reply[], at: number): Told {
  const lastSeqs = new Map<number, number>()
  const orders = new Set<string>()
  const jobs = new Set<string>()
  let answers = 0
  for (const { leavesAt, status, position, body } of replies) {
    if (leavesAt >= at) continue
    answers++
    for (const each of position === '' ? [] : position.split(',')) {
      const [, shard, seq] = /^(\d+):(\d+)@\d+$/.exec(each) ?? []
      if (shard === undefined) throw new Error(`no position: ${position}`)
      lastSeqs.set(Number(shard), Math.max(lastSeqs.get(Number(shard)) ?? 0, Number(seq)))
    }
    const receipt = (status === 0 ? body['result'] : body) as Record<string, unknown> | undefined
    if (receipt?.['redemptionId'] !== undefined) {
      for (const { code } of receipt['coupons'] as { readonly code: string }[])
        orders.add(`${code} ${String(receipt['orderId'])}`)
    }
    if (status === 202) jobs.add(String(body['jobId']))
  }
  return { lastSeqs, orders, jobs, answers }
}
