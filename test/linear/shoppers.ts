// The clients of one coupon: several at once over HTTP and WebSocket, each asking one thing after the other, out of what any
// of them knows. They double-click, come back with another cart, lose patience (the answer is not waited for, the call stays
// open), and ask again after a loss. While the server is dead they wait.

import type { HttpCheckout, WsCheckout } from '../crash/checkout.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Answer, Call } from './operation.ts'
import type { Recorder } from './recorder.ts'
import { ask, askRows, type Heard } from './wire.ts'

/** A server that serves, and connections to it. */
export interface Wires {
  readonly http: HttpCheckout
  readonly sessions: readonly WsCheckout[]
  readonly outcomeNames: ReadonlyMap<number, string>
}

/** Where shoppers find out what goes on around them. */
export interface World {
  /** Settles when a server serves. */
  serving(): Promise<Wires>
  /** A call over these ended in doubt, so their server is at its end: settles when another one serves. */
  doubted(wires: Wires): Promise<void>
  /** Every call that left is told of, and told of again when nothing can come of it any more. */
  began(): void
  ended(): void
  /** Whether every crash is over: each history goes on after that, if only by one call. */
  readonly hasCalm: boolean
}

type Redeem = Extract<Call, { type: 'REDEEM' }>

const TTL_LONG_SECONDS = 3_600
/** Within a history that looks at times. */
const TTL_SHORT_SECONDS = 1
const ROWS_MAX = 4
const SHORT_FORM_IN = 4
const IMPATIENT_IN = 40

export class Shoppers {
  private readonly recorder: Recorder
  private readonly random: SeededRandom
  private readonly world: World
  private readonly operations: number
  private readonly users: readonly string[]
  private readonly isSwitched: boolean
  private isEnabled = true
  /** After the last crash. */
  private hasGoneOn = false
  private readonly orders: Redeem[] = []
  private readonly reservations: string[] = []
  private readonly redemptions: string[] = []
  private readonly lost: Call[] = []
  /** A wrong form of an answer that nobody waited for. */
  private failure: Error | null = null
  private readonly failed = (cause: unknown): void => {
    this.failure ??= cause as Error
  }

  /** Ends after that many operations, the last of them when the world is calm. */
  constructor(recorder: Recorder, random: SeededRandom, world: World, operations: number) {
    this.recorder = recorder
    this.random = random
    this.world = world
    this.operations = operations
    this.users = Array.from({ length: 3 + random.below(4) }, (_, i) => `user-${i}`)
    this.isSwitched = random.below(4) === 0
  }

  async run(clients: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, (_, i) => this.shop(i)))
    if (this.failure !== null) throw this.failure
  }

  private async shop(number: number): Promise<void> {
    while (this.recorder.size < this.operations || !this.hasGoneOn) {
      const wires = await this.world.serving()
      this.hasGoneOn ||= this.world.hasCalm
      const session = wires.sessions[number % wires.sessions.length] as WsCheckout
      const checkout = number % 2 === 0 ? wires.http : session
      if (checkout === session && !this.recorder.isTimed && this.random.below(25) === 0) {
        await this.redeemRows(`ws ${number}`, session, wires)
        continue
      }
      const call = this.nextCall()
      const isShort = this.random.below(SHORT_FORM_IN) === 0
      const client = `${checkout === session ? 'ws' : 'http'} ${number}`
      const id = this.recorder.invoked(client, call)
      const told = this.tracked(() => ask(checkout, wires.http, this.recorder.rules, call, isShort))
      if (this.random.below(IMPATIENT_IN) === 0) {
        // Out of patience at once. What the answer is, nobody hears; that it came, the world does.
        this.lost.push(call)
        told.catch(this.failed)
      } else {
        await this.hear(id, call, await told, wires)
      }
    }
  }

  private async hear(id: number, call: Call, told: Heard, wires: Wires): Promise<void> {
    if (told === null) {
      this.lost.push(call)
      await this.world.doubted(wires)
    } else if (told.kind === 'NOT_DONE') {
      this.recorder.notDone(id)
    } else {
      this.take(id, told.answer, told.timeMs)
    }
  }

  private async tracked<Result>(send: () => Promise<Result>): Promise<Result> {
    this.world.began()
    try {
      return await send()
    } finally {
      this.world.ended()
    }
  }

  private take(id: number, answer: Answer, timeMs: number): void {
    this.recorder.answered(id, answer, this.recorder.isTimed ? timeMs : null)
    if (answer.kind === 'RESERVATION') note(this.reservations, answer.reservationId)
    if (answer.kind === 'REDEMPTION' && answer.redemptionId !== null) note(this.redemptions, answer.redemptionId)
  }

  /** Each row is an operation of its own. */
  private async redeemRows(client: string, session: WsCheckout, wires: Wires): Promise<void> {
    const calls = Array.from({ length: 1 + this.random.below(ROWS_MAX) }, () => this.someRedeem())
    const ids = calls.map((call) => this.recorder.invoked(client, call))
    const answers = await this.tracked(() => askRows(session, wires.outcomeNames, this.recorder.rules, calls))
    for (const [row, id] of ids.entries()) {
      const answer = answers?.[row]
      if (answer === undefined) this.lost.push(calls[row] as Call)
      else this.take(id, answer, 0)
    }
    if (answers === null) await this.world.doubted(wires)
  }

  private nextCall(): Call {
    const { random } = this
    if (this.lost.length > 0 && random.below(2) === 0) return this.lost.shift() as Call
    if (this.isSwitched && random.below(this.isEnabled ? 40 : 6) === 0) {
      this.isEnabled = !this.isEnabled
      return { type: 'SWITCH', enabled: this.isEnabled }
    }
    const kind = random.below(100)
    if (kind < 24) return { type: 'READ_COUPON' }
    if (kind < 29) return { type: 'VALIDATE', totalMinor: this.someTotal() }
    if (kind < 58) return this.someRedeem()
    if (kind < 74) return this.someReserve()
    return this.callOnKnown(kind) ?? this.someRedeem()
  }

  private callOnKnown(kind: number): Call | null {
    const { random } = this
    const reservationId = this.reservations.at(-1 - random.below(3))
    const redemptionId = this.redemptions.at(-1 - random.below(5))
    if (kind < 84) return reservationId === undefined ? null : this.redeemReservation(reservationId)
    if (kind < 89) return reservationId === undefined ? null : { type: 'RELEASE', reservationId }
    if (kind < 96) return redemptionId === undefined ? null : { type: 'REVERSE', redemptionId }
    if (kind < 98) return reservationId === undefined ? null : { type: 'READ_RESERVATION', reservationId }
    return redemptionId === undefined ? null : { type: 'READ_REDEMPTION', redemptionId }
  }

  /** A new order; now and then one of the last again, a second click maybe, or with another cart. */
  private someRedeem(): Redeem {
    const { random } = this
    const earlier = this.orders.at(-1 - random.below(8))
    if (earlier !== undefined && random.below(4) === 0) {
      const other = random.below(8)
      if (other === 0) return { ...earlier, totalMinor: earlier.totalMinor + 5 }
      return other === 1 ? { ...earlier, user: random.pick(this.users) } : earlier
    }
    const order = `order-${this.orders.length}`
    const call: Redeem = { type: 'REDEEM', user: random.pick(this.users), order, totalMinor: this.someTotal() }
    this.orders.push(call)
    return call
  }

  private someReserve(): Call {
    const { random } = this
    const { user, order, totalMinor } = this.someRedeem()
    const ttlSeconds = this.recorder.isTimed ? TTL_SHORT_SECONDS : TTL_LONG_SECONDS
    return { type: 'RESERVE', user, order: random.below(3) === 0 ? order : null, totalMinor, ttlSeconds }
  }

  private redeemReservation(reservationId: string): Call {
    const { random } = this
    const { order, totalMinor } = this.someRedeem()
    return {
      type: 'REDEEM_RESERVATION',
      reservationId,
      order,
      totalMinor: random.below(3) === 0 ? totalMinor : null,
      allowLate: random.below(3) === 0,
    }
  }

  /** Of few, so that the same cart comes back; tenths of them have to be rounded. */
  private someTotal(): number {
    return this.random.pick([1_000, 1_995, 2_504])
  }
}

function note(ids: string[], id: string): void {
  if (!ids.includes(id)) ids.push(id)
}
