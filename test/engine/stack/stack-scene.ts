/** Coupons on several shards with a few words to tell a story on them. `A0` lives on shard 0, `B1` on shard 1. */
import { UTC_DAYS } from '../../../engine/domain/calendar.ts'
import type { Cart } from '../../../engine/domain/cart.ts'
import { OVER_ALL } from '../../../engine/domain/daily.ts'
import { takenInDay } from '../../../engine/domain/days-taken.ts'
import { bytesOf } from '../../../protocol/bytes.ts'
import { COMMAND, type Command, NO_SHARD } from '../../../protocol/commands.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CampaignRef, CouponDefinition } from '../../../protocol/coupon.ts'
import { EVENT } from '../../../protocol/events.ts'
import type { Message } from '../../../protocol/messages.ts'
import { type CampaignOutcome, type CouponOutcome, OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { SETTLED } from '../../../engine/transport/port.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, total } from '../support/samples.ts'
import { brief, type Buying, type Terms } from '../support/scene.ts'
import { campaignWith, type CampaignTerms, codesPlan, couponOf } from '../support/campaign-scene.ts'
import { type ClusterCall, dayShardOf, ShardCluster } from '../support/shard-cluster.ts'

/** The shard that a code of these tests lives on: its last figure. */
export function shardOf(code: string): number {
  return Number(code[code.length - 1])
}

/** The command of a checkout call as the gateway makes it: of several shards, for the lowest of them. */
export function stacked(command: AnyCommand, codes: readonly string[]): { shard: number; command: AnyCommand } {
  const shards = codes.map((code) => (code.startsWith('X') ? NO_SHARD : shardOf(code)))
  const lowest = Math.min(...shards)
  if (shards.every((shard) => shard === lowest)) return { shard: lowest, command }
  return { shard: lowest, command: { type: COMMAND.STACK, shards, call: command } as AnyCommand }
}

export interface MadeId {
  readonly shard: number
  readonly seq: number
}

export class StackScene {
  readonly cluster: ShardCluster

  constructor(shardsOfLanes?: readonly (readonly number[])[], relaxed = false) {
    this.cluster = new ShardCluster(shardsOfLanes, relaxed)
  }

  has(code: string, ...[fields, offer]: Terms): this {
    const definition = couponWith(code, fields, { stacking: 'STACKABLE', ...offer })
    this.done(this.cluster.call(shardOf(code), create(definition)))
    return this
  }

  /** Makes a campaign on a shard. */
  campaign(shard: number, terms: CampaignTerms = {}): CampaignRef {
    const definition = campaignWith({ ...terms, offer: { stacking: 'STACKABLE', ...terms.offer } })
    const outcome = this.done(this.cluster.call(shard, { type: COMMAND.CREATE_CAMPAIGN, by: null, definition }))
    if (outcome.type !== OUTCOME.CAMPAIGN) throw new Error(`answered ${brief(outcome)}`)
    return { shard, index: outcome.index }
  }

  /** A code of a campaign, wherever that lives. */
  joins(campaign: CampaignRef, code: string, fields: Parameters<typeof couponOf>[2] = {}): this {
    const definition = couponOf(campaign.index, code, { campaign, ...fields })
    this.done(this.cluster.call(shardOf(code), create(definition)))
    return this
  }

  /** Codes that may be claimed. */
  pool(campaign: CampaignRef, count: number): this {
    const plan = codesPlan(campaign.index, count, { definition: couponOf(campaign.index, '', { campaign }) })
    this.done(this.cluster.call(campaign.shard, { type: COMMAND.START_JOB, by: null, plan }))
    this.cluster.pass(200)
    return this
  }

  sees({ shard, index }: CampaignRef): CampaignOutcome {
    const outcome = this.done(this.cluster.call(shard, { type: COMMAND.GET_CAMPAIGN, index }))
    if (outcome.type !== OUTCOME.CAMPAIGN) throw new Error(`there is no campaign ${index}`)
    return outcome
  }

  /** `uses/reserved discountTotal` of a campaign. */
  takenOf(campaign: CampaignRef): string {
    const { uses, reserved, discountTotalMinor } = this.sees(campaign)
    return `${uses}/${reserved} ${discountTotalMinor}`
  }

  patchCampaign(campaign: CampaignRef, fields: Partial<CampaignDefinition>): Outcome {
    const { definition, version } = this.sees(campaign)
    const changed = { ...definition, ...fields }
    const command = { type: COMMAND.CHANGE_CAMPAIGN, index: campaign.index, by: null } as const
    return this.done(this.cluster.call(campaign.shard, { ...command, ifVersion: version, definition: changed }))
  }

  claims(campaign: CampaignRef, user: string): ClusterCall {
    return this.cluster.call(campaign.shard, { type: COMMAND.CLAIM, index: campaign.index, user })
  }

  claim = (campaign: CampaignRef, user: string): Outcome => this.done(this.claims(campaign, user))

  /** What a user has taken of everything in the day of now. */
  dayOf(user: string): number {
    const { cluster } = this
    const state = cluster.state(dayShardOf(user.charCodeAt(0), cluster.shards.length))
    state.hashUser(bytesOf(user), state.userKey)
    return takenInDay(state, OVER_ALL, UTC_DAYS.dayOf('UTC', cluster.nowMs).startMs)
  }

  /** Begins a call and leaves it alone. */
  begins = {
    reserve: (codes: readonly string[], { user = 'ann', order = null, cart = total(1_000), ttlSeconds }: Buying = {}) =>
      this.send(
        codes,
        checkout(COMMAND.RESERVE, codes, { user, order, cart, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }),
      ),
    redeem: (codes: readonly string[], { user = 'ann', order = 'o-1', cart = total(1_000) }: Buying = {}) =>
      this.send(codes, checkout(COMMAND.REDEEM, codes, { user, order, cart })),
    validate: (codes: readonly string[], cart: Cart | null = total(1_000), user: string | null = 'ann') =>
      this.send(codes, checkout(COMMAND.VALIDATE, codes, { user, cart })),
    redeemReservation: (
      { shard, seq }: MadeId,
      order: string,
      { cart = null, allowLate = false }: { cart?: Cart | null; allowLate?: boolean } = {},
    ) => this.cluster.call(shard, { type: COMMAND.REDEEM_RESERVATION, reservationSeq: seq, order, cart, allowLate }),
    release: ({ shard, seq }: MadeId) => this.cluster.call(shard, { type: COMMAND.RELEASE, reservationSeq: seq }),
    extend: ({ shard, seq }: MadeId, ttlSeconds: number) =>
      this.cluster.call(shard, { type: COMMAND.EXTEND_RESERVATION, reservationSeq: seq, ttlSeconds }),
    reverse: ({ shard, seq }: MadeId, returnUse = true) =>
      this.cluster.call(shard, { type: COMMAND.REVERSE, redemptionSeq: seq, reason: 'refund', returnUse }),
  }

  reserve = (...args: Parameters<StackScene['begins']['reserve']>): Outcome => this.done(this.begins.reserve(...args))
  redeem = (...args: Parameters<StackScene['begins']['redeem']>): Outcome => this.done(this.begins.redeem(...args))
  validate = (...args: Parameters<StackScene['begins']['validate']>): Outcome =>
    this.done(this.begins.validate(...args))
  redeemReservation = (...args: Parameters<StackScene['begins']['redeemReservation']>): Outcome =>
    this.done(this.begins.redeemReservation(...args))
  release = (id: MadeId): Outcome => this.done(this.begins.release(id))
  extend = (id: MadeId, ttlSeconds: number): Outcome => this.done(this.begins.extend(id, ttlSeconds))
  reverse = (id: MadeId, returnUse = true): Outcome => this.done(this.begins.reverse(id, returnUse))

  reservation({ shard, seq }: MadeId): Outcome {
    return this.done(this.cluster.call(shard, { type: COMMAND.GET_RESERVATION, seq }))
  }

  redemption({ shard, seq }: MadeId): Outcome {
    return this.done(this.cluster.call(shard, { type: COMMAND.GET_REDEMPTION, seq }))
  }

  coupon(code: string): CouponOutcome {
    const outcome = this.done(this.cluster.call(shardOf(code), { type: COMMAND.GET_COUPON, coupon: byCode(code) }))
    if (outcome.type !== OUTCOME.COUPON) throw new Error(`there is no coupon ${code}`)
    return outcome
  }

  /** `uses/reserved` of each. */
  counts(...codes: string[]): string {
    return codes
      .map((code) => this.coupon(code))
      .map(({ uses, reserved }) => `${uses}/${reserved}`)
      .join(' ')
  }

  patch(code: string, fields: Partial<CouponDefinition>): Outcome {
    const { definition, version } = this.coupon(code)
    return this.change(code, { change: 'PATCHED', ifVersion: version, definition: { ...definition, ...fields } })
  }

  expire(code: string): Outcome {
    return this.change(code, { change: 'EXPIRED' })
  }

  switchTo(code: string, change: 'ENABLED' | 'DISABLED'): Outcome {
    const command = { type: COMMAND.SWITCH_COUPON, coupon: byCode(code), by: null, change } as const
    return this.done(this.cluster.call(shardOf(code), command))
  }

  private change(code: string, fields: object): Outcome {
    const rest = { by: null, reason: 'why', ifVersion: 0, definition: null, validUntilMs: 0, override: false }
    const command = { type: COMMAND.CHANGE_COUPON, coupon: byCode(code), ...rest, ...fields } as Command<string>
    return this.done(this.cluster.call(shardOf(code), command))
  }

  /** Everything is delivered, and time passes until the call is answered. */
  done(call: ClusterCall): Outcome {
    this.cluster.run()
    for (let i = 0; call.answer === null && i < 200; i++) this.cluster.pass(20)
    return this.answerOf(call)
  }

  answerOf({ answer, id }: ClusterCall): Outcome {
    if (answer === null) throw new Error(`call ${id} has no answer`)
    if (answer.kind !== SETTLED.ANSWERED || answer.outcome === null)
      throw new Error(`call ${id} settled as ${answer.kind}`)
    return answer.outcome
  }

  /** `redeemed 200`, `COUPON_LOCKED`, `waits`, `not done`. */
  saysOf(call: ClusterCall): string {
    if (call.answer === null) return call.isLost ? 'lost' : 'waits'
    return call.answer.kind === SETTLED.ANSWERED ? brief(this.answerOf(call)) : 'not done'
  }

  idOf(call: ClusterCall): MadeId {
    return { shard: call.shard, seq: seqIn(this.answerOf(call)) }
  }

  /** The reservation or redemption that was answered by the lowest of these shards. */
  madeBy(codes: readonly string[], outcome: Outcome): MadeId {
    return { shard: Math.min(...codes.map(shardOf)), seq: seqIn(outcome) }
  }

  /** Delivers what is there, and what follows from it, while it passes the test; other frames stay on the wire. */
  runOnly(test: (message: Message) => boolean): this {
    const { cluster } = this
    for (;;) {
      cluster.settleFlushes()
      const index = cluster.wire.findIndex(({ message }) => test(message))
      if (index < 0) return this
      cluster.deliver(index)
    }
  }

  /** Sequence of the last reservation, or redemption, in the log of a shard. */
  reservedAt(shard: number): number {
    return this.lastOf(shard, EVENT.RESERVED)
  }

  redeemedAt(shard: number): number {
    return this.lastOf(shard, EVENT.REDEEMED)
  }

  private lastOf(shard: number, type: number): number {
    this.cluster.settleFlushes()
    return this.cluster.loggedEvents(shard).findLast(({ event }) => event.type === type)?.seq ?? 0
  }

  /** Names of the events of a shard. */
  events(shard: number): string[] {
    this.cluster.settleFlushes()
    return this.cluster.loggedEvents(shard).map(({ event }) => nameOfEvent(event.type))
  }

  private send(codes: readonly string[], made: AnyCommand): ClusterCall {
    const { shard, command } = stacked(made, codes)
    return this.cluster.call(shard, command)
  }
}

const EVENT_NAMES = Object.fromEntries(Object.entries(EVENT).map(([name, type]) => [type, name]))

function nameOfEvent(type: number): string {
  return EVENT_NAMES[type] as string
}

function seqIn(outcome: Outcome): number {
  if (outcome.type === OUTCOME.RESERVATION || outcome.type === OUTCOME.REDEMPTION) return outcome.seq
  if (outcome.type === OUTCOME.CLAIMED) return outcome.seq
  throw new Error(`answered ${brief(outcome)}`)
}
