/**
 * Bodies of the small calls on a coupon: extend and expire. Creation and PATCH are in `coupon-json.ts`.
 */
import { booleanAt, objectAt, required, textAt, timeAt, unknownField } from '../json/decode-fields.ts'
import { REASON_LENGTH_MAX } from '../limits.ts'

export interface ExtendInput {
  readonly validUntilMs: number
  readonly reason: string
  readonly override: boolean
}

export function decodeExtend(body: unknown): ExtendInput {
  const fields = objectAt(body, '')
  let validUntilMs: number | null = null
  let reason: string | null = null
  let override = false
  for (const key in fields) {
    if (key === 'validUntil') validUntilMs = timeAt(fields[key], '/validUntil')
    else if (key === 'reason') reason = textAt(fields[key], '/reason', REASON_LENGTH_MAX)
    else if (key === 'override') override = booleanAt(fields[key], '/override')
    else unknownField('', key)
  }
  if (validUntilMs === null) required('/validUntil')
  if (reason === null) required('/reason')
  return { validUntilMs, reason, override }
}

/** The reason. */
export function decodeExpire(body: unknown): string {
  const fields = objectAt(body, '')
  for (const key in fields) if (key !== 'reason') unknownField('', key)
  if (fields['reason'] === undefined) required('/reason')
  return textAt(fields['reason'], '/reason', REASON_LENGTH_MAX)
}
