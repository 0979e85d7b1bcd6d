/** A shard with a few words to tell a story on it: what was made, what time passed, and what is answered now. */
import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { EVENT } from '../../../protocol/events.ts'
import { type CouponOutcome, OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { totalOf } from '../../../protocol/price.ts'
import { LiveShard } from './live-shard.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, total } from './samples.ts'

export const START_MS = 1_760_000_000_000

/** A coupon's fields and, behind them, its offer's. */
export type Terms = readonly [Partial<Omit<CouponDefinition, 'code' | 'offer'>>?, Partial<Offer>?]

export interface Buying {
  readonly user?: string
  readonly order?: string | null
  readonly cart?: Cart | null
  readonly ttlSeconds?: number
}

export class Scene {
  readonly shard: LiveShard
  nowMs = START_MS

  constructor(shard = new LiveShard()) {
    this.shard = shard
  }

  say(command: AnyCommand): Outcome {
    return this.shard.send(command, this.nowMs).outcome
  }

  later(ms: number): this {
    this.nowMs += ms
    return this
  }

  sweep(): this {
    this.shard.actor.sweep(this.nowMs, 0)
    return this
  }

  crash(): this {
    this.shard.crash()
    return this
  }

  has(code: string, ...[fields, offer]: Terms): this {
    expectDone(this.say(create(couponWith(code, fields, offer))))
    return this
  }

  reserve(
    codes: string | readonly string[],
    { user = 'ann', order = null, cart = total(1_000), ttlSeconds }: Buying = {},
  ) {
    return this.say(
      checkout(COMMAND.RESERVE, codes, { user, order, cart, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }),
    )
  }

  redeem(codes: string | readonly string[], { user = 'ann', order = 'o-1', cart = total(1_000) }: Buying = {}) {
    return this.say(checkout(COMMAND.REDEEM, codes, { user, order, cart }))
  }

  validate(codes: string | readonly string[], cart: Cart | null = total(1_000), user: string | null = 'ann') {
    return this.say(checkout(COMMAND.VALIDATE, codes, { user, cart }))
  }

  redeemReservation(
    seq: number,
    order: string,
    { cart = null, allowLate = false }: { cart?: Cart | null; allowLate?: boolean } = {},
  ) {
    return this.say({ type: COMMAND.REDEEM_RESERVATION, reservationSeq: seq, order, cart, allowLate })
  }

  release(seq: number): Outcome {
    return this.say({ type: COMMAND.RELEASE, reservationSeq: seq })
  }

  extendReservation(seq: number, ttlSeconds: number): Outcome {
    return this.say({ type: COMMAND.EXTEND_RESERVATION, reservationSeq: seq, ttlSeconds })
  }

  reverse(seq: number, returnUse = true): Outcome {
    return this.say({ type: COMMAND.REVERSE, redemptionSeq: seq, reason: 'refund', returnUse })
  }

  switchTo(code: string, change: 'ENABLED' | 'DISABLED' | 'DELETED'): Outcome {
    return this.say({ type: COMMAND.SWITCH_COUPON, coupon: byCode(code), by: null, change })
  }

  patch(code: string, fields: Terms[0], offer: Terms[1] = {}, ifVersion = this.coupon(code).version): Outcome {
    const definition = couponWith(code, fields, offer)
    const rest = { by: null, reason: null, validUntilMs: 0, override: false }
    return this.say({
      type: COMMAND.CHANGE_COUPON,
      coupon: byCode(code),
      change: 'PATCHED',
      ifVersion,
      definition,
      ...rest,
    })
  }

  extend(code: string, validUntilMs: number, override = false): Outcome {
    const rest = { by: null, reason: 'more', ifVersion: 0, definition: null }
    return this.say({
      type: COMMAND.CHANGE_COUPON,
      coupon: byCode(code),
      change: 'EXTENDED',
      validUntilMs,
      override,
      ...rest,
    })
  }

  expire(code: string): Outcome {
    const rest = { by: null, reason: 'over', ifVersion: 0, definition: null, validUntilMs: 0, override: false }
    return this.say({ type: COMMAND.CHANGE_COUPON, coupon: byCode(code), change: 'EXPIRED', ...rest })
  }

  coupon(code: string): CouponOutcome {
    const outcome = this.say({ type: COMMAND.GET_COUPON, coupon: byCode(code) })
    if (outcome.type !== OUTCOME.COUPON) throw new Error(`there is no coupon ${code}`)
    return outcome
  }

  reservation(seq: number): Outcome {
    return this.say({ type: COMMAND.GET_RESERVATION, seq })
  }

  redemption(seq: number): Outcome {
    return this.say({ type: COMMAND.GET_REDEMPTION, seq })
  }

  /** Names of the events so far. */
  events(): string[] {
    const names = Object.fromEntries(Object.entries(EVENT).map(([name, type]) => [type, name]))
    return this.shard.loggedEvents().map(({ event }) => names[event.type] as string)
  }
}

/** The sequence of the reservation or redemption that was answered. */
export function seqOf(outcome: Outcome): number {
  if (outcome.type === OUTCOME.RESERVATION || outcome.type === OUTCOME.REDEMPTION) return outcome.seq
  throw new Error(`answered ${brief(outcome)}`)
}

/** An answer in a few words: `COUPON_LOCKED`, `reserved 100`, `redeemed 100 again`, `ACTIVE`. */
export function brief(outcome: Outcome): string {
  switch (outcome.type) {
    case OUTCOME.REFUSED:
      return outcome.couponIndex > 0 ? `${outcome.refusal} of code ${outcome.couponIndex + 1}` : outcome.refusal
    case OUTCOME.RESERVATION: {
      const price = outcome.price === null ? '' : ` ${totalOf(outcome.price)}`
      return `${outcome.status.toLowerCase()}${price}${outcome.again ? ' again' : ''}`
    }
    case OUTCOME.REDEMPTION:
      return `${outcome.reversed === null ? 'redeemed' : 'reversed'} ${totalOf(outcome.price)}${outcome.replayed ? ' again' : ''}`
    case OUTCOME.CLAIMED:
      return outcome.again ? 'claimed again' : 'claimed'
    case OUTCOME.RELEASED:
      return 'released'
    case OUTCOME.COUPON:
      return outcome.status
    case OUTCOME.VALIDATED:
      return outcome.verdicts.map(({ refusal, amountMinor }) => refusal ?? String(amountMinor)).join(', ')
    default:
      return `an outcome of type ${outcome.type}`
  }
}

function expectDone(outcome: Outcome): void {
  if (outcome.type === OUTCOME.REFUSED) throw new Error(`${outcome.refusal}: ${outcome.detail}`)
}
