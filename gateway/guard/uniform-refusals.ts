/**
 * Uniform refusals, where they are switched on: to a caller of role checkout, a code that does not exist and one that may
 * not be used are the same. Same status, same body, same headers, same moment; so codes cannot be found by trying.
 *
 *     not there, disabled, not begun, ended, somebody else's, used up, all reserved   ──▶ COUPON_NOT_FOUND
 *     this cart, this channel, this user's own limits                                 ──▶ as it is, of a code that is usable
 *
 * The first group tells something about a code that the caller may not have. The second tells a buyer what to do about a code
 * that would be accepted otherwise, so nothing is told that a better cart would not tell. But it is judged before capacity:
 * of a used-up code a shard says "the cart is too small". So before such an answer leaves, the coupon's status is asked for
 * (`uniform-check.ts`).
 *
 * The moment: what takes longer could be told apart by a clock. An answer of the first group is held for a whole number of
 * steps from the arrival of its call, and leaves with a tick that runs for itself: a timer of its own would carry the
 * fraction of a millisecond that the shard took into the moment of the answer.
 *
 *     arrival ├──── step ────┤ … leaves at the next tick
 *             └ work ┘
 */
import { UNIFORM_STEP_MS, UNIFORM_TICK_MS } from './guard-limits.ts'
import { NO_SUCH_COUPON } from '../problem.ts'
import {
  type CouponOutcome,
  type CouponStatus,
  OUTCOME,
  type Outcome,
  type Refused,
  type Verdict,
} from '../../protocol/outcomes.ts'
import type { RefusalCode } from '../../protocol/refusals.ts'

/** What is told in place of all of them. */
const TOLD = 'COUPON_NOT_FOUND'

const NOT_FOUND: Refused = {
  type: OUTCOME.REFUSED,
  refusal: TOLD,
  detail: NO_SUCH_COUPON,
  couponIndex: -1,
  retryAfterMs: 0,
  verdicts: null,
}

const UNIFORM: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'COUPON_NOT_FOUND',
  'COUPON_DISABLED',
  'COUPON_NOT_STARTED',
  'COUPON_EXPIRED',
  'USER_NOT_ELIGIBLE',
  'COUPON_EXHAUSTED',
  'COUPON_LOCKED',
  'CAMPAIGN_EXHAUSTED',
  'BUDGET_EXHAUSTED',
])

/** Judged before capacity, so they may hide that a code is used up. */
const DOUBTFUL: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'CHANNEL_NOT_ALLOWED',
  'CURRENCY_MISMATCH',
  'MIN_ORDER_NOT_MET',
  'MIN_QUANTITY_NOT_MET',
  'NOT_APPLICABLE',
  'NOT_STACKABLE',
  'DAILY_LIMIT_REACHED',
])

/** Verdicts, by their index, that may be told only if the coupon is usable otherwise. */
export function doubtfulVerdicts(outcome: Outcome): readonly number[] {
  return verdictsOf(outcome).flatMap(({ refusal, ordinal }, i) =>
    refusal !== null && ordinal >= 0 && DOUBTFUL.has(refusal) ? [i] : [],
  )
}

/** The verdicts of an outcome on codes; empty where it has none. */
export function verdictsOf(outcome: Outcome): readonly Verdict[] {
  return outcome.type === OUTCOME.VALIDATED || outcome.type === OUTCOME.REFUSED ? (outcome.verdicts ?? []) : []
}

/**
 * What a caller of role checkout may know of an outcome. `unusable`: verdicts of coupons that cannot be used anyway, by
 * their index. Any code of the first group decides over the whole call, as one that does not exist does.
 */
export function uniformOutcome(outcome: Outcome, unusable: readonly number[]): Outcome {
  if (outcome.type === OUTCOME.VALIDATED) {
    return { ...outcome, verdicts: outcome.verdicts.map((verdict, i) => uniformVerdict(verdict, unusable.includes(i))) }
  }
  if (outcome.type === OUTCOME.COUPON) return isForAnybody(outcome) ? outcome : NOT_FOUND
  if (outcome.type !== OUTCOME.REFUSED) return outcome
  const verdicts = outcome.verdicts?.map((verdict, i) => uniformVerdict(verdict, unusable.includes(i))) ?? null
  const first = verdicts?.findIndex(({ refusal }) => refusal === TOLD) ?? -1
  if (first < 0 && !UNIFORM.has(outcome.refusal)) return outcome
  const couponIndex = first < 0 ? outcome.couponIndex : first
  return { ...outcome, refusal: TOLD, detail: NO_SUCH_COUPON, couponIndex, retryAfterMs: 0, verdicts }
}

/** Whether a coupon of this status may be used, for whom it is and when it is free. */
export function isUsable(status: CouponStatus): boolean {
  return status === 'ACTIVE' || status === 'LOCKED'
}

/** What such a caller may see of a coupon whose code it names. */
function isForAnybody({ status, definition }: CouponOutcome): boolean {
  return isUsable(status) && definition.userId === null
}

function uniformVerdict(verdict: Verdict, isUnusable: boolean): Verdict {
  const { refusal } = verdict
  if (refusal === null || (!isUnusable && !UNIFORM.has(refusal))) return verdict
  return { ordinal: -1, refusal: TOLD, detail: NO_SUCH_COUPON, amountMinor: null }
}

interface Held {
  readonly arrivedMs: number
  readonly dueMs: number
  readonly tell: () => void
}

/** Answers of the first group, until it is their moment. How many is bounded by the calls that may be in flight. */
export class UniformHold {
  private held: Held[] = []
  private readonly nowMs: () => number
  private readonly stopTicks: () => void

  /** `nowMs` is monotonic; `every` calls `tick` every so often, until the function it returns is called. */
  constructor(nowMs: () => number, every: (intervalMs: number, tick: () => void) => () => void) {
    this.nowMs = nowMs
    this.stopTicks = every(UNIFORM_TICK_MS, () => this.tick())
  }

  /** Calls `tell` a whole number of steps after the arrival. */
  hold(arrivedMs: number, tell: () => void): void {
    const steps = Math.max(1, Math.ceil((this.nowMs() - arrivedMs) / UNIFORM_STEP_MS))
    this.held.push({ arrivedMs, dueMs: arrivedMs + steps * UNIFORM_STEP_MS, tell })
  }

  close(): void {
    this.stopTicks()
    this.tellAll(this.held)
    this.held = []
  }

  private tick(): void {
    if (this.held.length === 0) return
    const nowMs = this.nowMs()
    const due = this.held.filter(({ dueMs }) => dueMs <= nowMs)
    if (due.length === 0) return
    this.held = this.held.filter(({ dueMs }) => dueMs > nowMs)
    // By arrival: in the order of the answers it would show whose came first.
    this.tellAll(due.sort((a, b) => a.arrivedMs - b.arrivedMs))
  }

  private tellAll(held: readonly Held[]): void {
    for (const { tell } of held) tell()
  }
}
