/**
 * The entry of the read model's thread: follows the log at the lowest priority there is, and answers lists.
 *
 *     nothing new ── wait POLL_EVERY_MS ──▶ batch ──▶ tidy ──▶ lists that have waited long enough
 *     far behind  ── rest as long as it worked ──▶ batch …
 *     a list      ── at once ──▶ batch …
 *
 * It may die at any time: the database is whole, checkouts do not know it. What it must never do is run beside another one.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { CATCH_UP_SHARE, LIST_WAIT_MS_MAX, POLL_EVERY_MS, TIDY_MS_MAX } from './limits.ts'
import type { FromProjector, ProjectorSettings, ToProjector } from './messages.ts'
import { Projector } from './projector.ts'
import type { Question } from './queries.ts'
import { becomeIdle } from '../engine/idle-priority.ts'
import { type GateData, ThreadGate } from '../engine/thread-gate.ts'
import { assert } from '../protocol/assert.ts'

const port = parentPort
assert(port !== null, 'this thread is started by the host of the read model')

interface Asked {
  readonly id: number
  readonly askedAtMs: number
  readonly question: Question
  readonly untilMs: number
}

function tell(message: FromProjector): void {
  port?.postMessage(message)
}

class Turns {
  private readonly projector: Projector
  private asked: Asked[] = []
  private timer: NodeJS.Timeout | null = null
  private hasStopped = false

  constructor(dataDir: string) {
    this.projector = new Projector(dataDir, (reason) => tell({ type: 'told', message: { type: 'rebuilding', reason } }))
  }

  ask(id: number, askedAtMs: number, question: Question): void {
    this.asked.push({ id, askedAtMs, question, untilMs: performance.now() + LIST_WAIT_MS_MAX })
    this.again(0)
  }

  /** Turns after so long, if nothing is planned earlier. */
  again(afterMs: number): void {
    if (this.hasStopped) return
    if (this.timer !== null) {
      if (afterMs > 0) return
      clearTimeout(this.timer)
    }
    this.timer = setTimeout(() => gate.inside(() => this.turn()), afterMs)
  }

  stop(): void {
    this.hasStopped = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.projector.close()
    tell({ type: 'stopped' })
    port?.close()
  }

  private turn(): void {
    this.timer = null
    const beganMs = performance.now()
    const isAtEnd = this.projector.step(Date.now)
    tell({ type: 'told', message: { type: 'progress', asOfMs: this.projector.asOfMs } })
    this.answer(isAtEnd)
    this.tidy()
    if (this.asked.length > 0) this.again(0)
    else if (isAtEnd) this.again(POLL_EVERY_MS)
    else this.again(Math.ceil((performance.now() - beganMs) * (1 / CATCH_UP_SHARE - 1)))
  }

  private tidy(): void {
    const { projector } = this
    const untilMs = performance.now() + TIDY_MS_MAX
    while (projector.isVeryUntidy || (projector.isUntidy && performance.now() < untilMs)) projector.tidy()
  }

  /** Answers lists whose moment is reached, or that have waited long enough. */
  private answer(isAtEnd: boolean): void {
    const { asOfMs } = this.projector
    const nowMs = performance.now()
    const due = this.asked.filter(({ askedAtMs, untilMs }) => (isAtEnd && asOfMs >= askedAtMs) || untilMs <= nowMs)
    this.asked = this.asked.filter((each) => !due.includes(each))
    for (const each of due) this.answerOne(each)
  }

  private answerOne({ id, askedAtMs, question }: Asked): void {
    try {
      const found = this.projector.queries.answer(question, Date.now())
      tell({ type: 'answer', id, answer: { ...found, lagMs: Math.max(0, askedAtMs - this.projector.asOfMs) } })
    } catch (error) {
      tell({ type: 'failed', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
}

becomeIdle()
const { dataDir, gate: gateData } = workerData as ProjectorSettings & GateData
const gate = new ThreadGate(gateData)
const turns = gate.inside(() => new Turns(dataDir))
port.on('message', (message: ToProjector) => {
  if (message.type === 'stop') gate.inside(() => turns.stop())
  else if (message.type === 'ask') turns.ask(message.id, message.askedAtMs, message.question)
})
turns.again(0)
