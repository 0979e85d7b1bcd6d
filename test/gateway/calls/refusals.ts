// What is refused: which command reaches which shard, and what comes back.

import { describe, expect, test } from 'vitest'
import { SETTLED } from '../../../engine/transport/port.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { REFUSALS, type RefusalCode } from '../../../protocol/refusals.ts'
import { type Sent, send } from '../support/gateway.ts'
import { coupon, refused, reservation } from '../support/outcomes.ts'
import { asked, call, CART, contract, home, post, REDEEM, running } from './gateway.ts'

export function refusals(): void {
  describe('refusals', () => {
    const sentences: readonly RefusalCode[] = (Object.keys(REFUSALS) as RefusalCode[]).filter(
      (code) => ![404, 410, 412].includes(REFUSALS[code].status),
    )

    test.each(sentences)('%s of a redemption has its status and names the code', async (code) => {
      const outcome = refused(code, {
        couponIndex: 0,
        verdicts: [{ ordinal: 0, refusal: code, detail: 'why', amountMinor: null }],
      })
      const answer = await call('/v1/redemptions', post('/v1/redemptions', REDEEM), outcome)
      expect(answer.status).toBe(REFUSALS[code].status)
      expect(answer.json).toMatchObject({
        code,
        detail: 'a sentence',
        coupon: 'SAVE10',
        coupons: [{ code: 'SAVE10', applicable: false, reason: code, detail: 'why' }],
      })
      expect(answer.headers['x-tearoff-position']).toBe(`${home}:7@1795197600123`)
    })

    test.each<[RefusalCode, string, string]>([
      ['RESERVATION_NOT_FOUND', '/v1/reservations/{id}', `/v1/reservations/${formatId('rsv_', 1, 2)}`],
      ['REDEMPTION_NOT_FOUND', '/v1/redemptions/{id}', `/v1/redemptions/${formatId('rdm_', 1, 2)}`],
      ['COUPON_NOT_FOUND', '/v1/coupons/{coupon}', '/v1/coupons/SAVE10'],
    ])('%s is 404', async (code, template, path) => {
      expect(await call(template, { path }, refused(code))).toMatchObject({ status: 404, json: { code } })
    })

    test('a refused redemption of a reservation names the coupons of the reservation', async () => {
      const path = `/v1/reservations/${formatId('rsv_', 1, 2)}/redeem`
      const verdicts = [{ ordinal: 0, refusal: 'CURRENCY_MISMATCH', detail: 'why', amountMinor: null }] as const
      const outcome = refused('CURRENCY_MISMATCH', { couponIndex: 0, verdicts })
      const sent = post(path, { orderId: 'o', cart: CART })
      const answer = await call('/v1/reservations/{id}/redeem', sent, outcome, reservation())
      expect(answer).toMatchObject({
        status: 422,
        json: {
          code: 'CURRENCY_MISMATCH',
          coupon: 'SAVE10',
          coupons: [{ code: 'SAVE10', applicable: false, reason: 'CURRENCY_MISMATCH', detail: 'why' }],
        },
      })
      expect(asked()).toMatchObject([
        { shard: 1, type: COMMAND.REDEEM_RESERVATION },
        { shard: 1, type: COMMAND.GET_RESERVATION, seq: 2 },
      ])
    })

    test('RESERVATION_EXPIRED is 410', async () => {
      const path = `/v1/reservations/${formatId('rsv_', 1, 2)}/redeem`
      const sent = post(path, { orderId: 'o' })
      expect((await call('/v1/reservations/{id}/redeem', sent, refused('RESERVATION_EXPIRED'))).status).toBe(410)
    })

    test('a version that moved meanwhile is 412', async () => {
      const sent: Sent = { method: 'PATCH', path: '/v1/coupons/SAVE10', headers: { 'if-match': '*' }, body: {} }
      expect((await call('/v1/coupons/{coupon}', sent, coupon(), refused('VERSION_CONFLICT'))).status).toBe(412)
    })

    test.each([
      [0, '1'],
      [1, '1'],
      [1_001, '2'],
      [300_000, '300'],
    ])('COUPON_LOCKED that may end in %d ms asks to come back in %s s', async (retryAfterMs, seconds) => {
      const answer = await call(
        '/v1/redemptions',
        post('/v1/redemptions', REDEEM),
        refused('COUPON_LOCKED', { retryAfterMs }),
      )
      expect(answer.headers).toMatchObject({ 'retry-after': seconds })
    })

    test.each([
      [SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED', '1'],
      [SETTLED.NOT_DONE_UNAVAILABLE, 'SHARD_UNAVAILABLE', undefined],
      [SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN', undefined],
      [SETTLED.STORAGE, 'STORAGE_UNAVAILABLE', undefined],
    ])('a call that settles as %d is 503 %s', async (settled, code, retryAfter) => {
      running.transport.script = () => ({ settled })
      const answer = await send(running.gateway.port, post('/v1/redemptions', REDEEM))
      contract.assertAnswer('POST', '/v1/redemptions', answer)
      expect(answer).toMatchObject({ status: 503, json: { code } })
      expect(answer.headers['retry-after']).toBe(retryAfter)
    })

    test('an answer that cannot be read is OUTCOME_UNKNOWN and reported', async () => {
      running.transport.script = () => 'garbage'
      const answer = await send(running.gateway.port, post('/v1/redemptions', REDEEM))
      expect(answer).toMatchObject({ status: 503, json: { code: 'OUTCOME_UNKNOWN' } })
      expect(running.log.some((line) => line['msg'] === 'the gateway failed at a call')).toBe(true)
    })
  })
}
