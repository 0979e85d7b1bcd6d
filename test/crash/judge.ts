// The judge: the log on disk against what clients were told, read by the audit of the command line, which shares no code with the
// engine. It runs in a process of its own and knows nothing but the directory and the facts.
//
//     load process ──▶ facts (a file) ──▶ judge process ◀── the data directory of a server that has ended
//
// How a server ended says how much may be asked of its log:
//     settled   nothing was under way: the log holds what was acknowledged and nothing else, and no call is half done
//     stopped   it was stopped under load: what was acknowledged is there; what was not may be there too
//     killed    as stopped; of a call over several shards the others may not have heard yet, which the next start repairs

import { auditLog } from '../../cli/audit/audit-log.ts'
import { Violation } from './ledger.ts'

export type LogEnd = 'settled' | 'stopped' | 'killed'

export interface RedemptionFact {
  readonly code: string
  readonly orderId: string
  readonly userId: string
  readonly isReversed: boolean
}

export interface CouponFact {
  readonly code: string
  readonly maxUses: number | null
  readonly uses: number
}

export interface Facts {
  readonly end: LogEnd
  /** One a coupon. */
  readonly redemptions: readonly RedemptionFact[]
  readonly coupons: readonly CouponFact[]
  /** Jobs that make codes, and how many of them somebody was told of. */
  readonly jobs: readonly { readonly jobId: string; readonly made: number }[]
}

type Audit = ReturnType<typeof auditLog>

/** Throws a Violation. */
export function judge(dataDir: string, facts: Facts): void {
  const audit = auditLog(dataDir, { isSettled: facts.end === 'settled' })
  if (audit.faults.length > 0) throw new Violation(`the audit of the log found: ${audit.faults.slice(0, 5).join('; ')}`)
  judgeRedemptions(audit, facts)
  for (const coupon of facts.coupons) judgeCoupon(audit, coupon, facts.end)
  for (const { jobId, made } of facts.jobs) {
    const job = audit.jobs.get(jobId)
    if (job === undefined) throw new Violation(`${jobId} was acknowledged and is not in the log`)
    if (job.made < made) throw new Violation(`${jobId} had made ${made} codes, in the log are ${job.made}`)
  }
}

function judgeRedemptions(audit: Audit, { end, redemptions }: Facts): void {
  const logged = new Map<string, string>()
  for (const [code, { redemptions: ofCode }] of audit.coupons) {
    for (const { orderId, userId, reversed } of ofCode) logged.set(`${code} ${orderId}`, `${userId} ${reversed}`)
  }
  for (const { code, orderId, userId, isReversed } of redemptions) {
    const found = logged.get(`${code} ${orderId}`)
    // A reversal whose answer was lost may be in the log before anybody was told.
    const isThere = found === `${userId} ${isReversed}` || (end !== 'settled' && found === `${userId} true`)
    if (isThere) continue
    throw new Violation(
      `order ${orderId} on ${code} (user and reversal: ${userId} ${isReversed}) stands in the log as ${found}`,
    )
  }
  if (end === 'settled' && logged.size !== redemptions.length) {
    throw new Violation(`the log holds ${logged.size} redemptions, ${redemptions.length} were acknowledged`)
  }
}

function judgeCoupon(audit: Audit, { code, maxUses, uses }: CouponFact, end: LogEnd): void {
  const audited = audit.coupons.get(code)
  if (audited === undefined) throw new Violation(`the coupon ${code} was acknowledged and is not in the log`)
  if (end === 'settled' && audited.uses !== uses) {
    throw new Violation(`${code}: the log counts ${audited.uses} uses, ${uses} were acknowledged`)
  }
  if (maxUses !== null && audited.maxSeen > maxUses) {
    throw new Violation(`${code} held ${audited.maxSeen} uses at once in the log, its limit is ${maxUses}`)
  }
}
