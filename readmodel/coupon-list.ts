/**
 * Lists of coupons: filters in SQL, status judged by the clock at the time of the answer, since a coupon expires, begins or
 * is unlocked without any event.
 *
 * A filter that few coupons pass could look at all of them. So rows are looked at in slices along the order of the list, and
 * a page that would take too many ends early; the next one goes on there.
 */
import type { Database, Sql, SqlRow, SqlValue } from './database.ts'
import { CouponTexts, TEXT_COLUMNS, TEXT_JOINS } from './coupon-text.ts'
import type { CouponFilter, Listed, PageEnd, PageRange } from '../gateway/lists/read-model.ts'
import type { CouponStatus } from '../protocol/outcomes.ts'

/** Rows that one statement looks at. */
const SLICE_ROWS = 2_000
/** Slices for one page. */
const SLICES_MAX = 100
/** Statements kept for filters that come again. */
const STATEMENTS_MAX = 64

/** A part of a statement and the values for its question marks. */
interface Clause {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

/** What a list is ordered by. */
interface Order {
  readonly column: 'created_at' | 'valid_until'
  readonly direction: 'ASC' | 'DESC'
}

const NEWEST_FIRST: Order = { column: 'created_at', direction: 'DESC' }
const BY_END: Order = { column: 'valid_until', direction: 'ASC' }

const ENABLED = 'c.disabled = 0 AND (c.valid_until IS NULL OR c.valid_until > ?)'
const USED_UP = 'c.max_uses IS NOT NULL AND ifnull(u.uses, 0) >= c.max_uses'
const LEFT = `${ENABLED} AND NOT (${USED_UP})`
const BEGUN = `${LEFT} AND (c.valid_from IS NULL OR c.valid_from <= ?)`
const HELD = 'c.max_uses IS 1 AND EXISTS (SELECT 1 FROM hold h WHERE h.coupon = c.id AND h.expires_at > ?)'

/** `statusOf` of `coupon-text.ts` in SQL; each question mark is the present moment. */
const STATUS_SQL: Readonly<Record<CouponStatus, string>> = {
  DISABLED: 'c.disabled = 1',
  EXPIRED: 'c.disabled = 0 AND c.valid_until <= ?',
  REDEEMED: `${ENABLED} AND ${USED_UP} AND c.max_uses = 1`,
  EXHAUSTED: `${ENABLED} AND ${USED_UP} AND c.max_uses <> 1`,
  SCHEDULED: `${LEFT} AND c.valid_from > ?`,
  LOCKED: `${BEGUN} AND ${HELD}`,
  ACTIVE: `${BEGUN} AND NOT (${HELD})`,
}

export class CouponList {
  private readonly database: Database
  private readonly texts: CouponTexts
  private readonly statements = new Map<string, Sql>()

  constructor(database: Database) {
    this.database = database
    this.texts = new CouponTexts(database)
  }

  page(filter: CouponFilter, { limit, after }: PageRange, nowMs: number): Omit<Listed<string>, 'lagMs'> {
    const isByEnd = filter.expiresBeforeMs !== null || filter.expiresAfterMs !== null
    const order = isByEnd ? BY_END : NEWEST_FIRST
    const index = driverOf(filter, isByEnd)
    const rows: SqlRow[] = []
    let from: PageEnd = after ?? (order === BY_END ? [-1, -1] : [Number.MAX_SAFE_INTEGER, 0])
    for (let slice = 0; slice < SLICES_MAX; slice++) {
      const end = this.sliceEnd(filter, index, order, from)
      rows.push(...this.slice(filter, index, order, from, end, limit + 1 - rows.length, nowMs))
      if (rows.length > limit) return this.shown(rows.slice(0, limit), endOf(rows[limit - 1] as SqlRow, order), nowMs)
      if (end === null) return this.shown(rows, null, nowMs)
      from = end
    }
    return this.shown(rows, from, nowMs)
  }

  /** Where the slice behind `from` ends; null: nothing lies beyond it. */
  private sliceEnd(filter: CouponFilter, index: string, order: Order, from: PageEnd): PageEnd | null {
    const clauses = [...drivingClauses(filter, index), behind(order, from)]
    const text =
      `SELECT c.${order.column}, c.id FROM coupon c INDEXED BY ${index} WHERE ${joined(clauses)} ` +
      `${orderText(order)} LIMIT 1 OFFSET ${SLICE_ROWS - 1}`
    const row = this.statement(text).first(...valuesOf(clauses))
    return row === null ? null : [row[0] as number, row[1] as number]
  }

  private slice(
    filter: CouponFilter,
    index: string,
    order: Order,
    from: PageEnd,
    end: PageEnd | null,
    limit: number,
    nowMs: number,
  ): SqlRow[] {
    const clauses = [...drivingClauses(filter, index), behind(order, from), ...otherClauses(filter, index, nowMs)]
    if (end !== null) clauses.push(upTo(order, end))
    const text = `SELECT ${TEXT_COLUMNS} FROM coupon c INDEXED BY ${index} ${TEXT_JOINS}
       WHERE ${joined(clauses)} ${orderText(order)} LIMIT ?`
    return this.statement(text).all(nowMs, ...valuesOf(clauses), limit)
  }

  private shown(rows: readonly SqlRow[], next: PageEnd | null, nowMs: number): Omit<Listed<string>, 'lagMs'> {
    return { items: rows.map((row) => this.texts.shown(row, nowMs).text), next }
  }

  private statement(text: string): Sql {
    const known = this.statements.get(text)
    if (known !== undefined) return known
    if (this.statements.size >= STATEMENTS_MAX) this.statements.clear()
    const made = this.database.query(text)
    this.statements.set(text, made)
    return made
  }
}

/** The index whose order the list has, and whose first column a filter names where there is one. */
function driverOf({ userId, merchantId, category }: CouponFilter, isByEnd: boolean): string {
  if (isByEnd) return 'coupon_by_until'
  if (userId !== null) return 'coupon_by_user'
  if (merchantId !== null) return 'coupon_by_merchant'
  return category === null ? 'coupon_by_created' : 'coupon_by_category'
}

/** Conditions that the index answers by itself. */
function drivingClauses(filter: CouponFilter, index: string): Clause[] {
  const { userId, merchantId, category, expiresBeforeMs, expiresAfterMs } = filter
  switch (index) {
    case 'coupon_by_user':
      return [{ sql: 'c.user = ?', values: [userId] }]
    case 'coupon_by_merchant':
      return [{ sql: 'c.merchant = ?', values: [merchantId] }]
    case 'coupon_by_category':
      return [{ sql: 'c.category = ?', values: [category] }]
    case 'coupon_by_until': {
      const clauses: Clause[] = [{ sql: 'c.valid_until IS NOT NULL', values: [] }]
      if (expiresBeforeMs !== null) clauses.push({ sql: 'c.valid_until < ?', values: [expiresBeforeMs] })
      if (expiresAfterMs !== null) clauses.push({ sql: 'c.valid_until > ?', values: [expiresAfterMs] })
      return clauses
    }
    default:
      return []
  }
}

/** All other conditions. */
function otherClauses(filter: CouponFilter, index: string, nowMs: number): Clause[] {
  const { status, type, category, merchantId, userId } = filter
  const clauses: Clause[] = []
  if (type !== null) clauses.push({ sql: 'c.type = ?', values: [type] })
  if (userId !== null && index !== 'coupon_by_user') clauses.push({ sql: 'c.user = ?', values: [userId] })
  if (merchantId !== null && index !== 'coupon_by_merchant')
    clauses.push({ sql: 'c.merchant = ?', values: [merchantId] })
  if (category !== null && index !== 'coupon_by_category') clauses.push({ sql: 'c.category = ?', values: [category] })
  if (status !== null) {
    const sql = STATUS_SQL[status]
    clauses.push({ sql: `(${sql})`, values: Array.from(sql.matchAll(/\?/g), () => nowMs) })
  }
  return clauses
}

function behind({ column, direction }: Order, [first, id]: PageEnd): Clause {
  return { sql: `(c.${column}, c.id) ${direction === 'ASC' ? '>' : '<'} (?, ?)`, values: [first, id] }
}

function upTo({ column, direction }: Order, [first, id]: PageEnd): Clause {
  return { sql: `(c.${column}, c.id) ${direction === 'ASC' ? '<=' : '>='} (?, ?)`, values: [first, id] }
}

function orderText({ column, direction }: Order): string {
  return `ORDER BY c.${column} ${direction}, c.id ${direction}`
}

function endOf(row: SqlRow, order: Order): PageEnd {
  return [row[order === BY_END ? 7 : 1] as number, row[0] as number]
}

function joined(clauses: readonly Clause[]): string {
  return clauses.map(({ sql }) => sql).join(' AND ')
}

function valuesOf(clauses: readonly Clause[]): SqlValue[] {
  return clauses.flatMap(({ values }) => values)
}
