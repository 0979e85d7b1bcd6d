// Codes that live on several shards: which command reaches which shard, and what comes back.

import { beforeAll, describe, expect, test } from 'vitest'
import { SETTLED } from '../../../engine/transport/port.ts'
import { COMMAND, NO_SHARD } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { type NamedCoupon, OUTCOME } from '../../../protocol/outcomes.ts'
import type { PriceFact } from '../../../protocol/price.ts'
import { send } from '../support/gateway.ts'
import { PRICE, redemption, refused, reservation, validated } from '../support/outcomes.ts'
import { across, asked, call, CART, CART_ASKED, codeWhere, contract, home, post, REDEEM, running } from './gateway.ts'

export function callsOverShards(): void {
  describe('codes on several shards', () => {
    const PRICE_OF_TWO: PriceFact = {
      ...PRICE,
      amounts: [500, 450],
      lines: [{ lineId: '0', amountMinor: 4_999, perCoupon: [500, 450] }],
    }
    let low = ''
    let high = ''
    let lowShard = 0
    let highShard = 0
    let codes: readonly string[] = []
    let named: readonly NamedCoupon[] = []
    beforeAll(() => {
      const other = codeWhere((shard) => shard !== home)
      const isLower = running.router.shardOfCode(other) < home
      ;[low, high] = isLower ? [other, 'SAVE10'] : ['SAVE10', other]
      lowShard = running.router.shardOfCode(low)
      highShard = running.router.shardOfCode(high)
      // The one on the higher shard first: who coordinates does not hang on the order of the codes.
      codes = [high, low]
      named = [
        { shard: highShard, ordinal: 4, code: high },
        { shard: lowShard, ordinal: 2, code: low },
      ]
    })

    /** Positions as the client sees them: of the coordinator alone, and of both. */
    const one = (): string => `${lowShard}:7@1795197600123`
    const both = (): string => `${one()}, ${highShard}:${100 + highShard}@1795197600100`
    const namedInAnswer = (): object[] => [
      { couponId: formatId('cpn_', highShard, 4), code: high, amount: 500 },
      { couponId: formatId('cpn_', lowShard, 2), code: low, amount: 450 },
    ]

    test('are one command to the lowest of these, with the shard of each', async () => {
      const done = redemption({ coupons: named, price: PRICE_OF_TWO })
      const answer = await call(
        '/v1/redemptions',
        post('/v1/redemptions', { ...REDEEM, codes }),
        across(done, highShard),
      )
      expect(asked()).toEqual([
        {
          shard: lowShard,
          type: COMMAND.STACK,
          shards: [highShard, lowShard],
          call: {
            type: COMMAND.REDEEM,
            coupons: codes.map((code) => ({ code, ordinal: -1 })),
            user: 'u1',
            order: 'o1',
            cart: CART_ASKED,
            ttlSeconds: 0,
          },
        },
      ])
      const redemptionId = formatId('rdm_', lowShard, 33)
      expect(answer).toMatchObject({
        status: 201,
        json: { redemptionId, discount: { total: 950, finalPrice: 4_049 }, coupons: namedInAnswer() },
        headers: { location: `/v1/redemptions/${redemptionId}`, 'x-tearoff-position': one() },
      })
    })

    test('of three codes on two shards, each stands in its own place', async () => {
      const third = codeWhere((shard) => shard === highShard)
      const three = [third, low, high].filter((code, i, all) => all.indexOf(code) === i)
      await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes: three }), refused('ORDER_CONFLICT'))
      expect(asked()).toMatchObject([
        { shard: lowShard, shards: three.map((code) => running.router.shardOfCode(code)) },
      ])
    })

    test('a replayed redemption is 200 and has the position of the coordinator alone', async () => {
      const done = redemption({ coupons: named, price: PRICE_OF_TWO, replayed: true })
      const answer = await call(
        '/v1/redemptions',
        post('/v1/redemptions', { ...REDEEM, codes }),
        across(done, highShard),
      )
      expect(answer).toMatchObject({
        status: 200,
        json: { coupons: namedInAnswer() },
        headers: { 'idempotent-replayed': 'true', 'x-tearoff-position': one() },
      })
    })

    test('a reservation names its coupons wherever they live', async () => {
      const open = reservation({ coupons: named, price: PRICE_OF_TWO })
      const sent = post('/v1/reservations', { codes, userId: 'u1', ttlSeconds: 60, cart: CART })
      const answer = await call('/v1/reservations', sent, across(open, highShard))
      const reservationId = formatId('rsv_', lowShard, 32)
      expect(answer).toMatchObject({
        status: 201,
        json: { reservationId, coupons: namedInAnswer() },
        headers: { location: `/v1/reservations/${reservationId}`, 'x-tearoff-position': one() },
      })
      expect(asked()).toMatchObject([
        { shard: lowShard, type: COMMAND.STACK, call: { type: COMMAND.RESERVE, ttlSeconds: 60 } },
      ])
      const path = `/v1/reservations/${reservationId}`
      const read = await call('/v1/reservations/{id}', { path }, open)
      expect(read).toMatchObject({ status: 200, json: { coupons: namedInAnswer() } })
    })

    test('its redemption, extension and release go to the coordinator by the id alone', async () => {
      const path = `/v1/reservations/${formatId('rsv_', lowShard, 32)}`
      const open = reservation({ coupons: named })
      const extend = post(`${path}/extend`, { ttlSeconds: 90 })
      const extended = await call('/v1/reservations/{id}/extend', extend, across(open, highShard))
      expect(extended).toMatchObject({ status: 200, headers: { 'x-tearoff-position': one() } })
      const done = redemption({ coupons: named, price: PRICE_OF_TWO, reservationSeq: 32 })
      const redeem = post(`${path}/redeem`, { orderId: 'o1' })
      const answer = await call('/v1/reservations/{id}/redeem', redeem, across(done, highShard))
      expect(answer).toMatchObject({
        status: 201,
        json: { reservationId: formatId('rsv_', lowShard, 32), coupons: namedInAnswer() },
        headers: { 'x-tearoff-position': one() },
      })
      const released = across({ type: OUTCOME.RELEASED }, highShard)
      expect((await call('/v1/reservations/{id}', { method: 'DELETE', path }, released)).status).toBe(204)
      expect(asked()).toMatchObject([
        { shard: lowShard, type: COMMAND.EXTEND_RESERVATION },
        { shard: lowShard, type: COMMAND.REDEEM_RESERVATION },
        { shard: lowShard, type: COMMAND.RELEASE },
      ])
    })

    test('a reversal goes to the coordinator by the id alone', async () => {
      const reversed = redemption({
        coupons: named,
        price: PRICE_OF_TWO,
        reversed: { atMs: 1_795_197_600_000, reason: 'refund' },
      })
      const sent = post(`/v1/redemptions/${formatId('rdm_', lowShard, 33)}/reverse`, { reason: 'refund' })
      const answer = await call('/v1/redemptions/{id}/reverse', sent, across(reversed))
      expect(answer).toMatchObject({ status: 200, json: { status: 'REVERSED', coupons: namedInAnswer() } })
      expect(answer.headers['x-tearoff-position']).toBe(one())
    })

    test('a validation lists the position of every shard that judged, the coordinator first', async () => {
      const verdicts = [
        { ordinal: 4, refusal: null, detail: '', amountMinor: 500 },
        { ordinal: 2, refusal: null, detail: '', amountMinor: 450 },
      ]
      const outcome = across(validated({ verdicts, price: PRICE_OF_TWO }), highShard)
      const answer = await call('/v1/validate', post('/v1/validate', { codes, userId: 'u1', cart: CART }), outcome)
      expect(answer).toMatchObject({
        status: 200,
        json: {
          valid: true,
          discount: { total: 950, finalPrice: 4_049 },
          coupons: [
            { code: high, couponId: formatId('cpn_', highShard, 4), applicable: true, amount: 500 },
            { code: low, couponId: formatId('cpn_', lowShard, 2), applicable: true, amount: 450 },
          ],
        },
        headers: { 'x-tearoff-position': both() },
      })
      expect(asked()).toMatchObject([{ shard: lowShard, type: COMMAND.STACK, call: { type: COMMAND.VALIDATE } }])
    })

    test('so does a refusal, which names the code and says of each what is the matter', async () => {
      const verdicts = [
        { ordinal: 4, refusal: 'COUPON_LOCKED', detail: 'held', amountMinor: null },
        { ordinal: 2, refusal: null, detail: '', amountMinor: 450 },
      ] as const
      const locked = refused('COUPON_LOCKED', { couponIndex: 0, retryAfterMs: 41_001, verdicts })
      const answer = await call(
        '/v1/redemptions',
        post('/v1/redemptions', { ...REDEEM, codes }),
        across(locked, highShard),
      )
      expect(answer).toMatchObject({
        status: 423,
        json: {
          code: 'COUPON_LOCKED',
          coupon: high,
          coupons: [
            { code: high, applicable: false, reason: 'COUPON_LOCKED', detail: 'held' },
            { code: low, couponId: formatId('cpn_', lowShard, 2), applicable: true, amount: 450 },
          ],
        },
        headers: { 'retry-after': '42', 'x-tearoff-position': both() },
      })
    })

    test('a refused redemption of a reservation names the coupons of all its shards', async () => {
      const verdicts = [
        { ordinal: 4, refusal: null, detail: '', amountMinor: 500 },
        { ordinal: 2, refusal: 'MIN_ORDER_NOT_MET', detail: 'why', amountMinor: null },
      ] as const
      const outcome = across(refused('MIN_ORDER_NOT_MET', { couponIndex: 1, verdicts }), highShard)
      const sent = post(`/v1/reservations/${formatId('rsv_', lowShard, 32)}/redeem`, { orderId: 'o', cart: CART })
      const answer = await call('/v1/reservations/{id}/redeem', sent, outcome, reservation({ coupons: named }))
      expect(answer).toMatchObject({
        status: 422,
        json: {
          code: 'MIN_ORDER_NOT_MET',
          coupon: low,
          coupons: [
            { code: high, couponId: formatId('cpn_', highShard, 4), applicable: true },
            { code: low, applicable: false },
          ],
        },
        headers: { 'x-tearoff-position': both() },
      })
    })

    test('a code that cannot exist has no shard; the others are judged', async () => {
      const verdicts = [
        { ordinal: -1, refusal: 'COUPON_NOT_FOUND', detail: 'there is no such coupon', amountMinor: null },
        { ordinal: 0, refusal: null, detail: '', amountMinor: 500 },
      ] as const
      const body = { codes: ['no such', 'SAVE10'], cart: CART }
      const outcome = across(validated({ verdicts, price: null }))
      const answer = await call('/v1/validate', post('/v1/validate', body), outcome)
      expect(answer.json).toEqual({
        valid: false,
        discount: null,
        coupons: [
          { code: 'NO SUCH', applicable: false, reason: 'COUPON_NOT_FOUND', detail: 'there is no such coupon' },
          { code: 'SAVE10', couponId: formatId('cpn_', home, 0), applicable: true, amount: 500 },
        ],
      })
      expect(asked()).toMatchObject([{ shard: home, type: COMMAND.STACK, shards: [NO_SHARD, home] }])
      const gone = across(refused('COUPON_NOT_FOUND', { couponIndex: 0, verdicts }))
      const redeemed = await call('/v1/redemptions', post('/v1/redemptions', { ...REDEEM, codes: body.codes }), gone)
      expect(redeemed).toMatchObject({
        status: 422,
        json: { code: 'COUPON_NOT_FOUND', coupon: 'NO SUCH', coupons: [{ code: 'NO SUCH' }, { code: 'SAVE10' }] },
      })
    })

    test.each([
      [SETTLED.NOT_DONE_UNAVAILABLE, 'SHARD_UNAVAILABLE'],
      [SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED'],
      [SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN'],
    ])('a coordinator that settles as %d is 503 %s', async (settled, code) => {
      running.transport.script = () => ({ settled })
      const answer = await send(running.gateway.port, post('/v1/redemptions', { ...REDEEM, codes }))
      contract.assertAnswer('POST', '/v1/redemptions', answer)
      expect(answer).toMatchObject({ status: 503, json: { code } })
    })
  })
}
