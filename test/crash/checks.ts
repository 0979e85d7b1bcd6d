// What has to be true of a server that came back: everything acknowledged is there as it was, and nothing else counts.
//
// Runs on a quiet server, after every doubt was asked again. So counters are not bounded but equal to the ledger's, and
// reservations that ran out meanwhile are told by the server's own time in the position of the answer.

import type { SeededRandom } from '../support/seeded-random.ts'
import type { Answer, Checkout, WsCheckout } from './checkout.ts'
import {
  type CouponEntry,
  digestOf,
  type Ledger,
  type RedemptionEntry,
  type ReservationEntry,
  type RowEntry,
  Violation,
} from './ledger.ts'
import { columnsBody, redeemBody } from './load.ts'

/** Calls under way at once. */
const WINDOW = 512
const ROWS_OF_A_FRAME = 1_000
/** An outcome of a column: the first answer again. */
const ROW_REPLAYED = 1

/** Entries at and after these places are looked at whole, earlier ones by sample. */
export interface Since {
  readonly redemptions: number
  readonly reservations: number
  readonly rows: number
  readonly coupons: number
}

export async function checkAll(
  ledger: Ledger,
  checkout: Checkout,
  ws: WsCheckout,
  since: Since,
  random: SeededRandom,
  sample: number,
): Promise<number> {
  ledger.checkLimits()
  const redemptions = chosen(ledger.redemptions, since.redemptions, random, sample)
  const reservations = chosen(ledger.reservations, since.reservations, random, sample)
  const coupons = chosen(ledger.coupons, since.coupons, random, sample)
  await inWindows(redemptions, (entry) => checkRedemption(checkout, entry))
  await inWindows(redemptions, (entry) => checkReplay(checkout, entry))
  await inWindows(reservations, (entry) => checkReservation(checkout, entry))
  await checkRows(ws, chosen(ledger.rows, since.rows, random, sample))
  await inWindows(coupons, (coupon) => checkCoupon(ledger, checkout, coupon))
  return redemptions.length + reservations.length + coupons.length
}

/** All from a place on, and some of those before it. */
function chosen<Entry>(entries: readonly Entry[], since: number, random: SeededRandom, sample: number): Entry[] {
  const found = entries.slice(since)
  for (let i = 0; i < Math.min(sample, since); i++) found.push(entries[random.below(since)] as Entry)
  return found
}

async function inWindows<Entry>(entries: readonly Entry[], check: (entry: Entry) => Promise<void>): Promise<void> {
  for (let at = 0; at < entries.length; at += WINDOW) await Promise.all(entries.slice(at, at + WINDOW).map(check))
}

function done(answer: Answer, what: string): Extract<Answer, { kind: 'done' }> {
  if (answer.kind === 'done') return answer
  throw new Violation(`${what}: ${answer.kind === 'doubt' ? answer.why : `${answer.code}, ${answer.detail}`}`)
}

async function checkRedemption(checkout: Checkout, entry: RedemptionEntry): Promise<void> {
  const what = `the redemption ${entry.redemptionId} of order ${entry.orderId} was acknowledged`
  const { result } = done(await checkout.get('redemption', entry.redemptionId), what)
  if (!entry.isReversed) entry.receipt ??= digestOf(result)
  const expected = entry.isReversed ? entry.reversal : entry.receipt
  const isSame =
    result['orderId'] === entry.orderId && result['userId'] === entry.userId && digestOf(result) === expected
  if (!isSame) throw new Violation(`${what} otherwise (reversed: ${entry.isReversed}): ${JSON.stringify(result)}`)
}

async function checkReplay(checkout: Checkout, entry: RedemptionEntry): Promise<void> {
  const answer = await checkout.redeem(redeemBody(entry))
  const what = `order ${entry.orderId} again on ${entry.coupon.code}`
  if (entry.isReversed) {
    if (answer.kind === 'refused' && answer.code === 'REDEMPTION_REVERSED') return
    throw new Violation(`${what} after its reversal: ${JSON.stringify(answer)}`)
  }
  const { result } = done(answer, what)
  if (result['redemptionId'] !== entry.redemptionId || (entry.receipt !== null && digestOf(result) !== entry.receipt)) {
    throw new Violation(`${what} is not the redemption ${entry.redemptionId} again: ${JSON.stringify(result)}`)
  }
}

async function checkReservation(checkout: Checkout, entry: ReservationEntry): Promise<void> {
  const what = `the reservation ${entry.reservationId} was acknowledged`
  const { result, timeMs } = done(await checkout.get('reservation', entry.reservationId), what)
  const open = timeMs < entry.expiresAtMs ? 'RESERVED' : 'EXPIRED'
  const isAsLeft =
    entry.state === 'OPEN'
      ? result['status'] === open
      : result['status'] === entry.state || (entry.state === 'RELEASED' && result['status'] === 'EXPIRED')
  if (!isAsLeft || result['userId'] !== entry.userId || result['orderId'] !== entry.orderId) {
    throw new Violation(`${what} and is ${entry.state} at ${timeMs}: ${JSON.stringify(result)}`)
  }
}

async function checkRows(ws: WsCheckout, rows: readonly RowEntry[]): Promise<void> {
  const byCoupon = new Map<CouponEntry, RowEntry[]>()
  for (const row of rows) {
    const ofCoupon = byCoupon.get(row.coupon)
    if (ofCoupon === undefined) byCoupon.set(row.coupon, [row])
    else ofCoupon.push(row)
  }
  for (const [coupon, ofCoupon] of byCoupon) {
    for (let at = 0; at < ofCoupon.length; at += ROWS_OF_A_FRAME) {
      const asked = ofCoupon.slice(at, at + ROWS_OF_A_FRAME)
      const answer = await ws.redeemColumns(columnsBody(coupon, asked))
      if (answer === null) throw new Violation('a frame of columns was not answered by a quiet server')
      for (const [i, row] of asked.entries()) {
        if (answer.outcomes[i] === ROW_REPLAYED && answer.discounts[i] === row.discountMinor) continue
        throw new Violation(
          `row ${row.orderId} on ${coupon.code} again: outcome ${answer.outcomes[i]}, discount ${answer.discounts[i]}`,
        )
      }
    }
  }
}

async function checkCoupon(ledger: Ledger, checkout: Checkout, coupon: CouponEntry): Promise<void> {
  const { result, timeMs } = done(await checkout.get('coupon', coupon.code), `the coupon ${coupon.code} was created`)
  const uses = ledger.uses(coupon)
  const reserved = ledger.reservedAt(coupon, timeMs)
  if (result['uses'] !== uses || result['reserved'] !== reserved) {
    const found = `${String(result['uses'])} uses and ${String(result['reserved'])} reserved`
    throw new Violation(`${coupon.code} has ${found}, acknowledged were ${uses} and ${reserved} at ${timeMs}`)
  }
  if (coupon.maxUses !== null && uses + reserved > coupon.maxUses) {
    throw new Violation(`${coupon.code}: ${uses} used and ${reserved} reserved pass its limit of ${coupon.maxUses}`)
  }
}
