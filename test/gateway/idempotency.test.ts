// `Idempotency-Key` over real shards: every operation that takes one, every step at which a process may die, and what is
// kept for replays and what is not.

import { describe, expect, test } from 'vitest'
import { takesKey } from '../../gateway/idempotency/idempotency.ts'
import { KEY_WAIT_MS_MAX } from '../../gateway/limits.ts'
import { type OperationName, OPERATIONS } from '../../gateway/operations/operation-table.ts'
import { ROUTES } from '../../gateway/http/routes.ts'
import { KEY_WINDOW_MS } from '../../engine/domain/limits.ts'
import { SETTLED } from '../../engine/transport/port.ts'
import { COMMAND, type Command } from '../../protocol/commands.ts'
import { EVENT } from '../../protocol/events.ts'
import type { Fate } from './support/actor-transport.ts'
import { type Asked, codeOf, KeyedWorld, type Told } from './support/keyed-world.ts'

const EUR_10 = { orderTotal: 1_000, currency: 'EUR' } as const

interface Case {
  readonly operation: OperationName
  readonly status: number
  readonly ask: (world: KeyedWorld) => Promise<Asked>
}

function onCoupon(operation: OperationName, body?: unknown): Case {
  const ask = async (world: KeyedWorld): Promise<Asked> => ({
    operation,
    target: await world.coupon({ maxUses: 5, validUntil: '2030-01-01T00:00:00Z' }),
    body,
  })
  return { operation, status: 200, ask }
}

function onCampaign(operation: OperationName, more: Partial<Asked> = {}): Case {
  const ask = async (world: KeyedWorld): Promise<Asked> => ({ operation, target: await world.campaign(), ...more })
  return { operation, status: 200, ask }
}

/** Every operation that takes a key, with a request that it grants. */
const CASES: readonly Case[] = [
  {
    operation: 'createCampaign',
    status: 201,
    ask: async () => ({ operation: 'createCampaign', body: { name: 'sale', offer: { type: 'FREESHIP' } } }),
  },
  onCampaign('patchCampaign', { ifMatch: '"1"', body: { maxUses: 9 } }),
  onCampaign('disableCampaign'),
  {
    operation: 'enableCampaign',
    status: 200,
    ask: async (world) => {
      const target = await world.campaign()
      await world.call({ operation: 'disableCampaign', target }, null)
      return { operation: 'enableCampaign', target }
    },
  },
  {
    operation: 'claimCoupon',
    status: 201,
    ask: async (world) => ({ operation: 'claimCoupon', target: await world.pool(3), body: { userId: 'ann' } }),
  },
  {
    operation: 'createCodes',
    status: 202,
    ask: async (world) => ({ operation: 'createCodes', target: await world.campaign(), body: { count: 3 } }),
  },
  {
    operation: 'generateCoupons',
    status: 202,
    ask: async () => ({ operation: 'generateCoupons', body: { type: 'FREESHIP', count: 1_001 } }),
  },
  {
    operation: 'cancelJob',
    status: 200,
    ask: async (world) => ({ operation: 'cancelJob', target: await world.job() }),
  },
  {
    operation: 'importCoupons',
    status: 202,
    ask: async () => ({
      operation: 'importCoupons',
      received: { format: 'CSV', file: 'spooled', bytes: 22 },
      // What the digest of a file is does not matter here: only whether it is the same.
      body: { format: 'CSV', bytes: 22, sha256: 'ab'.repeat(32) },
    }),
  },
  {
    operation: 'createCoupon',
    status: 201,
    ask: async (world) => ({
      operation: 'createCoupon',
      body: { code: world.name('NEW'), type: 'PERCENT', value: 10 },
    }),
  },
  {
    operation: 'patchCoupon',
    status: 200,
    ask: async (world) => ({
      operation: 'patchCoupon',
      target: await world.coupon(),
      ifMatch: '"1"',
      body: { maxUses: 9 },
    }),
  },
  onCoupon('disableCoupon'),
  onCoupon('deleteCoupon'),
  {
    operation: 'enableCoupon',
    status: 200,
    ask: async (world) => {
      const target = await world.coupon()
      await world.call({ operation: 'disableCoupon', target }, null)
      return { operation: 'enableCoupon', target }
    },
  },
  onCoupon('extendCoupon', { validUntil: '2031-01-01T00:00:00Z', reason: 'more' }),
  onCoupon('expireCoupon', { reason: 'over' }),
  { ...onCoupon('lockCoupon', { userId: 'ann', orderTotal: 1_000, currency: 'EUR' }), status: 201 },
  {
    operation: 'reserve',
    status: 201,
    ask: async (world) => ({
      operation: 'reserve',
      body: { codes: [await world.coupon()], userId: 'ann', cart: EUR_10 },
    }),
  },
  {
    operation: 'extendReservation',
    status: 200,
    ask: async (world) => {
      const target = await world.reservation(await world.coupon())
      return { operation: 'extendReservation', target, body: { ttlSeconds: 900 } }
    },
  },
  {
    operation: 'releaseReservation',
    status: 204,
    ask: async (world) => ({
      operation: 'releaseReservation',
      target: await world.reservation(await world.coupon()),
    }),
  },
  {
    operation: 'reverseRedemption',
    status: 200,
    ask: async (world) => {
      const target = await world.redemption(await world.coupon())
      return { operation: 'reverseRedemption', target, body: { reason: 'refund' } }
    },
  },
]

/** What a replay has to have of the first answer: everything. */
function asReplay(told: Told): Told {
  return { ...told, replayed: true }
}

test('every write that no order makes safe takes a key, and has a case here', () => {
  const keyed = Object.values(OPERATIONS).filter((operation) => takesKey(operation))
  expect(keyed.map(({ name }) => name).toSorted()).toEqual(CASES.map(({ operation }) => operation).toSorted())
  const safe = new Set(['validate', 'redeem', 'redeemReservation', 'redeemCoupon'])
  for (const { method, operation } of ROUTES) {
    expect(takesKey(operation), operation.name).toBe(method !== 'GET' && !safe.has(operation.name))
  }
})

describe.each(CASES)('$operation', ({ status, ask }) => {
  test('again with the same key is the first answer, and done once', async () => {
    const world = new KeyedWorld()
    const asked = await ask(world)
    const before = world.effects().length
    const first = await world.call(asked, 'a key')
    expect(first).toMatchObject({ status, replayed: false })
    const done = world.effects().slice(before)
    expect(done.at(-1)?.type).toBe(EVENT.OPERATION_DONE)
    world.transport.nowMs += 60_000
    expect(await world.call(asked, 'a key')).toEqual(asReplay(first))
    world.transport.crash()
    expect(await world.call(asked, 'a key')).toEqual(asReplay(first))
    expect(world.effects().slice(before)).toEqual(done)
    expect(world.failures).toEqual([])
  })

  test.each<[string, (command: Command) => Fate]>([
    ['the operation reached its shard', (command) => (isKeyedWrite(command) ? 'LOST' : 'ANSWERED')],
    ['its shard had answered', (command) => (isKeyedWrite(command) ? 'ANSWER_LOST' : 'ANSWERED')],
    ['its answer was logged', (command) => (command.type === COMMAND.ANSWER_KEY ? 'LOST' : 'ANSWERED')],
    ['its answer was told', (command) => (command.type === COMMAND.ANSWER_KEY ? 'ANSWER_LOST' : 'ANSWERED')],
  ])('is done once where the process dies before %s', async (_, fateOf) => {
    const world = new KeyedWorld()
    const asked = await ask(world)
    const before = world.effects().length
    world.transport.fateOf = fateOf
    const lost = new Promise<void>((resolve) => {
      world.transport.whenLost = resolve
    })
    void world.call(asked, 'a key')
    await lost
    world.transport.fateOf = () => 'ANSWERED'
    world.transport.crash()
    const second = await world.call(asked, 'a key')
    expect(second).toMatchObject({ status })
    expect(await world.call(asked, 'a key')).toEqual(asReplay(second))
    const done = world.effects().slice(before)
    expect(done.filter(({ type }) => type === EVENT.OPERATION_DONE)).toHaveLength(1)
    expect(done.at(-1)?.type).toBe(EVENT.OPERATION_DONE)
    expect(world.failures).toEqual([])
  })

  test('64 times at once with one key is one effect and one answer', async () => {
    const world = new KeyedWorld()
    const asked = await ask(world)
    const before = world.effects().length
    const told = await Promise.all(Array.from({ length: 64 }, () => world.call(asked, 'a key')))
    expect(told.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect(new Set(told.map((one) => JSON.stringify(asReplay(one)))).size).toBe(1)
    const done = world.effects().slice(before)
    expect(done.filter(({ type }) => type === EVENT.OPERATION_DONE)).toHaveLength(1)
  })

  test('as somebody else, or with another key, is another call', async () => {
    const world = new KeyedWorld()
    const asked = await ask(world)
    const shop = { role: 'operations', name: 'a', keyId: 'key_a' } as const
    await world.call({ ...asked, caller: shop }, 'a key')
    expect((await world.call({ ...asked, caller: { ...shop, keyId: 'key_b' } }, 'a key')).replayed).toBe(false)
    expect((await world.call({ ...asked, caller: shop }, 'another key')).replayed).toBe(false)
    expect((await world.call({ ...asked, caller: { ...shop, name: 'renamed' } }, 'a key')).replayed).toBe(true)
  })
})

function isKeyedWrite(command: Command): boolean {
  return (
    command.type === COMMAND.KEYED &&
    command.inner.type !== COMMAND.GET_COUPON &&
    command.inner.type !== COMMAND.GET_CAMPAIGN
  )
}

describe('a generated code', () => {
  test('is the same after a crash, so there is one coupon', async () => {
    const world = new KeyedWorld()
    const asked: Asked = { operation: 'createCoupon', body: { type: 'PERCENT', value: 10 } }
    world.transport.fateOf = (command) => (isKeyedWrite(command) ? 'ANSWER_LOST' : 'ANSWERED')
    const lost = new Promise<void>((resolve) => {
      world.transport.whenLost = resolve
    })
    void world.call(asked, 'a key')
    await lost
    world.transport.fateOf = () => 'ANSWERED'
    world.transport.crash()
    const second = await world.call(asked, 'a key')
    const created = world.transport.events().filter((event) => event.type === EVENT.COUPON_CREATED)
    expect(created.map(({ definition }) => definition.code)).toEqual([codeOf(second)])
    expect(codeOf(await world.call(asked, 'another key'))).not.toBe(codeOf(second))
  })
})

describe('the same key', () => {
  const body = { code: 'ONE', type: 'PERCENT', value: 10 }
  test.each<[string, Asked]>([
    ['another body', { operation: 'createCoupon', body: { ...body, value: 11 } }],
    ['another operation', { operation: 'disableCoupon', target: 'ONE' }],
    ['a body with a member more', { operation: 'createCoupon', body: { ...body, listed: false } }],
  ])('with %s is a conflict, and the first answer stays', async (_, other) => {
    const world = new KeyedWorld()
    const first = await world.call({ operation: 'createCoupon', body }, 'k')
    const conflict = await world.call(other, 'k')
    expect([conflict.status, codeOf(conflict), conflict.replayed]).toEqual([422, 'IDEMPOTENCY_KEY_CONFLICT', false])
    expect(conflict.position).toMatch(/^\d+:\d+@\d+$/)
    expect(await world.call({ operation: 'createCoupon', body }, 'k')).toEqual(asReplay(first))
  })

  test('with another coupon, or another version, is a conflict', async () => {
    const world = new KeyedWorld()
    const patch: Asked = {
      operation: 'patchCoupon',
      target: await world.coupon(),
      ifMatch: '"1"',
      body: { maxUses: 9 },
    }
    await world.call(patch, 'k')
    for (const other of [{ target: await world.coupon() }, { ifMatch: '"2"' }]) {
      expect(codeOf(await world.call({ ...patch, ...other }, 'k'))).toBe('IDEMPOTENCY_KEY_CONFLICT')
    }
  })

  test('with the same members in another order is the same request', async () => {
    const world = new KeyedWorld()
    const first = await world.call({ operation: 'createCoupon', body }, 'k')
    const turned = { value: 10, type: 'PERCENT', code: 'ONE' }
    expect(await world.call({ operation: 'createCoupon', body: turned }, 'k')).toEqual(asReplay(first))
  })

  test('after 24 hours is a new one', async () => {
    const world = new KeyedWorld()
    const asked: Asked = { operation: 'createCoupon', body }
    await world.call(asked, 'k')
    world.transport.nowMs += KEY_WINDOW_MS - 1
    expect(await world.call(asked, 'k')).toMatchObject({ status: 201, replayed: true })
    world.transport.nowMs += 1
    world.transport.sweep()
    const anew = await world.call(asked, 'k')
    expect([anew.status, codeOf(anew), anew.replayed]).toEqual([409, 'CODE_TAKEN', false])
  })
})

/** A refusal that is kept: what it needs, what is asked, what undoes its cause. */
const REFUSED: readonly (readonly [
  number,
  string,
  (world: KeyedWorld) => Promise<{ readonly asked: Asked; readonly mend: () => Promise<unknown> }>,
])[] = [
  [
    404,
    'COUPON_NOT_FOUND',
    async (world) => ({
      asked: { operation: 'disableCoupon', target: 'LATER' },
      mend: () => world.call({ operation: 'createCoupon', body: { code: 'LATER', type: 'PERCENT', value: 10 } }, null),
    }),
  ],
  [
    404,
    'RESERVATION_NOT_FOUND',
    async () => ({ asked: { operation: 'releaseReservation', target: 'no id' }, mend: async () => {} }),
  ],
  [
    409,
    'CODE_TAKEN',
    async (world) => ({
      asked: { operation: 'createCoupon', body: { code: await world.coupon(), type: 'PERCENT', value: 10 } },
      mend: async () => {},
    }),
  ],
  [
    410,
    'RESERVATION_EXPIRED',
    async (world) => {
      const target = await world.reservation(await world.coupon())
      world.transport.nowMs += 3_600_000
      return { asked: { operation: 'extendReservation', target, body: { ttlSeconds: 60 } }, mend: async () => {} }
    },
  ],
  [
    412,
    'VERSION_CONFLICT',
    async (world) => {
      const target = await world.coupon()
      const asked: Asked = { operation: 'patchCoupon', target, ifMatch: '"2"', body: { maxUses: 9 } }
      return { asked, mend: () => world.call({ operation: 'disableCoupon', target }, null) }
    },
  ],
  [
    422,
    'COUPON_DISABLED',
    async (world) => {
      const target = await world.coupon()
      await world.call({ operation: 'disableCoupon', target }, null)
      const asked: Asked = { operation: 'reserve', body: { codes: [target], userId: 'u', cart: EUR_10 } }
      return { asked, mend: () => world.call({ operation: 'enableCoupon', target }, null) }
    },
  ],
  [
    423,
    'COUPON_LOCKED',
    async (world) => {
      const target = await world.coupon({ maxUses: 1 })
      const reservation = await world.reservation(target)
      const asked: Asked = { operation: 'lockCoupon', target, body: { userId: 'another', ...EUR_10 } }
      return { asked, mend: () => world.call({ operation: 'releaseReservation', target: reservation }, null) }
    },
  ],
]

describe('a refusal', () => {
  test.each(REFUSED)('%i %s is the same again, after its cause is gone too', async (status, code, prepare) => {
    const world = new KeyedWorld()
    const { asked, mend } = await prepare(world)
    const first = await world.call(asked, 'k')
    expect([first.status, codeOf(first), first.replayed]).toEqual([status, code, false])
    expect(first.retryAfterSeconds > 0).toBe(status === 423)
    await mend()
    expect(await world.call(asked, 'k')).toEqual(asReplay(first))
    world.transport.crash()
    expect(await world.call(asked, 'k')).toEqual(asReplay(first))
    expect(world.failures).toEqual([])
  })

  test('of a malformed request is not kept, claims nothing, and leaves its key to the mended one', async () => {
    const world = new KeyedWorld()
    const malformed: Asked = { operation: 'createCoupon', body: { code: 'ONE', type: 'PERCENT', value: 200 } }
    for (let i = 0; i < 2; i++) {
      const told = await world.call(malformed, 'k')
      expect([told.status, codeOf(told), told.replayed]).toEqual([400, 'INVALID_REQUEST', false])
    }
    expect(world.transport.events()).toEqual([])
    const mended = { ...malformed, body: { code: 'ONE', type: 'PERCENT', value: 20 } }
    expect(await world.call(mended, 'k')).toMatchObject({ status: 201, replayed: false })
  })

  test('of a PATCH that turns out to be malformed on the coupon it finds is not kept either', async () => {
    const world = new KeyedWorld()
    const patch: Asked = {
      operation: 'patchCoupon',
      target: await world.coupon(),
      ifMatch: '"1"',
      body: { code: 'NO' },
    }
    for (let i = 0; i < 2; i++) {
      expect(await world.call(patch, 'k')).toMatchObject({ status: 400, replayed: false })
    }
    expect(await world.call({ ...patch, body: { maxUses: 9 } }, 'k')).toMatchObject({ status: 200, replayed: false })
  })

  test.each([
    ['without the right role', { caller: { role: 'checkout', name: 'c', keyId: 'key_c' } as const }, 403],
    ['without a precondition', { ifMatch: '' }, 428],
  ])('%s claims nothing', async (_, change, status) => {
    const world = new KeyedWorld()
    const patch: Asked = {
      operation: 'patchCoupon',
      target: await world.coupon(),
      ifMatch: '"1"',
      body: { maxUses: 9 },
    }
    const before = world.transport.events()
    expect(await world.call({ ...patch, ...change }, 'k')).toMatchObject({ status, replayed: false })
    expect(world.transport.events()).toEqual(before)
  })

  test.each([
    ['', 400],
    ['k', 201],
    ['ü'.repeat(128), 201],
    ['k'.repeat(129), 400],
  ])('of a key of bad length: "%s" gives %i', async (key, status) => {
    const world = new KeyedWorld()
    const body = { code: 'ONE', type: 'PERCENT', value: 10 }
    expect((await world.call({ operation: 'createCoupon', body }, key)).status).toBe(status)
  })

  test.each([
    ['the shard of the key', COMMAND.CLAIM_KEY],
    ['the shard of the coupon', COMMAND.KEYED],
  ])('of %s that is overloaded is not kept, and the key is free at once', async (_, type) => {
    const world = new KeyedWorld()
    const asked: Asked = { operation: 'createCoupon', body: { code: 'ONE', type: 'PERCENT', value: 10 } }
    world.transport.fateOf = (command) =>
      command.type === type ? { settled: SETTLED.NOT_DONE_OVERLOADED } : 'ANSWERED'
    const refused = await world.call(asked, 'k')
    expect([refused.status, codeOf(refused), refused.replayed]).toEqual([503, 'OVERLOADED', false])
    world.transport.fateOf = () => 'ANSWERED'
    expect(await world.call(asked, 'k')).toMatchObject({ status: 201, replayed: false })
  })
})

describe('an answer that cannot be logged', () => {
  const asked: Asked = { operation: 'createCoupon', body: { code: 'ONE', type: 'PERCENT', value: 10 } }

  test('at once is logged a little later', async () => {
    const world = new KeyedWorld()
    let tries = 0
    world.transport.fateOf = ({ type }) =>
      type === COMMAND.ANSWER_KEY && tries++ < 3 ? { settled: SETTLED.NOT_DONE_OVERLOADED } : 'ANSWERED'
    expect(await world.call(asked, 'k')).toMatchObject({ status: 201, replayed: false })
    expect(tries).toBe(4)
  })

  test('at all is undecided for its caller, and found again with the key', async () => {
    const world = new KeyedWorld()
    world.transport.fateOf = ({ type }) => (type === COMMAND.ANSWER_KEY ? { settled: SETTLED.UNKNOWN } : 'ANSWERED')
    const undecided = await world.call(asked, 'k')
    expect([undecided.status, codeOf(undecided)]).toEqual([503, 'OUTCOME_UNKNOWN'])
    world.transport.fateOf = () => 'ANSWERED'
    world.transport.crash()
    expect(await world.call(asked, 'k')).toMatchObject({ status: 201, replayed: false })
  })
})

test('a call waits for one with its key that is under way, but not for ever', {
  timeout: KEY_WAIT_MS_MAX * 4,
}, async () => {
  const world = new KeyedWorld()
  const asked: Asked = { operation: 'createCoupon', body: { code: 'ONE', type: 'PERCENT', value: 10 } }
  world.transport.fateOf = (command) => (isKeyedWrite(command) ? 'ANSWER_LOST' : 'ANSWERED')
  void world.call(asked, 'k')
  const second = await world.call(asked, 'k')
  expect([second.status, codeOf(second)]).toEqual([503, 'OUTCOME_UNKNOWN'])
})
