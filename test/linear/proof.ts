// Histories of a real server, judged: many coupons at once on one server, so that one SIGKILL lies inside many histories.
//
//     coupons ──▶ clients of each ──▶ SIGKILL ──▶ start again ──▶ clients go on ──▶ … ──▶ every history to the checker
//                                      │ calls without an answer stay open: done by now, or never
//
// One seed makes all the choices but not the timing of the machine, so a history that is found wrong is kept whole, beside
// the log. Kills come at random shares of a batch's work, and no history ends before the last of them: each has all inside.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onKeptEvidence } from '../crash/keep-evidence.ts'
import { Violation } from '../crash/ledger.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { Batch } from './batch.ts'
import { judgeHistory, Undecided } from './checker.ts'
import { textOfHistory } from './history-file.ts'
import type { CouponRules } from './operation.ts'
import { Recorder, Ticks } from './recorder.ts'
import { shortened } from './shorten.ts'
import { wordsOf } from './words.ts'

const BATCH_HISTORIES = 40
const KILLS_MAX = 3
/** Of the body that the batch creates coupons with. */
const PERCENT_BPS = 1_000

export interface ProofOptions {
  readonly histories: number
  /** Of each history, at least. */
  readonly operations: number
  readonly seed: number
  readonly report: (line: string) => void
  /** Of another build than the product's. */
  readonly entry?: string
  /** TEAROFF_ settings of the server, without their prefix. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface ProofCounts {
  histories: number
  operations: number
  /** Operations without an answer. */
  open: number
  kills: number
  /** Processes that gave up because the disk did not answer in time. */
  storageEnds: number
  /** The fewest and most ends of the process inside one history. */
  killsInsideMin: number
  killsInsideMax: number
  refusals: number
  replays: number
  reads: number
  lapsed: number
  steps: number
  stepsMax: number
  judgeMs: number
}

/** Throws a Violation; the log and the history are kept then, and named in the message. */
export async function proveByHistories(options: ProofOptions): Promise<ProofCounts> {
  return await onKeptEvidence('linear', options.seed, (dataDir) => new Proof(dataDir, options))
}

class Proof {
  round = 0
  readonly counts: ProofCounts = {
    histories: 0,
    operations: 0,
    open: 0,
    kills: 0,
    storageEnds: 0,
    killsInsideMin: Number.POSITIVE_INFINITY,
    killsInsideMax: 0,
    refusals: 0,
    replays: 0,
    reads: 0,
    lapsed: 0,
    steps: 0,
    stepsMax: 0,
    judgeMs: 0,
  }
  private readonly dataDir: string
  private readonly options: ProofOptions
  private readonly random: SeededRandom
  private readonly ticks = new Ticks()

  constructor(dataDir: string, options: ProofOptions) {
    this.dataDir = dataDir
    this.options = options
    this.random = new SeededRandom(options.seed)
  }

  async run(): Promise<void> {
    const { histories, report } = this.options
    while (this.counts.histories < histories) {
      this.round++
      const kills = 1 + this.random.below(KILLS_MAX)
      const recorders = this.recorders(Math.min(BATCH_HISTORIES, histories - this.counts.histories))
      const { operations, entry, settings } = this.options
      const server = { dataDir: this.dataDir, ...(entry && { entry }), ...(settings && { settings }) }
      const batch = new Batch({ operations, kills, server }, this.random, this.ticks, recorders)
      await batch.run()
      this.counts.kills += kills
      this.counts.storageEnds += batch.storageEnds
      for (const recorder of recorders) this.judge(recorder, batch.diedAt)
      report(this.line())
    }
  }

  private recorders(count: number): Recorder[] {
    const { random } = this
    return Array.from({ length: count }, (_, i) => {
      const rules: CouponRules = {
        code: `LINEAR-${this.round}-${i}`,
        maxUses: random.pick([1, 3, 8, 25, 80, null]),
        maxUsesPerUser: random.pick([null, null, 1, 4, 12]),
        percentBps: PERCENT_BPS,
      }
      return new Recorder(rules, random.below(4) === 0, this.ticks)
    })
  }

  private judge(recorder: Recorder, diedAt: readonly number[]): void {
    const history = recorder.history()
    const { operations } = history
    const startedMs = performance.now()
    let steps = 0
    try {
      const judgement = judgeHistory(history)
      steps = judgement.steps
      if (steps > 20_000) {
      }
      if (!judgement.isLinearizable) {
        this.keep(recorder)
        throw new Violation(`the history of ${history.rules.code} is not linearizable\n${wordsOf(shortened(history))}`)
      }
    } catch (cause) {
      if (!(cause instanceof Undecided)) throw cause
      this.keep(recorder)
      throw new Violation(`the history of ${history.rules.code} is ${cause.message}`, { cause })
    }
    this.count(recorder, steps, performance.now() - startedMs)
    const inside = diedAt.filter(
      (at) => operations.some(({ invokedAt }) => invokedAt < at) && operations.some(({ invokedAt }) => invokedAt > at),
    ).length
    this.counts.killsInsideMin = Math.min(this.counts.killsInsideMin, inside)
    this.counts.killsInsideMax = Math.max(this.counts.killsInsideMax, inside)
  }

  private keep(recorder: Recorder): void {
    writeFileSync(join(this.dataDir, `${recorder.rules.code}.json`), textOfHistory(recorder.history()))
  }

  private count(recorder: Recorder, steps: number, judgeMs: number): void {
    const { counts } = this
    counts.histories++
    counts.steps += steps
    counts.stepsMax = Math.max(counts.stepsMax, steps)
    counts.judgeMs += judgeMs
    for (const { call, answer } of recorder.history().operations) {
      counts.operations++
      if (answer === null) counts.open++
      else if (answer.kind === 'REFUSED') counts.refusals++
      else if (call.type === 'READ_COUPON') counts.reads++
      else if (answer.kind === 'REDEMPTION' && !answer.isNew && call.type === 'REDEEM') counts.replays++
      if (answer?.kind === 'REFUSED' && answer.code === 'RESERVATION_EXPIRED') counts.lapsed++
    }
  }

  private line(): string {
    const { counts, options } = this
    return (
      `${counts.histories} of ${options.histories} histories, ${counts.operations} operations (${counts.reads} reads, ` +
      `${counts.replays} replays, ${counts.refusals} refusals, ${counts.lapsed} of them as run out), ${counts.open} left open; ` +
      `${counts.kills} kills, ${counts.storageEnds} ends for want of a disk, ${counts.killsInsideMin} to ${counts.killsInsideMax} in each; judged in ${counts.steps} steps, ` +
      `${counts.stepsMax} at most, ${Math.round(counts.judgeMs)} ms`
    )
  }
}
