// What the watcher finds in a log written by hand: which events, once each, whatever it is cut into.

import { describe, expect, test } from 'vitest'
import { EventTable } from '../../lifecycle/event-table.ts'
import { openWatchDatabase } from '../../lifecycle/watch-database.ts'
import { SaleProjection } from '../../lifecycle/watcher.ts'
import { EVENT_TYPES, type FeedEventType, type FeedPage, type FeedQuery } from '../../gateway/events/event-feed.ts'
import type { Offer } from '../../engine/domain/offer.ts'
import { bytesOf } from '../../protocol/bytes.ts'
import type { CampaignDefinition } from '../../protocol/campaign.ts'
import { EVENT, type Event } from '../../protocol/events.ts'
import { BULK_ORDINALS, CAMPAIGN_ORDINALS } from '../../protocol/ordinals.ts'
import { created, redeemed, reversed } from '../readmodel/support/events.ts'
import { BEGIN_MS, TestLog } from '../readmodel/support/test-log.ts'
import { couponWith } from '../engine/support/samples.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const SHARD = 3
const ALL: FeedQuery = { types: EVENT_TYPES, after: null, limit: 200 }

/** A watch over a data directory, that can be left and taken up again. */
class Watch {
  private readonly belonging: { dataDir: string; deployment: string; bootId: string }
  private opened: ReturnType<typeof openWatchDatabase>
  private events: EventTable
  private projection: SaleProjection

  constructor(kept = 1_000) {
    this.belonging = { dataDir: temporaryDirectory('watch'), deployment: 'test', bootId: 'one' }
    this.opened = openWatchDatabase(this.belonging)
    this.events = new EventTable(this.opened.database, this.opened.epoch, kept)
    this.projection = new SaleProjection(this.opened.database, this.events)
  }

  look(entries: TestLog['entries']): void {
    this.opened.database.transaction(() => {
      for (const entry of entries) this.projection.entry(entry)
      this.projection.write()
    })
  }

  tell(type: FeedEventType, count: number): void {
    this.opened.database.transaction(() => {
      for (let i = 0; i < count; i++) this.events.add(type, BEGIN_MS, '')
    })
  }

  /** As after a kill; another boot as after a power cut. */
  reopen(bootId = 'one'): void {
    this.belonging.bootId = bootId
    this.opened.database.close()
    this.opened = openWatchDatabase(this.belonging)
    this.events = new EventTable(this.opened.database, this.opened.epoch)
    this.projection = new SaleProjection(this.opened.database, this.events)
  }

  page(query: Partial<FeedQuery> = {}): FeedPage {
    return this.events.page({ ...ALL, ...query })
  }

  found(): Record<string, unknown>[] {
    return this.page().events.map(({ text }) => JSON.parse(text) as Record<string, unknown>)
  }
}

function watchOver(...events: (Event | number)[]): Watch {
  const log = new TestLog()
  log.append(SHARD, BEGIN_MS, ...events)
  const watch = new Watch()
  watch.look(log.entries)
  return watch
}

function uses(ordinal: number, count: number): Event[] {
  return Array.from({ length: count }, () => redeemed([ordinal]))
}

function types(watch: Watch): string[] {
  return watch.found().map(({ type }) => String(type))
}

describe('stock', () => {
  test('is low at a tenth and then exhausted, told once each', () => {
    const watch = watchOver(created(0, 'SALE', { maxUses: 20 }), ...uses(0, 17), 5, ...uses(0, 3))
    expect(watch.found()).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{8}-1$/) as string,
        type: 'LOW_STOCK',
        at: new Date(BEGIN_MS + 5).toISOString(),
        position: '3:19',
        couponId: 'cpn_030',
        code: 'SALE',
        uses: 18,
        maxUses: 20,
      },
      expect.objectContaining({ type: 'EXHAUSTED', position: '3:21', uses: 20 }),
    ])
  })

  test('of one use is none, without a limit neither, and of a few only its end is told', () => {
    expect(types(watchOver(created(0, 'ONE', { maxUses: 1 }), ...uses(0, 1)))).toEqual([])
    expect(types(watchOver(created(0, 'EVER', { maxUses: null }), ...uses(0, 50)))).toEqual([])
    expect(types(watchOver(created(0, 'FEW', { maxUses: 3 }), ...uses(0, 3)))).toEqual(['EXHAUSTED'])
  })

  test('that came back can be exhausted again; a reversal without its use brings nothing back', () => {
    const begin = [created(0, 'FEW', { maxUses: 3 }), ...uses(0, 3)]
    expect(types(watchOver(...begin, reversed(4, [0], true), ...uses(0, 1)))).toEqual(['EXHAUSTED', 'EXHAUSTED'])
    expect(types(watchOver(...begin, reversed(4, [0], false)))).toEqual(['EXHAUSTED'])
  })

  test('that flutters around a tenth is told once', () => {
    const back = Array.from({ length: 5 }, (_unused, i) => [reversed(i + 2, [0], true), redeemed([0])]).flat()
    expect(types(watchOver(created(0, 'SALE', { maxUses: 20 }), ...uses(0, 18), ...back))).toEqual(['LOW_STOCK'])
  })

  test('follows a limit that is changed', () => {
    const change = (maxUses: number | null): Event => ({
      type: EVENT.COUPON_CHANGED,
      ordinal: 0,
      by: null,
      change: 'PATCHED',
      reason: null,
      definition: couponWith('SALE', { maxUses }),
      imported: null,
    })
    const begin = [created(0, 'SALE', { maxUses: 100 }), ...uses(0, 50)]
    expect(types(watchOver(...begin, change(50)))).toEqual(['EXHAUSTED'])
    expect(types(watchOver(...begin, change(52), change(500), ...uses(0, 1)))).toEqual(['LOW_STOCK'])
    expect(types(watchOver(...begin, change(null), ...uses(0, 60)))).toEqual([])
  })

  test('is counted on every shard that a redemption touches', () => {
    const branch: Event = {
      type: EVENT.BRANCH_REDEEMED,
      txn: { shard: 5, seq: 9 },
      redemptionSeq: 10,
      ordinals: [0, 1],
      user: redeemed([0]).user,
      order: redeemed([0]).order,
      amounts: [5, 5],
    }
    const watch = watchOver(created(0, 'A', { maxUses: 2 }), created(1, 'B', { maxUses: 2 }), branch, redeemed([1, 0]))
    expect(watch.found().map(({ type, code }) => `${String(type)} ${String(code)}`)).toEqual([
      'EXHAUSTED B',
      'EXHAUSTED A',
    ])
  })
})

describe('a campaign', () => {
  const FIRST = BULK_ORDINALS
  const campaign = (fields: Partial<CampaignDefinition> = {}): Event => ({
    type: EVENT.CAMPAIGN_CREATED,
    index: 0,
    by: null,
    definition: {
      name: 'Summer',
      offer: couponWith('X').offer as Offer,
      merchantId: null,
      listed: false,
      validFromMs: null,
      validUntilMs: null,
      timezone: 'UTC',
      maxUses: null,
      maxUsesPerUser: null,
      budgetMinor: null,
      dailyLimit: null,
      lockSeconds: 300,
      lowStockPpm: 500_000,
      ...fields,
    },
  })
  const ref = { shard: SHARD, index: 0 }
  const job = (seq: number, codes: number): Event[] => [
    {
      type: EVENT.JOB_STARTED,
      by: null,
      plan: {
        kind: 'CODES',
        count: codes,
        length: 8,
        prefix: '',
        distribution: 'POOL',
        definition: { ...couponWith('', { maxUses: 1 }), offer: null, campaign: ref },
        userIds: [],
      },
    },
    {
      type: EVENT.CODES_MADE,
      jobSeq: seq,
      firstOrdinal: FIRST,
      count: codes,
      letters: bytesOf('ABCDEFGH'.repeat(codes)),
    },
    { type: EVENT.JOB_ENDED, jobSeq: seq, end: 'SUCCEEDED', reason: null },
  ]

  test('counts its codes made in bulk, its coupons made one by one, and its codes of other shards', () => {
    const away: Event = {
      type: EVENT.BRANCH_REDEEMED,
      txn: { shard: 5, seq: 9 },
      redemptionSeq: 10,
      ordinals: [CAMPAIGN_ORDINALS],
      user: bytesOf('ann'),
      order: bytesOf('o1'),
      amounts: [5],
    }
    const single = created(0, 'VIP', { maxUses: 1 })
    const one: Event = { ...single, definition: { ...single.definition, offer: null, campaign: ref } }
    const watch = watchOver(campaign({ maxUses: 4 }), ...job(2, 3), one, redeemed([FIRST]), redeemed([0]))
    expect(watch.found().map(({ type }) => type)).toEqual(['JOB_ENDED', 'LOW_STOCK'])
    expect(watch.found()).toMatchObject([
      { jobId: 'job_032', kind: 'CODES', campaignId: 'cmp_030', state: 'SUCCEEDED' },
      { campaignId: 'cmp_030', name: 'Summer', uses: 2, maxUses: 4, position: '3:7' },
    ])
    const whole = watchOver(
      campaign({ maxUses: 4 }),
      ...job(2, 3),
      one,
      ...[FIRST, 0, FIRST + 2].map((ordinal) => redeemed([ordinal])),
      away,
    )
    expect(types(whole)).toEqual(['JOB_ENDED', 'LOW_STOCK', 'EXHAUSTED'])
  })

  test('counts a code of another shard that this one coordinates', () => {
    const stack = {
      txnSeq: 2,
      coupons: [{ shard: 7, ordinal: 4, code: 'AWAY', heldSeq: 3 }],
      campaigns: [{ place: 0, shard: SHARD, ordinal: CAMPAIGN_ORDINALS, heldSeq: 2 }],
    }
    const fields = { maxUses: 2, budgetMinor: 101, lowStockPpm: 500_000 }
    const watch = watchOver(campaign(fields), redeemed([], { stack }))
    // A use of two is half, and 100 of 101 is more than that.
    expect(watch.found()).toMatchObject([
      { type: 'LOW_STOCK', uses: 1, maxUses: 2 },
      { type: 'LOW_STOCK', discountTotal: 100, budget: 101 },
    ])
  })

  test('has a budget, which a reversal gives back', () => {
    // A redemption of the samples gives 100.
    const begin = [campaign({ budgetMinor: 300, lowStockPpm: 400_000 }), ...job(2, 9)]
    const watch = watchOver(...begin, redeemed([FIRST]), redeemed([FIRST + 1]))
    expect(watch.found().slice(1)).toMatchObject([
      { type: 'LOW_STOCK', campaignId: 'cmp_030', discountTotal: 200, budget: 300 },
    ])
    const back = { ...reversed(5, [FIRST], false), amounts: [100] }
    const again = watchOver(...begin, ...[0, 1, 2].map((i) => redeemed([FIRST + i])), back, redeemed([FIRST + 3]))
    expect(types(again)).toEqual(['JOB_ENDED', 'LOW_STOCK', 'EXHAUSTED', 'EXHAUSTED'])
  })

  test('and its batches end', () => {
    const watch = watchOver(
      campaign(),
      ...job(2, 3),
      { type: EVENT.BATCH_WINDOW_PASSED, jobSeq: 2, edge: 'ENDED' },
      { type: EVENT.CAMPAIGN_WINDOW_PASSED, index: 0, edge: 'ENDED' },
    )
    expect(watch.found().slice(1)).toMatchObject([
      { type: 'EXPIRED', jobId: 'job_032', campaignId: 'cmp_030' },
      { type: 'EXPIRED', campaignId: 'cmp_030', name: 'Summer' },
    ])
  })

  test('is known again after a restart', () => {
    const log = new TestLog()
    log.append(SHARD, BEGIN_MS, campaign({ maxUses: 2 }), ...job(2, 3))
    log.append(SHARD, BEGIN_MS, redeemed([FIRST]), redeemed([FIRST + 1]))
    const watch = new Watch()
    watch.look(log.entries.slice(0, 1))
    watch.reopen()
    watch.look(log.entries.slice(1))
    expect(types(watch)).toEqual(['JOB_ENDED', 'LOW_STOCK', 'EXHAUSTED'])
  })
})

test('the end of a window is told, its beginning is not', () => {
  const watch = watchOver(
    created(0, 'SALE', { maxUses: 20 }),
    { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 0, edge: 'STARTED' },
    { type: EVENT.COUPON_WINDOW_PASSED, ordinal: 0, edge: 'ENDED' },
  )
  expect(watch.found()).toMatchObject([{ type: 'EXPIRED', couponId: 'cpn_030', code: 'SALE', position: '3:3' }])
})

test('a clock that jumped is told with both times', () => {
  const watch = watchOver({ type: EVENT.CLOCK_DIFFERED, wallMs: BEGIN_MS + 5_000, stampedMs: BEGIN_MS })
  expect(watch.found()).toMatchObject([
    {
      type: 'CLOCK_DIFFERED',
      wall: new Date(BEGIN_MS + 5_000).toISOString(),
      stamped: new Date(BEGIN_MS).toISOString(),
    },
  ])
})

test('a watch that is left and taken up again between any two entries finds the same', () => {
  const random = new SeededRandom()
  console.info(`seed ${random.seed}`)
  const log = new TestLog()
  log.append(SHARD, BEGIN_MS, created(0, 'A', { maxUses: 40 }), created(1, 'B', { maxUses: 15 }))
  const left = [...uses(0, 40), ...uses(1, 15)]
  while (left.length > 0) log.append(SHARD, BEGIN_MS, ...left.splice(random.below(left.length), 1))
  const whole = new Watch()
  whole.look(log.entries)
  const pieces = new Watch()
  for (const entry of log.entries) {
    pieces.look([entry])
    if (random.below(3) === 0) pieces.reopen()
  }
  const positions = (watch: Watch): unknown[] =>
    watch.found().map(({ type, position }) => `${String(type)} ${String(position)}`)
  expect(positions(pieces)).toEqual(positions(whole))
  expect(types(whole).sort()).toEqual(['EXHAUSTED', 'EXHAUSTED', 'LOW_STOCK', 'LOW_STOCK'])
})

describe('the feed', () => {
  test('goes on behind an id, by pages, and knows what is left', () => {
    const watch = new Watch()
    watch.tell('EXPIRED', 3)
    watch.tell('GUESSING', 2)
    const first = watch.page({ limit: 2 })
    expect([first.events.length, first.hasMore]).toEqual([2, true])
    const rest = watch.page({ limit: 3, after: first.events[1]?.id as string })
    expect([rest.events.length, rest.hasMore]).toEqual([3, false])
    expect(new Set([...first.events, ...rest.events].map(({ id }) => id)).size).toBe(5)
    expect(watch.page({ types: ['GUESSING'] }).events).toHaveLength(2)
  })

  test('keeps ids over a kill, and gives out new ones after a power cut', () => {
    const watch = new Watch()
    watch.tell('EXPIRED', 3)
    const [first] = watch.page().events
    watch.reopen()
    expect(watch.page({ after: first?.id as string }).events).toHaveLength(2)
    watch.reopen('another boot')
    // Behind an id that means nothing any more: everything, because missing one would be worse.
    expect(watch.page({ after: first?.id as string }).events).toHaveLength(3)
    expect(watch.page().events[0]?.id).not.toBe(first?.id)
  })

  test('forgets the oldest beyond its bound, and never gives a number out twice', () => {
    const watch = new Watch(10)
    watch.tell('EXPIRED', 100)
    const { events } = watch.page()
    expect(events.length).toBeGreaterThanOrEqual(10)
    expect(events.length).toBeLessThanOrEqual(20)
    expect(events.at(-1)?.id).toMatch(/-2s$/)
    watch.reopen()
    watch.tell('EXPIRED', 1)
    expect(watch.page().events.at(-1)?.id).toMatch(/-2t$/)
  })
})
