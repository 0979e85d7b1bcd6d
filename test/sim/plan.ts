/**
 * The plan of a run: from a seed to the steps. Few users, few codes and small limits, so that everybody is in everybody's way; a
 * handful of faults at any time.
 */
import { FAIL_POINTS, type FailPoint } from '../../engine/shard/fail-points.ts'
import { Router } from '../../engine/routing.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { ClientStep, FaultStep, Mode, Scenario, Step } from './steps.ts'
import { BEGIN_MS, deploymentOf } from './world.ts'

/** Those that a lane meets; the others belong to threads that a simulated process does not have. */
const LANE_POINTS = FAIL_POINTS.filter((point) => /^(lane|sweep|stack)\.|^job\.codes-made$/.test(point))

/** Each has its chance at the first meeting. */
const SELDOM_MET: ReadonlySet<FailPoint> = new Set<FailPoint>(['stack.aborted'])

/** A snapshot is none, a fail point may not be met, and a disk that is asked nothing has no fault. */
const CERTAIN_FAULTS: ReadonlySet<FaultStep['do']> = new Set<FaultStep['do']>([
  'crash',
  'clockJump',
  'slowFlushes',
  'nearlyFull',
])

/** Without what every step has. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
type Act = Without<ClientStep, 'id' | 'atMs' | 'retries'>
type Harm = Without<FaultStep, 'id' | 'atMs'>

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const SETUP_MS = 3_000
const RECENT = 12

export interface PlanOptions {
  readonly mode: Mode
  readonly operations: number
}

export function plan(seed: number, { mode, operations }: PlanOptions): Scenario {
  return new Planner(seed, mode, operations).scenario()
}

class Planner {
  private readonly seed: number
  private readonly mode: Mode
  private readonly operations: number
  private readonly random: SeededRandom
  private readonly steps: Step[] = []
  private readonly shards: number
  private readonly lanes: number
  private readonly users: readonly string[]
  private readonly codes: string[] = []
  private readonly campaigns: number[] = []
  private readonly carts: string[][] = []
  private readonly takings: number[] = []
  private readonly redemptions: number[] = []
  private readonly jobs: number[] = []
  private readonly acts: number[] = []
  private readonly perDay: number
  private readonly pauseMs: number
  private orders = 0
  private ids = 0
  private atMs = 0

  constructor(seed: number, mode: Mode, operations: number) {
    this.seed = seed
    this.mode = mode
    this.operations = operations
    this.random = new SeededRandom(seed)
    this.shards = this.random.pick([2, 4, 4, 4, 8])
    this.lanes = mode === 'local' ? this.random.pick([1, 1, 2, 3]) : this.random.pick([2, 2, 3, 4])
    if (this.lanes > this.shards) this.lanes = this.shards
    this.users = Array.from({ length: 2 + this.random.below(3) }, (_, i) => `user-${i}`)
    this.perDay = this.random.pick([1, 2, 4])
    this.pauseMs = this.random.pick([4, 12, 30])
  }

  scenario(): Scenario {
    const { seed, mode, shards, lanes, random } = this
    this.setUp()
    this.atMs = SETUP_MS
    for (let i = 0; i < this.operations; i++) {
      this.wait()
      this.act(this.nextAct(), random.pick([0, 1, 2, 3]))
    }
    this.addHarms()
    this.steps.sort((a, b) => a.atMs - b.atMs || a.id - b.id)
    return {
      seed,
      mode,
      shards,
      lanes,
      sweepMs: random.pick([20, 50]),
      wireMs: random.pick([0, 1, 4]),
      lostPerMille: mode === 'network' ? random.pick([0, 5, 30]) : 0,
      doubledPerMille: mode === 'network' ? random.pick([0, 10, 60]) : 0,
      steps: this.steps,
    }
  }

  private act(act: Act, retries: number): number {
    const id = ++this.ids
    const step = { ...act, id, atMs: this.atMs, retries } as ClientStep
    this.steps.push(step)
    this.acts.push(id)
    return id
  }

  private harm(atMs: number, harm: Harm): void {
    this.steps.push({ ...harm, id: ++this.ids, atMs } as FaultStep)
  }

  private setUp(): void {
    const { random } = this
    const router = new Router(this.shards, deploymentOf(this.shards).secret)
    for (let i = random.below(3); i > 0; i--) {
      const terms = {
        maxUses: random.pick([null, 2, 5, 20]),
        maxUsesPerUser: random.pick([null, null, 1, 4]),
        budgetMinor: random.pick([null, 300, 900, 4_000]),
        dailyLimit: this.daily(2),
        lockSeconds: random.pick([1, 5, 300]),
        validUntilMs: this.end(16),
      }
      const percent = random.pick([10, 15])
      this.campaigns.push(this.act({ do: 'createCampaign', shard: random.below(this.shards), terms, percent }, 9))
    }
    this.atMs = SETUP_MS / 3
    for (let i = 4 + random.below(5); i > 0; i--) {
      const code = `SIM-${i}${random.pick(['A', 'B', 'C', 'D'])}${random.pick(['E', 'F', 'G', 'H'])}`
      const campaign = this.campaigns.length > 0 && random.below(3) === 0 ? random.pick(this.campaigns) : null
      const terms = {
        maxUses: random.pick([null, 1, 2, 3, 8, 30]),
        maxUsesPerUser: random.pick([null, null, 1, 2, 6]),
        dailyLimit: campaign === null ? this.daily(6) : null,
        validUntilMs: this.end(12),
      }
      this.codes.push(code)
      this.act({ do: 'createCoupon', code, percent: random.pick([10, 20]), campaign, terms }, 9)
    }
    this.atMs = (SETUP_MS * 2) / 3
    for (const campaign of this.campaigns) {
      if (random.below(3) > 0) this.jobs.push(this.act({ do: 'makeCodes', campaign, count: 1 + random.below(6) }, 0))
    }
    for (let i = 2 + random.below(5); i > 0; i--) this.carts.push(this.someCodes())
    // Shards of one code each are what calls over several shards are made of: one cart of everything that is apart.
    const apart = new Map(this.codes.map((code) => [router.shardOfCode(code), code]))
    if (apart.size > 1) this.carts.push([...apart.values()].slice(0, 4))
  }

  private daily(outOf: number): { readonly perUser: number; readonly scope: 'ALL' | 'CAMPAIGN' } | null {
    if (this.random.below(outOf) > 0) return null
    return { perUser: this.perDay, scope: this.random.pick(['ALL', 'ALL', 'CAMPAIGN'] as const) }
  }

  private end(outOf: number): number | null {
    return this.random.below(outOf) > 0 ? null : BEGIN_MS + SETUP_MS + this.random.below(20 * SECOND_MS)
  }

  private someCodes(): string[] {
    const codes = new Set<string>()
    const wanted = this.random.pick([1, 1, 2, 2, 3, 4])
    while (codes.size < Math.min(wanted, this.codes.length)) codes.add(this.random.pick(this.codes))
    return [...codes]
  }

  /** Between two steps: bursts, a pace, pauses in which holds lapse, and seldom a night. */
  private wait(): void {
    const { random } = this
    const kind = random.below(1_000)
    if (kind < 300) return
    if (kind < 970) this.atMs += random.below(2 * this.pauseMs)
    else if (kind < 994) this.atMs += random.below(1_500)
    else if (kind < 999) this.atMs += random.pick([5, 300]) * SECOND_MS + random.below(50)
    else this.atMs += random.pick([1, 13]) * HOUR_MS
  }

  private nextAct(): Act {
    const { random } = this
    const user = random.pick(this.users)
    const codes = random.pick(this.carts)
    const code = random.pick(this.codes)
    const totalMinor = random.pick([1_000, 1_000, 5_000])
    const kind = random.below(100)
    const taking = this.recent(this.takings)
    const redemption = this.recent(this.redemptions)
    const next = this.ids + 1
    if (kind < 18) {
      this.redemptions.push(next)
      return { do: 'redeem', codes, user, order: this.order(), totalMinor }
    }
    if (kind < 40) {
      this.takings.push(next)
      const order = random.below(4) === 0 ? this.order() : null
      const cart = random.below(5) === 0 ? null : totalMinor
      return { do: 'reserve', codes, user, order, totalMinor: cart, ttlSeconds: random.pick([1, 1, 2, 5, 300]) }
    }
    if (kind < 45 && this.campaigns.length > 0) {
      this.takings.push(next)
      return { do: 'claim', campaign: random.pick(this.campaigns), user }
    }
    if (kind < 58 && taking !== null) {
      this.redemptions.push(next)
      const cart = random.below(3) === 0 ? totalMinor : null
      const allowLate = random.below(2) === 0
      return { do: 'redeemReservation', of: taking, order: this.order(), totalMinor: cart, allowLate }
    }
    if (kind < 65 && taking !== null) return { do: 'release', of: taking }
    if (kind < 69 && taking !== null) return { do: 'extend', of: taking, ttlSeconds: random.pick([1, 60, 3_000]) }
    if (kind < 75 && redemption !== null) return { do: 'reverse', of: redemption, returnUse: random.below(3) > 0 }
    if (kind < 78) return { do: 'columns', code, ...this.rows() }
    if (kind < 81) return { do: 'validate', codes, user, totalMinor }
    if (kind < 84) return { do: 'getCoupon', code }
    if (kind < 86 && this.campaigns.length > 0) return { do: 'getCampaign', campaign: random.pick(this.campaigns) }
    if (kind < 88 && taking !== null) return { do: 'getReservation', of: taking }
    if (kind < 90 && redemption !== null) return { do: 'getRedemption', of: redemption }
    if (kind < 95) return { do: 'again', of: this.recent(this.acts) ?? 1 }
    return this.change(code)
  }

  /** What the people do to whom the coupons belong. */
  private change(code: string): Act {
    const { random } = this
    const campaign = this.campaigns.length === 0 ? null : random.pick(this.campaigns)
    switch (random.below(campaign === null ? 8 : 12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const terms = { maxUses: random.pick([null, 1, 4, 12]), maxUsesPerUser: random.pick([null, 1, 3]) }
        const ends = random.below(8) === 0 ? { validUntilMs: BEGIN_MS + this.atMs + random.below(3_000) } : {}
        return { do: 'patchCoupon', code, terms: { ...terms, ...ends } }
      }
      case 4:
        return { do: 'switchCoupon', code, to: random.pick(['ENABLED', 'ENABLED', 'ENABLED', 'DISABLED'] as const) }
      case 5:
      case 6: {
        const untilMs = BEGIN_MS + this.atMs + random.below(random.pick([10_000, 30 * HOUR_MS]))
        return { do: 'extendCoupon', code, untilMs, override: random.below(4) > 0 }
      }
      case 7:
        if (random.below(3) > 0) return { do: 'switchCoupon', code, to: 'ENABLED' }
        return { do: 'endCoupon', code }
      case 8:
        return {
          do: 'switchCampaign',
          campaign: campaign as number,
          to: random.pick(['ENABLED', 'ENABLED', 'DISABLED'] as const),
        }
      case 9:
        this.jobs.push(this.ids + 1)
        return { do: 'makeCodes', campaign: campaign as number, count: 1 + random.below(8) }
      case 10: {
        const job = this.recent(this.jobs)
        if (job !== null) return { do: 'cancelJob', of: job }
        return { do: 'getCampaign', campaign: campaign as number }
      }
      default: {
        const terms = {
          maxUses: random.pick([null, 4, 12, 40]),
          maxUsesPerUser: random.pick([null, null, 2]),
          budgetMinor: random.pick([null, 500, 5_000]),
        }
        return { do: 'patchCampaign', campaign: campaign as number, terms }
      }
    }
  }

  private rows(): { readonly users: readonly string[]; readonly orders: readonly string[] } {
    const count = 1 + this.random.below(6)
    const users = Array.from({ length: count }, () => this.random.pick(this.users))
    return { users, orders: users.map(() => this.order()) }
  }

  private recent(ids: readonly number[]): number | null {
    if (ids.length === 0) return null
    return ids[ids.length - 1 - this.random.below(Math.min(RECENT, ids.length))] as number
  }

  private order(): string {
    return `order-${this.random.below(4) === 0 ? this.random.below(this.orders + 1) : ++this.orders}`
  }

  private addHarms(): void {
    const { random } = this
    const from = SETUP_MS - 800
    const to = this.atMs
    const when = (): number => from + random.below(Math.max(1, to - from))
    for (let i = random.below(6); i >= 0; i--) {
      const at = this.steps[random.below(this.steps.length)]?.atMs ?? 0
      let harm = this.nextHarm()
      // The last one makes sure that something goes wrong.
      while (i === 0 && !CERTAIN_FAULTS.has(harm.do)) harm = this.nextHarm()
      // Where somebody is doing something, not in the middle of a night.
      this.harm(at > from ? at : when(), harm)
    }
  }

  private nextHarm(): Harm {
    const { random } = this
    const process = random.below(4)
    const lane = random.below(4)
    const kind = random.below(100)
    if (kind < 26) {
      return {
        do: 'crash',
        process,
        isPowerCut: random.below(2) === 0,
        downMs: 1 + random.below(700),
        recoveryCrashes: random.pick([0, 0, 1, 2]),
        layout: 1 + random.below(Math.min(4, this.shards)),
      }
    }
    if (kind < 46) {
      const when = random.pick(['now', 'flushed'] as const)
      const point = random.pick(LANE_POINTS)
      return { do: 'failPoint', point, when, times: SELDOM_MET.has(point) ? 1 : 1 + random.below(6) }
    }
    if (kind < 56)
      return { do: 'clockJump', process, byMs: random.pick([-1, 1]) * random.pick([900, 30_000, 3 * HOUR_MS]) }
    if (kind < 66) {
      return { do: 'slowFlushes', lane, flushMs: random.pick([30, 400, 2_500]), forMs: random.below(3_000) }
    }
    if (kind < 74) return { do: 'diskFault', lane, fault: random.pick(['PUT_EIO', 'PUT_FULL', 'FLUSH_EIO'] as const) }
    if (kind < 79) return { do: 'nearlyFull', lane, forMs: random.below(3_000) }
    if (kind < 83) return { do: 'flipBit', process, pick: random.below(1_000_000) }
    if (kind < 92) return { do: 'snapshot', shard: random.below(8) }
    return this.mode === 'network'
      ? { do: 'partition', lane, forMs: random.below(3_000) }
      : { do: 'snapshot', shard: random.below(8) }
  }
}
