/** What a shard's state says of calls over several shards, as plain data to compare. */
import type { ShardState } from '../../../engine/domain/state.ts'
import { tablesOf } from '../support/state-image.ts'

/** What is left to do on a shard. */
export function leftOf({ undecided, outbox, tables }: ShardState): object {
  return { undecided: undecided.size, outbox: outbox.size, claims: tables.claims.size }
}

/** Two states with equal images will do the same from here on. Order in tables depends on the way there, and is left out. */
export function imageOf(state: ShardState): object {
  const { holds } = state.tables
  const stacks = [...state.stacks].map(([seq, { txnSeq, shards }]) => `${seq} ${txnSeq} ${shards.join()}`)
  const untils = [...Array(state.couponCount).keys()].flatMap((ordinal) => {
    const found: string[] = []
    let row = holds.byCoupon.firstUpTo(state.tables.coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
    for (; row >= 0; row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)) {
      const head = holds.head.get(row)
      found.push(
        `${ordinal} ${holds.untilMs.get(head)} ${holds.txnShard.get(head)}:${holds.txnSeq.get(head)} ${holds.claimSeq.get(head)}`,
      )
    }
    return found.sort()
  })
  const { holds: rows, ...tables } = tablesOf(state)
  return {
    ...tables,
    holds: [...(rows as string[])].sort(),
    stacks: stacks.sort(),
    untils,
    branches: state.tables.branches.size,
  }
}
