/**
 * Claims: one free coupon of a campaign's pool for a user, kept for a while. Command → outcome for every rule of the contract.
 */
import { describe, expect, test } from 'vitest'
import { OVERDUE_RELEASES_MAX } from '../../../engine/domain/limits.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { CampaignScene, claimedBy, told } from '../support/campaign-scene.ts'
import { byCode, total } from '../support/samples.ts'
import { seqOf, START_MS } from '../support/scene.ts'

type Terms = Parameters<CampaignScene['campaign']>[0]

/** A campaign with so many codes in its pool. */
function pool(count: number, terms: Terms = {}): { s: CampaignScene; codes: string[] } {
  const s = new CampaignScene()
  s.campaign(terms)
  return { s, codes: s.makes(0, count) }
}

describe('a claim', () => {
  test('hands out a coupon, kept for the user for lockSeconds', () => {
    const { s, codes } = pool(2, { lockSeconds: 45 })
    const claim = s.claims(0)
    expect(codes).toContain(claim.code)
    expect(claim).toMatchObject({ again: false, expiresAtMs: START_MS + 45_000 })
    expect(s.reservation(claim.seq)).toMatchObject({ status: 'RESERVED', userId: 'ann', price: null })
    expect(s.coupon(claim.code)).toMatchObject({
      status: 'LOCKED',
      lock: { userId: 'ann', expiresAtMs: START_MS + 45_000 },
    })
    expect(s.sees(0)).toMatchObject({ codes: 2, poolSize: 1, reserved: 1, uses: 0 })
    expect(told(s.redeem(claim.code, { user: 'bob' }))).toBe('COUPON_LOCKED')
  })

  test('while it is open the same again, its time unchanged, whatever else is full by now', () => {
    const { s } = pool(1, { maxUses: 1, maxUsesPerUser: 1, dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } })
    const first = s.claims(0)
    s.later(100_000)
    expect(s.claims(0)).toEqual({ ...first, again: true })
    s.switchCampaign(0, 'DISABLED')
    expect(s.claims(0)).toEqual({ ...first, again: true })
    s.crash()
    expect(s.claims(0)).toEqual({ ...first, again: true })
  })

  test('is redeemed like any reservation, and the next claim takes another coupon', () => {
    const { s, codes } = pool(2)
    const first = s.claims(0)
    expect(told(s.redeemReservation(first.seq, 'o-1'))).toBe('INVALID_REQUEST')
    expect(told(s.redeemReservation(first.seq, 'o-1', { cart: total(500) }))).toBe('redeemed 50')
    const second = s.claims(0)
    expect([first.code, second.code].sort()).toEqual([...codes].sort())
    expect(told(s.redeem(second.code, { order: 'o-2' }))).toBe('redeemed 100')
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
    expect(s.sees(0)).toMatchObject({ uses: 2, reserved: 0, poolSize: 0, discountTotalMinor: 150 })
  })

  test('not redeemed in time, the coupon goes to somebody else, swept or not', () => {
    for (const isSwept of [false, true]) {
      const { s } = pool(1, { maxUses: 1, maxUsesPerUser: 1 })
      const first = s.claims(0)
      expect(told(s.claim(0, 'bob'))).toBe('COUPON_LOCKED')
      s.later(299_999)
      expect(told(s.claim(0, 'bob'))).toBe('COUPON_LOCKED')
      s.later(1)
      if (isSwept) s.sweep()
      const second = s.claims(0, 'bob')
      expect(second).toMatchObject({ code: first.code, again: false })
      expect(s.reservation(first.seq)).toMatchObject({ status: 'EXPIRED' })
      expect(told(s.redeemReservation(first.seq, 'o-1', { cart: total(100) }))).toBe('RESERVATION_EXPIRED')
      expect(told(s.redeem(first.code))).toBe('COUPON_LOCKED')
      expect(told(s.redeem(first.code, { user: 'bob' }))).toBe('redeemed 100')
    }
  })

  test('given back, the coupon goes to somebody else; the one who gave it back may come again', () => {
    const { s } = pool(1)
    const first = s.claims(0)
    s.release(first.seq)
    expect(s.claims(0, 'bob').code).toBe(first.code)
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
  })

  test('a free code of the pool comes before one whose hold has run out', () => {
    const { s } = pool(2)
    const first = s.claims(0)
    s.later(300_000)
    const second = s.claims(0, 'bob')
    expect(second.code).not.toBe(first.code)
    expect(s.claims(0, 'cid').code).toBe(first.code)
  })

  test('codes are handed out evenly: what came back last goes out last', () => {
    const { s, codes } = pool(3)
    const first = s.claims(0, 'u-1')
    s.release(first.seq)
    expect([s.claims(0, 'u-2').code, s.claims(0, 'u-3').code, s.claims(0, 'u-4').code]).toEqual([
      codes[1],
      codes[2],
      first.code,
    ])
  })

  test('no end of a campaign is outlasted', () => {
    const { s } = pool(1, { validUntilMs: START_MS + 60_000 })
    expect(s.claims(0).expiresAtMs).toBe(START_MS + 60_000)
  })

  test.each<[string, string, Terms, ((s: CampaignScene) => unknown)?]>([
    ['of a campaign that was disabled', 'COUPON_DISABLED', {}, (s) => s.switchCampaign(0, 'DISABLED')],
    ['a millisecond too early', 'COUPON_NOT_STARTED', { validFromMs: START_MS + 1 }],
    ['at the instant it ends', 'COUPON_EXPIRED', { validUntilMs: START_MS }],
    ['of a user who had one', 'USER_LIMIT_REACHED', { maxUsesPerUser: 1 }, (s) => s.redeem(s.claims(0).code)],
    [
      'of a used up campaign',
      'CAMPAIGN_EXHAUSTED',
      { maxUses: 1 },
      (s) => s.redeem(s.claims(0, 'bob').code, { user: 'bob' }),
    ],
    ['of a campaign whose last use is held', 'COUPON_LOCKED', { maxUses: 1 }, (s) => s.claims(0, 'bob')],
    [
      'of a user who had one today',
      'DAILY_LIMIT_REACHED',
      { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' }, maxUsesPerUser: 1 },
      (s) => s.redeem(s.claims(0).code),
    ],
    [
      'of a user who let theirs go today',
      'DAILY_LIMIT_REACHED',
      { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } },
      (s) => s.release(s.claims(0).seq),
    ],
    [
      'of a user whose own ran out today',
      'DAILY_LIMIT_REACHED',
      { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } },
      (s) => (s.claims(0), s.later(300_000)),
    ],
    [
      'of a user who locked a picked code of it today',
      'DAILY_LIMIT_REACHED',
      { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } },
      (s) => s.joins(0, 'PICKED').reserve('PICKED'),
    ],
    [
      'of a user who redeemed a picked code of it today',
      'DAILY_LIMIT_REACHED',
      { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } },
      (s) => s.joins(0, 'PICKED').redeem('PICKED'),
    ],
    [
      'of a user who redeemed a picked code today, where two a day are allowed',
      'claimed',
      { dailyLimit: { perUser: 2, scope: 'CAMPAIGN' } },
      (s) => s.joins(0, 'PICKED').redeem('PICKED'),
    ],
    ['where an empty budget leaves nothing', 'claimed', { budgetMinor: 0 }],
  ])('%s: %s', (_, expected, terms, tell) => {
    const { s } = pool(3, terms)
    tell?.(s)
    expect(told(s.claim(0))).toBe(expected)
    s.crash()
    expect(told(s.claim(0))).toBe(expected === 'claimed' ? 'claimed again' : expected)
  })
})

describe('never claimed is', () => {
  test('a code that was exported', () => {
    const s = new CampaignScene()
    s.campaign()
    s.makes(0, 3, { distribution: 'EXPORTED' })
    expect(s.sees(0)).toMatchObject({ codes: 3, poolSize: 0 })
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
  })

  test('a code of one user, not even by that user', () => {
    const s = new CampaignScene()
    s.campaign()
    s.makes(0, 2, { userIds: ['ann', 'bob'] })
    expect(s.sees(0)).toMatchObject({ codes: 2, poolSize: 0 })
    expect(told(s.claim(0, 'ann'))).toBe('POOL_EMPTY')
  })

  test('a coupon that was made one by one', () => {
    const s = new CampaignScene()
    s.campaign()
    s.joins(0, 'SINGLE')
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
  })

  test('a code of another campaign', () => {
    const s = new CampaignScene()
    s.campaign()
    s.campaign()
    s.makes(0, 2)
    expect(told(s.claim(1))).toBe('POOL_EMPTY')
  })

  test('a disabled code, until it is enabled', () => {
    const { s, codes } = pool(2)
    const [first, second] = codes as [string, string]
    s.switchTo(first, 'DISABLED')
    expect(s.claims(0).code).toBe(second)
    expect(told(s.claim(0, 'bob'))).toBe('POOL_EMPTY')
    s.switchTo(first, 'ENABLED')
    expect(s.claims(0, 'bob').code).toBe(first)
  })

  test('a code that was disabled while it was held, though its hold ran out', () => {
    const { s, codes } = pool(1)
    const [code] = codes as [string]
    s.claims(0)
    s.switchTo(code, 'DELETED')
    s.later(300_000)
    expect(told(s.claim(0, 'bob'))).toBe('POOL_EMPTY')
    s.sweep()
    expect(told(s.claim(0, 'bob'))).toBe('POOL_EMPTY')
    expect(s.sees(0).poolSize).toBe(0)
    s.switchTo(code, 'ENABLED')
    expect(s.claims(0, 'bob').code).toBe(code)
  })

  test('a code that somebody picked: reserved or redeemed by name', () => {
    const { s, codes } = pool(3)
    const [first, second, third] = codes as [string, string, string]
    s.reserve(first, { user: 'bob' })
    s.redeem(second, { user: 'cid' })
    expect(s.claims(0).code).toBe(third)
    expect(told(s.claim(0, 'dee'))).toBe('POOL_EMPTY')
  })

  test('a code that was expired one by one, or does not begin yet', () => {
    const { s, codes } = pool(3)
    const [first, second, third] = codes as [string, string, string]
    s.expire(first)
    s.patchCode(0, second, { validFromMs: START_MS + 1_000 })
    expect(s.claims(0).code).toBe(third)
    expect(told(s.claim(0, 'bob'))).toBe('POOL_EMPTY')
    s.patchCode(0, second, {})
    expect(s.claims(0, 'bob').code).toBe(second)
  })

  test('a code that another reservation holds, though the claim before ran out', () => {
    const { s, codes } = pool(1)
    const [code] = codes as [string]
    s.claims(0)
    s.patchCode(0, code, { maxUses: 2 })
    s.reserve(code, { user: 'bob', ttlSeconds: 3_600 })
    s.later(300_000)
    expect(told(s.claim(0, 'cid'))).toBe('POOL_EMPTY')
  })

  test('a code that was given to one user afterwards', () => {
    const { s, codes } = pool(1)
    const [code] = codes as [string]
    s.patchCode(0, code, { userId: 'bob' })
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
    expect(told(s.redeem(code))).toBe('USER_NOT_ELIGIBLE')
    s.patchCode(0, code, {})
    expect(s.claims(0).code).toBe(code)
  })
})

describe('a code of one user', () => {
  test('serves that user only, and shows whose it is', () => {
    const s = new CampaignScene()
    s.campaign()
    const [ofAnn, ofBob] = s.makes(0, 2, { userIds: ['ann', 'bob'] }) as [string, string]
    expect(told(s.redeem(ofBob))).toBe('USER_NOT_ELIGIBLE')
    expect(told(s.redeem(ofAnn))).toBe('redeemed 100')
    expect(s.coupon(ofBob).definition.userId).toBe('bob')
    s.crash()
    expect(s.codes({ campaignIndex: 0 }).map(({ holder }) => holder)).toEqual(['ann', 'bob'])
  })

  test('is still that user’s after it was extended, and somebody else’s after a PATCH', () => {
    const s = new CampaignScene()
    s.campaign()
    const [code] = s.makes(0, 1, { userIds: ['ann'] }) as [string]
    s.expire(code)
    s.extend(code, START_MS + 100_000, true)
    expect(s.coupon(code).definition.userId).toBe('ann')
    expect(told(s.redeem(code, { user: 'bob' }))).toBe('USER_NOT_ELIGIBLE')
    s.patchCode(0, code, { userId: 'bob' })
    expect(s.coupon(code).definition.userId).toBe('bob')
    expect(told(s.redeem(code, { user: 'ann' }))).toBe('USER_NOT_ELIGIBLE')
    expect(told(s.validate(code, total(1_000), 'bob'))).toBe('100')
    s.patchCode(0, code, {})
    s.crash()
    expect(s.coupon(code).definition.userId).toBeNull()
    expect(told(s.redeem(code, { user: 'cid' }))).toBe('redeemed 100')
  })
})

describe('the pool', () => {
  test('gets a code back when its redemption is reversed with returnUse, and not without', () => {
    for (const returnUse of [true, false]) {
      const { s } = pool(1)
      const { code } = s.claims(0)
      s.reverse(seqOf(s.redeem(code)), returnUse)
      expect(told(s.claim(0, 'bob'))).toBe(returnUse ? 'claimed' : 'POOL_EMPTY')
    }
  })

  test('an overdue claim may be redeemed late as long as nobody else has the coupon', () => {
    const { s } = pool(1)
    const seq = seqOf(s.reserve(s.codes()[0]?.code as string))
    s.later(300_000)
    expect(told(s.redeemReservation(seq, 'o-1', { allowLate: true }))).toBe('redeemed 100')
    expect(told(s.claim(0, 'bob'))).toBe('POOL_EMPTY')
  })

  test('a reservation of several codes that ran out gives every one of them to a claim', () => {
    const { s, codes } = pool(2, { offer: { stacking: 'STACKABLE' } })
    s.reserve(codes, { user: 'bob' })
    expect(told(s.claim(0))).toBe('POOL_EMPTY')
    s.later(300_000)
    expect([s.claims(0, 'u-1').code, s.claims(0, 'u-2').code].sort()).toEqual([...codes].sort())
    expect(told(s.claim(0, 'u-3'))).toBe('POOL_EMPTY')
  })

  test('of a reservation that ran out with codes of two campaigns a claim gets one of its own campaign', () => {
    const s = new CampaignScene()
    const stacks = { offer: { stacking: 'STACKABLE' } } as const
    s.campaign(stacks)
    s.campaign(stacks)
    const [code] = s.makes(0, 1) as [string]
    s.joins(1, 'OTHER').reserve([code, 'OTHER'], { user: 'bob' })
    s.later(300_000)
    expect(told(s.claim(1))).toBe('POOL_EMPTY')
    expect(s.claims(0).code).toBe(code)
  })

  test('holds that ran out on codes which no claim may have do not hide one that a claim may, up to a bound', () => {
    const s = new CampaignScene()
    s.campaign({ lockSeconds: 10 })
    const exported = s.makes(0, OVERDUE_RELEASES_MAX - 1, { distribution: 'EXPORTED' })
    s.makes(0, 1)
    for (const [i, code] of exported.entries()) s.reserve(code, { user: `x-${i}`, ttlSeconds: 5 })
    const { code } = s.claims(0)
    s.later(10_000)
    expect(s.claims(0, 'bob').code).toBe(code)
  })

  test('is the same after a replay, in its order too', () => {
    const { s } = pool(5)
    s.release(s.claims(0, 'u-1').seq)
    s.claims(0, 'u-2')
    const live = ['u-3', 'u-4', 'u-5', 'u-6'].map((user) => {
      s.crash()
      return s.claims(0, user).code
    })
    expect(new Set(live).size).toBe(4)
    expect(told(s.claim(0, 'u-7'))).toBe('POOL_EMPTY')
  })

  test('a claim under a key is made once', () => {
    const { s } = pool(2)
    const operation = { buf: new Uint8Array(16).fill(7), start: 0, end: 16 }
    const claim = () => s.say({ type: COMMAND.KEYED, operation, inner: { type: COMMAND.CLAIM, index: 0, user: 'ann' } })
    const first = claimedBy(s, claim())
    s.release(first.seq)
    const again = claim()
    expect(again.type).toBe(OUTCOME.DONE_BEFORE)
    expect(s.sees(0)).toMatchObject({ reserved: 0, poolSize: 2 })
  })

  test('codes made in bulk are found in any writing of their letters by their code alone', () => {
    const { s, codes } = pool(1)
    expect(s.say({ type: COMMAND.GET_COUPON, coupon: byCode(codes[0] as string) })).toMatchObject({ status: 'ACTIVE' })
  })
})
