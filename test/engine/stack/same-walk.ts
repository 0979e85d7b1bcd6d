/**
 * The same calls, one after another, to coupons on several shards and to the same coupons on one: every answer has to be the
 * same. The one shard is the oracle here, and has its own (test/engine/model).
 *
 * Ids differ, so the n-th reservation or redemption of one side stands for that of the other.
 */
import { strict as assert } from 'node:assert'
import type { Cart } from '../../../engine/domain/cart.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { DailyLimit } from '../../../protocol/daily-limit.ts'
import { type Outcome, OUTCOME, type Verdict } from '../../../protocol/outcomes.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { ALONE } from '../../../engine/domain/surroundings.ts'
import { campaignWith, couponOf } from '../support/campaign-scene.ts'
import { LiveShard, SHARD } from '../support/live-shard.ts'
import { type AnyCommand, byCode, checkout, couponWith, create, offerOf, total } from '../support/samples.ts'
import { type MadeId, shardOf, StackScene, stacked } from './stack-scene.ts'

const ALONE_CODES = ['A-0', 'B-1', 'C-2', 'D-1', 'E-0']
/** Of a campaign that lives on shard 1. */
const CAMPAIGN_CODES = ['K-0', 'L-1', 'M-2', 'N-0']
const CODES = [...ALONE_CODES, ...CAMPAIGN_CODES]
const CAMPAIGN_SHARD = 1
/** What two codes of a campaign, or of a day, take together: which of them is named depends on who was asked first. */
const TOGETHER = new Set([
  'DAILY_LIMIT_REACHED',
  'USER_LIMIT_REACHED',
  'CAMPAIGN_EXHAUSTED',
  'COUPON_LOCKED',
  'BUDGET_EXHAUSTED',
])
const USERS = ['ann', 'bob']
const STEPS = 60
const SWEEP_MS = 20

/** What an answer says, without what only one of the two worlds can have. */
interface Said {
  readonly said: string
  readonly [fact: string]: unknown
}

interface Pair {
  readonly across: MadeId
  readonly alone: number
}

export class SameWalk {
  private readonly random: SeededRandom
  private readonly scene: StackScene
  private readonly live = new LiveShard(SHARD, { around: { ...ALONE, shardOfUser: () => SHARD } })
  private readonly reservations: Pair[] = []
  private readonly redemptions: Pair[] = []
  private readonly counts: Record<string, number>
  private orders = 0
  /** Every cart of the walk has this total; 0: any. A budget is held anew for another cart on one shard alone. */
  private readonly onlyTotal: number
  private readonly perDay: number

  constructor(seed: number, counts: Record<string, number> = {}) {
    this.random = new SeededRandom(seed)
    this.counts = counts
    this.scene = new StackScene(this.random.pick([[[0], [1], [2]], [[0, 2], [1]], [[0, 1, 2]]]))
    this.perDay = this.random.pick([1, 2, 5])
    const budgetMinor = this.random.pick([null, 150, 500])
    this.onlyTotal = budgetMinor === null ? 0 : 1_000
    this.beginCampaign(budgetMinor)
    for (const code of ALONE_CODES) {
      const limits = {
        maxUses: this.random.pick([null, 1, 2, 5]),
        maxUsesPerUser: this.random.pick([null, null, 1, 2]),
        validFromMs: this.random.below(8) === 0 ? this.nowMs + 3_000 : null,
        validUntilMs: this.random.below(5) === 0 ? this.nowMs + 2_000 + this.random.below(20_000) : null,
        userId: this.random.below(10) === 0 ? 'bob' : null,
        dailyLimit: this.daily(),
      }
      const offer = {
        stacking: this.random.below(8) === 0 ? ('EXCLUSIVE' as const) : ('STACKABLE' as const),
        percentBps: this.random.pick([500, 1_000]),
        priority: this.random.below(2),
        minOrderMinor: this.random.below(5) === 0 ? 3_000 : null,
      }
      this.say(shardOf(code), create(couponWith(code, limits, offer)))
    }
  }

  private beginCampaign(budgetMinor: number | null): void {
    const definition = campaignWith({
      maxUses: this.random.pick([null, 1, 2, 4]),
      maxUsesPerUser: this.random.pick([null, null, 1, 2]),
      budgetMinor,
      dailyLimit: this.daily(),
      validUntilMs: this.random.below(5) === 0 ? this.nowMs + 2_000 + this.random.below(20_000) : null,
      offer: { stacking: 'STACKABLE' },
    })
    this.say(CAMPAIGN_SHARD, { type: COMMAND.CREATE_CAMPAIGN, by: null, definition })
    for (const code of CAMPAIGN_CODES) {
      const limits = { maxUses: this.random.pick([1, 1, 2]), maxUsesPerUser: this.random.pick([null, null, 1]) }
      const across = couponOf(0, code, { ...limits, campaign: { shard: CAMPAIGN_SHARD, index: 0 } })
      this.say(shardOf(code), create(across), create({ ...across, campaign: { shard: SHARD, index: 0 } }))
    }
  }

  private daily(): DailyLimit | null {
    return this.random.below(4) > 0
      ? null
      : { perUser: this.perDay, scope: this.random.pick(['ALL', 'CAMPAIGN'] as const) }
  }

  private total(...of: number[]): Cart {
    return total(this.onlyTotal === 0 ? this.random.pick(of) : this.onlyTotal)
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) this.step()
  }

  private get nowMs(): number {
    return this.scene.cluster.nowMs
  }

  private step(): void {
    const choice = this.random.below(20)
    if (choice < 9) this.checkout()
    else if (choice < 15) this.byId()
    else if (choice < 16) this.change()
    else if (choice < 17) this.read()
    else this.wait(this.random.pick([20, 500, 1_000, 1_000, 5_000]))
  }

  /** Both sides sweep at every step, so that bookkeeping is not what they differ by. */
  private wait(ms: number): void {
    this.scene.cluster.pass(ms)
    // The last moment is no sweep of the one shard's yet.
    this.live.actor.sweep(this.nowMs, 0)
    this.live.flushAll()
    this.scene.cluster.pass(SWEEP_MS)
    this.live.actor.sweep(this.nowMs, 0)
    this.live.flushAll()
  }

  private checkout(): void {
    const codes = new Set<string>()
    const wanted = this.random.pick([1, 2, 2, 3])
    while (codes.size < wanted) codes.add(this.random.pick(CODES))
    const user = this.random.pick(USERS)
    const cart = this.total(1_000, 5_000)
    const kind = this.random.below(8)
    const list = [...codes]
    if (kind === 0) {
      this.call(list, checkout(COMMAND.VALIDATE, list, { user: this.random.pick([user, null]), cart }))
    } else if (kind < 4) {
      const ttlSeconds = this.random.pick([1, 4, 300])
      const order = this.random.below(3) === 0 ? this.order() : null
      this.call(list, checkout(COMMAND.RESERVE, list, { user, order, cart, ttlSeconds }))
    } else {
      this.call(list, checkout(COMMAND.REDEEM, list, { user, order: this.order(), cart }))
    }
  }

  private byId(): void {
    const kind = this.random.below(7)
    const pair = this.random.pick(kind < 5 ? this.reservations.slice(-5) : this.redemptions.slice(-5))
    if (pair === undefined) return
    const say = (of: (seq: number) => AnyCommand): void =>
      this.say(pair.across.shard, of(pair.across.seq), of(pair.alone))
    const order = this.order()
    const allowLate = this.random.below(2) === 0
    const cart = this.random.below(3) === 0 ? this.total(5_000) : null
    const ttlSeconds = this.random.pick([1, 60, 3_600])
    const returnUse = this.random.below(3) > 0
    if (kind < 2)
      say((reservationSeq) => ({ type: COMMAND.REDEEM_RESERVATION, reservationSeq, order, cart, allowLate }))
    else if (kind === 2) say((reservationSeq) => ({ type: COMMAND.RELEASE, reservationSeq }))
    else if (kind === 3) say((reservationSeq) => ({ type: COMMAND.EXTEND_RESERVATION, reservationSeq, ttlSeconds }))
    else if (kind === 4) say((seq) => ({ type: COMMAND.GET_RESERVATION, seq }))
    else if (kind === 5) say((seq) => ({ type: COMMAND.GET_REDEMPTION, seq }))
    else say((redemptionSeq) => ({ type: COMMAND.REVERSE, redemptionSeq, reason: 'why', returnUse }))
  }

  private change(): void {
    if (this.random.below(4) === 0) {
      this.changeCampaign()
      return
    }
    const code = this.random.pick(ALONE_CODES)
    const rest = { by: null, reason: 'why', ifVersion: 0, definition: null, validUntilMs: 0, override: false }
    const kind = this.random.below(6)
    const coupon = byCode(code)
    if (kind === 0) this.say(shardOf(code), { type: COMMAND.CHANGE_COUPON, coupon, ...rest, change: 'EXPIRED' })
    else if (kind < 3) {
      const change = kind === 1 ? 'DISABLED' : 'ENABLED'
      this.say(shardOf(code), { type: COMMAND.SWITCH_COUPON, coupon, by: null, change })
    } else {
      const { definition, version } = this.scene.coupon(code)
      // A limit per user that begins while a use is held counts that use on one shard, and over several it does not.
      const perUser = definition.maxUsesPerUser === null ? null : this.random.pick([1, 4])
      const limits = { maxUses: this.random.pick([null, 2, 9]), maxUsesPerUser: perUser }
      const changed = {
        ...definition,
        ...limits,
        offer: { ...offerOf(definition), percentBps: this.random.pick([500, 2_000]) },
      }
      const command = { type: COMMAND.CHANGE_COUPON, coupon, ...rest, change: 'PATCHED' } as const
      this.say(shardOf(code), { ...command, ifVersion: version, definition: changed })
    }
    // What an end does to reservations that another shard coordinates is under way for a moment.
    this.wait(300)
    this.read()
  }

  private changeCampaign(): void {
    const index = 0
    if (this.random.below(2) === 0) {
      const change = this.random.pick(['ENABLED', 'ENABLED', 'DISABLED'] as const)
      this.say(CAMPAIGN_SHARD, { type: COMMAND.SWITCH_CAMPAIGN, index, by: null, change })
    } else {
      const { definition, version } = this.scene.sees({ shard: CAMPAIGN_SHARD, index })
      const changed = {
        ...definition,
        maxUses: this.random.pick([null, 3, 9]),
        validUntilMs:
          this.random.below(4) === 0 ? this.nowMs + 1_000 + this.random.below(9_000) : definition.validUntilMs,
        offer: { ...definition.offer, percentBps: this.random.pick([500, 2_000]) },
      }
      const command = {
        type: COMMAND.CHANGE_CAMPAIGN,
        index,
        by: null,
        ifVersion: version,
        definition: changed,
      } as const
      this.say(CAMPAIGN_SHARD, command)
    }
    this.wait(300)
    this.read()
  }

  private read(): void {
    this.say(CAMPAIGN_SHARD, { type: COMMAND.GET_CAMPAIGN, index: 0 })
    for (const code of CODES) this.say(shardOf(code), { type: COMMAND.GET_COUPON, coupon: byCode(code) })
  }

  private call(codes: readonly string[], command: AnyCommand): void {
    const across = stacked(command, codes)
    this.say(across.shard, across.command, command)
  }

  private say(shard: number, command: AnyCommand, sameAlone = command): void {
    const { cluster } = this.scene
    const call = cluster.call(shard, command)
    cluster.run()
    const across = this.scene.answerOf(call)
    const alone = this.live.send(sameAlone, this.nowMs).outcome
    this.live.flushAll()
    this.learn(shard, across, alone)
    const isChange = command.type === COMMAND.CHANGE_COUPON || command.type === COMMAND.CHANGE_CAMPAIGN
    const told = this.viewOf(across, ({ across: id }) => id.seq, shard, isChange)
    this.counts[told.said] = (this.counts[told.said] ?? 0) + 1
    // A reservation that is over is refused without asking what its order did to coupons elsewhere.
    if (command.type === COMMAND.REDEEM_RESERVATION && isOfOrder(alone) && isOver(across)) return
    // An order that redeemed two of the coupons, and one of these was reversed: either may be named.
    if (sameAlone.type === COMMAND.RESERVE && isOfOrder(alone) && isOfOrder(across)) return
    const saidAlone = this.viewOf(alone, ({ alone: seq }) => seq, null, isChange).said
    if (isTogether(alone) || isTogether(across)) {
      // Checks of one rank: that of the code that was asked first.
      const ofRank = (said: string) => (said === 'COUPON_EXHAUSTED' ? 'COUPON_LOCKED' : said)
      assert.equal(ofRank(told.said), ofRank(saidAlone), `of ${JSON.stringify(command)}`)
      return
    }
    assert.deepEqual(
      told,
      this.viewOf(alone, ({ alone: seq }) => seq, null, isChange),
      `of ${JSON.stringify(command)}`,
    )
  }

  /** New ids of both sides belong together. */
  private learn(shard: number, across: Outcome, alone: Outcome): void {
    if (across.type === OUTCOME.RESERVATION && alone.type === OUTCOME.RESERVATION) {
      const isKnown = this.reservations.some(({ alone: seq }) => seq === alone.seq)
      if (!isKnown) this.reservations.push({ across: { shard, seq: across.seq }, alone: alone.seq })
    }
    if (across.type === OUTCOME.REDEMPTION && alone.type === OUTCOME.REDEMPTION) {
      const isKnown = this.redemptions.some(({ alone: seq }) => seq === alone.seq)
      if (!isKnown) this.redemptions.push({ across: { shard, seq: across.seq }, alone: alone.seq })
    }
  }

  private viewOf(outcome: Outcome, seqIn: (pair: Pair) => number, shard: number | null, isChange: boolean): Said {
    const numberOf = (pairs: readonly Pair[], seq: number): number =>
      pairs.findIndex((pair) => seqIn(pair) === seq && (shard === null || pair.across.shard === shard))
    const verdicts = (all: readonly Verdict[] | null) =>
      all?.map(({ refusal, detail, amountMinor }) => ({ refusal, detail, amountMinor })) ?? null
    switch (outcome.type) {
      case OUTCOME.REFUSED: {
        const { refusal, couponIndex } = outcome
        // Which difference a conflict names, and of which code, depends on what the shard that found it can know.
        const isEarned = refusal === 'ORDER_CONFLICT' || refusal === 'REDEMPTION_REVERSED'
        const detail = isEarned ? '' : outcome.detail
        const names = isEarned ? null : { couponIndex, verdicts: verdicts(outcome.verdicts) }
        return { said: refusal, detail, names }
      }
      case OUTCOME.VALIDATED:
        return { said: 'validated', verdicts: verdicts(outcome.verdicts), price: outcome.price }
      case OUTCOME.RESERVATION: {
        const { again, status, userId, orderId, startedAtMs, expiresAtMs, price } = outcome
        const codes = outcome.coupons.map(({ code }) => code)
        const id = numberOf(this.reservations, outcome.seq)
        const facts = { id, again, status, userId, orderId, startedAtMs, expiresAtMs, price, codes }
        return { said: status, ...(status === 'REDEEMED' ? { ...facts, expiresAtMs: 0 } : facts) }
      }
      case OUTCOME.REDEMPTION: {
        const { replayed, atMs, userId, orderId, price, reversed } = outcome
        const codes = outcome.coupons.map(({ code }) => code)
        const id = numberOf(this.redemptions, outcome.seq)
        const reservation = outcome.reservationSeq === 0 ? -1 : numberOf(this.reservations, outcome.reservationSeq)
        const facts = { id, replayed, atMs, userId, orderId, price, reversed, codes, reservation }
        return { said: replayed ? 'redeemed again' : 'redeemed', ...facts }
      }
      case OUTCOME.COUPON: {
        const { status, uses, reserved, version, createdAtMs, updatedAtMs, lock, definition } = outcome
        const held = isChange ? {} : { reserved, lock }
        // A code away from its campaign shows no offer of its own: the gateway asks for it.
        const { campaign, offer, ...rest } = definition
        const own = campaign === null ? { status, offer } : {}
        return { said: 'coupon', uses, ...held, version, createdAtMs, updatedAtMs, ...rest, ...own }
      }
      case OUTCOME.CAMPAIGN: {
        const { status, uses, reserved, discountTotalMinor, version, definition } = outcome
        const held = isChange ? {} : { reserved }
        return { said: status, uses, ...held, discountTotalMinor, version, definition }
      }
      case OUTCOME.RELEASED:
        return { said: 'released' }
      default:
        throw new Error(`an outcome of type ${outcome.type} was not asked for`)
    }
  }

  private order(): string {
    return this.random.below(3) === 0 ? `o-${this.random.below(this.orders + 1)}` : `o-${++this.orders}`
  }
}

/** Refused, or said to be, for what several of its codes take together. */
function isTogether(outcome: Outcome): boolean {
  const verdicts =
    outcome.type === OUTCOME.REFUSED || outcome.type === OUTCOME.VALIDATED ? (outcome.verdicts ?? []) : []
  return verdicts.length > 1 && verdicts.some(({ refusal }) => refusal !== null && TOGETHER.has(refusal))
}

function isOfOrder(outcome: Outcome): boolean {
  return outcome.type === OUTCOME.REFUSED && ['ORDER_CONFLICT', 'REDEMPTION_REVERSED'].includes(outcome.refusal)
}

function isOver(outcome: Outcome): boolean {
  return outcome.type === OUTCOME.REFUSED && ['RESERVATION_CLOSED', 'RESERVATION_EXPIRED'].includes(outcome.refusal)
}
