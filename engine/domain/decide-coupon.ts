/**
 * decide, for the people who make and end coupons: create, change, extend, expire, disable, enable.
 *
 * The gateway has checked the form of a definition; here stand the transitions, which depend on what was used and when.
 */
import { assert } from '../../protocol/assert.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import type { ChangeCoupon, CreateCoupon, SwitchCoupon } from '../../protocol/commands.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { EVENT, type Event, type ImportedRow } from '../../protocol/events.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { isEndless } from './branches.ts'
import { answered, decided, type Decision, refused, resolve } from './decision.ts'
import { reservedAt } from './holds.ts'
import type { Limits, ShardState } from './state.ts'

const NOT_FOUND: Decision = refused('COUPON_NOT_FOUND', 'there is no such coupon')
export const NO_CAMPAIGN: Decision = refused('CAMPAIGN_NOT_FOUND', 'there is no such campaign')

export function decideCreate(state: ShardState, command: CreateCoupon): Decision {
  const { definition, by } = command
  const code = bytesOf(definition.code)
  if (state.tables.codes.get(code.buf, code.start, code.end) >= 0) {
    return refused('CODE_TAKEN', `the code ${definition.code} exists already`)
  }
  if (lacksCampaign(state, definition)) return NO_CAMPAIGN
  const ordinal = state.couponCount
  return decided([{ type: EVENT.COUPON_CREATED, ordinal, by, definition, imported: null }], {
    type: OUTCOME.COUPON,
    ordinal,
  })
}

/** Whether a coupon would belong to a campaign of this shard that does not exist. Whether one elsewhere does, that one knows. */
export function lacksCampaign(state: ShardState, { campaign }: CouponDefinition): boolean {
  return campaign !== null && campaign.shard === state.shard && campaign.index >= state.campaigns.length
}

export function decideSwitch(state: ShardState, command: SwitchCoupon): Decision {
  const ordinal = resolve(state, command.coupon)
  if (ordinal < 0) return NOT_FOUND
  const { by, change } = command
  const shown = { type: OUTCOME.COUPON, ordinal } as const
  const disabled = state.tables.coupons.disabled.get(ordinal) !== 0
  if (disabled === (change !== 'ENABLED')) return answered(shown)
  return decided([{ type: EVENT.COUPON_SWITCHED, ordinal, by, change }], shown)
}

export function decideChange(state: ShardState, command: ChangeCoupon, nowMs: number): Decision {
  const ordinal = resolve(state, command.coupon)
  if (ordinal < 0) return NOT_FOUND
  switch (command.change) {
    case 'PATCHED':
      return decidePatch(state, command, ordinal, nowMs)
    case 'EXTENDED':
      return decideExtend(state, command, ordinal, nowMs)
    case 'EXPIRED':
      return decideExpire(state, command, ordinal, nowMs)
  }
}

function decidePatch(state: ShardState, command: ChangeCoupon, ordinal: number, nowMs: number): Decision {
  const { definition } = command
  assert(definition !== null, 'a patch without a definition')
  const version = state.tables.coupons.version.get(ordinal)
  if (version !== command.ifVersion) {
    return refused('VERSION_CONFLICT', `the coupon is at version ${version}, not ${command.ifVersion}`)
  }
  const fault = revivalFault(state, ordinal, definition, nowMs) ?? limitFault(state, ordinal, definition, nowMs)
  return fault === null ? changed(state, command, ordinal, definition, nowMs) : refused('INVALID_TRANSITION', fault)
}

/** An expired coupon comes back by an extension with `override` only. */
function revivalFault(state: ShardState, ordinal: number, definition: CouponDefinition, nowMs: number): string | null {
  const endedMs = state.definition(ordinal).validUntilMs
  if (endedMs === null || endedMs > nowMs) return null
  const staysExpired = definition.validUntilMs !== null && definition.validUntilMs <= nowMs
  return staysExpired ? null : 'the coupon has expired; extend it with override: true to bring it back'
}

/** A limit may not fall below what was used and is held by now. */
function limitFault(state: ShardState, ordinal: number, definition: CouponDefinition, nowMs: number): string | null {
  if (definition.maxUses === null) return null
  const taken = state.tables.coupons.uses.get(ordinal) + reservedAt(state, ordinal, nowMs)
  return definition.maxUses < taken
    ? `${taken} uses are used or reserved; maxUses cannot be ${definition.maxUses}`
    : null
}

/** The same change as a PATCH, by a row of an import. */
export function decideImportedChange(
  state: ShardState,
  ordinal: number,
  definition: CouponDefinition,
  by: string | null,
  row: ImportedRow,
  nowMs: number,
): Decision {
  const fault = revivalFault(state, ordinal, definition, nowMs) ?? limitFault(state, ordinal, definition, nowMs)
  if (fault !== null) return refused('INVALID_TRANSITION', fault)
  return changed(state, { by, change: 'PATCHED', reason: null }, ordinal, definition, nowMs, row)
}

function decideExtend(state: ShardState, command: ChangeCoupon, ordinal: number, nowMs: number): Decision {
  const present = state.definition(ordinal)
  const { validUntilMs } = command
  if (present.validUntilMs === null) {
    return refused(
      'INVALID_TRANSITION',
      'the coupon has no end that could be extended; PATCH validUntil to give it one',
    )
  }
  if (validUntilMs <= present.validUntilMs) {
    return refused(
      'INVALID_TRANSITION',
      'validUntil must be later than it is; to end the coupon earlier, expire or PATCH it',
    )
  }
  if (present.validUntilMs <= nowMs && !command.override) {
    return refused('INVALID_TRANSITION', 'the coupon has expired; override: true brings it back')
  }
  if (validUntilMs <= nowMs) return refused('INVALID_TRANSITION', 'validUntil must lie in the future')
  return changed(state, command, ordinal, { ...present, validUntilMs }, nowMs)
}

function decideExpire(state: ShardState, command: ChangeCoupon, ordinal: number, nowMs: number): Decision {
  const present = state.definition(ordinal)
  if (present.validUntilMs !== null && present.validUntilMs <= nowMs) {
    return answered({ type: OUTCOME.COUPON, ordinal })
  }
  const validFromMs = present.validFromMs !== null && present.validFromMs > nowMs ? nowMs : present.validFromMs
  return changed(state, command, ordinal, { ...present, validFromMs, validUntilMs: nowMs }, nowMs)
}

/**
 * The change, and before it what it does to open reservations: a coupon that ends now releases them, one that ends earlier
 * than they do bounds them, and a limit that only overdue ones exceed has these released.
 */
function changed(
  state: ShardState,
  command: Pick<ChangeCoupon, 'by' | 'change' | 'reason'>,
  ordinal: number,
  definition: CouponDefinition,
  nowMs: number,
  imported: ImportedRow | null = null,
): Decision {
  const { by, change, reason } = command
  const events = consequencesOf(state, ordinal, definition, nowMs)
  events.push({ type: EVENT.COUPON_CHANGED, ordinal, by, change, reason, definition, imported })
  return decided(events, { type: OUTCOME.COUPON, ordinal })
}

/** What becomes of open reservations when their coupon, or campaign, gets these limits. */
export function consequencesOf(state: ShardState, ordinal: number, limits: Limits, nowMs: number): Event[] {
  const events = new Map<number, Event>()
  for (const row of holdsOn(state, ordinal)) {
    const event = consequence(state, row, limits, nowMs)
    // A reservation of two coupons of a campaign has two holds on it.
    if (event !== null) events.set(state.tables.holds.seq.get(row), event)
  }
  return [...events.values()]
}

/** What becomes of the reservation behind a hold when its coupon gets this definition. */
function consequence(state: ShardState, row: number, definition: Limits, nowMs: number): Event | null {
  const { holds, coupons } = state.tables
  const head = holds.head.get(row)
  // What this shard's clock must not let go is brought to an end by whoever may (engine/shard/coordinator.ts).
  if (isEndless(state, head)) return null
  const reservationSeq = holds.seq.get(row)
  const expiresAtMs = holds.expiresAtMs.get(row)
  const endsMs = definition.validUntilMs ?? Number.POSITIVE_INFINITY
  if (endsMs <= nowMs) {
    const cause = expiresAtMs <= nowMs ? 'EXPIRED' : 'COUPON_EXPIRED'
    return { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause, expiresAtMs }
  }
  if (expiresAtMs <= nowMs) {
    const ordinal = holds.ordinal.get(row)
    const logged = coupons.uses.get(ordinal) + coupons.reserved.get(ordinal)
    const inTheWay = definition.maxUses !== null && logged > definition.maxUses
    return inTheWay ? { type: EVENT.RESERVATION_RELEASED, reservationSeq, cause: 'EXPIRED', expiresAtMs } : null
  }
  return expiresAtMs > endsMs ? { type: EVENT.RESERVATION_RETIMED, reservationSeq, expiresAtMs: endsMs } : null
}

function holdsOn(state: ShardState, ordinal: number): number[] {
  const { holds, coupons } = state.tables
  const rows: number[] = []
  let row = holds.byCoupon.firstUpTo(coupons.holds.get(ordinal), Number.POSITIVE_INFINITY)
  for (; row >= 0; row = holds.byCoupon.nextUpTo(row, Number.POSITIVE_INFINITY)) rows.push(row)
  return rows
}
