/**
 * The checks of the contract on a campaign, for one of its codes or for a claim: its window, what a user may take a day and of all
 * its codes, its uses, its budget, its pool. Beside the rule book, like `checks.ts`.
 */
import { budgetLeftAt } from '../../engine/domain/budgets.ts'
import { dailyLimitOf, OVER_ALL } from '../../engine/domain/daily.ts'
import { takenInDay } from '../../engine/domain/days-taken.ts'
import { priceFact } from '../../engine/domain/price-fact.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { campaignIndex } from '../../protocol/ordinals.ts'
import { shownTime } from '../rebuild/positions.ts'
import { type Check, failed, limitChecks, passed, type Question, userLimitChecks, windowChecks } from './checks.ts'

/** Of the campaign behind a coupon, in the order in which they come behind those of the coupon; none where it has none here. */
export function campaignChecks(state: ShardState, ordinal: number, question: Question): readonly Check[] {
  const campaign = state.campaignOf(ordinal)
  if (campaign < 0) return []
  return [
    ...userLimitChecks(state, campaign, state.campaign(campaign), question).map(ofCampaign),
    ...usesChecks(state, campaign, question.nowMs),
    ...budgetChecks(state, ordinal, campaign, question),
  ]
}

/** Whether it is on, begun, and not over. */
export function campaignWindowChecks(state: ShardState, ordinal: number, nowMs: number): readonly Check[] {
  const campaign = state.campaignOf(ordinal)
  if (campaign < 0) return []
  return windowChecks(state, campaign, state.campaign(campaign), nowMs).map(ofCampaign)
}

/** What a user has taken of the day, as this shard counts it. */
export function dayChecks(state: ShardState, ordinal: number, { user, nowMs }: Question): readonly Check[] {
  const counted = user === null ? null : dailyLimitOf(state, ordinal)
  if (counted === null || user === null) return []
  const name = bytesOf(user)
  const { perUser } = counted.daily
  if (counted.limit === OVER_ALL && state.around.shardOfUser(name) !== state.shard) {
    const fact = `${perUser} a day over everything; counted on shard ${state.around.shardOfUser(name)}`
    return [passed('DAILY_LIMIT_REACHED', fact)]
  }
  state.hashUser(name, state.userKey)
  const { startMs, endMs } = state.around.calendar.dayOf(counted.timezone, nowMs)
  const taken = takenInDay(state, counted.limit, startMs)
  const fact = `this user has taken ${taken} since ${shownTime(startMs)}, the limit a day is ${perUser}`
  return [
    taken < perUser
      ? passed('DAILY_LIMIT_REACHED', fact)
      : failed(
          'DAILY_LIMIT_REACHED',
          fact,
          `after ${shownTime(endMs)}, when the next day of ${counted.timezone} begins`,
        ),
  ]
}

/** Of a claim. */
export function claimChecks(state: ShardState, campaign: number, question: Question): readonly Check[] {
  const size = state.tables.campaigns.poolSize.get(campaignIndex(campaign))
  const pool = `${size} coupons of the pool are free`
  return [
    ...windowChecks(state, campaign, state.campaign(campaign), question.nowMs),
    ...dayChecks(state, campaign, question),
    ...userLimitChecks(state, campaign, state.campaign(campaign), question),
    ...usesChecks(state, campaign, question.nowMs),
    size > 0
      ? passed('POOL_EMPTY', pool)
      : failed('POOL_EMPTY', pool, 'once there are more codes, or a claim runs out or is released'),
  ]
}

function usesChecks(state: ShardState, campaign: number, nowMs: number): readonly Check[] {
  const checks = limitChecks(state, campaign, state.campaign(campaign), nowMs)
  return checks.map((check) => {
    return ofCampaign(check.check === 'COUPON_EXHAUSTED' ? { ...check, check: 'CAMPAIGN_EXHAUSTED' } : check)
  })
}

function budgetChecks(state: ShardState, ordinal: number, campaign: number, { cart, nowMs }: Question): Check[] {
  const { budgetMinor, offer } = state.campaign(campaign)
  if (budgetMinor === null) return []
  const left = budgetLeftAt(state, campaign, nowMs)
  const fact = `the campaign: ${left} of its budget of ${budgetMinor} are left`
  if (cart === null) return [passed('BUDGET_EXHAUSTED', fact)]
  const [gives = 0] = priceFact(cart, [state.offer(ordinal) ?? offer]).amounts
  const both = `${fact}, this coupon alone would give ${gives}`
  if (gives <= left) return [passed('BUDGET_EXHAUSTED', both)]
  return [failed('BUDGET_EXHAUSTED', both, 'with a higher budget, a smaller cart, or after a reversal or release')]
}

function ofCampaign(check: Check): Check {
  return { ...check, fact: `the campaign: ${check.fact}` }
}
