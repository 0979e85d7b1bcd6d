// `tearoff backup`, `restore`, `verify` and `inspect` beside a real server under load, and on the directory it leaves.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeBackup } from '../../cli/backup/make-backup.ts'
import { restore } from '../../cli/backup/restore.ts'
import { openDataDirectory } from '../../cli/rebuild/data-directory.ts'
import { type Cut, cutOf, NO_CUT } from '../../cli/rebuild/positions.ts'
import { rebuild } from '../../cli/rebuild/rebuild.ts'
import { EVENT } from '../../protocol/events.ts'
import { tablesOf } from '../engine/support/state-image.ts'
import { HttpClient } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { Recorder } from './recorded-calls.ts'
import { BEGIN_MS, created, redeemed, reversed, writeLog } from './synthetic-log.ts'
import { runTool, toolJson } from './tool-process.ts'

const CLIENTS = 8
const SETTINGS = { SHARDS: '4', WORKERS: '2' } as const

let root: string
let dataDir: string
let servers: ServerProcess[]

beforeEach(() => {
  root = temporaryDirectory('backup')
  dataDir = join(root, 'data')
  servers = []
})

afterEach(async () => {
  for (const server of servers) if (server.isRunning) await server.kill()
  removeDirectory(root)
})

async function started(directory: string): Promise<{ server: ServerProcess; http: HttpClient }> {
  const server = await startServer({ dataDir: directory, settings: SETTINGS })
  servers.push(server)
  return { server, http: new HttpClient(server.port, CLIENTS) }
}

/** Calls of many clients until told to stop; resolves when the last one has its answer. */
async function underLoad(http: HttpClient): Promise<{ readonly recorder: Recorder; stop(): Promise<void> }> {
  const random = new SeededRandom()
  process.stdout.write(`backup: TEST_SEED=${random.seed}\n`)
  const recorder = new Recorder(http, random)
  await recorder.begin()
  let goesOn = true
  const client = async (): Promise<void> => {
    while (goesOn) await recorder.wild()
  }
  const clients = Array.from({ length: CLIENTS }, client)
  return {
    recorder,
    async stop() {
      goesOn = false
      await Promise.all(clients)
    },
  }
}

/** Resolves once so many more calls have been answered. */
async function moreCalls(recorder: Recorder, count: number): Promise<void> {
  const until = recorder.calls.length + count
  await expect.poll(() => recorder.calls.length, { timeout: 20_000, interval: 20 }).toBeGreaterThanOrEqual(until)
}

/** Every table of every shard, by the log alone. */
function images(directory: string, untilTime?: string) {
  const cut = untilTime === undefined ? NO_CUT : cutOf([], untilTime, 4)
  const { states } = rebuild(openDataDirectory(directory), { cut })
  return [...states.values()].map(tablesOf)
}

/** Parts of transactions over several shards whose other parts are not in the directory, though they came before. */
function tornTransactions(directory: string, cut: Cut = NO_CUT): readonly string[] {
  const logged = new Set<string>()
  const needed = new Map<string, string>()
  rebuild(openDataDirectory(directory), {
    cut,
    onEvent({ shard }, { event, seq }) {
      logged.add(`${shard}:${seq}`)
      const here = `${shard}:${seq}`
      if ((event.type === EVENT.REDEEMED || event.type === EVENT.RESERVED) && event.stack !== null) {
        for (const coupon of event.stack.coupons) needed.set(`${coupon.shard}:${coupon.heldSeq}`, here)
      } else if (event.type === EVENT.BRANCH_PREPARED && event.txn.seq !== 0) {
        needed.set(`${event.txn.shard}:${event.txn.seq}`, here)
      } else if (event.type === EVENT.BRANCH_REDEEMED) {
        needed.set(`${event.txn.shard}:${event.redemptionSeq}`, here)
      } else if (event.type === EVENT.BRANCH_RESERVED) {
        needed.set(`${event.txn.shard}:${event.reservationSeq}`, here)
      } else if (event.type === EVENT.MESSAGES_DELIVERED) {
        for (const each of event.seqs) needed.set(`${shard}:${each}`, here)
      }
    },
  })
  return [...needed].filter(([cause]) => !logged.has(cause)).map(([cause, effect]) => `${effect} without ${cause}`)
}

describe('beside a running server', () => {
  it('a backup ends at one moment, and a restore to any second before equals a replay until then', async () => {
    const { server, http } = await started(dataDir)
    const load = await underLoad(http)
    await moreCalls(load.recorder, 500)
    const to = join(root, 'copy')
    const first = await toolJson(0, 'backup', '--data-dir', dataDir, '--url', server.baseUrl, '--to', to)
    await moreCalls(load.recorder, 500)
    const second = await toolJson(0, 'backup', '--data-dir', dataDir, '--url', server.baseUrl, '--to', to)
    await load.stop()
    http.close()
    await server.stop()
    expect(second['events']).toBeGreaterThan(first['events'] as number)
    const until = String(second['until'])
    expect(images(to)).toEqual(images(dataDir, until))
    expect(tornTransactions(to)).toEqual([])
    // That they are looked for in the right way: positions without a time tear some.
    const byPosition = [0, 1, 2, 3].map((shard) => ({ ...NO_CUT, seqs: new Map([[shard, 1]]) }))
    expect(byPosition.flatMap((cut) => tornTransactions(dataDir, cut))).not.toEqual([])

    const whole = join(root, 'whole')
    await toolJson(0, 'restore', '--from', to, '--to', whole)
    expect(images(whole)).toEqual(images(to))
    // Somewhere in the middle: the time of an answer.
    const middle = load.recorder.calls[Math.floor(load.recorder.calls.length / 3)]?.position ?? ''
    const time = new Date(Number(/@(\d+)/.exec(middle)?.[1])).toISOString()
    const past = join(root, 'past')
    const restored = await toolJson(0, 'restore', '--from', to, '--to', past, '--until-time', time)
    expect(restored['until']).toBe(time)
    expect(images(past)).toEqual(images(dataDir, time))
    expect(tornTransactions(past)).toEqual([])

    const again = await started(past)
    const listed = images(dataDir, time).flatMap(({ coupons }) => coupons)
    expect(listed.length).toBeGreaterThan(10)
    for (const { definition, uses, reserved } of listed) {
      const { code } = definition as { readonly code: string }
      const { json } = await again.http.get(`/v1/coupons/${code}`)
      // What was decided between shards and not told yet is told now: a hold of then is a use.
      expect(json['uses'], code).toBeGreaterThanOrEqual(uses)
      expect(json['uses'], code).toBeLessThanOrEqual(uses + reserved)
    }
    const verified = await toolJson(0, 'verify', '--data-dir', past, '--url', again.server.baseUrl)
    expect(verified['answersCompared']).toBe(listed.length)
    again.http.close()
    await again.server.stop()
  }, 90_000)

  it('verify holds the answers of the server against its log', async () => {
    const { server, http } = await started(dataDir)
    const load = await underLoad(http)
    await moreCalls(load.recorder, 300)
    const verified = await toolJson(0, 'verify', '--data-dir', dataDir, '--url', server.baseUrl)
    await load.stop()
    http.close()
    expect(verified).toMatchObject({ ok: true, answersCompared: 21 })
    await server.stop()
    const stopped = await runTool('verify', '--data-dir', dataDir)
    expect(stopped).toMatchObject({ status: 0, stderr: '' })
    expect(stopped.stdout).toMatch(
      /^the counters of 21 coupons and \d+ snapshots are what \d+ events of 4 shards make\n$/,
    )
  }, 60_000)

  it('a backup without its address is refused with a sentence, and another server is not taken for it', async () => {
    await started(dataDir)
    const other = await started(join(root, 'other'))
    await other.http.post('/v1/coupons', { code: 'SAVE10', type: 'PERCENT', value: 10 })
    const to = join(root, 'copy')
    const refused = await runTool('backup', '--data-dir', dataDir, '--url', 'http://127.0.0.1:9', '--to', to)
    expect(refused).toMatchObject({ status: 2, stdout: '' })
    expect(refused.stderr).toMatch(/^tearoff: no server answers at http:\/\/127\.0\.0\.1:9: /)
    const foreign = await runTool('backup', '--data-dir', dataDir, '--url', other.server.baseUrl, '--to', to)
    expect(foreign.status).toBe(1)
    expect(foreign.stderr).toContain('is that server running on this directory?')
    other.http.close()
  }, 60_000)
})

describe('a backup of a stopped server', () => {
  async function filled(): Promise<string> {
    const { server, http } = await started(dataDir)
    const load = await underLoad(http)
    await moreCalls(load.recorder, 200)
    await load.stop()
    http.close()
    await server.stop()
    const to = join(root, 'copy')
    await toolJson(0, 'backup', '--data-dir', dataDir, '--to', to)
    return to
  }

  it('holds everything, and a second one copies nothing that is there', async () => {
    const to = await filled()
    expect(images(to)).toEqual(images(dataDir))
    const again = await toolJson(0, 'backup', '--data-dir', `${dataDir}/`, '--to', `${to}/./`)
    expect(again).toMatchObject({ until: null, keptFiles: 2 })
    for (const lane of ['00', '01']) {
      const name = join('lanes', lane, '000001.mdb')
      expect(readFileSync(join(to, name)).equals(readFileSync(join(dataDir, name)))).toBe(true)
    }
  }, 60_000)

  it('with a changed byte is refused, by name; a target that is not empty, too', async () => {
    const to = await filled()
    const path = join(to, 'lanes', '01', '000001.mdb')
    const bytes = readFileSync(path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 4, bytes.length - 9)
    writeFileSync(path, bytes)
    const target = join(root, 'target')
    const damaged = await runTool('restore', '--from', to, '--to', target)
    expect(damaged.status).toBe(1)
    expect(damaged.stderr).toBe(`tearoff: ${path} does not fit the digest it was backed up with\n`)
    expect(existsSync(join(target, 'deployment.json'))).toBe(false)
    const full = await runTool('restore', '--from', to, '--to', dataDir)
    expect(full).toMatchObject({
      status: 2,
      stderr: `tearoff: ${dataDir} is not empty: restore into a new directory\n`,
    })
    const missing = await runTool('restore', '--from', dataDir, '--to', target)
    expect(missing).toMatchObject({ status: 2, stderr: `tearoff: ${dataDir} holds no backup: it has no backup.json\n` })
    const mixed = await runTool('backup', '--data-dir', dataDir, '--to', join(dataDir, 'lanes'))
    expect(mixed).toMatchObject({
      status: 2,
      stderr: `tearoff: ${join(dataDir, 'lanes')} is not empty and holds no backup\n`,
    })
  }, 60_000)

  it('can be looked into', async () => {
    const to = await filled()
    const listed = await toolJson(0, 'inspect', '--data-dir', to, '--shards')
    expect(listed).toMatchObject({
      runningPid: null,
      deployment: { shards: 4 },
      segments: [
        { lane: 0, segment: 1, state: 'sealed' },
        { lane: 1, segment: 1, state: 'sealed' },
      ],
    })
    const first = await toolJson(0, 'inspect', '--data-dir', to, '--position', '2:1')
    expect(first).toMatchObject({ position: '2:1', type: 'COUPON_CREATED' })
    const coupon = await toolJson(0, 'inspect', '--data-dir', to, '--code', 'plain')
    expect(coupon).toMatchObject({ coupon: { code: 'PLAIN', type: 'PERCENT' } })
    expect((await runTool('inspect', '--data-dir', to, '--code', 'NOBODYS')).status).toBe(2)
    expect((await runTool('inspect', '--data-dir', root)).status).toBe(2)
  }, 60_000)
})

describe('a log whose shards moved between lanes', () => {
  const nothing = () => () => {}

  it('is restored to any positions as it is replayed to them', async () => {
    await writeLog(dataDir, [
      { shard: 1, events: [created(0, 'ONE'), redeemed('ann', 'o1')] },
      { shard: 2, events: [created(0, 'TWO')] },
      { shard: 1, events: [redeemed('bob', 'o2')] },
    ])
    await writeLog(
      dataDir,
      [
        { shard: 2, events: [redeemed('ann', 'o3'), { event: redeemed('bob', 'o4'), afterMs: 5 }] },
        { shard: 1, events: [redeemed('eve', 'o5')] },
      ],
      1,
    )
    await writeLog(dataDir, [
      { shard: 2, events: [reversed(2, 'ann')], timeMs: BEGIN_MS + 10 },
      { shard: 1, events: [redeemed('zoe', 'o6'), redeemed('joe', 'o7')], timeMs: BEGIN_MS + 10 },
    ])
    const copy = join(root, 'copy')
    await makeBackup(openDataDirectory(dataDir), { cut: NO_CUT, atLeast: new Map() }, copy, 0, nothing)
    for (let ofOne = 0; ofOne <= 6; ofOne++) {
      for (let ofTwo = 0; ofTwo <= 4; ofTwo++) {
        const cut = {
          ...NO_CUT,
          seqs: new Map([
            [1, ofOne],
            [2, ofTwo],
          ]),
        }
        const to = join(root, `at-${ofOne}-${ofTwo}`)
        await restore(copy, to, () => cut, nothing)
        const { states } = rebuild(openDataDirectory(dataDir), { cut })
        expect(images(to), `${ofOne} and ${ofTwo}`).toEqual([...states.values()].map(tablesOf))
      }
    }
  }, 60_000)
})
