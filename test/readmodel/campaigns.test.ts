// Lists of campaigns, of their coupons and of their redemptions, as the events of the log make them.

import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../protocol/bytes.ts'
import type { CampaignRef } from '../../protocol/coupon.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { BULK_ORDINALS, campaignOrdinal } from '../../protocol/ordinals.ts'
import type { PageEnd } from '../../gateway/lists/read-model.ts'
import { campaignWith, codesPlan, couponOf } from '../engine/support/campaign-scene.ts'
import { couponWith } from '../engine/support/samples.ts'
import { created, redeemed } from './support/events.ts'
import { ALL, modelDirectory, TestModel } from './support/model.ts'
import { BEGIN_MS, TestLog } from './support/test-log.ts'

const SHARD = 3
const OTHER = 5
const NO_FILTER = { coupon: null, userId: null, orderId: null, fromMs: null, toMs: null }

function campaign(index: number): Event {
  return { type: EVENT.CAMPAIGN_CREATED, index, by: null, definition: campaignWith({ name: `sale ${index}` }) }
}

function member(ordinal: number, code: string, ref: CampaignRef): Event {
  return {
    type: EVENT.COUPON_CREATED,
    ordinal,
    by: null,
    definition: couponOf(ref.index, code, { campaign: ref }),
    imported: null,
  }
}

function codesMade(jobSeq: number, first: number, count: number): Event {
  const letters = bytesOf('ABCDEFGHJK'.repeat(count))
  return { type: EVENT.CODES_MADE, jobSeq, firstOrdinal: BULK_ORDINALS + first, count, letters }
}

function jobStarted(index: number): Event {
  return { type: EVENT.JOB_STARTED, by: null, plan: codesPlan(index, 9) }
}

/** A job of coupons that stand alone. */
const GENERATION: Event = {
  type: EVENT.JOB_STARTED,
  by: null,
  plan: {
    kind: 'COUPONS',
    count: 9,
    length: 10,
    prefix: '',
    distribution: 'EXPORTED',
    definition: couponWith('', { maxUses: 1 }),
    userIds: [],
  },
}

function branchRedeemed(ordinals: readonly number[], redemptionSeq: number): Event {
  return {
    type: EVENT.BRANCH_REDEEMED,
    txn: { shard: OTHER, seq: 1 },
    redemptionSeq,
    ordinals,
    user: bytesOf('ann'),
    order: bytesOf('o'),
    amounts: ordinals.map(() => 100),
  }
}

class CampaignLists {
  readonly log = new TestLog()
  model = new TestModel(modelDirectory())

  on(shard: number, ...events: (Event | number)[]): this {
    this.log.append(shard, BEGIN_MS + this.log.entries.length * 10, ...events)
    return this
  }

  project(): this {
    this.model.project(this.log.entries)
    return this
  }

  campaigns(
    limit = 50,
    after: PageEnd | null = null,
  ): { readonly items: readonly unknown[]; readonly next: PageEnd | null } {
    return this.model.ask({ list: 'campaigns', range: { limit, after } })
  }

  coupons(ref: CampaignRef, limit = 50, after: PageEnd | null = null): ReturnType<CampaignLists['campaigns']> {
    return this.model.ask({ list: 'couponsOfCampaign', campaign: ref, range: { limit, after } })
  }

  redemptions(ref: CampaignRef): string[] {
    return this.model.places({ list: 'redemptions', filter: { ...NO_FILTER, campaign: ref }, range: ALL })
  }
}

test('campaigns come newest first, page by page, whatever shard they live on', () => {
  const lists = new CampaignLists()
    .on(SHARD, campaign(0))
    .on(OTHER, campaign(0))
    .on(SHARD, campaign(1), campaign(2))
    .project()
  const [newest, second] = [
    { shard: SHARD, index: 2 },
    { shard: SHARD, index: 1 },
  ]
  const first = lists.campaigns(2)
  expect(first.items).toEqual([newest, second])
  const rest = lists.campaigns(2, first.next)
  expect(rest).toEqual({
    items: [
      { shard: OTHER, index: 0 },
      { shard: SHARD, index: 0 },
    ],
    next: null,
  })
})

test('coupons of a campaign come newest first, wherever they live, and no others', () => {
  const ref = { shard: SHARD, index: 0 }
  const lists = new CampaignLists()
    .on(SHARD, campaign(0), campaign(1), member(0, 'AAA', ref), created(1, 'ALONE'))
    .on(OTHER, member(0, 'BBB', ref), member(1, 'CCC', { shard: SHARD, index: 1 }))
    .project()
  const first = lists.coupons(ref, 1)
  expect(first.items).toEqual([{ shard: OTHER, ordinal: 0 }])
  expect(lists.coupons(ref, 1, first.next)).toEqual({ items: [{ shard: SHARD, ordinal: 0 }], next: null })
  expect(lists.coupons({ shard: OTHER, index: 0 }).items).toEqual([])
})

describe('redemptions of a campaign', () => {
  const ref = { shard: SHARD, index: 0 }
  const next = { shard: SHARD, index: 1 }

  test('are those of its coupons and of its codes, each once', () => {
    const lists = new CampaignLists()
      .on(SHARD, campaign(0), campaign(1), member(0, 'AAA', ref), created(1, 'ALONE'), jobStarted(0))
      .on(SHARD, codesMade(5, 0, 2), codesMade(5, 2, 2), GENERATION, jobStarted(1))
      .on(SHARD, codesMade(8, 4, 3), codesMade(9, 7, 2))
      .on(SHARD, redeemed([0], { order: 'a' }), redeemed([1], { order: 'b' }))
      .on(SHARD, ...[0, 3, 4, 6, 7, 8].map((at) => redeemed([BULK_ORDINALS + at], { order: `c${at}` })))
      .on(SHARD, redeemed([0, BULK_ORDINALS + 1, BULK_ORDINALS + 8], { order: 'stack' }))
      .project()
    expect(lists.redemptions(ref)).toEqual(['3:20', '3:15', '3:14', '3:12'])
    expect(lists.redemptions(next)).toEqual(['3:20', '3:19', '3:18'])
    expect(lists.redemptions({ shard: OTHER, index: 0 })).toEqual([])
  })

  test('are found by those who begin in the middle: what belongs to whom is in the database', () => {
    const lists = new CampaignLists()
      .on(SHARD, campaign(0), member(0, 'AAA', ref), jobStarted(0), codesMade(3, 0, 5))
      .project()
    const { dataDir, database } = lists.model
    database.close()
    lists.on(SHARD, redeemed([0], { order: 'a' }), redeemed([BULK_ORDINALS + 4], { order: 'b' }))
    lists.model = new TestModel(dataDir)
    expect(lists.project().redemptions(ref)).toEqual(['3:6', '3:5'])
  })

  test('over several shards stand where the campaign lives, by the place of the redemption', () => {
    const away = { shard: OTHER, index: 7 }
    const lists = new CampaignLists()
      .on(SHARD, campaign(0), member(0, 'AAA', ref), member(1, 'BBB', away))
      .on(SHARD, branchRedeemed([0, campaignOrdinal(0), campaignOrdinal(0)], 40), branchRedeemed([1], 41))
      .project()
    expect(lists.redemptions(ref)).toEqual(['5:40'])
    expect(lists.redemptions(away)).toEqual([])
  })

  test('that are decided where the campaign lives, of a coupon elsewhere, count too', () => {
    const coupons = [{ shard: OTHER, ordinal: 0, code: 'AAA', version: 1, heldSeq: 1 }]
    const campaigns = [{ place: 0, shard: SHARD, ordinal: campaignOrdinal(0), heldSeq: 2 }]
    const lists = new CampaignLists()
      .on(SHARD, campaign(0))
      .on(SHARD, redeemed([], { stack: { txnSeq: 1, coupons, campaigns } }))
      .project()
    expect(lists.redemptions(ref)).toEqual(['3:2'])
  })
})

test('a coupon of a campaign is listed with its offer, and with what the campaign says of its status', () => {
  const ref = { shard: SHARD, index: 0 }
  const lists = new CampaignLists()
    .on(SHARD, campaign(0), member(0, 'AAA', ref))
    .on(OTHER, member(0, 'BBB', ref))
    .on(SHARD, { type: EVENT.CAMPAIGN_SWITCHED, index: 0, by: null, change: 'DISABLED' })
    .project()
  const shown = lists.model.coupons(BEGIN_MS + 1_000)
  expect(shown).toHaveLength(2)
  for (const coupon of shown) {
    expect(coupon).toMatchObject({ type: 'PERCENT', value: 10, status: 'DISABLED', campaignId: expect.any(String) })
  }
})
