// `tearoff replay` finds whatever is wrong with a log or with what was made of it, and names the place.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CouponLife } from '../../cli/replay/life.ts'
import { replayDirectory } from '../../cli/replay/replay-directory.ts'
import { openDataDirectory } from '../../cli/rebuild/data-directory.ts'
import { Divergence } from '../../cli/rebuild/divergence.ts'
import { cutOf, NO_CUT, UsageFault } from '../../cli/rebuild/positions.ts'
import { rebuild } from '../../cli/rebuild/rebuild.ts'
import { writeSnapshot } from '../../engine/shard/snapshot-state.ts'
import type { CounterTable } from '../../engine/shard/tables/counter-table.ts'
import { JournalError } from '../../persistence/errors.ts'
import { replayLog } from '../../persistence/recovery.ts'
import { BULK_ORDINALS, CAMPAIGN_ORDINALS } from '../../protocol/ordinals.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { campaignMade, codeRedeemed, codesMade, jobEnded, jobStarted } from './synthetic-campaigns.ts'
import {
  BEGIN_MS,
  changed,
  created,
  definitionOf,
  redeemed,
  released,
  reserved,
  reversed,
  writeLog,
} from './synthetic-log.ts'
import { runTool } from './tool-process.ts'

let dataDir: string

beforeEach(() => {
  dataDir = temporaryDirectory('replay')
})

afterEach(() => {
  removeDirectory(dataDir)
})

function replay(options: { until?: readonly string[]; untilTime?: string; coupon?: string } = {}) {
  const directory = openDataDirectory(dataDir)
  const cut = cutOf(options.until ?? [], options.untilTime, directory.deployment.shards)
  return replayDirectory(directory, { cut, coupon: options.coupon ?? null })
}

function faultOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it passed')
}

/** Two shards over two lanes, with every turn that a reservation can take. */
async function someLog(): Promise<void> {
  await writeLog(dataDir, [
    { shard: 1, events: [created(0, 'SAVE10', { maxUses: 5, maxUsesPerUser: 2 }), redeemed('ann', 'o1')] },
    { shard: 2, events: [created(0, 'OTHER')] },
    {
      shard: 1,
      events: [reserved('bob', BEGIN_MS + 9_000), { event: released(3, 'RELEASED', BEGIN_MS + 9_000), afterMs: 500 }],
    },
  ])
  await writeLog(
    dataDir,
    [
      { shard: 1, events: [reserved('eve', BEGIN_MS + 60_000)], timeMs: BEGIN_MS + 1_000 },
      {
        shard: 1,
        events: [redeemed('eve', 'o2', { reservationSeq: 5 }), redeemed('eve', 'o3')],
        timeMs: BEGIN_MS + 2_000,
      },
      {
        shard: 1,
        events: [reversed(6, 'eve'), changed(0, 'SAVE10', { maxUses: 9, maxUsesPerUser: null })],
        timeMs: BEGIN_MS + 3_000,
      },
      { shard: 2, events: [redeemed('zoe', 'o4')], timeMs: BEGIN_MS + 4_000 },
    ],
    1,
  )
}

describe('a whole log', () => {
  it('is replayed, and its counters are counted a second time', async () => {
    await someLog()
    expect(replay()).toMatchObject({
      events: 11,
      segments: 2,
      files: 2,
      shards: [
        { shard: 1, seq: 9, coupons: 1, uses: 2, reserved: 0 },
        { shard: 2, seq: 2, coupons: 1, uses: 1, reserved: 0 },
      ],
    })
  })

  it('is cut after an event, after a time, in the middle of an entry, and never behind its end', async () => {
    await someLog()
    expect(replay({ until: ['1:6', '2:1'] }).shards).toMatchObject([
      { shard: 1, seq: 6, uses: 2, reserved: 0 },
      { shard: 2, seq: 1, uses: 0 },
    ])
    expect(replay({ untilTime: new Date(BEGIN_MS + 1_999).toISOString() }).shards).toMatchObject([
      { shard: 1, seq: 5, uses: 1, reserved: 1 },
      { shard: 2, seq: 1 },
    ])
    expect(replay({ untilTime: new Date(BEGIN_MS + 499).toISOString() }).shards[0]).toMatchObject({
      seq: 3,
      reserved: 1,
    })
    expect(faultOf(() => replay({ until: ['1:10'] })).message).toBe('shard 1 has no event 10: its log ends at 9')
    expect(faultOf(() => replay({ until: ['4:1'] }))).toBeInstanceOf(UsageFault)
  })

  it('tells the life of a coupon in sentences', () => {
    const life = new CouponLife(1, (_, code) => code === 'SAVE10')
    const events = [
      created(0, 'OTHER'),
      created(1, 'SAVE10', { maxUses: 1 }),
      reserved('ann', BEGIN_MS + 9_000, [1]),
      redeemed('bob', 'o1', { ordinals: [0] }),
      released(3, 'EXPIRED', BEGIN_MS + 9_000),
      redeemed('ann', 'o2', { ordinals: [1], reservationSeq: 3, late: true }),
    ]
    for (const [i, event] of events.entries()) {
      life.book({ event, seq: i + 1, atMs: BEGIN_MS + i, start: 0, end: 0 })
    }
    expect(life.lines.map(({ position, sentence }) => `${position} ${sentence}`)).toEqual([
      '1:2 created by shop: 10 % off the order, at most 1 use',
      '1:3 reserved for user ann until 2026-09-21T14:13:29.000Z (rsv_013)',
      '1:5 reservation rsv_013 ran out',
      '1:6 redeemed by user ann, order o2 from rsv_013, after it had run out: 100 minor units of AAM off (rdm_016)',
    ])
  })
})

describe('a log that says what cannot have happened', () => {
  it('is stopped at, with the place of the event', async () => {
    await writeLog(dataDir, [
      { shard: 3, events: [created(0, 'ONE', { maxUses: 1 })] },
      { shard: 3, events: [redeemed('ann', 'o1'), redeemed('bob', 'o2')] },
    ])
    const fault = faultOf(() => replay())
    expect(fault).toBeInstanceOf(Divergence)
    expect(fault).toMatchObject({ shard: 3, seq: 3, where: { lane: 0, segment: 1, record: 2 } })
    expect(fault.message).toBe(
      'lane 0, segment 1, record 2: sequence 3 of shard 3 cannot have happened: a coupon was used beyond its limit',
    )
  })
})

describe('one flipped byte', () => {
  it('anywhere in a segment is found, and its lane and segment are named', async () => {
    await someLog()
    const path = join(dataDir, 'lanes', '01', '000001.mdb')
    const whole = readFileSync(path)
    const random = new SeededRandom()
    process.stdout.write(`replay: TEST_SEED=${random.seed}\n`)
    const named: string[] = []
    for (let at = random.below(97); at < whole.length; at += 97) {
      const flipped = Buffer.from(whole)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << random.below(8)), at)
      writeFileSync(path, flipped)
      const fault = faultOf(() => replay())
      expect(fault instanceof JournalError || fault instanceof Divergence, `byte ${at}: ${fault.message}`).toBe(true)
      expect(fault.message, `byte ${at}`).toMatch(/lane 1, segment 1|lanes\/01\/000001\.mdb|lane 1/)
      named.push(fault.message)
    }
    expect(named.some((message) => /record \d+ does not fit its check sum/.test(message))).toBe(true)
    expect(named.some((message) => message.includes('does not fit the check sum of its seal'))).toBe(true)
    writeFileSync(path, whole)
    expect(replay().events).toBe(11)
  })

  it('ends the command with 1, a sentence, and the place as data', async () => {
    await someLog()
    const path = join(dataDir, 'lanes', '00', '000001.mdb')
    const bytes = readFileSync(path)
    // Pages that were given up may hold the code, too.
    for (let at = bytes.indexOf('SAVE10'); at >= 0; at = bytes.indexOf('SAVE10')) bytes.set(Buffer.from('SAVE99'), at)
    writeFileSync(path, bytes)
    const { status, stdout, stderr } = await runTool('replay', '--data-dir', dataDir, '--json')
    expect(status).toBe(1)
    expect(stderr).toBe(
      'tearoff: lane 0, segment 1, record 1 does not fit its check sum: the disk or somebody changed the log, restore it from a backup\n',
    )
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      fault: { code: 'JOURNAL_DAMAGED', lane: 0, segment: 1, record: 1 },
    })
  })
})

describe('a snapshot', () => {
  /** Of shard 1 after its sequence, at the end of an entry; `tamper` changes the state before it is written. */
  function snapshot(seq: number, tamper: (state: ReturnType<typeof stateAt>) => void = () => {}): void {
    const directory = openDataDirectory(dataDir)
    const state = stateAt(seq)
    tamper(state)
    const { deployment } = directory
    const until = { seqs: new Map([[1, seq]]) }
    const head = replayLog(dataDir, deployment, new Set([1]), () => {}, undefined, { until }).heads.get(1)
    if (head?.seq !== seq) throw new Error(`shard 1 has no entry that ends at ${seq}`)
    writeSnapshot(dataDir, deployment, state, head, BEGIN_MS)
  }

  function stateAt(seq: number) {
    const cut = { ...NO_CUT, seqs: new Map([[1, seq]]) }
    const state = rebuild(openDataDirectory(dataDir), { cut }).states.get(1)
    if (state === undefined) throw new Error('there is no shard 1')
    return state
  }

  it('that fits the log is counted', async () => {
    await someLog()
    snapshot(4)
    snapshot(7)
    expect(replay()).toMatchObject({ snapshots: 2 })
    expect(replay({ until: ['1:5'] })).toMatchObject({ snapshots: 1 })
  })

  it('with a counter changed and its check sums mended is found, with the name of the coupon', async () => {
    await someLog()
    snapshot(7, (state) => state.tables.coupons.uses.set(0, 1))
    const fault = faultOf(() => replay())
    expect(fault).toMatchObject({ code: 'DIVERGENCE', shard: 1, seq: 7 })
    expect(fault.message).toContain('coupon SAVE10 (ordinal 0): 1 uses in the state, 3 counted from the log')
  })

  it('with a counter of a user changed is found, with the name of the user', async () => {
    await someLog()
    snapshot(7, (state) => {
      const users = state.tables.users as CounterTable
      for (let slot = users.first(); slot >= 0; slot = users.next(slot)) users.setUses(slot, 7)
    })
    expect(faultOf(() => replay()).message).toMatch(
      /coupon SAVE10 \(ordinal 0\): user (ann|eve) has 7 uses in the state, [12] counted from the log/,
    )
  })

  it('with a counter of a campaign or of a code made in bulk changed is found, with its name', async () => {
    const events = [
      campaignMade(0, { budgetMinor: 900 }),
      jobStarted(2, { definition: definitionOf('', { offer: null, campaign: { shard: 1, index: 0 }, maxUses: 1 }) }),
      codesMade(2, 0, 'AA', 'BB'),
      jobEnded(2),
      codeRedeemed('ann', 'o1', 1, 150),
    ]
    await writeLog(dataDir, [{ shard: 1, events }])
    expect(replay().shards).toMatchObject([{ campaigns: 1, codes: 2, uses: 1 }])
    const plants: readonly [string, (state: ReturnType<typeof stateAt>) => void][] = [
      [
        'campaign Spring (ordinal 536870912): 151 minor units of discounts given in the state, 150 counted from the log',
        (state) => state.tables.campaigns.discountTotal.set(0, 151),
      ],
      [
        'campaign Spring (ordinal 536870912): 0 uses in the state, 1 counted from the log',
        (state) => state.tables.coupons.uses.set(CAMPAIGN_ORDINALS, 0),
      ],
      [
        'campaign Spring (ordinal 536870912): 2 codes to be claimed in the state, 1 counted from the log',
        (state) => state.tables.campaigns.poolSize.set(0, 2),
      ],
      [
        'coupon P-BB (ordinal 1073741825): 0 uses in the state, 1 counted from the log',
        (state) => state.tables.coupons.uses.set(BULK_ORDINALS + 1, 0),
      ],
    ]
    for (const [sentence, plant] of plants) {
      snapshot(5, plant)
      expect(faultOf(() => replay()).message).toContain(sentence)
      rmSync(join(dataDir, 'snapshots'), { recursive: true })
    }
  })

  it('with anything else changed is found, with the name of the section', async () => {
    await someLog()
    snapshot(7, (state) => state.tables.coupons.version.set(0, 12))
    expect(faultOf(() => replay()).message).toContain('differs from the log in its section coupons')
  })

  it('that is damaged or ahead of the log is found', async () => {
    await someLog()
    snapshot(7)
    const path = join(dataDir, 'snapshots', '0001', '0000000000000007.snapshot')
    const bytes = readFileSync(path)
    const damaged = Buffer.from(bytes)
    damaged.writeUInt8(damaged.readUInt8(300) ^ 1, 300)
    writeFileSync(path, damaged)
    expect(faultOf(() => replay())).toMatchObject({ code: 'SNAPSHOT_DAMAGED' })
  })
})
