/**
 * Schemas of campaigns and claims, as the OpenAPI document serves them (see `schema-parts.ts`).
 */
import Type from 'typebox'
import {
  LOCK_SECONDS_DEFAULT,
  LOCK_SECONDS_MAX,
  LOW_STOCK_DEFAULT,
  NAME_LENGTH_MAX,
  TIMEZONE_LENGTH_MAX,
} from '../limits.ts'
import { OFFER_TYPES } from '../coupons/coupon-json.ts'
import { Coupon, DailyLimit, DailyLimitPatch, offerWritable } from './coupon-schemas.ts'
import {
  Amount,
  closed,
  Count,
  Currency,
  eachOptional,
  Id,
  Name,
  oneOf,
  pageOf,
  Pseudonym,
  Tally,
  Time,
} from './schema-parts.ts'
import { CAMPAIGN_STATUSES } from '../../protocol/outcomes.ts'

const OfferBody = closed({ type: oneOf(OFFER_TYPES), ...eachOptional(offerWritable, false) })
const OfferPatch = closed({ type: Type.Optional(oneOf(OFFER_TYPES)), ...eachOptional(offerWritable, true) })
const Offer = closed({
  type: oneOf(OFFER_TYPES),
  ...eachOptional(offerWritable, false),
  value: offerWritable.value,
  scope: offerWritable.scope,
  stacking: offerWritable.stacking,
  priority: offerWritable.priority,
})

/** What a creation may say beside name and offer. */
const writable = {
  merchantId: Name,
  currency: Currency,
  validFrom: Time,
  validUntil: Time,
  timezone: Type.String({
    minLength: 1,
    maxLength: TIMEZONE_LENGTH_MAX,
    default: 'UTC',
    description: 'Of the IANA database: where its days begin.',
  }),
  listed: Type.Boolean({ default: false }),
  maxUses: Type.Integer({ ...Count, description: 'Of all its codes together.' }),
  maxUsesPerUser: Type.Integer({ ...Count, description: 'Over all its codes.' }),
  budget: Type.Integer({ ...Count, description: 'The sum of its discounts never exceeds it. Minor units.' }),
  lockSeconds: Type.Integer({ minimum: 1, maximum: LOCK_SECONDS_MAX, default: LOCK_SECONDS_DEFAULT }),
  lowStockAt: Type.Number({
    minimum: 0,
    maximum: 1,
    default: LOW_STOCK_DEFAULT,
    description: 'Share of the limit that is left when operators are told; up to 6 decimals.',
  }),
} as const

export const CreateCampaignBody = closed({
  name: Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }),
  offer: OfferBody,
  dailyLimit: Type.Optional(DailyLimit),
  ...eachOptional(writable, false),
})
export const PatchCampaignBody = closed({
  name: Type.Optional(Name),
  offer: Type.Optional(OfferPatch),
  dailyLimit: Type.Optional(Type.Union([DailyLimitPatch, Type.Null()])),
  ...eachOptional(writable, true),
})

export const Campaign = closed({
  campaignId: Id,
  name: Name,
  offer: Offer,
  dailyLimit: Type.Optional(DailyLimit),
  ...eachOptional(writable, false),
  timezone: writable.timezone,
  listed: writable.listed,
  lockSeconds: writable.lockSeconds,
  lowStockAt: writable.lowStockAt,
  status: oneOf(CAMPAIGN_STATUSES),
  codes: Tally,
  uses: Tally,
  reserved: Tally,
  discountTotal: Amount,
  version: Tally,
  createdAt: Time,
  updatedAt: Time,
})
export const CampaignList = pageOf(Campaign)

export const ClaimBody = closed({ userId: Pseudonym })
export const Claim = closed({ coupon: Coupon, reservationId: Id, expiresAt: Time })
