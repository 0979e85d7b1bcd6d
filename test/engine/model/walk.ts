/**
 * Takes a random walk on the engine and on the naive model, step by step, and throws at the first difference.
 * At the end the log is audited, and replayed into an empty state that has to equal the live one.
 */
import assert from 'node:assert/strict'
import type { Bytes } from '../../../protocol/bytes.ts'
import { bytesOf } from '../../../protocol/bytes.ts'
import { COMMAND, type Command, type CouponRef } from '../../../protocol/commands.ts'
import type { CouponDefinition } from '../../../protocol/coupon.ts'
import { OUTCOME, type Outcome } from '../../../protocol/outcomes.ts'
import type { PriceFact } from '../../../protocol/price.ts'
import type { ShardState } from '../../../engine/domain/state.ts'
import { DAYS_KEPT_MS } from '../../../engine/shard/limits.ts'
import { judgeUser, type StateImage, tablesOf } from '../support/state-image.ts'
import { LiveShard, SHARD } from '../support/live-shard.ts'
import { byCode, byOrdinal, couponWith } from '../support/samples.ts'
import { LogAudit } from './audit.ts'
import { isOpen, type ModelAnswer, type ModelCoupon, type ModelReservation } from './model-facts.ts'
import { NaiveModel } from './naive-model.ts'
import type { NaivePrice } from './naive-price.ts'
import { CARTS, CODES, EDGE, OFFERS, ORDERS, type Step, USERS } from './steps.ts'

const BEGIN_MS = 1_760_000_000_000
const NEVER_FORGET_MS = 0

/** A fault planted in the engine: what it is told of a coupon, where the model is told the truth. */
export type Plant = (definition: CouponDefinition) => CouponDefinition

export class Walk {
  readonly live: LiveShard
  readonly model: NaiveModel
  protected readonly plant: Plant
  private readonly met: Map<string, number>
  private readonly redeems: StepOf<'redeem'>[] = []
  protected nowMs = BEGIN_MS

  /** `met` counts what was answered, by the kind of answer or the code of the refusal. */
  constructor(
    plant: Plant = (definition) => definition,
    met = new Map<string, number>(),
    live = new LiveShard(),
    model = new NaiveModel(),
  ) {
    this.plant = plant
    this.met = met
    this.live = live
    this.model = model
  }

  take(steps: readonly Step[]): void {
    for (const step of steps) this.step(step)
    this.compareAll()
    this.compareLog()
  }

  protected step(step: Step): void {
    const { model } = this
    model.beginCommand()
    switch (step.kind) {
      case 'create': {
        const definition = this.definition(step, this.codeOf(step.code))
        this.compare({ type: COMMAND.CREATE_COUPON, by: null, definition: this.plant(definition) }, () =>
          model.create(definition, this.nowMs),
        )
        return
      }
      case 'patch':
        this.patch(step)
        return
      case 'switch': {
        const { coupon, enabled } = step
        const ref = byCode(this.codeOf(coupon))
        const change = enabled ? 'ENABLED' : coupon % 2 === 0 ? 'DISABLED' : 'DELETED'
        this.compare({ type: COMMAND.SWITCH_COUPON, coupon: ref, by: 'key_1', change }, () =>
          model.switchTo(ref, enabled, this.nowMs),
        )
        return
      }
      case 'extend':
        this.extend(step)
        return
      case 'expire': {
        const ref = byCode(this.codeOf(step.coupon))
        this.compare(changeCoupon(ref, 'EXPIRED', { reason: 'over' }), () => model.expire(ref, this.nowMs))
        return
      }
      case 'reserve':
      case 'redeem':
      case 'validate':
        this.checkout(step)
        return
      case 'retry': {
        const redeem = this.redeems[this.redeems.length - 1 - step.latest]
        if (redeem !== undefined) this.checkout(redeem)
        return
      }
      case 'redeemReservation': {
        const { latest, order, cart, late } = step
        const seq = this.reservationSeq(latest)
        const command = {
          type: COMMAND.REDEEM_RESERVATION,
          reservationSeq: seq,
          order: ORDERS[order] as string,
          cart: cart === null ? null : (CARTS[cart] ?? null),
          allowLate: late,
        }
        this.compare(command, () => model.redeemReservation(seq, command.order, command.cart, late, this.nowMs))
        return
      }
      case 'release': {
        const seq = this.reservationSeq(step.latest)
        this.compare({ type: COMMAND.RELEASE, reservationSeq: seq }, () => model.release(seq, this.nowMs))
        return
      }
      case 'extendReservation': {
        const { latest, ttlSeconds } = step
        const seq = this.reservationSeq(latest)
        this.compare({ type: COMMAND.EXTEND_RESERVATION, reservationSeq: seq, ttlSeconds }, () =>
          model.extendReservation(seq, ttlSeconds, this.nowMs),
        )
        return
      }
      case 'reverse': {
        const { latest, returnUse } = step
        const seq = this.redemptionSeq(latest)
        const reason = `reason ${latest}`
        this.compare({ type: COMMAND.REVERSE, redemptionSeq: seq, reason, returnUse }, () =>
          model.reverse(seq, reason, returnUse, this.nowMs),
        )
        return
      }
      case 'getCoupon': {
        const { coupon, byId } = step
        this.compareCoupon(byId ? byOrdinal(coupon) : byCode(this.codeOf(coupon)))
        return
      }
      case 'getReservation':
        this.compareReservation(this.reservationSeq(step.latest))
        return
      case 'getRedemption':
        this.compareRedemption(this.redemptionSeq(step.latest))
        return
      case 'wait':
        this.wait(step)
        return
      case 'sweep':
        this.live.actor.sweep(this.nowMs, NEVER_FORGET_MS)
        return
      case 'flush':
        if (step.ends) this.live.endFlush()
        else this.live.beginFlush()
        return
    }
  }

  private patch(step: StepOf<'patch'>): void {
    const ref = byCode(this.codeOf(step.coupon))
    const definition = this.definition(step, this.codeOf(step.coupon))
    const version = this.model.coupons.find((one) => one.definition.code === ref.code)?.version ?? 1
    const ifVersion = step.stale ? version + 1 : version
    this.compare(changeCoupon(ref, 'PATCHED', { ifVersion, definition: this.plant(definition) }), () =>
      this.model.patch(ref, definition, ifVersion, this.nowMs),
    )
  }

  private extend({ coupon, byMs, override }: StepOf<'extend'>): void {
    const ref = byCode(this.codeOf(coupon))
    const present = this.model.coupons.find((one) => one.definition.code === ref.code)?.definition.validUntilMs
    const validUntilMs = (present ?? this.nowMs) + byMs
    this.compare(changeCoupon(ref, 'EXTENDED', { reason: 'why not', validUntilMs, override }), () =>
      this.model.extendCoupon(ref, validUntilMs, override, this.nowMs),
    )
  }

  private checkout(step: StepOf<'reserve' | 'redeem' | 'validate'>): void {
    const refs = step.codes.map((code) => byCode(this.codeOf(code)))
    const user = step.user === null ? null : (USERS[step.user] as string)
    const order = step.kind === 'validate' || step.order === null ? null : (ORDERS[step.order] as string)
    const cart = step.cart === null ? null : (CARTS[step.cart] ?? null)
    const ttlSeconds = step.kind === 'reserve' ? step.ttlSeconds : 0
    const call = { refs, user, order, cart, ttlSeconds }
    const fields = { coupons: refs, user, order, cart, ttlSeconds }
    if (step.kind === 'validate') {
      this.compare({ type: COMMAND.VALIDATE, ...fields }, () => this.model.validate(call, this.nowMs))
    } else if (step.kind === 'reserve') {
      this.compare({ type: COMMAND.RESERVE, ...fields }, () =>
        this.model.reserve({ ...call, user: user as string }, this.nowMs),
      )
    } else {
      this.redeems.push(step)
      this.compare({ type: COMMAND.REDEEM, ...fields }, () =>
        this.model.redeem({ ...call, user: user as string, order: order as string }, this.nowMs),
      )
    }
  }

  /** The name of a code by its number in a step. */
  protected codeOf(index: number): string {
    return CODES[index] as string
  }

  protected definition(step: StepOf<'create' | 'patch'>, code: string): CouponDefinition {
    const [validFromMs, validUntilMs] = this.windowOf(step.window)
    const { maxUses, maxUsesPerUser } = step
    const userId = step.onlyUser === null ? null : (USERS[step.onlyUser] as string)
    return couponWith(code, { maxUses, maxUsesPerUser, validFromMs, validUntilMs, userId }, OFFERS[step.offer])
  }

  protected windowOf(window: StepOf<'create'>['window']): readonly [number | null, number | null] {
    const { nowMs } = this
    return (
      {
        OPEN: [null, null],
        STARTS_LATER: [nowMs + 5_000, null],
        ENDS_SOON: [null, nowMs + 4_000],
        ENDED: [null, nowMs - 1],
        BOTH: [nowMs + 1_000, nowMs + 400_000],
      } as const
    )[window]
  }

  private wait({ jumpMs, shiftMs }: StepOf<'wait'>): void {
    if (jumpMs !== EDGE) {
      this.nowMs += jumpMs
      return
    }
    const edges = [
      ...this.model.reservations.filter((one) => one.state === 'OPEN').map((one) => one.expiresAtMs),
      ...[...this.model.coupons, ...this.model.campaigns].flatMap(({ definition }) => [
        definition.validFromMs ?? 0,
        definition.validUntilMs ?? 0,
      ]),
    ]
    const ahead = edges.filter((edgeMs) => edgeMs + shiftMs > this.nowMs)
    if (ahead.length > 0) this.nowMs = Math.min(...ahead) + shiftMs
  }

  private reservationSeq(latest: number): number {
    return numberOf(this.model.reservations, latest)
  }

  private redemptionSeq(latest: number): number {
    return numberOf(this.model.redemptions, latest)
  }

  protected compare(command: Command<string | Bytes>, predict: () => ModelAnswer): void {
    const { position, outcome } = this.live.send(command, this.nowMs)
    const predicted = predict()
    this.meet(predicted.kind === 'REFUSED' ? predicted.refusal : predicted.kind)
    const isNew = isFirstAnswer(predicted)
    if (isNew && 'seq' in outcome) {
      assert.equal(outcome.seq, position.seq, 'a new reservation or redemption is the last event')
      if (predicted.kind === 'RESERVATION') predicted.reservation.seq = outcome.seq
      if (predicted.kind === 'REDEMPTION') predicted.redemption.seq = outcome.seq
    }
    assert.equal(position.timeMs, this.nowMs)
    assert.deepEqual(engineView(outcome, predicted), this.modelView(predicted))
    if (outcome.type === OUTCOME.COUPON && predicted.kind === 'COUPON') {
      assert.deepEqual(outcome.definition, this.shownDefinition(predicted.coupon))
    }
  }

  protected meet(answer: string): void {
    this.met.set(answer, (this.met.get(answer) ?? 0) + 1)
  }

  protected shownDefinition({ definition }: ModelCoupon): CouponDefinition {
    return this.plant(definition)
  }

  private compareCoupon(ref: CouponRef<string>): void {
    this.compare({ type: COMMAND.GET_COUPON, coupon: ref }, () => this.model.get(ref))
  }

  protected compareReservation(seq: number): void {
    this.compare({ type: COMMAND.GET_RESERVATION, seq }, () => this.model.getReservation(seq))
  }

  private compareRedemption(seq: number): void {
    this.compare({ type: COMMAND.GET_REDEMPTION, seq }, () => this.model.getRedemption(seq))
  }

  protected compareAll(): void {
    for (const { ordinal } of this.model.coupons) this.compareCoupon(byOrdinal(ordinal))
    for (const { seq } of this.model.reservations) this.compareReservation(seq)
    for (const { seq } of this.model.redemptions) this.compareRedemption(seq)
  }

  protected compareLog(): void {
    const { live, model, nowMs } = this
    const audit = new LogAudit(live.loggedEvents())
    const image = imageAt(live.state, nowMs)
    assert.deepEqual(imageAt(live.replayed(), nowMs), image, 'the replayed state differs from the live one')
    const { uses, reserved } = live.state.tables.coupons
    for (const [ordinal, taken] of audit.limits) {
      const counted = { uses: uses.get(ordinal), reserved: reserved.get(ordinal) }
      assert.deepEqual({ uses: taken.uses, reserved: taken.reserved }, counted, `counters of ${ordinal}`)
    }
    assert.equal(audit.open.size, image.openReservations)
    for (const coupon of model.coupons) {
      if (coupon.definition.maxUsesPerUser === null) continue
      for (const user of USERS) {
        assert.equal(
          judgeUser(live.state, coupon.ordinal, bytesOf(user), nowMs),
          model.usesOfUser(coupon, user, nowMs),
          `${user} on ${coupon.definition.code}`,
        )
      }
    }
  }

  private modelView(answer: ModelAnswer): object {
    switch (answer.kind) {
      case 'COUPON':
        return this.couponView(answer.coupon)
      case 'RESERVATION':
        return this.reservationView(answer.reservation, answer.again)
      case 'REDEMPTION': {
        const { seq, atMs, reservation, user, order, coupons, price, reversed } = answer.redemption
        return {
          kind: 'REDEMPTION',
          replayed: answer.replayed,
          seq,
          atMs,
          reservationSeq: reservation?.seq ?? 0,
          user,
          order,
          coupons: coupons.map(named),
          price,
          reversed: reversed === null ? null : { atMs: reversed.atMs, reason: reversed.reason },
        }
      }
      default:
        return answer
    }
  }

  private couponView(coupon: ModelCoupon): object {
    const { model, nowMs } = this
    const first = coupon.definition.maxUses === 1 ? model.openOn(coupon, nowMs)[0] : undefined
    return {
      kind: 'COUPON',
      ordinal: coupon.ordinal,
      status: model.statusOf(coupon, nowMs),
      uses: model.uses(coupon),
      reserved: model.reserved(coupon, nowMs),
      version: coupon.version,
      createdAtMs: coupon.createdAtMs,
      updatedAtMs: coupon.updatedAtMs,
      lock: first === undefined ? null : { userId: first.user, expiresAtMs: first.expiresAtMs },
    }
  }

  private reservationView(reservation: ModelReservation, again: boolean): object {
    const { seq, user, order, startedAtMs, expiresAtMs, coupons, state } = reservation
    const isGone = state === 'OPEN' && !isOpen(reservation, this.nowMs)
    const redemption = this.model.redemptions.find((one) => one.reservation === reservation)
    return {
      kind: 'RESERVATION',
      again,
      seq,
      status: isGone || state === 'ENDED' ? 'EXPIRED' : state === 'OPEN' ? 'RESERVED' : state,
      user,
      order,
      startedAtMs,
      // When it would have run out is of no use to anybody once it is redeemed; the contract is silent.
      expiresAtMs: state === 'REDEEMED' ? null : expiresAtMs,
      coupons: coupons.map(named),
      price: redemption === undefined ? reservation.price : redemption.price,
    }
  }
}

export type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>

/** Days that are long over are dropped from memory by a sweep, which a replay does not do. They count for nothing. */
function imageAt(state: ShardState, nowMs: number): StateImage {
  state.tables.days.evictBelow(nowMs - DAYS_KEPT_MS, Number.POSITIVE_INFINITY)
  return tablesOf(state)
}

function isFirstAnswer(answer: ModelAnswer): boolean {
  if (answer.kind === 'RESERVATION') return !answer.again && answer.reservation.seq === 0
  return answer.kind === 'REDEMPTION' && !answer.replayed && answer.redemption.seq === 0
}

/** The sequence of one of the latest; beyond them a number that belongs to nothing of the kind. */
function numberOf(made: readonly { readonly seq: number }[], latest: number): number {
  return made[made.length - 1 - latest]?.seq ?? [0, 1, 999_999][latest % 3] ?? 0
}

function named({ ordinal, definition }: ModelCoupon): object {
  return { shard: SHARD, ordinal, code: definition.code }
}

function changeCoupon(
  coupon: CouponRef<string>,
  change: 'PATCHED' | 'EXTENDED' | 'EXPIRED',
  fields: {
    readonly reason?: string
    readonly ifVersion?: number
    readonly definition?: CouponDefinition
    readonly validUntilMs?: number
    readonly override?: boolean
  },
): Command<string> {
  return {
    type: COMMAND.CHANGE_COUPON,
    coupon,
    by: null,
    change,
    reason: fields.reason ?? null,
    ifVersion: fields.ifVersion ?? 0,
    definition: fields.definition ?? null,
    validUntilMs: fields.validUntilMs ?? 0,
    override: fields.override ?? false,
  }
}

/** What an engine's answer says, in the model's words. Sentences for people are left out. */
function engineView(outcome: Outcome, predicted: ModelAnswer): object {
  switch (outcome.type) {
    case OUTCOME.REFUSED: {
      const { refusal, couponIndex, retryAfterMs, verdicts } = outcome
      const names = predicted.kind === 'REFUSED' && predicted.couponIndex !== undefined
      if (verdicts !== null) assert.equal(verdicts[couponIndex]?.refusal, refusal)
      return { kind: 'REFUSED', refusal, ...(names ? { couponIndex } : {}), retryAfterMs }
    }
    case OUTCOME.VALIDATED: {
      const known = predicted.kind === 'VALIDATED' ? predicted.verdicts : []
      const verdicts = outcome.verdicts.map(({ ordinal, refusal, amountMinor }, i) =>
        known[i] !== undefined && !('amountMinor' in known[i])
          ? { ordinal, refusal }
          : { ordinal, refusal, amountMinor },
      )
      return { kind: 'VALIDATED', verdicts, price: priceView(outcome.price) }
    }
    case OUTCOME.RESERVATION: {
      const { again, seq, status, userId, orderId, startedAtMs, expiresAtMs, coupons, price } = outcome
      return {
        kind: 'RESERVATION',
        again,
        seq,
        status,
        user: userId,
        order: orderId,
        startedAtMs,
        expiresAtMs: status === 'REDEEMED' ? null : expiresAtMs,
        coupons,
        price: priceView(price),
      }
    }
    case OUTCOME.REDEMPTION: {
      const { replayed, seq, atMs, reservationSeq, userId, orderId, coupons, price, reversed } = outcome
      const view = { kind: 'REDEMPTION', replayed, seq, atMs, reservationSeq, user: userId, order: orderId }
      return { ...view, coupons, price: priceView(price), reversed }
    }
    case OUTCOME.COUPON: {
      const { ordinal, status, uses, reserved, version, createdAtMs, updatedAtMs, lock } = outcome
      return { kind: 'COUPON', ordinal, status, uses, reserved, version, createdAtMs, updatedAtMs, lock }
    }
    case OUTCOME.RELEASED:
      return { kind: 'RELEASED' }
    default:
      throw new Error(`an outcome of type ${outcome.type} was not asked for`)
  }
}

/** Lines add up to what the coupons gave; apart from that they are the pricing tests' business. */
function priceView(price: PriceFact | null): NaivePrice | null {
  if (price === null) return null
  const { currency, subtotalMinor, shippingMinor, shippingDiscountMinor, amounts, lines } = price
  if (lines !== null) {
    const ofLines = lines.flatMap((line) => line.perCoupon).reduce((sum, amount) => sum + amount, 0)
    assert.equal(
      ofLines + shippingDiscountMinor,
      amounts.reduce((sum, amount) => sum + amount, 0),
    )
  }
  return { currency, subtotalMinor, shippingMinor, shippingDiscountMinor, amounts }
}
