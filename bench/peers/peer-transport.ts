// A usual coupon service behind the product's own gateway: the transport port, with a store of real parts instead of shards.
//
//   gateway ── command bytes ──▶ PeerTransport ── judge rules and cart here ──▶ PeerStore (Redis, PostgreSQL)
//           ◀── outcome bytes ──               ◀── redeemed | replayed | refused ──
//
// So a peer gets the same decoding and rendering as the product, and prices carts with the same code. It has one shard,
// and keeps the definitions of coupons in this process, as a service with one instance and a warm cache would: both in its
// favour. It knows what the bench needs (create, read and redeem one coupon) and says of everything else that it was
// not done.

import { type ReplyHandler, SETTLED, type ShardTransport } from '../../engine/transport/port.ts'
import { cartRefusal, cartRefusalDetail } from '../../engine/domain/eligibility.ts'
import { type Cart, subtotalMinor } from '../../engine/domain/cart.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import { priceFact } from '../../engine/domain/price-fact.ts'
import { ByteReader, ByteWriter, textOf } from '../../protocol/bytes.ts'
import { readCommand } from '../../protocol/command-codec.ts'
import { type CheckoutCommand, COMMAND, type Command, type CouponRef } from '../../protocol/commands.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { writeOutcome, writePosition } from '../../protocol/outcome-codec.ts'
import { type CouponOutcome, OUTCOME, type Outcome, type Refused } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import type { PeerCoupon, PeerStore, RedemptionFacts, Remembered } from './peer-store.ts'

const SHARD = 0
const NOTHING = new ByteReader()

/** Calls that may wait for the store: more than any load here has connections. */
const CALLS_IN_FLIGHT_MAX = 16_384

export class PeerTransport implements ShardTransport {
  readonly shards = 1
  inFlight = 0
  private readonly store: PeerStore
  private readonly nowMs: () => number
  private readonly failed: (error: unknown) => void
  private readonly byCode = new Map<string, PeerCoupon>()
  private readonly byOrdinal: (PeerCoupon | undefined)[] = []
  /** Codes that exist or are being made. */
  private readonly codes = new Set<string>()
  private readonly reader = new ByteReader()
  private readonly answerReader = new ByteReader()
  private readonly writer = new ByteWriter()
  private seq = 0
  private whenIdle: (() => void) | null = null

  /** `nowMs` is the wall clock; `failed` hears of calls whose end nobody knows. */
  constructor(store: PeerStore, nowMs: () => number, failed: (error: unknown) => void) {
    this.store = store
    this.nowMs = nowMs
    this.failed = failed
  }

  call(_shard: number, bytes: Uint8Array, length: number, handler: ReplyHandler): void {
    if (this.inFlight >= CALLS_IN_FLIGHT_MAX) {
      handler.settled(SETTLED.NOT_DONE_OVERLOADED, NOTHING)
      return
    }
    // Everything that is kept of the command is made into strings and numbers before the first await.
    this.reader.reset(bytes, 0, length)
    const done = this.done(readCommand(this.reader))
    if (done === null) {
      handler.settled(SETTLED.NOT_DONE_UNAVAILABLE, NOTHING)
      return
    }
    this.inFlight++
    done.then(
      (outcome) => {
        this.inFlight--
        this.answer(outcome, handler)
        this.tellIdle()
      },
      (error: unknown) => {
        this.inFlight--
        this.failed(error)
        handler.settled(SETTLED.UNKNOWN, NOTHING)
        this.tellIdle()
      },
    )
  }

  /** Settles when no call waits for the store. */
  async idle(): Promise<void> {
    while (this.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.whenIdle = resolve
      })
    }
  }

  private tellIdle(): void {
    if (this.inFlight > 0) return
    this.whenIdle?.()
    this.whenIdle = null
  }

  private answer(outcome: Outcome, handler: ReplyHandler): void {
    const { writer } = this
    writer.clear()
    writePosition(writer, { shard: SHARD, seq: this.seq, timeMs: this.nowMs() })
    writeOutcome(writer, outcome)
    this.answerReader.reset(writer.buf, 0, writer.pos)
    handler.settled(SETTLED.ANSWERED, this.answerReader)
  }

  /** null: a command that peers do not know. */
  private done(command: Command): Promise<Outcome> | null {
    switch (command.type) {
      case COMMAND.REDEEM:
        return this.redeem(command)
      case COMMAND.CREATE_COUPON:
        return this.create(command.definition)
      case COMMAND.GET_COUPON:
        return this.show(this.find(command.coupon))
      default:
        return null
    }
  }

  private find(ref: CouponRef): PeerCoupon | undefined {
    return ref.code === null ? this.byOrdinal[ref.ordinal] : this.byCode.get(textOf(ref.code))
  }

  private redeem(command: CheckoutCommand): Promise<Outcome> {
    const { coupons, user, order, cart } = command
    const ref = coupons[0]
    if (ref === undefined || coupons.length > 1 || user === null || order === null || cart === null) {
      return Promise.resolve(refused('INVALID_REQUEST', 'a peer redeems one coupon for one user, order and cart'))
    }
    const coupon = this.find(ref)
    if (coupon === undefined) return Promise.resolve(notFound())
    const userId = textOf(user)
    const orderId = textOf(order)
    const { definition } = coupon
    const atMs = this.nowMs()
    const refusal = ruleRefusal(definition, userId, cart, atMs)
    if (refusal !== null) return this.replayOrRefuse(coupon, userId, orderId, cart, refusal)
    const facts = { userId, orderId, atMs, price: priceFact(cart, [offerOf(definition)]) }
    return this.store.redeem(coupon, facts).then((done) => {
      if (typeof done === 'number') {
        this.seq = done
        return redemption(coupon, facts, done, false)
      }
      return typeof done === 'string' ? limitRefusal(coupon, done) : judgeRetry(coupon, done, userId, cart)
    })
  }

  /** A replay gets the first answer even when the rules would refuse it today. */
  private async replayOrRefuse(
    coupon: PeerCoupon,
    userId: string,
    orderId: string,
    cart: Cart,
    refusal: Refused,
  ): Promise<Outcome> {
    const earlier = await this.store.redemptionOf(coupon, orderId)
    return earlier === null ? refusal : judgeRetry(coupon, earlier, userId, cart)
  }

  private async create(definition: CouponDefinition): Promise<Outcome> {
    const { code } = definition
    if (this.codes.has(code)) return refused('CODE_TAKEN', `the code ${code} exists already`)
    const coupon = { ordinal: this.codes.size, definition, createdAtMs: this.nowMs() }
    this.codes.add(code)
    await this.store.createCoupon(coupon)
    this.byCode.set(code, coupon)
    this.byOrdinal[coupon.ordinal] = coupon
    return shown(coupon, 0)
  }

  private async show(coupon: PeerCoupon | undefined): Promise<Outcome> {
    return coupon === undefined ? notFound() : shown(coupon, await this.store.usesOf(coupon))
  }
}

/** Peers have no campaigns. */
function offerOf({ offer }: CouponDefinition): Offer {
  if (offer === null) throw new RangeError('a peer has no campaigns')
  return offer
}

/** The checks that need no counter, in the order of the contract; null: none fails. */
function ruleRefusal(definition: CouponDefinition, userId: string, cart: Cart, nowMs: number): Refused | null {
  const { validFromMs, validUntilMs } = definition
  const offer = offerOf(definition)
  if (validFromMs !== null && nowMs < validFromMs) return refused('COUPON_NOT_STARTED', 'the coupon is not valid yet')
  if (validUntilMs !== null && nowMs >= validUntilMs) return refused('COUPON_EXPIRED', 'the coupon has expired')
  if (definition.userId !== null && definition.userId !== userId) {
    return refused('USER_NOT_ELIGIBLE', 'the coupon belongs to another user')
  }
  const refusal = cartRefusal(offer, cart)
  return refusal === null ? null : refused(refusal, cartRefusalDetail(refusal, offer, cart))
}

function judgeRetry(coupon: PeerCoupon, first: Remembered, userId: string, cart: Cart): Outcome {
  const { price } = first
  const isSame =
    first.userId === userId &&
    price.currency === currencyNumber(cart.currency) &&
    price.subtotalMinor === subtotalMinor(cart) &&
    price.shippingMinor === cart.shippingMinor
  return isSame
    ? redemption(coupon, first, first.seq, true)
    : refused('ORDER_CONFLICT', 'this order already redeemed the coupon with other particulars')
}

function limitRefusal(coupon: PeerCoupon, refusal: 'USER_LIMIT_REACHED' | 'COUPON_EXHAUSTED'): Refused {
  return refusal === 'COUPON_EXHAUSTED'
    ? refused(refusal, `all ${coupon.definition.maxUses} uses of the coupon are used`)
    : refused(refusal, 'this user has used the coupon as often as allowed')
}

function redemption(coupon: PeerCoupon, facts: RedemptionFacts, seq: number, replayed: boolean): Outcome {
  return {
    type: OUTCOME.REDEMPTION,
    replayed,
    seq,
    atMs: facts.atMs,
    reservationSeq: 0,
    userId: facts.userId,
    orderId: facts.orderId,
    coupons: [{ shard: SHARD, ordinal: coupon.ordinal, code: coupon.definition.code }],
    price: facts.price,
    reversed: null,
  }
}

function shown(coupon: PeerCoupon, uses: number): CouponOutcome {
  const { ordinal, definition, createdAtMs } = coupon
  const isUsedUp = definition.maxUses !== null && uses >= definition.maxUses
  return {
    type: OUTCOME.COUPON,
    ordinal,
    status: isUsedUp ? (definition.maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED') : 'ACTIVE',
    uses,
    reserved: 0,
    version: 1,
    createdAtMs,
    updatedAtMs: createdAtMs,
    lock: null,
    definition,
  }
}

function notFound(): Refused {
  return refused('COUPON_NOT_FOUND', 'there is no such coupon')
}

function refused(refusal: RefusalCode, detail: string): Refused {
  return { type: OUTCOME.REFUSED, refusal, detail, couponIndex: -1, retryAfterMs: 0, verdicts: null }
}
