// Coupons, the form for one of them, and lists: which command reaches which shard, and what comes back.

import { describe, expect, test } from 'vitest'
import { SETTLED } from '../../../engine/transport/port.ts'
import { COMMAND, type Command } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { type Sent, send } from '../support/gateway.ts'
import type { Outcome } from '../../../protocol/outcomes.ts'
import { DEFINITION, coupon, redemption, refused, reservation, validated } from '../support/outcomes.ts'
import { asked, call, CART, CART_ASKED, contract, home, post, REF, running, TOTAL_ASKED } from './gateway.ts'

export function couponCalls(): void {
  describe('the form for one coupon', () => {
    test.each(['/v1/coupons/{coupon}/lock', '/v1/coupons/locked/{coupon}'])('POST %s locks', async (template) => {
      const path = template.replace('{coupon}', 'save10')
      const answer = await call(
        template,
        post(path, { userId: 'u1', orderTotal: 4_999, currency: 'EUR' }),
        reservation(),
      )
      expect(answer).toMatchObject({ status: 201, json: { status: 'LOCKED', lockedBy: 'u1' } })
      const again = await call(template, post(path, { userId: 'u1' }), reservation({ again: true }))
      expect(again.status).toBe(200)
      expect(asked()).toEqual([
        {
          shard: home,
          type: COMMAND.RESERVE,
          coupons: [REF],
          user: 'u1',
          order: null,
          cart: TOTAL_ASKED,
          ttlSeconds: 300,
        },
        { shard: home, type: COMMAND.RESERVE, coupons: [REF], user: 'u1', order: null, cart: null, ttlSeconds: 300 },
      ])
    })

    test.each(['/v1/coupons/{coupon}/redeem', '/v1/coupons/redeem/{coupon}'])('POST %s redeems', async (template) => {
      const path = template.replace('{coupon}', formatId('cpn_', 5, 70))
      const body = { userId: 'u1', orderId: 'o1', cart: CART }
      const answer = await call(template, post(path, body), redemption())
      expect(answer).toMatchObject({
        status: 201,
        json: { status: 'SUCCESS', discountApplied: 500, finalPrice: 4_499, redemptionId: formatId('rdm_', 5, 33) },
      })
      expect((await call(template, post(path, body), redemption({ replayed: true }))).status).toBe(200)
      expect(asked()[0]).toMatchObject({ shard: 5, coupons: [{ code: null, ordinal: 70 }], cart: CART_ASKED })
    })

    test.each([
      ['by code', 'SAVE10', []],
      ['by id, whose code is asked for', formatId('cpn_', 5, 70), [coupon()]],
    ])('a refused lock %s tells what /validate would tell', async (_, named, more) => {
      const verdicts = [{ ordinal: 0, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null }] as const
      const locked = refused('COUPON_LOCKED', { couponIndex: 0, retryAfterMs: 9_000, verdicts })
      const sent = post(`/v1/coupons/${named}/lock`, { userId: 'u1' })
      const answer = await call('/v1/coupons/{coupon}/lock', sent, locked, ...more)
      expect(answer).toMatchObject({
        status: 423,
        json: {
          code: 'COUPON_LOCKED',
          coupon: 'SAVE10',
          coupons: [{ code: 'SAVE10', applicable: false, reason: 'COUPON_LOCKED', detail: 'held' }],
        },
      })
      expect(answer.headers).toMatchObject({ 'retry-after': '9' })
      expect(asked()).toHaveLength(1 + more.length)
    })

    test('a refusal whose code cannot be asked for is the refusal all the same', async () => {
      const verdicts = [{ ordinal: 0, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null }] as const
      const locked = refused('COUPON_LOCKED', { couponIndex: 0, verdicts })
      running.transport.script = ({ command }) =>
        command.type === COMMAND.GET_COUPON ? { settled: SETTLED.NOT_DONE_OVERLOADED } : locked
      const sent = post(`/v1/coupons/${formatId('cpn_', 5, 70)}/lock`, { userId: 'u1' })
      const answer = await send(running.gateway.port, sent)
      contract.assertAnswer('POST', '/v1/coupons/{coupon}/lock', answer)
      expect(answer).toMatchObject({ status: 423, json: { code: 'COUPON_LOCKED' } })
      expect(answer.headers['x-tearoff-position']).toBe('5:7@1795197600123')
    })

    test('GET validate by code, with and without a total', async () => {
      const template = '/v1/coupons/{coupon}/validate'
      await call(template, { path: '/v1/coupons/SAVE10/validate?userId=u1&orderTotal=4999&currency=EUR' }, validated())
      const bare = validated({ price: null, verdicts: [{ ordinal: 0, refusal: null, detail: '', amountMinor: null }] })
      const answer = await call(template, { path: '/v1/coupons/SAVE10/validate' }, bare)
      expect(answer.json).toMatchObject({ valid: true, discount: null })
      expect(asked()).toMatchObject([
        { user: 'u1', cart: TOTAL_ASKED },
        { user: null, cart: null },
      ])
    })

    test('GET validate by id learns the code first', async () => {
      const path = `/v1/coupons/${formatId('cpn_', 5, 70)}/validate`
      const answer = await call('/v1/coupons/{coupon}/validate', { path }, coupon(), validated())
      expect(answer.json).toMatchObject({ coupons: [{ code: 'SAVE10' }] })
      expect(asked()).toMatchObject([
        { shard: 5, type: COMMAND.GET_COUPON },
        { shard: 5, type: COMMAND.VALIDATE, coupons: [REF] },
      ])
    })

    test('a coupon of the path that is not there is 404', async () => {
      const gone = validated({
        price: null,
        verdicts: [{ ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'no', amountMinor: null }],
      })
      const path = '/v1/coupons/SAVE10/validate'
      expect((await call('/v1/coupons/{coupon}/validate', { path }, gone)).status).toBe(404)
      const lock = post('/v1/coupons/SAVE10/lock', { userId: 'u' })
      const answer = await call('/v1/coupons/{coupon}/lock', lock, refused('COUPON_NOT_FOUND'))
      expect(answer).toMatchObject({ status: 404, json: { code: 'COUPON_NOT_FOUND' } })
      expect(answer.json).not.toHaveProperty('coupon')
      for (const malformed of ['a', 'cpn_', 'cpn_zz1', 'S%C3%84VE']) {
        expect((await call('/v1/coupons/{coupon}', { path: `/v1/coupons/${malformed}` })).status).toBe(404)
      }
    })
  })

  describe('coupons', () => {
    const etag = { 'if-match': '"5"' }

    test('creation with a code', async () => {
      const body = { type: 'PERCENT', value: 10, code: 'save10', maxUses: 100 }
      const answer = await call('/v1/coupons', post('/v1/coupons', body), coupon({ version: 1 }))
      expect(answer.status).toBe(201)
      expect(answer.headers).toMatchObject({ location: `/v1/coupons/${formatId('cpn_', home, 0)}`, etag: '"1"' })
      expect(asked()).toEqual([{ shard: home, type: COMMAND.CREATE_COUPON, by: null, definition: DEFINITION }])
    })

    test('creation without a code makes one up, and another when that is taken', async () => {
      const taken = refused('CODE_TAKEN')
      const answer = await call('/v1/coupons', post('/v1/coupons', { type: 'FREESHIP' }), taken, taken, coupon())
      expect(answer.status).toBe(201)
      const codes = running.transport.asked.map(({ command }) => codeOf(command))
      expect(new Set(codes).size).toBe(3)
      for (const [i, code] of codes.entries()) {
        expect(code).toMatch(/^[ABCDEFGHJKLMNPQRSTUVWXYZ23456789]{10}$/)
        expect(running.transport.asked[i]?.shard).toBe(running.router.shardOfCode(code))
      }
    })

    test('creation with a taken code is refused at once', async () => {
      const body = { type: 'FREESHIP', code: 'SAVE10' }
      expect((await call('/v1/coupons', post('/v1/coupons', body), refused('CODE_TAKEN'))).status).toBe(409)
    })

    function codeOf(command: Command): string {
      return command.type === COMMAND.CREATE_COUPON ? command.definition.code : ''
    }

    test('reading', async () => {
      const answer = await call('/v1/coupons/{coupon}', { path: '/v1/coupons/%20save10' }, coupon())
      expect(answer.headers).toMatchObject({ etag: '"5"' })
      expect(asked()).toEqual([{ shard: home, type: COMMAND.GET_COUPON, coupon: REF }])
    })

    test('a patch reads, merges, and replaces at the version that was read', async () => {
      const path = '/v1/coupons/SAVE10'
      const headers = { ...etag, 'content-type': 'application/merge-patch+json' }
      const sent: Sent = { method: 'PATCH', path, headers, body: { maxUses: 7 } }
      const answer = await call('/v1/coupons/{coupon}', sent, coupon(), coupon({ version: 6 }))
      expect(answer.status).toBe(200)
      expect(answer.headers).toMatchObject({ etag: '"6"' })
      expect(asked()[1]).toEqual({
        shard: home,
        type: COMMAND.CHANGE_COUPON,
        coupon: REF,
        by: null,
        change: 'PATCHED',
        reason: null,
        ifVersion: 5,
        definition: { ...DEFINITION, maxUses: 7 },
        validUntilMs: 0,
        override: false,
      })
    })

    test('a patch needs If-Match, and the right one', async () => {
      const path = '/v1/coupons/SAVE10'
      const without = await call('/v1/coupons/{coupon}', { method: 'PATCH', path, body: {} })
      expect(without).toMatchObject({ status: 428, json: { code: 'PRECONDITION_REQUIRED' } })
      for (const tag of ['"4"', 'W/"5"', '5']) {
        const sent: Sent = { method: 'PATCH', path, headers: { 'if-match': tag }, body: {} }
        expect((await call('/v1/coupons/{coupon}', sent, coupon())).json).toMatchObject({ code: 'VERSION_CONFLICT' })
      }
      for (const tag of ['*', '"4", "5"']) {
        const sent: Sent = { method: 'PATCH', path, headers: { 'if-match': tag }, body: {} }
        expect((await call('/v1/coupons/{coupon}', sent, coupon(), coupon())).status).toBe(200)
      }
    })

    test('a patch that would make an impossible coupon points at the field', async () => {
      const sent: Sent = { method: 'PATCH', path: '/v1/coupons/SAVE10', headers: etag, body: { value: 101 } }
      const answer = await call('/v1/coupons/{coupon}', sent, coupon())
      expect(answer).toMatchObject({ status: 400, json: { errors: [{ pointer: '/value' }] } })
    })

    test.each([
      ['POST', '/disable', 'DISABLED'],
      ['POST', '/enable', 'ENABLED'],
      ['DELETE', '', 'DELETED'],
    ])('%s %s switches', async (method, suffix, change) => {
      const answer = await call(
        `/v1/coupons/{coupon}${suffix}`,
        { method, path: `/v1/coupons/SAVE10${suffix}` },
        coupon(),
      )
      expect(answer.status).toBe(200)
      expect(asked()).toEqual([{ shard: home, type: COMMAND.SWITCH_COUPON, coupon: REF, by: null, change }])
    })

    test('extend and expire', async () => {
      const until = { validUntil: '2027-01-01T00:00:00Z', reason: 'more', override: true }
      await call('/v1/coupons/{coupon}/extend', post('/v1/coupons/SAVE10/extend', until), coupon(), coupon())
      await call('/v1/coupons/{coupon}/expire', post('/v1/coupons/SAVE10/expire', { reason: 'over' }), coupon())
      const change = { type: COMMAND.CHANGE_COUPON, shard: home, coupon: REF, by: null, ifVersion: 0, definition: null }
      expect(asked()).toEqual([
        { shard: home, type: COMMAND.GET_COUPON, coupon: REF },
        { ...change, change: 'EXTENDED', reason: 'more', validUntilMs: Date.UTC(2027, 0, 1), override: true },
        { ...change, change: 'EXPIRED', reason: 'over', validUntilMs: 0, override: false },
      ])
    })
  })

  describe('lists', () => {
    test.each<[string, string, ...Outcome[]]>([
      ['/v1/coupons', '/v1/coupons?limit=1'],
      ['/v1/coupons/search', '/v1/coupons/search?search_term=summer&limit=1'],
      ['/v1/coupons/{coupon}/history', '/v1/coupons/SAVE10/history', coupon(), redemption()],
      ['/v1/reservations', '/v1/reservations?userId=u1', reservation()],
      ['/v1/redemptions', '/v1/redemptions?orderId=o1', redemption({ seq: 33 })],
    ])('GET %s is a page that says how far behind it may be', async (template, path, ...outcomes) => {
      const answer = await call(template, { path }, ...outcomes)
      expect(answer).toMatchObject({ status: 200, headers: { 'x-tearoff-lag-ms': '12' } })
      expect((answer.json as { data: unknown[] }).data).toHaveLength(1)
    })
  })
}
