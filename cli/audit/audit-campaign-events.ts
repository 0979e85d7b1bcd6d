/**
 * Decodes what a log says of campaigns, of jobs and the codes they make, and of days, as docs/formats/events.md describes it.
 */
import { type AuditCursor, AuditFault } from './audit-cursor.ts'
import { type CouponTerms, type DailyTerms, dailyIn, skipOffer, termsIn } from './audit-terms.ts'

export interface CampaignTerms {
  readonly name: string
  readonly validFromMs: number | null
  readonly validUntilMs: number | null
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  readonly budgetMinor: number | null
  readonly dailyLimit: DailyTerms | null
}

/** Of a job that makes codes; null: an import. */
export interface CodesPlanRead {
  readonly count: number
  readonly length: number
  readonly prefix: string
  readonly isPool: boolean
  readonly terms: CouponTerms
  readonly userIds: readonly string[]
}

/** Coupons that a user takes of a local day, [startMs, endMs). */
export interface DayRead {
  /** null: over everything. */
  readonly limit: number | null
  readonly startMs: number
  readonly endMs: number
  readonly count: number
}

export const JOB_ENDS = ['SUCCEEDED', 'FAILED', 'CANCELLED'] as const

export type CampaignEventRead =
  | { readonly kind: 'campaignCreated'; readonly campaign: number; readonly terms: CampaignTerms }
  | { readonly kind: 'campaignChanged'; readonly campaign: number; readonly terms: CampaignTerms }
  | { readonly kind: 'campaignSwitched'; readonly campaign: number; readonly isEnabled: boolean }
  | { readonly kind: 'campaignWindowPassed'; readonly campaign: number }
  | { readonly kind: 'jobStarted'; readonly plan: CodesPlanRead | null }
  | {
      readonly kind: 'codesMade'
      readonly job: number
      readonly firstCode: number
      readonly count: number
      readonly letters: string
    }
  | {
      readonly kind: 'jobProgressed'
      readonly job: number
      readonly processed: number
      readonly failed: number
      readonly place: number
    }
  | { readonly kind: 'jobEnded'; readonly job: number; readonly end: (typeof JOB_ENDS)[number] }
  | { readonly kind: 'dayCounted'; readonly userId: string; readonly day: DayRead }
  | { readonly kind: 'batchWindowPassed'; readonly job: number }

const CAMPAIGN_LAYOUT = 1
const IMPORT = 2
const FORMATS_MAX = 1
const DISTRIBUTIONS_MAX = 1

/** Types 28 to 37, behind the type; null: another type. */
export function campaignEventIn(type: number, from: AuditCursor): CampaignEventRead | null {
  switch (type) {
    case 28:
    case 29: {
      const campaign = from.varint()
      from.textOrNone()
      return { kind: type === 28 ? 'campaignCreated' : 'campaignChanged', campaign, terms: campaignTermsIn(from) }
    }
    case 30: {
      const campaign = from.varint()
      from.textOrNone()
      return { kind: 'campaignSwitched', campaign, isEnabled: !from.isSaid() }
    }
    case 31: {
      const campaign = from.varint()
      from.isSaid()
      return { kind: 'campaignWindowPassed', campaign }
    }
    case 32:
      from.textOrNone()
      return { kind: 'jobStarted', plan: planIn(from) }
    case 33: {
      const job = from.varint()
      const firstCode = from.varint()
      return { kind: 'codesMade', job, firstCode, count: from.varint(), letters: from.text() }
    }
    case 34: {
      const job = from.varint()
      const processed = from.varint()
      const failed = from.varint()
      from.varint()
      const place = from.varint()
      from.list(() => {
        from.varint()
        from.text()
        from.text()
      })
      return { kind: 'jobProgressed', job, processed, failed, place }
    }
    case 35: {
      const job = from.varint()
      const end = JOB_ENDS[from.byte()]
      if (end === undefined) throw new AuditFault('a job ends in an unknown way')
      from.textOrNone()
      return { kind: 'jobEnded', job, end }
    }
    case 36: {
      const userId = from.text()
      return { kind: 'dayCounted', userId, day: dayIn(from) }
    }
    case 37: {
      const job = from.varint()
      from.isSaid()
      return { kind: 'batchWindowPassed', job }
    }
    default:
      return null
  }
}

/** 0 stands for everything, otherwise the limit is one less. */
export function dayIn(from: AuditCursor): DayRead {
  const limit = from.varintOrNone()
  const startMs = from.varint()
  const endMs = from.varint()
  return { limit, startMs, endMs, count: from.varint() }
}

function campaignTermsIn(from: AuditCursor): CampaignTerms {
  const layout = from.byte()
  if (layout !== CAMPAIGN_LAYOUT)
    throw new AuditFault(`a campaign has the layout ${layout}; was it written by a later version?`)
  const name = from.text()
  skipOffer(from)
  from.textOrNone()
  from.isSaid()
  const validFromMs = from.varintOrNone()
  const validUntilMs = from.varintOrNone()
  from.text()
  const maxUses = from.varintOrNone()
  const maxUsesPerUser = from.varintOrNone()
  const budgetMinor = from.varintOrNone()
  const dailyLimit = dailyIn(from)
  from.varint()
  from.varint()
  return { name, validFromMs, validUntilMs, maxUses, maxUsesPerUser, budgetMinor, dailyLimit }
}

function planIn(from: AuditCursor): CodesPlanRead | null {
  const kind = from.byte()
  if (kind > IMPORT) throw new AuditFault(`a job has the unknown kind ${kind}`)
  if (kind === IMPORT) {
    if (from.byte() > FORMATS_MAX) throw new AuditFault('an import has an unknown format')
    from.text()
    from.varint()
    return null
  }
  const count = from.varint()
  const length = from.varint()
  const prefix = from.text()
  const distribution = from.byte()
  if (distribution > DISTRIBUTIONS_MAX) throw new AuditFault('a job distributes its codes in an unknown way')
  const terms = termsIn(from)
  const userIds = from.list(() => from.text())
  return { count, length, prefix, isPool: distribution === 0, terms, userIds }
}
