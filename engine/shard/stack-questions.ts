/**
 * What a coordinator asks other shards for a call, in rounds, each known from the answers to the one before:
 *
 *     coupons ──▶ campaigns of coupons that live elsewhere ──▶ the user's day
 *
 * What lives on the coordinator itself is never asked: it is judged at the moment of the decision.
 */
import { assert } from '../../protocol/assert.ts'
import { type Bytes, bytesOf } from '../../protocol/bytes.ts'
import { COMMAND, type Command, type CouponRef, NO_SHARD, type StackCommand } from '../../protocol/commands.ts'
import type { DayAsk } from '../../protocol/daily-limit.ts'
import { EVENT } from '../../protocol/events.ts'
import type { QuoteChecks } from '../../protocol/messages.ts'
import { campaignOrdinal } from '../../protocol/ordinals.ts'
import type { Cart } from '../domain/cart.ts'
import { dayAskOf } from '../domain/daily.ts'
import { askedDays, type AskedDay, awayCampaigns, type AwayCampaign, type Told } from '../domain/stack-quotes.ts'
import type { History, ShardState } from '../domain/state.ts'

export type StackedCommand = Extract<
  Command,
  {
    readonly type:
      | typeof COMMAND.STACK
      | typeof COMMAND.REDEEM_RESERVATION
      | typeof COMMAND.EXTEND_RESERVATION
      | typeof COMMAND.VALIDATE
      | typeof COMMAND.RESERVE
      | typeof COMMAND.REDEEM
      | typeof COMMAND.CLAIM
  }
>

/** What one other shard is asked for, and the places in the call that its answers belong to. */
export interface Part {
  readonly shard: number
  /** Coupons, and behind them campaigns of coupons of other shards: first their places, then what is asked. */
  readonly places: number[]
  readonly campaignPlaces: number[]
  readonly dayPlaces: number[]
  readonly coupons: CouponRef[]
  readonly campaigns: CouponRef[]
  /** Of the campaigns. */
  readonly before: number[]
  readonly days: DayAsk[]
}

export interface Question {
  readonly parts: readonly Part[]
  /** Coupons of the call. */
  readonly count: number
  readonly user: Bytes | null
  readonly order: Bytes | null
  readonly cart: Cart | null
  readonly checks: QuoteChecks
  readonly waits: boolean
}

/** What is asked next, once the answers to the round before are there. */
export const ROUNDS = { COUPONS: 0, CAMPAIGNS: 1, DAYS: 2, DONE: 3 } as const
export type Round = (typeof ROUNDS)[keyof typeof ROUNDS]

export function isStackedCommand(command: Command): command is StackedCommand {
  switch (command.type) {
    case COMMAND.STACK:
    case COMMAND.REDEEM_RESERVATION:
    case COMMAND.EXTEND_RESERVATION:
    case COMMAND.VALIDATE:
    case COMMAND.RESERVE:
    case COMMAND.REDEEM:
    case COMMAND.CLAIM:
      return true
    default:
      return false
  }
}

/** A call whose codes all live here, as one over several shards. */
export function asStack(
  state: ShardState,
  command: Exclude<
    StackedCommand,
    { readonly type: typeof COMMAND.REDEEM_RESERVATION | typeof COMMAND.EXTEND_RESERVATION | typeof COMMAND.CLAIM }
  >,
): StackCommand {
  if (command.type === COMMAND.STACK) return command
  // A row of columns and a caller with an id name a coupon by its ordinal; the log and the answer name its code.
  const coupons = command.coupons.map(({ code, ordinal }) => ({ code: code ?? bytesOf(state.code(ordinal)), ordinal }))
  return { type: COMMAND.STACK, shards: coupons.map(() => state.shard), call: { ...command, coupons } }
}

/** What the other shards are asked for a call, to begin with. */
export function questionOf(own: number, command: StackedCommand, history: History, state: ShardState): Question {
  const parts = new Parts(own)
  switch (command.type) {
    case COMMAND.CLAIM: {
      const { user } = command
      return { parts: [], count: 1, user, order: null, cart: null, checks: 'ALL', waits: true }
    }
    case COMMAND.REDEEM_RESERVATION:
    case COMMAND.EXTEND_RESERVATION: {
      const begin = history.at(command.reservationSeq)?.event
      assert(begin?.type === EVENT.RESERVED && begin.stack !== null, 'a reservation of one shard was handed over')
      const { coupons, campaigns = [] } = begin.stack
      for (const [place, { shard, ordinal }] of coupons.entries())
        parts.askCoupon(shard, place, { code: null, ordinal })
      for (const { place, shard, ordinal } of campaigns) parts.askCampaign({ place, shard, ordinal, before: 0 })
      const redeems = command.type === COMMAND.REDEEM_RESERVATION
      return {
        parts: parts.made,
        count: coupons.length,
        user: begin.user,
        order: redeems ? command.order : null,
        cart: null,
        checks: redeems && !state.stacks.has(command.reservationSeq) ? 'LIMITS' : 'NONE',
        waits: redeems,
      }
    }
    default: {
      const { shards, call } = asStack(state, command)
      const { user, order, cart, type, coupons } = call
      for (const [place, shard] of shards.entries()) {
        if (shard !== NO_SHARD) parts.askCoupon(shard, place, coupons[place] as CouponRef)
      }
      return {
        parts: parts.made,
        count: shards.length,
        user,
        order,
        cart,
        checks: 'ALL',
        waits: type !== COMMAND.VALIDATE,
      }
    }
  }
}

/** A call as far as it has been asked about. */
export interface Asked {
  readonly command: StackedCommand
  readonly told: Told
  readonly round: Round
  readonly question: Question | null
  /** Known once the coupons are quoted. */
  away: readonly (AwayCampaign | null)[]
}

/** What is asked in the later rounds: campaigns of coupons that have been quoted, and then the user's day. */
export function nextParts(state: ShardState, asked: Asked, nowMs: number): readonly Part[] {
  const { command, told, round, question } = asked
  const parts = new Parts(state.shard)
  if (command.type === COMMAND.REDEEM_RESERVATION || command.type === COMMAND.EXTEND_RESERVATION) return parts.made
  if (round === ROUNDS.CAMPAIGNS) {
    if (command.type === COMMAND.CLAIM) return parts.made
    const { shards, call } = asStack(state, command)
    asked.away = awayCampaigns(state, { shards, coupons: call.coupons }, told.coupons)
    for (const away of asked.away) if (away !== null) parts.askCampaign(away)
    return parts.made
  }
  const user = question?.user ?? null
  if (user === null) return parts.made
  const days = daysOfCall(state, command, asked.away, told, nowMs)
  if (days.length > 0) parts.askDays(state.around.shardOfUser(user), days)
  return parts.made
}

function daysOfCall(
  state: ShardState,
  command: Exclude<
    StackedCommand,
    { readonly type: typeof COMMAND.REDEEM_RESERVATION | typeof COMMAND.EXTEND_RESERVATION }
  >,
  away: readonly (AwayCampaign | null)[],
  told: Told,
  nowMs: number,
): AskedDay[] {
  if (command.type !== COMMAND.CLAIM) {
    const { shards, call } = asStack(state, command)
    return askedDays(state, { shards, coupons: call.coupons }, away, told, nowMs)
  }
  const day = dayAskOf(state, campaignOrdinal(command.index), nowMs)
  return day === null ? [] : [{ place: 0, day }]
}

/** Questions, one a shard; what lives on this one is not asked. */
class Parts {
  readonly made: Part[] = []
  private readonly own: number

  constructor(own: number) {
    this.own = own
  }

  askCoupon(shard: number, place: number, coupon: CouponRef): void {
    const part = this.partOf(shard)
    part?.places.push(place)
    part?.coupons.push(coupon)
  }

  askCampaign({ shard, place, ordinal, before }: AwayCampaign): void {
    const part = this.partOf(shard)
    part?.campaignPlaces.push(place)
    part?.campaigns.push({ code: null, ordinal })
    // Those of the same campaign that are asked for here, the shard counts itself.
    const counted = (part?.campaigns ?? []).filter((each) => each.ordinal === ordinal).length - 1
    part?.before.push(Math.max(0, before - counted))
  }

  askDays(shard: number, days: readonly AskedDay[]): void {
    const part = this.partOf(shard)
    for (const { place, day } of days) {
      part?.dayPlaces.push(place)
      part?.days.push(day)
    }
  }

  private partOf(shard: number): Part | null {
    if (shard === this.own) return null
    let part = this.made.find((each) => each.shard === shard)
    if (part === undefined) {
      part = { shard, places: [], campaignPlaces: [], dayPlaces: [], coupons: [], campaigns: [], before: [], days: [] }
      this.made.push(part)
    }
    return part
  }
}
