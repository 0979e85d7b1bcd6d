/**
 * What a part of a stacked reservation holds of budgets. It keeps what it was made with; a redemption that gives more takes
 * the rest when it is prepared, and never lets go of any before it is decided.
 *
 * Rows of a part stand in this order: what was asked for (coupons, then campaigns of coupons of other shards), and behind it
 * the campaigns of these coupons that live here.
 */
import { isCampaign } from '../../protocol/ordinals.ts'
import { budgetLeftAt, holdAmount } from './budgets.ts'
import type { ShardState } from './state.ts'

/** Nothing that has run out is let go for it. */
const NOTHING_OVERDUE_MS = 0

/** Whether what `amounts` say more than is held still fits into the budgets. One amount a thing that was asked for. */
export function fitsHeld(state: ShardState, head: number, amounts: readonly number[]): boolean {
  const more = new Map<number, number>()
  eachRaised(state, head, amounts, (row, amountMinor) => {
    const { holds } = state.tables
    const campaign = holds.ordinal.get(row)
    more.set(campaign, (more.get(campaign) ?? 0) + amountMinor - holds.amount.get(row))
  })
  for (const [campaign, moreMinor] of more) {
    if (budgetLeftAt(state, campaign, NOTHING_OVERDUE_MS) < moreMinor) return false
  }
  return true
}

/** `apply` only. */
export function raiseAmounts(state: ShardState, head: number, amounts: readonly number[]): void {
  eachRaised(state, head, amounts, (row, amountMinor) => {
    const { holds } = state.tables
    holdAmount(state, holds.ordinal.get(row), amountMinor - holds.amount.get(row))
    holds.amount.set(row, amountMinor)
  })
}

/** Rows of campaigns that hold less than they are to. */
function eachRaised(
  state: ShardState,
  head: number,
  amounts: readonly number[],
  raise: (row: number, amountMinor: number) => void,
): void {
  const { holds } = state.tables
  const bound: number[] = []
  let asked = 0
  for (let row = head; row >= 0 && amounts.length > 0; row = holds.nextHold.get(row)) {
    const ordinal = holds.ordinal.get(row)
    let amountMinor = 0
    if (asked === amounts.length) amountMinor = bound.shift() ?? 0
    else amountMinor = amounts[asked++] as number
    if (isCampaign(ordinal)) {
      if (amountMinor > holds.amount.get(row)) raise(row, amountMinor)
    } else if (state.campaignOf(ordinal) >= 0) bound.push(amountMinor)
  }
}
