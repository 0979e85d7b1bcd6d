// The search of a real server: what was just made is found within a second, by those who may find it; it is there again after
// whatever happened, and goes on while writes are refused.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DATABASE_FILE } from '../../../readmodel/database.ts'
import { sick, Trigger } from '../../server/sick-server.ts'
import { HttpClient } from '../../support/http-client.ts'
import { PRODUCT_ENTRY } from '../../support/project.ts'
import { type ServerOptions, type ServerProcess, startServer } from '../../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../../support/temporary-directory.ts'

/** How long anything may take to be found; the second that is promised is for a machine that does not run tests besides. */
const FOUND_MS_MAX = 20_000

class Shop {
  readonly http: HttpClient
  private readonly headers: Readonly<Record<string, string>>

  constructor(server: ServerProcess, key: string | null = null) {
    this.http = new HttpClient(server.port)
    this.headers = key === null ? {} : { authorization: `Bearer ${key}` }
  }

  async coupon(code: string, fields: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const { status, text, json } = await this.http.post(
      '/v1/coupons',
      { code, type: 'PERCENT', value: 10, ...fields },
      this.headers,
    )
    if (status !== 201) throw new Error(`${status}: ${text}`)
    return json
  }

  /** One page; null while the search cannot answer. */
  async search(query: string): Promise<Record<string, unknown>[] | null> {
    const { status, json, text } = await this.http.get(`/v1/coupons/search?${query}`, this.headers)
    if (status === 503) return null
    if (status !== 200) throw new Error(`${status}: ${text}`)
    return (json as { data: Record<string, unknown>[] }).data
  }

  /** As soon as it finds so many. */
  async found(query: string, count: number): Promise<Record<string, unknown>[]> {
    const untilMs = performance.now() + FOUND_MS_MAX
    for (;;) {
      const data = await this.search(query)
      if (data?.length === count) return data
      if (performance.now() > untilMs) throw new Error(`${query} finds ${data?.length ?? 'nothing'}, not ${count}`)
    }
  }
}

describe('a server', () => {
  const dataDir = temporaryDirectory('search')
  let server: ServerProcess
  let shop: Shop

  beforeAll(async () => {
    server = await startServer({ dataDir })
    shop = new Shop(server)
  })
  afterAll(async () => {
    shop.http.close()
    await server.stop()
    removeDirectory(dataDir)
  })

  it('finds a coupon by its words, as a read by id shows it, and follows its changes', async () => {
    const made = await shop.coupon('AUTUMN', { description: 'Boots & umbrellas', category: 'rain', maxUses: 1 })
    expect(await shop.found('search_term=umbr', 1)).toEqual([made])
    expect(await shop.found('search_term=autu', 1)).toEqual([made])
    const redeemed = await shop.http.post('/v1/redemptions', {
      codes: ['AUTUMN'],
      userId: 'u1',
      orderId: 'o1',
      cart: { orderTotal: 5_000, currency: 'EUR' },
    })
    expect(redeemed.status, redeemed.text).toBe(201)
    expect(await shop.found('search_term=boots&status=REDEEMED', 1)).toMatchObject([{ code: 'AUTUMN', uses: 1 }])
    const { json } = await shop.http.post('/v1/coupons/AUTUMN/disable', {})
    expect(await shop.found('search_term=boots&status=DISABLED', 1)).toEqual([json])
    expect(await shop.search('search_term=boots&status=REDEEMED')).toEqual([])
  })

  it('finds a campaign and its coupons as reads by id show them', async () => {
    const offer = { type: 'PERCENT', value: 15 }
    const sent = await shop.http.post('/v1/campaigns', { name: 'Great winter sale', offer, maxUses: 100 })
    expect(sent.status, sent.text).toBe(201)
    const campaignId = String(sent.json['campaignId'])
    // Codes of many shards, so that most live elsewhere than their campaign.
    for (const code of ['WARM-1', 'WARM-22', 'WARM-333']) {
      const body = { code, campaignId, description: 'winter mittens' }
      const { status, text } = await shop.http.post('/v1/coupons', body)
      expect(status, text).toBe(201)
    }
    const found = await shop.found('search_term=winter', 4)
    const byId = new Map(found.map((each) => [String(each['code'] ?? each['campaignId']), each]))
    for (const [id, shown] of byId) {
      const path = id === campaignId ? `/v1/campaigns/${id}` : `/v1/coupons/${id}`
      expect(shown).toEqual((await shop.http.get(path)).json)
    }
    expect([...byId.keys()].toSorted()).toEqual(['WARM-1', 'WARM-22', 'WARM-333', campaignId].toSorted())
    expect(await shop.found('search_term=winter&type=PERCENT', 1)).toMatchObject([
      { campaignId, name: 'Great winter sale' },
    ])
    expect((await shop.http.post(`/v1/campaigns/${campaignId}/disable`, {})).status).toBe(200)
    expect(await shop.found('search_term=winter&status=DISABLED', 4)).toHaveLength(4)
  })

  it('hands pages on by their cursors', async () => {
    for (let i = 0; i < 7; i++) await shop.coupon(`PAGED-${i}`, { description: 'lanterns of paper' })
    await shop.found('search_term=lanterns', 7)
    const codes: unknown[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`
      const { json } = await shop.http.get(`/v1/coupons/search?search_term=lantern&limit=3${more}`)
      const page = json as { data: { code: string }[]; nextCursor: string | null }
      codes.push(...page.data.map(({ code }) => code))
      cursor = page.nextCursor
    }
    expect(codes).toEqual([6, 5, 4, 3, 2, 1, 0].map((i) => `PAGED-${i}`))
  })
})

describe('after an accident', () => {
  let dataDir: string
  let servers: ServerProcess[]

  beforeEach(() => {
    dataDir = temporaryDirectory('search-accident')
    servers = []
  })
  afterEach(async () => {
    for (const server of servers) if (server.isRunning) await server.kill()
    removeDirectory(dataDir)
  })

  async function started(options: Omit<ServerOptions, 'dataDir'> = {}): Promise<{ server: ServerProcess; shop: Shop }> {
    const server = await startServer({ dataDir, ...options })
    servers.push(server)
    return { server, shop: new Shop(server) }
  }

  it('everything is found again: SIGKILL, and a database that is gone', { timeout: 60_000 }, async () => {
    const first = await started()
    for (let i = 0; i < 20; i++) await first.shop.coupon(`KEPT-${i}`, { description: 'kites and strings' })
    first.shop.http.close()
    await first.server.kill()
    const second = await started()
    expect(await second.shop.found('search_term=kites', 20)).toHaveLength(20)
    second.shop.http.close()
    await second.server.stop()
    for (const ending of ['', '-wal', '-shm']) rmSync(join(dataDir, DATABASE_FILE + ending), { force: true })
    const third = await started()
    expect(await third.shop.found('search_term=kites', 20)).toHaveLength(20)
    third.shop.http.close()
    await third.server.stop()
  })

  it('it goes on while writes are refused', { timeout: 60_000 }, async () => {
    const full = new Trigger(dataDir)
    const { server, shop } = await started(sick('TEST_FULL', full))
    await shop.coupon('FIRST', { description: 'candles' })
    await shop.found('search_term=candles', 1)
    full.set()
    // The free space is looked at once a second.
    let status = 201
    for (let i = 0; status === 201; i++) {
      const fields = { code: `MORE-${i}`, type: 'PERCENT', value: 10, description: 'matches' }
      status = (await shop.http.post('/v1/coupons', fields)).status
    }
    expect(status).toBe(503)
    expect(await shop.search('search_term=candles')).toMatchObject([{ code: 'FIRST' }])
    expect((await shop.http.get('/v1/coupons?limit=1')).status).toBe(200)
    shop.http.close()
    full.clear()
    await server.stop()
  })

  it('keys of role checkout find what is listed only, and no code', { timeout: 60_000 }, async () => {
    const keyOf = (role: string): string => {
      const args = [PRODUCT_ENTRY, 'keys', 'create', '--role', role, '--name', role, '--data-dir', dataDir]
      return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    }
    // Before the start: a server looks for new keys once a second.
    const [ofMarketing, ofCheckout] = [keyOf('marketing'), keyOf('checkout')]
    const { server } = await started({ settings: { AUTH: 'on' } })
    const marketing = new Shop(server, ofMarketing)
    const checkout = new Shop(server, ofCheckout)
    await marketing.coupon('OPENCODE', { description: 'globes', listed: true })
    await marketing.coupon('SECRETCODE', { description: 'globes' })
    await marketing.found('search_term=globes', 2)
    expect(await checkout.search('search_term=globes')).toMatchObject([{ code: 'OPENCODE' }])
    expect(await marketing.search('search_term=opencode')).toMatchObject([{ code: 'OPENCODE' }])
    for (const term of ['o', 'opencode', 'OPENCODE', 'secret', 'secretcode', 'globes opencode']) {
      const found = await checkout.search(`search_term=${encodeURIComponent(term)}`)
      expect(found, term).toEqual([])
    }
    marketing.http.close()
    checkout.http.close()
    await server.stop()
  })
})
