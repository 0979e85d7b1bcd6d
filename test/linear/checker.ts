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

import { type CouponState, keyOf, NEW_COUPON } from './coupon-state.ts'
import { changedNothing, heardOf, isDoneOnce, thatMatter } from './evidence.ts'
import type { History, Operation } from './operation.ts'
import { CouponSpecification } from './specification.ts'

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
  /** Answered operations that may come next, with what they lead to; the last is tried first. */
  readonly choices: Choice[]
  /** Open ones, asked only when no answered one is left; the last is asked first. */
  readonly open: Operation[]
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
  private readonly heard: ReadonlySet<Operation>
  private readonly specification: CouponSpecification
  private readonly taken: Uint8Array
  private readonly seen = new Set<string>()
  private readonly way: Step[] = []
  private left: number
  private steps = 0
  private longest: readonly number[] = []
  private stuckAt: readonly number[] = []

  constructor({ rules, isTimed, operations: all }: History) {
    const operations = thatMatter(all)
    this.operations = operations
    this.heard = heardOf(operations)
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
    const { answered, open } = this.candidates(latestInvoked)
    const idle = this.idleChoice(answered, open, state)
    const choices = idle === null ? answered.flatMap((one) => this.choicesOf(one, state)) : [idle]
    this.way.push({ operation, state, choices, open: idle === null ? open : [], latestInvoked })
  }

  /**
   * An operation that fits here and changes nothing, here or wherever it would be taken instead. Whatever way on there is, this may as well come first: the others find
   * the same state after it. So nothing else has to be tried, unless an open operation would come too late by it.
   */
  private idleChoice(answered: readonly Operation[], open: readonly Operation[], state: CouponState): Choice | null {
    const deadline = Math.min(...open.map(({ openUntil }) => openUntil))
    for (const operation of answered) {
      if (operation.invokedAt > deadline || !(changedNothing(operation) || isDoneOnce(operation))) continue
      const choices = this.choicesOf(operation, state)
      if (choices.length === 1 && choices[0]?.state === state) return choices[0]
    }
    return null
  }

  /** Back by one. */
  private giveUp(): void {
    if (this.way.length - 1 > this.longest.length || this.stuckAt.length === 0) {
      this.longest = this.orderSoFar()
      this.stuckAt = this.candidates((this.way.at(-1) as Step).latestInvoked).answered.map(({ id }) => id)
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
      const choice = here.choices.pop()
      if (choice !== undefined) {
        if (this.isNew(choice)) return choice
        continue
      }
      const operation = here.open.pop()
      if (operation === undefined) return null
      here.choices.push(...this.choicesOf(operation, here.state))
    }
  }

  private choicesOf(operation: Operation, before: CouponState): Choice[] {
    const { id, call, answer, timeMs } = operation
    if (++this.steps > STEPS_MAX) throw new Undecided(`undecided after ${STEPS_MAX} steps`)
    const states =
      answer === null
        ? this.specification.unanswered(before, id, call)
        : this.specification.answered(before, id, call, answer, timeMs)
    return states.map((state) => ({ operation, state }))
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

  /**
   * Operations that may come next: no answered one that is left ended before they began. In the order in which they are best
   * tried, the best at the end: answered ones by their end, open ones that somebody heard of later before those that nobody did.
   */
  private candidates(latestInvoked: number): { answered: Operation[]; open: Operation[] } {
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
    answered.sort((a, b) => b.returnedAt - a.returnedAt)
    open.sort((a, b) => Number(this.heard.has(a)) - Number(this.heard.has(b)))
    return { answered, open }
  }

  private placeOf({ id }: Operation): number {
    return this.places.get(id) as number
  }
}

function isAnswered({ answer }: Operation): boolean {
  return answer !== null
}
