// The shop: its settings, its routes, its timer. Everything about orders is in checkout.ts.
//
//     PUT  /orders/:orderId           {userId, lines: [{productId, quantity}], codes}   the page; again to reload or edit
//     POST /orders/:orderId/submit    {card: "tok_…" | invoice: true, totalMinor}       buy, at the total that was shown
//     POST /orders/:orderId/refund    {reason}
//     GET  /orders/:orderId
//     POST /payment-notifications     {orderId}                                         from the payment provider
//
// 200: this is how it stands. 202: still being worked on, look again. 409: not done, `no` says why. 503: not now. The
// order's id is made with the cart and lives in the customer's session: so a page that is loaded again, in another tab
// or after the shop was killed, is about the same order. Settings are in SETTINGS below. The user would come from the
// session too.

import { setTimeout as pause } from 'node:timers/promises'
import { Checkout, type Outcome } from './checkout.ts'
import { type JsonAnswer, listen, type Routes } from './json-server.ts'
import { dueCall, type LostCouponDecision, type Order } from './orders.ts'
import { Payments } from './payments.ts'
import { INTERACTIVE_PACE } from './resilient-call.ts'
import { TearoffClient } from './tearoff-client.ts'
import { cartWishOf, reasonOf, submitWishOf } from './wishes.ts'

const SETTINGS = {
  port: Number(setting('SHOP_PORT', '8090')),
  journalPath: setting('SHOP_JOURNAL', './orders.jsonl'),
  tearoffUrl: setting('SHOP_TEAROFF_URL', 'http://127.0.0.1:8080'),
  /** Empty: a Tearoff on a loopback address, which asks for none. */
  tearoffKey: setting('SHOP_TEAROFF_KEY', ''),
  paymentsUrl: setting('SHOP_PAYMENTS_URL', 'http://127.0.0.1:8091'),
  reservationSeconds: Number(setting('SHOP_RESERVATION_SECONDS', '300')),
  /** When the money is there and the coupon is gone: `refund`, or `honour` up to so much. */
  lostCoupon: setting('SHOP_LOST_COUPON', 'refund'),
  honourUpToMinor: Number(setting('SHOP_HONOUR_UP_TO', '2000')),
  sweepEveryMs: Number(setting('SHOP_SWEEP_MS', '1000')),
  /** A checkout call is given up so late, and taken up again by the sweep. */
  patienceMs: Number(setting('SHOP_PATIENCE_MS', String(INTERACTIVE_PACE.patienceMs))),
}

const url = `http://127.0.0.1:${SETTINGS.port}`
const pace = { ...INTERACTIVE_PACE, patienceMs: SETTINGS.patienceMs }
const checkout = new Checkout({
  journalPath: SETTINGS.journalPath,
  tearoff: new TearoffClient(SETTINGS.tearoffUrl, SETTINGS.tearoffKey, pace),
  payments: new Payments(SETTINGS.paymentsUrl, `${url}/payment-notifications`, pace),
  reservationSeconds: SETTINGS.reservationSeconds,
  decideLostCoupon,
  onStep: ({ orderId, phase }, fact) => {
    // No users, codes or cards in a log.
    const replayed = fact.type === 'REDEEMED' ? { replayed: fact.replayed } : {}
    log({ msg: 'step', orderId, phase, type: fact.type, ...replayed })
  },
  onTrouble: ({ orderId, phase }, error) => log({ msg: 'trouble', orderId, phase, error: error.message }),
})

/**
 * The decision point: the customer has paid the price with the discount, the reservation ran out before the payment was
 * confirmed, and somebody else has the last use by now. Both ends are honest: pay the money back, or keep the word and
 * bear the discount. What must not happen is a third: keeping the money and asking for more.
 */
function decideLostCoupon({ price }: Order): LostCouponDecision {
  if (SETTINGS.lostCoupon !== 'honour') return 'REFUND'
  return (price?.discountMinor ?? 0) <= SETTINGS.honourUpToMinor ? 'HONOUR' : 'REFUND'
}

const routes: Routes = {
  'PUT /orders/:orderId': async ({ params, body }) => {
    const wish = cartWishOf(body)
    if (wish === null) return { status: 400, json: { error: 'BAD_CART' } }
    return shown(await checkout.setCart(params['orderId'] as string, wish.userId, wish.cart, wish.codes))
  },
  'POST /orders/:orderId/submit': async ({ params, body }) => {
    const wish = submitWishOf(body)
    if (wish === null) return { status: 400, json: { error: 'BAD_SUBMIT' } }
    return shown(await checkout.submit(params['orderId'] as string, wish.payment, wish.totalMinor))
  },
  'POST /orders/:orderId/refund': async ({ params, body }) =>
    shown(await checkout.refund(params['orderId'] as string, reasonOf(body))),
  'GET /orders/:orderId': ({ params }) => {
    const order = checkout.order(params['orderId'] as string)
    return shown(order === undefined ? undefined : { order, no: null })
  },
  // Anybody can send this. So nothing of it is believed: it only says which order to ask the provider about.
  'POST /payment-notifications': async ({ body }) => {
    await checkout.resume(String(body['orderId']))
    return { status: 204 }
  },
}

function shown(outcome: Outcome | undefined): JsonAnswer {
  if (outcome === undefined) return { status: 404, json: { error: 'NO_SUCH_ORDER' } }
  const { order, no } = outcome
  const { orderId, phase, price, refusal, reservation, paymentId, redemptionId, ownCostMinor } = order
  const json = { orderId, phase, no, price, refusal, reservation, paymentId, redemptionId, ownCostMinor }
  if (no === 'TRY_AGAIN') return { status: 503, json, headers: { 'retry-after': '1' } }
  if (no !== null) return { status: 409, json }
  return { status: dueCall(order) === null ? 200 : 202, json }
}

function setting(name: string, otherwise: string): string {
  return process.env[name] ?? otherwise
}

function log(entry: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(entry))
}

/** What nobody foresaw ends the process. What is on disk is right, and the next start goes on from there. */
function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

await listen(routes, SETTINGS.port, fail)
log({ msg: 'listening', url })
for (;;) {
  await checkout.sweep().catch(fail)
  await pause(SETTINGS.sweepEveryMs)
}
