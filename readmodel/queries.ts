/**
 * Questions of the gateway, answered from the database of this moment. Synchronous, each bounded; the lag is told by whoever
 * knows how far the log is.
 */
import { CampaignList } from './campaign-list.ts'
import { campaignNumber } from './campaign-members.ts'
import { CouponList } from './coupon-list.ts'
import type { Database } from './database.ts'
import type { Facts } from './facts.ts'
import { historyMembers } from './history-text.ts'
import { type ListPage, type ListPlace, Lists, NO_BOUNDS } from './list-cursor.ts'
import { couponNumber, keyOfAll, keyOfName, keyOfNumber, LIST, shardOf, withinShard } from './list-keys.ts'
import type { Posting } from './block.ts'
import type { Runs } from './runs.ts'
import type {
  CouponFilter,
  CouponName,
  HistoryItem,
  Listed,
  PageEnd,
  PageRange,
  Place,
  RedemptionFilter,
  ReservationFilter,
} from '../gateway/lists/read-model.ts'
import { bytesOf } from '../protocol/bytes.ts'
import type { CampaignRef } from '../protocol/coupon.ts'

export type Question =
  | { readonly list: 'coupons'; readonly filter: CouponFilter; readonly range: PageRange }
  | { readonly list: 'campaigns'; readonly range: PageRange }
  | { readonly list: 'couponsOfCampaign'; readonly campaign: CampaignRef; readonly range: PageRange }
  | { readonly list: 'history'; readonly coupon: CouponName; readonly range: PageRange }
  | { readonly list: 'redemptions'; readonly filter: RedemptionFilter; readonly range: PageRange }
  | { readonly list: 'reservations'; readonly filter: ReservationFilter; readonly range: PageRange }

export type Found = Omit<Listed<string | HistoryItem | Place | CampaignRef | CouponName>, 'lagMs'>

export class Queries {
  private readonly coupons: CouponList
  private readonly campaigns: CampaignList
  private readonly lists: Lists
  private readonly facts: Facts

  constructor(database: Database, runs: Runs, facts: Facts) {
    this.coupons = new CouponList(database)
    this.campaigns = new CampaignList(database)
    this.lists = new Lists(database, runs)
    this.facts = facts
  }

  answer(question: Question, nowMs: number): Found {
    switch (question.list) {
      case 'coupons':
        return this.coupons.page(question.filter, question.range, nowMs)
      case 'campaigns':
        return this.campaigns.campaigns(question.range)
      case 'couponsOfCampaign':
        return this.campaigns.coupons(question.campaign, question.range)
      case 'history':
        return this.history(question.coupon, question.range)
      case 'redemptions':
        return this.redemptions(question.filter, question.range)
      case 'reservations':
        return this.reservations(question.filter, question.range)
    }
  }

  private redemptions(filter: RedemptionFilter, range: PageRange): Found {
    const { coupon, campaign, userId, orderId, fromMs, toMs } = filter
    // The list that is likely the shortest leads.
    const keys: number[] = []
    if (orderId !== null) keys.push(keyOfName(LIST.REDEMPTIONS_OF_ORDER, bytesOf(orderId)))
    if (userId !== null) keys.push(keyOfName(LIST.REDEMPTIONS_OF_USER, bytesOf(userId)))
    if (coupon !== null) keys.push(keyOfCoupon(LIST.REDEMPTIONS_OF_COUPON, coupon))
    if (campaign !== null) keys.push(keyOfNumber(LIST.REDEMPTIONS_OF_CAMPAIGN, campaignNumber(campaign)))
    if (keys.length === 0) keys.push(keyOfAll(LIST.REDEMPTIONS))
    return this.places(keys, { fromMs, toMs }, range)
  }

  private reservations({ coupon, userId }: ReservationFilter, range: PageRange): Found {
    const keys: number[] = []
    if (userId !== null) keys.push(keyOfName(LIST.RESERVATIONS_OF_USER, bytesOf(userId)))
    if (coupon !== null) keys.push(keyOfCoupon(LIST.RESERVATIONS_OF_COUPON, coupon))
    if (keys.length === 0) keys.push(keyOfAll(LIST.RESERVATIONS))
    return this.places(keys, NO_BOUNDS, range)
  }

  private places(keys: readonly number[], bounds: typeof NO_BOUNDS, { limit, after }: PageRange): Found {
    const page = this.lists.page({
      keys,
      direction: 'newestFirst',
      after: placeBehind(after),
      bounds,
      limit,
      shard: null,
    })
    return {
      items: page.postings.map(({ place }) => ({ shard: shardOf(place), seq: withinShard(place) })),
      next: endOf(page.next),
    }
  }

  /** Three lists as one: what happened, what was reserved, what was redeemed. */
  private history(coupon: CouponName, { limit, after }: PageRange): Found {
    const pages = [LIST.MOMENTS_OF_COUPON, LIST.RESERVATIONS_OF_COUPON, LIST.REDEMPTIONS_OF_COUPON].map((kind) =>
      this.lists.page({
        keys: [keyOfCoupon(kind, coupon)],
        direction: 'oldestFirst',
        after: placeBehind(after),
        bounds: NO_BOUNDS,
        limit,
        // A reservation or redemption over several shards is told here by what this shard did for it.
        shard: coupon.shard,
      }),
    )
    const { postings, next } = merged(pages, limit)
    return { items: postings.map((posting) => this.historyItem(coupon, posting)), next: endOf(next) }
  }

  private historyItem(coupon: CouponName, { atMs, place, ref }: Posting): HistoryItem {
    const seq = withinShard(place)
    return { seq, atMs, membersJson: ref === 0 ? null : historyMembers(coupon, seq, this.facts.at(ref)) }
  }
}

/** The first `limit` postings of several pages. No list is told beyond where its page ends. */
function merged(pages: readonly ListPage[], limit: number): ListPage {
  const all = pages.flatMap(({ postings }) => postings).toSorted(oldestFirst)
  const horizons = pages.map(({ next }) => next).filter((next) => next !== null)
  const horizon = horizons.toSorted(oldestFirst)[0] ?? null
  const known = horizon === null ? all : all.filter((posting) => oldestFirst(posting, horizon) <= 0)
  if (known.length > limit) {
    const postings = known.slice(0, limit)
    return { postings, next: postings.at(-1) ?? null }
  }
  return { postings: known, next: horizon }
}

function oldestFirst(a: ListPlace, b: ListPlace): number {
  return a.atMs - b.atMs || a.place - b.place
}

function keyOfCoupon(kind: (typeof LIST)[keyof typeof LIST], { shard, ordinal }: CouponName): number {
  return keyOfNumber(kind, couponNumber(shard, ordinal))
}

function placeBehind(after: PageEnd | null): ListPlace | null {
  return after === null ? null : { atMs: after[0], place: after[1] }
}

function endOf(place: ListPlace | null): PageEnd | null {
  return place === null ? null : [place.atMs, place.place]
}
