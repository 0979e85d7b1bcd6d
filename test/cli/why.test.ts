// `tearoff why` against a real server: every recorded answer is decided again from the log, and comes out the same, word by word.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataDirectory } from '../../cli/rebuild/data-directory.ts'
import { answerPositions, NO_CUT } from '../../cli/rebuild/positions.ts'
import { rebuild } from '../../cli/rebuild/rebuild.ts'
import { askPast, type PastAnswer } from '../../cli/why/ask-past.ts'
import { pastRequest } from '../../cli/why/past-request.ts'
import type { ShardState } from '../../engine/domain/state.ts'
import { writeSnapshot } from '../../engine/shard/snapshot-state.ts'
import type { StoredEntry } from '../../persistence/record.ts'
import { replayLog } from '../../persistence/recovery.ts'
import { HttpClient } from '../support/http-client.ts'
import { PRODUCT_ENTRY } from '../support/project.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { type RecordedCall, Recorder } from './recorded-calls.ts'

const REFUSALS = Number(process.env['WHY_REFUSALS'] ?? 1_000)
const CLIENTS = 16
const SHARDS = 4

/** All refusals of shards that the calls above can be given. */
const CODES = [
  'CHANNEL_NOT_ALLOWED',
  'CODE_TAKEN',
  'COUPON_DISABLED',
  'COUPON_EXHAUSTED',
  'COUPON_EXPIRED',
  'COUPON_LOCKED',
  'COUPON_NOT_FOUND',
  'COUPON_NOT_STARTED',
  'CURRENCY_MISMATCH',
  'INVALID_TRANSITION',
  'MIN_ORDER_NOT_MET',
  'MIN_QUANTITY_NOT_MET',
  'NOT_APPLICABLE',
  'NOT_STACKABLE',
  'ORDER_CONFLICT',
  'REDEMPTION_NOT_FOUND',
  'REDEMPTION_REVERSED',
  'RESERVATION_CLOSED',
  'RESERVATION_EXPIRED',
  'RESERVATION_NOT_FOUND',
  'USER_LIMIT_REACHED',
  'USER_NOT_ELIGIBLE',
  'VERSION_CONFLICT',
]

let dataDir: string
let server: ServerProcess
let calls: readonly RecordedCall[]

beforeAll(async () => {
  dataDir = temporaryDirectory('why')
  const random = new SeededRandom()
  process.stdout.write(`why: TEST_SEED=${random.seed}\n`)
  server = await startServer({ dataDir, settings: { SHARDS: String(SHARDS), WORKERS: '2' } })
  const http = new HttpClient(server.port, CLIENTS)
  const recorder = new Recorder(http, random)
  await recorder.begin()
  const client = async (): Promise<void> => {
    while (recorder.refusals < REFUSALS) await recorder.wild()
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  http.close()
  calls = recorder.calls
}, 120_000)

afterAll(async () => {
  if (server.isRunning) await server.stop()
  removeDirectory(dataDir)
})

function asked(all: readonly RecordedCall[]): readonly PastAnswer[] {
  const directory = openDataDirectory(dataDir)
  return askPast(
    directory,
    all.map((call) => ({
      request: pastRequest(call, { operation: null, target: '' }),
      positions: answerPositions(call.position, directory.deployment.shards),
    })),
  )
}

function expectSame(recorded: readonly RecordedCall[], answers: readonly PastAnswer[]): void {
  for (const [i, call] of recorded.entries()) {
    const { told } = answers[i] as PastAnswer
    const shown = JSON.stringify({ ...call, told })
    expect(told?.code, shown).toBe(call.code)
    expect(told?.status, shown).toBe(call.status)
    expect(told?.body, shown).toEqual(call.answer)
  }
}

/** Whether a success comes out as it was: made anew, or answered again with the same words. */
function isTrueOf(call: RecordedCall, { told, logged }: PastAnswer): boolean {
  if (call.status === 201 || told === null) return logged.length > 0
  // Of a call over several shards only the coordinator's position is known: enough to say that it was no refusal.
  if (told.body === null) return told.code === null
  return told.status === call.status && isDeepStrictEqual(told.body, call.answer)
}

/** The first sequence that is looked at, by shard. */
function firstSeqs(all: readonly RecordedCall[]): ReadonlyMap<number, number> {
  const firsts = new Map<number, number>()
  for (const { position } of all) {
    for (const { shard, seq } of answerPositions(position, SHARDS)) {
      firsts.set(shard, Math.min(seq, firsts.get(shard) ?? Number.POSITIVE_INFINITY))
    }
  }
  return firsts
}

/** Makes a snapshot of each shard at the last end of an entry before a sequence; how many. */
function snapshotsEarlierThan(
  seqs: ReadonlyMap<number, number>,
  tamper: (state: ShardState) => void = () => {},
): number {
  const directory = openDataDirectory(dataDir)
  const { deployment } = directory
  let made = 0
  for (const [shard, seq] of seqs) {
    const ends: number[] = []
    const noteEnd = ({ firstSeq, eventCount }: StoredEntry): void => void ends.push(firstSeq + eventCount - 1)
    replayLog(dataDir, deployment, new Set([shard]), noteEnd)
    const end = ends.filter((each) => each < seq).at(-1)
    if (end === undefined) continue
    const until = { seqs: new Map([[shard, end]]) }
    const head = replayLog(dataDir, deployment, new Set([shard]), () => {}, undefined, { until }).heads.get(shard)
    const state = rebuild(directory, { cut: { ...NO_CUT, seqs: until.seqs } }).states.get(shard)
    if (head === undefined || state === undefined) throw new Error(`shard ${shard} has no log`)
    tamper(state)
    writeSnapshot(dataDir, deployment, state, head, Date.now())
    made++
  }
  return made
}

describe('why', () => {
  it('beside the running server decides a thousand refusals again, each with the same words', () => {
    const refusals = calls.filter(({ code }) => code !== null)
    expect(refusals.length).toBeGreaterThanOrEqual(REFUSALS)
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(CODES))
    expectSame(refusals, asked(refusals))
  })

  it('names a failed check for each refusal of a coupon, and it is the one that was told', () => {
    const refusals = calls.filter(({ code, answer }) => code !== null && 'coupons' in answer && 'coupon' in answer)
    const ofOrder = new Set(['ORDER_CONFLICT', 'REDEMPTION_REVERSED'])
    const ofCoupon = refusals.filter(({ code }) => !ofOrder.has(code ?? ''))
    expect(ofCoupon.length).toBeGreaterThan(REFUSALS / 2)
    for (const [i, { explanation }] of asked(ofCoupon).entries()) {
      const { code, answer } = ofCoupon[i] as RecordedCall
      const coupon = explanation.coupons.find((each) => each.code === answer['coupon'])
      const failed = coupon?.checks.filter(({ passed }) => !passed) ?? []
      expect(failed[0]?.check, JSON.stringify({ ...ofCoupon[i], explanation })).toBe(code)
      expect(failed[0]?.wouldPass).toBeTruthy()
    }
  })

  it('knows what was accepted from what was answered again', () => {
    const successes = calls.filter(({ code }) => code === null)
    const answers = asked(successes)
    const wrong = successes.filter((call, i) => !isTrueOf(call, answers[i] as PastAnswer))
    expect(wrong).toEqual([])
    expect(answers.filter(({ logged }) => logged.includes('REDEEMED')).length).toBeGreaterThan(20)
    expect(answers.filter(({ logged }) => logged.includes('RESERVED')).length).toBeGreaterThan(5)
  })

  it('had calls over several shards among them', () => {
    const stacked = calls.filter(({ position }) => position.includes(','))
    expect(stacked.filter(({ code }) => code !== null).length).toBeGreaterThan(20)
    expect(new Set(stacked.map(({ code }) => code)).size).toBeGreaterThan(5)
  })

  it('begins at snapshots where there are any, with the same answers', async () => {
    await server.stop()
    const refusals = calls.filter(({ code }) => code !== null)
    const late = refusals.slice(Math.floor(refusals.length / 2))
    const before = asked(late)
    const earliest = firstSeqs(late)
    const made = snapshotsEarlierThan(earliest)
    expect(made).toBeGreaterThan(1)
    expectSame(late, asked(late))
    expect(asked(late)).toEqual(before)
    // That they are used is seen by one that lies: then other answers come out.
    snapshotsEarlierThan(earliest, ({ tables, couponCount }) => {
      for (let ordinal = 0; ordinal < couponCount; ordinal++) tables.coupons.disabled.set(ordinal, 1)
    })
    expect(asked(late).filter(({ told }) => told?.code === 'COUPON_DISABLED').length).toBeGreaterThan(late.length / 4)
    removeDirectory(join(dataDir, 'snapshots'))
  })

  it('tells it in sentences, and as JSON, on the command line', async () => {
    if (server.isRunning) await server.stop()
    const call = calls.find(({ code, answer }) => code === 'MIN_ORDER_NOT_MET' && answer['coupon'] === 'LARGE')
    const request = join(dataDir, '..', `${Date.now()}-request.json`)
    writeFileSync(request, JSON.stringify(call))
    const args = ['why', '--data-dir', dataDir, '--position', call?.position ?? '', '--request', request]
    const told = spawnSync(process.execPath, [PRODUCT_ENTRY, ...args], { encoding: 'utf8' })
    expect(told.stderr).toBe('')
    expect(told.status).toBe(0)
    expect(told.stdout).toContain('MIN_ORDER_NOT_MET (422), coupon LARGE: the cart is')
    expect(told.stdout).toMatch(/FAILED {2}MIN_ORDER_NOT_MET .*would pass with \d+ more in the cart/)
    const json = spawnSync(process.execPath, [PRODUCT_ENTRY, ...args, '--json'], { encoding: 'utf8' })
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, told: { code: 'MIN_ORDER_NOT_MET' } })
    writeFileSync(request, '{"codes": ["LARGE"]}')
    expect(spawnSync(process.execPath, [PRODUCT_ENTRY, ...args]).status).toBe(2)
    removeDirectory(request)
  })
})
