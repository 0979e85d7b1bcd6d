/**
 * The wire: encoded frames on their way between callers and lanes and from lane to lane, never objects.
 *
 *     local     each pair of ends is a queue: late, but in order and whole, as the rings of the product are
 *     network   each frame goes its own way: late, lost, doubled, overtaken; or not at all while its lane is cut off
 */
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Schedule } from './schedule.ts'
import type { Mode } from './steps.ts'

const STRAGGLERS_PER_MILLE = 50
const STRAGGLES_TIMES = 10
/** Doubles may come this much later, and sometimes as late as that. */
const ECHO_MS = 20
const LATE_ECHO_MS = 6_000

export interface WireOptions {
  readonly mode: Mode
  readonly wireMs: number
  readonly lostPerMille: number
  readonly doubledPerMille: number
}

export class Wire {
  private readonly schedule: Schedule
  private readonly random: SeededRandom
  private readonly options: WireOptions
  private readonly count: (what: string) => void
  /** When the last frame of each pair arrives. */
  private readonly lastAtMs = new Map<number, number>()
  /** Lanes that are cut off from everybody else. */
  private readonly cutOff = new Set<number>()
  /** No more faults: what is sent arrives. */
  isCalm = false

  constructor(schedule: Schedule, random: SeededRandom, options: WireOptions, count: (what: string) => void) {
    this.schedule = schedule
    this.random = random
    this.options = options
    this.count = count
  }

  partition(lane: number, forMs: number): void {
    this.count('partition')
    this.cutOff.add(lane)
    this.schedule.after(forMs, () => this.cutOff.delete(lane))
  }

  heal(): void {
    this.cutOff.clear()
    this.isCalm = true
  }

  /** `deliver` runs when the frame arrives: never, once, or (between machines) several times. Ends are lanes; callers are -1. */
  send(from: number, to: number, deliver: () => void): void {
    if (this.options.mode === 'local') {
      const pair = (from + 1) * 4_096 + to + 1
      const atMs = Math.max(this.lastAtMs.get(pair) ?? 0, this.schedule.nowMs + this.delayMs())
      this.lastAtMs.set(pair, atMs)
      this.schedule.after(atMs - this.schedule.nowMs, deliver)
      return
    }
    if (this.cutOff.has(from) || this.cutOff.has(to)) {
      this.count('frame lost in a partition')
      return
    }
    const fate = this.isCalm ? 1_000 : this.random.below(1_000)
    const { lostPerMille, doubledPerMille } = this.options
    if (fate < lostPerMille) {
      this.count('frame lost')
      return
    }
    this.schedule.after(this.networkDelayMs(), deliver)
    if (fate >= lostPerMille + doubledPerMille) return
    this.count('frame doubled')
    const echoMs = this.random.below(4) === 0 ? LATE_ECHO_MS : ECHO_MS
    this.schedule.after(this.networkDelayMs() + this.random.below(echoMs), deliver)
  }

  private delayMs(): number {
    return this.random.below(this.options.wireMs + 1)
  }

  private networkDelayMs(): number {
    const isStraggler = !this.isCalm && this.random.below(1_000) < STRAGGLERS_PER_MILLE
    if (isStraggler) this.count('frame overtaken')
    return this.delayMs() * (isStraggler ? STRAGGLES_TIMES : 1)
  }
}
