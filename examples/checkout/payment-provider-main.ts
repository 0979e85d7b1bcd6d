// A payment provider to rehearse with: a process of its own that does what real ones do on their worse days.
//
//     tok_ok          paid at once
//     tok_declined    declined at once
//     tok_slow        paid, but the answer takes its time
//     tok_busy        503 the first time, paid the second
//     tok_lost        paid, but the connection breaks before the answer the first time
//     tok_later       pending, until `POST /payments/:id/settle {"status":"SUCCEEDED"}` (the bank); then it notifies
//     tok_silent      the same, but the notification never arrives
//
// An Idempotency-Key gives the first answer again, and another request with the same key is refused. It keeps
// everything in memory and lists it (`GET /payments?orderId=…`), so that one can see that an order was charged once.
// Settings: PROVIDER_PORT.

import { setTimeout as pause } from 'node:timers/promises'
import { type JsonAnswer, type JsonRequest, listen, type Routes } from './json-server.ts'

const SLOW_MS = 250
const NOTIFY_TRIES_MAX = 3
const NOTIFY_PAUSE_MS = 100

interface KeptPayment {
  readonly paymentId: string
  readonly orderId: string
  readonly amountMinor: number
  readonly currency: string
  readonly token: string
  readonly notifyUrl: string
  status: 'SUCCEEDED' | 'DECLINED' | 'PENDING'
  refundedMinor: number
}

const payments = new Map<string, KeptPayment>()
/** Of every key: what was asked, and the payment that came of it. */
const keys = new Map<string, { readonly asked: string; readonly paymentId: string }>()
/** Orders that had their one misfortune. */
const unlucky = new Set<string>()

const routes: Routes = {
  'POST /payments': charge,
  'GET /payments': ({ query }) => {
    const ofOrder = [...payments.values()].filter(({ orderId }) => orderId === query.get('orderId'))
    return { status: 200, json: { data: ofOrder } }
  },
  'GET /payments/:paymentId': (request) => withPayment(request, (payment) => ({ status: 200, json: payment })),
  'POST /payments/:paymentId/refund': (request) =>
    withPayment(request, (payment) => {
      const first = keptOrFirst(request, payment.paymentId)
      if (first === null) return { status: 422, json: { error: 'IDEMPOTENCY_KEY_CONFLICT' } }
      if (payment.status !== 'SUCCEEDED') return { status: 409, json: { error: 'NOT_PAID' } }
      // Refunds add up, so that one that was made twice would show.
      if (first.isNew) payment.refundedMinor += payment.amountMinor
      return { status: 200, json: payment }
    }),
  'POST /payments/:paymentId/settle': (request) =>
    withPayment(request, (payment) => {
      payment.status = request.body['status'] === 'SUCCEEDED' ? 'SUCCEEDED' : 'DECLINED'
      if (payment.token !== 'tok_silent') void notify(payment)
      return { status: 200, json: payment }
    }),
}

async function charge(request: JsonRequest): Promise<JsonAnswer> {
  const { orderId, token, amountMinor, currency, notifyUrl } = request.body
  if (typeof amountMinor !== 'number' || amountMinor <= 0) return { status: 400, json: { error: 'NO_AMOUNT' } }
  const isUnlucky = !unlucky.has(String(orderId)) && (token === 'tok_busy' || token === 'tok_lost')
  if (isUnlucky) unlucky.add(String(orderId))
  if (isUnlucky && token === 'tok_busy') return { status: 503, headers: { 'retry-after': '0' }, json: {} }
  const first = keptOrFirst(request, `pay_${payments.size + 1}`)
  if (first === null) return { status: 422, json: { error: 'IDEMPOTENCY_KEY_CONFLICT' } }
  const { paymentId } = first
  if (first.isNew) {
    payments.set(paymentId, {
      paymentId,
      orderId: String(orderId),
      amountMinor,
      currency: String(currency),
      token: String(token),
      notifyUrl: String(notifyUrl),
      status:
        token === 'tok_declined'
          ? 'DECLINED'
          : token === 'tok_later' || token === 'tok_silent'
            ? 'PENDING'
            : 'SUCCEEDED',
      refundedMinor: 0,
    })
  }
  if (token === 'tok_slow') await pause(SLOW_MS)
  return { status: first.isNew ? 201 : 200, json: payments.get(paymentId), isCut: isUnlucky }
}

/**
 * The payment that this key stands for, or from now on will; null: the key came with another request, or is missing.
 */
function keptOrFirst({ headers, body, params }: JsonRequest, paymentId: string) {
  const key = headers['idempotency-key']
  if (typeof key !== 'string') return null
  const asked = JSON.stringify([body, params])
  const kept = keys.get(key)
  if (kept !== undefined) return kept.asked === asked ? { paymentId: kept.paymentId, isNew: false } : null
  keys.set(key, { asked, paymentId })
  return { paymentId, isNew: true }
}

function withPayment({ params }: JsonRequest, then: (payment: KeptPayment) => JsonAnswer): JsonAnswer {
  const payment = payments.get(params['paymentId'] ?? '')
  return payment === undefined ? { status: 404, json: { error: 'NO_SUCH_PAYMENT' } } : then(payment)
}

/** Tells the shop to come and look; gives up after a few tries, as real ones do after a few days. */
async function notify({ paymentId, orderId, notifyUrl }: KeptPayment): Promise<void> {
  for (let attempt = 0; attempt < NOTIFY_TRIES_MAX; attempt++) {
    try {
      const headers = { 'content-type': 'application/json' }
      const { ok } = await fetch(notifyUrl, { method: 'POST', headers, body: JSON.stringify({ paymentId, orderId }) })
      if (ok) return
    } catch {
      // The shop is not there; once more.
    }
    await pause(NOTIFY_PAUSE_MS)
  }
}

const url = await listen(routes, Number(process.env['PROVIDER_PORT'] ?? 8091), (error) => {
  console.error(error)
  process.exit(1)
})
console.log(JSON.stringify({ msg: 'listening', url }))
