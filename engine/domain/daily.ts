/**
 * The coupon of the day: at most so many coupons a user takes a local day, by claim, lock, reservation or redemption. One that
 * was let go stays counted.
 *
 * What counts for one campaign alone is counted with it. What counts over everything (scope ALL) is counted on the shard of
 * the user.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import type { DailyLimit, DayAsk } from '../../protocol/daily-limit.ts'
import { type DayCounted, type DayTake, EVENT } from '../../protocol/events.ts'
import { isCampaign } from '../../protocol/ordinals.ts'
import { pendingInDay, takenInDay } from './days-taken.ts'
import type { ShardState } from './state.ts'

/** What DAY_COUNTED names for everything with scope ALL. */
export const OVER_ALL = -1

const UTC = 'UTC'

interface Counted {
  readonly daily: DailyLimit
  /** Ordinal of the campaign, or of the coupon where that stands alone; OVER_ALL. */
  readonly limit: number
  readonly timezone: string
}

/** The limit a day that a coupon or a campaign of this shard counts for; null: none. */
export function dailyLimitOf(state: ShardState, ordinal: number): Counted | null {
  const campaign = isCampaign(ordinal) ? ordinal : state.campaignOf(ordinal)
  const own = isCampaign(ordinal) ? null : state.definition(ordinal).dailyLimit
  const daily = own ?? (campaign < 0 ? null : state.campaign(campaign).dailyLimit)
  if (daily === null) return null
  const timezone = campaign < 0 ? UTC : state.campaign(campaign).timezone
  const limit = daily.scope === 'ALL' ? OVER_ALL : campaign < 0 ? ordinal : campaign
  return { daily, limit, timezone }
}

/** Whether the user in hand has taken as many coupons as today allows. `before`: what codes earlier in the call take. */
export function isBeyondDay(
  state: ShardState,
  ordinal: number,
  { user, nowMs }: { readonly user: Bytes | null; readonly nowMs: number },
  before: number,
): boolean {
  const counted = user === null ? null : dailyLimitOf(state, ordinal)
  if (counted === null || user === null || !isCountedHere(state, counted, user)) return false
  const { startMs } = state.around.calendar.dayOf(counted.timezone, nowMs)
  return takenInDay(state, counted.limit, startMs) + before >= counted.daily.perUser
}

/** How many of the codes before the one at `index` count for the same limit and day. */
export function ofSameDay(state: ShardState, ordinals: readonly number[], index: number, nowMs: number): number {
  const its = index === 0 ? null : countedDay(state, ordinals[index] as number, nowMs)
  let count = 0
  for (let i = 0; its !== null && i < index; i++) {
    const other = countedDay(state, ordinals[i] as number, nowMs)
    if (other !== null && other.limit === its.limit && other.dayStartMs === its.dayStartMs) count++
  }
  return count
}

/** Whether a refusal for the day may fall away: what undecided transactions have counted for the user in hand is in the way. */
export function isDayInDoubt(state: ShardState, ordinal: number, nowMs: number): boolean {
  const day = countedDay(state, ordinal, nowMs)
  return day !== null && pendingInDay(state, day.limit, day.dayStartMs) > 0
}

/** The events that count coupons which are taken now, one a limit and day. */
export function daysCounted(state: ShardState, ordinals: readonly number[], user: Bytes, nowMs: number): DayCounted[] {
  return takesOf(state, ordinals, nowMs, (counted) => isCountedHere(state, counted, user)).map((take) => ({
    type: EVENT.DAY_COUNTED,
    user,
    ...take,
  }))
}

/** What a part of a transaction counts here: its own coupons and campaigns, and what it is asked for over everything. */
export function daysOfBranch(
  state: ShardState,
  ordinals: readonly number[],
  asked: readonly DayAsk[],
  nowMs: number,
): DayTake[] {
  const takes = takesOf(state, ordinals, nowMs, ({ limit }) => limit !== OVER_ALL)
  for (const { startMs, endMs } of asked) addTake(takes, { limit: OVER_ALL, dayStartMs: startMs, dayEndMs: endMs })
  return takes
}

/** Whether one of the coupons counts for a day that another shard keeps. */
export function isDayAway(state: ShardState, ordinals: readonly number[], user: Bytes): boolean {
  return ordinals.some((ordinal) => {
    const counted = ordinal < 0 ? null : dailyLimitOf(state, ordinal)
    return counted !== null && !isCountedHere(state, counted, user)
  })
}

/** What a coupon or campaign asks of the shard of its user; null: it does not count over everything. */
export function dayAskOf(state: ShardState, ordinal: number, nowMs: number): DayAsk | null {
  const counted = dailyLimitOf(state, ordinal)
  if (counted?.limit !== OVER_ALL) return null
  const { startMs, endMs } = state.around.calendar.dayOf(counted.timezone, nowMs)
  return { perUser: counted.daily.perUser, startMs, endMs }
}

export interface DayVerdict {
  readonly isBeyond: boolean
  /** What undecided transactions have counted is in the way. */
  readonly isInDoubt: boolean
}

/** On the shard of the user in hand: whether each of these coupons still fits into its day, those before it counted. */
export function dayVerdicts(state: ShardState, days: readonly DayAsk[]): DayVerdict[] {
  return days.map(({ perUser, startMs }, i) => {
    let wanted = 1
    for (let j = 0; j < i; j++) if (days[j]?.startMs === startMs) wanted++
    const taken = takenInDay(state, OVER_ALL, startMs)
    const isBeyond = taken + wanted > perUser
    return { isBeyond, isInDoubt: isBeyond && taken - pendingInDay(state, OVER_ALL, startMs) + wanted <= perUser }
  })
}

function isCountedHere(state: ShardState, { limit }: Counted, user: Bytes): boolean {
  return limit !== OVER_ALL || state.around.shardOfUser(user) === state.shard
}

type Day = Pick<DayTake, 'limit' | 'dayStartMs' | 'dayEndMs'>

function countedDay(state: ShardState, ordinal: number, nowMs: number): Day | null {
  const counted = ordinal < 0 ? null : dailyLimitOf(state, ordinal)
  if (counted === null) return null
  const { startMs, endMs } = state.around.calendar.dayOf(counted.timezone, nowMs)
  return { limit: counted.limit, dayStartMs: startMs, dayEndMs: endMs }
}

function takesOf(
  state: ShardState,
  ordinals: readonly number[],
  nowMs: number,
  isWanted: (counted: Counted) => boolean,
): DayTake[] {
  const takes: DayTake[] = []
  for (const ordinal of ordinals) {
    const counted = dailyLimitOf(state, ordinal)
    if (counted === null || !isWanted(counted)) continue
    const { startMs, endMs } = state.around.calendar.dayOf(counted.timezone, nowMs)
    addTake(takes, { limit: counted.limit, dayStartMs: startMs, dayEndMs: endMs })
  }
  return takes
}

function addTake(takes: DayTake[], day: Day): void {
  const at = takes.findIndex(({ limit, dayStartMs }) => limit === day.limit && dayStartMs === day.dayStartMs)
  if (at < 0) takes.push({ ...day, count: 1 })
  else takes[at] = { ...day, count: (takes[at] as DayTake).count + 1 }
}
