/**
 * The proof of a flash sale: what one coupon's race came to, line by line, from the log and from what the buyers were told.
 */
import { type Acknowledgement, acknowledgementFaults } from './audit-acknowledgements.ts'
import type { Audit } from './audit-log.ts'

export interface Sale {
  readonly code: string
  /** What the coupon was made for. */
  readonly maxUses: number
  /** Different users that have to have got it, each once. */
  readonly winners: number
  /** Every redemption that a buyer was told of. */
  readonly acknowledgements: readonly Acknowledgement[]
}

export interface ProofLine {
  readonly isTrue: boolean
  readonly sentence: string
  /** What contradicts it. */
  readonly faults: readonly string[]
}

export function proofOf(audit: Audit, sale: Sale): ProofLine[] {
  const coupon = audit.coupons.get(sale.code)
  if (coupon === undefined) return [line(`the log knows the coupon ${sale.code}`, ['it does not'])]
  const users = new Set(coupon.redemptions.map(({ userId }) => userId))
  const got = coupon.redemptions.length
  const taken = coupon.maxSeen
  const won: string[] = []
  if (got !== sale.winners) won.push(`there are ${shown(got)} redemptions`)
  if (users.size !== got) won.push(`${shown(got)} redemptions went to ${shown(users.size)} users`)
  if (coupon.uses !== got) won.push(`the counter stands at ${shown(coupon.uses)}`)
  const limit: string[] = []
  if (coupon.maxUses !== sale.maxUses) limit.push(`the coupon was made for ${String(coupon.maxUses)}`)
  if (taken > sale.maxUses) limit.push(`at one moment ${shown(taken)} were taken`)
  const told = acknowledgementFaults(audit, sale.acknowledgements, { isComplete: true })
  return [
    line(
      `${shown(audit.records)} records are whole (check sums), ${shown(audit.events)} events follow one another (chains of hashes), and every one keeps the rules`,
      audit.faults,
    ),
    line(`exactly ${shown(sale.winners)} different users got it, each once`, won),
    line(
      `never more than ${shown(sale.maxUses)} were taken, at any point of the log (the most was ${shown(taken)})`,
      limit,
    ),
    line(
      `all ${shown(sale.acknowledgements.length)} acknowledgements that buyers saw are in the log, and no redemption that nobody was told of`,
      told,
    ),
  ]
}

function line(sentence: string, faults: readonly string[]): ProofLine {
  return { isTrue: faults.length === 0, sentence, faults }
}

function shown(value: number): string {
  return value.toLocaleString('en-US')
}
