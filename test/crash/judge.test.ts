// The judge: satisfied with the truth about a log, and with nothing else.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { rmSync } from 'node:fs'
import { HttpClient } from '../support/http-client.ts'
import { startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { askJudge } from './ask-judge.ts'
import { type Facts, judge } from './judge.ts'

const CODES = 5

let dataDir: string
let truth: Facts

/** Two redemptions of a coupon, one of them reversed, and a job. */
beforeAll(async () => {
  dataDir = temporaryDirectory('judge')
  const server = await startServer({ dataDir })
  const http = new HttpClient(server.port)
  await http.post('/v1/coupons', { code: 'TWO', type: 'PERCENT', value: 10, maxUses: 3 })
  const cart = { orderTotal: 1_000, currency: 'EUR' }
  const redeem = (userId: string) =>
    http.post('/v1/redemptions', { codes: ['TWO'], userId, orderId: `o-${userId}`, cart })
  await redeem('u1')
  const { json } = await redeem('u2')
  await http.post(`/v1/redemptions/${String(json['redemptionId'])}/reverse`, { reason: 'cancelled' })
  const campaign = await http.post('/v1/campaigns', { name: 'few', offer: { type: 'PERCENT', value: 10 } })
  const job = await http.post(`/v1/campaigns/${String(campaign.json['campaignId'])}/codes`, { count: CODES })
  const jobId = String(job.json['jobId'])
  while ((await http.get(`/v1/jobs/${jobId}`)).json['state'] !== 'SUCCEEDED');
  http.close()
  await server.stop()
  truth = {
    end: 'settled',
    redemptions: [
      { code: 'TWO', orderId: 'o-u1', userId: 'u1', isReversed: false },
      { code: 'TWO', orderId: 'o-u2', userId: 'u2', isReversed: true },
    ],
    coupons: [{ code: 'TWO', maxUses: 3, uses: 1 }],
    jobs: [{ jobId, made: CODES }],
  }
})

afterAll(() => {
  rmSync(`${dataDir}.facts.json`, { force: true })
  removeDirectory(dataDir)
})

it('is asked in a process of its own, and its sentence comes back', async () => {
  await expect(askJudge(dataDir, truth)).resolves.toBeUndefined()
  const more = { ...truth, ...added(truth, 'o-u3', 'u3', false) }
  await expect(askJudge(dataDir, more)).rejects.toThrow(/order o-u3 on TWO .* stands in the log as undefined/)
})

it('is content with less than the log has where a server did not end quietly', () => {
  expect(() => judge(dataDir, { ...truth, end: 'killed', redemptions: truth.redemptions.slice(1) })).not.toThrow()
})

it.each([
  [/order o-u1 on TWO .* stands in the log as u1 false/, (facts: Facts) => added(facts, 'o-u1', 'u9', false)],
  [/order o-u1 on TWO .* stands in the log as u1 false/, (facts: Facts) => added(facts, 'o-u1', 'u1', true)],
  [/holds 2 redemptions, 1 were acknowledged/, ({ redemptions }: Facts) => ({ redemptions: redemptions.slice(1) })],
  [/counts 1 uses, 2 were acknowledged/, () => ({ coupons: [{ code: 'TWO', maxUses: 3, uses: 2 }] })],
  [/held 2 uses at once in the log, its limit is 1/, () => ({ coupons: [{ code: 'TWO', maxUses: 1, uses: 1 }] })],
  [/the coupon GONE was acknowledged/, () => ({ coupons: [{ code: 'GONE', maxUses: 1, uses: 0 }] })],
  [/job_gone was acknowledged and is not in the log/, () => ({ jobs: [{ jobId: 'job_gone', made: 0 }] })],
  [
    /had made 6 codes, in the log are 5/,
    ({ jobs }: Facts) => ({ jobs: jobs.map(({ jobId }) => ({ jobId, made: CODES + 1 })) }),
  ],
])('says %s', (sentence, change) => {
  expect(() => judge(dataDir, { ...truth, ...change(truth) })).toThrow(sentence)
})

function added(facts: Facts, orderId: string, userId: string, isReversed: boolean): Partial<Facts> {
  return { redemptions: [...facts.redemptions, { code: 'TWO', orderId, userId, isReversed }] }
}
