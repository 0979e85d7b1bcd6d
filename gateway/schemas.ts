/**
 * Schemas of bodies, as the OpenAPI document serves them. JSON Schema 2020-12, made with typebox from the same bounds that
 * the decoders use.
 *
 * Requests are judged by hand-written decoders (`decode-*.ts`, `coupon-json.ts`) because they have to be fast and to point
 * at the fault. A differential test holds both together: whatever a schema refuses the decoder refuses, and the decoder refuses
 * more only by the rules a schema cannot say (sums, currencies beside money, the same code twice, which fields go together).
 */
import Type, { type TProperties, type TSchema } from 'typebox'
import { OFFER_ALLOCATIONS, OFFER_SCOPES, OFFER_STACKINGS, OFFER_TYPES } from './coupon-json.ts'
import {
  CART_LINES_MAX,
  CODE_LENGTH_MAX,
  CODE_LENGTH_MIN,
  CODES_MAX,
  DESCRIPTION_LENGTH_MAX,
  GENERATED_AT_ONCE_MAX,
  GENERATED_CODE_LENGTH,
  JOB_USERS_MAX,
  LINE_CATEGORIES_MAX,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  NAME_LENGTH_MAX,
  OFFER_CHANNELS_MAX,
  OFFER_IDS_MAX,
  PRIORITY_MAX,
  PSEUDONYM_LENGTH_MAX,
  REASON_LENGTH_MAX,
  TTL_SECONDS_DEFAULT,
  TTL_SECONDS_MAX,
} from './limits.ts'
import { EVENT_TYPES } from './event-feed.ts'
import { GATEWAY_STATUS } from './problem.ts'
import { HISTORY_TYPES } from './history-types.ts'
import { CODES_OF_JOB_MAX } from '../engine/domain/limits.ts'
import { CHANGES, RELEASE_CAUSES, SWITCHES } from '../protocol/events.ts'
import { DISTRIBUTIONS, JOB_KINDS, JOB_STATES } from '../protocol/jobs.ts'
import { DAILY_SCOPES } from '../protocol/daily-limit.ts'
import { COUPON_STATUSES, RESERVATION_STATUSES } from '../protocol/outcomes.ts'
import { REFUSALS } from '../protocol/refusals.ts'

const MAX = Number.MAX_SAFE_INTEGER

/** An object without further members. */
export function closed<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false })
}

export function oneOf(values: readonly string[]) {
  return Type.Enum([...values])
}

export const Name = Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX })
export const Pseudonym = Type.String({ minLength: 1, maxLength: PSEUDONYM_LENGTH_MAX })
const Reason = Type.String({ minLength: 1, maxLength: REASON_LENGTH_MAX })
export const Amount = Type.Integer({ minimum: 0, maximum: MAX, description: 'Minor units.' })
export const Count = Type.Integer({ minimum: 1, maximum: MAX })
export const Tally = Type.Integer({ minimum: 0, maximum: MAX })
export const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' })
export const Time = Type.String({
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]00:00)$',
  description: 'RFC 3339 in UTC.',
})
export const Id = Type.String({ description: 'Opaque.' })
const Code = Type.String({ description: 'Case and surrounding space are ignored.' })
const Codes = Type.Array(Code, { minItems: 1, maxItems: CODES_MAX })
const Ttl = Type.Integer({ minimum: 1, maximum: TTL_SECONDS_MAX })

const CartLine = closed({
  lineId: Type.Optional(Name),
  productId: Name,
  categoryIds: Type.Optional(Type.Array(Name, { maxItems: LINE_CATEGORIES_MAX })),
  quantity: Count,
  unitPrice: Amount,
})
const CartOfLines = closed({
  currency: Currency,
  lines: Type.Array(CartLine, { minItems: 1, maxItems: CART_LINES_MAX }),
  shipping: Type.Optional(Amount),
  channel: Type.Optional(Name),
})
const CartOfTotal = closed({ orderTotal: Amount, currency: Currency })
const Cart = Type.Union([CartOfLines, CartOfTotal])

export const ValidateBody = closed({ codes: Codes, userId: Type.Optional(Pseudonym), cart: Cart })
export const ReserveBody = closed({
  codes: Codes,
  userId: Pseudonym,
  cart: Type.Optional(Cart),
  orderId: Type.Optional(Pseudonym),
  ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: TTL_SECONDS_MAX, default: TTL_SECONDS_DEFAULT })),
})
export const RedeemBody = closed({ codes: Codes, userId: Pseudonym, orderId: Pseudonym, cart: Cart })
export const RedeemReservationBody = closed({
  orderId: Pseudonym,
  cart: Type.Optional(Cart),
  allowLate: Type.Optional(Type.Boolean()),
})
export const ExtendReservationBody = closed({ ttlSeconds: Ttl })
export const ReverseBody = closed({ reason: Reason, returnUse: Type.Optional(Type.Boolean({ default: true })) })
export const LockBody = closed({
  userId: Pseudonym,
  orderTotal: Type.Optional(Amount),
  currency: Type.Optional(Currency),
  cart: Type.Optional(Cart),
})
export const RedeemCouponBody = closed({
  userId: Pseudonym,
  orderId: Pseudonym,
  orderTotal: Type.Optional(Amount),
  currency: Type.Optional(Currency),
  cart: Type.Optional(Cart),
})
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
const writable = {
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

export function eachOptional(properties: Readonly<Record<string, TSchema>>, nullable: boolean): TProperties {
  const made: Record<string, TSchema> = {}
  for (const [key, schema] of Object.entries(properties)) {
    made[key] = Type.Optional(nullable ? Type.Union([schema, Type.Null()]) : schema)
  }
  return made
}

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

const GivenAmount = closed({ code: Type.String(), amount: Amount })
const DiscountLine = closed({
  lineId: Type.String(),
  amount: Amount,
  discount: Amount,
  final: Amount,
  coupons: Type.Array(GivenAmount),
})
const Discount = closed({
  currency: Currency,
  total: Amount,
  subtotal: Amount,
  shipping: Amount,
  finalPrice: Amount,
  lines: Type.Array(DiscountLine),
  shippingDiscount: Amount,
})
const refusalCodes = Object.keys(REFUSALS)
const Verdict = Type.Union([
  closed({
    code: Type.String(),
    couponId: Id,
    applicable: Type.Literal(true),
    amount: Type.Optional(Amount),
  }),
  closed({
    code: Type.String(),
    applicable: Type.Literal(false),
    reason: oneOf(refusalCodes),
    detail: Type.String(),
  }),
])
const Verdicts = Type.Array(Verdict)

export const Validation = closed({
  valid: Type.Boolean(),
  discount: Type.Union([Discount, Type.Null()]),
  coupons: Verdicts,
})
const ReservedCoupon = closed({ couponId: Id, code: Type.String(), amount: Type.Optional(Amount) })
export const Reservation = closed({
  reservationId: Id,
  status: oneOf(RESERVATION_STATUSES),
  userId: Pseudonym,
  orderId: Type.Optional(Pseudonym),
  expiresAt: Time,
  discount: Type.Optional(Discount),
  coupons: Type.Array(ReservedCoupon),
})
export const Redemption = closed({
  redemptionId: Id,
  status: oneOf(['REDEEMED', 'REVERSED']),
  orderId: Pseudonym,
  userId: Pseudonym,
  reservationId: Type.Optional(Id),
  currency: Currency,
  discount: Discount,
  coupons: Type.Array(closed({ couponId: Id, code: Type.String(), amount: Amount })),
  redeemedAt: Time,
  reversedAt: Type.Optional(Time),
  reason: Type.Optional(Reason),
})
export const Lock = closed({
  couponId: Id,
  status: Type.Literal('LOCKED'),
  lockedBy: Pseudonym,
  lockExpiresAt: Time,
  reservationId: Id,
})
export const Success = closed({
  status: Type.Literal('SUCCESS'),
  discountApplied: Amount,
  finalPrice: Amount,
  redemptionId: Id,
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

const NextCursor = Type.Union([Type.String(), Type.Null()], { description: 'null at the end.' })

export function pageOf(item: TSchema) {
  return closed({ data: Type.Array(item, { maxItems: LIST_LIMIT_MAX }), nextCursor: NextCursor })
}

/** An event of a coupon's life; which members it has depends on its type. */
const HistoryEntry = closed({
  position: Type.String({ pattern: '^\\d+:\\d+$', description: 'shard:seq' }),
  at: Time,
  type: oneOf(HISTORY_TYPES),
  by: Type.Optional(Type.String({ description: 'Name of the API key.' })),
  change: Type.Optional(oneOf([...CHANGES, ...SWITCHES])),
  edge: Type.Optional(oneOf(['STARTED', 'ENDED'])),
  cause: Type.Optional(oneOf(RELEASE_CAUSES)),
  reason: Type.Optional(Reason),
  coupon: Type.Optional(
    closed({ code: Type.String(), type: Type.Optional(oneOf(OFFER_TYPES)), ...eachOptional(writable, false) }),
  ),
  reservationId: Type.Optional(Id),
  redemptionId: Type.Optional(Id),
  transaction: Type.Optional(Type.String({ description: 'shard:seq of the event that began it' })),
  userId: Type.Optional(Pseudonym),
  orderId: Type.Optional(Pseudonym),
  expiresAt: Type.Optional(Time),
  amount: Type.Optional(Amount),
  currency: Type.Optional(Currency),
  returnUse: Type.Optional(Type.Boolean()),
})

export const JobBegun = closed({ jobId: Id })
export const ImportFile = Type.String({
  description: 'CSV with a header of Coupon field names, or a body of POST /coupons a line; `uses` may be given.',
})

export const CouponList = pageOf(Coupon)
export const HistoryList = pageOf(HistoryEntry)
export const RedemptionList = pageOf(Redemption)
export const ReservationList = pageOf(Reservation)

/** An event of the feed; which members it has depends on its type. */
const FeedEntry = closed({
  id: Type.String({ description: 'Opaque; `after` and `Last-Event-ID` take it.' }),
  type: oneOf(EVENT_TYPES),
  at: Time,
  position: Type.Optional(Type.String({ pattern: '^\\d+:\\d+$', description: 'shard:seq, of what is in the log' })),
  couponId: Type.Optional(Id),
  campaignId: Type.Optional(Id),
  jobId: Type.Optional(Id),
  code: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  uses: Type.Optional(Tally),
  maxUses: Type.Optional(Tally),
  budget: Type.Optional(Amount),
  discountTotal: Type.Optional(Amount),
  by: Type.Optional(oneOf(['user', 'address'])),
  userId: Type.Optional(Type.String()),
  address: Type.Optional(Type.String()),
  moreThan: Type.Optional(Tally),
  windowSeconds: Type.Optional(Tally),
  wall: Type.Optional(Time),
  stamped: Type.Optional(Time),
  state: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
})
export const EventList = pageOf(FeedEntry)

export const pageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT }),
  cursor: Type.String({ description: 'nextCursor of the page before.' }),
} as const
const CouponName = Type.String({ description: 'A coupon id or a code.' })

/** Lists, by the page they answer, and what they can be asked. */
export const LIST_QUERIES: readonly { readonly list: TSchema; readonly query: Readonly<Record<string, TSchema>> }[] = [
  {
    list: CouponList,
    query: {
      status: oneOf(COUPON_STATUSES),
      type: oneOf(OFFER_TYPES),
      category: Name,
      campaignId: Name,
      merchantId: Name,
      userId: Pseudonym,
      expiresBefore: Time,
      expiresAfter: Time,
      ...pageQuery,
    },
  },
  { list: HistoryList, query: pageQuery },
  {
    list: RedemptionList,
    query: {
      couponId: CouponName,
      campaignId: Name,
      userId: Pseudonym,
      orderId: Pseudonym,
      from: Type.String({ ...Time, description: 'Inclusive.' }),
      to: Type.String({ ...Time, description: 'Exclusive.' }),
      ...pageQuery,
    },
  },
  {
    list: EventList,
    query: {
      types: Type.String({ description: `Some of ${EVENT_TYPES.join(', ')}, with commas.` }),
      after: Type.String({ description: 'Id of an event, or a nextCursor: what follows it.' }),
      limit: pageQuery.limit,
    },
  },
  { list: ReservationList, query: { userId: Pseudonym, couponId: CouponName, ...pageQuery } },
]

const Durability = oneOf(['flush', 'relaxed'])
const Replay = closed({ events: Tally, eventsTotal: Type.Union([Tally, Type.Null()]), elapsedMs: Type.Number() })
export const Live = closed({ status: Type.Literal('live'), durability: Durability })
export const Ready = closed({ status: Type.Literal('ready'), durability: Durability, replay: Replay })

export const ProblemBody = closed({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: oneOf([...refusalCodes, ...Object.keys(GATEWAY_STATUS)]),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(closed({ pointer: Type.String(), detail: Type.String() }))),
  coupon: Type.Optional(Type.String()),
  coupons: Type.Optional(Verdicts),
  requestId: Type.String(),
  durability: Type.Optional(Durability),
  replay: Type.Optional(Replay),
})
