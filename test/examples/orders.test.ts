// The order as a state machine, and the journal that it is read back from.

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { OrderJournal } from '../../examples/checkout/order-journal.ts'
import { applyEvent, dueCall, type Order, type OrderEvent, type OrderFact } from '../../examples/checkout/orders.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'mug', quantity: 2, unitPrice: 950 }], shipping: 490 }
const REFUSAL = { code: 'COUPON_EXHAUSTED', detail: 'gone', coupon: 'A' }
const CART_SET: OrderFact = { type: 'CART_SET', userId: 'ada', cart: CART, codes: ['A', 'B'] }
const RESERVED: OrderFact = {
  type: 'RESERVED',
  reservationId: 'rsv_1',
  expiresAt: '2030-01-01T00:00:00Z',
  discountMinor: 290,
  totalMinor: 2_100,
}
const BOUGHT: OrderFact = { type: 'SUBMITTED', payment: { kind: 'CARD', token: 'tok' }, amountMinor: 2_100 }
const PAID: OrderFact = { type: 'PAYMENT_CONFIRMED', paymentId: 'pay_1' }
const REDEEMED: OrderFact = {
  type: 'REDEEMED',
  redemptionId: 'rdm_1',
  discountMinor: 290,
  totalMinor: 2_100,
  replayed: false,
}
const REFUND: OrderFact = { type: 'REFUND_ASKED', reason: 'returned' }

function event(fact: OrderFact): OrderEvent {
  return { ...fact, orderId: 'o-1', at: '2030-01-01T00:00:00Z' }
}

function after(...facts: OrderFact[]): Order {
  const order = facts.reduce<Order | undefined>((before, fact) => applyEvent(before, event(fact)), undefined)
  if (order === undefined) throw new Error('no facts, no order')
  return order
}

describe('an order', () => {
  it.each<[string, string | null, OrderFact[]]>([
    ['PRICING', 'RESERVE', [CART_SET]],
    ['OPEN', null, [{ ...CART_SET, codes: [] }]],
    ['OPEN', null, [CART_SET, RESERVED]],
    ['OPEN', null, [CART_SET, { type: 'RESERVE_REFUSED', refusal: REFUSAL }]],
    ['PRICING', 'RESERVE', [CART_SET, RESERVED, CART_SET]],
    ['PRICING', 'RESERVE', [CART_SET, RESERVED, { ...CART_SET, codes: ['B', 'A'] }]],
    ['PRICING', 'RELEASE rsv_1', [CART_SET, RESERVED, { ...CART_SET, codes: ['A'] }]],
    ['PRICING', 'RELEASE rsv_1', [CART_SET, RESERVED, { ...CART_SET, codes: [] }]],
    ['PAYING', 'CHARGE tok', [CART_SET, RESERVED, BOUGHT]],
    [
      'COMPLETED',
      null,
      [
        { ...CART_SET, codes: [] },
        { ...BOUGHT, payment: { kind: 'INVOICE' } },
      ],
    ],
    ['REDEEMING', 'REDEEM rsv_1', [CART_SET, RESERVED, { ...BOUGHT, amountMinor: 0 }]],
    ['REDEEMING', 'REDEEM rsv_1', [CART_SET, RESERVED, { ...BOUGHT, payment: { kind: 'INVOICE' } }]],
    ['PENDING', 'LOOK_AT_PAYMENT pay_1', [CART_SET, RESERVED, BOUGHT, { ...PAID, type: 'PAYMENT_PENDING' }]],
    ['RELEASING', 'RELEASE rsv_1', [CART_SET, RESERVED, BOUGHT, { ...PAID, type: 'PAYMENT_FAILED' }]],
    ['REDEEMING', 'REDEEM rsv_1', [CART_SET, RESERVED, BOUGHT, PAID]],
    ['COMPLETED', null, [CART_SET, RESERVED, BOUGHT, PAID, REDEEMED]],
    ['REFUNDING', 'PAY_BACK pay_1', [CART_SET, RESERVED, BOUGHT, PAID, REDEEMED, REFUND]],
    ['REVERSING', 'REVERSE rdm_1', [CART_SET, RESERVED, BOUGHT, PAID, REDEEMED, REFUND, { type: 'PAID_BACK' }]],
    ['REVERSING', 'REVERSE rdm_1', [CART_SET, RESERVED, { ...BOUGHT, payment: { kind: 'INVOICE' } }, REDEEMED, REFUND]],
    [
      'REFUNDING',
      'PAY_BACK pay_1',
      [CART_SET, RESERVED, BOUGHT, PAID, { type: 'COUPON_LOST', refusal: REFUSAL, decision: 'REFUND' }],
    ],
    [
      'CANCELLED',
      null,
      [
        CART_SET,
        RESERVED,
        BOUGHT,
        PAID,
        { type: 'COUPON_LOST', refusal: REFUSAL, decision: 'REFUND' },
        { type: 'PAID_BACK' },
      ],
    ],
    [
      'REFUNDED',
      null,
      [
        CART_SET,
        RESERVED,
        BOUGHT,
        PAID,
        { type: 'COUPON_LOST', refusal: REFUSAL, decision: 'HONOUR' },
        REFUND,
        { type: 'PAID_BACK' },
      ],
    ],
  ])('is %s and due is %s', (phase, due, facts) => {
    const order = after(...facts)
    const call = dueCall(order)
    const named =
      call === null
        ? null
        : Object.entries(call)
            .filter(([name]) => name !== 'reason')
            .map(([, value]) => value)
            .join(' ')
    expect({ phase: order.phase, due: named }).toEqual({ phase, due })
  })

  it('goes on with the codes of the edited cart once the old reservation is back', () => {
    const back: OrderFact = { type: 'RELEASED', reservationId: 'rsv_1' }
    expect(dueCall(after(CART_SET, RESERVED, { ...CART_SET, codes: ['A'] }, back))).toEqual({ kind: 'RESERVE' })
    expect(after(CART_SET, RESERVED, { ...CART_SET, codes: [] }, back)).toMatchObject({
      phase: 'OPEN',
      price: { discountMinor: 0, totalMinor: 2_390 },
    })
  })
})

describe('the journal', () => {
  const directory = temporaryDirectory('orders')
  afterAll(() => removeDirectory(directory))

  it('gives back what was appended, without the line that a kill cut off, and writes on behind it', () => {
    const path = join(directory, 'cut.jsonl')
    const first = new OrderJournal(path)
    expect(first.past).toEqual([])
    first.append(event(CART_SET))
    first.append(event(RESERVED))
    first.close()
    appendFileSync(path, '{"type":"SUBMITTED","ord')
    const second = new OrderJournal(path)
    expect(second.past).toEqual([event(CART_SET), event(RESERVED)])
    second.append(event(BOUGHT))
    second.close()
    const third = new OrderJournal(path)
    expect(third.past).toEqual([event(CART_SET), event(RESERVED), event(BOUGHT)])
    third.close()
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(4)
  })

  it('says which line is damaged rather than guess', () => {
    const path = join(directory, 'damaged.jsonl')
    writeFileSync(path, `${JSON.stringify(event(CART_SET))}\n{"type":\n${JSON.stringify(event(RESERVED))}\n`)
    expect(() => new OrderJournal(path)).toThrow(`${path}:2 is damaged`)
  })
})
