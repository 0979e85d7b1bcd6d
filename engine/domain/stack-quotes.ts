/**
 * The quotes of a call over several shards, put together: a coupon's own with that of its campaign, where that lives on
 * another shard, and with what the shard of the user says of its day.
 *
 *     coupons ──▶ their campaigns elsewhere ──▶ the user's day        what is asked, in this order, as each says what is next
 *
 * Everything of this shard is judged anew whenever it is looked at; what others have said stands in `Told`.
 */
import type { CouponRef } from '../../protocol/commands.ts'
import type { DayAsk } from '../../protocol/daily-limit.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import type { Quote, QuotedRules, Verdict } from '../../protocol/outcomes.ts'
import { REFUSALS, type RefusalCode } from '../../protocol/refusals.ts'
import { overBudget } from './budgets.ts'
import type { Combination } from './combine.ts'
import { dayAskOf, dayVerdicts, ofSameDay } from './daily.ts'
import { resolve } from './decision.ts'
import { type Asker, hangsOnOthers } from './judge.ts'
import { NO_SUCH_COUPON, ofSameCampaign, quoteOf } from './quote.ts'
import type { ShardState } from './state.ts'

/** What other shards have said of a call: by place of the coupon in it. */
export interface Told {
  /** null: not asked, for it lives here or nowhere. */
  readonly coupons: readonly (Quote | null)[]
  /** Of the coupon's campaign; null: not asked. */
  readonly campaigns: readonly (Quote | null)[]
  /** Whether the user's day has no room for the coupon; undefined: not asked. */
  readonly fullDays: readonly (boolean | undefined)[]
}

/** A campaign that lives on another shard than its coupon. */
export interface AwayCampaign {
  /** Of the coupon, in the call. */
  readonly place: number
  readonly shard: number
  /** On its shard. */
  readonly ordinal: number
  /** Uses of it that other codes of the call take first. */
  readonly before: number
}

/** The coupons of a call, wherever they live. */
export interface CalledCoupons {
  /** One a coupon. */
  readonly shards: readonly number[]
  readonly coupons: readonly CouponRef[]
}

/** One a place; null: its campaign lives with it, or it has none. */
export function awayCampaigns(
  state: ShardState,
  { shards, coupons }: CalledCoupons,
  told: readonly (Quote | null)[],
): (AwayCampaign | null)[] {
  const campaigns = shards.map((shard, i) => {
    if (shard !== state.shard) return told[i]?.rules?.campaign ?? null
    const ordinal = resolve(state, coupons[i] as CouponRef)
    return ordinal < 0 ? null : state.definition(ordinal).campaign
  })
  return campaigns.map((its, place) => {
    if (its === null || its.shard === shards[place]) return null
    let before = 0
    for (const [i, other] of campaigns.entries()) {
      const isSame = other !== null && other.shard === its.shard && other.index === its.index
      if (isSame && (i < place || shards[i] === its.shard)) before++
    }
    return { place, shard: its.shard, ordinal: campaignOrdinal(its.index), before }
  })
}

/** A coupon of a call that counts for a day over everything. */
export interface AskedDay {
  readonly place: number
  readonly day: DayAsk
}

export function askedDays(
  state: ShardState,
  called: CalledCoupons,
  away: readonly (AwayCampaign | null)[],
  told: Pick<Told, 'coupons' | 'campaigns'>,
  nowMs: number,
): AskedDay[] {
  const asked: AskedDay[] = []
  for (const [place, shard] of called.shards.entries()) {
    let day: DayAsk | null
    if (shard === state.shard) {
      const ordinal = resolve(state, called.coupons[place] as CouponRef)
      day = ordinal < 0 ? null : dayAskOf(state, ordinal, nowMs)
    } else {
      day = told.coupons[place]?.rules?.day ?? null
    }
    const campaign = away[place] ?? null
    if (day === null && campaign !== null) {
      const isHere = campaign.shard === state.shard
      day = isHere ? dayAskOf(state, campaign.ordinal, nowMs) : (told.campaigns[place]?.rules?.day ?? null)
    }
    if (day !== null) asked.push({ place, day })
  }
  return asked
}

/** A call as it can be judged at this moment. */
export interface QuotedCall {
  /** One a coupon, everything about it put together. */
  readonly quotes: readonly Quote[]
  /** One a coupon; null: its campaign lives with it, or it has none. */
  readonly away: readonly (AwayCampaign | null)[]
  /** Of the rules of these campaigns. */
  readonly campaignVersions: readonly number[]
  readonly days: readonly AskedDay[]
  /** Where they are counted; -1: nowhere. */
  readonly dayShard: number
  /** Places that are refused for something of this shard that may fall away in a moment. */
  readonly hanging: readonly boolean[]
}

export function quotedCall(state: ShardState, called: CalledCoupons, told: Told, asker: Asker): QuotedCall {
  const { shards, coupons } = called
  const away = awayCampaigns(state, called, told.coupons)
  const days = asker.user === null ? [] : askedDays(state, called, away, told, asker.nowMs)
  const dayShard = asker.user === null || days.length === 0 ? -1 : state.around.shardOfUser(asker.user)
  const own: number[] = []
  const hanging: boolean[] = []
  const hangs = (ordinal: number, { refusal }: Quote): boolean =>
    ordinal >= 0 && refusal !== null && hangsOnOthers(state, ordinal, refusal, asker.nowMs)
  const campaignVersions: number[] = []
  const quotes = shards.map((shard, place): Quote => {
    let quote = told.coupons[place] ?? NO_SUCH_COUPON
    let isHanging = false
    if (shard === state.shard) {
      const ordinal = resolve(state, coupons[place] as CouponRef)
      own.push(ordinal)
      const before = ofSameCampaign(state, own, own.length - 1)
      quote = quoteOf(state, ordinal, asker, before, ofSameDay(state, own, own.length - 1, asker.nowMs))
      isHanging = hangs(ordinal, quote)
    }
    const campaign = away[place] ?? null
    if (campaign !== null) {
      const isHere = campaign.shard === state.shard
      const its = isHere ? quoteOf(state, campaign.ordinal, asker, campaign.before) : (told.campaigns[place] ?? null)
      const isFirst = its !== null && isBefore(its.refusal, quote.refusal)
      if (isFirst) isHanging = isHere && hangs(campaign.ordinal, its)
      campaignVersions[place] = its?.rules?.version ?? 0
      quote = withCampaign(quote, its)
    }
    hanging.push(isHanging)
    return quote
  })
  const verdicts =
    dayShard === state.shard
      ? dayVerdicts(
          state,
          days.map(({ day }) => day),
        )
      : null
  for (const [i, { place }] of days.entries()) {
    const quote = quotes[place] as Quote
    const isFull = verdicts === null ? told.fullDays[place] === true : verdicts[i]?.isBeyond === true
    if (!isFull || !isBefore('DAILY_LIMIT_REACHED', quote.refusal)) continue
    quotes[place] = { ...quote, refusal: 'DAILY_LIMIT_REACHED', detail: DAY_DETAIL, retryAfterMs: 0 }
    hanging[place] = verdicts?.[i]?.isInDoubt === true
  }
  return { quotes, away, campaignVersions, days, dayShard, hanging }
}

const DAY_DETAIL = 'this user has taken as many coupons as a local day allows'

/** A coupon's quote with that of its campaign, which lives elsewhere: the first failing check of both, and the rules of both. */
export function withCampaign(own: Quote, campaign: Quote | null): Quote {
  if (own.rules === null) return own
  // It was not there when the others were asked.
  if (campaign === null || campaign.rules === null) return NO_SUCH_COUPON
  const { refusal, detail, retryAfterMs } = isBefore(campaign.refusal, own.refusal) ? campaign : own
  return { ordinal: own.ordinal, refusal, detail, retryAfterMs, rules: rulesOfBoth(own.rules, campaign.rules) }
}

function rulesOfBoth(own: QuotedRules, campaign: QuotedRules): QuotedRules {
  const ends = [own.validUntilMs, campaign.validUntilMs].filter((endMs) => endMs !== null)
  return {
    version: own.version,
    updatedAtMs: Math.max(own.updatedAtMs, campaign.updatedAtMs),
    validUntilMs: ends.length === 0 ? null : Math.min(...ends),
    offer: own.offer ?? campaign.offer,
    campaign: own.campaign,
    day: own.day ?? campaign.day,
    budgetLeftMinor: campaign.budgetLeftMinor,
  }
}

/** Check by check: whether a refusal comes first. */
function isBefore(refusal: RefusalCode | null, other: RefusalCode | null): boolean {
  if (refusal === null) return false
  return other === null || REFUSALS[refusal].rank < REFUSALS[other].rank
}

/**
 * Refuses coupons whose discount no longer fits into what is left of their campaign's budget, as it was quoted. `heldAmounts`:
 * what an open reservation was made with, one a coupon.
 */
export function withinQuotedBudgets(
  combination: Combination,
  quotes: readonly Quote[],
  heldAmounts: readonly number[] = [],
): Combination {
  const { price } = combination
  if (price === null || quotes.every(({ rules }) => (rules?.budgetLeftMinor ?? null) === null)) return combination
  const left = new Map<string, number>()
  let verdicts: Verdict[] | null = null
  for (const [i, { rules }] of quotes.entries()) {
    const campaign = rules?.campaign ?? null
    const budgetLeftMinor = rules?.budgetLeftMinor ?? null
    if (campaign === null || budgetLeftMinor === null) continue
    const name = `${campaign.shard}:${campaign.index}`
    const more = Math.max(0, (price.amounts[i] as number) - (heldAmounts[i] ?? 0))
    const after = (left.get(name) ?? budgetLeftMinor) - more
    left.set(name, after)
    // One that was refused before is refused for that.
    if (after >= 0 || combination.verdicts[i]?.refusal !== null) continue
    verdicts ??= [...combination.verdicts]
    verdicts[i] = overBudget(verdicts[i] as Verdict)
  }
  return verdicts === null ? combination : { verdicts, price: null }
}
