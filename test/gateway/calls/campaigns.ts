// Campaigns and codes in bulk: which command reaches which shard, and what comes back.

import { describe, expect, test } from 'vitest'
import type { Offer } from '../../../engine/domain/offer.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import { formatId } from '../../../protocol/ids.ts'
import { type JobOutcome, OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import { REFUSALS, type RefusalCode } from '../../../protocol/refusals.ts'
import { AT_MS } from '../support/fake-transport.ts'
import type { Sent } from '../support/gateway.ts'
import { DEFINITION, campaign, claimed, coupon, refused } from '../support/outcomes.ts'
import { asked, call, imports, post, running } from './gateway.ts'

export function campaignCalls(): void {
  describe('campaigns', () => {
    const CAMPAIGN_ID = formatId('cmp_', 2, 3)
    const PATH = `/v1/campaigns/${CAMPAIGN_ID}`
    const BODY = { name: 'Summer', offer: { type: 'PERCENT', value: 10 } }

    test('a new one is 201 with its place and tag, on any shard', async () => {
      const answer = await call('/v1/campaigns', post('/v1/campaigns', BODY), campaign({ version: 1 }))
      const [{ shard, command } = { shard: -1, command: null }] = running.transport.asked
      expect(command).toMatchObject({ type: COMMAND.CREATE_CAMPAIGN, by: null, definition: { name: 'Summer' } })
      expect(answer).toMatchObject({
        status: 201,
        json: { campaignId: formatId('cmp_', shard, 3), status: 'ACTIVE', codes: 100, discountTotal: 2_000 },
        headers: { location: `/v1/campaigns/${formatId('cmp_', shard, 3)}`, etag: '"1"' },
      })
    })

    test('read, disable, enable', async () => {
      expect(await call('/v1/campaigns/{id}', { path: PATH }, campaign())).toMatchObject({
        status: 200,
        json: { campaignId: CAMPAIGN_ID },
        headers: { etag: '"5"', 'x-tearoff-position': '2:7@1795197600123' },
      })
      expect((await call('/v1/campaigns/{id}/disable', post(`${PATH}/disable`, undefined), campaign())).status).toBe(
        200,
      )
      expect((await call('/v1/campaigns/{id}/enable', post(`${PATH}/enable`, undefined), campaign())).status).toBe(200)
      expect(asked()).toEqual([
        { shard: 2, type: COMMAND.GET_CAMPAIGN, index: 3 },
        { shard: 2, type: COMMAND.SWITCH_CAMPAIGN, index: 3, by: null, change: 'DISABLED' },
        { shard: 2, type: COMMAND.SWITCH_CAMPAIGN, index: 3, by: null, change: 'ENABLED' },
      ])
    })

    test('a patch reads, merges, and replaces at the version that was read', async () => {
      const headers = { 'if-match': '"5"', 'content-type': 'application/merge-patch+json' }
      const sent = { method: 'PATCH', path: PATH, headers, body: { maxUses: 50, offer: { value: 20 } } }
      expect((await call('/v1/campaigns/{id}', sent, campaign(), campaign({ version: 6 }))).status).toBe(200)
      expect(running.transport.asked[1]?.command).toMatchObject({
        type: COMMAND.CHANGE_CAMPAIGN,
        ifVersion: 5,
        definition: { name: 'Summer', maxUses: 50, offer: { percentBps: 2_000 } },
      })
      const stale = await call(
        '/v1/campaigns/{id}',
        { ...sent, headers: { ...headers, 'if-match': '"4"' } },
        campaign(),
      )
      expect(stale).toMatchObject({ status: 412, json: { code: 'VERSION_CONFLICT' } })
    })

    test('a claim shows its coupon, and the same again', async () => {
      const path = `${PATH}/claims`
      const first = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), claimed())
      expect(first).toMatchObject({
        status: 201,
        json: {
          coupon: { code: 'POOL2345AA', campaignId: CAMPAIGN_ID, status: 'LOCKED', lockedBy: 'u1', remaining: 0 },
          reservationId: formatId('rsv_', 2, 32),
        },
        headers: { location: `/v1/reservations/${formatId('rsv_', 2, 32)}` },
      })
      expect(asked()).toEqual([{ shard: 2, type: COMMAND.CLAIM, index: 3, user: 'u1' }])
      const position = { shard: 5, seq: 9, timeMs: AT_MS }
      const across = { type: OUTCOME.ACROSS, positions: [position], outcome: claimed({ again: true }) } as const
      const again = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), across)
      expect(again).toMatchObject({ status: 200, json: first.json })
      const other = claimed({ offer: { ...(DEFINITION.offer as Offer), percentBps: 5_000 } })
      const changed = await call('/v1/campaigns/{id}/claims', post(path, { userId: 'u1' }), other)
      expect(changed.json).toMatchObject({ coupon: { value: 50 } })
    })

    test.each<[RefusalCode, number, string | undefined]>([
      ['CAMPAIGN_NOT_FOUND', 0, undefined],
      ['POOL_EMPTY', 4_200, '5'],
      ['POOL_EMPTY', 0, undefined],
      ['DAILY_LIMIT_REACHED', 60_000, '60'],
      ['CAMPAIGN_EXHAUSTED', 0, undefined],
      ['COUPON_LOCKED', 1, '1'],
      ['USER_LIMIT_REACHED', 0, undefined],
      ['COUPON_DISABLED', 0, undefined],
    ])('a claim refused with %s, to come back in %d ms', async (refusal, retryAfterMs, header) => {
      const outcome = refused(refusal, { retryAfterMs })
      const answer = await call('/v1/campaigns/{id}/claims', post(`${PATH}/claims`, { userId: 'u1' }), outcome)
      expect(answer).toMatchObject({ status: REFUSALS[refusal].status, json: { code: refusal } })
      expect(answer.headers['retry-after']).toBe(header)
    })

    test('a list shows each as its shard has it', async () => {
      const answer = await call('/v1/campaigns', { path: '/v1/campaigns?limit=1' }, campaign())
      expect(answer).toMatchObject({ status: 200, headers: { 'x-tearoff-lag-ms': '12' } })
      expect(answer.json).toMatchObject({ data: [{ campaignId: formatId('cmp_', 0, 3), uses: 4 }], nextCursor: null })
    })
  })

  describe('codes in bulk', () => {
    const job = (changes: Partial<JobOutcome> = {}): JobOutcome => ({
      type: OUTCOME.JOB,
      jobSeq: 33,
      kind: 'CODES',
      state: 'RUNNING',
      processed: 500,
      total: 2_000,
      failed: 0,
      begunAtMs: AT_MS - 1_000,
      endedAtMs: 0,
      errors: [],
      place: 0,
      bytes: 0,
      file: null,
      ...changes,
    })
    const CAMPAIGN = formatId('cmp_', 0, 3)
    const JOB = formatId('job_', 0, 33)
    const LISTED = {
      ordinal: 2 ** 30,
      code: 'GEN2345678',
      status: 'ACTIVE',
      holder: null,
      createdAtMs: AT_MS,
      lockedUntilMs: 0,
      redeemedAtMs: 0,
    } as const
    const page = { type: OUTCOME.CODES, codes: [LISTED], nextOrdinal: 0 } as const

    test('are begun as a job on the shard of their campaign', async () => {
      const path = `/v1/campaigns/${CAMPAIGN}/codes`
      const body = { count: 2_000, length: 12, prefix: 'x-', distribution: 'EXPORTED' }
      const answer = await call('/v1/campaigns/{id}/codes', post(path, body), job({ state: 'QUEUED' }))
      expect(answer).toMatchObject({ status: 202, json: { jobId: JOB }, headers: { location: `/v1/jobs/${JOB}` } })
      expect(asked()).toMatchObject([
        {
          shard: 0,
          type: COMMAND.START_JOB,
          plan: { kind: 'CODES', count: 2_000, length: 12, prefix: 'X-', distribution: 'EXPORTED', userIds: [] },
        },
      ])
      expect(asked()).toMatchObject([
        { plan: { definition: { offer: null, campaign: { shard: 0, index: 3 }, maxUses: 1 } } },
      ])
    })

    test('a file of coupons is begun as a job, once it is there whole', async () => {
      const path = '/v1/imports/coupons'
      const file = 'code,type,value\nSAVE10,PERCENT,10\n'
      const sent: Sent = { method: 'POST', path, headers: { 'content-type': 'text/csv; charset=utf-8' }, body: file }
      const answer = await call(path, sent, job({ kind: 'IMPORT', state: 'QUEUED', total: 0 }))
      expect(imports.uploads.map((upload) => [upload.fate, String(upload.bytes())])).toEqual([['FINISHED', file]])
      expect(imports.begun).toBe(1)
      const plan = { kind: 'IMPORT', format: 'CSV', file: 'upload-0', bytes: file.length }
      expect(asked()).toEqual([{ shard: running.transport.asked[0]?.shard, type: COMMAND.START_JOB, by: null, plan }])
      const jobId = formatId('job_', running.transport.asked[0]?.shard ?? -1, 33)
      expect(answer).toMatchObject({ status: 202, json: { jobId }, headers: { location: `/v1/jobs/${jobId}` } })
    })

    test('a job says how fast it is and how long it will take', async () => {
      const path = `/v1/jobs/${JOB}`
      const running = await call('/v1/jobs/{id}', { path }, job())
      expect(running.json).toEqual({
        jobId: JOB,
        kind: 'CODES',
        state: 'RUNNING',
        processed: 500,
        total: 2_000,
        failed: 0,
        ratePerSecond: 500,
        etaSeconds: 3,
        errors: [],
      })
      const queued = await call('/v1/jobs/{id}', { path }, job({ state: 'QUEUED', processed: 0, begunAtMs: 0 }))
      expect(queued.json).toMatchObject({ ratePerSecond: 0, etaSeconds: null })
      const reading = job({ kind: 'IMPORT', total: 0, place: 1_000, bytes: 4_000 })
      expect((await call('/v1/jobs/{id}', { path }, reading)).json).toMatchObject({ total: 0, etaSeconds: 3 })
      const ended = job({ state: 'SUCCEEDED', processed: 2_000, endedAtMs: AT_MS + 1_000 })
      expect((await call('/v1/jobs/{id}', { path }, ended)).json).toMatchObject({ ratePerSecond: 1_000, etaSeconds: 0 })
    })

    test('a job is cancelled', async () => {
      const sent = { method: 'POST', path: `/v1/jobs/${JOB}/cancel` }
      const answer = await call('/v1/jobs/{id}/cancel', sent, job({ state: 'CANCELLED', endedAtMs: AT_MS }))
      expect(answer).toMatchObject({ status: 200, json: { state: 'CANCELLED' } })
      expect(asked()).toEqual([{ shard: 0, type: COMMAND.END_JOB, jobSeq: 33, end: 'CANCELLED', reason: null }])
    })

    test('a few coupons are generated at once, when their job has ended', async () => {
      const outcomes = [
        job({ state: 'QUEUED' }),
        job(),
        job({ state: 'SUCCEEDED' }),
        page,
        coupon({ ordinal: LISTED.ordinal }),
      ]
      const answer = await call('/v1/coupons/generate', post('/v1/coupons/generate', { type: 'FREESHIP' }), ...outcomes)
      expect(answer.status).toBe(201)
      expect((answer.json as { data: unknown[] }).data).toHaveLength(1)
      const commands = asked() as { shard: number; type: number }[]
      expect(commands.map(({ type }) => type)).toEqual([
        COMMAND.START_JOB,
        COMMAND.GET_JOB,
        COMMAND.GET_JOB,
        COMMAND.LIST_CODES,
        COMMAND.GET_COUPON,
      ])
      expect(new Set(commands.map(({ shard }) => shard)).size).toBe(1)
    })

    test.each<[string, number, readonly Outcome[]]>([
      ['many', 1_001, [job({ state: 'QUEUED' })]],
      ['a few whose job was cancelled', 2, [job({ state: 'QUEUED' }), job({ state: 'CANCELLED' })]],
    ])('%s are left to their job', async (_which, count, outcomes) => {
      const body = { type: 'FREESHIP', count }
      const answer = await call('/v1/coupons/generate', post('/v1/coupons/generate', body), ...outcomes)
      expect(answer.status).toBe(202)
      expect(answer.json).toEqual({ jobId: expect.stringMatching(/^job_/) as string })
    })

    test('an export is rows under a header, those made one by one behind the others', async () => {
      const path = `/v1/campaigns/${CAMPAIGN}/codes.csv`
      const answer = await call('/v1/campaigns/{id}/codes.csv', { path }, campaign(), page, coupon())
      expect(answer.text).toBe(
        'code,status,holder,createdAt,lockedUntil,redeemedAt\r\n' +
          'GEN2345678,ACTIVE,,2026-11-20T18:00:00.123Z,,\r\n' +
          'SAVE10,ACTIVE,,2026-11-20T18:00:00.123Z,,\r\n',
      )
      expect(answer.headers['content-disposition']).toBe(`attachment; filename="${CAMPAIGN}.csv"`)
    })

    test.each<RefusalCode>(['JOB_NOT_FOUND', 'CODE_SPACE_TOO_SMALL', 'CAMPAIGN_NOT_FOUND'])(
      '%s is handed on',
      async (code) => {
        const path = `/v1/campaigns/${CAMPAIGN}/codes`
        const sent = code === 'JOB_NOT_FOUND' ? { path: `/v1/jobs/${JOB}` } : post(path, { count: 1 })
        const template = code === 'JOB_NOT_FOUND' ? '/v1/jobs/{id}' : '/v1/campaigns/{id}/codes'
        const answer = await call(template, sent, refused(code))
        expect(answer).toMatchObject({ status: REFUSALS[code].status, json: { code } })
      },
    )
  })
}
