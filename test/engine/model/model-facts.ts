/**
 * What the naive model remembers, and what can be said of a coupon, a campaign, a reservation or a cart by looking at it alone.
 */
import type { Cart } from '../../../engine/domain/cart.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import type { CouponRef } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import type { RefusalCode } from '../../../protocol/refusals.ts'
import { naiveDay, UTC, ZONES } from '../support/zones.ts'
import { type NaivePrice, naivePrice, naiveSubtotal } from './naive-price.ts'

/** A coupon or a campaign: something with a window and with limits on uses. */
export interface ModelLimit {
  disabled: boolean
  version: number
  readonly createdAtMs: number
  updatedAtMs: number
  /** The tick from which uses of a user count. */
  userLimitSince: number
}

export interface ModelCoupon extends ModelLimit {
  readonly ordinal: number
  definition: CouponDefinition
  readonly campaign: ModelCampaign | null
  /** Made in bulk: for the pool or not. */
  readonly bulk: 'POOL' | 'EXPORTED' | null
}

export interface ModelCampaign extends ModelLimit {
  readonly index: number
  definition: CampaignDefinition
}

/** One coupon that a user took in a local day, as what counts it. */
export interface ModelDay {
  readonly user: string
  readonly counts: ModelCoupon | ModelCampaign | 'ALL'
  readonly startMs: number
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

export function isOpen(reservation: ModelReservation, nowMs: number): boolean {
  return reservation.state === 'OPEN' && nowMs < reservation.expiresAtMs
}

export function isExpired(coupon: ModelCoupon, nowMs: number): boolean {
  return nowMs >= endOf(coupon)
}

/** By its own window, whatever its campaign's is. */
export function hasEnded(limit: ModelCoupon | ModelCampaign, nowMs: number): boolean {
  return nowMs >= (limit.definition.validUntilMs ?? Number.POSITIVE_INFINITY)
}

export function isEarly({ definition, campaign }: ModelCoupon, nowMs: number): boolean {
  return nowMs < Math.max(definition.validFromMs ?? 0, campaign?.definition.validFromMs ?? 0)
}

export function isDisabled({ disabled, campaign }: ModelCoupon): boolean {
  return disabled || campaign?.disabled === true
}

export function endOf({ definition, campaign }: ModelCoupon): number {
  const never = Number.POSITIVE_INFINITY
  return Math.min(definition.validUntilMs ?? never, campaign?.definition.validUntilMs ?? never)
}

export function offerFor({ definition, campaign }: ModelCoupon): Offer {
  const offer = definition.offer ?? campaign?.definition.offer
  if (offer === undefined) throw new Error(`${definition.code} has no offer`)
  return offer
}

/** What a coupon counts for in the local day of a moment; null: nothing. */
export function dayOf(
  taken: ModelCoupon | ModelCampaign,
  nowMs: number,
): (Omit<ModelDay, 'user'> & { readonly perUser: number }) | null {
  const campaign = 'index' in taken ? taken : taken.campaign
  const limit = taken.definition.dailyLimit ?? campaign?.definition.dailyLimit ?? null
  if (limit === null) return null
  const zone = campaign === null ? UTC : ZONES.find(({ name }) => name === campaign.definition.timezone)
  if (zone === undefined) throw new Error('a zone without a law')
  const counts = limit.scope === 'ALL' ? 'ALL' : (campaign ?? taken)
  return { counts, startMs: naiveDay(zone, nowMs).startMs, perUser: limit.perUser }
}

export function isSameDay(a: ModelCoupon, b: ModelCoupon, nowMs: number): boolean {
  const one = dayOf(a, nowMs)
  const other = dayOf(b, nowMs)
  return one !== null && other !== null && one.counts === other.counts && one.startMs === other.startMs
}

export function timesIn(coupons: readonly ModelCoupon[], limit: ModelCoupon | ModelCampaign): number {
  return coupons.filter((coupon) => coupon === limit || coupon.campaign === limit).length
}

export function amountIn(coupons: readonly ModelCoupon[], amounts: readonly number[], campaign: ModelCampaign): number {
  return sum(coupons.map((coupon, i) => (coupon.campaign === campaign ? (amounts[i] ?? 0) : 0)))
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

export function isSameSet(a: readonly (ModelCoupon | null)[], b: readonly (ModelCoupon | null)[]): boolean {
  return a.length === b.length && a.every((coupon) => b.includes(coupon))
}

export function isSameCart(a: Cart, b: Cart): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

export function priceOf(coupons: readonly (ModelCoupon | null)[], cart: Cart | null): NaivePrice | null {
  return cart === null ? null : naivePrice(cart, (coupons as ModelCoupon[]).map(offerFor))
}

export function cartRefusal(coupon: ModelCoupon, cart: Cart): RefusalCode | null {
  const { channels, currency, minOrderMinor, minQuantity } = offerFor(coupon)
  if (channels !== null && (cart.channel === null || !channels.includes(cart.channel))) return 'CHANNEL_NOT_ALLOWED'
  if (currency !== null && currency !== cart.currency) return 'CURRENCY_MISMATCH'
  if (naiveSubtotal(cart) < (minOrderMinor ?? 0)) return 'MIN_ORDER_NOT_MET'
  const units = cart.lines.reduce((sum, line) => sum + line.quantity, 0)
  return units < (minQuantity ?? 0) ? 'MIN_QUANTITY_NOT_MET' : null
}
