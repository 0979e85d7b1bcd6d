// Codes in bulk on the built server: jobs, generation at once, the export, and the commands that do both. Answers are held against the
// OpenAPI document that the server serves.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runTool, toolJson } from '../cli/tool-process.ts'
import { Contract, type OpenApi } from '../gateway/support/contract.ts'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const HEADER = 'code,status,holder,createdAt,lockedUntil,redeemedAt'
const RULES = { type: 'FIXED', value: 500, currency: 'EUR' } as const
const CART = { orderTotal: 5_000, currency: 'EUR' } as const
const POLL_MS = 10

const dataDir = temporaryDirectory('codes')
let server: ServerProcess
let http: HttpClient
let contract: Contract

beforeAll(async () => {
  server = await startServer({ dataDir })
  http = new HttpClient(server.port)
  contract = new Contract((await http.get('/v1/openapi.json')).json as unknown as OpenApi)
})

afterAll(async () => {
  http.close()
  try {
    await server.stop()
  } finally {
    removeDirectory(dataDir)
  }
})

async function campaign(terms: Record<string, unknown> = {}): Promise<string> {
  const reply = await http.post('/v1/campaigns', { name: 'sale', offer: { type: 'PERCENT', value: 10 }, ...terms })
  expect(reply.status, reply.text).toBe(201)
  return String(reply.json['campaignId'])
}

async function begin(campaignId: string, body: Record<string, unknown>): Promise<HttpReply> {
  const reply = await http.post(`/v1/campaigns/${campaignId}/codes`, body)
  contract.assertAnswer('POST', '/v1/campaigns/{id}/codes', reply)
  return reply
}

/** The job at its end. */
async function ended(jobId: string): Promise<Record<string, unknown>> {
  for (;;) {
    const reply = await http.get(`/v1/jobs/${jobId}`)
    contract.assertAnswer('GET', '/v1/jobs/{id}', reply)
    if (reply.json['state'] !== 'QUEUED' && reply.json['state'] !== 'RUNNING') return reply.json
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function made(campaignId: string, body: Record<string, unknown>): Promise<string[]> {
  const { jobId } = (await begin(campaignId, body)).json
  expect((await ended(String(jobId)))['state']).toBe('SUCCEEDED')
  return (await rows(campaignId)).map(([code]) => code as string)
}

/** Cells of the export, without its header. Nothing in these tests needs quotes. */
async function rows(campaignId: string, query = ''): Promise<string[][]> {
  const { status, text, headers } = await http.get(`/v1/campaigns/${campaignId}/codes.csv${query}`)
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('text/csv; charset=utf-8')
  expect(headers['x-tearoff-position']).toMatch(/^\d+:\d+@\d+$/)
  const [header, ...lines] = text.split('\r\n')
  expect(header).toBe(HEADER)
  expect(lines.pop()).toBe('')
  return lines.map((line) => line.split(','))
}

function expectRefused(reply: HttpReply, status: number, code: string, pointer?: string): void {
  expect([reply.status, reply.json['code']], reply.text).toEqual([status, code])
  const [error] = (reply.json['errors'] ?? []) as { readonly pointer: string }[]
  expect(error?.pointer).toBe(pointer)
}

describe('codes of a campaign', () => {
  it('are as many as asked for, all different, found by their code, and single-use', async () => {
    const id = await campaign()
    const codes = await made(id, { count: 5_000 })
    expect(new Set(codes).size).toBe(5_000)
    for (const code of codes) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{10}$/)
    const code = codes[1_234] as string
    const { json } = await http.get(`/v1/coupons/${code.toLowerCase()}`)
    expect(json).toMatchObject({ code, campaignId: id, maxUses: 1, status: 'ACTIVE', remaining: 1, value: 10 })
    const buy = { codes: [code], userId: 'u1', orderId: 'o1', cart: CART }
    expect((await http.post('/v1/redemptions', buy)).status).toBe(201)
    expect((await http.post('/v1/redemptions', { ...buy, orderId: 'o2', userId: 'u2' })).json['code']).toBe(
      'COUPON_EXHAUSTED',
    )
    expect((await http.get(`/v1/campaigns/${id}`)).json).toMatchObject({ codes: 5_000, uses: 1, discountTotal: 500 })
  })

  it('begin as said, their prefix counted in', async () => {
    const codes = await made(await campaign(), { count: 100, prefix: ' bf-26_', length: 16 })
    for (const code of codes) expect(code).toMatch(/^BF-26_[A-HJ-NP-Z2-9]{10}$/)
    const next = await made(await campaign(), { count: 100, length: 8 })
    for (const code of next) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{8}$/)
  })

  it('for users serve those only, one each', async () => {
    const id = await campaign()
    const { jobId } = (await begin(id, { userIds: ['ann', '=bob()'] })).json
    expect(await ended(String(jobId))).toMatchObject({ state: 'SUCCEEDED', processed: 2, total: 2 })
    const [[ann], [bob]] = (await rows(id)) as [string[], string[]]
    expect((await rows(id)).map(([, , holder]) => holder)).toEqual(['ann', "'=bob()"])
    expect((await rows(id, '?formulas=keep')).map(([, , holder]) => holder)).toEqual(['ann', '=bob()'])
    const buy = (code: string, userId: string) =>
      http.post('/v1/redemptions', { codes: [code], userId, orderId: `of ${userId}`, cart: CART })
    expect((await buy(ann as string, '=bob()')).json['code']).toBe('USER_NOT_ELIGIBLE')
    expect((await buy(ann as string, 'ann')).status).toBe(201)
    expect((await http.get(`/v1/coupons/${bob}`)).json['userId']).toBe('=bob()')
  })

  it('of two jobs and two campaigns stand apart in the exports', async () => {
    const [first, second] = [await campaign(), await campaign()]
    const ofFirst = [...(await made(first, { count: 3_000 }))]
    const ofSecond = await made(second, { count: 10 })
    const more = await made(first, { count: 5 })
    expect(more.slice(0, 3_000)).toEqual(ofFirst)
    expect(more).toHaveLength(3_005)
    expect(ofSecond).toHaveLength(10)
    expect(await rows(await campaign())).toEqual([])
  })

  it('show who holds them and who redeemed them, and when', async () => {
    const id = await campaign()
    const [held, redeemed] = (await made(id, { count: 3 })) as [string, string, string]
    const lock = await http.post(`/v1/coupons/${held}/lock`, { userId: 'ann' })
    expect(lock.status, lock.text).toBe(201)
    expect(
      (await http.post('/v1/redemptions', { codes: [redeemed], userId: 'bob', orderId: 'b1', cart: CART })).status,
    ).toBe(201)
    const [first, second, third] = (await rows(id)) as [string[], string[], string[]]
    expect(first.slice(1, 3)).toEqual(['LOCKED', 'ann'])
    expect(first[4]).toBe(lock.json['lockExpiresAt'])
    expect(second.slice(1, 3)).toEqual(['REDEEMED', 'bob'])
    expect(second[5]).toMatch(/^20\d\d-.*Z$/)
    expect(third.slice(1, 3).concat(third.slice(4))).toEqual(['ACTIVE', '', '', ''])
  })

  it('made one by one stand behind them', async () => {
    const id = await campaign()
    const [bulk] = await made(id, { count: 1 })
    for (const code of ['ALONE-1', 'ALONE-2']) {
      const reply = await http.post('/v1/coupons', {
        code: `${code}-${id}`.toUpperCase(),
        campaignId: id,
        userId: 'ann',
      })
      expect(reply.status, reply.text).toBe(201)
    }
    const code = `ALONE-1-${id}`.toUpperCase()
    expect(
      (await http.post('/v1/redemptions', { codes: [code], userId: 'ann', orderId: `of ${id}`, cart: CART })).status,
    ).toBe(201)
    const seen = await rows(id)
    expect(seen[0]?.slice(0, 3)).toEqual([bulk, 'ACTIVE', ''])
    expect(new Set(seen.slice(1).map((row) => row.slice(0, 3).join(' ')))).toEqual(
      new Set([`${`ALONE-2-${id}`.toUpperCase()} ACTIVE ann`, `${code} REDEEMED ann`]),
    )
    expect(seen).toHaveLength(3)
    expect(seen.find(([shown]) => shown === code)?.[5]).toMatch(/^20\d\d-.*Z$/)
  })

  it.each([
    [{}, 400, 'INVALID_REQUEST', '/count'],
    [{ count: 0 }, 400, 'INVALID_REQUEST', '/count'],
    [{ count: 5_000_001 }, 400, 'INVALID_REQUEST', '/count'],
    [{ count: 1, length: 7 }, 400, 'INVALID_REQUEST', '/length'],
    [{ count: 1, length: 17 }, 400, 'INVALID_REQUEST', '/length'],
    [{ count: 1, prefix: 'ÄÖ' }, 400, 'INVALID_REQUEST', '/prefix'],
    [{ count: 1, prefix: 'cpn_' }, 400, 'INVALID_REQUEST', '/prefix'],
    [{ count: 1, prefix: 'ABCDEFGHIJ' }, 400, 'INVALID_REQUEST', '/prefix'],
    [{ count: 1, prefix: 'ABCDEFGHI' }, 422, 'CODE_SPACE_TOO_SMALL', undefined],
    [{ count: 1_000, prefix: 'SUMMER', length: 8 }, 422, 'CODE_SPACE_TOO_SMALL', undefined],
    [{ count: 1, distribution: 'BOTH' }, 400, 'INVALID_REQUEST', '/distribution'],
    [{ count: 3, userIds: ['a', 'b'] }, 400, 'INVALID_REQUEST', '/count'],
    [{ userIds: [] }, 400, 'INVALID_REQUEST', '/userIds'],
    [{ userIds: ['a', ''] }, 400, 'INVALID_REQUEST', '/userIds/1'],
    [{ count: 1, colour: 'red' }, 400, 'INVALID_REQUEST', '/colour'],
  ])('%j are refused', async (body, status, code, pointer) => {
    expectRefused(await begin(await campaign(), body), status, code, pointer)
  })

  it('of too many users in one job say how many fit', async () => {
    const userIds = Array.from({ length: 3_000 }, (_, i) => `${i}`.padEnd(128, 'x'))
    const reply = await begin(await campaign(), { userIds })
    expectRefused(reply, 400, 'INVALID_REQUEST', '/userIds')
    // 245,760 bytes of 128 and 2 each.
    expect(reply.json['detail']).toContain('the first 1890 of these 3000')
    const fitting = await begin(await campaign(), { userIds: userIds.slice(0, 1_890) })
    expect(fitting.status).toBe(202)
  })

  it('of a campaign that does not exist are not found, made or exported', async () => {
    const nowhere = ['cmp_zz9', 'cmp_00zz', 'job_000', 'nonsense']
    for (const id of nowhere) {
      expectRefused(await http.post(`/v1/campaigns/${id}/codes`, { count: 1 }), 404, 'CAMPAIGN_NOT_FOUND')
      expectRefused(await http.get(`/v1/campaigns/${id}/codes.csv`), 404, 'CAMPAIGN_NOT_FOUND')
    }
    expectRefused(
      await http.get(`/v1/campaigns/${await campaign()}/codes.csv?formulas=run`),
      400,
      'INVALID_REQUEST',
      '/formulas',
    )
  })
})

describe('a job', () => {
  it('that is cancelled keeps what it has made and makes no more', async () => {
    const id = await campaign()
    const { jobId } = (await begin(id, { count: 2_000_000 })).json
    const reply = await http.post(`/v1/jobs/${String(jobId)}/cancel`, undefined)
    contract.assertAnswer('POST', '/v1/jobs/{id}/cancel', reply)
    expect(reply.json).toMatchObject({ jobId, kind: 'CODES', state: 'CANCELLED', total: 2_000_000, etaSeconds: 0 })
    const processed = Number(reply.json['processed'])
    expect(processed).toBeLessThan(2_000_000)
    expect(await rows(id)).toHaveLength(processed)
    const again = await http.post(`/v1/jobs/${String(jobId)}/cancel`, undefined)
    expect(again.text).toBe(reply.text)
  })

  it('that nobody began is not found', async () => {
    for (const id of ['job_zz9', 'job_0099', 'cmp_000', 'nonsense']) {
      expectRefused(await http.get(`/v1/jobs/${id}`), 404, 'JOB_NOT_FOUND')
      expectRefused(await http.post(`/v1/jobs/${id}/cancel`, undefined), 404, 'JOB_NOT_FOUND')
    }
  })

  it('begun twice under one key is one job', async () => {
    const id = await campaign()
    const call = () => http.post(`/v1/campaigns/${id}/codes`, { count: 10 }, { 'idempotency-key': `codes of ${id}` })
    const [first, second] = [await call(), await call()]
    expect([first.status, second.status]).toEqual([202, 202])
    expect(second.text).toBe(first.text)
    expect(second.headers['idempotent-replayed']).toBe('true')
    await ended(String(first.json['jobId']))
    expect(await rows(id)).toHaveLength(10)
  })
})

describe('generate', () => {
  async function generate(body: Record<string, unknown>, key?: string): Promise<HttpReply> {
    const reply = await http.post('/v1/coupons/generate', body, key === undefined ? {} : { 'idempotency-key': key })
    contract.assertAnswer('POST', '/v1/coupons/generate', reply)
    return reply
  }
  type Shown = Readonly<Record<string, unknown>>
  const data = (reply: HttpReply): readonly Shown[] => reply.json['data'] as readonly Shown[]

  it('answers with coupons as GET shows them, up to 1,000', async () => {
    const reply = await generate({ ...RULES, count: 1_000, prefix: 'gen', maxUsesPerUser: 2, description: 'Autumn' })
    expect(reply.status).toBe(201)
    expect(new Set(data(reply).map(({ code }) => code)).size).toBe(1_000)
    for (const coupon of [data(reply)[0] as Shown, data(reply)[999] as Shown]) {
      expect(coupon).toMatchObject({ ...RULES, maxUsesPerUser: 2, description: 'Autumn', remaining: null })
      expect(coupon['code']).toMatch(/^GEN[A-HJ-NP-Z2-9]{7}$/)
      expect((await http.get(`/v1/coupons/${String(coupon['code'])}`)).json).toEqual(coupon)
      expect((await http.get(`/v1/coupons/${String(coupon['couponId'])}`)).json).toEqual(coupon)
    }
  })

  it('makes one where no number is given, for a user where one is named', async () => {
    const [coupon, ...others] = data(await generate({ ...RULES, userId: 'ann' }))
    expect(others).toEqual([])
    expect(coupon).toMatchObject({ userId: 'ann' })
    const buy = { codes: [coupon?.['code']], userId: 'bob', orderId: 'g1', cart: CART }
    expect((await http.post('/v1/redemptions', buy)).json['code']).toBe('USER_NOT_ELIGIBLE')
  })

  it('makes more by a job', async () => {
    const reply = await generate({ ...RULES, count: 1_001 })
    expect(reply.status).toBe(202)
    expect(reply.headers['location']).toBe(`/v1/jobs/${String(reply.json['jobId'])}`)
    expect(await ended(String(reply.json['jobId']))).toMatchObject({
      kind: 'COUPONS',
      state: 'SUCCEEDED',
      processed: 1_001,
    })
  })

  it('of a campaign makes them there, with its offer', async () => {
    const id = await campaign()
    const [coupon] = data(await generate({ campaignId: id, count: 2, category: 'shoes' }))
    expect(coupon).toMatchObject({ campaignId: id, value: 10, maxUses: 1, category: 'shoes' })
    expect(await rows(id)).toHaveLength(2)
  })

  it('under a key makes them once', async () => {
    const [first, second] = [
      await generate({ ...RULES, count: 20 }, 'g-1'),
      await generate({ ...RULES, count: 20 }, 'g-1'),
    ]
    expect(second.text).toBe(first.text)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expectRefused(await generate({ ...RULES, count: 21 }, 'g-1'), 422, 'IDEMPOTENCY_KEY_CONFLICT')
  })

  it.each([
    [{ ...RULES, code: 'MINE' }, 400, 'INVALID_REQUEST', '/code'],
    [{ ...RULES, count: 5_000_001 }, 400, 'INVALID_REQUEST', '/count'],
    [{ ...RULES, userIds: ['a'] }, 400, 'INVALID_REQUEST', '/userIds'],
    [{ type: 'FIXED', value: 5 }, 400, 'INVALID_REQUEST', '/currency'],
    [{ campaignId: 'cmp_00zz' }, 404, 'CAMPAIGN_NOT_FOUND', undefined],
    [{ ...RULES, count: 10_000, prefix: 'SUMMER', length: 8 }, 422, 'CODE_SPACE_TOO_SMALL', undefined],
  ])('refuses %j', async (body, status, code, pointer) => {
    expectRefused(await generate(body), status, code, pointer)
  })
})

describe('the command line', () => {
  it('generates and exports', async () => {
    const id = await campaign()
    const at = ['--url', server.baseUrl, '--campaign', id]
    const job = await toolJson(0, 'generate', ...at, '--count', '20000', '--prefix', 'CLI')
    expect(job).toMatchObject({ state: 'SUCCEEDED', processed: 20_000 })
    const file = join(dataDir, 'codes.csv')
    expect(await toolJson(0, 'export', ...at, '--to', file)).toMatchObject({ campaignId: id, rows: 20_000 })
    const lines = readFileSync(file, 'utf8').split('\r\n')
    expect(lines).toHaveLength(20_002)
    expect(new Set(lines.slice(1, -1).map((line) => line.split(',')[0])).size).toBe(20_000)
    const { stdout, stderr, status } = await runTool('export', ...at)
    expect(status).toBe(0)
    expect(stdout.split('\r\n')).toEqual(lines)
    expect(stderr).toMatch(/100 % {2}20,000 of 20,000 codes, [\d,]+\/s\n20,000 codes written in /)
  })

  it('says in a sentence why it could not', async () => {
    const refused = await runTool('generate', '--url', server.baseUrl, '--campaign', 'cmp_00zz', '--count', '5')
    expect(refused.status).toBe(1)
    expect(refused.stderr).toBe('tearoff: the server refused with CAMPAIGN_NOT_FOUND: there is no such campaign\n')
    const nobody = await runTool('export', '--url', 'http://127.0.0.1:9', '--campaign', 'cmp_000')
    expect(nobody.status).toBe(1)
    expect(nobody.stderr).toMatch(/^tearoff: no server answers at http:\/\/127\.0\.0\.1:9: /)
    expect((await runTool('generate', '--campaign', 'cmp_000', '--count', '0')).status).toBe(2)
  })
})
