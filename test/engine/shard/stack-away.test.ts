/** Codes that live away from their campaign, and days that another shard keeps. */
import { describe, expect, test } from 'vitest'
import { Bytes, ByteWriter } from '../../../protocol/bytes.ts'
import { writeTextElement, writeUintElement } from '../../../gateway/websocket/columns-elements.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CampaignRef } from '../../../protocol/coupon.ts'
import { currencyNumber } from '../../../protocol/currency.ts'
import { campaignOrdinal } from '../../../protocol/ordinals.ts'
import { REFUSALS } from '../../../protocol/refusals.ts'
import { MESSAGE } from '../../../protocol/messages.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { brief } from '../support/scene.ts'
import { type AnyCommand, byCode, byOrdinal, checkout, total } from '../support/samples.ts'
import { expectQuiet as expectNothingLeft } from '../stack/pair.ts'
import { StackScene } from '../stack/stack-scene.ts'

const ALL = { perUser: 1, scope: 'ALL' } as const

/** Confirmations are logged by sweeps. */
function expectQuiet(scene: StackScene): void {
  scene.cluster.pass(200)
  expectNothingLeft(scene)
}

function elements(write: (w: ByteWriter) => void): Bytes {
  const w = new ByteWriter()
  write(w)
  return new Bytes(w.buf.slice(0, w.pos), 0, w.pos)
}

/** Read beside the wire, on which nothing is to move. */
function currentOf(scene: StackScene, { shard, index }: CampaignRef) {
  const state = scene.cluster.state(shard)
  const definition = state.campaign(campaignOrdinal(index))
  return { definition, version: state.tables.coupons.version.get(campaignOrdinal(index)) }
}

describe('a code away from its campaign', () => {
  test('takes its offer, and uses the campaign', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(2, { maxUses: 2, budgetMinor: 250 })
    scene.joins(campaign, 'C-0').joins(campaign, 'D-0').joins(campaign, 'E-1')
    const made = scene.redeem(['C-0'])
    expect(made).toMatchObject({ type: OUTCOME.REDEMPTION, price: { amounts: [100] }, coupons: [{ code: 'C-0' }] })
    expect(scene.takenOf(campaign)).toBe('1/0 100')
    expect(brief(scene.redeem(['C-0']))).toBe('redeemed 100 again')
    expect(brief(scene.redeem(['D-0'], { order: 'o-2', cart: total(1_600) }))).toContain('BUDGET_EXHAUSTED')
    expect(brief(scene.redeem(['D-0'], { order: 'o-2', cart: total(1_500) }))).toBe('redeemed 150')
    expect(brief(scene.redeem(['E-1'], { order: 'o-3' }))).toContain('CAMPAIGN_EXHAUSTED')
    const last = scene.redemption({ shard: 0, seq: scene.redeemedAt(0) })
    expect(brief(scene.reverse(scene.madeBy(['D-0'], last)))).toBe('reversed 150')
    expect(scene.takenOf(campaign)).toBe('1/0 100')
    expectQuiet(scene)
  })

  test('is reserved, redeemed and let go with it', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(2, { maxUses: 1, budgetMinor: 100 })
    scene.joins(campaign, 'C-0').joins(campaign, 'D-1')
    const id = scene.madeBy(['C-0'], scene.reserve(['C-0']))
    expect(scene.takenOf(campaign)).toBe('0/1 0')
    expect(brief(scene.redeem(['D-1'], { user: 'bob', order: 'o-9' }))).toContain('COUPON_LOCKED')
    expect(brief(scene.reserve(['C-0']))).toBe('reserved 100 again')
    scene.release(id)
    expect(scene.takenOf(campaign)).toBe('0/0 0')
    const second = scene.madeBy(['D-1'], scene.reserve(['D-1']))
    expect(brief(scene.redeemReservation(second, 'o-1'))).toBe('redeemed 100')
    expect(scene.takenOf(campaign)).toBe('1/0 100')
    expectQuiet(scene)
  })

  test('counts twice where two codes of it are in a cart', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(1, { maxUses: 3, maxUsesPerUser: 2 })
    scene.joins(campaign, 'C-0').joins(campaign, 'D-1').joins(campaign, 'E-2').joins(campaign, 'F-0')
    expect(brief(scene.redeem(['C-0', 'D-1', 'E-2']))).toContain('USER_LIMIT_REACHED')
    expect(brief(scene.redeem(['C-0', 'E-2']))).toBe('redeemed 190')
    expect(scene.takenOf(campaign)).toBe('2/0 190')
    expect(brief(scene.redeem(['F-0'], { order: 'o-2' }))).toContain('USER_LIMIT_REACHED')
    expect(brief(scene.redeem(['D-1', 'F-0'], { user: 'bob', order: 'o-2' }))).toContain('CAMPAIGN_EXHAUSTED')
    expectQuiet(scene)
  })

  test('is priced anew where the offer changes between the quote and the hold', () => {
    const scene = new StackScene([[0], [1], [2]])
    const campaign = scene.campaign(2)
    scene.joins(campaign, 'C-0')
    const call = scene.begins.redeem(['C-0'])
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    const { definition, version } = currentOf(scene, campaign)
    const offer = { ...definition.offer, percentBps: 2_000 }
    const command = { type: COMMAND.CHANGE_CAMPAIGN, index: campaign.index, by: null } as const
    scene.cluster.call(2, { ...command, ifVersion: version, definition: { ...definition, offer } })
    expect(brief(scene.done(call))).toBe('redeemed 200')
    expect(scene.takenOf(campaign)).toBe('1/0 200')
    expectQuiet(scene)
  })

  test('is named by its code in the log and in the answer, whatever the caller named it by', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(2)
    scene.joins(campaign, 'C-0', { maxUses: 2 })
    const command = checkout(COMMAND.REDEEM, [], { user: 'ann', order: 'o-1', cart: total(1_000) })
    const byId = { ...command, coupons: [byOrdinal(scene.coupon('C-0').ordinal)] } as AnyCommand
    expect(scene.done(scene.cluster.call(0, byId))).toMatchObject({ coupons: [{ code: 'C-0' }] })
    expect(brief(scene.redeem(['C-0']))).toBe('redeemed 100 again')
    expect(brief(scene.done(scene.cluster.call(0, byId)))).toBe('redeemed 100 again')
    expectQuiet(scene)
  })

  test('is redeemed in columns, whose rows are decided side by side', () => {
    for (const lanes of [[[0], [1], [2]], [[0, 1, 2]]]) {
      const scene = new StackScene(lanes)
      const campaign = scene.campaign(2, {
        maxUsesPerUser: 1,
        budgetMinor: 250,
        dailyLimit: { perUser: 9, scope: 'ALL' },
      })
      scene.joins(campaign, 'C-0', { maxUses: null })
      const users = ['ann', 'bob', 'ann', 'cyd', 'ann']
      const orders = ['o-1', 'o-2', 'o-3', 'o-4', 'o-1']
      const call = scene.cluster.call(0, {
        type: COMMAND.REDEEM_COLUMNS,
        coupon: byCode('C-0'),
        currency: currencyNumber('EUR'),
        count: users.length,
        users: elements((w) => users.forEach((user) => writeTextElement(w, user))),
        orders: elements((w) => orders.forEach((order) => writeTextElement(w, order))),
        totals: elements((w) => writeUintElement(w, 1_000)),
        oneTotal: true,
      })
      const outcome = scene.done(call)
      const { USER_LIMIT_REACHED: limit, BUDGET_EXHAUSTED: budget } = REFUSALS
      const outcomes = outcome.type === OUTCOME.COLUMNS ? [...outcome.outcomes] : []
      const [first, bobs, second, cyds, again] = outcomes
      // Ann's rows are of one limit and one order; which of the other two gets what is left is a matter of who comes first.
      expect([first, second, again]).toEqual([0, limit.number, 1])
      expect(new Set([bobs, cyds])).toEqual(new Set([0, budget.number]))
      expect(outcome.type === OUTCOME.COLUMNS && outcome.discounts).toEqual([
        100,
        bobs === 0 ? 100 : 0,
        0,
        cyds === 0 ? 100 : 0,
        100,
      ])
      expect(scene.takenOf(campaign)).toBe('2/0 200')
      expect([scene.dayOf('ann'), scene.dayOf('bob'), scene.dayOf('cyd')]).toEqual([
        1,
        bobs === 0 ? 1 : 0,
        cyds === 0 ? 1 : 0,
      ])
      expectQuiet(scene)
    }
  })

  test('ends with it', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(2)
    scene.joins(campaign, 'C-0')
    scene.cluster.pass(200)
    scene.reserve(['C-0'])
    scene.patchCampaign(campaign, { validUntilMs: scene.cluster.nowMs + 1_000 })
    scene.cluster.pass(3_000)
    expect(scene.takenOf(campaign)).toBe('0/0 0')
    expect(scene.counts('C-0')).toBe('0/0')
    expectQuiet(scene)
  })
})

describe('a day over everything', () => {
  test('is taken once by two calls that found it free', () => {
    const scene = new StackScene().has('A0', { dailyLimit: ALL }).has('B1', { dailyLimit: ALL })
    scene.cluster.pass(200)
    // The day of bob is kept by shard 2.
    const calls = [
      scene.begins.redeem(['A0'], { user: 'bob', order: 'o-1' }),
      scene.begins.redeem(['B1'], { user: 'bob', order: 'o-2' }),
    ]
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARE)
    expect(scene.cluster.wire.map(({ message }) => message.to)).toEqual([2, 2])
    scene.cluster.run().pass(600)
    expect(calls.map((call) => scene.saysOf(call)).sort()).toEqual(['DAILY_LIMIT_REACHED', 'redeemed 100'])
    expect(scene.dayOf('bob')).toBe(1)
    expect(scene.counts('A0', 'B1').split(' ').sort()).toEqual(['0/0', '1/0'])
    expectQuiet(scene)
  })

  test('is counted on the shard of the user', () => {
    const scene = new StackScene()
    scene.has('A0', { dailyLimit: ALL }).has('B1', { dailyLimit: ALL }).has('C2', { dailyLimit: ALL })
    // The day of ann is kept by shard 1.
    expect(brief(scene.redeem(['A0']))).toBe('redeemed 100')
    expect(scene.dayOf('ann')).toBe(1)
    expect(brief(scene.redeem(['B1'], { order: 'o-2' }))).toContain('DAILY_LIMIT_REACHED')
    expect(brief(scene.redeem(['C2'], { order: 'o-3' }))).toContain('DAILY_LIMIT_REACHED')
    expect(brief(scene.redeem(['A0']))).toBe('redeemed 100 again')
    const bobs = scene.madeBy(['C2'], scene.reserve(['C2'], { user: 'bob' }))
    expect(scene.dayOf('bob')).toBe(1)
    expect(brief(scene.redeemReservation(bobs, 'o-4'))).toBe('redeemed 100')
    expect(scene.dayOf('bob')).toBe(1)
    const cyds = scene.madeBy(['A0'], scene.reserve(['A0'], { user: 'cyd' }))
    scene.release(cyds)
    expect(scene.dayOf('cyd')).toBe(1)
    expect(brief(scene.reserve(['B1'], { user: 'cyd' }))).toContain('DAILY_LIMIT_REACHED')
    expectQuiet(scene)
  })

  test('of two codes in a cart takes two', () => {
    const scene = new StackScene()
    const two = { perUser: 2, scope: 'ALL' } as const
    scene.has('A0', { dailyLimit: two }).has('C2', { dailyLimit: two }).has('D2', { dailyLimit: two })
    expect(brief(scene.redeem(['A0', 'C2', 'D2']))).toContain('DAILY_LIMIT_REACHED')
    expect(scene.dayOf('ann')).toBe(0)
    expect(brief(scene.redeem(['A0', 'D2']))).toContain('redeemed')
    expect(scene.dayOf('ann')).toBe(2)
    expectQuiet(scene)
  })

  test('bounds claims, and an open claim is given again', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(0, { dailyLimit: ALL })
    scene.pool(campaign, 4)
    const first = scene.claim(campaign, 'ann')
    expect(first).toMatchObject({ type: OUTCOME.CLAIMED, again: false })
    expect(scene.claim(campaign, 'ann')).toMatchObject({ type: OUTCOME.CLAIMED, again: true })
    expect(scene.takenOf(campaign)).toBe('0/1 0')
    scene.release({ shard: 0, seq: first.type === OUTCOME.CLAIMED ? first.seq : 0 })
    expect(scene.takenOf(campaign)).toBe('0/0 0')
    expect(brief(scene.claim(campaign, 'ann'))).toContain('DAILY_LIMIT_REACHED')
    const bobs = scene.claim(campaign, 'bob')
    expect(brief(scene.redeemReservation(scene.madeBy(['X0'], bobs), 'o-1', { cart: total(1_000) }))).toBe(
      'redeemed 100',
    )
    expect(scene.takenOf(campaign)).toBe('1/0 100')
    expectQuiet(scene)
  })

  test('is given back by an abort, and by nothing else', () => {
    const scene = new StackScene()
    const campaign = scene.campaign(0, { dailyLimit: ALL })
    scene.pool(campaign, 4)
    scene.claims(campaign, 'bob')
    scene.runOnly(({ type }) => type !== MESSAGE.PREPARED)
    expect(scene.dayOf('bob')).toBe(1)
    scene.cluster.crash().pass(3_000)
    expect(scene.dayOf('bob')).toBe(0)
    expect(scene.takenOf(campaign)).toBe('0/0 0')
    expect(scene.claim(campaign, 'bob')).toMatchObject({ type: OUTCOME.CLAIMED, again: false })
    expectQuiet(scene)
  })
})
