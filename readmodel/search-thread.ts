/**
 * The entry of the search's thread: the index, what follows the database into it, and searches.
 *
 *     told of a batch ──▶ slice ──▶ slice ──▶ … as far as it was told
 *     a search        ──▶ at once, between two slices
 *
 * People wait for searches, so this thread yields only a little; what comes into the index is cut into slices of some
 * milliseconds, with a rest after each, because a search that comes meanwhile waits for one.
 */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { CouponTexts } from './coupon-text.ts'
import { type Database, isDamage, openToRead } from './database.ts'
import { FOLLOW_SHARE, LOAD_SHARE, SEARCH_NICE } from './limits.ts'
import type { FromSearch, SearchSettings, TellSearch, ToSearch } from './messages.ts'
import { SearchAnswers } from './search/answers.ts'
import { Evaluation } from './search/evaluate.ts'
import { FeedBroken, SearchFeed } from './search/feed.ts'
import { SearchIndex } from './search/index.ts'
import { type GateData, ThreadGate } from '../engine/thread-gate.ts'
import { assert } from '../protocol/assert.ts'
import type { SearchQuestion } from '../gateway/lists/search-port.ts'

const SIZE_EVERY_MS = 1_000

const port = parentPort
assert(port !== null, 'this thread is started by the host of the read model')

function tell(message: FromSearch): void {
  port?.postMessage(message)
}

interface Opened {
  readonly database: Database
  readonly index: SearchIndex
  readonly feed: SearchFeed
  readonly answers: SearchAnswers
  readonly openedMs: number
}

class Turns {
  private readonly dataDir: string
  private opened: Opened
  /** The database holds everything of this moment, as it was told. */
  private toldMs = 0
  /** The index does. */
  private asOfMs = 0
  private hasTold = false
  private sizeDueMs = 0
  private timer: NodeJS.Timeout | null = null
  private hasStopped = false

  constructor(dataDir: string) {
    this.dataDir = dataDir
    this.opened = this.open()
  }

  hear(message: TellSearch): void {
    if (message.type === 'reopen') this.reopen()
    else this.toldMs = message.asOfMs
    this.again(0)
  }

  answer(id: number, askedAtMs: number, question: SearchQuestion): void {
    if (!this.opened.feed.isLoaded) {
      tell({ type: 'refused', id, reason: 'the index of the search is being loaded' })
      return
    }
    try {
      const page = this.opened.answers.page(question, Date.now())
      tell({ type: 'answer', id, answer: { ...page, lagMs: Math.max(0, askedAtMs - this.asOfMs) } })
    } catch (error) {
      tell({ type: 'failed', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }

  /** A slice after so long, if none is planned. */
  again(afterMs: number): void {
    if (this.hasStopped) return
    this.timer ??= setTimeout(() => gate.inside(() => this.turn()), afterMs)
  }

  stop(): void {
    this.hasStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.opened.database.close()
    tell({ type: 'stopped' })
    port?.close()
  }

  private turn(): void {
    this.timer = null
    const { feed, index } = this.opened
    const { toldMs } = this
    const wasLoaded = feed.isLoaded
    const beganMs = performance.now()
    let isAtEnd: boolean
    try {
      isAtEnd = feed.step()
    } catch (error) {
      // The next one that the projector opens will be sound, or this one is read from its beginning.
      if (!(error instanceof FeedBroken) && !isDamage(error)) throw error
      this.reopen()
      this.again(0)
      return
    }
    if (index.isUntidy) index.tidy()
    this.tellSize(isAtEnd)
    if (isAtEnd) this.reachEnd(toldMs)
    if (isAtEnd && !index.isUntidy && toldMs === this.toldMs) return
    const share = wasLoaded ? FOLLOW_SHARE : LOAD_SHARE
    this.again((performance.now() - beganMs) * (1 / share - 1))
  }

  private tellSize(isAtEnd: boolean): void {
    const nowMs = performance.now()
    if (!isAtEnd && nowMs < this.sizeDueMs) return
    this.sizeDueMs = nowMs + SIZE_EVERY_MS
    tell({ type: 'told', message: { type: 'size', bytes: this.opened.index.bytesInUse } })
  }

  private reachEnd(asOfMs: number): void {
    const { index, openedMs } = this.opened
    this.asOfMs = asOfMs
    if (!this.hasTold) {
      this.hasTold = true
      const { count, dead } = index.entries
      tell({ type: 'told', message: { type: 'loaded', entries: count - dead, tookMs: performance.now() - openedMs } })
    }
    if (index.isWorn) this.reopen()
  }

  private reopen(): void {
    this.opened.database.close()
    this.opened = this.open()
    this.hasTold = false
    this.again(0)
  }

  private open(): Opened {
    const database = openToRead(this.dataDir)
    const index = new SearchIndex()
    const answers = new SearchAnswers(new Evaluation(index), new CouponTexts(database))
    return { database, index, feed: new SearchFeed(database, index), answers, openedMs: performance.now() }
  }
}

// On Linux priorities belong to threads; elsewhere to the whole process, which is not what is wanted.
if (process.platform === 'linux') setPriority(0, SEARCH_NICE)
const { dataDir, gate: gateData } = workerData as SearchSettings & GateData
const gate = new ThreadGate(gateData)
const turns = gate.inside(() => new Turns(dataDir))
function hear(message: ToSearch): void {
  if (message.type === 'stop') turns.stop()
  else if (message.type === 'tell') turns.hear(message.message)
  else turns.answer(message.id, message.askedAtMs, message.question)
}
port.on('message', (message: ToSearch) => gate.inside(() => hear(message)))
turns.again(0)
