/**
 * decide, for claims: one free coupon of a campaign's pool for a user, kept for a while.
 *
 * One step however large the pool is: the front of its list, or, where that is empty, what the hold that ran out first kept.
 */
import { assert } from '../../protocol/assert.ts'
import type { Bytes } from '../../protocol/bytes.ts'
import type { Claim } from '../../protocol/commands.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import { dayAskOf, daysCounted, isDayAway } from './daily.ts'
import { answered, decided, type Decision, HAND_OVER, LAST_EVENT, refused } from './decision.ts'
import { firstHoldOfUser, firstOpenHold, reservedAt } from './holds.ts'
import { type Asker, hangsOnOthers, lockWaitMs, refusalDetail, refusalOfLimits, windowRefusal } from './judge.ts'
import { isEndless, isUndecided } from './branches.ts'
import { OVERDUE_RELEASES_MAX } from './limits.ts'
import { ordinalsOf } from './open-reservation.ts'
import { releaseOf, releasesInTheWay } from './overdue.ts'
import { firstOfPool, isOfPool } from './pool.ts'
import { fullness, type StackPlan } from './stack-plan.ts'
import type { ShardState } from './state.ts'

export function decidePoolClaim(state: ShardState, { index, user }: Claim, nowMs: number): Decision {
  if (index >= state.campaigns.length) return refused('CAMPAIGN_NOT_FOUND', 'there is no such campaign')
  const campaign = campaignOrdinal(index)
  state.hashUser(user, state.userKey)
  const open = openClaim(state, campaign, nowMs)
  if (open !== 0) return answered({ type: OUTCOME.CLAIMED, seq: open, again: true })
  // Whoever is refused anyway needs no word of the shard that keeps the day.
  const refusal = refusalOfClaim(state, campaign, user, false, nowMs)
  if (refusal !== null) return refusal
  if (isDayAway(state, [campaign], user)) return answered({ type: HAND_OVER })
  const taken = nextFree(state, campaign, nowMs)
  if (taken === null) {
    return refusedFor('POOL_EMPTY', 'no coupon of the campaign is free', nextHoldMs(state, campaign, nowMs))
  }
  return decided(events(state, campaign, taken, user, nowMs), {
    type: OUTCOME.CLAIMED,
    seq: LAST_EVENT,
    again: false,
  })
}

/**
 * The same where another shard keeps the user's day, once it was asked: what is to be taken together with it.
 * `isDayFull`: it has no room.
 */
export function decideClaimOfDay(
  state: ShardState,
  { index, user }: Claim,
  isDayFull: boolean,
  nowMs: number,
): Decision | StackPlan {
  const campaign = campaignOrdinal(index)
  state.hashUser(user, state.userKey)
  const open = openClaim(state, campaign, nowMs)
  if (open !== 0) return answered({ type: OUTCOME.CLAIMED, seq: open, again: true })
  if (isBeingClaimed(state, campaign)) {
    return { ...refused('COUPON_LOCKED', 'this user claims a coupon at this moment'), hangs: true }
  }
  const refusal = refusalOfClaim(state, campaign, user, isDayFull, nowMs)
  if (refusal !== null) return refusal
  const taken = nextFree(state, campaign, nowMs)
  if (taken === null) {
    return refusedFor('POOL_EMPTY', 'no coupon of the campaign is free', nextHoldMs(state, campaign, nowMs))
  }
  const full = fullness(state)
  if (full !== null) return full
  const day = dayAskOf(state, campaign, nowMs)
  assert(day !== null, 'a claim of no day was handed over')
  const coupon = { shard: state.shard, ordinal: taken.ordinal, code: '', version: 0, heldSeq: 0 }
  return {
    redeems: false,
    reservationSeq: 0,
    reservationTxnSeq: 0,
    late: false,
    user,
    order: null,
    price: null,
    expiresAtMs: endOfClaim(state, campaign, taken.ordinal, nowMs),
    coupons: [coupon],
    campaigns: [],
    days: [day],
    dayShard: state.around.shardOfUser(user),
  }
}

/** Window, day, limits: the first that fails; null: none. */
function refusalOfClaim(
  state: ShardState,
  campaign: number,
  user: Bytes,
  isDayFull: boolean,
  nowMs: number,
): Decision | null {
  const asker: Asker = { user, cart: null, nowMs }
  const refusal =
    windowRefusal(state, campaign, state.campaign(campaign), nowMs) ??
    (isDayFull ? 'DAILY_LIMIT_REACHED' : refusalOfLimits(state, campaign, asker))
  if (refusal === null) return null
  const detail = refusalDetail(state, campaign, refusal, asker)
  const found = refusedFor(refusal, detail, waitMs(state, campaign, refusal, nowMs))
  return hangsOnOthers(state, campaign, refusal, nowMs) ? { ...found, hangs: true } : found
}

/** Whether a transaction that is still undecided takes a coupon of the campaign for the user in hand. */
function isBeingClaimed(state: ShardState, campaign: number): boolean {
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, campaign); row >= 0; row = holds.nextOfUser.get(row)) {
    const head = holds.head.get(row)
    if (isUndecided(state, head) && holds.claimSeq.get(head) === holds.txnSeq.get(head)) return true
  }
  return false
}

function refusedFor(refusal: RefusalCode, detail: string, retryAfterMs: number): Decision {
  return answered({ type: OUTCOME.REFUSED, refusal, detail, couponIndex: -1, retryAfterMs, verdicts: null })
}

/** Milliseconds until a refusal may fall away by time alone; 0: not known. */
function waitMs(state: ShardState, campaign: number, refusal: RefusalCode, nowMs: number): number {
  switch (refusal) {
    case 'COUPON_LOCKED':
      return lockWaitMs(state, campaign, nowMs)
    case 'DAILY_LIMIT_REACHED':
      return state.around.calendar.dayOf(state.campaign(campaign).timezone, nowMs).endMs - nowMs
    case 'COUPON_NOT_STARTED':
      return (state.campaign(campaign).validFromMs ?? nowMs) - nowMs
    default:
      return 0
  }
}

/** Until the hold ends that may be the first to give a coupon back; 0: there is none. */
function nextHoldMs(state: ShardState, campaign: number, nowMs: number): number {
  return firstOpenHold(state, campaign, nowMs) < 0 ? 0 : lockWaitMs(state, campaign, nowMs)
}

interface Free {
  readonly ordinal: number
  /** What has to be let go for it first. */
  readonly release: Event | null
}

/** The sequence of the user's open reservation of one coupon of this pool; 0: none. */
function openClaim(state: ShardState, campaign: number, nowMs: number): number {
  const { holds } = state.tables
  for (let row = firstHoldOfUser(state, state.userKey, campaign); row >= 0; row = holds.nextOfUser.get(row)) {
    if (holds.expiresAtMs.get(row) <= nowMs) continue
    const head = holds.head.get(row)
    if (isEndless(state, head) || holds.hasOrder.get(head) !== 0) continue
    const [ordinal, second] = ordinalsOf(state, head)
    if (ordinal !== undefined && second === undefined && isOfPool(state, ordinal)) return holds.seq.get(head)
  }
  return 0
}

function nextFree(state: ShardState, campaign: number, nowMs: number): Free | null {
  const first = firstOfPool(state, campaign)
  if (first >= 0) return { ordinal: first, release: null }
  const { coupons, holds } = state.tables
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(campaign), nowMs)
  // Reservations of several coupons, or of codes that are no part of the pool, may be among those that ran out.
  for (let looked = 0; row >= 0 && looked < OVERDUE_RELEASES_MAX; looked++) {
    const head = holds.head.get(row)
    const ordinal = ordinalsOf(state, head).find(
      (each) => state.campaignOf(each) === campaign && isOfPool(state, each) && isUsable(state, each, nowMs),
    )
    if (ordinal !== undefined) return { ordinal, release: releaseOf(state, holds.seq.get(head), nowMs) }
    row = holds.byCoupon.nextUpTo(row, nowMs)
  }
  return null
}

/** A code whose limit was raised may have been used, or be held by somebody else, beside the hold that ran out. */
function isUsable(state: ShardState, ordinal: number, nowMs: number): boolean {
  const { disabled, uses } = state.tables.coupons
  return disabled.get(ordinal) === 0 && uses.get(ordinal) === 0 && reservedAt(state, ordinal, nowMs) === 0
}

function events(state: ShardState, campaign: number, { ordinal, release }: Free, user: Bytes, nowMs: number): Event[] {
  const made = releasesInTheWay(state, [campaign], nowMs)
  if (release?.type === EVENT.RESERVATION_RELEASED) {
    const { reservationSeq } = release
    const isThere = made.some(
      (event) => event.type === EVENT.RESERVATION_RELEASED && event.reservationSeq === reservationSeq,
    )
    if (!isThere) made.push(release)
  }
  made.push(...daysCounted(state, [campaign], user, nowMs))
  const expiresAtMs = endOfClaim(state, campaign, ordinal, nowMs)
  made.push({ type: EVENT.RESERVED, ordinals: [ordinal], user, order: null, expiresAtMs, price: null, stack: null })
  return made
}

function endOfClaim(state: ShardState, campaign: number, ordinal: number, nowMs: number): number {
  const wantedMs = nowMs + state.campaign(campaign).lockSeconds * 1000
  return Math.min(wantedMs, state.endsAtMs(ordinal) ?? wantedMs)
}
