/**
 * Budgets: the sum of all discounts of a campaign never exceeds its own. What a reservation may still take is held, like a use.
 */
import { assert } from '../../protocol/assert.ts'
import { campaignIndex, isCampaign } from '../../protocol/ordinals.ts'
import type { Verdict } from '../../protocol/outcomes.ts'
import type { Combination } from './combine.ts'
import type { ShardState } from './state.ts'

/** What a call takes from one campaign of this shard. */
export interface CampaignTake {
  readonly ordinal: number
  uses: number
  amountMinor: number
}

/** The sentence beside the refusal. */
export const OVER_BUDGET_DETAIL = 'what is left of the campaign’s budget is less than this discount'

const NOTHING: readonly CampaignTake[] = []
const NO_AMOUNTS: readonly number[] = []

/** The campaigns of this shard behind these coupons, each once. `amounts`: what each coupon gives; empty: not known. */
export function campaignTakes(
  state: ShardState,
  ordinals: readonly number[],
  amounts: readonly number[],
): readonly CampaignTake[] {
  if (state.campaigns.length === 0) return NOTHING
  const takes: CampaignTake[] = []
  for (let i = 0; i < ordinals.length; i++) {
    const ordinal = ordinals[i] as number
    const campaign = isCampaign(ordinal) ? ordinal : state.campaignOf(ordinal)
    if (campaign < 0) continue
    const amountMinor = amounts[i] ?? 0
    const take = takes.find((each) => each.ordinal === campaign)
    if (take === undefined) takes.push({ ordinal: campaign, uses: 1, amountMinor })
    else {
      take.uses++
      take.amountMinor += amountMinor
    }
  }
  return takes
}

/** The amounts of coupons, where one of them counts against a campaign of this shard; otherwise none, and nothing is logged. */
export function amountsForBudgets(
  state: ShardState,
  ordinals: readonly number[],
  amounts: readonly number[],
): readonly number[] {
  return campaignTakes(state, ordinals, amounts).length === 0 ? NO_AMOUNTS : amounts
}

/** What is left of a campaign's budget at `nowMs`, overdue holds left out; infinite where it has none. */
export function budgetLeftAt(state: ShardState, campaign: number, nowMs: number): number {
  const { budgetMinor } = state.campaign(campaign)
  if (budgetMinor === null) return Number.POSITIVE_INFINITY
  const { discountTotal, discountHeld } = state.tables.campaigns
  const index = campaignIndex(campaign)
  return budgetMinor - discountTotal.get(index) - discountHeld.get(index) + overdueAmount(state, campaign, nowMs)
}

/** Whether a discount fits. Overdue holds, a step each, are counted only where they decide. */
export function fitsBudget(state: ShardState, campaign: number, wantedMinor: number, nowMs: number): boolean {
  const { budgetMinor } = state.campaign(campaign)
  if (budgetMinor === null) return true
  const { discountTotal, discountHeld } = state.tables.campaigns
  const index = campaignIndex(campaign)
  if (discountTotal.get(index) + discountHeld.get(index) + wantedMinor <= budgetMinor) return true
  return wantedMinor <= budgetLeftAt(state, campaign, nowMs)
}

/** What overdue holds, whose release is not logged yet, still have of a budget. */
export function overdueAmount(state: ShardState, campaign: number, nowMs: number): number {
  const { coupons, holds } = state.tables
  let amount = 0
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(campaign), nowMs)
  for (; row >= 0; row = holds.byCoupon.nextUpTo(row, nowMs)) amount += holds.amount.get(row)
  return amount
}

/**
 * Refuses coupons whose discount no longer fits into their campaign's budget. `heldAmounts`: what an open reservation holds
 * of it already, one a coupon.
 */
export function withinBudgets(
  state: ShardState,
  combination: Combination,
  ordinals: readonly number[],
  nowMs: number,
  heldAmounts: readonly number[] = [],
): Combination {
  const { price } = combination
  if (price === null || state.campaigns.length === 0) return combination
  const left = new Map<number, number>()
  let verdicts: Verdict[] | null = null
  for (const [i, ordinal] of ordinals.entries()) {
    const campaign = state.campaignOf(ordinal)
    if (campaign < 0) continue
    const before =
      left.get(campaign) ?? budgetLeftAt(state, campaign, nowMs) + heldOf(state, campaign, ordinals, heldAmounts)
    const after = before - (price.amounts[i] as number)
    left.set(campaign, after)
    if (after >= 0) continue
    verdicts ??= [...combination.verdicts]
    verdicts[i] = overBudget(verdicts[i] as Verdict)
  }
  return verdicts === null ? combination : { verdicts, price: null }
}

/** One code may take what the reservation held for another of the same campaign. */
function heldOf(
  state: ShardState,
  campaign: number,
  ordinals: readonly number[],
  heldAmounts: readonly number[],
): number {
  let held = 0
  for (let i = 0; i < heldAmounts.length; i++) {
    if (state.campaignOf(ordinals[i] as number) === campaign) held += heldAmounts[i] as number
  }
  return held
}

export function overBudget({ ordinal }: Verdict): Verdict {
  return { ordinal, refusal: 'BUDGET_EXHAUSTED', detail: OVER_BUDGET_DETAIL, amountMinor: null }
}

/** Counts a discount; `apply` only. */
export function spend(state: ShardState, campaign: number, amountMinor: number): void {
  const { discountTotal, discountHeld } = state.tables.campaigns
  const index = campaignIndex(campaign)
  const total = discountTotal.get(index) + amountMinor
  assert(total >= 0, 'discounts of a campaign fell below zero')
  discountTotal.set(index, total)
  const { budgetMinor } = state.campaign(campaign)
  if (budgetMinor !== null && amountMinor > 0) {
    assert(total + discountHeld.get(index) <= budgetMinor, 'a campaign was used beyond its budget')
  }
}

/** Holds more of a budget, or less; `apply` only. */
export function holdAmount(state: ShardState, campaign: number, moreMinor: number): void {
  const { discountTotal, discountHeld } = state.tables.campaigns
  const index = campaignIndex(campaign)
  const held = discountHeld.get(index) + moreMinor
  assert(held >= 0, 'held discounts of a campaign fell below zero')
  discountHeld.set(index, held)
  const { budgetMinor } = state.campaign(campaign)
  if (budgetMinor !== null && moreMinor > 0) {
    assert(held + discountTotal.get(index) <= budgetMinor, 'a campaign was reserved beyond its budget')
  }
}
