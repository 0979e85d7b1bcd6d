// Who sends unusually many wrong codes is told once a window, by user and by address, in figures and in the log.

import { expect, test } from 'vitest'
import { ADDRESS_GUESSES, GUESSING_REPORTS, SERVICE_GUESSES, USER_GUESSES } from '../../gateway/guard/guard-limits.ts'
import { type Guesser, Guessing } from '../../gateway/guard/guessing.ts'
import { SubjectHash } from '../../gateway/guard/rate-limits.ts'
import { send, startTestGateway } from './support/gateway.ts'
import { refused } from './support/websocket-outcomes.ts'

const hash = new SubjectHash((length) => new Uint8Array(length).fill(3))
const ADDRESS = hash.ofAddress(new Uint8Array([192, 0, 2, 1]))
const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 1, unitPrice: 4_999 }] }

function watch(): { guessing: Guessing; told: Guesser[]; clock: { nowMs: number } } {
  const told: Guesser[] = []
  const clock = { nowMs: 1_000 }
  return {
    guessing: new Guessing(
      () => clock.nowMs,
      (guesser) => told.push(guesser),
    ),
    told,
    clock,
  }
}

test('a user is told of at the first code beyond what is usual, and once a window', () => {
  const { guessing, told, clock } = watch()
  const user = hash.ofUser('u1')
  for (let i = 0; i < USER_GUESSES.tokens; i++) guessing.ofUser(user, 'u1', 1)
  expect(told).toEqual([])
  guessing.ofUser(user, 'u1', 1)
  expect(told).toEqual([{ by: 'user', subject: 'u1', moreThan: 9, windowSeconds: 60 }])
  for (let i = 0; i < 100; i++) guessing.ofUser(user, 'u1', 1)
  expect(told).toHaveLength(1)
  clock.nowMs += 60_000
  for (let i = 0; i < 100; i++) guessing.ofUser(user, 'u1', 1)
  expect(told).toHaveLength(2)
  expect(guessing.found).toEqual({ user: 2, address: 0 })
})

test('somebody who mistypes now and then is never told of', () => {
  const { guessing, told, clock } = watch()
  for (let i = 0; i < 1_000; i++) {
    guessing.ofUser(hash.ofUser('u1'), 'u1', 1)
    clock.nowMs += 10_000
  }
  expect(told).toEqual([])
})

test('an address with a key may have many buyers behind it', () => {
  const { guessing, told } = watch()
  for (let i = 0; i <= ADDRESS_GUESSES.tokens; i++) guessing.ofAddress(ADDRESS, () => '192.0.2.1', true, 1)
  expect(told).toEqual([])
  guessing.ofAddress(ADDRESS, () => '192.0.2.1', true, SERVICE_GUESSES.tokens)
  expect(told).toMatchObject([{ by: 'address', subject: '192.0.2.1' }])
  const other = watch()
  for (let i = 0; i <= ADDRESS_GUESSES.tokens; i++) other.guessing.ofAddress(ADDRESS, () => '192.0.2.1', false, 1)
  expect(other.told).toMatchObject([{ by: 'address', moreThan: ADDRESS_GUESSES.tokens }])
  expect(other.guessing.wrongCodes).toBe(ADDRESS_GUESSES.tokens + 1)
})

test('an attack by very many users is counted whole and told within bounds', () => {
  const { guessing, told } = watch()
  for (let user = 0; user < 1_000; user++) {
    for (let i = 0; i <= USER_GUESSES.tokens; i++) guessing.ofUser(hash.ofUser(`u${user}`), `u${user}`, 1)
  }
  expect(guessing.found.user).toBe(1_000)
  expect(told).toHaveLength(GUESSING_REPORTS.tokens)
})

test('over HTTP it is in the figures and in the log, and neither names the user', async () => {
  const { gateway, transport, log } = await startTestGateway()
  transport.script = () => refused('COUPON_NOT_FOUND')
  const path = '/v1/redemptions'
  const body = { codes: ['SAVE10'], userId: 'secret-user', orderId: 'o1', cart: CART }
  for (let i = 0; i <= USER_GUESSES.tokens; i++) await send(gateway.port, { method: 'POST', path, body })
  const { text } = await send(gateway.port, { path: '/metrics' })
  expect(text).toContain(`\ntearoff_wrong_codes_total ${USER_GUESSES.tokens + 1}\n`)
  expect(text).toContain('\ntearoff_guessing_total{by="user"} 1\n')
  expect(text).toContain('\ntearoff_guessing_total{by="address"} 0\n')
  expect(log).toMatchObject([{ by: 'user', msg: 'somebody guesses codes' }])
  expect(text + JSON.stringify(log)).not.toContain('secret-user')
  await gateway.close()
})
