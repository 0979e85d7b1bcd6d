/**
 * Checks of single fields, shared by every decoder: type, range, length, and a pointer to what is wrong.
 *
 * A decoder walks the keys of an object once and hands each value here with its pointer. The first fault ends the
 * decoding with a `BadField`: bodies are right nearly always, so the path of a fault may cost something and the path of
 * a right one costs no result objects. Keys of the prototype (`__proto__`) come out of `JSON.parse` as own keys like
 * any other, and so fall under the unknown ones.
 */
import { PSEUDONYM_LENGTH_MAX, TIME_MS_MAX } from '../limits.ts'
import { currencyNumber } from '../../protocol/currency.ts'

/** The request is INVALID_REQUEST because of the field at `pointer` (RFC 6901). */
export class BadField extends Error {
  readonly pointer: string
  override readonly name = 'BadField'
  constructor(pointer: string, detail: string) {
    super(detail)
    this.pointer = pointer
  }
}

export type JsonObject = Readonly<Record<string, unknown>>

export function objectAt(value: unknown, pointer: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadField(pointer, pointer === '' ? 'the body has to be a JSON object' : 'has to be an object')
  }
  return value as JsonObject
}

export function arrayAt(value: unknown, pointer: string, min: number, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new BadField(pointer, 'has to be an array')
  if (value.length < min || value.length > max) {
    throw new BadField(pointer, `has to have ${min} to ${max} elements, not ${value.length}`)
  }
  return value
}

/** Text of well-formed Unicode with 1 to `max` code points. */
export function textAt(value: unknown, pointer: string, max: number): string {
  if (typeof value !== 'string') throw new BadField(pointer, 'has to be a string')
  if (value.length === 0 || (value.length > max && (value.length > 2 * max || codePoints(value) > max))) {
    throw new BadField(pointer, `has to have 1 to ${max} characters`)
  }
  if (!value.isWellFormed()) throw new BadField(pointer, 'holds half of a surrogate pair, which is not Unicode text')
  return value
}

function codePoints(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++
  return count
}

/** A userId or orderId. */
export function pseudonymAt(value: unknown, pointer: string): string {
  return textAt(value, pointer, PSEUDONYM_LENGTH_MAX)
}

export function integerAt(value: unknown, pointer: string, min: number, max: number): number {
  if (typeof value !== 'number') throw new BadField(pointer, 'has to be a number')
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    const top = max === Number.MAX_SAFE_INTEGER ? '2^53-1' : String(max)
    throw new BadField(pointer, `has to be an integer from ${min} to ${top}`)
  }
  return value
}

/** Money in minor units, from 0. */
export function amountAt(value: unknown, pointer: string): number {
  return integerAt(value, pointer, 0, Number.MAX_SAFE_INTEGER)
}

export function booleanAt(value: unknown, pointer: string): boolean {
  if (typeof value !== 'boolean') throw new BadField(pointer, 'has to be true or false')
  return value
}

export function choiceAt<Choice extends string>(value: unknown, pointer: string, choices: readonly Choice[]): Choice {
  if (typeof value !== 'string' || !choices.includes(value as Choice)) {
    throw new BadField(pointer, `has to be one of ${choices.join(', ')}`)
  }
  return value as Choice
}

/** Three capital letters; whether ISO 4217 lists them is not checked, because it changes. */
export function currencyAt(value: unknown, pointer: string): string {
  if (typeof value !== 'string' || currencyNumber(value) < 0) {
    throw new BadField(pointer, 'has to be an ISO 4217 code of three capital letters')
  }
  return value
}

/** Form only; `schema-parts.ts` serves the same. Leap seconds have no number of their own in this program's time. */
const TIME_FORM = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|[+-]00:00)$/

/** RFC 3339 in UTC as milliseconds; digits beyond milliseconds are cut off. From 1970 to 9999. */
export function timeAt(value: unknown, pointer: string): number {
  const found = typeof value === 'string' ? TIME_FORM.exec(value) : null
  if (found === null) throw new BadField(pointer, 'has to be a time of RFC 3339 in UTC, such as 2026-12-24T18:00:00Z')
  const [, year, month, day, hour, minute, second, fraction = ''] = found
  const millis = fraction.slice(0, 3).padEnd(3, '0')
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.${millis}Z`
  const timeMs = Date.parse(text)
  // The parser turns February 30 into March 2, and 24:00 into the next day: only a time that prints as itself exists.
  if (!Number.isFinite(timeMs) || timeMs < 0 || timeMs > TIME_MS_MAX || new Date(timeMs).toISOString() !== text) {
    throw new BadField(pointer, 'has to be a moment that exists, from 1970 to 9999')
  }
  return timeMs
}

export function required(pointer: string): never {
  throw new BadField(pointer, 'is required')
}

/** Refuses a field that the contract does not have. `at` is the pointer of the object around it. */
export function unknownField(at: string, key: string): never {
  throw new BadField(`${at}/${escaped(key)}`, 'is no field of this request')
}

/** A reference token of RFC 6901. */
export function escaped(key: string): string {
  return key.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')
}
