// Filters over some thousand coupons, against filtering them one by one: every combination that a query can make, in the order
// and in the pages that the contract promises.

import { expect, test } from 'vitest'
import type { CouponFilter, PageEnd } from '../../gateway/lists/read-model.ts'
import { COUPON_STATUSES } from '../../protocol/outcomes.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { created, redeemed } from './support/events.ts'
import { ANY_COUPON, TestModel } from './support/model.ts'
import { BEGIN_MS, TestLog } from './support/test-log.ts'

const COUPONS = 5_000
const SHARDS = 4
const HOUR_MS = 3_600_000
const NOW_MS = BEGIN_MS + 50 * HOUR_MS
const random = new SeededRandom()

interface Known {
  readonly code: string
  readonly createdAtMs: number
  readonly id: number
  readonly category: string | null
  readonly merchantId: string | null
  readonly userId: string | null
  readonly validUntilMs: number | null
  readonly type: 'PERCENT' | 'FREESHIP'
  readonly status: 'ACTIVE' | 'EXPIRED' | 'SCHEDULED' | 'REDEEMED'
}

/** Coupons of random fields, whose status is known from how they were made. */
function madeCoupons(model: TestModel): Known[] {
  const log = new TestLog()
  const known: Known[] = []
  for (let i = 0; i < COUPONS; i++) {
    const shard = random.below(SHARDS)
    const ordinal = known.filter(({ id }) => id % 1_024 === shard).length
    const createdAtMs = BEGIN_MS + Math.floor(i / 3) * 1_000
    const fields = {
      category: random.pick([null, 'food', 'toys', 'rare']),
      merchantId: random.pick([null, 'm1', 'm2']),
      userId: random.pick([null, null, null, 'ann', 'bob']),
      // Never at the present instant.
      validUntilMs: random.pick([null, NOW_MS - 1 - random.below(HOUR_MS), NOW_MS + 1 + random.below(HOUR_MS)]),
      validFromMs: random.pick([null, null, null, NOW_MS + HOUR_MS]),
      maxUses: random.pick([null, 1]),
    }
    const type = random.pick(['PERCENT', 'FREESHIP'] as const)
    const code = `CODE-${i}`
    log.append(shard, createdAtMs, created(ordinal, code, fields, { type, percentBps: type === 'PERCENT' ? 500 : 0 }))
    const isUsed = random.below(3) === 0
    if (isUsed) log.append(shard, createdAtMs, redeemed([ordinal], { order: code }))
    const isExpired = fields.validUntilMs !== null && fields.validUntilMs < NOW_MS
    const isUsedUp = isUsed && fields.maxUses === 1
    const open = fields.validFromMs === null ? 'ACTIVE' : 'SCHEDULED'
    const status = isExpired ? 'EXPIRED' : isUsedUp ? 'REDEEMED' : open
    known.push({ code, createdAtMs, id: ordinal * 1_024 + shard, type, status, ...fields })
  }
  model.project(log.entries)
  return known
}

function expected(known: readonly Known[], filter: CouponFilter): string[] {
  const { status, type, category, merchantId, userId, expiresBeforeMs, expiresAfterMs } = filter
  const isByEnd = expiresBeforeMs !== null || expiresAfterMs !== null
  return known
    .filter((each) => status === null || each.status === status)
    .filter((each) => type === null || each.type === type)
    .filter((each) => category === null || each.category === category)
    .filter((each) => merchantId === null || each.merchantId === merchantId)
    .filter((each) => userId === null || each.userId === userId)
    .filter((each) => !isByEnd || each.validUntilMs !== null)
    .filter((each) => expiresBeforeMs === null || (each.validUntilMs as number) < expiresBeforeMs)
    .filter((each) => expiresAfterMs === null || (each.validUntilMs as number) > expiresAfterMs)
    .toSorted((a, b) =>
      isByEnd
        ? (a.validUntilMs as number) - (b.validUntilMs as number) || a.id - b.id
        : b.createdAtMs - a.createdAtMs || b.id - a.id,
    )
    .map(({ code }) => code)
}

/** All pages. */
function listed(model: TestModel, filter: CouponFilter, limit: number): string[] {
  const codes: string[] = []
  let after: PageEnd | null = null
  do {
    const page: { readonly items: readonly unknown[]; readonly next: PageEnd | null } = model.ask(
      { list: 'coupons', filter, range: { limit, after } },
      NOW_MS,
    )
    codes.push(...page.items.map((item) => (JSON.parse(item as string) as { code: string }).code))
    after = page.next
  } while (after !== null)
  return codes
}

test(`every filter lists what fits it, once, in order (seed ${random.seed})`, { timeout: 60_000 }, () => {
  const model = new TestModel()
  const known = madeCoupons(model)
  const maybe = <Value>(value: Value): Value | null => (random.below(3) === 0 ? value : null)
  const filters: CouponFilter[] = [ANY_COUPON, { ...ANY_COUPON, userId: 'nobody' }]
  for (const status of COUPON_STATUSES) filters.push({ ...ANY_COUPON, status })
  while (filters.length < 120) {
    filters.push({
      status: maybe(random.pick(COUPON_STATUSES)),
      type: maybe(random.pick(['PERCENT', 'FREESHIP', 'FIXED'])),
      category: maybe(random.pick(['food', 'toys', 'rare'])),
      merchantId: maybe(random.pick(['m1', 'm2'])),
      userId: maybe(random.pick(['ann', 'bob'])),
      expiresBeforeMs: maybe(NOW_MS + random.below(2 * HOUR_MS) - HOUR_MS),
      expiresAfterMs: maybe(NOW_MS + random.below(2 * HOUR_MS) - HOUR_MS),
    })
  }
  let found = 0
  for (const filter of filters) {
    const codes = listed(model, filter, 1 + random.below(200))
    expect(codes, JSON.stringify(filter)).toEqual(expected(known, filter))
    found += codes.length
  }
  expect(found).toBeGreaterThan(COUPONS)
})
