/**
 * Codes as CSV (RFC 4180): `code,status,holder,createdAt,lockedUntil,redeemedAt`.
 *
 * A spreadsheet takes a cell that begins with = + - @ or white space for a formula, and a holder's name comes from outside. Such a
 * cell gets an apostrophe in front (CWE-1236, as OWASP has it), unless whoever exports asks for it as it is.
 */
import { timeText } from '../json/json-text.ts'
import type { ListedCode } from '../../protocol/outcomes.ts'

export const CSV_HEADER = 'code,status,holder,createdAt,lockedUntil,redeemedAt\r\n'

export const FORMULAS = ['defuse', 'keep'] as const
export type Formulas = (typeof FORMULAS)[number]

/** Also their full-width forms, which spreadsheets of East Asia take for the same. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/
const NEEDS_QUOTES = /[",\r\n]/

export function csvRow(listed: ListedCode, formulas: Formulas): string {
  const { code, status, holder, createdAtMs, lockedUntilMs, redeemedAtMs } = listed
  return (
    `${csvCell(code, formulas)},${status},${holder === null ? '' : csvCell(holder, formulas)},${timeText(createdAtMs)},` +
    `${lockedUntilMs === 0 ? '' : timeText(lockedUntilMs)},${redeemedAtMs === 0 ? '' : timeText(redeemedAtMs)}\r\n`
  )
}

export function csvCell(text: string, formulas: Formulas): string {
  const cell = formulas === 'defuse' && FORMULA.test(text) ? `'${text}` : text
  return NEEDS_QUOTES.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
