/**
 * What a message asks for: its `op` picks one of the operations that HTTP offers too, and the rest of it is that operation's
 * body or target. Only the way in differs, so there is nothing here but the mapping.
 */
import { escaped } from '../json/decode-fields.ts'
import { OPERATIONS } from '../operations/operation-table.ts'
import type { Operation } from '../operations/operations.ts'
import { invalid, type Problem } from '../problem.ts'
import { type RefusalCode, REFUSALS } from '../../protocol/refusals.ts'

/** A message without its `id` and `op`. */
export type MessageBody = Readonly<Record<string, unknown>>

export interface AskedOperation {
  readonly operation: Operation
  readonly body: unknown
  /** What over HTTP would stand in the path. */
  readonly target: string
}

/** The operation of a message and its input; a problem when the message does not say which; null: no operation of shards. */
export function askedOperation(op: string, body: MessageBody): AskedOperation | Problem | null {
  switch (op) {
    case 'validate':
      return { operation: OPERATIONS.validate, body, target: '' }
    case 'reserve':
      return { operation: OPERATIONS.reserve, body, target: '' }
    case 'redeem':
      return { operation: OPERATIONS.redeem, body, target: '' }
    case 'release':
      return named(OPERATIONS.releaseReservation, 'reservationId', body)
    case 'redeemReservation': {
      const { reservationId, ...rest } = body
      const target = targetOf('reservationId', reservationId)
      return typeof target === 'string' ? { operation: OPERATIONS.redeemReservation, body: rest, target } : target
    }
    case 'get':
      return askedThing(body)
    case 'claim':
      return askedClaim(body)
    default:
      return null
  }
}

function askedClaim(body: MessageBody): AskedOperation | Problem {
  const { campaignId, ...rest } = body
  const target = targetOf('campaignId', campaignId)
  return typeof target === 'string' ? { operation: OPERATIONS.claimCoupon, body: rest, target } : target
}

function askedThing(body: MessageBody): AskedOperation | Problem {
  if ('coupon' in body) return named(OPERATIONS.getCoupon, 'coupon', body)
  if ('reservationId' in body) return named(OPERATIONS.getReservation, 'reservationId', body)
  if ('redemptionId' in body) return named(OPERATIONS.getRedemption, 'redemptionId', body)
  return invalid('', 'say what to get: coupon, reservationId or redemptionId')
}

/** An operation whose only input is what it is about. */
function named(operation: Operation, field: string, body: MessageBody): AskedOperation | Problem {
  for (const key of Object.keys(body)) if (key !== field) return invalid(`/${escaped(key)}`, 'unknown field')
  const target = targetOf(field, body[field])
  return typeof target === 'string' ? { operation, body: undefined, target } : target
}

function targetOf(field: string, value: unknown): string | Problem {
  if (value === undefined) return invalid(`/${field}`, 'the field is missing')
  return typeof value === 'string' ? value : invalid(`/${field}`, 'a text is expected')
}

/** The answer to `outcomes`: what the numbers in the outcomes of columns mean. */
export const OUTCOME_NAMES_JSON = JSON.stringify({
  0: 'REDEEMED',
  1: 'REPLAYED',
  ...Object.fromEntries((Object.keys(REFUSALS) as RefusalCode[]).map((code) => [REFUSALS[code].number, code])),
})
