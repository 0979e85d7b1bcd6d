// Every operation of a WebSocket session on the built server, as text and as MessagePack: that it does what the same call does
// over HTTP, which is asked afterwards.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { connectWebSocket, type WsClient } from '../support/ws-client.ts'

const CART = { orderTotal: 5_000, currency: 'EUR' } as const
const dataDir = temporaryDirectory('sessions')
let server: ServerProcess
let http: HttpClient
let session: WsClient
let count = 0

beforeAll(async () => {
  server = await startServer({ dataDir })
  http = new HttpClient(server.port)
  session = await connectWebSocket(server.port)
})

afterAll(async () => {
  session.socket.destroy()
  http.close()
  try {
    await server.stop()
  } finally {
    removeDirectory(dataDir)
  }
})

async function newCoupon(fields: Record<string, unknown> = {}): Promise<string> {
  count++
  const code = `WS-${count}`
  const { status, text } = await http.post('/v1/coupons', { code, type: 'PERCENT', value: 10, ...fields })
  expect(status, text).toBe(201)
  return code
}

type Message = Record<string, unknown>
type Ask = (message: Message) => Promise<Message>

/** Both ways to write a message, one at a time on the connection. */
const FORMS: readonly (readonly [string, Ask])[] = [
  [
    'text',
    async (message) => {
      session.say({ id: 'a', ...message })
      return (await session.next()) as Message
    },
  ],
  [
    'MessagePack',
    async (message) => {
      session.pack({ id: 'a', ...message })
      return (await session.next()) as Message
    },
  ],
]

describe.each(FORMS)('a session that speaks %s', (_form, ask) => {
  async function result(message: Message): Promise<Message> {
    const answer = await ask(message)
    expect(answer).toMatchObject({ id: 'a', ok: true })
    return (answer['result'] ?? {}) as Message
  }

  it('validates', async () => {
    expect(await result({ op: 'validate', codes: [await newCoupon()], cart: CART })).toMatchObject({
      valid: true,
      discount: { total: 500, finalPrice: 4_500 },
    })
  })

  it('reserves, redeems the reservation, and gets all three', async () => {
    const code = await newCoupon({ maxUses: 1 })
    const { reservationId } = await result({ op: 'reserve', codes: [code], userId: 'u', cart: CART })
    expect(await result({ op: 'get', reservationId })).toMatchObject({ status: 'RESERVED', userId: 'u' })
    expect(await result({ op: 'get', coupon: code })).toMatchObject({ status: 'LOCKED', reserved: 1 })
    const receipt = await result({ op: 'redeemReservation', reservationId, orderId: 'o' })
    expect(receipt).toMatchObject({ status: 'REDEEMED', orderId: 'o', reservationId, discount: { total: 500 } })
    expect(await result({ op: 'get', redemptionId: receipt['redemptionId'] })).toEqual(receipt)
    expect((await http.get(`/v1/redemptions/${String(receipt['redemptionId'])}`)).json).toEqual(receipt)
  })

  it('releases, again and again', async () => {
    const code = await newCoupon({ maxUses: 1 })
    const { reservationId } = await result({ op: 'reserve', codes: [code], userId: 'u' })
    for (let i = 0; i < 2; i++) await result({ op: 'release', reservationId })
    expect((await http.get(`/v1/coupons/${code}`)).json).toMatchObject({ reserved: 0, status: 'ACTIVE' })
  })

  it('redeems once, replays, and refuses with what HTTP refuses with', async () => {
    const code = await newCoupon({ maxUses: 1 })
    const body = { codes: [code], userId: 'u', orderId: 'o', cart: CART }
    const first = await ask({ op: 'redeem', ...body })
    const again = await ask({ op: 'redeem', ...body })
    expect(again['result']).toEqual(first['result'])
    const other = { ...body, orderId: 'p' }
    const refused = (await ask({ op: 'redeem', ...other }))['error'] as Message
    const overHttp = (await http.post('/v1/redemptions', other)).json
    expect(refused).toMatchObject({
      code: 'COUPON_EXHAUSTED',
      coupon: code,
      coupons: [{ code, applicable: false, reason: 'COUPON_EXHAUSTED' }],
    })
    for (const [member, value] of Object.entries(refused)) expect(overHttp[member]).toEqual(value)
  })

  it('redeems columns: new rows, replayed rows and refused rows, by the numbers that `outcomes` names', async () => {
    const names = (await result({ op: 'outcomes' })) as Record<string, string>
    const code = await newCoupon({ maxUses: 3, maxUsesPerUser: 1 })
    const columns = {
      op: 'redeemColumns',
      code,
      currency: 'EUR',
      userIds: ['a', 'b', 'a', 'c', 'd'],
      orderIds: ['1', '2', '3', '4', '5'],
      orderTotals: [1_000, 2_000, 3_000, 4_000, 5_000],
    }
    const first = await ask(columns)
    const named = (answer: Message): unknown =>
      (answer['outcomes'] as number[]).map((outcome) => names[String(outcome)])
    expect(named(first)).toEqual(['REDEEMED', 'REDEEMED', 'USER_LIMIT_REACHED', 'REDEEMED', 'COUPON_EXHAUSTED'])
    expect(first['discounts']).toEqual([100, 200, 0, 400, 0])
    const again = await ask(columns)
    expect(named(again)).toEqual(['REPLAYED', 'REPLAYED', 'USER_LIMIT_REACHED', 'REPLAYED', 'COUPON_EXHAUSTED'])
    expect(again['discounts']).toEqual([100, 200, 0, 400, 0])
  })

  it('pushes what a topic shows, at once and after a change, until it is left', async () => {
    const code = await newCoupon({ maxUses: 5 })
    const topic = `coupon:${code}`
    await result({ op: 'subscribe', topic })
    expect(await session.next()).toEqual({ topic, uses: 0, reserved: 0, remaining: 5, status: 'ACTIVE' })
    expect((await http.post('/v1/redemptions', { codes: [code], userId: 'u', orderId: 'o', cart: CART })).status).toBe(
      201,
    )
    expect(await session.next()).toEqual({ topic, uses: 1, reserved: 0, remaining: 4, status: 'ACTIVE' })
    await result({ op: 'unsubscribe', topic })
  })

  it('refuses what does not exist yet or at all', async () => {
    expect((await ask({ op: 'claim', campaignId: 'cmp_1', userId: 'u' }))['error']).toMatchObject({
      code: 'CAMPAIGN_NOT_FOUND',
    })
    expect((await ask({ op: 'dance' }))['error']).toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await ask({ op: 'get', redemptionId: 'rdm_00zz' }))['error']).toMatchObject({
      code: 'REDEMPTION_NOT_FOUND',
    })
    expect(
      (await ask({ op: 'redeem', codes: ['NO-SUCH'], userId: 'u', orderId: 'o', cart: CART }))['error'],
    ).toMatchObject({ code: 'COUPON_NOT_FOUND', coupon: 'NO-SUCH' })
  })
})
