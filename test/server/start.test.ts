// Starts with several workers, which are ready at different times: none may write before all have read. A worker that opens a
// segment early could have it sealed as empty by one that still looks at what the last process left.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.ts'
import { ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { sick, Trigger } from './sick-server.ts'

const WORKERS = { WORKERS: '2' } as const
const COUPONS = 48
/** Many times the sweep's cadence of 20 ms. */
const TEMPTATION_MS = 300

let dataDir: string
let server: ServerProcess | null = null

beforeEach(() => {
  dataDir = temporaryDirectory('start')
})

afterEach(async () => {
  if (server?.isRunning === true) await server.kill()
  removeDirectory(dataDir)
})

/** Segments of lane 0 that were opened for writing. */
function opened(): readonly string[] {
  return readdirSync(join(dataDir, 'lanes', '00')).filter((name) => name.endsWith('.opened'))
}

it('lets no worker write, not even what is overdue, before all are ready', async () => {
  const late = new Trigger(dataDir)
  server = await startServer({ dataDir, settings: WORKERS })
  const first = new HttpClient(server.port)
  const expiries: number[] = []
  for (let i = 0; i < COUPONS; i++) {
    const code = `HELD-${i}`
    await first.post('/v1/coupons', { code, type: 'PERCENT', value: 10, maxUses: 1 })
    const { json } = await first.post('/v1/reservations', { codes: [code], userId: 'u', ttlSeconds: 1 })
    expiries.push(Date.parse(String(json['expiresAt'])))
  }
  first.close()
  await server.kill()
  const before = opened()

  late.set()
  server = new ServerProcess({ dataDir, settings: WORKERS, ...sick('TEST_LATE', late) })
  const http = new HttpClient(await server.listening)
  // Worker 0 has told how much it read: it is ready, and by then its reservations are overdue.
  for (let events = 0; events === 0; ) {
    const { replay } = (await http.get('/readyz')).json as { replay: { events: number } }
    events = replay.events
  }
  await wait(Math.max(0, Math.max(...expiries) - Date.now()) + TEMPTATION_MS)
  expect(opened()).toEqual(before)
  late.clear()
  await server.ready
  for (let i = 0; i < COUPONS; i++) {
    expect((await http.get(`/v1/coupons/HELD-${i}`)).json).toMatchObject({ reserved: 0, status: 'ACTIVE' })
  }
  http.close()
  await server.stop()
  expect(opened().length).toBeGreaterThan(before.length)
})
