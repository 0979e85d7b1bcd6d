/**
 * Holds what clients were told against the log: every redemption that was acknowledged has to be there, by its id, for the
 * same order, user and coupon; and where every client was heard, nothing else may be there.
 */
import { idOf } from './audit-ids.ts'
import type { Audit } from './audit-log.ts'

/** A redemption as a client saw it, kept outside the server. */
export interface Acknowledgement {
  readonly redemptionId: string
  readonly code: string
  readonly userId: string
  readonly orderId: string
}

export interface AcknowledgementOptions {
  /** Every answer reached its client, so the log may hold no redemption of these coupons that nobody was told of. */
  readonly isComplete: boolean
}

/** More faults than this are counted, not kept. */
const FAULTS_KEPT_MAX = 100

/** What does not agree, as sentences; none: all of it does. */
export function acknowledgementFaults(
  audit: Audit,
  acknowledgements: readonly Acknowledgement[],
  { isComplete }: AcknowledgementOptions,
): string[] {
  const logged = new Map<string, { readonly userId: string; readonly orderId: string }>()
  for (const coupon of audit.coupons.values()) {
    for (const redemption of coupon.redemptions)
      logged.set(keyOf(coupon.code, idOf('rdm_', redemption.shard, redemption.seq)), redemption)
  }
  const faults: string[] = []
  const told = new Set<string>()
  for (const { redemptionId, code, userId, orderId } of acknowledgements) {
    const key = keyOf(code, redemptionId)
    const redemption = logged.get(key)
    told.add(key)
    if (redemption === undefined) faults.push(`${redemptionId} of ${code} was acknowledged and is not in the log`)
    else if (redemption.userId !== userId || redemption.orderId !== orderId) {
      faults.push(`${redemptionId} of ${code} was acknowledged to another user or order than the log says`)
    }
  }
  if (isComplete) {
    for (const key of logged.keys()) if (!told.has(key)) faults.push(`${key} is in the log and nobody was told`)
  }
  const more = faults.length - FAULTS_KEPT_MAX
  return more > 0 ? [...faults.slice(0, FAULTS_KEPT_MAX), `and ${more} more`] : faults
}

function keyOf(code: string, redemptionId: string): string {
  return `${redemptionId} of ${code}`
}
