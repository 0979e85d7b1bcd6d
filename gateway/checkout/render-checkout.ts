/**
 * Outcomes of checkout calls as JSON text, put together by hand: these answers are what the gateway does all day.
 *
 * Members stand in the order of the contract. Optional ones are left out when there is nothing to say; null appears only
 * where the contract says null. Codes are `A-Z 0-9 _ -`, ids and currencies plain ASCII, so they need no escapes;
 * everything a client chose freely goes through `quoted`.
 */
import { quoted, timeText } from '../json/json-text.ts'
import { currencyName } from '../../protocol/currency.ts'
import { formatId } from '../../protocol/ids.ts'
import type { NamedCoupon, RedemptionOutcome, ReservationOutcome, Verdict } from '../../protocol/outcomes.ts'
import { type LineFact, type PriceFact, totalOf } from '../../protocol/price.ts'

/** `redemptionId` is the outcome's own, which the caller needs as well. */
export function redemptionText(shard: number, redemptionId: string, outcome: RedemptionOutcome): string {
  let text =
    `{"redemptionId":"${redemptionId}",` +
    `"status":"${outcome.reversed === null ? 'REDEEMED' : 'REVERSED'}",` +
    `"orderId":${quoted(outcome.orderId)},"userId":${quoted(outcome.userId)}`
  if (outcome.reservationSeq !== 0) text += `,"reservationId":"${formatId('rsv_', shard, outcome.reservationSeq)}"`
  text +=
    `,"currency":"${currencyName(outcome.price.currency)}","discount":${discountText(outcome.price, outcome.coupons)},` +
    `"coupons":${couponsText(outcome.coupons, outcome.price)},"redeemedAt":"${timeText(outcome.atMs)}"`
  if (outcome.reversed !== null) {
    text += `,"reversedAt":"${timeText(outcome.reversed.atMs)}","reason":${quoted(outcome.reversed.reason)}`
  }
  return text + '}'
}

/** The short receipt of the form for one coupon. */
export function successText(redemptionId: string, outcome: RedemptionOutcome): string {
  const total = totalOf(outcome.price)
  const finalPrice = outcome.price.subtotalMinor + outcome.price.shippingMinor - total
  return `{"status":"SUCCESS","discountApplied":${total},"finalPrice":${finalPrice},"redemptionId":"${redemptionId}"}`
}

export function reservationText(shard: number, outcome: ReservationOutcome): string {
  let text =
    `{"reservationId":"${formatId('rsv_', shard, outcome.seq)}","status":"${outcome.status}",` +
    `"userId":${quoted(outcome.userId)}`
  if (outcome.orderId !== null) text += `,"orderId":${quoted(outcome.orderId)}`
  text += `,"expiresAt":"${timeText(outcome.expiresAtMs)}"`
  if (outcome.price !== null) text += `,"discount":${discountText(outcome.price, outcome.coupons)}`
  return `${text},"coupons":${couponsText(outcome.coupons, outcome.price)}}`
}

/** A reservation of one coupon, by its other name. */
export function lockText(shard: number, outcome: ReservationOutcome): string {
  const ordinal = outcome.coupons[0]?.ordinal ?? 0
  return (
    `{"couponId":"${formatId('cpn_', shard, ordinal)}","status":"LOCKED","lockedBy":${quoted(outcome.userId)},` +
    `"lockExpiresAt":"${timeText(outcome.expiresAtMs)}","reservationId":"${formatId('rsv_', shard, outcome.seq)}"}`
  )
}

/** Where each code lives; one number when that is the same for all. */
export type ShardsOfCodes = number | readonly number[]

export function validatedText(
  shards: ShardsOfCodes,
  codes: readonly string[],
  verdicts: readonly Verdict[],
  price: PriceFact | null,
): string {
  let valid = true
  for (let i = 0; i < verdicts.length; i++) if ((verdicts[i] as Verdict).refusal !== null) valid = false
  const discount = valid && price !== null ? discountText(price, codes) : 'null'
  return `{"valid":${valid},"discount":${discount},"coupons":${verdictsText(shards, codes, verdicts)}}`
}

export function verdictsText(shards: ShardsOfCodes, codes: readonly string[], verdicts: readonly Verdict[]): string {
  let text = ''
  for (let i = 0; i < verdicts.length; i++) {
    const verdict = verdicts[i] as Verdict
    const shard = typeof shards === 'number' ? shards : (shards[i] as number)
    text += (i === 0 ? '' : ',') + verdictText(shard, codes[i] as string, verdict)
  }
  return `[${text}]`
}

/** A code that was refused may be anything the client sent, so it is quoted. */
function verdictText(shard: number, code: string, verdict: Verdict): string {
  if (verdict.refusal !== null) {
    return `{"code":${quoted(code)},"applicable":false,"reason":"${verdict.refusal}","detail":${quoted(verdict.detail)}}`
  }
  const amount = verdict.amountMinor === null ? '' : `,"amount":${verdict.amountMinor}`
  return `{"code":"${code}","couponId":"${formatId('cpn_', shard, verdict.ordinal)}","applicable":true${amount}}`
}

function couponsText(coupons: readonly NamedCoupon[], price: PriceFact | null): string {
  let text = ''
  for (let i = 0; i < coupons.length; i++) {
    const coupon = coupons[i] as NamedCoupon
    const amount = price === null ? '' : `,"amount":${price.amounts[i] as number}`
    text += `${i === 0 ? '' : ','}{"couponId":"${formatId('cpn_', coupon.shard, coupon.ordinal)}","code":"${coupon.code}"${amount}}`
  }
  return `[${text}]`
}

/** `coupons` names the coupons in the order of the price's amounts. */
function discountText(price: PriceFact, coupons: readonly (NamedCoupon | string)[]): string {
  const total = totalOf(price)
  return (
    `{"currency":"${currencyName(price.currency)}","total":${total},"subtotal":${price.subtotalMinor},` +
    `"shipping":${price.shippingMinor},"finalPrice":${price.subtotalMinor + price.shippingMinor - total},` +
    `"lines":${price.lines === null ? onlyLineText(price, total, coupons) : linesText(price.lines, coupons)},` +
    `"shippingDiscount":${price.shippingDiscountMinor}}`
  )
}

/** The line that follows from the sums: one line "0", one coupon. */
function onlyLineText(price: PriceFact, total: number, coupons: readonly (NamedCoupon | string)[]): string {
  const discount = total - price.shippingDiscountMinor
  const given = discount === 0 ? '' : givenText(coupons[0], discount)
  return (
    `[{"lineId":"0","amount":${price.subtotalMinor},"discount":${discount},` +
    `"final":${price.subtotalMinor - discount},"coupons":[${given}]}]`
  )
}

function linesText(lines: readonly LineFact[], coupons: readonly (NamedCoupon | string)[]): string {
  let text = ''
  for (let i = 0; i < lines.length; i++) text += (i === 0 ? '' : ',') + lineText(lines[i] as LineFact, coupons)
  return `[${text}]`
}

/** A line names the coupons that took something off it. */
function lineText(line: LineFact, coupons: readonly (NamedCoupon | string)[]): string {
  let discount = 0
  let given = ''
  for (let i = 0; i < line.perCoupon.length; i++) {
    const amount = line.perCoupon[i] as number
    if (amount === 0) continue
    discount += amount
    given += (given === '' ? '' : ',') + givenText(coupons[i], amount)
  }
  return (
    `{"lineId":${quoted(line.lineId)},"amount":${line.amountMinor},"discount":${discount},` +
    `"final":${line.amountMinor - discount},"coupons":[${given}]}`
  )
}

function givenText(coupon: NamedCoupon | string | undefined, amount: number): string {
  const code = typeof coupon === 'object' ? coupon.code : (coupon ?? '')
  return `{"code":"${code}","amount":${amount}}`
}
