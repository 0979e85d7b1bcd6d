/**
 * The callers: people and programs that take, redeem, give back, change their minds, click twice, lose patience and come back.
 * They know what they were told and nothing else, and send what a gateway would send for them, as bytes.
 *
 * Everything they are told is kept, with what they asked, for the audit.
 */
import { Router } from '../../engine/routing.ts'
import { SETTLED, type Settled } from '../../engine/transport/port.ts'
import { ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND, NO_SHARD } from '../../protocol/commands.ts'
import { currencyNumber } from '../../protocol/currency.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME, type Outcome } from '../../protocol/outcomes.ts'
import { campaignWith, codesPlan, couponOf } from '../engine/support/campaign-scene.ts'
import {
  type AnyCommand,
  byCode,
  byOrdinal,
  checkout,
  couponWith,
  create,
  offerWith,
  total,
} from '../engine/support/samples.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { Observed } from './audit/observed.ts'
import type { ClientStep } from './steps.ts'
import type { World } from './world.ts'

const BACK_OFF_MS = 800

interface MadeId {
  readonly shard: number
  readonly number: number
}

interface Sent {
  readonly shard: number
  readonly command: AnyCommand
  readonly bytes: Uint8Array
}

/** Names of counts, made once each: they are looked up at every answer. */
function namer(prefix: string): (what: string | number) => string {
  const names = new Map<string | number, string>()
  return (what) => {
    let name = names.get(what)
    if (name === undefined) {
      name = `${prefix} ${what}`
      names.set(what, name)
    }
    return name
  }
}

const refusedAs = namer('refused')
const answeredAs = namer('answered')
const settledAs = namer('settled')

type Then = (outcome: Outcome, shard: number) => void

export class Callers {
  readonly observed: Observed[] = []
  /** Commands sent. */
  commands = 0
  /** Calls that have not come to an end. */
  open = 0
  private readonly world: World
  private readonly router: Router
  private readonly random: SeededRandom
  private readonly writer = new ByteWriter()
  private readonly steps = new Map<number, ClientStep>()
  private readonly sent = new Map<number, Sent>()
  private readonly campaigns = new Map<number, MadeId>()
  private readonly reservations = new Map<number, MadeId>()
  private readonly redemptions = new Map<number, MadeId>()
  private readonly jobs = new Map<number, MadeId>()

  constructor(world: World, seed: number) {
    this.world = world
    this.router = new Router(world.deployment.shards, world.deployment.secret)
    this.random = new SeededRandom(seed * 2 + 7)
  }

  do(step: ClientStep): void {
    this.steps.set(step.id, step)
    switch (step.do) {
      case 'createCampaign': {
        const definition = campaignWith({
          ...step.terms,
          offer: { percentBps: step.percent * 100, stacking: 'STACKABLE' },
        })
        this.ask(step, step.shard, { type: COMMAND.CREATE_CAMPAIGN, by: null, definition })
        return
      }
      case 'createCoupon': {
        const campaign = step.campaign === null ? null : this.campaigns.get(step.campaign)
        if (campaign === undefined) return
        const { code, percent, terms } = step
        const alone = couponWith(code, terms, { percentBps: percent * 100, stacking: 'STACKABLE' })
        const ref = campaign === null ? null : { shard: campaign.shard, index: campaign.number }
        const definition = ref === null ? alone : couponOf(ref.index, code, { ...terms, campaign: ref })
        this.ask(step, this.router.shardOfCode(code), create(definition))
        return
      }
      case 'patchCoupon':
        this.patchCoupon(step, step.code, step.terms)
        return
      case 'endCoupon':
        this.changeCoupon(step, step.code, 'EXPIRED', 0, false)
        return
      case 'extendCoupon':
        this.changeCoupon(step, step.code, 'EXTENDED', step.untilMs, step.override)
        return
      case 'switchCoupon':
        this.ask(step, this.router.shardOfCode(step.code), {
          type: COMMAND.SWITCH_COUPON,
          coupon: byCode(step.code),
          by: null,
          change: step.to,
        })
        return
      case 'patchCampaign':
        this.patchCampaign(step, step.campaign, step.terms)
        return
      case 'switchCampaign': {
        const campaign = this.campaigns.get(step.campaign)
        if (campaign === undefined) return
        const { shard, number: index } = campaign
        this.ask(step, shard, { type: COMMAND.SWITCH_CAMPAIGN, index, by: null, change: step.to })
        return
      }
      case 'makeCodes': {
        const campaign = this.campaigns.get(step.campaign)
        if (campaign === undefined) return
        const { shard, number: index } = campaign
        const definition = couponOf(index, '', { campaign: { shard, index } })
        this.ask(step, shard, { type: COMMAND.START_JOB, by: null, plan: codesPlan(index, step.count, { definition }) })
        return
      }
      case 'cancelJob':
        this.about(this.jobs, step.of, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.END_JOB, jobSeq: number, end: 'CANCELLED', reason: null }),
        )
        return
      case 'claim':
        this.about(this.campaigns, step.campaign, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.CLAIM, index: number, user: step.user }),
        )
        return
      case 'reserve': {
        const { codes, user, order, totalMinor, ttlSeconds } = step
        const cart = totalMinor === null ? null : total(totalMinor)
        this.checkout(step, codes, checkout(COMMAND.RESERVE, codes, { user, order, cart, ttlSeconds }))
        return
      }
      case 'redeem': {
        const { codes, user, order, totalMinor } = step
        this.checkout(step, codes, checkout(COMMAND.REDEEM, codes, { user, order, cart: total(totalMinor) }))
        return
      }
      case 'validate': {
        const { codes, user, totalMinor } = step
        this.checkout(step, codes, checkout(COMMAND.VALIDATE, codes, { user, cart: total(totalMinor) }))
        return
      }
      case 'columns':
        this.columns(step, step.code, step.users, step.orders)
        return
      case 'redeemReservation': {
        const { order, totalMinor, allowLate } = step
        const cart = totalMinor === null ? null : total(totalMinor)
        this.about(this.reservations, step.of, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.REDEEM_RESERVATION, reservationSeq: number, order, cart, allowLate }),
        )
        return
      }
      case 'release':
        this.about(this.reservations, step.of, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.RELEASE, reservationSeq: number }),
        )
        return
      case 'extend':
        this.about(this.reservations, step.of, ({ shard, number }) =>
          this.ask(step, shard, {
            type: COMMAND.EXTEND_RESERVATION,
            reservationSeq: number,
            ttlSeconds: step.ttlSeconds,
          }),
        )
        return
      case 'reverse':
        this.about(this.redemptions, step.of, ({ shard, number }) =>
          this.ask(step, shard, {
            type: COMMAND.REVERSE,
            redemptionSeq: number,
            reason: 'returned',
            returnUse: step.returnUse,
          }),
        )
        return
      case 'getReservation':
        this.about(this.reservations, step.of, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.GET_RESERVATION, seq: number }),
        )
        return
      case 'getRedemption':
        this.about(this.redemptions, step.of, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.GET_REDEMPTION, seq: number }),
        )
        return
      case 'getCoupon': {
        const coupon = byCode(step.code)
        this.ask(step, this.router.shardOfCode(step.code), { type: COMMAND.GET_COUPON, coupon })
        return
      }
      case 'getCampaign':
        this.about(this.campaigns, step.campaign, ({ shard, number }) =>
          this.ask(step, shard, { type: COMMAND.GET_CAMPAIGN, index: number }),
        )
        return
      case 'again': {
        const first = this.sent.get(step.of)
        const told = this.steps.get(step.of)
        if (first !== undefined && told !== undefined) this.send({ ...told, retries: step.retries }, first, () => {})
        return
      }
    }
  }

  /** Reads every coupon and campaign that is known, without anything else under way. */
  lookAtAll(): void {
    for (const step of Array.from(this.steps.values())) {
      const { id, atMs } = step
      if (step.do === 'createCoupon') this.do({ id: -1 - id, atMs, retries: 3, do: 'getCoupon', code: step.code })
      if (step.do === 'createCampaign') this.do({ id: -1 - id, atMs, retries: 3, do: 'getCampaign', campaign: id })
    }
  }

  /** What that step has made; where it came to nothing, the last that was made before it was asked for. */
  private about(things: ReadonlyMap<number, MadeId>, step: number, act: (id: MadeId) => void): void {
    let id = things.get(step)
    if (id === undefined) for (const [made, each] of things) if (made < step) id = each
    if (id !== undefined) act(id)
    else this.world.count('nothing to act on')
  }

  private patchCoupon(step: ClientStep, code: string, terms: object): void {
    const shard = this.router.shardOfCode(code)
    this.ask(step, shard, { type: COMMAND.GET_COUPON, coupon: byCode(code) }, (read) => {
      if (read.type !== OUTCOME.COUPON) return
      const definition = { ...read.definition, ...terms }
      const change = {
        type: COMMAND.CHANGE_COUPON,
        coupon: byOrdinal(read.ordinal),
        by: null,
        change: 'PATCHED',
      } as const
      const rest = { reason: null, ifVersion: read.version, definition, validUntilMs: 0, override: false }
      this.ask(step, shard, { ...change, ...rest })
    })
  }

  private changeCoupon(
    step: ClientStep,
    code: string,
    change: 'EXPIRED' | 'EXTENDED',
    validUntilMs: number,
    override: boolean,
  ): void {
    const coupon = byCode(code)
    const rest = { reason: 'decided', ifVersion: 0, definition: null, validUntilMs, override }
    this.ask(step, this.router.shardOfCode(code), { type: COMMAND.CHANGE_COUPON, coupon, by: null, change, ...rest })
  }

  private patchCampaign(step: ClientStep, of: number, terms: object): void {
    const campaign = this.campaigns.get(of)
    if (campaign === undefined) return
    const { shard, number: index } = campaign
    this.ask(step, shard, { type: COMMAND.GET_CAMPAIGN, index }, (read) => {
      if (read.type !== OUTCOME.CAMPAIGN) return
      const definition = { ...read.definition, ...terms, offer: offerWith(read.definition.offer) }
      this.ask(step, shard, { type: COMMAND.CHANGE_CAMPAIGN, index, by: null, ifVersion: read.version, definition })
    })
  }

  /** Of several shards: for the lowest of them, which coordinates. */
  private checkout(step: ClientStep, codes: readonly string[], command: AnyCommand): void {
    const shards = codes.map((code) => (code.startsWith('NO-') ? NO_SHARD : this.router.shardOfCode(code)))
    const lowest = Math.min(...shards)
    if (lowest === NO_SHARD) return
    if (shards.every((shard) => shard === lowest)) this.ask(step, lowest, command)
    else this.ask(step, lowest, { type: COMMAND.STACK, shards, call: command } as AnyCommand)
  }

  private columns(step: ClientStep, code: string, users: readonly string[], orders: readonly string[]): void {
    const { writer } = this
    const range = (write: () => void) => {
      writer.clear()
      write()
      return { buf: writer.buf.slice(0, writer.pos), start: 0, end: writer.pos }
    }
    // MessagePack: texts of fewer than 32 bytes have their length in the type byte, uint16 is 0xcd.
    const texts = (all: readonly string[]) =>
      range(() => {
        for (const text of all) {
          writer.u8(0xa0 + text.length)
          for (let i = 0; i < text.length; i++) writer.u8(text.charCodeAt(i))
        }
      })
    const totals = range(() => {
      for (const byte of [0xcd, 0x03, 0xe8]) writer.u8(byte)
    })
    const lists = { users: texts(users), orders: texts(orders), totals }
    const rest = { coupon: byCode(code), currency: currencyNumber('EUR'), count: users.length, oneTotal: true }
    this.ask(step, this.router.shardOfCode(code), { type: COMMAND.REDEEM_COLUMNS, ...rest, ...lists })
  }

  private ask(step: ClientStep, shard: number, command: AnyCommand, then: Then = () => {}): void {
    const { writer } = this
    writer.clear()
    writeCommand(writer, command)
    const sent = { shard, command, bytes: writer.buf.slice(0, writer.pos) }
    this.sent.set(step.id, sent)
    this.send(step, sent, then)
  }

  private send(step: ClientStep, sent: Sent, then: Then): void {
    const { world } = this
    const { shard, bytes } = sent
    const sentAtMs = world.nowMs
    this.commands++
    this.open++
    let isOver = false
    const again = (): void => {
      if (isOver) return
      isOver = true
      if (step.retries > 0) this.send({ ...step, retries: step.retries - 1 }, sent, then)
    }
    world.call(shard, bytes, (kind, answer, durableSeq) => {
      this.open--
      this.learn(step, sent, sentAtMs, kind, answer, durableSeq, then)
      if (kind === SETTLED.ANSWERED || step.retries === 0 || isOver) isOver = true
      else world.schedule.after(1 + this.random.below(BACK_OFF_MS), again)
    })
    // Some lose patience and ask again while the first call is under way.
    if (step.retries > 0 && this.random.below(4) === 0) world.schedule.after(20 + this.random.below(BACK_OFF_MS), again)
  }

  private learn(
    step: ClientStep,
    { shard, command }: Sent,
    sentAtMs: number,
    kind: Settled,
    answer: Uint8Array | null,
    durableSeq: number,
    then: Then,
  ): void {
    const { id, do: what } = step
    const answeredAtMs = this.world.nowMs
    if (kind !== SETTLED.ANSWERED || answer === null) {
      this.world.count(settledAs(kind))
      this.observed.push({
        step: id,
        do: what,
        shard,
        command,
        sentAtMs,
        answeredAtMs,
        kind,
        position: null,
        outcome: null,
        others: [],
        durableSeq,
      })
      return
    }
    const reader = new ByteReader(answer)
    const position = readPosition(reader)
    const read = readOutcome(reader)
    const across = read.type === OUTCOME.ACROSS ? read : null
    const outcome = across?.outcome ?? read
    const others = across?.positions ?? []
    // Written out, not spread: this is done for every answer of every run.
    this.observed.push({
      step: id,
      do: what,
      shard,
      command,
      sentAtMs,
      answeredAtMs,
      kind,
      position,
      outcome,
      others,
      durableSeq,
    })
    this.world.count(outcome.type === OUTCOME.REFUSED ? refusedAs(outcome.refusal) : answeredAs(outcome.type))
    this.remember(step, outcome, position.shard)
    then(outcome, position.shard)
  }

  private remember(step: ClientStep, outcome: Outcome, shard: number): void {
    switch (outcome.type) {
      case OUTCOME.CAMPAIGN:
        if (step.do === 'createCampaign') this.campaigns.set(step.id, { shard, number: outcome.index })
        return
      case OUTCOME.RESERVATION:
        this.reservations.set(step.id, { shard, number: outcome.seq })
        return
      case OUTCOME.CLAIMED:
        this.reservations.set(step.id, { shard, number: outcome.seq })
        return
      case OUTCOME.REDEMPTION:
        this.redemptions.set(step.id, { shard, number: outcome.seq })
        return
      case OUTCOME.JOB:
        this.jobs.set(step.id, { shard, number: outcome.jobSeq })
        return
      default:
        return
    }
  }
}
