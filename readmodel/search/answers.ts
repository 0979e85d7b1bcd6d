/**
 * Answers of a search: what the index found, judged and shown from the rows of this moment. Uses change with every redemption and
 * are no part of the index, so a status that depends on them is judged here.
 */
import type { SearchItem, SearchPage, SearchQuestion } from '../../gateway/lists/search-port.ts'
import { campaignIndex, isCampaign } from '../../protocol/ordinals.ts'
import { type CouponTexts, isBoundRow, statusOfRow } from '../coupon-text.ts'
import { shardOf, withinShard } from '../list-keys.ts'
import type { Evaluation, Match } from './evaluate.ts'

/** Entries whose uses are looked at for one page. */
const JUDGED_MAX = 1_000
/** Rows of one statement. */
const CHUNK_ROWS = 100

export class SearchAnswers {
  private readonly evaluation: Evaluation
  private readonly texts: CouponTexts

  constructor(evaluation: Evaluation, texts: CouponTexts) {
    this.evaluation = evaluation
    this.texts = texts
  }

  page(question: SearchQuestion, nowMs: number): Omit<SearchPage, 'lagMs'> {
    const { limit, status } = question
    const count = status === null ? limit + 1 : Math.max(limit + 1, JUDGED_MAX)
    const matches = this.evaluation.best(question, count, nowMs)
    const items: SearchItem[] = []
    let last: Match | null = null
    for (let from = 0, to = 0; from < matches.length; from = to) {
      to = from + Math.min(CHUNK_ROWS, limit - items.length + 1)
      const chunk = matches.slice(from, to)
      const rows = this.texts.rows(
        chunk.map(({ id }) => id),
        nowMs,
      )
      for (const match of chunk) {
        if (items.length === limit) return { items, next: last?.end ?? null }
        last = match
        if (isCampaign(withinShard(match.id))) {
          items.push({ kind: 'campaign', shard: shardOf(match.id), index: campaignIndex(withinShard(match.id)) })
          continue
        }
        const row = rows.get(match.id)
        if (row === undefined) continue
        if (isBoundRow(row)) {
          items.push({ kind: 'bound', shard: shardOf(match.id), ordinal: withinShard(match.id) })
          continue
        }
        if (status !== null && statusOfRow(row, nowMs) !== status) continue
        const { text, isListed } = this.texts.shown(row, nowMs)
        // Withdrawn a moment ago: the index may not know yet.
        if (isListed || !question.listedOnly) items.push({ kind: 'coupon', text })
      }
    }
    return { items, next: matches.length < count ? null : (last?.end ?? null) }
  }
}
