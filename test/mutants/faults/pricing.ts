/** Faults in prices: rounding, the order of discounts, eligibility, and the fast way of columns. */
import type { Mutant } from '../mutant.ts'

const MONEY = 'test/engine/domain/money.test.ts'
const DISCOUNT = 'test/engine/domain/discount.test.ts'
const ELIGIBILITY = 'test/engine/domain/eligibility.test.ts'
const REFUSALS = 'test/engine/domain/decide-refusals.test.ts'
const DIFFERENTIAL = 'test/engine/domain/differential.test.ts'

export const FAULTS_IN_PRICING: readonly Mutant[] = [
  {
    id: 'half-rounds-down',
    file: 'engine/domain/money.ts',
    from: 'return remainder >= denominator - remainder ?',
    to: 'return remainder > denominator - remainder ?',
    breaks: 'half a minor unit is rounded up',
    tests: [MONEY],
  },
  {
    id: 'wide-products-in-doubles',
    file: 'engine/domain/money.ts',
    from: 'if (product <= MONEY_MAX) return divideHalfUp(product, quantity)',
    to: 'if (product <= MONEY_MAX * MONEY_MAX) return divideHalfUp(product, quantity)',
    breaks: 'products of money beyond 2^53 are exact',
    tests: [MONEY],
  },
  {
    id: 'ties-to-the-later-line',
    file: 'engine/domain/money.ts',
    from: 'b.remainder - a.remainder || a.index - b.index',
    to: 'b.remainder - a.remainder || b.index - a.index',
    breaks: 'a tie of largest remainders goes to the earlier line',
    tests: [MONEY],
  },
  {
    id: 'remainder-is-lost',
    file: 'engine/domain/money.ts',
    from: 'if (missing > 0) addOneToLargest',
    to: 'if (missing > 1) addOneToLargest',
    breaks: 'lines always add up to the total',
    tests: [MONEY],
  },
  {
    id: 'lower-priority-first',
    file: 'engine/domain/discount.ts',
    from: 'b.offer.priority - a.offer.priority',
    to: 'a.offer.priority - b.offer.priority',
    breaks: 'within a scope and type the higher priority comes first',
    tests: [DISCOUNT],
  },
  {
    id: 'type-before-scope',
    file: 'engine/domain/discount.ts',
    from: "return (offer.scope === 'ITEM' ? 0 : 2) + (offer.type === 'PERCENT' ? 0 : 1)",
    to: "return (offer.scope === 'ITEM' ? 0 : 1) + (offer.type === 'PERCENT' ? 0 : 2)",
    breaks: 'ITEM comes before ORDER, and only then PERCENT before FIXED',
    tests: [DISCOUNT],
  },
  {
    id: 'cap-forgotten-on-lines',
    file: 'engine/domain/discount-lines.ts',
    from: 'return allocateByLargestRemainder(maxMinor, uncapped)',
    to: 'return uncapped',
    breaks: 'maxDiscount caps the sum of a coupon',
    tests: [DISCOUNT],
  },
  {
    id: 'max-units-on-every-line',
    file: 'engine/domain/discount-lines.ts',
    from: 'unitsLeft -= units',
    to: 'unitsLeft -= 0',
    breaks: 'maxUnits limits the units of a cart, not of a line',
    tests: [DISCOUNT],
  },
  {
    id: 'earlier-discounts-do-not-count',
    file: 'engine/domain/discount.ts',
    from: 'open.leftMinor -= discountMinor',
    to: 'open.leftMinor = open.amountMinor - discountMinor',
    breaks: 'each discount works on what earlier ones left',
    tests: [DISCOUNT],
  },
  {
    id: 'excluded-categories-are-taken',
    file: 'engine/domain/eligibility.ts',
    from: 'if (categoryIds.some(isExcludedCategory)) return false',
    to: 'if (categoryIds.every(isExcludedCategory)) return false',
    breaks: 'a line with an excluded category is not eligible',
    tests: [ELIGIBILITY],
  },
  {
    id: 'minimum-order-excluded',
    file: 'engine/domain/eligibility.ts',
    from: 'subtotalMinor(cart) < offer.minOrderMinor',
    to: 'subtotalMinor(cart) <= offer.minOrderMinor',
    breaks: 'a subtotal of exactly minOrderAmount is enough',
    tests: [ELIGIBILITY],
  },
  {
    id: 'two-exclusive-coupons',
    file: 'engine/domain/combine.ts',
    from: 'const excluded = codes > 1',
    to: 'const excluded = codes > 2',
    breaks: 'EXCLUSIVE coupons combine with no other',
    tests: [REFUSALS],
  },
  {
    id: 'last-refusal-answers',
    file: 'engine/domain/combine.ts',
    from: 'REFUSALS[refusal].rank < rank) {',
    to: 'REFUSALS[refusal].rank <= rank) {',
    breaks: 'of codes that fail the same check the first is named',
    tests: [REFUSALS],
  },
  {
    id: 'columns-beyond-the-limit',
    file: 'engine/domain/direct-rows.ts',
    from: 'coupons.uses.get(ordinal) + coupons.reserved.get(ordinal) >= maxUses',
    to: 'coupons.uses.get(ordinal) >= maxUses',
    breaks: 'rows of columns take no capacity that is held',
    tests: [DIFFERENTIAL],
  },
  {
    id: 'columns-below-the-minimum',
    file: 'engine/domain/direct-rows.ts',
    from: 'totalMinor < offer.minOrderMinor) return null',
    to: 'totalMinor < 0) return null',
    breaks: 'rows of columns are judged like any other redemption',
    tests: [DIFFERENTIAL],
  },
]
