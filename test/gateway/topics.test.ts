// Topics over a real socket, with a clock that ticks by hand and a coupon whose counters the test moves.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SESSION_TOPICS_MAX, TOPIC_POLL_MS, TOPIC_PUSH_GAP_MS } from '../../gateway/websocket/websocket-limits.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { formatId } from '../../protocol/ids.ts'
import { connectWebSocket, OPCODE, type WsClient } from '../support/ws-client.ts'
import { campaign } from './support/outcomes.ts'
import { coupon, refused } from './support/websocket-outcomes.ts'
import { type Scripted, startWebSocketServer, type WebSocketServer } from './support/websocket-server.ts'

let server: WebSocketServer
let client: WsClient
let answer: Scripted

beforeEach(async () => {
  answer = coupon({ uses: 1 })
  server = await startWebSocketServer(() => answer)
  client = await connectWebSocket(server.port)
})
afterEach(() => {
  client.socket.destroy()
  server.stop()
  // Not an expectation of one test: nothing that any of them does may make the gateway fail.
  if (server.failures.length > 0) throw new AggregateError(server.failures, 'the gateway failed')
})

const SAVE10 = { id: 1, op: 'subscribe', topic: 'coupon:SAVE10' }

function pushOf(uses: number, topic = 'coupon:SAVE10'): Record<string, unknown> {
  return { topic, uses, reserved: 0, remaining: 100 - uses, status: 'ACTIVE' }
}

/** Lets one tick pass and everything asked in it be answered; returns when a frame sent afterwards is answered. */
async function tick(listener: WsClient = client): Promise<unknown[]> {
  server.clock.tick()
  return roundTrip(listener)
}

/** The pushes that arrived before the answer to a message sent now. */
async function roundTrip(listener: WsClient): Promise<unknown[]> {
  // A read of the same coupon settles after the one that the tick asked for, and its answer leaves after the push.
  listener.say({ id: 'fence', op: 'get', coupon: 'SAVE10' })
  const before: unknown[] = []
  for (;;) {
    const message = (await listener.next()) as Record<string, unknown>
    if (message.id === 'fence') return before
    before.push(message)
  }
}

describe('a topic', () => {
  it('is answered, pushed at once, and then whenever it has changed', async () => {
    client.say(SAVE10)
    expect(await client.next()).toEqual({ id: 1, ok: true, result: { topic: 'coupon:SAVE10' } })
    expect(await client.next()).toEqual(pushOf(1))
    expect(await tick()).toEqual([])
    answer = coupon({ uses: 2 })
    expect(await tick()).toEqual([pushOf(2)])
    expect(await tick()).toEqual([])
    answer = coupon({ uses: 2, reserved: 3, status: 'LOCKED' })
    expect(await tick()).toEqual([{ topic: 'coupon:SAVE10', uses: 2, reserved: 3, remaining: 95, status: 'LOCKED' }])
  })

  it('of an unlimited coupon has no remaining uses to tell', async () => {
    const unlimited = coupon()
    answer = { ...unlimited, definition: { ...unlimited.definition, maxUses: null } }
    client.say(SAVE10)
    await client.next()
    expect(await client.next()).toMatchObject({ remaining: null })
  })

  it('is pushed in the encoding it was subscribed in, the answer first, also out of an array', async () => {
    client.pack([SAVE10])
    const first = await client.nextFrame()
    expect(first.opcode).toBe(OPCODE.BINARY)
    expect(first.payload[0]).toBe(0x91)
    expect(await client.next()).toEqual(pushOf(1))
    client.say([{ ...SAVE10, id: 2, topic: 'coupon: save10' }])
    expect(await client.next()).toEqual([{ id: 2, ok: true, result: { topic: 'coupon: save10' } }])
    expect(await client.next()).toEqual(pushOf(1, 'coupon: save10'))
  })

  it('is read once for all who listen, by code in any spelling', async () => {
    const other = await connectWebSocket(server.port)
    client.say(SAVE10)
    await client.messages(2)
    other.say({ ...SAVE10, topic: 'coupon: save10 ' })
    expect(await other.messages(2)).toEqual([
      { id: 1, ok: true, result: { topic: 'coupon: save10 ' } },
      pushOf(1, 'coupon: save10 '),
    ])
    expect(server.sockets.topics).toBe(1)
    expect(server.shards.commands).toHaveLength(1)
    answer = coupon({ uses: 9 })
    server.clock.tick()
    expect(await client.next()).toEqual(pushOf(9))
    expect(await other.next()).toEqual(pushOf(9, 'coupon: save10 '))
    expect(server.shards.commands).toHaveLength(2)
    other.socket.destroy()
  })

  it('may be named by the id of the coupon', async () => {
    const topic = `coupon:${formatId('cpn_', 6, 3)}`
    client.say({ ...SAVE10, topic })
    expect((await client.messages(2))[1]).toEqual(pushOf(1, topic))
    expect(server.shards.commands[0]).toMatchObject({ shard: 6, command: { coupon: { code: null, ordinal: 3 } } })
  })

  it('is pushed at most ten times a second, and the last state is never lost', async () => {
    client.say(SAVE10)
    await client.messages(2)
    // A second listener comes shortly before a tick; the change at that tick is too early for it.
    const late = await connectWebSocket(server.port)
    server.clock.nowMs += 50
    late.say(SAVE10)
    await late.messages(2)
    answer = coupon({ uses: 2 })
    server.clock.tick(TOPIC_POLL_MS - 50)
    expect(await roundTrip(late)).toEqual([])
    expect(await tick(late)).toEqual([pushOf(2)])
    late.socket.destroy()

    let pushes = 0
    const startMs = server.clock.nowMs
    for (let uses = 3; uses < 60; uses++) {
      answer = coupon({ uses })
      pushes += (await tick()).length
    }
    const seconds = (server.clock.nowMs - startMs) / 1_000
    expect(pushes / seconds).toBeLessThanOrEqual(10)
    expect(pushes / seconds).toBeGreaterThan(9)
    expect(TOPIC_POLL_MS).toBeGreaterThan(TOPIC_PUSH_GAP_MS)
    await tick()
    expect(await tick()).toEqual([])
  })

  it('waits while its shard cannot be asked, and goes on after', async () => {
    client.say(SAVE10)
    await client.messages(2)
    answer = { settled: SETTLED.NOT_DONE_UNAVAILABLE }
    server.clock.tick()
    client.say({ id: 'fence', op: 'outcomes' })
    expect(await client.next()).toMatchObject({ id: 'fence' })
    answer = coupon({ uses: 5 })
    expect(await tick()).toEqual([pushOf(5)])
  })

  it('is asked for once at a time, however slow the shard', async () => {
    client.say(SAVE10)
    await client.messages(2)
    answer = 'hold'
    for (let i = 0; i < 5; i++) server.clock.tick()
    expect(server.shards.holding).toBe(1)
    server.shards.release(coupon({ uses: 7 }))
    expect(await client.next()).toEqual(pushOf(7))
  })
})

describe('the end of a topic', () => {
  it('unsubscribe ends pushes, reads and the timer', async () => {
    client.say(SAVE10)
    await client.messages(2)
    client.say({ id: 2, op: 'unsubscribe', topic: 'coupon:SAVE10' })
    expect(await client.next()).toEqual({ id: 2, ok: true, result: { topic: 'coupon:SAVE10' } })
    expect(server.sockets.topics).toBe(0)
    expect(server.clock.running).toBe(0)
    client.say({ id: 3, op: 'unsubscribe', topic: 'coupon:SAVE10' })
    expect(await client.next()).toMatchObject({ id: 3, ok: true })
    client.say(SAVE10)
    expect(await client.messages(2)).toHaveLength(2)
    expect(server.clock.running).toBe(1)
  })

  it('a closed connection ends its topics, one that is being asked for too', async () => {
    client.say(SAVE10)
    await client.messages(2)
    answer = 'hold'
    server.clock.tick()
    client.socket.destroy()
    await expect.poll(() => server.sockets.topics).toBe(0)
    expect(server.clock.running).toBe(0)
    server.shards.release(coupon({ uses: 8 }))
    expect(server.sockets.open).toBe(0)
  })

  it('a subscription taken back before it was answered is answered', async () => {
    answer = 'hold'
    client.say(SAVE10)
    client.say({ id: 2, op: 'unsubscribe', topic: 'coupon:SAVE10' })
    const answers = await client.messages(2)
    expect(answers.map(({ id, ok }) => [id, ok])).toEqual([
      [1, true],
      [2, true],
    ])
    server.shards.release(coupon())
    answer = coupon()
    expect(await roundTrip(client)).toEqual([])
  })
})

describe('a topic of a campaign', () => {
  const topic = `campaign:${formatId('cmp_', 2, 3)}`
  const pushed = (uses: number): Record<string, unknown> => ({
    topic,
    uses,
    reserved: 6,
    remaining: 994 - uses,
    status: 'ACTIVE',
  })

  it('is answered, pushed at once, and whenever its counters have changed', async () => {
    answer = campaign({ uses: 4 })
    client.say({ id: 1, op: 'subscribe', topic })
    expect(await client.next()).toEqual({ id: 1, ok: true, result: { topic } })
    expect(await client.next()).toEqual(pushed(4))
    expect(server.shards.commands[0]).toMatchObject({ shard: 2, command: { type: COMMAND.GET_CAMPAIGN, index: 3 } })
    answer = campaign({ uses: 5 })
    server.clock.tick()
    expect(await client.next()).toEqual(pushed(5))
  })

  it('that does not exist is refused', async () => {
    answer = refused('CAMPAIGN_NOT_FOUND')
    client.say({ id: 1, op: 'subscribe', topic })
    expect(await client.next()).toMatchObject({ id: 1, ok: false, error: { code: 'CAMPAIGN_NOT_FOUND', status: 404 } })
    expect(server.sockets.topics).toBe(0)
  })
})

describe('what cannot be subscribed', () => {
  it.each([
    ['a coupon that cannot exist', 'coupon:no', 'COUPON_NOT_FOUND'],
    ['an id of no shard', `coupon:${formatId('cpn_', 999, 1)}`, 'COUPON_NOT_FOUND'],
    ['a campaign that cannot exist', 'campaign:cmp_1', 'CAMPAIGN_NOT_FOUND'],
    ['anything else', 'weather', 'INVALID_REQUEST'],
    ['an endless topic', `coupon:${'A'.repeat(200)}`, 'INVALID_REQUEST'],
    ['no topic', undefined, 'INVALID_REQUEST'],
  ])('%s', async (_name, topic, code) => {
    client.say({ id: 1, op: 'subscribe', topic })
    expect(await client.next()).toMatchObject({ id: 1, ok: false, error: { code } })
    expect(server.shards.commands).toEqual([])
    expect(server.sockets.topics).toBe(0)
  })

  it('a coupon that does not exist, and later does', async () => {
    answer = refused('COUPON_NOT_FOUND')
    client.say(SAVE10)
    expect(await client.next()).toMatchObject({ id: 1, ok: false, error: { code: 'COUPON_NOT_FOUND', status: 404 } })
    expect(server.sockets.topics).toBe(0)
    expect(server.clock.running).toBe(0)
    answer = coupon()
    client.say(SAVE10)
    expect((await client.messages(2))[1]).toEqual(pushOf(0))
  })

  it('more topics than a connection may have', async () => {
    for (let i = 0; i < SESSION_TOPICS_MAX; i++) client.say({ id: i, op: 'subscribe', topic: `coupon:CODE${i}` })
    await client.messages(2 * SESSION_TOPICS_MAX)
    client.say({ id: 'more', op: 'subscribe', topic: 'coupon:MORE' })
    expect(await client.next()).toMatchObject({ id: 'more', ok: false, error: { code: 'OVERLOADED' } })
    client.say({ id: 'again', op: 'subscribe', topic: 'coupon:CODE7' })
    expect(await client.next()).toMatchObject({ id: 'again', ok: true })
    expect(server.shards.sent(COMMAND.GET_COUPON)).toHaveLength(SESSION_TOPICS_MAX)
  })
})
