/**
 * The fast way into `decide` for many direct redemptions of one coupon: what is the same for every row is judged once, and
 * nothing is allocated per row.
 *
 * It only ever says yes. A row that is anything but an ordinary new redemption (the order is known, the user holds a
 * reservation, a limit or a minimum is in the way) is left to `decide`, which then finds the reason. So there is one rule
 * book; the differential test holds this shortcut against it.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import { noBytes } from '../../protocol/bytes.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { isBulk } from '../../protocol/ordinals.ts'
import { currencyName } from '../../protocol/currency.ts'
import { EVENT, type Redeemed } from '../../protocol/events.ts'
import { assert } from '../../protocol/assert.ts'
import { cartOfTotal } from './cart.ts'
import { discountOfOneLine } from './discount.ts'
import { cartRefusal } from './eligibility.ts'
import { firstHoldOfUser } from './holds.ts'
import { windowRefusal } from './judge.ts'
import type { Offer } from './offer.ts'
import { redemptionOfOrder } from './retry.ts'
import { Key, type ShardState, userSaltedInto } from './state.ts'

const key = new Key()

export class DirectRows {
  private definition: CouponDefinition | null = null
  private offer: Offer | null = null
  private ordinal = -1
  private readonly ordinals = [0]
  private readonly amounts = [0]
  private readonly price = {
    currency: 0,
    subtotalMinor: 0,
    shippingMinor: 0,
    shippingDiscountMinor: 0,
    amounts: this.amounts,
    lines: null,
  }
  /** Filled again for every row: apply and append it before the next. */
  private readonly event = {
    type: EVENT.REDEEMED,
    reservationSeq: 0,
    late: false,
    ordinals: this.ordinals,
    user: noBytes(),
    order: noBytes(),
    price: this.price,
    stack: null,
  }

  /** False: no row of this coupon can take the fast way now. Nothing that is judged here changes while rows are redeemed. */
  begin(state: ShardState, ordinal: number, currency: number, nowMs: number): boolean {
    const definition = state.definition(ordinal)
    const { offer } = definition
    // What has more limits than its own goes the whole way.
    if (offer === null || definition.campaign !== null || definition.dailyLimit !== null || isBulk(ordinal))
      return false
    if (definition.userId !== null || windowRefusal(state, ordinal, definition, nowMs) !== null) return false
    const least = cartOfTotal(offer.minOrderMinor ?? 0, currencyName(currency))
    if (cartRefusal(offer, least) !== null) return false
    this.definition = definition
    this.offer = offer
    this.ordinal = ordinal
    this.ordinals[0] = ordinal
    this.price.currency = currency
    return true
  }

  /** The redemption of one row, its keys in the state's hand; null: ask `decide`. */
  redeem(state: ShardState, user: Bytes, order: Bytes, totalMinor: number): Redeemed | null {
    const { definition, offer, ordinal } = this
    assert(definition !== null && offer !== null, 'a row before its frame')
    const { maxUses, maxUsesPerUser } = definition
    if (offer.minOrderMinor !== null && totalMinor < offer.minOrderMinor) return null
    if (redemptionOfOrder(state, ordinal) !== 0) return null
    const { coupons, claims } = state.tables
    if (claims.size > 0) return null
    const isHeld = coupons.holds.get(ordinal) >= 0
    if (isHeld && firstHoldOfUser(state, state.userKey, ordinal) >= 0) return null
    if (maxUsesPerUser !== null && this.usesOfUser(state) >= maxUsesPerUser) return null
    if (maxUses !== null && coupons.uses.get(ordinal) + coupons.reserved.get(ordinal) >= maxUses) return null
    this.event.user = user
    this.event.order = order
    this.price.subtotalMinor = totalMinor
    this.amounts[0] = discountOfOneLine(offer, 1, totalMinor, 0)
    return this.event
  }

  private usesOfUser(state: ShardState): number {
    const { users } = state.tables
    userSaltedInto(state, state.userKey, this.ordinal, key)
    const slot = users.find(key.k0, key.k1, key.k2, key.k3)
    return slot < 0 ? 0 : users.uses(slot) + users.held(slot)
  }
}
