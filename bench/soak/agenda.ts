// When what happens: arrivals of every kind as a Poisson process each, and appointments that a call has made for later. One timer
// for all of it, so a soak has as many timers after an hour as after a second.
//
//   arrivals      redeem ──•─•••──•──▶   search ──•───────•──▶   the next time of each
//   appointments  [1.2 s, 1.4 s, …] a queue for each delay: what is made later is due later, so no heap is needed

import { performance } from 'node:perf_hooks'
import { seededRandom } from '../load/random.ts'

/** Runs with the moment at which it was due. */
export type Act = (dueAtMs: number) => Promise<void>

interface Arrivals {
  readonly meanGapMs: number
  /** Of its own, so that the arrivals of a run follow from its seed, however fast the machine is. */
  readonly random: () => number
  readonly act: Act
  dueAtMs: number
}

interface Appointment {
  readonly dueAtMs: number
  readonly act: Act
}

/** Of the one timer; what is due in between leaves up to so much late, which counts against the server. */
const TICK_MS = 4

export class Agenda {
  readonly #seed: number
  readonly #arrivals: Arrivals[] = []
  readonly #appointments = new Map<number, Appointment[]>()
  readonly #failed: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined

  /** `failed` hears of an act that threw: a mistake of the load itself. */
  constructor(seed: number, failed: (error: unknown) => void) {
    this.#seed = seed
    this.#failed = failed
  }

  every(perSecond: number, act: Act): void {
    const random = seededRandom(this.#seed + this.#arrivals.length)
    this.#arrivals.push({ meanGapMs: 1_000 / perSecond, random, act, dueAtMs: Number.NaN })
  }

  /** The same delay again and again costs a queue; a new one each time would cost a queue each time. */
  after(delayMs: number, act: Act): void {
    const queue = this.#appointments.get(delayMs)
    const appointment = { dueAtMs: performance.now() + delayMs, act }
    if (queue === undefined) this.#appointments.set(delayMs, [appointment])
    else queue.push(appointment)
  }

  start(): void {
    const nowMs = performance.now()
    for (const arrivals of this.#arrivals) arrivals.dueAtMs = nowMs + gapOf(arrivals)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Nobody arrives any more; appointments are kept. */
  endArrivals(): void {
    this.#arrivals.length = 0
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const arrivals of this.#arrivals) {
      while (arrivals.dueAtMs <= nowMs) {
        this.#run(arrivals.act, arrivals.dueAtMs)
        arrivals.dueAtMs += gapOf(arrivals)
      }
    }
    for (const queue of this.#appointments.values()) {
      const due = queue.findIndex(({ dueAtMs }) => dueAtMs > nowMs)
      for (const { act, dueAtMs } of queue.splice(0, due < 0 ? queue.length : due)) this.#run(act, dueAtMs)
    }
  }

  #run(act: Act, dueAtMs: number): void {
    act(dueAtMs).catch(this.#failed)
  }
}

function gapOf({ meanGapMs, random }: Arrivals): number {
  return -Math.log(1 - random()) * meanGapMs
}
