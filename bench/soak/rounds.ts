// What happens once a minute: a new campaign whose codes are made by a job, exported and handed out from then on; a job that is
// cancelled in the middle; an import. Each is followed to its end, and what it came to is judged.
//
//   campaign ─▶ job of codes ─▶ SUCCEEDED ─▶ codes.csv has them all ─▶ claims are made of it
//   campaign ─▶ a larger job ─▶ cancel ─▶ CANCELLED
//   file ─▶ import ─▶ SUCCEEDED, the bad rows told, the good ones landed

import { setTimeout as pause } from 'node:timers/promises'
import { exportCodes } from '../server/codes-file.ts'
import type { Calls } from './calls.ts'
import type { Meters } from './meters.ts'
import type { SoakSize } from './mix.ts'
import type { Stock } from './stock.ts'

const POLL_MS = 200
const CODE_LENGTH = 12
/** Rows of an import that cannot land. */
const BAD_ROWS = 5
const BUDGET_MINOR = 1_000_000_000_000
const TAKEN_A_DAY_OF_CAMPAIGN = 2
const TAKEN_A_DAY_OF_ALL = 1_000
/** A job that has not ended by then never does. */
const JOB_LIMIT_MS = 60_000

interface Job {
  readonly state: string
  readonly processed: number
  readonly failed: number
}

/** What all rounds came to. */
export interface RoundTotals {
  readonly rounds: number
  readonly codesMade: number
  readonly codesExported: number
  readonly jobsCancelled: number
  readonly rowsImported: number
  /** Sentences: what a round should have come to and did not. */
  readonly faults: readonly string[]
}

const FAULTS_KEPT_MAX = 20

export class Rounds {
  readonly #calls: Calls
  readonly #stock: Stock
  readonly #size: SoakSize
  readonly #meters: Meters
  readonly #baseUrl: string
  readonly #faults: string[] = []
  #rounds = 0
  #codesMade = 0
  #codesExported = 0
  #jobsCancelled = 0
  #rowsImported = 0
  #isOver = false
  #running: Promise<void> = Promise.resolve()

  constructor(calls: Calls, meters: Meters, stock: Stock, size: SoakSize, baseUrl: string) {
    this.#calls = calls
    this.#meters = meters
    this.#stock = stock
    this.#size = size
    this.#baseUrl = baseUrl
  }

  get totals(): RoundTotals {
    return {
      rounds: this.#rounds,
      codesMade: this.#codesMade,
      codesExported: this.#codesExported,
      jobsCancelled: this.#jobsCancelled,
      rowsImported: this.#rowsImported,
      faults: this.#faults,
    }
  }

  start(): void {
    this.#running = this.#run()
  }

  /** The round under way is ended. */
  async end(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const nextMs = performance.now() + this.#size.jobsEverySeconds * 1_000
      await Promise.all([this.#campaign(), this.#import()]).catch((cause: unknown) => this.#fault(String(cause)))
      this.#rounds++
      while (!this.#isOver && performance.now() < nextMs) await pause(POLL_MS)
    }
  }

  async #campaign(): Promise<void> {
    const isOfAll = this.#rounds % 2 === 1
    const dailyLimit = isOfAll
      ? { perUser: TAKEN_A_DAY_OF_ALL, scope: 'ALL' }
      : { perUser: TAKEN_A_DAY_OF_CAMPAIGN, scope: 'CAMPAIGN' }
    const terms = { name: `round ${this.#rounds}`, currency: 'EUR', maxUsesPerUser: 1_000, budget: BUDGET_MINOR }
    const offer = { type: 'PERCENT', value: 10 }
    const answer = await this.#calls.done('create campaign', performance.now(), {
      method: 'POST',
      path: '/v1/campaigns',
      body: JSON.stringify({ ...terms, offer, dailyLimit, lockSeconds: this.#size.lapseSeconds }),
    })
    if (answer === null) return
    const { campaignId } = JSON.parse(answer.body) as { campaignId: string }
    const { codesOfJob } = this.#size
    const job = await this.#begin(
      `/v1/campaigns/${campaignId}/codes`,
      codesBody(codesOfJob, 'POOL'),
      'application/json',
    )
    if (job === null) return
    const ended = await this.#ended(job)
    if (ended?.state !== 'SUCCEEDED' || ended.processed !== codesOfJob) {
      this.#fault(`a job of ${codesOfJob} codes came to ${JSON.stringify(ended)}`)
      return
    }
    this.#codesMade += ended.processed
    await this.#export(campaignId, codesOfJob)
    this.#stock.handOut(campaignId)
    await this.#cancelled(campaignId)
  }

  async #export(campaignId: string, expected: number): Promise<void> {
    const askedAtMs = performance.now()
    const { codes } = await exportCodes(this.#baseUrl, campaignId)
    this.#meters.done('export codes', performance.now() - askedAtMs)
    this.#codesExported += codes.length
    if (new Set(codes).size !== expected) this.#fault(`of ${expected} codes ${new Set(codes).size} were exported`)
  }

  async #cancelled(campaignId: string): Promise<void> {
    const body = codesBody(this.#size.codesOfCancelledJob, 'EXPORTED')
    const job = await this.#begin(`/v1/campaigns/${campaignId}/codes`, body, 'application/json')
    if (job === null) return
    await this.#calls.done('cancel job', performance.now(), {
      method: 'POST',
      path: `/v1/jobs/${job}/cancel`,
      body: '{}',
    })
    const ended = await this.#ended(job)
    if (ended?.state === 'CANCELLED') this.#jobsCancelled++
    else if (ended?.state !== 'SUCCEEDED') this.#fault(`a cancelled job came to ${JSON.stringify(ended)}`)
  }

  /** The same coupons each time, so that the state does not grow by them. */
  async #import(): Promise<void> {
    const { rowsOfImport } = this.#size
    const [text, type] = this.#rounds % 2 === 0 ? [csvRows(rowsOfImport), 'text/csv'] : [lines(rowsOfImport), NDJSON]
    const job = await this.#begin('/v1/imports/coupons', text, type)
    if (job === null) return
    const ended = await this.#ended(job)
    if (ended?.state !== 'SUCCEEDED' || ended.failed !== BAD_ROWS) {
      this.#fault(`an import of ${rowsOfImport} rows and ${BAD_ROWS} bad ones came to ${JSON.stringify(ended)}`)
      return
    }
    this.#rowsImported += rowsOfImport
  }

  async #begin(path: string, body: string, type: string): Promise<string | null> {
    const operation = path.includes('imports') ? 'import coupons' : 'begin job'
    const answer = await this.#calls.done(operation, performance.now(), { method: 'POST', path, body, type })
    if (answer === null) return null
    return (JSON.parse(answer.body) as { jobId: string }).jobId
  }

  /** null: it could not be read. */
  async #ended(jobId: string): Promise<Job | null> {
    const untilMs = performance.now() + JOB_LIMIT_MS
    for (;;) {
      const answer = await this.#calls.done('read job', performance.now(), { method: 'GET', path: `/v1/jobs/${jobId}` })
      if (answer === null) return null
      const job = JSON.parse(answer.body) as Job
      if (job.state !== 'QUEUED' && job.state !== 'RUNNING') return job
      if (performance.now() > untilMs) return job
      await pause(POLL_MS)
    }
  }

  #fault(sentence: string): void {
    if (this.#faults.length < FAULTS_KEPT_MAX) this.#faults.push(sentence)
  }
}

const NDJSON = 'application/x-ndjson'

function codesBody(count: number, distribution: 'POOL' | 'EXPORTED'): string {
  return JSON.stringify({ count, length: CODE_LENGTH, distribution })
}

function csvRows(rows: number): string {
  const good = Array.from({ length: rows }, (_, i) => `MOVED${i},PERCENT,${1 + (i % 50)},"lamp ${i}",lamps`)
  const bad = Array.from({ length: BAD_ROWS }, (_, i) => `BAD${i},PERCENT,nothing,"lamp ${i}",lamps`)
  return `${['code,type,value,description,category', ...good, ...bad].join('\n')}\n`
}

function lines(rows: number): string {
  const row = (code: string, value: number | string): string =>
    JSON.stringify({ code, type: 'PERCENT', value, description: `tent ${code}`, category: 'tents' })
  const good = Array.from({ length: rows }, (_, i) => row(`MOVED${i}`, 1 + (i % 50)))
  const bad = Array.from({ length: BAD_ROWS }, (_, i) => row(`BAD${i}`, 'nothing'))
  return `${[...good, ...bad].join('\n')}\n`
}
