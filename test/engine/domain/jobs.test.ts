/**
 * Jobs that make codes: turn by turn, cancelled, after a crash; and the codes themselves.
 */
import { describe, expect, test } from 'vitest'
import { CODES_AT_ONCE_MAX, OPEN_JOBS_MAX } from '../../../engine/domain/limits.ts'
import { Router } from '../../../engine/routing.ts'
import { surroundingsOf } from '../../../engine/surroundings.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CodesPlan } from '../../../protocol/jobs.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { CampaignScene, campaignWith, codesPlan, couponOf, router, told } from '../support/campaign-scene.ts'
import { LiveShard, SECRET, SHARD } from '../support/live-shard.ts'
import { total } from '../support/samples.ts'
import { START_MS } from '../support/scene.ts'

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const DRAWN = /^[A-HJ-NP-Z2-9]+$/

function jobSeqOf(outcome: Outcome): number {
  if (outcome.type !== OUTCOME.JOB) throw new Error(`answered ${told(outcome)}`)
  return outcome.jobSeq
}

function withCampaign(): CampaignScene {
  const s = new CampaignScene()
  s.campaign()
  return s
}

describe('a job', () => {
  test('waits, works a slice at a time, and ends with its last code', () => {
    const s = withCampaign()
    const seq = jobSeqOf(s.start(codesPlan(0, CODES_AT_ONCE_MAX + 10)))
    expect(s.job(seq)).toMatchObject({ kind: 'CODES', state: 'QUEUED', begunAtMs: 0, endedAtMs: 0 })
    s.later(5).shard.actor.work(s.nowMs)
    expect(told(s.job(seq))).toBe(`RUNNING ${CODES_AT_ONCE_MAX} of ${CODES_AT_ONCE_MAX + 10}`)
    s.later(5).work()
    expect(s.job(seq)).toMatchObject({ state: 'SUCCEEDED', begunAtMs: START_MS + 5, endedAtMs: START_MS + 10 })
    expect(s.shard.actor.hasWork).toBe(false)
    expect(s.sees(0)).toMatchObject({ codes: CODES_AT_ONCE_MAX + 10, poolSize: CODES_AT_ONCE_MAX + 10 })
  })

  test('waits for those before it: the codes of one job stand together', () => {
    const s = withCampaign()
    const first = jobSeqOf(s.start(codesPlan(0, CODES_AT_ONCE_MAX * 2, { prefix: 'A' })))
    const second = jobSeqOf(s.start(codesPlan(0, 5, { prefix: 'B' })))
    for (let turn = 0; turn < 2; turn++) {
      expect(told(s.job(second))).toBe('QUEUED 0 of 5')
      s.shard.actor.work(s.nowMs)
    }
    expect(s.job(first).state).toBe('SUCCEEDED')
    s.work()
    expect(s.job(second).state).toBe('SUCCEEDED')
    expect(
      s
        .codes()
        .map(({ code }) => code[0])
        .join(''),
    ).toBe(`${'A'.repeat(CODES_AT_ONCE_MAX * 2)}BBBBB`)
  })

  test('gives the nth code to the nth user, over all its slices', () => {
    const s = withCampaign()
    const count = CODES_AT_ONCE_MAX + 2
    const codes = s.makes(0, count, { userIds: Array.from({ length: count }, (_, i) => `u-${i}`) })
    for (const place of [0, CODES_AT_ONCE_MAX - 1, CODES_AT_ONCE_MAX, count - 1]) {
      const code = codes[place] as string
      expect(told(s.validate(code, total(1_000), `u-${(place + 1) % count}`))).toBe('USER_NOT_ELIGIBLE')
      expect(told(s.validate(code, total(1_000), `u-${place}`))).toBe('100')
    }
  })

  test('with a window of its own has its events in time, whatever windows other jobs have', () => {
    const s = withCampaign()
    const until = (ms: number) => ({ definition: couponOf(0, '', { validUntilMs: START_MS + ms }) })
    for (const ms of [2_000, 1_000, 3_000]) s.makes(0, 1, until(ms))
    const passed = () => s.events().filter((name) => name === 'BATCH_WINDOW_PASSED').length
    for (const [second, expected] of [1, 2, 3].entries()) {
      s.later(999).sweep()
      expect(passed()).toBe(second)
      s.later(1).sweep()
      expect(passed()).toBe(expected)
    }
  })

  test('cancelled while it waits makes nothing, and the next has its turn', () => {
    const s = withCampaign()
    const first = jobSeqOf(s.start(codesPlan(0, 5)))
    const second = jobSeqOf(s.start(codesPlan(0, 3)))
    expect(told(s.say({ type: COMMAND.END_JOB, jobSeq: first, end: 'CANCELLED', reason: null }))).toBe(
      'CANCELLED 0 of 5',
    )
    s.work()
    expect(told(s.job(first))).toBe('CANCELLED 0 of 5')
    expect(told(s.job(second))).toBe('SUCCEEDED 3 of 3')
    expect(s.sees(0).codes).toBe(3)
  })

  test('cancelled in the middle keeps what was made; again, or after its end, it stays as it ended', () => {
    const s = withCampaign()
    const seq = jobSeqOf(s.start(codesPlan(0, CODES_AT_ONCE_MAX + 1)))
    s.shard.actor.work(s.nowMs)
    const cancel = () => told(s.say({ type: COMMAND.END_JOB, jobSeq: seq, end: 'CANCELLED', reason: null }))
    expect(cancel()).toBe(`CANCELLED ${CODES_AT_ONCE_MAX} of ${CODES_AT_ONCE_MAX + 1}`)
    const before = s.events().length
    expect(cancel()).toBe(`CANCELLED ${CODES_AT_ONCE_MAX} of ${CODES_AT_ONCE_MAX + 1}`)
    s.work()
    expect(s.events().length).toBe(before)
    expect(s.sees(0)).toMatchObject({ codes: CODES_AT_ONCE_MAX, poolSize: CODES_AT_ONCE_MAX })
    const done = jobSeqOf(s.start(codesPlan(0, 1)))
    s.work()
    expect(told(s.say({ type: COMMAND.END_JOB, jobSeq: done, end: 'CANCELLED', reason: null }))).toBe(
      'SUCCEEDED 1 of 1',
    )
  })

  test('goes on after a crash where it was: nothing missing, nothing twice', () => {
    const s = withCampaign()
    const count = CODES_AT_ONCE_MAX * 3 + 7
    const seq = jobSeqOf(s.start(codesPlan(0, count)))
    for (let turn = 0; s.shard.actor.hasWork; turn++) {
      s.shard.actor.work(s.nowMs)
      s.crash()
      expect(s.job(seq).processed).toBe(Math.min(count, CODES_AT_ONCE_MAX * (turn + 1)))
    }
    expect(new Set(s.codes({ jobSeq: seq }).map(({ code }) => code)).size).toBe(count)
    expect(s.sees(0).codes).toBe(count)
  })

  test('whose random bytes repeat makes no code twice, and ends all the same once they stop repeating', () => {
    const random = new SeededRandom(9)
    let kept = new Uint8Array(0)
    let calls = 0
    // Every second draw is the one before it.
    const shard = new LiveShard(SHARD, {
      around: surroundingsOf(SHARD, router),
      random: (bytes) => {
        if (calls++ % 2 === 0 || kept.length < bytes) kept = Uint8Array.from({ length: bytes }, () => random.below(256))
        return kept.slice(0, bytes)
      },
    })
    shard.send({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith() }, START_MS)
    shard.send({ type: COMMAND.START_JOB, by: null, plan: codesPlan(0, CODES_AT_ONCE_MAX * 3) }, START_MS)
    let turns = 0
    while (shard.actor.hasWork) {
      shard.actor.work(START_MS)
      turns++
    }
    expect(turns).toBe(5)
    expect(shard.state.tables.bulk.size).toBe(CODES_AT_ONCE_MAX * 3)
    const codes = Array.from({ length: shard.state.tables.bulk.size }, (_, i) => shard.state.code(2 ** 30 + i))
    expect(new Set(codes).size).toBe(codes.length)
  })

  test('for a campaign that is not here, or a job that never was, is refused', () => {
    const s = withCampaign()
    expect(told(s.start(codesPlan(1, 5)))).toBe('CAMPAIGN_NOT_FOUND')
    const { definition } = codesPlan(0, 5)
    const elsewhere = { ...definition, campaign: { shard: SHARD + 1, index: 0 } }
    expect(told(s.start(codesPlan(0, 5, { definition: elsewhere })))).toBe('CAMPAIGN_NOT_FOUND')
    expect(() => s.job(1)).toThrow('no job')
    expect(told(s.say({ type: COMMAND.END_JOB, jobSeq: 1, end: 'CANCELLED', reason: null }))).toBe('JOB_NOT_FOUND')
  })

  test('beyond so many that wait is refused', () => {
    const s = withCampaign()
    for (let job = 0; job < OPEN_JOBS_MAX; job++) s.start(codesPlan(0, 1))
    expect(told(s.start(codesPlan(0, 1)))).toBe('STORAGE_UNAVAILABLE')
    s.work()
    expect(told(s.start(codesPlan(0, 1)))).toBe('QUEUED 0 of 1')
  })
})

describe('CODE_SPACE_TOO_SMALL', () => {
  // Four drawn letters over 16 shards: 32^4 / 16 = 65,536 codes, of which half may be taken.
  const four = (count: number, fields: Partial<CodesPlan> = {}) =>
    codesPlan(0, count, { length: 8, prefix: 'SALE', ...fields })

  test('is the answer from one code more than half of the shard’s share', () => {
    expect(told(withCampaign().start(four(32_769)))).toBe('CODE_SPACE_TOO_SMALL')
    expect(told(withCampaign().start(four(32_768)))).toBe('QUEUED 0 of 32768')
  })

  test('counts what earlier jobs of the same form have made or still will, and not what a cancelled one never made', () => {
    const s = withCampaign()
    const first = jobSeqOf(s.start(four(20_000)))
    expect(told(s.start(four(12_769)))).toBe('CODE_SPACE_TOO_SMALL')
    s.shard.actor.work(s.nowMs)
    s.say({ type: COMMAND.END_JOB, jobSeq: first, end: 'CANCELLED', reason: null })
    // A slice of so small a space has some codes twice, which it leaves out.
    const left = 32_768 - s.job(first).processed
    expect(told(s.start(four(left + 1)))).toBe('CODE_SPACE_TOO_SMALL')
    expect(told(s.start(four(left)))).toBe(`QUEUED 0 of ${left}`)
    expect(told(s.start(four(32_768, { prefix: 'SALT' })))).toBe('QUEUED 0 of 32768')
  })

  test('half of a space is filled without a code twice', () => {
    const s = withCampaign()
    const seq = jobSeqOf(s.start(codesPlan(0, 1_024, { length: 8, prefix: 'SALES' })))
    s.work()
    const codes = s.codes({ jobSeq: seq })
    expect(new Set(codes.map(({ code }) => code)).size).toBe(1_024)
  })
})

describe('codes made in bulk', () => {
  const cases: [number, number, number, string][] = []
  for (const shards of [1, 2, 16, 64, 1_024]) {
    for (const [length, prefix] of [
      [8, ''],
      [10, ''],
      [12, 'VIP-'],
      [13, ''],
      [16, 'SUMMER_26-'],
    ] as const) {
      cases.push([shards, shards === 1 ? 0 : (length * 37) % shards, length, prefix])
    }
  }

  test.each(cases)(
    'of %i shards on shard %i, %i letters with prefix “%s”: found by the router and by their code',
    (shards, shard, length, prefix) => {
      const among = new Router(shards, SECRET)
      const random = new SeededRandom(length * shards)
      const live = new LiveShard(shard, {
        around: surroundingsOf(shard, among),
        random: (bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)),
      })
      live.send({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith() }, START_MS)
      const plan = codesPlan(0, 500, { length, prefix })
      const definition = { ...plan.definition, campaign: { shard, index: 0 } }
      live.send({ type: COMMAND.START_JOB, by: null, plan: { ...plan, definition } }, START_MS)
      while (live.actor.hasWork) live.actor.work(START_MS)
      const { state } = live
      const seen = new Set<string>()
      for (let ordinal = 2 ** 30; ordinal < 2 ** 30 + 500; ordinal++) {
        const code = state.code(ordinal)
        seen.add(code)
        expect(code.length).toBe(length)
        expect(code.startsWith(prefix)).toBe(true)
        expect(code.slice(prefix.length)).toMatch(DRAWN)
        expect(among.shardOfCode(code)).toBe(shard)
        const { outcome } = live.send({ type: COMMAND.GET_COUPON, coupon: { code, ordinal: -1 } }, START_MS)
        expect(outcome).toMatchObject({ ordinal, status: 'ACTIVE', createdAtMs: START_MS, definition: { code } })
      }
      expect(seen.size).toBe(500)
    },
  )

  test('use every letter alike in every place but the last two', () => {
    const s = withCampaign()
    const count = 64_000
    const codes = s.makes(0, count, { distribution: 'EXPORTED' })
    // 2,000 of each letter expected; six standard deviations are 264.
    for (let place = 0; place < 8; place++) {
      const counts = new Map<string, number>()
      for (const code of codes) counts.set(code[place] as string, (counts.get(code[place] as string) ?? 0) + 1)
      expect(counts.size).toBe(32)
      for (const [letter, times] of counts) {
        expect(Math.abs(times - count / 32), `${letter} in place ${place}`).toBeLessThan(264)
      }
    }
  })

  test('never spell a name that no coupon may have', () => {
    // The first draw is GENERATE: letters by their number in the alphabet.
    const letters = Array.from('GENERATE', (letter) => ALPHABET.indexOf(letter))
    const random = new SeededRandom(4)
    const { endings } = surroundingsOf(SHARD, new Router(1, SECRET))
    const wanted = (letters[6] as number) * 32 + (letters[7] as number)
    const head = new TextEncoder().encode('GENERATE')
    const pick = Array.from({ length: 1_024 }, (_, i) => i).find((i) => endings.ending(head, 6, i) === wanted) as number
    let draws = 0
    const live = new LiveShard(0, {
      around: surroundingsOf(0, new Router(1, SECRET)),
      random: (bytes) => {
        const drawn = Uint8Array.from({ length: bytes }, () => random.below(256))
        if (draws++ > 0) return drawn
        drawn.set(letters)
        drawn[8] = pick >>> 8
        drawn[9] = pick & 255
        return drawn
      },
    })
    live.send({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: campaignWith() }, START_MS)
    const plan = codesPlan(0, 20, { length: 8 })
    const definition = { ...plan.definition, campaign: { shard: 0, index: 0 } }
    live.send({ type: COMMAND.START_JOB, by: null, plan: { ...plan, definition } }, START_MS)
    while (live.actor.hasWork) live.actor.work(START_MS)
    const codes = Array.from({ length: live.state.tables.bulk.size }, (_, i) => live.state.code(2 ** 30 + i))
    expect(codes.length).toBe(20)
    expect(codes).not.toContain('GENERATE')
    expect(draws).toBe(2)
  })

  test('are listed page by page with what became of them', () => {
    const s = withCampaign()
    const [a, b, c, d, e] = s.makes(0, 5) as [string, string, string, string, string]
    s.later(10)
    s.redeem(a, { user: 'ann' })
    s.reserve(b, { user: 'bob', ttlSeconds: 60 })
    s.switchTo(c, 'DISABLED')
    s.reserve(d, { user: 'dee', ttlSeconds: 1 })
    s.later(1_000)
    const rows = s
      .codes({ campaignIndex: 0 })
      .map(({ code, status, holder, lockedUntilMs, redeemedAtMs, createdAtMs }) => [
        code,
        status,
        holder,
        lockedUntilMs,
        redeemedAtMs,
        createdAtMs,
      ])
    expect(rows).toEqual([
      [a, 'REDEEMED', 'ann', 0, START_MS + 10, START_MS],
      [b, 'LOCKED', 'bob', START_MS + 60_010, 0, START_MS],
      [c, 'DISABLED', null, 0, 0, START_MS],
      [d, 'ACTIVE', null, 0, 0, START_MS],
      [e, 'ACTIVE', null, 0, 0, START_MS],
    ])
    const page = s.say({ type: COMMAND.LIST_CODES, campaignIndex: 0, jobSeq: 0, fromOrdinal: 0, limit: 2 })
    expect(page).toMatchObject({ codes: [{ code: a }, { code: b }], nextOrdinal: 2 ** 30 + 2 })
  })
})
