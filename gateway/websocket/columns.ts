/**
 * Columns: many redemptions of one coupon, as the gateway holds them between the wire and the shard. Binary frames and
 * text frames both end up here (`columns-frame.ts`, `columns-json.ts`), so that the shard sees one form.
 */
import type { Bytes } from '../../protocol/bytes.ts'
import { COLUMN_ROWS_MAX } from './websocket-limits.ts'

export interface Columns {
  /** As sent, not canonical. */
  readonly code: string
  /** See `protocol/currency.ts`. */
  readonly currency: number
  readonly count: number
  /** MessagePack elements, see `protocol/columns.ts`. */
  readonly users: Bytes
  readonly orders: Bytes
  /** One element when `oneTotal`, otherwise `count`. */
  readonly totals: Bytes
  readonly oneTotal: boolean
}

/** The sentences of what may be wrong with columns, the same for both forms. */
export const COLUMN_RULE = {
  MISSING: 'the field is missing',
  UNKNOWN: 'unknown field',
  TWICE: 'the field stands twice',
  MESSAGE_ID: 'a text of 1 to 128 characters or a whole number from 0 to 2^53-1 is expected',
  CODE: 'a coupon code as a text is expected',
  CURRENCY: 'an ISO 4217 code (three letters A-Z) is expected',
  ARRAY: 'an array is expected',
  ROWS: `a column has 1 to ${COLUMN_ROWS_MAX} rows`,
  LENGTHS: 'the columns differ in length',
  ID: 'a text of 1 to 128 characters is expected',
  AMOUNT: 'a whole number from 0 to 2^53-1 is expected',
} as const
