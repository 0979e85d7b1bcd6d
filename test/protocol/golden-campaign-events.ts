/**
 * Events about campaigns, jobs and days, and older events with what campaigns have added to them: one of each, and the bytes
 * it has on disk for ever (see `golden-events.ts`). The bytes were made by another program from docs/formats/events.md.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import type { CouponDefinition } from '../../protocol/coupon.ts'
import { EVENT } from '../../protocol/events.ts'
import { couponWith, offerOf } from '../engine/support/samples.ts'
import type { Golden } from './golden-events.ts'

const AT_MS = 1_760_000_000_000
const DAY_MS = 86_400_000
/** In Greenwich. */
const DAY = { dayStartMs: 1_759_968_000_000, dayEndMs: 1_760_054_400_000 } as const

const PRICE = {
  currency: currencyNumber('EUR'),
  subtotalMinor: 5_000,
  shippingMinor: 0,
  shippingDiscountMinor: 0,
  amounts: [500],
  lines: null,
} as const

/** Made for the campaign with index 5 of shard 3, whose offer it has. */
const OF_CAMPAIGN: CouponDefinition = {
  ...couponWith('', { maxUses: 1, campaign: { shard: 3, index: 5 } }),
  offer: null,
}

const AUTUMN: CampaignDefinition = {
  name: 'Autumn',
  offer: offerOf(couponWith('', {}, { type: 'FIXED', percentBps: 0, valueMinor: 500, currency: 'EUR' })),
  merchantId: null,
  listed: true,
  validFromMs: null,
  validUntilMs: AT_MS + DAY_MS,
  timezone: 'Europe/Berlin',
  maxUses: null,
  maxUsesPerUser: 1,
  budgetMinor: 1_000_000,
  dailyLimit: { perUser: 2, scope: 'CAMPAIGN' },
  lockSeconds: 900,
  lowStockPpm: 100_000,
}

export const GOLDEN_CAMPAIGN_EVENTS: readonly Golden[] = [
  {
    name: 'CouponCreated, of a campaign, by an import',
    event: {
      type: EVENT.COUPON_CREATED,
      ordinal: 300,
      by: null,
      definition: { ...OF_CAMPAIGN, code: 'GIFT', dailyLimit: { perUser: 1, scope: 'ALL' } },
      imported: { job: { shard: 3, seq: 200 }, line: 2, uses: 4 },
    },
    hex: '1f01ac02000204474946540000000000000200000001030501000403c8010204',
  },
  {
    name: "RedemptionReversed, of a campaign's coupon",
    event: {
      type: EVENT.REDEMPTION_REVERSED,
      redemptionSeq: 201,
      ordinals: [7],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: true,
      amounts: [500],
      stack: null,
    },
    hex: '130ac901010702753106726566756e640101f403',
  },
  {
    name: 'BranchPrepared, of a campaign, on its shard',
    event: {
      type: EVENT.BRANCH_PREPARED,
      txn: { shard: 3, seq: 200 },
      ordinals: [2 ** 29 + 5],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      reservationTxnSeq: 0,
      shards: [],
      amounts: [500],
    },
    hex: '160d03c80101858080800202753101026f31000001f403',
  },
  {
    name: 'BranchPrepared, that counts a day',
    event: {
      type: EVENT.BRANCH_PREPARED,
      txn: { shard: 3, seq: 200 },
      ordinals: [],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      reservationTxnSeq: 0,
      shards: [],
      amounts: [],
      days: [{ limit: -1, ...DAY, count: 1 }],
    },
    hex: '1d0d03c8010002753101026f310000000080f091b29c3380a8abdb9c3301',
  },
  {
    name: 'Redeemed, of a campaign on another shard',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 0,
      late: false,
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: PRICE,
      stack: {
        txnSeq: 200,
        coupons: [{ shard: 3, ordinal: 7, code: 'SUMMER10', heldSeq: 200 }],
        campaigns: [{ place: 0, shard: 9, ordinal: 2 ** 29 + 5, heldSeq: 300 }],
      },
    },
    hex: '291a0007027531026f31c8010103070853554d4d45523130c80100a90c8827f40300098580808002ac02',
  },
  {
    name: 'Redeemed, with a day that another shard has counted',
    event: {
      type: EVENT.REDEEMED,
      reservationSeq: 0,
      late: false,
      ordinals: [7],
      user: bytesOf('u1'),
      order: bytesOf('o1'),
      price: PRICE,
      stack: null,
      dayTxnSeq: 200,
    },
    hex: '12090007027531026f3100a90c8827f403c801',
  },
  {
    name: 'BranchReversed, of a campaign, on its shard',
    event: {
      type: EVENT.BRANCH_REVERSED,
      redemption: { shard: 3, seq: 201 },
      heldSeq: 300,
      ordinals: [2 ** 29 + 5],
      user: bytesOf('u1'),
      reason: 'refund',
      returnUse: false,
      amounts: [500],
    },
    hex: '1a1303c901ac0201858080800202753106726566756e640001f403',
  },
  {
    name: 'CampaignCreated',
    event: { type: EVENT.CAMPAIGN_CREATED, index: 5, by: 'key_1', definition: AUTUMN },
    hex: '4b1c0501056b65795f310106417574756d6e0100020000f4030103455552000000000000000000000000010081b8ccea9c330d4575726f70652f4265726c696e0002c1843d02018407a08d06',
  },
  {
    name: 'CampaignChanged',
    event: {
      type: EVENT.CAMPAIGN_CHANGED,
      index: 5,
      by: null,
      definition: {
        ...AUTUMN,
        name: 'Fall',
        timezone: 'UTC',
        maxUses: 1_000,
        budgetMinor: null,
        dailyLimit: null,
      },
    },
    hex: '371d0500010446616c6c0100020000f4030103455552000000000000000000000000010081b8ccea9c3303555443e9070200008407a08d06',
  },
  {
    name: 'CampaignSwitched',
    event: { type: EVENT.CAMPAIGN_SWITCHED, index: 5, by: 'key_1', change: 'DISABLED' },
    hex: '0a1e0501056b65795f3101',
  },
  {
    name: 'CampaignWindowPassed',
    event: { type: EVENT.CAMPAIGN_WINDOW_PASSED, index: 5, edge: 'ENDED' },
    hex: '031f0501',
  },
  {
    name: 'JobStarted, to make codes',
    event: {
      type: EVENT.JOB_STARTED,
      by: 'key_1',
      plan: {
        kind: 'CODES',
        count: 50_000,
        length: 10,
        prefix: 'FALL',
        distribution: 'POOL',
        definition: OF_CAMPAIGN,
        userIds: ['u1', 'u2'],
      },
    },
    hex: '2a2001056b65795f3100d086030a0446414c4c000200000000000000020000000103050002027531027532',
  },
  {
    name: 'JobStarted, to import a file',
    event: {
      type: EVENT.JOB_STARTED,
      by: null,
      plan: { kind: 'IMPORT', format: 'NDJSON', file: 'f1', bytes: 100_000 },
    },
    hex: '0a20000201026631a08d06',
  },
  {
    name: 'CodesMade',
    event: {
      type: EVENT.CODES_MADE,
      jobSeq: 200,
      firstOrdinal: 2 ** 30 + 300,
      count: 2,
      letters: bytesOf('7K2M9PQX4TZ3'),
    },
    hex: '1621c801ac82808004020c374b324d3950515834545a33',
  },
  {
    name: 'JobProgressed',
    event: {
      type: EVENT.JOB_PROGRESSED,
      jobSeq: 200,
      processed: 500,
      failed: 1,
      total: 0,
      place: 16_000,
      errors: [{ line: 17, code: 'CODE_TAKEN', detail: 'taken' }],
    },
    hex: '1c22c801f4030100807d01110a434f44455f54414b454e0574616b656e',
  },
  {
    name: 'JobEnded',
    event: { type: EVENT.JOB_ENDED, jobSeq: 200, end: 'CANCELLED', reason: 'key_1' },
    hex: '0b23c8010201056b65795f31',
  },
  {
    name: 'DayCounted',
    event: {
      type: EVENT.DAY_COUNTED,
      user: bytesOf('u1'),
      limit: -1,
      ...DAY,
      count: 1,
    },
    hex: '12240275310080f091b29c3380a8abdb9c3301',
  },
  {
    name: 'BatchWindowPassed',
    event: { type: EVENT.BATCH_WINDOW_PASSED, jobSeq: 200, edge: 'STARTED' },
    hex: '0425c80100',
  },
]
