// `tearoff import` against one real server: what lands and what is told of the rest, how it ends, and what becomes of a file whose
// server is killed in the middle. In the end the log has what landed, once, and nothing else.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { HttpClient } from '../support/http-client.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { runTool, type ToolEnding } from './tool-process.ts'

const POLL_MS = 5
const HEADER = 'code,type,value,maxUses,uses'
/** Nothing has listened on this port for decades. */
const NOBODY = 'http://127.0.0.1:2'
/** Of the file whose server is killed: enough for a second of work, where the kill comes within milliseconds. */
const MANY = 20_000

let dataDir: string
let files: string
let server: ServerProcess
let http: HttpClient

beforeAll(async () => {
  dataDir = temporaryDirectory('import-test')
  files = temporaryDirectory('import-files')
  await start()
})

afterAll(async () => {
  http.close()
  if (server.isRunning) await server.kill()
  removeDirectory(dataDir)
  removeDirectory(files)
})

async function start(): Promise<void> {
  server = await startServer({ dataDir })
  http = new HttpClient(server.port)
}

function fileOf(name: string, lines: readonly string[]): string {
  const path = join(files, name)
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

async function imported(path: string, ...flags: readonly string[]): Promise<ToolEnding> {
  return await runTool('import', path, '--url', server.baseUrl, ...flags)
}

/** The last line on standard error; the ones before are the bar. */
function sentenceOf({ stderr }: ToolEnding): string {
  return stderr.trimEnd().split('\n').at(-1) ?? ''
}

it('lands good rows, tells bad ones by line and reason, and ends with 1', async () => {
  const path = fileOf('coupons.csv', [
    HEADER,
    'GOOD-1,PERCENT,10,5,3',
    'BAD-1,PERCENT,ten,5,0',
    'GOOD-2,PERCENT,10,5,0',
    'BAD-2,PERCENT,10,2,3',
    'GOOD-1,PERCENT,20,5,0',
  ])
  const ending = await imported(path)
  expect(ending.status).toBe(1)
  const lines = ending.stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toMatch(/^job_\w+ succeeded: 2 of 5 rows landed$/)
  expect(lines[1]).toMatch(/^line 3: INVALID_REQUEST, .*value/)
  expect(lines[2]).toMatch(/^line 5: INVALID_REQUEST, .*uses/)
  expect(lines[3]).toMatch(/^line 6: DUPLICATE, .*line 2/)
  expect(ending.stderr).toMatch(/^100 % {2}\d+ of \d+ bytes sent/)

  expect((await http.get('/v1/coupons/GOOD-1')).json).toMatchObject({ value: 10, uses: 3, remaining: 2 })
  expect((await http.get('/v1/coupons/BAD-1')).status).toBe(404)
})

it('of lines of JSON that are all good ends with 0 and gives the job as JSON', async () => {
  const rows = ['{"code":"LINE-1","type":"PERCENT","value":5}', '{"code":"LINE-2","type":"FREESHIP"}']
  const ending = await imported(fileOf('coupons.ndjson', rows), '--json')
  expect(ending.status).toBe(0)
  expect(JSON.parse(ending.stdout)).toMatchObject({ kind: 'IMPORT', state: 'SUCCEEDED', processed: 2, failed: 0 })
  expect((await http.get('/v1/coupons/LINE-2')).json).toMatchObject({ type: 'FREESHIP', uses: 0 })
})

it('prints twenty faults and counts the others', async () => {
  const bad = Array.from({ length: 25 }, (_, i) => `BAD-${i},PERCENT,ten,1,0`)
  const { status, stdout } = await imported(fileOf('bad.csv', [HEADER, ...bad]))
  const lines = stdout.trimEnd().split('\n')
  expect([status, lines.length]).toEqual([1, 22])
  expect(lines[0]).toContain('0 of 25 rows landed')
  expect(lines[20]).toContain('line 21: ')
  expect(lines[21]).toBe('and 5 more; --json shows the first 1,000')
})

it('of a file whose header makes no sense says so, and that nothing landed', async () => {
  const { status, stdout } = await imported(fileOf('colors.csv', ['code,color', 'A-1,red']))
  expect(status).toBe(1)
  const [first, second] = stdout.split('\n')
  expect(first).toMatch(/^job_\w+ failed: 0 of 0 rows landed$/)
  expect(second).toBe('line 1: INVALID_REQUEST, the header names color, which is no field of a coupon')
})

it('says in one sentence what is wrong with the file, and ends with 2', async () => {
  mkdirSync(join(files, 'folder.csv'))
  for (const [name, sentence] of [
    ['coupons.txt', /coupons\.txt ends neither in \.csv nor in \.ndjson$/],
    ['nothing.csv', /nothing\.csv cannot be read: ENOENT/],
    ['folder.csv', /folder\.csv cannot be read: it is a directory$/],
  ] as const) {
    const ending = await imported(join(files, name))
    expect([name, ending.status, ending.stdout]).toEqual([name, 2, ''])
    expect(ending.stderr.trimEnd()).toMatch(sentence)
  }
})

it('says when nobody answers, or the server refuses, and ends with 1', async () => {
  const path = fileOf('coupons.csv', [HEADER, 'GOOD-1,PERCENT,10,5,0'])
  const refused = await runTool('import', path, '--url', `${server.baseUrl}/elsewhere`)
  expect([refused.status, refused.stdout]).toEqual([1, ''])
  expect(sentenceOf(refused)).toMatch(/^tearoff: the server refused with NOT_FOUND: /)
  const nobody = await runTool('import', path, '--url', NOBODY)
  expect([nobody.status, nobody.stdout]).toEqual([1, ''])
  expect(sentenceOf(nobody)).toMatch(/^tearoff: no server answers at http:\/\/127\.0\.0\.1:2: .*ECONNREFUSED/)
})

it('of a server killed in the middle says that the job goes on; it does, and a second time changes no count', async () => {
  const rows = Array.from({ length: MANY }, (_, i) => `ROW-${i},PERCENT,10,5,${i % 3}`)
  const path = fileOf('many.csv', [HEADER, ...rows])
  const running = imported(path)
  while ((await http.get('/v1/coupons/ROW-0')).status !== 200) await pause(POLL_MS)
  await server.kill()
  http.close()
  const killed = await running
  expect([killed.status, killed.stdout]).toEqual([1, ''])
  const [, jobId] = /: .*; (job_\w+) goes on when the server runs$/.exec(sentenceOf(killed)) ?? []
  expect(jobId, sentenceOf(killed)).toBeDefined()

  await start()
  // Imports run one after the other, so the second ends after the first.
  const again = await imported(path)
  expect([again.status, again.stdout.trimEnd()]).toEqual([0, expect.stringMatching(/: 20000 of 20000 rows landed$/)])
  const first = (await http.get(`/v1/jobs/${jobId}`)).json
  expect(first).toMatchObject({ state: 'SUCCEEDED', processed: MANY, failed: 0 })
}, 120_000)

it('leaves a log with what landed, once, and with its uses', async () => {
  await server.stop()
  const audit = auditLog(dataDir)
  expect(audit.faults).toEqual([])
  const others = [...audit.coupons.keys()].filter((code) => !code.startsWith('ROW-'))
  expect(others.sort()).toEqual(['GOOD-1', 'GOOD-2', 'LINE-1', 'LINE-2'])
  expect(audit.coupons.get('GOOD-1')).toMatchObject({ maxUses: 5, uses: 3 })
  expect(audit.coupons.size).toBe(MANY + others.length)
  const rows = Array.from({ length: MANY }, (_, i) => i)
  expect(rows.filter((i) => audit.coupons.get(`ROW-${i}`)?.uses !== i % 3)).toEqual([])
}, 30_000)
