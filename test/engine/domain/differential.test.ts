/**
 * One stream of redemptions, sent three ways: in columns, singly, and reserved first. There is one rule book, so outcomes,
 * discounts, counters and events have to be the same.
 *
 * Reserving first is compared on streams where nobody holds a reservation already: a held one is used by a redemption and
 * would be a second hold here. FC_SEED repeats a failure.
 */
import { describe, expect, test } from 'vitest'
import { textOf } from '../../../protocol/bytes.ts'
import { EVENT, type Event } from '../../../protocol/events.ts'
import { REFUSALS } from '../../../protocol/refusals.ts'
import {
  beforeFrame,
  type Frame,
  prepare,
  randomFrames,
  type Row,
  type RowAnswer,
  sendColumns,
  sendReserved,
  sendSingly,
} from '../model/stream.ts'
import { LiveShard } from '../support/live-shard.ts'
import { tablesOf } from '../support/state-image.ts'

const SEED = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const STREAMS = 100
const FRAMES = 40

describe(`three ways to redeem (seed ${SEED})`, () => {
  test(`${STREAMS} streams of ${FRAMES} frames: columns and single calls end alike, to the last byte of the log`, () => {
    const random = seeded(SEED)
    const met = new Set<number>()
    for (let stream = 0; stream < STREAMS; stream++) {
      const frames = randomFrames(random, FRAMES)
      const columns = new LiveShard()
      const singles = new LiveShard()
      prepare(columns)
      prepare(singles)
      for (const frame of frames) {
        beforeFrame(columns, frame)
        beforeFrame(singles, frame)
        const answers = sendColumns(columns, frame)
        expect(answers).toEqual(sendSingly(singles, frame))
        for (const { outcome } of answers) met.add(outcome)
      }
      expect(logBytes(columns)).toEqual(logBytes(singles))
      expect(JSON.stringify(tablesOf(columns.state))).toBe(JSON.stringify(tablesOf(singles.state)))
      expect(JSON.stringify(tablesOf(columns.replayed()))).toBe(JSON.stringify(tablesOf(columns.state)))
    }
    expect([...met].sort((a, b) => a - b)).toEqual(EVERY_OUTCOME)
  })

  test(`${STREAMS} streams: a reservation redeemed at once ends as a direct redemption does`, () => {
    const random = seeded(SEED + 1)
    for (let stream = 0; stream < STREAMS; stream++) {
      const frames = randomFrames(random, FRAMES).map((frame): Frame => ({ ...frame, reserveFor: null }))
      const direct = new LiveShard()
      const reserved = new LiveShard()
      prepare(direct)
      prepare(reserved)
      const redeemed = new Set<string>()
      for (const frame of frames) {
        beforeFrame(direct, frame)
        beforeFrame(reserved, frame)
        const answers = sendSingly(direct, frame)
        expect(sendReserved(reserved, frame, knownIn(frame, answers, redeemed))).toEqual(answers)
      }
      expect(redemptionsOf(reserved)).toEqual(redemptionsOf(direct))
      expect(countersOf(reserved)).toEqual(countersOf(direct))
    }
  })
})

/** 0 and 1, and every refusal that one coupon and a bare total can meet. */
const EVERY_OUTCOME = [
  0,
  1,
  ...(
    [
      'ORDER_CONFLICT',
      'COUPON_DISABLED',
      'COUPON_NOT_STARTED',
      'COUPON_EXPIRED',
      'USER_NOT_ELIGIBLE',
      'CHANNEL_NOT_ALLOWED',
      'CURRENCY_MISMATCH',
      'MIN_ORDER_NOT_MET',
      'MIN_QUANTITY_NOT_MET',
      'NOT_APPLICABLE',
      'USER_LIMIT_REACHED',
      'COUPON_EXHAUSTED',
      'COUPON_LOCKED',
    ] as const
  ).map((code) => REFUSALS[code].number),
]

/** Whether an order redeemed the frame's coupon before: what a client knows from the answers it had. */
function knownIn(frame: Frame, answers: readonly RowAnswer[], redeemed: Set<string>): (row: Row) => boolean {
  let at = 0
  return ({ order }) => {
    const key = `${frame.code} ${order}`
    const isKnown = redeemed.has(key)
    if (answers[at++]?.outcome === 0) redeemed.add(key)
    return isKnown
  }
}

function logBytes(shard: LiveShard): string[] {
  shard.flushAll()
  return shard.log.entries.map(
    ({ firstSeq, timeMs, events }) => `${firstSeq} ${timeMs} ${Buffer.from(events).toString('hex')}`,
  )
}

/** Without sequence numbers, which count the reservations as well. */
function redemptionsOf(shard: LiveShard): object[] {
  return shard
    .loggedEvents()
    .filter(({ event }) => event.type === EVENT.REDEEMED)
    .map(({ atMs, event }) => ({ atMs, ...redemptionFields(event) }))
}

function redemptionFields(event: Event): object {
  if (event.type !== EVENT.REDEEMED) return {}
  const { late, ordinals, price } = event
  return { late, ordinals, price, user: textOf(event.user), order: textOf(event.order) }
}

function countersOf(shard: LiveShard): object {
  const image = tablesOf(shard.state)
  const coupons = image.coupons.map(({ uses, reserved }) => ({ uses, reserved }))
  return { coupons, userCounters: image['userCounters'], orders: shard.state.tables.orders.size }
}

/** Mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
