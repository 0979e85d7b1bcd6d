/**
 * A random stream of redemptions of a few coupons that meets every obstacle, and the three ways to send it: as frames of
 * columns, as single commands, and as a reservation that is redeemed at once.
 */
import { bytesOf, type Bytes, ByteWriter } from '../../../protocol/bytes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { currencyNumber } from '../../../protocol/currency.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { totalOf } from '../../../protocol/price.ts'
import { REFUSALS } from '../../../protocol/refusals.ts'
import { writeTextElement, writeUintElement } from '../../../gateway/websocket/columns-elements.ts'
import type { LiveShard } from '../support/live-shard.ts'
import { byCode, checkout, couponWith, create, offerOf, total } from '../support/samples.ts'

const BEGIN_MS = 1_760_000_000_000

/** Rows of one frame share coupon, currency and moment; so do the single commands made of them. */
export interface Frame {
  readonly code: string
  readonly currency: string
  readonly nowMs: number
  readonly oneTotal: boolean
  readonly rows: readonly Row[]
  /** Flushes before the frame, so that replays are looked up in stored entries too. */
  readonly flushBefore: boolean
  /** A reservation of `user` made before the frame, so that it stands in the way. */
  readonly reserveFor: string | null
}

export interface Row {
  readonly user: string
  readonly order: string
  readonly totalMinor: number
}

export interface RowAnswer {
  /** 0 redeemed, 1 replayed, otherwise the refusal's number. */
  readonly outcome: number
  readonly discountMinor: number
}

const COUPONS: readonly CouponDefinition[] = [
  couponWith('PLENTY', {}, { percentBps: 1_234 }),
  couponWith('FEW', { maxUses: 40 }, { type: 'FIXED', percentBps: 0, valueMinor: 700, currency: 'EUR' }),
  couponWith(
    'ONCE-EACH',
    { maxUsesPerUser: 1, maxUses: 120 },
    { percentBps: 500, maxDiscountMinor: 90, currency: 'EUR' },
  ),
  couponWith('BIG-CARTS', { maxUsesPerUser: 3 }, { minOrderMinor: 5_000, currency: 'USD' }),
  couponWith('ONE-USER', { userId: 'user-1' }),
  couponWith('PAIRS', { maxUses: 90 }, { minQuantity: 2 }),
  couponWith('SOME-GOODS', {}, { applicableProductIds: ['p1'] }),
  couponWith('IN-APP', {}, { channels: ['app'] }),
  couponWith('ENDS', { validUntilMs: BEGIN_MS + 5_000, maxUsesPerUser: 2 }),
  couponWith('LATER', { validFromMs: BEGIN_MS + 5_000 }),
  couponWith('SWITCHED-OFF', { maxUses: 50 }),
]

const USERS = ['user-1', 'user-2', 'user-3', '顧客-4', 'клиент-5', `long-${'x'.repeat(120)}`, 'émile', '😀']
const TOTALS = [0, 1, 99, 127, 128, 4_999, 5_000, 65_536, 4_294_967_296, 2 ** 53 - 1]

export function randomFrames(random: (below: number) => number, count: number): Frame[] {
  let nowMs = BEGIN_MS
  const rows: Row[] = []
  return Array.from({ length: count }, () => {
    nowMs += [0, 0, 1, 800, 2_500][random(5)] as number
    const definition = COUPONS[random(COUPONS.length)] as CouponDefinition
    const oneTotal = random(3) === 0
    const sameTotal = TOTALS[random(TOTALS.length)] as number
    const length = 1 + random(24)
    const frameRows = Array.from({ length }, () => {
      const row = randomRow(random, rows)
      rows.push(row)
      return oneTotal ? { ...row, totalMinor: sameTotal } : row
    })
    return {
      code: definition.code,
      currency: random(8) === 0 ? 'JPY' : (offerOf(definition).currency ?? (['EUR', 'USD'][random(2)] as string)),
      nowMs,
      oneTotal,
      rows: frameRows,
      flushBefore: random(2) === 0,
      reserveFor: random(4) === 0 ? (USERS[random(USERS.length)] as string) : null,
    }
  })
}

/** New, or an earlier row again: as it was, for another user, or with another total. */
function randomRow(random: (below: number) => number, earlier: readonly Row[]): Row {
  const user = random(2) === 0 ? (USERS[random(USERS.length)] as string) : `buyer-${random(1_000)}`
  const totalMinor = random(2) === 0 ? (TOTALS[random(TOTALS.length)] as number) : random(20_000)
  const again = random(3) === 0 ? earlier[random(earlier.length)] : undefined
  if (again === undefined) return { user, order: `ordre-é-${earlier.length}`, totalMinor }
  const kind = random(4)
  if (kind === 0) return { ...again, user }
  return kind === 1 ? { ...again, totalMinor } : again
}

/** All coupons, the last of them disabled. */
export function prepare(shard: LiveShard): void {
  for (const definition of COUPONS) shard.send(create(definition), BEGIN_MS)
  const coupon = byCode('SWITCHED-OFF')
  shard.send({ type: COMMAND.SWITCH_COUPON, coupon, by: null, change: 'DISABLED' }, BEGIN_MS)
}

/** What stands before every frame, the same for all three ways. */
export function beforeFrame(shard: LiveShard, frame: Frame): void {
  if (frame.flushBefore) shard.flushAll()
  if (frame.reserveFor === null) return
  const { currency, nowMs } = frame
  shard.send(
    checkout(COMMAND.RESERVE, frame.code, { user: frame.reserveFor, cart: total(6_000, currency), ttlSeconds: 2 }),
    nowMs,
  )
}

export function sendColumns(shard: LiveShard, frame: Frame): RowAnswer[] {
  const { rows, oneTotal } = frame
  const totals = oneTotal ? rows.slice(0, 1) : rows
  const { outcome } = shard.send(
    {
      type: COMMAND.REDEEM_COLUMNS,
      coupon: byCode(frame.code),
      currency: currencyNumber(frame.currency),
      count: rows.length,
      users: elements((w) => rows.forEach(({ user }) => writeTextElement(w, user))),
      orders: elements((w) => rows.forEach(({ order }) => writeTextElement(w, order))),
      totals: elements((w) => totals.forEach(({ totalMinor }) => writeUintElement(w, totalMinor))),
      oneTotal,
    },
    frame.nowMs,
  )
  if (outcome.type !== OUTCOME.COLUMNS) throw new Error(`columns were answered with an outcome of type ${outcome.type}`)
  return outcome.outcomes.map((one, row) => ({ outcome: one, discountMinor: outcome.discounts[row] as number }))
}

export function sendSingly(shard: LiveShard, frame: Frame): RowAnswer[] {
  return frame.rows.map(({ user, order, totalMinor }) => {
    const cart = total(totalMinor, frame.currency)
    return answerOf(shard.send(checkout(COMMAND.REDEEM, frame.code, { user, order, cart }), frame.nowMs).outcome)
  })
}

/** Reserves for the order and redeems; an order that was redeemed before goes straight to the redemption, as a retry does. */
export function sendReserved(shard: LiveShard, frame: Frame, isKnown: (row: Row) => boolean): RowAnswer[] {
  return frame.rows.map((row) => {
    const { user, order, totalMinor } = row
    const cart = total(totalMinor, frame.currency)
    const redeem = checkout(COMMAND.REDEEM, frame.code, { user, order, cart })
    if (isKnown(row)) return answerOf(shard.send(redeem, frame.nowMs).outcome)
    const { outcome } = shard.send(checkout(COMMAND.RESERVE, frame.code, { user, order, cart }), frame.nowMs)
    if (outcome.type !== OUTCOME.RESERVATION) return answerOf(outcome)
    const command = {
      type: COMMAND.REDEEM_RESERVATION,
      reservationSeq: outcome.seq,
      order,
      cart: null,
      allowLate: false,
    }
    return answerOf(shard.send(command, frame.nowMs).outcome)
  })
}

function answerOf(outcome: Outcome): RowAnswer {
  if (outcome.type === OUTCOME.REFUSED) return { outcome: REFUSALS[outcome.refusal].number, discountMinor: 0 }
  if (outcome.type !== OUTCOME.REDEMPTION)
    throw new Error(`a redemption was answered with an outcome of type ${outcome.type}`)
  return { outcome: outcome.replayed ? 1 : 0, discountMinor: totalOf(outcome.price) }
}

function elements(write: (w: ByteWriter) => void): Bytes {
  const w = new ByteWriter(64)
  write(w)
  const bytes = bytesOf('')
  bytes.buf = w.buf
  bytes.end = w.pos
  return bytes
}
