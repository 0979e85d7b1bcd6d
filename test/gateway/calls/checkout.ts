// Checkout calls: which command reaches which shard, and what comes back.

import { describe, expect, test } from 'vitest'
import { COMMAND, NO_SHARD } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { redemption, reservation, validated } from '../support/outcomes.ts'
import { across, asked, call, CART, CART_ASKED, home, post, REDEEM, REF } from './gateway.ts'

export function checkoutCalls(): void {
  describe('redemptions', () => {
    test('a new one is 201 with its place and position', async () => {
      const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), redemption())
      const redemptionId = formatId('rdm_', home, 33)
      expect(answer).toMatchObject({ status: 201, json: { redemptionId, status: 'REDEEMED', userId: 'u1' } })
      expect(answer.headers).toMatchObject({
        location: `/v1/redemptions/${redemptionId}`,
        'x-tearoff-position': `${home}:7@1795197600123`,
        'content-type': 'application/json',
      })
      expect(answer.headers).not.toHaveProperty('idempotent-replayed')
      expect(asked()).toEqual([
        { shard: home, type: COMMAND.REDEEM, coupons: [REF], user: 'u1', order: 'o1', cart: CART_ASKED, ttlSeconds: 0 },
      ])
    })

    test('a replayed one is 200 and says so', async () => {
      const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), redemption({ replayed: true }))
      expect(answer.status).toBe(200)
      expect(answer.headers).toMatchObject({ 'idempotent-replayed': 'true' })
      expect(answer.headers).not.toHaveProperty('location')
    })

    test('read, reverse', async () => {
      const path = `/v1/redemptions/${formatId('rdm_', 9, 33)}`
      expect((await call('/v1/redemptions/{id}', { path }, redemption())).status).toBe(200)
      const reversed = redemption({ reversed: { atMs: 1_795_197_600_000, reason: 'refund' } })
      const body = { reason: 'refund', returnUse: false }
      const answer = await call('/v1/redemptions/{id}/reverse', post(`${path}/reverse`, body), reversed)
      expect(answer).toMatchObject({ status: 200, json: { status: 'REVERSED', reason: 'refund' } })
      expect(asked()).toEqual([
        { shard: 9, type: COMMAND.GET_REDEMPTION, seq: 33 },
        { shard: 9, type: COMMAND.REVERSE, redemptionSeq: 33, reason: 'refund', returnUse: false },
      ])
    })

    test.each(['rdm_', 'rdm_zz5', 'rsv_091', 'rdm_0901', 'x'])(
      'the id %s is not found without asking a shard',
      async (id) => {
        const answer = await call('/v1/redemptions/{id}', { path: `/v1/redemptions/${id}` })
        expect(answer).toMatchObject({ status: 404, json: { code: 'REDEMPTION_NOT_FOUND' } })
      },
    )
  })

  describe('reservations', () => {
    test('a new one is 201, the open one again 200', async () => {
      const body = { codes: ['save10'], userId: 'u1', ttlSeconds: 60 }
      const first = await call('/v1/reservations', post('/v1/reservations', body), reservation())
      expect(first.status).toBe(201)
      expect(first.headers).toMatchObject({ location: `/v1/reservations/${formatId('rsv_', home, 32)}` })
      const again = await call('/v1/reservations', post('/v1/reservations', body), reservation({ again: true }))
      expect(again.status).toBe(200)
      expect(again.headers).not.toHaveProperty('location')
      expect(asked()[0]).toEqual({
        shard: home,
        type: COMMAND.RESERVE,
        coupons: [REF],
        user: 'u1',
        order: null,
        cart: null,
        ttlSeconds: 60,
      })
    })

    test('read, extend, redeem, release', async () => {
      const path = `/v1/reservations/${formatId('rsv_', 2, 32)}`
      await call('/v1/reservations/{id}', { path }, reservation({ status: 'EXPIRED' }))
      await call('/v1/reservations/{id}/extend', post(`${path}/extend`, { ttlSeconds: 90 }), reservation())
      const body = { orderId: 'o1', cart: CART, allowLate: true }
      const redeemed = redemption({ reservationSeq: 32 })
      const answer = await call('/v1/reservations/{id}/redeem', post(`${path}/redeem`, body), redeemed)
      expect(answer).toMatchObject({ status: 201, json: { reservationId: formatId('rsv_', 2, 32) } })
      const released = await call('/v1/reservations/{id}', { method: 'DELETE', path }, { type: OUTCOME.RELEASED })
      expect(released).toMatchObject({ status: 204, text: '' })
      expect(released.headers).not.toHaveProperty('content-length')
      expect(asked()).toEqual([
        { shard: 2, type: COMMAND.GET_RESERVATION, seq: 32 },
        { shard: 2, type: COMMAND.EXTEND_RESERVATION, reservationSeq: 32, ttlSeconds: 90 },
        {
          shard: 2,
          type: COMMAND.REDEEM_RESERVATION,
          reservationSeq: 32,
          order: 'o1',
          cart: CART_ASKED,
          allowLate: true,
        },
        { shard: 2, type: COMMAND.RELEASE, reservationSeq: 32 },
      ])
    })

    test('a reservation redeemed twice by its order is replayed', async () => {
      const path = `/v1/reservations/${formatId('rsv_', 2, 32)}/redeem`
      const answer = await call(
        '/v1/reservations/{id}/redeem',
        post(path, { orderId: 'o1' }),
        redemption({ replayed: true }),
      )
      expect(answer.status).toBe(200)
      expect(answer.headers).toMatchObject({ 'idempotent-replayed': 'true' })
    })
  })

  describe('validation', () => {
    test('of codes on one shard is one command', async () => {
      const answer = await call('/v1/validate', post('/v1/validate', { codes: ['SAVE10'], cart: CART }), validated())
      expect(answer).toMatchObject({ status: 200, json: { valid: true, discount: { total: 500 } } })
      expect(asked()).toEqual([
        {
          shard: home,
          type: COMMAND.VALIDATE,
          coupons: [REF],
          user: null,
          order: null,
          cart: CART_ASKED,
          ttlSeconds: 0,
        },
      ])
    })

    test.each(['x', 'no such', 'CPN_1'])(
      'of the malformed code %s alone asks one shard, which says that it does not exist',
      async (code) => {
        const unknown = {
          ordinal: -1,
          refusal: 'COUPON_NOT_FOUND',
          detail: 'there is none',
          amountMinor: null,
        } as const
        const outcome = across(validated({ verdicts: [unknown], price: null }))
        const answer = await call('/v1/validate', post('/v1/validate', { codes: [code], cart: CART }), outcome)
        expect(answer).toMatchObject({
          status: 200,
          json: { valid: false, discount: null, coupons: [{ code: code.toUpperCase(), reason: 'COUPON_NOT_FOUND' }] },
        })
        expect(asked()).toMatchObject([{ shard: 0, type: COMMAND.STACK, shards: [NO_SHARD] }])
      },
    )
  })
}
