// Imports through the real server: good rows land, bad ones are told with line and reason, a file begins again where it was
// after SIGKILL, and nothing is there twice.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpClient, type HttpReply } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'

const CSV = { 'content-type': 'text/csv' }
const POLL_MS = 20

let dataDir: string
let server: ServerProcess
let http: HttpClient

beforeEach(async () => {
  dataDir = temporaryDirectory('imports')
  server = await startServer({ dataDir })
  http = new HttpClient(server.port)
})

afterEach(async () => {
  http.close()
  if (server.isRunning) await server.kill()
  removeDirectory(dataDir)
})

interface Job {
  readonly state: string
  readonly processed: number
  readonly failed: number
  readonly errors: readonly { line: number; code: string; detail: string }[]
}

async function jobOf(reply: HttpReply): Promise<Job> {
  return (await http.get(`/v1/jobs/${String(reply.json['jobId'])}`)).json as unknown as Job
}

async function ended(reply: HttpReply): Promise<Job> {
  for (;;) {
    const job = await jobOf(reply)
    if (job.state !== 'QUEUED' && job.state !== 'RUNNING') return job
    await pause(POLL_MS)
  }
}

function file(rows: number, from = 0): string {
  const lines = Array.from({ length: rows }, (_, i) => `ROW-${from + i},PERCENT,10,5,${i % 3}`)
  return ['code,type,value,maxUses,uses', ...lines, ''].join('\n')
}

it('lands good rows with their uses, tells bad ones, and leaves no file behind', async () => {
  const rows = [
    'code,type,value,maxUses,uses,description',
    'KEPT-1,PERCENT,10,5,3,moved in the middle of a sale',
    'KEPT-2,PERCENT,ten,5,0,no number',
    'KEPT-1,PERCENT,20,5,0,a second row of the same code',
    'KEPT-3,PERCENT,10,2,3,used beyond its limit',
    'KEPT-4,PERCENT,10,,,',
  ]
  const begun = await http.call('POST', '/v1/imports/coupons', rows.join('\n'), CSV)
  expect(begun.status).toBe(202)
  const job = await ended(begun)
  expect(job).toMatchObject({ state: 'SUCCEEDED', processed: 5, failed: 3 })
  expect(job.errors.map(({ line, code }) => [line, code])).toEqual([
    [3, 'INVALID_REQUEST'],
    [4, 'DUPLICATE'],
    [5, 'INVALID_REQUEST'],
  ])
  expect(job.errors[1]?.detail).toContain('line 2')
  const kept = await http.get('/v1/coupons/KEPT-1')
  expect(kept.json).toMatchObject({ uses: 3, remaining: 2, value: 10, version: 1 })
  expect((await http.get('/v1/coupons/KEPT-4')).status).toBe(200)
  expect((await http.get('/v1/coupons/KEPT-3')).status).toBe(404)
  expect(readdirSync(join(dataDir, 'imports'))).toEqual([])
})

it('changes what exists, and keeps the uses it has counted', async () => {
  await http.post('/v1/coupons', { code: 'OLD-1', type: 'PERCENT', value: 10, maxUses: 5 })
  const cart = { orderTotal: 1_000, currency: 'EUR' }
  await http.post('/v1/redemptions', { codes: ['OLD-1'], userId: 'u', orderId: 'o', cart })
  const text = 'code,type,value,maxUses\nOLD-1,PERCENT,20,3\n'
  expect(await ended(await http.call('POST', '/v1/imports/coupons', text, CSV))).toMatchObject({ failed: 0 })
  expect((await http.get('/v1/coupons/OLD-1')).json).toMatchObject({ value: 20, maxUses: 3, uses: 1, version: 2 })
})

it('goes on after SIGKILL until every row is there once', async () => {
  const count = 20_000
  const begun = await http.call('POST', '/v1/imports/coupons', file(count), CSV)
  for (let job = await jobOf(begun); job.processed === 0; job = await jobOf(begun)) await pause(POLL_MS)
  const killedAt = (await jobOf(begun)).processed
  await server.kill()
  http.close()
  expect(killedAt).toBeLessThan(count)
  server = await startServer({ dataDir })
  http = new HttpClient(server.port)
  expect(await ended(begun)).toMatchObject({ state: 'SUCCEEDED', processed: count, failed: 0 })
  for (const i of [0, 1, 2, killedAt - 1, killedAt, killedAt + 1, count - 1]) {
    expect((await http.get(`/v1/coupons/ROW-${i}`)).json).toMatchObject({ uses: i % 3, version: 1 })
  }
})

it('ends as FAILED where the file makes no sense, and says why', async () => {
  const job = await ended(await http.call('POST', '/v1/imports/coupons', 'code,color\nA-1,red\n', CSV))
  expect(job).toMatchObject({ state: 'FAILED', processed: 0, failed: 0 })
  expect(job.errors[0]?.detail).toContain('color')
})

it('stops when it is cancelled; what has landed stays', async () => {
  const begun = await http.call('POST', '/v1/imports/coupons', file(100_000), CSV)
  for (let job = await jobOf(begun); job.processed === 0; job = await jobOf(begun)) await pause(POLL_MS)
  const cancelled = await http.post(`/v1/jobs/${String(begun.json['jobId'])}/cancel`, {})
  expect(cancelled.json).toMatchObject({ state: 'CANCELLED' })
  expect(await ended(begun)).toMatchObject({ state: 'CANCELLED' })
  expect((await http.get('/v1/coupons/ROW-0')).status).toBe(200)
  // The next one has its turn.
  const next = await ended(await http.call('POST', '/v1/imports/coupons', file(10, 200_000), CSV))
  expect(next).toMatchObject({ state: 'SUCCEEDED', processed: 10 })
})

it('answers a repeated upload with its Idempotency-Key by the first job', async () => {
  const headers = { ...CSV, 'idempotency-key': 'once' }
  const first = await http.call('POST', '/v1/imports/coupons', file(50), headers)
  const again = await http.call('POST', '/v1/imports/coupons', file(50), headers)
  expect(again.json['jobId']).toBe(first.json['jobId'])
  expect(again.headers['idempotent-replayed']).toBe('true')
  const other = await http.call('POST', '/v1/imports/coupons', file(51), headers)
  expect(other.json['code']).toBe('IDEMPOTENCY_KEY_CONFLICT')
  expect(await ended(first)).toMatchObject({ state: 'SUCCEEDED', processed: 50 })
})

it('takes no other kind of body', async () => {
  const reply = await http.call('POST', '/v1/imports/coupons', '{}', { 'content-type': 'application/json' })
  expect(reply.status).toBe(415)
})
