/**
 * Schemas of lists: their pages, what is in them, and what they can be asked.
 */
import Type, { type TSchema } from 'typebox'
import { Redemption, Reservation } from './checkout-schemas.ts'
import { OFFER_TYPES } from '../coupons/coupon-json.ts'
import { Coupon, writable } from './coupon-schemas.ts'
import { EVENT_TYPES } from '../events/event-feed.ts'
import { HISTORY_TYPES } from '../lists/history-types.ts'
import {
  Amount,
  closed,
  Currency,
  eachOptional,
  Id,
  Name,
  oneOf,
  pageOf,
  pageQuery,
  Pseudonym,
  Reason,
  Tally,
  Time,
} from './schema-parts.ts'
import { CHANGES, RELEASE_CAUSES, SWITCHES } from '../../protocol/events.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'

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
