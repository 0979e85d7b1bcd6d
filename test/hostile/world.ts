// What a server is filled with before it is attacked: things of every kind, so that a request that is right finds something.

import { randomBytes } from 'node:crypto'
import type { Role } from '../../gateway/access/authenticate.ts'
import { createKey } from '../../gateway/access/keys.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'

export interface World {
  readonly keys: Readonly<Record<Role, string>>
  /** Codes of coupons that stand alone, of many kinds. */
  readonly codes: readonly string[]
  readonly coupons: readonly string[]
  readonly campaigns: readonly string[]
  readonly reservations: readonly string[]
  readonly redemptions: readonly string[]
  readonly jobs: readonly string[]
}

export const BYSTANDER_CODE = 'BYSTANDER'

/** Before the server starts: it reads them then. */
export function createKeys(dataDir: string): Readonly<Record<Role, string>> {
  const key = (role: Role): string => createKey(dataDir, { role, name: `the ${role}` }, randomBytes, Date.now)
  return { checkout: key('checkout'), marketing: key('marketing'), operations: key('operations') }
}

/** Everything in a world that another one calls otherwise, by a name that both have. */
export function namesOf(world: World): Record<string, string> {
  const names: Record<string, string> = {}
  for (const [role, key] of Object.entries(world.keys)) names[`key ${role}`] = key
  for (const kind of ['coupons', 'campaigns', 'reservations', 'redemptions', 'jobs'] as const)
    world[kind].forEach((id, i) => (names[`${kind} ${i}`] = id))
  return names
}

const CART = { currency: 'EUR', lines: [{ productId: 'p1', quantity: 2, unitPrice: 2_500 }] }

export async function createWorld(port: number, keys: Readonly<Record<Role, string>>): Promise<World> {
  const http = new HttpClient(port, 4)
  const post = async (path: string, body: unknown): Promise<HttpReply> => {
    const reply = await http.post(path, body, { authorization: `Bearer ${keys.operations}` })
    if (reply.status >= 300) throw new Error(`${path} answered ${reply.status}: ${reply.text}`)
    return reply
  }
  try {
    const coupons: string[] = []
    const codes: string[] = []
    const kinds = [
      { type: 'PERCENT', value: 10 },
      { type: 'FIXED', value: 500, currency: 'EUR', stacking: 'STACKABLE' },
      { type: 'FREESHIP', stacking: 'STACKABLE' },
      { type: 'PERCENT', value: 12.5, scope: 'ITEM', stacking: 'STACKABLE', maxUsesPerUser: 2 },
      { type: 'PERCENT', value: 5, maxUses: 3 },
      { type: 'PERCENT', value: 5, dailyLimit: { perUser: 3 } },
      { type: 'PERCENT', value: 5, validFrom: '2020-01-01T00:00:00Z', validUntil: '2021-01-01T00:00:00Z' },
    ]
    for (const [i, kind] of [...kinds, ...kinds].entries()) {
      const code = `HOSTILE-${i}`
      codes.push(code)
      coupons.push(String((await post('/v1/coupons', { code, ...kind })).json['couponId']))
    }
    await post('/v1/coupons', { code: BYSTANDER_CODE, type: 'PERCENT', value: 10 })
    const campaigns: string[] = []
    const jobs: string[] = []
    for (let i = 0; i < 3; i++) {
      const offer = { type: 'PERCENT', value: 10 }
      const campaign = { name: `sale ${i}`, offer, listed: true, lockSeconds: 60 }
      const id = String((await post('/v1/campaigns', campaign)).json['campaignId'])
      campaigns.push(id)
      jobs.push(String((await post(`/v1/campaigns/${id}/codes`, { count: 200 })).json['jobId']))
    }
    const reservations: string[] = []
    const redemptions: string[] = []
    for (let i = 0; i < 10; i++) {
      const body = { codes: [codes[0]], userId: `u${i}`, cart: CART }
      reservations.push(String((await post('/v1/reservations', body)).json['reservationId']))
      const order = { ...body, codes: [codes[7]], orderId: `o${i}` }
      redemptions.push(String((await post('/v1/redemptions', order)).json['redemptionId']))
    }
    return { keys, codes, coupons, campaigns, reservations, redemptions, jobs }
  } finally {
    http.close()
  }
}
