// A shop that is killed at every moment there is (children/die-at.ts): in the middle of a line, after it, after a call.
//
// Each order is led to the moment, the shop dies, and the next one starts on the same journal. If the customer had not
// yet bought, they come back and do what they did again; if they had, they never come back. Both codes have one use, so
// one too many or one left hanging cannot hide: in the end there is exactly one payment and one redemption, or a clean
// release and nothing held.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../support/seeded-random.ts'
import { MUG, Scene, type Shop } from './scene.ts'

const REDUCED_MINOR = 2_100
const AT_ONCE = 2
const STORMS = 4
const LIMIT_MS = 60_000
/** Eleven lead from an open page to a bought order; below that nothing would ever get done. */
const MOMENTS_AHEAD = 17

/** Those that come after another in the stories below stand behind it. */
const PHASES: readonly unknown[] = [
  'PRICING',
  'OPEN',
  'PAYING',
  'PENDING',
  'REDEEMING',
  'COMPLETED',
  'RELEASING',
  'REFUNDING',
  'REVERSING',
  'REFUNDED',
  'CANCELLED',
]

let scene: Scene

beforeAll(async () => {
  scene = await Scene.begin()
})
afterAll(() => scene.end())

interface Turn {
  /** Happens when the order has come to this phase, by this step. */
  readonly phase: string
  readonly step: string
  readonly happens: (order: Order, shop: Shop) => Promise<unknown>
}

interface Story {
  /** From where on moments are counted: what lies before is the same as in another story. */
  readonly from: 'PAGE' | 'BUY' | 'TURN'
  readonly card: string
  readonly turn?: Turn
  /** The phase the order ends in, and the step that leads there. */
  readonly phase: string
  readonly step: string
  readonly uses: number
  readonly payment: Readonly<Record<string, unknown>>
  /** How many moments there are: two of each event, one of each call. */
  readonly moments: number
}

const PAID = { amountMinor: REDUCED_MINOR, status: 'SUCCEEDED', refundedMinor: 0 }

const STORIES: readonly (readonly [string, Story])[] = [
  [
    'an order that is paid',
    // CART_SET, RESERVED, RENEWAL_ASKED, RESERVED, SUBMITTED, PAYMENT_CONFIRMED, REDEEMED; reserve, reserve, charge,
    // redeem
    { from: 'PAGE', card: 'tok_ok', phase: 'COMPLETED', step: 'REDEEMED', uses: 1, payment: PAID, moments: 18 },
  ],
  [
    'an order whose card is declined',
    {
      from: 'BUY',
      card: 'tok_declined',
      phase: 'CANCELLED',
      step: 'RELEASED',
      uses: 0,
      payment: { ...PAID, status: 'DECLINED' },
      // RENEWAL_ASKED, RESERVED, SUBMITTED, PAYMENT_FAILED, RELEASED; reserve, charge, release
      moments: 13,
    },
  ],
  [
    'an order that is refunded',
    {
      from: 'TURN',
      card: 'tok_ok',
      turn: { phase: 'COMPLETED', step: 'REDEEMED', happens: ({ orderId }, shop) => shop.refund(orderId) },
      phase: 'REFUNDED',
      step: 'REVERSED',
      uses: 0,
      payment: { ...PAID, refundedMinor: REDUCED_MINOR },
      // REFUND_ASKED, PAID_BACK, REVERSED; pay back, reverse
      moments: 8,
    },
  ],
  [
    'an order that is paid late, when its coupon is lost',
    {
      from: 'TURN',
      card: 'tok_later',
      turn: {
        phase: 'PENDING',
        step: 'PAYMENT_PENDING',
        happens: async ({ orderId, codes }) => {
          await scene.expire(codes[1] as string)
          await scene.settle(orderId, 'SUCCEEDED')
        },
      },
      phase: 'CANCELLED',
      step: 'PAID_BACK',
      uses: 0,
      payment: { ...PAID, refundedMinor: REDUCED_MINOR },
      // PAYMENT_CONFIRMED, COUPON_LOST, PAID_BACK; look, redeem, pay back
      moments: 9,
    },
  ],
]

class Order {
  readonly orderId = scene.name('order')
  readonly codes: readonly string[]
  readonly story: Story

  private constructor(story: Story, codes: readonly string[]) {
    this.story = story
    this.codes = codes
  }

  static async of(story: Story): Promise<Order> {
    const one = await scene.coupon({ maxUses: 1 })
    const two = await scene.coupon({ type: 'FIXED', value: 100, currency: 'EUR', maxUses: 1 })
    return new Order(story, [one, two])
  }

  /** What the customer does, from wherever the order stands, until its end. Rejects when the shop dies. */
  async lead(shop: Shop, arm: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const { orderId, codes, story } = this
    const { status, json } = await shop.order(orderId)
    if (status === 404 || PHASES.indexOf(json['phase']) <= PHASES.indexOf('OPEN')) {
      if (story.from === 'PAGE') await arm()
      await shop.page(orderId, { lines: [MUG], codes })
      if (story.from === 'BUY') await arm()
      await shop.buy(orderId, story.card, REDUCED_MINOR)
    }
    const { turn } = story
    if (turn !== undefined && (await this.reaches(shop, turn.phase, turn.step))) {
      if (story.from === 'TURN') await arm()
      await turn.happens(this, shop)
    }
    await this.reaches(shop, story.phase, story.step)
  }

  /** Whether the order stands at a phase, for which it waits where it is still to come; false when it is beyond. */
  private async reaches(shop: Shop, phase: string, step: string): Promise<boolean> {
    const { json } = await shop.order(this.orderId)
    if (json['phase'] === phase) return true
    if (PHASES.indexOf(json['phase']) > PHASES.indexOf(phase)) return false
    await shop.step(this.orderId, step)
    return true
  }
}

/** One payment and one redemption of each code, or neither; nothing held. */
async function expectEnd({ story, orderId, codes }: Order, shop: Shop, moment: string): Promise<void> {
  const { json } = await shop.order(orderId)
  const payments = await scene.payments(orderId)
  const counts = await Promise.all(codes.map((code) => scene.counts(code)))
  const end = {
    phase: json['phase'],
    payments: payments.map(({ amountMinor, status, refundedMinor }) => ({ amountMinor, status, refundedMinor })),
    counts,
  }
  expect(end, `killed at: ${moment}`).toEqual({
    phase: story.phase,
    payments: [story.payment],
    counts: codes.map(() => ({ uses: story.uses, reserved: 0 })),
  })
}

/**
 * What had been redeemed, and nobody had lived to write it down, was redeemed no second time: the first answer came
 * again.
 */
async function expectReplayed({ story, orderId }: Order, shop: Shop): Promise<void> {
  const replayed = story.uses === 0 ? null : (await shop.step(orderId, 'REDEEMED'))['replayed']
  expect(replayed).toBe(story.uses === 0 ? null : true)
}

/** Settles with the moment at which the shop died, or with null when the order came to its end alive. */
async function leadOrDie(order: Order, shop: Shop, arm?: () => Promise<void>): Promise<string | null> {
  const victim = shop.process
  const led = order.lead(shop, arm).then(
    () => 'alive' as const,
    // The connection breaks a little before the process is gone.
    () => victim.ended,
  )
  const signal = await Promise.race([led, victim.ended])
  if (signal === 'alive') return null
  expect({ signal, errors: victim.errors }).toEqual({ signal: 'SIGKILL', errors: '' })
  return victim.lastMoment
}

/**
 * A shop that dies with each of its orders, at moments given by `next`, until an order comes to its end before its
 * moment.
 */
async function dieAgainAndAgain(story: Story, next: () => number): Promise<string[]> {
  const died: string[] = []
  // Told by its notification, or by the look that every start takes: no timer adds moments of its own.
  const shop = await scene.shop({ SHOP_SWEEP_MS: '60000' }, { atMoment: next(), isArmed: false })
  for (;;) {
    const order = await Order.of(story)
    const moment = await leadOrDie(order, shop, () => shop.process.arm())
    if (moment !== null) {
      died.push(moment)
      await shop.start({ atMoment: next(), isArmed: false })
      await order.lead(shop)
      if (moment.endsWith('/redeem')) await expectReplayed(order, shop)
    }
    await expectEnd(order, shop, moment ?? 'never')
    if (moment === null) break
  }
  await shop.process.kill()
  return died
}

describe('a shop that is killed', () => {
  it.each(STORIES)('at every moment of %s ends as if nothing had been', { timeout: LIMIT_MS }, async (_, story) => {
    let moment = 0
    const next = (): number => ++moment
    const died = await Promise.all(Array.from({ length: AT_ONCE }, () => dieAgainAndAgain(story, next)))
    expect(died.flat()).toHaveLength(story.moments)
  })

  it('again and again, also while it recovers, comes to the same ends', { timeout: LIMIT_MS }, async () => {
    const random = new SeededRandom()
    console.log(`seed ${random.seed}`)
    let deaths = 0
    for (let i = 0; i < STORMS; i++) {
      const [, story] = STORIES[i % STORIES.length] as (typeof STORIES)[number]
      const order = await Order.of(story)
      const moments: string[] = []
      const shop = await scene.shop({}, { atMoment: 1 + random.below(MOMENTS_AHEAD), isArmed: true })
      for (;;) {
        const moment = await leadOrDie(order, shop)
        if (moment === null) break
        moments.push(moment)
        await shop.start({ atMoment: 1 + random.below(MOMENTS_AHEAD), isArmed: true })
      }
      await expectEnd(order, shop, moments.join(', '))
      await shop.process.kill()
      deaths += moments.length
    }
    expect(deaths).toBeGreaterThan(STORMS)
  })
})
