/**
 * Schemas of coupons, of codes in bulk, and of the jobs that make them.
 */
import Type from 'typebox'
import { OFFER_ALLOCATIONS, OFFER_SCOPES, OFFER_STACKINGS, OFFER_TYPES } from '../coupons/coupon-json.ts'
import {
  CODE_LENGTH_MAX,
  CODE_LENGTH_MIN,
  DESCRIPTION_LENGTH_MAX,
  GENERATED_AT_ONCE_MAX,
  GENERATED_CODE_LENGTH,
  JOB_USERS_MAX,
  OFFER_CHANNELS_MAX,
  OFFER_IDS_MAX,
  PRIORITY_MAX,
} from '../limits.ts'
import {
  Amount,
  closed,
  Code,
  Count,
  Currency,
  eachOptional,
  Id,
  MAX,
  Name,
  oneOf,
  Pseudonym,
  Reason,
  Tally,
  Time,
} from './schema-parts.ts'
import { CODES_OF_JOB_MAX } from '../../engine/domain/limits.ts'
import { DAILY_SCOPES } from '../../protocol/daily-limit.ts'
import { DISTRIBUTIONS, JOB_KINDS, JOB_STATES } from '../../protocol/jobs.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'

export const ExtendCouponBody = closed({
  validUntil: Time,
  reason: Reason,
  override: Type.Optional(Type.Boolean({ default: false })),
})
export const ExpireCouponBody = closed({ reason: Reason })

const Ids = Type.Array(Name, { maxItems: OFFER_IDS_MAX })
const Percent = { description: 'Percent with up to 2 decimals, minor units for FIXED, 0 or absent for FREESHIP.' }

const DailyScope = oneOf(DAILY_SCOPES)
export const DailyLimit = closed({
  perUser: Type.Optional(Type.Integer({ ...Count, default: 1 })),
  scope: Type.Optional(DailyScope),
})
export const DailyLimitPatch = closed({
  perUser: Type.Optional(Type.Union([Count, Type.Null()])),
  scope: Type.Optional(Type.Union([DailyScope, Type.Null()])),
})

/** What a request may say of an offer beside its type. */
export const offerWritable = {
  value: Type.Number({ minimum: 0, maximum: MAX, ...Percent }),
  currency: Currency,
  scope: oneOf(OFFER_SCOPES),
  allocation: oneOf(OFFER_ALLOCATIONS),
  maxDiscount: Count,
  maxUnits: Count,
  minOrderAmount: Amount,
  minQuantity: Count,
  applicableProductIds: Ids,
  applicableCategoryIds: Ids,
  excludedProductIds: Ids,
  excludedCategoryIds: Ids,
  channels: Type.Array(Name, { maxItems: OFFER_CHANNELS_MAX }),
  stacking: oneOf(OFFER_STACKINGS),
  priority: Type.Integer({ minimum: -PRIORITY_MAX, maximum: PRIORITY_MAX }),
} as const

/** What a creation may say; every member of it is optional but `type`, which a coupon of a campaign does not have. */
export const writable = {
  ...offerWritable,
  campaignId: Type.String({ description: 'Its offer comes from there; it has no offer fields of its own.' }),
  dailyLimit: DailyLimit,
  merchantId: Name,
  userId: Pseudonym,
  category: Name,
  description: Type.String({ minLength: 1, maxLength: DESCRIPTION_LENGTH_MAX }),
  listed: Type.Boolean(),
  maxUses: Count,
  maxUsesPerUser: Count,
  validFrom: Time,
  validUntil: Time,
} as const

export const CreateCouponBody = Type.Object(
  { code: Type.Optional(Code), type: Type.Optional(oneOf(OFFER_TYPES)), ...eachOptional(writable, false) },
  {
    additionalProperties: false,
    anyOf: [
      { properties: { type: {} }, required: ['type'] },
      { properties: { campaignId: {} }, required: ['campaignId'] },
    ],
  },
)
export const PatchCouponBody = closed({
  code: Type.Optional(Code),
  type: Type.Optional(oneOf(OFFER_TYPES)),
  ...eachOptional(writable, true),
  dailyLimit: Type.Optional(Type.Union([DailyLimitPatch, Type.Null()])),
})

/** Codes that the engine draws. */
const drawn = {
  length: Type.Integer({
    minimum: CODE_LENGTH_MIN,
    maximum: CODE_LENGTH_MAX,
    default: GENERATED_CODE_LENGTH,
    description: 'Letters of a code, those of the prefix included.',
  }),
  prefix: Type.String({ description: 'Letters of codes; case and surrounding space are ignored.' }),
} as const
const CodeCount = Type.Integer({ minimum: 1, maximum: CODES_OF_JOB_MAX })
export const GenerateBody = closed({
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: CODES_OF_JOB_MAX, default: 1 })),
  type: Type.Optional(oneOf(OFFER_TYPES)),
  ...eachOptional(drawn, false),
  ...eachOptional(writable, false),
})
export const CodesBody = closed({
  count: Type.Optional(CodeCount),
  ...eachOptional(drawn, false),
  distribution: Type.Optional(oneOf(DISTRIBUTIONS)),
  userIds: Type.Optional(
    Type.Array(Pseudonym, { minItems: 1, maxItems: JOB_USERS_MAX, description: 'One code each; instead of count.' }),
  ),
})
export const CodesFile = Type.String({ description: 'code,status,holder,createdAt,lockedUntil,redeemedAt' })
export const Job = closed({
  jobId: Id,
  kind: oneOf(JOB_KINDS),
  state: oneOf(JOB_STATES),
  processed: Tally,
  total: Tally,
  failed: Tally,
  ratePerSecond: Tally,
  etaSeconds: Type.Union([Tally, Type.Null()], { description: 'null: it has not begun.' }),
  errors: Type.Array(closed({ line: Tally, code: Type.String(), detail: Type.String() })),
})
export const Coupon = closed({
  couponId: Id,
  code: Type.String(),
  type: oneOf(OFFER_TYPES),
  ...eachOptional(writable, false),
  value: writable.value,
  scope: writable.scope,
  stacking: writable.stacking,
  priority: writable.priority,
  listed: writable.listed,
  status: oneOf(COUPON_STATUSES),
  uses: Tally,
  reserved: Tally,
  remaining: Type.Union([Type.Integer(), Type.Null()]),
  lockedBy: Type.Optional(Pseudonym),
  lockExpiresAt: Type.Optional(Time),
  version: Tally,
  createdAt: Time,
  updatedAt: Time,
})

export const Generated = closed({ data: Type.Array(Coupon, { maxItems: GENERATED_AT_ONCE_MAX }) })

export const JobBegun = closed({ jobId: Id })
export const ImportFile = Type.String({
  description: 'CSV with a header of Coupon field names, or a body of POST /coupons a line; `uses` may be given.',
})
