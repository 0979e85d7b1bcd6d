// A sale of campaigns, and then everything that claims to know what happened: the audit, which shares nothing with the engine, finds
// no promise broken; `replay` and `verify` find every counter of campaigns and codes as the log makes it, or name the one that is not.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditLog } from '../../cli/audit/audit-log.ts'
import { openDataDirectory } from '../../cli/rebuild/data-directory.ts'
import { answerPositions } from '../../cli/rebuild/positions.ts'
import { askPast } from '../../cli/why/ask-past.ts'
import { pastRequest } from '../../cli/why/past-request.ts'
import { HttpClient } from '../support/http-client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { runTool } from './tool-process.ts'
import { SMALL_CAMPAIGNS, WildSale } from './wild-sale.ts'

const CLIENTS = 16
const CALLS = 90
const CHANGES = 25
let dataDir: string
let server: ServerProcess
let sale: WildSale

beforeAll(async () => {
  dataDir = temporaryDirectory('campaign-tools')
  const random = new SeededRandom()
  process.stdout.write(`campaign tools: TEST_SEED=${random.seed}\n`)
  server = await startServer({ dataDir, settings: { SHARDS: '8', WORKERS: '2' } })
  sale = new WildSale(new HttpClient(server.port), random)
  await sale.begin()
  const clients = Array.from({ length: CLIENTS }, async () => {
    for (let call = 0; call < CALLS; call++) await sale.wild()
  })
  for (let change = 0; change < CHANGES; change++) await sale.change()
  await Promise.all(clients)
  await sale.exhaust()
  process.stdout.write(`${JSON.stringify(Object.fromEntries(sale.statuses))}\n`)
}, 120_000)

afterAll(async () => {
  if (server.isRunning) await server.kill()
  removeDirectory(dataDir)
})

describe('a sale of campaigns', () => {
  it('met every limit that there is', () => {
    const met = [...sale.statuses.keys()]
    for (const code of ['CAMPAIGN_EXHAUSTED', 'BUDGET_EXHAUSTED', 'USER_LIMIT_REACHED', 'DAILY_LIMIT_REACHED']) {
      expect(met).toContain(code)
    }
  })

  it('is as its log says while the server runs, answer by answer', async () => {
    const verified = await runTool('verify', '--data-dir', dataDir, '--url', server.baseUrl, '--json')
    expect(verified.stderr).toBe('')
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true })
  }, 60_000)

  it('kept every promise, says the audit', async () => {
    await server.stop()
    // What other shards have yet to be told stands in their log after the next start.
    const audit = auditLog(dataDir, { isSettled: false })
    expect(audit.faults).toEqual([])
    expect(audit.campaigns.size).toBe(sale.campaignIds.length + SMALL_CAMPAIGNS)
    expect(audit.codesMade).toBe(sale.campaignIds.length * 120)
    const poor = audit.campaigns.get(sale.campaignIds[2] ?? '')
    expect(poor?.maxSpent).toBeGreaterThan(2_000)
    expect(poor?.maxSpent).toBeLessThanOrEqual(2_500)
    for (const job of audit.jobs.values()) expect(job).toMatchObject({ end: 'SUCCEEDED', count: 60, made: 60 })
  }, 60_000)

  it('says why each claim was told what it was told', () => {
    // What other shards had a part in carries several positions, or was decided elsewhere too.
    const directory = openDataDirectory(dataDir)
    const { shards } = directory.deployment
    const alone = sale.claims.filter(({ path, position }) => {
      return ['Everywhere', 'Anywhere'].every((name) => !path.includes(sale.idOf(name))) && !position.includes(',')
    })
    const answers = askPast(
      directory,
      alone.map((call) => ({
        request: pastRequest(call, { operation: null, target: '' }),
        positions: answerPositions(call.position, shards),
      })),
    )
    const refused = new Set<string>()
    for (const [index, { told, again, logged, explanation }] of answers.entries()) {
      const { status, code, answer } = alone[index] as (typeof alone)[number]
      const shown = `${JSON.stringify(alone[index])} is told ${JSON.stringify(told)}`
      if (status === 201) {
        expect(told, shown).toBeNull()
        expect(logged).toContain('RESERVED')
        continue
      }
      expect((told ?? again)?.status, shown).toBe(status)
      expect((told ?? again)?.code ?? null, shown).toBe(code)
      if (code === null) continue
      refused.add(code)
      const failed = explanation.coupons.flatMap(({ checks }) => checks.filter(({ passed }) => !passed))
      expect(
        failed.map(({ check }) => check),
        shown,
      ).toContain(code)
      expect(answer['code']).toBe(code)
    }
    expect([...refused]).toContain('DAILY_LIMIT_REACHED')
    expect(alone.length).toBeGreaterThan(50)
  }, 60_000)

  it('shows a campaign, a claimed code, and a coupon whose campaign lives on another shard', async () => {
    const few = await runTool('inspect', '--data-dir', dataDir, '--code', sale.idOf('Few'), '--json')
    expect(few.stderr).toBe('')
    expect(JSON.parse(few.stdout)).toMatchObject({ coupon: { name: 'Few', maxUses: 12, codes: 120 } })
    const shards = new Set<unknown>()
    for (let i = 0; i < 4; i++) {
      const { stdout, stderr } = await runTool('inspect', '--data-dir', dataDir, '--code', `BY-HAND-1-${i}`, '--json')
      expect(stderr).toBe('')
      const { shard, coupon } = JSON.parse(stdout) as { shard: number; coupon: unknown }
      shards.add(shard)
      expect(coupon).toMatchObject({ code: `BY-HAND-1-${i}`, campaignId: sale.idOf('Plain'), type: 'PERCENT' })
    }
    // Four codes of eight shards are not all on the campaign's.
    expect(shards.size).toBeGreaterThan(1)
  }, 60_000)

  it('tells the life of a code made in bulk, and of a campaign', async () => {
    const claimed = sale.claims.find(({ status }) => status === 201)
    if (claimed === undefined) throw new Error('nobody got a coupon')
    const { code } = claimed.answer['coupon'] as { code: string }
    const life = await runTool('replay', '--data-dir', dataDir, '--coupon', code)
    expect(life.stderr).toBe('')
    expect(life.stdout).toMatch(/made by job_\w+ \(POOL\): the offer of its campaign \(cmp_\w+\), at most 1 use/)
    expect(life.stdout).toMatch(/(reserved for|promised to) user user-\d+/)
    const campaign = await runTool('replay', '--data-dir', dataDir, '--coupon', sale.idOf('Poor'))
    expect(campaign.stdout).toMatch(/created: Poor: 10 % off the order, stackable, a budget of 2500 EUR/)
    expect(campaign.stdout).toMatch(/job_\w+: 60 codes \(EXPORTED\) are to be made/)
    expect(campaign.stdout).toMatch(/job_\w+: succeeded/)
  }, 60_000)

  it('is counted a second time by replay', async () => {
    const replayed = await runTool('replay', '--data-dir', dataDir, '--json')
    expect(replayed.stderr).toBe('')
    const { ok, shards } = JSON.parse(replayed.stdout) as {
      ok: boolean
      shards: { campaigns: number; codes: number }[]
    }
    expect(ok).toBe(true)
    expect(shards.reduce((sum, { campaigns }) => sum + campaigns, 0)).toBe(sale.campaignIds.length + SMALL_CAMPAIGNS)
    expect(shards.reduce((sum, { codes }) => sum + codes, 0)).toBe(sale.campaignIds.length * 120)
  }, 60_000)
})
