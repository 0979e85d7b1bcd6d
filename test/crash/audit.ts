// The log on disk against the ledger, read by the audit of the command line, which shares no code with the engine.

import { auditLog } from '../../cli/audit/audit-log.ts'
import { type Ledger, Violation } from './ledger.ts'

/**
 * Throws a Violation. `isSettled`: no call is in doubt, so the log may hold nothing that was not acknowledged, and its counts
 * are the ledger's.
 */
export function auditAgainst(dataDir: string, ledger: Ledger, isSettled: boolean): void {
  const audit = auditLog(dataDir)
  if (audit.faults.length > 0) throw new Violation(`the audit of the log found: ${audit.faults.slice(0, 5).join('; ')}`)
  const logged = new Map<string, string>()
  for (const [code, { redemptions }] of audit.coupons) {
    for (const { orderId, userId, reversed } of redemptions) logged.set(`${code} ${orderId}`, `${userId} ${reversed}`)
  }
  const missing = (code: string, orderId: string, expected: string): Violation =>
    new Violation(
      `order ${orderId} on ${code} (user and reversal: ${expected}) stands in the log as ${logged.get(`${code} ${orderId}`)}`,
    )
  for (const { coupon, orderId, userId } of ledger.rows) {
    if (logged.get(`${coupon.code} ${orderId}`) !== `${userId} false`)
      throw missing(coupon.code, orderId, `${userId} false`)
  }
  for (const { coupon, orderId, userId, isReversed } of ledger.redemptions) {
    const found = logged.get(`${coupon.code} ${orderId}`)
    // A reversal whose answer was lost may be in the log before anybody was told.
    const isThere = found === `${userId} ${isReversed}` || (!isSettled && found === `${userId} true`)
    if (!isThere) throw missing(coupon.code, orderId, `${userId} ${isReversed}`)
  }
  for (const coupon of ledger.coupons) {
    const audited = audit.coupons.get(coupon.code)
    if (audited === undefined) throw new Violation(`the coupon ${coupon.code} was acknowledged and is not in the log`)
    if (isSettled && audited.uses !== ledger.uses(coupon)) {
      throw new Violation(
        `${coupon.code}: the log counts ${audited.uses} uses, ${ledger.uses(coupon)} were acknowledged`,
      )
    }
    if (coupon.maxUses !== null && audited.maxSeen > coupon.maxUses) {
      throw new Violation(
        `${coupon.code} held ${audited.maxSeen} uses at once in the log, its limit is ${coupon.maxUses}`,
      )
    }
  }
  if (isSettled && logged.size !== ledger.rows.length + ledger.redemptions.length) {
    throw new Violation(
      `the log holds ${logged.size} redemptions, ${ledger.rows.length + ledger.redemptions.length} were acknowledged`,
    )
  }
}
