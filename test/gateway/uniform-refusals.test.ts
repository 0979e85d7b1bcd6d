// Uniform refusals: to a caller of role checkout, a code that may not be used is a code that does not exist, in everything
// that can be seen and measured. The shards are scripted, so each test knows what is true.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Role } from '../../gateway/access/authenticate.ts'
import { UNIFORM_STEP_MS, UNIFORM_TICK_MS } from '../../gateway/guard/guard-limits.ts'
import { UniformHold } from '../../gateway/guard/uniform-refusals.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { type CouponStatus, OUTCOME, type Outcome, type Verdict } from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'
import { connectWebSocket, type WsClient } from '../support/ws-client.ts'
import { type HttpAnswer, send, type Sent, startTestGateway, type TestGateway } from './support/gateway.ts'
import { columns, coupon } from './support/websocket-outcomes.ts'
import { HandClock, startWebSocketServer, type WebSocketServer } from './support/websocket-server.ts'

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }
const SAME: readonly RefusalCode[] = [
  'COUPON_NOT_FOUND',
  'COUPON_DISABLED',
  'COUPON_NOT_STARTED',
  'COUPON_EXPIRED',
  'USER_NOT_ELIGIBLE',
  'COUPON_EXHAUSTED',
  'COUPON_LOCKED',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
]

let world: TestGateway
let role: Role
/** What a shard says of each code, whatever the call. */
let truth: readonly (RefusalCode | null)[]
/** Of every coupon that is asked for. */
let status: CouponStatus
/** Set: such answers take so long. */
let slowMs: number

function verdict(refusal: RefusalCode | null): Verdict {
  const detail = refusal === null ? '' : `true reason: ${refusal}`
  return { ordinal: refusal === 'COUPON_NOT_FOUND' ? -1 : 3, refusal, detail, amountMinor: null }
}

function outcomeOf(command: Command): Outcome {
  if (command.type === COMMAND.GET_COUPON) {
    return truth[0] === 'COUPON_NOT_FOUND' ? refusedBy(['COUPON_NOT_FOUND']) : coupon({ status })
  }
  const call = command.type === COMMAND.STACK ? command.call : command
  if (call.type === COMMAND.VALIDATE) return { type: OUTCOME.VALIDATED, verdicts: truth.map(verdict), price: null }
  return refusedBy(truth)
}

function refusedBy(reasons: readonly (RefusalCode | null)[]): Outcome {
  const index = reasons.findIndex((reason) => reason !== null)
  const refusal = reasons[index] as RefusalCode
  return {
    type: OUTCOME.REFUSED,
    refusal,
    detail: `true reason: ${refusal}`,
    couponIndex: index,
    retryAfterMs: refusal === 'COUPON_LOCKED' ? 90_000 : 0,
    verdicts: reasons.map(verdict),
  }
}

beforeEach(async () => {
  role = 'checkout'
  truth = ['COUPON_NOT_FOUND']
  status = 'ACTIVE'
  slowMs = 0
  world = await startTestGateway({
    uniformRefusals: true,
    authenticator: { roleOf: () => ({ role, name: 'shop', keyId: 'key_1' }) },
  })
  world.transport.script = ({ command }) => {
    if (slowMs === 0) return outcomeOf(command)
    world.transport.heldOutcome = () => outcomeOf(command)
    setTimeout(() => world.transport.releaseHeld(), slowMs)
    return 'hold'
  }
})
afterEach(async () => {
  await world.gateway.close()
})

const BODY = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: CART }
const RESERVATION = { codes: ['SAVE10'], userId: 'u1', cart: CART }
const LOCK = { userId: 'u1', cart: CART }
const CALLS: readonly Sent[] = [
  { method: 'POST', path: '/v1/redemptions', body: BODY },
  { method: 'POST', path: '/v1/redemptions', body: { ...BODY, codes: ['save10 '] } },
  { method: 'POST', path: '/v1/reservations', body: RESERVATION },
  { method: 'POST', path: '/v1/validate', body: RESERVATION },
  { method: 'POST', path: '/v1/coupons/SAVE10/lock', body: LOCK },
  { method: 'POST', path: '/v1/coupons/SAVE10/redeem', body: { ...LOCK, orderId: 'o1' } },
  { path: '/v1/coupons/SAVE10/validate?userId=u1' },
]

/** Everything of an answer but its own name and the time of day. */
function visible({ status: code, headers, text }: HttpAnswer): unknown {
  // Names of requests grow longer with their number, and the length with them.
  const { date: _date, 'content-length': _length, 'x-request-id': requestId, ...rest } = headers
  return { code, rest, body: text.replaceAll(String(requestId), '') }
}

describe('to a caller of role checkout', () => {
  for (const call of CALLS) {
    test(`${call.method ?? 'GET'} ${call.path} answers the same of every code that may not be used`, async () => {
      const seen = new Set<string>()
      for (const reason of SAME) {
        truth = [reason]
        seen.add(JSON.stringify(visible(await send(world.gateway.port, call))))
      }
      expect([...seen]).toHaveLength(1)
      expect([...seen][0]).toMatch(/COUPON_NOT_FOUND/)
      expect([...seen][0]).not.toMatch(/true reason|x-tearoff-position|retry-after/)
    })
  }

  test('a coupon shows itself only while anybody may use it', async () => {
    const call = { path: '/v1/coupons/SAVE10' }
    const unknown = visible(await send(world.gateway.port, call))
    for (const hidden of ['DISABLED', 'EXPIRED', 'REDEEMED', 'EXHAUSTED', 'SCHEDULED'] as const) {
      truth = [null]
      status = hidden
      expect(visible(await send(world.gateway.port, call))).toEqual(unknown)
    }
    status = 'ACTIVE'
    expect(await send(world.gateway.port, call)).toMatchObject({ status: 200, json: { code: 'SAVE10' } })
  })

  test('ids, which are counted up, lead nowhere', async () => {
    truth = [null]
    for (const path of ['/v1/coupons/cpn_003', '/v1/coupons/cpn_003/validate']) {
      expect(await send(world.gateway.port, { path })).toMatchObject({
        status: 404,
        json: { code: 'COUPON_NOT_FOUND' },
      })
    }
    expect(world.transport.asked).toEqual([])
    role = 'operations'
    expect(await send(world.gateway.port, { path: '/v1/coupons/cpn_003' })).toMatchObject({ status: 200 })
  })

  test('one such code among others decides over all of them, wherever it stands', async () => {
    const call = { method: 'POST', path: '/v1/redemptions', body: { ...BODY, codes: ['GOOD', 'OTHER'] } }
    const seen = new Set<string>()
    for (const reason of SAME) {
      truth = ['USER_LIMIT_REACHED', reason]
      seen.add(JSON.stringify(visible(await send(world.gateway.port, call))))
    }
    expect([...seen]).toHaveLength(1)
    expect(JSON.parse([...seen][0] as string)).toMatchObject({ code: 422 })
    expect([...seen][0]).toContain('\\"coupon\\":\\"OTHER\\"')
  })

  test('what is wrong with a cart is told of a code that is usable, and of no other', async () => {
    const call = CALLS[0] as Sent
    const unknown = visible(await send(world.gateway.port, call))
    for (const reason of ['MIN_ORDER_NOT_MET', 'CURRENCY_MISMATCH', 'NOT_STACKABLE', 'DAILY_LIMIT_REACHED'] as const) {
      truth = [reason]
      status = 'ACTIVE'
      expect(await send(world.gateway.port, call)).toMatchObject({ json: { code: reason } })
      // Judged before capacity: it is used up, and only the cart was looked at.
      status = 'EXHAUSTED'
      expect(visible(await send(world.gateway.port, call))).toEqual(unknown)
    }
  })

  test("a user's own limit and the history of an order are told as they are", async () => {
    for (const reason of ['USER_LIMIT_REACHED', 'ORDER_CONFLICT', 'REDEMPTION_REVERSED'] as const) {
      truth = [reason]
      expect(await send(world.gateway.port, CALLS[0] as Sent)).toMatchObject({ json: { code: reason } })
    }
  })

  test('lists name a buyer, since those of everybody name codes', async () => {
    for (const path of ['/v1/redemptions?couponId=SAVE10', '/v1/reservations', '/v1/redemptions']) {
      expect(await send(world.gateway.port, { path })).toMatchObject({ status: 403, json: { code: 'FORBIDDEN' } })
    }
    // Nobody lists here, but it would be taken.
    expect(await send(world.gateway.port, { path: '/v1/redemptions?userId=u1' })).toMatchObject({ status: 503 })
  })
})

test('others are told the truth, at once', async () => {
  role = 'operations'
  for (const reason of SAME) {
    truth = [reason]
    const answer = await send(world.gateway.port, CALLS[0] as Sent)
    expect(answer).toMatchObject({ json: { code: reason, detail: `true reason: ${reason}` } })
    expect(answer.headers['x-tearoff-position']).toMatch(/^\d+:7@/)
  }
})

describe('the moment of an answer', () => {
  test('is a whole number of steps behind its call, however long the work took', () => {
    const clock = new HandClock()
    const hold = new UniformHold(() => clock.nowMs, clock.every)
    const left: string[] = []
    const arrivedMs = clock.nowMs
    hold.hold(arrivedMs, () => left.push('fast'))
    clock.nowMs += 17.3
    hold.hold(arrivedMs, () => left.push('slow'))
    clock.nowMs += UNIFORM_STEP_MS - 17.3 - UNIFORM_TICK_MS - 0.1
    clock.tick()
    expect(left).toEqual([])
    clock.tick()
    expect(left).toEqual(['fast', 'slow'])
    hold.hold(clock.nowMs - UNIFORM_STEP_MS - 1, () => left.push('very slow'))
    for (let waited = 0; waited < UNIFORM_STEP_MS - 2 * UNIFORM_TICK_MS; waited += UNIFORM_TICK_MS) clock.tick()
    expect(left).toHaveLength(2)
    clock.tick()
    clock.tick()
    expect(left.at(-1)).toBe('very slow')
    hold.close()
    expect(clock.running).toBe(0)
  })

  test('tells nothing of what a shard did with it', async () => {
    // Alternating, so that a machine that is busy for a while is so for both.
    const tookMs: { readonly quick: number[]; readonly slow: number[] } = { quick: [], slow: [] }
    for (let round = 0; round < 40; round++) {
      for (const kind of ['quick', 'slow'] as const) {
        truth = [kind === 'quick' ? 'COUPON_NOT_FOUND' : 'COUPON_EXHAUSTED']
        slowMs = kind === 'quick' ? 0 : 20
        const beganMs = performance.now()
        await send(world.gateway.port, CALLS[0] as Sent)
        tookMs[kind].push(performance.now() - beganMs)
      }
    }
    // The quickest of each: what a busy machine adds to the others is no answer's doing.
    const quick = Math.min(...tookMs.quick)
    const slow = Math.min(...tookMs.slow)
    console.info(`at the least: ${quick.toFixed(2)} ms and ${slow.toFixed(2)} ms`)
    // Without the hold they are 20 ms apart; a tick is 5 ms.
    expect(Math.abs(quick - slow)).toBeLessThan(UNIFORM_TICK_MS)
    expect(Math.min(quick, slow)).toBeGreaterThanOrEqual(UNIFORM_STEP_MS - 1)
  })
})

describe('over WebSocket', () => {
  let server: WebSocketServer
  let client: WsClient
  let rows: readonly number[]

  beforeEach(async () => {
    rows = []
    const caller = { role: 'checkout', name: 'shop', keyId: 'key_1' } as const
    const script = (command: Command): Outcome =>
      command.type === COMMAND.REDEEM_COLUMNS
        ? columns(
            rows,
            rows.map(() => 0),
          )
        : outcomeOf(command)
    server = await startWebSocketServer(script, { roleOf: () => caller }, null, true)
    client = await connectWebSocket(server.port)
  })
  afterEach(() => {
    client.socket.destroy()
    server.stop()
  })

  async function answerTo(message: Record<string, unknown>): Promise<unknown> {
    const commands = server.shards.commands.length
    client.say({ id: 1, ...message })
    // The shard has answered when its command is two turns old; then the moment comes.
    while (server.shards.commands.length === commands) await new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(client.unread).toBe(0)
    server.clock.nowMs += UNIFORM_STEP_MS
    server.clock.tick()
    return await client.next()
  }

  test('it is the same', async () => {
    const seen = new Set<string>()
    for (const reason of SAME) {
      truth = [reason]
      seen.add(JSON.stringify(await answerTo({ op: 'redeem', ...BODY })))
    }
    expect([...seen]).toHaveLength(1)
    expect([...seen][0]).toMatch(/"code":"COUPON_NOT_FOUND"/)
    expect([...seen][0]).not.toContain('position')
  })

  test('columns that redeem nothing are those of a code that does not exist', async () => {
    const message = { op: 'redeemColumns', code: 'SAVE10', currency: 'EUR', userIds: ['a', 'b'], orderIds: ['1', '2'] }
    const seen = new Set<string>()
    // Disabled, exhausted, too small a cart: numbers of refusals.
    for (const numbers of [
      [6, 6],
      [17, 17],
      [12, 17],
    ]) {
      rows = numbers
      seen.add(JSON.stringify(await answerTo({ ...message, orderTotals: 5_000 })))
    }
    expect([...seen]).toEqual([expect.stringContaining('"code":"COUPON_NOT_FOUND"') as string])
  })

  test('there are no topics of coupons', async () => {
    client.say({ id: 2, op: 'subscribe', topic: 'coupon:SAVE10' })
    expect(await client.next()).toMatchObject({ id: 2, ok: false, error: { code: 'FORBIDDEN' } })
  })
})
