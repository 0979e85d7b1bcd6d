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
import {
  amountIn,
  cartRefusal,
  dayOf,
  endOf,
  hasEnded,
  isDisabled,
  isEarly,
  isExpired,
  isOpen,
  isSameCart,
  isSameDay,
  isSameSet,
  type ModelAnswer,
  type ModelCampaign,
  type ModelCheckout,
  type ModelCoupon,
  type ModelDay,
  type ModelLimit,
  type ModelRedemption,
  type ModelReservation,
  type ModelVerdict,
  offerFor,
  priceOf,
  sum,
  timesIn,
} from './model-facts.ts'
import { type NaivePrice, naivePrice, naiveSubtotal } from './naive-price.ts'

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
  ['DAILY_LIMIT_REACHED'],
  ['USER_LIMIT_REACHED'],
  ['COUPON_EXHAUSTED', 'COUPON_LOCKED'],
  ['CAMPAIGN_EXHAUSTED'],
  ['BUDGET_EXHAUSTED'],
]

const HOUR_MS = 3_600_000

export class NaiveModel {
  readonly coupons: ModelCoupon[] = []
  readonly reservations: ModelReservation[] = []
  readonly redemptions: ModelRedemption[] = []
  readonly campaigns: ModelCampaign[] = []
  protected readonly days: ModelDay[] = []
  protected tick = 0

  /** Call before every command. */
  beginCommand(): void {
    this.tick++
  }

  create(definition: CouponDefinition, nowMs: number): ModelAnswer {
    if (this.coupons.some((coupon) => coupon.definition.code === definition.code)) return refuse('CODE_TAKEN')
    const coupon: ModelCoupon = {
      ordinal: this.coupons.filter((one) => one.bulk === null).length,
      definition,
      campaign: definition.campaign === null ? null : (this.campaigns[definition.campaign.index] as ModelCampaign),
      bulk: null,
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
    if (hasEnded(coupon, nowMs) && !isExpiredAfter) return refuse('INVALID_TRANSITION')
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
    if (hasEnded(coupon, nowMs) && !override) return refuse('INVALID_TRANSITION')
    this.change(coupon, { ...coupon.definition, validUntilMs }, nowMs)
    return { kind: 'COUPON', coupon }
  }

  expire(ref: CouponRef<string>, nowMs: number): ModelAnswer {
    const coupon = this.find(ref)
    if (coupon === null) return refuse('COUPON_NOT_FOUND')
    if (hasEnded(coupon, nowMs)) return { kind: 'COUPON', coupon }
    const { validFromMs } = coupon.definition
    // A window never ends before it begins.
    const fromMs = validFromMs === null ? null : Math.min(validFromMs, nowMs)
    this.change(coupon, { ...coupon.definition, validFromMs: fromMs, validUntilMs: nowMs }, nowMs)
    return { kind: 'COUPON', coupon }
  }

  validate(call: ModelCheckout, nowMs: number): ModelAnswer {
    const coupons = call.refs.map((ref) => this.find(ref))
    const held = call.user === null ? null : this.openOf(call.user, coupons, () => true, nowMs)
    const beforeBudget = this.refusals(coupons, call, held !== null, nowMs)
    const refusals = this.withBudgets(beforeBudget, coupons, call.cart, held, nowMs)
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
    const refusals = this.withBudgets(this.refusals(coupons, call, false, nowMs), coupons, cart, null, nowMs)
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
    this.takeDays(found, user, nowMs)
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
    const refusals = this.withBudgetsOf(open, asked, cart, nowMs)
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
    const refusals = this.withBudgets(this.refusals(found, call, false, nowMs), found, cart, null, nowMs)
    if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, found, nowMs)
    this.takeDays(found, user, nowMs)
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
    // Its day was counted when it was made.
    const byLimits = coupons.map((coupon, i) => this.useRefusal(coupon, user, coupons.slice(0, i), nowMs))
    const byBudget = this.overBudget(coupons, reservation.price.amounts, null, nowMs)
    const refusals = byLimits.map((refusal, i) => refusal ?? byBudget[i] ?? null)
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
      // A changed offer never changes a reservation's price: the cart it was made for keeps it.
      const isKept = open.cart !== null && isSameCart(open.cart, cart)
      const refusals = isKept ? this.cartRefusals(asked, cart) : this.withBudgetsOf(open, asked, cart, nowMs)
      if (refusals.some((refusal) => refusal !== null)) return this.refuseFirst(refusals, asked, nowMs)
      if (!isKept) price = priceOf(open.coupons, cart)
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

  uses(limit: ModelCoupon | ModelCampaign): number {
    const counted = this.redemptions.filter((one) => one.reversed?.returnUse !== true)
    return sum(counted.map((one) => timesIn(one.coupons, limit)))
  }

  reserved(limit: ModelCoupon | ModelCampaign, nowMs: number): number {
    return sum(this.openOn(limit, nowMs).map((one) => timesIn(one.coupons, limit)))
  }

  /** Discounts of redemptions that stand: a reversal gives the budget back, whether it returns the use or not. */
  spent(campaign: ModelCampaign): number {
    const standing = this.redemptions.filter((one) => one.reversed === null)
    return sum(standing.map((one) => amountIn(one.coupons, one.price.amounts, campaign)))
  }

  /** What open reservations may still take of a budget, `own` left out. */
  heldOf(campaign: ModelCampaign, own: ModelReservation | null, nowMs: number): number {
    const others = this.openOn(campaign, nowMs).filter((one) => one !== own)
    return sum(others.map((one) => amountIn(one.coupons, one.price?.amounts ?? [], campaign)))
  }

  /** What counts against the limit per user: redeemed or held since there is one. */
  usesOfUser(limit: ModelCoupon | ModelCampaign, user: string, nowMs: number): number {
    const since = limit.userLimitSince
    const redeemed = this.redemptions.filter(
      (one) => one.user === user && one.tick > since && one.reversed?.returnUse !== true,
    )
    const held = this.openOn(limit, nowMs).filter((one) => one.user === user && one.tick > since)
    return sum([...redeemed, ...held].map((one) => timesIn(one.coupons, limit)))
  }

  openOn(limit: ModelCoupon | ModelCampaign, nowMs: number): ModelReservation[] {
    return this.reservations.filter((one) => timesIn(one.coupons, limit) > 0 && isOpen(one, nowMs))
  }

  statusOf(coupon: ModelCoupon, nowMs: number): string {
    const { maxUses } = coupon.definition
    if (isDisabled(coupon)) return 'DISABLED'
    if (isExpired(coupon, nowMs)) return 'EXPIRED'
    if (maxUses !== null && this.uses(coupon) === maxUses) return maxUses === 1 ? 'REDEEMED' : 'EXHAUSTED'
    if (isEarly(coupon, nowMs)) return 'SCHEDULED'
    return maxUses === 1 && this.reserved(coupon, nowMs) > 0 ? 'LOCKED' : 'ACTIVE'
  }

  private find(ref: CouponRef<string>): ModelCoupon | null {
    const found = this.coupons.find((one) =>
      ref.code === null ? one.ordinal === ref.ordinal : one.definition.code === ref.code,
    )
    return found ?? null
  }

  protected touch(limit: ModelLimit, nowMs: number): void {
    limit.version++
    limit.updatedAtMs = nowMs
  }

  /** Reservations never outlast their coupon; one whose coupon has ended ends with it. */
  private change(coupon: ModelCoupon, definition: CouponDefinition, nowMs: number): void {
    const open = this.openOn(coupon, nowMs)
    coupon.definition = definition
    for (const reservation of open) {
      if (hasEnded(coupon, nowMs)) reservation.state = 'ENDED'
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
    return coupons.map((coupon, i) => {
      if (coupon === null) return 'COUPON_NOT_FOUND'
      const { userId } = coupon.definition
      if (!isHeld) {
        if (isDisabled(coupon)) return 'COUPON_DISABLED'
        if (isEarly(coupon, nowMs)) return 'COUPON_NOT_STARTED'
        if (isExpired(coupon, nowMs)) return 'COUPON_EXPIRED'
        if (userId !== null && call.user !== null && call.user !== userId) return 'USER_NOT_ELIGIBLE'
      }
      const ofCart = call.cart === null ? null : cartRefusal(coupon, call.cart)
      if (ofCart !== null) return ofCart
      if (several && offerFor(coupon).stacking === 'EXCLUSIVE') return 'NOT_STACKABLE'
      return isHeld ? null : this.limitRefusal(coupon, call.user, coupons.slice(0, i), nowMs)
    })
  }

  private cartRefusals(coupons: readonly ModelCoupon[], cart: Cart): (RefusalCode | null)[] {
    return this.refusals(coupons, { user: null, cart }, true, 0)
  }

  /** `before`: the codes that stand before it in the call, each of which takes one of what they share. */
  private limitRefusal(
    coupon: ModelCoupon,
    user: string | null,
    before: readonly (ModelCoupon | null)[],
    nowMs: number,
  ): RefusalCode | null {
    const sameDay = before.filter((other) => other !== null && isSameDay(other, coupon, nowMs)).length
    if (user !== null && this.isBeyondDay(coupon, user, sameDay, nowMs)) return 'DAILY_LIMIT_REACHED'
    return this.useRefusal(coupon, user, before, nowMs)
  }

  private useRefusal(
    coupon: ModelCoupon,
    user: string | null,
    before: readonly (ModelCoupon | null)[],
    nowMs: number,
  ): RefusalCode | null {
    const { campaign } = coupon
    const same = before.filter((other) => campaign !== null && other?.campaign === campaign).length
    if (user !== null && this.isBeyondUser(coupon, user, 0, nowMs)) return 'USER_LIMIT_REACHED'
    if (user !== null && campaign !== null && this.isBeyondUser(campaign, user, same, nowMs))
      return 'USER_LIMIT_REACHED'
    return this.ownUseRefusal(coupon, nowMs) ?? (campaign === null ? null : this.campaignRefusal(campaign, same, nowMs))
  }

  protected isBeyondUser(limit: ModelCoupon | ModelCampaign, user: string, more: number, nowMs: number): boolean {
    const { maxUsesPerUser } = limit.definition
    return maxUsesPerUser !== null && this.usesOfUser(limit, user, nowMs) + more >= maxUsesPerUser
  }

  private ownUseRefusal(coupon: ModelCoupon, nowMs: number): RefusalCode | null {
    const { maxUses } = coupon.definition
    if (maxUses === null) return null
    if (this.uses(coupon) >= maxUses) return 'COUPON_EXHAUSTED'
    return this.uses(coupon) + this.reserved(coupon, nowMs) >= maxUses ? 'COUPON_LOCKED' : null
  }

  protected campaignRefusal(campaign: ModelCampaign, more: number, nowMs: number): RefusalCode | null {
    const { maxUses } = campaign.definition
    if (maxUses === null) return null
    const used = this.uses(campaign) + more
    if (used >= maxUses) return 'CAMPAIGN_EXHAUSTED'
    return used + this.reserved(campaign, nowMs) >= maxUses ? 'COUPON_LOCKED' : null
  }

  protected isBeyondDay(taken: ModelCoupon | ModelCampaign, user: string, more: number, nowMs: number): boolean {
    const day = dayOf(taken, nowMs)
    if (day === null) return false
    const counted = this.days.filter(
      (one) => one.user === user && one.counts === day.counts && one.startMs === day.startMs,
    )
    return counted.length + more >= day.perUser
  }

  protected takeDays(coupons: readonly ModelCoupon[], user: string, nowMs: number): void {
    for (const coupon of coupons) {
      const day = dayOf(coupon, nowMs)
      if (day !== null) this.days.push({ user, counts: day.counts, startMs: day.startMs })
    }
  }

  /** Where nothing else is in the way, whether the discounts fit into the budgets beside what is spent and held. */
  private withBudgets(
    refusals: readonly (RefusalCode | null)[],
    coupons: readonly (ModelCoupon | null)[],
    cart: Cart | null,
    own: ModelReservation | null,
    nowMs: number,
  ): readonly (RefusalCode | null)[] {
    if (cart === null || refusals.some((refusal) => refusal !== null)) return refusals
    const found = coupons as readonly ModelCoupon[]
    return this.overBudget(found, (priceOf(found, cart) as NaivePrice).amounts, own, nowMs)
  }

  /** The same for an open reservation and a new cart. Discounts are worked out in its own order, refusals told in that asked. */
  private withBudgetsOf(
    own: ModelReservation,
    asked: readonly ModelCoupon[],
    cart: Cart,
    nowMs: number,
  ): readonly (RefusalCode | null)[] {
    const ofCart = this.cartRefusals(asked, cart)
    if (ofCart.some((refusal) => refusal !== null)) return ofCart
    const ofBudget = this.withBudgets(ofCart, own.coupons, cart, own, nowMs)
    return asked.map((coupon) => ofBudget[own.coupons.indexOf(coupon)] ?? null)
  }

  private overBudget(
    coupons: readonly ModelCoupon[],
    amounts: readonly number[],
    own: ModelReservation | null,
    nowMs: number,
  ): (RefusalCode | null)[] {
    return coupons.map(({ campaign }, i) => {
      const budgetMinor = campaign?.definition.budgetMinor ?? null
      if (campaign === null || budgetMinor === null) return null
      const wanted = amountIn(coupons.slice(0, i + 1), amounts, campaign)
      return this.spent(campaign) + this.heldOf(campaign, own, nowMs) + wanted > budgetMinor ? 'BUDGET_EXHAUSTED' : null
    })
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
      const locked = isLocked && this.ownUseRefusal(coupon, nowMs) === null ? coupon.campaign : coupon
      const backMs = isLocked ? this.firstBackMs(locked as ModelCoupon | ModelCampaign, nowMs) : nowMs
      const retryAfterMs = backMs - nowMs
      return coupons.length > 1
        ? { kind: 'REFUSED', refusal, couponIndex: index, retryAfterMs }
        : { kind: 'REFUSED', refusal, retryAfterMs }
    }
    throw new Error('nothing was refused')
  }

  /** When the first hold that counts may come back. */
  protected firstBackMs(limit: ModelCoupon | ModelCampaign, nowMs: number): number {
    return Math.min(...this.openOn(limit, nowMs).map((one) => one.expiresAtMs))
  }
}

export function refuse(refusal: RefusalCode): ModelAnswer {
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
