// Whether a history is linearizable: whether there is one order of its operations, true to what ended before what began, in
// which one coupon, one call after the other, would have given exactly these answers.
//
// The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993): take any operation that no other
// one has to precede, ask the specification, go on, come back. Lowe ("Testing for linearizability", 2017) added the memory
// that makes it affordable: a pair of (set of operations taken, state) that once led nowhere is not entered again. A coupon
// is one object and no call here touches two, so each has a history of its own (locality: Herlihy and Wing, 1990).
//
// Open operations may be taken, or left for ever. One that would change nothing is left: taking it could not help. One whose
// process is known to have died is not taken once an operation that began after that death has been.

import { CouponSpecification, type CouponState, keyOf, NEW_COUPON } from './specification.ts'
import type { History, Operation } from './operation.ts'

/** Steps of the specification. A history of 250 operations takes some 500; beyond this it counts as undecided, never as right. */
const STEPS_MAX = 3_000_000

export type Judgement =
  | { readonly isLinearizable: true; readonly steps: number; readonly order: readonly number[] }
  | {
      readonly isLinearizable: false
      readonly steps: number
      /** The longest order that was found, and what none of the ways that went so far could take next. */
      readonly order: readonly number[]
      readonly stuckAt: readonly number[]
    }

/** The search gave up: a finding about the history, but not whether it is right. */
export class Undecided extends Error {
  override readonly name = 'Undecided'
}

/** One step of the way: an operation taken, and the ways on from there. */
interface Step {
  readonly operation: Operation
  readonly state: CouponState
  readonly candidates: readonly Operation[]
  nextCandidate: number
  readonly waiting: Choice[]
  readonly latestInvoked: number
}

interface Choice {
  readonly operation: Operation
  readonly state: CouponState
}

export function judgeHistory(history: History): Judgement {
  return new Search(history).run()
}

class Search {
  /** By `invokedAt`. */
  private readonly operations: readonly Operation[]
  private readonly places: ReadonlyMap<number, number>
  private readonly specification: CouponSpecification
  private readonly taken: Uint8Array
  private readonly seen = new Set<string>()
  private readonly way: Step[] = []
  private left: number
  private steps = 0
  private longest: readonly number[] = []
  private stuckAt: readonly number[] = []

  constructor({ rules, isTimed, operations }: History) {
    this.operations = operations
    this.places = new Map(operations.map(({ id }, place) => [id, place]))
    this.specification = new CouponSpecification(rules, isTimed)
    this.taken = new Uint8Array(operations.length)
    this.left = operations.filter(isAnswered).length
  }

  run(): Judgement {
    const root: Operation = { ...(this.operations[0] as Operation), id: -1, invokedAt: Number.NEGATIVE_INFINITY }
    this.enter(root, NEW_COUPON)
    while (this.left > 0) {
      const choice = this.nextChoice()
      if (choice !== null) {
        this.take(choice)
        continue
      }
      this.giveUp()
      if (this.way.length === 0) {
        return { isLinearizable: false, steps: this.steps, order: this.longest, stuckAt: this.stuckAt }
      }
    }
    return { isLinearizable: true, steps: this.steps, order: this.orderSoFar() }
  }

  private orderSoFar(): number[] {
    return this.way.slice(1).map(({ operation }) => operation.id)
  }

  private take({ operation, state }: Choice): void {
    this.taken[this.placeOf(operation)] = 1
    if (isAnswered(operation)) this.left--
    this.enter(operation, state)
  }

  private enter(operation: Operation, state: CouponState): void {
    const latestInvoked = Math.max(this.way.at(-1)?.latestInvoked ?? operation.invokedAt, operation.invokedAt)
    const candidates = this.candidates(latestInvoked)
    this.way.push({ operation, state, candidates, nextCandidate: 0, waiting: [], latestInvoked })
  }

  /** Back by one. */
  private giveUp(): void {
    if (this.way.length - 1 > this.longest.length || this.stuckAt.length === 0) {
      this.longest = this.orderSoFar()
      this.stuckAt = (this.way.at(-1) as Step).candidates.filter(isAnswered).map(({ id }) => id)
    }
    const { operation } = this.way.pop() as Step
    if (this.way.length === 0) return
    this.taken[this.placeOf(operation)] = 0
    if (isAnswered(operation)) this.left++
  }

  /** An operation and a state that were not entered before with the same operations taken; null: no way on from here. */
  private nextChoice(): Choice | null {
    const here = this.way.at(-1) as Step
    for (;;) {
      const choice = here.waiting.pop()
      if (choice !== undefined) {
        if (this.isNew(choice)) return choice
        continue
      }
      const operation = here.candidates[here.nextCandidate++]
      if (operation === undefined) return null
      for (const state of this.statesAfter(operation, here.state)) here.waiting.push({ operation, state })
    }
  }

  private statesAfter({ id, call, answer, timeMs }: Operation, state: CouponState): CouponState[] {
    if (++this.steps > STEPS_MAX) throw new Undecided(`undecided after ${STEPS_MAX} steps`)
    return answer === null
      ? this.specification.unanswered(state, id, call)
      : this.specification.answered(state, id, call, answer, timeMs)
  }

  private isNew({ operation, state }: Choice): boolean {
    const place = this.placeOf(operation)
    this.taken[place] = 1
    const key = `${this.keyOfTaken()}:${keyOf(state)}`
    this.taken[place] = 0
    if (this.seen.has(key)) return false
    this.seen.add(key)
    return true
  }

  /** The last operation taken, and those before it that are not: few, as calls overlap with few others. */
  private keyOfTaken(): string {
    const last = this.taken.lastIndexOf(1)
    let key = String(last)
    for (let place = this.taken.indexOf(0); place >= 0 && place < last; place = this.taken.indexOf(0, place + 1)) {
      key += `,${place}`
    }
    return key
  }

  /** Operations that may come next: no answered one that is left ended before they began. Answered ones first, by their end. */
  private candidates(latestInvoked: number): Operation[] {
    const answered: Operation[] = []
    const open: Operation[] = []
    let earliestEnd = Number.POSITIVE_INFINITY
    for (let place = this.taken.indexOf(0); place >= 0; place = this.taken.indexOf(0, place + 1)) {
      const operation = this.operations[place] as Operation
      if (operation.invokedAt > earliestEnd) break
      if (isAnswered(operation)) {
        earliestEnd = Math.min(earliestEnd, operation.returnedAt)
        answered.push(operation)
      } else if (operation.openUntil > latestInvoked) {
        open.push(operation)
      }
    }
    answered.sort((a, b) => a.returnedAt - b.returnedAt)
    return [...answered, ...open]
  }

  private placeOf({ id }: Operation): number {
    return this.places.get(id) as number
  }
}

function isAnswered({ answer }: Operation): boolean {
  return answer !== null
}
