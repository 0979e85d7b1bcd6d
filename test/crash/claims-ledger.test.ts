// The ledger of claims finds what may never be told, whatever server tells it.

import { beforeEach, describe, expect, it } from 'vitest'
import { type Claim, type ClaimCampaign, ClaimsLedger } from './claims-ledger.ts'

const NOON_MS = Date.UTC(2026, 10, 20, 12)
const DAY_MS = 24 * 60 * 60 * 1_000
const LOCK_MS = 300_000
const TERMS = { maxUses: null, budget: null, codes: 10, lockMs: LOCK_MS, perUser: 1 }
const OWN: ClaimCampaign = { ...TERMS, campaignId: 'cmp_own', isOverAll: false }
const ALL: ClaimCampaign = { ...TERMS, campaignId: 'cmp_all', isOverAll: true }
const ALL_TOO: ClaimCampaign = { ...TERMS, campaignId: 'cmp_all_too', isOverAll: true }
const TWO_A_DAY: ClaimCampaign = { ...TERMS, campaignId: 'cmp_two', isOverAll: false, perUser: 2 }
const SHORT: ClaimCampaign = { ...TERMS, campaignId: 'cmp_short', isOverAll: false, lockMs: 1_000 }

let ledger: ClaimsLedger
let reservations = 0

beforeEach(() => {
  ledger = new ClaimsLedger()
})

function claim(campaign: ClaimCampaign, userId: string, code: string, beganAtMs = NOON_MS): Claim {
  reservations++
  const answer = { code, reservationId: `rsv_${reservations}`, expiresAtMs: beganAtMs + campaign.lockMs }
  return ledger.addClaim(campaign, { userId, orderId: `o${reservations}`, totalMinor: 1_000 }, answer) as Claim
}

function again(of: Claim, change: Partial<{ code: string; userId: string; expiresAtMs: number }> = {}): Claim | null {
  const { campaign, reservationId, expiresAtMs, userId, orderId, totalMinor } = of
  const answer = { code: of.coupons[0]?.code as string, reservationId, expiresAtMs, ...change }
  return ledger.addClaim(campaign, { userId: change.userId ?? userId, orderId, totalMinor }, answer)
}

describe('one user', () => {
  it('is told of an open claim as often as they ask, and it counts once', () => {
    const first = claim(OWN, 'u1', 'A')
    expect(again(first)).toBeNull()
    expect(ledger.claims).toHaveLength(1)
  })

  it.each([{ code: 'B' }, { userId: 'u2' }, { expiresAtMs: NOON_MS }])('is never told otherwise: %j', (change) => {
    const first = claim(OWN, 'u1', 'A')
    expect(() => again(first, change)).toThrow(/was A, and now/)
  })

  it('has no second coupon of a pool while the first is open', () => {
    claim(TWO_A_DAY, 'u1', 'A')
    expect(() => claim(TWO_A_DAY, 'u1', 'B', NOON_MS + LOCK_MS - 1)).toThrow(/and got B too/)
  })

  it('has no more of a day than its limit, let go or not', () => {
    const first = claim(OWN, 'u1', 'A')
    ledger.stacks.close(first, 'RELEASED')
    expect(() => claim(OWN, 'u1', 'B', NOON_MS + 1)).toThrow(/took 2 in a day/)
  })

  it('has one of a day over all that count together', () => {
    claim(ALL, 'u1', 'A')
    expect(() => claim(ALL_TOO, 'u1', 'B')).toThrow(/took 2 in a day/)
  })

  it('comes again on another day, and for another limit', () => {
    claim(OWN, 'u1', 'A')
    claim(ALL, 'u1', 'B')
    expect(claim(OWN, 'u1', 'C', NOON_MS + DAY_MS)).not.toBeNull()
  })

  it('is told no claim again that is over', () => {
    const first = claim(OWN, 'u1', 'A')
    ledger.stacks.close(first, 'REDEEMED')
    expect(() => again(first)).toThrow(/is REDEEMED and was claimed again/)
  })
})

describe('a refusal by the day', () => {
  it('is fair to who has taken their share, and to nobody else', () => {
    claim(ALL, 'u1', 'A')
    expect(() => ledger.dayIsFull(ALL_TOO, 'u1', NOON_MS + 1)).not.toThrow()
    expect(() => ledger.dayIsFull(OWN, 'u1', NOON_MS + 1)).toThrow(/has taken nothing/)
    expect(() => ledger.dayIsFull(ALL, 'u2', NOON_MS + 1)).toThrow(/has taken nothing/)
    expect(() => ledger.dayIsFull(ALL, 'u1', NOON_MS + DAY_MS)).toThrow(/has taken nothing/)
  })

  it('may come of a claim in doubt only where that can have run out unseen', () => {
    ledger.doubt(SHORT, 'u1')
    ledger.doubt(OWN, 'u1')
    expect(() => ledger.dayIsFull(SHORT, 'u1', NOON_MS)).not.toThrow()
    expect(() => ledger.dayIsFull(OWN, 'u1', NOON_MS)).toThrow(/has taken nothing/)
  })
})

describe('a coupon', () => {
  it('is the next one’s when it ran out or was let go, in whatever order the answers came', () => {
    claim(OWN, 'u2', 'A', NOON_MS + LOCK_MS)
    claim(OWN, 'u1', 'A', NOON_MS)
    ledger.stacks.close(claim(OWN, 'u3', 'B'), 'RELEASED')
    claim(OWN, 'u4', 'B', NOON_MS + 1)
    expect(() => ledger.judgeHolders()).not.toThrow()
  })

  it('is never two users’ at once', () => {
    claim(OWN, 'u1', 'A')
    claim(OWN, 'u2', 'A', NOON_MS + LOCK_MS - 1)
    expect(() => ledger.judgeHolders()).toThrow(/A was u1's until .*, and u2's from/)
  })

  it('is nobody’s any more when it was redeemed', () => {
    ledger.stacks.close(claim(OWN, 'u1', 'A'), 'REDEEMED')
    claim(OWN, 'u2', 'A', NOON_MS + DAY_MS)
    expect(() => ledger.judgeHolders()).toThrow(/A was redeemed by u1, and handed on/)
  })
})
