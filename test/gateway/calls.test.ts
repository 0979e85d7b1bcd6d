// Every call of the contract over the real server, by theme (`calls/`). They share one gateway, because in the end every success
// of the served document has to have been met.

import { expect, test } from 'vitest'
import { ROUTES } from '../../gateway/http/routes.ts'
import { campaignCalls } from './calls/campaigns.ts'
import { checkoutCalls } from './calls/checkout.ts'
import { couponCalls } from './calls/coupons.ts'
import { refusals } from './calls/refusals.ts'
import { callsOverShards } from './calls/several-shards.ts'
import { call, contract, withGateway } from './calls/gateway.ts'

withGateway()
checkoutCalls()
couponCalls()
callsOverShards()
refusals()
campaignCalls()

test('GET /v1/events is a page of the feed', async () => {
  expect((await call('/v1/events', { path: '/v1/events' })).json).toMatchObject({
    data: [{ type: 'EXPIRED', couponId: 'cpn_003' }],
    nextCursor: null,
  })
})

test('every route of the table has been answered with each of its successes', () => {
  const wanted = ROUTES.flatMap(({ method, path }) =>
    Object.keys(contract.operation(method, path).responses)
      .filter((status) => status.startsWith('2'))
      .map((status) => `${method} ${path} ${status}`),
  )
  expect(wanted.filter((success) => !contract.met.has(success))).toEqual([])
})
