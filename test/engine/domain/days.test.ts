/**
 * The coupon of the day at its edges: what a user takes counts for the local day in which it was taken, whatever clocks do.
 */
import { describe, expect, test } from 'vitest'
import { EVENT } from '../../../protocol/events.ts'
import { CampaignScene, told } from '../support/campaign-scene.ts'
import { BERLIN, KOLKATA, LORD_HOWE, NEW_YORK, naiveDay, SAO_PAULO_2018, UTC, type Zone } from '../support/zones.ts'

const HOUR_MS = 3_600_000
const ONE_A_DAY = { perUser: 1, scope: 'CAMPAIGN' } as const

function at(iso: string): number {
  return Date.parse(iso)
}

/** A campaign of that zone with a full pool, at a moment. */
function sceneAt(zone: Zone, nowMs: number, dailyLimit: { perUser: number; scope: 'CAMPAIGN' | 'ALL' } = ONE_A_DAY) {
  const s = new CampaignScene()
  s.nowMs = nowMs - HOUR_MS
  s.campaign({ timezone: zone.name, dailyLimit })
  s.makes(0, 20)
  s.nowMs = nowMs
  return s
}

/** Takes one and gives it back, so that only the day stands in the way of the next. */
function takesOne(s: CampaignScene, user = 'ann'): string {
  const outcome = s.claim(0, user)
  if ('seq' in outcome) s.release(outcome.seq)
  return told(outcome)
}

describe('the day ends at local midnight', () => {
  test.each<[string, Zone, string, string, number]>([
    ['an ordinary day of Greenwich', UTC, '2026-05-05T00:00:00Z', '2026-05-06T00:00:00Z', 24],
    ['half an hour off', KOLKATA, '2026-05-04T18:30:00Z', '2026-05-05T18:30:00Z', 24],
    ['Berlin in summer', BERLIN, '2026-07-09T22:00:00Z', '2026-07-10T22:00:00Z', 24],
    ['Berlin, the day of 23 hours', BERLIN, '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', 23],
    ['Berlin, the day of 25 hours', BERLIN, '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z', 25],
    ['New York, the day of 23 hours', NEW_YORK, '2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z', 23],
    ['New York, the day of 25 hours', NEW_YORK, '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z', 25],
    ['Lord Howe, half an hour shorter', LORD_HOWE, '2026-10-03T13:30:00Z', '2026-10-04T13:00:00Z', 23.5],
    ['Lord Howe, half an hour longer', LORD_HOWE, '2026-04-04T13:00:00Z', '2026-04-05T13:30:00Z', 24.5],
    ['São Paulo, a day that begins at one o’clock', SAO_PAULO_2018, '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z', 23],
    ['São Paulo, a day with its last hour twice', SAO_PAULO_2018, '2019-02-16T02:00:00Z', '2019-02-17T03:00:00Z', 25],
  ])('%s', (_, zone, begins, ends, hours) => {
    const startMs = at(begins)
    const endMs = at(ends)
    expect(naiveDay(zone, startMs)).toEqual({ startMs, endMs })
    expect(endMs - startMs).toBe(hours * HOUR_MS)
    const s = sceneAt(zone, startMs - 1)
    expect(takesOne(s)).toBe('claimed')
    expect(takesOne(s)).toBe('DAILY_LIMIT_REACHED')
    s.nowMs = startMs
    expect(takesOne(s)).toBe('claimed')
    expect(s.claim(0)).toMatchObject({ refusal: 'DAILY_LIMIT_REACHED', retryAfterMs: endMs - startMs })
    for (const hour of [1, 2, 2.5, 3, 12, 22, 23]) {
      if (hour >= hours) continue
      s.nowMs = startMs + hour * HOUR_MS
      expect(takesOne(s), `after ${hour} hours`).toBe('DAILY_LIMIT_REACHED')
    }
    s.nowMs = endMs - 1
    s.crash()
    expect(takesOne(s)).toBe('DAILY_LIMIT_REACHED')
    expect(takesOne(s, 'bob')).toBe('claimed')
    s.nowMs = endMs
    expect(takesOne(s)).toBe('claimed')
    expect(takesOne(s)).toBe('DAILY_LIMIT_REACHED')
    const days = s.shard
      .loggedEvents()
      .flatMap(({ event, atMs }) => (event.type === EVENT.DAY_COUNTED ? [{ event, atMs }] : []))
    expect(days.length).toBe(4)
    for (const { event, atMs } of days) {
      expect({ startMs: event.dayStartMs, endMs: event.dayEndMs }).toEqual(naiveDay(zone, atMs))
    }
  })

  test('in three zones at one moment on three different days', () => {
    const s = new CampaignScene()
    s.nowMs = at('2026-03-28T18:00:00Z')
    const zones = [KOLKATA, BERLIN, NEW_YORK]
    for (const [index, zone] of zones.entries()) {
      s.campaign({ timezone: zone.name, dailyLimit: ONE_A_DAY })
      s.makes(index, 10)
    }
    const answers: string[] = []
    // Midnight in Kolkata at 18:30, in Berlin at 23:00, in New York at 04:00.
    for (const moment of ['18:29:59.999', '18:30', '22:59:59.999', '23:00']) {
      s.nowMs = at(`2026-03-28T${moment}Z`)
      answers.push(
        zones
          .map((_, index) => {
            const outcome = s.claim(index)
            if ('seq' in outcome) s.release(outcome.seq)
            return told(outcome) === 'claimed' ? 'one' : '-'
          })
          .join(' '),
      )
    }
    s.nowMs = at('2026-03-29T04:00Z')
    answers.push(told(s.claim(2)))
    expect(answers).toEqual(['one one one', 'one - -', '- - -', '- one -', 'claimed'])
  })
})

describe('what counts for a day', () => {
  test('a reservation over midnight counts for the day it was made on, its redemption for none', () => {
    const midnightMs = at('2026-05-06T00:00:00Z')
    const s = sceneAt(UTC, midnightMs - 60_000)
    const claim = s.claims(0)
    s.nowMs = midnightMs + 1
    expect(told(s.redeem(claim.code))).toBe('redeemed 100')
    expect(takesOne(s)).toBe('claimed')
    expect(takesOne(s)).toBe('DAILY_LIMIT_REACHED')
  })

  test('a lock, a claim, a reservation and a redemption count alike; a retry and a release count nothing', () => {
    const s = sceneAt(UTC, at('2026-05-05T12:00:00Z'), { perUser: 3, scope: 'CAMPAIGN' })
    s.joins(0, 'ONE').joins(0, 'TWO').joins(0, 'THREE').joins(0, 'FOUR')
    expect(told(s.reserve('ONE'))).toBe('claimed')
    expect(told(s.reserve('ONE'))).toBe('claimed again')
    expect(told(s.redeem('ONE'))).toBe('redeemed 100')
    expect(told(s.redeem('ONE'))).toBe('redeemed 100 again')
    expect(told(s.redeem('TWO', { order: 'o-2' }))).toBe('redeemed 100')
    expect(takesOne(s)).toBe('claimed')
    expect(told(s.redeem('THREE', { order: 'o-3' }))).toBe('DAILY_LIMIT_REACHED')
    expect(told(s.validate('THREE'))).toBe('DAILY_LIMIT_REACHED')
    expect(told(s.reserve('THREE'))).toBe('DAILY_LIMIT_REACHED')
    expect(told(s.redeem('THREE', { user: 'bob', order: 'o-3' }))).toBe('redeemed 100')
  })

  test('every code of a cart counts: two where one is left are refused whole', () => {
    const s = new CampaignScene()
    s.campaign({ dailyLimit: ONE_A_DAY, offer: { stacking: 'STACKABLE' } })
    s.joins(0, 'ONE').joins(0, 'TWO')
    expect(told(s.redeem(['ONE', 'TWO']))).toBe('DAILY_LIMIT_REACHED of code 2')
    expect(told(s.redeem('TWO'))).toBe('redeemed 100')
  })

  test('a limit that begins later counts from then', () => {
    const s = new CampaignScene()
    s.campaign()
    s.joins(0, 'ONE').joins(0, 'TWO').joins(0, 'THREE')
    s.redeem('ONE')
    s.patchCampaign(0, { dailyLimit: ONE_A_DAY })
    expect(told(s.redeem('TWO', { order: 'o-2' }))).toBe('redeemed 100')
    expect(told(s.redeem('THREE', { order: 'o-3' }))).toBe('DAILY_LIMIT_REACHED')
  })

  test('a day that is long over is dropped from memory, and today is not', () => {
    const s = sceneAt(UTC, at('2026-05-05T12:00:00Z'))
    takesOne(s)
    s.later(72 * HOUR_MS)
    takesOne(s)
    expect(s.shard.state.tables.days.size).toBe(2)
    s.sweep()
    expect(s.shard.state.tables.days.size).toBe(1)
    expect(takesOne(s)).toBe('DAILY_LIMIT_REACHED')
  })
})
