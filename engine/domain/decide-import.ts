/**
 * decide, for a row of an import: makes the coupon, or changes it where its code exists.
 *
 * A row is known by its job and line, so one that comes again after a crash does nothing, and a second row of the same file
 * with the same code is told apart from the first.
 */
import { Bytes, bytesOf, sameBytes } from '../../protocol/bytes.ts'
import type { PutCoupon } from '../../protocol/commands.ts'
import { type CouponDefinition, definitionBytes } from '../../protocol/coupon.ts'
import { EVENT } from '../../protocol/events.ts'
import { isBulk } from '../../protocol/ordinals.ts'
import { OUTCOME, type PutOutcome } from '../../protocol/outcomes.ts'
import { decideImportedChange, lacksCampaign, NO_CAMPAIGN } from './decide-coupon.ts'
import { answered, decided, type Decision, refused } from './decision.ts'
import { type ShardState, txnKey } from './state.ts'

export function decidePut(state: ShardState, command: PutCoupon, nowMs: number): Decision {
  const { definition, row, by } = command
  const code = bytesOf(definition.code)
  const ordinal = state.tables.codes.get(code.buf, code.start, code.end)
  if (lacksCampaign(state, definition)) return NO_CAMPAIGN
  if (ordinal < 0) {
    if (definition.maxUses !== null && row.uses > definition.maxUses) {
      return refused('INVALID_REQUEST', `uses is ${row.uses}, beyond maxUses ${definition.maxUses}`)
    }
    const made = state.couponCount
    const event = { type: EVENT.COUPON_CREATED, ordinal: made, by, definition, imported: row } as const
    return decided([event], put('CREATED', made))
  }
  if (isBulk(ordinal)) {
    return refused('CODE_TAKEN', `the code ${definition.code} was made for a campaign; change it by its id`)
  }
  const { importJob, importLine } = state.tables.coupons
  if (importJob.get(ordinal) === txnKey(row.job)) {
    const firstLine = importLine.get(ordinal)
    if (firstLine === row.line) return answered(put('CREATED', ordinal))
    return answered({ type: OUTCOME.PUT, did: 'DUPLICATE', ordinal, firstLine })
  }
  const { campaign } = state.definition(ordinal)
  if (campaign?.index !== definition.campaign?.index || campaign?.shard !== definition.campaign?.shard) {
    return refused('INVALID_REQUEST', `campaignId of ${definition.code} cannot change`)
  }
  if (row.uses !== 0 && row.uses !== state.tables.coupons.uses.get(ordinal)) {
    return refused('CODE_TAKEN', `${definition.code} exists; uses can be given only where a row makes the coupon`)
  }
  // The same as it is: remembered as a row of this file all the same, so that a second one is found.
  const changed = decideImportedChange(state, ordinal, definition, by, row, nowMs)
  if (changed.answer.type === OUTCOME.REFUSED) return changed
  const did = isSame(state.definition(ordinal), definition) ? 'UNCHANGED' : 'CHANGED'
  return decided(changed.events, put(did, ordinal))
}

function put(did: PutOutcome['did'], ordinal: number): PutOutcome {
  return { type: OUTCOME.PUT, did, ordinal, firstLine: 0 }
}

function isSame(a: CouponDefinition, b: CouponDefinition): boolean {
  const bytesA = definitionBytes(a)
  const bytesB = definitionBytes(b)
  return sameBytes(new Bytes(bytesA, 0, bytesA.length), new Bytes(bytesB, 0, bytesB.length))
}
