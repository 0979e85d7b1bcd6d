// Whether a server under the load does the thing at all: asked over HTTP before any figure is taken, of the product and of
// every peer alike. A design that is fast because it forgets a check would make every ratio worthless.
//
// Answers are compared with what the contract says, and as whole bodies with those of the product; only ids and times, which
// every server gives itself, are taken out first.

import { type Check, checkEqual } from '../report/figure.ts'

const CURRENCY = 'EUR'
/** 12.5 % of 2 × 1,999 + 1 × 501 = 4,499 is 562.375, so 562. */
const CART = {
  currency: CURRENCY,
  lines: [
    { productId: 'p1', quantity: 2, unitPrice: 1_999 },
    { productId: 'p2', quantity: 1, unitPrice: 501 },
  ],
  shipping: 300,
}
const SUBTOTAL_MINOR = 4_499
const DISCOUNT_MINOR = 562
/** The short form with the same coupon: 12.5 % of 1,000 is 125. */
const SHORT_WORDS = '201 125 of 1000'

/** Uses of the raced coupon, and how many want one. */
const RACE_USES = 20
const RACERS = 60

export interface Proof {
  readonly checks: readonly Check[]
  /** A first answer and one of the short form, without ids and times: the same for every server. */
  readonly answers: string
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly replayed: boolean
}

export async function prove(name: string, baseUrl: string): Promise<Proof> {
  const post = async (path: string, body: object): Promise<Answer> => await sent(`${baseUrl}${path}`, body)
  const redeem = async (code: string, userId: string, orderId: string, cart: object = CART): Promise<Answer> =>
    await post('/v1/redemptions', { codes: [code], userId, orderId, cart })
  const created = await Promise.all([
    post('/v1/coupons', { code: 'PROOF-ONE', type: 'PERCENT', value: 12.5, maxUses: 1_000, maxUsesPerUser: 1 }),
    post('/v1/coupons', { code: 'PROOF-RACE', type: 'PERCENT', value: 10, maxUses: RACE_USES, maxUsesPerUser: 1 }),
    post('/v1/coupons', { code: 'PROOF-USER', type: 'PERCENT', value: 10, maxUses: 1_000, maxUsesPerUser: 1 }),
  ])
  const first = await redeem('PROOF-ONE', 'anna', 'order 1')
  const again = await redeem('PROOF-ONE', 'anna', 'order 1')
  const otherCart = { ...CART, shipping: 301 }
  const conflict = await redeem('PROOF-ONE', 'anna', 'order 1', otherCart)
  const secondUse = await redeem('PROOF-ONE', 'anna', 'order 2')
  const unknown = await redeem('PROOF-NONE', 'anna', 'order 3')
  const short = await post('/v1/coupons/PROOF-ONE/redeem', {
    userId: 'bertā',
    orderId: 'order 4',
    orderTotal: 1_000,
    currency: CURRENCY,
  })
  const race = await Promise.all(
    Array.from(
      { length: RACERS },
      async (_unused, index) => await redeem('PROOF-RACE', `user ${index}`, `race ${index}`),
    ),
  )
  const sameUser = await Promise.all(
    Array.from({ length: RACERS }, async (_unused, index) => await redeem('PROOF-USER', 'anna', `race ${index}`)),
  )
  const sameOrder = await Promise.all(
    Array.from({ length: RACERS }, async () => await redeem('PROOF-USER', 'carl', 'one order')),
  )
  const checks = [
    checkEqual('coupons created', 3, count(created, 201)),
    checkText('a redemption', '201', `${first.status}`),
    checkText('its price', `${SUBTOTAL_MINOR} - ${DISCOUNT_MINOR}`, priceWords(first)),
    checkText('the same order again', '200 replayed', `${again.status}${again.replayed ? ' replayed' : ''}`),
    checkText('its body', first.text, again.text),
    checkText('the order with another cart', '409 ORDER_CONFLICT', problemWords(conflict)),
    checkText('another order of the user', '409 USER_LIMIT_REACHED', problemWords(secondUse)),
    checkText('a code that is not there', '422 COUPON_NOT_FOUND', problemWords(unknown)),
    checkText('the short form', SHORT_WORDS, shortWords(short)),
    checkEqual('uses taken in a race', RACE_USES, count(race, 201)),
    checkEqual('refused in it', RACERS - RACE_USES, countProblem(race, '409 COUPON_EXHAUSTED')),
    checkEqual('uses counted after it', RACE_USES, await usesOf(baseUrl, 'PROOF-RACE')),
    checkEqual('uses of one user in a race', 1, count(sameUser, 201)),
    checkEqual('refused in it', RACERS - 1, countProblem(sameUser, '409 USER_LIMIT_REACHED')),
    checkEqual('first answers of one order in a race', 1, count(sameOrder, 201)),
    checkEqual('the others are replays', RACERS - 1, sameOrder.filter((answer) => answer.replayed).length),
    checkEqual('uses counted after both', 2, await usesOf(baseUrl, 'PROOF-USER')),
  ]
  return {
    checks: checks.map((check) => ({ ...check, name: `${name}: ${check.name}` })),
    answers: withoutIds(`${first.text}\n${short.text}`),
  }
}

/** The checks that every server gave the answers of the first. */
export function sameAnswers(proofs: ReadonlyMap<string, Proof>): Check[] {
  const [[firstName, first] = ['', null], ...others] = [...proofs]
  if (first === null) return []
  return others.map(([name, proof]) => checkText(`${name} answers as ${firstName}`, first.answers, proof.answers))
}

async function sent(url: string, body: object): Promise<Answer> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const replayed = answer.headers.get('idempotent-replayed') === 'true'
  return { status: answer.status, text: await answer.text(), replayed }
}

async function usesOf(baseUrl: string, code: string): Promise<number> {
  const answer = await fetch(`${baseUrl}/v1/coupons/${code}`)
  const { uses } = (await answer.json()) as { uses?: unknown }
  return typeof uses === 'number' ? uses : -1
}

function withoutIds(text: string): string {
  return text
    .replace(/"(redemptionId|couponId)":"[a-z0-9_]+"/g, '"$1":""')
    .replace(/"redeemedAt":"[0-9TZ:.-]+"/g, '"redeemedAt":""')
}

function checkText(name: string, expected: string, seen: string): Check {
  return { name, expected, seen, holds: expected === seen }
}

function count(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length
}

function countProblem(answers: readonly Answer[], words: string): number {
  return answers.filter((answer) => problemWords(answer) === words).length
}

function problemWords({ status, text }: Answer): string {
  const { code } = JSON.parse(text) as { code?: unknown }
  return `${status} ${String(code)}`
}

function priceWords({ text }: Answer): string {
  const { discount } = JSON.parse(text) as { discount?: { subtotal?: unknown; total?: unknown } }
  return `${String(discount?.subtotal)} - ${String(discount?.total)}`
}

function shortWords({ status, text }: Answer): string {
  const { discountApplied, finalPrice } = JSON.parse(text) as { discountApplied?: unknown; finalPrice?: unknown }
  return `${status} ${String(discountApplied)} of ${Number(discountApplied) + Number(finalPrice)}`
}
