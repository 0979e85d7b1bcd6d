/**
 * Calls with an `Idempotency-Key`, as the two shards of one see them: the shard of the key, and the one where the operation is
 * done. A crash is a new actor on the state that the log alone makes.
 */
import { describe, expect, test } from 'vitest'
import { KEY_MEMORY_MS, KEY_WINDOW_MS } from '../../../engine/domain/limits.ts'
import { CLAIM_LEASE_MS } from '../../../engine/shard/limits.ts'
import { bytesOf, textOf } from '../../../protocol/bytes.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { EVENT } from '../../../protocol/events.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import type { RecordedAnswer } from '../../../protocol/recorded-answer.ts'
import { brief, Scene, seqOf } from '../support/scene.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, total } from '../support/samples.ts'
import { tablesOf } from '../support/state-image.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

function claim(key: string, digest = 'request', operation = `name of ${key}`, scope: string | null = null): AnyCommand {
  return { type: COMMAND.CLAIM_KEY, scope, key, digest: bytesOf(digest), operation: bytesOf(operation) }
}

function answerWith(body: string): RecordedAnswer {
  return { status: 201, body, position: '3:1@5', location: '/v1/x', etag: '"1"', retryAfterSeconds: 0 }
}

function answer(key: string, claimSeq: number, recorded: RecordedAnswer | null): AnyCommand {
  return { type: COMMAND.ANSWER_KEY, scope: null, key, claimSeq, answer: recorded }
}

function keyed(operation: string, inner: AnyCommand): AnyCommand {
  return { type: COMMAND.KEYED, operation: bytesOf(operation), inner }
}

function claimSeqOf(outcome: Outcome): number {
  if (outcome.type !== OUTCOME.KEY_CLAIMED) throw new Error(`an outcome of type ${outcome.type} is no claim`)
  return outcome.claimSeq
}

/** The first word of what is answered to a claim. */
function said(outcome: Outcome): string {
  switch (outcome.type) {
    case OUTCOME.KEY_CLAIMED:
      return `claimed as ${textOf(outcome.operation)}`
    case OUTCOME.KEY_ANSWERED:
      return `answered ${outcome.answer.body}`
    case OUTCOME.KEY_BUSY:
      return 'busy'
    case OUTCOME.KEY_KEPT:
      return 'kept'
    case OUTCOME.DONE_BEFORE:
      return `before: ${brief(outcome.outcome)}`
    default:
      return brief(outcome)
  }
}

describe('the shard of a key', () => {
  test('claims it once, and says so to whoever asks while the call is under way', () => {
    const s = new Scene()
    expect(said(s.say(claim('k')))).toBe('claimed as name of k')
    expect(said(s.say(claim('k', 'request', 'a second name')))).toBe('busy')
    expect(said(s.say(claim('other')))).toBe('claimed as name of other')
    expect(s.events()).toEqual(['KEY_CLAIMED', 'KEY_CLAIMED'])
  })

  test('tells the first answer to everybody who comes later, and keeps no second one', () => {
    const s = new Scene()
    const claimSeq = claimSeqOf(s.say(claim('k')))
    expect(said(s.say(answer('k', claimSeq, answerWith('first'))))).toBe('kept')
    expect(said(s.say(answer('k', claimSeq, answerWith('second'))))).toBe('answered first')
    expect(s.say(claim('k'))).toEqual({ type: OUTCOME.KEY_ANSWERED, answer: answerWith('first') })
    expect(s.events()).toEqual(['KEY_CLAIMED', 'KEY_ANSWERED'])
  })

  test('refuses another request with the same key, under way or answered', () => {
    const s = new Scene()
    const claimSeq = claimSeqOf(s.say(claim('k')))
    expect(said(s.say(claim('k', 'another')))).toBe('IDEMPOTENCY_KEY_CONFLICT')
    s.say(answer('k', claimSeq, answerWith('first')))
    expect(said(s.say(claim('k', 'another')))).toBe('IDEMPOTENCY_KEY_CONFLICT')
  })

  test('knows the same key of two callers apart', () => {
    const s = new Scene()
    expect(said(s.say(claim('k', 'request', 'of nobody')))).toBe('claimed as of nobody')
    expect(said(s.say(claim('k', 'another', 'of a', 'key_a')))).toBe('claimed as of a')
    expect(said(s.say(claim('k', 'a third', 'of b', 'key_b')))).toBe('claimed as of b')
  })

  test('lets the next call take over what was let go, under the first name', () => {
    const s = new Scene()
    const claimSeq = claimSeqOf(s.say(claim('k', 'request', 'first')))
    s.say({ type: COMMAND.LET_GO_KEY, claimSeq })
    const again = s.say(claim('k', 'request', 'second'))
    expect(said(again)).toBe('claimed as first')
    expect(claimSeqOf(again)).toBe(claimSeq)
    expect(s.events()).toEqual(['KEY_CLAIMED'])
  })

  test('lets the next call take over at once what a process left behind that died', () => {
    const s = new Scene()
    s.say(claim('k', 'request', 'first'))
    s.crash()
    expect(said(s.say(claim('k', 'request', 'second')))).toBe('claimed as first')
    expect(said(s.say(claim('k', 'request', 'third')))).toBe('busy')
  })

  test('lets a call take over after the lease of a claim that nobody ended', () => {
    const s = new Scene()
    s.say(claim('k', 'request', 'first'))
    expect(said(s.later(CLAIM_LEASE_MS - 1).say(claim('k')))).toBe('busy')
    expect(said(s.later(1).say(claim('k')))).toBe('claimed as first')
  })

  test('forgets the claim of a request that was malformed after all', () => {
    const s = new Scene()
    const claimSeq = claimSeqOf(s.say(claim('k', 'malformed', 'first')))
    expect(said(s.say(answer('k', claimSeq, null)))).toBe('kept')
    expect(said(s.say(claim('k', 'mended', 'second')))).toBe('claimed as second')
    expect(tablesOf(s.shard.replayed())).toEqual(tablesOf(s.shard.state))
  })

  test('keeps a key for 24 hours to the millisecond, whatever the sweep has done', () => {
    for (const isSwept of [false, true]) {
      const s = new Scene()
      const claimSeq = claimSeqOf(s.say(claim('k')))
      s.say(answer('k', claimSeq, answerWith('first')))
      s.later(KEY_WINDOW_MS - 1)
      if (isSwept) s.sweep()
      expect(said(s.say(claim('k')))).toBe('answered first')
      expect(said(s.say(claim('k', 'another')))).toBe('IDEMPOTENCY_KEY_CONFLICT')
      s.later(1)
      if (isSwept) s.sweep()
      expect(said(s.say(claim('k', 'another', 'anew')))).toBe('claimed as anew')
      expect(said(s.say(answer('k', claimSeq, answerWith('late'))))).toBe('kept')
      expect(said(s.say(claim('k', 'another')))).toBe('busy')
    }
  })
})

const OPERATION = 'an operation'

/** Every keyed command that writes: what it needs, the command, what it answers first and in later tries, how many events. */
const WRITES: readonly (readonly [string, (s: Scene) => AnyCommand, string, number])[] = [
  ['creates a coupon', () => create(couponWith('NEW')), 'ACTIVE', 1],
  ['reserves', () => checkout(COMMAND.RESERVE, 'A', { user: 'u', cart: total(1_000) }), 'reserved 100', 1],
  [
    'reserves again at another price',
    (s) => {
      s.reserve('A', { user: 'u', cart: total(1_000) })
      return checkout(COMMAND.RESERVE, 'A', { user: 'u', cart: total(2_000) })
    },
    'reserved 200 again',
    1,
  ],
  ['releases', (s) => ({ type: COMMAND.RELEASE, reservationSeq: seqOf(s.reserve('A')) }), 'released', 1],
  [
    'extends a reservation',
    (s) => ({ type: COMMAND.EXTEND_RESERVATION, reservationSeq: seqOf(s.reserve('A')), ttlSeconds: 900 }),
    'reserved 100 again',
    1,
  ],
  [
    'reverses a redemption',
    (s) => ({ type: COMMAND.REVERSE, redemptionSeq: seqOf(s.redeem('A')), reason: 'refund', returnUse: true }),
    'reversed 100',
    1,
  ],
  [
    'disables a coupon',
    () => ({ type: COMMAND.SWITCH_COUPON, coupon: byCode('A'), by: null, change: 'DISABLED' }),
    'DISABLED',
    1,
  ],
  [
    'expires a coupon with a reservation',
    (s) => {
      s.reserve('A')
      const rest = { by: null, reason: 'over', ifVersion: 0, definition: null, validUntilMs: 0, override: false }
      return { type: COMMAND.CHANGE_COUPON, coupon: byCode('A'), change: 'EXPIRED', ...rest }
    },
    'EXPIRED',
    2,
  ],
]

describe('a keyed command that', () => {
  test.each(WRITES)(
    '%s is done once, however often it is tried, before and after a crash',
    (_, prepare, shown, count) => {
      const s = new Scene().has('A', { maxUses: 10 })
      const command = prepare(s)
      const before = s.events().length
      expect(said(s.say(keyed(OPERATION, command)))).toBe(shown)
      const done = s.events().slice(before)
      expect(done).toHaveLength(count + 1)
      expect(done.at(-1)).toBe('OPERATION_DONE')
      expect(said(s.say(keyed(OPERATION, command)))).toBe(`before: ${shown}`)
      s.crash()
      expect(said(s.say(keyed(OPERATION, command)))).toBe(`before: ${shown}`)
      expect(s.events().slice(before)).toEqual(done)
      expect(tablesOf(s.shard.replayed())).toEqual(tablesOf(s.shard.state))
    },
  )

  test('writes has its events and their name in one entry, so that no crash comes between them', () => {
    const s = new Scene()
    s.say(keyed(OPERATION, create(couponWith('NEW'))))
    s.shard.flushAll()
    expect(s.shard.log.entries.map(({ eventCount }) => eventCount)).toEqual([2])
  })

  test('is refused, reads, or changes nothing leaves no trace, and is judged anew', () => {
    const s = new Scene().has('A', { maxUses: 1 })
    s.redeem('A')
    const before = s.events()
    const reserve = keyed(OPERATION, checkout(COMMAND.RESERVE, 'A', { user: 'v', cart: total(1_000) }))
    expect(said(s.say(reserve))).toBe('COUPON_EXHAUSTED')
    expect(said(s.say(reserve))).toBe('COUPON_EXHAUSTED')
    expect(said(s.say(keyed(OPERATION, { type: COMMAND.GET_COUPON, coupon: byCode('A') })))).toBe('REDEEMED')
    const enable: AnyCommand = { type: COMMAND.SWITCH_COUPON, coupon: byCode('A'), by: null, change: 'ENABLED' }
    expect(said(s.say(keyed(OPERATION, enable)))).toBe('REDEEMED')
    expect(s.events()).toEqual(before)
  })

  test('reads tells of the operation when that is done: a PATCH does not take its own change for another one', () => {
    const s = new Scene().has('A')
    const rest = { by: null, reason: null, validUntilMs: 0, override: false, ifVersion: 1 }
    const change: AnyCommand = {
      type: COMMAND.CHANGE_COUPON,
      coupon: byCode('A'),
      change: 'PATCHED',
      definition: couponWith('A', { maxUses: 5 }),
      ...rest,
    }
    const read = keyed(OPERATION, { type: COMMAND.GET_COUPON, coupon: byCode('A') })
    expect(said(s.say(read))).toBe('ACTIVE')
    expect(said(s.say(keyed(OPERATION, change)))).toBe('ACTIVE')
    expect(said(s.say(read))).toBe('before: ACTIVE')
    expect(said(s.say(keyed('another', { type: COMMAND.GET_COUPON, coupon: byCode('A') })))).toBe('ACTIVE')
  })

  test('made a reservation that is forgotten by now is refused, not done again', () => {
    const s = new Scene().has('A')
    const reserve = keyed(OPERATION, checkout(COMMAND.RESERVE, 'A', { user: 'u', cart: total(1_000) }))
    const seq = seqOf(s.say(reserve))
    s.release(seq)
    s.later(2 * MINUTE_MS).has('B')
    s.later(2 * MINUTE_MS).has('C')
    s.shard.actor.sweep(s.nowMs, s.nowMs)
    expect(brief(s.say({ type: COMMAND.GET_RESERVATION, seq }))).toBe('RESERVATION_NOT_FOUND')
    expect(said(s.say(reserve))).toBe('RESERVATION_NOT_FOUND')
  })
})

describe('the memory of keys and operations', () => {
  test('ends by a logged horizon, in the live tables and in a replay', () => {
    const s = new Scene()
    s.say(answer('k', claimSeqOf(s.say(claim('k'))), answerWith('first')))
    s.say(keyed(OPERATION, create(couponWith('NEW'))))
    s.later(MINUTE_MS).say(keyed('later', create(couponWith('LATER'))))
    expect(
      s
        .later(KEY_MEMORY_MS - 1)
        .sweep()
        .events()
        .at(-1),
    ).toBe('OPERATION_DONE')
    expect(s.later(1).sweep().events().at(-1)).toBe('KEYS_FORGOTTEN')
    expect(said(s.say(keyed(OPERATION, create(couponWith('NEW')))))).toBe('CODE_TAKEN')
    expect(said(s.say(keyed('later', create(couponWith('LATER')))))).toBe('before: ACTIVE')
    const { keys, operations } = s.shard.state.tables
    expect([keys.size, operations.size]).toEqual([0, 1])
    s.crash()
    expect(said(s.say(keyed(OPERATION, create(couponWith('NEW')))))).toBe('CODE_TAKEN')
    expect(said(s.say(claim('k', 'another', 'anew')))).toBe('claimed as anew')
  })

  test('logs no horizon where there is nothing to forget', () => {
    const s = new Scene().has('A')
    for (let i = 0; i < 5; i++) s.later(KEY_MEMORY_MS).has(`B-${i}`).sweep()
    expect(s.events()).not.toContain('KEYS_FORGOTTEN')
    s.later(MINUTE_MS).say(keyed(OPERATION, create(couponWith('NEW'))))
    s.later(MINUTE_MS).has('C')
    for (let i = 0; i < 5; i++) s.later(KEY_MEMORY_MS).has(`D-${i}`).sweep()
    expect(s.events().filter((name) => name === 'KEYS_FORGOTTEN')).toHaveLength(1)
  })

  test.each([
    ['shorter', HOUR_MS],
    ['longer', 7 * 24 * HOUR_MS],
  ])('ends in its own time where the window of orders is %s', (_, orderWindowMs) => {
    const s = new Scene()
    const forgottenAtMs = { ORDERS_FORGOTTEN: 0, KEYS_FORGOTTEN: 0 }
    s.say(keyed(OPERATION, create(couponWith('NEW'))))
    const beginMs = s.nowMs
    for (let i = 0; i < 8 * 24 * 2; i++) {
      s.later(HOUR_MS / 2)
      if (i < 4) s.has(`A-${i}`)
      const seen = s.shard.state.seq
      s.shard.actor.sweep(s.nowMs, s.nowMs - orderWindowMs)
      for (const { event, seq } of s.shard.loggedEvents().slice(seen)) {
        if (event.type === EVENT.ORDERS_FORGOTTEN) forgottenAtMs.ORDERS_FORGOTTEN ||= s.nowMs - beginMs
        if (event.type === EVENT.KEYS_FORGOTTEN) forgottenAtMs.KEYS_FORGOTTEN ||= s.nowMs - beginMs
        expect(seq).toBeGreaterThan(seen)
      }
    }
    // The first minute can be forgotten when the second, half an hour later, has left the window.
    expect(forgottenAtMs).toEqual({
      ORDERS_FORGOTTEN: orderWindowMs + HOUR_MS / 2,
      KEYS_FORGOTTEN: KEY_MEMORY_MS + HOUR_MS / 2,
    })
    expect(tablesOf(s.shard.replayed())['minutes']).toEqual(tablesOf(s.shard.state)['minutes'])
  })
})
