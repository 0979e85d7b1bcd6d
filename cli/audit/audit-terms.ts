/**
 * Decodes what of a coupon says who may have it, how often and when. Descriptive fields (offer, merchant, category) are read
 * over: they decide nothing about who got how many.
 */
import { type AuditCursor, AuditFault } from './audit-cursor.ts'

export interface CouponTerms {
  readonly code: string
  readonly userId: string | null
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  readonly validFromMs: number | null
  readonly validUntilMs: number | null
  /** null: it stands alone. */
  readonly campaign: CampaignName | null
  readonly dailyLimit: DailyTerms | null
}

export interface DailyTerms {
  readonly perUser: number
  /** Counted over everything with this scope, on the user's shard; otherwise with the campaign. */
  readonly isOverAll: boolean
}

/** Where a campaign lives, and its number there. */
export interface CampaignName {
  readonly shard: number
  readonly campaign: number
}

const ALONE = 1
const BOUND = 2

/** With layout 1 a coupon has neither a campaign nor a limit a day. */
export function termsIn(from: AuditCursor): CouponTerms {
  const layout = from.byte()
  if (layout !== ALONE && layout !== BOUND)
    throw new AuditFault(`a coupon has the layout ${layout}; was it written by a later version?`)
  const isBound = layout === BOUND
  const code = from.text()
  const hasOffer = isBound ? from.isSaid() : true
  if (hasOffer) skipOffer(from)
  from.textOrNone()
  const userId = from.textOrNone()
  from.textOrNone()
  from.textOrNone()
  from.isSaid()
  const maxUses = from.varintOrNone()
  const maxUsesPerUser = from.varintOrNone()
  const validFromMs = from.varintOrNone()
  const validUntilMs = from.varintOrNone()
  const campaign = isBound && from.isSaid() ? { shard: from.varint(), campaign: from.varint() } : null
  const dailyLimit = isBound ? dailyIn(from) : null
  if (!hasOffer && campaign === null) throw new AuditFault(`${code} has no offer and no campaign`)
  return { code, userId, maxUses, maxUsesPerUser, validFromMs, validUntilMs, campaign, dailyLimit }
}

export function skipOffer(from: AuditCursor): void {
  for (let i = 0; i < 4; i++) from.byte()
  for (let i = 0; i < 2; i++) from.varint()
  from.textOrNone()
  for (let i = 0; i < 4; i++) from.varint()
  for (let i = 0; i < 4; i++) from.list(() => from.text())
  if (from.isSaid()) from.list(() => from.text())
  from.isSaid()
  from.varint()
}

export function dailyIn(from: AuditCursor): DailyTerms | null {
  const perUser = from.varint()
  return perUser === 0 ? null : { perUser, isOverAll: !from.isSaid() }
}
