// What an operation's answer tells by itself, whatever the state was. It keeps the search of the checker short.

import type { Call, Operation } from './operation.ts'

/** They change nothing, ever. */
const READS: ReadonlySet<Call['type']> = new Set(['READ_COUPON', 'READ_RESERVATION', 'READ_REDEMPTION', 'VALIDATE'])
/** Refusals that an earlier redemption of the order earned. */
const OF_ORDERS: ReadonlySet<string> = new Set(['ORDER_CONFLICT', 'REDEMPTION_REVERSED'])

/** Whatever the state was. A reservation that was there already may have been priced anew, so it is not among them. */
export function changedNothing({ call, answer }: Operation): boolean {
  if (READS.has(call.type)) return true
  if (answer === null) return false
  if (answer.kind === 'REFUSED') return true
  return answer.kind === 'REDEMPTION' && !answer.isNew && call.type !== 'REVERSE'
}

/** What such a call finds done stays done, so where it changes nothing it will not later either. */
export function isDoneOnce({ call }: Operation): boolean {
  return call.type === 'RELEASE' || call.type === 'REVERSE'
}

/**
 * Those that may have changed something. An order makes one redemption, ever: where an answer tells which call made it, no
 * other call of this order did, so one without an answer changed nothing and need not be looked at.
 */
export function thatMatter(operations: readonly Operation[]): Operation[] {
  const made = new Set<string | null>()
  for (const { call, answer } of operations) {
    if (answer?.kind === 'REDEMPTION' && answer.isNew) made.add(redeemedOrderOf(call))
  }
  return operations.filter(({ call, answer }) => {
    return answer !== null || !(READS.has(call.type) || made.has(redeemedOrderOf(call) ?? ''))
  })
}

/** Calls without an answer that somebody heard of later: their order was known, and no answered call had made it known. */
export function heardOf(operations: readonly Operation[]): ReadonlySet<Operation> {
  const told = new Set<string | null>()
  for (const { call, answer } of operations) {
    const isKnown =
      answer?.kind === 'REDEMPTION' ? !answer.isNew : answer?.kind === 'REFUSED' && OF_ORDERS.has(answer.code)
    if (isKnown) told.add(redeemedOrderOf(call))
  }
  return new Set(operations.filter(({ call, answer }) => answer === null && told.has(redeemedOrderOf(call) ?? '')))
}

function redeemedOrderOf(call: Call): string | null {
  return call.type === 'REDEEM' || call.type === 'REDEEM_RESERVATION' ? call.order : null
}
