/**
 * Random walks over a cluster: buyers who take, extend, redeem, release and reverse one to three coupons over several shards,
 * owners who change and end these, and a transport that delivers in any order, drops and doubles, while processes crash.
 * At the end everything is delivered, and judged by the logs alone (log-judge.ts, logs-agree.ts), by what was answered, and by a replay.
 */
import { strict as assert } from 'node:assert'
import type { CampaignDefinition } from '../../../protocol/campaign.ts'
import { COMMAND } from '../../../protocol/commands.ts'
import type { CampaignRef, CouponDefinition } from '../../../protocol/coupon.ts'
import type { DailyLimit } from '../../../protocol/daily-limit.ts'
import { campaignOrdinal, isBulk } from '../../../protocol/ordinals.ts'
import { UTC_DAYS } from '../../../engine/domain/calendar.ts'
import { OVER_ALL } from '../../../engine/domain/daily.ts'
import { textOf } from '../../../protocol/bytes.ts'
import { EVENT } from '../../../protocol/events.ts'
import { type Message, MESSAGE } from '../../../protocol/messages.ts'
import { OUTCOME } from '../../../protocol/outcomes.ts'
import { SETTLED } from '../../../engine/transport/port.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { couponOf } from '../support/campaign-scene.ts'
import { couponWith, total } from '../support/samples.ts'
import { CLUSTER_BEGIN_MS, type ClusterCall, dayShardOf, type OnWire } from '../support/shard-cluster.ts'
import { ShardLog } from './log-judge.ts'
import { faultsOf } from './logs-agree.ts'
import { imageOf, leftOf } from './stack-image.ts'
import { type MadeId, shardOf, StackScene } from './stack-scene.ts'

const LAYOUTS = [
  [[0], [1], [2]],
  [
    [0, 2],
    [1, 3],
  ],
  [[0], [1, 2]],
  [[0, 1, 2]],
] as const
const USERS = ['ann', 'bob', 'cyd']
const STEPS = 160
/** A wait for others, the conversation, the wait for deliveries, and the sweeps that notice. */
const ANSWER_MS_MAX = 250 + 1_000 + 250 + 100

export interface WalkCounts {
  [what: string]: number
}

export class ChaosWalk {
  readonly random: SeededRandom
  readonly scene: StackScene
  /** In the order in which they were made. */
  private readonly codes: string[] = []
  private readonly definitions = new Map<string, CouponDefinition>()
  private readonly campaigns: CampaignRef[] = []
  /** What every limit a day allows. */
  private readonly perDay: number
  /** What buyers put into their carts: few combinations, so that they meet. */
  private readonly carts: string[][] = []
  private readonly users: string[]
  /** Copies of frames that come once more, some steps later. */
  private echoes: { readonly step: number; readonly frame: OnWire }[] = []
  private readonly reservations: MadeId[] = []
  private readonly redemptions: MadeId[] = []
  private readonly counts: WalkCounts
  private readonly taken = new Set<ClusterCall>()
  private orders = 0
  /** A wire that may lose and double, or one that only delays. */
  private readonly isLossy: boolean

  constructor(seed: number, counts: WalkCounts = {}) {
    this.random = new SeededRandom(seed)
    this.counts = counts
    this.isLossy = this.random.below(2) === 0
    this.scene = new StackScene(this.random.pick(LAYOUTS))
    this.perDay = this.random.pick([1, 2, 4])
    for (const shard of this.scene.cluster.shards) {
      for (const name of ['A', 'B']) {
        const code = `${name}-${shard}`
        const limits = {
          maxUses: this.random.pick([null, 1, 2, 3, 6]),
          maxUsesPerUser: this.random.pick([null, null, 1, 2]),
        }
        const endsMs = this.random.below(6) === 0 ? CLUSTER_BEGIN_MS + 300 + this.random.below(9_000) : null
        const fields = { ...limits, validUntilMs: endsMs, dailyLimit: this.daily(6) }
        this.scene.has(code, fields)
        this.made(code, couponWith(code, fields, { stacking: 'STACKABLE' }))
      }
    }
    for (let i = this.random.below(3); i > 0; i--) this.beginCampaign(i)
    for (let i = 1 + this.random.below(4); i >= 0; i--) this.carts.push(this.someCodes())
    this.users = USERS.slice(0, 1 + this.random.below(3))
  }

  /** A campaign, its codes on whatever shards, and codes to be claimed. */
  private beginCampaign(number: number): void {
    const { shards } = this.scene.cluster
    const campaign = this.scene.campaign(this.random.pick(shards), {
      maxUses: this.random.pick([null, 1, 2, 4]),
      maxUsesPerUser: this.random.pick([null, null, 1, 2]),
      budgetMinor: this.random.pick([null, 150, 400, 900]),
      dailyLimit: this.daily(2),
      lockSeconds: this.random.pick([1, 300]),
      validUntilMs: this.random.below(6) === 0 ? CLUSTER_BEGIN_MS + 300 + this.random.below(9_000) : null,
    })
    this.campaigns.push(campaign)
    for (const name of ['K', 'L', 'M']) {
      const code = `${name}${number}-${this.random.pick(shards)}`
      const fields = { campaign, maxUses: this.random.pick([1, 1, 3]) }
      this.scene.joins(campaign, code, fields)
      this.made(code, couponOf(campaign.index, code, fields))
    }
    if (this.random.below(2) === 0) this.scene.pool(campaign, 3)
  }

  private made(code: string, definition: CouponDefinition): void {
    this.codes.push(code)
    this.definitions.set(code, definition)
  }

  private daily(outOf: number): DailyLimit | null {
    if (this.random.below(outOf) > 0) return null
    return { perUser: this.perDay, scope: this.random.pick(['ALL', 'ALL', 'CAMPAIGN'] as const) }
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) this.step(step)
    this.settle()
    this.judge()
  }

  private step(step: number): void {
    const { cluster } = this.scene
    const choice = this.random.below(100)
    if (choice < 28) this.begin()
    else if (choice < 31) this.beginAgain()
    else if (choice < 33) this.change()
    else if (choice < 66) this.moveWire(step)
    else if (choice < 80) cluster.settleFlush(this.random.below(cluster.laneCount))
    else if (choice < 86) cluster.pass(20, false)
    else if (choice < 90) cluster.elapsedMs += this.random.below(15)
    else if (choice < 92) this.passToEnd()
    else if (choice < 94) cluster.pass(this.random.pick([100, 300, 1_100, 2_500]), this.random.below(2) === 0)
    else if (choice < 99) cluster.run()
    else if (this.random.below(2) === 0) this.crash()
    const due = this.echoes.filter((echo) => echo.step <= step)
    this.echoes = this.echoes.filter((echo) => echo.step > step)
    for (const { frame } of due) cluster.wire.push(frame)
    this.learn()
  }

  /** Somebody clicks twice. */
  private beginAgain(): void {
    const { calls } = this.scene.cluster
    const { shard, command } = calls[calls.length - 1 - this.random.below(Math.min(3, calls.length))] as ClusterCall
    if (command.type !== COMMAND.CREATE_COUPON) this.scene.cluster.call(shard, command)
  }

  /** To the moment at which an open reservation runs out, a little before or behind. */
  private passToEnd(): void {
    const { cluster } = this.scene
    const ends: number[] = []
    for (const shard of cluster.shards) {
      const { tables, couponCount } = cluster.state(shard)
      for (let ordinal = 0; ordinal < couponCount; ordinal++) {
        const first = tables.coupons.holds.get(ordinal)
        if (first >= 0) ends.push(tables.holds.untilMs.get(tables.holds.head.get(first)))
      }
    }
    const ahead = ends.filter((endMs) => endMs > cluster.nowMs && endMs < cluster.nowMs + 3_000)
    if (ahead.length === 0) return
    const wantedMs = Math.min(...ahead) + this.random.pick([-12, -5, -1, 0, 1, 5])
    if (wantedMs > cluster.nowMs) cluster.pass(wantedMs - cluster.nowMs, this.random.below(3) > 0)
  }

  private begin(): void {
    const { begins } = this.scene
    const codes = this.random.pick(this.carts)
    const user = this.random.pick(this.users)
    if (this.campaigns.length > 0 && this.random.below(6) === 0) {
      this.scene.claims(this.random.pick(this.campaigns), user)
      return
    }
    const cart = total(this.random.pick([1_000, 1_000, 5_000]))
    const most = this.reservations.length === 0 ? 7 : this.redemptions.length === 0 ? 11 : 12
    switch (this.random.below(most)) {
      case 0:
      case 1:
      case 2: {
        const order = this.random.below(3) === 0 ? this.order() : null
        begins.reserve(codes, { user, order, cart, ttlSeconds: this.random.pick([1, 2, 300, 300]) })
        return
      }
      case 3:
      case 4:
      case 5:
        begins.redeem(codes, { user, order: this.order(), cart })
        return
      case 6:
        begins.validate(codes, cart, user)
        return
      case 7:
      case 8: {
        const allowLate = this.random.below(2) === 0
        const brought = this.random.below(3) === 0 ? total(2_000) : null
        begins.redeemReservation(this.idOf(this.reservations), this.order(), { allowLate, cart: brought })
        return
      }
      case 9:
        begins.release(this.idOf(this.reservations))
        return
      case 10:
        begins.extend(this.idOf(this.reservations), this.random.pick([1, 60, 3_000]))
        return
      case 11:
        begins.reverse(this.idOf(this.redemptions), this.random.below(3) > 0)
        return
    }
  }

  /** What the people do to whom the coupons belong. */
  private change(): void {
    const { cluster } = this.scene
    if (this.campaigns.length > 0 && this.random.below(4) === 0) {
      this.changeCampaign(this.random.pick(this.campaigns))
      return
    }
    const code = this.random.pick(this.codes)
    const coupon = { code, ordinal: -1 }
    const shard = shardOf(code)
    const rest = { by: null, reason: 'why', ifVersion: 0, definition: null, validUntilMs: 0, override: false }
    const kind = this.random.below(8)
    if (kind === 0) {
      cluster.call(shard, { type: COMMAND.CHANGE_COUPON, coupon, ...rest, change: 'EXPIRED' })
      return
    }
    if (kind < 3) {
      const change = this.random.pick(['ENABLED', 'ENABLED', 'DISABLED'] as const)
      cluster.call(shard, { type: COMMAND.SWITCH_COUPON, coupon, by: null, change })
      return
    }
    const state = cluster.state(shard)
    const ordinal = this.codes.filter((each) => shardOf(each) === shard).indexOf(code)
    const limits = { maxUses: this.random.pick([null, 1, 4, 9]), maxUsesPerUser: this.random.pick([null, null, 1, 3]) }
    const endsMs = this.random.below(3) === 0 ? cluster.nowMs + this.random.below(3_000) : null
    const percentBps = this.random.pick([1_000, 2_000])
    const before = this.definitions.get(code) as CouponDefinition
    const offer = before.offer === null ? null : { ...before.offer, percentBps }
    const definition = { ...before, ...limits, validUntilMs: endsMs, offer }
    const ifVersion = state.tables.coupons.version.get(ordinal)
    cluster.call(shard, { type: COMMAND.CHANGE_COUPON, coupon, ...rest, change: 'PATCHED', ifVersion, definition })
  }

  private changeCampaign({ shard, index }: CampaignRef): void {
    const { cluster } = this.scene
    if (this.random.below(3) === 0) {
      const change = this.random.pick(['ENABLED', 'ENABLED', 'DISABLED'] as const)
      cluster.call(shard, { type: COMMAND.SWITCH_CAMPAIGN, index, by: null, change })
      return
    }
    const state = cluster.state(shard)
    const definition = {
      ...(state.campaigns[index] as CampaignDefinition),
      maxUses: this.random.pick([null, 2, 5]),
      maxUsesPerUser: this.random.pick([null, null, 1, 3]),
      budgetMinor: this.random.pick([null, 300, 2_000]),
      validUntilMs: this.random.below(3) === 0 ? cluster.nowMs + this.random.below(3_000) : null,
    }
    const ifVersion = state.tables.coupons.version.get(campaignOrdinal(index))
    cluster.call(shard, { type: COMMAND.CHANGE_CAMPAIGN, index, by: null, ifVersion, definition })
  }

  private moveWire(step: number): void {
    const { cluster } = this.scene
    const { wire } = cluster
    if (wire.length === 0) return
    const index = this.random.below(3) === 0 ? this.random.below(wire.length) : 0
    const { message } = wire[index] as { message: Message }
    // Ends of reservations come in order: a later one is told only by who was heard last (deliveries.ts).
    if (message.type === MESSAGE.RETIME && wire.findIndex((each) => each.message.type === MESSAGE.RETIME) < index)
      return
    const fate = this.isLossy ? this.random.below(12) : 11
    if (fate === 0) cluster.drop(index)
    else {
      const frame = wire[index] as OnWire
      cluster.deliver(index)
      if (fate === 1 && message.type !== MESSAGE.RETIME) this.echoes.push({ step: step + this.random.below(40), frame })
    }
  }

  private crash(): void {
    this.echoes = []
    this.scene.cluster.crash(() => this.random.below(2) === 0)
  }

  private someCodes(): string[] {
    const codes = new Set<string>()
    const wanted = this.random.pick([1, 2, 2, 2, 3])
    while (codes.size < wanted) codes.add(this.random.pick(this.codes))
    return [...codes]
  }

  private order(): string {
    return this.random.below(3) === 0 ? `o-${this.random.below(this.orders + 1)}` : `o-${++this.orders}`
  }

  private idOf(ids: readonly MadeId[]): MadeId {
    return ids.length === 0
      ? { shard: 0, seq: 1 }
      : (ids[ids.length - 1 - this.random.below(Math.min(4, ids.length))] as MadeId)
  }

  /** Ids that were answered since. */
  private learn(): void {
    for (const call of this.scene.cluster.calls) {
      const outcome = call.answer?.outcome
      if (this.taken.has(call) || outcome === null || outcome === undefined) continue
      this.taken.add(call)
      this.count(this.scene.saysOf(call).replaceAll(/ (of code )?\d+/g, ''))
      if (outcome.type === OUTCOME.RESERVATION || outcome.type === OUTCOME.CLAIMED)
        this.reservations.push({ shard: call.shard, seq: outcome.seq })
      if (outcome.type === OUTCOME.REDEMPTION) this.redemptions.push({ shard: call.shard, seq: outcome.seq })
    }
  }

  private settle(): void {
    const { cluster } = this.scene
    cluster.pass(5_000)
    // Whatever was lost with a process is asked again, as a client would.
    for (const call of Array.from(cluster.calls)) {
      const { command, shard } = call
      if (!call.isLost) continue
      const asked = command.type === COMMAND.STACK ? command.call : command
      if (asked.type !== COMMAND.REDEEM && asked.type !== COMMAND.REDEEM_RESERVATION) continue
      cluster.call(shard, command)
      cluster.run()
    }
    cluster.pass(5_000)
    this.learn()
  }

  private judge(): void {
    const { cluster } = this.scene
    assert.equal(cluster.open.size, 0, `calls without an answer: ${[...cluster.open].map(({ id }) => id).join()}`)
    for (const call of cluster.calls) {
      const tookMs = call.answeredAtMs - call.sentAtMs
      if (!call.isLost) assert.ok(tookMs <= ANSWER_MS_MAX, `call ${call.id} was answered after ${tookMs} ms`)
      if (call.answer?.kind === SETTLED.NOT_DONE_UNAVAILABLE) this.count('not done')
    }
    const logs = cluster.shards.map((shard) => new ShardLog(shard, cluster.loggedEvents(shard), this.perDay))
    assert.deepEqual(faultsOf(logs, true), [])
    this.judgeStates(logs)
    this.judgeDays(logs)
    this.judgeAnswers(logs)
    this.judgeTwins(logs)
  }

  /** Nothing is left to do, and what the tables say is what the logs say. */
  private judgeStates(logs: readonly ShardLog[]): void {
    const { cluster } = this.scene
    for (const log of logs) {
      const state = cluster.state(log.shard)
      assert.deepEqual(leftOf(state), { undecided: 0, outbox: 0, claims: 0 }, `shard ${log.shard} at the end`)
      assert.deepEqual(
        imageOf(cluster.replayed(log.shard)),
        imageOf(state),
        `shard ${log.shard}: replay and live differ`,
      )
      for (const [ordinal, { uses, reserved, definition }] of log.coupons.entries()) {
        const { coupons } = state.tables
        assert.deepEqual(
          { uses: coupons.uses.get(ordinal), reserved: coupons.reserved.get(ordinal) },
          { uses, reserved },
        )
        const isExpired = definition.validUntilMs !== null && definition.validUntilMs <= cluster.nowMs
        if (isExpired) assert.equal(reserved, 0, `${definition.code} has expired and is reserved`)
      }
      for (const [index, { uses, reserved, spent, limits }] of log.campaigns.entries()) {
        const ordinal = campaignOrdinal(index)
        const { coupons, campaigns } = state.tables
        assert.deepEqual(
          {
            uses: coupons.uses.get(ordinal),
            reserved: coupons.reserved.get(ordinal),
            spent: campaigns.discountTotal.get(index),
            held: campaigns.discountHeld.get(index),
          },
          { uses, reserved, spent, held: log.heldOf(ordinal) },
        )
        const isExpired = limits.validUntilMs !== null && limits.validUntilMs <= cluster.nowMs
        if (isExpired) assert.equal(reserved, 0, `campaign ${log.shard}:${index} has expired and is reserved`)
      }
      for (const [name, { ordinals, untilMs }] of log.taken) {
        for (const ordinal of ordinals) {
          const endsMs = log.limitOf(ordinal).limits.validUntilMs ?? untilMs
          assert.ok(untilMs <= endsMs, `shard ${log.shard}: ${name} outlasts its coupon ${ordinal}`)
        }
      }
    }
  }

  /** Over everything: each user's day has exactly what was taken, whoever decided it, and what its shard says of it. */
  private judgeDays(logs: readonly ShardLog[]): void {
    const { cluster } = this.scene
    const dayStartMs = UTC_DAYS.dayOf('UTC', cluster.nowMs).startMs
    const counted = new Map(this.users.map((user) => [user, 0]))
    for (const log of logs) {
      for (let seq = 1; seq <= cluster.state(log.shard).seq; seq++) {
        const event = log.eventAt(seq)
        const takes = event?.type === EVENT.RESERVED || (event?.type === EVENT.REDEEMED && event.reservationSeq === 0)
        if (!takes) continue
        const coupons = event.stack?.coupons ?? event.ordinals.map((ordinal) => ({ shard: log.shard, ordinal }))
        const user = textOf(event.user)
        const dailies = coupons.map(({ shard, ordinal }) => this.dailyOf(logs, shard, ordinal))
        const ofAll = dailies.filter((daily) => daily?.scope === 'ALL').length
        counted.set(user, (counted.get(user) ?? 0) + ofAll)
      }
    }
    for (const [user, count] of counted) {
      const keeper = dayShardOf(user.charCodeAt(0), cluster.shards.length)
      const log = logs.find(({ shard }) => shard === keeper) as ShardLog
      this.count(count > 0 ? 'days counted' : 'days not counted')
      assert.equal(log.days.get(`${OVER_ALL} ${dayStartMs} ${user}`) ?? 0, count, `the day of ${user}`)
      assert.equal(this.scene.dayOf(user), count, `the day of ${user} in the state of shard ${keeper}`)
    }
  }

  private dailyOf(logs: readonly ShardLog[], shard: number, ordinal: number): DailyLimit | null {
    const { definition } = (logs.find((log) => log.shard === shard) as ShardLog).couponOf(ordinal)
    const { campaign } = definition
    if (definition.dailyLimit !== null || campaign === null) return definition.dailyLimit
    return logs.find((log) => log.shard === campaign.shard)?.campaigns[campaign.index]?.definition.dailyLimit ?? null
  }

  /** Whatever was answered is in the log, as it was answered. */
  private judgeAnswers(logs: readonly ShardLog[]): void {
    for (const { shard, answer, command, id } of this.scene.cluster.calls) {
      const outcome = answer?.outcome
      const log = logs.find((each) => each.shard === shard) as ShardLog
      if (outcome?.type === OUTCOME.REDEMPTION || outcome?.type === OUTCOME.RESERVATION) {
        const event = log.eventAt(outcome.seq)
        const wanted = outcome.type === OUTCOME.REDEMPTION ? EVENT.REDEEMED : EVENT.RESERVED
        assert.ok(event?.type === wanted, `call ${id}: event ${outcome.seq} of shard ${shard} is not what was answered`)
        assert.equal(textOf(event.user), outcome.userId)
        const codes =
          event.stack?.coupons.map(({ code }) => code) ??
          event.ordinals.map((ordinal) => log.coupons[ordinal]?.definition.code)
        const said = outcome.coupons.map(({ code, ordinal }) => (isBulk(ordinal) ? undefined : code))
        assert.deepEqual(said, codes)
        if (event.type === EVENT.REDEEMED)
          assert.deepEqual(outcome.type === OUTCOME.REDEMPTION && outcome.price, event.price)
      }
      if (outcome?.type === OUTCOME.RELEASED && command.type === COMMAND.RELEASE) {
        const name = log.nameOf(command.reservationSeq)
        assert.ok(
          name !== undefined && log.releases.has(name),
          `call ${id}: a release was answered and is not in the log`,
        )
      }
      if (answer?.kind === SETTLED.NOT_DONE_UNAVAILABLE) this.judgeNotDone(log, command)
    }
  }

  /** A call that was answered as not done, whose order nobody else had, has done nothing. */
  private judgeNotDone(log: ShardLog, command: ClusterCall['command']): void {
    const asked = command.type === COMMAND.STACK ? command.call : command
    if (asked.type !== COMMAND.REDEEM || typeof asked.order !== 'string') return
    const { order } = asked
    const sameOrder = this.scene.cluster.calls.filter((call) => {
      const one = call.command.type === COMMAND.STACK ? call.command.call : call.command
      return 'order' in one && one.order === order
    })
    if (sameOrder.length > 1) return
    const found = [...log.redeemedOrders.keys()].some((key) => key.endsWith(` ${order}`))
    assert.ok(!found, `order ${order} was answered as not done and is in the log`)
  }

  /** Nobody gets a second reservation of the same codes while the first is open, unless an order asks for it. */
  private judgeTwins(logs: readonly ShardLog[]): void {
    for (const log of logs) {
      const open = new Map<string, number>()
      for (let seq = 1; ; seq++) {
        const event = log.eventAt(seq)
        if (event === null) break
        if (event.type === EVENT.RESERVED && event.order === null) {
          const coupons = event.stack?.coupons ?? event.ordinals.map((ordinal) => ({ shard: log.shard, ordinal }))
          const set = coupons.map(({ shard, ordinal }) => `${shard}:${ordinal}`).sort()
          const key = `${textOf(event.user)} ${set.join()}`
          const twin = open.get(key)
          assert.ok(twin === undefined, `shard ${log.shard}: reservation ${seq} is the twin of ${twin}`)
          open.set(key, seq)
        }
        const isEnd = event.type === EVENT.RESERVATION_RELEASED || (event.type === EVENT.REDEEMED && !event.late)
        // One that was put off is left out, and so is one that had run out and stood until a sweep.
        const ended = isEnd || event.type === EVENT.RESERVATION_RETIMED ? event.reservationSeq : 0
        for (const [key, reservationSeq] of open) {
          const begin = log.eventAt(reservationSeq)
          const isOver = begin?.type === EVENT.RESERVED && begin.expiresAtMs <= log.timeOf(seq + 1)
          if (reservationSeq === ended || isOver) open.delete(key)
        }
      }
    }
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }
}
