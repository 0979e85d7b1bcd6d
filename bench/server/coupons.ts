// The coupons of the workloads: made and read back over the API, as a client would.

import { CURRENCY, LINE_AMOUNT_MINOR } from '../load/redeem-request.ts'

/** 10 % of 4,999 is 499.9, rounded half up. */
export const EXPECTED_DISCOUNT_MINOR = 500
const PERCENT = 10

/** A limit that no run reaches, so that the check of the limit is part of every redemption. */
const MAX_USES = 1_000_000_000

/** Two letters behind a code's beginning reach every shard. */
const ENDINGS = 1_024
const DIGITS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'

/** Coupons made or read at the same time. */
const AT_ONCE = 32

/** Whether a coupon counts its users: one use each, or as many as they like. */
export type PerUser = 'once' | 'unlimited'

/** Creates a coupon of 10 % for everybody. Returns the shard that owns it. */
export async function createCoupon(baseUrl: string, code: string, perUser: PerUser): Promise<number> {
  const answer = await fetch(`${baseUrl}/v1/coupons`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      code,
      type: 'PERCENT',
      value: PERCENT,
      maxUses: MAX_USES,
      ...(perUser === 'once' ? { maxUsesPerUser: 1 } : {}),
    }),
  })
  const text = await answer.text()
  if (answer.status !== 201) throw new Error(`coupon ${code}: ${answer.status} ${text.slice(0, 300)}`)
  return shardOf(answer, code)
}

/** Of the position, `shard:seq@timeMs`. */
function shardOf(answer: Response, code: string): number {
  const shard = /^(\d+):/.exec(answer.headers.get('x-tearoff-position') ?? '')?.[1]
  if (shard === undefined) throw new Error(`coupon ${code}: the answer names no position`)
  return Number(shard)
}

export async function createCoupons(baseUrl: string, codes: readonly string[]): Promise<void> {
  await eachOf(codes, async (code) => {
    await createCoupon(baseUrl, code, 'once')
  })
}

/** Creates a coupon of 10 % without any limit, which combines with others. Returns the shard that owns it. */
export async function createStackableCoupon(baseUrl: string, code: string): Promise<number> {
  const answer = await fetch(`${baseUrl}/v1/coupons`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, type: 'PERCENT', value: PERCENT, stacking: 'STACKABLE' }),
  })
  const text = await answer.text()
  if (answer.status !== 201) throw new Error(`coupon ${code}: ${answer.status} ${text.slice(0, 300)}`)
  return shardOf(answer, code)
}

/** Creates a coupon of 10 %, one use a user, that lives on a shard; its code, which begins with the given letters. */
export async function createCouponOnShard(baseUrl: string, prefix: string, shard: number): Promise<string> {
  for (let number = 0; number < ENDINGS; number++) {
    const code = prefix + DIGITS[number >>> 5] + DIGITS[number & 31]
    if ((await createCoupon(baseUrl, code, 'once')) === shard) return code
  }
  throw new Error(`no code that begins with ${prefix} lives on shard ${shard}`)
}

export interface CouponCounters {
  readonly uses: number
  /** Held by reservations that are open. */
  readonly reserved: number
}

/** How often a coupon has been redeemed, as the server says. */
export async function couponUses(baseUrl: string, code: string): Promise<number> {
  return (await couponCounters(baseUrl, code)).uses
}

export async function couponCounters(baseUrl: string, code: string): Promise<CouponCounters> {
  const answer = await fetch(`${baseUrl}/v1/coupons/${code}`)
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`coupon ${code}: ${answer.status} ${text.slice(0, 300)}`)
  const { uses, reserved } = JSON.parse(text) as { uses?: unknown; reserved?: unknown }
  if (typeof uses !== 'number' || typeof reserved !== 'number') {
    throw new Error(`coupon ${code} has no counters: ${text.slice(0, 300)}`)
  }
  return { uses, reserved }
}

/** The uses of many coupons together. */
export async function totalUses(baseUrl: string, codes: readonly string[]): Promise<number> {
  let total = 0
  await eachOf(codes, async (code) => {
    const uses = await couponUses(baseUrl, code)
    total += uses
  })
  return total
}

/** The discount that `validate` promises for the cart of every request, in minor units; null when it refuses. */
export async function probeDiscount(baseUrl: string, code: string): Promise<number | null> {
  const answer = await fetch(`${baseUrl}/v1/validate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      codes: [code],
      userId: 'probe',
      cart: { currency: CURRENCY, lines: [{ productId: 'p1', quantity: 1, unitPrice: LINE_AMOUNT_MINOR }] },
    }),
  })
  const body = (await answer.json()) as { discount?: { total?: number } | null }
  return body.discount?.total ?? null
}

async function eachOf(codes: readonly string[], act: (code: string) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < codes.length; index = next++) await act(codes[index] as string)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, codes.length) }, lane))
}
