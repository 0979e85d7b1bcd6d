// Sessions over a real socket: what goes in as JSON or MessagePack, singly, in arrays or in pieces, and what comes back.
// The shards are scripted; see support/websocket-server.ts.
import { Packr } from 'msgpackr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Caller } from '../../gateway/access/authenticate.ts'
import {
  FRAME_BYTES_COLLECTED_MAX,
  FRAME_BYTES_MAX,
  FRAME_MESSAGES_MAX,
} from '../../gateway/websocket/websocket-limits.ts'
import { textOf } from '../../protocol/bytes.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { OUTCOME } from '../../protocol/outcomes.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { connectWebSocket, contentOf, OPCODE, UpgradeRefused, type WsClient } from '../support/ws-client.ts'
import { columns, coupon, redemption, refused, reservation } from './support/websocket-outcomes.ts'
import { type Scripted, startWebSocketServer, type WebSocketServer } from './support/websocket-server.ts'

const packr = new Packr({ useRecords: false })
const CART = { currency: 'EUR', lines: [{ productId: 'p', quantity: 1, unitPrice: 2_000 }] }

let server: WebSocketServer
let client: WsClient

function usual(command: Command): Scripted {
  switch (command.type) {
    case COMMAND.REDEEM:
    case COMMAND.REDEEM_RESERVATION:
    case COMMAND.GET_REDEMPTION:
      return redemption()
    case COMMAND.RESERVE:
    case COMMAND.GET_RESERVATION:
      return reservation()
    case COMMAND.RELEASE:
      return { type: 7 }
    case COMMAND.GET_COUPON:
      return coupon()
    case COMMAND.REDEEM_COLUMNS:
      return columns(new Array<number>(command.count).fill(0), new Array<number>(command.count).fill(500))
    case COMMAND.VALIDATE:
      return { type: 2, verdicts: [{ ordinal: 3, refusal: null, detail: '', amountMinor: null }], price: null }
    default:
      throw new Error(`no script for command ${command.type}`)
  }
}

beforeEach(async () => {
  server = await startWebSocketServer(usual)
  client = await connectWebSocket(server.port)
})
afterEach(() => {
  client.socket.destroy()
  server.stop()
  // Not an expectation of one test: nothing that any of them does may make the gateway fail.
  if (server.failures.length > 0) throw new AggregateError(server.failures, 'the gateway failed')
})

function redeem(id: number | string, orderId = 'o1'): Record<string, unknown> {
  return { id, op: 'redeem', codes: ['SAVE10'], userId: 'u1', orderId, cart: CART }
}

function rows(id: number | string, count: number): Record<string, unknown> {
  const ids = Array.from({ length: count }, (_, row) => `n${row}`)
  return { id, op: 'redeemColumns', code: 'save10', currency: 'EUR', userIds: ids, orderIds: ids, orderTotals: 2_000 }
}

/** Two codes on different shards, that on the lower one first. */
function twoCodes(shardOf: (code: string) => number): [string, string] {
  let other = 'TWO0'
  for (let i = 1; shardOf(other) === shardOf('SAVE10'); i++) other = `TWO${i}`
  return shardOf(other) < shardOf('SAVE10') ? [other, 'SAVE10'] : ['SAVE10', other]
}

function errorOf(answer: unknown): Record<string, unknown> {
  expect(answer).toMatchObject({ ok: false })
  return (answer as { error: Record<string, unknown> }).error
}

describe('operations of a session', () => {
  it('redeem: the receipt, and the position it was decided at', async () => {
    client.say(redeem('a'))
    const answer = await client.next()
    const shard = server.router.shardOfCode('SAVE10')
    expect(answer).toMatchObject({
      id: 'a',
      ok: true,
      position: `${shard}:41@1700000000000`,
      result: {
        redemptionId: formatId('rdm_', shard, 40),
        status: 'REDEEMED',
        orderId: 'o1',
        discount: { total: 500 },
      },
    })
    expect(answer).not.toHaveProperty('replayed')
  })

  it('redeem again: the first answer, marked as replayed', async () => {
    server.shards.script = () => redemption({ replayed: true })
    client.say(redeem(1))
    expect(await client.next()).toMatchObject({ id: 1, ok: true, replayed: true })
  })

  it('validate, reserve, get, redeemReservation, release', async () => {
    const reservationId = formatId('rsv_', 5, 39)
    client.say({ id: 1, op: 'validate', codes: ['SAVE10'], cart: CART })
    expect(await client.next()).toMatchObject({ id: 1, ok: true, result: { valid: true } })
    client.say({ id: 2, op: 'reserve', codes: ['SAVE10'], userId: 'u1' })
    expect(await client.next()).toMatchObject({ id: 2, ok: true, result: { status: 'RESERVED' } })
    client.say({ id: 3, op: 'get', reservationId })
    expect(await client.next()).toMatchObject({ id: 3, ok: true, result: { reservationId, status: 'RESERVED' } })
    client.say({ id: 4, op: 'redeemReservation', reservationId, orderId: 'o9', allowLate: true })
    expect(await client.next()).toMatchObject({ id: 4, ok: true, result: { status: 'REDEEMED' } })
    client.say({ id: 5, op: 'release', reservationId })
    expect(await client.next()).toEqual({ id: 5, ok: true, result: null, position: '5:41@1700000000000' })
    client.say({ id: 6, op: 'get', redemptionId: formatId('rdm_', 5, 40) })
    expect(await client.next()).toMatchObject({ id: 6, ok: true, result: { status: 'REDEEMED' } })
    client.say({ id: 7, op: 'get', coupon: ' save10 ' })
    expect(await client.next()).toMatchObject({ id: 7, ok: true, result: { code: 'SAVE10', remaining: 100 } })
    const [late] = server.shards.sent(COMMAND.REDEEM_RESERVATION)
    expect(late).toMatchObject({ reservationSeq: 39, allowLate: true })
    expect(server.shards.sent(COMMAND.RELEASE)).toEqual([{ type: COMMAND.RELEASE, reservationSeq: 39 }])
  })

  it('codes on several shards: one command to the lowest, and ids of coupons wherever they live', async () => {
    const shardOf = (code: string): number => server.router.shardOfCode(code)
    const [low, high] = twoCodes(shardOf)
    const codes = [high, low]
    const coupons = codes.map((code, ordinal) => ({ shard: shardOf(code), ordinal, code }))
    const price = { ...redemption().price, amounts: [300, 200] }
    const positions = [{ shard: shardOf(high), seq: 7, timeMs: 1_700_000_000_001 }]
    server.shards.script = () => ({ type: OUTCOME.ACROSS, positions, outcome: redemption({ coupons, price }) })
    client.say({ ...redeem('s'), codes })
    const own = `${shardOf(low)}:41@1700000000000`
    expect(await client.next()).toMatchObject({
      id: 's',
      ok: true,
      position: own,
      result: {
        redemptionId: formatId('rdm_', shardOf(low), 40),
        coupons: [
          { couponId: formatId('cpn_', shardOf(high), 0), code: high, amount: 300 },
          { couponId: formatId('cpn_', shardOf(low), 1), code: low, amount: 200 },
        ],
      },
    })
    const [sent] = server.shards.commands
    expect(sent).toMatchObject({
      shard: shardOf(low),
      command: { type: COMMAND.STACK, shards: codes.map(shardOf), call: { type: COMMAND.REDEEM } },
    })
    const verdicts = coupons.map(({ ordinal }) => ({
      ordinal,
      refusal: 'NOT_STACKABLE' as const,
      detail: 'no',
      amountMinor: null,
    }))
    const outcome = { ...refused('NOT_STACKABLE'), couponIndex: 1, verdicts }
    server.shards.script = () => ({ type: OUTCOME.ACROSS, positions, outcome })
    client.say({ ...redeem('r'), codes })
    expect(await client.next()).toMatchObject({
      id: 'r',
      ok: false,
      position: `${own}, ${shardOf(high)}:7@1700000000001`,
      error: { code: 'NOT_STACKABLE', coupon: low, coupons: [{ code: high }, { code: low }] },
    })
  })

  it('outcomes: what every number of columns means', async () => {
    client.say({ id: 1, op: 'outcomes' })
    const { result } = (await client.next()) as { result: Record<string, string> }
    expect(result).toMatchObject({ 0: 'REDEEMED', 1: 'REPLAYED', 3: 'COUPON_NOT_FOUND', 17: 'COUPON_EXHAUSTED' })
    expect(Object.keys(result)).toHaveLength(Object.keys(REFUSALS).length + 2)
  })

  it('a refusal has the code, the status and when to come back', async () => {
    server.shards.script = () => refused('COUPON_LOCKED', 2_400)
    client.say(redeem(1))
    const answer = await client.next()
    expect(errorOf(answer)).toMatchObject({ code: 'COUPON_LOCKED', status: 423, retryAfter: 3 })
    expect(answer).toMatchObject({ id: 1, position: expect.stringMatching(/:41@/) })
  })

  it.each([
    [SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED'],
    [SETTLED.NOT_DONE_UNAVAILABLE, 'SHARD_UNAVAILABLE'],
    [SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN'],
    [SETTLED.STORAGE, 'STORAGE_UNAVAILABLE'],
  ])('a call that ends without an outcome (%i) is %s, for columns too', async (settled, code) => {
    server.shards.script = () => ({ settled })
    client.say(redeem(1))
    expect(errorOf(await client.next())).toMatchObject({ code, status: 503 })
    client.pack(rows(2, 3))
    expect(errorOf(await client.next())).toMatchObject({ code, status: 503 })
  })

  it('claim names a campaign that cannot exist', async () => {
    client.say({ id: 1, op: 'claim', campaignId: 'cmp_1', userId: 'u1' })
    expect(errorOf(await client.next())).toMatchObject({ code: 'CAMPAIGN_NOT_FOUND', status: 404 })
  })

  it.each([
    [{ userId: 'u1' }, '/campaignId'],
    [{ campaignId: 7, userId: 'u1' }, '/campaignId'],
    [{ campaignId: 'cmp_000' }, '/userId'],
    [{ campaignId: 'cmp_000', userId: 'u1', cart: {} }, '/cart'],
  ])('claim of %j points at the fault', async (body, pointer) => {
    client.say({ id: 1, op: 'claim', ...body })
    expect(errorOf(await client.next())).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ pointer }] })
  })
})

describe('messages that are wrong', () => {
  it.each<[string, unknown, string | number | null, string, string]>([
    ['no object', 5, null, 'INVALID_REQUEST', ''],
    ['null', null, null, 'INVALID_REQUEST', ''],
    ['no id', { op: 'outcomes' }, null, 'INVALID_REQUEST', '/id'],
    ['an id below zero', { id: -1, op: 'outcomes' }, null, 'INVALID_REQUEST', '/id'],
    ['a half id', { id: 0.5, op: 'outcomes' }, null, 'INVALID_REQUEST', '/id'],
    ['an endless id', { id: 'x'.repeat(129), op: 'outcomes' }, null, 'INVALID_REQUEST', '/id'],
    ['no op', { id: 1 }, 1, 'INVALID_REQUEST', '/op'],
    ['another op', { id: 1, op: 'constructor' }, 1, 'INVALID_REQUEST', '/op'],
    ['an unknown field', { ...redeem(1), more: 1 }, 1, 'INVALID_REQUEST', '/more'],
    ['an unknown field of outcomes', { id: 1, op: 'outcomes', more: 1 }, 1, 'INVALID_REQUEST', '/more'],
    ['a wrong type', { ...redeem('"1"'), codes: 'SAVE10' }, '"1"', 'INVALID_REQUEST', '/codes'],
    [
      'a money field too large',
      { ...redeem(1), cart: { currency: 'EUR', lines: [], shipping: 2 ** 53 } },
      1,
      'INVALID_REQUEST',
      '/cart/lines',
    ],
    ['get what?', { id: 1, op: 'get' }, 1, 'INVALID_REQUEST', ''],
    ['get two things', { id: 1, op: 'get', coupon: 'A', reservationId: 'B' }, 1, 'INVALID_REQUEST', '/reservationId'],
    ['release a number', { id: 1, op: 'release', reservationId: 7 }, 1, 'INVALID_REQUEST', '/reservationId'],
    ['redeem no reservation', { id: 1, op: 'redeemReservation', orderId: 'o' }, 1, 'INVALID_REQUEST', '/reservationId'],
    ['a topic with more', { id: 1, op: 'subscribe', topic: 'coupon:A', 'x/y': 1 }, 1, 'INVALID_REQUEST', '/x~1y'],
    ['columns with too many rows', rows(1, 4_097), 1, 'INVALID_REQUEST', '/userIds'],
  ])('%s: in JSON and in MessagePack', async (_name, message, id, code, pointer) => {
    for (const send of [client.say.bind(client), client.pack.bind(client)]) {
      send(message)
      const answer = await client.next()
      expect(answer).toMatchObject({ id, ok: false })
      expect(errorOf(answer)).toMatchObject({ code, errors: [{ pointer }] })
    }
    expect(server.shards.commands).toEqual([])
  })

  it('a frame that is not JSON is one error without id', async () => {
    client.send(OPCODE.TEXT, Buffer.from('{"id":1,'))
    expect(await client.next()).toMatchObject({ id: null, ok: false, error: { code: 'INVALID_REQUEST' } })
    client.send(OPCODE.TEXT, Buffer.from('[]'))
    expect(await client.next()).toMatchObject({ id: null, ok: false })
    client.send(OPCODE.BINARY, Buffer.alloc(0))
    expect(await client.next()).toMatchObject({ id: null, ok: false })
  })

  it('a frame with too many messages does nothing', async () => {
    client.say(new Array(FRAME_MESSAGES_MAX + 1).fill(0))
    expect(errorOf(await client.next())).toMatchObject({ code: 'INVALID_REQUEST' })
    client.pack(new Array(FRAME_MESSAGES_MAX + 1).fill(0))
    expect(errorOf(await client.next())).toMatchObject({ code: 'INVALID_REQUEST' })
    client.say(redeem(1))
    expect(await client.next()).toMatchObject({ id: 1, ok: true })
  })

  it('keys of the prototype are unknown fields', async () => {
    client.send(OPCODE.TEXT, Buffer.from('{"id":1,"op":"get","coupon":"SAVE10","__proto__":{"coupon":"X"}}'))
    expect(errorOf(await client.next())).toMatchObject({ errors: [{ pointer: '/__proto__' }] })
  })
})

describe('MessagePack that means harm', () => {
  const four = (head: number) => Buffer.from([head, 0xff, 0xff, 0xff, 0xff])
  it.each<[string, Buffer, string]>([
    ['an array of four billion', four(0xdd), 'ends in the middle'],
    ['a map of four billion', four(0xdf), 'ends in the middle'],
    ['a text of four gigabytes', four(0xdb), 'ends in the middle'],
    [
      'four billion in a message',
      Buffer.concat([Buffer.from([0x82, 0xa2, 0x69, 0x64, 1, 0xa1, 0x78]), four(0xdd)]),
      'ends in the middle',
    ],
    ['deep arrays', Buffer.alloc(100_000, 0x91), 'nests deeper than 16'],
    ['deep maps', Buffer.concat(Array.from({ length: 1_000 }, () => Buffer.from([0x81, 0xa1, 0x61]))), 'nests deeper'],
    ['a binary', Buffer.from([0x81, 0xa2, 0x69, 0x64, 0xc4, 1, 0]), 'is no map, array'],
    ['an extension', Buffer.from([0x81, 0xa2, 0x69, 0x64, 0xd4, 0x72, 0]), 'is no map, array'],
    ['a time', Buffer.from([0x81, 0xa2, 0x69, 0x64, 0xd6, 0xff, 0, 0, 0, 0]), 'is no map, array'],
    ['a byte that is never used', Buffer.from([0xc1]), 'is no map, array'],
    ['a number for a key', Buffer.from([0x81, 0, 1]), 'not a text'],
    ['text that is not UTF-8', Buffer.from([0x81, 0xa2, 0x69, 0x64, 0xa1, 0xff]), 'not valid UTF-8'],
    [
      'two messages without an array',
      Buffer.concat([packr.pack({ id: 1, op: 'outcomes' }), packr.pack({ id: 2, op: 'outcomes' })]),
      'bytes follow',
    ],
    ['columns with a byte behind', Buffer.concat([packr.pack(rows(1, 3)), Buffer.from([0])]), 'bytes follow'],
    ['an array with a byte behind', Buffer.concat([packr.pack([rows(1, 3)]), Buffer.from([0])]), 'bytes follow'],
    ['an array whose second message is cut', packr.pack([redeem(1), redeem(2)]).subarray(0, -3), 'ends in the middle'],
  ])('%s is refused as a whole, and the connection goes on', async (_name, bytes, sentence) => {
    client.send(OPCODE.BINARY, bytes)
    const frame = await client.nextFrame()
    expect(frame.opcode).toBe(OPCODE.BINARY)
    expect(contentOf(frame)).toMatchObject({
      id: null,
      ok: false,
      error: { code: 'INVALID_REQUEST', detail: expect.stringContaining(sentence) },
    })
    expect(server.shards.commands).toEqual([])
    client.say({ id: 1, op: 'outcomes' })
    expect(await client.next()).toMatchObject({ id: 1, ok: true })
  })
})

describe('frames', () => {
  it('an array in JSON is answered in JSON, each message for itself', async () => {
    client.say([redeem(1), { id: 2, op: 'nothing' }, 3, { id: 4, op: 'outcomes' }, rows(5, 2)])
    const answers = await client.messages(5)
    const ends = new Map(answers.map(({ id, ok }) => [id, ok]))
    expect(Object.fromEntries(ends)).toEqual({ 1: true, 2: false, 4: true, 5: true, null: false })
    expect(answers.find(({ id }) => id === 5)).toMatchObject({ outcomes: [0, 0], discounts: [500, 500] })
  })

  it('an array in MessagePack is answered in MessagePack, columns among the rest', async () => {
    client.pack([rows('c', 3), redeem('r'), rows('d', 1), { id: 'bad', op: 'redeemColumns' }])
    const frame = await client.nextFrame()
    expect(frame.opcode).toBe(OPCODE.BINARY)
    const answers = [contentOf(frame)].flat() as Record<string, unknown>[]
    while (answers.length < 4) answers.push(...([await client.next()].flat() as Record<string, unknown>[]))
    const byId = new Map(answers.map((answer) => [answer.id, answer]))
    expect(byId.get('c')).toMatchObject({ ok: true, outcomes: [0, 0, 0], discounts: [500, 500, 500] })
    expect(byId.get('d')).toMatchObject({ ok: true, outcomes: [0] })
    expect(byId.get('r')).toMatchObject({ ok: true, result: { status: 'REDEEMED' } })
    expect(byId.get('bad')).toMatchObject({ ok: false, error: { errors: [{ pointer: '/code' }] } })
  })

  it.each(['JSON', 'MessagePack'])('many answers in %s are cut into frames of at most 1 MiB', async (encoding) => {
    const asked = Array.from({ length: 4_000 }, (_, id) => ({ id, op: 'outcomes' }))
    if (encoding === 'JSON') client.say(asked)
    else client.pack(asked)
    const ids: unknown[] = []
    let frames = 0
    while (ids.length < asked.length) {
      const frame = await client.nextFrame()
      frames += 1
      expect(frame.payload.length).toBeLessThanOrEqual(FRAME_BYTES_MAX)
      ids.push(...(contentOf(frame) as { id: number }[]).map(({ id }) => id))
    }
    expect(ids).toEqual(asked.map(({ id }) => id))
    expect(frames).toBeGreaterThan(1)
  })

  it('single messages get single answers, even when they are answered together', async () => {
    server.shards.script = () => 'hold'
    for (let id = 0; id < 20; id++) client.say(redeem(id))
    await expect.poll(() => server.shards.holding).toBe(20)
    server.shards.release(redemption())
    const ids: unknown[] = []
    for (let id = 0; id < 20; id++) {
      const answer = (await client.next()) as Record<string, unknown>
      expect(Array.isArray(answer)).toBe(false)
      ids.push(answer.id)
    }
    expect(ids).toEqual(Array.from({ length: 20 }, (_, id) => id))
  })

  it('a message may come in fragments', async () => {
    const bytes = packr.pack(rows(1, 100))
    const parts = [bytes.subarray(0, 1), bytes.subarray(1, 500), bytes.subarray(500, 501), bytes.subarray(501)]
    client.sendFragments(OPCODE.BINARY, parts)
    expect(await client.next()).toMatchObject({ id: 1, ok: true, outcomes: new Array(100).fill(0) })
    const text = Buffer.from(JSON.stringify(redeem('f')))
    client.sendFragments(OPCODE.TEXT, [text.subarray(0, 10), text.subarray(10)])
    expect(await client.next()).toMatchObject({ id: 'f', ok: true })
  })

  it('a frame of exactly 1 MiB is read, one byte more closes with 1009', async () => {
    const text = JSON.stringify({ id: 1, op: 'outcomes' })
    client.send(OPCODE.TEXT, Buffer.from(text.padEnd(FRAME_BYTES_MAX)))
    expect(await client.next()).toMatchObject({ id: 1, ok: true })
    client.send(OPCODE.TEXT, Buffer.from(text.padEnd(FRAME_BYTES_MAX + 1)))
    expect(await client.closed).toBe(1009)
    expect(server.dropped).toEqual(['frame too long'])
  })

  it('2 MiB in fragments close with 1009', async () => {
    const part = Buffer.alloc(FRAME_BYTES_MAX / 2, 0x20)
    client.sendFragments(OPCODE.TEXT, [part, part, part, part])
    expect(await client.closed).toBe(1009)
  })

  it('far more than that ends the connection without ceremony', async () => {
    client.send(OPCODE.BINARY, Buffer.alloc(FRAME_BYTES_COLLECTED_MAX + 1))
    expect(await client.closed).toBeNull()
    expect(server.sockets.open).toBe(0)
  })
})

describe('columns', () => {
  it('reach the shard of their code with their elements as sent', async () => {
    client.pack({ ...rows(1, 3), orderTotals: [1, 2_000, 70_000] })
    expect(await client.next()).toEqual({
      id: 1,
      ok: true,
      position: `${server.router.shardOfCode('SAVE10')}:41@1700000000000`,
      outcomes: [0, 0, 0],
      discounts: [500, 500, 500],
    })
    const [command] = server.shards.sent(COMMAND.REDEEM_COLUMNS)
    expect(command).toMatchObject({ count: 3, oneTotal: false })
    expect(textOf(command?.coupon.code ?? { buf: new Uint8Array(), start: 0, end: 0 })).toBe('SAVE10')
    const bytesOfColumn = (column: { buf: Uint8Array; start: number; end: number } | undefined) =>
      Buffer.from(column?.buf.subarray(column.start, column.end) ?? []).toString('hex')
    expect(bytesOfColumn(command?.users)).toBe('a26e30a26e31a26e32')
    expect(bytesOfColumn(command?.totals)).toBe('01cd07d0ce00011170')
  })

  it('are the same command from JSON as from MessagePack', async () => {
    const message = { ...rows(1, 40), userIds: Array.from({ length: 40 }, (_, row) => 'é€🎫'.repeat(1 + (row % 40))) }
    const totals = Array.from(
      { length: 40 },
      (_, row) => [0, 127, 128, 255, 256, 65_536, 2 ** 32, 2 ** 53 - 1][row % 8],
    )
    for (const orderTotals of [totals, 70_000]) {
      server.shards.commands.length = 0
      client.say({ ...message, orderTotals })
      client.pack({ ...message, orderTotals })
      await client.messages(2)
      const [text, binary] = server.shards.sent(COMMAND.REDEEM_COLUMNS)
      for (const column of ['users', 'orders'] as const) {
        const [a, b] = [text?.[column], binary?.[column]]
        expect(a && Buffer.from(a.buf.subarray(a.start, a.end))).toEqual(
          b && Buffer.from(b.buf.subarray(b.start, b.end)),
        )
      }
      expect([text?.count, text?.currency, text?.oneTotal]).toEqual([binary?.count, binary?.currency, binary?.oneTotal])
    }
  })

  it('keep the id they came with, text or number', async () => {
    for (const id of ['frame "7"', 'ü', 0, 300, 2 ** 40]) {
      client.pack(rows(id, 1))
      expect(await client.next()).toMatchObject({ id, ok: true, outcomes: [0] })
      client.say(rows(id, 1))
      expect(await client.next()).toMatchObject({ id, ok: true, outcomes: [0] })
    }
  })

  it('carry refusals as numbers and large discounts exactly', async () => {
    const discounts = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 53 - 1]
    const outcomes = [0, 1, 3, 17, 26, 127, 128, 200, 255]
    server.shards.script = () => columns(outcomes, discounts)
    client.pack(rows(1, 9))
    expect(await client.next()).toMatchObject({ outcomes, discounts })
    client.say(rows(1, 9))
    expect(await client.next()).toMatchObject({ outcomes, discounts })
  })

  it('are refused as a whole by the shard where the coupon says so', async () => {
    server.shards.script = () => refused('COUPON_NOT_FOUND')
    client.pack(rows(1, 2))
    expect(errorOf(await client.next())).toMatchObject({ code: 'COUPON_NOT_FOUND', coupon: 'SAVE10' })
  })

  it('of a code that cannot exist never reach a shard', async () => {
    client.pack({ ...rows(1, 2), code: 'no such code' })
    expect(errorOf(await client.next())).toMatchObject({
      code: 'COUPON_NOT_FOUND',
      status: 422,
      coupon: 'NO SUCH CODE',
    })
    expect(server.shards.commands).toEqual([])
  })

  it('of 65,536 rows may be in flight, and not one message more', async () => {
    server.shards.script = () => 'hold'
    for (let id = 0; id < 16; id++) client.pack(rows(id, 4_096))
    client.say(redeem('over'))
    expect(errorOf(await client.next())).toMatchObject({ code: 'OVERLOADED', status: 503, retryAfter: 1 })
    client.pack(rows('over', 1))
    expect(errorOf(await client.next())).toMatchObject({ code: 'OVERLOADED' })
    expect(server.shards.holding).toBe(16)
    server.shards.release(columns(new Array<number>(4_096).fill(0), new Array<number>(4_096).fill(500)))
    expect(await client.messages(16)).toHaveLength(16)
    server.shards.script = usual
    client.say(redeem('after'))
    expect(await client.next()).toMatchObject({ id: 'after', ok: true })
  })
})

describe('the end of a connection', () => {
  it('answers that come after it are dropped, and the server lives on', async () => {
    server.shards.script = () => 'hold'
    client.say([redeem(1), redeem(2)])
    client.pack(rows(3, 10))
    await expect.poll(() => server.shards.holding).toBe(3)
    client.socket.destroy()
    await expect.poll(() => server.sockets.open).toBe(0)
    server.shards.release(redemption())
    server.shards.script = usual
    client = await connectWebSocket(server.port)
    client.say(redeem(4))
    expect(await client.next()).toMatchObject({ id: 4, ok: true })
    // The one outcome that was no answer to columns is a failure of the script, and was noted.
    expect(server.failures.splice(0)).toHaveLength(1)
  })

  it('a client that does not read is dropped at the bound', async () => {
    client.socket.pause()
    const id = 'x'.repeat(100)
    const many = Array.from({ length: 8_000 }, () => ({ id, op: 'outcomes' }))
    // Each frame asks for several megabytes of answers.
    const frame = Buffer.from(JSON.stringify(many))
    for (let i = 0; i < 40 && server.dropped.length === 0; i++) {
      client.send(OPCODE.TEXT, frame)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await expect.poll(() => server.dropped).toEqual(['slow reader'])
    await expect.poll(() => server.sockets.open).toBe(0)
  })

  it('a stop lets what is in flight be answered, takes nothing new, then closes with 1001', async () => {
    const idle = await connectWebSocket(server.port)
    server.shards.script = () => 'hold'
    client.say(redeem(1))
    await expect.poll(() => server.shards.holding).toBe(1)
    const done = server.sockets.close()
    expect(await idle.closed).toBe(1001)
    client.say(redeem(2))
    expect(errorOf(await client.next())).toMatchObject({ code: 'SHARD_UNAVAILABLE' })
    await expect(connectWebSocket(server.port)).rejects.toMatchObject({ status: 503 })
    server.shards.release(redemption())
    expect(await client.next()).toMatchObject({ id: 1, ok: true })
    expect(await client.closed).toBe(1001)
    await done
  })
})

describe('the upgrade', () => {
  const keys: Record<string, Caller> = {
    'Bearer shop': { role: 'checkout', name: 'shop', keyId: 'key_c' },
    'Bearer boss': { role: 'operations', name: 'boss', keyId: 'key_o' },
    'Bearer ads': { role: 'marketing', name: 'ads', keyId: 'key_m' },
  }
  let guarded: WebSocketServer
  beforeEach(async () => {
    guarded = await startWebSocketServer(usual, { roleOf: (header) => keys[header] ?? null })
  })
  afterEach(() => {
    keys['Bearer shop'] = { role: 'checkout', name: 'shop', keyId: 'key_c' }
    guarded.stop()
  })

  it.each([
    ['no key', {}, 401, 'UNAUTHENTICATED'],
    ['a wrong key', { authorization: 'Bearer nobody' }, 401, 'UNAUTHENTICATED'],
    ['a key of another role', { authorization: 'Bearer ads' }, 403, 'FORBIDDEN'],
  ])('with %s is refused with a problem', async (_name, headers, status, code) => {
    const refusal = await connectWebSocket(guarded.port, '/v1/ws', headers).then(
      () => null,
      (error: unknown) => error as UpgradeRefused,
    )
    expect(refusal).toBeInstanceOf(UpgradeRefused)
    expect(refusal?.status).toBe(status)
    expect(refusal?.head).toMatch(/content-type: application\/problem\+json/i)
    expect(refusal?.head).toMatch(/x-request-id: \S+/i)
    expect(JSON.parse(refusal?.body ?? '')).toMatchObject({ status, code, requestId: expect.any(String) })
  })

  it.each(['Bearer shop', 'Bearer boss'])('with the key "%s" is taken', async (authorization) => {
    const keyed = await connectWebSocket(guarded.port, '/v1/ws', { authorization })
    keyed.say(redeem(1))
    expect(await keyed.next()).toMatchObject({ id: 1, ok: true })
    keyed.socket.destroy()
  })

  it('ends with the key: a revoked one closes the connection', async () => {
    const shop = await connectWebSocket(guarded.port, '/v1/ws', { authorization: 'Bearer shop' })
    shop.say(redeem(1))
    await shop.next()
    delete keys['Bearer shop']
    shop.say(redeem(2))
    expect(await shop.closed).toBe(1008)
    expect(guarded.shards.commands).toHaveLength(1)
    expect(guarded.dropped).toEqual(['key no longer valid'])
  })

  it('without authentication is refused to pages of other origins', async () => {
    const from = (origin: string) => connectWebSocket(server.port, '/v1/ws', { origin })
    await expect(from('https://elsewhere.example')).rejects.toMatchObject({ status: 403 })
    await expect(from('null')).rejects.toMatchObject({ status: 403 })
    const own = await from(`http://127.0.0.1:${server.port}`)
    own.socket.destroy()
  })

  it('is refused while the server is not ready, and so is every message', async () => {
    server.open = false
    await expect(connectWebSocket(server.port)).rejects.toMatchObject({ status: 503 })
    client.say(redeem(1))
    expect(errorOf(await client.next())).toMatchObject({ code: 'SHARD_UNAVAILABLE' })
    client.pack(rows(2, 1))
    expect(errorOf(await client.next())).toMatchObject({ code: 'SHARD_UNAVAILABLE' })
    expect(server.shards.commands).toEqual([])
  })
})
