// Writes down one coupon's history while it happens.
//
// Only whole answers end an operation. One that the server says was not done is struck out: that is a claim as well, and if it
// was done after all, what follows will not fit. Everything else without an answer stays open, until the process that had it is
// known to be dead.

import type { Answer, Call, CouponRules, History, Operation } from './operation.ts'

/** The instants of all histories of a run: one counter, so what ended before another began has the smaller number. */
export class Ticks {
  private last = 0

  next(): number {
    return ++this.last
  }
}

type Recorded = { -readonly [Name in keyof Operation]: Operation[Name] }

export class Recorder {
  readonly rules: CouponRules
  readonly isTimed: boolean
  private readonly ticks: Ticks
  private readonly operations = new Map<number, Recorded>()
  private readonly open = new Set<Recorded>()
  private begun = 0

  constructor(rules: CouponRules, isTimed: boolean, ticks: Ticks) {
    this.rules = rules
    this.isTimed = isTimed
    this.ticks = ticks
  }

  get size(): number {
    return this.operations.size
  }

  /** Before anything leaves for the server. */
  invoked(client: string, call: Call): number {
    const id = this.begun++
    const operation: Recorded = {
      id,
      client,
      call,
      invokedAt: this.ticks.next(),
      returnedAt: Number.POSITIVE_INFINITY,
      answer: null,
      timeMs: null,
      openUntil: Number.POSITIVE_INFINITY,
    }
    this.operations.set(id, operation)
    this.open.add(operation)
    return id
  }

  answered(id: number, answer: Answer, timeMs: number | null): void {
    const operation = this.operations.get(id) as Recorded
    operation.returnedAt = this.ticks.next()
    operation.answer = answer
    operation.timeMs = timeMs
    this.open.delete(operation)
  }

  notDone(id: number): void {
    this.open.delete(this.operations.get(id) as Recorded)
    this.operations.delete(id)
  }

  /** Whatever had no answer by now gets none, and does not happen any more. */
  processDied(): void {
    const diedAt = this.ticks.next()
    for (const operation of this.open) operation.openUntil = diedAt
    this.open.clear()
  }

  history(): History {
    return { rules: this.rules, isTimed: this.isTimed, operations: [...this.operations.values()] }
  }
}
