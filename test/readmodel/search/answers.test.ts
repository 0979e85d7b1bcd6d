// What the projector writes is what a search shows: the log into the database, the database into the index, pages out of both.

import { describe, expect, test } from 'vitest'
import type { SearchItem, SearchQuestion } from '../../../gateway/lists/search-port.ts'
import { CouponTexts } from '../../../readmodel/coupon-text.ts'
import { openToRead } from '../../../readmodel/database.ts'
import { SearchAnswers } from '../../../readmodel/search/answers.ts'
import { Evaluation } from '../../../readmodel/search/evaluate.ts'
import { FeedBroken, SearchFeed } from '../../../readmodel/search/feed.ts'
import { SearchIndex } from '../../../readmodel/search/index.ts'
import type { Offer } from '../../../engine/domain/offer.ts'
import { EVENT, type Event } from '../../../protocol/events.ts'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import { BULK_ORDINALS } from '../../../protocol/ordinals.ts'
import { COUPON_STATUSES } from '../../../protocol/outcomes.ts'
import { couponWith } from '../../engine/support/samples.ts'
import { created, redeemed, reserved, reversed } from '../support/events.ts'
import { TestModel } from '../support/model.ts'
import { BEGIN_MS, TestLog } from '../support/test-log.ts'

const NOW_MS = BEGIN_MS + 1_000
const SHARD = 2

function couponOf(item: SearchItem): { readonly code: string } {
  if (item.kind !== 'coupon') throw new Error('something else was found than a coupon that stands alone')
  return JSON.parse(item.text) as { readonly code: string }
}

function codesOf(items: readonly SearchItem[]): string[] {
  return items.map((item) => couponOf(item).code)
}

/** A model that is searched by a connection of its own. */
class Searched {
  readonly model = new TestModel()
  readonly log = new TestLog()
  readonly index = new SearchIndex()
  readonly feed: SearchFeed
  private readonly answers: SearchAnswers
  private projected = 0

  constructor(...events: Event[]) {
    this.append(...events)
    const database = openToRead(this.model.dataDir)
    this.feed = new SearchFeed(database, this.index)
    this.answers = new SearchAnswers(new Evaluation(this.index), new CouponTexts(database))
    this.follow()
  }

  /** One batch. */
  append(...events: Event[]): void {
    this.log.append(SHARD, BEGIN_MS, ...events)
    this.model.project(this.log.entries.slice(this.projected))
    this.projected = this.log.entries.length
  }

  follow(): void {
    while (!this.feed.step());
  }

  page(text: string, fields: Partial<SearchQuestion> = {}, nowMs = NOW_MS): ReturnType<SearchAnswers['page']> {
    const question = { sort: 'relevance', status: null, type: null, category: null, listedOnly: false } as const
    return this.answers.page({ text, ...question, limit: 50, after: null, ...fields }, nowMs)
  }

  codes(text: string, fields: Partial<SearchQuestion> = {}, nowMs = NOW_MS): unknown[] {
    return codesOf(this.page(text, fields, nowMs).items)
  }
}

test('a coupon is shown as lists show it', () => {
  const fields = { description: 'Warm hats', category: 'hats', merchantId: 'm1', maxUses: 1, listed: true }
  const searched = new Searched(created(0, 'HAT', fields), reserved([0], NOW_MS + 9, { user: 'bob' }))
  const { items } = searched.page('warm')
  expect(items.map(couponOf)).toEqual(searched.model.coupons(NOW_MS))
  expect(items.map(couponOf)).toMatchObject([{ lockedBy: 'bob' }])
})

test('what is made, changed and disabled later is found as it is then', () => {
  const searched = new Searched(created(0, 'A', { description: 'hats' }))
  searched.append(created(1, 'B', { description: 'hats' }))
  expect(searched.codes('hats')).toEqual(['A'])
  searched.follow()
  expect(searched.codes('hats', { sort: 'newest' })).toEqual(['B', 'A'])
  searched.append(
    {
      type: EVENT.COUPON_CHANGED,
      ordinal: 0,
      by: null,
      change: 'PATCHED',
      reason: null,
      definition: couponWith('A', { description: 'gloves' }),
      imported: null,
    },
    { type: EVENT.COUPON_SWITCHED, ordinal: 1, by: null, change: 'DISABLED' },
  )
  searched.follow()
  expect(searched.codes('hats')).toEqual(['B'])
  expect(searched.codes('gloves')).toEqual(['A'])
  expect(searched.codes('hats', { status: 'ACTIVE' })).toEqual([])
  expect(searched.codes('hats', { status: 'DISABLED' })).toEqual(['B'])
})

test('a status is that of the moment, uses and reservations included', () => {
  const untilMs = NOW_MS + 10
  const searched = new Searched(
    created(0, 'USED', { description: 'x', maxUses: 1 }),
    created(1, 'FULL', { description: 'x', maxUses: 2 }),
    created(2, 'HELD', { description: 'x', maxUses: 1 }),
    created(3, 'OPEN', { description: 'x', maxUses: 2, validUntilMs: untilMs }),
    redeemed([0]),
    redeemed([1]),
    redeemed([1], { order: 'order-2' }),
    reserved([2], untilMs),
  )
  const by = (nowMs: number): unknown[] =>
    (['REDEEMED', 'EXHAUSTED', 'LOCKED', 'ACTIVE', 'EXPIRED', 'SCHEDULED', 'DISABLED'] as const).map((status) =>
      searched.codes('x', { status }, nowMs),
    )
  expect(by(untilMs - 1)).toEqual([['USED'], ['FULL'], ['HELD'], ['OPEN'], [], [], []])
  expect(by(untilMs)).toEqual([['USED'], ['FULL'], [], ['HELD'], ['OPEN'], [], []])
  // The search is not told of uses; its answers know them.
  searched.append(reversed(1, [1], true))
  expect(searched.codes('x', { status: 'EXHAUSTED' })).toEqual([])
})

test('pages that a status leaves short go on behind what was looked at', () => {
  const events = Array.from({ length: 2_500 }, (_, i) => created(i, `CODE-${i}`, { description: 'x', maxUses: 1 }))
  const used = [3, 1_700, 2_499].map((ordinal) => redeemed([ordinal], { order: `order-${ordinal}` }))
  const searched = new Searched(...events, ...used)
  const found: unknown[] = []
  let after: SearchQuestion['after'] = null
  let pages = 0
  do {
    const page = searched.page('x', { status: 'REDEEMED', limit: 2, after })
    expect(page.items.length).toBeLessThanOrEqual(2)
    found.push(...codesOf(page.items))
    after = page.next
    pages++
  } while (after !== null)
  expect(found).toEqual(['CODE-2499', 'CODE-1700', 'CODE-3'])
  expect(pages).toBe(3)
})

test('a page knows whether there is another one', () => {
  const searched = new Searched(...[0, 1, 2].map((i) => created(i, `C-${i}`, { description: 'x' })))
  const first = searched.page('x', { limit: 2 })
  expect(first.items).toHaveLength(2)
  const last = searched.page('x', { limit: 2, after: first.next })
  expect(last).toMatchObject({ items: [{ text: expect.stringContaining('C-0') }], next: null })
  expect(searched.page('x', { limit: 3 }).next).toBeNull()
})

test('what was withdrawn a moment ago is not shown to whoever sees what is listed only', () => {
  const searched = new Searched(created(0, 'A', { description: 'hats', listed: true }))
  searched.append({
    type: EVENT.COUPON_CHANGED,
    ordinal: 0,
    by: null,
    change: 'PATCHED',
    reason: null,
    definition: couponWith('A', { description: 'hats', listed: false }),
    imported: null,
  })
  // The index does not know yet.
  expect(searched.codes('hats')).toEqual(['A'])
  expect(searched.codes('hats', { listedOnly: true })).toEqual([])
})

test('a load in slices and what comes meanwhile give the same as all at once', () => {
  const searched = new Searched(...Array.from({ length: 1_000 }, (_, i) => created(i, `L-${i}`, { description: 'x' })))
  const database = openToRead(searched.model.dataDir)
  const index = new SearchIndex()
  const feed = new SearchFeed(database, index)
  feed.step()
  feed.step()
  expect(feed.isLoaded).toBe(false)
  searched.append(created(1_000, 'L-LATE', { description: 'x' }), {
    type: EVENT.COUPON_CHANGED,
    ordinal: 0,
    by: null,
    change: 'PATCHED',
    reason: null,
    definition: couponWith('L-0', { description: 'y' }),
    imported: null,
  })
  while (!feed.step());
  searched.follow()
  const COUNTS = { x: 1_000, y: 1, l: 1_001 }
  for (const text of ['x', 'y', 'l'] as const) {
    const wanted = { text, sort: 'newest', status: null, type: null, category: null, listedOnly: false } as const
    const [once, inSlices] = [searched.index, index].map((each) =>
      new Evaluation(each).best({ ...wanted, after: null }, 2_000, NOW_MS).map(({ id }) => id),
    )
    expect(inSlices).toEqual(once)
    expect(once).toHaveLength(COUNTS[text])
  }
})

test('changes that are gone before they were read break the feed', () => {
  const searched = new Searched(created(0, 'A'))
  searched.append(created(1, 'B'))
  searched.append(created(2, 'C'))
  searched.model.database.sql('DELETE FROM search_change WHERE seq = 2').run()
  expect(() => searched.feed.step()).toThrow(FeedBroken)
})

test('changes are kept for a while only', () => {
  const model = new TestModel()
  const log = new TestLog()
  for (let i = 0; i < 2_010; i++) log.append(SHARD, BEGIN_MS, created(i, `K-${i}`))
  for (const entry of log.entries) model.project([entry])
  expect(model.database.query('SELECT min(seq), max(seq), count(*) FROM search_change').first()).toEqual([
    11, 2_010, 2_000,
  ])
})

describe('a campaign', () => {
  const definition: CampaignDefinition = {
    name: 'Great summer sale',
    offer: couponWith('ANY', {}, { type: 'FREESHIP', percentBps: 0 }).offer as Offer,
    merchantId: 'm9',
    listed: true,
    validFromMs: null,
    validUntilMs: null,
    timezone: 'UTC',
    maxUses: 1,
    maxUsesPerUser: null,
    budgetMinor: null,
    dailyLimit: null,
    lockSeconds: 300,
    lowStockPpm: 100_000,
  }
  const summer: Event = { type: EVENT.CAMPAIGN_CREATED, index: 0, by: null, definition }
  const place = { kind: 'campaign', shard: SHARD, index: 0 }

  test('is one entry, found by its name and merchant, whether it is loaded or comes later', () => {
    const loaded = new Searched(summer, created(0, 'A', { description: 'summer' }))
    const later = new Searched(created(0, 'A', { description: 'summer' }))
    later.append(summer)
    later.follow()
    for (const searched of [loaded, later]) {
      expect(searched.page('great summ').items).toEqual([place])
      expect(searched.page('m9 ').items).toEqual([place])
      expect(searched.page('summer').items).toHaveLength(2)
      expect(searched.page('summer', { type: 'FREESHIP' }).items).toEqual([place])
      expect(searched.page('summer', { type: 'PERCENT' }).items).toMatchObject([{ kind: 'coupon' }])
      expect(searched.page('summer', { status: 'REDEEMED' }).items).toEqual([])
      expect(searched.page('summer', { listedOnly: true }).items).toEqual([place])
    }
  })

  test('is found as it is after a change and a switch', () => {
    const searched = new Searched(summer)
    searched.append({
      type: EVENT.CAMPAIGN_CHANGED,
      index: 0,
      by: null,
      definition: { ...definition, name: 'Winter sale', listed: false },
    })
    searched.append({ type: EVENT.CAMPAIGN_SWITCHED, index: 0, by: null, change: 'DISABLED' })
    searched.follow()
    expect(searched.page('summer').items).toEqual([])
    expect(searched.page('winter').items).toEqual([place])
    expect(searched.page('winter', { listedOnly: true }).items).toEqual([])
    expect(searched.page('winter', { status: 'ACTIVE' }).items).toEqual([])
    expect(searched.page('winter', { status: 'DISABLED' }).items).toEqual([place])
  })

  test("its coupon has no type of its own, its codes made in bulk no entry, and their use no coupon's", () => {
    const own = created(0, 'OWN', { description: 'x', campaign: { shard: SHARD, index: 0 } })
    const made: Event = { ...own, definition: { ...own.definition, offer: null } }
    const searched = new Searched(summer, made, redeemed([BULK_ORDINALS + 5, 0]))
    const bound = { kind: 'bound', shard: SHARD, ordinal: 0 }
    expect(searched.page('x').items).toEqual([bound])
    // Its campaign has a say in its status, so its shard decides.
    for (const status of COUPON_STATUSES) expect(searched.page('x', { status }).items, status).toEqual([bound])
    for (const type of ['PERCENT', 'FIXED', 'FREESHIP']) expect(searched.page('x', { type }).items).toEqual([])
    expect(searched.model.database.query('SELECT id, uses FROM coupon_uses').all()).toEqual([[SHARD, 1]])
  })
})

test('uses that an import brings count from the beginning', () => {
  const imported = { job: { shard: 0, seq: 1 }, line: 3, uses: 2 }
  const searched = new Searched({ ...created(0, 'MOVED', { description: 'x', maxUses: 3 }), imported }, redeemed([0]))
  expect(searched.codes('x', { status: 'EXHAUSTED' })).toEqual(['MOVED'])
})
