// The audit finds what is planted in a log of campaigns. Every log here is whole; only what it says is wrong. Expected sentences
// are made by hand from the events.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Audit, auditLog } from '../../cli/audit/audit-log.ts'
import { AuditRouting } from '../../cli/audit/audit-routing.ts'
import { Router } from '../../engine/routing.ts'
import { readDeployment } from '../../persistence/deployment.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { CAMPAIGN_ORDINALS } from '../../protocol/ordinals.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import {
  campaignChanged,
  campaignMade,
  campaignSwitched,
  codeRedeemed,
  codesMade,
  dayCounted,
  DAY_BEGINS_MS,
  jobEnded,
  jobStarted,
} from './synthetic-campaigns.ts'
import { BEGIN_MS, created, released, reserved, reversed, writeLog } from './synthetic-log.ts'

const DAILY = { dailyLimit: { perUser: 1, scope: 'CAMPAIGN' } } as const
const EVERYWHERE = { dailyLimit: { perUser: 1, scope: 'ALL' } } as const
const UNTIL = BEGIN_MS + 300_000
const FIRST_CODE = 2 ** 30
let dataDir: string

beforeEach(() => {
  dataDir = temporaryDirectory('audit-campaigns')
})

afterEach(() => {
  removeDirectory(dataDir)
})

async function audited(...events: readonly Event[]): Promise<Audit> {
  await writeLog(dataDir, [{ shard: 0, events }])
  return auditLog(dataDir, { isSettled: false, isRouted: false })
}

async function faultsOf(...events: readonly Event[]): Promise<readonly string[]> {
  return (await audited(...events)).faults
}

/** A campaign with three codes; the next event has sequence 5. */
function withCodes(terms: Parameters<typeof campaignMade>[1] = {}): Event[] {
  return [campaignMade(0, terms), jobStarted(3), codesMade(2, 0, 'AA', 'BB', 'CC'), jobEnded(2)]
}

describe('a campaign', () => {
  it('that kept every promise has no fault, and its figures are those of the events', async () => {
    const audit = await audited(
      ...withCodes({ maxUses: 2, maxUsesPerUser: 1, budgetMinor: 250 }),
      codeRedeemed('ann', 'o1', 0, 150), // 5
      reserved('bob', UNTIL, [FIRST_CODE + 1]), // 6
      released(6, 'RELEASED', UNTIL), // 7
      codeRedeemed('bob', 'o2', 1, 100), // 8
    )
    expect(audit.faults).toEqual([])
    expect(audit.campaigns.get('cmp_000')).toMatchObject({
      uses: 2,
      reserved: 0,
      discountTotal: 250,
      maxSpent: 250,
      codes: 3,
    })
    expect(audit.jobs.get('job_002')).toEqual({ jobSeq: 2, count: 3, made: 3, end: 'SUCCEEDED' })
    expect(audit.coupons.get('P-AA')).toMatchObject({ uses: 1, maxUses: 1 })
    expect(audit.codesMade).toBe(3)
  })

  it('whose codes were used more often together than it allows is found out', async () => {
    const faults = await faultsOf(
      ...withCodes({ maxUses: 1 }),
      codeRedeemed('ann', 'o1', 0),
      codeRedeemed('bob', 'o2', 1),
    )
    expect(faults).toEqual(['shard 0: campaign Spring: 2 used and 0 reserved, and the limit is 1'])
  })

  it('of which a user has more over all codes than allowed is found out, holds included', async () => {
    const faults = await faultsOf(
      ...withCodes({ maxUsesPerUser: 1 }),
      reserved('ann', UNTIL, [FIRST_CODE]),
      codeRedeemed('ann', 'o2', 1),
    )
    expect(faults).toEqual(['shard 0: campaign Spring: a user has it 2 times, and the limit for a user is 1'])
  })

  it('whose budget was exceeded is found out, and a reversal gives it back', async () => {
    const faults = await faultsOf(
      ...withCodes({ budgetMinor: 250 }),
      codeRedeemed('ann', 'o1', 0, 200), // 5
      { ...reversed(5, 'ann', false), ordinals: [FIRST_CODE], amounts: [200] } as Event,
      codeRedeemed('bob', 'o2', 1, 250),
      codeRedeemed('eve', 'o3', 2, 1),
    )
    expect(faults).toEqual(['shard 0: campaign Spring: 251 given and 0 held, and the budget is 250'])
  })

  it('whose reversal gives another amount back is found out', async () => {
    const faults = await faultsOf(...withCodes(), codeRedeemed('ann', 'o1', 0, 200), {
      ...reversed(5, 'ann', false),
      ordinals: [FIRST_CODE],
      amounts: [201],
    } as Event)
    expect(faults).toEqual(['shard 0: the reversal of redemption 5 gives another amount back than was given'])
  })

  it('that is disabled, or over, gives nothing', async () => {
    const faults = await faultsOf(
      ...withCodes(),
      campaignSwitched(0, 'DISABLED'),
      codeRedeemed('ann', 'o1', 0),
      campaignSwitched(0, 'ENABLED'),
      campaignChanged(0, { validUntilMs: BEGIN_MS }),
      codeRedeemed('bob', 'o2', 1),
    )
    expect(faults).toEqual([
      'shard 0: a code of campaign Spring was taken while the campaign was disabled',
      'shard 0: a code of campaign Spring was taken after its end',
    ])
  })
})

describe('codes made in bulk', () => {
  it('that two have at once are found out', async () => {
    const faults = await faultsOf(
      ...withCodes(),
      reserved('ann', UNTIL, [FIRST_CODE + 2]),
      reserved('bob', UNTIL, [FIRST_CODE + 2]),
    )
    expect(faults).toEqual(['shard 0: P-CC: 0 used and 2 reserved, and the limit is 1'])
  })

  it('for one user are not for others', async () => {
    const faults = await faultsOf(
      campaignMade(0),
      jobStarted(2, { userIds: ['ann', 'bob'] }),
      codesMade(2, 0, 'AA', 'BB'),
      codeRedeemed('ann', 'o1', 0),
      codeRedeemed('ann', 'o2', 1),
    )
    expect(faults).toEqual(['shard 0: P-BB was taken by somebody it is not for'])
  })

  it('that exist twice, in one job, as a coupon, or on another shard, are found out', async () => {
    await writeLog(dataDir, [
      { shard: 0, events: [created(0, 'P-BB'), campaignMade(0), jobStarted(3), codesMade(3, 0, 'AA', 'BB', 'AA')] },
      { shard: 1, events: [created(0, 'P-AA')] },
    ])
    expect(auditLog(dataDir, { isSettled: false, isRouted: false }).faults).toEqual([
      'shard 0: the code P-BB exists twice',
      'shard 0: the code P-AA exists twice',
      'the code P-AA exists twice',
    ])
  })

  it('beyond the number asked for, behind the end, or too few at the end are found out', async () => {
    expect(await faultsOf(campaignMade(0), jobStarted(1), codesMade(2, 0, 'AA', 'BB'))).toEqual([
      'shard 0: job 2 has made 2 codes, and 1 were asked for',
    ])
    dataDir = temporaryDirectory('audit-campaigns')
    expect(await faultsOf(campaignMade(0), jobStarted(2), codesMade(2, 0, 'AA'), jobEnded(2))).toEqual([
      'shard 0: job 2 succeeded with 1 codes of 2',
    ])
    dataDir = temporaryDirectory('audit-campaigns')
    expect(await faultsOf(campaignMade(0), jobStarted(2), jobEnded(2, 'CANCELLED'), codesMade(2, 0, 'AA'))).toEqual([
      'shard 0, after sequence 4: job 2 makes codes and had ended; what follows was not read',
    ])
  })

  it('that lie on another shard than their letters say are found out', async () => {
    await writeLog(dataDir, [{ shard: 0, events: withCodes() }])
    const { shards, secret } = readDeployment(dataDir)
    const router = new Router(shards, secret)
    const belong = ['P-AA', 'P-BB', 'P-CC'].map((code) => ({ code, shard: router.shardOfCode(code) }))
    const wrong = belong.filter(({ shard }) => shard !== 0)
    // They differ in their last two letters alone, by another number each.
    expect(wrong.length).toBeGreaterThan(0)
    expect(auditLog(dataDir, { isSettled: false }).faults).toEqual(
      wrong.map(({ code, shard }) => `shard 0: the code ${code} belongs to shard ${shard}`),
    )
  })
})

describe('days', () => {
  it('of which a user takes more than allowed are found out', async () => {
    const faults = await faultsOf(
      ...withCodes(DAILY),
      dayCounted('ann', CAMPAIGN_ORDINALS),
      codeRedeemed('ann', 'o1', 0),
      dayCounted('ann', CAMPAIGN_ORDINALS),
      codeRedeemed('ann', 'o2', 1),
    )
    expect(faults).toEqual([
      `shard 0: what counts for ${CAMPAIGN_ORDINALS}: a user has 2 coupons of one day, and the limit a day is 1`,
    ])
  })

  it('that nobody counted, or that do not hold their moment, are found out', async () => {
    const faults = await faultsOf(
      ...withCodes(DAILY),
      codeRedeemed('ann', 'o1', 0),
      dayCounted('bob', CAMPAIGN_ORDINALS, 1, DAY_BEGINS_MS - 86_400_000),
      codeRedeemed('bob', 'o2', 1),
    )
    expect(faults).toEqual([
      `shard 0: what counts for ${CAMPAIGN_ORDINALS}: a user takes a coupon with a limit a day, and no day is counted`,
      'shard 0: a coupon is counted for a day that does not hold its moment',
    ])
  })

  it('over everything are bounded by the highest limit that ever held', async () => {
    const faults = await faultsOf(
      ...withCodes(EVERYWHERE),
      dayCounted('ann', -1),
      codeRedeemed('ann', 'o1', 0),
      dayCounted('ann', -1),
      { ...codeRedeemed('ann', 'o2', 1), reservationSeq: 0 } as Event,
    )
    expect(faults).toEqual([
      'shard 0: coupons of the day: a user has 2 coupons of one day, and the limit a day is 1',
      'a user took 2 coupons of one day over everything, and the highest limit is 1',
    ])
  })

  it('of a transaction that came to nothing are given back', async () => {
    const day = { limit: -1, dayStartMs: DAY_BEGINS_MS, dayEndMs: DAY_BEGINS_MS + 86_400_000, count: 1 }
    const counts = (seq: number): Event => ({
      type: EVENT.BRANCH_PREPARED,
      txn: { shard: 1, seq },
      ordinals: [],
      user: bytesOf('ann'),
      order: null,
      reservationTxnSeq: 0,
      shards: [],
      amounts: [],
      days: [day],
    })
    const audit = await audited(
      campaignMade(0, EVERYWHERE),
      counts(7),
      { type: EVENT.BRANCH_ABORTED, txn: { shard: 1, seq: 7 } },
      counts(9),
    )
    expect(audit.faults.filter((fault) => !fault.includes('coordinator knows nothing'))).toEqual([])
  })
})

describe('routing, computed a second time', () => {
  it('leads codes and users where the engine leads them', () => {
    const random = new SeededRandom()
    process.stdout.write(`audit routing: TEST_SEED=${random.seed}\n`)
    const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ2345678901IO_-'
    for (let deployment = 0; deployment < 20; deployment++) {
      const secret = Uint8Array.from({ length: 32 }, () => random.below(256))
      const [audit, engine] = [new AuditRouting(64, secret), new Router(64, secret)]
      for (let i = 0; i < 50; i++) {
        const length = 3 + random.below(62)
        const code = Array.from({ length }, () => letters[random.below(letters.length)]).join('')
        expect(audit.shardOfCode(code), code).toBe(engine.shardOfCode(code))
        const user = `user-ü-${'x'.repeat(random.below(40))}${i}`
        expect(audit.shardOfUser(user), user).toBe(engine.shardOfUser(bytesOf(user)))
      }
    }
  })
})
