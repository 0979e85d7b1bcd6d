/**
 * The contract as a program, as slow and as plain as can be: lists of what happened, and every number counted anew from
 * them whenever somebody asks. It knows nothing of the engine: no sequence of events, no tables, no sweep. Time that has
 * passed has passed.
 *
 * A reservation and a redemption get their numbers from the engine's first answer (`named`); everything else is predicted.
 */
import type { Cart } from '../../../engine/domain/cart.ts'
import type { CouponRef } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import type { RefusalCode } from '../../../protocol/refusals.ts'
import { type NaivePrice, naivePrice, naiveSubtotal } from './naive-price.ts'

export interface ModelCoupon {
  readonly ordinal: number
  definition: CouponDefinition
  disabled: boolean
  version: number
  readonly createdAtMs: number
  updatedAtMs: number
  /** The tick from which uses of a user count. */
  userLimitSince: number
}

export interface ModelReservation {
  seq: number
  readonly tick: number
  readonly user: string
  readonly order: string | null
  readonly coupons: readonly ModelCoupon[]
  readonly startedAtMs: number
  expiresAtMs: number
  cart: Cart | null
  price: NaivePrice | null
  /** OPEN may have run out: ask `isOpen`. ENDED: its coupon ended under it. */
  state: 'OPEN' | 'REDEEMED' | 'RELEASED' | 'ENDED'
  wasExtended: boolean
}

export interface ModelRedemption {
  seq: number
  readonly tick: number
  readonly user: string
  readonly order: string
  readonly coupons: readonly ModelCoupon[]
  readonly atMs: number
  readonly reservation: ModelReservation | null
  readonly late: boolean
  readonly price: NaivePrice
  reversed: { readonly atMs: number; readonly reason: string; readonly returnUse: boolean } | null
}

export interface ModelVerdict {
  readonly ordinal: number
  readonly refusal: RefusalCode | null
  /** Left out where the contract does not say: beside codes that were refused. */
  readonly amountMinor?: number | null
}

export type ModelAnswer =
  | {
      readonly kind: 'REFUSED'
      readonly refusal: RefusalCode
      readonly couponIndex?: number
      readonly retryAfterMs: number
    }
  | { readonly kind: 'VALIDATED'; readonly verdicts: readonly ModelVerdict[]; readonly price: NaivePrice | null }
  | { readonly kind: 'RESERVATION'; readonly again: boolean; readonly reservation: ModelReservation }
  | { readonly kind: 'REDEMPTION'; readonly replayed: boolean; readonly redemption: ModelRedemption }
  | { readonly kind: 'COUPON'; readonly coupon: ModelCoupon }
  | { readonly kind: 'RELEASED' }

export interface ModelCheckout {
  readonly refs: readonly CouponRef<string>[]
  readonly user: string | null
  readonly order: string | null
  readonly cart: Cart | null
  readonly ttlSeconds: number
}

/** The contract's order of checks, as far as a shard judges them. The two minimums are one check. */
const CHECKS: readonly (readonly RefusalCode[])[] = [
  ['COUPON_NOT_FOUND'],
  ['COUPON_DISABLED'],
  ['COUPON_NOT_STARTED'],
  ['COUPON_EXPIRED'],
  ['USER_NOT_ELIGIBLE'],
  ['CHANNEL_NOT_ALLOWED'],
  ['CURRENCY_MISMATCH'],
  ['MIN_ORDER_NOT_MET', 'MIN_QUANTITY_NOT_MET'],
  ['NOT_STACKABLE'],
  ['USER_LIMIT_REACHED'],
  ['COUPON_EXHAUSTED', 'COUPON_LOCKED'],
]

const HOUR_MS = 3_600_000

export class NaiveModel {
  readonly coupons: ModelCoupon[] = []
  readonly reservations: ModelReservation[] = []
  readonly redemptions: ModelRedemption[] = []
  private tick = 0

  /** Call before every command. */
  beginCommand(): void {
    this.tick++
  }

  create(definition: CouponDefinition, nowMs: number): ModelAnswer {
    if (this.coupons.some((coupon) => coupon.definition.code === definition.code)) return refuse('CODE_TAKEN')
    const coupon: ModelCoupon = {
      ordinal: this.coupons.length,
      definition,
      disabled: false,
      version: 1,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      userLimitSince: this.tick,
    }
    this.coupons.push(coupon)
    return { kind: 'COUPON', coupon }
  }

  get(ref: CouponRef<string>): ModelAnswer {
    const coupon = this.find(ref)
    return coupon === null ? refuse('COUPON_NOT_FOUND') : { kind: 'COUPON', coupon }
  }

  switchTo(ref: CouponRef<string>, enabled: boolean, nowMs: number): ModelAnswer {
    const coupon = this.find(ref)
    if (coupon === null) return refuse('COUPON_NOT_FOUND')
    if (coupon.disabled === enabled) {
      coupon.disabled = !enabled
      this.touch(coupon, nowMs)
    }
    return { kind: 'COUPON', coupon }
  }

  patch(ref: CouponRef<string>, definition: CouponDefinition, ifVersion: number, nowMs: number): ModelAnswer {
    const coupon = this.find(ref)
    if (coupon === null) return refuse('COUPON_NOT_FOUND')
    if (coupon.version !== ifVersion) return refuse('VERSION_CONFLICT')
    const isExpiredAfter = definition.validUntilMs !== null && definition.validUntilMs <= nowMs
    if (isExpired(coupon, nowMs) && !isExpiredAfter) return refuse('INVALID_TRANSITION')
    const taken = this.uses(coupon) + this.reserved(coupon, nowMs)
    if (definition.maxUses !== null && definition.maxUses < taken) return refuse('INVALID_TRANSITION')
    if (coupon.definition.maxUsesPerUser === null && definition.maxUsesPerUser !== null)
      coupon.userLimitSince = this.tick
    this.change(coupon, definition, nowMs)
    return { kind: 'COUPON', coupon }
  }

  extendCoupon(ref: CouponRef<string>, validUntilMs: number, override: boolean, nowMs: number): ModelAnswer {
    const coupon = this.find(ref)
    if (coupon === null) return refuse('COUPON_NOT_FOUND')
    const presentMs = coupon.definition.validUntilMs
    if (presentMs === null || validUntilMs <= presentMs || validUntilMs <= nowMs) return refuse('INVALID_TRANSITION')
    if (isExpired(coupon, nowMs) && !override) return refuse('INVALID_TRANSITION')
    this.change(coupon, { ...coupon.definition, validUntilMs }, nowMs)
    return { kind: 'COUPON', coupon }
  }

  expire(ref: CouponRef<string>, nowMs: number): ModelAnswer {
    const coupon = this.find(ref)
    if (coupon === null) return refuse('COUPON_NOT_FOUND')
    if (isExpired(coupon, nowMs)) return { kind: 'COUPON', coupon }
    const { validFromMs } = coupon.definition
    // A window never ends before it begins.
    const fromMs = validFromMs === null ? null : Math.min(validFromMs, nowMs)
    this.change(coupon, { ...coupon.definition, validFromMs: fromMs, validUntilMs: nowMs }, nowMs)
    return { kind: 'COUPON', coupon }
  }

  validate(call: ModelCheckout, nowMs: number): ModelAnswer {
    const coupons = call.refs.map((ref) => this.find(ref))
    const isHeld = call.user !== null && this.openOf(call.user, coupons, () => true, nowMs) !== null
    const refusals = this.refusals(coupons, call, isHeld, nowMs)
    const price = refusals.every((refusal) => refusal === null) ? priceOf(coupons, call.cart) : null
    const verdicts = coupons.map((coupon, i): ModelVerdict => {
      const refusal = refusals[i] ?? null
      const ordinal = coupon?.ordinal ?? -1
      if (refusal !== null) return { ordinal, refusal, amountMinor: null }
      if (price !== null) return { ordinal, refusal, amountMinor: price.amounts[i] as number }
      return call.cart === null ? { ordinal, refusal, amountMinor: null } : { ordinal, refusal }
    })
    return { kind: 'VALIDATED', verdicts, price }
  }

  reserve(call: ModelCheckout & { readonly user: string }, nowMs: number): ModelAnswer {
    const { user, order, cart } = call
    const coupons = call.refs.map((ref) => this.find(ref))
    if (coupons.includes(null)) return this.refuseFirst(this.refusals(coupons, call, false, nowMs), coupons, nowMs)
    const earlier = order === null ? null : this.redemptionOf(order, coupons)
    if (earlier !== null) return refuse(earlier.reversed === null ? 'ORDER_CONFLICT' : 'REDEMPTION_REVERSED')
    const open = this.openOf(user, coupons, (reservedFor) => order === null || reservedFor === order, nowMs)
    if (open !== null) return this.reserveAgain(open, coupons as ModelCoupon[], cart, nowMs)
    const refusals = this.refusals(coupons, call, false, nowMs)
    if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, coupons, nowMs)
    const found = coupons as ModelCoupon[]
    const reservation: ModelReservation = {
      seq: 0,
      tick: this.tick,
      user,
      order,
      coupons: found,
      startedAtMs: nowMs,
      expiresAtMs: Math.min(nowMs + call.ttlSeconds * 1000, ...found.map(endOf)),
      cart,
      price: priceOf(found, cart),
      state: 'OPEN',
      wasExtended: false,
    }
    this.reservations.push(reservation)
    return { kind: 'RESERVATION', again: false, reservation }
  }

  /** `asked` are the coupons of the reservation in the order of this call, which is the order of its refusals. */
  private reserveAgain(
    open: ModelReservation,
    asked: readonly ModelCoupon[],
    cart: Cart | null,
    nowMs: number,
  ): ModelAnswer {
    const again = { kind: 'RESERVATION', again: true, reservation: open } as const
    if (cart === null || (open.cart !== null && isSameCart(open.cart, cart))) return again
    const refusals = this.cartRefusals(asked, cart)
    if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, asked, nowMs)
    open.cart = cart
    open.price = priceOf(open.coupons, cart)
    return again
  }

  redeem(call: ModelCheckout & { readonly user: string; readonly order: string }, nowMs: number): ModelAnswer {
    const { user, order, cart } = call
    const coupons = call.refs.map((ref) => this.find(ref))
    if (coupons.includes(null)) return this.refuseFirst(this.refusals(coupons, call, false, nowMs), coupons, nowMs)
    const found = coupons as ModelCoupon[]
    const earlier = this.redemptionOf(order, found)
    if (earlier !== null) return judgeRetry(earlier, user, found, cart)
    const open =
      this.openOf(user, found, (reservedFor) => reservedFor === order, nowMs) ??
      this.openOf(user, found, (reservedFor) => reservedFor === null, nowMs)
    if (open !== null) return this.redeemOpen(open, found, order, cart, nowMs)
    if (cart === null) return refuse('INVALID_REQUEST')
    const refusals = this.refusals(found, call, false, nowMs)
    if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, found, nowMs)
    return this.redeemNow(null, false, user, order, found, priceOf(found, cart) as NaivePrice, nowMs)
  }

  redeemReservation(seq: number, order: string, cart: Cart | null, allowLate: boolean, nowMs: number): ModelAnswer {
    const reservation = this.reservations.find((one) => one.seq === seq)
    if (reservation === undefined) return refuse('RESERVATION_NOT_FOUND')
    const { user, coupons } = reservation
    const earlier = this.redemptionOf(order, coupons)
    // A late redemption is made at the reserved price, so the cart of its retry is not compared with anything.
    if (earlier !== null) return judgeRetry(earlier, user, coupons, earlier.late ? null : cart)
    if (reservation.state === 'REDEEMED' || reservation.state === 'RELEASED') return refuse('RESERVATION_CLOSED')
    if (reservation.state === 'ENDED') return refuse('RESERVATION_EXPIRED')
    if (reservation.order !== null && reservation.order !== order) return refuse('ORDER_CONFLICT')
    if (isOpen(reservation, nowMs)) return this.redeemOpen(reservation, coupons, order, cart, nowMs)
    if (!allowLate || reservation.price === null) return refuse('RESERVATION_EXPIRED')
    const refusals = coupons.map((coupon) => this.limitRefusal(coupon, user, nowMs))
    if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, coupons, nowMs)
    return this.redeemNow(reservation, true, user, order, coupons, reservation.price, nowMs)
  }

  private redeemOpen(
    open: ModelReservation,
    asked: readonly ModelCoupon[],
    order: string,
    cart: Cart | null,
    nowMs: number,
  ): ModelAnswer {
    let { price } = open
    if (cart !== null) {
      const refusals = this.cartRefusals(asked, cart)
      if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, asked, nowMs)
      // A changed offer never changes a reservation's price: the cart it was made for keeps it.
      if (open.cart === null || !isSameCart(open.cart, cart)) price = priceOf(open.coupons, cart)
    }
    if (price === null) return refuse('INVALID_REQUEST')
    return this.redeemNow(open, false, open.user, order, open.coupons, price, nowMs)
  }

  private redeemNow(
    reservation: ModelReservation | null,
    late: boolean,
    user: string,
    order: string,
    coupons: readonly ModelCoupon[],
    price: NaivePrice,
    nowMs: number,
  ): ModelAnswer {
    if (reservation !== null) reservation.state = 'REDEEMED'
    const redemption: ModelRedemption = {
      seq: 0,
      tick: this.tick,
      user,
      order,
      coupons,
      atMs: nowMs,
      reservation,
      late,
      price,
      reversed: null,
    }
    this.redemptions.push(redemption)
    return { kind: 'REDEMPTION', replayed: false, redemption }
  }

  release(seq: number, nowMs: number): ModelAnswer {
    const reservation = this.reservations.find((one) => one.seq === seq)
    if (reservation === undefined) return refuse('RESERVATION_NOT_FOUND')
    if (reservation.state === 'REDEEMED') return refuse('RESERVATION_CLOSED')
    if (isOpen(reservation, nowMs)) reservation.state = 'RELEASED'
    return { kind: 'RELEASED' }
  }

  extendReservation(seq: number, ttlSeconds: number, nowMs: number): ModelAnswer {
    const reservation = this.reservations.find((one) => one.seq === seq)
    if (reservation === undefined) return refuse('RESERVATION_NOT_FOUND')
    if (reservation.state === 'REDEEMED' || reservation.state === 'RELEASED') return refuse('RESERVATION_CLOSED')
    if (!isOpen(reservation, nowMs)) return refuse('RESERVATION_EXPIRED')
    const latestMs = Math.min(reservation.startedAtMs + HOUR_MS, ...reservation.coupons.map(endOf))
    const untilMs = Math.min(nowMs + ttlSeconds * 1000, latestMs)
    if (untilMs > reservation.expiresAtMs) {
      reservation.expiresAtMs = untilMs
      reservation.wasExtended = true
    }
    return { kind: 'RESERVATION', again: true, reservation }
  }

  reverse(seq: number, reason: string, returnUse: boolean, nowMs: number): ModelAnswer {
    const redemption = this.redemptions.find((one) => one.seq === seq)
    if (redemption === undefined) return refuse('REDEMPTION_NOT_FOUND')
    redemption.reversed ??= { atMs: nowMs, reason, returnUse }
    return { kind: 'REDEMPTION', replayed: false, redemption }
  }

  getReservation(seq: number): ModelAnswer {
    const reservation = this.reservations.find((one) => one.seq === seq)
    if (reservation === undefined) return refuse('RESERVATION_NOT_FOUND')
    return { kind: 'RESERVATION', again: true, reservation }
  }

  getRedemption(seq: number): ModelAnswer {
    const redemption = this.redemptions.find((one) => one.seq === seq)
    if (redemption === undefined) return refuse('REDEMPTION_NOT_FOUND')
    return { kind: 'REDEMPTION', replayed: true, redemption }
  }

  uses(coupon: ModelCoupon): number {
    return this.redemptions.filter((one) => one.coupons.includes(coupon) && one.reversed?.returnUse !== true).length
  }

  reserved(coupon: ModelCoupon, nowMs: number): number {
    return this.openOn(coupon, nowMs).length
  }

  /** What counts against the limit per user: redeemed or held since there is one. */
  usesOfUser(coupon: ModelCoupon, user: string, nowMs: number): number {
    const since = coupon.userLimitSince
    const redeemed = this.redemptions.filter(
      (one) =>
        one.user === user && one.coupons.includes(coupon) && one.tick > since && one.reversed?.returnUse !== true,
    )
    const held = this.openOn(coupon, nowMs).filter((one) => one.user === user && one.tick > since)
    return redeemed.length + held.length
  }

  openOn(coupon: ModelCoupon, nowMs: number): ModelReservation[] {
    return this.reservations.filter((one) => one.coupons.includes(coupon) && isOpen(one, nowMs))
  }

  statusOf(coupon: ModelCoupon, nowMs: number): string {
    const { maxUses, validFromMs } = coupon.definition
    if (coupon.disabled) return 'DISABLED'
    if (isExpired(coupon, nowMs)) return 'EXPIRED'
    if (maxUses !== null && this.uses(coupon) === maxUses) return maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED'
    if (validFromMs !== null && nowMs < validFromMs) return 'SCHEDULED'
    return maxUses === 1 && this.reserved(coupon, nowMs) > 0 ? 'LOCKED' : 'ACTIVE'
  }

  private find(ref: CouponRef<string>): ModelCoupon | null {
    const found = this.coupons.find((one) =>
      ref.code === null ? one.ordinal === ref.ordinal : one.definition.code === ref.code,
    )
    return found ?? null
  }

  private touch(coupon: ModelCoupon, nowMs: number): void {
    coupon.version++
    coupon.updatedAtMs = nowMs
  }

  /** Reservations never outlast their coupon; one whose coupon has ended ends with it. */
  private change(coupon: ModelCoupon, definition: CouponDefinition, nowMs: number): void {
    const open = this.openOn(coupon, nowMs)
    coupon.definition = definition
    for (const reservation of open) {
      if (isExpired(coupon, nowMs)) reservation.state = 'ENDED'
      else reservation.expiresAtMs = Math.min(reservation.expiresAtMs, endOf(coupon))
    }
    this.touch(coupon, nowMs)
  }

  private openOf(
    user: string,
    coupons: readonly (ModelCoupon | null)[],
    fits: (reservedFor: string | null) => boolean,
    nowMs: number,
  ): ModelReservation | null {
    const found = this.reservations.filter(
      (one) => one.user === user && isOpen(one, nowMs) && isSameSet(one.coupons, coupons) && fits(one.order),
    )
    return found[found.length - 1] ?? null
  }

  private redemptionOf(order: string, coupons: readonly (ModelCoupon | null)[]): ModelRedemption | null {
    for (const coupon of coupons) {
      const found = this.redemptions.find(
        (one) => one.order === order && coupon !== null && one.coupons.includes(coupon),
      )
      if (found !== undefined) return found
    }
    return null
  }

  /** One refusal a code: the first failing check of each. `isHeld`: the capacity is there, only the cart is judged. */
  private refusals(
    coupons: readonly (ModelCoupon | null)[],
    call: Pick<ModelCheckout, 'user' | 'cart'>,
    isHeld: boolean,
    nowMs: number,
  ): (RefusalCode | null)[] {
    const several = coupons.length > 1
    return coupons.map((coupon) => {
      if (coupon === null) return 'COUPON_NOT_FOUND'
      const { offer, userId } = coupon.definition
      if (!isHeld) {
        if (coupon.disabled) return 'COUPON_DISABLED'
        if (nowMs < (coupon.definition.validFromMs ?? 0)) return 'COUPON_NOT_STARTED'
        if (isExpired(coupon, nowMs)) return 'COUPON_EXPIRED'
        if (userId !== null && call.user !== null && call.user !== userId) return 'USER_NOT_ELIGIBLE'
      }
      const ofCart = call.cart === null ? null : cartRefusal(coupon, call.cart)
      if (ofCart !== null) return ofCart
      if (several && offer.stacking === 'EXCLUSIVE') return 'NOT_STACKABLE'
      return isHeld ? null : this.limitRefusal(coupon, call.user, nowMs)
    })
  }

  private cartRefusals(coupons: readonly ModelCoupon[], cart: Cart): (RefusalCode | null)[] {
    return this.refusals(coupons, { user: null, cart }, true, 0)
  }

  private limitRefusal(coupon: ModelCoupon, user: string | null, nowMs: number): RefusalCode | null {
    const { maxUses, maxUsesPerUser } = coupon.definition
    if (maxUsesPerUser !== null && user !== null && this.usesOfUser(coupon, user, nowMs) >= maxUsesPerUser) {
      return 'USER_LIMIT_REACHED'
    }
    if (maxUses === null) return null
    if (this.uses(coupon) >= maxUses) return 'COUPON_EXHAUSTED'
    return this.uses(coupon) + this.reserved(coupon, nowMs) >= maxUses ? 'COUPON_LOCKED' : null
  }

  /** Check by check over all codes. */
  private refuseFirst(
    refusals: readonly (RefusalCode | null)[],
    coupons: readonly (ModelCoupon | null)[],
    nowMs: number,
  ): ModelAnswer {
    for (const check of CHECKS) {
      const index = refusals.findIndex((refusal) => refusal !== null && check.includes(refusal))
      if (index < 0) continue
      const refusal = refusals[index] as RefusalCode
      const coupon = coupons[index]
      const isLocked = refusal === 'COUPON_LOCKED' && coupon !== null && coupon !== undefined
      const backMs = isLocked ? Math.min(...this.openOn(coupon, nowMs).map((one) => one.expiresAtMs)) : nowMs
      const retryAfterMs = backMs - nowMs
      return coupons.length > 1
        ? { kind: 'REFUSED', refusal, couponIndex: index, retryAfterMs }
        : { kind: 'REFUSED', refusal, retryAfterMs }
    }
    throw new Error('nothing was refused')
  }
}

function refuse(refusal: RefusalCode): ModelAnswer {
  return { kind: 'REFUSED', refusal, retryAfterMs: 0 }
}

function judgeRetry(
  earlier: ModelRedemption,
  user: string,
  coupons: readonly ModelCoupon[],
  cart: Cart | null,
): ModelAnswer {
  const isSame =
    earlier.user === user &&
    isSameSet(earlier.coupons, coupons) &&
    (cart === null ||
      (naivePrice(cart, []).currency === earlier.price.currency &&
        naiveSubtotal(cart) === earlier.price.subtotalMinor &&
        cart.shippingMinor === earlier.price.shippingMinor))
  if (!isSame) return refuse('ORDER_CONFLICT')
  if (earlier.reversed !== null) return refuse('REDEMPTION_REVERSED')
  return { kind: 'REDEMPTION', replayed: true, redemption: earlier }
}

export function isOpen(reservation: ModelReservation, nowMs: number): boolean {
  return reservation.state === 'OPEN' && nowMs < reservation.expiresAtMs
}

function isExpired(coupon: ModelCoupon, nowMs: number): boolean {
  return nowMs >= endOf(coupon)
}

function endOf(coupon: ModelCoupon): number {
  return coupon.definition.validUntilMs ?? Number.POSITIVE_INFINITY
}

function isSameSet(a: readonly (ModelCoupon | null)[], b: readonly (ModelCoupon | null)[]): boolean {
  return a.length === b.length && a.every((coupon) => b.includes(coupon))
}

function isSameCart(a: Cart, b: Cart): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function priceOf(coupons: readonly (ModelCoupon | null)[], cart: Cart | null): NaivePrice | null {
  return cart === null
    ? null
    : naivePrice(
        cart,
        (coupons as ModelCoupon[]).map((coupon) => coupon.definition.offer),
      )
}

function cartRefusal(coupon: ModelCoupon, cart: Cart): RefusalCode | null {
  const { channels, currency, minOrderMinor, minQuantity } = coupon.definition.offer
  if (channels !== null && (cart.channel === null || !channels.includes(cart.channel))) return 'CHANNEL_NOT_ALLOWED'
  if (currency !== null && currency !== cart.currency) return 'CURRENCY_MISMATCH'
  if (naiveSubtotal(cart) < (minOrderMinor ?? 0)) return 'MIN_ORDER_NOT_MET'
  const units = cart.lines.reduce((sum, line) => sum + line.quantity, 0)
  return units < (minQuantity ?? 0) ? 'MIN_QUANTITY_NOT_MET' : null
}
