/**
 * A coupon's definition: everything about it that people decide. Counters are state and never stand here.
 *
 * The byte form goes into events. It is positional and versioned by one leading byte; a new field gets a new version,
 * and the reader keeps reading the old ones.
 */
import { assert } from './assert.ts'
import { type ByteReader, ByteWriter } from './bytes.ts'
import { type DailyLimit, readDailyLimit, writeDailyLimit } from './daily-limit.ts'
import type { Offer, OfferAllocation, OfferScope, OfferStacking, OfferType } from '../engine/domain/offer.ts'

/** Where a campaign lives, and its number there. */
export interface CampaignRef {
  readonly shard: number
  readonly index: number
}

export interface CouponDefinition {
  /** Canonical; see `codes.ts`. */
  readonly code: string
  /** null: that of its campaign, as it is at any moment. */
  readonly offer: Offer | null
  /** null: it stands alone. */
  readonly campaign: CampaignRef | null
  readonly dailyLimit: DailyLimit | null
  readonly merchantId: string | null
  /** The only user it serves; null: everybody. */
  readonly userId: string | null
  readonly category: string | null
  readonly description: string | null
  readonly listed: boolean
  /** null: unlimited. */
  readonly maxUses: number | null
  readonly maxUsesPerUser: number | null
  /** Inclusive; null: since ever. */
  readonly validFromMs: number | null
  /** Exclusive; null: for ever. */
  readonly validUntilMs: number | null
}

/** 1 had neither a campaign nor a limit a day; coupons that have neither are still written so. */
const LAYOUTS = { ALONE: 1, BOUND: 2 } as const
const TYPES: readonly OfferType[] = ['PERCENT', 'FIXED', 'FREESHIP']
const SCOPES: readonly OfferScope[] = ['ORDER', 'ITEM']
const ALLOCATIONS: readonly OfferAllocation[] = ['UNIT', 'LINE', 'ACROSS']
const STACKINGS: readonly OfferStacking[] = ['EXCLUSIVE', 'STACKABLE']

export function writeOffer(w: ByteWriter, offer: Offer): void {
  w.u8(TYPES.indexOf(offer.type))
  w.u8(SCOPES.indexOf(offer.scope))
  w.u8(ALLOCATIONS.indexOf(offer.allocation))
  w.u8(STACKINGS.indexOf(offer.stacking))
  w.varint(offer.percentBps)
  w.varint(offer.valueMinor)
  w.maybeText(offer.currency)
  w.maybeVarint(offer.maxDiscountMinor)
  w.maybeVarint(offer.maxUnits)
  w.maybeVarint(offer.minOrderMinor)
  w.maybeVarint(offer.minQuantity)
  w.texts(offer.applicableProductIds)
  w.texts(offer.applicableCategoryIds)
  w.texts(offer.excludedProductIds)
  w.texts(offer.excludedCategoryIds)
  w.u8(offer.channels === null ? 0 : 1)
  if (offer.channels !== null) w.texts(offer.channels)
  w.u8(offer.priority < 0 ? 1 : 0)
  w.varint(Math.abs(offer.priority))
}

export function readOffer(r: ByteReader): Offer {
  const type = TYPES[r.u8()]
  const scope = SCOPES[r.u8()]
  const allocation = ALLOCATIONS[r.u8()]
  const stacking = STACKINGS[r.u8()]
  assert(
    type !== undefined && scope !== undefined && allocation !== undefined && stacking !== undefined,
    'unknown offer',
  )
  return Object.freeze({
    type,
    scope,
    allocation,
    stacking,
    percentBps: r.varint(),
    valueMinor: r.varint(),
    currency: r.maybeText(),
    maxDiscountMinor: r.maybeVarint(),
    maxUnits: r.maybeVarint(),
    minOrderMinor: r.maybeVarint(),
    minQuantity: r.maybeVarint(),
    applicableProductIds: r.texts(),
    applicableCategoryIds: r.texts(),
    excludedProductIds: r.texts(),
    excludedCategoryIds: r.texts(),
    channels: r.u8() === 0 ? null : r.texts(),
    priority: readSigned(r),
  })
}

function readSigned(r: ByteReader): number {
  const negative = r.u8() === 1
  const magnitude = r.varint()
  return negative ? -magnitude : magnitude
}

export function writeDefinition(w: ByteWriter, definition: CouponDefinition): void {
  const { offer, campaign, dailyLimit } = definition
  const isBound = campaign !== null || dailyLimit !== null
  w.u8(isBound ? LAYOUTS.BOUND : LAYOUTS.ALONE)
  w.text(definition.code)
  if (isBound) w.u8(offer === null ? 0 : 1)
  assert(offer !== null || campaign !== null, 'a coupon that stands alone has no offer')
  if (offer !== null) writeOffer(w, offer)
  w.maybeText(definition.merchantId)
  w.maybeText(definition.userId)
  w.maybeText(definition.category)
  w.maybeText(definition.description)
  w.u8(definition.listed ? 1 : 0)
  w.maybeVarint(definition.maxUses)
  w.maybeVarint(definition.maxUsesPerUser)
  w.maybeVarint(definition.validFromMs)
  w.maybeVarint(definition.validUntilMs)
  if (!isBound) return
  w.u8(campaign === null ? 0 : 1)
  if (campaign !== null) {
    w.varint(campaign.shard)
    w.varint(campaign.index)
  }
  writeDailyLimit(w, dailyLimit)
}

export function readDefinition(r: ByteReader): CouponDefinition {
  const layout = r.u8()
  assert(layout === LAYOUTS.ALONE || layout === LAYOUTS.BOUND, `coupon layout ${layout} is newer than this program`)
  const isBound = layout === LAYOUTS.BOUND
  return {
    code: r.text(),
    offer: !isBound || r.u8() === 1 ? readOffer(r) : null,
    merchantId: r.maybeText(),
    userId: r.maybeText(),
    category: r.maybeText(),
    description: r.maybeText(),
    listed: r.u8() === 1,
    maxUses: r.maybeVarint(),
    maxUsesPerUser: r.maybeVarint(),
    validFromMs: r.maybeVarint(),
    validUntilMs: r.maybeVarint(),
    campaign: isBound ? readCampaignRef(r) : null,
    dailyLimit: isBound ? readDailyLimit(r) : null,
  }
}

function readCampaignRef(r: ByteReader): CampaignRef | null {
  return r.u8() === 0 ? null : { shard: r.varint(), index: r.varint() }
}

/** The byte form alone: equal for definitions that say the same. */
export function definitionBytes(definition: CouponDefinition): Uint8Array {
  const w = new ByteWriter()
  writeDefinition(w, definition)
  return w.view()
}
