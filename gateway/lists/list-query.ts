/**
 * Queries of lists: filters, `limit` and `cursor`. Pointers name a parameter as if the query were an object, as those of
 * `validateCoupon` do.
 *
 * A cursor is opaque to clients: the kind of the list and the two numbers of a page's end, in base 36. A cursor of another
 * kind of list is refused; one of the same kind with other filters goes on behind the same place, which is harmless.
 */
import { BadField, choiceAt, integerAt, pseudonymAt, textAt, timeAt, unknownField } from '../json/decode-fields.ts'
import { OFFER_TYPES } from '../coupons/coupon-json.ts'
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, NAME_LENGTH_MAX } from '../limits.ts'
import type { CouponFilter, PageEnd, PageRange } from './read-model.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'

/** Kinds of lists whose cursors mean different things. */
export const LIST_KINDS = {
  newestCoupons: 'n',
  couponsByEnd: 'e',
  history: 'h',
  redemptions: 'r',
  reservations: 's',
  campaigns: 'c',
  campaignCoupons: 'm',
  campaignCodes: 'k',
} as const
export type ListKind = (typeof LIST_KINDS)[keyof typeof LIST_KINDS]

const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,15})$/
const CURSOR = /^([a-z])([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

type Values = ReadonlyMap<string, string>

/** The parameters of a query, each at most once, none but these and those of every list. */
export function valuesOf(query: string, names: readonly string[]): Values {
  const values = new Map<string, string>()
  for (const [key, value] of new URLSearchParams(query)) {
    if (!names.includes(key) && key !== 'limit' && key !== 'cursor') unknownField('', key)
    if (values.has(key)) throw new BadField(`/${key}`, 'stands twice in the query')
    values.set(key, value)
  }
  return values
}

export function maybe<Value>(
  values: Values,
  name: string,
  decode: (value: string, pointer: string) => Value,
): Value | null {
  const value = values.get(name)
  return value === undefined ? null : decode(value, `/${name}`)
}

function rangeOf(values: Values, kind: ListKind): PageRange {
  return {
    limit: limitOf(values),
    after: maybe(values, 'cursor', (value, pointer) => pageEndAt(value, pointer, kind)),
  }
}

export function limitOf(values: Values): number {
  return maybe(values, 'limit', limitAt) ?? LIST_LIMIT_DEFAULT
}

function limitAt(value: string, pointer: string): number {
  return integerAt(WHOLE_NUMBER.test(value) ? Number(value) : Number.NaN, pointer, 1, LIST_LIMIT_MAX)
}

export function cursorText(kind: ListKind, [first, second]: PageEnd): string {
  return `${kind}${first.toString(36)}-${second.toString(36)}`
}

function pageEndAt(value: string, pointer: string, kind: ListKind): PageEnd {
  const [, found, first = '', second = ''] = CURSOR.exec(value) ?? []
  const end = [Number.parseInt(first, 36), Number.parseInt(second, 36)] as const
  if (found !== kind || !end.every(Number.isSafeInteger)) {
    throw new BadField(pointer, 'is not the nextCursor of a page of this list')
  }
  return end
}

export function nameAt(value: string, pointer: string): string {
  return textAt(value, pointer, NAME_LENGTH_MAX)
}

export interface CouponsQuery {
  readonly filter: CouponFilter
  /** A campaign whose coupons are wanted only; null: any. */
  readonly campaignId: string | null
  readonly range: PageRange
  readonly kind: ListKind
  /** Of a campaign: the ordinal from which on its codes are wanted; null: its coupons from the place of the range on. */
  readonly codesFrom: number | null
}

const COUPON_PARAMETERS = [
  'status',
  'type',
  'category',
  'campaignId',
  'merchantId',
  'userId',
  'expiresBefore',
  'expiresAfter',
] as const

export function decodeCouponsQuery(query: string): CouponsQuery {
  const values = valuesOf(query, COUPON_PARAMETERS)
  const filter = {
    status: maybe(values, 'status', (value, at) => choiceAt(value, at, COUPON_STATUSES)),
    type: maybe(values, 'type', (value, at) => choiceAt(value, at, OFFER_TYPES)),
    category: maybe(values, 'category', nameAt),
    merchantId: maybe(values, 'merchantId', nameAt),
    userId: maybe(values, 'userId', pseudonymAt),
    expiresBeforeMs: maybe(values, 'expiresBefore', timeAt),
    expiresAfterMs: maybe(values, 'expiresAfter', timeAt),
  }
  const campaignId = maybe(values, 'campaignId', nameAt)
  const isByEnd = filter.expiresBeforeMs !== null || filter.expiresAfterMs !== null
  const kind = campaignId === null ? (isByEnd ? LIST_KINDS.couponsByEnd : LIST_KINDS.newestCoupons) : kindWithin(values)
  const range = rangeOf(values, kind)
  const codesFrom = kind === LIST_KINDS.campaignCodes ? (range.after?.[0] ?? 0) : null
  return { filter, campaignId, range, kind, codesFrom }
}

/** The list of a campaign has two parts, and its cursor says in which it goes on. */
function kindWithin(values: Values): ListKind {
  const isInCodes = values.get('cursor')?.startsWith(LIST_KINDS.campaignCodes) === true
  return isInCodes ? LIST_KINDS.campaignCodes : LIST_KINDS.campaignCoupons
}

export function decodeCampaignsQuery(query: string): PageRange {
  return rangeOf(valuesOf(query, []), LIST_KINDS.campaigns)
}

export function decodeHistoryQuery(query: string): PageRange {
  return rangeOf(valuesOf(query, []), LIST_KINDS.history)
}

export interface ReceiptsQuery {
  /** Id or code. */
  readonly couponId: string | null
  readonly campaignId: string | null
  readonly userId: string | null
  readonly orderId: string | null
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly range: PageRange
}

const REDEMPTION_PARAMETERS = ['couponId', 'campaignId', 'userId', 'orderId', 'from', 'to'] as const
const RESERVATION_PARAMETERS = ['userId', 'couponId'] as const

export function decodeRedemptionsQuery(query: string): ReceiptsQuery {
  return decodeReceipts(valuesOf(query, REDEMPTION_PARAMETERS), LIST_KINDS.redemptions)
}

export function decodeReservationsQuery(query: string): ReceiptsQuery {
  return decodeReceipts(valuesOf(query, RESERVATION_PARAMETERS), LIST_KINDS.reservations)
}

function decodeReceipts(values: Values, kind: ListKind): ReceiptsQuery {
  return {
    couponId: maybe(values, 'couponId', nameAt),
    campaignId: maybe(values, 'campaignId', nameAt),
    userId: maybe(values, 'userId', pseudonymAt),
    orderId: maybe(values, 'orderId', pseudonymAt),
    fromMs: maybe(values, 'from', timeAt),
    toMs: maybe(values, 'to', timeAt),
    range: rangeOf(values, kind),
  }
}
