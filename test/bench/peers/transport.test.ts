// The transport of peers under the product's own gateway, over a store in memory; and the proof that every server of the
// bench has to pass, which has to find each of the mistakes that the store can be told to make.

import { afterEach, describe, expect, it } from 'vitest'
import { PeerTransport } from '../../../bench/peers/peer-transport.ts'
import { prove, sameAnswers } from '../../../bench/peers/proof.ts'
import { Router } from '../../../engine/routing.ts'
import type { Gateway } from '../../../gateway/server.ts'
import { SECRET, send, startTestGateway } from '../../gateway/support/gateway.ts'
import { MemoryStore, type Mistake } from './memory-store.ts'

const AT_MS = Date.UTC(2026, 10, 20, 18)

interface Peer {
  readonly gateway: Gateway
  readonly transport: PeerTransport
  readonly store: MemoryStore
  readonly baseUrl: string
  readonly errors: unknown[]
  nowMs: number
}

const running: Gateway[] = []

afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.close()
})

async function startPeer(mistake: Mistake = 'none'): Promise<Peer> {
  const store = new MemoryStore(mistake)
  const errors: unknown[] = []
  const clock = { nowMs: AT_MS }
  const transport = new PeerTransport(
    store,
    () => clock.nowMs,
    (error) => errors.push(error),
  )
  const { gateway } = await startTestGateway({ transport, router: new Router(transport.shards, SECRET) })
  running.push(gateway)
  const baseUrl = `http://127.0.0.1:${gateway.port}`
  return Object.assign(clock, { gateway, transport, store, baseUrl, errors })
}

/** Names of the checks that do not hold. */
async function failedProof(mistake: Mistake): Promise<string[]> {
  const peer = await startPeer(mistake)
  const { checks } = await prove('peer', peer.baseUrl)
  return checks.filter(({ holds }) => !holds).map(({ name }) => name.replace('peer: ', ''))
}

describe('the proof', () => {
  it('is passed by a store that does everything', async () => {
    expect(await failedProof('none')).toEqual([])
  })

  it('finds a store that forgets orders', async () => {
    expect(await failedProof('forgetsOrders')).toContain('the same order again')
  })

  it('finds a store that forgets users', async () => {
    expect(await failedProof('forgetsUsers')).toEqual(
      expect.arrayContaining(['another order of the user', 'uses of one user in a race']),
    )
  })

  it('finds a store that looks first and counts later', async () => {
    expect(await failedProof('awaitBetween')).toEqual(
      expect.arrayContaining(['uses taken in a race', 'first answers of one order in a race']),
    )
  })

  it('compares whole answers, whatever ids and times they carry', async () => {
    const [one, other] = [await startPeer(), await startPeer()]
    other.nowMs += 86_400_000
    const proofs = new Map([
      ['one', await prove('one', one.baseUrl)],
      ['other', await prove('other', other.baseUrl)],
    ])
    expect(sameAnswers(proofs)).toMatchObject([{ name: 'other answers as one', holds: true }])
    const changed = { checks: [], answers: (proofs.get('one')?.answers ?? '').replace('562', '561') }
    expect(sameAnswers(new Map([...proofs, ['changed', changed]]))).toMatchObject([{ holds: true }, { holds: false }])
  })
})

describe('a peer behind the gateway', () => {
  const coupon = { code: 'SAVE10', type: 'PERCENT', value: 10, maxUses: 5, validUntil: '2026-11-20T19:00:00Z' }
  const redemption = { codes: ['SAVE10'], userId: 'u1', orderId: 'o1', cart: { currency: 'EUR', lines: [line()] } }

  function line(): object {
    return { productId: 'p1', quantity: 1, unitPrice: 4_999 }
  }

  it('gives the first answer again after the coupon has expired, and nothing new', async () => {
    const peer = await startPeer()
    const { port } = peer.gateway
    await send(port, { method: 'POST', path: '/v1/coupons', body: coupon })
    const first = await send(port, { method: 'POST', path: '/v1/redemptions', body: redemption })
    peer.nowMs = Date.parse(coupon.validUntil)
    const again = await send(port, { method: 'POST', path: '/v1/redemptions', body: redemption })
    const late = await send(port, { method: 'POST', path: '/v1/redemptions', body: { ...redemption, orderId: 'o2' } })
    expect(first.status).toBe(201)
    expect({ status: again.status, text: again.text }).toEqual({ status: 200, text: first.text })
    expect(late.json).toMatchObject({ status: 422, code: 'COUPON_EXPIRED' })
  })

  it('says that the end is unknown when its parts fail, and that nothing was done where it cannot', async () => {
    const peer = await startPeer()
    const { port } = peer.gateway
    await send(port, { method: 'POST', path: '/v1/coupons', body: coupon })
    peer.store.failure = new Error('the connection is lost')
    const failed = await send(port, { method: 'POST', path: '/v1/redemptions', body: redemption })
    const reserved = await send(port, { method: 'POST', path: '/v1/coupons/SAVE10/lock', body: { userId: 'u1' } })
    expect(failed.json).toMatchObject({ status: 503, code: 'OUTCOME_UNKNOWN' })
    expect(peer.errors).toEqual([new Error('the connection is lost')])
    expect(reserved.json).toMatchObject({ status: 503, code: 'SHARD_UNAVAILABLE' })
    expect(peer.transport.inFlight).toBe(0)
  })

  it('is idle once the last call is answered', async () => {
    const peer = await startPeer('awaitBetween')
    const { port } = peer.gateway
    await send(port, { method: 'POST', path: '/v1/coupons', body: coupon })
    const order: string[] = []
    const answered = send(port, { method: 'POST', path: '/v1/redemptions', body: redemption })
    while (peer.transport.inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
    const idle = peer.transport.idle().then(() => order.push('idle'))
    order.push('waiting')
    await idle
    expect(order).toEqual(['waiting', 'idle'])
    expect((await answered).status).toBe(201)
  })
})
