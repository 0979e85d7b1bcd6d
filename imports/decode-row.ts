/**
 * A row of a file to a coupon's definition, through the same decoder as `POST /coupons`. In CSV every cell is text: what
 * kind of value a field has is said here.
 *
 *     value 12.5 · listed true · channels web|app · dailyLimit perUser=2|scope=CAMPAIGN · an empty cell: no such field
 */
import { createHmac } from 'node:crypto'
import { BadField } from '../gateway/json/decode-fields.ts'
import { decodeDefinition } from '../gateway/coupons/coupon-json.ts'
import type { FileRow } from './read-rows.ts'
import { DETAIL_LENGTH_MAX } from './limits.ts'
import { CODE_ALPHABET } from '../protocol/codes.ts'
import type { CouponDefinition } from '../protocol/coupon.ts'
import type { ImportFormat, JobError } from '../protocol/jobs.ts'

const NUMBERS: ReadonlySet<string> = new Set([
  'value',
  'maxDiscount',
  'maxUnits',
  'minOrderAmount',
  'minQuantity',
  'priority',
  'maxUses',
  'maxUsesPerUser',
  'uses',
])
const LISTS: ReadonlySet<string> = new Set([
  'applicableProductIds',
  'applicableCategoryIds',
  'excludedProductIds',
  'excludedCategoryIds',
  'channels',
])
const TEXTS: ReadonlySet<string> = new Set([
  'code',
  'campaignId',
  'type',
  'currency',
  'scope',
  'allocation',
  'stacking',
  'merchantId',
  'userId',
  'category',
  'description',
  'validFrom',
  'validUntil',
])

/** Whether a column of that name may stand in a header. */
export function isField(name: string): boolean {
  return TEXTS.has(name) || NUMBERS.has(name) || LISTS.has(name) || name === 'listed' || name === 'dailyLimit'
}

export interface DecodedRow {
  readonly definition: CouponDefinition
  /** Uses that another system counted before. */
  readonly uses: number
}

const LETTERS_DRAWN = 10

/**
 * `seed` names the file. Where a row has no code, its code is made from the seed and the line: the same when the row is read
 * again after a crash, and not to be guessed by who does not know the seed.
 */
export function decodeRow(row: FileRow, format: ImportFormat, seed: string): DecodedRow | JobError {
  if (row.fields === null) return faultAt(row.line, row.fault)
  try {
    const { uses, ...fields } = format === 'CSV' ? valuesOf(row.fields as Record<string, string>) : row.fields
    return { definition: decodeDefinition(fields, () => drawnCode(seed, row.line)), uses: usesAt(uses) }
  } catch (error) {
    if (!(error instanceof BadField)) throw error
    return faultAt(row.line, `${error.pointer === '' ? '' : `${error.pointer} `}${error.message}`)
  }
}

function faultAt(line: number, detail: string): JobError {
  return { line, code: 'INVALID_REQUEST', detail: detail.slice(0, DETAIL_LENGTH_MAX) }
}

function usesAt(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new BadField('/uses', 'has to be a whole number, at least 0')
}

function valuesOf(cells: Readonly<Record<string, string>>): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const name in cells) {
    const cell = (cells[name] as string).trim()
    if (cell !== '') values[name] = valueOf(name, cell)
  }
  return values
}

function valueOf(name: string, cell: string): unknown {
  if (NUMBERS.has(name)) return numberOf(cell)
  if (LISTS.has(name)) return cell.split('|').map((each) => each.trim())
  if (name === 'listed') return cell === 'true' ? true : cell === 'false' ? false : cell
  return name === 'dailyLimit' ? dailyOf(cell) : cell
}

/** Left as text where it is no number, so that the decoder says what is wrong. */
function numberOf(cell: string): number | string {
  const value = Number(cell)
  return Number.isFinite(value) ? value : cell
}

function dailyOf(cell: string): Record<string, unknown> {
  const parts = cell.split('|').map((part) => part.split('=') as [string, string?])
  return Object.fromEntries(
    parts.map(([name, value = '']) => [name.trim(), name.trim() === 'perUser' ? numberOf(value.trim()) : value.trim()]),
  )
}

function drawnCode(seed: string, line: number): string {
  const bytes = createHmac('sha256', seed).update(String(line)).digest()
  let code = ''
  for (let i = 0; i < LETTERS_DRAWN; i++) code += CODE_ALPHABET[(bytes[i] as number) % CODE_ALPHABET.length]
  return code
}
