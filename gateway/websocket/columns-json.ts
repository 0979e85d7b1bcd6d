/**
 * Columns of a text frame: checks the parsed arrays and writes them as the MessagePack elements that a binary frame would
 * have carried. The slower way in, for clients without MessagePack; what is accepted is the same.
 */
import { type Bytes, ByteWriter, noBytes } from '../../protocol/bytes.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { COLUMN_RULE, type Columns } from './columns.ts'
import { writeTextElement, writeUintElement } from './columns-elements.ts'
import { characters } from './columns-text.ts'
import { escaped } from '../json/decode-fields.ts'
import { PSEUDONYM_LENGTH_MAX } from '../limits.ts'
import { invalid, type Problem } from '../problem.ts'
import { COLUMN_ROWS_MAX } from './websocket-limits.ts'

const FIELDS: ReadonlySet<string> = new Set(['id', 'op', 'code', 'currency', 'userIds', 'orderIds', 'orderTotals'])

/** One writer for all frames: the elements are copied into a command before the next frame is looked at. */
export class ColumnsJson implements Columns {
  code = ''
  currency = -1
  count = 0
  readonly users: Bytes = noBytes()
  readonly orders: Bytes = noBytes()
  readonly totals: Bytes = noBytes()
  oneTotal = false
  private readonly elements = new ByteWriter(65_536)

  /** Takes the message, its `id` and `op` already judged; null, or what is wrong with it. */
  take(message: Readonly<Record<string, unknown>>): Problem | null {
    for (const key of Object.keys(message)) {
      if (!FIELDS.has(key)) return invalid(`/${escaped(key)}`, COLUMN_RULE.UNKNOWN)
    }
    const { code, currency, userIds, orderIds, orderTotals } = message
    if (typeof code !== 'string') return invalid('/code', code === undefined ? COLUMN_RULE.MISSING : COLUMN_RULE.CODE)
    this.code = code
    if (currency === undefined) return invalid('/currency', COLUMN_RULE.MISSING)
    this.currency = typeof currency === 'string' ? currencyNumber(currency) : -1
    if (this.currency < 0) return invalid('/currency', COLUMN_RULE.CURRENCY)
    this.oneTotal = typeof orderTotals === 'number'
    this.elements.clear()
    return this.takeColumns(userIds, orderIds, this.oneTotal ? [orderTotals] : orderTotals)
  }

  private takeColumns(userIds: unknown, orderIds: unknown, totals: unknown): Problem | null {
    const fault =
      columnFault('userIds', userIds) ?? columnFault('orderIds', orderIds) ?? columnFault('orderTotals', totals)
    if (fault !== null) return fault
    const users = userIds as readonly unknown[]
    const orders = orderIds as readonly unknown[]
    const amounts = totals as readonly unknown[]
    if (orders.length !== users.length) return invalid('/orderIds', COLUMN_RULE.LENGTHS)
    if (!this.oneTotal && amounts.length !== users.length) return invalid('/orderTotals', COLUMN_RULE.LENGTHS)
    this.count = users.length
    const wrong =
      this.writeIds('userIds', users, this.users) ??
      this.writeIds('orderIds', orders, this.orders) ??
      this.writeAmounts(amounts)
    // Only now: the writer may have grown while it wrote, and ranges into its former buffer would be stale.
    this.users.buf = this.orders.buf = this.totals.buf = this.elements.buf
    return wrong
  }

  private writeIds(key: string, ids: readonly unknown[], into: Bytes): Problem | null {
    into.start = this.elements.pos
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row]
      const length = typeof id === 'string' ? characters(id) : -1
      if (length < 1 || length > PSEUDONYM_LENGTH_MAX) return invalid(`/${key}/${row}`, COLUMN_RULE.ID)
      writeTextElement(this.elements, id as string)
    }
    into.end = this.elements.pos
    return null
  }

  private writeAmounts(amounts: readonly unknown[]): Problem | null {
    this.totals.start = this.elements.pos
    for (let row = 0; row < amounts.length; row++) {
      const amount = amounts[row]
      if (!Number.isSafeInteger(amount) || (amount as number) < 0) {
        return invalid(this.oneTotal ? '/orderTotals' : `/orderTotals/${row}`, COLUMN_RULE.AMOUNT)
      }
      writeUintElement(this.elements, amount as number)
    }
    this.totals.end = this.elements.pos
    return null
  }
}

function columnFault(key: string, column: unknown): Problem | null {
  if (column === undefined) return invalid(`/${key}`, COLUMN_RULE.MISSING)
  if (!Array.isArray(column)) return invalid(`/${key}`, COLUMN_RULE.ARRAY)
  if (column.length < 1 || column.length > COLUMN_ROWS_MAX) return invalid(`/${key}`, COLUMN_RULE.ROWS)
  return null
}
