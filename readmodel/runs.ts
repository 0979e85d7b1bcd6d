/**
 * Runs: postings on disk, in sorted stretches that are never changed.
 *
 *     every batch ──▶ ▪ ▪ ▪ ▪ ▪ ▪ ▪ ▪   level 0, one run a batch
 *                          └──────┴──▶ ▬ ▬ ▬   eight of a level become one of the next, a slice at a time
 *                                       └───▶ ▬▬▬▬▬▬
 *
 * Users and orders come in no order, so a row each in a table would change a page each: at 10,000 redemptions a second over
 * 100 MB written a second and most of a core (measured, docs/adr/0013). Here everything is written in order, each posting
 * once a level, and a posting costs less than a microsecond. A list is looked for in every run, of which there are at most
 * seven a level.
 *
 * Must never happen here: a merge that readers can see half of. Its target counts when it is whole, its sources until then.
 */
import { assert } from '../protocol/assert.ts'
import { BLOCK_POSTINGS, comparePostings, decodeBlock, encodeBlock, PostingColumns, type Postings } from './block.ts'
import type { Database, Sql } from './database.ts'

const STATE = { BUILDING: 0, WHOLE: 1, DEAD: 2 } as const

/** Runs of one level that become one. */
const FAN_IN = 8
/** Blocks of runs that nobody reads any more, deleted in one slice. */
const DEAD_BLOCKS_A_SLICE = 256

const IN_ORDER = Uint32Array.from({ length: BLOCK_POSTINGS }, (_, index) => index)

interface Run {
  readonly id: number
  readonly level: number
}

export class Runs {
  private readonly database: Database
  private readonly insertRun: Sql
  private readonly setState: Sql
  private readonly deleteRun: Sql
  private readonly insertBlock: Sql
  private readonly deleteBlocks: Sql
  private readonly blockBehind: Sql
  private readonly whole: Run[] = []
  private readonly dead: number[] = []
  private merge: Merge | null = null
  private nextId = 1

  constructor(database: Database) {
    this.database = database
    this.insertRun = database.sql('INSERT INTO run VALUES (?, ?, ?)')
    this.setState = database.sql('UPDATE run SET state = ? WHERE id = ?')
    this.deleteRun = database.sql('DELETE FROM run WHERE id = ?')
    this.insertBlock = database.sql('INSERT INTO block (run, key, at_ms, place, bytes) VALUES (?, ?, ?, ?, ?)')
    this.deleteBlocks = database.sql(
      `DELETE FROM block WHERE id IN (SELECT id FROM block WHERE run = ? LIMIT ${DEAD_BLOCKS_A_SLICE})`,
    )
    this.blockBehind = database.query(
      `SELECT bytes FROM block WHERE run = ? AND (key, at_ms, place) > (?, ?, ?) ORDER BY key, at_ms, place LIMIT 1`,
    )
    for (const [id, level, state] of database.query('SELECT id, level, state FROM run ORDER BY id').all()) {
      this.nextId = (id as number) + 1
      if (state === STATE.WHOLE) this.whole.push({ id: id as number, level: level as number })
      // A merge that a stop has cut off begins again.
      else this.dead.push(id as number)
    }
  }

  /** Runs to look for a list in. */
  get readable(): readonly { readonly id: number }[] {
    return this.whole
  }

  /** Writes postings, in any order, as a new run; part of the caller's transaction. */
  append(postings: Postings): void {
    if (postings.count === 0) return
    const run = { id: this.nextId++, level: 0 }
    this.insertRun.run(run.id, run.level, STATE.WHOLE)
    const order = Uint32Array.from({ length: postings.count }, (_, index) => index)
    order.sort((i, j) => comparePostings(postings, i, postings, j))
    for (let from = 0; from < order.length; from += BLOCK_POSTINGS) {
      this.writeBlock(run.id, postings, order, from, Math.min(order.length, from + BLOCK_POSTINGS))
    }
    this.whole.push(run)
  }

  /** Whether there is work for `tidy`. */
  get isUntidy(): boolean {
    return this.merge !== null || this.dead.length > 0 || this.fullLevel() !== null
  }

  /** A slice of merging, of about so many postings, in a transaction of its own. */
  tidy(postingsMax: number): void {
    this.database.transaction(() => {
      if (this.merge !== null || this.fullLevel() !== null) this.mergeSlice(postingsMax)
      else this.buryOne()
    })
  }

  private mergeSlice(postingsMax: number): void {
    this.merge ??= this.beginMerge()
    const { merge } = this
    merge.take(postingsMax)
    if (!merge.isDone) return
    this.setState.run(STATE.WHOLE, merge.target.id)
    this.whole.push(merge.target)
    for (const { id } of merge.sources) {
      this.setState.run(STATE.DEAD, id)
      this.dead.push(id)
      this.whole.splice(
        this.whole.findIndex((run) => run.id === id),
        1,
      )
    }
    this.merge = null
  }

  private beginMerge(): Merge {
    const level = this.fullLevel()
    assert(level !== null, 'a merge begins though no level is full')
    const sources = this.whole.filter((run) => run.level === level).slice(0, FAN_IN)
    const target = { id: this.nextId++, level: level + 1 }
    this.insertRun.run(target.id, target.level, STATE.BUILDING)
    return new Merge(
      target,
      sources,
      (run, key, atMs, place) => this.blockBehind.first(run, key, atMs, place)?.[0] as Uint8Array | undefined,
      (postings) => this.writeBlock(target.id, postings, IN_ORDER, 0, postings.count),
    )
  }

  private buryOne(): void {
    const [id] = this.dead
    if (id === undefined) return
    this.deleteBlocks.run(id)
    if (this.blockBehind.first(id, -1, 0, 0) !== null) return
    this.deleteRun.run(id)
    this.dead.shift()
  }

  private fullLevel(): number | null {
    const counts = new Map<number, number>()
    for (const { level } of this.whole) {
      const count = (counts.get(level) ?? 0) + 1
      if (count === FAN_IN) return level
      counts.set(level, count)
    }
    return null
  }

  private writeBlock(run: number, postings: Postings, order: Uint32Array, from: number, to: number): void {
    const first = order[from] as number
    this.insertBlock.run(
      run,
      postings.keys[first] as number,
      postings.atMs[first] as number,
      postings.places[first] as number,
      encodeBlock(postings, order, from, to),
    )
  }
}

type BlockBehind = (run: number, key: number, atMs: number, place: number) => Uint8Array | undefined

/** A run that is read once from its beginning to its end. */
class MergeSource {
  readonly columns = new PostingColumns()
  at = 0
  private readonly run: number
  private readonly blockBehind: BlockBehind

  constructor(run: number, blockBehind: BlockBehind) {
    this.run = run
    this.blockBehind = blockBehind
    this.load(-1, 0, 0)
  }

  get isDone(): boolean {
    return this.at === this.columns.count
  }

  step(): void {
    this.at++
    if (!this.isDone) return
    const { columns } = this
    const last = columns.count - 1
    this.load(columns.keys[last] as number, columns.atMs[last] as number, columns.places[last] as number)
  }

  private load(key: number, atMs: number, place: number): void {
    const bytes = this.blockBehind(this.run, key, atMs, place)
    this.at = 0
    if (bytes === undefined) this.columns.count = 0
    else decodeBlock(bytes, this.columns)
  }
}

class Merge {
  readonly target: Run
  readonly sources: readonly Run[]
  private readonly open: MergeSource[]
  private readonly out = new PostingColumns()
  private readonly write: (postings: Postings) => void

  constructor(target: Run, sources: readonly Run[], blockBehind: BlockBehind, write: (postings: Postings) => void) {
    this.target = target
    this.sources = sources
    this.write = write
    this.open = sources.map(({ id }) => new MergeSource(id, blockBehind)).filter(({ isDone }) => !isDone)
  }

  get isDone(): boolean {
    return this.open.length === 0 && this.out.count === 0
  }

  take(postingsMax: number): void {
    const { open, out } = this
    for (let taken = 0; taken < postingsMax && open.length > 0; taken++) {
      const source = this.first()
      const { columns, at } = source
      out.add(
        columns.keys[at] as number,
        columns.atMs[at] as number,
        columns.places[at] as number,
        columns.refs[at] as number,
      )
      source.step()
      if (source.isDone) open.splice(open.indexOf(source), 1)
      if (out.count === BLOCK_POSTINGS || open.length === 0) {
        this.write(out)
        out.count = 0
      }
    }
  }

  private first(): MergeSource {
    const { open } = this
    let first = open[0] as MergeSource
    for (let i = 1; i < open.length; i++) {
      const other = open[i] as MergeSource
      if (comparePostings(other.columns, other.at, first.columns, first.at) < 0) first = other
    }
    return first
  }
}
