// Uploads over the real server: what is refused before a byte is kept, what a client that goes away leaves behind, and whether
// a file stays that no job, or perhaps a job, names.

import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Caller } from '../../gateway/access/authenticate.ts'
import { SETTLED, type Settled } from '../../engine/transport/port.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { EVENT } from '../../protocol/events.ts'
import { type JobOutcome, OUTCOME } from '../../protocol/outcomes.ts'
import { ActorTransport } from './support/actor-transport.ts'
import { FakeImports } from './support/fake-imports.ts'
import { type HttpAnswer, send, startTestGateway, type TestGateway } from './support/gateway.ts'
import { RawClient } from './support/raw-client.ts'

const PATH = '/v1/imports/coupons'
const FILE = 'code,type\nSAVE10,FREESHIP\n'
const CALLERS: Readonly<Record<string, Caller>> = {
  'Bearer m': { role: 'marketing', name: 'm', keyId: 'key_m' },
  'Bearer c': { role: 'checkout', name: 'c', keyId: 'key_c' },
}
const QUEUED: JobOutcome = {
  type: OUTCOME.JOB,
  jobSeq: 33,
  kind: 'IMPORT',
  state: 'QUEUED',
  processed: 0,
  total: 0,
  failed: 0,
  begunAtMs: 0,
  endedAtMs: 0,
  errors: [],
  place: 0,
  bytes: FILE.length,
  file: null,
}

let imports: FakeImports
let running: TestGateway

beforeEach(async () => {
  imports = new FakeImports()
  running = await startTestGateway({ imports, authenticator: { roleOf: (header) => CALLERS[header] ?? null } })
  running.transport.script = () => QUEUED
})

afterEach(async () => {
  await running.gateway.close()
})

function upload(
  headers: Record<string, string> = {},
  body: string = FILE,
  { gateway }: Pick<TestGateway, 'gateway'> = running,
): Promise<HttpAnswer> {
  const all = { authorization: 'Bearer m', 'content-type': 'text/csv', ...headers }
  return send(gateway.port, { method: 'POST', path: PATH, headers: all, body })
}

function fates(): string[] {
  return imports.uploads.map(({ fate }) => fate)
}

test.each([
  ['text/csv', 'CSV'],
  ['TEXT/CSV ; charset=utf-8', 'CSV'],
  ['application/x-ndjson', 'NDJSON'],
])('%s is taken as %s', async (type, format) => {
  expect((await upload({ 'content-type': type })).status).toBe(202)
  expect(imports.uploads).toMatchObject([{ format, fate: 'FINISHED' }])
  expect(running.transport.asked).toMatchObject([{ command: { type: COMMAND.START_JOB, plan: { format } } }])
})

test.each([
  ['another media type', { 'content-type': 'application/json' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['another role', { authorization: 'Bearer c' }, 403, 'FORBIDDEN'],
  ['no key', { authorization: '' }, 401, 'UNAUTHENTICATED'],
])('%s is refused before anything is kept', async (_, headers, status, code) => {
  expect(await upload(headers)).toMatchObject({ status, json: { code } })
  expect(imports.uploads).toEqual([])
  expect(running.transport.asked).toEqual([])
})

test('without room it is OVERLOADED, and when to come back', async () => {
  imports.hasRoom = false
  const answer = await upload()
  expect(answer).toMatchObject({ status: 503, json: { code: 'OVERLOADED' } })
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  expect(running.transport.asked).toEqual([])
})

test('a disk that is slower than the client gets every byte, in order', async () => {
  imports.isSlow = true
  const body = Array.from({ length: 300_000 }, (_, i) => `CODE-${i},FREESHIP\n`).join('')
  expect((await upload({}, body)).status).toBe(202)
  const [kept] = imports.uploads
  expect(kept?.pieces.length).toBeGreaterThan(1)
  const digest = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')
  expect(digest(kept?.bytes() ?? '')).toBe(digest(body))
  expect(running.transport.asked).toMatchObject([{ command: { plan: { bytes: body.length } } }])
})

test('a client that goes away half way leaves nothing behind', async () => {
  const raw = await RawClient.connect(running.gateway.port)
  const head = `POST ${PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer m\r\ncontent-type: text/csv\r\n`
  await raw.write(`${head}content-length: 1000\r\n\r\n${FILE}`)
  await imports.until(() => String(imports.uploads[0]?.bytes()) === FILE)
  raw.destroy()
  await imports.until(() => fates().includes('ABANDONED'))
  expect(fates()).toEqual(['ABANDONED'])
  expect(running.transport.asked).toEqual([])
  expect(imports.begun).toBe(0)
})

test('a file that could not be written is told, reported, and begins nothing', async () => {
  imports.isBroken = true
  expect(await upload()).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
  expect(running.transport.asked).toEqual([])
  expect(JSON.stringify(running.log)).toContain('the disk is gone')
})

test.each<[string, Settled, string, string]>([
  ['of a job that was not logged is dropped', SETTLED.NOT_DONE_OVERLOADED, 'OVERLOADED', 'DISCARDED'],
  ['of a job that may have been logged stays', SETTLED.UNKNOWN, 'OUTCOME_UNKNOWN', 'FINISHED'],
])('the file %s', async (_, settled, code, fate) => {
  running.transport.script = () => ({ settled })
  expect(await upload()).toMatchObject({ status: 503, json: { code } })
  expect(fates()).toEqual([fate])
  expect(imports.begun).toBe(0)
})

test('with a key, the same file again is the first answer, and is dropped; another file is a conflict', async () => {
  const transport = new ActorTransport(16)
  const keyed = await startTestGateway({ imports, transport })
  const headers = { 'idempotency-key': 'k' }
  const first = await upload(headers, FILE, keyed)
  const again = await upload(headers, FILE, keyed)
  expect([first.status, again.status, again.text]).toEqual([202, 202, first.text])
  expect(again.headers['idempotent-replayed']).toBe('true')
  expect(fates()).toEqual(['FINISHED', 'DISCARDED'])
  const other = await upload(headers, FILE.replace('1', '2'), keyed)
  expect(other).toMatchObject({ status: 422, json: { code: 'IDEMPOTENCY_KEY_CONFLICT' } })
  expect(fates()).toEqual(['FINISHED', 'DISCARDED', 'DISCARDED'])
  expect(transport.events().filter(({ type }) => type === EVENT.JOB_STARTED)).toHaveLength(1)
  await keyed.gateway.close()
})

test('a server without a place for uploads refuses them', async () => {
  const bare = await startTestGateway()
  expect(await upload({}, FILE, bare)).toMatchObject({ status: 503, json: { code: 'SHARD_UNAVAILABLE' } })
  await bare.gateway.close()
})
