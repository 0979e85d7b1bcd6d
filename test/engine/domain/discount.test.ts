/** The price cases of the contract, worked out by hand, and the small rules beside them. */

import { describe, expect, test } from 'vitest'
import { discountOfOneLine, notStackable, priceCart } from '../../../engine/domain/discount.ts'
import type { PricedCart } from '../../../engine/domain/discount.ts'
import { ITEM_FIXED_CASES, ITEM_PERCENT_CASES } from './discount-cases-item.ts'
import { FREE_SHIPPING_CASES, NO_OFFER_CASES, ORDER_FIXED_CASES, ORDER_PERCENT_CASES } from './discount-cases-order.ts'
import { ORDER_OF_APPLICATION_CASES, WHAT_IS_LEFT_CASES } from './discount-cases-stacked.ts'
import { cart, fixed, freeShipping, line, percent } from './discount-support.ts'
import type { PriceCase } from './discount-support.ts'

const CASES: readonly (readonly [string, readonly PriceCase[]])[] = [
  ['no offer', NO_OFFER_CASES],
  ['ORDER PERCENT', ORDER_PERCENT_CASES],
  ['ORDER FIXED', ORDER_FIXED_CASES],
  ['FREESHIP', FREE_SHIPPING_CASES],
  ['ITEM PERCENT', ITEM_PERCENT_CASES],
  ['ITEM FIXED', ITEM_FIXED_CASES],
  ['several offers: order of application', ORDER_OF_APPLICATION_CASES],
  ['several offers: what is left', WHAT_IS_LEFT_CASES],
]

for (const [group, cases] of CASES) {
  describe(`price cases: ${group}`, () => {
    for (const { name, cart: request, offers, gives } of cases) {
      test(`the price by hand: ${name}`, () => {
        const priced = priceCart(request, offers)
        const { perOffer = perOfferOf(priced), shippingDiscount = 0, ...figures } = gives
        expect({
          amounts: priced.amounts,
          lines: priced.lines.map(({ discountMinor }) => discountMinor),
          perOffer: perOfferOf(priced),
          shippingDiscount: priced.shippingDiscountMinor,
          total: priced.totalMinor,
          final: priced.finalMinor,
        }).toEqual({ ...figures, perOffer, shippingDiscount })
      })

      const [offer] = offers
      const [only] = request.lines
      if (offer === undefined || only === undefined || offers.length > 1 || request.lines.length > 1) continue
      test(`by the short way for one line: ${name}`, () => {
        const amountMinor = discountOfOneLine(offer, only.quantity, only.unitPriceMinor, request.shippingMinor)
        expect(amountMinor).toBe(gives.amounts[0])
      })
    }
  })
}

function perOfferOf(priced: PricedCart): readonly (readonly number[])[] {
  return priced.lines.map((pricedLine) => pricedLine.perOffer)
}

test('the tables hold the sixty cases that are asked for, each under its own name', () => {
  const names = CASES.flatMap(([group, cases]) => cases.map(({ name }) => `${group}: ${name}`))
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(60)
})

test('a priced cart carries every figure of the answer', () => {
  const request = cart([line('a', 2, 500), line('b', 1, 250)], { shippingMinor: 490 })
  expect(priceCart(request, [freeShipping(), percent(10_00)])).toEqual({
    currency: 'EUR',
    subtotalMinor: 1250,
    shippingMinor: 490,
    totalMinor: 615,
    shippingDiscountMinor: 490,
    finalMinor: 1125,
    amounts: [490, 125],
    lines: [
      { lineId: 'a', amountMinor: 1000, discountMinor: 100, finalMinor: 900, perOffer: [0, 100] },
      { lineId: 'b', amountMinor: 250, discountMinor: 25, finalMinor: 225, perOffer: [0, 25] },
    ],
  })
})

test('pricing changes neither the cart nor the offers', () => {
  const request = cart([line('a', 2, 500), line('b', 1, 250)], { shippingMinor: 490 })
  const offers = [fixed(100), percent(10_00), freeShipping()]
  const before = structuredClone({ request, offers })
  priceCart(request, offers)
  expect({ request, offers }).toEqual(before)
})

describe('stacking', () => {
  const exclusive = percent(10_00, { stacking: 'EXCLUSIVE' })
  const stackable = percent(10_00, { stacking: 'STACKABLE' })

  test.each([
    ['no offer', [], []],
    ['an EXCLUSIVE one alone', [exclusive], []],
    ['two STACKABLE ones', [stackable, stackable], []],
    ['an EXCLUSIVE one among STACKABLE ones', [stackable, exclusive, stackable], [1]],
    ['every EXCLUSIVE one', [exclusive, stackable, exclusive], [0, 2]],
    ['EXCLUSIVE ones only', [exclusive, exclusive], [0, 1]],
  ])('%s', (_name, offers, refused) => {
    expect(notStackable(offers)).toEqual(refused)
  })
})
