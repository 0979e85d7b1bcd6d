/**
 * decide, for the people who make and end campaigns.
 */
import type { ChangeCampaign, CreateCampaign, SwitchCampaign } from '../../protocol/commands.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { campaignIndex, campaignOrdinal } from '../../protocol/ordinals.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { overdueAmount } from './budgets.ts'
import { consequencesOf } from './decide-coupon.ts'
import { answered, decided, type Decision, refused } from './decision.ts'
import { overdueOn, reservedAt } from './holds.ts'
import { releaseOf } from './overdue.ts'
import type { ShardState } from './state.ts'

const NOT_FOUND: Decision = refused('CAMPAIGN_NOT_FOUND', 'there is no such campaign')

export function decideGetCampaign(state: ShardState, index: number): Decision {
  return index < state.campaigns.length ? answered({ type: OUTCOME.CAMPAIGN, index }) : NOT_FOUND
}

export function decideCreateCampaign(state: ShardState, { by, definition }: CreateCampaign): Decision {
  const index = state.campaigns.length
  return decided([{ type: EVENT.CAMPAIGN_CREATED, index, by, definition }], { type: OUTCOME.CAMPAIGN, index })
}

export function decideSwitchCampaign(state: ShardState, { index, by, change }: SwitchCampaign): Decision {
  if (index >= state.campaigns.length) return NOT_FOUND
  const shown = { type: OUTCOME.CAMPAIGN, index } as const
  const isDisabled = state.tables.coupons.disabled.get(campaignOrdinal(index)) !== 0
  if (isDisabled === (change === 'DISABLED')) return answered(shown)
  return decided([{ type: EVENT.CAMPAIGN_SWITCHED, index, by, change }], shown)
}

/**
 * A changed offer holds from this instant for all unredeemed codes. Open reservations keep their price; one that would outlast
 * the campaign is bounded by it, and a campaign that ends now releases them.
 */
export function decideChangeCampaign(state: ShardState, command: ChangeCampaign, nowMs: number): Decision {
  const { index, by, definition } = command
  if (index >= state.campaigns.length) return NOT_FOUND
  const ordinal = campaignOrdinal(index)
  const version = state.tables.coupons.version.get(ordinal)
  if (version !== command.ifVersion) {
    return refused('VERSION_CONFLICT', `the campaign is at version ${version}, not ${command.ifVersion}`)
  }
  const fault = faultOf(state, ordinal, command, nowMs)
  if (fault !== null) return refused('INVALID_TRANSITION', fault)
  const events = consequencesOf(state, ordinal, definition, nowMs)
  releaseForBudget(state, ordinal, definition.budgetMinor, events, nowMs)
  events.push({ type: EVENT.CAMPAIGN_CHANGED, index, by, definition })
  return decided(events, { type: OUTCOME.CAMPAIGN, index })
}

function faultOf(state: ShardState, ordinal: number, { definition }: ChangeCampaign, nowMs: number): string | null {
  const { maxUses, budgetMinor } = definition
  const taken = state.tables.coupons.uses.get(ordinal) + reservedAt(state, ordinal, nowMs)
  if (maxUses !== null && maxUses < taken) {
    return `${taken} uses are used or reserved; maxUses cannot be ${maxUses}`
  }
  if (budgetMinor === null) return null
  const spent = loggedOf(state, ordinal) - overdueAmount(state, ordinal, nowMs)
  return budgetMinor < spent ? `${spent} of the budget is spent or reserved; budget cannot be ${budgetMinor}` : null
}

/** Spent and held, overdue holds included. */
function loggedOf(state: ShardState, ordinal: number): number {
  const { discountTotal, discountHeld } = state.tables.campaigns
  const index = campaignIndex(ordinal)
  return discountTotal.get(index) + discountHeld.get(index)
}

/** Reservations that ran out are let go where only they stand in a budget's way. */
function releaseForBudget(
  state: ShardState,
  ordinal: number,
  budgetMinor: number | null,
  events: Event[],
  nowMs: number,
): void {
  if (budgetMinor === null || loggedOf(state, ordinal) <= budgetMinor) return
  const overdue = new Set<number>()
  overdueOn(state, ordinal, nowMs, Number.POSITIVE_INFINITY, overdue)
  for (const event of events) if (event.type === EVENT.RESERVATION_RELEASED) overdue.delete(event.reservationSeq)
  for (const reservationSeq of overdue) events.push(releaseOf(state, reservationSeq, nowMs))
}
