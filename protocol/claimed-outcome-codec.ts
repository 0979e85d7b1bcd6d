/**
 * The outcome of a claim as bytes, behind the type byte. What a claimed coupon shares with all others of its job stands at the
 * end as one range of bytes: the same for each of them, so it is encoded once on the shard, and whoever shows claims by the
 * thousand compares it with the one it showed last instead of reading it.
 *
 *     again seq expiresAtMs ordinal status uses reserved version createdAtMs updatedAtMs code │ length rules offer?
 */
import { assert } from './assert.ts'
import { ByteReader, type Bytes, ByteWriter } from './bytes.ts'
import { type CouponDefinition, readDefinition, readOffer, writeDefinition, writeOffer } from './coupon.ts'
import { named } from './fields.ts'
import { type ClaimedOutcome, COUPON_STATUSES, OUTCOME } from './outcomes.ts'
import type { Offer } from '../engine/domain/offer.ts'

/** All but what is shared. */
export type ClaimedHead = Omit<ClaimedOutcome, 'rules' | 'offer'>

interface Kept {
  readonly offer: Offer | null
  readonly bytes: Bytes
}

/** Definitions never change: a new one is another object. */
const kept = new WeakMap<CouponDefinition, Kept>()
const scratch = new ByteWriter()

function sharedBytes({ rules, offer }: ClaimedOutcome): Bytes {
  const known = kept.get(rules)
  if (known !== undefined && known.offer === offer) return known.bytes
  scratch.clear()
  writeDefinition(scratch, rules)
  scratch.u8(offer === null ? 0 : 1)
  if (offer !== null) writeOffer(scratch, offer)
  const buf = scratch.view().slice()
  const bytes = { buf, start: 0, end: buf.length }
  kept.set(rules, { offer, bytes })
  return bytes
}

export function writeClaimed(w: ByteWriter, outcome: ClaimedOutcome): void {
  w.u8(outcome.again ? 1 : 0)
  w.varint(outcome.seq)
  w.varint(outcome.expiresAtMs)
  w.varint(outcome.ordinal)
  w.u8(COUPON_STATUSES.indexOf(outcome.status))
  w.varint(outcome.uses)
  w.varint(outcome.reserved)
  w.varint(outcome.version)
  w.varint(outcome.createdAtMs)
  w.varint(outcome.updatedAtMs)
  w.text(outcome.code)
  w.range(sharedBytes(outcome))
}

export function readClaimedHead(r: ByteReader): ClaimedHead {
  return {
    type: OUTCOME.CLAIMED,
    again: r.u8() === 1,
    seq: r.varint(),
    expiresAtMs: r.varint(),
    ordinal: r.varint(),
    status: named(COUPON_STATUSES, r.u8()),
    uses: r.varint(),
    reserved: r.varint(),
    version: r.varint(),
    createdAtMs: r.varint(),
    updatedAtMs: r.varint(),
    code: r.text(),
  }
}

/** Of the range behind the head. */
export function readClaimedRules({ buf, start, end }: Bytes): Pick<ClaimedOutcome, 'rules' | 'offer'> {
  const r = new ByteReader(buf, start, end)
  const rules = readDefinition(r)
  const offer = r.u8() === 0 ? null : readOffer(r)
  assert(r.done, 'bytes follow the rules of a claimed coupon')
  return { rules, offer }
}

export function readClaimed(r: ByteReader): ClaimedOutcome {
  const head = readClaimedHead(r)
  return { ...head, ...readClaimedRules(r.range()) }
}
