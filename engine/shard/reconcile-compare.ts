/**
 * What is to be asked of a shard so that every counter of a slice was looked at, and what differs in its answers.
 */
import { bytesOf } from '../../protocol/bytes.ts'
import { BULK_ORDINALS, CAMPAIGN_ORDINALS, campaignOrdinal } from '../../protocol/ordinals.ts'
import type { ShardCount } from './reconcile-count.ts'
import { type CountersAnswer, type CountersQuestion, NAMES_ASKED_MAX, ROWS_ASKED_MAX } from './reconcile-questions.ts'
import { type Slice, userHash } from './reconcile-slice.ts'

export const COUNTERS = [
  'coupons',
  'campaigns',
  'bulkCodes',
  'userCounters',
  'uses',
  'reserved',
  'discountTotal',
  'discountHeld',
  'codes',
  'poolSize',
  'processed',
  'usesOfUser',
  'heldOfUser',
  'takenInDay',
] as const
export type CounterName = (typeof COUNTERS)[number]

/** A counter of a shard that is not what its log makes. */
export interface CounterDifference {
  readonly shard: number
  /** After this event. */
  readonly seq: number
  readonly counter: CounterName
  /** Coupon, code or campaign; with `takenInDay` −1 stands for everything with scope ALL. null: of the shard, or of a job. */
  readonly ordinal: number | null
  /** Its code, or the name of the campaign; null: it has none. */
  readonly name: string | null
  /** With `processed`: sequence of the job. */
  readonly job: number | null
  readonly user: string | null
  /** Counted from the log. */
  readonly expected: number
  /** In the state. */
  readonly seen: number
}

/** Days that may be forgotten are not compared. */
export interface Comparison {
  readonly slice: Slice
  readonly nowMs: number
}

/** Questions about everything that a slice holds of one shard, as the count stands now. */
export function* questionsFor(count: ShardCount, slice: Slice): Generator<CountersQuestion, void, void> {
  yield { ask: 'sizes' }
  yield* rowQuestions(count, 0, () => count.couponCount, slice)
  for (let from = 0; from < count.campaigns.length; from += NAMES_ASKED_MAX) {
    yield { ask: 'campaigns', from, count: Math.min(NAMES_ASKED_MAX, count.campaigns.length - from) }
  }
  yield* rowQuestions(count, BULK_ORDINALS, () => BULK_ORDINALS + count.batches.size, slice)
  for (const seqs of pagesOf([...count.batches.jobs])) yield { ask: 'jobs', seqs }
  const counted = [...count.users.under].flatMap(([ordinal, ofOne]) =>
    [...ofOne.keys()].map((user) => ({ ordinal, user })),
  )
  for (const page of pagesOf(counted)) {
    yield { ask: 'users', ordinals: page.map(({ ordinal }) => ordinal), users: page.map(({ user }) => user) }
  }
  for (const page of pagesOf([...count.users.days.values()])) {
    const limits = page.map(({ limit }) => limit)
    const dayStartsMs = page.map(({ dayStartMs }) => dayStartMs)
    yield { ask: 'days', limits, dayStartsMs, users: page.map(({ user }) => user) }
  }
}

/** Pages of rows begin where pages of slices do. What comes to exist meanwhile is for the next round. */
function* rowQuestions(
  { shard }: ShardCount,
  first: number,
  end: () => number,
  slice: Slice,
): Generator<CountersQuestion, void, void> {
  for (let from = first; from < end(); from += ROWS_ASKED_MAX) {
    if (slice.hasRow(shard, from)) yield { ask: 'rows', from, count: Math.min(ROWS_ASKED_MAX, end() - from) }
  }
}

function* pagesOf<Item>(items: readonly Item[]): Generator<readonly Item[], void, void> {
  for (let from = 0; from < items.length; from += NAMES_ASKED_MAX) yield items.slice(from, from + NAMES_ASKED_MAX)
}

/** How many counters a question is about. */
export function countersIn(question: CountersQuestion): number {
  switch (question.ask) {
    case 'sizes':
      return 4
    case 'rows':
      return 2 * question.count
    case 'campaigns':
      return 6 * question.count
    case 'jobs':
      return question.seqs.length
    case 'users':
      return 2 * question.users.length
    case 'days':
      return question.users.length
    case 'names':
      return 0
  }
}

type Found = Pick<CounterDifference, 'counter' | 'ordinal' | 'job' | 'user' | 'expected' | 'seen'>

/**
 * The count stands at the very sequence of the answer. The slice may have become narrower since the question was asked: what it
 * has not any more was dropped from the count, and is not compared.
 */
export function differencesIn(
  count: ShardCount,
  question: CountersQuestion,
  { seq, columns }: CountersAnswer,
  comparison: Comparison,
): CounterDifference[] {
  const { shard } = count
  return found(count, question, columns, comparison)
    .filter(({ expected, seen }) => expected !== seen)
    .map((difference) => ({ shard, seq, name: null, ...difference }))
}

function found(
  count: ShardCount,
  question: CountersQuestion,
  columns: CountersAnswer['columns'],
  { slice, nowMs }: Comparison,
): Found[] {
  const seen = (column: number, at: number): number => columns[column]?.[at] ?? Number.NaN
  const of = (counter: CounterName, ordinal: number | null, expected: number, is: number): Found => {
    return { counter, ordinal, job: null, user: null, expected, seen: is }
  }
  switch (question.ask) {
    case 'sizes': {
      const sizes = [
        of('coupons', null, count.couponCount, seen(0, 0)),
        of('campaigns', null, count.campaigns.length, seen(0, 1)),
        of('bulkCodes', null, count.batches.size, seen(0, 2)),
      ]
      if (slice.isWhole) sizes.push(of('userCounters', null, count.users.size + count.users.leftBehind, seen(0, 3)))
      return sizes
    }
    case 'rows':
      return Array.from({ length: question.count }, (_, i) => question.from + i).flatMap((ordinal, i) => {
        if (!slice.hasRow(count.shard, ordinal)) return []
        return [
          of('uses', ordinal, count.rows.uses(ordinal), seen(0, i)),
          of('reserved', ordinal, count.rows.reserved(ordinal), seen(1, i)),
        ]
      })
    case 'campaigns': {
      const pools = slice.rowBits === 0 ? count.poolSizes() : null
      return count.campaigns.slice(question.from, question.from + question.count).flatMap((campaign, i) => {
        const index = question.from + i
        const ordinal = campaignOrdinal(index)
        const counters = [
          of('uses', ordinal, count.rows.uses(ordinal), seen(0, i)),
          of('reserved', ordinal, count.rows.reserved(ordinal), seen(1, i)),
          of('discountTotal', ordinal, campaign.discountTotal, seen(2, i)),
          of('discountHeld', ordinal, campaign.discountHeld, seen(3, i)),
          of('codes', ordinal, campaign.codes, seen(4, i)),
        ]
        if (pools !== null) counters.push(of('poolSize', ordinal, pools[index] ?? 0, seen(5, i)))
        return counters
      })
    }
    case 'jobs':
      return question.seqs.map((job, i) => ({
        ...of('processed', null, count.batches.madeBy(job) ?? -1, seen(0, i)),
        job,
      }))
    case 'users':
      return question.users.flatMap((user, i) => {
        const ordinal = question.ordinals[i] as number
        // A limit that was taken away meanwhile leaves its counters behind.
        if (!count.hasUserLimit(ordinal)) return []
        if (!slice.hasRow(count.shard, ordinal) || !slice.hasUser(userHash(bytesOf(user)))) return []
        const counted = count.users.under.get(ordinal)?.get(user)
        return [
          { ...of('usesOfUser', ordinal, counted?.uses ?? 0, seen(0, i)), user },
          { ...of('heldOfUser', ordinal, counted?.held ?? 0, seen(1, i)), user },
        ]
      })
    case 'days':
      return question.users.flatMap((user, i) => {
        const limit = question.limits[i] as number
        const day = count.users.days.get(`${limit} ${question.dayStartsMs[i]} ${user}`)
        if (day === undefined || day.dayEndMs < nowMs) return []
        return [{ ...of('takenInDay', limit, day.count, seen(0, i)), user }]
      })
    case 'names':
      return []
  }
}

/** `coupon SAVE10 (ordinal 0): 1 uses in the state, 3 counted from the log`. */
export function differenceText({ counter, ordinal, name, job, user, expected, seen }: CounterDifference): string {
  const both = (what: string): string => `${seen} ${what} in the state, ${expected} counted from the log`
  if (job !== null) return `job ${job}: ${both('codes made')}`
  if (ordinal === null) return both(COUNTED_AS[counter])
  const kind = ordinal >= CAMPAIGN_ORDINALS && ordinal < BULK_ORDINALS ? 'campaign' : 'coupon'
  const what = ordinal < 0 ? 'coupons of the day' : `${kind} ${name ?? ''} (ordinal ${ordinal})`
  return user === null
    ? `${what}: ${both(COUNTED_AS[counter])}`
    : `${what}: user ${user} has ${both(COUNTED_AS[counter])}`
}

const COUNTED_AS: Readonly<Record<CounterName, string>> = {
  coupons: 'coupons',
  campaigns: 'campaigns',
  bulkCodes: 'codes made in bulk',
  userCounters: 'counters of users',
  uses: 'uses',
  reserved: 'reserved',
  discountTotal: 'minor units of discounts given',
  discountHeld: 'minor units of discounts held',
  codes: 'codes',
  poolSize: 'codes to be claimed',
  processed: 'codes made',
  usesOfUser: 'uses',
  heldOfUser: 'held',
  takenInDay: 'taken',
}
