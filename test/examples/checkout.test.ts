// The reference checkout's stories: a real Tearoff, a payment provider, and the shop, each a process of its own. What a
// story claims is read from Tearoff's counters and the provider's books.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HttpReply } from '../support/http-client.ts'
import { MUG, Scene, SHIRT, type Shop } from './scene.ts'

// Two mugs and shipping: 1900 + 490; 10 % off the lines, then 100 off what is left of them.
const TEN_PERCENT = { type: 'PERCENT', value: 10 }
const ONE_EURO = { type: 'FIXED', value: 100, currency: 'EUR' }
const FULL_MINOR = 2_390
const REDUCED_MINOR = 2_100

let scene: Scene
let shop: Shop
/** Its reservations last a second. */
let brief: Shop

beforeAll(async () => {
  scene = await Scene.begin()
  // Patience for a Tearoff that starts on a busy machine.
  shop = await scene.shop({ SHOP_PATIENCE_MS: '25000' })
  brief = await scene.shop({ SHOP_RESERVATION_SECONDS: '1' })
})
afterAll(() => scene.end())

/** Two coupons of one use each. */
async function twoCodes(): Promise<string[]> {
  return [await scene.coupon({ ...TEN_PERCENT, maxUses: 1 }), await scene.coupon({ ...ONE_EURO, maxUses: 1 })]
}

async function expectCounts(codes: readonly string[], uses: number, reserved: number): Promise<void> {
  for (const code of codes) expect(await scene.counts(code)).toEqual({ uses, reserved })
}

function reservationOf({ json }: HttpReply): string {
  return (json['reservation'] as { readonly reservationId: string }).reservationId
}

async function expectPaid(orderId: string, ...payments: Record<string, unknown>[]): Promise<void> {
  const found = await scene.payments(orderId)
  expect(found.map(({ amountMinor, status, refundedMinor }) => ({ amountMinor, status, refundedMinor }))).toEqual(
    payments.map((payment) => ({ refundedMinor: 0, ...payment })),
  )
}

describe('the checkout page', () => {
  it('shows the reduced price, and loaded again the same reservation', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    const first = await shop.page(orderId, { lines: [MUG], codes })
    expect(first.json).toMatchObject({ phase: 'OPEN', price: { discountMinor: 290, totalMinor: REDUCED_MINOR } })
    const again = await shop.page(orderId, { lines: [MUG], codes: codes.map((code) => ` ${code.toLowerCase()} `) })
    expect(again.json).toEqual(first.json)
    await expectCounts(codes, 0, 1)
  })

  it('is repriced for an edited cart, with the same reservation', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    const first = await shop.page(orderId, { lines: [MUG], codes })
    const edited = await shop.page(orderId, { lines: [MUG, SHIRT], codes })
    // 4300 − 430 − 100 + 490
    expect(edited.json).toMatchObject({ reservation: first.json['reservation'], price: { totalMinor: 4_260 } })
    const bought = await shop.buy(orderId, 'tok_ok', 4_260)
    expect(bought.json).toMatchObject({ phase: 'COMPLETED' })
    await expectPaid(orderId, { amountMinor: 4_260, status: 'SUCCEEDED' })
    await expectCounts(codes, 1, 0)
  })

  it('gives the old reservation back when the codes are edited', async () => {
    const [one, two] = (await twoCodes()) as [string, string]
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes: [one] })
    const edited = await shop.page(orderId, { lines: [MUG], codes: [two] })
    expect(edited.json).toMatchObject({ phase: 'OPEN', price: { discountMinor: 100 } })
    expect(await scene.counts(one)).toEqual({ uses: 0, reserved: 0 })
    expect(await scene.counts(two)).toEqual({ uses: 0, reserved: 1 })
    const without = await shop.page(orderId, { lines: [MUG], codes: [] })
    expect(without.json).toMatchObject({ phase: 'OPEN', price: { discountMinor: 0, totalMinor: FULL_MINOR } })
    expect(await scene.counts(two)).toEqual({ uses: 0, reserved: 0 })
  })

  it('says which code was refused and why, and goes on without it', async () => {
    const [one, two] = (await twoCodes()) as [string, string]
    await scene.redeemElsewhere(two)
    const orderId = scene.name('order')
    const refused = await shop.page(orderId, { lines: [MUG], codes: [one, two] })
    expect(refused.status).toBe(409)
    expect(refused.json).toMatchObject({
      no: 'COUPON_REFUSED',
      price: null,
      refusal: { code: 'COUPON_EXHAUSTED', coupon: two },
    })
    expect((await shop.buy(orderId, 'tok_ok', FULL_MINOR)).json).toMatchObject({ no: 'COUPON_REFUSED', phase: 'OPEN' })
    await expectPaid(orderId)
    const without = await shop.page(orderId, { lines: [MUG], codes: [one] })
    expect(without.json).toMatchObject({ no: null, price: { discountMinor: 190 } })
  })

  it('takes nobody else’s order, and no order of things that are not sold', async () => {
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes: [] })
    expect((await shop.page(orderId, { lines: [MUG], codes: [] }, 'mallory')).json).toMatchObject({ no: 'NOT_YOURS' })
    for (const lines of [[], [null], [{ productId: 'yacht', quantity: 1 }], [{ productId: 'mug', quantity: 0.5 }]]) {
      expect((await shop.page(scene.name('order'), { lines, codes: [] })).status).toBe(400)
    }
  })
})

describe('buying', () => {
  it('twice at once is one order: one payment, one redemption, one answer', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    const clicks = await Promise.all([1, 2, 3].map(() => shop.buy(orderId, 'tok_slow', REDUCED_MINOR)))
    for (const { status, json } of clicks) expect({ status, json }).toEqual({ status: 200, json: clicks[0]?.json })
    expect(clicks[0]?.json).toMatchObject({ phase: 'COMPLETED', price: { totalMinor: REDUCED_MINOR } })
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED' })
    await expectCounts(codes, 1, 0)
    const offered = ['CART_SET', 'RESERVED', 'RENEWAL_ASKED', 'RESERVED']
    expect(shop.steps(orderId)).toEqual([...offered, 'SUBMITTED', 'PAYMENT_CONFIRMED', 'REDEEMED'])
    // And once more, later.
    expect((await shop.buy(orderId, 'tok_ok', REDUCED_MINOR)).json).toEqual(clicks[0]?.json)
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED' })
  })

  it('at a total that is no longer the price takes no money', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    const bought = await shop.buy(orderId, 'tok_ok', REDUCED_MINOR - 1)
    expect(bought.json).toMatchObject({ no: 'PRICE_CHANGED', phase: 'OPEN', price: { totalMinor: REDUCED_MINOR } })
    await expectPaid(orderId)
  })

  it('with a declined card gives the capacity back at once', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    await expectCounts(codes, 0, 1)
    expect((await shop.buy(orderId, 'tok_declined', REDUCED_MINOR)).json).toMatchObject({ phase: 'CANCELLED' })
    await expectCounts(codes, 0, 0)
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'DECLINED' })
  })

  it.each(['tok_busy', 'tok_lost'])('charges once when the provider stumbles (%s)', async (token) => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    expect((await shop.buy(orderId, token, REDUCED_MINOR)).json).toMatchObject({ phase: 'COMPLETED' })
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED' })
  })

  it('of what costs nothing charges nothing and redeems', async () => {
    const codes = [
      await scene.coupon({ type: 'PERCENT', value: 100, maxUses: 1 }),
      await scene.coupon({ type: 'FREESHIP', value: 0, maxUses: 1 }),
    ]
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    expect((await shop.buy(orderId, 'tok_ok', 0)).json).toMatchObject({ phase: 'COMPLETED', price: { totalMinor: 0 } })
    await expectPaid(orderId)
    await expectCounts(codes, 1, 0)
  })

  it('on invoice redeems with the cart, and is sent back to the page when the coupon is gone', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG, SHIRT], codes })
    expect((await shop.buyOnInvoice(orderId, 4_260)).json).toMatchObject({
      phase: 'COMPLETED',
      price: { discountMinor: 530, totalMinor: 4_260 },
    })
    await expectPaid(orderId)
    await expectCounts(codes, 1, 0)
    const late = scene.name('order')
    const refused = await shop.page(late, { lines: [MUG], codes })
    expect(refused.json).toMatchObject({ phase: 'OPEN', refusal: { code: 'COUPON_EXHAUSTED' } })
    expect((await shop.buyOnInvoice(late, REDUCED_MINOR)).json).toMatchObject({ no: 'COUPON_REFUSED', phase: 'OPEN' })
  })
})

describe('a payment that is confirmed later', () => {
  it('completes the order by the provider’s notification', async () => {
    const codes = await twoCodes()
    const patient = await scene.shop({ SHOP_SWEEP_MS: '60000' })
    const orderId = scene.name('order')
    await patient.page(orderId, { lines: [MUG], codes })
    const bought = await patient.buy(orderId, 'tok_later', REDUCED_MINOR)
    expect({ status: bought.status, phase: bought.json['phase'] }).toEqual({ status: 202, phase: 'PENDING' })
    await expectCounts(codes, 0, 1)
    await scene.settle(orderId, 'SUCCEEDED')
    await patient.step(orderId, 'REDEEMED')
    await expectCounts(codes, 1, 0)
  })

  it('completes the order by looking, when the notification never comes', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    await shop.buy(orderId, 'tok_silent', REDUCED_MINOR)
    await scene.settle(orderId, 'SUCCEEDED')
    await shop.step(orderId, 'REDEEMED')
    await expectCounts(codes, 1, 0)
  })

  it('that fails in the end gives the capacity back', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    await shop.buy(orderId, 'tok_later', REDUCED_MINOR)
    await scene.settle(orderId, 'DECLINED')
    await shop.step(orderId, 'RELEASED')
    await expectCounts(codes, 0, 0)
  })
})

describe('a reservation that ran out', () => {
  /** An order whose reservation has run out while its payment is pending. */
  async function overdue(its: Shop, codes: readonly string[]): Promise<string> {
    const orderId = scene.name('order')
    await its.page(orderId, { lines: [MUG], codes })
    await its.buy(orderId, 'tok_later', REDUCED_MINOR)
    await scene.reservationEnded(reservationOf(await its.order(orderId)))
    await expectCounts(codes, 0, 0)
    return orderId
  }

  it.concurrent('while a payment was pending is redeemed late at the reserved price', async () => {
    const codes = await twoCodes()
    const orderId = await overdue(brief, codes)
    await scene.settle(orderId, 'SUCCEEDED')
    await brief.step(orderId, 'REDEEMED')
    expect((await brief.order(orderId)).json).toMatchObject({
      phase: 'COMPLETED',
      price: { totalMinor: REDUCED_MINOR },
    })
    await expectCounts(codes, 1, 0)
  })

  it.concurrent('while a payment was pending, with its capacity gone, ends in money paid back', async () => {
    const codes = (await twoCodes()) as [string, string]
    const orderId = await overdue(brief, codes)
    await scene.redeemElsewhere(codes[1])
    await scene.settle(orderId, 'SUCCEEDED')
    await brief.step(orderId, 'PAID_BACK')
    expect((await brief.order(orderId)).json).toMatchObject({
      phase: 'CANCELLED',
      refusal: { code: 'COUPON_EXHAUSTED', coupon: codes[1] },
      redemptionId: null,
    })
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED', refundedMinor: REDUCED_MINOR })
    expect(await scene.counts(codes[0])).toEqual({ uses: 0, reserved: 0 })
  })

  it.concurrent('while a payment was pending, with its capacity gone, may be honoured at the shop’s cost', async () => {
    const generous = await scene.shop({ SHOP_RESERVATION_SECONDS: '1', SHOP_LOST_COUPON: 'honour' })
    const codes = (await twoCodes()) as [string, string]
    const orderId = await overdue(generous, codes)
    await scene.redeemElsewhere(codes[1])
    await scene.settle(orderId, 'SUCCEEDED')
    await generous.step(orderId, 'COUPON_LOST')
    expect((await generous.order(orderId)).json).toMatchObject({
      phase: 'COMPLETED',
      redemptionId: null,
      ownCostMinor: 290,
    })
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED' })
  })

  it.concurrent('before the customer bought is renewed before money is taken, and none is taken without', async () => {
    const codes = (await twoCodes()) as [string, string]
    const [orderId, late] = [scene.name('order'), scene.name('order')]
    const ended = await brief.page(orderId, { lines: [MUG], codes })
    await scene.reservationEnded(reservationOf(ended))
    const bought = await brief.buy(orderId, 'tok_ok', REDUCED_MINOR)
    expect(bought.json).toMatchObject({ phase: 'COMPLETED' })
    expect(reservationOf(bought)).not.toBe(reservationOf(ended))
    const others = [await scene.coupon({ maxUses: 1 })] as [string]
    const gone = await brief.page(late, { lines: [MUG], codes: others })
    await scene.reservationEnded(reservationOf(gone))
    await scene.redeemElsewhere(others[0])
    const refused = await brief.buy(late, 'tok_ok', 2_200)
    expect(refused.json).toMatchObject({ phase: 'OPEN', no: 'COUPON_REFUSED', refusal: { code: 'COUPON_EXHAUSTED' } })
    await expectPaid(late)
  })
})

describe('a refund', () => {
  it('pays back and gives the uses back, once, however often it is asked', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    expect((await shop.refund(orderId)).json).toMatchObject({ no: 'NOT_COMPLETED' })
    await shop.buy(orderId, 'tok_ok', REDUCED_MINOR)
    await expectCounts(codes, 1, 0)
    const answers = await Promise.all([1, 2].map(() => shop.refund(orderId)))
    answers.push(await shop.refund(orderId))
    for (const { status, json } of answers) expect({ status, json }).toEqual({ status: 200, json: answers[0]?.json })
    expect(answers[0]?.json).toMatchObject({ phase: 'REFUNDED' })
    await expectCounts(codes, 0, 0)
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED', refundedMinor: REDUCED_MINOR })
  })
})

describe('when Tearoff does not take the shop’s key', () => {
  it('a person is told, once, and the customer is asked to come back', async () => {
    const stranger = await scene.shop({ SHOP_TEAROFF_KEY: 'tearoff_c_nobody' })
    const orderId = scene.name('order')
    const page = await stranger.page(orderId, { lines: [MUG], codes: ['ANY'] })
    expect({ status: page.status, no: page.json['no'] }).toEqual({ status: 503, no: 'TRY_AGAIN' })
    const trouble = await stranger.process.until(({ msg }) => msg === 'trouble')
    expect(trouble).toMatchObject({ orderId, phase: 'PRICING', error: expect.stringContaining('401 UNAUTHENTICATED') })
    await stranger.page(scene.name('order'), { lines: [MUG], codes: [] })
    expect(stranger.process.log.filter(({ msg }) => msg === 'trouble')).toHaveLength(1)
  })
})

describe('when Tearoff is away', () => {
  it('an order that was paid meanwhile is redeemed when it is back, without the customer', async () => {
    const hasty = await scene.shop({ SHOP_PATIENCE_MS: '100' })
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await hasty.page(orderId, { lines: [MUG], codes })
    await hasty.buy(orderId, 'tok_later', REDUCED_MINOR)
    await scene.tearoff.kill()
    await scene.settle(orderId, 'SUCCEEDED')
    await hasty.step(orderId, 'PAYMENT_CONFIRMED')
    const away = await hasty.order(orderId)
    expect({ status: away.status, phase: away.json['phase'] }).toEqual({ status: 202, phase: 'REDEEMING' })
    const other = scene.name('order')
    const page = await hasty.page(other, { lines: [MUG], codes })
    expect({ status: page.status, no: page.json['no'] }).toEqual({ status: 503, no: 'TRY_AGAIN' })
    expect((await hasty.buy(other, 'tok_ok', FULL_MINOR)).json).toMatchObject({ no: 'TRY_AGAIN' })
    await scene.startTearoff()
    await hasty.step(orderId, 'REDEEMED')
    await expectCounts(codes, 1, 0)
    await expectPaid(other)
  })

  it('a customer who is buying waits, and gets the order', async () => {
    const codes = await twoCodes()
    const orderId = scene.name('order')
    await shop.page(orderId, { lines: [MUG], codes })
    await scene.tearoff.kill()
    const buying = shop.buy(orderId, 'tok_ok', REDUCED_MINOR)
    await scene.startTearoff()
    expect((await buying).json).toMatchObject({ phase: 'COMPLETED' })
    await expectCounts(codes, 1, 0)
    await expectPaid(orderId, { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED' })
  })
})
