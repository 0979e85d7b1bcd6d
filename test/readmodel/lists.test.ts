// Lists on disk against lists in memory: random postings in random batches, merged in slices in between, and every kind of
// page compared with what filtering and sorting all postings gives.

import { expect, test } from 'vitest'
import { decodeBlock, encodeBlock, PostingColumns } from '../../readmodel/block.ts'
import { type Database, openDatabase } from '../../readmodel/database.ts'
import { type Direction, type ListBounds, type ListPlace, Lists, NO_BOUNDS } from '../../readmodel/list-cursor.ts'
import { Runs } from '../../readmodel/runs.ts'
import { modelDirectory } from './support/model.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const random = new SeededRandom()
const SHARDS = 4
const FAR = Number.MAX_SAFE_INTEGER

function freshDatabase(): Database {
  const dataDir = modelDirectory()
  return openDatabase({ dataDir, deployment: 'lists', bootId: 'one' }).database
}

interface Known {
  readonly key: number
  readonly atMs: number
  readonly place: number
}

class Shelf {
  readonly database = freshDatabase()
  runs = new Runs(this.database)
  readonly known: Known[] = []
  private seq = 0

  /** A batch of redemptions, each in one to three of the lists. */
  addBatch(count: number, keys: readonly number[]): void {
    const columns = new PostingColumns(1)
    for (let i = 0; i < count; i++) {
      this.seq++
      const place = this.seq * 1_024 + random.below(SHARDS)
      const atMs = 1_000 + Math.floor(this.seq / 7) * 10 + random.below(30)
      for (const key of new Set([random.pick(keys), random.pick(keys), keys[0] as number])) {
        columns.add(key, atMs, place, random.below(3))
        this.known.push({ key, atMs, place })
      }
    }
    this.database.transaction(() => this.runs.append(columns))
  }

  reopen(): void {
    this.runs = new Runs(this.database)
  }

  /** What a page has to have, by the plainest means. */
  expected(
    keys: readonly number[],
    direction: Direction,
    after: ListPlace | null,
    { fromMs, toMs }: ListBounds,
    shard: number | null,
  ): string[] {
    const sign = direction === 'oldestFirst' ? 1 : -1
    const inAll = this.known.filter(
      ({ key, place }) =>
        key === keys[0] && keys.every((other) => this.known.some((one) => one.key === other && one.place === place)),
    )
    return inAll
      .filter(({ atMs }) => (fromMs === null || atMs >= fromMs) && (toMs === null || atMs < toMs))
      .filter(({ place }) => shard === null || place % 1_024 === shard)
      .toSorted((a, b) => sign * (a.atMs - b.atMs || a.place - b.place))
      .filter(({ atMs, place }) => after === null || sign * (atMs - after.atMs || place - after.place) > 0)
      .map(({ atMs, place }) => `${atMs}:${place}`)
  }
}

test('a block comes back as it was written, extremes included', () => {
  const columns = new PostingColumns(1)
  const rows = [
    [0, 0, 0, 0],
    [0, 0, 1, FAR],
    [0, FAR, 0, 1],
    [7, 5, FAR, 0],
    [7, 6, 3, 0],
    [FAR, 1, 2, 65_536],
  ] as const
  for (const [key, atMs, place, ref] of rows) columns.add(key, atMs, place, ref)
  const order = Uint32Array.from(rows.keys())
  const bytes = encodeBlock(columns, order, 1, rows.length).slice()
  const read = new PostingColumns(1)
  decodeBlock(bytes, read)
  const found = Array.from({ length: read.count }, (_, i) => [read.keys[i], read.atMs[i], read.places[i], read.refs[i]])
  expect(found).toEqual(rows.slice(1))
})

test(`pages of random lists are what filtering and sorting all postings gives (seed ${random.seed})`, () => {
  const shelf = new Shelf()
  const keys = [5, 17, 2 ** 50 + 1, 2 ** 52 + 11]
  for (let batch = 0; batch < 40; batch++) {
    shelf.addBatch(1 + random.below(120), keys)
    for (let slice = random.below(4); slice > 0 && shelf.runs.isUntidy; slice--) shelf.runs.tidy(1 + random.below(700))
    // A stop in the middle of a merge: it begins again, and nobody sees half of it.
    if (random.below(8) === 0) shelf.reopen()
    const lists = new Lists(shelf.database, shelf.runs)
    for (let look = 0; look < 6; look++) {
      const wanted = random.below(3) === 0 ? [random.pick(keys), random.pick(keys)] : [random.pick(keys)]
      const direction = random.pick(['oldestFirst', 'newestFirst'] as const)
      const fromMs = random.below(2) === 0 ? null : 1_000 + random.below(3_000)
      const bounds = { fromMs, toMs: random.below(2) === 0 ? null : 1_500 + random.below(3_000) }
      const shard = random.below(3) === 0 ? random.below(SHARDS) : null
      const after = random.below(2) === 0 ? null : random.pick(shelf.known)
      if (after !== null && (bounds.toMs !== null || bounds.fromMs !== null)) continue
      const limit = 1 + random.below(50)
      const { postings } = lists.page({ keys: wanted, direction, after, bounds, limit, shard })
      const expected = shelf.expected(wanted, direction, after, bounds, shard).slice(0, limit)
      expect(postings.map(({ atMs, place }) => `${atMs}:${place}`)).toEqual(expected)
    }
  }
  expect(shelf.known.length).toBeGreaterThan(1_000)
})

test('page after page, a list is read once and whole, while batches and merges go on', () => {
  for (const direction of ['oldestFirst', 'newestFirst'] as const) {
    const shelf = new Shelf()
    for (let batch = 0; batch < 20; batch++) shelf.addBatch(60, [3, 4])
    const before = shelf.expected([3], direction, null, NO_BOUNDS, null)
    const read: string[] = []
    let after: ListPlace | null = null
    do {
      const lists = new Lists(shelf.database, shelf.runs)
      const page = lists.page({ keys: [3], direction, after, bounds: NO_BOUNDS, limit: 37, shard: null })
      read.push(...page.postings.map(({ atMs, place }) => `${atMs}:${place}`))
      after = page.next
      if (read.length < 3_000) shelf.addBatch(10, [3, 4])
      if (shelf.runs.isUntidy) shelf.runs.tidy(500)
    } while (after !== null)
    expect(new Set(read).size).toBe(read.length)
    expect(before.filter((place) => !read.includes(place))).toEqual([])
  }
})

test('runs of one level become one of the next, and what was merged is deleted', () => {
  const shelf = new Shelf()
  for (let batch = 0; batch < 64; batch++) shelf.addBatch(30, [1, 2])
  while (shelf.runs.isUntidy) shelf.runs.tidy(400)
  expect(shelf.runs.readable.length).toBe(1)
  const runs = shelf.database.query('SELECT DISTINCT run FROM block').all()
  expect(runs).toEqual([[shelf.runs.readable[0]?.id]])
  const lists = new Lists(shelf.database, shelf.runs)
  const { postings } = lists.page({
    keys: [2],
    direction: 'oldestFirst',
    after: null,
    bounds: NO_BOUNDS,
    limit: 10_000,
    shard: null,
  })
  expect(postings.map(({ atMs, place }) => `${atMs}:${place}`)).toEqual(
    shelf.expected([2], 'oldestFirst', null, NO_BOUNDS, null),
  )
})
