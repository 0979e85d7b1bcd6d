/**
 * Outcomes as bytes, for every transport: the position, the type, then fields by place. As with commands, both ends run
 * the same version.
 */
import { assert } from './assert.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readCampaignOutcome, writeCampaignOutcome } from './campaign-outcome-codec.ts'
import { readClaimed, writeClaimed } from './claimed-outcome-codec.ts'
import { readDefinition, readOffer, writeDefinition, writeOffer } from './coupon.ts'
import { readDays, writeDays } from './daily-limit.ts'
import {
  COUPON_STATUSES,
  type IdText,
  type NamedCoupon,
  type Outcome,
  OUTCOME,
  type Position,
  type Quote,
  type QuotedRules,
  RESERVATION_STATUSES,
  type Verdict,
} from './outcomes.ts'
import { readPrice, writePrice } from './price.ts'
import { readRecordedAnswer, writeRecordedAnswer } from './recorded-answer.ts'
import { type RefusalCode, REFUSALS, refusalOfNumber } from './refusals.ts'

export function writePosition(w: ByteWriter, position: Position): void {
  w.u16(position.shard)
  w.varint(position.seq)
  w.varint(position.timeMs)
}

export function readPosition(r: ByteReader): Position {
  return { shard: r.u16(), seq: r.varint(), timeMs: r.varint() }
}

export function writeOutcome(w: ByteWriter, outcome: Outcome<IdText>): void {
  w.u8(outcome.type)
  switch (outcome.type) {
    case OUTCOME.REFUSED:
      writeRefusal(w, outcome.refusal)
      w.text(outcome.detail)
      w.u8(outcome.couponIndex + 1)
      w.varint(outcome.retryAfterMs)
      w.u8(outcome.verdicts === null ? 0 : 1)
      if (outcome.verdicts !== null) writeVerdicts(w, outcome.verdicts)
      return
    case OUTCOME.VALIDATED:
      writeVerdicts(w, outcome.verdicts)
      w.u8(outcome.price === null ? 0 : 1)
      if (outcome.price !== null) writePrice(w, outcome.price)
      return
    case OUTCOME.ACROSS:
      w.varint(outcome.positions.length)
      for (const position of outcome.positions) writePosition(w, position)
      writeOutcome(w, outcome.outcome)
      return
    case OUTCOME.RESERVATION:
      w.u8(outcome.again ? 1 : 0)
      w.varint(outcome.seq)
      w.u8(RESERVATION_STATUSES.indexOf(outcome.status))
      writeId(w, outcome.userId)
      w.u8(outcome.orderId === null ? 0 : 1)
      if (outcome.orderId !== null) writeId(w, outcome.orderId)
      w.varint(outcome.startedAtMs)
      w.varint(outcome.expiresAtMs)
      writeCoupons(w, outcome.coupons)
      w.u8(outcome.price === null ? 0 : 1)
      if (outcome.price !== null) writePrice(w, outcome.price)
      return
    case OUTCOME.REDEMPTION:
      w.u8(outcome.replayed ? 1 : 0)
      w.varint(outcome.seq)
      w.varint(outcome.atMs)
      w.varint(outcome.reservationSeq)
      writeId(w, outcome.userId)
      writeId(w, outcome.orderId)
      writeCoupons(w, outcome.coupons)
      writePrice(w, outcome.price)
      w.u8(outcome.reversed === null ? 0 : 1)
      if (outcome.reversed !== null) {
        w.varint(outcome.reversed.atMs)
        w.text(outcome.reversed.reason)
      }
      return
    case OUTCOME.COLUMNS:
      w.varint(outcome.outcomes.length)
      for (let i = 0; i < outcome.outcomes.length; i++) w.u8(outcome.outcomes[i] as number)
      for (let i = 0; i < outcome.discounts.length; i++) w.varint(outcome.discounts[i] as number)
      return
    case OUTCOME.RELEASED:
      return
    case OUTCOME.COUPON:
      w.varint(outcome.ordinal)
      w.u8(COUPON_STATUSES.indexOf(outcome.status))
      w.varint(outcome.uses)
      w.varint(outcome.reserved)
      w.varint(outcome.version)
      w.varint(outcome.createdAtMs)
      w.varint(outcome.updatedAtMs)
      w.maybeText(outcome.lock === null ? null : outcome.lock.userId)
      w.varint(outcome.lock === null ? 0 : outcome.lock.expiresAtMs)
      writeDefinition(w, outcome.definition)
      return
    case OUTCOME.SHARD:
      w.varint(outcome.coupons)
      w.varint(outcome.userCounters)
      w.varint(outcome.orders)
      w.varint(outcome.reservations)
      w.varint(outcome.stateBytes)
      return
    case OUTCOME.CAMPAIGN:
    case OUTCOME.JOB:
    case OUTCOME.CODES:
    case OUTCOME.JOBS:
    case OUTCOME.PUT:
      writeCampaignOutcome(w, outcome)
      return
    case OUTCOME.CLAIMED:
      writeClaimed(w, outcome)
      return
    case OUTCOME.KEY_CLAIMED:
      w.varint(outcome.claimSeq)
      w.range(outcome.operation)
      return
    case OUTCOME.KEY_ANSWERED:
      writeRecordedAnswer(w, outcome.answer)
      return
    case OUTCOME.KEY_BUSY:
    case OUTCOME.KEY_KEPT:
      return
    case OUTCOME.DONE_BEFORE:
      writeOutcome(w, outcome.outcome)
      return
  }
}

export function readOutcome(r: ByteReader): Outcome {
  const type = r.u8()
  switch (type) {
    case OUTCOME.REFUSED:
      return {
        type,
        refusal: readRefusal(r) ?? 'INVALID_REQUEST',
        detail: r.text(),
        couponIndex: r.u8() - 1,
        retryAfterMs: r.varint(),
        verdicts: r.u8() === 1 ? readVerdicts(r) : null,
      }
    case OUTCOME.VALIDATED: {
      const verdicts = readVerdicts(r)
      return { type, verdicts, price: r.u8() === 1 ? readPrice(r, verdicts.length) : null }
    }
    case OUTCOME.ACROSS: {
      const count = r.varint()
      const positions: Position[] = []
      for (let i = 0; i < count; i++) positions.push(readPosition(r))
      return { type, positions, outcome: readOutcome(r) }
    }
    case OUTCOME.RESERVATION: {
      const again = r.u8() === 1
      const seq = r.varint()
      const status = RESERVATION_STATUSES[r.u8()]
      assert(status !== undefined, 'unknown status of a reservation')
      const userId = r.text()
      const orderId = r.maybeText()
      const startedAtMs = r.varint()
      const expiresAtMs = r.varint()
      const coupons = readCoupons(r)
      const price = r.u8() === 1 ? readPrice(r, coupons.length) : null
      return { type, again, seq, status, userId, orderId, startedAtMs, expiresAtMs, coupons, price }
    }
    case OUTCOME.REDEMPTION: {
      const replayed = r.u8() === 1
      const seq = r.varint()
      const atMs = r.varint()
      const reservationSeq = r.varint()
      const userId = r.text()
      const orderId = r.text()
      const coupons = readCoupons(r)
      const price = readPrice(r, coupons.length)
      const reversed = r.u8() === 1 ? { atMs: r.varint(), reason: r.text() } : null
      return { type, replayed, seq, atMs, reservationSeq, userId, orderId, coupons, price, reversed }
    }
    case OUTCOME.COLUMNS: {
      const count = r.varint()
      const outcomes: number[] = []
      const discounts: number[] = []
      for (let i = 0; i < count; i++) outcomes.push(r.u8())
      for (let i = 0; i < count; i++) discounts.push(r.varint())
      return { type, outcomes, discounts }
    }
    case OUTCOME.RELEASED:
      return { type }
    case OUTCOME.COUPON: {
      const ordinal = r.varint()
      const status = COUPON_STATUSES[r.u8()]
      assert(status !== undefined, 'unknown status of a coupon')
      const uses = r.varint()
      const reserved = r.varint()
      const version = r.varint()
      const createdAtMs = r.varint()
      const updatedAtMs = r.varint()
      const userId = r.maybeText()
      const expiresAtMs = r.varint()
      const lock = userId === null ? null : { userId, expiresAtMs }
      const definition = readDefinition(r)
      return { type, ordinal, status, uses, reserved, version, createdAtMs, updatedAtMs, lock, definition }
    }
    case OUTCOME.SHARD:
      return {
        type,
        coupons: r.varint(),
        userCounters: r.varint(),
        orders: r.varint(),
        reservations: r.varint(),
        stateBytes: r.varint(),
      }
    case OUTCOME.CAMPAIGN:
    case OUTCOME.JOB:
    case OUTCOME.CODES:
    case OUTCOME.JOBS:
    case OUTCOME.PUT:
      return readCampaignOutcome(r, type)
    case OUTCOME.CLAIMED:
      return readClaimed(r)
    case OUTCOME.KEY_CLAIMED:
      return { type, claimSeq: r.varint(), operation: r.range() }
    case OUTCOME.KEY_ANSWERED:
      return { type, answer: readRecordedAnswer(r) }
    case OUTCOME.KEY_BUSY:
    case OUTCOME.KEY_KEPT:
      return { type }
    case OUTCOME.DONE_BEFORE:
      return { type, outcome: readOutcome(r) }
    default:
      assert(false, `outcome type ${type} is unknown`)
  }
}

function writeId(w: ByteWriter, id: IdText): void {
  if (typeof id === 'string') w.text(id)
  else w.range(id)
}

function writeRefusal(w: ByteWriter, refusal: RefusalCode | null): void {
  w.u8(refusal === null ? 0 : REFUSALS[refusal].number)
}

function readRefusal(r: ByteReader): RefusalCode | null {
  return refusalOfNumber(r.u8())
}

function writeVerdicts(w: ByteWriter, verdicts: readonly Verdict[]): void {
  w.u8(verdicts.length)
  for (const verdict of verdicts) {
    w.varint(verdict.ordinal + 1)
    writeRefusal(w, verdict.refusal)
    if (verdict.refusal !== null) w.text(verdict.detail)
    w.maybeVarint(verdict.amountMinor)
  }
}

function readVerdicts(r: ByteReader): Verdict[] {
  const count = r.u8()
  const verdicts: Verdict[] = []
  for (let i = 0; i < count; i++) {
    const ordinal = r.varint() - 1
    const refusal = readRefusal(r)
    verdicts.push({ ordinal, refusal, detail: refusal === null ? '' : r.text(), amountMinor: r.maybeVarint() })
  }
  return verdicts
}

export function writeQuote(w: ByteWriter, quote: Quote): void {
  w.varint(quote.ordinal + 1)
  writeRefusal(w, quote.refusal)
  w.text(quote.detail)
  w.varint(quote.retryAfterMs)
  const { rules } = quote
  w.u8(rules === null ? 0 : 1)
  if (rules === null) return
  w.varint(rules.version)
  w.varint(rules.updatedAtMs)
  w.maybeVarint(rules.validUntilMs)
  w.u8(rules.offer === null ? 0 : 1)
  if (rules.offer !== null) writeOffer(w, rules.offer)
  w.u8(rules.campaign === null ? 0 : 1)
  if (rules.campaign !== null) {
    w.u16(rules.campaign.shard)
    w.varint(rules.campaign.index)
  }
  writeDays(w, rules.day === null ? [] : [rules.day])
  w.maybeVarint(rules.budgetLeftMinor)
}

export function readQuote(r: ByteReader): Quote {
  const ordinal = r.varint() - 1
  const refusal = readRefusal(r)
  const detail = r.text()
  const retryAfterMs = r.varint()
  return { ordinal, refusal, detail, retryAfterMs, rules: r.u8() === 1 ? readRules(r) : null }
}

function readRules(r: ByteReader): QuotedRules {
  return {
    version: r.varint(),
    updatedAtMs: r.varint(),
    validUntilMs: r.maybeVarint(),
    offer: r.u8() === 1 ? readOffer(r) : null,
    campaign: r.u8() === 1 ? { shard: r.u16(), index: r.varint() } : null,
    day: readDays(r)[0] ?? null,
    budgetLeftMinor: r.maybeVarint(),
  }
}

function writeCoupons(w: ByteWriter, coupons: readonly NamedCoupon[]): void {
  w.u8(coupons.length)
  for (const coupon of coupons) {
    w.u16(coupon.shard)
    w.varint(coupon.ordinal)
    w.text(coupon.code)
  }
}

function readCoupons(r: ByteReader): NamedCoupon[] {
  const count = r.u8()
  const coupons: NamedCoupon[] = []
  for (let i = 0; i < count; i++) coupons.push({ shard: r.u16(), ordinal: r.varint(), code: r.text() })
  return coupons
}
